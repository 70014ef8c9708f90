"""The kernels under AddressSanitizer, UBSan and ThreadSanitizer."""

import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

from host_kernels import every_kernel
from recorded import recorded
from replay import SANITIZERS, build, replay


def test_all_kernels_of_the_list_are_replayed():
    assert {name for name, _ in recorded().launches} == set(every_kernel())


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_no_sanitizer_finds_anything(sanitizer, tmp_path):
    program = build(tmp_path, every_kernel(), sanitizer)
    assert replay(program, recorded().recording(every_kernel())) == ""
