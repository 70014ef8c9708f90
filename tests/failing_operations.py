"""Trainings in which the n-th operation of a backend fails, and what must hold then.

The error that comes is the operation's own, or tells what would fit; or training takes the same steps, as
less memory serves too. Callbacks are told of the end once, if at all. When nothing fails any more, the same
network on the same backend trains in the bits of one to which nothing ever happened.
"""

import numpy as np

from fuseprop import MomentumSGD, Network, mlp
from fuseprop.backend import OutOfMemory

ALLOCATES = {"empty", "zeros", "from_host", "upload"}
"""Operations that may find no room on the device; any other fails as a launch or a copy does."""


class Count:
    """Counts operations; lets the `number`-th fail, where that is not 0.

    Attributes
    ----------
    made : list of str
        The operations since `begin`.
    raised : list of Exception
        What was raised.
    """

    def __init__(self):
        self.begin()

    def begin(self, number=0):
        """Count from 1 again."""
        self.made, self.raised, self._number = [], [], number

    def operation(self, name):
        """Tell an operation, which may raise."""
        self.made.append(name)
        if len(self.made) == self._number:
            what = f"operation {self._number}, {name}, fails"
            error = OutOfMemory(what, 1, lambda: 0) if name in ALLOCATES else RuntimeError(what)
            self.raised.append(error)
            raise error


def failing(kind, names, count):
    """Return a subclass of `kind` whose methods of these names are counted, before they do anything."""

    def counted(name):
        method = getattr(kind, name)

        def call(self, *operands, **options):
            count.operation(name)
            return method(self, *operands, **options)

        return call

    return type(f"Failing{kind.__name__}", (kind,), {name: counted(name) for name in names})


def is_or_tells(error, raised):
    """Whether an error is this one, or tells of memory that has run out, with this one as a cause."""
    while isinstance(error, OutOfMemory) and error is not raised and error.__cause__ is not None:
        error = error.__cause__
    return error is raised


class Ends:
    """A callback that counts how often training ended."""

    def __init__(self):
        self.times = 0

    def start(self, epochs, history):
        pass

    def epoch_end(self, history):
        pass

    def end(self, history):
        self.times += 1


class FailingTraining:
    """A small network on a backend whose operations are counted, and what it learns where none fails.

    Parameters
    ----------
    backend : Backend
    count : Count
        Of its operations.
    """

    def __init__(self, backend, count, rows=20):
        rng = np.random.default_rng(0)
        self.count, self.rows = count, (rng.normal(size=(rows, 3)), rng.integers(0, 3, rows))
        self.network = Network(mlp([3, 4, 3]), "softmax_cross_entropy", seed=0, backend=backend)
        self.start = self.network.weights(), self.network.rng.bit_generator.state
        self.expected = self.learned()
        self.learned([Ends()])  # as any other time: what is made once is there
        self.operations = list(count.made)

    def learned(self, callbacks=(), number=0):
        """Train from the start, and let an operation fail; return what that leaves, in bits."""
        weights, self.network.rng.bit_generator.state = self.start
        self.network.set_weights(weights)
        optimizer = MomentumSGD(0.1, 0.9)
        self.count.begin(number)
        history = self.network.fit(
            *self.rows, optimizer, epochs=2, batch_size=8, validation=0.2, callbacks=callbacks
        )
        left = b"".join(array.tobytes() for pair in self.network.weights() for array in pair)
        return left, history.train_loss, history.validation_loss

    def wrong_where_fails(self, number):
        """Let the `number`-th operation fail; return what is wrong, in words."""
        ends, wrong = Ends(), []
        try:
            weights, losses, _ = self.learned([ends], number)
            goes_on = isinstance(self.count.raised[0], OutOfMemory)  # rows are evaluated by smaller chunks
            if not goes_on or (weights, losses) != self.expected[:2]:
                wrong.append("nothing is raised")
        except Exception as error:
            if not is_or_tells(error, self.count.raised[0]):
                wrong.append(f"another error is raised: {error!r}")
        name = self.count.made[number - 1]
        self.count.begin()
        if not all(np.isfinite(array).all() for pair in self.network.weights() for array in pair):
            wrong.append("weights are not finite")
        if ends.times > 1:
            wrong.append(f"`end` is called {ends.times} times")
        if self.learned() != self.expected:
            wrong.append("then it trains another way")
        return [f"operation {number}, {name}: {what}" for what in wrong]

    def telling(self):
        """Return the numbers of few operations: the first, second and last of each name."""
        places = {}
        for number, name in enumerate(self.operations, 1):
            places.setdefault(name, []).append(number)
        return sorted({number for of in places.values() for number in (*of[:2], of[-1])})
