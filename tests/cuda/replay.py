"""Launches recorded on fibers, run again on threads of the system under a sanitizer.

The recording comes from the comparisons that prove the numbers, so what is compared is sanitized too.
"""

import os
import signal
import struct
import subprocess
from functools import cache

from host_compiler import compile_cpp, compiler, pointer_to, require, write_around_kernels
from host_kernels import view_of

SANITIZERS = {
    "address": ("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    "thread": ("-fsanitize=thread",),
}
"""AddressSanitizer with UBSan: memory, bounds, shifts, overflows. ThreadSanitizer: races."""

OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0",  # finding leaks takes ptrace, which containers forbid
    "TSAN_OPTIONS": "halt_on_error=1",
}

SECONDS = 20
"""For one launch, which takes 0.01 s: only threads that wait for each other for ever take longer."""

HUNG = "threads wait for others that never come to the same place"


class Recorder:
    """Runs `HostKernels`, and keeps every launch with its memory before and after."""

    def __init__(self, kernels):
        self._kernels = kernels
        self.launches = []

    def run(self, kernel, grid, arguments, spans):
        """Launch on fibers, and record."""
        name, arrays = kernel.expression, {}
        for span in spans:  # an array may be an argument twice
            if span.address not in arrays or arrays[span.address].size < span.size:
                arrays[span.address] = span
        stop = 0
        for address, span in sorted(arrays.items()):
            assert stop <= address, (
                f"{name}: arrays overlap; an array of its own for each would be another test"
            )
            stop = address + span.size
        before = [view_of(span).tobytes() for span in arrays.values()]
        self._kernels.run(kernel, grid, arguments, spans)
        after = [view_of(span).tobytes() for span in arrays.values()]
        self.launches.append(
            (name, _packed(name, grid, kernel.block, arguments, list(arrays), before, after))
        )

    def recording(self, names):
        """Return the launches of these kernels as replay.hpp reads them."""
        chosen = [packed for name, packed in self.launches if name in names]
        return _number(len(chosen)) + b"".join(chosen)


def _packed(name, grid, block, arguments, addresses, before, after):
    parts = [_bytes(name.encode()), *map(_number, (*(*grid, 1, 1)[:3], *(*block, 1, 1)[:3]))]
    parts.append(_number(len(addresses)))
    for contents in zip(before, after, strict=True):
        parts += map(_bytes, contents)
    parts.append(_number(len(arguments)))
    for argument in arguments:
        if argument.dtype.kind == "u" and argument:  # an address; zero is a null pointer
            parts += [_number(1), _number(addresses.index(argument))]
        else:
            parts += [_number(0), _bytes(argument.tobytes())]
    return b"".join(parts)


def _number(n):
    return struct.pack("=Q", n)


def _bytes(content):
    return _number(len(content)) + content


@cache
def works(sanitizer, folder):
    """Whether programs can be built and run under a sanitizer here."""
    file = folder / "empty.cpp"
    file.write_text("int main() {}\n")
    command = [compiler(), "-x", "c++", *SANITIZERS[sanitizer], str(file), "-o", str(folder / "empty")]
    built = subprocess.run(command, capture_output=True, check=False).returncode == 0
    return built and subprocess.run([folder / "empty"], capture_output=True, check=False).returncode == 0


def build(folder, listed, sanitizer, changed=None):
    """Build a program that replays launches of the listed kernels, and return its path."""
    require(
        works(sanitizer, folder),
        f"g++ here has no {sanitizer} sanitizer that works. Type: apt-get install g++ (it brings libasan, "
        f"libubsan and libtsan), or set CXX",
    )
    launchers = [
        f'{{"{name}", [](const unsigned* shape, void** arguments)'
        f"{{ {pointer_to(name, kernel)} cpu::launch(kernel, shape, arguments); }}}},"
        for name, kernel in listed.items()
    ]
    main = [
        "int main(int, char** argv) {",
        "std::_Exit(replay::run(argv[1], std::stoi(argv[2]), {",
        *launchers,
        "})); }",
    ]
    headers = ['#include "cuda_on_threads.hpp"', '#include "replay.hpp"']
    file = write_around_kernels(folder, listed, headers, main, changed or {})
    return compile_cpp(file, folder / sanitizer, ("-g1", *SANITIZERS[sanitizer]))


def replay(program, recording, seconds=SECONDS):
    """Return what a sanitizer says of the recorded launches; nothing if it finds nothing."""
    path = program.with_suffix(".launches")
    path.write_bytes(recording)
    done = subprocess.run(
        [program, path, str(seconds)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **OPTIONS},
    )
    started = done.stdout.split("\n")[:-1]
    assert len(started) > 0, f"nothing was replayed: {done.stderr}"
    if done.returncode == 0:
        assert _number(len(started)) == recording[:8], "not all launches were replayed"
        return ""
    said = HUNG if done.returncode == -signal.SIGALRM else done.stderr.strip() or f"exit {done.returncode}"
    return f"{started[-1]}: {said}"
