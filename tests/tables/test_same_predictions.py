"""A model that learned from a file predicts to the bit the same from frames and dicts of the same table.

They hold its texts, or what each library's own reader of CSV makes of them: what that lost on the way is
refused by the column's name.
"""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import csv

import fuseprop
from fuseprop.data import DataError, Table, UnlikeTrainingWarning, frames
from fuseprop.data.assembling import assemble, assemble_as
from fuseprop.data.choices import Choices
from fuseprop.data.files import open_source
from fuseprop.data.target_cells import AUTO
from fuseprop.model.fitting import Fitting

N = 120
RNG = np.random.default_rng(0)


def some(*texts):
    """These texts in some order, each several times."""
    return [texts[i] for i in RNG.permutation(np.resize(np.arange(len(texts)), N))]


DAYS = np.datetime64("2020-01-01") + RNG.integers(0, 2000, N)
COLUMNS = {
    "number": [f"{value:.3f}" for value in RNG.normal(size=N)],
    "whole": [*some("1", "2", "30", "-4", "")],
    "many": [str(value) for value in RNG.integers(0, 10**6, N)],
    "question": some("1.5", "2e3", "?", "-7", "0.25"),
    "nothing in part": some("5", "6.5", "NA", "", "null"),
    "flag": some("True", "False"),
    "holey flag": some("True", "False", "True", ""),
    "upper": some("TRUE", "FALSE"),
    "yes": some("yes", "no", "yes", "NA"),
    "letter": some("t", "f"),
    "colour": some("red", " green", "blue", "", "None", "dark red"),
    "words": some("True", "False", "unknown"),
    "code": some("007", "012", "100", "0"),
    "grade": some("1", "2", "3", ""),
    "share": some("14%", "3%", "7.5%", ""),
    "amount": some("$1,200", "$3", "$12,000"),
    "day": [str(day) for day in DAYS],
    "holey day": [str(day) if i % 7 else "" for i, day in enumerate(DAYS)],
    "german day": [f"{d}.{m}.{y}" for y, m, d in (str(day).split("-") for day in DAYS)],
    "moment": [f"{day} {hour:02}:30:00" for day, hour in zip(DAYS, RNG.integers(0, 24, N), strict=True)],
    "iso": [f"{day}T{hour:02}:30:00Z" for day, hour in zip(DAYS, RNG.integers(0, 24, N), strict=True)],
    "digits": [str(day).replace("-", "") for day in DAYS],
    "customer_id": [str(1000 + 7 * i) for i in range(N)],
    "same": ["x"] * N,
    "y": [f"{value:.3f}" for value in RNG.normal(size=N)],
}
CHOICES = Choices(categorical=("grade", "code"), date=("digits=%Y%m%d",))
KINDS = {
    "number": ["number", "whole", "many", "question", "nothing in part", "share", "amount"],
    "boolean": ["flag", "holey flag", "upper", "yes", "letter"],
    "category": ["colour", "words", "code", "grade"],
    "date": ["day", "holey day", "german day", "moment", "iso", "digits"],
}
FEATURES = [name for name in COLUMNS if any(name in names for names in KINDS.values())]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("same") / "t.csv"
    rows = zip(*COLUMNS.values(), strict=True)
    path.write_text("\n".join(",".join(f'"{c}"' if "," in c else c for c in row) for row in [COLUMNS, *rows]))
    return path


@pytest.fixture(scope="module")
def model(path):
    table = Table.holding(assemble(open_source(path), ["y"], CHOICES, AUTO))
    assert [out.name for out in table.left_out] == ["customer_id", "same"]
    kinds = {kind: [c.name for c in table.columns if c.kind == kind] for kind in KINDS}
    assert kinds == {kind: [name for name in COLUMNS if name in names] for kind, names in KINDS.items()}
    fitting = Fitting(table, hidden=(4,), epochs=3, seed=0, device="cpu", dtype="float64")
    fitting.run()
    return fitting.model


@pytest.fixture(scope="module")
def expected(path, model):
    return model.predict(assemble_as(open_source(path), model.encoder.columns, (), AUTO)).values


TURNED = [*COLUMNS][::-1]
TEXTS = {
    "pandas": lambda path: pd.read_csv(path, dtype=str)[TURNED],
    "pandas, nothing missing": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False)[TURNED],
    "polars": lambda path: pl.read_csv(path, infer_schema=False).select(TURNED),
    "arrow": lambda path: csv.read_csv(
        path, convert_options=csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
    ).select(TURNED),
    "duckdb": lambda path: duckdb.read_csv(str(path), all_varchar=True).df()[TURNED],
    "dict": lambda path: {name: COLUMNS[name] for name in TURNED},
    "categories": lambda path: pd.read_csv(path, dtype=str)[TURNED].astype("category"),
    "array": lambda path: pd.read_csv(path, dtype=str)[FEATURES].to_numpy(object),
    "rows": lambda path: pd.read_csv(path, dtype=str)[FEATURES].to_numpy(object).tolist(),
}


@pytest.fixture(params=[1000, 0], ids=["as objects", "by type"])
def way(request, monkeypatch):
    monkeypatch.setattr(frames, "FEW", request.param)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kind", TEXTS)
def test_texts(path, model, expected, kind):
    np.testing.assert_array_equal(model.predict(TEXTS[kind](path)).values, expected)


TYPED = {
    "pandas": lambda path, **codes: pd.read_csv(path, dtype=codes)[TURNED],
    "pandas, arrow types": lambda path, **codes: pd.read_csv(path, dtype=codes, dtype_backend="pyarrow")[
        TURNED
    ],
    "pandas, nullable": lambda path, **codes: pd.read_csv(path, dtype=codes).convert_dtypes()[TURNED],
    "pandas, dates": lambda path, **codes: pd.read_csv(
        path, dtype=codes, parse_dates=["day", "holey day", "moment", "iso"]
    )[TURNED],
    "polars": lambda path, **codes: pl.read_csv(
        path, schema_overrides=dict.fromkeys(codes, pl.String), try_parse_dates=True
    ).select(TURNED),
    "arrow": lambda path, **codes: csv.read_csv(
        path, convert_options=csv.ConvertOptions(column_types=dict.fromkeys(codes, pa.string()))
    ).select(TURNED),
    "duckdb": lambda path, **codes: (
        duckdb.read_csv(str(path), dtype=dict.fromkeys(codes, "VARCHAR")).to_arrow_table().select(TURNED)
    ),
    "dict": lambda path, **codes: pd.read_csv(path, dtype=codes)[TURNED].to_dict("list"),
}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("kind", TYPED)
def test_what_the_readers_of_the_libraries_make_of_it(path, model, expected, kind):
    np.testing.assert_array_equal(model.predict(TYPED[kind](path, code=str)).values, expected)
    lost = TYPED[kind](path)
    if kind == "duckdb":  # which keeps leading zeros
        np.testing.assert_array_equal(model.predict(lost).values, expected)
        return
    with pytest.raises(DataError, match=r"column 'code' .*holds 7, a number, .* such as '007'.*as text"):
        model.predict(lost)


def test_single_rows(path, model):
    inputs = model.encode_inputs(pd.read_csv(path, dtype=str))
    typed = pd.read_csv(path, dtype={"code": str}, parse_dates=["day", "moment"])
    for i in range(0, N, 7):
        texts = {name: COLUMNS[name][i] for name in TURNED}
        for row in (
            texts,
            typed.iloc[i : i + 1],
            typed.iloc[i].to_dict(),
            [[texts[name] for name in FEATURES]],
        ):
            np.testing.assert_array_equal(model.encode_inputs(row), inputs[i : i + 1])


def test_points_between_thousands_that_a_reader_takes_for_decimal_points_are_told(tmp_path):
    salaries = [f"{value // 1000}.{value % 1000:03}" for value in RNG.integers(20_000, 90_000, N)]
    targets = [f"{value:.2f}".replace(".", ",") for value in RNG.normal(size=N)]
    lines = [f"{salary};{target}" for salary, target in zip(salaries, targets, strict=True)]
    path = tmp_path / "t.csv"
    path.write_text("salary;y\n" + "\n".join(lines))
    model, _ = fuseprop.train(path, "y", numeric=["salary=1.234,5"], hidden=(), epochs=1, device="cpu")
    expected = model.predict(path).values
    np.testing.assert_array_equal(model.predict(pd.read_csv(path, sep=";", dtype=str)).values, expected)
    right = pd.read_csv(path, sep=";", decimal=",", thousands=".")
    np.testing.assert_array_equal(model.predict(right).values, expected)
    for rows in (N, 1):
        with pytest.warns(UnlikeTrainingWarning, match="numbers of salary are about a thousandth .*as text"):
            model.predict(pd.read_csv(path, sep=";")[:rows])
