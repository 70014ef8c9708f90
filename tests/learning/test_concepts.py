"""The table of concepts in `learn/README.md`: complete, and true of what the topics print and draw."""

import re
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path

import pytest

import fuseprop.learn
from fuseprop import load_backend
from fuseprop.learn import TOPICS

PAGE = Path(fuseprop.learn.__file__).with_name("README.md")

CONCEPTS = {
    *("perceptron", "weights", "bias", "sum function", "step", "sigmoid", "tanh", "ReLU"),
    *("softmax outputs, exclusive", "sigmoid outputs, non-exclusive", "threshold 0.5", "threshold 0"),
    *("error", "cost 1/(2m) sum", "MSE", "MAE", "cross-entropies"),
    *("gradient descent", "stochastic descent", "mini-batch"),
    *("learning rate about 0.3", "momentum about 0.6", "local minima", "meta-heuristics"),
    *("chain rule by one path", "chain rule by two paths", "backpropagation as averaged nudges"),
    *("vanishing gradients", "exploding gradients", "universal approximation"),
    *("logistic regression", "regression", "multi-class"),
}
"""Of a course on neural networks."""

ROWS = [
    tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ")
][1:]


def words(thing):
    """All texts within something that a topic returns, be they of its table or of its picture."""
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield from words(key)
            yield from words(value)
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from words(part)
    elif is_dataclass(thing):
        for field in fields(thing):
            yield from words(getattr(thing, field.name))


@cache
def said(topic):
    return "\n".join(words(TOPICS[topic](load_backend("cpu", "float64"), 0)))


def test_every_concept_stands_in_the_table():
    assert {concept for concept, *_ in ROWS} >= CONCEPTS


def test_every_topic_stands_in_the_table_and_no_other():
    assert {topic for _, topic, _ in ROWS} == set(TOPICS)


@pytest.mark.parametrize(("concept", "topic", "where"), ROWS, ids=lambda cell: cell[:30])
def test_it_is_seen_where_the_table_says(concept, topic, where):
    keys = re.findall("`([^`]+)`", where.replace("\\|", "|"))
    assert keys
    for key in keys:
        assert key in said(topic), f"{topic} does not say {key}"
