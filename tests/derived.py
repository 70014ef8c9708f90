"""What is derived from the registries of formulas, and never written by hand.

    python tests/derived.py            # rewrites what is stale, and says what that was
    python tests/derived.py --check    # only says it, and exits with 1

Derived are the tables of formulas in README.md, that of compiled steps in backends/README.md, the structs in
fuseprop_cupy/kernels/formulas.cuh and fuseprop_numpy/native/formulas.hpp, and tests/core/public_names.txt.
`tests/core/test_derived.py` checks that nothing is stale.
"""

import argparse
import sys
from collections.abc import Callable
from math import inf
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

BEGIN, END = "<!-- written by python tests/derived.py -->", "<!-- end of what is written -->"

SLOPES = {"y": "y", "z": "z, which is kept", None: "constant"}
"""What a slope is computed from, in the table, by `ActivationFormula.slope_of`; a step has none."""


def readme() -> str:
    """Return README.md with its tables of formulas."""
    return with_tables("README.md", activations(), losses(), updates())


def backends() -> str:
    """Return backends/README.md with its table of what compiled steps are, and the backends that it shows."""
    third_party = ROOT / "tests" / "third_party_backend"
    functional = (third_party / "fuseprop_functional.py").read_text()
    views = functional[functional.index("def frozen(") : functional.index("def exponentials(")].rstrip()
    text = with_tables("backends/README.md", compiled())
    text = with_code(text, "functional", views)
    return with_code(text, "plain", (third_party / "fuseprop_plain.py").read_text().rstrip())


def with_code(text: str, name: str, code: str) -> str:
    """Return a page that shows this code at the mark of that name."""
    mark = f"<!-- shown by python tests/derived.py: {name} -->"
    before, begin, rest = text.partition(mark)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"backends/README.md must hold the lines {mark!r} and {END!r}.")
    tested = "<!-- tested: the contract runs on it, by tests/core/test_third_party.py -->"
    return f"{before}{begin}\n\n{tested}\n```python\n{code}\n```\n\n{end}{after}"


def with_tables(name: str, *tables: str) -> str:
    """Return a page with these tables between its marks."""
    text = (ROOT / name).read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{name} must hold the lines {BEGIN!r} and {END!r}.")
    return "\n\n".join((f"{before}{begin}", *tables, f"{end}{after}"))


def activations() -> str:
    """Return the table of activations."""
    from fuseprop.formulas import ACTIVATIONS

    rows = [
        (
            f"`{family.usage}`",
            family.text,
            SLOPES[family().formula.slope_of] if family().has_slope else "none",
        )
        for family in ACTIVATIONS.values()
    ]
    return table(("activation", "y = f(z)", "slope from"), rows)


def losses() -> str:
    """Return the table of losses."""
    from fuseprop.formulas import LOSSES

    rows = []
    for family in LOSSES.values():
        loss = family()
        outputs = "row" if loss.takes_labels else "mean" if loss.mean else "sum"
        targets = "labels" if loss.takes_labels else interval(loss.low, loss.high)
        rows.append((f"`{family.usage}`", family.text, outputs, loss.link, targets, loss.metric))
    return table(
        ("loss", "of an output y and its target t", "over outputs", "link", "targets", "metric"), rows
    )


def updates() -> str:
    """Return the table of updates; a moment's new value is written with a dash, as m'."""
    from fuseprop.backend.expression import substitute, variable
    from fuseprop.formulas import UPDATES

    rows = []
    for name, formula in UPDATES.items():
        new = {moment: variable(f"{name}'") for name, moment in formula.moments if moment.args}
        parts = [f"{name}' = {moment}" for name, moment in formula.moments]
        rows.append((f"`{name}`", "; ".join([*parts, f"w' = {substitute(formula.parameter, new)}"])))
    return table(("update", "of a weight w with gradient g, at learning rate a"), rows)


def compiled() -> str:
    """Return the table of what runs as a compiled step; tests/native/test_replays.py goes through it."""
    from fuseprop_numpy.compiled.interpreted import MOST_NUMBERS, MOST_REGISTERS

    from fuseprop.backend.expression import OPERATIONS
    from fuseprop.formulas import LOSSES, UPDATES
    from fuseprop.formulas.activation import trainable_activations

    sys.path.insert(0, str(ROOT / "tests" / "native"))
    from kinds_of_steps import KINDS

    def names(all_of) -> str:
        return ", ".join(f"`{name}`" for name in all_of)

    rows = [
        ("dtypes", "float32 and float64", ""),
        ("activations", names(trainable_activations()), ""),
        ("losses", names(family().name for family in LOSSES.values()), ""),
        ("updates", names(UPDATES), "one that moves numbers of 0 whose gradients and moments are 0"),
        (
            "operations of a formula of one's own",
            names(OPERATIONS),
            f"more than {MOST_NUMBERS} numbers, or {MOST_REGISTERS} to remember at a time",
        ),
        ("steps", ", ".join(KINDS), "programs that are no training step, such as layers alone"),
    ]
    return table(("", "compiled", "by calls"), rows)


def interval(low: float, high: float) -> str:
    """Return which targets a loss takes."""
    if (low, high) == (-inf, inf):
        return "all"
    return f"t >= {low:g}" if high == inf else f"t <= {high:g}" if low == -inf else f"{low:g} to {high:g}"


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |" for cells in lines
    )


def kernels() -> str:
    """Return the text of kernels/formulas.cuh."""
    from fuseprop_cupy.formulas import kernel_formulas

    from fuseprop.formulas import ACTIVATIONS, LOSSES, UPDATES

    return kernel_formulas(
        {name: family().formula for name, family in ACTIVATIONS.items()},
        {name: family().formula for name, family in LOSSES.items() if not family().takes_labels},
        UPDATES,
    )


def native() -> str:
    """Return the text of native/formulas.hpp."""
    from fuseprop_numpy.compiled.shapes import header

    return header(native_formulas())


def native_formulas():
    """Return every formula with its name, those of families with two sets of numbers."""
    from fuseprop.formulas import ACTIVATIONS, LOSSES, UPDATES

    families = [*ACTIVATIONS.values(), *(each for each in LOSSES.values() if not each().takes_labels)]
    made = [(family.name, member.formula) for family in families for member in members(family)]
    return [*made, *UPDATES.items()]


def members(family):
    """Return a family's member with its defaults, and one with numbers that stand nowhere else."""
    others = {}
    for i, (name, parameter) in enumerate(family.parameters.items()):
        others[name] = next(
            each
            for each in (0.71 * parameter.default + 0.137 + i / 100, 0.83 * parameter.default)
            if parameter.least <= each < parameter.below and each > parameter.above
        )
    return [family(), family(**others)] if others else [family()]


def public_names() -> str:
    """Return the text of public_names.txt."""
    sys.path.insert(0, str(ROOT / "tests" / "core"))
    from public_names import public_names

    return "".join(f"{line}\n" for line in public_names())


DERIVED: dict[str, Callable[[], str]] = {
    "README.md": readme,
    "backends/README.md": backends,
    "backends/fuseprop_cupy/kernels/formulas.cuh": kernels,
    "backends/fuseprop_numpy/native/formulas.hpp": native,
    "tests/core/public_names.txt": public_names,
}
"""By file, what returns its text."""


def stale() -> dict[Path, str]:
    """Return the files that are not what they should be, and what they should be."""
    found = {}
    for name, text in DERIVED.items():
        made, path = text(), ROOT / name
        if not path.exists() or path.read_text() != made:
            found[path] = made
    return found


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if anything is stale"
    )
    given = parser.parse_args()
    found = stale()
    for path, text in found.items():
        print(f"{path.relative_to(ROOT)} {'is stale' if given.check else 'is written'}.")
        if not given.check:
            path.write_text(text)
    if given.check and found:
        print("Type: python tests/derived.py", file=sys.stderr)
    return int(given.check and bool(found))


if __name__ == "__main__":
    sys.exit(main())
