"""fuseprop learn TOPIC: prints a topic of the course, a short training whose numbers show its point."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from ..backend import AnyBackend
from ..backend.registry import load_backend
from ..checks.quoting import shown
from ..learn import TOPICS, Result
from ..plots import save_figure
from ..training.rules import FIT_INTERRUPTED
from .output import Run, echo, echo_json
from .parameters import device, one_of, plot_path


@click.command(epilog=f"Topics: {', '.join(TOPICS)}.")
@click.argument("topic", type=one_of("topic", TOPICS))
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@device
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
@click.option("--plot", type=plot_path, help='Draw it: .png, .svg or .pdf. Needs the extra "plots".')
def learn(topic: str, seed: int, device: str | None, json_: bool, plot: Path | None) -> None:
    """Run one TOPIC of a course on neural networks: a table, what to see in it, and perhaps a picture.

    All numbers come from this library's own training, in float64, on the device asked for.
    """
    backend = load_backend(device, "float64")
    result = _run(topic, backend, seed)
    drawn = None
    if plot is not None:
        with Run.current().noting_failure("the picture was not drawn"):
            save_figure(result.figure, plot)
            drawn = plot
    if json_:
        content = {name: getattr(result, name) for name in ("title", "columns", "rows", "see", "text")}
        about = {"topic": topic, "backend": backend.name, "device": backend.device, "seed": seed}
        echo_json({**about, **content, "plot": None if drawn is None else str(drawn)})
        return
    parts = [f"{topic}: {result.title}", result.table(), result.text, result.see]
    echo("\n\n".join(part for part in parts if part))
    if drawn is not None:
        echo(f"\npicture written to {shown(drawn, None)}")


def _run(topic: str, backend: AnyBackend, seed: int) -> Result:
    """Run a topic; raise KeyboardInterrupt if Ctrl-C ended one of its trainings.

    `Network.fit` only warns and returns then, and the topic would go on with an incomplete training.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=FIT_INTERRUPTED)
        try:
            return TOPICS[topic](backend, seed)
        except UserWarning as warning:
            if not str(warning).startswith(FIT_INTERRUPTED):
                raise
            raise KeyboardInterrupt from None
