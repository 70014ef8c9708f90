"""fuseprop doctor: prints what is installed, which backends work, and the commands that repair the others."""

from __future__ import annotations

import click

from ..backend import Finding
from .examination import examine
from .exit_codes import FAILED
from .output import echo, echo_json
from .processes import world_of_command


@click.command()
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
def doctor(json_: bool) -> None:
    """Look at the installation and try every backend; fail if none works."""
    world = world_of_command()
    examination = examine(world)
    works = bool(world.greatest(int(examination.works)))
    if json_:
        echo_json(examination.as_dict())
    else:
        lines = []
        for title, findings in {**examination.sections, "backends": examination.backends}.items():
            lines += [title, *map(_line, findings)]
        echo("\n".join([*lines, "", examination.verdict]))
    if not works:
        raise click.exceptions.Exit(FAILED)


def _line(finding: Finding) -> str:
    mark = " " if finding.ok else "!"
    fix = f". Type: {finding.fix}" if finding.fix and not finding.ok else ""
    return f"{mark} {finding.what:<18}{finding.found}{fix}"
