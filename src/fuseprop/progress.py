"""Progress of training: a bar on a terminal, one line an epoch elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, TextIO

from .callbacks import Callback
from .history import History

if TYPE_CHECKING:
    from tqdm import tqdm


def progress(stream: TextIO | None = None) -> Callback:
    """Return what shows progress on `stream` (standard error): a bar if it is a terminal, else lines."""
    stream = stream or sys.stderr
    return ProgressBar(stream) if stream.isatty() else EpochLines(stream)


class ProgressBar:
    """A bar that counts epochs and shows the last one's loss and metric."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: tqdm[None] | None = None

    def start(self, epochs: int, history: History) -> None:
        """Draw the empty bar."""
        from tqdm import tqdm  # loaded for those who look at it: `import fuseprop` needs NumPy alone

        # A terminal may not know its width (some containers' do not); tqdm would then draw empty lines.
        width = shutil.get_terminal_size().columns if self._width_is_unknown() else None
        known = width is None
        self._bar = tqdm(total=epochs, file=self._stream, unit="epoch", ncols=width, dynamic_ncols=known)

    def _width_is_unknown(self) -> bool:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns == 0
        except OSError:
            return True

    def epoch_end(self, history: History) -> None:
        """Move on by one."""
        if self._bar is not None:
            self._bar.set_postfix_str(history.describe_last(), refresh=False)
            self._bar.update()

    def end(self, history: History) -> None:
        """Leave the bar as it is and free the line."""
        if self._bar is not None:
            self._bar.close()


class EpochLines:
    """One line an epoch."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._epochs = 0

    def start(self, epochs: int, history: History) -> None:
        """Remember how many there will be."""
        self._epochs = epochs

    def epoch_end(self, history: History) -> None:
        """Write the line."""
        print(
            f"epoch {history.epochs}/{self._epochs}  {history.describe_last()}", file=self._stream, flush=True
        )

    def end(self, history: History) -> None:
        """Write nothing."""
