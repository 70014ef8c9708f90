"""GeneticSearch: weights that evolve, by selection, crossover and mutation, without any gradient."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import partial
from math import inf
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from .backend import AnyBackend, OutOfMemory
from .checks.quoting import counted
from .checks.settings import as_generator, is_finite_number, positive_integer
from .checks.warning import warn_user
from .layers.parameters import Parameters
from .layers.stack import Stack
from .metrics.means import weighted_means
from .network import Network
from .training.evaluation import Evaluation
from .training.out_of_memory import freeing_on_failure
from .training.rows import Rows, check_rows
from .training.rules import FIT_INTERRUPTED

Float = NDArray[np.float64]


@dataclass
class Evolution:
    """What a search went through: an entry for each generation in each list, the starting one first.

    Attributes
    ----------
    best_loss : list of float
        The lowest loss so far; it never rises.
    mean_loss : list of float
        The mean loss of those candidates of the generation whose loss is finite.
    evaluations : list of int
        How often the loss of all rows was computed so far: a forward pass for each new candidate.
    seconds : list of float
        Wall time since the search began.
    stop_reason : None or str
        "finished", "goal" or "interrupted"; None while it goes on.
    """

    best_loss: list[float] = field(default_factory=list)
    mean_loss: list[float] = field(default_factory=list)
    evaluations: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stop_reason: str | None = None

    @property
    def generations(self) -> int:
        """How many generations are complete."""
        return len(self.best_loss)

    def _repr_html_(self) -> str:
        """Return the last generation and the losses of all as a notebook shows them."""
        from .showing import paragraph, section, sparkline, table  # only where a notebook asks

        if not self.generations:
            return section("Genetic search", paragraph("no generation yet"))
        curves = ("best_loss", "mean_loss", "evaluations", "seconds")
        return section(
            "Genetic search",
            table(
                ("generations", *curves),
                [(self.generations, *(getattr(self, name)[-1] for name in curves))],
            ),
            paragraph(f"ended: {self.stop_reason}" if self.stop_reason else "not ended yet"),
            sparkline({"best": self.best_loss, "mean": self.mean_loss}, "generation", "loss"),
        )


class GeneticSearch:
    """A genetic search over the weights of a network: no gradient, so that any activation will do.

    A candidate is one setting w (P,) of all weights and biases, and its fitness is the loss of all rows: the
    lower the better. The first generation is the network as it is and `population` - 1 candidates around it.
    From then on each generation is made from the one before::

        the `elite` best candidates stay as they are                              (elitism)
        for each other place:
            a, b = each the best of `tournament` candidates, drawn at random      (selection)
            c_i = a_i or b_i, by the toss of a coin for each weight i             (uniform crossover)
            c_i = c_i + mutation s_i g_i, with g_i from the standard normal       (mutation)

    s_i is 1 for a bias and 1 / sqrt(d) for a weight of a layer of d inputs: a weighted sum changes as much in
    a wide layer as in a narrow one. The candidates around the network are w_i + spread s_i g_i.

    Holland 1975, "Adaptation in Natural and Artificial Systems"; Montana and Davis 1989, "Training
    feedforward neural networks using genetic algorithms", who give networks' weights as numbers and not bits,
    as here; tournaments and uniform crossover: Goldberg and Deb 1991; Syswerda 1989.

    Parameters
    ----------
    population : int
        Candidates of a generation, more than `elite`.
    elite : int
        How many of the best stay, at least 1, so that the best is never lost.
    tournament : int
        How many candidates each parent is the best of, at most `population`: 1 selects nothing, many leave
        no variety.
    mutation, spread : float
        Above 0.
    seed : int or numpy.random.Generator, optional
        The source of all draws, which the host makes in float64: a search takes the same way on every
        backend, up to rounding.

    Raises ValueError for numbers outside these ranges.

    Examples
    --------
    >>> from fuseprop import GeneticSearch, Network, mlp
    >>> network = Network(mlp([2, 2, 1], "tanh"), "sigmoid_cross_entropy", device="cpu", seed=0)
    >>> search = GeneticSearch(seed=0)
    >>> evolution = search.fit(network, [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], goal=0.01)
    >>> evolution.stop_reason
    'goal'
    """

    def __init__(
        self,
        population: int = 200,
        *,
        elite: int = 2,
        tournament: int = 3,
        mutation: float = 1.0,
        spread: float = 1.0,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        self.population = positive_integer("population", population)
        self.elite = positive_integer("elite", elite)
        if self.elite >= self.population:
            raise ValueError(
                f"population must be above elite, the {elite} that stay as they are, got {population}. Give "
                f"more candidates, or a smaller elite."
            )
        self.tournament = positive_integer("tournament", tournament)
        if self.tournament > self.population:
            raise ValueError(
                f"tournament must be at most the population of {population}, got {tournament}. The best of 2 "
                f"or 3 candidates is usual."
            )
        for name, value in (("mutation", mutation), ("spread", spread)):
            if not (is_finite_number(value) and value > 0):
                raise ValueError(f"{name} must be a number above 0, got {value!r:.60}.")
        self.mutation, self.spread = float(mutation), float(spread)
        self.rng = as_generator(seed)

    def fit(
        self,
        network: Network,
        X: object,
        target: object,
        sample_weight: object = None,
        *,
        generations: int = 100,
        goal: float | None = None,
    ) -> Evolution:
        """Search for weights with a low loss of all rows (N, d); return how it went.

        The network ends with the best weights that were ever seen, which are never worse than its own.
        X, target and sample_weight are those of `Network.fit`. Nothing is dropped by dropout.

        Parameters
        ----------
        generations : int
            How many there are at most, the starting one included.
        goal : float, optional
            A loss that is low enough: the search ends with the generation that reaches it.

        A candidate whose loss is not finite comes last, and never wins. Ctrl-C ends the search with a
        warning, and the network has the best weights of all complete generations. Raises ValueError and
        TypeError as `Network.fit` for rows; OverflowError where no starting candidate has a finite loss;
        MemoryError, on a device OutOfMemory, where there is no room for `population` candidates, and the loss
        of each row for each of them. After an error the network is as it was.
        """
        if not isinstance(network, Network):
            raise TypeError(f"network must be a Network, got {network!r:.60}.")
        generations = positive_integer("generations", generations)
        if goal is not None and not is_finite_number(goal):
            raise ValueError(f"goal must be a loss, a finite number, or None, got {goal!r:.60}.")
        rows = check_rows(network.stack, X, target, sample_weight)
        weights = network.stack.parameters.count
        if self.population * max(weights, len(rows)) * 8 > sys.maxsize:
            raise self._without_room(weights)
        return freeing_on_failure(partial(self._search, network, rows, generations, goal))

    def _search(self, network: Network, rows: Rows, generations: int, goal: float | None) -> Evolution:
        begin, evolution, elite = perf_counter(), Evolution(), self.elite
        backend, parameters = network.backend, network.stack.parameters
        start: Float = backend.to_host(parameters.values).astype(np.float64)
        best, scale, evaluations = start, _scale(parameters), 0
        try:
            losses_of = _Losses(backend, network.stack, rows, self.population)
            candidates = start + self.spread * scale * self.rng.standard_normal((self.population, start.size))
            candidates[0] = start
            kept, losses = candidates[:0], np.empty(0)
            while evolution.stop_reason is None:
                losses = np.concatenate([losses, losses_of(candidates)])
                evaluations += len(candidates)
                order = np.argsort(losses, kind="stable")  # of equals the elder comes first
                kept, losses = np.concatenate([kept, candidates])[order], losses[order]
                if losses[0] == inf:
                    raise OverflowError(
                        f"not one of {self.population} starting candidates has a finite loss in "
                        f"{backend.dtype}. Standardize X, or take a smaller spread around smaller weights."
                    )
                best = kept[0]
                evolution.best_loss.append(float(losses[0]))
                evolution.mean_loss.append(float(losses[losses < inf].mean()))
                evolution.evaluations.append(evaluations)
                evolution.seconds.append(perf_counter() - begin)
                if goal is not None and losses[0] <= goal:
                    evolution.stop_reason = "goal"
                elif evolution.generations == generations:
                    evolution.stop_reason = "finished"
                else:
                    candidates = self._children(kept, scale)
                    kept, losses = kept[:elite], losses[:elite]
        except KeyboardInterrupt:
            evolution.stop_reason = "interrupted"
        except BaseException as error:
            best = start
            if isinstance(error, MemoryError) and not isinstance(error, OutOfMemory):
                raise self._without_room(start.size) from error
            raise
        finally:
            backend.from_host(best, out=parameters.values)
        if evolution.stop_reason == "interrupted":
            generation = evolution.generations + 1
            warn_user(f"{FIT_INTERRUPTED} in generation {generation}; the best weights so far are kept.")
        return evolution

    def _without_room(self, weights: int) -> MemoryError:
        return MemoryError(
            f"this machine has no room for {counted(self.population, 'candidate')} of "
            f"{counted(weights, 'weight')} and the losses of their rows. Take a smaller population."
        )

    def _children(self, ranked: Float, scale: Float) -> Float:
        """Return the children (n, P) of candidates, the best first, for all places but those of the elite."""
        n, rng = len(ranked) - self.elite, self.rng
        mothers, fathers = rng.integers(len(ranked), size=(2, n, self.tournament)).min(axis=2)
        crossed = np.where(rng.random((n, scale.size)) < 0.5, ranked[mothers], ranked[fathers])
        children: Float = crossed + self.mutation * scale * rng.standard_normal(crossed.shape)
        return children


class _Losses:
    """The losses of candidates: one evaluation, compiled once, between whose calls the weights change.

    Candidates go to the device together, and the losses of all their rows leave it together.
    """

    def __init__(self, backend: AnyBackend, stack: Stack, rows: Rows, population: int) -> None:
        self._backend, self._values, self._weights = backend, stack.parameters.values, rows.own_weights
        self._candidates = backend.zeros((population, *self._values.shape))
        self._evaluation = Evaluation(backend, stack, "loss", rows)
        self._results = backend.zeros((population, self._evaluation.size))
        self._rows = len(rows)

    def __call__(self, candidates: Float) -> Float:
        """Return the losses (n,) of candidates (n, P); infinite for what is not finite."""
        backend, n = self._backend, len(candidates)
        with np.errstate(over="ignore", invalid="ignore"):
            cast = candidates.astype(backend.dtype)
            backend.from_host(cast, out=self._candidates[:n])
            for i in range(n):
                backend.copy(self._candidates[i : i + 1].reshape(self._values.shape), out=self._values)
                self._evaluation.place(self._results[i : i + 1].reshape((self._evaluation.size,)))
                self._evaluation.measure()
            of_rows = backend.to_host(self._results[:n])[:, : self._rows]
            losses = weighted_means(of_rows.T, self._weights)
        losses[~(np.isfinite(losses) & np.isfinite(cast).all(axis=1))] = inf
        return losses


def _scale(parameters: Parameters) -> Float:
    """Return s (P,): 1 for a bias, 1 / sqrt(d) for a weight of d inputs, 0 where the flat array has gaps."""
    scale = np.zeros(parameters.values.shape)
    for (start, bias), (_, stop), (d, _) in zip(
        parameters.weight_ranges, parameters.ranges, parameters.shapes, strict=True
    ):
        scale[start:bias], scale[bias:stop] = d**-0.5, 1.0
    return scale
