"""functions.hpp: how exact it is, what it makes of special numbers, and the same bits for every width."""

import numpy as np
import pytest
from native_functions import BOUNDS, FUNCTIONS, OF_TWO, Native

BUILDS = {
    "128 bits": ("-O3", "-DFUSEPROP_BITS=128"),
    "512 bits": ("-O3", "-DFUSEPROP_BITS=512"),
    "2 lanes": ("-O3", "-DLANES=2"),
    "16 lanes": ("-O3", "-DLANES=16"),
    "-O1": ("-O1", "-DFUSEPROP_BITS=256"),
}
"""Ways to build that must give the bits of -O3 with 256."""

MORE = 1 << 18


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    return Native(tmp_path_factory.mktemp("native"), "-O3", "-DFUSEPROP_BITS=256")


def numbers(dtype, count):
    """Drawn bits, numbers of the sizes that networks have, and those at which something changes."""
    rng = np.random.default_rng(7)
    kind = np.finfo(dtype)
    unsigned = np.uint32 if dtype == "float32" else np.uint64
    with np.errstate(all="ignore"):
        largest = 1.1 * np.log([float(kind.smallest_subnormal), float(kind.max)])
    drawn = [
        rng.integers(0, np.iinfo(unsigned).max, count, unsigned, endpoint=True).view(dtype),
        rng.uniform(-1, 1, count),
        rng.uniform(-30, 30, count),
        rng.uniform(*largest, count),
        np.exp(rng.uniform(-40, 0, count)) * rng.choice([-1, 1], count),
        1 + rng.normal(0, 1e-3, count),
        np.pi / 2 * rng.integers(-(2**50), 2**50, count) / 2.0 ** rng.integers(0, 51, count),
    ]
    return np.concatenate([*(each.astype(dtype) for each in drawn), special(dtype)])


def special(dtype):
    kind = np.finfo(dtype)
    edges = [
        0,
        kind.smallest_subnormal,
        100 * kind.smallest_subnormal,
        kind.smallest_normal,
        kind.eps,
        0.25,
        0.3,
    ]
    edges += [0.5, 0.55, 0.75, 1, 1.5, 2, 9, 10, 17, 19, 20, 40, 88, 89, 104, 709, 710, 745, 746, kind.max]
    edges += [
        np.pi / 4,
        np.pi / 2,
        np.pi,
        11,
        22,
        52174,
        1e22,
        2.0**40,
        6381956970095103 * 2.0**797 if dtype == np.float64 else 1e30,
    ]
    edges += [np.log(2) * each for each in (0.5, 1, 1.5, 127.5, 128, 1023.5, 1024)]
    around = np.array(edges, dtype)
    with np.errstate(all="ignore"):
        around = np.concatenate([around, *(np.nextafter(around, dtype(end)) for end in (0, np.inf))])
    return np.concatenate([around, -around, np.array([np.inf, -np.inf, np.nan, -np.nan], dtype)])


def bits(x):
    """The bits, with one NaN for all: which one comes out differs between processors."""
    return np.where(np.isnan(x), x.dtype.type(np.nan), x).view(
        np.uint32 if x.dtype == np.float32 else np.uint64
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BOUNDS)
def test_exact(native, name, dtype):
    if np.finfo(np.longdouble).eps == np.finfo(dtype).eps:
        pytest.skip("this machine's long double is a double")
    errors = native.errors(name, numbers(dtype, MORE if dtype == np.float32 else MORE // 8))
    assert errors.wrong == 0, errors.wrong_at
    assert 0.49 < errors.normal <= BOUNDS[name], errors.normal_at
    assert errors.denormal <= 1, errors.denormal_at


@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "sqrt"])
def test_near_what_numpy_has(native, name):
    x = numbers(np.float32, 1 << 14)
    with np.errstate(all="ignore"):
        right = getattr(np, name)(x.astype(np.float64)).astype(np.float32)
        normal = ~(np.abs(right) < np.finfo(np.float32).smallest_normal)
    np.testing.assert_array_max_ulp(native(name, x)[: x.size][normal], right[normal], 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["abs", "sign"])
def test_as_numpy(native, name, dtype):
    x = numbers(dtype, 1 << 10)
    assert (bits(native(name, x)[: x.size]) == bits(getattr(np, name)(x))).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OF_TWO)
def test_the_larger_and_the_smaller(native, name, dtype):
    x, y = (each.ravel() for each in np.meshgrid(special(dtype), special(dtype)))
    made = native(name, x, y)[: x.size]
    right = np.where((x > y if name == "maximum" else x < y) | np.isnan(x), x, y)  # y where they are equal
    assert (bits(made) == bits(right)).all()


INF, NAN = np.inf, np.nan
EXACT = {
    "exp": [(0.0, 1), (-0.0, 1), (INF, INF), (-INF, 0.0), (1e4, INF), (-1e4, 0.0)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1), (1e4, INF), (-1e4, -1)],
    "log": [(1, 0.0), (0.0, -INF), (-0.0, -INF), (INF, INF), (-INF, NAN), (-1, NAN), (-1e-3, NAN)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1, -INF), (INF, INF), (-INF, NAN), (-1.5, NAN)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1), (-INF, -1), (1e30, 1), (-50, -1)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN)],
    "cos": [(0.0, 1), (-0.0, 1), (INF, NAN), (-INF, NAN)],
    "sigmoid": [(0.0, 0.5), (-0.0, 0.5), (INF, 1), (-INF, 0.0), (1e4, 1), (-1e4, 0.0)],
    "sqrt": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (-1, NAN), (4, 2)],
    "abs": [(-0.0, 0.0), (-INF, INF), (-3, 3)],
    "sign": [(0.0, 0.0), (-0.0, 0.0), (INF, 1), (-INF, -1), (-1e-40, -1), (1e-40, 1)],
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_numbers(native, name, dtype):
    x, right = np.array([*EXACT[name], (NAN, NAN), (-NAN, NAN)], dtype).T
    assert (bits(native(name, x)[: x.size]) == bits(right)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_flushed_denormals(native, name, dtype):
    """One that goes in is 0, and one that would come out is 0; all else is as without flushing."""
    x = numbers(dtype, 1 << 12)
    smallest = np.finfo(dtype).smallest_normal
    made = native(name, x, flushes=True)[: x.size]
    if (made == native(name, x)[: x.size])[np.abs(x) < smallest].all() and name in ("expm1", "tanh"):
        pytest.skip("nothing is flushed on this machine")
    flushed = np.where(np.abs(x) < smallest, np.copysign(dtype(0), x), x)
    right = native(name, flushed)[: x.size]
    # abs is of bits, which nothing flushes; whether a result at the border is flushed, its digits decide
    near = (np.abs(right) <= smallest) & (np.abs(made) <= smallest)
    assert (near | (bits(made) == bits(right))).all()


@pytest.mark.parametrize("build", BUILDS)
def test_same_bits(native, build, tmp_path):
    other = Native(tmp_path, *BUILDS[build])
    for dtype in (np.float32, np.float64):
        x = numbers(dtype, 1 << 14)
        for name in FUNCTIONS:
            assert (bits(native(name, x)) == bits(other(name, x))).all(), (name, dtype)
        for name in OF_TWO:
            assert (bits(native(name, x, x[::-1])) == bits(other(name, x, x[::-1]))).all(), (name, dtype)
