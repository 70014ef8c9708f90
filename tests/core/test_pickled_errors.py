"""Errors and warnings go whole from one process to another, as joblib's and MPI's do, and as `copy` does."""

import copy
import copyreg
import importlib
import pickle
import pkgutil

import pytest

import fuseprop
from fuseprop.backend import OutOfMemory
from fuseprop.callbacks.history import History


def room():
    return 7


ARGUMENTS = {
    "BadRow": (3, "a quote in it is never closed"),
    "BatchTooLarge": ("no room", OutOfMemory("no room", 99, room), 16),
    "DivergenceError": ("the loss is nan", History("r2"), 2, None, 1),
    "Elsewhere": (1, 2, "ValueError: no"),
    "Misread": (0, 3, "a quote in it is never closed"),
    "OutOfMemory": ("no room", 99, room),
}
"""What those are made of that take more than a text."""


LEFT_OUT = ("fuseprop.testing", "fuseprop.estimators", "fuseprop.__main__", "fuseprop.benchmarks.")
"""Modules that need pytest, scikit-learn or other libraries, or run."""


def raised():
    """Every class of ours that can be raised or warned with."""
    names = [
        found.name
        for found in pkgutil.walk_packages(fuseprop.__path__, "fuseprop.")
        if not found.name.startswith(LEFT_OUT)
    ]
    modules = [importlib.import_module(name) for name in names]
    return sorted(
        {
            member
            for module in modules
            for member in vars(module).values()
            if isinstance(member, type)
            and issubclass(member, BaseException)
            and member.__module__.startswith("fuseprop.")
        },
        key=lambda kind: kind.__name__,
    )


def told(value):
    """The same for equal attributes: histories compare by identity."""
    return vars(value) if isinstance(value, History) else value


@pytest.mark.parametrize("kind", raised(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("again", [*range(pickle.HIGHEST_PROTOCOL + 1), "copied"])
def test_an_error_arrives_as_it_was(kind, again, monkeypatch):
    # Where Dask is imported, tblib pickles exceptions in a way of its own.
    monkeypatch.delitem(copyreg.dispatch_table, kind, raising=False)
    error = kind(*ARGUMENTS.get(kind.__name__, ("what is wrong",)))
    error.add_note("where")
    other = copy.copy(error) if again == "copied" else pickle.loads(pickle.dumps(error, again))
    assert type(other) is kind
    assert (str(other), repr(other), other.args) == (str(error), repr(error), error.args)
    before, after = ({name: told(value) for name, value in vars(each).items()} for each in (error, other))
    if "room" in before:
        assert before.pop("room")() == 7
        assert after.pop("room")() == 0  # the device is not this process's
    assert after == before
    assert other.__notes__ == ["where"]
