"""A self-contained page of HTML: its parts, read as a reader of it does."""

import pytest
from pages import Page

from fuseprop.plots import Curve, Figure, Panel
from fuseprop.plots.drawing.figure import as_png
from fuseprop.showing import lines, paragraph, picture, sparkline
from fuseprop.showing.page import facts, folded, heading, page, table

HOSTILE = '<script>alert("x")</script>&\x1b[2J\u202e\ud800\''


def test_a_page_is_read_as_it_was_made():
    times = table("Microseconds", ("network", "mean", "of"), [("a", 1 / 3, 4), ("b", None, 5)])
    of_it = [heading("Of it"), facts([("cores", 16), ("name", "two\nlines")]), paragraph("Said.")]
    sections = {"A table": [times], "Left out": ["", paragraph("")], "Facts": of_it}
    read = Page(page("Times", "of one machine", sections))
    assert read.title == "Times"
    assert read.headings == [(1, "Times"), (2, "A table"), (2, "Facts"), (3, "Of it")]
    names, *rows = read.tables["Microseconds"]
    assert names == ["network", "mean", "of"]
    assert rows == [["a", "0.333333", "4"], ["b", "", "5"]]
    assert read.facts == {"cores": "16", "name": "two\nlines"}
    assert read.sections["Facts"] == "Facts Of it cores 16 name two lines Said."


def test_numbers_are_to_the_right_under_their_names():
    text = table("", ("network", "mean", "empty"), [("a", 1.5, None), ("b", 2, None)])
    assert '<th scope="col" style="text-align:right">mean</th>' in text
    assert '<th scope="col" style="text-align:left">network</th>' in text
    assert '<th scope="row" style="text-align:left">a</th><td style="text-align:right">1.5</td>' in text


def test_all_text_is_escaped():
    parts = [
        table(HOSTILE, [HOSTILE], [[HOSTILE]]),
        facts([(HOSTILE, HOSTILE)]),
        heading(HOSTILE),
        folded(HOSTILE, lines(HOSTILE)),
        sparkline({HOSTILE: [1.0, 2.0]}, HOSTILE, HOSTILE),
    ]
    text = page(HOSTILE, HOSTILE, {HOSTILE: parts})
    read = Page(text)
    seen = '<script>alert("x")</script>&\\x1b[2J\\u202e\\ud800\''
    assert read.headings == [(1, seen), (2, seen), (3, seen)]
    assert read.tables == {seen: [[seen], [seen]]}
    assert read.facts == {seen: seen}
    assert read.folded == [seen]
    assert "\x1b" not in text


def test_titles_that_differ_have_anchors_that_differ():
    titles = ["A b", "a-b", "a b!", "a b 2", "漢字", "??", ""]
    read = Page(page("t", "", {title: [paragraph("Said.")] for title in titles}))
    assert [text for level, text in read.headings if level == 2] == titles


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_pictures_stand_in_the_page_with_what_they_are_about(kind):
    data = as_png(Figure("t", [Panel("p", curves=[Curve("a", [1, 2], [1, 2])])]))
    if kind == "svg":
        data = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    text = page("t", "", {"Picture": [picture(data, "a <line>", 400)]})
    assert Page(text).pictures == {"a <line>": data}
    assert 'width="400"' in text


def test_what_is_empty_leaves_nothing():
    assert folded("more", "", paragraph("")) == facts([]) == ""
    assert Page(page("t", "", {"Empty": [""]})).headings == [(1, "t")]
