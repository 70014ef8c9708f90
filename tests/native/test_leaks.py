"""Steps that are compiled and freed, trainings, checkpoints and forks leave no memory, thread or file behind.

`.ci/long leaks` does each of them a thousand times and more.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fuseprop_numpy.compiled.library import NotCompiled, library

try:
    library()
except NotCompiled as why:
    pytest.skip(f"steps are not compiled here: {why}", allow_module_level=True)

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")


@pytest.mark.parametrize(("what", "times"), [("compile", 60), ("fit", 20), ("checkpoint", 20), ("fork", 10)])
def test_nothing_is_left(what, times):
    """Ten of the 2 MB that a step has would be too many."""
    script = f"import json, leaks; print(json.dumps(leaks.left_by({what!r}, {times})))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = json.loads(done.stdout or "null")
    assert found is not None, done.stderr
    assert (found["wrong"], found["threads"], found["descriptors"]) == (0, 0, 0)
    assert found["bytes"] < 20_000_000
