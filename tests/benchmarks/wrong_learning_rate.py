"""A peer that is wrong in one number: its learning rate is 1% too large."""

from unittest.mock import patch

from fuseprop.benchmarks import textbook
from fuseprop.benchmarks.peers import Form, Running
from fuseprop.benchmarks.peers import textbook as right

NAME, MODULE, DISTRIBUTIONS = "wrong", "numpy", ("numpy",)


def forms(device):
    return [
        Form("wrong", form.table, lambda problem, form=form: wrong(form.build(problem)), form.fits, form.note)
        for form in right.forms(device)
        if form.table in ("step", "fit")
    ]


def wrong(running):
    def run(steps):
        # Only here: the gate, in the same process, goes on with the right one.
        with patch.object(textbook, "LEARNING_RATE", 1.01 * textbook.LEARNING_RATE):
            running.run(steps)

    return Running(run, running.weights, running.unit)
