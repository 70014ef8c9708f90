"""Every command and every program that a page shows runs, word for word: see `page_blocks.py`."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from itertools import groupby
from pathlib import Path

import pytest
from page_blocks import KINDS, ROOT, blocks, everything, pages
from page_given import GIVEN, PRELUDES

from fuseprop.cli import main

BLOCKS = everything()
LONG = [block for block in BLOCKS if block.kind == "long"]
PLAIN = [block for block in BLOCKS if not block.kind]
SECTIONS = [[*found] for _, found in groupby(PLAIN, lambda block: (block.page, block.section))]


def environment(**variables):
    """Of a shell in which this Python and its commands come first, and no setting of fuseprop is made."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("FUSEPROP")}
    path = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent), os.environ["PATH"]]
    return {**clean, "PATH": os.pathsep.join(path), "MPLBACKEND": "agg", **variables}


def run(command, folder, **variables):
    done = subprocess.run(
        command, cwd=folder, env=environment(**variables), capture_output=True, text=True, check=False
    )
    said = f"\n{done.stdout[-1000:]}{done.stderr[-1000:]}"
    assert done.returncode == 0, f"{command} ended with {done.returncode}:{said}"
    return done


def run_block(block, folder):
    """Run a block; one of Python behind what its section is given, and behind the Python above it."""
    if block.language == "sh":
        run(["bash", "-euo", "pipefail", "-c", block.text], folder)
    elif block.language == "python":
        program = folder / "page.py"
        before = program.read_text() if program.exists() else PRELUDES.get((block.page, block.section), "")
        program.write_text(f"{before}\n# {block.name}\n{block.text}")
        run([sys.executable, "-W", "error", program.name], folder)
    else:
        assert block.language == "toml", f"{block.name}: how is {block.language} run? Say so here."
        tomllib.loads(block.text)
        (folder / "settings.toml").write_text(block.text)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda found: f"{found[0].page}-{found[0].section}")
def test_the_blocks_of_a_section_run_one_after_the_other(section, tmp_path):
    first = section[0]
    GIVEN.get((first.page, first.section), lambda folder: None)(tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for block in section:
        run_block(block, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(
    "block", [each for each in BLOCKS if each.kind == "long"], ids=lambda each: each.name
)
def test_blocks_that_take_minutes_run_in_a_fresh_clone(block, tmp_path):
    clone = tmp_path / "clone"
    run(["git", "clone", "--quiet", str(ROOT), str(clone)], tmp_path)
    GIVEN.get((block.page, block.section), lambda folder: None)(clone)
    if "python3 -m venv" not in block.text:
        run([sys.executable, "-m", "venv", ".venv"], clone)
        run([".venv/bin/pip", "install", "--quiet", "-e", ".[test]"], clone)
    path = os.pathsep.join([str(clone / ".venv" / "bin"), os.environ["PATH"]])
    run(["bash", "-euo", "pipefail", "-c", block.text], clone, PATH=path)


def test_what_does_not_run_says_why():
    for block in BLOCKS:
        if block.kind == ".ci/run":  # the test command itself
            assert block.text.rstrip().endswith("pytest -n auto --dist loadfile")
            continue
        assert not block.kind or block.kind in KINDS, f"{block.name}: {block.kind!r} is none of {KINDS}"
        assert bool(block.kind) == bool(block.reason), block.name
        if block.kind == "tested":
            (path,) = re.findall(r"tests/[\w/]+\.py", block.reason)
            assert (ROOT / path).is_file(), f"{block.name}: {path}"
    assert PLAIN
    assert {".ci/run"} == {block.kind for block in BLOCKS if "/" in block.kind}


def test_every_page_is_committed_with_its_blocks():
    """No fence is left out by the way in which blocks are found."""
    for page in pages():
        fences = re.findall(r"^ *```(\w*)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert len(fences) % 2 == 0, page
        languages = [each for each in fences[::2] if each not in ("", "text")]
        assert languages == [block.language for block in blocks(page)], page


def test_what_a_section_is_given_belongs_to_a_section():
    there = {(block.page, block.section) for block in BLOCKS}
    assert set(GIVEN) | set(PRELUDES) <= there


INLINE = re.compile(r"`((?:\.venv/bin/)?fuseprop [a-z][^`\n]*|python -m [\w.]+[^`\n]*)`")
MODULES = ("benchmarks", "fuseprop", "tests")


@pytest.mark.parametrize("page", pages())
def test_commands_within_the_text_are_there(page):
    """Those in backticks: the subcommand, its options, or the module."""
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for command in INLINE.findall(text):
        words = shlex.split(command.partition(" > ")[0])
        if words[0] == "python":
            top, *rest = words[2].split(".")
            assert top in MODULES or shutil.which("python"), command
            path = (ROOT / "src" if top == "fuseprop" else ROOT).joinpath(top, *rest)
            assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), command
            continue
        known = main.commands.get(words[1])
        assert known is not None, command
        options = {name for option in known.params for name in (*option.opts, *option.secondary_opts)}
        for word in words[2:]:
            assert not word.startswith("--") or word.partition("=")[0] in {*options, "--help"}, command
