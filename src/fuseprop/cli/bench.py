"""fuseprop bench [MODEL]: measures a training step on every device, beside other libraries that are there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..formulas.activation import Activation, as_trainable_activation
from .exit_codes import FAILED
from .output import Run, echo, echo_json
from .parameters import FiniteRange, layer_sizes, one_of, page_path
from .places import check_not_read

if TYPE_CHECKING:
    from ..benchmarks.bench.asked import Asked
    from ..benchmarks.networks import Case

PEERS = {
    "pytorch": "pytorch",
    "scikit-learn": "scikit_learn",
    "jax": "jax",
    "thinc": "thinc",
    "keras": "keras",
}
"""Names on the command line, and those of their modules."""

NOBODY = "none"


def hidden_activation(text: str) -> Activation:
    """Return an activation that can be trained."""
    try:
        return as_trainable_activation(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("model", required=False)
@click.option(
    "--network",
    "networks",
    multiple=True,
    type=layer_sizes,
    metavar="SIZES",
    help="Layer sizes such as 64-32-10, inputs first; may be repeated [four, from small to large].",
)
@click.option(
    "--batch",
    "batches",
    multiple=True,
    type=click.IntRange(1),
    help="Rows of a step, with --network or MODEL; may be repeated [32, 256 and 2048].",
)
@click.option(
    "--activation",
    type=hidden_activation,
    metavar="TEXT",
    help="Of hidden layers [sigmoid]; other libraries have sigmoid and relu here.",
)
@click.option(
    "--device",
    "devices",
    multiple=True,
    help="cpu, cuda, cuda:1 or a backend's name; may be repeated [each that is there].",
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    type=one_of("library", {**PEERS, NOBODY: None}),
    metavar="TEXT",
    help=f"Measured beside it: {', '.join(PEERS)}, or none; may be repeated [all that are installed].",
)
@click.option("--threads", type=click.IntRange(1), help="Of every library, on as many cores [its own].")
@click.option(
    "--seconds",
    type=FiniteRange(1),
    default=60.0,
    show_default=True,
    help="For everything; who is not ready in time is named.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=21,
    show_default=True,
    help="Turns that everyone takes, if there is time; an interval of 99% takes 8.",
)
@click.option("--every-form", is_flag=True, help="Also torch.compile and slower ways: needs minutes.")
@click.option("--html", type=page_path, metavar="PATH", help="Write a page that needs nothing else.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON object, with the times of every round.")
def bench(
    model: str | None,
    networks: tuple[tuple[int, ...], ...],
    batches: tuple[int, ...],
    activation: Activation | None,
    devices: tuple[str, ...],
    peers: tuple[str, ...],
    threads: int | None,
    seconds: float,
    rounds: int,
    every_form: bool,
    html: Path | None,
    json_: bool,
) -> None:
    """Measure a training step on this machine: every device, beside other libraries that are installed.

    Four networks from small to large in float32, or those of --network, or the one in the file MODEL. A row
    counts only if its training arrives where float64 does; the command fails where one does not. Leave the
    machine alone meanwhile.
    """
    begun, run = time.monotonic(), Run.current()
    from ..benchmarks.bench.measuring import Measurement
    from ..benchmarks.bench.outcome import Outcome
    from ..benchmarks.bench.words import as_dict, told
    from ..benchmarks.threads import TooMany, limited

    check_not_read({"MODEL": [] if model is None else [Path(model)]}, {"--html": html})
    asked = _asked(model, networks, batches, activation, devices, peers)
    try:
        with limited(threads):
            measurement = Measurement(
                asked, seconds, run.say, rounds=rounds, every_form=every_form, threads=threads, begun=begun
            )
            outcome = Outcome(measurement.run())
    except TooMany as error:
        raise click.UsageError(f"--threads {threads}: {error}") from error
    if html is not None and outcome.raw["interrupted"] and not outcome.raw["rounds"]:
        run.say(f"no page written to {html}: nothing was measured before it was interrupted")
    elif html is not None:
        from ..benchmarks.bench.pages import as_page
        from ..storage.atomic import write_atomically

        with run.noting_failure(f"{html} was not written"):
            write_atomically(html, as_page(outcome).encode())
            run.say(f"page written to {html}")
    if json_:
        echo_json(as_dict(outcome))
    else:
        echo(told(outcome))
    if outcome.refused or not outcome.devices:
        raise click.exceptions.Exit(FAILED)


def _asked(
    model: str | None,
    networks: tuple[tuple[int, ...], ...],
    batches: tuple[int, ...],
    activation: Activation | None,
    devices: tuple[str, ...],
    peers: tuple[str, ...],
) -> Asked:
    """Return what is to be measured.

    Raises UsageError for what does not go together or is not known, BackendUnavailable for a device that is
    known and not there.
    """
    from ..backend import BackendUnavailable
    from ..backend.registry import load_backend
    from ..benchmarks.bench import asked as here
    from ..benchmarks.networks import ACTIVATIONS
    from ..model.model import Model

    if model is not None and (networks or activation is not None):
        raise click.UsageError("a MODEL has layers and activations: it goes without --network, --activation.")
    if batches and model is None and not networks:
        raise click.UsageError("--batch goes with --network or MODEL: the four networks have their own.")
    if NOBODY in peers and len(set(peers)) > 1:
        raise click.UsageError(f"--peer {NOBODY} goes with no other library.")
    cases, name = list(here.NETWORKS), ACTIVATIONS[0] if activation is None else activation.name
    left_out = []
    if model is not None:
        network = Model.load(model, "cpu").network
        design = here.design_of(network)
        sizes = (network.layers[0].inputs, *(layer.outputs for layer in network.layers))
        cases, known = here.cases_of(sizes, batches or here.BATCHES), design.of_everyone(sizes[-1])
        name, designs = known or name, {} if known else {case.id: design for case in cases}
        if not batches:
            left_out.append((model, "a model file does not keep its batch size: --batch measures another"))
    else:
        if networks:
            sizes_and_batches = [here.cases_of(sizes, batches or here.BATCHES) for sizes in networks]
            cases = list({case.id: case for some in sizes_and_batches for case in some}.values())
        designs = {} if activation is None else here.designs_of(cases, activation)
    for case in cases:
        _check_size(case)
    for device in devices:
        if not here.is_known(device):
            try:
                load_backend(device)
            except BackendUnavailable as error:
                raise click.BadParameter(str(error), param_hint="--device") from error
        here.check_device(device)
    wanted = [] if NOBODY in peers else [PEERS[peer] for peer in peers or PEERS]
    found, absent = here.peers_here(list(dict.fromkeys(wanted)), designs)
    return here.Asked(
        cases, name, designs, here.devices_here(devices), bool(devices), found, left_out + absent
    )


def _check_size(case: Case) -> None:
    """Raise UsageError where the weights of a network and its widest rows alone do not fit into memory."""
    from ..benchmarks.machine import memory_gib

    there, needed = memory_gib(), 4 * (case.parameters + case.batch * max(case.sizes)) / 2**30
    if there is not None and needed > there:
        raise click.UsageError(
            f"{case.id} needs {needed:,.0f} GiB for its weights and one layer's outputs of a batch, and this "
            f"machine has {there:g} GiB. Give smaller layers or a smaller --batch."
        )
