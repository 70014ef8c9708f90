"""Formulas on vectors: the library computes what a formula says bit by bit, from its struct and as code."""

import re
from itertools import product

import derived
import numpy as np
import pytest
from fuseprop_numpy.compiled.formulas import (
    CannotCompute,
    Kernels,
    encode_activation,
    encode_loss,
    encode_update,
)
from fuseprop_numpy.compiled.interpreted import MOST_GIVEN, MOST_NUMBERS, MOST_REGISTERS
from fuseprop_numpy.compiled.shapes import (
    TABLES,
    header,
    loss_shape,
    slope_shape,
    update_shape,
    value_shape,
)
from vector_library import NATIVE, TYPES, build, compiler, draw, equal, points

from fuseprop.backend import (
    ActivationFormula,
    LossFormula,
    UpdateFormula,
    evaluate,
    number,
    variable,
)
from fuseprop.backend.expression import apply, where
from fuseprop.formulas import ACTIVATIONS, LOSSES, UPDATES, as_activation, as_loss

ACTIVATION_NAMES = [*ACTIVATIONS, "leaky_relu(0.0)", "leaky_relu(0.2)", "elu(0.5)", "elu(3.25)"]

LOSS_NAMES = [name for name, family in LOSSES.items() if not family().takes_labels]
LOSS_NAMES += ["huber(0.5)", "huber(1.35)", "quantile(0.1)", "quantile(0.9)"]


Y, T, Z, W, G, M, V, A = map(variable, ("y", "t", "z", "w", "g", "m", "v", "a"))


def drawn(first, count, names, size):
    """Return `count` drawn expressions."""
    return [draw(seed, names, size) for seed in range(first, first + count)]


def drawn_activations():
    made = drawn(1000, 40, ("z",), 30)
    return [ActivationFormula(value, slope) for value, slope in zip(made[::2], made[1::2], strict=True)]


def drawn_losses():
    made = drawn(2000, 40, ("y", "t"), 14)
    return [LossFormula(term, slope) for term, slope in zip(made[::2], made[1::2], strict=True)]


def drawn_updates():
    made = drawn(3000, 60, ("w", "g", "m", "v", "a", "b"), 12)
    return [
        UpdateFormula(made[i], (("m", made[i + 1]), ("v", made[i + 2])), ("a", "b")) for i in range(0, 60, 3)
    ]


def awkward_updates():
    """Updates that pass on what others overwrite, or that have nothing to compute."""
    return [
        UpdateFormula(M, (("m", W),), ("a",)),
        UpdateFormula(M, (("m", V), ("v", W)), ()),
        UpdateFormula(W - A * G, (("m", W - A * G),), ("a",)),
        UpdateFormula(A, (("m", number(2)), ("v", W * V)), ("a",)),
        UpdateFormula(W - A * G, (), ("a",)),
        UpdateFormula(W, (("m", M + W),), ()),
        UpdateFormula(W + M * V, (("m", W), ("v", M * V)), ()),
        UpdateFormula(G, (("m", G),), ()),
    ]


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """By width: the one of 256 bits has structs of drawn formulas as well."""
    compiled_with = compiler()
    own = [("drawn", each) for each in (*drawn_losses()[:8], *drawn_activations()[:8], *drawn_updates()[:4])]
    text = header([*derived.native_formulas(), *own])
    made = build(compiled_with, tmp_path_factory.mktemp("drawn"), (256,), text)
    return made | build(compiled_with, tmp_path_factory.mktemp("built_in"), (128, 512))


def expected(library, expression, **values):
    """Return what a formula says with the library's own exp, log and so on."""
    with np.errstate(all="ignore"):
        made = evaluate(expression, values, library.functions())
    like = next(iter(values.values()))
    return np.broadcast_to(np.asarray(made, like.dtype), like.shape)


def same(a, b):
    """Whether two arrays have the same bits, payloads and signs of NaN apart."""
    both_nan = np.isnan(a) & np.isnan(b)
    return (both_nan | ((a == b) & (np.signbit(a) == np.signbit(b)))).all()


def assert_equal(got, wanted, what):
    wrong = ~equal(got, wanted)
    assert not wrong.any(), f"{what}: {got[wrong][:5]} instead of {wanted[wrong][:5]}"


def in_eights(arrays):
    return [each[: each.size // 8 * 8] for each in arrays]


def both(library):
    return (("struct", library.kernels), ("code", library.interpreting))


ACTIVATIONS_AND_OWN = [as_activation(name).formula for name in ACTIVATION_NAMES] + drawn_activations()
LOSSES_AND_OWN = [as_loss(name).formula for name in LOSS_NAMES] + drawn_losses()


@pytest.mark.parametrize("dtype", TYPES)
def test_activations_are_their_formulas(libraries, dtype):
    library = libraries[256]
    (z,) = in_eights(points(dtype, 1))
    rng = np.random.default_rng(0)
    z = np.concatenate([z, rng.normal(0, 3, 600).astype(dtype)])
    gradient = rng.permutation(z)
    for formula in ACTIVATIONS_AND_OWN:
        value = expected(library, formula.value, z=z)
        slope = expected(library, formula.slope, **{formula.slope_of or "y": z})
        with np.errstate(all="ignore"):
            changed = gradient * slope
        for how, kernels in both(library):
            assert_equal(library.activate(formula, z, kernels), value, f"{formula.value} by {how}")
            made = library.through(formula, gradient, z, kernels)
            assert_equal(made, changed, f"{formula.slope} by {how}")


@pytest.mark.parametrize("dtype", TYPES)
def test_losses_are_their_formulas(libraries, dtype):
    library = libraries[256]
    rng = np.random.default_rng(1)
    y, t = (each[: each.size // 32 * 32].reshape(-1, 32) for each in points(dtype, 2))
    weights = rng.uniform(0, 2, 32).astype(dtype)
    factor = np.dtype(dtype).type(0.1)
    for formula in LOSSES_AND_OWN:
        terms = expected(library, formula.term, y=y, t=t)
        slopes = expected(library, formula.slope, y=y, t=t)
        with np.errstate(all="ignore"):
            sums = np.zeros(32, dtype)
            for row in terms:
                sums = sums + row
            losses, gradient = factor * sums, factor * weights * slopes
        for how, kernels in both(library):
            got = library.loss(formula, factor, y, t, weights, kernels)
            assert_equal(got[0], losses, f"{formula.term} by {how}")
            assert_equal(got[1], gradient, f"{formula.slope} by {how}")


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("decays", [False, True])
def test_updates_are_their_formulas(libraries, dtype, decays):
    library = libraries[256]
    rows = [each[: each.size // 40 * 40].reshape(-1, 40) for each in points(dtype, 4)]
    w, g, *moments = rows
    for formula in (*UPDATES.values(), *awkward_updates(), *drawn_updates()):
        names = [name for name, _ in formula.moments]
        numbers = np.array([0.01, 0.9, 0.999, 1e-8], dtype)[: len(formula.settings)]
        settings = np.append(numbers, np.dtype(dtype).type(0.003))
        with np.errstate(all="ignore"):
            taken = settings[-1] * w + g if decays else g
        values = {"w": w, "g": taken, **dict(zip(names, moments, strict=False))}
        values |= {name: np.full_like(w, each) for name, each in zip(formula.settings, numbers, strict=True)}
        wanted = [
            expected(library, each, **values) for each in (formula.parameter, *dict(formula.moments).values())
        ]
        for (how, kernels), between in product(both(library), (0, 24)):
            given = w, g, moments[: len(names)], settings, kernels
            got = library.update(formula, *given, decays=decays, between=between)
            for each, right in zip(got, wanted, strict=True):
                assert_equal(each, right, f"{formula.results} by {how}")


def test_no_decay_multiplies_nothing(libraries):
    """0 inf would be NaN."""
    w, one = np.full((1, 8), np.inf, np.float32), np.ones((1, 8), np.float32)
    settings = np.array([0.1, 0.5, 0.0], np.float32)
    for _, kernels in both(libraries[256]):
        got, _ = libraries[256].update(UPDATES["momentum"], w, one, [one], settings, kernels, decays=True)
        assert (got == np.inf).all()


SIZES = (8, 16, 24, 40, 120, 128, 136, 256, 264, 1000)


@pytest.mark.parametrize("dtype", TYPES)
def test_bits_do_not_depend_on_width_or_on_whether_a_formula_was_compiled(libraries, dtype):
    rng = np.random.default_rng(2)
    for size, name in product(SIZES, ("sigmoid", "gelu", "elu(0.5)", "softplus")):
        formula = as_activation(name).formula
        z, gradient = rng.normal(0, 4, (2, size)).astype(dtype)
        z[::7], z[1::5] = np.nan, -np.inf
        made = [
            (library.activate(formula, z, kernels), library.through(formula, gradient, z, kernels))
            for library in libraries.values()
            for _, kernels in both(library)
        ]
        assert all(same(a, b) for each in made for a, b in zip(each, made[0], strict=True)), (name, size)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("lanes", [8, 16, 32])
def test_bits_of_losses_do_not_depend_on_width_either(libraries, lanes, dtype):
    rng = np.random.default_rng(3)
    for k, name in product((1, 2, 3, 10, 33, 70), LOSS_NAMES):
        y, t = rng.normal(0, 2, (2, k, lanes)).astype(dtype)
        y[0, 0], weights = np.nan, rng.uniform(0, 1, lanes).astype(dtype)
        made = [
            library.loss(as_loss(name).formula, 0.37, y, t, weights, kernels)
            for library in libraries.values()
            for _, kernels in both(library)
        ]
        assert all(same(a, b) for each in made for a, b in zip(each, made[0], strict=True)), (name, k)


@pytest.mark.parametrize("dtype", TYPES)
def test_bits_of_updates_do_not_depend_on_width_either(libraries, dtype):
    rng = np.random.default_rng(4)
    for shape, between in product(((1, 8), (1, 24), (3, 8), (7, 16), (5, 40), (2, 264), (1, 1000)), (0, 8)):
        for formula in UPDATES.values():
            w, g, *moments = np.abs(rng.normal(0, 1, (2 + len(formula.moments), *shape))).astype(dtype)
            settings = np.array([*(0.01, 0.9, 0.999, 1e-8)[: len(formula.settings)], 0.003], dtype)
            made = [
                library.update(formula, w, g, moments, settings, kernels, decays=True, between=between)
                for library in libraries.values()
                for _, kernels in both(library)
            ]
            assert all(same(a, b) for each in made for a, b in zip(each, made[0], strict=True)), shape


@pytest.mark.parametrize("dtype", TYPES)
def test_numbers_are_those_of_numpy_but_for_a_few_units_in_the_last_place(libraries, dtype):
    library, few = libraries[256], 16 * np.finfo(dtype).eps
    rng = np.random.default_rng(5)
    z = np.concatenate([np.linspace(-20, 20, 801), rng.normal(0, 1, 799)]).astype(dtype)
    for name in ACTIVATION_NAMES:
        formula = as_activation(name).formula
        wanted = np.asarray(evaluate(formula.value, {"z": z.astype(np.float64)}))
        assert np.allclose(library.activate(formula, z), wanted, rtol=few, atol=few / 4), name
    y, t = z.reshape(-1, 32), rng.permutation(z).reshape(-1, 32)
    for name in LOSS_NAMES:
        formula = as_loss(name).formula
        low, high = as_loss(name).low, as_loss(name).high
        targets = np.clip(t, low, high)
        wide = {"y": y.astype(np.float64), "t": targets.astype(np.float64)}
        losses, gradient = library.loss(formula, 1.0, y, targets, np.ones(32, dtype))
        wanted = np.broadcast_to(evaluate(formula.term, wide), y.shape).sum(0)
        assert np.allclose(losses, wanted, rtol=few), name
        assert np.allclose(gradient, evaluate(formula.slope, wide), rtol=few, atol=20 * few), name


def test_nan_goes_through_where_the_formula_lets_it(libraries):
    library = libraries[256]
    for dtype in TYPES:
        nan = np.full(8, np.nan, dtype)
        one = np.ones(8, dtype)
        for formula in ACTIVATIONS_AND_OWN[: len(ACTIVATION_NAMES)]:
            for _, kernels in both(library):
                assert np.isnan(library.activate(formula, nan, kernels)).all(), formula.value
                slopes = library.through(formula, one, nan, kernels)
                assert np.isnan(slopes).all() == (formula.slope_of is not None), formula.slope
                assert np.isnan(library.through(formula, nan, one, kernels)).all()


@pytest.mark.parametrize("name", [*ACTIVATION_NAMES, *LOSS_NAMES, *UPDATES])
def test_every_built_in_formula_has_its_struct_whatever_its_numbers(name):
    """The header is what `derived` writes: tests/core/test_derived.py."""
    family = name.partition("(")[0]
    if family in ACTIVATIONS:
        formula = as_activation(name).formula
        shapes = value_shape(formula), slope_shape(formula)
    else:
        shapes = (loss_shape(as_loss(name).formula) if family in LOSSES else update_shape(UPDATES[name]),)
    text = (NATIVE / "formulas.hpp").read_text()
    for shape in shapes:
        assert shape.key in text
        assert shape.body in text


def test_what_has_a_struct_needs_no_code(libraries):
    kernels = libraries[128].kernels
    assert all(kernels.tables[kind] for kind in TABLES)
    for dtype in map(np.dtype, TYPES):
        encoded = [encode_update(formula, dtype, kernels) for formula in UPDATES.values()]
        encoded += [encode_loss(as_loss(name).formula, dtype, kernels) for name in LOSS_NAMES]
        for name in ACTIVATION_NAMES:
            encoded += encode_activation(as_activation(name).formula, dtype, kernels)
        assert all(each.kernel >= 0 and each.code.size == 0 for each in encoded)
        assert {each.constants.dtype for each in encoded} == {dtype}


def test_formulas_of_one_shape_share_a_struct():
    one, other = (as_activation(name).formula for name in ("leaky_relu", "leaky_relu(0.2)"))
    assert value_shape(one).key == value_shape(other).key
    assert (value_shape(one).numbers, value_shape(other).numbers) == ((0.01,), (0.2,))
    of_sum = ActivationFormula(Z, Z * (1 - Z))  # whether a slope is of y or of z is no matter here
    assert slope_shape(of_sum).key == slope_shape(as_activation("sigmoid").formula).key
    huber = loss_shape(as_loss("huber(0.5)").formula)  # two of whose numbers happen to be equal
    assert huber.key == loss_shape(as_loss("huber").formula).key
    assert huber.numbers == (0.5, 0.5, -0.5, 0.5)


def test_the_smallest_normal_number_is_that_of_the_dtype(libraries):
    formula = as_loss("half_poisson_deviance").formula
    for dtype in map(np.dtype, TYPES):
        assert encode_loss(formula, dtype, libraries[128].kernels).constants[0] == np.finfo(dtype).tiny


def test_a_user_who_writes_a_built_in_formula_gets_its_struct(libraries):
    mine = UpdateFormula(W + (V * M - A * G), (("m", V * M - A * G),), ("a", "v"))
    assert encode_update(mine, np.dtype("float32"), libraries[128].kernels).kernel == 0


def test_what_the_library_lacks_is_said():
    dtype, kernels = np.dtype("float32"), Kernels(operations={"add": 0, "multiply": 1, "copy": 2})
    with pytest.raises(CannotCompute, match="the library has no sin"):
        encode_activation(ActivationFormula(apply("sin", Z), Z), dtype, kernels)
    with pytest.raises(CannotCompute, match="the library has no where_greater"):
        encode_activation(ActivationFormula(where(Z > 0, Z, 1), Z), dtype, kernels)
    long = sum((Z * (1 + i / 7) for i in range(MOST_NUMBERS + 1)), start=Z)
    with pytest.raises(CannotCompute, match=rf"{MOST_NUMBERS + 1} numbers; .* room for {MOST_NUMBERS}"):
        encode_activation(ActivationFormula(long, Z), dtype, kernels)
    powers = [Z]
    for _ in range(MOST_REGISTERS + 1):
        powers.append(powers[-1] * powers[-1])
    wide = powers[-1]
    for each in powers[-2::-1]:
        wide = wide + each
    with pytest.raises(CannotCompute, match=r"numbers at a time to remember; .* room for 32"):
        encode_activation(ActivationFormula(wide, Z), dtype, kernels)
    moments = tuple((f"m{i}", W) for i in range(MOST_GIVEN - 1))
    with pytest.raises(CannotCompute, match="moments"):
        encode_update(UpdateFormula(W, moments, ()), dtype, kernels)


def test_as_much_as_there_is_room_for_is_computed(libraries):
    long = Z
    for i in range(MOST_NUMBERS):
        long = long * (1 + i / 7) + Z if i % 2 else long + (1 + i / 7)
    powers = [Z]
    for _ in range(MOST_REGISTERS - 1):
        powers.append(powers[-1] * (1 / (1 + powers[-1])))
    wide = powers[-1]
    for each in powers[-2::-1]:
        wide = wide + each
    moments = tuple((f"m{i}", variable(f"m{i}") + i) for i in range(MOST_GIVEN - 2))
    z = np.linspace(0, 1, 264)
    library = libraries[512]
    for formula in (long, wide):
        got = library.activate(ActivationFormula(formula, Z), z, library.interpreting)
        assert_equal(got, expected(library, formula, z=z), "the longest")
    w = np.ones((3, 8))
    got = library.update(UpdateFormula(W + G, moments, ()), w, w, [w] * len(moments), np.zeros(1))
    assert [each[0, 0] for each in got] == [2, *range(1, MOST_GIVEN - 1)]


def test_limits_are_those_of_the_library():
    text = (NATIVE / "interpreter.hpp").read_text()
    found = re.search(r"MOST_GIVEN = (\d+), MOST_NUMBERS = (\d+), MOST_REGISTERS = (\d+);", text)
    assert tuple(map(int, found.groups())) == (MOST_GIVEN, MOST_NUMBERS, MOST_REGISTERS)


def test_a_library_that_was_built_of_other_formulas_interprets():
    """A key that it has is that of the very same C++."""
    kernels = Kernels.of("Value 0123456789ab\nOperation add tanh multiply subtract\n")
    assert kernels.tables == {"Value": {"0123456789ab": 0}, "Slope": {}, "Loss": {}, "Update": {}}
    value, slope = encode_activation(as_activation("tanh").formula, np.dtype("float32"), kernels)
    assert (value.kernel, value.code.tolist()) == (-1, [1, 0, 0, 0, 0, 1, 0, 0])  # z = tanh(z)
    # two arrays, no settings, a register (3) beside the number 1 (2)
    assert slope.code.tolist() == [2, 0, 1, 0, 0, 2, 3, 1, 1, 3, 3, 2, 3, 2, 0, 0, 3]
