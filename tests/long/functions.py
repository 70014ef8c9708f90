"""The compiled functions at all 2^32 floats, beside the C library's in doubles; the suite takes a million.

python tests/long/functions.py --record functions.json
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "native"))

from native_functions import BOUNDS, Native, as_dict

AT_ONCE = 1 << 20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, required=True, help="the JSON file for what was found")
    parser.add_argument("--function", choices=BOUNDS, action="append", help="default: all")
    parser.add_argument("--every", type=int, default=1, help="only every n-th float")
    given = parser.parse_args()
    found, complaints, numbers = {}, [], np.arange(0, AT_ONCE, given.every, dtype=np.uint32)
    with tempfile.TemporaryDirectory() as folder:
        native = Native(folder, "-O3")
        for name in given.function or BOUNDS:
            errors = None
            for first in range(0, 1 << 32, AT_ONCE):
                errors = native.errors(name, (numbers + np.uint32(first)).view(np.float32), errors)
            found[name] = as_dict(errors)
            print(f"{name}: {found[name]}", flush=True)
            if errors.wrong or not errors.normal <= BOUNDS[name] or not errors.denormal <= 1:
                complaints.append(f"{name}: more than {BOUNDS[name]} units, or of the wrong kind")
    made = {
        "passed": not complaints,
        "floats of each": (1 << 32) // AT_ONCE * numbers.size,
        "functions": found,
    }
    given.record.write_text(json.dumps({**made, "complaints": complaints}, indent=1) + "\n")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
