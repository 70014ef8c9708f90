"""The line to type that brings an extra here: no index has fuseprop, so pip is told where it lies.

What runs from a clone, or was installed from a folder or wheel that is still there, or from a repository on
another machine, is installed from the same place again; of anything else, pip is given what the extra
consists of. Advice stands in the texts of errors and beside results: nothing here raises, however little an
installation says of itself.
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


def how_to_install(extra: str = "", *, again: bool = False) -> str:
    """Return the command that installs fuseprop with an extra, in the environment of this process.

    Parameters
    ----------
    extra : str, optional
        Of pyproject.toml, such as "sklearn", "plots", "cuda12" or "cuda13"; none for fuseprop alone.
    again : bool
        Whether what is there already is to be replaced, for it is broken.

    Looks at the installation each time. What this says of its extras is believed only where there is nothing
    else: what stands for one, or is older than the code, does not know them all.
    """
    about = _distribution()
    brackets = f"[{extra}]" if extra else ""
    words, where = _clone_or_origin(brackets, about), ""
    if not words and about is not None:
        words = _requirements(extra, about.requires or [])
    if not words:
        words, where = ["-e", f".{brackets}"], IN_A_CLONE
    force = ["--force-reinstall"] if again else []
    return where + " ".join([*_pip(), "install", *force, *map(_quoted, words)])


def installed_version() -> str | None:
    """Return the version of fuseprop that is installed here, whichever code runs; None where none is."""
    about = _distribution()
    return None if about is None else about.version


def _distribution() -> Distribution | None:
    from importlib.metadata import distribution  # a third of `import fuseprop`

    try:
        about = distribution(NAME)
        return about if about.version else None
    except Exception:
        # A folder without metadata, which a removal left behind, has no version, or raises: Pythons differ.
        return None


def _clone_or_origin(brackets: str, about: Distribution | None) -> list[str]:
    """Return what pip installed, or could, with the extra added; nothing where that is gone."""
    top = Path(__file__).resolve().parents[2]
    if Path(__file__).resolve().parent.parent.name == "src" and (top / "pyproject.toml").is_file():
        return ["-e", f"{_short(top)}{brackets}"]
    origin = _origin(about)
    url, repository = str(origin.get("url", "")), origin.get("vcs_info")
    if url.startswith("file:"):
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        path = Path(url2pathname(urlsplit(url).path))
        # From the folder of a repository pip need not install, and before 24.1 takes no extra for its URL.
        return [f"{_short(path)}{brackets}"] if path.exists() and not repository else []
    if repository:
        return [f"{NAME}{brackets} @ {repository['vcs']}+{url}@{repository['commit_id']}"]
    return [f"{NAME}{brackets} @ {url}"] if url else []


def _origin(about: Distribution | None) -> dict[str, Any]:
    """Return what pip wrote down of where it found fuseprop; empty where it took it from an index."""
    import json

    try:
        written = json.loads((about and about.read_text("direct_url.json")) or "{}")
    except ValueError:
        return {}
    return written if isinstance(written, dict) else {}


def _requirements(extra: str, required: list[str]) -> list[str]:
    """Return what an extra requires, those that it names of ours included; "" is fuseprop itself."""
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


def _pip() -> list[str]:
    """Return the pip of this environment: by its name alone only where the shell finds that one."""
    from shutil import which

    found = which("pip")
    here = Path(sys.executable).parent
    return ["pip"] if found and Path(found).parent == here else [_quoted(_short(sys.executable)), "-m", "pip"]


def _short(path: str | Path) -> str:
    """Return a path as it is typed from the current folder."""
    try:
        beneath = Path(path).relative_to(Path.cwd())
    except (ValueError, OSError):  # another place, or a current folder that is gone
        return str(path)
    if len(beneath.parts) > 1 or not beneath.parts:
        return str(beneath)
    return f".{os.sep}{beneath}"  # a name alone is looked up elsewhere


def _quoted(word: str) -> str:
    """Return a word as shells take it."""
    if re.fullmatch(r"[\w@%+=:,./-]+", word):
        return word
    if os.name == "nt" or not re.search(r'[$"`\\!]', word):
        return f'"{word}"'
    from shlex import quote

    return quote(word)
