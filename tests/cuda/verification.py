"""Which kernel sources have run on a GPU, by the records under benchmarks/results/hardware/."""

import hashlib
import json
from pathlib import Path

from fuseprop_cupy.catalog import HEADERS, KERNELS, OPTIONS

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "hardware"
PREFIX = "hardware-"


def source_hashes():
    """Return a hash for each .cu file, of all that the compiler sees of it: options and headers too."""
    shared = "\n".join([*OPTIONS, *((KERNELS / header).read_text() for header in HEADERS)])
    return {
        path.name: hashlib.sha256((shared + path.read_text()).encode()).hexdigest()
        for path in sorted(KERNELS.glob("*.cu"))
    }


def records(folder=RESULTS):
    """Return all records, the newest last."""
    found = [json.loads(path.read_text()) for path in folder.glob(f"{PREFIX}*.json")]
    return sorted(found, key=lambda record: record["date"])


def unverified(hashes, found):
    """Return a line for each source that did not run on a GPU as it is, with the tests passed."""
    lines = []
    for file, digest in hashes.items():
        good = [record for record in found if record["verdict"] == "passed" and file in record["sources"]]
        if not good:
            lines.append(f"{file}: never verified on hardware")
        elif not any(record["sources"][file] == digest for record in good):
            lines.append(f"{file}: unverified on hardware since {good[-1]['date']}")
    return lines
