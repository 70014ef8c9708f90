"""The examples in docstrings of public names run as they stand, warnings being errors."""

import doctest
import inspect
import re
import warnings
from importlib import import_module

import pytest
from public_names import MODULES

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def public_objects():
    """Return classes and functions by the first name that users have for them."""
    found = {}
    for module, names in MODULES.items():
        imported = import_module(module)
        for name in [one for entry in names for one in (imported.__all__ if entry == "__all__" else [entry])]:
            value = getattr(imported, name)
            is_ours = (getattr(value, "__module__", None) or "").startswith("fuseprop")
            if is_ours and (inspect.isclass(value) or inspect.isfunction(value)):
                found.setdefault(value, f"{module}.{name}")
    return {name: value for value, name in found.items()}


PUBLIC = public_objects()


def examples(name, value):
    """Return what its docstring shows, and those of its methods."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    module = import_module(value.__module__)
    return [test for test in finder.find(value, name, module=module) if test.examples]


def has_examples(value):
    return re.search(r"^Examples\n-+$", inspect.getdoc(value) or "", re.MULTILINE) is not None


@pytest.mark.parametrize("name", PUBLIC)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FUSEPROP_DEVICE", raising=False)
    runner, said = doctest.DocTestRunner(optionflags=OPTIONS), []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for test in examples(name, PUBLIC[name]):
            runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)


def test_an_example_that_fails_is_seen():
    def wrong():
        """Add.

        Examples
        --------
        >>> 1 + 1
        3
        """

    assert has_examples(wrong)
    (test,) = examples("wrong", wrong)
    assert doctest.DocTestRunner().run(test, out=lambda _: None).failed == 1


def needs_example(value):
    """Errors are raised by what has examples, and protocols are what users write."""
    return not (inspect.isclass(value) and (issubclass(value, BaseException) or is_protocol(value)))


def is_protocol(value):
    return getattr(value, "_is_protocol", False)


def test_every_public_class_and_function_has_an_example():
    assert [name for name, value in PUBLIC.items() if needs_example(value) and not has_examples(value)] == []
