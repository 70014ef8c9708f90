"""Pictures and films as files, written atomically, equal for equal numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import compress, decompress

import numpy as np

from ...backend import HostArray
from ...checks.settings import as_path
from ...storage.atomic import write_atomically
from ..figure import Figure, Film
from .figure import COVERING, as_pixels, draw_figure
from .library import DPI, matplotlib, settled

SUFFIXES = (".png", ".svg", ".pdf")

MOVING = ".gif"

HELD = 10
"""How many times as long as the others the last frame of a film is shown."""

COLOURS = 256
"""Of a film: all frames have the same ones, so that nothing flickers. Among 64, thin lines lost theirs."""


def check_plot(path: str | Path, *, moving: bool = False) -> Path:
    """Return a path that a picture can be written to; one that moves may be a .gif too.

    Raises PlotsUnavailable without matplotlib; ValueError for another suffix than .png, .svg and .pdf, and
    for a directory that does not exist.

    Examples
    --------
    >>> from fuseprop.plots import check_plot
    >>> check_plot("training.png").name
    'training.png'
    """
    path = as_path(path, "plot.png")
    suffixes = (*SUFFIXES, MOVING) if moving else SUFFIXES
    if path.suffix not in suffixes:
        raise ValueError(f"a picture's name must end in {', '.join(suffixes)}, got {str(path)!r}.")
    if not path.parent.is_dir():
        raise ValueError(f"the directory {path.parent} does not exist. Make it first.")
    matplotlib()
    return path


def save_figure(figure: Figure, path: str | Path) -> None:
    """Draw a figure and write it atomically, in the format that the suffix names. Raises as `check_plot`.

    Examples
    --------
    >>> from fuseprop.plots import Curve, Figure, Panel, save_figure
    >>> losses = Curve("train", [1, 2, 3], [0.9, 0.4, 0.3])
    >>> figure = Figure("losses", [Panel("training", "epoch", "loss", [losses])])
    >>> save_figure(figure, "losses.png")
    """
    path = check_plot(path)
    with settled():
        # Without a date, equal numbers give equal files.
        dateless: dict[str, Any] = {} if path.suffix == ".png" else {"Date": None}
        if path.suffix == ".pdf":
            dateless = {"CreationDate": None}
        data = BytesIO()
        draw_figure(figure).savefig(data, format=path.suffix[1:], dpi=DPI, metadata=dateless)
    write_atomically(path, data.getvalue())


def save_film(film: Film, path: str | Path) -> None:
    """Draw a film, frame by frame, and write it atomically as a .gif. Raises as `check_plot`.

    Examples
    --------
    >>> from fuseprop.plots import Curve, Figure, Film, Panel, save_film
    >>> def frame(number):
    ...     return Figure("a point moves", [Panel("", "x", "y", [Curve("point", [number], [number])])])
    >>> save_film(Film(frame, count=2), "moves.gif")
    """
    path = check_plot(path, moving=True)
    if path.suffix != MOVING:
        raise ValueError(f"a film's name must end in {MOVING}, got {str(path)!r}.")
    frames, counts = [], Counter[int]()
    for number in range(film.count):
        pixels = as_pixels(film.frame(number))
        size = (pixels.shape[1], pixels.shape[0])
        counts.update(dict(zip(*map(np.ndarray.tolist, _colours(pixels)), strict=True)))
        frames.append(compress(pixels.tobytes(), 1))  # so that a long film fits into little memory
    palette = _palette(counts)
    indexed = [_image(decompress(frame), size).quantize(palette=palette, dither=0) for frame in frames]
    milliseconds = round(1000 * film.seconds)
    durations = [milliseconds] * (film.count - 1) + [HELD * milliseconds]
    data = BytesIO()
    indexed[0].save(
        data, "GIF", save_all=True, append_images=indexed[1:], duration=durations, loop=0, optimize=False
    )
    write_atomically(path, data.getvalue())


def _colours(pixels: HostArray) -> tuple[HostArray, HostArray]:
    """Return the colours of pixels (h, w, 4), each as one number (c,), and how many pixels have them (c,)."""
    return np.unique(np.ascontiguousarray(pixels).view("<u4"), return_counts=True)


def _palette(counts: Mapping[int, int]) -> Any:
    """Return an image with a palette in which every colour has a close one, be it that of few pixels.

    The commonest colour, the background, is among them as it is.
    """
    pixels = np.array(sorted(counts), "<u4")
    palette = _image(pixels.tobytes(), (len(pixels), 1)).quantize(COLOURS, method=COVERING)
    chosen = np.array(palette.getpalette()).reshape(-1, 3)
    commonest = np.array([max(counts, key=lambda colour: (counts[colour], colour))], "<u4").view(np.uint8)[:3]
    chosen[np.abs(chosen - commonest).sum(axis=1).argmin()] = commonest
    palette.putpalette(chosen.astype(np.uint8).tobytes())
    return palette


def _image(data: bytes, size: tuple[int, int]) -> Any:
    from PIL import Image  # matplotlib brings it

    return Image.frombytes("RGBA", size, data).convert("RGB")
