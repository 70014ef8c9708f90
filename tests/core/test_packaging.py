"""What pyproject.toml asks for, and of whom."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [
    *PROJECT["dependencies"],
    *(line for extra in PROJECT["optional-dependencies"].values() for line in extra),
]
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
