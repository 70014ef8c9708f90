"""5,000 drawn expressions as C++, text, plain data and derivatives; the suite takes a hundred of each.

python tests/long/formulas.py --record formulas.json
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "formulas"))

from drawn import TYPES, Compiled, draw
from properties import check_cpp, check_text, compared

from fuseprop.backend.serialized import from_data, to_data

DRAWN, AT_ONCE = 5000, 250


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, required=True, help="the JSON file for what was found")
    parser.add_argument("--drawn", type=int, default=DRAWN, help="how many expressions")
    given = parser.parse_args()
    findings, points = [], 0
    for first in range(0, given.drawn, AT_ONCE):
        seeds = range(first, min(first + AT_ONCE, given.drawn))
        expressions = [draw(seed) for seed in seeds]
        with tempfile.TemporaryDirectory() as folder:
            compiled = Compiled(Path(folder), expressions, ("y", "t"))
        for dtype in TYPES:
            found(findings, f"C++ in {dtype}", check_cpp, expressions, compiled, dtype)
        for seed, expression in zip(seeds, expressions, strict=True):
            points += int(found(findings, f"derivative, {seed}", compared, draw(seed, size=8), seed) or 0)
            found(findings, f"text, {seed}", check_text, expression)
            found(findings, f"data, {seed}", check_data, expression)
        print(f"{first + len(seeds):,} expressions, {len(findings)} findings", flush=True)
    passed = not findings and points > 30 * given.drawn
    counts = {"expressions": given.drawn, "slopes compared": points}
    given.record.write_text(json.dumps({"passed": passed, **counts, "findings": findings}, indent=1) + "\n")
    return 0 if passed else 1


def check_data(expression):
    assert from_data(json.loads(json.dumps(to_data(expression))), ("y", "t")) is expression, str(expression)


def found(findings, case, check, *arguments):
    """Return what a check returns; keep what it asserts."""
    try:
        return check(*arguments)
    except AssertionError as error:
        findings.append({"case": case, "what": str(error)})
        print(f"{case}: {error}", flush=True)
        return None


if __name__ == "__main__":
    sys.exit(main())
