"""What is to be looked at first of a first contact: failures, then surprises, then the rest, on one page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import exp, log
from typing import Any

from fuseprop.benchmarks.shortening import shortened

from .rows import OURS, Network, why_not
from .tables import number, table

FAILURE, SURPRISE, NOTE = "failure", "surprise", "note"
RANKS = (FAILURE, SURPRISE, NOTE)

MOST = {FAILURE: 12, SURPRISE: 12, NOTE: 10}
"""Lines of each rank that fit on the page; contact.json has all."""

FAR = 3.0
"""How many times its floor a launch or a step may take before it is a surprise."""

APART = 0.02
"""The difference of two accuracies on the same rows that is a surprise."""

FASTER = 0.95
"""A peer's time over ours below which it is faster, as ties are told in the report."""

FALLBACK = "launched one kernel at a time"
Look = tuple[str, str]


def look(contact: dict[str, Any]) -> list[dict[str, str]]:
    """Return everything that is worth a look, each with its rank, the failures first."""
    parts = {part["name"]: part for part in contact["parts"]}
    found: list[Look] = []
    for part in contact["parts"]:
        found += _ending(part)
    for name, reader in READERS.items():
        for result in parts.get(name, {}).get("found", []):
            found += reader(result, parts)
    found += _trained(parts)
    unique = dict.fromkeys(found)
    return [{"rank": rank, "text": text} for rank in RANKS for kind, text in unique if kind == rank]


def _ending(part: dict[str, Any]) -> Iterator[Look]:
    name = part["name"]
    if part["state"] == "failed":
        yield FAILURE, f"{name} failed (exit {part['status']}): {part['said']} See {part['log']}."
    if part["state"] == "ended":
        kept = "what it found until then is below" if part["found"] else "it had found nothing yet"
        yield SURPRISE, f"{name} was ended after {part['seconds']:.0f} s; {kept}. See {part['log']}."
    if part["left"]:
        yield FAILURE, f"{name}: processes {part['left']} could not be ended; does the driver hang?"
    for warning in part.get("warned", []):
        yield (FAILURE if FALLBACK in warning else SURPRISE), f"{name} warned: {warning}"


def _doctor(report: dict[str, Any], _: dict[str, Any]) -> Iterator[Look]:
    for finding in report["sections"].get("cupy", []):
        if not finding["ok"]:
            fix = f" Type: {finding['fix']}." if finding["fix"] else ""
            yield FAILURE, f"doctor: {finding['what']}: {finding['found']}.{fix}"
    for finding in report["backends"]:
        if not finding["ok"]:
            yield FAILURE, f"doctor: the backend {finding['what']}: {finding['found']}"


def _record(record: dict[str, Any], _: dict[str, Any]) -> Iterator[Look]:
    rank = FAILURE if record["verdict"] == "failed" else SURPRISE
    for sentence in record["because"]:
        yield rank, f"record, {record['verdict']}: {sentence}"
    failed = {name: one for name, one in record["kernels"].items() if one["verdict"] == "failed"}
    # Those that most of their tests fail with come first: a test launches many kernels, and one is to blame.
    for name, one in sorted(failed.items(), key=lambda pair: _blame(pair[1])):
        reasons = [f"{one['tests_failed']} of {one['tests_failed'] + one['tests_passed']} tests failed"]
        reasons += [f"{tool}: {count} findings" for tool, count in one["findings"].items()]
        reasons += [f"{eps:.3g} eps in {dtype}" for dtype, eps in one["eps"].items()]
        first = f" First: {one['failures'][0]}." if one["failures"] else ""
        yield FAILURE, f"kernel {name}: {', '.join(reasons)}.{first}"
    tests = record.get("tests", {})
    for lost in tests.get("devices_lost", []):
        yield FAILURE, f"record: a test took the device with it: {lost}"
    for file, why in tests.get("not_collected", {}).items():
        yield NOTE, f"record: {file} was left out: {why}"
    if tests.get("not_run"):
        counts = ", ".join(f"{file} {count}" for file, count in tests["not_run"].items())
        yield NOTE, f"record: tests that had no time: {counts}."
    if tests.get("not_collected_in_time"):
        yield NOTE, f"record: no time to collect {', '.join(tests['not_collected_in_time'])}."
    for tool, said in record["compute_sanitizer"].items():
        if said["verdict"] == "did not run":
            yield NOTE, f"{tool} could not watch on this machine: {said['said'][-200:]}"
        for place, count in said.get("library", {}).items():
            yield NOTE, f"{tool}, inside cuBLAS and not ours: {count} in {place}."


def _blame(one: dict[str, Any]) -> tuple[bool, float]:
    ran = one["tests_failed"] + one["tests_passed"]
    return not one["findings"], -one["tests_failed"] / max(1, ran)


def _probe(record: dict[str, Any], _: dict[str, Any]) -> Iterator[Look]:
    for what, why in record["absent"].items():
        yield SURPRISE, f"probe: absent: {what}: {why}."
    for name, seconds in record["branches"].items():
        pair, _, of = name.partition(": ")
        alone = record["branches"].get(f"{pair}: the first alone")
        if of.startswith("both") and alone and seconds >= 2 * alone:
            yield (
                SURPRISE,
                f"probe: {pair}, forked and joined, take {number(1e6 * seconds)} µs, no less than one "
                f"after the other: the second stream gains nothing there.",
            )
    eager = [p for p in record["products"] if not p["in_graph"]]
    if eager:
        yield SURPRISE, f"probe: {len(eager)} products were called by the host, not held in a graph."


def copy_seconds(size: float, copies: list[dict[str, Any]]) -> float | None:
    """Return what moving so many bytes takes at least: a copy that reads and writes as many, by the probe.

    Between two measured sizes on the line between them, both in logarithms; beyond them, by the last rate.
    """
    points = sorted((2.0 * copied["bytes"], copied["seconds"]) for copied in copies)
    if not points:
        return None
    if size <= points[0][0]:
        return points[0][1]
    for (low, fast), (high, slow) in pairwise(points):
        if size <= high:
            share = log(size / low) / log(high / low)
            return exp(log(fast) + share * (log(slow) - log(fast)))
    return points[-1][1] * size / points[-1][0]


def _profile(record: dict[str, Any], parts: dict[str, Any]) -> Iterator[Look]:
    copies = [copied for probe in parts.get("probe", {}).get("found", []) for copied in probe["copies"]]
    for profile in record["profiles"]:
        network, steps = profile["network"], profile["steps"]
        for launch in profile["launches"]:
            floor = copy_seconds(launch["bytes"], copies) if "bytes" in launch else None
            if floor is not None and launch["seconds"] > FAR * floor:
                took = f"{number(1e6 * launch['seconds'])} µs, {launch['seconds'] / floor:.1f} times"
                yield SURPRISE, f"profile: {launch['name']} in {network} takes {took} a copy of its bytes."
        alone = sum(launch["seconds"] for launch in profile["launches"])
        best = min(steps.values(), default=0.0)
        if best > 1.1 * alone:
            took = f"{number(1e6 * best)} µs, its launches one by one {number(1e6 * alone)} µs"
            yield SURPRISE, f"profile: a step of {network} takes {took}: what stands between them?"
        if {"1", "2"} <= steps.keys() and steps["2"] > 1.02 * steps["1"]:
            took = f"{number(1e6 * steps['2'])} µs, on one {number(1e6 * steps['1'])} µs"
            yield SURPRISE, f"profile: {network} is slower on two streams: {took}."


def _comparison(result: dict[str, Any], _: dict[str, Any]) -> Iterator[Look]:
    for network in map(Network, result["networks"]):
        rows = network.raw["rows"]
        for row in rows:
            reason = why_not(row)
            if reason is not None and row["name"] == OURS:
                yield FAILURE, f"comparison: {network.label}, ours ({row['table']}): {reason}."
            elif reason is not None and "skipped" not in row:
                yield NOTE, f"comparison: {network.label}, {row['name']} ({row['table']}): {reason}."
        if not rows:
            yield NOTE, f"comparison: {network.label} had no time."
        over = network.of_floor(OURS)
        if over is not None and over.middle > FAR:
            yield SURPRISE, f"comparison: our step of {network.label} is {over.middle:.1f} times its floor."
        for kind in ("step", "fit"):
            for name in network.names(kind):
                ratio = network.against_ours(name, kind)
                if name != OURS and ratio is not None and ratio.middle < FASTER:
                    what = f"{network.label}, {kind}: {name} takes {ratio.middle:.2f} of our time"
                    yield SURPRISE, f"comparison: {what}."
    for peer in result["peers"]:
        if peer["absent"]:
            yield NOTE, f"comparison: {peer['name']} is absent: {peer['absent']}"


def _trained(parts: dict[str, Any]) -> Iterator[Look]:
    trained = [parts.get(name, {}).get("found", []) for name in ("train-cuda", "train-cpu")]
    if not all(trained):
        return
    (gpu, *_), (cpu, *_) = trained
    if not gpu["device"].startswith("cuda"):
        yield FAILURE, f"train digits --device cuda trained on {gpu['device']}."
    if abs(gpu["test_accuracy"] - cpu["test_accuracy"]) > APART:
        both = f"{gpu['test_accuracy']:.4f} on the GPU, {cpu['test_accuracy']:.4f} on the CPU"
        yield SURPRISE, f"train digits: test accuracy {both}."
    on_gpu, on_cpu = (1e3 * one["seconds_per_epoch"] for one in (gpu, cpu))
    said = f"train digits: an epoch takes {number(on_gpu)} ms on the GPU, {number(on_cpu)} ms on the CPU."
    yield (SURPRISE, f"The GPU is slower. {said}") if on_gpu > on_cpu else (NOTE, said)


READERS = {
    "doctor": _doctor,
    "record": _record,
    "probe": _probe,
    "profile": _profile,
    "comparison": _comparison,
}


def summary(part: dict[str, Any]) -> str:
    """Return in some words what a part found."""
    return SUMMARIES[part["name"]](part["found"][-1]) if part["found"] else ""


def _of_record(record: dict[str, Any]) -> str:
    tests = record.get("tests", {})
    kernels = [one["verdict"] for one in record["kernels"].values()]
    left = sum(tests.get("not_run", {}).values())
    counts = f"{tests.get('passed', 0)} tests passed, {tests.get('failed', 0)} failed, {left} not run"
    return f"{record['verdict']}: {counts}; {kernels.count('passed')} of {len(kernels)} kernels passed"


def _of_probe(record: dict[str, Any]) -> str:
    said = [f"{name} {number(1e6 * seconds)} µs" for name, seconds in record["nodes"].items()][:1]
    rates = [2e-9 * copied["bytes"] / copied["seconds"] for copied in record["copies"]]
    return "; ".join([*said, *([f"copies at up to {number(max(rates))} GB/s"] if rates else [])])


def _of_profile(record: dict[str, Any]) -> str:
    steps = [(profile["network"], min(profile["steps"].values())) for profile in record["profiles"]]
    return ", ".join(f"{network} {number(1e6 * seconds)} µs" for network, seconds in steps)


def _of_training(report: dict[str, Any]) -> str:
    took = f"{number(1e3 * report['seconds_per_epoch'])} ms an epoch"
    return f"{report['device']}: test accuracy {report['test_accuracy']:.4f}, {took}"


def _of_comparison(result: dict[str, Any]) -> str:
    times = {one.label: one.time(OURS, "step") for one in map(Network, result["networks"])}
    return "; ".join(f"{label}: {number(1e6 * time.middle)} µs" for label, time in times.items() if time)


SUMMARIES: dict[str, Callable[[dict[str, Any]], str]] = {
    "doctor": lambda report: str(report["verdict"]),
    "record": _of_record,
    "probe": _of_probe,
    "profile": _of_profile,
    "train-cuda": _of_training,
    "train-cpu": _of_training,
    "comparison": _of_comparison,
}


def page(contact: dict[str, Any]) -> str:
    """Return the page, as Markdown."""
    rows = []
    for part in contact["parts"]:
        budget = "-" if part["budget"] is None else f"{part['budget']:g}"
        told = part["said"] if part["state"] in ("no GPU", "not run") else summary(part)
        rows.append(
            [part["name"], budget, f"{part['seconds']:.0f}", part["state"], _short(told).replace("|", "\\|")]
        )
    states = {part["state"] for part in contact["parts"]}
    nobody = "no GPU" in states and "done" not in states
    lines = [f"# First contact, {contact['date']}", ""]
    lines += ["No GPU was found, and nothing was measured." if nobody else _machine(contact), ""]
    lines += [table(["part", "s at most", "s", "how it ended", "what it says"], rows), ""]
    for rank, title in zip(RANKS, ("Failures", "Surprises", "The rest"), strict=True):
        texts = [one["text"] for one in contact["look"] if one["rank"] == rank]
        shown = [f"{i}. {_short(text)}" for i, text in enumerate(texts[: MOST[rank]], 1)]
        if len(texts) > len(shown):
            shown += ["", f"{len(texts) - len(shown)} more are in contact.json."]
        lines += [f"## {title}", "", *(shown or ["None."]), ""]
    if contact["absent"]:
        lines += ["## Not there", ""]
        lines += [f"- {name}: {what}." for name, what in contact["absent"].items()]
        lines.append("")
    return "\n".join(lines)


def _short(text: str) -> str:
    return shortened(" ".join(text.split()), 300)


def _machine(contact: dict[str, Any]) -> str:
    """Return which GPU it was, by whichever part tells."""
    for part in contact["parts"]:
        for found in part["found"]:
            if part["name"] == "record":
                return f"{found['gpu']}, driver {found['driver']}, CuPy {found['cupy']}: {found['verdict']}."
            gpu = found.get("machine", {}).get("gpu") or {}
            if gpu:
                return f"{gpu['name']}, driver {gpu['driver']}, CuPy {gpu['cupy']}."
    return "No part has told which GPU this is."
