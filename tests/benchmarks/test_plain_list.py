"""The plain list of a step's calls: it trains as the default form does, and its table says what it loses."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import plain_list, report
from benchmarks.networks import ACTIVATIONS, CASES
from benchmarks.peers.plain_list import DEFAULT, PLAIN, PlainListBackend, forms
from benchmarks.problem import make_problem
from benchmarks.stepper import Stepper


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_both_forms_train_alike(activation):
    problem = make_problem(CASES["64-32-10-b32"], activation)
    by_default, plainly = (form.build(problem) for form in forms("cpu"))
    assert by_default.about()["form"] == "feature-major, folded"
    for running in (by_default, plainly):
        running.run(20)
    for one, other in zip(by_default.weights(), plainly.weights(), strict=True):
        for a, b in zip(one, other, strict=True):
            assert np.abs(a - b).max() < 1e-5


def test_a_plain_list_folds_nothing_and_shares_nothing():
    stepper = Stepper(make_problem(CASES["2-8-1-b4"], "sigmoid"), PlainListBackend(replay="calls"))
    assert type(stepper.backend).compile is PlainListBackend.compile
    before = stepper.network.weights()[0][0].copy()
    stepper.run(3)
    assert not np.array_equal(before, stepper.network.weights()[0][0])


def test_it_is_one_of_numpy():
    with pytest.raises(ValueError, match='must be "cpu"'):
        forms("cuda")


def measured(threads, default, plain, **more):
    rows = [
        {"name": DEFAULT, "table": "step", "times": default, "form": "shared"},
        {"name": PLAIN, "table": "step", "times": plain, **more},
    ]
    return {**plain_list.row("64-32-10-b32", "relu", threads), "rows": rows}


def test_the_table_has_the_loss_of_each_row(tmp_path):
    record = {
        "format": plain_list.FORMAT,
        "date": "2026-01-31",
        "machine": {"cpu": "CPU", "cores": 2, "numpy": "2.3", "blas": []},
        "commit": "0123456789abcdef",
        "rounds": 8,
        "sets": 4,
        "rows": [
            measured(1, [1e-5] * 8, [1.5e-5] * 8),
            measured(2, [1e-5] * 8, [], refused="loss 1 after 2 steps"),
        ],
    }
    folder = tmp_path / "plain_list"
    folder.mkdir()
    assert plain_list.section(tmp_path) == ""
    (folder / "cpu-2026-01-31.json").write_text(json.dumps(record))
    (folder / "cpu-2026-01-30.json").write_text(json.dumps({**record, "date": "2026-01-30", "rows": []}))
    text = plain_list.section(tmp_path)
    assert (
        "| 64-32-10, 32 | relu | shared | 10.0 | 1.50 [1.50, 1.50] |  |  | refused by the gate: loss 1 af"
        in text
    )
    assert "commit 0123456789: up to 8 rounds in 4 sets" in text
    readme = tmp_path / "README.md"
    readme.write_text(f"{report.BEGIN}\n{report.END}\n")
    assert CliRunner().invoke(report.main, ["--results", tmp_path, "--readme", readme]).exit_code == 0
    assert plain_list.TITLE in readme.read_text()


def test_a_short_run_measures_every_row():
    rows = [plain_list.row("2-8-1-b4", "sigmoid", 1)]
    plain_list.compare(rows, rounds=2, sets=2, minutes=1, say=lambda text: None)
    (row,) = rows
    assert [each["name"] for each in row["rows"]] == [DEFAULT, PLAIN]
    assert all(len(each["times"]) >= 2 and each["gate"]["passed"] for each in row["rows"]), row
    assert plain_list.loss(row).middle > 0
