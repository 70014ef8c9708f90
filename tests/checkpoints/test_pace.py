"""How often checkpoints are due, from a text."""

import pytest

from fuseprop import Checkpoint
from fuseprop.checkpoints.pace import Pace, parse_pace


@pytest.mark.parametrize(
    ("every", "unit", "count"),
    [
        ("60 s", "seconds", 60),
        ("0.5s", "seconds", 0.5),
        ("90 seconds", "seconds", 90),
        ("1 sec", "seconds", 1),
        ("5 min", "seconds", 300),
        ("1.5 minutes", "seconds", 90),
        ("2 h", "seconds", 7200),
        ("1 hour", "seconds", 3600),
        (" 100 steps ", "steps", 100),
        ("1 step", "steps", 1),
        ("1 epoch", "epochs", 1),
        ("3epochs", "epochs", 3),
    ],
)
def test_a_pace_is_a_number_and_its_unit(every, unit, count):
    assert parse_pace(every) == Checkpoint("r", every).pace == Pace(unit, count)


@pytest.mark.parametrize(
    ("every", "error", "words"),
    [
        (60, TypeError, 'every must be a text such as "60 s"'),
        (None, TypeError, "every must be a text"),
        ("", ValueError, "a number and its unit"),
        ("60", ValueError, "a number and its unit"),
        ("-1 s", ValueError, "a number and its unit"),
        ("1e3 steps", ValueError, "a number and its unit"),
        ("0 s", ValueError, "more than 0"),
        ("9" * 400 + " s", ValueError, "finite"),
        ("1.5 epochs", ValueError, "a whole number of epochs"),
        ("5 days", ValueError, "the unit 'days', expected s, min, h, steps or epochs"),
        ("5 ss", ValueError, "the unit 'ss'"),
    ],
)
def test_anything_else_is_refused_with_what_is_expected(every, error, words):
    with pytest.raises(error, match=words):
        Checkpoint("r", every)


def test_a_checkpoint_refuses_what_is_no_path_and_no_flag():
    with pytest.raises(TypeError, match="a path such as"):
        Checkpoint(3)
    with pytest.raises(TypeError, match="overwrite must be True or False, got 'yes'"):
        Checkpoint("r", overwrite="yes")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "needs the name of a file"),
        (".", "needs the name of a file"),
        ("a\0b", "needs the name of a file"),
        ("run.previous.safetensors", "the name of the checkpoint before that in run.safetensors"),
    ],
)
def test_what_names_no_file_of_its_own_is_refused(path, said):
    with pytest.raises(ValueError, match=said):
        Checkpoint(path)
