"""When a checkpoint is due, what is written, refused, kept and warned of."""

import gc
import os
import re
import subprocess
import sys
import threading
import warnings
from errno import EIO, ENOSPC
from pathlib import Path

import numpy as np
import pytest

from fuseprop import Checkpoint, CheckpointError
from fuseprop.checkpoints import Keeper, keeper, read_checkpoint
from fuseprop.checkpoints.reading import previous_of
from fuseprop.checkpoints.writing import write_checkpoint

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions, links and processes")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


@pytest.fixture
def clock(monkeypatch):
    """The time of the keeper's clock, in a list of one number."""
    now = [1000.0]
    monkeypatch.setattr(keeper, "monotonic", lambda: now[0])
    return now


class Disk:
    """Stands for `write_checkpoint`: waits for leave, fails where asked to."""

    def __init__(self):
        self.leave, self.began, self.error, self.states = threading.Event(), threading.Event(), None, []

    def __call__(self, path, state, **options):
        self.began.set()
        assert self.leave.wait(60)
        if self.error is not None:
            raise self.error
        self.states.append(state)
        write_checkpoint(path, state, **options)


@pytest.fixture
def disk(monkeypatch):
    made = Disk()
    monkeypatch.setattr(keeper, "write_checkpoint", made)
    yield made
    made.leave.set()


def state(epoch, **more):
    return {
        "summary": {"epoch": epoch, "epochs": 9, "finished": False},
        "w": np.full(3, float(epoch)),
        **more,
    }


def epoch_in(path):
    found = read_checkpoint(path)
    return found.state["summary"]["epoch"] if found.path == path else None


def names(path):
    return sorted(file.name for file in path.parent.iterdir())


def test_by_time_one_is_due_when_it_has_passed(path, clock):
    kept = Keeper(Checkpoint(path, "60 s"))
    with kept.open():
        assert kept.steps_left() is None
        kept.took(10**6)
        clock[0] += 59.9
        assert not kept.is_due(epoch_ended=True)
        clock[0] += 0.1
        assert kept.is_due()
        kept.keep(state(1), wait=True)
        assert not kept.is_due()
        clock[0] += 60
        assert kept.is_due()


def test_by_time_none_is_due_while_the_last_is_written(path, clock, disk):
    kept = Keeper(Checkpoint(path, "1 s"))
    with kept.open():
        kept.keep(state(1))
        assert disk.began.wait(60)
        clock[0] += 5
        assert not kept.is_due()
        disk.leave.set()
        kept.keep(state(2), wait=True)
        clock[0] += 1
        assert kept.is_due()
    assert epoch_in(path) == 2


def test_by_steps_one_is_due_when_they_were_taken(path):
    kept = Keeper(Checkpoint(path, "5 steps"))
    with kept.open():
        assert kept.steps_left() == 5
        kept.took(3)
        assert kept.steps_left() == 2
        assert not kept.is_due(epoch_ended=True)
        kept.took(4)
        assert kept.steps_left() == 0
        assert kept.is_due()
        kept.keep(state(1))
        assert kept.steps_left() == 5
        assert not kept.is_due()


def test_by_epochs_one_is_due_when_they_ended(path):
    kept = Keeper(Checkpoint(path, "2 epochs"))
    with kept.open():
        assert kept.steps_left() is None
        asked = [kept.is_due(epoch_ended=ended) for ended in (False, True, False, True)]
        assert asked == [False, False, False, True]
        kept.keep(state(2))
        assert [kept.is_due(epoch_ended=True) for _ in range(2)] == [False, True]


def test_training_goes_on_while_a_checkpoint_is_written(path, disk):
    kept = Keeper(Checkpoint(path))
    with kept.open():
        kept.around["members"] = done = [{"epochs": 3}]
        kept.keep(state(1))
        assert disk.began.wait(60)
        assert not path.exists()
        kept.around["more"] = 1
        done.append({"epochs": 4})
        disk.leave.set()
    assert read_checkpoint(path).state["around"] == {"members": [{"epochs": 3}]}
    assert names(path) == ["run.safetensors"]


def test_the_next_waits_for_the_last(path, disk):
    kept = Keeper(Checkpoint(path, "1 step"))
    with kept.open():
        kept.keep(state(1))
        assert disk.began.wait(60)
        threading.Timer(0.05, disk.leave.set).start()
        kept.keep(state(2))
    assert [kept["summary"]["epoch"] for kept in disk.states] == [1, 2]
    assert (epoch_in(path), epoch_in(previous_of(path))) == (2, 1)


def test_one_before_is_kept(path):
    kept = Keeper(Checkpoint(path))
    with kept.open():
        for epoch in range(1, 5):
            kept.keep(state(epoch), wait=True)
            assert epoch_in(path) == epoch
            if epoch > 1:
                assert epoch_in(previous_of(path)) == epoch - 1
    assert names(path) == ["run.previous.safetensors", "run.safetensors"]


@posix
def test_where_the_one_before_is_the_same_file_after_a_kill_both_go_on(path):
    write_checkpoint(path, state(1), keeps_previous=True)
    previous_of(path).hardlink_to(path)
    write_checkpoint(path, state(2), keeps_previous=True)
    assert (epoch_in(path), epoch_in(previous_of(path))) == (2, 1)
    assert names(path) == ["run.previous.safetensors", "run.safetensors"]


def test_without_hard_links_the_one_before_is_kept_too(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    for epoch in (1, 2, 3):
        write_checkpoint(path, state(epoch), keeps_previous=True)
    assert (epoch_in(path), epoch_in(previous_of(path))) == (3, 2)
    assert names(path) == ["run.previous.safetensors", "run.safetensors"]


@posix
def test_behind_a_symbolic_link_both_stand_beside_the_file(tmp_path):
    (tmp_path / "disk").mkdir()
    link = tmp_path / "link.safetensors"
    link.symlink_to(Path("disk") / "run.safetensors")
    kept = Keeper(Checkpoint(link))
    with kept.open():
        for epoch in (1, 2):
            kept.keep(state(epoch), wait=True)
        assert names(link) == ["disk", "link.safetensors"]
        with pytest.raises(CheckpointError, match="another training of this process"):
            open_once(tmp_path / "disk" / "run.safetensors")
    real = tmp_path / "disk" / "run.safetensors"
    assert names(real) == ["run.previous.safetensors", "run.safetensors"]
    real.write_bytes(b"")
    assert read_checkpoint(link).path == real.with_name("run.previous.safetensors")


def open_once(path, *, overwrite=False, resumed=None):
    with Keeper(Checkpoint(path, overwrite=overwrite)).open(resumed):
        pass


def test_a_checkpoint_of_another_run_is_refused(path):
    write_checkpoint(path, state(3), keeps_previous=False)
    with pytest.raises(FileExistsError, match="of another run, after epoch 3 of 9; go on") as caught:
        open_once(path)
    assert caught.value.filename == str(path)
    with pytest.raises(FileExistsError, match="after epoch 3"):
        open_once(path, resumed=path.with_name("other.safetensors"))
    finished = {**state(9), "summary": {"epoch": 9, "epochs": 9, "finished": True}}
    write_checkpoint(path, finished, keeps_previous=False)
    with pytest.raises(FileExistsError, match="of another run, at the end, after 9 epochs"):
        open_once(path)
    path.write_bytes(b"a text")
    with pytest.raises(FileExistsError, match="what is in this file is no checkpoint"):
        open_once(path)
    path.rename(previous_of(path))
    with pytest.raises(FileExistsError, match="what is in this file is no checkpoint") as caught:
        open_once(path)
    assert caught.value.filename == str(previous_of(path))
    previous_of(path).write_bytes(b"")
    open_once(path)


def test_what_is_overwritten_does_not_become_the_one_before(path):
    for epoch in (7, 8):
        write_checkpoint(path, state(epoch), keeps_previous=True)
    kept = Keeper(Checkpoint(path, overwrite=True))
    with kept.open():
        assert names(path)[1:] == ["run.previous.safetensors", "run.safetensors"]
        kept.keep(state(1), wait=True)
        assert not previous_of(path).exists()
        kept.keep(state(2), wait=True)
    assert (epoch_in(path), epoch_in(previous_of(path))) == (2, 1)


def test_what_training_goes_on_from_becomes_the_one_before(path):
    for epoch in (1, 2):
        write_checkpoint(path, state(epoch), keeps_previous=True)
    kept = Keeper(Checkpoint(path))
    with kept.open(read_checkpoint(path).path):
        kept.keep(state(3), wait=True)
    assert (epoch_in(path), epoch_in(previous_of(path))) == (3, 2)


def test_a_damaged_checkpoint_does_not_replace_the_good_one_before(path):
    for epoch in (1, 2):
        write_checkpoint(path, state(epoch), keeps_previous=True)
    path.write_bytes(path.read_bytes()[:-1])
    kept = Keeper(Checkpoint(path))
    with kept.open(read_checkpoint(path).path):
        kept.keep(state(2), wait=True)
        assert (epoch_in(path), epoch_in(previous_of(path))) == (2, 1)
        kept.keep(state(3), wait=True)
    assert (epoch_in(path), epoch_in(previous_of(path))) == (3, 2)


@posix
def test_another_process_keeps_the_path_until_it_is_killed(path):
    script = """
import sys, time
from fuseprop import Checkpoint
from fuseprop.checkpoints import Keeper
with Keeper(Checkpoint(sys.argv[1])).open():
    print("open", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(
            CheckpointError, match=rf"another process \({process.pid}\) writes checkpoints in"
        ):
            open_once(path)
        process.kill()
        process.wait()
        assert names(path) == [".run.safetensors.lock"]
        open_once(path)
        assert names(path) == []


def test_another_training_of_this_process_keeps_the_path_until_it_ends(path):
    kept = Keeper(Checkpoint(path))
    with kept.open(), kept.open():
        with pytest.raises(CheckpointError, match="another training of this process writes checkpoints in"):
            open_once(path)
        open_once(path.with_name("other"))
    open_once(path)


@posix
def test_a_forked_child_writes_nothing_and_keeps_no_lock(path):
    kept = Keeper(Checkpoint(path, "1 step"))
    with kept.open():
        kept.took(1)
        assert kept.is_due()

        def child():
            assert not kept.is_due()
            kept.keep(state(1), wait=True)
            assert names(path) == [".run.safetensors.lock"]
            with pytest.raises(CheckpointError, match="another process"):
                open_once(path)

        in_a_child(child)
        kept.keep(state(2), wait=True)
        read, write = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            number = os.fork()
        if number == 0:
            os.close(write)
            os.read(read, 1)  # lives until the pipe is closed
            os._exit(0)
        os.close(read)
    open_once(path, resumed=path)
    os.close(write)
    assert os.waitpid(number, 0)[1] == 0
    assert epoch_in(path) == 2


def in_a_child(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        number = os.fork()
    if number == 0:
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(number, 0)[1] == 0


def test_what_cannot_be_written_is_warned_of_once_and_tried_again(path, disk):
    disk.leave.set()
    kept = Keeper(Checkpoint(path, "1 step"))
    with warnings.catch_warnings(record=True, action="always") as caught, kept.open():
        kept.keep(state(1), wait=True)
        for disk.error in [OSError(ENOSPC, "No space left on device")] * 2 + [OSError(EIO, "Broken")]:
            kept.keep(state(2))
            kept.finish_writing()
            kept.is_due()
        assert kept.failure == f"the checkpoint after epoch 2 of 9 could not be written in {path}: Broken"
    assert epoch_in(path) == 1
    texts = [str(warning.message) for warning in caught]
    assert [text.rpartition(": ")[2] for text in texts] == [
        "No space left on device. Training goes on, and tries again when the next is due.",
        "Broken. Training goes on, and tries again when the next is due.",
        "Broken. The one there is that after epoch 1 of 9.",
    ]
    assert all(warning.filename == __file__ for warning in caught)


def test_what_was_written_after_a_failure_is_no_failure(path, disk):
    disk.leave.set()
    kept = Keeper(Checkpoint(path, "1 step"))
    with kept.open():
        disk.error = OSError(ENOSPC, "No space left on device")
        kept.keep(state(1))
        with pytest.warns(UserWarning, match="could not be written"):
            kept.keep(state(1))
        disk.error = None
        kept.keep(state(2), wait=True)
        assert kept.failure == ""
    assert epoch_in(path) == 2


@pytest.mark.parametrize("error", [MemoryError(), TypeError("'a' is {1}, which is no plain data.")], ids=repr)
def test_no_failure_ends_training_and_the_end_says_that_nothing_is_there(path, disk, error):
    disk.leave.set()
    disk.error = error
    kept = Keeper(Checkpoint(path))
    why = str(error).rstrip(".") or "there is not enough memory"
    words = re.escape(f"in {path}: {why}. None of this run is there.")
    with pytest.warns(UserWarning, match=words) as caught, kept.open():
        kept.keep(state(1), wait=True)
    assert len(caught) == 1


def test_an_error_in_training_closes_the_keeper(path):
    kept = Keeper(Checkpoint(path))

    def train():
        kept.keep(state(1))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), kept.open():
        train()
    assert epoch_in(path) == 1
    assert names(path) == ["run.safetensors"]


def test_where_no_thread_begins_the_checkpoint_is_written_all_the_same(path, monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    kept = Keeper(Checkpoint(path))
    with kept.open():
        kept.keep(state(1))
    assert epoch_in(path) == 1


def test_what_cannot_be_a_checkpoint_is_refused_before_training(tmp_path):
    (tmp_path / "d").mkdir()
    with pytest.raises(IsADirectoryError, match="expected a file"):
        open_once(tmp_path / "d")
    with pytest.raises(FileNotFoundError, match=r"does not exist\. Make it first"):
        open_once(tmp_path / "missing" / "run.safetensors")
    (tmp_path / "run.previous.safetensors").mkdir()
    with pytest.raises(OSError, match="is a directory"):
        open_once(tmp_path / "run.safetensors", overwrite=True)
    with pytest.raises(OSError, match="name"):
        open_once(tmp_path / ("x" * 250 + ".safetensors"))
    assert names(tmp_path / "x") == ["d", "run.previous.safetensors"]


@posix
def test_a_directory_without_write_permission_is_refused(open_path, as_nobody):
    open_path.chmod(0o555)

    def refused():
        with pytest.raises(PermissionError):
            open_once(open_path / "run.safetensors")

    as_nobody(refused)


@posix
def test_names_as_long_as_the_system_allows_are_taken(tmp_path):
    longest = os.pathconf(tmp_path, "PC_NAME_MAX")
    path = tmp_path / ("x" * (longest - len(".previous.safetensors")) + ".safetensors")
    kept = Keeper(Checkpoint(path))
    with kept.open():
        for epoch in (1, 2):
            kept.keep(state(epoch), wait=True)
    assert names(path) == sorted([path.name, previous_of(path).name])


@posix
def test_the_file_of_a_lock_that_is_a_link_is_not_followed(path):
    victim = path.with_name("victim")
    victim.write_text("theirs")
    path.with_name(".run.safetensors.lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        open_once(path)
    assert victim.read_text() == "theirs"


def test_many_trainings_leave_nothing_behind(path):
    def train(epoch):
        kept = Keeper(Checkpoint(path, "1 step", overwrite=True))
        with kept.open():
            kept.keep(state(epoch))
            kept.keep(state(epoch))

    train(0)
    gc.collect()
    before = threading.active_count(), len(gc.get_objects())
    for epoch in range(20):
        train(epoch)
    gc.collect()
    assert threading.active_count() == before[0]
    assert len(gc.get_objects()) - before[1] < 20
    assert names(path) == ["run.previous.safetensors", "run.safetensors"]
