"""Tuning: settings are chosen on the validation rows, by rounds, and test rows steer nothing."""

import csv
from dataclasses import fields, replace

import numpy as np
import pytest
from test_folds import poisoned, shop, weights

import fuseprop
from fuseprop import DivergenceError, Network
from fuseprop.callbacks import OnEpochEnd
from fuseprop.data import DataError
from fuseprop.model.candidates import BATCHES, SOME_DECAY, SPACE, draw, free_settings
from fuseprop.model.fitting import Fitting
from fuseprop.model.settings import Settings, SettingsError
from fuseprop.model.tuning import Search, train_each, tune

QUICK = {"epochs": 9, "members": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def table():
    return shop()


@pytest.fixture(scope="module")
def searched(table):
    search = Search(table, 10, **QUICK)
    return search, search.run()


def drawn(base, given, seed=0):
    return draw(np.random.default_rng(seed), base, given)


def test_what_is_given_is_not_drawn_and_changes_no_other_draw(table):
    base = Fitting(table, **QUICK).settings
    free = drawn(base, {})
    known = {setting.name for setting in fields(Settings)}
    assert list(free) == free_settings({}) == [name for name in SPACE if name in known]
    for name in free:
        others = drawn(base, {name: getattr(base, name)})
        assert others == {key: value for key, value in free.items() if key != name}
    assert drawn(base, {}, seed=1) != free


def test_what_is_drawn_lies_around_the_rules(table):
    base = Fitting(table, **QUICK).settings
    for seed in range(50):
        one = drawn(base, {}, seed)
        assert 1 <= len(one["hidden"]) <= 3
        assert len(set(one["hidden"])) == 1
        assert base.hidden[0] / 4 - 2 <= one["hidden"][0] <= base.hidden[0] * 4 + 2
        assert 0.09 < one["learning_rate"] / base.learning_rate < 11
        assert 0.03 < one["weight_decay"] / (base.weight_decay or SOME_DECAY) < 31
        assert one["batch_size"] / base.batch_size in BATCHES
        assert 0 <= one.get("dropout", 0.0) <= 0.5
    none = replace(base, weight_decay=0.0)
    assert 0.03 < drawn(none, {})["weight_decay"] / SOME_DECAY < 31
    deep = {len(drawn(base, {"activation": ("tanh", "relu")}, seed)["hidden"]) for seed in range(9)}
    assert deep == {2}
    assert "dropout" not in free_settings({"hidden": ()})


def test_a_schedule_may_be_given_and_the_others_are_drawn_as_ever(table):
    given = {"learning_rate": lambda epoch: 0.01 / (1 + epoch)}
    numbers, schedules = (
        Search(table, 3, **QUICK, learning_rate=rate) for rate in (0.01, given["learning_rate"])
    )
    for one, other in zip(numbers.candidates, schedules.candidates, strict=True):
        assert [getattr(one, name) for name in numbers.drawn] == [
            getattr(other, name) for name in numbers.drawn
        ]
    assert "learning_rate" not in schedules.drawn
    model, _, tuning = tune(table, tries=2, **{**QUICK, "epochs": 2}, **given)
    assert {trial.settings.learning_rate for trial in tuning.trials} == {given["learning_rate"]}
    assert model.task.name == "exclusive"


def test_rounds_halve_and_the_defaults_come_first_and_last(searched, table):
    search, tuning = searched
    assert search.rounds_planned() == [(10, 9), (4, 3), (2, 1)]
    rounds = {r: [trial for trial in tuning.trials if trial.round == r] for r in (1, 2, 3)}
    assert [trial.candidate for trial in rounds[1]] == list(range(1, 11))
    for before, after, size in ((1, 2, 4), (2, 3, 2)):
        best = sorted(rounds[before], key=lambda trial: trial.loss)[:size]
        went_on = [trial.candidate for trial in rounds[after]]
        assert went_on[:size] == [trial.candidate for trial in best]
        assert went_on[size:] in ([], [1])
    assert 1 in [trial.candidate for trial in rounds[3]]
    assert [{trial.settings.epochs for trial in rounds[r]} for r in (1, 2, 3)] == [{1}, {3}, {9}]
    assert rounds[3][0].settings == search.candidates[rounds[3][0].candidate - 1]
    assert search.candidates[0] == Fitting(table, **QUICK).settings
    assert tuning.defaults.round == 3


def test_one_or_two_settings_take_one_round(table):
    assert Search(table, 1, **QUICK).rounds_planned() == [(1, 1)]
    assert Search(table, 2, **QUICK).rounds_planned() == [(2, 1)]


def test_the_lowest_validation_loss_is_kept_and_it_is_the_model_of_its_settings(searched, table):
    search, tuning = searched
    assert tuning.chosen.loss == min(trial.loss for trial in tuning.trials)
    assert search.best.settings == tuning.chosen.settings
    alone = Fitting(table, **vars(tuning.chosen.settings))
    alone.run()
    for mine, theirs in zip(weights(search.best), weights(alone), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    validation = search.best.report().validation
    np.testing.assert_allclose(validation["loss"], tuning.chosen.loss, rtol=1e-6)
    np.testing.assert_allclose(validation["accuracy"], tuning.chosen.score, rtol=1e-6)


@pytest.mark.parametrize("classes", [True, False])
def test_test_rows_steer_neither_choice_nor_weights(classes):
    data, rows = shop(classes=classes), np.arange(3, 120, 4)
    clean, dirty = (Search(one, 4, test_rows=rows, **QUICK) for one in (data, poisoned(data, rows)))
    assert {settings.test for settings in clean.candidates} == {len(rows) / 120}
    mine, theirs = clean.run(), dirty.run()
    assert clean.candidates == dirty.candidates
    assert mine.chosen.settings == theirs.chosen.settings
    assert [trial.loss for trial in mine.trials] == [trial.loss for trial in theirs.trials]
    for one, other in zip(weights(clean.best), weights(dirty.best), strict=True):
        np.testing.assert_array_equal(one, other)
    assert clean.best.report().test != dirty.best.report().test


def test_test_rows_are_scored_once(monkeypatch, table):
    encoded, scored = Fitting._encoded, []

    def watched(self, rows):
        if np.intersect1d(rows, self.test).size:
            scored.append(rows)
        return encoded(self, rows)

    monkeypatch.setattr(Fitting, "_encoded", watched)
    _, report, _ = tune(table, tries=4, **QUICK)
    assert len(scored) == 1
    assert report.test["loss"] > 0


def test_trainings_do_not_depend_on_each_other(searched, table):
    settings = [replace(one, epochs=2) for one in searched[0].candidates[:3]]

    def losses(order):
        made = train_each(lambda **given: Fitting(table, **given), order)
        return [one.history.validation_loss for one in made]

    assert losses(settings) == losses(settings[::-1])[::-1]


def test_tuning_is_repeatable_and_the_seed_draws_others(table):
    one, other, third = (Search(table, 3, **QUICK, **given).run() for given in ({}, {}, {"seed": 1}))
    assert [trial.loss for trial in one.trials] == [trial.loss for trial in other.trials]
    assert one.trials[1].settings.learning_rate != third.trials[1].settings.learning_rate


def test_what_was_tried_is_a_table(searched, tmp_path):
    _, tuning = searched
    path = tmp_path / "tried.csv"
    tuning.to_csv(path)
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(tuning.trials)
    assert [float(line["validation_loss"]) for line in lines] == [trial.loss for trial in tuning.trials]
    assert [int(line["epochs_allowed"]) for line in lines] == [t.settings.epochs for t in tuning.trials]
    assert [line["chosen"] for line in lines].count("True") == 1
    line = lines[1]
    settings = tuning.trials[1].settings
    assert (line["candidate"], line["round"], line["seed"]) == ("2", "1", "0")
    assert tuple(map(int, line["hidden"].split(","))) == settings.hidden
    assert float(line["learning_rate"]) == settings.learning_rate
    assert 0 <= float(line["validation_accuracy"]) <= 1


def test_settings_that_diverge_are_out(table):
    search = Search(shop(classes=False), 3, **QUICK)
    search.candidates[1] = replace(search.candidates[1], learning_rate=1e30)
    tuning = search.run()
    first = [trial for trial in tuning.trials if trial.round == 1]
    assert [trial.diverged for trial in first] == [False, True, False]
    assert "diverged" in first[1].describe()
    assert tuning.chosen.candidate != 2
    assert [trial.candidate for trial in tuning.trials if trial.round == 2].count(2) == 0
    with pytest.raises(DivergenceError) as caught:
        tune(shop(classes=False), tries=3, learning_rate=1e30, **QUICK)
    assert caught.value.__notes__ == ["All settings that were tried diverged: 3."]


def test_ctrl_c_keeps_the_best_so_far(table):
    def interrupted(after):
        epochs = []

        def interrupt(_):
            epochs.append(1)
            if len(epochs) > after:
                raise KeyboardInterrupt

        search = Search(table, 9, **QUICK)
        return search, search.run(callbacks=[OnEpochEnd(interrupt)])

    with pytest.warns(UserWarning, match="training interrupted"):
        search, tuning = interrupted(10)  # in the second round, in its first training
    assert tuning.interrupted
    assert len(tuning.trials) == 10
    assert search.best.settings == tuning.chosen.settings
    assert tuning.chosen.loss == min(trial.loss for trial in tuning.trials)


def interrupted_in(epoch, table, tries):
    """A search with 3 networks a training, 2 epochs each, and Ctrl-C at the end of so many epochs."""
    ended = []

    def interrupt(_):
        ended.append(1)
        if len(ended) == epoch:
            raise KeyboardInterrupt

    search = Search(table, tries, epochs=2, members=3, hidden=(4,), device="cpu")
    search.candidates[1] = replace(search.candidates[1], learning_rate=0.03)  # the better one, after 2 epochs
    with pytest.warns(UserWarning, match="training interrupted"):
        return search, search.run(callbacks=[OnEpochEnd(interrupt)])


def test_ctrl_c_in_a_later_network_keeps_those_before_it(monkeypatch, table):
    fit, calls = Network.fit, []

    def interrupted(self, *given, **named):
        calls.append(self)
        if len(calls) == 3:
            named["callbacks"] = [InterruptsStart()]
        return fit(self, *given, **named)

    monkeypatch.setattr(Network, "fit", interrupted)
    search = Search(table, 2, epochs=2, members=3, hidden=(4,), device="cpu")
    with pytest.warns(UserWarning, match="training interrupted"):
        tuning = search.run()
    assert tuning.interrupted
    assert [(trial.epochs, trial.settings.epochs) for trial in tuning.trials] == [(4, 2)]
    assert (search.best.networks, tuning.chosen.loss) == (2, search.best.validation_loss)


class InterruptsStart:
    """A callback that gets Ctrl-C when training begins."""

    def start(self, epochs, history):
        raise KeyboardInterrupt

    def epoch_end(self, history):
        pass

    def end(self, history):
        pass


def test_a_model_of_fewer_networks_is_measured_on_fewer_rows_and_not_chosen(table):
    search, tuning = interrupted_in(9, table, 2)  # in the second network of the second training
    losses = [trial.loss for trial in tuning.trials]
    assert losses[1] < losses[0]
    assert (tuning.chosen.candidate, search.best.networks) == (1, 3)
    search, tuning = interrupted_in(3, table, 2)  # in that of the first, beside which there is none
    assert (tuning.chosen.candidate, search.best.networks) == (1, 1)
    validation = search.best.report().validation
    assert tuning.chosen.loss == pytest.approx(validation["loss"], rel=1e-6)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"tries": 0}, SettingsError, "number of settings to try"),
        ({"validation": 0.0}, DataError, "--validation 0.2"),
        ({"hiden": 1}, TypeError, "hidden"),
    ],
)
def test_what_cannot_be_tuned_is_refused(table, given, error, said):
    with pytest.raises(error, match=said):
        tune(table, **{**QUICK, **given})


def test_nothing_left_to_draw_is_refused(table):
    base = Fitting(table, **QUICK).settings
    given = {name: getattr(base, name) for name in free_settings({})}
    with pytest.raises(SettingsError, match="Leave out some"):
        tune(table, **QUICK, **given)


def test_tune_returns_what_train_does_and_all_tries(capsys):
    model, report, tuning = fuseprop.tune("diabetes", tries=2, progress=True, **QUICK)
    assert report.history.validation_loss
    assert model.task.name == "regression"
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        "round 1, settings 1",
        "round 1, settings 2",
    ]
    assert len(tuning.trials) == 2
