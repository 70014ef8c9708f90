"""What model files are made of: every byte is checked, whatever the header says, and however it is read."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

import fuseprop
from fuseprop import MLPClassifier, MLPRegressor, ModelFileError, Table
from fuseprop.data import DataError
from fuseprop.model.files import read_model, write_model
from fuseprop.storage.tensorfile import pack


@pytest.fixture(scope="module")
def small():
    """The bytes of a small model file."""
    return (Path(__file__).parent / "model_files" / "format_1" / "binary.safetensors").read_bytes()


@pytest.fixture
def signed(small, tmp_path):
    """A small model file with a digest."""
    path = tmp_path / "m.safetensors"
    path.write_bytes(small)
    write_model(path, *read_model(path))
    return path


def refusal(path):
    with pytest.raises(ModelFileError) as caught:
        fuseprop.load(path, device="cpu")
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_every_bit_of_a_file_is_checked(signed):
    whole = signed.read_bytes()
    for position in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            signed.write_bytes(damaged)
            with pytest.raises(ModelFileError):
                read_model(signed)


def test_any_other_byte_in_the_header_is_refused(signed):
    whole = signed.read_bytes()
    rng = np.random.default_rng(0)
    for position in range(int.from_bytes(whole[:8], "little") + 8):
        for byte in rng.choice(256, 4, replace=False):
            if byte != whole[position]:
                signed.write_bytes(whole[:position] + bytes([byte]) + whole[position + 1 :])
                with pytest.raises(ModelFileError):
                    read_model(signed)


def test_the_safetensors_library_reads_what_is_written_and_the_other_way_round(signed, small):
    tensors = load(signed.read_bytes())
    layers, configuration = read_model(signed)
    digest = tensors.pop("digest")
    assert digest.tobytes() == hashlib.sha256(signed.read_bytes()[:-32]).digest()
    assert len(tensors) == 2 * len(layers)
    for i, (weights, bias) in enumerate(layers):
        np.testing.assert_array_equal(tensors[f"layers.{i}.weight"], weights)
        np.testing.assert_array_equal(tensors[f"layers.{i}.bias"], bias)
    header = json.loads(small[8 : 8 + int.from_bytes(small[:8], "little")])
    signed.write_bytes(save(load(small), header["__metadata__"]))
    assert read_model(signed)[1] == configuration


def test_a_digest_of_other_content_is_refused_with_what_to_do(signed):
    whole = bytearray(signed.read_bytes())
    whole[-1] ^= 1
    signed.write_bytes(whole)
    message = refusal(signed)
    assert "its digest is not that of its content" in message
    assert "copy or train it again" in message


READER = """
import sys
from fuseprop import ModelFileError
from fuseprop.model.files import read_model
print("ready", flush=True)
whole = 0
for _ in range(int(sys.argv[2])):
    try:
        read_model(sys.argv[1])
        whole += 1
    except ModelFileError:
        pass
print(whole, flush=True)
"""


def test_a_file_that_is_copied_over_never_kills_who_reads_it(signed, tmp_path):
    rng = np.random.default_rng(0)
    _, configuration = read_model(signed)
    sizes = (3, 2000, 1)
    layers = [(rng.normal(size=(d, m)).astype("f4"), np.zeros(m, "f4")) for d, m in pairwise(sizes)]
    write_model(signed, layers, configuration)
    good, empty = signed.read_bytes(), b""
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(signed), "300"], stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout.readline() == "ready\n"
        while reader.poll() is None:
            for data in (empty, good[: len(good) // 2], good):
                signed.write_bytes(data)  # as `cp` does: the same file, first of all truncated
        assert reader.returncode == 0, signal.strsignal(-reader.returncode)
        assert reader.stdout.readline().strip().isdigit()


def test_a_file_that_shrinks_while_it_is_read_is_refused(signed, monkeypatch):
    fstat = os.fstat

    class Longer:
        def __init__(self, status):
            self.st_mode, self.st_size = status.st_mode, status.st_size + 8

    monkeypatch.setattr(os, "fstat", lambda descriptor: Longer(fstat(descriptor)))
    assert "was changed while it was read" in refusal(signed)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "zero.safetensors").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        assert "is a pipe or a device" in refusal(tmp_path / f"{name}.safetensors")
    (tmp_path / "loop.safetensors").symlink_to(tmp_path / "loop.safetensors")
    assert "cannot be read" in refusal(tmp_path / "loop.safetensors")


def file_of(header, data=b"", *, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    "content",
    {
        "a header of 7 TiB": file_of({"a": entry()}, length=7 << 40),
        "a header of 100 MB": file_of({"a": entry()}, length=(1 << 64) - 1),
        "a tensor of 7 TiB": file_of({"a": entry(shape=(7 << 38,), offsets=(0, 7 << 40))}),
        "overlapping tensors": file_of({"a": entry(), "b": entry(offsets=(2, 6))}, bytes(6)),
        "tensors in one place": file_of({"a": entry(), "b": entry()}, bytes(4)),
        "a gap": file_of({"a": entry(offsets=(4, 8))}, bytes(8)),
        "bytes after the last": file_of({"a": entry()}, bytes(8)),
        "offsets the wrong way round": file_of({"a": entry(offsets=(4, 0))}, bytes(4)),
        "negative sizes": file_of({"a": entry(shape=(-1, -1))}, bytes(4)),
        "a size of true": file_of({"a": entry(shape=(True,))}, bytes(4)),
        "sizes of 400 digits": file_of({"a": entry(shape=(10**400, 1))}, bytes(4)),
        "sizes of 5000 digits": file_of(b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b"]}}"),
        "65 axes": file_of({"a": entry(shape=(1,) * 65)}, bytes(4)),
        "a million axes": file_of({"a": entry(shape=(2**62,) * 100_000)}, bytes(4)),
        "float8": file_of({"a": entry("F8_E4M3", (4,))}, bytes(4)),
        "a dtype of its own": file_of({"a": entry(["F32"])}, bytes(4)),
        "a nested dtype": file_of({"a": entry({"F32": 1})}, bytes(4)),
        "repeated keys": file_of(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":1}', bytes(4)),
        "one key too many": file_of({"a": {**entry(), "more": 1}}, bytes(4)),
        "deep nesting": file_of(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        "a lone surrogate": file_of(b'{"\\ud800":1}'),
        "no UTF-8": file_of(b'{"\xff":1}'),
        "metadata that are no texts": file_of({"__metadata__": {"fuseprop": 1}}),
        "metadata that are no map": file_of({"__metadata__": ["fuseprop"]}),
        "deep nesting in the metadata": file_of({"__metadata__": {"fuseprop": "[" * 100_000}}),
        "a list in the metadata": file_of({"__metadata__": {"fuseprop": "[]"}}),
        "no tensor": file_of({"__metadata__": {"fuseprop": "{}"}}),
        "an empty header": file_of(b"{}"),
        "a list": file_of(b"[]"),
        "a digest of another shape": file_of({"digest": entry("U8", (4,))}, bytes(4)),
        "control characters in a name": file_of({"\x1b[2J" * 100: entry("F16", (2,))}, bytes(4)),
    }.items(),
    ids=lambda item: item[0],
)
def test_headers_that_say_what_cannot_be(tmp_path, content):
    path = tmp_path / "h.safetensors"
    path.write_bytes(content[1])
    message = refusal(path)
    assert "\x1b" not in message
    assert len(message) < len(str(path)) + 400


@pytest.mark.parametrize("long", ["feature_names", "classes"])
def test_names_may_be_larger_than_the_weights_by_far(signed, tmp_path, long):
    layers, configuration = read_model(signed)
    names = {long: [f"{i} {'x' * 2_000_000}" for i in range(len(getattr(configuration, long)))]}
    named = replace(configuration, **names)
    write_model(tmp_path / "n.safetensors", layers, named)
    assert read_model(tmp_path / "n.safetensors")[1] == named


def test_a_header_beyond_the_limit_is_neither_written_nor_read(signed, tmp_path, monkeypatch):
    layers, configuration = read_model(signed)
    length = int.from_bytes(signed.read_bytes()[:8], "little")
    monkeypatch.setattr("fuseprop.storage.tensorfile.LONGEST_HEADER", length)
    write_model(tmp_path / "m.safetensors", layers, configuration)
    read_model(tmp_path / "m.safetensors")
    monkeypatch.setattr("fuseprop.storage.tensorfile.LONGEST_HEADER", length - 1)
    with pytest.raises(ValueError, match=f"need {length:,} bytes, .* shorter names"):
        write_model(tmp_path / "n.safetensors", layers, configuration)
    assert not (tmp_path / "n.safetensors").exists()
    assert f"{length - 1:,} is the most" in refusal(signed)


def test_refusals_hold_nothing_that_steers_a_terminal(signed, tmp_path):
    path = tmp_path / "m\x1b[31m.safetensors"
    layers, configuration = read_model(signed)
    write_model(path, layers, configuration)
    with pytest.raises(ModelFileError, match="the other estimator") as of_the_estimator:
        MLPRegressor.load(path)
    write_model(path, layers, replace(configuration, task="multi-label", target_names=["a", "b", "c"]))
    with pytest.raises(ModelFileError) as of_the_model:
        fuseprop.load(path, device="cpu")
    for caught in (of_the_estimator, of_the_model):
        assert str(caught.value).isprintable()
        assert r"m\x1b[31m.safetensors" in str(caught.value)


def test_what_cannot_be_read_is_not_written(signed):
    layers, configuration = read_model(signed)
    before = signed.read_bytes()
    for change, words in (
        ({"feature_names": ["a", "a", "b"]}, "feature_names must differ"),
        ({"feature_names": ["a", "b", "\ud800"]}, "text that UTF-8 holds"),
        ({"classes": ["a", "a"]}, "classes must differ"),
        ({"input_scale": [1.0, 1.0, 0.0]}, "a scale must be"),
    ):
        with pytest.raises(ValueError, match=words):
            write_model(signed, layers, type(configuration)(**{**vars(configuration), **change}))
    assert signed.read_bytes() == before


def test_wide_models_are_read_again(tmp_path):
    d = 200_000
    rng = np.random.default_rng(0)
    table = Table.of(
        rng.normal(size=(4, d)), rng.normal(size=4), feature_names=[f"gene {i}" for i in range(d)]
    )
    model, _ = fuseprop.train(table, hidden=(), epochs=1, test=0.0, validation=0.0, device="cpu")
    model.save(tmp_path / "wide.safetensors")
    assert fuseprop.load(tmp_path / "wide.safetensors").feature_names == table.feature_names


def test_a_model_without_a_metric_is_read_again(tmp_path, signed):
    model = fuseprop.load(signed)
    model.network.metric = None
    model.save(tmp_path / "n.safetensors")
    assert fuseprop.load(tmp_path / "n.safetensors").network.metric is None


def test_weights_that_standardization_makes_too_large_are_refused_by_estimators(signed):
    layers, configuration = read_model(signed)
    write_model(signed, layers, type(configuration)(**{**vars(configuration), "input_scale": [1e-300] * 3}))
    with pytest.raises(ModelFileError, match="standardization makes weights that float32 cannot hold"):
        MLPClassifier.load(signed)


def test_an_estimator_needs_outputs_for_its_classes(signed):
    layers, configuration = read_model(signed)
    changed = {**vars(configuration), "task": "exclusive", "loss": "softmax_cross_entropy"}
    write_model(signed, layers, type(configuration)(**changed))
    with pytest.raises(ModelFileError, match="1 outputs, but the task exclusive needs 2"):
        MLPClassifier.load(signed)


def test_tensors_are_written_little_endian_and_in_c_order():
    tensors = {"a": np.arange(6, dtype=">f4").reshape(2, 3), "b": np.asfortranarray(np.eye(2))}
    read = load(b"".join(pack(tensors, {})))
    np.testing.assert_array_equal(read["a"], tensors["a"])
    np.testing.assert_array_equal(read["b"], tensors["b"])


@pytest.mark.parametrize("name", ["regression", "exclusive_texts", "regression_poisson"])
def test_answers_that_are_no_numbers_are_refused(tmp_path, name):
    path = Path(__file__).parent / "model_files" / "format_1" / f"{name}.safetensors"
    layers, configuration = read_model(path)
    largest = np.finfo(configuration.dtype).max
    huge = [(np.full_like(weights, largest), np.full_like(bias, largest)) for weights, bias in layers]
    write_model(tmp_path / "m.safetensors", huge, configuration)
    with pytest.raises(DataError, match=r"row 1: the network's answer would be (nan|-?inf)"):
        fuseprop.load(tmp_path / "m.safetensors", device="cpu").predict(np.full((2, 3), 9.0))
