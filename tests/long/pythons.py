"""The part `pythons` of .ci/long: wheel and sdist, as they are built, on each version of Python that is here.

    python tests/long/pythons.py --record FILE [--only 3.12]

builds both, checks them as the package index does, and installs each into an empty environment of each,
with no clone beside it: alone first, in which the smallest things run; then with the extras `sklearn` and
`tables`, with which a user's first hour does. Warnings are errors. What an installation takes is measured
there too: bytes on the disk beside NumPy's, the time of the import, and the peak of memory of a training.

A Python is looked for by its name on PATH, and among those of pyenv. Versions that are not here are recorded
as absent: the record claims nothing of them.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
EXTRAS = "sklearn,tables"
LIMITS = {"beside_numpy": 8 << 20, "peak": 45 << 20, "import_ratio": 2.0}
"""Bytes on the disk of fuseprop and all that it requires but NumPy, without bytecode; bytes of the largest
resident size; seconds of an import beside that of NumPy."""

CHECKED = ("beside_numpy", "peak")
"""What does not depend on what else the machine does."""

TOOLS = ("build", "twine", "readme_renderer[md]")

ALONE = """
import fuseprop
network = fuseprop.Network(fuseprop.mlp([2, 8, 1], "tanh"), "sigmoid_cross_entropy", seed=0)
X, t = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
network.fit(X, t, fuseprop.MomentumSGD(0.3, 0.6), epochs=500, batch_size=4, checkpoint="c.safetensors")
assert [round(float(p)) for p in network.predict(X).ravel()] == t
again = fuseprop.Network(fuseprop.mlp([2, 8, 1], "tanh"), "sigmoid_cross_entropy", seed=0)
again.fit(X, t, fuseprop.MomentumSGD(0.3, 0.6), epochs=500, batch_size=4, resume="c.safetensors")
assert (again.predict(X) == network.predict(X)).all()
"""

WITH_EXTRAS = """
import numpy as np
from fuseprop import MLPClassifier, MLPRegressor, load, train
model, report = train("wine", epochs=5, members=1, device="cpu")
model.save("wine.safetensors")
load("wine.safetensors")
X = np.random.default_rng(0).normal(size=(80, 3))
for kind, y in ((MLPClassifier, X[:, 0] > 0), (MLPRegressor, X[:, 0] * 2)):
    fitted = kind(solver="lbfgs", max_iter=500, random_state=0).fit(X, y)
    fitted.save("e.safetensors")
    assert (kind.load("e.safetensors").predict(X) == fitted.predict(X)).all()
"""

TABLE = "a,b,what\n" + "".join(f"{i % 7},{i % 5},{'yes' if i % 7 > i % 5 else 'no'}\n" for i in range(120))

COMMANDS = (
    "--version",
    "train table.csv --target what --epochs 5 --members 1 --quiet --out m.safetensors",
    "train table.csv --target what --epochs 5 --members 1 --quiet --run run",
    "inspect table.csv",
    "predict m.safetensors table.csv",
    "evaluate m.safetensors table.csv --json",
    "explain m.safetensors table.csv --json",
    "learn xor --json",
    "doctor --json",
)

MEASURED = """
import json, re, resource, subprocess, sys, time
from importlib.metadata import distribution, distributions
def size(found):
    files = [found.locate_file(one) for one in found.files if "__pycache__" not in one.parts]
    return sum(file.stat().st_size for file in files if file.is_file())
def seconds(code):
    timed = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)
    return float(done.stdout)
sizes = {one.name: size(one) for one in distributions() if one.name != "pip"}
numpy, ours = [], []
for _ in range(7):
    numpy.append(seconds("import numpy"))
    ours.append(seconds("from fuseprop import Network"))
print(json.dumps({
    "sizes": sizes,
    "beside_numpy": sum(sizes.values()) - sizes["numpy"],
    "import_ratio": round(sorted(ours)[3] / sorted(numpy)[3], 2),
}))
"""

PEAK = """
import resource
import numpy as np
from fuseprop import MomentumSGD, Network, mlp
rng = np.random.default_rng(0)
X, t = rng.standard_normal((1797, 64)).astype("float32"), rng.integers(0, 10, 1797)
network = Network(mlp([64, 32, 10], "sigmoid"), "softmax_cross_entropy", seed=0, device="cpu")
network.fit(X, t, MomentumSGD(0.1, 0.6), epochs=1, batch_size=32)
print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


class Failed(Exception):
    """A command did not do what it should; the text is what it said."""


def run(*command, cwd):
    """Run a command, without what who runs the tests wishes; return what it prints."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "FUSEPROP"))}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = " ".join(str(word) for word in command)[:200]
        raise Failed(f"{words} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def interpreters():
    """Return the path of each version of Python that is here."""
    found = {}
    for version in VERSIONS:
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        candidates = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python"))]
        for candidate in candidates:
            if candidate and _version(candidate) == version:
                found[version] = str(candidate)
                break
    return found


def _version(python):
    told = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    done = subprocess.run([python, "-c", told], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def environment(python, folder):
    """Make an empty environment; return its Python."""
    run(python, "-m", "venv", folder, cwd="/")
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def pip(python, *words):
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words, cwd="/")


def build(folder):
    """Build sdist and, from it, wheel; check what a package index checks; return both."""
    tools = environment(sys.executable, folder / "tools")
    pip(tools, *TOOLS)
    run(tools, "-m", "build", "--outdir", folder / "dist", ROOT, cwd=folder)
    files = sorted((folder / "dist").iterdir())
    run(tools, "-m", "twine", "check", "--strict", *files, cwd=folder)
    (wheel,) = (path for path in files if path.suffix == ".whl")
    (sdist,) = (path for path in files if path.name.endswith(".tar.gz"))
    return {"wheel": wheel, "sdist": sdist}


def tried(python, package, folder):
    """Install a package into an empty environment and use it; return what was measured."""
    inside = environment(python, folder / "environment")
    place = folder / "place"
    place.mkdir()
    pip(inside, package)
    run(inside, "-W", "error", "-c", ALONE, cwd=place)
    found = json.loads(run(inside, "-c", MEASURED, cwd=place))
    found["peak"] = int(run(inside, "-c", PEAK, cwd=place))
    pip(inside, f"{package}[{EXTRAS}]")
    (place / "table.csv").write_text(TABLE, encoding="utf-8")
    run(inside, "-W", "error", "-c", WITH_EXTRAS, cwd=place)
    for line in COMMANDS:
        said = run(inside, "-W", "error", "-m", "fuseprop", *line.split(), cwd=place)
        if line.startswith("doctor"):
            found["compiled"] = "equal bits with any number of threads" in said
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--record", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--only", choices=VERSIONS, help="this version of Python alone")
    given = parser.parse_args()
    here = interpreters()
    wanted = [version for version in VERSIONS if given.only in (None, version)]
    made = {"passed": False, "absent": [one for one in wanted if one not in here], "limits": LIMITS}
    complaints, runs = [], {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            built = build(folder)
            made["bytes"] = {kind: path.stat().st_size for kind, path in built.items()}
            made["files"] = {kind: path.name for kind, path in built.items()}
        except Failed as error:
            built = {}
            complaints.append(str(error))
        for version in wanted if built else []:
            if version not in here:
                print(f"Python {version}: absent", flush=True)
                continue
            for kind, path in built.items():
                place = folder / f"{version}-{kind}"
                place.mkdir()
                try:
                    found = tried(here[version], path, place)
                except Failed as error:
                    complaints.append(f"Python {version}, {kind}: {error}")
                    print(complaints[-1], flush=True)
                    continue
                finally:
                    shutil.rmtree(place)
                runs.setdefault(version, {})[kind] = found
                complaints += [
                    f"Python {version}, {kind}: {what} is {found[what]}, and {LIMITS[what]} is the limit"
                    for what in CHECKED
                    if found[what] > LIMITS[what]
                ]
                told = ", ".join(f"{what} {found[what]}" for what in (*LIMITS, "compiled"))
                print(f"Python {version}, {kind}: {told}", flush=True)
    made |= {"passed": not complaints and bool(runs), "runs": runs, "complaints": complaints}
    given.record.write_text(json.dumps(made, indent=1) + "\n")
    return int(not made["passed"])


if __name__ == "__main__":
    sys.exit(main())
