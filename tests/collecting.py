"""All checkpoints of a training, for tests that go on from each."""

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


def in_pieces(monkeypatch):
    """Let training look between pieces of its steps, as where no runner can end behind any step."""
    monkeypatch.setattr("fuseprop.training.epoch.StoppableRunner", type("Nobody", (), {}))
