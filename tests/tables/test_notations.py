"""Numbers in other notations: which notations fit a column, what they read, and what none reads."""

import numpy as np
import pytest

from fuseprop.data.notations import DIGITS, fits_of, is_notation, misfit_in, values_of


@pytest.mark.parametrize(
    ("texts", "notation", "values"),
    [
        (["1", "-2.5", "+3e2", ".5", "4."], "1234.5", [1, -2.5, 300, 0.5, 4]),
        (["1", "-2,5", "3,0e2", ",5"], "1234,5", [1, -2.5, 300, 0.5]),
        (["0,123"], "1234,5", [0.123]),
        (["1,234.5", "12"], "1,234.5", [1234.5, 12]),
        (["1,234,567"], "1,234.5", [1234567]),
        (["1,234", "0.5"], "1,234.5", [1234, 0.5]),
        (["1.234,5", "1.000.000"], "1.234,5", [1234.5, 1e6]),
        (["1.234.567"], "1.234,5", [1234567]),
        (["1 234.5", "12 345 678"], "1 234.5", [1234.5, 12345678]),
        (["1\u202f234,5", "7\u00a0000"], "1 234,5", [1234.5, 7000]),
        (["1'234.5"], "1'234.5", [1234.5]),
        (["1\u2019234,5"], "1'234,5", [1234.5]),
        (["1,23,456.7", "12,34,567"], "1,23,456.7", [123456.7, 1234567]),
        (["14%", "2.5 %"], "%1234.5", [14, 2.5]),
        (["5\u2030"], "\u20301234.5", [5]),
        (["$14.00", "-$5", "$-6", "($7)", "+ $8"], "$1234.5", [14, -5, -6, -7, 8]),
        (["$1,200.50", "$3"], "$1,234.5", [1200.5, 3]),
        (["1.200,50 \u20ac", "\u20ac 3"], "\u20ac1.234,5", [1200.5, 3]),
        (["12 USD"], "USD1234.5", [12]),
        (["CHF 1'200.50"], "CHF1'234.5", [1200.5]),
        (["Rs. 1,10,000"], "Rs.1,23,456.7", [110000]),
        (["(12)", "3"], "1234.5", [-12, 3]),
        (["\u221212", "- 5"], "1234.5", [-12, -5]),
        (["\u0663\u0664", "\uff11"], "1234.5", [34, 1]),
        (["10\u200b"], "1234.5", [10]),
    ],
)
def test_the_first_notation_that_fits(texts, notation, values):
    fit = fits_of(texts)[0]
    assert fit.notation == notation
    np.testing.assert_array_equal(fit.values, values)
    np.testing.assert_array_equal(values_of(texts, notation), values)


@pytest.mark.parametrize(
    "texts",
    [
        ["1,5", "2.5"],
        ["1,234.5", "1.234,5"],
        ["1,2345.6"],
        ["1.23.456"],
        ["1,234,5"],
        ["0,123.5"],
        ["0.123.456"],
        ["12 34"],
        ["5%", "0.05"],
        ["5%", "5\u2030"],
        ["$5", "\u20ac5"],
        ["$5", "5"],
        ["$$5"],
        ["$5$"],
        ["$", "5"],
        ["--5"],
        ["-(5)"],
        ["(5"],
        ["5 kg"],
        ["5\u00b2"],
        ["\u00bd"],
        ["1_000"],
        ["0x1F"],
        ["inf"],
        ["1e999"],
        ["1\n2"],
        ["12:30"],
        ["1,5e"],
        [""],
        ["a"],
        ["5", "a"],
    ],
)
def test_no_notation_fits(texts):
    assert fits_of(texts) == []


def test_several_notations_read_other_numbers():
    fits = {fit.notation: fit.values.tolist() for fit in fits_of(["1,234", "12"])}
    commas = {notation: [1.234, 12] for notation in ("1234,5", "1.234,5", "1 234,5", "1'234,5")}
    assert fits == commas | {"1,234.5": [1234, 12], "1,23,456.7": [1234, 12]}


@pytest.mark.parametrize(
    ("texts", "decimal"),
    [
        (["1,5"], ","),
        (["1,234.5"], "."),
        (["1,234,567"], "."),
        (["1.234.567"], ","),
        (["1 234 567"], ""),
        (["1 234,5", "3"], ","),
        (["$5"], ""),
        (["$5.5"], "."),
    ],
)
def test_what_tells_the_decimal_mark(texts, decimal):
    assert fits_of(texts)[0].decimal == decimal


def test_misfits_are_nan():
    np.testing.assert_array_equal(values_of(["1,5", "x", "2.5", "3"], "1234,5"), [1.5, np.nan, np.nan, 3])
    assert values_of([], "1234,5").shape == (0,)


def test_names():
    assert all(is_notation(example) for example in DIGITS)
    assert is_notation("$1,234.5")
    assert is_notation("%1234,5")
    assert not is_notation("1,5")
    assert not is_notation("kg1234,5")
    assert not is_notation("")


def test_a_million_cells_cost_no_recursion():
    texts = [f"{i},5" for i in range(300_000)]
    np.testing.assert_array_equal(fits_of(texts)[0].values, np.arange(300_000) + 0.5)


def test_numbers_beyond_float64_are_none():
    assert fits_of(["1,5", "1e999"]) == []
    np.testing.assert_array_equal(values_of(["1", "1e999"], "1234.5"), [1, np.nan])


@pytest.mark.parametrize(
    ("texts", "at"),
    [
        (["5%", "6%", "0.07"], 2),
        (["1,5", "2.5", "3"], 1),
        (["1,234", "7", "1,5", "2.5"], 3),
        (["1,234", "0.123,4"], 1),
        (["5\u00b2", "1"], 0),
        (["1,5"] * 5 + ["12abc"], 5),
    ],
)
def test_the_first_text_that_is_in_no_common_notation(texts, at):
    assert misfit_in(texts) == at


@pytest.mark.parametrize("text", ["1" * 100_000 + "x", "1," * 50_000, "1,111" * 20_000, "1 " * 50_000])
def test_long_texts_take_no_longer_than_they_are(text):
    assert fits_of([text]) == []
    assert np.isnan(values_of([text], "1,234.5")).all()
