"""Damage to bytes and to JSON: what mutators of all formats have in common."""

import json
import random
import string
from typing import Any

WORDS = [
    b"\0",
    b"\xff",
    b"\x80",
    b'"',
    b",",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\n",
    b"\r",
    b"\x1b[2J",
    b"nan",
    b"-",
    b"0",
]
SIZES = (
    0,
    1,
    2,
    7,
    8,
    64,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)

DEEP = "<deep>"
"""Stands for lists within lists, thousands deep, which `json.dumps` does not write."""


def damaged(rng: random.Random, data: bytes, most: int = 4) -> bytes:
    """Bytes with one or some changes."""
    for _ in range(rng.randint(1, most)):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 2, 4, 8, 64, 1000)))
        kind = rng.randrange(8)
        if kind <= 1 and data:
            at = min(at, len(data) - 1)
            data = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        elif kind == 2:
            data = data[:at] + rng.randbytes(end - at) + data[end:]
        elif kind == 3:
            data = data[:at] + data[end:]
        elif kind == 4:
            data = data[:at] + data[at:end] * rng.choice((2, 3, 50)) + data[end:]
        elif kind == 5:
            data = data[:at] + rng.choice(WORDS) * rng.choice((1, 1, 5, 500)) + data[at:]
        elif kind == 6:
            number = rng.choice(SIZES)
            width = rng.choice((1, 2, 4, 8))
            packed = (number % (1 << 8 * width)).to_bytes(width, rng.choice(("little", "big")))
            data = data[:at] + packed + data[at + width :]
        else:
            data = data[:at] if rng.random() < 0.5 else data[at:]
    return data


def text(rng: random.Random) -> str:
    """A name or a cell that somebody could have thought of, and some that nobody should."""
    return rng.choice(
        (
            "".join(rng.choices(string.printable, k=rng.randrange(12))),
            "".join(
                chr(rng.choice((rng.randrange(0x110000), rng.randrange(256))))
                for _ in range(rng.randrange(6))
            ),
            "x" * rng.choice((1, 60, 61, 5000, 140_000)),
            rng.choice(("", " ", "nan", "inf", "-0", "1e999", "01", "1_0", "1,5", "=1+1", "\ufeffa", "None")),
            rng.choice(
                ("\x1b[2J", "\u202e", "\ud800", "\0", "\n", "\r\n", '"', "''", "\\", "a\0", "ä", "\U0001f600")
            ),
        )
    )


def value(rng: random.Random) -> Any:
    """Anything that JSON holds, and some that it should not."""
    return rng.choice(
        (
            text(rng),
            rng.choice((True, False, None, [], {}, [[]], {"a": []}, DEEP)),
            rng.choice(
                (0, 1, -1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**30, 10**400, 0.5, -0.0, 1e-320)
            ),
            rng.choice((1e38, 1e39, 1e308, float("nan"), float("inf"), -float("inf"))),
            [value(rng) for _ in range(rng.randrange(3))] if rng.random() < 0.5 else [],
            [rng.choice((0, 1, 3, 2**40, -1))] * rng.choice((1, 2, 3, 65, 1000)),
        )
    )


def dumped(rng: random.Random, tree: Any) -> str:
    """JSON, with what stands for depth in its place, and perhaps a key twice."""
    written = json.dumps(tree, ensure_ascii=rng.random() < 0.5)
    depth = rng.choice((10, 1000, 100_000))
    written = written.replace(json.dumps(DEEP), "[" * depth + "]" * depth)
    if rng.random() < 0.05:
        written = written.replace("{", '{"loss": 1, ', 1)
    return written


def changed(rng: random.Random, tree: Any) -> None:
    """Change a JSON tree in one place."""
    at = tree
    while isinstance(at, dict | list) and at:
        key = rng.choice(list(at)) if isinstance(at, dict) else rng.randrange(len(at))
        below = at[key]
        if isinstance(below, dict | list) and below and rng.random() < 0.8:
            at = below
            continue
        kind = rng.randrange(6)
        if kind == 0:
            del at[key]
        elif kind == 1 and isinstance(at, dict):
            at[text(rng)] = at.pop(key)
        elif kind == 1:
            at.insert(key, below)
        elif kind == 2 and isinstance(below, int | float) and not isinstance(below, bool):
            at[key] = rng.choice((below + 1, -below, below * 2, below * 10**9, min(below, 1e300) / 2))
        elif kind == 3 and isinstance(below, str):
            at[key] = rng.choice((below + text(rng), below[:-1], below.upper(), text(rng)))
        elif kind == 4 and isinstance(at, dict):
            at[key] = at[rng.choice(list(at))]
        else:
            at[key] = value(rng)
        return
