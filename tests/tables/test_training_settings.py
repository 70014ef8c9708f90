"""Settings of training: best weights, patience, optimizer, schedule, dropout, clipping, class weights."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import fuseprop
from fuseprop import Adam, MomentumSGD, Table
from fuseprop.callbacks import OnEpochEnd
from fuseprop.cli import main
from fuseprop.cli.training_report import plan, results
from fuseprop.model.fitting import Fitting
from fuseprop.model.settings import SettingsError, settings_for
from fuseprop.schedules import over_epochs

CPU = {"device": "cpu", "members": 1}
STEPS = {"optimizer": "momentum", "learning_rate": 0.1, "weight_decay": 0.001, "hidden": (64,), "bins": 0}


def noise(n=120, classes=("no", "yes"), shares=(0.75, 0.25)):
    """Random labels: the training loss falls and the validation loss soon rises."""
    rng = np.random.default_rng(0)
    return Table.of(rng.normal(size=(n, 5)), rng.choice(classes, n, p=shares))


def same(weights, others):
    return all(
        np.array_equal(a, b) for p, q in zip(weights, others, strict=True) for a, b in zip(p, q, strict=True)
    )


def trained(table=None, **given):
    """Return a fitting that has run, and the weights after each of its epochs."""
    fitting = Fitting(noise() if table is None else table, **{**CPU, **STEPS, **given})
    weights = []
    fitting.run(callbacks=[OnEpochEnd(lambda _: weights.append(fitting.model.network.weights()))])
    return fitting, weights


# Which weights are kept


@pytest.mark.parametrize("patience", [0, 3])
def test_the_weights_with_the_lowest_validation_loss_are_kept(patience):
    fitting, weights = trained(epochs=60, patience=patience)
    history = fitting.history
    best = int(np.argmin(history.validation_loss))
    assert history.epochs == (60 if patience == 0 else best + 1 + 3)
    assert history.stop_reason == ("finished" if patience == 0 else "early stopping")
    assert fitting.kept_epochs[-1] == best + 1 < history.epochs
    assert same(fitting.model.network.weights(), weights[best])
    assert fitting.report().validation["loss"] == pytest.approx(history.validation_loss[best], rel=1e-6)


def test_without_validation_rows_the_last_weights_are_kept():
    fitting, weights = trained(epochs=5, validation=0.0)
    assert (fitting.settings.patience, fitting.kept_epochs[-1]) == (0, 5)
    assert same(fitting.model.network.weights(), weights[-1])


@pytest.mark.filterwarnings("ignore:training interrupted")
@pytest.mark.parametrize("validation", [0.0, 0.2])
def test_what_is_kept_after_ctrl_c(validation):
    fitting = Fitting(noise(), epochs=60, validation=validation, **CPU, **STEPS)
    seen = []

    def interrupt(history):
        seen.append(fitting.model.network.weights())
        if history.epochs == 40:
            raise KeyboardInterrupt

    history = fitting.run(callbacks=[OnEpochEnd(interrupt)])
    best = int(np.argmin(history.validation_loss)) if validation else None
    assert fitting.kept_epochs[-1] == (None if best is None else best + 1)
    assert same(fitting.model.network.weights(), seen[-1 if best is None else best])


def test_patience_is_a_default_where_rows_validate():
    task = fuseprop.train(noise(), epochs=1, **CPU)[0].task
    assert settings_for(task, 120, 5).patience > 0
    assert settings_for(task, 120, 5, validation=0.0).patience == 0
    assert settings_for(task, 12, 5).patience == 0
    assert settings_for(task, 120, 5, patience=0).patience == 0


# How a step is taken


def by_hand(fitting, optimizer, weights=None):
    """Train an equal network by `Network.fit` on the same rows; return its history and its weights."""
    table, model = fitting.table, fitting.model
    again = Fitting(table, **{**vars(fitting.settings), "class_weight": None})
    network = again.model.network

    def part(rows):
        rest = () if weights is None else (weights[rows],)
        return (
            model.encoder.encode(table, network.backend.dtype, rows),
            model.encode_targets(table)[rows],
            *rest,
        )

    history = network.fit(
        *part(fitting.train)[:2],
        optimizer,
        epochs=fitting.settings.epochs,
        batch_size=fitting.settings.batch_size,
        sample_weight=None if weights is None else weights[fitting.train],
        validation=part(fitting.validation),
        callbacks=[fuseprop.EarlyStopping(fitting.settings.patience)],
    )
    return history, network.weights()


@pytest.mark.parametrize(
    ("given", "optimizer"),
    [
        (
            {
                "optimizer": "adam",
                "schedule": "constant",
                "learning_rate": 0.02,
                "weight_decay": 0.1,
                "clip_norm": 0.3,
            },
            lambda: Adam(0.02, weight_decay=0.1, clip_norm=0.3),
        ),
        (
            {
                "schedule": "cosine",
                "learning_rate": 0.2,
                "momentum": 0.5,
                "weight_decay": 0.0,
                "dropout": 0.2,
            },
            lambda: MomentumSGD(over_epochs("cosine", 0.2, 9), 0.5),
        ),
        (
            {"clip_norm": 0.2, "learning_rate": 0.2, "momentum": 0.5, "weight_decay": 0.01},
            lambda: MomentumSGD(0.2, 0.5, 0.01, clip_norm=0.2),
        ),
    ],
    ids=["adam", "cosine and dropout", "clipped"],
)
def test_training_is_that_of_the_network_with_this_optimizer(given, optimizer):
    fitting, _ = trained(epochs=9, patience=9, **given)
    history, weights = by_hand(fitting, optimizer())
    assert fitting.history.train_loss == history.train_loss
    assert same(fitting.model.network.weights(), weights)
    assert [layer.dropout for layer in fitting.model.network.layers] == [given.get("dropout", 0.0), 0.0]


@pytest.mark.parametrize("setting", [{"dropout": 0.3}, {"clip_norm": 0.05}, {"schedule": "exponential"}])
def test_each_setting_changes_the_training(setting):
    plain, changed = (trained(epochs=3, **given)[0].history for given in ({}, setting))
    assert plain.train_loss[-1] != changed.train_loss[-1]


def test_a_schedule_goes_over_the_epochs_that_are_asked_for():
    fitting, _ = trained(epochs=12, patience=5, schedule="step", learning_rate=0.3)
    rates = fitting.history.learning_rate
    assert 4 < len(rates) < 12
    assert rates == pytest.approx([0.3, 0.3, 0.3, 0.3, 0.03, 0.03, 0.03, 0.03, *[0.003] * 4][: len(rates)])


# Weights of classes


def test_balanced_weights_are_scikit_learns_of_the_training_rows_alone():
    weight = pytest.importorskip("sklearn.utils.class_weight").compute_class_weight
    fitting = Fitting(noise(), class_weight="balanced", **CPU)
    targets = fitting.table.targets[:, 0]
    expected = weight("balanced", classes=np.array(["no", "yes"]), y=targets[fitting.train])
    np.testing.assert_allclose(fitting.class_weights, expected, rtol=1e-15)
    assert not np.allclose(expected, weight("balanced", classes=np.array(["no", "yes"]), y=targets))


@pytest.mark.parametrize("loss", [None, "hinge", "softmax_cross_entropy"])
def test_rows_learn_and_validate_by_the_weights_of_their_classes(loss):
    fitting, _ = trained(epochs=6, patience=6, class_weight={"yes": 4}, loss=loss)
    rows = np.where(fitting.table.targets[:, 0] == "yes", 4.0, 1.0)
    s = fitting.settings
    history, weights = by_hand(fitting, MomentumSGD(s.learning_rate, s.momentum, s.weight_decay), rows)
    for name in ("train_loss", "validation_loss", "train_metric", "validation_metric"):
        assert getattr(fitting.history, name) == getattr(history, name)
    assert same(fitting.model.network.weights(), weights)


def test_scores_are_not_weighted():
    fitting, _ = trained(epochs=2, class_weight={"yes": 50})
    report = fitting.report()
    for name, rows in fitting.parts():
        assert report.scores(name) == fitting.model.evaluate(fitting.table.take(rows))
    assert report.validation["accuracy"] != fitting.history.validation_metric[fitting.kept_epochs[-1] - 1]


def test_a_rare_class_is_found_more_often():
    rng = np.random.default_rng(1)
    y = rng.random(600) < 0.1
    table = Table.of(rng.normal(size=(600, 2)) + y[:, None], np.where(y, "yes", "no"))
    found = []
    for given in (None, "balanced"):
        model, _ = fuseprop.train(table, class_weight=given, seed=0, epochs=20, **CPU)
        found.append(np.mean(model.predict(table).values[y] == "yes"))
    assert found[1] > found[0] + 0.2


def test_classes_are_named_by_themselves_or_by_their_text():
    table = noise(classes=(1, 2, 3), shares=(0.4, 0.3, 0.3))
    for given in ({1: 5, 3: 0.5}, {"1": 5, "3": 0.5}, {1.0: 5, np.int64(3): 0.5}):
        assert Fitting(table, class_weight=given, **CPU).class_weights.tolist() == [5.0, 1.0, 0.5]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"yess": 2}, ['"yess"', "There are: no, yes.", 'Did you mean "yes"?']),
        ({"no": 0, "yes": 0}, ["leaves every row to learn from the weight 0"]),
    ],
)
def test_weights_of_no_class_and_of_nothing_are_refused(given, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the words are checked)
        Fitting(noise(), class_weight=given, **CPU)
    assert all(word in str(caught.value) for word in words)


def test_a_class_that_is_named_twice_is_refused():
    with pytest.raises(ValueError, match='names the class "1" twice'):
        Fitting(noise(classes=(1, 2)), class_weight={1: 2, "1": 3}, **CPU)


@pytest.mark.parametrize("task", ["regression", "multi-label"])
def test_rows_without_a_class_have_no_weights(task):
    table = Table.of(np.eye(30), np.eye(30, 2))
    with pytest.raises(ValueError, match=f"by their class, but the task is {task}"):
        Fitting(table, task=task, class_weight="balanced", **CPU)


# What is refused, and what is said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"optimizer": "sgd"}, 'optimizer "sgd" is not known. Choose from: momentum, adam'),
        ({"optimizer": "adam", "momentum": 0.9}, "Leave momentum out"),
        ({"schedule": "linear"}, 'schedule "linear" is not known. Choose from: constant, cosine'),
        ({"schedule": "step", "learning_rate": lambda epoch: 0.1}, "learning_rate is a schedule itself"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"dropout": [0.1]}, "dropout must be at least 0"),
        (
            {"dropout": 0.1, "hidden": ()},
            "dropout=0.1 leaves out outputs of hidden layers, and there is none",
        ),
        ({"clip_norm": 0}, "clip_norm must be a number above 0"),
        ({"patience": 1.5}, "patience must be a whole number of at least 0, got 1.5"),
        ({"patience": True}, "patience must be a whole number"),
        ({"patience": 3, "validation": 0}, "patience=3 .* no rows are held out for validation"),
        ({"class_weight": "even"}, 'class_weight must be "balanced", or a dict'),
        ({"class_weight": {}}, "class_weight must be"),
        ({"class_weight": np.ones(2)}, "class_weight must be"),
        ({"class_weight": {"no": -1}}, 'the class "no" the weight -1; expected a number of at least 0'),
        ({"class_weight": {"no": "2"}}, "the weight '2'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_settings_that_do_not_fit_are_refused(given, words):
    with pytest.raises(SettingsError, match=words):
        Fitting(noise(), **CPU, **given)


def test_the_plan_and_the_results_say_how_it_is_trained():
    given = {"optimizer": "adam", "schedule": "cosine", "dropout": 0.1, "clip_norm": 1.0, "patience": 4}
    fitting, _ = trained(epochs=60, class_weight={"yes": 3}, **given)
    told = plan(fitting)
    for words in (
        "learning rate 0.1 with the schedule cosine, adam, weight decay 0.001, dropout 0.1, clip norm 1",
        "weights   no 1, yes 3, of rows in training",
        "the lowest validation loss; ends after 4 epochs without a lower one",
    ):
        assert words in told
    said = results(fitting, fitting.report(), None)
    assert (
        f"the weights are those of epoch {fitting.kept_epochs[-1]}, with the lowest validation loss" in said
    )
    plain, _ = trained(epochs=2, validation=0.0, momentum=0.9)
    told = plan(plain)
    assert "momentum 0.9, weight decay 0.001, seed 0\n" in told
    assert "keeps     the weights of the last epoch: no rows are for validation" in told
    assert "weights   " not in told
    assert "ms each; the weights are those of epoch 2" in results(plain, plain.report(), None)


def test_the_command_says_which_epoch_is_kept(tmp_path):
    path = tmp_path / "t.csv"
    rows = zip(noise().X.tolist(), noise().targets[:, 0], strict=True)
    cells = {"no": '"a, b=c"', "yes": "d"}
    path.write_text("p,q,r,s,t,y\n" + "".join(f"{','.join(map(str, row))},{cells[y]}\n" for row, y in rows))
    arguments = [
        "train",
        str(path),
        "--target",
        "y",
        "--json",
        "--quiet",
        "--device",
        "cpu",
        "--patience",
        "3",
        "--members",
        "1",
    ]
    result = CliRunner().invoke(main, [*arguments, "--class-weight", '"a, b=c"=0.5, d=2'])
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert made["stop_reason"] == "early stopping"
    assert made["kept_epoch"] == made["epochs"] - 3
    assert made["class_weights"] == {"a, b=c": 0.5, "d": 2.0}
    wrong = CliRunner().invoke(main, [*arguments, "--class-weight", "e=2"])
    assert wrong.exit_code == 1
    assert 'class_weight gives a weight to "e", which is no class of the target.' in wrong.stderr
