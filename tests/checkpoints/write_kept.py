"""Write a checkpoint of each training in `kept_trainings.py`, with what it comes to when it goes on.

    python tests/checkpoints/write_kept.py tests/checkpoints/kept/NAME

The folders are records of what versions wrote: they are added to, never written again. `--again` replaces a
folder, for as long as no version has been released that wrote such files.
"""

import argparse
import json
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
from kept_trainings import TRAININGS

import fuseprop
from fuseprop.checkpoints import read_checkpoint


def ended(network, history):
    """Return what a training has come to: floats as JSON writes them, which are read as the same bits."""
    return {
        "weights": [[array.tolist() for array in layer] for layer in network.weights()],
        "train_loss": history.train_loss,
        "validation_loss": history.validation_loss,
        "learning_rate": history.learning_rate,
        "stop_reason": history.stop_reason,
        "best_epoch": history.best_epoch,
        "draws": network.rng.random(),
    }


def write(folder):
    """Write all files into a new folder."""
    folder.mkdir(parents=True)
    expected = {}
    for name, training in TRAININGS.items():
        path = folder / f"{name}.safetensors"
        with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a training that is stopped
            stopped = Path(place) / path.name
            training.stop(training.network(), stopped)
            shutil.copy(stopped, path)
        state = read_checkpoint(path).state
        assert (state["training"]["within"] is not None) == training.is_within
        assert state["arithmetic"]["steps"] == "compiled"
        straight, gone_on = training.network(), training.network()
        expected[name] = ended(straight, training.fit(straight))
        assert ended(gone_on, training.fit(gone_on, resume=path)) == expected[name]
    content = {"version": fuseprop.__version__, "NumPy": np.__version__, "trainings": expected}
    (folder / "expected.json").write_text(json.dumps(content, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--again", action="store_true", help="replace the folder")
    given = parser.parse_args()
    if given.again:
        shutil.rmtree(given.folder, ignore_errors=True)
    write(given.folder)


if __name__ == "__main__":
    main()
