"""Classes: from a classifier's y to targets, and from probabilities back to classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sparse
from sklearn.utils.multiclass import type_of_target, unique_labels

from ..backend import INTEGER, HostArray
from ..layers.targets import Targets
from .plain import of_several_kinds

Kind = Literal["binary", "multiclass", "multilabel-indicator"]


@dataclass(frozen=True)
class Labels:
    """The classes, and how the network's outputs stand for them.

    Attributes
    ----------
    classes : (c,)
        Sorted; 0 to c - 1 for c labels that do not exclude each other.
    kind : "binary" | "multiclass" | "multilabel-indicator"
        One output for two classes (or one), an output a class for more, and for each label.
    sparse : bool
        Whether y was a sparse indicator matrix; decisions are one too then.
    """

    classes: HostArray
    kind: Kind
    sparse: bool = False

    @classmethod
    def of(cls, y: Any) -> Labels:
        """Return the classes in y.

        Raises ValueError for y that is neither classes nor labels, TypeError for classes without an order.
        """
        try:
            kind = type_of_target(y, input_name="y")
            if "multioutput" in kind:
                raise ValueError("Multioutput target data is not supported with label binarization")
            return cls(unique_labels(y), kind, sparse.issparse(y))
        except TypeError as error:
            if "not supported between" not in str(error):
                raise
            raise of_several_kinds("y", y) from error

    @property
    def outputs(self) -> int:
        """How many outputs the network has."""
        return 1 if self.kind == "binary" else len(self.classes)

    @property
    def out_activation(self) -> str:
        """The output activation, by scikit-learn's names."""
        return "softmax" if self.kind == "multiclass" else "logistic"

    @property
    def loss(self) -> str:
        """The name of the cross-entropy that goes with it."""
        return "softmax_cross_entropy" if self.kind == "multiclass" else "sigmoid_cross_entropy"

    def encode(self, y: Any) -> Targets:
        """Return targets for y, which holds known classes only: labels (n,), or 0 and 1 (n, outputs).

        Raises ValueError for classes where there were labels, labels where there were classes, and another
        number of labels.
        """
        shape = (len(self.classes),) if self.kind == "multilabel-indicator" else ()
        if np.shape(y)[1:] != shape and not (sparse.issparse(y) and y.shape[1:] == shape):
            raise ValueError(
                f"y has shape {y.shape} here, but this classifier learned from y of shape "
                f"{('n', *shape)}".replace("'", "")
                + ". Give y in that form, or fit a new classifier."
            )
        if self.kind == "multilabel-indicator":
            dense = y.toarray() if sparse.issparse(y) else np.asarray(y)
            return Targets(dense.astype(np.bool_), None)
        if self.kind == "binary":
            return Targets((np.asarray(y) == self.classes[-1]).reshape(-1, 1) & (len(self.classes) > 1), None)
        labels = np.searchsorted(self.classes, y).astype(INTEGER, copy=False)
        return Targets(labels, labels)

    def decide(self, probabilities: HostArray) -> Any:
        """Return classes (n,), or 0 and 1 for each label, from probabilities (n, outputs)."""
        if self.kind == "multiclass":
            return self.classes.take(probabilities.argmax(axis=1))
        positive = probabilities > 0.5
        if self.kind == "binary":
            return self.classes.take(np.minimum(positive[:, 0], len(self.classes) - 1))
        decided = positive.astype(int)
        return sparse.csr_array(decided) if self.sparse else decided
