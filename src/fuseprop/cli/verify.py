"""fuseprop verify: trains networks on two backends from one start, and prints and writes what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..checks.quoting import shown
from ..formulas.activation import trainable_activations
from ..formulas.loss import LOSSES
from ..model.model import Model
from ..verification import Certificate, OptionError
from ..verification import verify as verify_backends
from ..verification.cases import OPTIMIZERS
from ..verification.page import page_of
from ..verification.verifying import DTYPES
from .exit_codes import FAILED
from .output import Run, echo, echo_json
from .parameters import activations, device, layer_sizes, one_of, usages, writable
from .parameters import loss as loss_named
from .places import check_not_read

SUFFIXES = (".json", ".html")


def _activation(text: str) -> str:
    (name, *more) = activations(text)
    if more:
        raise click.BadParameter(f"expected one activation for all hidden layers, got {text!r:.60}.")
    return name


def _place(text: str) -> Path:
    path = Path(text)
    if path.suffix not in SUFFIXES:
        raise click.BadParameter(f"expected a name that ends in {' or '.join(SUFFIXES)}, got {text!r:.60}.")
    return writable(path)


@click.command()
@click.argument("model", required=False)
@device
@click.option(
    "--against", default="cpu", show_default=True, help="The reference; cpu is NumPy, call by call."
)
@click.option(
    "--replay",
    metavar="NAME",
    help="How the verified backend replays steps: compiled or calls on cpu; captured, fused or eager on "
    "cuda; another backend's own [as in training].",
)
@click.option(
    "--network",
    type=layer_sizes,
    metavar="SIZES",
    help="These instead of the set: 64-32-10.",
)
@click.option(
    "--activation",
    type=_activation,
    metavar="NAME",
    help=f"Its hidden layers': {usages(trainable_activations())} [relu].",
)
@click.option(
    "--loss",
    type=loss_named,
    metavar="NAME",
    help=f"Its loss: {usages(LOSSES)} [half_squared_error for one output, else softmax_cross_entropy].",
)
@click.option(
    "--optimizer",
    type=one_of("optimizer", dict.fromkeys(OPTIMIZERS)),
    help=f"{', '.join(OPTIMIZERS)}: of MODEL or --network [each of them].",
)
@click.option(
    "--dtype", type=one_of("dtype", dict.fromkeys(DTYPES)), help="float32 or float64 [both, or MODEL's]."
)
@click.option(
    "--steps", type=click.IntRange(1), default=12, show_default=True, help="Steps that are compared."
)
@click.option("--batch-size", type=click.IntRange(1), default=16, show_default=True, help="Rows of a step.")
@click.option(
    "--free-steps",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Of the free run, and in a call.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--out",
    type=_place,
    metavar="PATH",
    help="Write the certificate, to attach to a report: .json, or .html to read.",
)
@click.option("--json", "json_", is_flag=True, help="Print one JSON object.")
@click.option("--check", type=click.Path(), help="Print the certificate in this .json file instead.")
def verify(
    model: str | None,
    device: str | None,
    network: list[int] | None,
    out: Path | None,
    json_: bool,
    check: str | None,
    **options: Any,
) -> None:
    """Train on two backends from one start, and compare every tensor of every step with the parity bound.

    By default a set of networks that together have every built-in activation, loss and update; or that of the
    file MODEL, on rows that are drawn for it. What differs is printed with versions, devices and hashes of
    kernels; where anything is beyond the bound, the first such step and tensor is named.

    Exit codes: 0 where all is within the bound; 1 where anything is beyond it, and for a file that cannot be
    read; 2 for wrong options; 3 for a device that cannot be had.
    """
    check_not_read({"MODEL": [] if model is None else [Path(model)]}, {"--out": out})
    context = click.get_current_context()
    given = {
        name
        for name in context.params
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    }
    if check is not None:
        others = sorted(given - {"check", "json_"})
        if others:
            raise click.UsageError(
                f"--check reads a certificate: it goes with --json alone, not {others[0]!r}."
            )
        certificate = Certificate.load(check)
    else:
        certificate = _verified(model, device, network, options)
        if out is not None:
            _write(certificate, out)
    if json_:
        echo_json(dict(certificate.content))
    else:
        echo(str(certificate))
    if out is not None:
        Run.current().say(f"certificate written to {shown(out, None)}")
    if not certificate.passed:
        raise click.exceptions.Exit(FAILED)


def _verified(
    model: str | None, device: str | None, network: list[int] | None, options: dict[str, Any]
) -> Certificate:
    if model is not None and network is not None:
        raise click.UsageError("give MODEL, which has its sizes, or --network.")
    if network is None:
        for name in ("activation", "loss", *(["optimizer"] if model is None else [])):
            if options[name] is not None:
                raise click.UsageError(f"--{name} needs --network: the set, and MODEL, have their own.")
    own = network if model is None else Model.load(model, "cpu").network
    try:
        return verify_backends(device, network=own, **options)
    except OptionError as error:
        raise click.UsageError(str(error)) from error


def _write(certificate: Certificate, out: Path) -> None:
    if out.suffix == ".json":
        certificate.save(out)
        return
    from ..storage.atomic import write_atomically

    write_atomically(out, page_of(certificate).encode())
