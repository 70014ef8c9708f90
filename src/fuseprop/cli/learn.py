"""fuseprop learn: lists the topics of a course; runs one, a short training whose numbers show its point."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from click.core import ParameterSource

from ..backend.registry import load_backend
from ..checks.quoting import shown
from ..learn import TOPICS
from ..plots import save_figure, save_film
from ..plots.drawing import MOVING
from ..training.rules import FIT_INTERRUPTED
from .output import Run, echo, echo_json
from .parameters import device, film_path, one_of


def _moving() -> str:
    return ", ".join(topic.name for topic in TOPICS.values() if topic.moves)


@click.command(epilog=f"Topics: {', '.join(TOPICS)}.")
@click.argument("topic", type=one_of("topic", TOPICS), required=False)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@device
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
@click.option(
    "--plot",
    type=film_path,
    help=f'Draw it: .png, .svg or .pdf; {MOVING} where it moves ({_moving()}). Needs the extra "plots".',
)
def learn(topic: str | None, seed: int, device: str | None, json_: bool, plot: Path | None) -> None:
    """Run one TOPIC of a course on neural networks: a table, what to see in it, and perhaps a picture.

    Without a TOPIC, list all of them, in the order of the course.

    All numbers come from this library's own training, in float64, on the device asked for.
    """
    if topic is None:
        _list(json_=json_)
        return
    if plot is not None and plot.suffix == MOVING and not TOPICS[topic].moves:
        raise click.BadParameter(
            f"{topic} does not move: take .png, .svg or .pdf. {MOVING} is for {_moving()}.",
            param_hint="'--plot'",
        )
    backend = load_backend(device, "float64")
    with _interruption_raised():
        result = TOPICS[topic](backend, seed)
    drawn = None
    if plot is not None:
        with Run.current().noting_failure("the picture was not drawn"), _interruption_raised():
            if plot.suffix == MOVING:
                assert result.film is not None  # as the topic moves
                save_film(result.film, plot)
            else:
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


def _list(*, json_: bool) -> None:
    """Print the topics; refuse the options that are for one of them."""
    context, (first, *_) = click.get_current_context(), TOPICS
    for option in context.command.get_params(context):
        given = context.get_parameter_source(str(option.name))
        if option.name != "json_" and given is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{option.opts[0]} is for one topic: name it, such as fuseprop learn {first}. "
                f"fuseprop learn alone lists all topics."
            )
    if json_:
        topics = [{"topic": each.name, "line": each.line, "moves": each.moves} for each in TOPICS.values()]
        echo_json({"topics": topics})
        return
    width = max(map(len, TOPICS))
    echo("\n".join(f"{topic.name:<{width}}  {topic.line}" for topic in TOPICS.values()))
    echo(f"\nRun one: fuseprop learn {first}. With a picture: fuseprop learn {first} --plot {first}.png.")
    echo(f"Those that move, as a film by --plot film{MOVING}: {_moving()}.")


@contextmanager
def _interruption_raised() -> Iterator[None]:
    """Raise KeyboardInterrupt if Ctrl-C ends a training within this context.

    `Network.fit` only warns and returns then, and a topic would go on with an incomplete training.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=FIT_INTERRUPTED)
        try:
            yield
        except UserWarning as warning:
            if not str(warning).startswith(FIT_INTERRUPTED):
                raise
            raise KeyboardInterrupt from None
