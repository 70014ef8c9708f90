"""Shares of files in processes that MPI starts: one start for all cases."""

import random
from pathlib import Path

import pytest
from launching import launched
from test_shares import QUOTED, file_of, numbered

SIZE = 3


def test_processes_share_files(tmp_path):
    files = {f"{seed}.csv": file_of(random.Random(seed)) for seed in (100, 101, 102)}
    files["quoted.csv"] = QUOTED.encode()
    files["numbers.csv"] = ("a,b,c,d\n" + numbered(5000)).encode()
    files["bad.csv"] = ("a,b,c,d\n" + numbered(900) + "1,2\n" + numbered(900)).encode()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    pytest.importorskip("duckdb").sql(
        f"COPY (SELECT i, array_to_string([md5((i * 64 + j)::VARCHAR) FOR j IN range(64)], '') AS t "
        f"FROM range({6 * 2048}) s(i)) TO '{tmp_path}/t.parquet' (ROW_GROUP_SIZE 2048)"
    )
    done = launched(SIZE, Path(__file__).with_name("shares_over_mpi.py"), tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    said = dict(line.split(": ", 1) for line in lines if not line.startswith("bad.csv"))
    assert set(said) == {*files, "t.parquet"} - {"bad.csv"}
    for name, words in said.items():
        assert " True " in words, (name, words)
    # A third of the file, and its end some times, for the schema and the places of row groups.
    assert 0.3 < float(said["t.parquet"].split()[-1]) < 0.5
    assert said["t.parquet"].startswith(str([2 * 2048] * SIZE))
    bad = sorted(line for line in lines if line.startswith("bad.csv"))
    assert len(bad) == SIZE
    assert all("row 901 (line 902): expected 4 cells" in line for line in bad)
