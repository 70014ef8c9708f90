"""Several processes that share a file: their rows, one behind the other, are those that one process reads."""

import random

import numpy as np
import pytest
from threads import in_threads, outcomes

from fuseprop.data import DataError, load_table
from fuseprop.data.cells import Booleans, Dates, Numbers, Texts
from fuseprop.data.files import open_source
from fuseprop.world import Elsewhere

PROCESSES = (1, 2, 3, 4)


def listed(cells, first=0):
    """Return a column as a list; what is no number among numbers as its text, if that is kept."""
    match cells:
        case Texts():
            return [None if code < 0 else cells.texts[code] for code in cells.codes.tolist()]
        case Dates():
            values = cells.days
        case _:
            values = cells.values
    others = cells.others if isinstance(cells, Numbers) else {}
    return [others.get(row, repr(value)) for row, value in enumerate(values.tolist())]


def read(paths, world=None, as_text=()):
    """Return what a process finds: kinds and cells by column, rows, the first row's number, notes."""
    source = open_source(paths) if world is None else open_source(paths, world=world)
    cells = source.cells(source.names, as_text=as_text)
    kinds = {name: type(column) for name, column in cells.items()}
    counts = {name: column.count for name, column in cells.items() if isinstance(column, Numbers)}
    columns = {name: listed(column) for name, column in cells.items()}
    assert all(len(column) == source.rows for column in columns.values())
    assert source.world.size == (1 if world is None else world.size)
    return kinds, columns, counts, source.rows, source.first, source.notes, source.index_like


def places(paths, rows, world=None):
    source = open_source(paths) if world is None else open_source(paths, world=world)
    source.cells(source.names)
    return [source.place(row) for row in rows]


def check(paths, processes=PROCESSES, as_text=()):
    """Put the shares together and compare them with the whole; return the rows of each by processes."""
    try:
        kinds, columns, counts, rows, _, notes, index = read(paths, None, as_text)
    except DataError as error:
        for size in processes:
            check_refused(paths, size, str(error))
        return None
    found = {}
    for size in processes:
        shares = in_threads(size, lambda world: read(paths, world, as_text))
        assert [share[0] for share in shares] == [kinds] * size
        assert [share[5] for share in shares] == [notes] * size
        assert [share[6] for share in shares] == [index] * size
        for name, column in columns.items():
            joined = [cell for share in shares for cell in share[1][name]]
            # Only some texts among numbers are kept.
            if counts.get(name, 0) <= 100:
                assert joined == column
        assert {name: sum(share[2][name] for share in shares) for name in counts} == counts
        assert [share[4] for share in shares] == [
            sum(share[3] for share in shares[:rank]) for rank in range(size)
        ]
        assert sum(share[3] for share in shares) == rows
        found[size] = [share[3] for share in shares]
    wanted = sorted({0, rows // 2, rows - 1})
    for size in processes:
        said = in_threads(size, lambda world: places(paths, wanted, world))
        assert said == [places(paths, wanted)] * size
    return found


def check_refused(paths, size, message):
    """All processes refuse a file; one shows the message of a single process."""
    raised = outcomes(size, lambda world: read(paths, world))
    assert all(isinstance(error, DataError | Elsewhere) for error in raised), raised
    own = {str(error) for error in raised if isinstance(error, DataError)}
    assert message in own, (message, own)


def cell(rng, delimiter):
    """A cell of a hostile file that can be read."""
    kind = rng.random()
    if kind < 0.4:
        return rng.choice(("1", "-2.5", "1e3", "", "NA", "007", " 7"))
    if kind < 0.6:
        return rng.choice(("x", "yé", "2020-01-02", "a'b", "5x"))
    inside = "".join(
        rng.choice((delimiter, "\n", '""', "a", "\n\n", " ", "é", "#")) for _ in range(rng.randrange(5))
    )
    return f'"{inside}"'


def file_of(rng):
    """The bytes of a generated file, in any dialect."""
    delimiter = rng.choice((",", ",", ";", "\t", "|"))
    width = rng.choice((1, 2, 2, 3, 5))
    end = rng.choice(("\n", "\n", "\r\n", "\r"))
    rows = rng.choice((1, 2, 3, 7, 30))
    lines = [delimiter.join(f"name{i}" for i in range(width))]
    if rng.random() < 0.2:
        lines[:0] = ['# a comment, with a " in it'] * rng.randrange(3)
    kinds = [rng.random() < 0.5 for _ in range(width)]
    for row in range(rows):
        cells = [str(row * 1.5) if plain else cell(rng, delimiter) for plain in kinds]
        lines.append(delimiter.join(cells))
        if rng.random() < 0.1:
            lines.append("")
    text = end.join(lines) + end * rng.choice((0, 1, 1, 3))
    encoding = rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"))
    return text.encode(encoding)


@pytest.mark.parametrize("seed", range(60))
def test_any_file_is_read_as_by_one_process(tmp_path, seed):
    path = tmp_path / "t.csv"
    path.write_bytes(file_of(random.Random(seed)))
    check(path, (2, 3, 4))


QUOTED = 'a,b\n1,"x\ny"\n2,"""\n,"\n3,"\n\n\n"\n4,5" of z\n5, "\n"\n6,"u"\n7,\n'


def test_a_cut_anywhere_is_at_a_row(tmp_path):
    path = tmp_path / "t.csv"
    rows = set()
    for more in range(60):  # a longer comment moves all cuts
        path.write_text(f"{QUOTED}{'8,v' * 1}{'w' * more}\n")
        rows.update(tuple(shares) for shares in check(path, (2, 3)).values())
    assert len(rows) > 6
