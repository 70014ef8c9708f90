"""Time per `fit` of the estimators beside scikit-learn's, with the same parameters."""

from importlib.util import find_spec
from typing import Any

import pytest

from ..installing import how_to_install
from .estimators import DTYPES, FITS, TABLES, pair

pytestmark = pytest.mark.skipif(
    find_spec("sklearn") is None,  # importing it takes whoever runs other benchmarks seconds
    reason=f"needs scikit-learn. Type: {how_to_install('sklearn')}",
)


@pytest.mark.parametrize("library", ["fuseprop", "scikit-learn"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("table", TABLES)
def test_fit(benchmark: Any, table: str, fit: str, dtype: str, library: str) -> None:
    """All of it: the checks, the draws, the epochs."""
    ours, theirs = pair(TABLES[table], dtype, fit)
    benchmark.group = f"fit {table}, {fit}, {dtype}"
    benchmark.extra_info.update({"dtype": dtype, "device": "cpu", "epochs": TABLES[table].epochs})
    benchmark.pedantic(ours if library == "fuseprop" else theirs, rounds=3, warmup_rounds=1)
