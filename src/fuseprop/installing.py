"""The command that installs fuseprop with an extra: no package index has fuseprop, so it names the source.

fuseprop that runs from a clone, or was installed from a folder or wheel that still exists, or from a remote
repository, is installed from the same source again; otherwise the command lists the packages of the extra.
The command is part of error messages and results, so nothing here raises, even if an installation's metadata
are missing or damaged.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import Distribution

NAME = "fuseprop"
IN_A_CLONE = "in a clone of fuseprop, "
"""Precedes the command if the source is not known."""


def how_to_install(extra: str = "", *, again: bool = False) -> str:
    """Return the command that installs fuseprop with an extra, in the environment of this process.

    Parameters
    ----------
    extra : str, optional
        An extra of pyproject.toml, such as "sklearn", "tables", "plots", "cuda12" or "cuda13"; "" for
        fuseprop alone.
    again : bool
        Whether to replace the present installation, because it is broken.

    Examines the installation at each call. The extras in its metadata are used only if its source is not
    known: metadata older than the code may lack an extra.

    Examples
    --------
    >>> from fuseprop.backend import how_to_install
    >>> "plots" in how_to_install("plots")
    True
    """
    installed = _distribution()
    brackets = f"[{extra}]" if extra else ""
    packages, where = _from_source(brackets, installed), ""
    if not packages and installed is not None:
        packages = _requirements(extra, installed.requires or [])
    if not packages:
        packages, where = ["-e", f".{brackets}"], IN_A_CLONE
    force = ["--force-reinstall"] if again else []
    return where + _install(*force, *packages)


def how_to_install_package(name: str) -> str:
    """Return the command that installs a package of others, in the environment of this process."""
    return _install(name)


def installed_version() -> str | None:
    """Return the version of the installed fuseprop, which may not be the one that runs; None without one."""
    installed = _distribution()
    return None if installed is None else installed.version


def _distribution() -> Distribution | None:
    """Return the metadata of the installed fuseprop; None if they are missing or damaged."""
    from importlib.metadata import distribution  # takes a third of the time of `import fuseprop`

    try:
        installed = distribution(NAME)
        return installed if installed.version else None
    except Exception:
        # A metadata folder that an uninstallation left empty has no version or raises, depending on Python.
        return None


def _from_source(brackets: str, installed: Distribution | None) -> list[str]:
    """Return pip's arguments for the running clone or the installation's source; empty if neither exists."""
    top = Path(__file__).resolve().parents[2]
    if Path(__file__).resolve().parent.parent.name == "src" and (top / "pyproject.toml").is_file():
        return ["-e", f"{_short(top)}{brackets}"]
    origin = _origin(installed)
    url, repository = str(origin.get("url", "")), origin.get("vcs_info")
    if url.startswith("file:"):
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        path = Path(url2pathname(urlsplit(url).path))
        # A local repository is left out: pip may be unable to install its folder, and before 24.1 takes no
        # extra for its URL.
        return [f"{_short(path)}{brackets}"] if path.exists() and not repository else []
    if repository:
        return [f"{NAME}{brackets} @ {repository['vcs']}+{url}@{repository['commit_id']}"]
    return [f"{NAME}{brackets} @ {url}"] if url else []


def _origin(installed: Distribution | None) -> dict[str, Any]:
    """Return the content of pip's direct_url.json; empty without one, as after an installation by name."""
    import json

    try:
        content = json.loads((installed and installed.read_text("direct_url.json")) or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _requirements(extra: str, required: list[str]) -> list[str]:
    """Return the packages that an extra requires, also by naming other extras; "" is fuseprop itself."""
    found: list[str] = []
    for line in required:
        requirement, _, marker = line.partition(";")
        named = re.search(r"""extra == ['"]([^'"]+)['"]""", marker)
        if (named[1] if named else "") != extra:
            continue
        own = re.fullmatch(rf"{NAME}\[([^\]]+)\]", requirement.replace(" ", ""))
        for part in own[1].split(",") if own else ():
            found += _requirements(part, required)
        if not own:
            found.append(requirement.strip())
    return list(dict.fromkeys(found))


def _install(*words: str) -> str:
    return " ".join([*_installer(), *map(_quoted, words)])


def _installer() -> list[str]:
    """Return what installs into this environment: its ``pip``, by that name if the shell finds it so.

    Where the environment has no pip, as those that uv makes, it is uv if there is one; else Python's own copy
    of pip is installed first.
    """
    from importlib.util import find_spec
    from shutil import which

    found, here = which("pip"), Path(sys.executable).parent
    if found and Path(found).parent == here:
        return ["pip", "install"]
    python = _quoted(_short(sys.executable))
    if find_spec("pip"):
        return [python, "-m", "pip", "install"]
    if which("uv"):
        return ["uv", "pip", "install", "--python", python]
    return [python, "-m", "ensurepip", "&&", python, "-m", "pip", "install"]


def _short(path: str | Path) -> str:
    """Return a path relative to the current folder if it is inside, otherwise unchanged."""
    try:
        relative = Path(path).relative_to(Path.cwd())
    except (ValueError, OSError):  # not inside, or the current folder has been removed
        return str(path)
    if len(relative.parts) > 1 or not relative.parts:
        return str(relative)
    return f".{os.sep}{relative}"  # without it, pip takes a name for a package, and the shell for a command


def _quoted(word: str) -> str:
    """Return a word quoted for the shell where that is needed."""
    if re.fullmatch(r"[\w@%+=:,./-]+", word):
        return word
    if os.name == "nt" or not re.search(r'[$"`\\!]', word):
        return f'"{word}"'
    from shlex import quote

    return quote(word)
