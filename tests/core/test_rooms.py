"""Inside each package imports point one way, and the wheel brings all files of the backends."""

import ast
import subprocess
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
BACKENDS = ROOT / "backends"
CORE = ROOT / "src" / "fuseprop"
PACKAGES = ("fuseprop_numpy", "fuseprop_cupy")


def imports_within(folder):
    """Return, for each module of the package in a folder, the modules of it that it names in an import.

    Imports in functions count, and those for type checkers alone. That importing a module runs the `__init__`
    of its packages first does not.
    """
    files = {_name(path, folder): path for path in folder.rglob("*.py")}
    return {name: _imported(name, path, files) for name, path in files.items()}


def _name(path, folder):
    parts = path.relative_to(folder.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(name, path, files):
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {module if (module := f"{base}.{alias.name}") in files else base for alias in node.names}
    return found & set(files)


def rooms(imports):
    """Return the same for what lies at the top of the package: its modules, and its folders as one each."""

    def room(module):
        return ".".join(module.split(".")[:2])

    found = {room(module): set() for module in imports}
    for module, imported in imports.items():
        found[room(module)] |= {room(other) for other in imported} - {room(module)}
    return found


def circle(imports):
    """Return modules that import each other, the first again at the end; none if there is no circle."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


@pytest.mark.parametrize(
    "folder", [*(BACKENDS / package for package in PACKAGES), CORE], ids=lambda p: p.name
)
def test_no_modules_import_each_other(folder):
    imports = imports_within(folder)
    imports.pop("fuseprop", None)  # the front door: it shows all rooms, which take no more than the version
    assert any(imports.values())
    assert circle(imports) == [], "these import each other, the first one the second"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_rooms_import_each_other(package):
    assert circle(rooms(imports_within(BACKENDS / package))) == [], "these import each other"


def test_a_circle_is_found(tmp_path):
    """However it is written: by a relative or an absolute name, in a function, for type checkers alone."""
    package = tmp_path / "one"
    (package / "low").mkdir(parents=True)
    (package / "__init__.py").write_text("from .top import Top\n")
    (package / "top.py").write_text("from .low.a import A\nfrom .low import b\n")
    (package / "low" / "__init__.py").write_text("")
    (package / "low" / "a.py").write_text("import os\nfrom . import b\n")
    (package / "low" / "b.py").write_text("")
    assert imports_within(package) == {
        "one": {"one.top"},
        "one.top": {"one.low.a", "one.low.b"},
        "one.low": set(),
        "one.low.a": {"one.low.b"},
        "one.low.b": set(),
    }
    assert circle(imports_within(package)) == circle(rooms(imports_within(package))) == []
    for line in (
        "from .a import A",
        "import one.low.a",
        "def f():\n    from one.low import a",
        "if TYPE_CHECKING:\n    from ..low.a import A",
    ):
        (package / "low" / "b.py").write_text(f"{line}\n")
        assert set(circle(imports_within(package))) == {"one.low.a", "one.low.b"}
        assert circle(rooms(imports_within(package))) == []
    (package / "low" / "b.py").write_text("from ..top import Top\n")
    assert circle(imports_within(package))
    assert set(circle(rooms(imports_within(package)))) == {"one.low", "one.top"}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_holds_every_file_of_the_package(package):
    """The kernels' sources too, which are no Python, at the place where the package looks for them.

    Of `native` it holds what the build hook makes of it.
    """
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."],
        cwd=BACKENDS / package,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    ours = {
        f"{package}/{line}" for line in listed.stdout.splitlines() if (BACKENDS / package / line).exists()
    }
    assert f"{package}/py.typed" in ours
    builder = WheelBuilder(str(ROOT))
    built = {file.distribution_path for file in builder.recurse_included_files()}
    from_sources = {path for path in ours if not path.startswith(f"{package}/native/")}
    assert {path for path in built if path.startswith(f"{package}/")} == from_sources
