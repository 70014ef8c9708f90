"""A certificate as a page that stands alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..showing.html import paragraph
from ..showing.page import facts, folded, page, table
from .certificate import Certificate
from .words import COLUMNS, HEAD, row_of


def page_of(certificate: Certificate) -> str:
    """Return the certificate as HTML: the verdict, the sides, the networks, and each of their tensors."""
    content = certificate.content
    return page(
        "Parity certificate",
        certificate.verdict,
        {
            "Verified": [facts(_facts(content["verified"]))],
            "Reference": [facts(_facts(content["reference"]))],
            "Machine and code": [facts(_facts({**content["environment"], "digest": content["digest"]}))],
            "Networks": [
                table("The furthest tensor of each", HEAD, map(row_of, content["networks"])),
                paragraph(COLUMNS),
            ],
            "Tensors": list(map(_tensors, content["networks"])),
        },
    )


def _facts(told: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield names and values, those within others behind their name."""
    for name, value in told.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}: {inner}", each) for inner, each in value.items())
        elif value not in (None, "", []):
            yield name.replace("_", " "), value if isinstance(value, str) else str(value)


def _tensors(network: Mapping[str, Any]) -> str:
    title = f"{network['network']}, {network['dtype']}"
    columns = ("tensor", "how", "operation", "eps, at most", "at step")
    rows = [
        [each[name] for name in ("tensor", "how", "operation", "eps", "step")] for each in network["tensors"]
    ]
    return folded(title, table(title, columns, rows))
