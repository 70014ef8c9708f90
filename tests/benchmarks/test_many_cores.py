"""The model of many cores: its table follows from the engine's constants, its limits are where it says."""

from pathlib import Path

import pytest

from benchmarks.many_cores import TAKING, THREADS, Phase, as_it_is, outputs_divided, table

README = Path(__file__).parents[2] / "benchmarks/README.md"


def test_the_page_shows_what_the_model_says():
    assert table() in README.read_text(), "Type: python -m benchmarks.many_cores"


def test_a_phase_lasts_as_long_as_its_last_thread():
    one = Phase([65e9]).seconds(1)
    assert one == 1
    assert Phase([65e9] * 3).seconds(2) == pytest.approx(2, rel=1e-5)
    assert Phase([65e9] * 3).seconds(64) - one > TAKING


@pytest.mark.parametrize(("rows", "most"), [(128, 16), (1024, 64)])
def test_rows_are_divided_into_panels_and_no_further(rows, most):
    network = (784, 512, 512, 10)
    times = [as_it_is(network, rows, threads) for threads in THREADS]
    assert times == sorted(times, reverse=True)
    assert times[0] / times[-1] < most
    assert outputs_divided(network, rows, 64) < 1.1 * times[-1]
