"""NPZ files that are no tables, whatever they are: one DataError, before memory is taken."""

import os
import struct
import tracemalloc
import warnings
import zipfile
from io import BytesIO

import numpy as np
import pytest
from click.testing import CliRunner

import fuseprop
from fuseprop.cli import main
from fuseprop.data import DataError, load_table, read_npz
from fuseprop.data.target_cells import read_cells

X, Y = np.arange(6.0).reshape(3, 2), np.array([0.0, 1.0, 2.0])


def refusal(path, *arguments, **options):
    with pytest.raises(DataError) as caught:
        read_npz(path, *arguments, **options)
    message = str(caught.value)
    assert str(path) in message
    assert len(message) < len(str(path)) + 500
    assert message.isprintable()
    return message


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {"X": X, "y": np.array([b"a", b"b", b"a"])},
            ["'y' must hold real numbers or text", "y.astype(str)"],
        ),
        ({"X": X, "y": Y.astype("M8[D]")}, ["datetime64[D]", "dates as numbers"]),
        ({"X": X, "y": Y.astype("m8[s]")}, ["timedelta64[s]"]),
        ({"X": X, "y": Y * 1j}, ["complex128"]),
        ({"X": X, "y": np.zeros(3, [("a", "f8"), ("b", "i4")])}, ["neither plain numbers nor text", "('a'"]),
        ({"X": X, "y": np.zeros(3, "V8")}, ["'y' must hold real numbers or text", "|V8"]),
        ({"X": X.astype("M8[D]"), "y": Y}, ["'X' must hold real numbers", "datetime64"]),
        ({"X": X, "y": Y, "feature_names": "ab"}, ["feature_names must have one axis"]),
        ({"X": X, "y": Y, "feature_names": [["a", "b"]]}, ["feature_names must have one axis"]),
        ({"X": X, "y": Y, "feature_names": [b"a", b"b"]}, ["'feature_names' must hold text", "|S1"]),
        ({"X": X, "y": Y, "feature_names": ["a", "a"]}, ["feature_names must differ"]),
        ({"X": X, "y": Y, "feature_names": [0.5, 1.5]}, ["'feature_names' must hold text"]),
        ({"X": np.full((3, 2), np.longdouble("1e4000")), "y": Y}, ["X contains inf"]),
        ({"X": X, "y": np.full(3, np.longdouble("1e4000"))}, ["expected a finite number, got 'inf'"]),
        ({"X": np.zeros((3,) + (1,) * 20), "y": Y}, ["(rows, features)"]),
        ({"X": X, "y": np.float64(3)}, ["the target must have shape (3,)"]),
        ({"X": X, "y": np.zeros((3, 0))}, ["the array 'y' is empty", "(3, 0)"]),
    ],
)
def test_arrays_that_are_no_columns(tmp_path, arrays, words):
    np.savez(tmp_path / "t.npz", **arrays)
    message = refusal(tmp_path / "t.npz")
    for word in words:
        assert word in message


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f8", ">f8", "f4", "f2", "i1", "u8", "?", "g", ">i4"])
def test_every_dtype_of_numbers_is_read(tmp_path, dtype, order):
    np.savez_compressed(tmp_path / "t.npz", X=np.asarray(X > 2, dtype, order=order), y=Y.astype(dtype))
    table = read_npz(tmp_path / "t.npz")
    np.testing.assert_array_equal(table.X, X > 2)
    np.testing.assert_array_equal(table.targets[:, 0], Y.astype(dtype).astype(float))
    assert table.X.dtype == table.targets.dtype == np.dtype("=f8")


def test_text_of_the_other_byte_order_and_integer_names(tmp_path):
    np.savez(tmp_path / "t.npz", X=X, y=np.array(["ä", "b", "\U0001f600"], ">U4"), feature_names=[10, 20])
    table = read_npz(tmp_path / "t.npz")
    assert table.targets[:, 0].tolist() == ["ä", "b", "\U0001f600"]
    assert table.feature_names == ("10", "20")


@pytest.mark.parametrize("code", [0x110000, 0xFFFFFFFF, 0xD800, 0xDFFF])
def test_text_that_is_none(tmp_path, code):
    for name in ("y", "feature_names"):
        bad = np.array([code, 65], "u4").view("U1")
        arrays = {"X": X[:2], "y": np.array(["a", "b"]), "feature_names": np.array(["p", "q"]), name: bad}
        np.savez(tmp_path / "t.npz", **arrays)
        assert "holds what is no text" in refusal(tmp_path / "t.npz")


def npy(header, data=b"", version=b"\1\0"):
    text = header.encode("latin-1")
    width = "<H" if version[0] == 1 else "<I"
    return b"\x93NUMPY" + version + struct.pack(width, len(text)) + text + data


def plain(shape="(3, 2)", descr="'<f8'", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


HEADERS = {
    "7 TiB": npy(plain("(1099511627776, 7)"), bytes(48)),
    "more than 64 bits": npy(plain("(9999999999999999999, 9999999999999999999)"), bytes(48)),
    "400 digits": npy(plain("(" + "9" * 400 + ", 2)"), bytes(48)),
    "negative": npy(plain("(-3, 2)"), bytes(48)),
    "nothing but no rows": npy(plain("(9223372036854775807, 0)")),
    "nothing but no columns": npy(plain("(0, 9223372036854775807)")),
    "too short": npy(plain(), bytes(47)),
    "too long": npy(plain(), bytes(49)),
    "nested": npy("(" * 9000),
    "minus": npy("-" * 9000 + "1"),
    "a header of megabytes": npy(plain() + " " * 5_000_000, bytes(48), b"\2\0"),
    "a header that ends early": b"\x93NUMPY\2\0\xff\xff\xff\xff{",
    "no dictionary": npy("[1, 2, 3]"),
    "a key twice": npy("{'descr': '<f8', 'descr': '<f8', 'shape': (3, 2), }"),
    "a dtype that is none": npy(plain(descr="'<f7'"), bytes(48)),
    "a dtype of fields": npy(plain(descr="'f8,f8'"), bytes(96)),
    "a dtype with a shape": npy(plain(descr="'(2,2)f8'"), bytes(96)),
    "an alias that warns": npy(plain(descr="'a8'"), bytes(48)),
    "text without length": npy(plain(descr="'<U0'")),
    "version 9": npy(plain(), bytes(48), b"\x09\0"),
    "no array": b"X" * 100,
    "an escape sequence": npy("\x1b[2J" * 100),
}


def archive(path, members, **options):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", **options) as file:
        warnings.simplefilter("ignore")  # for members of one name
        for name, data in members:
            file.writestr(name, data)
    return path


def array(values):
    buffer = BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["X", "y", "feature_names"])
@pytest.mark.parametrize("case", HEADERS)
def test_headers_that_say_what_cannot_be(tmp_path, case, name):
    members = {"X.npy": array(X), "y.npy": array(Y), f"{name}.npy": HEADERS[case]}
    archive(tmp_path / "t.npz", members.items())
    tracemalloc.start()
    refusal(tmp_path / "t.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6


def test_headers_as_other_programs_write_them(tmp_path):
    header = '{"shape":(3,2), "fortran_order":False,"descr":"<f8"}'
    archive(tmp_path / "t.npz", [("X.npy", npy(header, X.tobytes(), b"\2\0")), ("y", array(Y))])
    np.testing.assert_array_equal(read_npz(tmp_path / "t.npz").X, X)


@pytest.fixture
def little_room(monkeypatch):
    """A smaller limit, which tests reach sooner."""
    monkeypatch.setattr("fuseprop.data.npz_file.FREE_BYTES", 32 << 20)


def test_a_gigabyte_in_a_small_file_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "t.npz", X=np.zeros((140_000_000, 1), bool), y=np.zeros(3))
    assert (tmp_path / "t.npz").stat().st_size < 1_000_000
    tracemalloc.start()
    assert "would take 1,120,000,512 bytes" in refusal(tmp_path / "t.npz")
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    "X",
    [
        np.arange(50) == np.arange(100_000)[:, None] % 50,
        np.tile(np.random.default_rng(0).normal(size=(20, 10)), (20_000, 1)),
    ],
    ids=["one-hot", "repeated rows"],
)
def test_tables_that_compress_well_are_read(tmp_path, X):
    np.savez_compressed(tmp_path / "t.npz", X=X, y=np.zeros(len(X)))
    assert X.size * 8 > 100 * (tmp_path / "t.npz").stat().st_size
    np.testing.assert_array_equal(read_npz(tmp_path / "t.npz").X, X)


def test_bombs_are_refused_before_they_go_off_unless_asked_for(tmp_path, little_room):
    rows = 6_000_000  # 48 MB of zeros in 50 KB
    np.savez_compressed(tmp_path / "t.npz", X=np.zeros((rows, 1)), y=np.zeros(rows, bool))
    assert (tmp_path / "t.npz").stat().st_size < 100_000
    tracemalloc.start()
    message = refusal(tmp_path / "t.npz")
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    assert "48,000,512 bytes" in message
    assert "--any-size" in message
    assert "any_size=True" in message
    assert len(read_npz(tmp_path / "t.npz", any_size=True)) == rows
    assert len(load_table(tmp_path / "t.npz", any_size=True)) == rows


def test_bytes_and_bits_count_as_the_numbers_that_they_become(tmp_path, little_room):
    np.savez_compressed(tmp_path / "t.npz", X=np.zeros((5_000_000, 1), bool), y=np.zeros(5_000_000, bool))
    assert "40,000,512 bytes" in refusal(tmp_path / "t.npz")


def test_many_small_arrays_count_together(tmp_path, little_room):
    rows = 2_500_000
    np.savez_compressed(tmp_path / "t.npz", X=np.zeros((rows, 1)), y=np.zeros(rows))
    assert "the array 'y' would take" in refusal(tmp_path / "t.npz")


@pytest.mark.parametrize(("name", "other"), [("X", "y"), ("y", "X")])
def test_columns_count_beside_their_cells(tmp_path, name, other):
    arrays = {name: np.zeros((1, 4_000_000)), other: np.zeros((1, 1))}
    np.savez_compressed(tmp_path / "t.npz", **arrays)
    assert f"the array '{name}' would take 2,080,000,000 bytes" in refusal(tmp_path / "t.npz")


@pytest.mark.parametrize("value", [0.5, "a", 2**60 + 1])
def test_a_column_that_stands_there_often_is_read_once(tmp_path, monkeypatch, value):
    looks = []
    monkeypatch.setattr(
        "fuseprop.data.arrays.read_cells",
        lambda *given, **named: looks.append(1) or read_cells(*given, **named),
    )
    np.savez_compressed(tmp_path / "t.npz", X=np.zeros((2, 1)), y=np.full((2, 30_000), value))
    table = read_npz(tmp_path / "t.npz")
    assert set(table.targets.ravel().tolist()) == {value if value == 0.5 else str(value)}
    assert table.target_names[-1] == "y30000"
    assert len(looks) == (value != 0.5)


def test_the_command_and_train_lift_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("fuseprop.data.npz_file.FREE_BYTES", 1000)
    monkeypatch.setattr("fuseprop.data.npz_file.FREE_BYTES_PER_BYTE", 0)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "t.npz", X=rng.normal(size=(200, 2)), y=rng.normal(size=200))
    model, _ = fuseprop.train(tmp_path / "t.npz", epochs=1, device="cpu", any_size=True)
    model.save(tmp_path / "m.safetensors")
    for arguments in (
        ["train", "t.npz", "--epochs", "1"],
        ["predict", "m.safetensors", "t.npz"],
        ["evaluate", "m.safetensors", "t.npz"],
    ):
        paths = [str(tmp_path / word) if "." in word else word for word in arguments]
        refused = CliRunner().invoke(main, [*paths, "--device", "cpu"])
        assert refused.exit_code == 1
        assert "--any-size" in refused.stderr
        assert CliRunner().invoke(main, [*paths, "--device", "cpu", "--any-size"]).exit_code == 0


def test_what_deflate_was_told_and_what_it_gives_may_differ(tmp_path):
    archive(tmp_path / "t.npz", [("X.npy", array(X)), ("y.npy", array(Y))], compression=zipfile.ZIP_DEFLATED)
    whole = (tmp_path / "t.npz").read_bytes()
    size = struct.pack("<I", len(array(X)))
    for claim in (0, 1, len(array(X)) - 8, len(array(X)) + 8, 2**31, 2**32 - 2):
        (tmp_path / "t.npz").write_bytes(whole.replace(size, struct.pack("<I", claim)))
        refusal(tmp_path / "t.npz")


def test_members_that_are_not_read(tmp_path):
    good = [("X.npy", array(X)), ("y.npy", array(Y))]
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = archive(tmp_path / "t.npz", good, compression=method)
        assert "another method" in refusal(path)
    assert "has the array 'X' 2 times" in refusal(archive(tmp_path / "t.npz", [*good, good[0]]))
    assert "has the array 'X' 2 times" in refusal(archive(tmp_path / "t.npz", [*good, ("X", array(X))]))
    assert "no array 'X'" in refusal(archive(tmp_path / "t.npz", [("../X.npy", array(X)), good[1]]))
    message = refusal(archive(tmp_path / "t.npz", [("\x1b[2J" + "x" * 5000, b""), good[1]]))
    assert r"\x1b[2J" in message
    whole = archive(tmp_path / "t.npz", good).read_bytes()
    flag = whole.rindex(b"PK\1\2", 0, whole.rindex(b"PK\1\2")) + 8
    (tmp_path / "t.npz").write_bytes(whole[:flag] + b"\1" + whole[flag + 1 :])
    assert "encrypted" in refusal(tmp_path / "t.npz")


def test_a_directory_of_very_many_members_is_refused(tmp_path):
    archive(tmp_path / "t.npz", [(f"member number {i:60}", b"") for i in range(12_000)])
    assert "more members than any NPZ file has" in refusal(tmp_path / "t.npz")


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        assert "is a pipe or a device" in refusal(tmp_path / f"{name}.npz")
    np.savez(tmp_path / "there.npz", X=X, y=Y)
    (tmp_path / "link.npz").symlink_to("there.npz")
    assert len(read_npz(tmp_path / "link.npz")) == 3


@pytest.mark.parametrize("error", [MemoryError, RuntimeError, RecursionError, AssertionError, SystemError])
def test_whatever_a_library_raises_is_one_error_with_its_cause(tmp_path, monkeypatch, error):
    def fail(*_, **__):
        warnings.warn("look out", UserWarning, stacklevel=1)
        raise error("oops")

    np.savez(tmp_path / "t.npz", X=X, y=Y)
    monkeypatch.setattr("zipfile.ZipFile", fail)
    with pytest.raises(DataError) as caught:
        read_npz(tmp_path / "t.npz")
    assert isinstance(caught.value.__cause__, error)
    assert ("not enough memory" if error is MemoryError else f"{error.__name__}: oops") in str(caught.value)


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_process_passes(tmp_path, monkeypatch, end):
    def stop(*_, **__):
        raise end

    np.savez(tmp_path / "t.npz", X=X, y=Y)
    monkeypatch.setattr("zipfile.ZipFile", stop)
    with pytest.raises(end):
        read_npz(tmp_path / "t.npz")
