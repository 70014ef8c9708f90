"""``fuseprop learn`` without a topic, and films of the topics that move."""

import json
import os
import signal
from dataclasses import replace

import pytest
from click.testing import CliRunner

from fuseprop import load_backend
from fuseprop.cli import main
from fuseprop.learn import TOPICS, Result, Topic
from fuseprop.plots import Curve, Figure, Film, Panel

FRAMES = 3


def run(*arguments):
    return CliRunner().invoke(main, ["learn", "--device", "cpu", *map(str, arguments)])


def alone(*arguments):
    return CliRunner().invoke(main, ["learn", *map(str, arguments)])


def frame(number):
    way = Curve("way", [0.0, 1.0 + number], [0.0, 1.0], way=True)
    return Figure("rolling", [Panel("a panel", "x", "y", [way], x_limits=(0, 4), y_limits=(0, 2))])


@pytest.fixture
def rolling(monkeypatch):
    """A topic that moves, cheaply; and all numbers of frames that were drawn."""
    drawn, ran = [], []

    def draw(number):
        drawn.append(number)
        return frame(number)

    def rolls(backend, seed):
        ran.append(seed)
        film = Film(draw, FRAMES)
        return Result("rolls", ("n",), [(1,)], frame(FRAMES - 1), "It rolls. It is round.", film=film)

    topic = Topic("rolling", "Something rolls.", rolls, moves=True)
    monkeypatch.setitem(TOPICS, "rolling", topic)
    topic_without = Topic("still", "Nothing moves.", rolls, moves=False)
    monkeypatch.setitem(TOPICS, "still", topic_without)
    return {"drawn": drawn, "ran": ran, "topic": topic}


def film_that(monkeypatch, rolling, act):
    """Let the topic's film do something at its second frame."""

    def draw(number):
        if number == 1:
            act()
        return frame(number)

    def rolls(backend, seed):
        return replace(rolling["topic"].run(backend, seed), film=Film(draw, FRAMES))

    monkeypatch.setitem(TOPICS, "rolling", replace(rolling["topic"], run=rolls))


# The list


def test_without_a_topic_all_are_listed_in_the_order_of_the_course():
    result = alone()
    assert (result.exit_code, result.stderr) == (0, "")
    listed, how = result.stdout.split("\n\n")
    assert [tuple(line.split(maxsplit=1)) for line in listed.splitlines()] == [
        (name, topic.line) for name, topic in TOPICS.items()
    ]
    first = next(iter(TOPICS))
    assert f"fuseprop learn {first} --plot {first}.png" in how


def test_the_list_says_which_move(rolling):
    moving = [name for name, topic in TOPICS.items() if topic.moves]
    assert alone().stdout.rstrip().endswith(f".gif: {', '.join(moving)}.")
    assert "rolling" in moving


def test_json_is_the_list_too(rolling):
    result = alone("--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "topics": [
            {"topic": topic.name, "line": topic.line, "moves": topic.moves} for topic in TOPICS.values()
        ]
    }
    assert not rolling["ran"]


@pytest.mark.parametrize(
    "options",
    [["--seed", 0], ["--plot", "x.png"], ["--plot", "x.gif"], ["--device", "cpu"], ["--seed", 1, "--json"]],
)
def test_options_of_a_topic_need_one(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = alone(*options)
    assert (result.exit_code, result.stdout) == (2, "")
    said = " ".join(result.stderr.split())
    assert f"{options[0]} is for one topic" in said
    assert "fuseprop learn alone lists all topics" in said
    assert not list(tmp_path.iterdir())


def test_the_help_says_what_the_list_is_and_where_films_are():
    said = " ".join(alone("--help").stdout.split())
    assert "Without a TOPIC, list all of them" in said
    moving = ", ".join(name for name, topic in TOPICS.items() if topic.moves)
    assert f".gif where it moves ({moving})" in said


# Films


def test_a_topic_that_moves_is_drawn_as_a_film(rolling, tmp_path):
    from PIL import Image

    result = run("rolling", "--plot", tmp_path / "x.gif")
    assert result.exit_code == 0
    assert result.stdout.rstrip().endswith(f"picture written to {tmp_path / 'x.gif'}")
    assert rolling["drawn"] == list(range(FRAMES))
    with Image.open(tmp_path / "x.gif") as film:
        assert film.n_frames == FRAMES


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_picture_of_it_draws_no_frame(rolling, tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    assert run("rolling", "--plot", path, "--json").exit_code == 0
    assert path.stat().st_size > 1000
    assert not rolling["drawn"]


def test_a_film_of_what_does_not_move_is_refused_before_training(rolling, tmp_path):
    result = run("still", "--plot", tmp_path / "x.gif")
    assert (result.exit_code, result.stdout) == (2, "")
    moving = ", ".join(name for name, topic in TOPICS.items() if topic.moves)
    assert f"still does not move: take .png, .svg or .pdf. .gif is for {moving}." in " ".join(
        result.stderr.split()
    )
    assert not rolling["ran"]
    assert not list(tmp_path.iterdir())


def test_elsewhere_films_are_refused(tmp_path):
    result = CliRunner().invoke(main, ["train", "xor", "--plot", str(tmp_path / "x.gif")])
    assert result.exit_code == 2
    assert "must end in .png, .svg, .pdf, got" in " ".join(result.stderr.split())


def test_a_film_that_fails_takes_no_table_with_it(rolling, tmp_path, monkeypatch):
    def fail():
        raise OSError("no such colour")

    film_that(monkeypatch, rolling, fail)
    result = run("rolling", "--plot", tmp_path / "x.gif", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["rows"] == [[1]]
    assert json.loads(result.stdout)["plot"] is None
    assert "the picture was not drawn: no such colour" in result.stderr
    assert not list(tmp_path.iterdir())


def test_ctrl_c_between_frames_is_130_and_leaves_the_film_before(rolling, tmp_path, monkeypatch):
    film_that(monkeypatch, rolling, lambda: os.kill(os.getpid(), signal.SIGINT))
    path = tmp_path / "x.gif"
    path.write_bytes(b"the one before")
    result = run("rolling", "--plot", path)
    assert result.exit_code == 130
    assert "It rolls. It is round." in result.stdout
    assert "picture written" not in result.stdout
    assert "interrupted" in result.stderr
    assert path.read_bytes() == b"the one before"
    assert [each.name for each in tmp_path.iterdir()] == ["x.gif"]


@pytest.mark.parametrize("name", [name for name, topic in TOPICS.items() if topic.moves])
def test_topics_that_move_have_a_film_whose_panels_stay(name):
    film = TOPICS[name](load_backend("cpu", "float64"), 0).film
    first, last = film.frame(0), film.frame(film.count - 1)
    assert [panel.title for panel in first.panels] == [panel.title for panel in last.panels]
    assert [panel.x_limits for panel in first.panels] == [panel.x_limits for panel in last.panels]
    assert first != last
