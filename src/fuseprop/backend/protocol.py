"""The contract between networks and arrays: everything that a backend must do, and nothing else.

What this interface is made to meet:

* **Written once.** Layers, losses, optimizers and the training loop call only what stands here, and use
  of an array only what `Array` shows. A backend never learns what a layer is.
* **A training step allocates nothing.** Outside "memory" every method writes into arrays that the caller
  owns, so this can be read off the signatures.
* **A training step can be recorded.** It is a fixed sequence of calls on fixed arrays; its position in the
  epoch is an array (`cursor`) that the backend advances, so that a step needs nothing from the caller but
  "again".
* **One dtype per backend object.** Values, gradients and losses have `Backend.dtype`; labels, orders and
  cursors are int64. Python numbers are cast by the backend before they meet an array.
* **What a step touches is declared.** `accesses` names the parameters that an operation reads and those that
  it writes, so that a backend can tell which calls may be joined, reordered or run side by side.
* **Formulas, not names.** Activations, elementwise losses and updates are handed over as expressions. A
  backend makes of them what is fast on its device, once, or computes them by `evaluate`: a new formula needs
  no new method.
* **NaN goes through.** Where an element of an input is NaN, so is every element of the results that is
  computed from it, forward and backward, but for what dropout drops, and for `argmax_equals` and
  `threshold_equals`, which answer 1 or 0. Infinities follow the arithmetic of IEEE 754, operation by
  operation as the formula has them.
* **No hidden transfer.** Arrays enter by `from_host` and `share` and leave by `to_host`, and nowhere else.

Letters in the shapes: n rows of a batch, d inputs and m outputs of a layer, k outputs of the network,
N samples, P elements of a network's flat parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from .array import A, Array, HostArray, Shape
from .formula import ActivationFormula, LossFormula, UpdateFormula
from .program import Program, Runner, accesses

if TYPE_CHECKING:
    from ..world.processes import Processes


class Backend(Protocol[A]):
    """The arrays of one library on one device, and the arithmetic that networks need.

    A backend class is constructed as ``cls(dtype="float32" | "float64", device="cpu" | "cuda:0" | ...)``
    and raises `BackendUnavailable` where it cannot run. Every array argument is contiguous (but for the
    ``.T`` views that `matmul` takes) and belongs to this backend. Unless a method says so, ``out`` must not
    overlap an input; "may be" names the exceptions.
    """

    @property
    def name(self) -> str:
        """The name of its entry point, such as "numpy"."""

    @property
    def device(self) -> str:
        """The device that it computes on, such as "cpu" or "cuda:0"."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""

    # Memory: the only allocations and the only transfers.

    def empty(self, shape: Shape, dtype: np.dtype[Any] | None = None) -> A:
        """Return a new array with undefined contents; `dtype` defaults to the backend's."""

    def zeros(self, shape: Shape, dtype: np.dtype[Any] | None = None) -> A:
        """Return a new array of zeros; `dtype` defaults to the backend's."""

    def from_host(self, array: HostArray, *, out: A | None = None, dtype: np.dtype[Any] | None = None) -> A:
        """Copy a NumPy array to the device, cast to `dtype` (default: the backend's).

        With `out`, into that array, whose dtype then counts: a recorded step goes on reading the same
        address, and what was asked for before this call reads what stood there. Raises ValueError if the
        shapes differ. The result never shares memory with `array`, which may be changed at once.
        """

    def share(self, array: Any) -> A:
        """Return the caller's array as one of this backend's, in its dtype, to be read and never written.

        A NumPy array, or an object that speaks DLPack on the host or on this backend's device. Nothing is
        copied where the device and the dtype agree and the array is C-contiguous; the result may then change
        with `array`.
        """

    def to_host(self, array: A) -> HostArray:
        """Return a NumPy copy, after everything that was asked for before has happened."""

    @accesses(reads="source", writes="out")
    def copy(self, source: A, *, out: A) -> None:
        """Copy `source` to `out`, of equal shape and dtype."""

    def synchronize(self) -> None:
        """Wait until everything that was asked for has happened."""

    # The position in the epoch. cursor: (1,) int64.

    @accesses(reads="source order cursor", writes="out")
    def take_rows(self, source: A, order: A, cursor: A, *, out: A) -> None:
        """Gather a batch: out[i] = source[order[cursor + i]]; source (N, ...), order (N,) int64."""

    @accesses(reads="values cursor", writes="out")
    def put_rows(self, values: A, cursor: A, *, out: A) -> None:
        """Keep a batch's results: out[cursor + i] = values[i]; values (n,), out (N,)."""

    @accesses(reads="cursor", writes="cursor")
    def advance(self, cursor: A, by: int) -> None:
        """Move on: cursor += by."""

    # Dense algebra and the fused elementwise steps.

    @accesses(reads="a b", writes="out")
    def matmul(self, a: A, b: A, *, out: A) -> None:
        """Matrix product, out = a b; `a` or `b` may be a ``.T`` view."""

    @accesses(reads="z bias", writes="out kept")
    def bias_activation(
        self, z: A, bias: A | None, activation: ActivationFormula, *, out: A, kept: A | None = None
    ) -> None:
        """Activate in one pass: out = f(z + bias); z (n, m), bias (m,) or None. `out` may be `z`.

        With `kept` (n, m), also kept = z + bias, which `activation_backward` needs where `slope_of` is "z".
        """

    @accesses(
        reads="gradient point",
        writes="out bias_gradient",
        unless={"point": ("activation", lambda activation: activation.slope_of is None)},
    )
    def activation_backward(
        self, gradient: A, point: A, activation: ActivationFormula, *, out: A, bias_gradient: A
    ) -> None:
        """Go back through an activation: out = gradient * f', bias_gradient = column sums of out.

        f' is `activation.slope` at `point`: the output y = f(z) or z itself, as `activation.slope_of` says.
        gradient and point (n, m), bias_gradient (m,). `out` may be `gradient`.
        """

    @accesses(reads="values step", writes="out")
    def dropout(self, values: A, rate: float, seed: int, step: A, *, out: A) -> None:
        """Drop elements at random: out = values / (1 - rate) where kept, else 0. `out` may be `values`.

        Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting". The mask
        is a hash of seed, step and the element's number i = 0, 1, 2, ... along the rows, the same on every
        backend; in whole numbers modulo 2^32::

            mix(x, key = 0):  x = x xor x >> 16;  x = 0x7feb352d x + key
                              x = x xor x >> 15;  x = 0x846ca68b x;  return x xor x >> 16
            a = mix(seed xor mix(step))           b = mix(a xor seed)
            element i is kept where mix(i xor a, b) >= floor(2^32 rate)

        values (n, m), rate in [0, 1), seed in [0, 2^32), step (1,) int64, on the device so that a recorded
        step draws new masks. What is dropped becomes 0, whatever it is.
        """

    # Losses: each row's loss and the gradient of the weighted mean, in one pass. row_weights (n,) already
    # sum to 1, so that 1/n, sample weights and class weights are one mechanism; losses (n,) are unweighted.

    @accesses(reads="output target row_weights", writes="losses gradient")
    def loss_of_rows(
        self,
        output: A,
        target: A,
        row_weights: A,
        loss: LossFormula,
        factor: float,
        *,
        losses: A,
        gradient: A,
    ) -> None:
        """losses = factor * sum_j l(y_j, t_j), gradient = factor row_weights dl/dy, by the formula's terms.

        output, target and gradient (n, k).
        """

    @accesses(reads="logits labels row_weights", writes="losses gradient")
    def softmax_cross_entropy(self, logits: A, labels: A, row_weights: A, *, losses: A, gradient: A) -> None:
        """losses = log(sum_j e^z_j) - z_label, gradient = row_weights (softmax(z) - onehot(label)).

        logits (n, k), labels (n,) int64 in [0, k): the core checks them, a backend need not. Finite for every
        finite logit.
        """

    # Inference and metrics, without a word to the host.

    @accesses(reads="logits", writes="out")
    def softmax(self, logits: A, *, out: A) -> None:
        """Probabilities of exclusive classes, out = e^z / sum_j e^z_j by row. `out` may be `logits`."""

    @accesses(reads="scores labels", writes="out")
    def argmax_equals(self, scores: A, labels: A, *, out: A) -> None:
        """out[i] = 1 if the first largest of scores[i] stands at labels[i], else 0; out (n,).

        A row that has a NaN may be either, and is one of the two.
        """

    @accesses(reads="scores target", writes="out")
    def threshold_equals(
        self, scores: A, target: A, score_threshold: float, target_threshold: float, *, out: A
    ) -> None:
        """out[i] = 1 if (score > score_threshold) == (target > target_threshold) all along row i, else 0."""

    # The update, in place, over a network's flat buffers.

    @accesses(reads="array", writes="out")
    def sum_squares(self, array: A, *, out: A) -> None:
        """out[0] = sum of array^2; array (P,), out (1,). Not finite if any element is not."""

    @accesses(reads="gradients", writes="gradients norm")
    def clip_norm(self, gradients: A, limit: float, *, norm: A) -> None:
        """norm[0] = ||gradients||, gradients = gradients * min(1, limit / norm), in place.

        Pascanu et al. 2013, "On the difficulty of training recurrent neural networks". gradients (P,), norm
        (1,), limit above 0. Gradients whose norm is at most the limit keep their bits, and so do those whose
        norm is not finite: an explosion is to be seen, not turned into zeros. Squares of finite numbers may
        overflow, and the norm is infinite then; where they do not, gradients are scaled.
        """

    @accesses(reads="values gradients moments settings", writes="values moments")
    def update(
        self,
        values: A,
        gradients: A,
        moments: A,
        settings: A,
        formula: UpdateFormula,
        *,
        decay_ranges: Sequence[tuple[int, int]],
    ) -> None:
        """One step of an optimizer: every parameter w and its moments become what the formula says.

        Inside `decay_ranges` its g is the gradient plus c w where c is not 0, elsewhere the gradient.
        values, gradients (P,); moments (M, P), a row for each of the formula's; settings (S + 1,), the
        formula's and at last c, on the device so that a schedule needs no new recording; decay_ranges are
        ascending [start, stop). Gradients are left as they are.
        """

    # Replay.

    def compile(self, program: Program) -> Runner:
        """Return a function that does what the program's calls do, in the way that is cheapest here.

        ``replay(times)`` does it `times` times. Results agree with those of the calls within 10 eps a time,
        and are the same bits on every run, however the times are divided among calls; what is left in
        `Program.scratch` is undefined.
        `replay_by_calling(self, program)` is a complete implementation.
        """

    def session(self, programs: Sequence[Program]) -> AbstractContextManager[None]:
        """Return what surrounds many replays of these programs, such as a limit on threads.

        `contextlib.nullcontext()` is a complete implementation.
        """


class BackendForProcesses(Backend[A], Protocol[A]):
    """A backend on which several processes may train one network together; no backend has to be one."""

    @accesses(reads="array", writes="array")
    def all_reduce(self, array: A, world: Processes) -> None:
        """Replace array (P,), in place, by its sum over all processes; all have the same bits then.

        Asked only where there are several, in the midst of a step: for the gradients, before their update.
        All processes ask in the same order. On the host, `world.add` does it.
        """


AnyBackend: TypeAlias = Backend[Array]
"""A backend, as the core sees it."""
