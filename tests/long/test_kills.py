"""Ctrl-C, SIGTERM and kill -9 at random moments of the command: ten of each, of the hundred of `kills.py`."""

import pytest
from kills import PHASES, Kills, run


def test_every_moment_leaves_whole_files(tmp_path, forks):
    made = run(10, tmp_path, forks, seed=1, say=lambda text: None)
    assert made["findings"] == []
    assert made["passed"]
    for counts in made["exit codes"].values():
        assert sum(counts.values()) == 10
        assert {key.partition(":")[0] for key in counts} == set(PHASES)


@pytest.mark.parametrize(
    ("name", "code", "said", "file", "words"),
    [
        ("Ctrl-C", 1, "\ninterrupted.\n", None, "exit code 1"),
        ("Ctrl-C", 130, "Traceback\ninterrupted.\n", None, "it said"),
        ("Ctrl-C", 130, "interrupted.\ninterrupted.\n", None, "2 lines"),
        ("Ctrl-C", 130, "", None, "0 lines"),
        ("SIGTERM", 130, "terminated.\n", None, "exit code 130"),
        ("SIGTERM", 143, "interrupted.\n", None, "0 lines"),
        ("kill", -9, "", b"half", "neither the old one nor the new one"),
        ("kill", 0, "", None, "exit code 0"),
    ],
)
def test_the_harness_finds_what_is_wrong(tmp_path, name, code, said, file, words):
    kills = Kills.__new__(Kills)
    kills.old = kills.new = b"whole"
    kills.place, kills.errors = tmp_path / "place", tmp_path / "stderr"
    kills.place.mkdir()
    kills.out = kills.place / "m.safetensors"
    kills.out.write_bytes(file or b"whole")
    kills.errors.write_text(said)
    assert any(words in wrong for wrong in kills._wrong(name, code))
    (kills.place / ".m.safetensors.zzzz.tmp").write_bytes(b"left")
    assert any("the next save leaves ['.m" in wrong for wrong in kills._wrong(name, code))
