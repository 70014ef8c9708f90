"""Topics of a course on neural networks, each a short training whose numbers show the point.

A topic is a function in a file of its own; `result` is what it returns.
"""

from .activations import activations
from .approximation import approximation
from .bias import bias
from .classes import classes
from .costs import costs
from .descent import descent
from .digits import digits
from .example import example
from .genetic import genetic
from .line import line
from .logistic import logistic
from .minima import minima
from .momentum import momentum
from .neuron import neuron
from .overfitting import overfitting
from .perceptron import perceptron
from .rates import rates
from .result import Result, Topic
from .vanishing import vanishing
from .xor import xor

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        neuron,
        activations,
        perceptron,
        bias,
        line,
        costs,
        logistic,
        rates,
        descent,
        momentum,
        example,
        xor,
        approximation,
        minima,
        genetic,
        vanishing,
        classes,
        overfitting,
        digits,
    )
}
"""By name, in the order of a course."""

__all__ = ["TOPICS", "Result", "Topic"]
