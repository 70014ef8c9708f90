"""Explanations: every number in the words is the trace's, and what they claim of it is true."""

import re

import numpy as np
import pytest

from fuseprop import Dense, Network, mlp
from fuseprop.backend.expression import evaluate
from fuseprop.formulas import LOSSES, Loss, exp, log1p, where
from fuseprop.formulas.activation import activate
from fuseprop.inspection.explanation.nudges import groups
from fuseprop.inspection.explanation.paths import paths
from fuseprop.inspection.explanation.strongest import path_through, strongest_path

ELEMENTWISE = [name for name in LOSSES if name != "softmax_cross_entropy"]
NUMBER = r"[-+]?(?:\d[\d.]*(?:e[-+]\d+)?|inf|nan)"


def network_for(loss, backend, sizes=(3, 4, 2), hidden="tanh", output=None):
    last = "identity" if getattr(loss, "link", LOSSES.get(str(loss), loss)) != "identity" else "sigmoid"
    return Network(mlp(list(sizes), hidden, output_activation=output or last), loss, seed=1, backend=backend)


def number_after(text, start):
    """Return the last number of the line that begins so."""
    line = next(line for line in text.splitlines() if line.strip().startswith(start))
    return float(re.findall(NUMBER, line)[-1])


# What the loss sends back


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_error_signals_are_the_slopes_in_terms_of_the_prediction(name, outputs):
    loss = LOSSES[name].member()
    y = np.linspace(-3.3, 2.9, 14)
    t = np.linspace(0.0, 1.0, 14)
    p = y if loss.link == "identity" else activate(loss.link, y)
    slope = evaluate(loss.formula.slope, {"y": y, "t": t}) * loss.factor(outputs)
    signal = loss.error_signal(outputs)
    np.testing.assert_allclose(evaluate(signal, {"p": p, "t": t, "z": y}), slope, rtol=1e-12, atol=1e-15)
    assert len(str(signal)) < 60


@pytest.mark.parametrize("name", ["sigmoid_cross_entropy", "softmax_cross_entropy", "half_poisson_deviance"])
def test_with_a_link_the_signal_is_prediction_less_target(name):
    assert str(LOSSES[name].member().error_signal(3)) == "p - t"


@pytest.mark.parametrize("name", LOSSES)
def test_the_lesson_of_each_loss_stands_with_its_numbers(backend64, name):
    """Each line is computed again from the numbers in it."""
    softmax = name == "softmax_cross_entropy"
    network = Network(mlp([3, 4, 2], "tanh"), name, seed=1, backend=backend64)
    trace = network.trace([[0.5, -1.0, 2.0]], [1] if softmax else [[1.0, 0.25]])
    text = trace.explain()
    functions = {"maximum": max, "minimum": min, "sign": np.sign, "tanh": np.tanh, "abs": abs}
    for j, t in enumerate((0.0, 1.0) if softmax else (1.0, 0.25), 1):
        line = next(line for line in text.splitlines() if line.startswith(f"  dL/dz2.{j} = "))
        _, names, numbers, value = line.split(" = ")
        assert float(value) == pytest.approx(trace.output_gradient[0, j - 1], rel=1e-5, abs=1e-12)
        again = eval(re.sub(r"\|([^|]*)\|", r"abs(\1)", numbers), functions)
        assert float(value) == pytest.approx(again, rel=1e-4, abs=1e-5)
        assert f"t{j}" in names
        p = trace.prediction[0, j - 1]
        if trace.link == "identity":
            assert f"a2.{j}" in names
        else:
            letter = "y" if trace.link == "exponential" else "p"
            assert names == f"{letter}{j} - t{j}"
            assert number_after(text, f"{letter}{j} = {'exp' if softmax else trace.link}(z2.{j}) ") == (
                pytest.approx(p, rel=1e-5)
            )
            np.testing.assert_allclose(p - t, trace.output_gradient[0, j - 1], rtol=1e-10)


def test_predictions_are_the_networks_own(backend64):
    for name in ELEMENTWISE:
        network = Network(mlp([3, 4, 2], "tanh"), name, seed=1, backend=backend64)
        X = np.random.default_rng(0).normal(size=(5, 3))
        trace = network.trace(X, np.full((5, 2), 0.5))
        np.testing.assert_allclose(trace.prediction, network.predict(X), rtol=1e-14)


def test_a_sigmoid_is_written_out_with_its_numbers(backend64):
    layers = [Dense(1, 1, "identity", weights=[[-2.0]], bias=[0.5])]
    text = Network(layers, "sigmoid_cross_entropy", backend=backend64).trace([[1.0]], [[1.0]]).explain()
    assert "p1 = sigmoid(z1.1) = 1 / (1 + exp(-(-1.5))) = 0.182426" in text
    assert "dL/dz1.1 = p1 - t1 = 0.182426 - 1 = -0.817574" in text


def test_a_class_number_is_told_from_an_output(backend64):
    network = Network(mlp([2, 3]), "softmax_cross_entropy", seed=0, backend=backend64)
    assert "label 2, counted from 0: t3 = 1" in network.trace([[1.0, 2.0]], [2]).explain()


@pytest.mark.parametrize("link", ["identity", "sigmoid"])
def test_losses_of_ones_own_are_written_too(backend64, link):
    short = Loss("fourth", lambda y, t: (y - t) ** 4 / 4, lambda y, t: (y - t) ** 3, link="identity")
    long = Loss(
        "long",
        lambda z, t: where(z > 0, log1p(exp(-z)) * t + z * (1 - t), log1p(exp(z)) - z * t) * (2 + t * t),
        link="sigmoid",
    )
    loss = short if link == "identity" else long
    trace = Network(mlp([2, 1]), loss, seed=0, backend=backend64).trace([[1.0, 2.0]], [[0.0]])
    text = trace.explain()
    assert number_after(text, "dL/dz1.1 = ") == pytest.approx(trace.output_gradient[0, 0], rel=1e-5)
    if link == "identity":
        assert "dL/dz1.1 = (a1.1 - t1) * (a1.1 - t1) * (a1.1 - t1) = " in text
    else:
        assert f"  dL/dz = {loss.error_signal(1)}" in text


def test_of_many_outputs_those_that_are_sent_most_are_written(backend64):
    network = Network(mlp([2, 30]), "half_squared_error", seed=0, backend=backend64)
    trace = network.trace([[1.0, 2.0]], np.zeros((1, 30)))
    text = trace.explain(paths=1)
    assert "and for 20 outputs more" in text
    written = {int(j) - 1 for j in re.findall(r"^  dL/dz1\.(\d+) = ", text, re.MULTILINE)}
    assert written == set(np.argsort(-np.abs(trace.output_gradient[0]))[:10].tolist())


# The strongest path


def all_paths(trace):
    """Yield the absolute product of every path to a weight of the first layer, with the path's names."""
    for j in range(len(trace.layers[0].bias)):
        for way in paths(trace, 1, j):
            product = np.prod([value for _, value in way])
            for i, x in enumerate(trace.layers[0].x[0]):
                yield abs(product * x), [*(name for name, _ in way), f"x{i + 1}"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sizes", [(3, 2), (3, 4, 2), (4, 3, 5, 2), (2, 3, 3, 3, 1)])
def test_the_strongest_path_is_that_of_all(backend64, sizes, seed):
    network = Network(mlp(list(sizes), "tanh"), "half_squared_error", seed=seed, backend=backend64)
    X = np.random.default_rng(seed).normal(size=(1, sizes[0]))
    trace = network.trace(X, np.zeros((1, sizes[-1])))
    largest, names = max(all_paths(trace), key=lambda path: path[0])
    found = path_through(trace, strongest_path(trace))
    assert [name for name, _ in found] == names
    assert abs(np.prod([value for _, value in found])) == pytest.approx(largest, rel=1e-12)


def test_a_large_network_spells_its_strongest_path_out(backend64):
    network = Network(mlp([30, 20, 10, 2], "tanh"), "softmax_cross_entropy", seed=3, backend=backend64)
    trace = network.trace(np.random.default_rng(3).normal(size=(1, 30)), [1])
    text = trace.explain()
    line = next(line for line in text.splitlines() if re.match(r"  dL/dz3\.\d+ \* ", line))
    names, numbers, product = line.split(" = ")
    assert np.prod([float(n) for n in numbers.split(" * ")]) == pytest.approx(float(product), rel=1e-4)
    i, j, *_ = strongest_path(trace)
    assert names.endswith(f" * x{i + 1}")
    share, total, ways = re.search(
        rf"({NUMBER})% of dL/dw1\.{i + 1},{j + 1} = ({NUMBER}), the sum of (\d+) paths", text
    ).groups()
    assert float(total) == pytest.approx(trace.dW[0][i, j], rel=1e-5)
    assert float(share) == pytest.approx(100 * float(product) / trace.dW[0][i, j], rel=1e-2)
    assert int(ways) == 10 * 2
    assert len(text.splitlines()) < 20


def test_a_path_so_long_that_its_product_is_0_is_still_found(backend):
    sizes = [2] * 400
    network = Network(mlp(sizes, "sigmoid"), "half_squared_error", seed=0, backend=backend)
    trace = network.trace([[1.0, 2.0]], [[0.0, 0.0]])
    assert strongest_path(trace)[0] == 1
    assert "the strongest path" in trace.explain()


@pytest.mark.parametrize("input_", [0.0, 1e308])
def test_without_a_finite_path_there_is_none(backend64, input_):
    network = Network(mlp([20, 20, 1], initializer=lambda rng, d, m: np.full((d, m), 2.0)),
                      "half_squared_error", backend=backend64)  # fmt: skip
    text = network.trace(np.full((1, 20), input_), [[1.0]]).explain()
    assert "no path from the loss to a weight of layer 1" in text


# Nudges


CASES = {
    "classes": ("softmax_cross_entropy", "identity", lambda rng, n: rng.integers(0, 3, n)),
    "one output on": ("half_squared_error", "sigmoid", lambda rng, n: np.eye(3)[rng.integers(0, 3, n)]),
    "labels": ("sigmoid_cross_entropy", "identity", lambda rng, n: 1.0 * (rng.random((n, 3)) > 0.5)),
    "values": ("huber", "identity", lambda rng, n: rng.normal(size=(n, 3))),
}


@pytest.fixture(params=[None, "weights"])
def weights(request):
    return None if request.param is None else np.random.default_rng(5).integers(0, 3, 40)


@pytest.mark.parametrize("case", CASES)
def test_nudges_add_up_to_the_gradient_of_the_bias(backend64, case, weights):
    loss, last, target = CASES[case]
    rng = np.random.default_rng(2)
    network = Network(mlp([4, 5, 3], output_activation=last), loss, seed=0, backend=backend64)
    X, t = rng.normal(size=(40, 4)), target(rng, 40)
    trace = network.trace(X, t, weights)
    counted = np.ones(40) if weights is None else weights
    alone = np.stack([network.trace(X[i : i + 1], t[i : i + 1]).delta[-1][0] for i in range(40)])
    found = groups(trace)
    assert sum(group.rows for group in found) == (counted > 0).sum()
    assert sum(group.share for group in found) == pytest.approx(1.0)
    np.testing.assert_allclose(sum(g.share * g.mean for g in found), -trace.db[-1], rtol=1e-9, atol=1e-15)
    if case == "classes":
        for label, group in enumerate(found):
            rows = t == label
            assert group.name == f"class {label}"
            expected = -(counted[rows, None] * alone[rows]).sum(axis=0) / counted[rows].sum()
            np.testing.assert_allclose(group.mean, expected, rtol=1e-9)


@pytest.mark.parametrize("case", ["classes", "one output on", "labels"])
def test_the_table_of_nudges_has_these_numbers(backend64, case):
    loss, last, target = CASES[case]
    rng = np.random.default_rng(2)
    network = Network(mlp([4, 5, 3], output_activation=last), loss, seed=0, backend=backend64)
    trace = network.trace(rng.normal(size=(40, 4)), target(rng, 40))
    lines = trace.explain().splitlines()
    for group in groups(trace):
        line = next(line for line in lines if line.startswith(f"  {group.name}  "))
        rows, share, *mean = map(float, line.removeprefix(f"  {group.name}").split())
        assert (rows, share) == (group.rows, pytest.approx(group.share, rel=1e-3))
        np.testing.assert_allclose(mean, group.mean, rtol=1e-3)
    all_rows = next(line for line in lines if line.startswith("  all ")).split()
    np.testing.assert_allclose([float(n) for n in all_rows[3:6]], -trace.db[-1], rtol=1e-3, atol=1e-6)


def test_a_digit_wants_its_own_output_up_and_nine_others_down(backend64):
    rng = np.random.default_rng(0)
    network = Network(mlp([8, 6, 10]), "softmax_cross_entropy", seed=0, backend=backend64)
    trace = network.trace(rng.normal(size=(100, 8)), rng.permutation(np.arange(100) % 10))
    found = groups(trace)
    assert len(found) == 10
    for label, group in enumerate(found):
        assert (np.sign(group.mean) == np.where(np.arange(10) == label, 1, -1)).all()
    assert re.search(
        r"the strongest: class (\d) wants z2\.\d+ up by [\d.]+ a row, and of the other outputs 9 down",
        trace.explain(),
    )


def test_values_are_told_by_the_direction_that_rows_want(backend64):
    rng = np.random.default_rng(1)
    network = Network(mlp([4, 5, 2]), "half_squared_error", seed=0, backend=backend64)
    trace = network.trace(rng.normal(size=(50, 4)), rng.normal(size=(50, 2)))
    lines = trace.explain().splitlines()
    for j in (0, 1):
        words = next(line for line in lines if line.startswith(f"  z2.{j + 1} ")).split()
        up, up_share, up_mean, down, down_share, down_mean, total = map(float, words[1:])
        nudge = -50 * trace.delta[-1][:, j]
        assert (up, down) == ((nudge > 0).sum(), (nudge < 0).sum())
        assert up_mean == pytest.approx(nudge[nudge > 0].mean(), rel=1e-3)
        assert down_mean == pytest.approx(nudge[nudge < 0].mean(), rel=1e-3)
        assert total == pytest.approx(-trace.db[-1][j], rel=1e-3)
        assert up_share * up_mean + down_share * down_mean == pytest.approx(total, abs=1e-3)


@pytest.mark.parametrize("rows", [3, 40])
def test_the_strongest_gradient_is_the_sum_over_its_rows(backend64, rows):
    rng = np.random.default_rng(4)
    network = Network(mlp([4, 5, 3]), "softmax_cross_entropy", seed=0, backend=backend64)
    trace = network.trace(rng.normal(size=(rows, 4)), rng.integers(0, 3, rows))
    text = trace.explain()
    name, total = re.search(rf"the strongest gradient of a weight: dL/dw(\S+) = ({NUMBER})", text).groups()
    largest = max(float(np.abs(layer.dW).max()) for layer in trace.layers)
    assert abs(float(total)) == pytest.approx(largest, rel=1e-5)
    number, i, j = int(name[0]), int(name[2]) - 1, int(name[3]) - 1
    layer, parts = trace.layers[number - 1], []
    for row, *numbers in re.findall(rf"row (\d+): ({NUMBER}) \* ({NUMBER}) \* ({NUMBER}) = ({NUMBER})", text):
        at = int(row) - 1
        share, delta, x, part = map(float, numbers)
        assert share == pytest.approx(1 / rows, rel=1e-5)
        assert delta == pytest.approx(rows * layer.delta[at, j], rel=1e-4)
        assert x == pytest.approx(layer.x[at, i], rel=1e-4)
        assert part == pytest.approx(layer.delta[at, j] * layer.x[at, i], rel=1e-4)
        parts.append(part)
    assert len(parts) == min(rows, 5)
    if rows > 5:
        parts.append(float(re.search(rf"35 other rows, the sum of their parts: ({NUMBER})", text)[1]))
    assert sum(parts) == pytest.approx(float(total), rel=1e-4)


def test_any_number_of_rows_classes_and_outputs_stays_readable(backend):
    rng = np.random.default_rng(0)
    network = Network(mlp([6, 8, 40]), "softmax_cross_entropy", seed=0, backend=backend)
    trace = network.trace(rng.normal(size=(2000, 6)), np.arange(2000) % 40)
    lines = trace.explain().splitlines()
    assert len(lines) < 30
    assert any("30 others" in line for line in lines)
    assert any("the 10 of 40 outputs with the largest nudges" in line for line in lines)
    np.testing.assert_allclose(
        sum(group.share * group.mean for group in groups(trace)), -trace.db[-1], atol=1e-6
    )


def test_rows_without_weight_are_left_out_and_said(backend64):
    network = Network(mlp([2, 3]), "softmax_cross_entropy", seed=0, backend=backend64)
    trace = network.trace([[1.0, 2.0], [0.0, 1.0], [1.0, 1.0]], [0, 1, 2], [1.0, 0.0, 3.0])
    assert [(group.name, group.share) for group in groups(trace)] == [("class 0", 0.25), ("class 2", 0.75)]
    assert "1 row of weight 0 wants nothing and is left out" in trace.explain()


def test_nudges_that_overflow_are_written_without_a_warning(backend64):
    layers = [
        Dense(2, 2, "identity", weights=np.full((2, 2), 1e308)),
        Dense(2, 1, "identity", weights=[[1], [-1]]),
    ]
    network = Network(layers, "half_squared_error", backend=backend64)
    assert "nan" in network.trace([[10.0, 10.0], [1.0, 2.0]], [[1.0], [0.0]]).explain()
