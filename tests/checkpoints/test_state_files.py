"""Trees of plain data come back from a checkpoint's file as they were, to the last bit."""

import json
import math

import numpy as np
import pytest
from safetensors.numpy import load

import fuseprop
from fuseprop.checkpoints import CheckpointError, read_checkpoint
from fuseprop.checkpoints.reading import CHECKPOINT_FILE, FORMAT, KEY
from fuseprop.checkpoints.writing import write_checkpoint
from fuseprop.storage.state_file import join_state, split_state
from fuseprop.storage.tensorfile import DTYPES, pack


def there_and_back(path, state):
    write_checkpoint(path, state, keeps_previous=False)
    found = read_checkpoint(path).state
    assert found.pop("format") == FORMAT
    assert isinstance(found.pop("version"), str)
    return found


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


@pytest.mark.parametrize("dtype", DTYPES.values())
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (2, 3), (2, 1, 2, 2)], ids=str)
def test_arrays_of_every_dtype_and_shape_come_back(path, dtype, shape):
    values = np.random.default_rng(3).integers(0, 2, shape).astype(dtype)
    found = there_and_back(path, {"a": values, "odd": np.ones(3, np.uint8), "b": np.eye(2)})
    assert (found["a"].dtype, found["a"].shape) == (values.dtype, shape)
    np.testing.assert_array_equal(found["a"], values)
    np.testing.assert_array_equal(found["b"], np.eye(2))
    assert all(array.flags.aligned for array in found.values())


def test_arrays_keep_every_bit_whatever_their_order(path):
    bits = np.array([0x7FF8_0000_DEAD_BEEF, 0x8000_0000_0000_0000, 1], np.uint64).view(np.float64)
    found = there_and_back(
        path, {"nan": bits, "big": bits.astype(">f8"), "F": np.asfortranarray([[1, 2], [3, 4]])}
    )
    assert found["nan"].tobytes() == bits.tobytes()
    assert found["big"].tobytes() == bits.tobytes()
    np.testing.assert_array_equal(found["F"], [[1, 2], [3, 4]])


NUMBERS = [0, -1, 2**127 + 1, -(2**300), 0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf, -math.inf]


def test_numbers_come_back_exactly(path):
    found = there_and_back(path, {"numbers": NUMBERS, "nan": math.nan})
    assert [(type(number), repr(number)) for number in found["numbers"]] == [
        (type(number), repr(number)) for number in NUMBERS
    ]
    assert math.isnan(found["nan"])


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_a_generator_goes_on_from_its_state(path, kind):
    rng = np.random.Generator(kind(5))
    rng.standard_normal(3, np.float32)
    found = there_and_back(path, {"generator": rng.bit_generator.state})
    other = np.random.Generator(kind(0))
    other.bit_generator.state = found["generator"]
    np.testing.assert_array_equal(other.standard_normal(5), rng.standard_normal(5))


def test_texts_and_keys_of_any_kind_come_back(path):
    state = {
        "": {"a.b": [None, True, False, "\x00\n\u00fc\U0001f600", "\udc80"], "\udc80": np.arange(3)},
        "$tensor": {"$tensor": "a", "$$": {"$float": "inf"}},
        "a": {"b": {"c": np.zeros(1)}, "b.c": np.ones(1), "b.c_": np.full(1, 2)},
        "digest": np.full(2, 4.0),
        "__metadata__": np.full(2, 5.0),
    }
    found = there_and_back(path, state)
    np.testing.assert_equal(found, state)
    assert list(found[""]) == list(state[""])


def test_scalars_come_back_as_pythons_numbers_and_tuples_as_lists(path):
    state = {"f": np.float32(0.1), "i": np.int64(3), "b": np.bool_(True), "t": (1, (2,))}
    found = there_and_back(path, state)
    assert found == {"f": float(np.float32(0.1)), "i": 3, "b": True, "t": [1, [2]]}
    assert type(found["b"]) is bool


def test_tensors_are_named_by_their_place_and_read_by_other_programs(path):
    state = {"training": {"optimizer": {"moments": [np.zeros(2), np.ones((2, 3), np.float32)]}}}
    write_checkpoint(path, state, keeps_previous=False)
    tensors = load(path.read_bytes())
    assert tensors.keys() == {"training.optimizer.moments.0", "training.optimizer.moments.1", "digest"}
    np.testing.assert_array_equal(tensors["training.optimizer.moments.1"], np.ones((2, 3)))


def test_writing_takes_no_copy_of_the_arrays():
    values = np.arange(1000.0)
    tensors, text = split_state({"a": values})
    assert tensors["a"] is values
    assert any(
        np.shares_memory(np.frombuffer(part, np.uint8), values) for part in pack(tensors, {}) if len(part)
    )
    assert join_state(tensors, text)["a"] is values


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({1, 2}, r"'a\.0' is {1, 2}, which is no plain data"),
        (b"x", "no plain data"),
        (1j, "no plain data"),
        (np.complex64(1), "no plain data"),
        (object, "no plain data"),
        (np.array(["x"]), "an array of <U1"),
        (np.zeros(2, np.float16), "an array of float16"),
        (np.array([None]), "an array of object"),
        ({3: 4}, r"'a\.0' has the key 3"),
    ],
    ids=str,
)
def test_what_is_no_plain_data_is_refused_by_its_place(path, value, words):
    with pytest.raises(TypeError, match=words):
        write_checkpoint(path, {"a": [value]}, keeps_previous=False)
    assert not path.exists()


def test_a_file_of_another_kind_or_of_a_later_version_is_refused(path):
    def write(text, key=KEY):
        path.write_bytes(b"".join(pack({"w": np.zeros(2)}, {key: text}, CHECKPOINT_FILE)))

    good = path.with_name("run.previous.safetensors")
    write_checkpoint(good, {"summary": {"epoch": 1}}, keeps_previous=False)
    write("{}", "fuseprop")
    with pytest.raises(CheckpointError, match=r"run\.safetensors is a model, and no checkpoint"):
        read_checkpoint(path)
    write("{}", "other")
    with pytest.raises(CheckpointError, match=r"is a \.safetensors file, and no checkpoint"):
        read_checkpoint(path)
    write(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(CheckpointError, match=f"format {FORMAT + 1}, this fuseprop reads up to {FORMAT}"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "text",
    ["[]", "{", '{"format": 0}', '{"format": true}', '{"format": 1, "a": {"$tensor": "missing"}}'],
)
def test_a_text_that_is_no_state_is_refused(path, text):
    path.write_bytes(b"".join(pack({}, {KEY: text}, CHECKPOINT_FILE)))
    with pytest.raises(CheckpointError, match=r"run\.safetensors is no"):
        read_checkpoint(path)


def test_a_checkpoint_is_not_loaded_as_a_model(path):
    write_checkpoint(path, {"order": np.arange(3)}, keeps_previous=False)
    with pytest.raises(fuseprop.ModelFileError, match="is no model file, but the checkpoint of a training"):
        fuseprop.load(path)


def test_a_directory_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="is a directory; expected a checkpoint"):
        read_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="there is no such file"):
        read_checkpoint(tmp_path / "run.safetensors")
    with pytest.raises(TypeError, match="a path such as"):
        read_checkpoint(3)


def test_every_damaged_byte_and_every_cut_is_found_and_the_one_before_taken(path):
    previous = path.with_name("run.previous.safetensors")
    for epoch in (1, 2):
        state = {"summary": {"epoch": epoch, "epochs": 9}, "w": np.arange(3.0)}
        write_checkpoint(path, state, keeps_previous=True)
    whole, places = path.read_bytes(), range(0, path.stat().st_size, 7)
    for place in places:
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
            path.write_bytes(damaged)
            found = read_checkpoint(path)
            assert (found.path, found.state["summary"]["epoch"]) == (previous, 1)
            assert found.note.startswith(str(path))
            assert found.note.endswith(
                f"Training goes on from the one before it, {previous}, after epoch 1 of 9."
            )
    path.unlink()
    assert read_checkpoint(path).path == previous
    previous.write_bytes(b"")
    with pytest.raises(CheckpointError, match="there is no such file") as caught:
        read_checkpoint(path)
    assert "The one before cannot be read either" in caught.value.__notes__[0]
