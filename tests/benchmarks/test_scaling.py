"""The model of a step of several processes, by hand; and a record from its measurement to the page."""

import json
import re
import subprocess
import sys
from math import inf

import pytest

from benchmarks.processes import ROOT
from benchmarks.scaling import Place, doubling, fitted, flops, main, parameters, ring
from benchmarks.scaling_measured import PROCESSES, RESULTS
from benchmarks.scaling_table import CPU_MACHINES, GPU_BOX, here, recorded, scaling, sums

SIZES = (3, 2, 1)
"""8 weights and 3 biases: 11 parameters, 44 bytes; 6 * 8 - 2 * 6 = 36 operations a row."""

PLACE = Place(rate=36.0, alpha=1.0, beta=1 / 44, fixed=2.0, memory=220.0)
"""A row a second; a message of one second and another for all parameters; an update of one second."""


def test_what_a_network_costs():
    assert parameters(SIZES) == 11
    assert flops(SIZES, 5) == 180
    assert parameters((784, 512, 512, 10)) == 669_706


@pytest.mark.parametrize(
    ("way", "processes", "messages", "arrays"),
    [
        (ring, 1, 0, 0),
        (ring, 2, 2, 1),
        (ring, 4, 6, 1.5),
        (doubling, 1, 0, 0),
        (doubling, 2, 1, 1),
        (doubling, 8, 3, 3),
        (doubling, 3, 3, 3),  # one exchange of two, and there and back of the third
        (doubling, 6, 4, 4),
    ],
)
def test_messages_of_a_sum(way, processes, messages, arrays):
    assert way(processes) == (messages, arrays)


def test_the_cheaper_way_is_taken():
    assert PLACE.sum(8, 11) == pytest.approx(6)  # doubling: 3 + 3; a ring: 14 + 1.75
    assert Place(36, alpha=0.01, beta=1 / 44).sum(8, 11) == pytest.approx(0.14 + 1.75)
    assert PLACE.sum(1, 11) == 0


def test_a_step_by_hand():
    assert PLACE.step(1, SIZES, 8) == pytest.approx(2 + 8 + 1)
    assert PLACE.step(2, SIZES, 8) == pytest.approx(2 + 4 + 1 + 2)
    assert PLACE.strong(2, SIZES, 8) == pytest.approx(11 / 9)
    assert PLACE.weak(2, SIZES, 8) == pytest.approx(11 / 13)


def test_more_processes_than_cores_take_turns():
    two = Place(rate=36.0, alpha=1.0, beta=1 / 44, fixed=2.0, memory=220.0, at_once=2)
    assert two.step(2, SIZES, 8) == PLACE.step(2, SIZES, 8)
    assert two.step(4, SIZES, 8) == pytest.approx(2 * (2 + 2 + 1) + 4)


def test_rows_for_an_efficiency_are_those_of_the_model():
    """With many processes, no latency and nothing fixed, a wide network has it with these rows."""
    wide = Place(rate=1e12, alpha=0.0, beta=1e-10)
    sizes = [2**14] * 12
    for efficiency in (0.5, 0.9):
        found = wide.weak(2**12 + 1, sizes, wide.rows(efficiency))
        assert found == pytest.approx(efficiency, abs=0.01)
    assert wide.rows(0.9) == pytest.approx(9 * wide.rows(0.5))


def test_latency_is_half_of_a_message_of_so_many_parameters():
    numbers = PLACE.latency_below()
    assert PLACE.sum(2, numbers) == pytest.approx(2 * PLACE.alpha)


@pytest.mark.parametrize("processes", [2, 3, 4, 7])
def test_a_fit_finds_what_made_the_times(processes):
    """Also where short arrays double and long ones go round."""
    place = Place(1.0, alpha=2e-5, beta=3e-10)
    made = {n: place.sum(processes, n) for n in (1_000, 10_000, 100_000, 1_000_000, 10_000_000)}
    assert fitted(processes, made) == pytest.approx((2e-5, 3e-10))


def test_a_fit_is_never_below_nothing():
    assert fitted(2, {1_000: 5.0, 1_000_000: 4.0})[1] == 0
    alpha, beta = fitted(2, {10: 1.0, 1_000: 200.0})
    assert alpha == 0
    assert 0 < beta < inf


def test_from_measuring_to_the_page(tmp_path):
    command = [sys.executable, "-m", "benchmarks.scaling_measured", "--tiny", "--minutes", "0"]
    done = subprocess.run(
        [*command, "--folder", tmp_path / "scaling"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert not done.returncode, done.stderr
    (path,) = (tmp_path / "scaling").glob("*.json")
    record = json.loads(path.read_text())
    seconds = record["seconds"]
    assert set(seconds["steps"]) == {str(processes) for processes in PROCESSES}
    assert set(sums(record)) == set(here(record)) == set(PROCESSES[1:])
    assert all(each for what in seconds.values() for each in what.values())
    page = scaling(tmp_path)
    assert "64-32-10 with a batch of 24" in page
    assert "forecast" in page.lower()
    assert "**Assumed:**" in page


def test_the_page_says_which_rows_are_oversubscribed(tmp_path):
    record = made()
    (tmp_path / "scaling").mkdir()
    (tmp_path / "scaling" / "some-2026-01-01.json").write_text(json.dumps(record))
    page = scaling(tmp_path)
    assert "| 2 | " in page
    assert page.count("| 3, oversubscribed | ") == 2
    assert "| 3, oversubscribed | 5.00 | 5.00 to 5.00 |" in page
    record["machine"]["cores"] = 8
    (tmp_path / "scaling" / "some-2026-01-01.json").write_text(json.dumps(record))
    assert "oversubscribed |" not in scaling(tmp_path)


def test_the_page_says_that_others_had_the_cores(tmp_path):
    (tmp_path / "scaling").mkdir()
    for load, said in ((0.1, False), (9.0, True)):
        record = made() | {"load": [load, 3.0]}
        (tmp_path / "scaling" / "some-2026-01-01.json").write_text(json.dumps(record))
        assert ("say nothing of an idle machine" in scaling(tmp_path)) is said


def test_a_line_through_one_process_gives_the_rate():
    place = here(made())[2]
    assert place.fixed == pytest.approx(1e-3)
    assert place.rate == pytest.approx(36 / 1e-3)
    assert (place.alpha, place.beta) == pytest.approx((1e-4, 1e-8))


def made():
    """Return a record: a millisecond a row and one fixed, sums of 0.1 ms and 10 ns a byte."""
    place = Place(1.0, alpha=1e-4, beta=1e-8)
    return {
        "date": "2026-01-01",
        "commit": "0123456",
        "machine": {"cpu": "some", "cores": 2, "gpu": {}},
        "mpi": "an MPI",
        "load": [0.1, 3.0],
        "sizes": list(SIZES),
        "batch": 6,
        "seconds": {
            "steps": {"1": [7e-3] * 3, "2": [5e-3] * 3, "3": [5e-3] * 3},
            "beside": {"2": [4e-3] * 3, "3": [3e-3] * 3},
            "rows": {"2": [4e-3] * 3, "3": [3e-3] * 3},
            "sums": {f"{p}, {n}": [place.sum(p, n)] * 3 for p in (2, 3) for n in (1_000, 1_000_000)},
        },
    }


def test_nothing_is_said_without_a_record(tmp_path):
    assert scaling(tmp_path) == ""


def test_the_forecast_of_one_gpu_is_near_what_gpus_took():
    """Nothing else of the forecasts has been measured; records are committed, so this is arithmetic."""
    took = re.findall(r"took (\d+) µs", recorded(RESULTS.parent, "784-512-512-10-b1024"))
    assert took
    for each in took:
        assert 1e6 * GPU_BOX.step(1, (784, 512, 512, 10), 1024) == pytest.approx(float(each), rel=0.1)


def test_a_place_of_ones_own(monkeypatch, capsys):
    command = "scaling --network 784-512-512-10 --batch 1024 --processes 1 64 --rate 1000 --latency 5 "
    command += "--bandwidth 12 --fixed 50 --memory 100"
    monkeypatch.setattr(
        "sys.argv", [*command.split(), "--bandwidth", "12", "--fixed", "50", "--memory", "100"]
    )
    main()
    one, many = capsys.readouterr().out.splitlines()
    assert "1.00 times as fast" in one
    assert f"{CPU_MACHINES.strong(64, (784, 512, 512, 10), 1024):.2f} times as fast" in many


def test_the_committed_record_is_on_the_page():
    page = (ROOT / "benchmarks" / "README.md").read_text()
    said = scaling(RESULTS.parent)
    assert said
    assert said in page
