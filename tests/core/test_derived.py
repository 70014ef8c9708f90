"""Nothing that is derived from the registries of formulas is stale, and the command that renews it works."""

import derived
import pytest


def test_nothing_is_stale():
    assert [path.name for path in derived.stale()] == [], "type: python tests/derived.py"


def test_what_is_stale_is_said_and_rewritten(tmp_path, monkeypatch, capsys):
    file = tmp_path / "names.txt"
    file.write_text("old\n")
    monkeypatch.setattr(derived, "ROOT", tmp_path)
    monkeypatch.setattr(derived, "DERIVED", {"names.txt": lambda: "new\n", "more.txt": lambda: "more\n"})
    monkeypatch.setattr("sys.argv", ["derived.py", "--check"])
    assert derived.main() == 1
    assert capsys.readouterr().out == "names.txt is stale.\nmore.txt is stale.\n"
    assert file.read_text() == "old\n"
    monkeypatch.setattr("sys.argv", ["derived.py"])
    assert derived.main() == 0
    assert (file.read_text(), (tmp_path / "more.txt").read_text()) == ("new\n", "more\n")
    assert derived.stale() == {}
    monkeypatch.setattr("sys.argv", ["derived.py", "--check"])
    assert derived.main() == 0


def test_a_readme_without_its_marks_is_refused(tmp_path, monkeypatch):
    (tmp_path / "README.md").write_text("no marks\n")
    monkeypatch.setattr(derived, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match="must hold the lines"):
        derived.readme()


def test_the_tables_have_every_formula():
    from fuseprop.formulas import ACTIVATIONS, LOSSES, UPDATES

    for text, names in (
        (derived.activations(), ACTIVATIONS),
        (derived.losses(), LOSSES),
        (derived.updates(), UPDATES),
    ):
        rows = text.splitlines()[2:]
        assert [row.split("`")[1].partition("(")[0] for row in rows] == list(names)
        assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
