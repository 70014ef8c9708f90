"""The encoder: what each kind of column becomes, by hand; from the rows learned from alone; bit for bit."""

import datetime
import json
import tracemalloc
from dataclasses import asdict, replace

import numpy as np
import pytest
from safetensors.numpy import save

import fuseprop
from fuseprop import MLPClassifier, MLPRegressor, ModelFileError, Table, UnlikeTrainingWarning
from fuseprop.data import DataError
from fuseprop.data.column import Column
from fuseprop.data.encoder import Encoder
from fuseprop.data.frequent import FEWEST, MOST, MOST_RARE
from fuseprop.data.scaling import Standardizer
from fuseprop.data.unlike import unlike_training
from fuseprop.model.files import read_model
from fuseprop.model.fitting import Fitting
from fuseprop.model.settings import settings_for

NAN = np.nan


def table(rows=None, **columns):
    """A table of columns: a list of numbers, or a pair of a column's kind and its cells.

    Cells are None where they are missing; those of categories and booleans are texts, of dates texts in ISO
    8601.
    """
    made, cells = [], []
    for name, given in columns.items():
        kind, values = given if isinstance(given, tuple) else ("number", given)
        levels, numbers = (), [NAN if value is None else value for value in values]
        if kind in ("category", "boolean"):
            levels = tuple(dict.fromkeys(value for value in values if value is not None))
            levels = ("no", "yes") if kind == "boolean" else levels
            numbers = [NAN if value is None else levels.index(value) for value in values]
        if kind == "date":
            numbers = [NAN if value is None else days(value) for value in values]
        made.append(Column(name, kind, levels))
        cells.append(numbers)
    return Table(np.array(cells, np.float64).T.copy(), None, tuple(made), (), rows=rows)


def days(text):
    return (datetime.datetime.fromisoformat(text) - datetime.datetime(1970, 1, 1)) / datetime.timedelta(1)


def encoded(learned, asked=None, dtype=np.float64):
    """The encoding of a table by names of features."""
    encoder = Encoder.fit(learned)
    made = encoder.encode(learned if asked is None else asked, dtype)
    assert made.dtype == dtype
    assert made.shape == (len(learned if asked is None else asked), encoder.width)
    assert len(set(encoder.feature_names)) == encoder.width
    return dict(zip(encoder.feature_names, made.T.tolist(), strict=True))


def test_numbers_are_standardized_and_a_missing_one_is_the_mean():
    made = encoded(table(age=[0, 4, None, 4, 0]), table(age=[1, None, 8]))
    assert made == {"age": [-0.5, 0.0, 3.0], "age missing": [0, 1, 0]}


def test_a_column_that_never_was_missing_has_no_indicator():
    assert encoded(table(a=[0, 2]), table(a=[None, 2])) == {"a": [0.0, 1.0]}


def test_booleans_are_0_and_1_and_a_missing_one_is_the_share_of_ones():
    made = encoded(table(paid=("boolean", ["yes", "no", None, "yes", "yes"])))
    assert made == {"paid": [1, 0, 0.75, 1, 1], "paid missing": [0, 0, 1, 0, 0]}


def test_categories_are_one_hot_in_alphabetical_order():
    made = encoded(table(c=("category", ["b", "a", "b", "a", "b"])))
    assert list(made) == ["c=a", "c=b"]
    assert made == {"c=a": [0, 1, 0, 1, 0], "c=b": [1, 0, 1, 0, 1]}


def test_rare_categories_share_a_feature_and_missing_ones_have_one():
    learned = table(c=("category", ["b", "rare", "b", None, "single", "a", "a"]))
    made = encoded(learned)
    assert made == {
        "c=a": [0, 0, 0, 0, 0, 1, 1],
        "c=b": [1, 0, 1, 0, 0, 0, 0],
        "c=other": [0, 1, 0, 0, 1, 0, 0],
        "c missing": [0, 0, 0, 1, 0, 0, 0],
    }
    new = encoded(learned, table(c=("category", ["new", "b", None, "single"])))
    assert new["c=other"] == [1, 0, 0, 1]
    assert new["c=b"] == [0, 1, 0, 0]
    assert new["c missing"] == [0, 0, 1, 0]


def test_a_new_category_where_none_was_rare_has_no_feature():
    learned = table(c=("category", ["a", "b"] * FEWEST))
    assert encoded(learned, table(c=("category", ["new", "a"]))) == {"c=a": [0, 1], "c=b": [0, 0]}


def test_the_most_frequent_categories_have_features_of_their_own():
    texts = [f"t{i:03}" for i in range(MOST + 7)]
    cells = [text for i, text in enumerate(texts) for _ in range(2 + i)]
    encoder = Encoder.fit(table(c=("category", cells)))
    assert encoder.feature_names == (*(f"c={text}" for text in texts[7:]), "c=other")
    assert encoder.columns[0].levels == (*texts[7:], *texts[:7])


def test_ties_of_frequency_go_by_the_alphabet_not_by_the_order_of_the_rows():
    texts = [f"t{i:03}" for i in range(MOST + 3)]
    for order in (texts, texts[::-1]):
        encoder = Encoder.fit(table(c=("category", order * 2)))
        assert encoder.feature_names == (*(f"c={text}" for text in texts[:MOST]), "c=other")


def test_of_rare_categories_only_so_many_are_remembered():
    cells = ["a"] * 3 + [f"r{i:05}" for i in range(MOST_RARE + 9)]
    encoder = Encoder.fit(table(c=("category", cells)))
    assert len(encoder.columns[0].levels) == 1 + MOST_RARE
    made = encoder.encode(table(c=("category", [cells[-1], "new", "a"])))
    assert made.tolist() == [[0, 1], [0, 1], [1, 0]]
    assert unlike_training(encoder, table(c=("category", ["new"]))) == "", "there, new ones are the rule"


def test_dates_are_days_and_points_on_circles():
    texts = ["2024-01-31 06:00", "2024-02-29 12:00", "2024-12-01 18:30"]
    made = encoded(table(when=("date", texts)))
    day = np.array([days(text) for text in texts])
    np.testing.assert_allclose(made["when"], (day - day.mean()) / day.std(), rtol=1e-12)
    for cycle, places in (
        ("month", [0 / 12, 1 / 12, 11 / 12]),
        ("weekday", [2 / 7, 3 / 7, 6 / 7]),  # a Wednesday, a Thursday, a Sunday
        ("hour", [6 / 24, 12 / 24, 18.5 / 24]),
    ):
        angles = 2 * np.pi * np.array(places)
        np.testing.assert_allclose(made[f"when {cycle} sin"], np.sin(angles), atol=1e-15)
        np.testing.assert_allclose(made[f"when {cycle} cos"], np.cos(angles), atol=1e-15)
    assert len(made) == 7


@pytest.mark.parametrize(
    ("texts", "cycles"),
    [
        (["2024-01-01", "2024-01-08"], []),
        (["2024-01-01", "2024-01-02"], ["weekday"]),
        (["2024-01-01", "2024-07-01"], ["month"]),
        (["2024-01-01", "2024-02-01"], ["month", "weekday"]),
        (["2024-01-01 09:20", "2024-01-08 09:20", "2031-01-06 09:20"], []),
        (["2024-01-01 09:20", "2024-01-08 09:21"], ["hour"]),
        (["1969-12-29", "1969-12-22 00:00:01"], ["hour"]),
    ],
)
def test_only_cycles_that_vary_have_features(texts, cycles):
    points = [f"when {cycle} {side}" for cycle in cycles for side in ("sin", "cos")]
    assert list(encoded(table(when=("date", texts)))) == ["when", *points]


def test_a_missing_date_is_the_mean_day_at_the_centre_of_the_circle():
    learned = table(when=("date", ["2024-01-01", None, "2024-07-01"]))
    assert [column[1] for column in encoded(learned).values()] == [0, 0, 0, 1]
    assert list(encoded(learned)) == ["when", "when month sin", "when month cos", "when missing"]
    never = table(when=("date", ["2024-01-01", "2024-07-01"]))
    asked = table(when=("date", [None]))
    assert encoded(never, asked) == {"when": [0], "when month sin": [0], "when month cos": [0]}


def test_what_is_the_same_in_all_rows_has_no_feature():
    made = Encoder.fit(
        table(
            n=[7, 7, 7],
            b=("boolean", ["yes", "yes", "yes"]),
            c=("category", ["a", "a", "a"]),
            single=("category", ["x", "y", "z"]),
            d=("date", ["2024-01-01"] * 3),
            empty=[None, None, None],
            none=("category", [None, None, None]),
            partly=("category", ["a", None, "a"]),
            ones=("boolean", ["yes", None, "yes"]),
        )
    )
    assert made.feature_names == ("n", "partly=a", "partly missing", "ones missing")
    with pytest.raises(DataError, match=r"the table: b is the same in all 2 rows to learn from.*nothing can"):
        Encoder.fit(table(b=("boolean", ["yes", "yes"])))


def test_what_the_rows_decided_is_told():
    cells = ["a"] * 3 + [f"r{i}" for i in range(7)]
    encoder = Encoder.fit(table(n=range(10), c=("category", cells), b=("boolean", ["no"] * 10)))
    assert encoder.notes == (
        'c: 7 rare categories are taken together as "other": r0, r1, r2, r3, r4 and 2 more',
        "b: the same in all rows to learn from, so that it gives no feature",
    )
    many = Encoder.fit(table(c=("category", ["a"] * 2 + [f"r{i:04}" for i in range(MOST_RARE)])))
    assert many.notes[0].startswith("c: 1,000 or more rare categories are taken together")
    one = Encoder.fit(table(c=("category", ["a", "a", "b"])))
    assert one.notes == ('c: 1 rare category is taken together as "other": b',)


def test_names_of_features_differ():
    learned = table(
        c=("category", ["other", "other", "rare", "a", "a"]),
        **{"c=a": [1, 2, 3, 4, None], "c=a missing": [1, 2, 3, 4, 5]},
    )
    assert Encoder.fit(learned).feature_names == (
        "c=a",
        "c=other",
        "c=other (2)",
        "c=a (2)",
        "c=a missing",
        "c=a missing (2)",
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (7, 3), (50_000, 1), (50_000, 5), (3, 60_000)])
def test_plain_numbers_are_standardized_bit_for_bit(n, d, order, dtype):
    """Blocks and layouts in memory change nothing in mean, deviation and features."""
    rng = np.random.default_rng(n + d)
    X = np.array(rng.normal(3.0, 2.0, (n, d)) * 10.0 ** rng.integers(-5, 5, d), order=order)
    X[:, 0] = 0.1
    rows = np.sort(rng.permutation(n)[: max(1, n * 2 // 3)])
    made = Encoder.fit(Table.of(X), rows)
    part = X[rows]
    largest = np.abs(part).max(axis=0)
    unit = part / largest
    mean, scale = unit.mean(axis=0), unit.std(axis=0)
    constant = scale <= 10 * np.finfo(float).eps * np.abs(mean)
    mean, scale = mean * largest, np.where(constant, 1.0, scale * largest)
    np.testing.assert_array_equal(made.scaling.mean, mean)
    np.testing.assert_array_equal(made.scaling.scale, scale)
    np.testing.assert_array_equal(made.encode(Table.of(X), dtype), ((X - mean) / scale).astype(dtype))
    np.testing.assert_array_equal(
        made.encode(Table.of(X), dtype, rows), ((part - mean) / scale).astype(dtype)
    )
    assert made.is_plain
    assert made.feature_names == Table.of(X).feature_names


def test_means_and_deviations_ignore_what_is_missing():
    rng = np.random.default_rng(0)
    X = rng.normal(5.0, 2.0, (40_000, 6))
    X[rng.random(X.shape) < 0.3] = NAN
    X[:, 4], X[:, 5] = 1e300 * X[:, 4], NAN
    made = Standardizer.fit(X)
    np.testing.assert_allclose(made.mean[:5], np.nanmean(X[:, :5], axis=0), rtol=1e-12)
    np.testing.assert_allclose(made.scale[:4], np.nanstd(X[:, :4], axis=0), rtol=1e-12)
    np.testing.assert_allclose(made.scale[4], 1e300 * np.nanstd(X[:, 4] / 1e300), rtol=1e-12)
    assert (made.mean[5], made.scale[5]) == (0.0, 1.0)


MIXED = {
    "n": [1.0, 2.0, None, 4.0, 5.0, 6.0, 7.0, 8.0],
    "c": ("category", ["b", "a", "b", None, "a", "x", "b", "a"]),
    "flag": ("boolean", ["yes", "no", "no", "yes", None, "no", "yes", "no"]),
    "when": ("date", ["2024-01-01", "2024-02-03", None, "2025-03-04", *["2025-06-01 03:00"] * 4]),
}


def test_the_rows_of_a_part_are_encoded_as_in_the_whole():
    whole = table(**MIXED)
    encoder = Encoder.fit(whole)
    all_rows = encoder.encode(whole)
    for rows in ([3], [7, 0, 2], range(8)):
        rows = np.array(rows)
        np.testing.assert_array_equal(encoder.encode(whole, rows=rows), all_rows[rows])
        np.testing.assert_array_equal(encoder.encode(whole.take(rows)), all_rows[rows])


def test_other_rows_do_not_reach_the_encoder():
    """Neither what stands in them, nor the order of levels that they make."""
    rows = np.array([1, 2, 4, 6, 7])
    first = table(**MIXED)
    other = {**MIXED, "n": [-50.0, 2.0, None, 1e9, 5.0, None, 7.0, 8.0]}
    other["c"] = ("category", ["zz", "a", "b", "zz", "a", "yy", "b", "a"])
    other["flag"] = ("boolean", [None, "no", "no", None, None, None, "yes", "no"])
    when = MIXED["when"][1]
    other["when"] = ("date", ["1800-01-01", when[1], when[2], None, when[4], "1900-07-07 12:00", *when[6:]])
    second = table(**other)
    assert first.columns != second.columns
    encoders = [Encoder.fit(each, rows) for each in (first, second)]
    assert encoders[0].columns == encoders[1].columns
    assert encoders[0].feature_names == encoders[1].feature_names
    encodings = [one.encode(each, rows=rows) for one, each in zip(encoders, (first, second), strict=True)]
    np.testing.assert_array_equal(*encodings)


def test_levels_are_found_by_their_texts():
    encoder = Encoder.fit(table(**MIXED))
    expected = encoder.encode(table(**MIXED))
    order = np.roll(np.arange(8), 3)
    again = {}
    for name, given in MIXED.items():
        kind, cells = given if isinstance(given, tuple) else ("number", given)
        again[name] = (kind, [cells[i] for i in order])
    again["flag"] = ("category", again["flag"][1])
    asked = table(**again)
    assert asked.columns[1].levels != encoder.columns[1].levels
    np.testing.assert_array_equal(encoder.encode(asked), expected[order])


def test_a_text_that_is_neither_of_two_is_missing():
    encoder = Encoder.fit(table(flag=("boolean", ["yes", "no", "no", "no"])))
    asked = table(flag=("category", ["maybe", "yes"]))
    assert encoder.encode(asked).tolist() == [[0.25], [1.0]]
    assert "'maybe' as flag in row 1" in unlike_training(encoder, asked)


def test_columns_of_another_kind_are_named():
    encoder = Encoder.fit(table(**MIXED))
    for name, given in (("n", MIXED["c"]), ("c", MIXED["n"]), ("when", MIXED["n"]), ("flag", MIXED["when"])):
        with pytest.raises(
            DataError, match=f"the table: '{name}' is a .* column here, but was a .* column in"
        ):
            encoder.encode(table(**{**MIXED, name: given}))


def test_a_missing_value_that_is_refused_is_named_by_its_row_in_the_source():
    encoder = Encoder.fit(table(a=[1, 2], b=[3, 4]), missing="refuse")
    encoder.encode(table(a=[1, 2], b=[3, 4]))
    asked = table(rows=np.array([10, 20, 30]), a=[1, 2, 3], b=[1, None, 3])
    with pytest.raises(DataError, match="the table: row 21, column 'b': there is no value"):
        encoder.encode(asked)
    with pytest.raises(DataError, match="the table: row 21, column 'b': there is no value"):
        encoder.encode(asked, rows=np.array([0, 1]))


def test_what_no_row_learned_from_held_is_told():
    encoder = Encoder.fit(table(**MIXED | {"size": [1] * 4 + [2] * 4}))
    assert unlike_training(encoder, table(**MIXED | {"size": [1] * 8})) == ""
    asked = table(
        n=[None, 1],
        c=("category", ["q", "x"]),
        flag=("boolean", ["yes", None]),
        when=("date", [None, None]),
        size=[None, None],
    )
    assert unlike_training(encoder, asked) == (
        "the table holds what no row learned from held: no value of size in 2 rows, row 1 the first; "
        "'q' as c in row 1."
    )
    many = table(**{f"c{i}": ("category", ["a", "b"] * 2) for i in range(9)})
    asked = table(**{f"c{i}": ("category", ["a", *"qrstuvwx"[:i]] + ["b"] * (8 - i)) for i in range(9)})
    text = unlike_training(Encoder.fit(many), asked)
    assert text.endswith("'q', 'r', 's', 't', 'u' as c5 in 5 rows, row 2 the first; and 3 columns more.")


def trained(**options):
    rng = np.random.default_rng(3)
    n = 60
    columns = {
        "n": [None if i % 9 == 0 else float(i % 7) for i in range(n)],
        "c": ("category", [("red", "green", "blue")[i % 3] if i % 10 else None for i in range(n)]),
        "flag": ("boolean", [("no", "yes")[i % 2] for i in range(n)]),
        "when": ("date", [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(n)]),
    }
    made = table(**columns)
    y = rng.normal(size=(n, 1)) + np.nan_to_num(made.X[:, :1])
    data = Table(made.X, y, made.columns, ("y",), "t.csv")
    return data, *fuseprop.train(data, epochs=2, members=1, device="cpu", **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_of_any_columns_goes_through_its_file(tmp_path, dtype):
    data, model, report = trained(dtype=dtype)
    model.save(tmp_path / "m.safetensors")
    again = fuseprop.load(tmp_path / "m.safetensors", device="cpu")
    assert again.encoder.columns == model.encoder.columns
    assert again.encoder.feature_names == model.encoder.feature_names
    assert "c missing" in again.encoder.feature_names
    np.testing.assert_array_equal(again.predict(data).values, model.predict(data).values)
    assert again.evaluate(data) == model.evaluate(data)
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()
    assert set(report.test) >= {"loss", "r2"}


@pytest.mark.parametrize(
    ("column", "entries", "words"),
    [
        ("c", {"own": 9}, "the category column 'c' cannot have 9 levels of its own"),
        ("c", {"own": -1}, "the category column 'c' cannot have -1 levels of its own"),
        ("c", {"own": True}, "a column has the entries name, kind, notation"),
        ("c", {"own": 1}, r"needs a weight of shape \(1., outputs\)"),
        ("c", {"levels": ["red", "red", "green"]}, "cannot have the levels"),
        (
            "c",
            {"levels": ["red", 5, "green"]},
            "names, notations, levels and cycles are text that UTF-8 holds",
        ),
        ("c", {"levels": ["red", "\ud800", "green"]}, "names, notations, levels and cycles are text"),
        ("c", {"cycles": ["month"]}, "the category column 'c' cannot have the cycles"),
        ("c", {"notation": "%Y"}, "the category column 'c' cannot be written as '%Y'"),
        ("c", {"kind": "text"}, "kind of column .?text.? is not known"),
        ("c", {"name": "d"}, "columns that are encoded must be features, in their order"),
        ("c", {"more": 1}, "a column has the entries name, kind, notation"),
        ("n", {"levels": ["a"]}, "the number column 'n' cannot have the levels"),
        ("n", {"notation": "12.5"}, "the number column 'n' cannot be written as '12.5'"),
        ("flag", {"levels": ["yes"]}, "the boolean column 'flag' cannot have the levels"),
        ("when", {"notation": "%Q"}, "the date column 'when' cannot be written as '%Q'"),
        ("when", {"cycles": ["weekday", "month"]}, "the date column 'when' cannot have the cycles"),
        ("when", {"used": False}, "the date column 'when' cannot have the cycles"),
    ],
)
def test_files_of_columns_that_no_encoder_has_are_refused(tmp_path, column, entries, words):
    _, model, _ = trained()
    path = tmp_path / "m.safetensors"
    model.save(path)
    rewrite(path, lambda about: next(e for e in about["encodings"] if e["name"] == column).update(entries))
    with pytest.raises(ModelFileError, match=words):
        fuseprop.load(path, device="cpu")


def test_files_whose_columns_contradict_each_other_are_refused(tmp_path):
    _, model, _ = trained()
    path = tmp_path / "m.safetensors"
    for change, words in (
        (lambda about: about["encodings"].reverse(), "must be features, in their order"),
        (lambda about: about["encodings"].append(about["encodings"][0]), "must be features, in their order"),
        (lambda about: about.update(missing="drop"), 'missing "drop" is not known'),
        (lambda about: about.update(encodings=[[]]), "no valid 'encodings'"),
    ):
        model.save(path)
        rewrite(path, change)
        with pytest.raises(ModelFileError, match=words):
            fuseprop.load(path, device="cpu")


def rewrite(path, change):
    """Change the configuration in a model file."""
    layers, configuration = read_model(path)
    tensors = {}
    for i, (weights, bias) in enumerate(layers):
        tensors |= {f"layers.{i}.weight": weights.copy(), f"layers.{i}.bias": bias.copy()}
    about = {"format": 3, "version": "0", **asdict(configuration)}
    change(about)
    path.write_bytes(save(tensors, {"fuseprop": json.dumps(about)}))


def test_long_names_of_many_levels_take_no_memory_until_they_are_asked_for(tmp_path):
    levels = [str(i) for i in range(3000)]
    learned = table(**{"c" * 30_000: ("category", levels * 2)})
    encoder = Encoder.fit(Table(learned.X, None, learned.columns, ()))
    columns = tuple(replace(column, levels=tuple(levels)) for column in encoder.columns)
    wide = replace(encoder, columns=columns, own={0: 3000})
    tracemalloc.start()
    try:
        assert wide.width == 3000
        assert wide.encode(table(**{"c" * 30_000: ("category", ["7"])})).sum() == 1
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_estimators_refuse_models_of_other_columns_by_name(tmp_path, kind):
    data, _, _ = trained()
    classes = Table(data.X, np.array([["a"], ["b"]] * 30), data.columns, ("y",))
    model = fuseprop.train(data if kind is MLPRegressor else classes, epochs=1, device="cpu")[0]
    model.save(tmp_path / "m.safetensors")
    with pytest.raises(
        ModelFileError, match=r"encodes its columns itself: n \(number\), c \(category\), flag"
    ):
        kind.load(tmp_path / "m.safetensors")


def test_the_order_of_columns_and_rows_does_not_matter():
    data, model, _ = trained()
    turned = data.with_features(data.feature_names[::-1]).take(np.arange(60)[::-1])
    assert turned.feature_names == ("when", "flag", "c", "n")
    np.testing.assert_array_equal(model.predict(turned).values[::-1], model.predict(data).values)
    one = model.predict(data.take(np.array([17]))).values
    np.testing.assert_allclose(one, model.predict(data).values[17:18], rtol=1e-6)


def test_new_things_warn_and_are_answered():
    data, model, _ = trained()
    columns = (*data.columns[:1], Column("c", "category", ("pink",)), *data.columns[2:])
    strange = Table(np.array([[1e9, 0.0, NAN, days("2400-01-01")]]), None, columns, (), "new.csv")
    with pytest.warns(UnlikeTrainingWarning) as caught:
        assert np.isfinite(model.predict(strange).values).all()
    (message,) = [str(entry.message) for entry in caught]
    assert message.startswith(
        "new.csv holds what no row learned from held: no value of flag in row 1; 'pink' as c in row 1. "
        "new.csv is far outside"
    )
    assert "n (1e+09 here, 0 to 6 in training)" in message
    assert "when (2400-01-01 here, 2024-01-01 to 2024-12-20 in training)" in message


def test_missing_values_are_refused_in_training_and_ever_after(tmp_path):
    whole = Table.of(np.arange(80.0).reshape(40, 2), np.arange(40.0), feature_names=["a", "b"])
    model, _ = fuseprop.train(whole, epochs=1, device="cpu", missing="refuse")
    model.save(tmp_path / "m.safetensors")
    X = whole.X.copy()
    X[33, 1] = NAN
    holes = Table(X, whole.targets, whole.columns, ("y",), "t.csv")
    for seed in range(5):  # in whichever part the row is, before any training
        with pytest.raises(DataError, match=r"t\.csv: row 34, column 'b': there is no value"):
            Fitting(holes, device="cpu", missing="refuse", seed=seed)
    for loaded in (model, fuseprop.load(tmp_path / "m.safetensors", device="cpu")):
        with pytest.raises(DataError, match=r"t\.csv: row 34, column 'b': there is no value"):
            loaded.predict(holes)
    fuseprop.train(holes, epochs=1, device="cpu")


def test_slopes_are_those_of_the_features():
    data, model, _ = trained(hidden=(), dtype="float64")
    slopes, intercepts = model.linear()
    assert slopes.shape == (len(model.encoder.feature_names), 1)
    encoder, features = model.encoder, model.encoder.encode(data)
    names = list(encoder.feature_names)
    for name in ("n", "when"):
        j = names.index(name)
        features[:, j] = features[:, j] * encoder.feature_scaling.scale[j] + encoder.feature_scaling.mean[j]
    np.testing.assert_allclose(features @ slopes + intercepts, model.predict(data).values[:, None], rtol=1e-9)
    known = ~np.isnan(data.X[:, 0])
    np.testing.assert_allclose(features[known, 0], data.X[known, 0], rtol=1e-12)


def test_settings_count_the_columns_of_the_table():
    data, model, _ = trained()
    assert model.network.inputs == model.encoder.width > len(data.columns)
    made = Fitting(data, optimizer="momentum", device="cpu")
    assert made.settings == settings_for(made.model.task, 60, 4, optimizer="momentum", device="cpu")
