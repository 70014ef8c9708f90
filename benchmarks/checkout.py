"""The code of this checkout for other processes, whether fuseprop is installed, as a wheel or not at all."""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).parents[1]

CODE = [str(path) for path in (ROOT, ROOT / "src", ROOT / "backends", ROOT / "tests" / "cuda")]
"""Where the checkout's packages, and what measures kernels, are imported from."""


TOOLKITS = ("/usr/local/cuda/bin", "/opt/cuda/bin")
"""Where CUDA's tools lie on machines whose PATH does not say so."""


def compute_sanitizer(path: str | None = None) -> str | None:
    """Return where compute-sanitizer is: on this PATH, or in a toolkit beside it."""
    places = [os.environ.get("PATH", "") if path is None else path, *TOOLKITS]
    return shutil.which("compute-sanitizer", path=os.pathsep.join(places))


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which processes import this checkout, and find its backends.

    Backends are found by entry points. Where no installation brings them, `folder` gets what stands for one.
    """
    paths = list(CODE)
    if not any(point.name == "cupy" for point in entry_points(group="fuseprop.backends")):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        stated = re.search(
            r'^__version__ = "(.+)"$', (ROOT / "src/fuseprop/__init__.py").read_text(), re.MULTILINE
        )
        assert stated is not None
        metadata = folder / f"fuseprop-{stated[1]}.dist-info"
        metadata.mkdir(exist_ok=True)
        (metadata / "METADATA").write_text(f"Name: fuseprop\nVersion: {stated[1]}\n")
        lines = []
        for group, points in project["entry-points"].items():
            lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
        (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
        paths.append(str(folder))
    paths += [path for path in [os.environ.get("PYTHONPATH")] if path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
