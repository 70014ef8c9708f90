"""The engine with its threads under sanitizers, and mistakes that its checks must find."""

import pytest
from engine_mistakes import ADDRESS, DRIVER, MISTAKES, THREAD, WIDE
from engine_programs import DRIVER as DRIVER_SOURCE
from engine_programs import (
    FLOAT_ONLY,
    SMALL,
    UNITS,
    V3,
    Way,
    compiled,
    hashes,
    linked,
    merged,
    need_compiler,
    run,
    write_sources,
)

NARROW = (V3, "-O1", "-DFUSEPROP_BITS=128")  # what compiles soonest
WAYS = {
    DRIVER: Way("plain", NARROW),
    WIDE: Way("wide", (V3, "-O1")),
    ADDRESS: Way("address", (*NARROW, "-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")),
    THREAD: Way("thread", (*NARROW, "-g1", "-fsanitize=thread")),
}
IN_BINARY = {ADDRESS: ("__asan_init", "__ubsan_handle"), THREAD: ("__tsan_init",)}
ARGUMENTS = ("--dtype", "float")


class Programs:
    """Programs of each way.

    What a mistake does not touch is compiled once, and the driver without sanitizers: they watch the memory
    that it hands out all the same.
    """

    def __init__(self, folder):
        self.folder = folder
        self.objects = {}

    def built(self, way_name, mistake=None):
        way = WAYS[way_name]
        name = f"{way_name}-{mistake.name.replace(' ', '-') if mistake else 'as-it-is'}"
        own = {mistake.file: [(mistake.old, mistake.new)]} if mistake else {}
        sources = write_sources(self.folder / name, merged(own, SMALL, FLOAT_ONLY))
        objects = [self.object(DRIVER_SOURCE, WAYS[DRIVER], sources)]
        for unit in UNITS:
            if mistake and unit == "engine.cpp":
                objects.append(compiled(sources / unit, sources, sources / "engine.o", way))
            else:
                objects.append(self.object(sources / unit, way, sources))
        return linked(sources / "driver", objects, way)

    def object(self, path, way, sources):
        key = (way.name, path.name)
        if key not in self.objects:
            out = self.folder / f"{way.name}-{path.name}.o"
            self.objects[key] = compiled(path, sources, out, way)
        return self.objects[key]


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    need_compiler()
    return Programs(tmp_path_factory.mktemp("programs"))


@pytest.fixture(scope="module")
def as_it_is(programs):
    """The driver of each way."""
    return {way: programs.built(way) for way in WAYS}


@pytest.mark.parametrize("sanitizer", [ADDRESS, THREAD])
def test_no_sanitizer_finds_anything_and_bits_are_equal(sanitizer, as_it_is):
    program = as_it_is[sanitizer]
    binary = program.read_bytes()
    assert all(name.encode() in binary for name in IN_BINARY[sanitizer])
    done = run(program, *ARGUMENTS)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-4000:]
    assert done.stdout == run(as_it_is[DRIVER], *ARGUMENTS).stdout


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_found(mistake, programs, as_it_is):
    program = programs.built(mistake.found_by, mistake)
    if mistake.found_by in (DRIVER, WIDE):
        done = run(program, *ARGUMENTS, timeout=60)
        assert done.returncode != 0 or done.stdout != run(as_it_is[mistake.found_by], *ARGUMENTS).stdout
        return
    # A phase that ends early may never end, or crash; a sanitizer has told before what it found.
    done = run(program, *ARGUMENTS, timeout=120, TSAN_OPTIONS="halt_on_error=1")
    says = {ADDRESS: ("AddressSanitizer", "runtime error"), THREAD: ("ThreadSanitizer: data race",)}
    assert any(words in done.stderr for words in says[mistake.found_by]), done.stderr[-2000:]


def test_hashes_are_read_from_the_driver(as_it_is):
    assert len(hashes(as_it_is[DRIVER], *ARGUMENTS)) > 10
