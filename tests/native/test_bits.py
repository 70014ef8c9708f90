"""The same bits at any number of threads, in any division into runs, and for vectors of any width.

The driver compares threads and divisions by itself, and each network with plain doubles. The networks that
it draws beside its own are left to .ci/long.
"""

from functools import cache

import pytest
from engine_programs import (
    DRIVER,
    FLOAT_ONLY,
    SMALL,
    V3,
    V4,
    Way,
    build,
    compiled,
    hashes,
    merged,
    need_compiler,
    runs,
    write_sources,
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """The driver's own object, which any engine goes with."""
    need_compiler()
    folder = tmp_path_factory.mktemp("driver")
    way = Way("driver", ("-O1", V3))
    return compiled(DRIVER, write_sources(folder / "sources", {}), folder / "driver.o", way)


@pytest.fixture(scope="module")
def expected(driver, tmp_path_factory):
    """The hashes of the engine as it is shipped, with its own sizes of units, by the driver's arguments."""
    folder = tmp_path_factory.mktemp("shipped")
    program = build(folder, Way("as it is shipped", ("-O3", V3)), driver=driver)
    return cache(lambda *networks: hashes(program, *networks))


DRAWN = ("--all",)


@pytest.fixture(params=[(), pytest.param(DRAWN, marks=pytest.mark.long)], ids=["own", "drawn"])
def networks(request):
    """What tells the driver which networks to take."""
    return request.param


@pytest.mark.parametrize(
    ("bits", "flags", "changes", "how"),
    [
        (128, ("-O1", V3), SMALL, ("--threads", "1,3")),
        # as it is shipped, doubles come in such vectors too
        (256, ("-O1", V3), merged(SMALL, FLOAT_ONLY), ("--threads", "1,4,16", "--dtype", "float")),
        # in halves, which takes the compiler and the program long
        (512, ("-O0", V3), merged(SMALL, FLOAT_ONLY), ("--threads", "2", "--dtype", "float")),
        (512, ("-O1", V4), SMALL, ("--threads", "1,3")),
    ],
    ids=["128", "256", "512 in halves", "512"],
)
def test_bits_are_equal_whatever_the_vectors(bits, flags, changes, how, networks, driver, expected, tmp_path):
    if not runs(flags[-1]):
        pytest.skip("this processor has no such vectors")
    if (bits, flags[-1]) == (512, V3) and runs(V4):
        pytest.skip("this processor has such vectors whole")
    way = Way(str(bits), (*flags, f"-DFUSEPROP_BITS={bits}"))
    program = build(tmp_path / "built", way, changes, driver=driver)
    found = hashes(program, *how, *networks)
    assert found == {name: made for name, made in expected(*networks).items() if name in found}


def test_hashes_tell_networks_and_dtypes_apart(networks, expected):
    made = expected(*networks)
    assert len(set(made.values())) == len(made) > (100 if networks == DRAWN else 50)
