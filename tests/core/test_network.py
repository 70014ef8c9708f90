"""Networks: what they are made of, what they say, and what they refuse."""

import pickle
from copy import deepcopy

import numpy as np
import pytest

from fuseprop import Adam, BackendUnavailable, Dense, EarlyStopping, MomentumSGD, Network, load_backend, mlp
from fuseprop.formulas.activation import ACTIVATIONS
from fuseprop.formulas.loss import LOSSES
from fuseprop.layers.initialization import INITIALIZERS
from fuseprop.layers.parameters import ALIGNMENT

SOFTMAX, SIGMOID, HALF = "softmax_cross_entropy", "sigmoid_cross_entropy", "half_squared_error"


@pytest.fixture
def network(backend):
    return Network(mlp([4, 6, 3]), SOFTMAX, seed=0, backend=backend)


X = np.random.default_rng(0).normal(size=(9, 4))
LABELS = np.arange(9) % 3


# What layers and networks are made of


@pytest.mark.parametrize("initializer", [*INITIALIZERS, None])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_starting_weights(backend, initializer, activation):
    network = Network([Dense(300, 200, activation, initializer=initializer)], HALF, seed=0, backend=backend)
    (weights, bias), name = network.weights()[0], initializer or ("he" if activation == "relu" else "glorot")
    deviation = {
        "glorot": np.sqrt(2 / 500),
        "he": np.sqrt(2 / 300),
        "uniform": np.sqrt(1 / 900),
        "zeros": 0.0,
    }
    assert weights.std() == pytest.approx(deviation[name], rel=0.02)
    assert abs(weights.mean()) < 1e-3
    assert not bias.any()


def test_starting_weights_come_from_the_seed_alone(backend):
    drawn = [Network(mlp([4, 6, 3]), SOFTMAX, seed=s, backend=backend).weights() for s in (1, 1, 2)]
    np.testing.assert_array_equal(drawn[0][1][0], drawn[1][1][0])
    assert (drawn[0][1][0] != drawn[2][1][0]).all()
    generator = np.random.default_rng(1)
    same = Network(mlp([4, 6, 3]), SOFTMAX, seed=generator, backend=backend)
    np.testing.assert_array_equal(same.weights()[1][0], drawn[0][1][0])


def test_an_initializer_of_ones_own(backend):
    layer = Dense(2, 3, initializer=lambda rng, d, m: np.full((d, m), 0.5))
    assert (Network([layer], HALF, backend=backend).weights()[0][0] == 0.5).all()
    with pytest.raises(ValueError, match=r"initializer's weights must have shape \(2, 3\)"):
        Network([Dense(2, 3, initializer=lambda rng, d, m: np.zeros((m, d)))], HALF, backend=backend)


def test_explicit_weights(backend):
    w, b = [[1.0, 2.0], [3.0, 4.0]], [0.5, -0.5]
    network = Network([Dense(2, 2, "identity", weights=w, bias=b)], HALF, backend=backend)
    np.testing.assert_array_equal(network.forward([[1, 1]]), [[4.5, 5.5]])


def test_parameters_are_flat_aligned_and_padded_with_zero(backend):
    network = Network(mlp([5, 7, 3]), SOFTMAX, seed=0, backend=backend)
    parameters = network.stack.parameters
    assert parameters.count == 6 * 7 + 8 * 3
    assert parameters.values.shape == parameters.gradients.shape == (2 * ALIGNMENT,)
    network.fit(np.ones((8, 5)), np.arange(8) % 3, MomentumSGD(0.3, 0.6, 0.01, nesterov=True), epochs=5)
    flat = backend.to_host(parameters.values)
    (w1, b1), (w2, b2) = network.weights()
    np.testing.assert_array_equal(flat[:42], [*w1.ravel(), *b1])
    np.testing.assert_array_equal(flat[64:88], [*w2.ravel(), *b2])
    assert not flat[42:64].any()
    assert not flat[88:].any()


def test_set_weights_is_all_or_nothing(network):
    before = network.weights()
    for wrong in (
        [(np.zeros((4, 6)), np.zeros(6))],
        [(np.ones((4, 6)), np.ones(6)), (np.ones((3, 6)), np.ones(3))],
    ):
        with pytest.raises(ValueError, match=r"expected weights|must have shape"):
            network.set_weights(wrong)
    for (w, b), (v, c) in zip(network.weights(), before, strict=True):
        np.testing.assert_array_equal(w, v)
        np.testing.assert_array_equal(b, c)


def test_copies_not_views_are_handed_out(network):
    network.weights()[0][0][:] = 7
    assert not (network.weights()[0][0] == 7).any()


def test_summary(network):
    lines = network.summary().splitlines()
    assert lines[1].split() == ["1", "4", "6", "sigmoid", "30"]
    assert lines[2].split() == ["2", "6", "3", "identity", "21"]
    assert "51 parameters" in lines[3]
    assert network.backend.device in lines[3]


# What networks say


@pytest.mark.parametrize("rows", [1, 2, 1023, 1024, 1025, 2500])
def test_predict_any_number_of_rows(network, rows):
    many = np.random.default_rng(1).normal(size=(rows, 4))
    predictions = network.predict(many)
    assert predictions.shape == (rows, 3)
    assert predictions.dtype == network.backend.dtype
    np.testing.assert_allclose(predictions.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(network.classify(many), predictions.argmax(axis=1))
    one = network.predict(many[-1:])
    np.testing.assert_allclose(one, predictions[-1:], rtol=1e-5)


def test_predictions_apply_the_links(backend64):
    logits = Network(mlp([4, 3]), SOFTMAX, seed=0, backend=backend64).forward(X)
    softmax = Network(mlp([4, 3]), SOFTMAX, seed=0, backend=backend64).predict(X)
    sigmoid = Network(mlp([4, 3]), SIGMOID, seed=0, backend=backend64).predict(X)
    plain = Network(mlp([4, 3]), HALF, seed=0, backend=backend64).predict(X)
    np.testing.assert_allclose(softmax, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(sigmoid, 1 / (1 + np.exp(-logits)))
    np.testing.assert_allclose(plain, logits)


def test_forward_and_backward_of_other_numbers_of_rows(network):
    for rows in (3, 9, 1):
        assert network.forward(X[:rows]).shape == (rows, 3)
        assert np.isfinite(network.backward(LABELS[:rows]))


def test_lists_and_other_dtypes_are_taken(network):
    expected = network.predict(X)
    np.testing.assert_array_equal(network.predict(X.tolist()), expected)
    np.testing.assert_array_equal(network.predict(np.asfortranarray(X)), expected)
    network.fit(X > 0, LABELS.astype(np.int8), epochs=1)
    network.fit(X, [float(label) for label in LABELS], epochs=1)
    network.fit(X, np.eye(3)[LABELS], epochs=1)


def test_inputs_are_never_changed(network):
    frozen, labels, weights = X.copy(), LABELS.copy(), np.ones(9)
    for array in (frozen, labels, weights):
        array.flags.writeable = False
    network.fit(frozen, labels, epochs=2, sample_weight=weights, validation=0.34)
    network.evaluate(frozen, labels, weights)
    np.testing.assert_array_equal(frozen, X)


def test_equal_networks_give_equal_losses_whatever_the_coding(network):
    by_number, by_column = network.evaluate(X, LABELS), network.evaluate(X, np.eye(3)[LABELS])
    assert by_number == by_column


# What networks refuse


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Dense(0, 3), ValueError, "inputs of at least 1, got 0"),
        (lambda: Dense(3, -2), ValueError, "outputs of at least 1, got -2"),
        (lambda: Dense(3, 2.5), ValueError, "got 2.5"),
        (lambda: Dense(2, 2, "sigmod"), ValueError, 'choose from: identity, .*Did you mean "sigmoid"'),
        (lambda: Dense(2, 2, initializer="glorott"), ValueError, 'initializer .*Did you mean "glorot"'),
        (lambda: Dense(2, 3, weights=np.zeros((3, 2))), ValueError, r"shape \(2, 3\).*got \(3, 2\)"),
        (lambda: Dense(2, 3, bias=[np.nan, 0, 0]), ValueError, "bias must be finite"),
        (lambda: mlp([3]), ValueError, "inputs and outputs"),
        (lambda: Network(mlp([3, 10**30, 1]), HALF), MemoryError, "fit no memory at all.*layers smaller"),
        (lambda: mlp([3, 4, 4, 2], ["relu"]), ValueError, "1 entry for 2 hidden layers"),
        (lambda: Network([], HALF), ValueError, "at least one layer"),
        (lambda: Network([Dense(2, 3), Dense(4, 1)], HALF), ValueError, "layer 2 takes 4 .* layer 1 gives 3"),
        (lambda: Network(["Dense"], HALF), TypeError, "must be Dense, got str"),
        (lambda: Network(mlp([2, 1]), "mse"), ValueError, "Choose from: half_squared_error, "),
        (lambda: Network([Dense(2, 1, "sigmoid")], SIGMOID), ValueError, 'must be "identity", got "sigmoid"'),
        (lambda: Network(mlp([2, 1]), HALF, metric="f1"), ValueError, "Choose from: accuracy, r2"),
        (lambda: Network(mlp([2, 1]), SIGMOID, metric="r2"), ValueError, "needs a squared error"),
        (lambda: Network(mlp([2, 1]), HALF, device="tpu"), BackendUnavailable, "'tpu' is neither"),
        (lambda: Network(mlp([2, 1]), HALF, device="numpi"), BackendUnavailable, 'Did you mean "numpy"'),
        (lambda: Network(mlp([2, 1]), HALF, device="cpu", dtype="float16"), ValueError, "float16"),
        (lambda: MomentumSGD(0), ValueError, "learning_rate must be a number above 0, got 0"),
        (lambda: MomentumSGD(float("nan")), ValueError, "learning_rate"),
        (lambda: MomentumSGD(0.1, 1.5), ValueError, "momentum must be at least 0 and at most 1"),
        (lambda: MomentumSGD(0.1, weight_decay=-1), ValueError, "weight_decay"),
        (lambda: MomentumSGD("0.1"), ValueError, "learning_rate must be a number above 0, got '0.1'"),
        (lambda: MomentumSGD(0.1, None), ValueError, "momentum must be at least 0 and at most 1, got None"),
        (lambda: MomentumSGD(0.1, clip_norm="1"), ValueError, "clip_norm must be a number above 0"),
        (lambda: Adam(beta_2="0.9"), ValueError, "beta_2 must be at least 0 and below 1, got '0.9'"),
        (lambda: Adam(epsilon=None), ValueError, "epsilon must be a number above 0, got None"),
        (lambda: mlp([2, 2, 1], dropout="0.5"), ValueError, "dropout must be at least 0 and below 1"),
        (lambda: Network(mlp([2, 1]), HALF, device=0), TypeError, 'a name such as "cpu" .* got 0'),
        (lambda: Network(mlp([2, 1]), HALF, backend="numpy"), TypeError, "device= takes names.* got 'numpy'"),
    ],
)  # fmt: skip
def test_constructors_refuse(call, error, message):
    with pytest.raises(error, match=f"(?i){message}"):
        call()


class Elsewhere:
    """An array on a device, as CuPy's look from outside."""

    __cuda_array_interface__ = {"shape": (9, 4)}  # noqa: RUF012


class OnDevice:
    """The same by DLPack: device type 2 is CUDA."""

    def __dlpack_device__(self):
        return 2, 0


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (X[0], ValueError, r"\(rows, features\), got \(4,\).*reshape\(1, -1\)"),
        (X[None], ValueError, r"got \(1, 9, 4\)"),
        (X[:0], ValueError, "empty"),
        (X[:, :0], ValueError, "empty"),
        (X[:, :3], ValueError, "X has 3 features, but the network takes 4"),
        (np.where(X[2, 1] == X, np.nan, X), ValueError, "nan in row 2, column 1"),
        (np.where(X[0, 3] == X, -np.inf, X), ValueError, "-inf in row 0, column 3"),
        ([["a"] * 4], TypeError, "real numbers"),
        ([[1, 2, 3, None]], ValueError, "nan in row 0, column 3"),
        ([[1, 2, 3, 4], [1, 2]], ValueError, "X is no array of numbers.*Make rows equally long"),
        (np.array([[object()] * 4]), TypeError, "must hold numbers"),
        (X + 1j, TypeError, "complex128"),
        (Elsewhere(), TypeError, "on a device"),
        (OnDevice(), TypeError, "on a device"),
    ],
    ids=lambda v: None if isinstance(v, type | str) else "X",
)
def test_bad_rows_are_refused_everywhere(network, bad, error, message):
    before = network.weights()
    for call in (
        network.predict,
        network.classify,
        network.forward,
        lambda rows: network.fit(rows, LABELS),
        lambda rows: network.evaluate(rows, LABELS),
        lambda rows: network.train_step(rows, LABELS, MomentumSGD()),
        lambda rows: network.fit(X, LABELS, validation=(rows, LABELS)),
    ):
        with pytest.raises(error, match=message):
            call(bad)
    np.testing.assert_array_equal(network.weights()[0][0], before[0][0])


@pytest.mark.parametrize(
    ("loss", "outputs", "target", "message"),
    [
        (SOFTMAX, 3, LABELS[:8], r"one entry for each row of X, 9 rows.*\(8,\)"),
        (SOFTMAX, 3, LABELS + 1, "must be 0 to 2 for 3 outputs, got 1 to 3"),
        (SOFTMAX, 3, LABELS - 1, "got -1 to 1"),
        (SOFTMAX, 3, LABELS + 0.5, "must be whole; got 0.5"),
        (SOFTMAX, 3, np.ones((9, 3)), r"row 0 is \[1.0, 1.0, 1.0\].*sigmoid_cross_entropy"),
        (SOFTMAX, 3, np.eye(4)[LABELS], r"shape \(9, 4\), but the network has 3 outputs"),
        (SIGMOID, 3, 2 * np.eye(3)[LABELS], r"targets in \[0, 1\], got 0 to 2"),
        (SIGMOID, 1, -np.ones(9), r"targets in \[0, 1\], got -1 to -1"),
        (HALF, 1, np.where(LABELS == 1, np.nan, 0.0), "target contains nan in row 1"),
        (HALF, 2, np.zeros((9, 3)), r"but the network has 2 outputs: \(9, 2\)"),
        (HALF, 1, 3.0, r"got shape \(\)"),
        (HALF, 1, ["a"] * 9, "real numbers"),
    ],
)  # fmt: skip
def test_bad_targets_are_refused(backend, loss, outputs, target, message):
    network = Network(mlp([4, outputs]), loss, seed=0, backend=backend)
    before = network.weights()
    for call in (network.fit, network.evaluate):
        with pytest.raises((ValueError, TypeError), match=message):
            call(X, target)
    np.testing.assert_array_equal(network.weights()[0][0], before[0][0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"epochs": 2.5}, "epochs"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"batch_size": True}, "batch_size"),
        ({"validation": 0.0}, "between 0 and 1"),
        ({"validation": 1.0}, "between 0 and 1"),
        ({"validation": 0.05}, "9 rows are too few to hold out a share of 0.05"),
        ({"sample_weight": np.ones(8)}, r"shape \(9,\)"),
        ({"sample_weight": -np.ones(9)}, "not be negative"),
        ({"sample_weight": np.zeros(9)}, "not all zero"),
        ({"sample_weight": np.full(9, np.nan)}, "sample_weight contains nan"),
    ],
)
def test_bad_options_are_refused(network, options, message):
    with pytest.raises(ValueError, match=message):
        network.fit(X, LABELS, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation": [X, LABELS]}, r"a tuple \(X, target\).*got list of 2"),
        ({"validation": (X,)}, "got tuple of 1"),
        ({"validation": "0.2"}, "a share of rows such as 0.2.*got str"),
        ({"optimizer": "adam"}, r"such as Adam\(learning_rate=0.001\), got 'adam'"),
        ({"optimizer": Adam}, "got the class Adam"),
        ({"callbacks": None}, r"a sequence such as \[EarlyStopping\(patience=10\)\], got None"),
        ({"callbacks": [print]}, "with start, epoch_end and end.*got <built-in function print>"),
        ({"callbacks": [EarlyStopping]}, "got the class EarlyStopping"),
    ],
)
def test_what_is_no_option_is_refused_before_any_work(network, options, message):
    before, drawn = network.weights(), network.rng.bit_generator.state
    with pytest.raises(TypeError, match=message):
        network.fit(X, LABELS, **{"validation": 0.3, **options})
    np.testing.assert_array_equal(network.weights()[0][0], before[0][0])
    assert network.rng.bit_generator.state == drawn


def test_a_step_needs_an_optimizer(network):
    with pytest.raises(TypeError, match="got 'adam'"):
        network.train_step(X, LABELS, "adam")


def test_numbers_too_large_for_the_dtype_are_refused_and_not_turned_into_inf(network):
    huge = np.where(X[1, 2] == X, -1e39, X)
    calls = (
        network.predict,
        network.forward,
        lambda rows: network.evaluate(rows, LABELS),
        lambda rows: network.fit(rows, LABELS, epochs=1),
    )
    for call in calls:
        if network.backend.dtype == np.float64:
            call(huge)
            continue
        with pytest.raises(ValueError, match=r"X contains -1e\+39 in row 1, column 2 .*float32 cannot hold"):
            call(huge)


def test_a_network_is_not_pickled_and_says_what_to_keep(network):
    for copy in (pickle.dumps, deepcopy):
        with pytest.raises(TypeError, match=r"network\.weights\(\)"):
            copy(network)


def test_backward_needs_forward(network):
    with pytest.raises(RuntimeError, match="forward"):
        network.backward(LABELS)


def test_an_optimizer_serves_one_network(network, backend):
    optimizer = MomentumSGD()
    with pytest.raises(RuntimeError, match="prepare"):
        optimizer.update(backend, network.stack.parameters)
    network.fit(X, LABELS, optimizer, epochs=1)
    other = Network(mlp([4, 6, 3]), SOFTMAX, seed=0, backend=backend)
    with pytest.raises(ValueError, match="another network"):
        other.fit(X, LABELS, optimizer, epochs=1)
    optimizer.learning_rate = -1
    with pytest.raises(ValueError, match="learning_rate"):
        network.fit(X, LABELS, optimizer, epochs=1)


def test_every_loss_is_documented_by_its_name():
    """In the list that the docstring names, and that nobody has to keep beside it."""
    assert [family.name for family in LOSSES.values()] == list(LOSSES)
    assert all(family().name == name and family().text for name, family in LOSSES.items())
    assert "`fuseprop.formulas.LOSSES`" in Network.__doc__


def test_backend_objects_and_names_are_the_same():
    by_name = Network(mlp([4, 6, 3]), SOFTMAX, seed=0, device="numpy", dtype="float64")
    by_object = Network(mlp([4, 6, 3]), SOFTMAX, seed=0, backend=load_backend("cpu", "float64"))
    np.testing.assert_array_equal(by_name.predict(X), by_object.predict(X))


def test_diverging_train_steps_do_not_warn(backend):
    network = Network(mlp([4, 6, 3], "relu"), HALF, seed=0, backend=backend)
    optimizer = MomentumSGD(float(np.finfo(backend.dtype).max) / 1e3)
    losses = [network.train_step(X, np.eye(3)[LABELS], optimizer) for _ in range(4)]
    assert not np.isfinite(losses[-1])
