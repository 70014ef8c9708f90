"""All checkpoints of a training, and its end at any look, for tests that go on from there."""

from fuseprop.checkpoints import Checkpoint, Keeper, read_checkpoint
from fuseprop.checkpoints.writing import write_checkpoint


class Collecting(Keeper):
    """Keeps all states in memory, as a file would give them back, and in the file the last one alone."""

    def __init__(self, path, every):
        super().__init__(Checkpoint(path, every))
        self.found = []

    def keep(self, state, *, wait=False):
        self._begin_interval()
        write_checkpoint(self.path, {**state, "around": self.around}, keeps_previous=False)
        self.found.append(read_checkpoint(self.path))


class Asks:
    """A callback that asks for the end at the n-th time that it is asked itself; never, for 0."""

    def __init__(self, number=0):
        self.asked, self.number = 0, number

    def start(self, epochs, history):
        pass

    def epoch_end(self, history):
        pass

    def end(self, history):
        pass

    def asks_to_stop(self):
        self.asked += 1
        return "time is up" if self.asked == self.number else None


def in_pieces(monkeypatch):
    """Let training look between pieces of its steps, as where no runner can end behind any step."""
    monkeypatch.setattr("fuseprop.training.epoch.StoppableRunner", type("Nobody", (), {}))
