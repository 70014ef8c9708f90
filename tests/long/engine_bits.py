"""The part `engine_bits` of .ci/long: the compiled step's bits, from two compilers and for two processors.

    python tests/long/engine_bits.py --record FILE [--way "clang 256"]

The driver of tests/native/driver.cpp takes its steps with engines built by GCC and Clang for x86-64-v3, with
vectors of 128, 256 and 512 bits (the last in halves), for x86-64-v4 where this processor has it, and by GCC
for aarch64, which qemu runs. All must print the hashes of the engine as it is shipped. Installs the compilers
and qemu with apt-get where they are not.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "native"))

from engine_programs import DRIVER, V3, V4, Way, build, compiled, hashes, runs, write_sources

ARM, QEMU = "aarch64-linux-gnu-g++", "qemu-aarch64"
NEEDED = {"g++": "g++", "clang++": "clang", ARM: "g++-aarch64-linux-gnu", QEMU: "qemu-user"}

SHIPPED = Way("gcc, as it is shipped", ("-O3", V3))


def _bits(bits, *flags, **more):
    return {"flags": (*flags, f"-DFUSEPROP_BITS={bits}"), **more}


WAYS = (
    Way("gcc 512 in halves", **_bits(512, "-O1", V3)),
    Way("gcc 256", **_bits(256, "-O2", V3)),
    Way("gcc 128", **_bits(128, "-O2", V3)),
    Way("gcc 512", **_bits(512, "-O2", V4)),
    Way("clang 512 in halves", **_bits(512, "-O2", V3, compiler="clang++")),
    Way("clang 256", **_bits(256, "-O2", V3, compiler="clang++")),
    Way("clang 128", **_bits(128, "-O2", V3, compiler="clang++")),
    Way("gcc aarch64", ("-O2",), compiler=ARM, link=("-static",)),
)


def install():
    """Install what is not there; a fault is a CalledProcessError."""
    packages = sorted(package for program, package in NEEDED.items() if not shutil.which(program))
    if packages:
        subprocess.run(["apt-get", "update", "-q"], check=False)  # an old list may do
        subprocess.run(["apt-get", "install", "-qy", *packages], check=True)


def version(program):
    """Return the first line that a program says of its version."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def examined(way, expected, driver, folder):
    """Build and run the driver in a way; return what is to be recorded."""
    on_arm = way.compiler == ARM
    program = build(folder / way.name.replace(" ", "-"), way, driver=None if on_arm else driver)
    # Threads and divisions are compared by the suite; qemu takes its time over them.
    command = [QEMU, str(program)] if on_arm else program
    start = time.monotonic()
    found = hashes(command, "--all", *(["--once"] if on_arm else ["--threads", "1,3"]), timeout=3600)
    return {
        "flags": list(way.flags),
        "networks": len(found),
        "seconds of the run": round(time.monotonic() - start, 1),
        "other bits": sorted(name for name in expected | found if expected.get(name) != found.get(name)),
    }


def record(names):
    """Examine the ways of these names; return what was found, and what is wrong."""
    install()
    made = {"passed": False, "versions": {program: version(program) for program in NEEDED}}
    complaints, ways = [], {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        plain = Way("driver", ("-O1", V3))
        driver = compiled(DRIVER, write_sources(folder / "sources", {}), folder / "driver.o", plain)
        expected = hashes(build(folder / "shipped", SHIPPED, driver=driver), "--all")
        for way in WAYS:
            if way.name not in names:
                continue
            if V4 in way.flags and not runs(V4):
                ways[way.name] = "this processor has no such vectors"
                continue
            try:
                ways[way.name] = examined(way, expected, driver, folder)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                ways[way.name] = {"error": str(error)[-2000:]}
                complaints.append(f"{way.name}: no hashes")
            else:
                complaints += [f"{way.name}: other bits of {one}" for one in ways[way.name]["other bits"]]
            print(f"{way.name}: {ways[way.name]}", flush=True)
    return {**made, "passed": not complaints, "hashes": expected, "ways": ways, "complaints": complaints}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", type=Path, required=True, help="the JSON file to write")
    names = [way.name for way in WAYS]
    parser.add_argument("--way", choices=names, action="append", help="default: all")
    given = parser.parse_args()
    made = record(given.way or names)
    print(*made["complaints"], sep="\n")
    given.record.write_text(json.dumps(made, indent=1) + "\n")
    return int(not made["passed"])


if __name__ == "__main__":
    sys.exit(main())
