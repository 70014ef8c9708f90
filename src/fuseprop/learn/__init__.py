"""Topics of a course on neural networks, each a short training whose numbers show the point.

A topic is a function in a file of its own; `result` is what it returns.
"""

from .approximation import approximation
from .classes import classes
from .digits import digits
from .example import example
from .line import line
from .logistic import logistic
from .minima import minima
from .momentum import momentum
from .overfitting import overfitting
from .perceptron import perceptron
from .rates import rates
from .result import Result, Topic
from .vanishing import vanishing
from .xor import xor

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        perceptron,
        line,
        logistic,
        example,
        xor,
        rates,
        momentum,
        vanishing,
        approximation,
        minima,
        classes,
        overfitting,
        digits,
    )
}
"""By name, in the order of a course."""

__all__ = ["TOPICS", "Result", "Topic"]
