"""Where the modules of a process come from that runs one checkout of fuseprop and is driven by another."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

VARIABLE = "FUSEPROP_BENCHMARKED_CHECKOUT"
"""Names the folder that this process must run, and nothing else of ours."""

PACKAGES = ("fuseprop", "fuseprop_numpy", "fuseprop_cupy")

MEASURING = "fuseprop.benchmarks"
"""What measures, and is not measured: it comes from the folder of this file, as all of `benchmarks` does."""

ROOM = Path(__file__).resolve().parents[1] / "src" / "fuseprop" / "benchmarks"


def checkout() -> Path:
    """Return the folder that this process must run."""
    return Path(os.environ[VARIABLE]).resolve()


def check_origin() -> None:
    """Raise RuntimeError where a module of ours comes from anywhere but the checkout."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in PACKAGES:
            own = ROOM if f"{name}.".startswith(f"{MEASURING}.") else checkout()
            places = _places(module)
            if not places or not all(place.is_relative_to(own) for place in places):
                where = ", ".join(map(str, places)) or "nowhere"
                raise RuntimeError(f"{name} is {where}, which is not in {own}.")


def _places(module: ModuleType) -> list[Path]:
    """Return the file of a module, or the folders of a package that has none."""
    file = getattr(module, "__file__", None)
    paths = [file] if file is not None else list(getattr(module, "__path__", []))
    return [Path(path).resolve() for path in paths]
