"""100,000 damaged files of each format; the suite takes 1,000, `tests/fuzzing/` says of what.

python tests/long/fuzz.py --record fuzz.json
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzzing"))

from fuzzer import FORMATS, fuzz

CASES = 100_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, required=True, help="the JSON file for what was found")
    parser.add_argument("--cases", type=int, default=CASES, help="of each format")
    parser.add_argument("--first", type=int, default=0, help="the first case's number")
    given = parser.parse_args()
    outcomes = {}
    for format_ in FORMATS:

        def progress(number, format_=format_):
            if number % 5000 == 0:
                print(f"{format_}: case {number:,}", flush=True)

        outcome = fuzz(format_, given.cases, given.first, progress=progress)
        outcomes[format_] = outcome.as_dict()
        for finding in outcome.findings[:20]:
            print(f"{format_}, case {finding['case']}: {finding['what']}", flush=True)
        print(f"{format_}: {outcome.cases:,} cases, {dict(outcome.ends)}, {len(outcome.findings)} findings")
    passed = all(not about["findings"] and about["cases"] == given.cases for about in outcomes.values())
    given.record.write_text(json.dumps({"passed": passed, "formats": outcomes}, indent=1) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
