"""The kernels under AddressSanitizer, UBSan and ThreadSanitizer.

A landing takes each in one dtype, and .ci/long in both.
"""

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

from host_kernels import every_kernel
from own import kernels
from recorded import recorded
from replay import SANITIZERS, build, replay


def test_all_kernels_of_the_list_are_replayed():
    assert {name for name, _ in recorded().launches} == set(every_kernel())


@pytest.mark.values
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_no_sanitizer_finds_anything(sanitizer, dtype, tmp_path):
    listed = kernels(np.dtype(dtype))
    program = build(tmp_path, listed, sanitizer)
    assert replay(program, recorded().recording(listed)) == ""
