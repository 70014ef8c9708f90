"""The house stands as it is drawn: who imports whom, what importing costs, what lies at the top."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fuseprop.backend
import fuseprop.world
from fuseprop.backend import Backend
from fuseprop.backend.registry import available_backends, load_backend
from fuseprop.backend.seam import OPTIONAL

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "fuseprop"

# From the ground up: a module imports from layers above its own line only.
ORDER = [
    {"checks", "installing"},
    {"world", "showing"},
    {"backend"},
    {"storage", "formulas", "schedules"},
    {"layers"},
    {"optimizers", "metrics"},
    {"plots"},
    {"callbacks", "checkpoints"},
    {"training"},
    {"inspection", "perceptron"},
    {"network"},
    {"data", "genetic"},
    {"model"},
    {"estimators"},
    {"learn", "exchange", "verification"},
    {"testing"},
    {"benchmarks"},
    {"cli", "__init__"},
    {"__main__"},
]
BELOW_THE_SEAM = {"benchmarks"}
"""It measures backends, and tells how each of ours has replayed a step."""

HEIGHT = {name: height for height, names in enumerate(ORDER) for name in names}


def imported_modules(path):
    """Absolute names of what a file imports, also inside functions; not under TYPE_CHECKING."""
    tree = ast.parse(path.read_text())
    package = path.relative_to(SOURCE.parent).with_suffix("").parts[:-1] if SOURCE in path.parents else ()
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room(module):
    """The top-level room of a module's dotted name, None for what is not the library's."""
    parts = module.split(".")
    if parts[0] != "fuseprop":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in HEIGHT else None


def test_every_room_has_its_place():
    rooms = {p.stem if p.is_file() else p.name for p in SOURCE.iterdir() if p.suffix == ".py" or p.is_dir()}
    assert rooms - {"__pycache__"} == set(HEIGHT)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_downwards(path):
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    for module in imported_modules(path):
        assert own in BELOW_THE_SEAM or not module.startswith(("fuseprop_", "cupy")), (
            f"{path.name} imports {module}: the core knows no backend"
        )
        other = room(module)
        if other is not None and other != own:
            assert HEIGHT[other] < HEIGHT[own], f"{own} imports {other}, which stands no lower"


@pytest.mark.parametrize("path", sorted((ROOT / "backends").rglob("*.py")), ids=lambda p: p.name)
def test_backends_import_the_contract_and_nothing_else(path):
    front_door = {
        *("fuseprop.backend", "fuseprop.world"),
        *(f"fuseprop.backend.{name}" for name in fuseprop.backend.__all__),
        *(f"fuseprop.world.{name}" for name in fuseprop.world.__all__),
    }
    for module in imported_modules(path):
        if module.split(".")[0] == "fuseprop":
            assert module in front_door, f"{path} imports {module}"


def test_few_modules_stand_outside_of_a_room():
    assert len(list(SOURCE.glob("*.py"))) <= 12


def test_there_is_one_loop_over_epochs():
    """Training of every kind goes through it; the perceptron's own rule goes on until nothing is wrong."""
    loops = [
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.For) and ast.unparse(node.iter) == "range(epochs)")
        or (isinstance(node, ast.While) and "history.epochs < epochs" in ast.unparse(node.test))
    ]
    assert loops == ["training/loop.py"]


def test_there_is_one_chunked_forward():
    """Networks are run forward in a step, in chunks of rows, and once for all rows that a user hands over."""
    callers = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("stack.forward", "self._stack.forward")
    }
    assert callers == {"training/step.py", "training/forward.py", "training/passes.py"}


def test_importing_fuseprop_imports_numpy_alone():
    script = """
import sys, numpy.random  # which brings the runtime of its compiler
before = set(sys.modules)
import fuseprop
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(name for name in new - set(sys.stdlib_module_names) if name not in ("fuseprop", "numpy")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


REPLAYS = {"replay", "replays", "not_captured", "not_compiled", "why_not_compiled"}
"""How a backend replays programs, and why not in its best way."""

OF_A_GPU = {"seam", "take_batch", "keep_losses", "update_and_advance"}
"""What programs are fused to on a GPU, and the seam to CUDA, which the benchmarks measure by itself."""


def test_signatures_of_all_backends_are_the_protocols(backend):
    """The contract checks each method; here: public are the protocol, `OPTIONAL` and what is listed above."""
    protocol = {name for name, _ in inspect.getmembers(Backend) if not name.startswith("_")}
    public = {name for name in dir(backend) if not name.startswith("_")}
    assert public - set(OPTIONAL) - REPLAYS - OF_A_GPU == protocol


def test_the_registry_reads_entry_points():
    assert "numpy" in [status.name for status in available_backends() if status.available]
    backend = load_backend("cpu", "float64")
    assert (backend.name, backend.device, backend.dtype) == ("numpy", "cpu", np.float64)


def test_the_top_level_is_exactly_the_house():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    top = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    house = {
        "pyproject.toml",
        "README.md",
        "src",
        "backends",
        "benchmarks",
        "tests",
        "docker",
        "LICENSE",
        ".ci",
    }
    assert {name for name in top if not name.startswith(".")} | {".ci"} == house
