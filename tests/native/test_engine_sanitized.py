"""The engine with its threads under sanitizers, and mistakes that its checks must find.

All mistakes: python tests/long/seeded_engine.py --record FILE.
"""

import pytest
from engine_mistakes import ADDRESS, DRIVER, FIRST, THREAD
from engine_programs import hashes, need_compiler, run
from engine_seeded import ARGUMENTS, Programs, noticed

IN_BINARY = {ADDRESS: ("__asan_init", "__ubsan_handle"), THREAD: ("__tsan_init",)}


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    need_compiler()
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def as_it_is(programs):
    return programs.as_it_is()


@pytest.mark.parametrize("sanitizer", [ADDRESS, THREAD])
def test_no_sanitizer_finds_anything_and_bits_are_equal(sanitizer, as_it_is):
    program = as_it_is[sanitizer]
    binary = program.read_bytes()
    assert all(name.encode() in binary for name in IN_BINARY[sanitizer])
    done = run(program, *ARGUMENTS)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-4000:]
    assert done.stdout == run(as_it_is[DRIVER], *ARGUMENTS).stdout


@pytest.mark.parametrize("mistake", FIRST, ids=lambda mistake: mistake.name)
def test_a_mistake_is_found(mistake, programs, as_it_is):
    found, said = noticed(mistake, programs, as_it_is)
    assert found, said[-2000:]


def test_hashes_are_read_from_the_driver(as_it_is):
    assert len(hashes(as_it_is[DRIVER], *ARGUMENTS)) > 10
