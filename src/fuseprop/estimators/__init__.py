"""MLPClassifier and MLPRegressor: scikit-learn's estimators, trained by fuseprop on any device.

This package holds what scikit-learn does around a network; `fuseprop.training` trains it, as for `Network`.

* **Change the import, keep the code.** Parameters, defaults, attributes and messages are scikit-learn's;
  equal `random_state` gives equal weights, losses and predictions.
* **Host arrays only between two calls.** A fitted estimator holds NumPy arrays: it pickles, clones and loads
  where there is no GPU.
"""

try:
    import sklearn  # noqa: F401
except ImportError as error:
    from ..installing import how_to_install

    raise ImportError(
        "fuseprop.MLPClassifier and fuseprop.MLPRegressor need scikit-learn, which is not installed. "
        f"Type: {how_to_install('sklearn')}."
    ) from error

from .classifier import MLPClassifier
from .conversion import from_sklearn, to_sklearn
from .regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "from_sklearn", "to_sklearn"]
