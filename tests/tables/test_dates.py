"""Dates: texts to days by a format, beside `datetime`, and which formats fit a column."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from fuseprop.data.dates import AT_ONCE, FORMATS, SHORT_YEARS, date_text, days_of, formats_of, wrong_format

MOMENTS = [
    datetime(1970, 1, 1),
    datetime(2024, 2, 29, 23, 59, 59),
    datetime(1899, 12, 31, 0, 1),
    datetime(2000, 2, 29, 12, 0, 1),
    datetime(9999, 12, 31, 1, 30),
    datetime(1, 1, 1, 11, 5, 9),
]


def days_since_1970(moment):
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(
        days=1
    )


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_reads_what_datetime_writes(form):
    texts = [
        moment.replace(tzinfo=UTC).strftime(form).replace(f"{moment.year}", f"{moment.year:04}", 1)
        for moment in MOMENTS
    ]
    texts[-1] = MOMENTS[-1].replace(tzinfo=UTC, year=1001).strftime(form)
    expected = [days_since_1970(datetime.strptime(text, form)) for text in texts]
    np.testing.assert_allclose(days_of(texts, form), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("%d/%m/%Y", "3/4/2024", "2024-04-03"),
        ("%m/%d/%Y", "3/4/2024", "2024-03-04"),
        ("%d.%m.%Y", "1.12.1999", "1999-12-01"),
        ("%d %b %Y", "5 MAY 2024", "2024-05-05"),
        ("%d %b %Y", "5 September 2024", "2024-09-05"),
        ("%b %d, %Y", "march 07, 2024", "2024-03-07"),
        ("%Y%m%d", "20240131", "2024-01-31"),
        ("%d%m%y", "310124", "2024-01-31"),
        ("%d/%m/%y", "31/12/68", "2068-12-31"),
        ("%d/%m/%y", "31/12/69", "1969-12-31"),
        ("%Y-%m", "2024-03", "2024-03-01"),
        ("%Y", "2024", "2024-01-01"),
        ("%Y-%m-%d %I:%M %p", "2024-01-01 12:30 AM", "2024-01-01T00:30"),
        ("%Y-%m-%d %I:%M %p", "2024-01-01 12:30 pm", "2024-01-01T12:30"),
        ("%Y-%m-%d %I:%M %p", "2024-01-01 1:30 PM", "2024-01-01T13:30"),
        ("%Y-%m-%dT%H:%M:%S", "2024-01-01T10:00:00.25", "2024-01-01T10:00:00.25"),
        ("%Y-%m-%dT%H:%M:%S%z", "2024-01-01T10:00:00Z", "2024-01-01T10:00"),
        ("%Y-%m-%dT%H:%M:%S%z", "2024-01-01T01:00:00+02:30", "2023-12-31T22:30"),
        ("%Y-%m-%d %H:%M%z", "2024-01-01 10:00-0100", "2024-01-01T11:00"),
    ],
)
def test_days(form, text, expected):
    expected = (np.datetime64(expected, "ms") - np.datetime64("1970-01-01")) / np.timedelta64(1, "D")
    assert days_of([text], form)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%Y-%m-%d", "2023-02-29"),
        ("%Y-%m-%d", "2024-13-01"),
        ("%Y-%m-%d", "2024-00-01"),
        ("%Y-%m-%d", "2024-04-31"),
        ("%Y-%m-%d", "0000-01-01"),
        ("%Y-%m-%d", "24-01-01"),
        ("%Y-%m-%d", "2024-01-01 "),
        ("%Y-%m-%d", "2024-01-01 10:00"),
        ("%Y-%m-%d", "20240101"),
        ("%Y-%m-%d", "\u0662\u0660\u0662\u0664-01-01"),
        ("%Y-%m-%d", ""),
        ("%Y-%m-%d", "x" * 200),
        ("%Y-%m-%d %H:%M", "2024-01-01 24:00"),
        ("%Y-%m-%d %H:%M", "2024-01-01 10:60"),
        ("%Y-%m-%d %H:%M:%S", "2024-01-01 10:00:60"),
        ("%Y-%m-%d %I:%M %p", "2024-01-01 13:00 PM"),
        ("%Y-%m-%d %I:%M %p", "2024-01-01 0:00 AM"),
        ("%d%m%y", "11024"),
        ("%d %b %Y", "5 Mai 2024"),
        ("%d %b %Y", "5 Marc 2024"),
        ("%Y-%m-%dT%H:%M%z", "2024-01-01T10:00+25:00"),
        ("%Y-%m-%dT%H:%M%z", "2024-01-01T10:00+0397"),
        ("%Y-%m-%dT%H:%M%z", "2024-01-01T10:00-01:60"),
    ],
)
def test_no_such_day(form, text):
    days = days_of([text, "31.1.2024"], form)
    assert np.isnan(days).all()


def test_many_texts_of_many_shapes():
    first = datetime(1990, 1, 1)
    moments = [first + timedelta(hours=7 * i) for i in range(AT_ONCE + 10)]
    texts = [f"{moment.day}.{moment.month}.{moment.year} {moment.hour}:00" for moment in moments]
    expected = days_since_1970(first) + np.arange(len(moments)) * 7 / 24
    np.testing.assert_allclose(days_of(texts, "%d.%m.%Y %H:%M"), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2024-01-05", "2024-12-31"], ["%Y-%m-%d"]),
        (["03/04/2024", "05/06/2024"], ["%d/%m/%Y", "%m/%d/%Y"]),
        (["03/04/2024", "13/06/2024"], ["%d/%m/%Y"]),
        (["03/04/2024", "05/16/2024"], ["%m/%d/%Y"]),
        (["03/14/2024", "15/06/2024"], []),
        (["3-4-2024", "14-4-2024"], ["%d-%m-%Y"]),
        (["01.02.2024"], ["%d.%m.%Y"]),
        (["5 May 2024", "6 June 2024"], ["%d %b %Y"]),
        (["2024-01-05T10:00:00Z", "2024-01-05T10:00:00+01:00"], ["%Y-%m-%dT%H:%M:%S%z"]),
        (["2024-01-05", "2024-01-05 10:00"], []),
        (["1/5/2024 3:04:05 PM", "1/15/2024 12:00:00 AM"], ["%m/%d/%Y %I:%M:%S %p"]),
        (["03/04/24"], []),
        (["2010-11"], []),
        (["2024"], []),
        (["45292"], []),
        (["10:30"], []),
        (["1.2.3"], []),
        ([], []),
    ],
)
def test_formats_that_fit_all(texts, expected):
    assert list(formats_of(texts)) == expected


def test_years_of_two_digits_only_if_asked_for():
    assert list(formats_of(["03/14/24"], SHORT_YEARS)) == ["%m/%d/%y"]
    assert list(formats_of(["10-11-12"], SHORT_YEARS)) == ["%d-%m-%y", "%m-%d-%y", "%y-%m-%d"]


def test_days_as_text():
    assert date_text(days_of(["2024-01-31"], "%Y-%m-%d")[0]) == "2024-01-31"
    assert date_text(days_of(["2024-01-31 09:30"], "%Y-%m-%d %H:%M")[0]) == "2024-01-31 09:30"
    assert date_text(days_of(["2024-01-31 09:30:07"], "%Y-%m-%d %H:%M:%S")[0]) == "2024-01-31 09:30:07"


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        ("%d/%m/%Y", ""),
        ("%d/%m/%Q", "%Q is not among"),
        ("%d/%m/%", "% is not among"),
        ("%d/%m", "no year"),
        ("%Y %y", "twice"),
        ("%Y-%m-%d %b", "twice"),
        ("%Y-%m-%d %I:%M", "goes with %p"),
        ("%Y-%m-%d %I:%M %p%z", ""),
    ],
)
def test_what_is_wrong_with_a_format(form, wrong):
    said = wrong_format(form)
    assert wrong in said
    assert bool(said) == bool(wrong)
