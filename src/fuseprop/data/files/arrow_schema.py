"""The schema of Arrow that writers of Parquet keep in a file, by which spans of time are told from numbers.

Parquet stores both as whole numbers, and knows no type for the former. The schema is a FlatBuffer, as in
https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc.
"""

from __future__ import annotations

import base64
import struct

KEY = "ARROW:schema"
"""The key of the file's metadata under which it stands, in base 64."""

CONTINUES = b"\xff\xff\xff\xff"
DURATION = 18
"""The number of the type in Schema.fbs."""

_HEADER, _FIELDS, _TYPE = 2, 1, 2
"""The places of a message's header, a schema's fields, and the type of a field, in their tables."""


def spans_in(encoded: bytes) -> tuple[int, ...]:
    """Return the positions of the columns that are spans of time; none for what is no schema."""
    try:
        data = base64.b64decode(encoded)
        start = 8 if data.startswith(CONTINUES) else 4
        schema = _target(data, _member(data, _target(data, start), _HEADER))
        fields = _target(data, _member(data, schema, _FIELDS))
        (count,) = struct.unpack_from("<I", data, fields)
        if count > len(data):
            return ()
        tables = [_target(data, fields + 4 + 4 * i) for i in range(count)]
        return tuple(i for i, table in enumerate(tables) if data[_member(data, table, _TYPE)] == DURATION)
    except (ValueError, LookupError, struct.error):
        return ()


def _target(data: bytes, position: int) -> int:
    """Return where the offset at a position leads."""
    (offset,) = struct.unpack_from("<I", data, position)
    return position + int(offset)


def _member(data: bytes, table: int, place: int) -> int:
    """Return the position of a table's member. Raises LookupError where it has none there."""
    (back,) = struct.unpack_from("<i", data, table)
    (size,) = struct.unpack_from("<H", data, table - back)
    (offset,) = struct.unpack_from("<H", data, table - back + 4 + 2 * place)
    if 4 + 2 * place >= size or not offset:
        raise LookupError(place)
    return table + int(offset)
