"""No circle in a backend's package: neither among its modules nor among its rooms."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

BACKENDS = Path(__file__).parents[2] / "backends"


def imports_of(package):
    """Return {module: the modules of the same package that it imports, also inside functions}."""
    paths = {path.relative_to(BACKENDS).with_suffix("").parts: path for path in package.rglob("*.py")}
    names = {".".join(parts).removesuffix(".__init__"): (parts, path) for parts, path in paths.items()}
    found = {}
    for name, (parts, path) in names.items():
        found[name] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or (not node.level and node.module is None):
                continue
            base = list(parts[: len(parts) - node.level]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for one in (module, *(f"{module}.{alias.name}" for alias in node.names)):
                if one in names and one != name:
                    found[name].add(one)
    return found


def room(module):
    """A folder of the package, or a module beside the folders."""
    return module.split(".")[1] if "." in module else module


def by_room(imports):
    rooms = {room(module): set() for module in imports}
    for module, others in imports.items():
        rooms[room(module)] |= {room(other) for other in others} - {room(module)}
    return rooms


def is_a_circle(graph):
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        return True
    return False


@pytest.mark.parametrize("name", ["fuseprop_numpy"])
def test_a_backends_imports_point_one_way(name):
    imports = imports_of(BACKENDS / name)
    assert sum(map(len, imports.values())) > 20
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle
    TopologicalSorter(by_room(imports)).prepare()


def test_a_circle_of_rooms_is_seen():
    graph = {"p.a.one": {"p.b"}, "p.b": {"p.a.two"}, "p.a.two": set()}
    assert not is_a_circle(graph)
    assert is_a_circle(by_room(graph))
