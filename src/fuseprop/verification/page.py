"""A certificate as a page that stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..showing.html import paragraph
from ..showing.page import facts, folded, page, table
from .certificate import Certificate
from .words import COLUMNS, HEAD, row_of


def page_of(certificate: Certificate) -> str:
    """Return the certificate as HTML: the verdict, the sides, the networks, and each of their tensors."""
    content, first = certificate.content, certificate.first_beyond
    return page(
        f"Parity certificate: {'passed' if certificate.passed else 'failed'}",
        certificate.verdict,
        {
            "First beyond the bound": [] if first is None else [facts(_facts(first))],
            "Networks": [
                table("The furthest tensor of each", HEAD, map(row_of, content["networks"])),
                paragraph(COLUMNS),
            ],
            "Verified": [facts(_facts(content["verified"]))],
            "Reference": [facts(_facts(content["reference"]))],
            "Machine and code": [facts(_facts({**content["environment"], "digest": content["digest"]}))],
            "Tensors": list(map(_tensors, content["networks"])),
        },
    )


def _facts(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is told by name, in one list."""
    found: dict[str, Any] = {}
    for name, value in told.items():
        found |= value if isinstance(value, Mapping) else {name.replace("_", " "): value}
    return [(name, str(value)) for name, value in found.items() if value not in (None, "", [])]


def _tensors(network: Mapping[str, Any]) -> str:
    verdict = "within the bound" if network["first_beyond"] is None else "beyond the bound"
    title = f"{network['network']}, {network['dtype']}: {verdict}"
    columns = ("tensor", "how", "operation", "eps, at most", "at step")
    rows = [
        [each[name] for name in ("tensor", "how", "operation", "eps", "step")] for each in network["tensors"]
    ]
    return folded(title, table(title, columns, rows))
