"""The driver with a mistake of `engine_mistakes` in the engine, and whether it is found."""

from engine_mistakes import ADDRESS, DRIVER, THREAD, WIDE
from engine_programs import DRIVER as DRIVER_SOURCE
from engine_programs import (
    FLOAT_ONLY,
    SMALL,
    UNITS,
    V3,
    Way,
    compiled,
    linked,
    merged,
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
ARGUMENTS = ("--dtype", "float")
SAYS = {ADDRESS: ("AddressSanitizer", "runtime error"), THREAD: ("ThreadSanitizer: data race",)}


class Programs:
    """Programs of each way.

    What a mistake does not touch is compiled once, and the driver without sanitizers: they watch the memory
    that it hands out all the same.
    """

    def __init__(self, folder):
        self.folder = folder
        self.objects = {}

    def as_it_is(self):
        """Return the driver of each way."""
        return {way: self.built(way) for way in WAYS}

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


def noticed(mistake, programs, as_it_is):
    """Return whether the one that a mistake names finds it, and what was said."""
    program = programs.built(mistake.found_by, mistake)
    if mistake.found_by in (DRIVER, WIDE):
        done = run(program, *ARGUMENTS, timeout=60)
        expected = run(as_it_is[mistake.found_by], *ARGUMENTS).stdout
        return done.returncode != 0 or done.stdout != expected, done.stdout
    # A phase that ends early may never end, or crash; a sanitizer has told before what it found.
    done = run(program, *ARGUMENTS, timeout=120, TSAN_OPTIONS="halt_on_error=1")
    return any(words in done.stderr for words in SAYS[mistake.found_by]), done.stderr
