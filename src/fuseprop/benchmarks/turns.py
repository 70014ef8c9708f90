"""Processes that take turns: each peer in its own, round robin, the order reversed every round.

Idle threads of one library (OpenBLAS, libgomp) go on spinning for up to 26 ms and take a core from the next:
hence processes of their own, and a pause before each one's turn: see `SETTLE`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from .shortening import shortened

SETTLE = {"cpu": 0.25, "cuda": 0.05}
"""Seconds of rest before a turn. With two threads something of NumPy's process outlasts 50 ms, and whoever
comes after it is slow every other round. On a GPU hosts have one thread, and the time is short."""

CLOCKS = {"host", "device"}
"""What else is told of a step on a GPU, in seconds: see `Stopwatch`."""

PATIENCE = 300.0
"""Seconds until a process that does not answer is given up."""


WORKER = f"{__package__}.worker"
"""The module that such a process runs."""


def environment(paths: Sequence[Path]) -> dict[str, str]:
    """Return the environment of a process that finds what lies in these folders before all else.

    It keeps what it has compiled of Python's sources, whatever is asked for here: a library of thousands of
    files would be compiled anew by every process, before it is ready.
    """
    path = os.pathsep.join([*map(str, paths), *filter(None, [os.environ.get("PYTHONPATH")])])
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": path}


class Peer:
    """A process that runs `worker.py`, and the next one where it ends over a request or loses its GPU.

    Parameters
    ----------
    module, device : str
        Of the worker.
    name : str, optional
        How it is called here, rather than by its own name.
    worker : str, optional
        What it runs instead of `fuseprop.benchmarks.worker`, and answers as that does.
    paths : sequence of Path, optional
        Where it finds modules first. Without any it finds what this process would, but for what lies in the
        working directory.
    variables : mapping, optional
        Further variables of its environment.
    lasting : bool
        Whether it is replaced when it ends. One that is not says why it ended, at every request.
    greeted : bool
        Whether it has said who it is. One that starts beside others is to `greet` later.

    Attributes
    ----------
    until : float
        The moment, on the monotonic clock, until which its answers are waited for; then it is ended.
    hello : dict
        What it said first.
    missing : str or None
        Why it is of no use here.
    ended : str
        Why it has ended and was not replaced; "" where neither is so.
    """

    def __init__(
        self,
        module: str,
        device: str,
        *,
        name: str | None = None,
        worker: str = WORKER,
        paths: Sequence[Path] = (),
        variables: Mapping[str, str] | None = None,
        lasting: bool = True,
        greeted: bool = True,
    ) -> None:
        self.module, self.device, self.name = module, device, name or module.rpartition(".")[2]
        self.until = inf
        self._named, self._lasting, self.ended = name is not None, lasting, ""
        # -P: without it a file of the working directory, such as a jax.py, would go before the library.
        self._command = [sys.executable, "-P", "-m", worker, module, device]
        self._environment = {**environment(paths), **(variables or {})}
        self._built: dict[int | str, tuple[str, dict[str, Any]]] = {}
        self.hello: dict[str, Any] = {}
        self.missing: str | None = None
        self._start()
        if greeted:
            self.greet()

    def greet(self) -> None:
        """Wait until the process has said who it is."""
        self.hello = self._answer()
        if not self._named:
            self.name = self.hello.get("name", self.name)
        self.missing = self.hello.get("absent") or self.hello.get("error")

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Send a request and return the answer; {"error": why} where there is none.

        A process that has ended over it, does not answer or has lost its device is replaced at once by one
        in which the other forms that were built are built again.
        """
        if self.ended:
            return {"error": self.ended}
        answer = self._send(do, request)
        form = request.get("key", request.get("form", "estimator"))
        if do == "drop":
            self._built.clear()
        elif "error" in answer:
            self._built.pop(form, None)
        elif do.startswith("build"):
            self._built[form] = do, request
        if answer.pop("ends", False):
            if self._lasting:
                self._renew()
            else:
                self.ended = answer["error"]
        return answer

    def kill(self) -> None:
        """End the process at once, whatever it does; nothing is to be asked of it any more."""
        self._lasting = False
        self._process.kill()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _start(self) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (lives as long as the process)
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._environment,
        )
        assert self._process.stdout is not None
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        reading = threading.Thread(target=_read, args=(self._process.stdout, self._lines), daemon=True)
        reading.start()

    def _renew(self) -> None:
        self._process.kill()
        self.close()
        built, self._built = self._built, {}
        self._start()
        if "forms" not in self._answer():
            return  # and every request will say why
        for do, request in built.values():
            self.ask(do, **request)

    def _send(self, do: str, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **request}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:  # a broken pipe, whatever the system calls it
            return {"error": self._last_words()}
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        """Return what the process says, with {"ends": True} where it takes no further requests."""
        patience = max(0.0, min(PATIENCE, self.until - time.monotonic()))
        try:
            line = self._lines.get(timeout=patience)
        except Empty:
            self._process.kill()
            self._process.wait()
            return {"error": f"no answer within {patience:.3g} s", "ends": True}
        if line:
            return dict(json.loads(line))
        self._lines.put(line)  # an end stays an end
        return {"error": self._last_words(), "ends": True}

    def _last_words(self) -> str:
        self._process.wait()
        self._log.seek(0)
        lines = [line.strip() for line in self._log if line.strip()]
        return f"ended with {self._process.returncode}: {shortened(lines[-1], 200) if lines else 'no output'}"


def _read(out: IO[bytes], lines: SimpleQueue[bytes]) -> None:
    """Pass on what a process writes, line by line, and b"" at its end: Windows cannot wait for a pipe."""
    with out:
        for line in out:
            lines.put(line)
    lines.put(b"")


def measure(
    peers: list[Peer],
    case: str,
    activation: str,
    *,
    rounds: int,
    block: float,
    seconds: float,
    pause: float,
    references: dict[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Measure every form of every peer on one network.

    Returns a row a form: its names, the gate's verdict, and `times`, seconds a step, one entry a round; or
    `refused`, `skipped` or `error` with the reason. Entry r of two rows was measured in the same round. After
    the first, no round begins that would not end within `seconds`; where there are none, nobody is measured.
    The gate's float64 training is done once, not by everyone: `references` holds its losses by table, those
    that are known and those that are found here.
    """
    end = time.monotonic() + seconds
    if seconds <= 0:
        late = {"skipped": "no time was left", "times": []}
        return [{"peer": peer.name, **form, **late} for peer in peers for form in peer.hello["forms"]]
    rows: list[dict[str, Any]] = []
    timed: list[tuple[Peer, int | str, dict[str, Any]]] = []
    references = {} if references is None else references
    for peer in peers:
        for number, form in enumerate(peer.hello["forms"]):
            known = references.get(form["table"])
            built = peer.ask("build", form=number, case=case, activation=activation, reference=known)
            row = {"peer": peer.name, **form, **built, "times": []}
            verdict = built.get("gate")
            if verdict is not None:
                references[form["table"]] = verdict["reference"]
            if verdict is not None and not verdict["passed"]:
                row["refused"] = refusal(verdict)
            rows.append(row)
            if not {"refused", "skipped", "error"} & row.keys():
                timed.append((peer, number, row))
    take_turns(timed, rounds=rounds, block=block, end=end, pause=pause)
    for peer in peers:
        peer.ask("drop")
    return rows


def take_turns(
    timed: list[tuple[Peer, int | str, dict[str, Any]]],
    *,
    rounds: int,
    block: float,
    end: float,
    pause: float,
    until: float = inf,
) -> None:
    """Have forms that are built timed in turns, and add to their rows what each round took, or an error.

    After the first, no round begins that would not end before `end`, on the monotonic clock. From
    `until` on nobody is asked for more, and all that was measured stands.
    """
    steps: dict[int, int] = {}
    begun = time.monotonic()
    for turn in range(rounds):
        now = time.monotonic()
        if (
            turn and now + (now - begun) > end
        ):  # the first round, which finds the numbers of steps, says little
            break
        begun, last = now, None
        for peer, number, row in reversed(timed) if turn % 2 else timed:
            if "error" in row:
                continue
            if time.monotonic() >= until:
                return
            if peer is not last:
                time.sleep(pause)
                last = peer
            answer = peer.ask("time", form=number, seconds=block, steps=steps.get(id(row)))
            if "error" in answer:
                if row["times"] and time.monotonic() >= until:
                    return
                row["error"] = answer["error"]
                continue
            steps[id(row)] = answer["steps"]
            row["times"].append(answer["seconds"] / answer["steps"])
            for clock in CLOCKS & answer.keys():
                row.setdefault(clock, []).append(answer[clock])


def why_not(row: Mapping[str, Any]) -> str | None:
    """Return why a row does not count, None where it does."""
    for word, text in (
        ("refused", "refused by the gate"),
        ("skipped", "not run"),
        ("error", "failed"),
    ):
        if word in row:
            return f"{text}: {row[word]}"
    return None if row["times"] else "not measured"


def refusal(verdict: dict[str, Any]) -> str:
    """Say why the gate is closed."""
    return (
        f"loss {verdict['loss']:.6f} after {verdict['steps']} steps, float64 reference "
        f"{verdict['reference']:.6f}: differs by {verdict['error']:.1e}, allowed {verdict['bound']:.1e}"
    )
