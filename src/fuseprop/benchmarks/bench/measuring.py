"""Measuring for so many seconds: everybody gets ready, then all take turns until the time is over.

All networks of a process are kept ready together, so that a turn of one costs one pause and not four.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...backend import BackendUnavailable
from ..machine import today
from ..networks import Case
from ..peers import ON_GPUS, module_of
from ..sets import BLOCK
from ..turns import SETTLE, Peer, refusal, take_turns
from .asked import Asked
from .outcome import FIRST, GPU, OURS

FORMAT = 1
SCALE = "minute"
"""How many rows there are, and how many steps one call has: the same for all devices."""

READY = 0.6
"""The share of the time after which nobody is waited for any more who is still being imported or compiled."""

CLOSING = 0.5
"""Seconds that ending all processes and showing the figures may take."""

ROUNDS = 21
"""At most, as in a whole comparison."""


class Measurement:
    """A measurement, and what there is of it at any moment.

    Parameters
    ----------
    asked : Asked
    seconds : float
        For everything.
    say : callable
        Is told what happens.
    every_form : bool
        Whether forms are measured that take long to get ready, or that nobody would choose.
    threads : int, optional
        Those that everybody was given, see `limited`; None where that is left to them.
    pause, rounds
        See `take_turns`.
    """

    def __init__(
        self,
        asked: Asked,
        seconds: float,
        say: Callable[[str], None],
        *,
        every_form: bool = False,
        threads: int | None = None,
        pause: float = SETTLE["cpu"],
        rounds: int = ROUNDS,
    ) -> None:
        self._asked, self._seconds, self._say = asked, seconds, say
        self._every_form, self._pause, self._rounds = every_form, pause, rounds
        self._begun = time.monotonic()
        self._load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        self._interrupted = False
        self._processes: list[Peer] = []
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._timed: list[tuple[Peer, int | str, dict[str, Any]]] = []
        self._references: dict[str, float] = {}
        self._left_out = list(asked.left_out)
        self._unavailable: dict[str, str] = {}
        self._machine: dict[str, Any] = {}
        self._threads = {} if threads is None else {"threads": threads}
        self._gpu: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        """Measure until all rounds are taken, the time is over, or Ctrl-C; return the result as plain data.

        Raises BackendUnavailable for a device that was named and cannot be had.
        """
        try:
            self._get_ready()
            self._take_turns()
        except KeyboardInterrupt:
            self._interrupted = True
        finally:
            for process in self._processes:
                process.kill()
            for process in self._processes:
                process.close()
        return self._result()

    def _get_ready(self) -> None:
        """Start everybody at once, and have all forms built and judged by the gate."""
        asked = self._asked
        ours = [self._start(module_of(OURS), device, OURS) for device in asked.devices]
        others = [self._start(module, FIRST, name) for module, name in asked.peers.items()]
        self._say(f"starting {', '.join(map(_title, self._processes))}")
        # What float64 arrives at is found once, by our first; the others are imported meanwhile.
        self._prepare(ours[0])
        for process in ours[1:]:
            self._greet(process)
        if asked.named and self._unavailable:
            raise BackendUnavailable(next(iter(self._unavailable.values())))
        on_gpus = {module_of(name) for name in ON_GPUS} & asked.peers.keys()
        others += [
            self._start(module, process.device, asked.peers[module])
            for process in ours
            if process.device.startswith("cuda") and process.missing is None
            for module in sorted(on_gpus)
        ]
        with ThreadPoolExecutor(len(self._processes)) as pool:
            try:
                list(pool.map(self._prepare, [*ours[1:], *others]))
            except BaseException:
                for process in self._processes:
                    process.kill()  # whose answers the threads of the pool wait for
                raise

    def _start(self, module: str, device: str, name: str) -> Peer:
        process = Peer(module, device, name=name, lasting=False, greeted=False)
        process.until = self._begun + READY * self._seconds
        self._processes.append(process)
        return process

    def _greet(self, process: Peer) -> None:
        """Wait until a process has said who it is, and remember why it is of no use."""
        process.greet()
        if process.missing is None:
            return
        why = process.missing
        if time.monotonic() >= process.until:
            why = f"not imported within {READY * self._seconds:.0f} s. {self._more_time}"
        if process.module == module_of(OURS):
            why = self._unavailable[process.device] = process.hello.get("why", why)
            if process.device.startswith(GPU):
                return  # which is spoken of where devices are
        self._left_out.append((_title(process), why))

    def _prepare(self, process: Peer) -> None:
        """Have all forms of a process built, each network's before those of the next, and judged."""
        if not process.hello:
            self._greet(process)
        if process.missing is not None:
            return
        forms = list(enumerate(process.hello["forms"]))
        for _, form in forms:
            if form["table"] == "step" and "aside" in form and not self._every_form:
                self._left_out.append((f"{form['name']} on {process.device}", form["aside"]))
        built = [
            self._built(process, number, form, case)
            for case in self._asked.cases
            for number, form in forms
            if form["table"] == "step" and ("aside" not in form or self._every_form)
        ]
        if process.module == module_of(OURS) and not process.ended:
            about = process.ask("machine")
            self._gpu = about.pop("gpu", {}) or self._gpu
            self._machine = self._machine or about | self._threads
        if process.ended and time.monotonic() >= process.until:
            for row in built:  # what was ready has ended with it
                row.pop("error", None)
                row["skipped"] = f"not ready after {READY * self._seconds:.0f} s. {self._more_time}"

    def _built(self, process: Peer, number: int, form: dict[str, Any], case: Case) -> dict[str, Any]:
        """Have a form built for a network; return its row, which is timed if the gate lets it."""
        design = self._asked.designs.get(case.id)
        key = f"{number} {case.id}"
        built = process.ask(
            "build",
            form=number,
            case=case.id,
            activation=self._asked.activation,
            reference=self._references.get(case.id),
            scale=SCALE,
            design=None if design is None else design.as_text(),
            key=key,
        )
        row = {"peer": process.name, **form, "device": process.device, **built, "times": []}
        verdict = built.get("gate")
        if verdict is not None:
            self._references.setdefault(case.id, verdict["reference"])
            if not verdict["passed"]:
                row["refused"] = refusal(verdict)
        self._rows.setdefault(case.id, []).append(row)
        if not {"refused", "skipped", "error"} & row.keys():
            self._timed.append((process, key, row))
        return row

    def _take_turns(self) -> None:
        """Time everybody who is ready, round by round, until the time is over."""
        end = self._begun + self._seconds - CLOSING
        timed = [one for one in self._timed if not {"skipped", "error"} & one[2].keys()]
        for process, _, _ in timed:
            process.until = end
        # Whoever is one process takes its turn in one piece.
        timed.sort(key=lambda one: self._processes.index(one[0]))
        left = max(0.0, end - time.monotonic())
        self._say(f"measuring {len(timed)} rows in turns, for at most {left:.0f} s")
        take_turns(timed, rounds=self._rounds, block=BLOCK[FIRST], end=end, pause=self._pause)

    @property
    def _more_time(self) -> str:
        return f"Give more time: --seconds {2 * self._seconds:g}"

    def _result(self) -> dict[str, Any]:
        rows = [row for rows in self._rows.values() for row in rows]
        for row in rows:
            if not row["times"] and not {"refused", "skipped", "error"} & row.keys():
                row["skipped"] = (
                    "interrupted" if self._interrupted else f"no time was left. {self._more_time}"
                )
        place = {process.name + process.device: i for i, process in enumerate(self._processes)}
        return {
            "format": FORMAT,
            "date": today(),
            "seconds": self._seconds,
            "took": round(time.monotonic() - self._begun, 2),
            "interrupted": self._interrupted,
            "rounds": max((len(row["times"]) for row in rows), default=0),
            "load": self._load,
            "precision": "strict float32",
            "machine": self._machine,
            "gpu": self._gpu,
            "unavailable": self._unavailable,
            "networks": [
                {
                    "label": f"{case.id.rpartition('-b')[0]}, batch {case.batch:,}",
                    "sizes": list(case.sizes),
                    "batch": case.batch,
                    "weights": case.weights,
                    "flops": case.step_flops,
                    "trains": str(self._asked.designs.get(case.id, self._asked.activation)),
                    "rows": sorted(
                        self._rows.get(case.id, []), key=lambda row: place[row["peer"] + row["device"]]
                    ),
                }
                for case in self._asked.cases
            ],
            "peers": [
                {"name": process.name, "device": process.device, "version": process.hello["version"]}
                for process in self._processes
                if "version" in process.hello
            ],
            "left_out": [{"who": who, "why": why} for who, why in self._left_out],
        }


def _title(process: Peer) -> str:
    return f"{process.name} on {process.device}"
