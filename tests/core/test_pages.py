"""The pages beside the code: the drawn tree is the tree there is, links lead to files, and code runs."""

import inspect
import re
import textwrap
from pathlib import Path

import pytest
from fuseprop_numpy import NumpyBackend

from fuseprop.backend import Backend
from fuseprop.testing import BackendContract
from fuseprop.testing.contract.formulas import ACTIVATION_CASES, ELEMENTWISE, UPDATE_CASES

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "fuseprop"
HOUSE = SOURCE / "README.md"
PAGES = [
    ROOT / "README.md",
    HOUSE,
    SOURCE / "learn" / "README.md",
    ROOT / "backends" / "README.md",
    ROOT / "benchmarks" / "README.md",
    ROOT / "docker" / "README.md",
    ROOT / "tests" / "README.md",
]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def drawn(text):
    """The paths in the tree of src/fuseprop/README.md: two spaces a level, a room ends in a slash."""
    tree = re.search(r"## The tree\n.*?```\n(.*?)```", text, re.DOTALL)[1]
    above, paths = [], []
    for line in tree.splitlines():
        indent, name, said = re.fullmatch(r"( *)(\S+)(?:  +(\S.*))?", line).groups()
        assert said or name == "contract/", f"{name} is drawn, but nothing is said of it"
        above[len(indent) // 2 :] = [name]
        if not name.endswith("/"):
            paths.append("".join(above))
    return paths


def test_the_drawn_tree_is_the_tree():
    """Every file is drawn once, but for what each room has: `__init__.py`; and the page itself."""
    there = [
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*")
        if path.is_file() and path != HOUSE and path.name != "__init__.py" and "__pycache__" not in path.parts
    ]
    assert sorted(drawn(HOUSE.read_text())) == sorted(there)


def headings(page):
    """The anchors of a page, as GitHub makes them."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    for link in LINK.findall(page.read_text()):
        if link.startswith(("http:", "https:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


def test_what_the_steps_name_in_the_backends_is_there():
    """`numpy/...` and `cupy/...`, which are not links: they stand for a folder each."""
    named = re.findall(r"`(numpy|cupy)/([\w/]+\.\w+)`", HOUSE.read_text())
    assert {package for package, _ in named} == {"numpy", "cupy"}
    for package, path in named:
        assert (ROOT / "backends" / f"fuseprop_{package}" / path).is_file(), path


def test_what_is_named_at_the_formulas_is_there():
    """In the README's table: each file, and behind a comma what it defines."""
    table = (ROOT / "README.md").read_text().partition("## Where the formulas are")[2].partition("\n## ")[0]
    places = [
        line.rsplit(" | ", 1)[1] for line in table.splitlines() if line.startswith("| ") and "`" in line
    ]
    assert len(places) > 15
    for place in places:
        folder = re.search(r"`([\w/]+/)`", place)
        below = ROOT / folder[1] if folder else SOURCE
        for path, names in re.findall(r"`([\w/]+\.py)`(?:, `(?![\w/]+\.py`)([\w.]+)`)?", place):
            text = (below / path).read_text()
            for name in filter(None, names.split(".")):
                assert re.search(rf"^ *(class|def) {name}\b", text, re.MULTILINE), place


BLOCK = re.compile(r"^( *)```python\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def test_the_methods_that_the_page_of_backends_shows_meet_the_contract():
    """The page's `Formulas`, put in place of NumPy's methods: activations, slopes, losses and updates."""
    page = (ROOT / "backends" / "README.md").read_text()
    (block,) = (inner for _, inner in BLOCK.findall(page) if "class Formulas" in inner)
    shown = {}
    exec(textwrap.dedent(block), shown)
    own = type("Shown", (shown["Formulas"], NumpyBackend), {})
    contract = BackendContract()
    for dtype in ("float32", "float64"):
        backend = own(dtype)
        for name, activation in ACTIVATION_CASES.items():
            contract.test_bias_activation(backend, name, (33, 65))
            contract.test_activation_backward(backend, name, (33, 65))
            contract.test_slopes_at_the_extremes(backend, name)
            assert activation.formula.slope_of in ("y", "z", None)
        for name in ELEMENTWISE:
            contract.test_loss_of_rows(backend, name, (33, 65))
            contract.test_losses_at_the_extremes(backend, name)
        for name in UPDATE_CASES:
            contract.test_update(backend, 1000, name, 0.01)


def test_the_page_of_backends_counts_the_methods():
    page = (ROOT / "backends" / "README.md").read_text()
    methods = [
        name for name, member in vars(Backend).items() if inspect.isfunction(member) and name[0] != "_"
    ]
    assert f": {len(methods)} methods" in page
    table = page.partition("| version 1 | version 2 |")[2].partition("\n\n")[0]
    for name in re.findall(
        r"`(\w+)\(", "\n".join(line.strip().split(" | ")[1] for line in table.splitlines()[2:])
    ):
        assert name in methods, name
