"""Certificate: what `verify` has found, as plain data in one file, and in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from ..backend.parity import ALLOWED
from ..checks.quoting import counted, printable, shown
from ..checks.settings import as_path
from ..storage.atomic import write_atomically
from .numbers import number
from .steps import AT_ONCE, REPLAY
from .structure import StructureError, check_content
from .words import lines_of

FORMAT = "fuseprop parity certificate 1"


class CertificateError(ValueError):
    """A file that is no certificate, or one that was changed; the text says which."""


class Certificate:
    """What `fuseprop.verify` has found.

    Attributes
    ----------
    content : dict
        All of it, as plain data: "bound", "asked", "verified" and "reference" (backend, device, replay,
        arithmetic, provenance with hashes of kernels, a digest of the package's code), "environment"
        (versions, platform, processor, variables), "networks", and "digest", the SHA-256 of all else.

    Each of the "networks" has "first_beyond", the first tensor beyond the bound or None, and "furthest", each
    with its step and its element ("index", "got", "wanted", "bound"); "tensors", of each how it was computed
    ("how"), its distance by step ("eps_by_step", of which 1000 are allowed) and, in float32, how far the
    verified backend and the reference are from float64; and "free_run". A free run is `Network.fit` on both
    from one start, where training multiplies roundings: it has no verdict.

    Examples
    --------
    >>> from fuseprop import verify
    >>> certificate = verify("cpu", network="3-2", optimizer="momentum", dtype="float32", steps=2)
    >>> certificate.passed, certificate.first_beyond
    (True, None)
    >>> sorted(certificate.networks[0]["free_run"])[:2]
    ['between them', 'epochs']
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content

    @property
    def passed(self) -> bool:
        """Whether every tensor of every step is within the bound, by the distance of each."""
        return all(
            number(eps) <= ALLOWED
            for network in self.networks
            for tensor in network["tensors"]
            for eps in tensor["eps_by_step"]
        )

    @property
    def networks(self) -> Sequence[Mapping[str, Any]]:
        """What was found about each network."""
        return self.content["networks"]  # type: ignore[no-any-return]

    @property
    def first_beyond(self) -> Mapping[str, Any] | None:
        """The first tensor beyond the bound, of the first network that has one: the place to look at."""
        for each in self.networks:
            if each["first_beyond"] is not None:
                return {"network": each["network"], "dtype": each["dtype"], **each["first_beyond"]}
        return None

    @property
    def furthest(self) -> Mapping[str, Any]:
        """The tensor that is furthest from its reference, with the network that has it."""
        found = (
            {"network": each["network"], "dtype": each["dtype"], **each["furthest"]} for each in self.networks
        )
        return max(found, key=lambda each: number(each["eps"]))

    def save(self, path: str | Path) -> None:
        """Write a JSON file, as a whole or not at all. Raises OSError where that fails."""
        write_atomically(as_path(path, "certificate.json"), f"{text_of(self.content)}\n".encode())

    @classmethod
    def load(cls, path: str | Path) -> Certificate:
        """Return the certificate in a file. Raises CertificateError for another file, and for a changed one.

        The digest tells that the file is as it was written, by whomsoever; so its structure is checked too,
        and that its verdict follows from its numbers.
        """
        place = shown(Path(path), None)
        try:
            content = json.loads(Path(path).read_bytes(), parse_constant=_refuse_constant)
            digest = _digest(content) if isinstance(content, dict) else ""
        except (
            ValueError,
            RecursionError,
        ) as error:  # ValueError: of JSON, UTF-8, or of a number of 5000 digits
            raise CertificateError(f"{place} is no certificate of fuseprop verify: it is no JSON.") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            got = content.get("format") if isinstance(content, dict) else type(content).__name__
            raise CertificateError(
                f"{place} is no certificate that this fuseprop reads: expected {FORMAT!r}, got {got!r:.60}."
            )
        if content.get("digest") != digest:
            raise CertificateError(f"{place} was changed after it was written: ask for it again.")
        try:
            check_content(content)
        except RecursionError as error:
            raise CertificateError(f"{place} is no certificate of fuseprop verify: too deep.") from error
        except StructureError as error:
            raise CertificateError(f"{place} is no certificate of fuseprop verify: {error}") from error
        return cls(content)

    def __str__(self) -> str:
        return printable("\n".join([*lines_of(self.content), "", self.verdict]))

    def __repr__(self) -> str:
        return f"<Certificate: {self.verdict.partition('.')[0]}>"

    @property
    def verdict(self) -> str:
        """The verdict in words: what was compared, or what is beyond the bound first."""
        first, bound = self.first_beyond, self.content["bound"]
        if first is not None:
            by = f"{first['how']}, {first['operation']}" if first["operation"] else first["how"]
            where = ", ".join(map(str, first["index"]))
            alone = " Its calls, one after the other, are within it." if first["how"] == REPLAY else ""
            found = f"got {first['got']}, wanted {first['wanted']}"
            if first["how"] == AT_ONCE:
                apart = (
                    f"{found} by one step in a call. On one backend these must be equal bit for bit, "
                    f"however many steps a call takes."
                )
            else:
                within = f"{number(first['bound']):.3g}, {first['eps']} eps apart"
                apart = f"{found} within {within}. The bound is {bound}."
            return (
                f"failed. First beyond the bound, in {first['network']} ({first['dtype']}): step "
                f"{first['step']}, {first['tensor']} (by {by}) at [{where}]: {apart}{alone}"
            )
        furthest = self.furthest
        compared = sum(len(tensor["eps_by_step"]) for each in self.networks for tensor in each["tensors"])
        return (
            f"passed: {counted(len(self.networks), 'network')}, {counted(compared, 'tensor')} compared. The "
            f"furthest is {furthest['eps']} eps from its reference ({furthest['tensor']} in "
            f"{furthest['network']}, {furthest['dtype']}). The bound is {bound}."
        )


def text_of(content: Mapping[str, Any]) -> str:
    """Return a certificate as JSON, a tensor a line."""
    kept: list[str] = []

    def lines(value: Any) -> Any:
        if isinstance(value, list) and value and isinstance(value[0], dict) and "eps_by_step" in value[0]:
            kept.extend(json.dumps(each, allow_nan=False) for each in value)
            return [f"@{i}@" for i in range(len(kept) - len(value), len(kept))]
        if isinstance(value, dict):
            return {name: lines(each) for name, each in value.items()}
        return [lines(each) for each in value] if isinstance(value, list) else value

    text = json.dumps(lines(content), indent=1, allow_nan=False)
    for i, line in enumerate(kept):
        text = text.replace(f'"@{i}@"', line, 1)
    return text


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a certificate with its format and its digest."""
    whole = {"format": FORMAT, **content}
    return {**whole, "digest": _digest(whole)}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _digest(content: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in content.items() if name != "digest"}
    return sha256(json.dumps(rest, sort_keys=True, allow_nan=False).encode()).hexdigest()
