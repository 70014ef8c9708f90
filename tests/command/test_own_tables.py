"""Tables as newcomers have them, at the command: found out, said, overridden, refused and predicted."""

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from fuseprop.cli import main
from fuseprop.installing import how_to_install

COMMAND = [sys.executable, "-m", "fuseprop"]
ROWS = 90
NAMES = ("order", "when", "city", "member", "income", "rate", "bought")


def customers():
    """Return rows of text: an id, German dates, towns, booleans, empty cells, decimal numbers, yes and no."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(ROWS):
        income = rng.uniform(1000, 5000)
        city = ("Ulm", "Bonn", "Köln")[i % 3]
        rows.append(
            [
                f"A{i:04d}-{rng.integers(1000)}",
                f"{1 + i % 28:02d}.{1 + i % 12:02d}.{2020 + i % 4}",
                city,
                str(bool(rng.integers(2))),
                "" if i % 9 == 4 else f"{income:.1f}",
                f"{rng.normal():.3f}",
                "yes" if income > 3000 or city == "Ulm" else "no",
            ]
        )
    return rows


def written(path, rows, names=NAMES, *, delimiter=",", decimal="."):
    def cell(text):
        return text.replace(".", decimal) if text.replace(".", "").removeprefix("-").isdigit() else text

    text = io.StringIO(newline="")
    cells = [[cell(text) if text.count(".") == 1 else text for text in row] for row in rows]
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([names, *cells])
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def train(*arguments):
    return run("train", *arguments, "--device", "cpu", "--epochs", 2)


def columns(*arguments):
    """Return the kind of each feature, and the reason for each column that is none."""
    result = train(*arguments, "--json", "--quiet")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)["columns"]
    kinds = {column["name"]: column["kind"] for column in found if "why" not in column}
    return kinds, {column["name"]: column["why"] for column in found if "why" in column}


@pytest.fixture
def table(tmp_path):
    return written(tmp_path / "customers.csv", customers())


@pytest.fixture
def model(table, tmp_path):
    path = tmp_path / "m.safetensors"
    assert train(table, "--target", "bought", "--out", path).exit_code == 0
    return path


EXPECTED = {"when": "date", "city": "category", "member": "boolean", "income": "number", "rate": "number"}


def test_columns_are_found_out_and_shown_before_training(table):
    kinds, left_out = columns(table, "--target", "bought")
    assert kinds == EXPECTED
    assert list(left_out) == ["order"]
    said = train(table, "--target", "bought").stderr
    before = said[: said.index("epoch 1/2")]
    for name in NAMES[:-1]:
        assert name in before
    assert "%d.%m.%Y" in before
    assert "10 missing" in before


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("t.csv.gz", {}),
        ("german.csv", {"delimiter": ";", "decimal": ","}),
        ("t.tsv", {"delimiter": "\t"}),
        ("pipes.txt", {"delimiter": "|"}),
    ],
)
def test_the_same_table_in_another_dialect_is_the_same_table(table, model, name, dialect, tmp_path):
    other = written(tmp_path / name, customers(), **dialect)
    assert columns(other, "--target", "bought") == columns(table, "--target", "bought")
    answered, expected = run("predict", model, other), run("predict", model, table)
    assert expected.stdout.count("\n") == ROWS + 1
    if dialect.get("decimal"):  # 1,234 would be another number
        assert (answered.exit_code, answered.stdout) == (1, "")
        assert "row 1 (line 2), column 'income': expected a number, as in training" in answered.stderr
        return
    assert answered.stdout == expected.stdout
    assert run("evaluate", model, other, "--json").stdout == run("evaluate", model, table, "--json").stdout


def test_an_index_column_is_left_out(tmp_path):
    rows = [[str(i), *row] for i, row in enumerate(customers())]
    kinds, left_out = columns(written(tmp_path / "t.csv", rows, ("", *NAMES)), "--target", "bought")
    assert kinds == EXPECTED
    assert len(left_out) == 2
    named = written(
        tmp_path / "named.csv", [[f"k{i % 7}", *row[1:]] for i, row in enumerate(rows)], ("town", *NAMES)
    )
    kinds, left_out = columns(named, "--target", "bought", "--ignore-index")
    assert kinds == EXPECTED
    assert "town" in left_out


def test_predictions_answer_row_by_row_in_any_order_of_columns(table, model, tmp_path):
    given = list(csv.reader(io.StringIO(run("predict", model, table).stdout)))
    order = np.random.default_rng(1).permutation(ROWS)
    rows = [customers()[i] for i in order]
    turned = written(tmp_path / "t.csv", [["note", *row[::-1]] for row in rows], ("remark", *NAMES[::-1]))
    answered = list(csv.reader(io.StringIO(run("predict", model, turned).stdout)))
    assert answered == [given[0], *(given[1 + i] for i in order)]
    one = written(tmp_path / "one.csv", [customers()[7]])
    assert list(csv.reader(io.StringIO(run("predict", model, one).stdout))) == [given[0], given[8]]


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        (("--drop", "city,rate"), {"city": None, "rate": None}),
        (("--features", "rate,city"), {"when": None, "member": None, "income": None}),
        (("--categorical", "when"), {"when": "category"}),
        (("--categorical", "order"), {"order": "category"}),
        (("--date", "when=%d.%m.%Y"), {}),
        (("--numeric", "income"), {}),
    ],
)
def test_what_is_said_of_columns_holds(table, options, changed):
    kinds, _ = columns(table, "--target", "bought", *options)
    expected = {**EXPECTED, **changed}
    assert kinds == {name: kind for name, kind in expected.items() if kind}
    if "--features" in options:
        assert list(kinds) == ["rate", "city"]


def test_several_files_are_one_table(table, model, tmp_path):
    rows = customers()
    parts = [written(tmp_path / "a.csv", rows[:40]), written(tmp_path / "b.csv", rows[40:])]
    options = ("--target", "bought", "--json", "--quiet")
    whole, both = (json.loads(train(*data, *options).stdout) for data in ([table], parts))
    assert both["train_loss"] == whole["train_loss"]
    assert both["columns"] == whole["columns"]
    assert run("predict", model, *parts).stdout == run("predict", model, table).stdout
    assert run("evaluate", model, *parts).stdout == run("evaluate", model, table).stdout
    refused = train(table, "digits", "--target", "bought")
    assert refused.exit_code == 2
    assert "the built-in data set digits does not go with" in refused.stderr


def test_rows_without_a_target_are_left_out_and_counted(tmp_path):
    rows = customers()
    for i in (3, 50):
        rows[i][-1] = ""
    result = train(written(tmp_path / "t.csv", rows), "--target", "bought", "--json", "--members", 1)
    assert result.exit_code == 0, result.stderr
    made = json.loads(result.stdout)
    assert made["without_target"] == 2
    assert sum(made["rows"].values()) == ROWS - 2
    assert "2 rows" in result.stderr


def test_a_target_with_decimal_commas_is_that_with_points(tmp_path):
    rows = [row[:-1] for row in customers()]
    files = [
        written(tmp_path / name, rows, NAMES[:-1], delimiter=";", decimal=decimal)
        for name, decimal in (("points.csv", "."), ("commas.csv", ","))
    ]
    points, commas = (json.loads(train(file, "--target", "rate", "--json").stdout) for file in files)
    assert (commas["task"], commas["train_loss"]) == ("regression", points["train_loss"])
    for row in rows[5:]:
        row[5] = row[5].replace(".", "")
    doubtful = train(
        written(tmp_path / "few.csv", rows, NAMES[:-1], delimiter=";", decimal=","), "--target", "rate"
    )
    assert (doubtful.exit_code, doubtful.stdout) == (1, "")
    assert "row 1 (line 2), column 'rate'" in doubtful.stderr


# What is wrong, said with its place


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--target", "bougt"), 1, ["bougt", 'Did you mean "bought"?']),
        ((), 1, ["which column is the target", "city"]),
        (("--target", "bought", "--drop", "town"), 1, ["town", "city"]),
        (("--target", "bought", "--drop", "city", "--features", "city"), 1, ["city"]),
        (("--target", "bought", "--drop", "bought"), 1, ["bought"]),
        (("--target", "bought", "--numeric", "city"), 1, ["city", "Ulm", "row 1 (line 2)"]),
        (("--target", "bought", "--date", "when=%d/%m/%Y"), 1, ["when", "01.01.2020", "row 1 (line 2)"]),
        (("--target", "bought", "--missing", "refuse"), 1, ["income", "row 5 (line 6)"]),
        (("--target", "bought", "--missing", "drop"), 2, ["encode", "refuse"]),
        (("--target", "bought", "--drop", ""), 2, ["--drop", "expected different names"]),
    ],
)
def test_what_is_wrong_is_one_line_with_the_place(table, options, code, words):
    result = train(table, *options)
    assert result.exit_code == code
    assert result.stdout == ""
    line = result.stderr.splitlines()[-1]
    assert line.startswith("Error: ")
    for word in words:
        assert word in line


def test_predict_names_the_cell_and_the_column_that_do_not_fit(model, tmp_path):
    rows = customers()
    rows[11][4] = "a lot"
    result = run("predict", model, written(tmp_path / "t.csv", rows))
    assert (result.exit_code, result.stdout) == (1, "")
    for word in ("row 12 (line 13)", "income", "a lot"):
        assert word in result.stderr
    without = [[*row[:2], *row[3:]] for row in customers()]
    result = run("predict", model, written(tmp_path / "t.csv", without, (*NAMES[:2], *NAMES[3:])))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "lacks the feature city" in result.stderr


def test_a_town_that_training_did_not_have_is_told_and_answered(model, tmp_path):
    rows = customers()
    rows[11][2] = "Trier"
    result = run("predict", model, written(tmp_path / "t.csv", rows))
    assert result.exit_code == 0
    assert result.stdout.count("\n") == ROWS + 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Warning: ")
    assert "Trier" in line
    assert "city" in line


@pytest.mark.parametrize("module", ["duckdb", "narwhals"])
def test_without_the_extra_the_line_to_type_is_told(table, model, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    for result in (train(table, "--target", "bought"), run("predict", model, table)):
        if module == "narwhals":  # files do without it
            assert result.exit_code == 0
        else:
            assert (result.exit_code, result.stdout) == (1, "")
            assert f"Type: {how_to_install('tables')}." in result.stderr.splitlines()[-1]
    assert train("iris").exit_code == 0


# Standard input


def piped(data, *arguments):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], input=data, capture_output=True, timeout=120, check=False
    )


def test_a_table_comes_from_standard_input(table, model, tmp_path):
    path = tmp_path / "piped.safetensors"
    options = ("--target", "bought", "--device", "cpu", "--epochs", 2, "--out", path)
    done = piped(table.read_bytes(), "train", "-", *options)
    assert done.returncode == 0, done.stderr
    assert run("predict", path, table).stdout == run("predict", model, table).stdout
    predicted = piped(gzip.compress(table.read_bytes()), "predict", model, "-")
    assert predicted.returncode == 0, predicted.stderr
    assert predicted.stdout.decode() == run("predict", model, table).stdout
    empty = piped(b"", "predict", model, "-")
    assert (empty.returncode, empty.stdout) == (1, b"")
    assert empty.stderr.startswith(b"Error: ")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_while_standard_input_is_read_loses_nothing(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"a good model")
    process = subprocess.Popen(
        [*COMMAND, "train", "-", "--target", "y", "--out", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    process.stdin.write(b"a,b,y\n" + b"1,2,3\n" * 500_000)  # more than a pipe holds: it is being read
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, b"")
    assert stderr.split() == [b"interrupted."]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"a good model"


def test_what_the_rows_to_learn_from_decided_is_told(tmp_path):
    rows = customers()
    for i, row in enumerate(rows):
        row[2] = row[2] if i % 3 else f"village {i}"
    path = written(tmp_path / "villages.csv", rows)
    told = train(path, "--target", "bought", "--test", 0, "--validation", 0)
    note = 'city: 30 rare categories are taken together as "other": village 0, village 12, '
    assert note in told.stderr, told.stderr
    told = train(path, "--target", "bought", "--test", 0, "--validation", 0, "--json")
    assert [text for text in json.loads(told.stdout)["notes"] if text.startswith(note)]
