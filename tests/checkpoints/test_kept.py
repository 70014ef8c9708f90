"""Trainings go on from the checkpoints that earlier versions wrote, and come to where those came."""

import json
import warnings
from pathlib import Path

import pytest
from kept_trainings import TRAININGS
from write_kept import ended, write

from fuseprop.checkpoints import read_checkpoint
from fuseprop.checkpoints.reading import FORMAT
from fuseprop.testing.contract.parity import assert_parity
from fuseprop.training.continuing import OTHER_BITS

numpy_backend = pytest.importorskip("fuseprop_numpy")

KEPT = Path(__file__).parent / "kept"
CASES = sorted((path.parent.name, path.stem) for path in KEPT.glob("*/*.safetensors"))


def expected_of(folder):
    return json.loads((KEPT / folder / "expected.json").read_text())["trainings"]


def test_every_kind_of_checkpoint_is_kept_in_every_format():
    folders = sorted(KEPT.iterdir())
    assert {(folder.name, name) for folder in folders for name in expected_of(folder.name)} == set(CASES)
    found = {read_checkpoint(KEPT / folder / f"{name}.safetensors").state["format"] for folder, name in CASES}
    assert found == set(range(1, FORMAT + 1))
    assert expected_of(folders[-1].name).keys() == TRAININGS.keys()


@pytest.mark.parametrize("steps", [{}, {"replay": "eager"}], ids=["compiled", "calls"])
@pytest.mark.parametrize(("folder", "name"), CASES)
def test_a_training_goes_on_from_a_kept_checkpoint(folder, name, steps):
    """In the same bits where steps are compiled, on any processor; else within the parity bound."""
    training, expected = TRAININGS[name], expected_of(folder)[name]
    backend = numpy_backend.NumpyBackend(training.dtype, **steps)
    network = training.network(backend=backend)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", OTHER_BITS)  # another version, or other steps
        history = training.fit(network, resume=KEPT / folder / f"{name}.safetensors")
    made = ended(network, history)
    if backend.arithmetic["steps"] == "compiled":
        assert made == expected
        return
    for key in ("stop_reason", "best_epoch", "draws", "learning_rate"):
        assert made[key] == expected[key]
    for key in ("train_loss", "validation_loss"):
        assert_parity(made[key], expected[key], training.dtype)
    for ours, theirs in zip(made["weights"], expected["weights"], strict=True):
        for array, other in zip(ours, theirs, strict=True):
            assert_parity(array, other, training.dtype)


def test_the_script_writes_what_goes_on_and_replaces_nothing(tmp_path):
    if numpy_backend.NumpyBackend("float32").replay != "compiled":
        pytest.skip("there are no compiled steps")
    write(tmp_path / "new")
    written = {path.name for path in (tmp_path / "new").iterdir()}
    assert written == {"expected.json", *(f"{name}.safetensors" for name in TRAININGS)}
    with pytest.raises(FileExistsError):
        write(tmp_path / "new")
