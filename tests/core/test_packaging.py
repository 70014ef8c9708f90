"""What pyproject.toml asks for, and of whom."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import fuseprop

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [
    *PROJECT["dependencies"],
    *(line for extra in PROJECT["optional-dependencies"].values() for line in extra),
]
BACKENDS = ("backends/fuseprop_numpy", "backends/fuseprop_cupy")
NOT_INSTALLED = {".pyc", ".cpp", ".hpp", ".md"}
NEWER, OLDER = ("3.11", "3.12", "3.13", "3.14", "3.15"), ("3.8", "3.9", "3.10")


@pytest.mark.parametrize("requirement", [Requirement(line) for line in REQUIREMENTS], ids=str)
def test_an_older_python_is_asked_for_nothing(requirement):
    """Old versions of pip look at every version of what is required before they look at requires-python."""
    systems = [
        {"sys_platform": system, "platform_machine": machine}
        for system in ("linux", "darwin", "win32")
        for machine in ("x86_64", "aarch64")
    ]
    asked = {
        version
        for version in (*OLDER, *NEWER)
        for system in systems
        if requirement.marker is None
        or requirement.marker.evaluate(
            {**system, "python_version": version, "python_full_version": f"{version}.0"}
        )
    }
    assert asked
    assert asked <= set(NEWER)
    if "python_version <" not in str(requirement.marker):
        assert asked == set(NEWER)


def test_that_python_is_the_one_that_the_project_asks_for():
    wanted = SpecifierSet(PROJECT["requires-python"])
    assert [version in wanted for version in (*OLDER, *NEWER)] == [False] * len(OLDER) + [True] * len(NEWER)


def test_the_first_command_of_the_readme_says_which_python():
    first = re.search(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    assert "pip install" in first
    assert f"Python {PROJECT['requires-python'].removeprefix('>=')} or newer" in first


@pytest.fixture(scope="module")
def metadata():
    """What a wheel says of itself."""
    command = [sys.executable, "-m", "hatchling", "metadata"]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def test_the_version_stands_in_one_place(metadata):
    assert "version" not in PROJECT
    assert metadata["version"] == fuseprop.__version__


def test_the_packages_page_has_no_link_that_leads_nowhere(metadata):
    """What is beside README.md in a clone is not beside the page."""
    page, readme = metadata["readme"]["text"], (ROOT / "README.md").read_text(encoding="utf-8")
    relative = r"\]\((?!https?:)[^)]*\)"
    assert re.search(relative, readme)
    assert not re.search(relative, page)
    assert re.findall("^#+ .*", page, re.MULTILINE) == re.findall("^#+ .*", readme, re.MULTILINE)


def test_every_python_that_is_promised_is_named(metadata):
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(metadata["classifiers"]))
    assert named == ["3.11", "3.12", "3.13", "3.14"]
    assert all(version in SpecifierSet(PROJECT["requires-python"]) for version in named)
    assert not any("::" in one and one.startswith("License") for one in metadata["classifiers"])


def test_each_package_says_that_it_has_types():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert len(wheel["packages"]) == 3
    assert all((ROOT / package / "py.typed").is_file() for package in wheel["packages"])


def test_an_installation_takes_at_most_8_mib_beside_numpy():
    """All files of fuseprop, its engine too, and of what it requires; bytecode is not counted."""
    ours = [one for package in ("src/fuseprop", *BACKENDS) for one in (ROOT / package).rglob("*")]
    sizes = [one.stat().st_size for one in ours if one.is_file() and one.suffix not in NOT_INSTALLED]
    for requirement in map(Requirement, PROJECT["dependencies"]):
        if requirement.name != "numpy":
            files = [one.locate() for one in distribution(requirement.name).files if one.suffix != ".pyc"]
            sizes += [one.stat().st_size for one in files if one.is_file()]
    assert len(sizes) > 400
    assert 2 << 20 < sum(sizes) < 8 << 20


def test_a_network_imports_nothing_before_it_is_needed():
    """Each of these takes a few milliseconds, of the sixty that NumPy takes."""
    later = {"numpy.ma", "logging", "socket", "subprocess", "selectors", "shutil", "difflib", "tempfile"}
    code = """
import sys, numpy
before = set(sys.modules)
from fuseprop import MomentumSGD, Network, mlp
print(*sorted(set(sys.modules) - before))
"""
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path = {sys.path!r}{code}"]
    new = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "fuseprop.network" in new
    assert not later & set(new)
    assert len([name for name in new if not name.startswith(("fuseprop", "numpy"))]) < 60
