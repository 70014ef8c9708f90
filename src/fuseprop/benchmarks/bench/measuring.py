"""Measuring for so many seconds: everybody gets ready, then all take turns until the time is over.

All networks of a process are kept ready together, so that a turn of one costs one pause and not four.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Condition
from typing import Any

from ...backend import BackendUnavailable
from ...checks.quoting import counted
from ..machine import today
from ..networks import Case
from ..peers import ON_GPUS, module_of
from ..sets import BLOCK
from ..threads import cores
from ..turns import SETTLE, Peer, refusal, take_turns
from .asked import Asked, missing
from .outcome import FEW, FIRST, GPU, OURS

FORMAT = 1
SCALE = "minute"
"""How many rows there are, and how many steps one call has: the same for all devices."""

READY, LATE = 0.5, 0.7
"""Shares of the time, at least: after the first nobody is waited for who is still being imported, and no form
is begun to be built; after the second, nobody who is still building one, and whose others end with the
process. Where the rounds need less time than is left then, there is more for both."""

BUILDING = LATE - READY
"""The share of the time that building may take after the last import."""

CLOSING = 0.5
"""Seconds that ending all processes and showing the figures may take."""


class InOrder:
    """A lock that is taken in the order in which it was asked for: nobody keeps it from others."""

    def __init__(self) -> None:
        self._waiting: list[object] = []
        self._changed = Condition()

    def __enter__(self) -> None:
        own = object()
        with self._changed:
            self._waiting.append(own)
            self._changed.wait_for(lambda: self._waiting[0] is own)

    def __exit__(self, *error: object) -> None:
        with self._changed:
            del self._waiting[0]
            self._changed.notify_all()


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
    rounds, pause
        See `take_turns`.
    begun : float, optional
        The moment, on the monotonic clock, from which the time counts, if not from now.
    """

    def __init__(
        self,
        asked: Asked,
        seconds: float,
        say: Callable[[str], None],
        *,
        rounds: int,
        every_form: bool = False,
        threads: int | None = None,
        pause: float = SETTLE["cpu"],
        begun: float | None = None,
    ) -> None:
        self._asked, self._seconds, self._say = asked, seconds, say
        self._every_form, self._pause, self._rounds = every_form, pause, rounds
        self._begun = time.monotonic() if begun is None else begun
        self._load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        self._interrupted = self._stopped = False
        self._processes: list[Peer] = []
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._timed: list[tuple[Peer, int | str, dict[str, Any]]] = []
        self._building = InOrder()
        """Two that build at a time, with a thread for each core, take several times as long as one by one."""
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
            self._kill()
            for process in self._processes:
                process.close()
        return self._result()

    def _get_ready(self) -> None:
        """Start everybody, and have all forms built and judged by the gate.

        Our first is ready on the smallest network before anyone else is started. Others are started as cores
        are free, so that some are ready where all together would not be.
        """
        asked = self._asked
        self._say(f"getting ready: {', '.join([OURS, *asked.peers.values()])}")
        ours = [(module_of(OURS), device, OURS) for device in asked.devices if not self._is_missing(device)]
        if asked.named and self._unavailable:
            raise BackendUnavailable(next(iter(self._unavailable.values())))
        begun = threading.Event()
        on_gpus = {module_of(name) for name in ON_GPUS}
        others = [(module, FIRST, name) for module, name in asked.peers.items()]
        with ThreadPoolExecutor(cores() + 1) as pool:
            try:
                first = [pool.submit(self._prepare, one, begun) for one in ours[:1]]
                if first:
                    begun.wait()
                for done in [*first, *(pool.submit(self._prepare, one) for one in [*ours[1:], *others])]:
                    done.result()
                if asked.named and self._unavailable:
                    raise BackendUnavailable(next(iter(self._unavailable.values())))
                gpus = [device for _, device, _ in ours if device.startswith(GPU) and self._is_here(device)]
                theirs = [(module, name) for module, name in asked.peers.items() if module in on_gpus]
                list(pool.map(self._prepare, [(m, device, name) for device in gpus for m, name in theirs]))
            except BaseException:
                self._stopped = True
                pool.shutdown(wait=False, cancel_futures=True)
                self._kill()  # whose answers the threads of the pool wait for
                raise

    @property
    def _turns(self) -> float:
        """Seconds that rounds enough for an interval take, if all are there; long steps take more."""
        who = len(self._asked.devices) + len(self._asked.peers)
        one = who * (self._pause + 2 * len(self._asked.cases) * BLOCK[FIRST])
        return min(self._rounds, FEW) * one

    @property
    def _imported(self) -> float:
        """Seconds after which nobody is waited for who is still being imported."""
        return max(READY * self._seconds, (1 - BUILDING) * self._seconds - self._turns - CLOSING)

    @property
    def _built_by(self) -> float:
        """Seconds after which nobody is waited for who is still building."""
        return max(LATE * self._seconds, self._seconds - self._turns - CLOSING)

    def _until(self, process: Peer, seconds: float) -> float:
        """Return the moment until which a process is waited for; tests have less patience with some."""
        return self._begun + seconds

    def _is_missing(self, device: str) -> bool:
        why = missing(device)
        if why is not None:
            self._unavailable[device] = why
        return why is not None

    def _start(self, module: str, device: str, name: str) -> Peer:
        process = Peer(module, device, name=name, lasting=False, greeted=False)
        process.until = self._until(process, self._imported)
        self._processes.append(process)
        if self._stopped:
            process.kill()
        return process

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()

    def _is_here(self, device: str) -> bool:
        """Whether a device of ours has said that it is there."""
        return any(process.device == device and process.missing is None for process in self._processes)

    def _greet(self, process: Peer) -> None:
        """Wait until a process has said who it is, and remember why it is of no use."""
        process.greet()
        if process.missing is None:
            return
        why = process.missing
        if time.monotonic() >= process.until:
            why = f"not imported within {self._imported:.0f} s. {self._more_time}"
        if process.module == module_of(OURS):
            why = process.hello.get("why", why)
            named = why if "why" in process.hello else f"{_title(process)}: {why}"
            self._unavailable[process.device] = named
            if process.device.startswith(GPU):
                return  # which is spoken of where devices are
        self._left_out.append((_title(process), why))

    def _prepare(self, who: tuple[str, str, str], begun: threading.Event | None = None) -> None:
        """Start a process, and have all its forms built and judged, those of small networks first.

        It is given by its module, its device and its name. `begun` is set once those of the smallest network
        are built, or will not be.
        """
        module, device, name = who
        try:
            if time.monotonic() >= self._begun + self._imported:
                why = f"not begun: no time was left after {self._imported:.0f} s. {self._more_time}"
                self._left_out.append((f"{name} on {device}", why))
                if module == module_of(OURS):
                    self._unavailable[device] = f"{name} on {device}: {why}"
                return
            self._get_built(who, begun)
        finally:
            if begun is not None:
                begun.set()

    def _get_built(self, who: tuple[str, str, str], begun: threading.Event | None) -> None:
        process = self._start(*who)
        self._greet(process)
        if process.missing is not None:
            return
        forms = list(enumerate(process.hello["forms"]))
        for _, form in forms:
            if form["table"] == "step" and "aside" in form and not self._every_form:
                self._left_out.append((f"{form['name']} on {process.device}", form["aside"]))
        process.until = self._until(process, self._built_by)
        built = []
        for case in sorted(self._asked.cases, key=lambda case: case.step_flops):
            for number, form in forms:
                if form["table"] != "step" or ("aside" in form and not self._every_form):
                    continue
                with self._building:
                    built.append(self._built(process, number, form, case))
            if begun is not None:
                begun.set()
        if process.module == module_of(OURS) and not process.ended:
            about = process.ask("machine")
            if "error" in about:  # it has ended, which each of its rows will say
                return
            self._gpu = about.pop("gpu", {}) or self._gpu
            self._machine = self._machine or about | self._threads
        if process.ended and time.monotonic() >= process.until:
            for row in built:  # what was ready has ended with it
                row.pop("error", None)
                self._late(row, self._built_by, "building a step of it took longer")

    def _built(self, process: Peer, number: int, form: dict[str, Any], case: Case) -> dict[str, Any]:
        """Have a form built for a network; return its row, which is timed if the gate lets it."""
        row = {"peer": process.name, **form, "device": process.device, "times": []}
        self._rows.setdefault(case.id, []).append(row)
        if time.monotonic() >= self._begun + self._imported:
            return self._late(row, self._imported, "importing and building what came before it took longer")
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
        row.update(built)
        verdict = built.get("gate")
        if verdict is not None:
            self._references.setdefault(case.id, verdict["reference"])
            if not verdict["passed"]:
                row["refused"] = refusal(verdict)
        if not {"refused", "skipped", "error"} & row.keys():
            self._timed.append((process, key, row))
        return row

    def _late(self, row: dict[str, Any], seconds: float, why: str) -> dict[str, Any]:
        row["skipped"] = f"not ready after {seconds:.0f} s: {why}. {self._more_time}"
        return row

    def _take_turns(self) -> None:
        """Time everybody who is ready, round by round, until the time is over."""
        end = self._begun + self._seconds - CLOSING
        timed = [one for one in self._timed if not {"skipped", "error"} & one[2].keys()]
        for process, _, _ in timed:
            process.until = end
        timed.sort(key=lambda one: self._place(one[2]))  # whoever is one process takes its turn in one piece
        left = max(0.0, end - time.monotonic())
        self._say(f"measuring {counted(len(timed), 'row')} in turns, for at most {left:.0f} s")
        take_turns(timed, rounds=self._rounds, block=BLOCK[FIRST], end=end, pause=self._pause, until=end)

    def _place(self, row: dict[str, Any]) -> tuple[bool, int, int]:
        """Return where a row stands: ours first, then others, as they were asked for."""
        names, devices = [*self._asked.peers.values()], self._asked.devices
        is_other = row["peer"] != OURS
        place = devices.index(row["device"]) if row["device"] in devices else -1
        return is_other, place, names.index(row["peer"]) if is_other else 0

    @property
    def _more_time(self) -> str:
        return f"Give more time: --seconds {2 * self._seconds:g}, or ask for less: --peer, --network"

    def _result(self) -> dict[str, Any]:
        rows = [row for rows in self._rows.values() for row in rows]
        for row in rows:
            if not row["times"] and not {"refused", "skipped", "error"} & row.keys():
                row["skipped"] = (
                    "interrupted" if self._interrupted else f"no time was left. {self._more_time}"
                )
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
                    "rows": sorted(self._rows.get(case.id, []), key=self._place),
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
