"""One script on a GPU and in CI: what the README shows and the steps of the workflow, run as they stand."""

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml

from fuseprop.backend import BackendUnavailable
from fuseprop.backend.registry import load_backend

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / "docker" / "workflow.yaml").read_text())
SECTION = re.search(r"### One script.*?\n(?=## )", (ROOT / "README.md").read_text(), re.DOTALL)[0]
SCRIPT, LINES = re.findall(r"```\w+\n(.*?)```", SECTION, re.DOTALL)
INSTALLS = "python -m pip install "
REFUSED = "The variable FUSEPROP_DEVICE names this device."


def has_gpu():
    try:
        load_backend("cuda")
    except BackendUnavailable:
        return False
    return True


def run(line, **variables):
    """Run a line of shell from the top of the repository, with this Python and its commands first."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("FUSEPROP")}
    path = os.pathsep.join(
        [sysconfig.get_path("scripts"), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    return subprocess.run(
        ["bash", "-c", line],
        cwd=ROOT,
        env={**clean, "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def expect(done, device, refusal):
    """Assert that a script trained on the device, or where it cannot be had, that it was refused."""
    if device == "cuda" and not has_gpu():
        assert done.returncode == refusal
        assert REFUSED in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert device in done.stdout


def test_the_readme_shows_the_script():
    assert (ROOT / "docker" / "train.py").read_text() == SCRIPT


@pytest.mark.parametrize("line", LINES.splitlines(), ids=lambda line: line.partition("#")[0].strip())
def test_the_readmes_lines_run(line):
    named = re.match(r"FUSEPROP_DEVICE=(\w+)", line)
    device = named[1] if named else "cpu"
    done = run(line)
    expect(done, {"auto": "cuda" if has_gpu() else "cpu"}.get(device, device), refusal=1)
    assert done.returncode or float(re.match(r"accuracy (0\.\d+), trained on ", done.stdout)[1]) > 0.95


@pytest.mark.parametrize("job", WORKFLOW["jobs"])
def test_the_workflows_steps_run(job):
    """What is installed is there already, and only named; everything else is run."""
    wanted, device = WORKFLOW["jobs"][job], WORKFLOW["jobs"][job]["env"]["FUSEPROP_DEVICE"]
    assert {"cpu": "cpu", "gpu": "cuda"}[job] == device
    lines = [step["run"] for step in wanted["steps"] if "run" in step]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    installed = [line.removeprefix(INSTALLS) for line in lines if line.startswith(INSTALLS)]
    (named,) = re.findall(r'^"\.\[([\w,]+)\]"$', installed[0])
    assert set(named.split(",")) <= set(extras)
    assert ("cuda13" in named) == (device == "cuda")
    others = [line for line in lines if not line.startswith(INSTALLS)]
    assert "python docker/train.py" in others
    for line in others:
        expect(run(line, **wanted["env"]), device, refusal=3 if line.startswith("fuseprop") else 1)
