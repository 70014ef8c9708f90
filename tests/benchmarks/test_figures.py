"""Intervals, marks, and the arithmetic of the report on figures made by hand."""

import json

import pytest

from benchmarks.calls import calls
from benchmarks.compare import FORMAT
from benchmarks.report import newest
from benchmarks.rows import Network
from benchmarks.tables import calls as call_table
from benchmarks.tables import comparison, number, ratio_cell
from fuseprop.benchmarks.intervals import Interval, interval, ratio


def row(name, table, times, **more):
    return {"peer": name, "name": name, "table": table, "note": "", "times": times, **more}


def network(*rows):
    return Network({"network": "64-32-10-b32", "activation": "sigmoid", "rows": list(rows)})


def test_interval_of_15_is_from_the_3rd_to_the_13th():
    """P(B < 3) = 0.37%, P(B < 4) = 1.76% for B ~ Binomial(15, 1/2)."""
    assert interval([float(i) for i in range(1, 16)]) == Interval(3.0, 8.0, 13.0)


@pytest.mark.parametrize(
    ("confidence", "n", "rank"),
    [
        *[(0.95, n, rank) for n, rank in [(1, 1), (5, 1), (8, 1), (9, 2), (12, 3), (15, 4), (30, 10)]],
        *[(0.99, n, rank) for n, rank in [(1, 1), (8, 1), (11, 1), (12, 2), (15, 3), (20, 4), (30, 8)]],
    ],
)
def test_ranks_are_those_of_the_tables(confidence, n, rank):
    made = interval([float(i) for i in range(1, n + 1)], confidence)
    assert (made.low, made.high) == (rank, n + 1 - rank)


def test_no_values_no_interval():
    with pytest.raises(ValueError, match="at least one"):
        interval([])


def test_ratios_are_taken_within_a_round():
    """A machine that slows down for everybody in one round changes nothing."""
    assert ratio([2.0, 20.0, 2.0], [1.0, 10.0, 1.0]) == Interval(2.0, 2.0, 2.0, sure=False)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (Interval(1.9, 2.0, 2.05), "2.00 [1.90, 2.05]"),
        (Interval(1.0, 1.04, 1.05), "1.04 [1.00, 1.05] ="),
        (Interval(0.5, 0.8, 0.9), "0.800 [0.500, 0.900] ~"),
        (Interval(0.9, 1.0, 1.2), "1.00 [0.900, 1.20] = ~"),
        (None, "-"),
    ],
)
def test_cells(value, cell):
    assert ratio_cell(value) == cell


def test_numbers():
    numbers = {0: "0", 0.1234: "0.123", 9.312: "9.31", 99.96: "100.0", 451.4: "451", 132260: "132,000"}
    assert {value: number(value) for value in numbers} == numbers


def test_floor_is_the_fastest_products_and_the_fastest_copy():
    made = network(
        row("fuseprop", "step", [12.0, 12.0]),
        row("A products", "products", [4.0, 6.0]),
        row("B products", "products", [3.0, 3.0]),
        row("A copy", "copy", [1.0, 1.0]),
        row("B copy", "copy", [2.0, 0.5], error="died"),
    )
    assert made.floor == [4.0, 4.0]
    assert made.of_floor("fuseprop").middle == 3.0


def test_a_row_where_the_peer_wins_stays_in():
    made = network(row("fuseprop", "step", [2.0] * 6), row("fast", "step", [1.0] * 6))
    assert "0.500 [0.500, 0.500]" in comparison([made], "step")


def test_one_section_a_machine_the_newest(tmp_path):
    for name in ("amd-2-cores-2026-01-02", "amd-2-cores-2025-12-31", "h200-2026-01-01"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"format": FORMAT, "date": name[-10:]}))
    assert [(name, r["date"]) for name, r in newest(tmp_path)] == [
        ("amd-2-cores", "2026-01-02"),
        ("h200", "2026-01-01"),
    ]


@pytest.mark.parametrize(
    ("file", "text", "message"), [("x", "{}", "must be called"), ("m-2026-01-01", "{}", "format")]
)
def test_files_that_are_not_results(tmp_path, file, text, message):
    (tmp_path / f"{file}.json").write_text(text)
    with pytest.raises(Exception, match=message):
        list(newest(tmp_path))


def test_calls_of_a_step():
    """Every call once, with a time; as many products as the step has, and the table says what they take."""
    made = calls("2-8-1-b4", seconds=0.01)
    products = [
        call for call in made["calls"] if call["call"] == "dot" and min(map(len, call["shapes"])) == 2
    ]
    assert len(products) == 5
    assert {"take_rows", "exp", "multiply", "subtract", "advance"} <= {call["call"] for call in made["calls"]}
    by_hand = {"network": "2-8-1-b4", "calls": [{"call": "dot", "shapes": [[4, 2], [2, 8]], "seconds": 3e-6}]}
    by_hand["calls"].append({"call": "tanh", "shapes": [[4, 8]], "seconds": 2e-6})
    shown = call_table(by_hand, None)
    assert "Products 3.00 µs, everything else 2.00 µs." in shown
    assert "| dot | 4x2, 2x8 | 3.00 | 60% |" in shown
    assert "Not measured: why" in call_table({"network": "2-8-1-b4", "error": "why"}, None)
