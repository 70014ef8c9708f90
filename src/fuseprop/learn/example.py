"""The worked example: three inputs, one hidden unit, one output, four weights, digit by digit."""

from __future__ import annotations

from ..backend import AnyBackend
from ..checks.quoting import counted
from ..inspection import Trace
from ..inspection.drawing import FORWARD, backward_draft, backward_title, forward_draft, pass_figure
from ..layers.dense import Dense
from ..network import Network
from ..optimizers import MomentumSGD
from ..plots import Curve, Figure, Film, Panel, lay_out
from .result import Cell, Result, topic

INPUTS, TARGET = [[95.0, 4.0, 4.0]], [[1.0]]
RATE, STEPS = 0.3, 30

TITLE = "The worked example: O1 is a1.1, O2 is a2.1, E is L"

SHOWN = 3
"""So many steps the film shows, each forward and backward."""


@topic("The worked example: a network of four weights, digit by digit.", moves=True)
def example(backend: AnyBackend, seed: int) -> Result:
    """Go forward, back, and one step down; then go on, for the picture."""
    hidden = Dense(3, 1, "sigmoid", weights=[[0.01], [0.02], [0.03]], bias=[0.001])
    output = Dense(1, 1, "sigmoid", weights=[[0.02]], bias=[0.03])
    network = Network([hidden, output], "half_squared_error", seed=seed, backend=backend)
    optimizer = MomentumSGD(RATE, momentum=0.0)
    traces = [network.trace(INPUTS, TARGET)]
    for _ in range(STEPS):
        network.train_step(INPUTS, TARGET, optimizer)
        traces.append(network.trace(INPUTS, TARGET))
    trace, after = traces[0], [(layer.weights, layer.bias) for layer in traces[1].layers]
    (z1, z2), (o1, o2) = ([float(array[0, 0]) for array in part] for part in (trace.z, trace.a))
    rows: list[tuple[Cell, ...]] = [
        ("z1 = x1 w1 + x2 w2 + x3 w3 + b1", z1),
        ("O1 = sigmoid(z1)", o1),
        ("z2 = O1 w4 + b2", z2),
        ("O2 = sigmoid(z2)", o2),
        ("E = (t - O2)^2 / 2", trace.loss),
        ("delta2 = (O2 - t) O2 (1 - O2)", float(trace.delta[1][0, 0])),
        ("delta1 = delta2 w4 O1 (1 - O1)", float(trace.delta[0][0, 0])),
        ("dE/dw4 = delta2 O1", float(trace.dW[1][0, 0])),
        ("dE/db2 = delta2", float(trace.db[1][0])),
        *((f"dE/dw{i + 1} = delta1 x{i + 1}", float(trace.dW[0][i, 0])) for i in range(3)),
        ("dE/db1 = delta1", float(trace.db[0][0])),
        (f"w4 - {RATE:g} dE/dw4", float(after[1][0][0, 0])),
        *((f"w{i + 1} - {RATE:g} dE/dw{i + 1}", float(after[0][0][i, 0])) for i in range(3)),
        (f"b1 - {RATE:g} dE/db1", float(after[0][1][0])),
        (f"b2 - {RATE:g} dE/db2", float(after[1][1][0])),
    ]
    return Result(
        f"inputs 95, 4, 4; weights 0.01, 0.02, 0.03, b1 0.001; w4 0.02, b2 0.03; target 1; "
        f"learning rate {RATE:g}",
        ("what", "value"),
        rows,
        Figure(TITLE, [*pass_figure(trace, traces[1], RATE).panels, _errors(traces, STEPS)]),
        "In the network of four weights each derivative is a product along the one path from the error to "
        "its weight, and the parts near the error are shared by all. The input 95 makes dE/dw1 as many times "
        "larger than dE/dw2 as 95 is larger than 4: inputs should be standardized.",
        text=f"{trace.explain()}\n\na unit with two outputs behind it:\n{_two_paths(backend).explain()}",
        film=Film(lambda number: _frame(traces, number), 2 * SHOWN + 1, seconds=1.5),
    )


def _two_paths(backend: AnyBackend) -> Trace:
    """Return a pass of a network in which two paths lead from the error to the first weight."""
    hidden = Dense(1, 1, "sigmoid", weights=[[0.5]], bias=[0.0])
    outputs = Dense(1, 2, "sigmoid", weights=[[0.4, -0.3]], bias=[0.0, 0.0])
    network = Network([hidden, outputs], "half_squared_error", backend=backend)
    return network.trace([[1.0]], [[1.0, 0.0]])


def _frame(traces: list[Trace], number: int) -> Figure:
    """Return step 0 forward, backward, step 1 forward, ..., beside the errors so far."""
    drafts = [draft(trace) for trace in traces[: SHOWN + 1] for draft in (forward_draft, backward_draft)]
    step, back = divmod(number, 2)
    title = f"after {counted(step, 'step')}, {backward_title(traces[step]) if back else FORWARD}"
    return Figure(TITLE, [Panel(title, ground=lay_out(drafts)[number]), _errors(traces, step)])


def _errors(traces: list[Trace], last: int) -> Panel:
    errors = [trace.loss for trace in traces[: last + 1]]
    ends = (-0.5, max(last, SHOWN) + 0.5)
    curve = Curve("E", range(last + 1), errors)
    return Panel("error", "step", "E = (t - O2)\u00b2 / 2", [curve], x_limits=ends, y_limits=(0.0, 0.13))
