"""Network: layers and a loss on one backend, to train, predict with and look into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn, overload

import numpy as np

from .backend import AnyBackend, HostArray
from .backend.registry import load_backend
from .backend.seam import check_backend
from .callbacks import Callback, Together, check_callbacks
from .callbacks.history import History
from .callbacks.progress import Progress
from .callbacks.protocol import is_of_first
from .checks.arrays import warn_of_overflow
from .checks.choices import choose
from .checks.quoting import counted
from .checks.settings import as_generator, as_list, check_flag, is_finite_number, positive_integer
from .formulas.families import Family
from .formulas.loss import AnyLoss, as_loss
from .layers.dense import Dense
from .layers.stack import SUMMARY, build_stack, check_chain, check_link, check_trainable, load_weights
from .metrics import check_metric
from .optimizers import MomentumSGD, Optimizer, check_optimizer
from .optimizers.protocol import resumable, scalable
from .schedules import rates_of
from .training.beginning import Beginning
from .training.changed import CHOICES
from .training.continuing import Continuation, From, Kept
from .training.epoch import Epoch
from .training.evaluation import Evaluation, Predictor, decide, evaluate
from .training.keys import NO_KEY, drawn_key
from .training.loop import Training
from .training.observers import Norms, SumOfSquares
from .training.on_device import check_on_device, is_finite, is_on_device
from .training.orders import Orders, shuffled, unchanged
from .training.out_of_memory import freeing_on_failure, halving_batches
from .training.passes import Passes
from .training.rows import Rows, check_inputs, check_rows, check_validation
from .training.rules import FitRules
from .training.shared_epoch import SharedEpoch
from .training.strata import Strata
from .training.unison import Unison, rows_to_evaluate
from .world import ALONE, Processes, ending_all

if TYPE_CHECKING:
    from .inspection import Trace

Validation = float | tuple[object, object] | tuple[object, object, object] | None


class Network:
    """A stack of dense layers with a loss.

    Parameters
    ----------
    layers : sequence of Dense
        First layer first; each takes as many inputs as the one before gives outputs. See also `mlp`.
    loss : str or Loss
        A name in `fuseprop.formulas.LOSSES`, or a `Loss` of one's own. "half_squared_error",
        "mean_squared_error", "mean_absolute_error", "huber(1.35)", "log_cosh", "quantile(0.9)" or "hinge" on
        the activated output; "sigmoid_cross_entropy" (one or many labels that do not exclude each other),
        "softmax_cross_entropy" (exclusive classes) or "half_poisson_deviance" (counts, by the logarithm of
        their mean) on the logits of an "identity" layer.
    metric : "accuracy" | "r2" | "d2" | "loss", optional
        What to report beside the loss; by default accuracy for classes, and else the loss's own: r2 for
        squared errors, d2 for absolute ones, quantiles and deviances. "loss" reports the loss alone.
    device : str, optional
        "auto", "cpu", "cuda", "cuda:1" or a backend's name; by default FUSEPROP_DEVICE or "auto": see
        `load_backend`.
    dtype : "float32" | "float64"
        The dtype of all arithmetic.
    seed : int or numpy.random.Generator, optional
        The source of all randomness: starting weights first, then the seeds of dropout, where there is
        any, then splits and the order of rows.
    backend : Backend, optional
        A backend object instead of `device` and `dtype`.

    Raises ValueError for layers that do not fit each other or the loss, and for unknown names (the choices
    are listed); BackendUnavailable where the device cannot be had.

    Methods that take rows take host arrays (lists, NumPy, pandas) and raise ValueError for X that is not
    (rows, features) with the right number of features, for empty input, nan and inf, and for targets that do
    not fit the loss; TypeError for arrays on a device.

    Examples
    --------
    >>> import numpy as np
    >>> from fuseprop import MomentumSGD, Network, mlp
    >>> X, target = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    >>> network = Network(mlp([2, 8, 1], "tanh"), "sigmoid_cross_entropy", seed=0, device="cpu")
    >>> history = network.fit(X, target, MomentumSGD(0.3, 0.6), epochs=500, batch_size=4)
    >>> network.predict(X).ravel().round().astype(int)
    array([0, 1, 1, 0])
    """

    def __init__(
        self,
        layers: Sequence[Dense],
        loss: str | AnyLoss | Family[AnyLoss],
        *,
        metric: str | None = None,
        device: str | None = None,
        dtype: str = "float32",
        seed: int | np.random.Generator | None = None,
        backend: AnyBackend | None = None,
    ) -> None:
        layers = as_list("layers", layers, "mlp([64, 32, 10])")
        check_chain(layers)
        chosen = as_loss(loss)
        check_link(chosen, layers[-1])
        if metric is not None:
            check_metric(metric, chosen)
        self.metric = metric
        self.rng = as_generator(seed)
        if backend is not None:
            check_backend(backend)
        self.backend = load_backend(device, dtype) if backend is None else backend
        self.stack = build_stack(self.backend, layers, chosen, self.rng)
        self._passes = Passes(self.backend, self.stack)

    @cached_property
    def _predictor(self) -> Predictor:
        return Predictor(self.backend, self.stack)

    @property
    def layers(self) -> Sequence[Dense]:
        """The layers, first one first."""
        return self.stack.layers

    @property
    def loss(self) -> str:
        """The loss's name."""
        return self.stack.loss.name

    @property
    def inputs(self) -> int:
        """How many features a row has."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """How many outputs there are."""
        return self.layers[-1].outputs

    # Parameters

    def weights(self) -> list[tuple[HostArray, HostArray]]:
        """Return copies of the weights (d, m) and the bias (m,) of each layer."""
        return self.stack.parameters.unpack(self.stack.parameters.values)

    def set_weights(self, layers: Sequence[tuple[object, object]]) -> None:
        """Set weights (d, m) and bias (m,) of every layer.

        Raises ValueError and TypeError for what `weights` would not return: other shapes, no numbers, numbers
        that are not finite or too large for the dtype; all parameters then stay as they are.
        """
        pairs: list[Any] = as_list(
            "layers", layers, "[(weights, bias), ...], as network.weights() returns it"
        )
        if len(pairs) != len(self.layers):
            raise ValueError(
                f"expected weights and bias of {counted(len(self.layers), 'layer')}, got {len(pairs)}."
            )
        checked = []
        for i, (layer, pair) in enumerate(zip(self.layers, pairs, strict=True), 1):
            if not isinstance(pair, tuple | list) or len(pair) != 2 or any(part is None for part in pair):
                raise TypeError(f"layer {i} needs a pair (weights, bias), got {pair!r:.60}.")
            checked.append(Dense(layer.inputs, layer.outputs, weights=pair[0], bias=pair[1]))
        load_weights(self.stack.parameters, [layer.starting_values(self.rng) for layer in checked])

    def gradients(self) -> list[tuple[HostArray, HostArray]]:
        """Return copies of dL/dW and dL/db of each layer, from the last `backward` or training step."""
        return self.stack.parameters.unpack(self.stack.parameters.gradients)

    # One pass at a time

    def forward(self, X: object, *, dropout: bool = False) -> HostArray:
        """Return the last layer's output (n, k) for rows (n, d), before the loss's link, and remember it.

        With `dropout`, hidden layers drop outputs by the masks of the next training step.
        """
        return self._passes.forward(check_inputs(self.stack, X), dropout=dropout)

    def backward(self, target: object, sample_weight: object = None) -> float:
        """Backpropagate the loss of the rows of the last `forward`; return the loss, leave the `gradients`.

        The loss is the weighted mean over rows, sum_i w_i loss_i / sum_i w_i, and that of the weights as they
        are now: a `set_weights` in between counts.
        Raises RuntimeError without a `forward` before, ValueError for a network with an activation that has
        no slope, such as "step".
        """
        check_trainable(self.layers)
        return self._passes.backward(target, sample_weight)

    def train_step(
        self, X: object, target: object, optimizer: Optimizer, sample_weight: object = None
    ) -> float:
        """Learn from these rows once; return their loss before the step. Raises ValueError as `fit`."""
        check_trainable(self.layers)
        check_optimizer(optimizer)
        return self._passes.learn(check_inputs(self.stack, X), target, sample_weight, optimizer)

    def trace(self, X: object, target: object, sample_weight: object = None) -> Trace:
        """Return every z, a, delta, dW and db of one pass forward and backward, and the loss.

        Nothing is learned. ``print(network.trace(x, t).explain())`` shows the chain rule with the numbers.
        Raises ValueError as `backward`.
        """
        from .inspection import trace_pass  # ten modules, only where one looks into a network

        check_trainable(self.layers)
        self.forward(X)
        loss = self.backward(target, sample_weight)
        return trace_pass(self.backend, self.stack, self._passes.batch, loss)

    def draw(self, x: object, target: object = None, learning_rate: float | None = None) -> Any:
        """Return a `matplotlib.figure.Figure` of one row's pass, every number on its unit or its arrow.

        ``network.draw([[1.0, 2.0]])`` draws the pass forward: the weights on the arrows, and b, z and a of
        each unit. With a `target` it draws the pass backward too, with dL/dw on the arrows; with a
        `learning_rate` also the pass forward after one step of gradient descent, w - learning_rate dL/dw.
        Nothing is learned: the network keeps its weights.

        Parameters
        ----------
        x : array_like, (1, d)
        target : array_like, optional
            As `fit` takes it, of this row.
        learning_rate : float, optional

        Raises ValueError for more rows than one, for a learning rate without a target, and for networks too
        large to be read: of more than 6 layers, or of more than 8 inputs or units or 16 weights in one of
        them. Raises PlotsUnavailable without matplotlib, the extra "plots".
        """
        from .inspection import forward_pass  # only when a picture is drawn
        from .inspection.drawing import check_drawable, pass_figure
        from .plots import draw_figure

        X = check_inputs(self.stack, x)
        check_drawable(len(X), self.layers)
        if target is None:
            if learning_rate is not None:
                raise ValueError("a step needs a target to descend to: give one, or no learning_rate.")
            self._passes.forward(X, sums=True)
            return draw_figure(pass_figure(forward_pass(self.backend, self.stack, self._passes.batch)))
        before = self.trace(X, target)
        after = None if learning_rate is None else self._traced_after_a_step(X, target, learning_rate)
        return draw_figure(pass_figure(before, after, learning_rate))

    def _traced_after_a_step(self, X: HostArray, target: object, rate: float) -> Trace:
        """Return the trace with w - rate dL/dw, by the gradients of the last pass; keep the weights."""
        if not is_finite_number(rate):  # which a schedule is not, though an optimizer takes one
            raise ValueError(f"learning_rate must be a number above 0, got {rate!r:.60}.")
        optimizer = MomentumSGD(rate, momentum=0.0)
        kept = self.weights()
        optimizer.prepare(self.stack.parameters, 1)
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                optimizer.update(self.backend, self.stack.parameters)
            return self.trace(X, target)
        finally:
            self.set_weights(kept)

    # Whole data sets

    @ending_all
    def fit(
        self,
        X: object,
        target: object,
        optimizer: Optimizer | None = None,
        *,
        epochs: int = 100,
        batch_size: int = 32,
        sample_weight: object = None,
        validation: Validation = None,
        shuffle: bool = True,
        progress: bool = False,
        callbacks: Sequence[Callback] = (),
        norms: bool = False,
        on_divergence: str = "stop",
        on_oom: str = "stop",
        checkpoint: Kept = None,
        resume: From = None,
        world: Processes | None = None,
    ) -> History:
        """Train on rows (N, d), in minibatches, and return the history.

        Parameters
        ----------
        X : array_like, (N, d)
            Copied, but for a NumPy array in the network's dtype that owns its data and is read-only.
        target : array_like
            (N, k) values; (N,) for one output; (N,) class numbers for exclusive classes.
        optimizer : MomentumSGD or Adam, optional
            By default a new ``MomentumSGD()``.
        epochs, batch_size : int
            Batches may have any size, one row and all rows included; the last one takes what is left.
        sample_weight : array_like, (N,), optional
            Each batch minimises sum_i w_i loss_i / sum_i w_i.
        validation : float, or (X, target), or (X, target, sample_weight), optional
            A share of rows to hold out at random (of each class, where classes are exclusive or binary), or
            the rows themselves. They are evaluated after each epoch and never learned from.
        shuffle : bool
            Whether each epoch takes the rows in a new random order.
        progress : bool
            Whether to show a bar on a terminal, or a line an epoch elsewhere, on standard error. Where that
            fails, training goes on, and ends with a warning.
        callbacks : sequence of Callback
            See `fuseprop.callbacks`: early stopping, a CSV file, the best model, a function.
        norms : bool
            Whether the history gets the norms of each layer's gradient and weights.
        on_divergence : "stop" | "halve"
            What to do where the loss stops being finite: raise DivergenceError, or take the epoch again, in
            another order, from the best weights, with moments of 0 and half the learning rate, be it from a
            schedule or not; but five times at most. A warning says so, and the history's `halvings`. When
            training ends, the optimizer has its own rate again.
        on_oom : "stop" | "halve"
            What to do where the device has no room for training: raise OutOfMemory, or begin again with half
            the batch, as often as it takes, and the learning rate as it is. A warning says so, and the
            history's `batch_size`. Memory that runs out after an epoch raises OutOfMemory anyhow.
        checkpoint : Checkpoint or path, optional
            Where training keeps all that it would go on from, and how often: see `Checkpoint`.
        resume : path or bool, optional
            Go on from such a checkpoint, in the same bits on the same backend; True stands for that of
            `checkpoint`, where there is one, and the start where there is none. Weights, optimizer, history
            and generator are then those of the checkpoint; everything else is to be given as it was. `epochs`
            may be more, where the learning rates of earlier epochs do not change by it.
        world : World, optional
            The processes that train this network together, each with rows of its own: all call `fit` alike,
            and end with the same parameters and history. Those of process 0 are where all begin. `batch_size`
            counts the rows of all. A batch takes one row of each of `batch_size` equal parts of all rows, by
            `shuffle` a random one, so that one process with a world of its own learns from the same batches
            as any number. A share of rows for `validation` is drawn from all rows, in another way than by a
            single process without a world. With dropout, masks depend on the number of processes. Saving
            callbacks and progress are process 0's; all others are called in each process. A checkpoint is
            written by process 0, and any number of processes goes on from it.

        Raises DivergenceError where the loss stops being finite; the network then holds its best finite
        weights (by validation loss, or else by training loss). Ctrl-C ends training with a warning. With
        `EarlyStopping` the network always ends with its best weights. Raises OutOfMemory, a MemoryError that
        names the batch_size which would fit, where the device has no room; the network stays as it was.
        Raises CheckpointError for a checkpoint that cannot be read, that another process writes, or that is
        of another training, and names what differs; FileExistsError for one that would be lost; OSError where
        none can be written. Raises ValueError for a network with an activation that has no slope, such as
        "step", which `fuseprop.GeneticSearch` searches. The network stays as it was.
        """
        check_trainable(self.layers)
        epochs = positive_integer("epochs", epochs)
        batch_size = positive_integer("batch_size", batch_size)
        if optimizer is not None:
            check_optimizer(optimizer)
        callbacks = as_list("callbacks", callbacks, "[EarlyStopping(patience=10)]")
        check_callbacks(callbacks)
        for name, flag in (("shuffle", shuffle), ("progress", progress), ("norms", norms)):
            check_flag(name, flag)
        halves_rate = choose("on_divergence", on_divergence, CHOICES)
        if halves_rate and optimizer is not None:
            scalable(optimizer)
        halves_batch = choose("on_oom", on_oom, CHOICES)
        if halves_batch and optimizer is not None:
            resumable(optimizer)
        check_validation(validation)
        world = ALONE if world is None else world
        unison = None if world is ALONE else Unison(world, self.stack)
        check: Callable[..., Rows] = partial(check_rows, self.stack)
        check_validated = check
        if unison is not None:
            if halves_batch:
                raise ValueError(
                    'on_oom="halve" is for one process: give those that train together a smaller batch_size.'
                )
            rates = () if optimizer is None else rates_of(optimizer.learning_rate, optimizer.epochs, 1)
            settings = {
                "epochs": epochs,
                "batch_size": batch_size,
                "shuffle": shuffle,
                "norms": norms,
                "metric": self.metric,
                "on_divergence": on_divergence,
                "validation": "rows" if isinstance(validation, tuple) else validation,
                "callbacks": [type(each).__name__ for each in callbacks if not is_of_first(each)],
                "learning_rate": [float(rate) for rate in rates],
            }
            unison.begin(self.rng, optimizer, settings)
            check, check_validated = unison.rows, partial(unison.rows, to_learn=False)
            progress = progress and unison.world.rank == 0
        rows, held_out = check(X, target, sample_weight), None
        if isinstance(validation, tuple):
            held_out = check_validated(*validation)
        continuation = Continuation(checkpoint, resume, self.rng, world)
        shown = [Progress()] if progress else []
        with continuation.open():
            if validation is not None and not isinstance(validation, tuple):
                if unison is None:
                    rows, held_out = rows.split(self.rng, validation, self.stack.loss)
                else:
                    rows, held_out = unison.split(rows, self.rng, validation)
            train = partial(
                self._train,
                optimizer,
                rows,
                held_out,
                continuation,
                batch_size,
                epochs=epochs,
                shuffle=shuffle,
                callbacks=[*shown, *callbacks],
                norms=norms,
                halves_rate=halves_rate,
                unison=unison,
            )
            size = continuation.batch_size or batch_size
            if not halves_batch or continuation.is_within:
                return freeing_on_failure(partial(train, size, History("")))
            beginning = Beginning(self.stack, self.rng, optimizer, continuation.done)
            return halving_batches(train, size, len(rows), beginning)

    def _train(
        self,
        optimizer: Optimizer | None,
        rows: Rows,
        held_out: Rows | None,
        continuation: Continuation,
        asked: int,
        batch_size: int,
        history: History,
        *,
        epochs: int,
        shuffle: bool,
        callbacks: Sequence[Callback],
        norms: bool,
        halves_rate: bool,
        unison: Unison | None,
    ) -> History:
        """Train as `fit` says; batches of another size may have been `asked` for.

        The locals hold the device memory, which `freeing_on_failure` frees.
        """
        backend, stack, metric = self.backend, self.stack, self.metric
        optimizer = MomentumSGD() if optimizer is None else optimizer
        world = ALONE if unison is None else unison.world
        validation = None if held_out is None else Evaluation(backend, stack, metric, held_out, world)
        squares = SumOfSquares(stack.parameters)
        all_observers = [validation, squares, Norms(stack.parameters) if norms else None]
        observers = [observer for observer in all_observers if observer is not None]
        given = backend, stack, metric, optimizer, rows
        first, count = rows.order, len(rows)
        draw: Callable[[np.random.Generator, HostArray], HostArray] = shuffled
        if unison is None:
            epoch = Epoch(*given, batch_size=batch_size, observers=observers)
        else:
            strata = Strata(world, len(rows), batch_size, shuffles=shuffle)
            epoch = SharedEpoch(*given, batch_size=batch_size, observers=observers, strata=strata)
            first, draw, count = NO_KEY, drawn_key, strata.count
            unison.observes(squares)
            unison.keeps = continuation.keeps
        orders = Orders(
            self.rng,
            first,
            epochs - continuation.done,
            draw=draw if shuffle else unchanged,
            send=epoch.send,
            ahead=backend.device != "cpu",
        )
        history.metric, history.validates = epoch.metric.name, validation is not None
        history.batch_size = batch_size
        rules = FitRules(epoch, squares, validation, halves=halves_rate)
        training = Training(epoch, rules, orders, unison)
        settings = {
            **stack.described(),
            "metric": epoch.metric.name,
            "dtype": str(backend.dtype),
            "batch_size": min(asked, count),
            "shuffle": shuffle,
            "norms": norms,
        }
        if unison is not None:
            settings["batches"] = "one row of each part of all rows"
        with nullcontext() if unison is None else unison.training():
            return continuation.run(
                training,
                epochs,
                Together(callbacks, is_first=world.rank == 0),
                history,
                settings,
                {"training rows": rows, "validation rows": held_out},
            )

    @overload
    def predict(self, X: object, *, on_device: Literal[False] = False) -> HostArray: ...

    @overload
    def predict(self, X: object, *, on_device: bool) -> Any: ...

    def predict(self, X: object, *, on_device: bool = False) -> Any:
        """Return predictions (n, k): the last layer's output, through the loss's link.

        Probabilities for the cross-entropies, means for the Poisson deviance. Any number of rows, taken in
        chunks. Warns where one of them is not finite, because the dtype overflowed on the way to it.

        Parameters
        ----------
        X : array_like, (n, d)
            With `on_device`, also an array of another library in the memory of that device, such as a tensor
            of PyTorch's on the GPU, which is read where it is.
        on_device : bool
            Whether predictions stay in the memory of the network's device, as an array that speaks DLPack:
            ``torch.from_dlpack(network.predict(X, on_device=True))``, and likewise in JAX and CuPy, is an
            array over the same memory, which lives as long as one of them does and may be written to. On a
            GPU it is a CuPy array, and no prediction is copied to the host; on the CPU it is a NumPy array.

        Raises TypeError where the backend's arrays do not speak DLPack.

        Examples
        --------
        >>> import numpy as np
        >>> from fuseprop import Network, mlp
        >>> network = Network(mlp([2, 1]), "half_squared_error", device="cpu", seed=0)
        >>> np.from_dlpack(network.predict([[1, 2], [3, 4]], on_device=True)).shape
        (2, 1)
        """
        check_flag("on_device", on_device)
        return self._predict_on_device(X) if on_device else self._predict(X)

    def classify(self, X: object) -> HostArray:
        """Return decisions: class numbers (n,) for the softmax loss, else "yes" or "no" per output (n, k).

        An output says yes above its threshold: 0.5, but 0 for tanh; yes and no are 1 and 0, but 1 and -1 for
        tanh. For exclusive classes trained with another loss take ``predict(X).argmax(axis=1)``.
        """
        return decide(self.stack, self._predict(X))

    def _predict_on_device(self, X: object) -> Any:
        backend = self.backend
        rows: Any
        if is_on_device(X):
            rows = check_on_device(backend, X)
            if rows.shape[1] != self.inputs:
                raise ValueError(
                    f"X has {counted(rows.shape[1], 'feature')}, this network takes {self.inputs:,}."
                )
        else:
            rows = check_inputs(self.stack, X)
        with np.errstate(over="ignore", invalid="ignore"):
            predictions = self._predictor.on_device(rows)
        if not hasattr(predictions, "__dlpack__"):
            raise TypeError(
                f"arrays of the backend {backend.name} do not speak DLPack: leave `on_device` out."
            )
        if not is_finite(backend, predictions):
            warn_of_overflow(backend.to_host(predictions))
        return predictions

    def _predict(self, X: object) -> HostArray:
        host = check_inputs(self.stack, X)
        with np.errstate(over="ignore", invalid="ignore"):
            predictions = self._predictor(host)
        warn_of_overflow(predictions)
        return predictions

    @ending_all
    def evaluate(
        self, X: object, target: object, sample_weight: object = None, *, world: Processes | None = None
    ) -> dict[str, float]:
        """Return the mean loss and the metric over rows, such as ``{"loss": 0.1, "accuracy": 0.97}``.

        Over those of all processes of a `world`, each of which gives its own, perhaps none.
        """
        world = ALONE if world is None else world
        rows = rows_to_evaluate(self.stack, X, target, sample_weight, world=world)
        with np.errstate(over="ignore", invalid="ignore"):
            return evaluate(self.backend, self.stack, self.metric, replace(rows, shares=True), world)

    def summary(self) -> str:
        """Return a table: each layer's shape, activation and number of parameters, and their sum."""
        return self.stack.summary()

    def _repr_html_(self) -> str:
        """Return the summary as a notebook shows it."""
        from .showing import paragraph, section, table  # only where a notebook asks

        stack = self.stack
        return section("Network", table(SUMMARY, stack.by_layer()), paragraph(stack.as_a_whole()))

    def __getstate__(self) -> NoReturn:
        raise TypeError(
            "a Network lives on its device and is neither pickled nor copied. Keep `network.weights()`, for "
            "`set_weights` of another one; `fuseprop.train` makes a Model, which has `save`."
        )
