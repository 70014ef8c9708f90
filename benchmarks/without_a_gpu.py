"""What is known of a step on a GPU before one has run it, and beside it what one measured: a table each.

The record comes from ``python tests/cuda/record_steps.py``, the times from the results of a GPU, where there
are any.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from .rows import Network
from .tables import number, table

RECORD = Path("without_a_gpu") / "steps.json"

FORMS = {"eager": "fuseprop eager", "fused": "fuseprop fused", "captured": "fuseprop"}
"""How a step is replayed, and the row of a comparison that measures it."""

ABOUT = """\
## The step on a GPU, as far as no GPU is needed

What the bare step asks of the device, in float32 with sigmoid units: *eager* call by call, *fused* in fewer
launches, *captured* the same launches in one CUDA graph of many steps. Bytes are those of our kernels: what
loads and stores ask for, and in brackets the least, with each array read or written once. Products are left
out, for the kernels of most are NVIDIA's."""

NO_GPU = "No GPU has run this: the columns of times stay empty until one has."

COMPILED = """\
What {compiler} makes of these kernels for sm_{architecture}. Of an SM's 65,536 registers 2,048 threads get 32
each; {most} a thread, the most here, leave room for {threads:,} threads. {local}
Each thread asks for 16 bytes of an array before it uses any (an update for 8, of three or four arrays)."""


def without_a_gpu(results: Path, measured: list[dict[str, Any]]) -> str:
    """Return both tables, or nothing where no steps are recorded; measured are results of comparisons."""
    path = results / RECORD
    if not path.exists():
        return ""
    record = json.loads(path.read_text())
    times = {name: by_form for result in measured for name, by_form in _times(result).items()}
    parts = [ABOUT, *([] if times else [NO_GPU]), _steps(record, times), _kernels(record)]
    return "\n\n".join(parts)


def _times(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return seconds a step by network and form, of a GPU."""
    if not result["device"].startswith("cuda"):
        return {}
    networks = [Network(raw) for raw in result["networks"] if raw["activation"] == "sigmoid"]
    return {
        network.raw["network"]: {
            form: median(times) for form, name in FORMS.items() if (times := network.times(name, "step"))
        }
        for network in networks
    }


def _steps(record: dict[str, Any], times: dict[str, dict[str, float]]) -> str:
    rows = []
    for one in record["networks"]:
        eager, fused = one["eager"], one["fused"]
        known = times.get(one["network"], {})
        rows.append(
            [
                Network(one).label,
                str(eager["launches"]),
                str(fused["launches"]),
                str(fused["products"]),
                _kibibytes(eager),
                _kibibytes(fused),
                *(number(1e6 * known[form]) if form in known else "" for form in FORMS),
            ]
        )
    header = [
        "network, batch",
        "launches, eager",
        "fused or captured",
        "products among them",
        "KiB, eager",
        "fused or captured",
        *(f"{form}, µs" for form in FORMS),
    ]
    return table(header, rows)


def _kibibytes(step: dict[str, Any]) -> str:
    return f"{number(step['bytes'] / 1024)} [{number(step['least_bytes'] / 1024)}]"


def _kernels(record: dict[str, Any]) -> str:
    most = max(kernel["registers"] for kernel in record["kernels"].values())
    local = [name for name, kernel in record["kernels"].items() if kernel["stack"] or kernel["spilled"]]
    said = COMPILED.format(
        **record,
        most=most,
        threads=65536 // most // 128 * 128,
        local=f"With a stack frame or spills: {', '.join(local) or 'none'}.",
    )
    rows = [
        [
            f"`{name}`",
            str(kernel["registers"]),
            _launches(record, name, "eager"),
            _launches(record, name, "fused"),
        ]
        for name, kernel in record["kernels"].items()
    ]
    header = ["kernel", "registers a thread", "launches a step, eager", "fused or captured"]
    return f"{said}\n\n{table(header, rows)}"


def _launches(record: dict[str, Any], kernel: str, how: str) -> str:
    """Return how often a step launches a kernel: one number, or the fewest and the most."""
    counts = [one[how]["kernels"].get(kernel, 0) for one in record["networks"]]
    return str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
