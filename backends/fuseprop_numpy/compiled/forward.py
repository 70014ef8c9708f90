"""A program recognised as a forward pass: what a network answers to rows, their losses and hits.

Each row goes its own way, so that the library takes any number of rows in the places of the program's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from fuseprop.backend import ActivationFormula, HostArray, LossFormula, Program

from .calls import Calls, Found
from .finding import Finder, formula_of, spanned
from .placing import place
from .step import Hits, Layer, UnknownStepError

Role: TypeAlias = Literal["x", "target", "labels", "outputs", "losses", "hits"]

ROLES: Sequence[Role] = ("x", "target", "labels", "outputs", "losses", "hits")
"""What arrays of rows a forward pass has, in the library's order."""


@dataclass(frozen=True)
class ForwardPass:
    """What a forward pass computes; letters as in `fuseprop.backend.protocol`.

    Attributes
    ----------
    layers : sequence of Layer
    values : array
        The flat parameters.
    given : sequence of Role
        The roles of the arrays that each call is given, in their order.
    like : sequence of array
        Those arrays as the program has them.
    link : "softmax" | ActivationFormula, optional
        What the last outputs go through.
    loss : LossFormula, optional
        None for the cross-entropy of exclusive classes, or for no loss.
    factor : float
    hits : Hits, optional
    held : sequence of array
        The layers' own arrays, which must live as long as the flat parameters are used.
    """

    layers: Sequence[Layer]
    values: HostArray
    given: Sequence[Role]
    like: Sequence[HostArray]
    link: Literal["softmax"] | ActivationFormula | None
    loss: LossFormula | None
    factor: float
    hits: Hits | None
    held: Sequence[HostArray]


def recognise_forward(program: Program, arrays: Sequence[HostArray], dtype: np.dtype[Any]) -> ForwardPass:
    """Return what a program is as a forward pass of which `arrays` hold the rows.

    Raises UnknownStepError where it is none, or has rows elsewhere.
    """
    return _Recognition(Calls(program, dtype)).forward_pass(arrays)


class _Recognition(Finder):
    def forward_pass(self, arrays: Sequence[HostArray]) -> ForwardPass:
        calls, parts = self.calls, self.parts
        loss = self.judged()
        linking = self._linking()
        link, before_link = self._link(linking)
        last = self._last(before_link, None if loss is None else loss.logits)
        passed, forward = self.forward(last)
        target = None if loss is None else loss.target
        hits, labels, counting = self.hits(last, target)
        if hits is not None and hits.operation == "threshold_equals" and target is None:
            target = counting[0].arguments["target"]

        roles: dict[Role, HostArray] = {"x": passed[0].x}
        outputs = linking[0].arguments["out"] if linking else last
        n, k = last.shape
        calls.numbers(outputs, (n, k), "the array of predictions")
        if calls.memory(outputs) & ~calls.scratch:
            roles["outputs"] = outputs
        elif linking:
            raise UnknownStepError("predictions are computed that nobody asks for.")
        if target is not None:
            roles["labels" if target.ndim == 1 else "target"] = target
        if labels is not None:
            roles["labels"] = labels
        if loss is not None:
            roles["losses"] = loss.losses
            parts.intermediate("the gradients of outputs", calls.memory(loss.gradient))
        if hits is not None:
            roles["hits"] = hits.out
        for role in ("outputs", "losses", "hits"):
            if role in roles:
                parts.write(f"the {role}", calls.memory(roles[role]))
        for role in ("x", "target", "labels"):
            if role in roles:
                parts.read(f"the {role}", calls.memory(roles[role]))
        for _, _, what, array in self.shown:
            if not ("outputs" in roles and calls.same(roles["outputs"], array)):
                parts.intermediate(what, calls.memory(array))
        own = [array for layer in passed for array in (layer.weights, layer.bias)]
        parts.read("the parameters", calls.memory(*own))
        core = [*forward, *([] if loss is None else [loss.call]), *counting, *linking]
        if calls.left:
            raise UnknownStepError(f"{calls.left[0].operation} is no part of a forward pass.")
        place(calls, core, parts, values=0, gradients=0, moments=0)
        given = [role for each in arrays for role in roles if calls.same(roles[role], each)]
        if len(given) != len(arrays):
            raise UnknownStepError("an array of rows plays no part, or more than one, in a forward pass.")
        missing = [role for role in roles if role not in given]
        if missing:
            raise UnknownStepError(f"the {missing[0]} of a forward pass are no arrays of rows.")
        flat = spanned(own)
        return ForwardPass(
            self.layers(passed, flat),
            flat,
            given,
            arrays,
            link,
            None if loss is None else loss.formula,
            1.0 if loss is None else loss.factor,
            hits,
            own,
        )

    def _linking(self) -> list[Found]:
        """Return the call of the link, if there is one."""
        calls = self.calls
        found = [
            each
            for each in calls.left
            if each.operation == "softmax"
            or (each.operation == "bias_activation" and each.arguments.get("bias") is None)
        ]
        return [calls.take("a link", found)] if found else []

    def _link(
        self, linking: Sequence[Found]
    ) -> tuple[Literal["softmax"] | ActivationFormula | None, HostArray | None]:
        """Return the link and what goes through it."""
        if not linking:
            return None, None
        of = linking[0].arguments
        if linking[0].operation == "softmax":
            return "softmax", of["logits"]
        if of.get("kept") is not None:
            raise UnknownStepError("a link keeps weighted sums.")
        return formula_of(of["activation"], ActivationFormula), of["z"]

    def _last(self, before_link: HostArray | None, logits: HostArray | None) -> HostArray:
        """Return the last layer's outputs."""
        calls = self.calls
        if before_link is not None and logits is not None and not calls.same(logits, before_link):
            raise UnknownStepError("predictions and losses are not of the same outputs.")
        for known in (logits, before_link):
            if known is not None:
                return known
        taken = [each.arguments["a"] for each in calls.left if each.operation == "matmul"]
        outs = [each.arguments["out"] for each in calls.left if each.operation == "bias_activation"]
        last = [out for out in outs if not any(calls.same(out, a) for a in taken)]
        if len(last) != 1:
            raise UnknownStepError(f"a forward pass has {len(last)} last outputs instead of one.")
        found: HostArray = last[0]
        return found
