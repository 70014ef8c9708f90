"""What is said of several processes is what was recorded."""

import json

import pytest

from benchmarks.processes import RESULTS, ROOT, compared, said


def test_the_page_says_what_is_recorded():
    page = (ROOT / "benchmarks" / "README.md").read_text()
    newest = max(RESULTS.glob("*.json"), key=lambda path: path.stem[-10:])
    record = json.loads(newest.read_text())
    for name, ratio in compared(record["seconds"]).items():
        assert record["ratios"][name].items() <= vars(ratio).items()
    for line in said(record):
        assert f"- {line}\n" in page, line
    assert f"`{record['commit']}`" in page


def test_a_step_is_compared_with_its_parts_round_by_round():
    found = compared(
        {"half": [8.0, 80.0], "bare_sum": [2.0, 10.0], "all_reduce": [3.0, 10.0], "step": [10.0, 100.0]}
        | {"apart": [8.0, 80.0]}
    )
    assert found["reached"].middle == pytest.approx((1.0 + 0.9) / 2)
    assert found["all_reduce"].middle == pytest.approx((1.5 + 1.0) / 2)
    assert found["apart"].middle == 1
