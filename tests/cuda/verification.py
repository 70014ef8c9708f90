"""Which kernels have run on a GPU as they are, by the records under benchmarks/results/hardware/.

A record holds a hash of each source file and a verdict for each kernel, by the tests that launched it: a
kernel is verified by what ran on it, whatever else the record found or had no time for.
"""

import json
import re
from pathlib import Path

from fuseprop_cupy.device.kernel_list import KERNELS
from launched import ALL

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "hardware"
PREFIX = "hardware-"
BOUND = 1000
"""The largest error of a kernel that is none, in eps: parity, as everywhere."""

PASSED, FAILED, NOT_RUN = "passed", "failed", "not run"


def defined_in(text):
    """Return the names of the functions that the text of a kernel file defines."""
    return re.findall(r"(\w+)\([^()]*\) \{", re.sub(r"__launch_bounds__\([^()]*\)", "", text))


def kernels_by_file():
    """Return the kernels of both dtypes that each .cu file defines."""
    return {
        path.name: [name for name in ALL if name.partition("<")[0] in defined_in(path.read_text())]
        for path in sorted(KERNELS.glob("*.cu"))
    }


def records(folder=RESULTS):
    """Return all records, the newest last."""
    found = [json.loads(path.read_text()) for path in folder.glob(f"{PREFIX}*.json")]
    return sorted(found, key=lambda record: record["date"])


def unverified(hashes, found):
    """Return a line for each source with kernels that no test has passed on a GPU as they are.

    It names them, unless that is all of the file. A kernel whose last run on some GPU failed is one of them.
    """
    lines = []
    for file, names in kernels_by_file().items():
        by_state = {}
        for name in names:
            by_state.setdefault(_state(name, file, hashes[file], found), []).append(name)
        for state, those in by_state.items():
            if state is not None:
                which = "" if len(those) == len(names) else f": {', '.join(those)}"
                lines.append(f"{file}: {state}{which}")
    return lines


def _state(kernel, file, digest, found):
    """Return what is to be said of a kernel; None if its last run on every GPU, as it is, passed."""
    last, earlier = {}, None
    for record in found:
        verdict = record.get("kernels", {}).get(kernel, {}).get("verdict", NOT_RUN)
        if verdict != NOT_RUN and record["sources"].get(file) == digest:
            last[record["gpu"]] = record["date"], verdict
        elif verdict == PASSED:
            earlier = record["date"]
    failed = [f"{gpu}, {date}" for gpu, (date, verdict) in last.items() if verdict == FAILED]
    if failed:
        return f"failed on hardware ({'; '.join(failed)})"
    if last:
        return None
    return f"unverified on hardware since {earlier}" if earlier else "never verified on hardware"
