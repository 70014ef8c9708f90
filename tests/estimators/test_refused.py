"""What NumPy would take or say in its own words, and the estimators refuse: a failed call changes nothing."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn.neural_network
from sklearn.exceptions import NotFittedError

import fuseprop
from fuseprop import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
NUMBERS, CLASSES = X.sum(axis=1), np.arange(30) % 3
LABELS = np.eye(3, dtype=int)[CLASSES]
PAIRS = np.column_stack([NUMBERS, NUMBERS])
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
DAYS = pd.date_range("2026-01-01", periods=30)

KINDS = [(MLPRegressor, NUMBERS), (MLPClassifier, CLASSES)]
both = pytest.mark.parametrize(("kind", "y"), KINDS, ids=["regressor", "classifier"])


def doors_of_classes(fitted, y):
    """Return what takes y."""
    return (
        lambda: made(MLPClassifier).fit(X, y),
        lambda: made(MLPClassifier).fit(X, ["a", "b", "c"] * 10, X_val=X, y_val=y),
        lambda: made(MLPClassifier).partial_fit(X, y, classes=["a", "b", "c"]),
        lambda: fitted.partial_fit(X, y),
        lambda: fitted.score(X, y),
    )


def made(kind, **parameters):
    return kind(**{"max_iter": 2, "random_state": 0, **parameters})


# Dates, masked values, columns of one name


@both
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.column_stack([DAYS] * 3), r"X\w* holds dates \(datetime64"),
        (np.column_stack([DAYS - DAYS[0]] * 3), r"X\w* holds spans of time \(timedelta64"),
        (FRAME.assign(c=DAYS), r'the column "c" of X\w* holds dates'),
        (FRAME.assign(c=DAYS.tz_localize("UTC")), r'the column "c" of X\w* holds dates'),
        (FRAME.assign(b=DAYS - DAYS[0]), r'the column "b" of X\w* holds spans of time'),
        (FRAME.assign(b=[*DAYS.date]), r'the column "b" of X\w* holds dates \(datetime.date\)'),
        (FRAME.assign(b=pd.Series([*DAYS], dtype=object)), r'the column "b" of X\w* holds dates'),
        (FRAME.assign(b=pd.Categorical(DAYS)), r'the column "b" of X\w* holds dates'),
        ([[1.0, 2.0, dt.datetime(2026, 1, 1)]] * 30, r"X\w* holds dates \(datetime.datetime\)"),
        ([[np.timedelta64(1, "D")] * 3] * 30, r"X\w* holds spans of time"),
        ([*np.column_stack([DAYS] * 3)], r"X\w* holds dates \(datetime64"),
        ([pd.Series([day] * 3) for day in DAYS], r"X\w* holds dates \(datetime64"),
        ([[np.array(day.to_datetime64())] * 3 for day in DAYS], r"X\w* holds dates \(datetime64"),
        (
            pa.table({"a": X[:, 0], "b": X[:, 1], "c": DAYS}),
            r'the column "c" of X\w* holds dates \(datetime64',
        ),
        (pa.table({"a": DAYS, "b": DAYS, "c": DAYS - DAYS[0]}), r'the column "a" of X\w* holds dates'),
        (
            pa.table({"a": X[:, 0], "b": DAYS - DAYS[0], "c": X[:, 1]}),
            r'the column "b" of X\w* holds spans of time',
        ),
    ],
)
def test_dates_in_rows(kind, y, rows, message):
    fitted = made(kind).fit(FRAME, y)
    for call in (
        lambda: made(kind).fit(rows, y),
        lambda: made(kind).fit(FRAME, y, X_val=rows, y_val=y),
        lambda: fitted.predict(rows),
        lambda: fitted.score(rows, y),
        lambda: fitted.partial_fit(rows, y),
    ):
        with pytest.raises(TypeError, match=message + ".*which are no numbers"):
            call()


@both
@pytest.mark.parametrize(
    "dates",
    [
        DAYS,
        DAYS.values,
        DAYS - DAYS[0],
        pd.Series(DAYS, name="when"),
        [*DAYS.date],
        np.array([*DAYS], object),
    ],
    ids=lambda dates: type(dates).__name__,
)
def test_dates_as_y(kind, y, dates):
    fitted = made(kind).fit(X, y)
    for call in (
        lambda: made(kind).fit(X, dates),
        lambda: made(kind).fit(X, y, X_val=X, y_val=dates),
        lambda: made(kind).fit(X, y, sample_weight=dates),
        lambda: fitted.partial_fit(X, dates),
        lambda: fitted.score(X, dates),
    ):
        with pytest.raises(TypeError, match=r"holds (dates|spans of time).*no numbers"):
            call()
    if kind is MLPClassifier:
        with pytest.raises(TypeError, match=r"classes( .*)? holds (dates|spans of time)"):
            made(kind).partial_fit(X, y, classes=dates)


@both
def test_masked_values_in_lists(kind, y):
    weights = [np.ma.masked, *[1.0] * 29]
    fitted = made(kind).fit(X, y)
    for call in (
        lambda: made(kind).fit([[np.ma.masked, 1.0, 2.0]] * 30, y),
        lambda: made(kind).fit(X, y, sample_weight=weights),
        lambda: fitted.score(X, y, weights),
        lambda: fitted.score(X, [np.ma.masked, *y[1:]]),
    ):
        with pytest.raises(ValueError, match=r"is a list with masked arrays in it"):
            call()


@both
def test_masked_values(kind, y):
    rows = np.ma.masked_greater(X, 1)
    masked = np.ma.masked_array(y, mask=CLASSES == 1)
    fitted = made(kind).fit(X, y)
    for call in (
        lambda: made(kind).fit(rows, y),
        lambda: made(kind).fit(X, masked),
        lambda: made(kind).fit(X, y, sample_weight=np.ma.masked_array(np.ones(30), mask=CLASSES == 1)),
        lambda: made(kind).fit(X, y, X_val=rows, y_val=y),
        lambda: made(kind).fit(X, y, X_val=X, y_val=masked),
        lambda: fitted.partial_fit(rows, y),
        lambda: fitted.predict(rows),
        lambda: fitted.score(X, masked),
        lambda: fitted.score(rows, y),
        lambda: fitted.score(X, y, sample_weight=np.ma.masked_array(np.ones(30), mask=CLASSES == 1)),
        lambda: fitted.partial_fit(X, y, np.ma.masked_array(np.ones(30), mask=CLASSES == 1)),
    ):
        with pytest.raises(ValueError, match=r"is a masked array: \d+ of its \d+ values are masked"):
            call()
    keep = ~np.ma.getmaskarray(rows).any(axis=1)
    made(kind).fit(rows[keep], y[keep])


@both
def test_two_columns_of_one_name(kind, y):
    with pytest.raises(ValueError, match='X has 2 columns of the name "a"'):
        made(kind).fit(pd.DataFrame(X, columns=["a", "a", "b"]), y)


# Parameters


@both
@pytest.mark.parametrize(
    "sizes", [(5.9,), (5.0,), np.array([5.5]), (True,), ("5",), ((5,),), {5: 1}, {5}], ids=repr
)
def test_hidden_layer_sizes_that_are_no_whole_numbers(kind, y, sizes):
    """scikit-learn has a TypeError of NumPy's for most of them; this one is that too, and a ValueError."""
    for error in (ValueError, TypeError):
        with pytest.raises(error, match=r"hidden_layer_sizes must hold whole numbers, .* got"):
            made(kind, hidden_layer_sizes=sizes).fit(X, y)


WHOLE = ["batch_size", "max_iter", "n_iter_no_change", "max_fun"]
REAL = [
    "alpha",
    "learning_rate_init",
    "power_t",
    "tol",
    "momentum",
    "validation_fraction",
    "beta_1",
    "beta_2",
]


@both
@pytest.mark.parametrize("name", [*WHOLE, *REAL, "epsilon", "dropout", "clip_norm"])
def test_numbers_that_are_none(kind, y, name):
    bad = [np.nan, True, "1", *([2.5, 2.0] if name in WHOLE else [np.inf, -np.inf, 1j])]
    for value in [*bad, *([None] if name != "clip_norm" else [])]:
        with pytest.raises(ValueError, match=rf"The '{name}' parameter of \w+ must be .* Got .* instead"):
            made(kind, **{name: value}).fit(X, y)


@both
@pytest.mark.parametrize("seed", [-1, 2.5, "7", True, np.random.default_rng(0)], ids=str)
def test_a_bad_random_state(kind, y, seed):
    with pytest.raises(ValueError, match=r"The 'random_state' parameter of .* must be an int in the range"):
        made(kind, random_state=seed).fit(X, y)


@both
def test_half_a_validation_set(kind, y):
    with pytest.raises(ValueError, match="y_val came without X_val: give both, or neither"):
        made(kind).fit(X, y, y_val=y)
    with pytest.raises(ValueError, match="X_val came without y_val: give both, or neither"):
        made(kind).fit(X, y, X_val=X)


@both
def test_what_lbfgs_would_ignore(kind, y):
    with pytest.raises(ValueError, match=r"X_val=.* needs solver 'sgd' or 'adam', got 'lbfgs'"):
        made(kind, solver="lbfgs").fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match=r"clip_norm=1.0 needs solver 'sgd' or 'adam'"):
        made(kind, solver="lbfgs", clip_norm=1.0).fit(X, y)


# Targets


@pytest.mark.parametrize(
    ("y", "shown"),
    [
        (np.array(["a"] * 30), "'a' in row 0"),
        (np.array(["1"] * 30), "'1' in row 0"),
        (["1.5"] * 29 + ["x"], "'1.5' in row 0"),
        (np.array([1.5] * 29 + ["red"], object), "'red' in row 29"),
        (pd.Series(["low", "high"] * 15), "'low' in row 0"),
        (NUMBERS.astype("S"), "b'"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_text_for_a_regressor(y, shown):
    fitted = made(MLPRegressor).fit(X, NUMBERS)
    for call in (
        lambda: made(MLPRegressor).fit(X, y),
        lambda: made(MLPRegressor).fit(X, NUMBERS, X_val=X, y_val=y),
        lambda: fitted.partial_fit(X, y),
    ):
        with pytest.raises(ValueError, match=rf"holds {shown}.*a regressor learns numbers.*classifier"):
            call()


def test_what_is_missing_in_y():
    for y in ([None] * 30, np.array([1.0, None] * 15, object)):
        with pytest.raises(ValueError, match="Input y contains NaN"):
            made(MLPRegressor).fit(X, y)
    texts = ["a", "b", "c"] * 10
    fitted = made(MLPClassifier).fit(X, texts)
    for missing in (None, float("nan"), np.float32("nan"), pd.NA, pd.NaT):
        holey = [*texts[:7], missing, *texts[8:]]
        for y in (
            holey,
            [[cell] for cell in holey],
            np.array(holey, object),
            pd.Series(holey, dtype=object),
            pd.Series(holey, dtype="string"),
            pd.Series(holey, dtype="category"),
            pd.DataFrame({"y": holey}),
            pa.array([cell if isinstance(cell, str) else None for cell in holey]),
        ):
            for call in doors_of_classes(fitted, y):
                with pytest.raises(
                    ValueError, match=r"holds (None|nan|<NA>|NaT), which is no class, in row 7"
                ):
                    call()
    for classes in (["a", None, "c"], ["a", float("nan"), "c"]):
        with pytest.raises(ValueError, match=r"classes holds .* in row 1 "):
            made(MLPClassifier).partial_fit(X, texts, classes=classes)
    with pytest.raises(ValueError, match="y holds None"):
        made(MLPClassifier).fit(X, [None] * 30)


@pytest.mark.parametrize("other", [1, 2.5, True, np.int64(3)])
def test_texts_and_numbers_are_no_classes_of_one_kind(other):
    """NumPy makes text of all that stands in a list beside a text: 1 would be the class "1"."""
    fitted = made(MLPClassifier).fit(X, ["a", "b"] * 15)
    for y in (["a", other] * 15, np.array(["a", other] * 15, object)):
        for call in doors_of_classes(fitted, y):
            with pytest.raises(
                TypeError, match="must hold classes of one kind, all text or all numbers, got"
            ):
                call()


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="needs NumPy 2")
def test_texts_of_any_length():
    texts = np.array(["a", "bcd"] * 15)
    ours = made(MLPClassifier).fit(X, texts.astype(np.dtypes.StringDType()))
    theirs = made(MLPClassifier).fit(X, texts)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    assert list(ours.classes_) == ["a", "bcd"]
    assert ours.score(X, texts.astype(np.dtypes.StringDType())) == theirs.score(X, texts)


def test_numbers_that_float32_does_not_hold():
    rows = X.astype(np.float32)
    for call in (
        lambda: made(MLPRegressor).fit(rows, 1e300 * NUMBERS),
        lambda: made(MLPRegressor).fit(rows, NUMBERS, X_val=rows, y_val=1e300 * NUMBERS),
        lambda: made(MLPRegressor).fit(rows, NUMBERS).partial_fit(rows, 1e300 * NUMBERS),
    ):
        with pytest.raises(ValueError, match=r"y contains .* which float32 cannot hold.*standardized"):
            call()
    with pytest.raises(ValueError, match=r"learning_rate=1e.300.* too large for float32"):
        made(MLPRegressor, learning_rate_init=1e300).fit(rows, NUMBERS)


@both
def test_values_that_are_no_numbers(kind, y):
    rows = np.array([[1.0, 2.0, {"a": 1}]] * 30, object)
    with pytest.raises(TypeError, match=r"X must hold numbers, got {'a': 1}.*Encode it"):
        made(kind).fit(rows, y)
    with pytest.raises(ValueError, match="a whole number that no float64 can hold"):
        made(kind).fit([[1, 2, 10**400]] * 30, y)
    with pytest.raises(ValueError, match="has rows of different lengths"):
        made(kind).fit([[1, 2, 3]] * 29 + [[1]], y)


# Outputs, classes, weights


@pytest.mark.parametrize(
    ("kind", "first", "second", "message"),
    [
        (MLPRegressor, NUMBERS, PAIRS, "y has 2 outputs here, but had 1"),
        (MLPRegressor, PAIRS, NUMBERS, "y has 1 output here, but had 2"),
        (MLPClassifier, LABELS, LABELS[:, :2], r"y has shape \(30, 2\) here, but .* shape \(n, 3\)"),
        (MLPClassifier, CLASSES, LABELS, r"y has shape \(30, 3\) here, but .* shape \(n,\)"),
        (MLPClassifier, LABELS, CLASSES, r"y has shape \(30,\) here, but .* shape \(n, 3\)"),
    ],
)
def test_other_outputs_later(kind, first, second, message):
    model = made(kind, warm_start=True).fit(X, first)
    before = model.predict(X)
    calls = [lambda: model.partial_fit(X, second)]
    if kind is MLPRegressor or np.ndim(second) == np.ndim(first):
        message = f"({message})|(warm_start can only be used where `y` has the same classes)"
    calls.append(lambda: model.fit(X, second))
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call()
        np.testing.assert_array_equal(model.predict(X), before)
        assert model.n_outputs_ == model.coefs_[-1].shape[1]


@pytest.mark.parametrize(
    ("kind", "y", "y_val", "message"),
    [
        (MLPRegressor, NUMBERS, PAIRS, "y_val has 2 columns, but y has 1"),
        (MLPRegressor, PAIRS, NUMBERS, "y_val has 1 column, but y has 2"),
        (MLPClassifier, CLASSES, LABELS, r"y has shape \(30, 3\) here"),
        (MLPClassifier, LABELS, CLASSES, r"y has shape \(30,\) here"),
        (MLPClassifier, LABELS, LABELS[:, :2], r"y has shape \(30, 2\) here"),
    ],
)
def test_y_val_of_another_width(kind, y, y_val, message):
    model = made(kind)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, X_val=X, y_val=y_val)
    with pytest.raises(NotFittedError):
        model.predict(X)


@both
def test_other_hidden_layers_later(kind, y):
    """scikit-learn goes on with the old ones and says nothing."""
    model = made(kind, hidden_layer_sizes=(4,), warm_start=True).fit(X, y)
    model.set_params(hidden_layer_sizes=(7,))
    for call in (lambda: model.fit(X, y), lambda: model.partial_fit(X, y)):
        with pytest.raises(
            ValueError, match=r"hidden_layer_sizes=\(7,\), but training would go on .* \(4,\)"
        ):
            call()
    model.set_params(warm_start=False).fit(X, y)
    assert model.coefs_[0].shape == (3, 7)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({0: 0, 1: 0, 2: 0}, "leaves every row of y the weight 0"),
        ({0: -1}, "gives the class 0 the weight -1; expected a number of at least 0"),
        ({0: "a"}, "gives the class 0 the weight 'a'"),
        ({0: np.nan}, "gives the class 0 the weight nan"),
        ({0: None}, "gives the class 0 the weight None"),
        ({0: 1e308, 1: 1e308}, "adds up to more than float64 can hold"),
        ([1, 2], 'class_weight must be a dict from class to weight, "balanced", or a list of dicts'),
    ],
)
def test_class_weights(weights, message):
    model = made(MLPClassifier).fit(X, CLASSES)
    before = model.predict_proba(X)
    model.set_params(class_weight=weights)
    with pytest.raises(ValueError, match=message):
        model.fit(X, CLASSES)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    with pytest.raises(ValueError, match="leaves every row of y the weight 0"):
        made(MLPClassifier, class_weight={0: 0}).fit(X, CLASSES, (CLASSES == 0).astype(float))


@both
@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_sample_weights(kind, y, solver):
    for weights, error, message in (
        (np.full(30, 1e308), ValueError, "adds up to more than float64 can hold"),
        (1e308, ValueError, "adds up to more than float64 can hold"),
        ({}, TypeError, "sample_weight must hold numbers, got {}"),
    ):
        with pytest.raises(error, match=message):
            made(kind, solver=solver).fit(X, y, weights)
    one = made(kind, solver=solver).fit(X, y, 3)
    other = made(kind, solver=solver).fit(X, y, np.full(30, 3.0))
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


@both
def test_weights_that_are_all_held_out(kind, y):
    weights = np.zeros(30)
    weights[[0, 1, 2]] = 1.0
    with pytest.raises(
        ValueError, match=r"all rows that were drawn for (learning|validation) have the weight 0"
    ):
        made(kind, early_stopping=True).fit(X, y, weights)


# One call after another


def test_a_first_part_that_fails_leaves_nothing():
    model = made(MLPClassifier)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full((30, 3), np.nan), CLASSES, classes=[0, 1, 2])
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.partial_fit(X, CLASSES + 1, classes=[1, 2, 3])
    np.testing.assert_array_equal(model.classes_, [1, 2, 3])


@both
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"solver": "lbfgs"}, {"solver": "adam"}),
        ({"solver": "lbfgs"}, {"solver": "sgd", "early_stopping": True}),
        ({}, {"early_stopping": True}),
        ({"early_stopping": True}, {"early_stopping": False}),
    ],
)
def test_a_warm_start_by_another_rule(kind, y, before, after):
    """scikit-learn ends in an AttributeError or a TypeError."""
    model = made(kind, warm_start=True, **before).fit(X, y)
    model.set_params(**after).fit(X, y)
    assert model.n_iter_ == 2
    assert (model.validation_scores_ is not None) == model.early_stopping
    if not model.early_stopping:
        model.partial_fit(X, y)


@both
def test_a_callback_that_is_none_leaves_the_fit_before(kind, y):
    model = made(kind).fit(X, y)
    before = model.predict(X)
    model.set_params(callbacks=[print], warm_start=True)
    with pytest.raises(TypeError, match="a callback must be an object"):
        model.fit(X[:20], y[:20])
    np.testing.assert_array_equal(model.predict(X), before)
    assert model.history_.epochs == 2


def test_power_t_that_lowers_the_rate_to_nothing():
    with pytest.raises(ValueError, match=r"power_t=1000.0 has lowered the learning rate to 0, after 30 rows"):
        made(MLPRegressor, solver="sgd", learning_rate="invscaling", power_t=1000.0).fit(X, NUMBERS)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_not_converted(bad):
    theirs = sklearn.neural_network.MLPRegressor(max_iter=2).fit(X, NUMBERS)
    ours = fuseprop.from_sklearn(theirs)
    theirs.coefs_[0][1, 2] = ours.coefs_[0][1, 2] = bad
    with pytest.raises(ValueError, match=rf"this MLPRegressor contains {bad} in row 1, column 2"):
        fuseprop.from_sklearn(theirs)
    with pytest.raises(ValueError, match=rf"this MLPRegressor contains {bad} in row 1, column 2"):
        fuseprop.to_sklearn(ours)


def test_weights_that_float32_does_not_hold_are_not_trained_on():
    theirs = sklearn.neural_network.MLPRegressor(max_iter=2, warm_start=True).fit(X, NUMBERS)
    theirs.coefs_[0][1, 2] = 1e308
    ours = fuseprop.from_sklearn(theirs)
    with pytest.raises(ValueError, match=r"weight matrix of layer 1 contains 1e\+308 .* float32 cannot hold"):
        ours.fit(X.astype(np.float32), NUMBERS)
    with pytest.warns(RuntimeWarning, match="predictions are nan or inf"):
        ours.predict(1e10 * X)
