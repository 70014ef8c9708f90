"""What a backend tells `fuseprop doctor` of the machine that it finds itself on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that a backend found out about its surroundings, for ``fuseprop doctor``.

    A package may register a function that returns a list of them under the entry-point group
    ``fuseprop.doctor``, by its backend's name. It must not raise.

    Attributes
    ----------
    what, found : str
        What was looked for, and what is there.
    ok : bool
        Whether that is as it should be for the backend to work.
    fix : str
        What to type where it is not.

    Examples
    --------
    >>> from fuseprop.backend import Finding
    >>> Finding("driver", "not found", ok=False, fix="install the driver")
    Finding(what='driver', found='not found', ok=False, fix='install the driver')
    """

    what: str
    found: str
    ok: bool = True
    fix: str = ""
