"""The examples in docstrings of public names run as they stand, warnings being errors, and leave no file."""

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
    assert not list(tmp_path.iterdir()), "an example leaves files"


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


def test_names_without_examples_become_fewer():
    """A name leaves the list as soon as it has an example; none is added."""
    assert {name for name, value in PUBLIC.items() if not has_examples(value)} == WITHOUT


WITHOUT: set[str] = {
    "fuseprop.Activation",
    "fuseprop.Adam",
    "fuseprop.Array",
    "fuseprop.Backend",
    "fuseprop.BackendUnavailable",
    "fuseprop.Checkpoint",
    "fuseprop.CheckpointError",
    "fuseprop.CrossValidation",
    "fuseprop.Dense",
    "fuseprop.DivergenceError",
    "fuseprop.EarlyStopping",
    "fuseprop.History",
    "fuseprop.Loss",
    "fuseprop.MLPClassifier",
    "fuseprop.MLPRegressor",
    "fuseprop.Model",
    "fuseprop.ModelFileError",
    "fuseprop.MomentumSGD",
    "fuseprop.Network",
    "fuseprop.NotSeparable",
    "fuseprop.Perceptron",
    "fuseprop.Table",
    "fuseprop.Trace",
    "fuseprop.Tuning",
    "fuseprop.UnlikeTrainingWarning",
    "fuseprop.World",
    "fuseprop.available_backends",
    "fuseprop.backend.Access",
    "fuseprop.backend.ActivationFormula",
    "fuseprop.backend.BackendForProcesses",
    "fuseprop.backend.Call",
    "fuseprop.backend.Dialect",
    "fuseprop.backend.Expression",
    "fuseprop.backend.Finding",
    "fuseprop.backend.LossFormula",
    "fuseprop.backend.Memory",
    "fuseprop.backend.OutOfMemory",
    "fuseprop.backend.Processes",
    "fuseprop.backend.Program",
    "fuseprop.backend.Span",
    "fuseprop.backend.UpdateFormula",
    "fuseprop.backend.evaluate",
    "fuseprop.backend.how_to_install",
    "fuseprop.backend.in_order",
    "fuseprop.backend.number",
    "fuseprop.backend.overlaps",
    "fuseprop.backend.replay_by_calling",
    "fuseprop.backend.span",
    "fuseprop.backend.statements",
    "fuseprop.backend.substitute",
    "fuseprop.backend.touches",
    "fuseprop.backend.variable",
    "fuseprop.backend.variables",
    "fuseprop.callbacks.BatchCallback",
    "fuseprop.callbacks.Callback",
    "fuseprop.callbacks.HistoryCSV",
    "fuseprop.callbacks.LearningRate",
    "fuseprop.callbacks.OnEpochEnd",
    "fuseprop.callbacks.ResumableCallback",
    "fuseprop.callbacks.SaveBest",
    "fuseprop.callbacks.StoppingCallback",
    "fuseprop.callbacks.Together",
    "fuseprop.callbacks.check_callbacks",
    "fuseprop.cross_validate",
    "fuseprop.data.DataError",
    "fuseprop.data.is_file_name",
    "fuseprop.data.read_npz",
    "fuseprop.data.suggestions_for",
    "fuseprop.formulas.Family",
    "fuseprop.formulas.as_activation",
    "fuseprop.formulas.as_loss",
    "fuseprop.formulas.cos",
    "fuseprop.formulas.equal",
    "fuseprop.formulas.exp",
    "fuseprop.formulas.expm1",
    "fuseprop.formulas.log",
    "fuseprop.formulas.log1p",
    "fuseprop.formulas.maximum",
    "fuseprop.formulas.minimum",
    "fuseprop.formulas.sign",
    "fuseprop.formulas.sin",
    "fuseprop.formulas.sqrt",
    "fuseprop.formulas.tiny",
    "fuseprop.formulas.where",
    "fuseprop.from_sklearn",
    "fuseprop.gradcheck",
    "fuseprop.inspection.Backward",
    "fuseprop.inspection.Forward",
    "fuseprop.inspection.LayerPass",
    "fuseprop.inspection.LayerTrace",
    "fuseprop.inspection.forward_pass",
    "fuseprop.inspection.trace_pass",
    "fuseprop.learn.Result",
    "fuseprop.learn.Topic",
    "fuseprop.load",
    "fuseprop.load_backend",
    "fuseprop.load_table",
    "fuseprop.metrics.Confusion",
    "fuseprop.metrics.Metric",
    "fuseprop.metrics.Scores",
    "fuseprop.metrics.accuracy",
    "fuseprop.metrics.balanced_accuracy",
    "fuseprop.metrics.check_metric",
    "fuseprop.metrics.confusion_matrix",
    "fuseprop.metrics.f1",
    "fuseprop.metrics.log_loss",
    "fuseprop.metrics.mae",
    "fuseprop.metrics.make_metric",
    "fuseprop.metrics.metric_of_values",
    "fuseprop.metrics.r2",
    "fuseprop.metrics.rmse",
    "fuseprop.metrics.roc_auc",
    "fuseprop.metrics.weighted_mean",
    "fuseprop.mlp",
    "fuseprop.optimizers.Optimizer",
    "fuseprop.optimizers.check_optimizer",
    "fuseprop.plots.Arrow",
    "fuseprop.plots.Bars",
    "fuseprop.plots.Curve",
    "fuseprop.plots.Diagram",
    "fuseprop.plots.Draft",
    "fuseprop.plots.Figure",
    "fuseprop.plots.Film",
    "fuseprop.plots.Images",
    "fuseprop.plots.Landscape",
    "fuseprop.plots.Matrix",
    "fuseprop.plots.Panel",
    "fuseprop.plots.PlotsUnavailable",
    "fuseprop.plots.Regions",
    "fuseprop.plots.check_plot",
    "fuseprop.plots.draw_figure",
    "fuseprop.plots.importance_figure",
    "fuseprop.plots.lay_out",
    "fuseprop.plots.save_figure",
    "fuseprop.plots.save_film",
    "fuseprop.plots.training_figure",
    "fuseprop.schedules.Constant",
    "fuseprop.schedules.Cosine",
    "fuseprop.schedules.Exponential",
    "fuseprop.schedules.InverseScaling",
    "fuseprop.schedules.Step",
    "fuseprop.schedules.WarmUp",
    "fuseprop.schedules.over_epochs",
    "fuseprop.testing.BackendContract",
    "fuseprop.testing.assert_parity",
    "fuseprop.to_sklearn",
    "fuseprop.train",
    "fuseprop.tune",
    "fuseprop_cupy.CupyBackend",
    "fuseprop_numpy.NumpyBackend",
}
"""Public classes and functions that show no example yet: this ends empty."""
