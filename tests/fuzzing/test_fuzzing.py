"""Hundreds of damaged files of each format: no other exception, no warning, no hang, little memory."""

import pytest
from fuzzer import FORMATS, LIMIT_BYTES, WHOLE_EVERY, case, fuzz

CASES = {
    "model": 1000,
    "checkpoint": 500,
    "npz": 1000,
    "csv": 300,
    "gz": 200,
    "jsonl": 1000,
    "parquet": 200,
    "onnx": 600,
}
"""Those of formats that DuckDB reads are fewer: it takes 30 ms to begin."""


@pytest.mark.parametrize("format_", FORMATS)
def test_damaged_files_end_in_one_error_or_an_answer(format_):
    cases = CASES[format_]
    outcome = fuzz(format_, cases)
    assert outcome.findings == []
    assert outcome.cases == cases
    assert outcome.ends["read"] >= cases // WHOLE_EVERY
    assert outcome.ends["refused"] > cases // 2
    assert outcome.peak_bytes < LIMIT_BYTES


@pytest.mark.parametrize("format_", FORMATS)
def test_a_case_is_made_from_its_number_alone(format_):
    seeds = [bytes(range(256)) * 3] if format_ == "csv" else __import__(f"{format_}_cases").seeds()
    made = [case(format_, number, seeds)[0] for number in range(1, 40)]
    assert made == [case(format_, number, seeds)[0] for number in range(1, 40)]
    assert len(set(made)) > 30


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("raise KeyError('oops')", "KeyError"),
        ("import warnings; warnings.warn('oops')", "UserWarning"),
        ("import os; os._exit(3)", "exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGBUS)", "exit code -7"),
        ("while True: pass", "no end within"),
        ("globals()['kept'] = b'1' * 300_000_000", "bytes of memory"),
        ("raise REFUSAL('\\x1b[2J')", "cannot be printed"),
        ("raise REFUSAL('case.csv cannot be read.') from MemoryError()", "memory ran out"),
    ],
)
def test_the_fuzzer_finds_what_it_looks_for(tmp_path, monkeypatch, failure, words):
    (tmp_path / "broken_cases.py").write_text(
        f"SUFFIX, REFUSAL = '.csv', ValueError\n"
        f"seeds = lambda: [b'whole']\n"
        f"make = lambda rng, whole: whole + bytes([rng.randrange(256)])\n"
        f"def check(path, data, *, is_whole):\n"
        f"    if data != b'whole' and data[-1] % 2:\n"
        f"        {failure}\n"
    )
    if words == "no end within":
        monkeypatch.setattr("fuzzer.LIMIT_SECONDS", 2)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    outcome = fuzz("broken", 4, first=1)
    assert outcome.cases == 4
    assert outcome.findings
    assert all(words in finding["what"] for finding in outcome.findings)
    assert outcome.ends["read"] > 0


def test_a_worker_that_takes_long_to_end_is_no_finding(tmp_path, monkeypatch):
    (tmp_path / "slow_cases.py").write_text(
        "import atexit, time\n"
        "SUFFIX, REFUSAL = '.csv', ValueError\n"
        "seeds = lambda: [b'whole']\n"
        "make = lambda rng, whole: whole\n"
        "check = lambda path, data, *, is_whole: None\n"
        "atexit.register(time.sleep, 3)\n"
    )
    monkeypatch.setattr("fuzzer.LIMIT_SECONDS", 2)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    outcome = fuzz("slow", 2)
    assert (outcome.cases, outcome.findings) == (2, [])
