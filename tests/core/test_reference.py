"""The pages of the reference: every public name is on them, and nothing on them comes from elsewhere."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import pytest
from public_names import MODULES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    pytest.importorskip("pdoc", reason='makes the pages: pip install -e ".[docs]"')
    folder = tmp_path_factory.mktemp("api")
    command = [sys.executable, ROOT / "tests" / "reference.py", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def listed(module):
    """The names that `from module import *` gives, those that are made when they are asked for too."""
    imported = import_module(module)
    names = getattr(imported, "__all__", MODULES[module])
    return [name for name in names if not isinstance(getattr(imported, name), TypeVar)]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_on_its_page(pages, module):
    page = (pages / f"{module.replace('.', '/')}.html").read_text(encoding="utf-8")
    missing = [name for name in listed(module) if f'<section id="{name}">' not in page]
    assert not missing


def test_pages_take_nothing_from_elsewhere(pages):
    for path in pages.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|img|link)[^>]*(?:src|href)="([^"]*)"', path.read_text(encoding="utf-8")
        )
        assert not [place for place in loaded if "//" in place and not place.startswith("data:")], path


def test_sections_and_tables_are_rendered(pages):
    page = (pages / "fuseprop.html").read_text(encoding="utf-8")
    assert '<h6 id="parameters' in page
    assert "<strong>Raises" not in page, "a sentence is taken for a parameter"
    assert "-----" not in re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL)
