"""What the loss says at the output: the prediction, and what is sent back, such as dL/dz = p - t."""

from __future__ import annotations

import numpy as np

from ...backend import HostArray
from ...backend.expression import Expression, substitute, variable
from ...formulas.activation import as_activation
from ...formulas.loss import SoftmaxCrossEntropy
from ..numbers import Backward, Forward
from .names import figures, formula_at, in_brackets, unit

OUTPUTS = 10
"""So many outputs are written out, those to which the loss sends most."""

LONGEST = 80
"""The most characters of a formula that is written once more with its numbers."""


def start(trace: Backward) -> str:
    """Return where the backward pass begins: "z" of the last layer where it is its output, else "a"."""
    return "z" if trace.layers[-1].function.formula.is_identity else "a"


def targets(trace: Backward) -> HostArray:
    """Return the targets as (n, k); of a class number, 1 for its output and 0 for all others."""
    if trace.target.ndim == 2:
        return trace.target
    return np.eye(trace.prediction.shape[1])[trace.target]


def prediction(trace: Forward, j: int | None = None) -> str:
    """Return what the prediction of output j (from 0) is called; without j, that of any output."""
    letter = {"identity": "a", "exponential": "y"}.get(trace.link, "p")
    if j is None:
        return letter
    return unit(letter, len(trace.layers), j) if trace.link == "identity" else f"{letter}{j + 1}"


def signal(trace: Backward, p: str, t: str, z: str) -> str:
    """Return what the loss of a row sends back to an output, dl/da or dl/dz, as a formula of these."""
    sent: Expression = trace.loss_function.error_signal(trace.prediction.shape[1])
    places = {"p": p, "t": t, "z": z}
    return str(substitute(sent, {variable(name): variable(place) for name, place in places.items()}))


def loss_lines(trace: Backward) -> list[str]:
    """Return the loss of the one row, its predictions, and what it sends back to each output."""
    through = "" if trace.link == "identity" else f" of {trace.link}(z)"
    target = np.ravel(trace.target).tolist()
    lines = [f"loss: {trace.loss_name}{through}, target {target}: L = {figures(trace.loss)}"]
    lines += _formula_of_the_loss(trace)
    last, head = len(trace.layers), f"dL/d{start(trace)}"
    sent = trace.output_gradient[0]
    shown = sorted(np.argsort(-np.abs(sent), kind="stable")[:OUTPUTS].tolist())
    general = signal(trace, prediction(trace), "t", "z")
    if len(general) > LONGEST:
        lines.append(f"  {head} = {general}")
    for j in shown:
        p, t, z = trace.prediction[0, j], targets(trace)[0, j], trace.layers[-1].z[0, j]
        names = signal(trace, prediction(trace, j), f"t{j + 1}", unit("z", last, j))
        numbers = signal(trace, *map(in_brackets, (p, t, z)))
        made = f" = {names} = {numbers}" if len(general) <= LONGEST else ""
        if trace.link != "identity":
            lines.append(f"  {prediction(trace, j)} = {_through_link(trace, j)} = {figures(p)}")
        lines.append(f"  {unit(head, last, j)}{made} = {figures(sent[j])}")
    left = len(sent) - len(shown)
    if left:
        lines.append(f"  and for {left} outputs more, none of which is sent more")
    return lines


def _formula_of_the_loss(trace: Backward) -> list[str]:
    loss, outputs = trace.loss_function, trace.prediction.shape[1]
    if isinstance(loss, SoftmaxCrossEntropy):
        label = int(trace.target[0])
        return [f"  L = {loss.text}; label {label}, counted from 0: t{label + 1} = 1, every other t is 0"]
    if loss.given_text is None:  # of the output before the link: what is sent back says more
        return []
    mean = "mean" if loss.factor(outputs) != 1.0 else "sum"
    over = f"the {mean} over {outputs} outputs of " if outputs > 1 else ""
    named = f", y = a{len(trace.layers)}" if trace.link == "identity" else ""
    return [f"  L = {over}{loss.text}{named}"]


def _through_link(trace: Backward, j: int) -> str:
    last = len(trace.layers)
    z, value = unit("z", last, j), trace.layers[-1].z[0, j]
    if trace.link == "softmax":
        return f"exp({z}) / sum of exp(z{last}.j) over all outputs j"
    text = as_activation(trace.link).text.replace("-z", f"-{in_brackets(value)}")
    return f"{trace.link}({z}) = {formula_at(text, figures(value))}"
