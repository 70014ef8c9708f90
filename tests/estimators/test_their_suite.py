"""scikit-learn's own tests of its MLP, as installed, run on these estimators: only the import differs.

Each test of `sklearn.neural_network.tests.test_mlp` becomes one here, with its parameters.
"""

import importlib.util
import re
from pathlib import Path

import pytest
import sklearn

import fuseprop

SPEC = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
LEFT_OUT = {
    "test_gradient": "calls `_loss_grad_lbfgs`, a private method with scikit-learn's own work arrays; "
    "gradients are checked by tests/core/test_gradients.py",
}


def load_their_tests():
    text = Path(SPEC.origin).read_text(encoding="utf-8")
    swapped, count = re.subn(
        r"from sklearn\.neural_network import MLPClassifier, MLPRegressor",
        "from fuseprop import MLPClassifier, MLPRegressor",
        text,
    )
    assert count == 1, "the import of the estimators is no longer where it was"
    names = {"__name__": "their_tests", "__file__": SPEC.origin}
    exec(compile(swapped, SPEC.origin, "exec"), names)
    assert names["MLPClassifier"] is fuseprop.MLPClassifier
    return {name: value for name, value in names.items() if name.startswith("test_")}


if SPEC is None:
    pytest.skip(
        f"scikit-learn {sklearn.__version__} was installed without its tests", allow_module_level=True
    )

THEIRS = load_their_tests()
globals().update({name: test for name, test in THEIRS.items() if name not in LEFT_OUT})
assert set(LEFT_OUT) <= set(THEIRS), "a test that was left out is gone: so should its entry be"

# Theirs run without warnings being errors.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def global_random_seed():
    """Their conftest gives it; one seed is enough here."""
    return 42
