"""Uploads through page-locked memory: what arrives, when the host waits, and what CUDA is asked for."""

import gc
import threading
from time import sleep
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest

pytest.importorskip("cupy", reason='needs CuPy, not a GPU: pip install -e ".[test]"')

import cupy
from fuseprop_cupy.device.device import Device
from fuseprop_cupy.device.staging import ROOM, Staging
from late_device import LateStream
from page_locked import PageLocked

KIB = 1024


class Uploads:
    """A `Staging` before a device that does nothing until a caller waits for it."""

    def __init__(self, room=16 * KIB):
        self.stream, self.memory = LateStream(), PageLocked()
        self.staging = Staging(self.memory, self.copy, room)

    def copy(self, memory, out):
        return self.stream.ask_to_copy(memory, out, out.ctypes.data)

    def send(self, value, size=KIB):
        """Send `size` bytes of that value, overwrite them, and return where they go."""
        source, out = np.full(size, value, np.uint8), np.zeros(size, np.uint8)
        self.staging.upload(source, out)
        source[:] = 255
        return out


@pytest.fixture
def uploads():
    return Uploads()


def test_what_was_sent_arrives_however_late(uploads):
    outs = [uploads.send(value) for value in range(1, 9)]
    assert not any(out.any() for out in outs)
    uploads.stream.catch_up()
    for value, out in enumerate(outs, 1):
        assert (out == value).all()


def test_the_host_waits_for_nothing(uploads):
    for value in range(16):
        uploads.send(value)
    assert uploads.stream.waits == 0


def test_memory_is_used_again_when_it_was_read(uploads):
    for _ in range(5):
        for size in (KIB, KIB, 2 * KIB, 8):
            uploads.send(1, size)
        uploads.stream.catch_up()
    assert sorted(taken.size for taken in uploads.memory.taken) == [512, KIB, KIB, 2 * KIB]


def test_a_full_room_waits_for_the_oldest_and_no_more(uploads):
    outs = [uploads.send(value) for value in range(1, 17)]
    outs.append(uploads.send(17, 3 * KIB))
    assert [int(out[0]) for out in outs] == [1, 2, 3, *[0] * 14]
    uploads.stream.catch_up()
    assert [int(out[0]) for out in outs] == list(range(1, 18))


def test_what_fills_the_room_alone_fits(uploads):
    first, second = uploads.send(1), uploads.send(2, 16 * KIB)
    assert (int(first[0]), int(second[0])) == (1, 0)
    uploads.stream.catch_up()
    assert (second == 2).all()


@pytest.mark.parametrize("shape", [(), (0,), (3, 5)])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_any_shape_and_dtype(uploads, shape, dtype):
    source = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    out = np.zeros(shape, dtype)
    uploads.staging.upload(source, out)
    uploads.stream.catch_up()
    np.testing.assert_array_equal(out, source)


def test_memory_outlives_the_backend_until_it_was_read(uploads):
    out, memory, stream = uploads.send(1), uploads.memory, uploads.stream
    del uploads.staging
    gc.collect()
    again = np.ndarray((KIB,), np.uint8, memory(KIB))
    again[:] = 2
    stream.catch_up()
    assert (out == 1).all()


def test_a_copy_that_cuda_refuses_leaves_the_others(uploads):
    outs = [uploads.send(1)]
    uploads.staging._copy, copy = MagicMock(side_effect=RuntimeError("the stream is capturing")), uploads.copy
    with pytest.raises(RuntimeError, match="capturing"):
        uploads.send(2)
    uploads.staging._copy = copy
    outs.append(uploads.send(3))
    uploads.stream.catch_up()
    assert [int(out[0]) for out in outs] == [1, 3]


def test_threads_take_turns():
    alone, no_other = [], threading.Lock()

    def copy(memory, out):
        alone.append(no_other.acquire(blocking=False))
        sleep(0.001)  # for others to come in, if they can
        if alone[-1]:
            no_other.release()
        return SimpleNamespace(done=True, synchronize=lambda: None)

    staging = Staging(PageLocked(), copy)
    threads = [
        threading.Thread(target=lambda: [staging.upload(np.ones(9), np.zeros(9)) for _ in range(5)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alone == [True] * 20


class Answering:
    """CuPy's names for what an upload asks of it, each written down."""

    def __init__(self, monkeypatch, nbytes):
        self.asked = []
        self.memory = PageLocked()
        self.stream = MagicMock(spec=cupy.cuda.Stream)
        self.stream.record.side_effect = self.note("record", lambda event: event)
        self.data = MagicMock(spec=cupy.cuda.MemoryPointer)
        self.data.copy_from_host_async.side_effect = self.note("copy", lambda *asked: None)
        self.out = SimpleNamespace(data=self.data, nbytes=nbytes, set=self.note("set", lambda source: None))
        monkeypatch.setattr("fuseprop_cupy.device.device.probe", lambda ordinal: None)
        monkeypatch.setattr(cupy.cuda, "alloc_pinned_memory", self.note("allocate", self.memory))
        monkeypatch.setattr(cupy.cuda, "get_current_stream", lambda: self.stream)
        monkeypatch.setattr(cupy.cuda, "Event", self.event)
        self.device = Device(0, np.dtype("float32"))

    def note(self, name, answer):
        def asked(*arguments):
            self.asked.append((name, *arguments))
            return answer(*arguments)

        return asked

    def event(self, *, disable_timing):
        assert disable_timing
        made = MagicMock()
        made.done = True
        return made


def test_a_small_array_goes_through_page_locked_memory(monkeypatch):
    answers = Answering(monkeypatch, 40)
    source = np.arange(10, dtype=np.float32)
    answers.device.upload(source, answers.out)
    assert [name for name, *_ in answers.asked] == ["allocate", "copy", "record"]
    memory = answers.memory.taken[0]
    assert answers.asked[0][1] == 40
    assert answers.asked[1][1:] == (memory.ptr, 40, answers.stream)
    np.testing.assert_array_equal(memory.bytes[:40].view(np.float32), source)


def test_a_large_array_goes_from_where_it_lies_and_is_waited_for(monkeypatch):
    for nbytes, ways in ((ROOM, ["allocate", "copy", "record"]), (ROOM + 1, ["set"])):
        answers = Answering(monkeypatch, nbytes)
        answers.device.upload(np.empty(nbytes, np.uint8), answers.out)
        assert [name for name, *_ in answers.asked] == ways
        assert answers.stream.synchronize.called == (ways == ["set"])


def test_what_these_answers_stand_for_is_in_cupy():
    assert callable(cupy.cuda.alloc_pinned_memory)
    assert callable(cupy.ndarray.set)
    for name in ("done", "synchronize"):
        assert hasattr(cupy.cuda.Event, name)
