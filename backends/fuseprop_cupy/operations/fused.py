"""Operations that do several of the protocol's calls in one launch; `replay.fusion` puts them in programs."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from fuseprop.backend import INTEGER, Access, Call

from ..device.kernel_list import BLOCK
from ..device.launch import blocks_for, lanes_for
from ..device.shapes import Array, expect
from .row_reductions import LossExtras, RowReductionOperations
from .updates import UpdateOperations


class FusedOperations(RowReductionOperations, UpdateOperations):
    """Operations beyond the protocol; each gives the results of the calls that it replaces."""

    def take_batch(
        self, order: Array, cursor: Array, sources: Sequence[Array], *, outs: Sequence[Array]
    ) -> None:
        """Gather rows of several arrays: out[i] = source[order[cursor + i]] for each.

        The first source is (N, d); after it there may be one more of floats, and labels (N,) of integers.
        """
        expect((1,), cursor=cursor)
        for source, out in zip(sources, outs, strict=True):
            expect((len(outs[0]), *source.shape[1:]), out=out)
        (x, x_out), *others = zip(sources, outs, strict=True)
        none = None, None
        target, target_out = next((pair for pair in others if pair[0].dtype != INTEGER), none)
        labels, labels_out = next((pair for pair in others if pair[0].dtype == INTEGER), none)
        rows, columns = len(x_out), prod(x.shape[1:])
        outputs = 0 if target is None else prod(target.shape[1:])
        lanes = lanes_for(columns, BLOCK)
        arrays = x, target, labels, order, cursor, x_out, target_out, labels_out
        self._run(self._typed("take_batch"), blocks_for(rows, lanes), *arrays, rows, columns, outputs, lanes)

    def keep_losses(
        self,
        loss: Call,
        metric: Call | None,
        cursor: Array,
        *,
        losses: Array,
        hits: Array | None,
        bias: Array | None = None,
    ) -> None:
        """Compute a loss, its gradient and the hits of a metric, and put losses and hits (N,) at the cursor.

        The outputs of the loss are read with a bias (k,) added to them, and are not changed.
        """
        expect((1,), cursor=cursor)
        classes, thresholds = None, (0.0, 0.0)
        if metric is not None and metric.operation == "argmax_equals":
            classes = metric.operands[1]
            expect(metric.operands[0].shape[:1], classes=classes)
        elif metric is not None:
            thresholds = metric.operands[2:]
        extras = LossExtras(bias, cursor, hits, classes, thresholds)
        options = {**loss.options, "losses": losses, "extras": extras}
        getattr(self, f"_{loss.operation}")(*loss.operands, **options)

    def update_and_advance(self, update: Call, cursor: Array, by: int) -> None:
        """Update the parameters, and advance the cursor."""
        expect((1,), cursor=cursor)
        self._update(*update.operands, **update.options, advance=(cursor, by))


TAKE_BATCH = Access.of(FusedOperations.take_batch, reads="order cursor sources", writes="outs")
KEEP_LOSSES = Access.of(
    FusedOperations.keep_losses, reads="loss metric cursor bias", writes="loss losses hits"
)
UPDATE_AND_ADVANCE = Access.of(
    FusedOperations.update_and_advance, reads="update cursor", writes="update cursor"
)
