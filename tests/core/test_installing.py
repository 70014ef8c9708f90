"""The line to type for an extra: pip is told where fuseprop came from, and it is understood."""

import importlib.metadata
import json
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fuseprop import installing
from fuseprop.installing import how_to_install

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


class Installed:
    """A distribution whose direct_url.json says this; None where pip wrote none."""

    def __init__(self, origin):
        self.origin = origin
        self.metadata = importlib.metadata.metadata("fuseprop")
        self.requires = requires("fuseprop")

    def read_text(self, name):
        assert name == "direct_url.json"
        return json.dumps(self.origin) if self.origin else None


@pytest.fixture
def put(monkeypatch, tmp_path):
    """Install fuseprop from elsewhere; what is run is no clone."""

    def put(origin):
        monkeypatch.setattr(installing, "__file__", str(tmp_path / "site-packages/fuseprop/installing.py"))
        monkeypatch.setattr(installing, "_distribution", lambda: origin and Installed(origin))
        monkeypatch.setattr(installing, "_installer", lambda: ["pip", "install"])

    return put


def test_a_clone_is_installed_from_the_clone(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert how_to_install("sklearn").endswith('pip install -e ".[sklearn]"')
    monkeypatch.chdir(ROOT / "tests")
    assert how_to_install("cuda13").endswith(f'pip install -e "{ROOT}[cuda13]"')
    assert how_to_install(again=True).endswith(f"pip install --force-reinstall -e {ROOT}")


def test_a_wheel_or_a_folder_that_is_there_is_named(put, tmp_path, monkeypatch):
    (tmp_path / "a b").mkdir()
    wheel = tmp_path / "a b" / "fuseprop-0.1.0-py3-none-any.whl"
    put({"url": wheel.as_uri(), "archive_info": {}})
    gone = how_to_install("sklearn")
    wheel.touch()
    assert how_to_install("sklearn") == f'pip install "{wheel}[sklearn]"'
    monkeypatch.chdir(tmp_path)
    assert how_to_install("sklearn") == f'pip install "{Path("a b") / wheel.name}[sklearn]"'
    monkeypatch.chdir(wheel.parent)
    assert how_to_install("sklearn") == f'pip install "./{wheel.name}[sklearn]"'
    (needed,) = EXTRAS["sklearn"]
    assert gone == f'pip install "{str(Requirement(needed)).partition(";")[0]}"'


def test_a_repository_is_named_at_its_commit(put):
    put({"url": "https://example.org/f.git", "vcs_info": {"vcs": "git", "commit_id": "0" * 40}})
    wanted = f"fuseprop[plots] @ git+https://example.org/f.git@{'0' * 40}"
    assert how_to_install("plots") == f'pip install "{wanted}"'
    put({"url": "https://example.org/fuseprop-0.1.0-py3-none-any.whl", "archive_info": {}})
    assert how_to_install("plots").endswith('fuseprop-0.1.0-py3-none-any.whl"')


@pytest.mark.parametrize("extra", ["cuda12", "cuda13", "peers", "dev"])
def test_without_an_origin_everything_that_the_extra_brings_is_named(put, extra):
    put({"url": ""})
    *_, words = how_to_install(extra).partition(" install ")

    def names(extra):
        for line in EXTRAS[extra]:
            requirement = Requirement(line)
            if requirement.name != "fuseprop":
                yield requirement.name
            for inner in requirement.extras:
                yield from names(inner)

    named = [canonicalize_name(Requirement(word).name) for word in shlex.split(words)]
    assert sorted(named) == sorted(set(map(canonicalize_name, names(extra))))


def test_of_a_repository_on_this_machine_what_the_extra_consists_of_is_named(put, tmp_path):
    """A bare one is no folder to install from, and not every pip takes `fuseprop[plots] @ git+file:`."""
    put({"url": tmp_path.as_uri(), "vcs_info": {"vcs": "git", "commit_id": "0" * 40}})
    (needed,) = EXTRAS["plots"]
    assert how_to_install("plots") == f'pip install "{str(Requirement(needed)).partition(";")[0]}"'


def test_without_any_trace_of_an_installation_a_clone_is_asked_for(put):
    put(None)
    assert how_to_install("sklearn") == 'in a clone of fuseprop, pip install -e ".[sklearn]"'


def test_advice_does_not_raise_where_the_installation_knows_no_such_extra(put, monkeypatch, tmp_path):
    """Metadata may be older than the code, stand for an installation, or be gone."""
    put({"url": ""})
    assert how_to_install("newer") == 'in a clone of fuseprop, pip install -e ".[newer]"'
    monkeypatch.undo()
    (tmp_path / "fuseprop-0.1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.metadata.distribution("fuseprop").read_text("METADATA") is None
    assert installing.installed_version() is None
    assert how_to_install("newer").endswith('[newer]"')


def test_every_extra_that_is_advised_is_there():
    code = [path.read_text() for folder in ("src", "backends") for path in (ROOT / folder).rglob("*.py")]
    named = {name for text in code for name in re.findall(r"""how_to_install\(['"](\w+)['"]""", text)}
    assert {"plots", "sklearn", "cuda12", "cuda13"} <= named <= EXTRAS.keys()


def test_a_path_that_a_shell_would_change_is_quoted(put, tmp_path):
    wheel = tmp_path / "$HOME!.whl"
    wheel.touch()
    put({"url": wheel.as_uri(), "archive_info": {}})
    line = how_to_install("sklearn").replace("pip install", "printf %s")
    assert subprocess.run(["sh", "-c", line], capture_output=True, text=True).stdout == f"{wheel}[sklearn]"


def test_the_pip_is_that_of_this_python(monkeypatch, tmp_path):
    """A pip of that name may be another Python's, or there may be none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert how_to_install("plots").startswith(f"{sys.executable} -m pip install ")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "pip").touch(mode=0o755)
    assert how_to_install("plots").startswith("pip install ")


def test_an_environment_without_pip_is_told_what_installs_there(monkeypatch, tmp_path):
    """As those that uv makes: uv does where there is one, else Python brings a pip of its own."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    python = sys.executable
    assert how_to_install("plots").startswith(f"{python} -m ensurepip && {python} -m pip install ")
    (tmp_path / "uv").touch(mode=0o755)
    assert how_to_install("plots").startswith(f"uv pip install --python {python} ")


def test_pip_understands_the_line():
    """What is said here, from another folder, as the shell hears it; pip finds everything to be there."""
    line = how_to_install("sklearn").replace(
        " install ", " install --dry-run --no-deps --no-build-isolation "
    )
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Would install fuseprop" in done.stdout


def test_nothing_advises_what_nobody_published():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".Dockerfile", ".yaml", ".toml"} and path != Path(__file__):
            found = re.findall(r"pip install[^\n]*?[\"' ]fuseprop\b.*", path.read_text())
            assert not found, f"{name}: {found}"
