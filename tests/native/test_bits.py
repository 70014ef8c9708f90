"""The same bits at any number of threads, in any division into runs, and for vectors of any width.

The driver compares threads and divisions by itself, and each network with plain doubles.
"""

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
    """The hashes of the engine as it is shipped, with its own sizes of units."""
    folder = tmp_path_factory.mktemp("shipped")
    return hashes(build(folder, Way("as it is shipped", ("-O3", V3)), driver=driver), "--all")


@pytest.mark.parametrize(
    ("bits", "flags", "changes", "how"),
    [
        (128, ("-O1", V3), SMALL, ("--all", "--threads", "1,3")),
        # as it is shipped, doubles come in such vectors too
        (256, ("-O1", V3), merged(SMALL, FLOAT_ONLY), ("--all", "--threads", "1,4,16", "--dtype", "float")),
        # in halves, which takes the compiler and the program long: those drawn are left to .ci/long
        (512, ("-O0", V3), merged(SMALL, FLOAT_ONLY), ("--threads", "2", "--dtype", "float")),
        (512, ("-O1", V4), SMALL, ("--all", "--threads", "1,3")),
    ],
    ids=["128", "256", "512 in halves", "512"],
)
def test_bits_are_equal_whatever_the_vectors(bits, flags, changes, how, driver, expected, tmp_path):
    if not runs(flags[-1]):
        pytest.skip("this processor has no such vectors")
    if (bits, flags[-1]) == (512, V3) and runs(V4):
        pytest.skip("this processor has such vectors whole")
    way = Way(str(bits), (*flags, f"-DFUSEPROP_BITS={bits}"))
    program = build(tmp_path / "built", way, changes, driver=driver)
    found = hashes(program, *how)
    assert found == {name: made for name, made in expected.items() if name in found}


def test_hashes_tell_networks_and_dtypes_apart(expected):
    assert len(set(expected.values())) == len(expected) > 100
