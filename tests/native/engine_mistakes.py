"""Mistakes for the engine's sources, each with what must find it."""

from __future__ import annotations

from dataclasses import dataclass

DRIVER = "driver"  # hashes, or the comparison with plain doubles
ADDRESS = "address"  # AddressSanitizer and UndefinedBehaviorSanitizer
THREAD = "thread"  # ThreadSanitizer


@dataclass(frozen=True)
class Mistake:
    """Text replaced in a file, and who finds it."""

    name: str
    file: str
    old: str
    new: str
    found_by: str


MISTAKES = (
    Mistake(
        "a stored row too long",
        "parameters.hpp",
        "layer.weights + n * K1 + r0 * NB, NB, r1 - r0, columns);",
        "layer.weights + n * K1 + r0 * NB, NB, r1 - r0, columns + 1);",
        ADDRESS,
    ),
    Mistake(
        "a gathered row reaches on",
        "rows.hpp",
        "if (k + N > width) k = width - N; // the last block reaches back",
        "",
        ADDRESS,
    ),
    Mistake(
        "a phase ends one unit early",
        "schedule.hpp",
        "if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == all) {",
        "if (done.fetch_add(1, std::memory_order_acq_rel) + 2 == all || all == 1) {",
        THREAD,
    ),
    Mistake(
        "the units of a phase are asked for when it may be over",
        "schedule.hpp",
        "if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == all) {",
        "if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == units) {",
        THREAD,
    ),
    Mistake(
        "units done are counted without order",
        "schedule.hpp",
        "done.fetch_add(1, std::memory_order_acq_rel)",
        "done.fetch_add(1, std::memory_order_relaxed)",
        THREAD,
    ),
    Mistake(
        "a sum divided by the number of threads",
        "parameters.hpp",
        "step.squares[unit] = squares.total();",
        "Squares<T> parts[2];\n"
        "  for (long r = r0; r < r1; r++)\n"
        "    for (long b = 0, n = 0; b < layer.blocks; b++, n += NB)\n"
        "      parts[(r - r0) * step.members >= r1 - r0 && step.members > 1]\n"
        "          .add(layer.gradients + (b * K1 + r) * NB, int(least(NB, layer.N - n)), n % 32);\n"
        "  step.squares[unit] = parts[0].total() + parts[1].total();",
        DRIVER,
    ),
    Mistake(
        "the sum of the units' sums divided by the number of threads",
        "parameters.hpp",
        "sum = sum + step.squares[i];",
        "if (i * step.members % step.square_count < step.members) sum = sum + step.squares[i];\n"
        "  T rest = 0;\n"
        "  for (long i = 0; i < step.square_count; i++)\n"
        "    if (i * step.members % step.square_count >= step.members) rest = rest + step.squares[i];\n"
        "  sum = sum + rest;",
        DRIVER,
    ),
    Mistake(
        "a wrong stride",
        "parameters.hpp",
        "tile.moment_distance = full ? spec.parameter_count : K1 * NB;",
        "tile.moment_distance = full ? spec.parameter_count : (K1 - 1) * NB;",
        DRIVER,
    ),
    Mistake(
        "a step whose update has begun is forgotten",
        "engine.hpp",
        "(phase - first) % phases >= first_update;",
        "(phase - first) % phases > first_update;",
        DRIVER,
    ),
    Mistake(
        "a step that is forgotten has moved a position",
        "engine.hpp",
        "if (chore->task == ADVANCE) *chore->cursor -= chore->rows;",
        "if (chore->task == PUT_ROWS) *chore->cursor -= chore->rows;",
        DRIVER,
    ),
    Mistake(
        "weights that were not read yet are written back",
        "engine.hpp",
        "if (phase >= first && step.spec.kind == TRAINING) unpack(step);",
        "if (step.spec.kind == TRAINING) unpack(step);",
        DRIVER,
    ),
    Mistake(
        "a lost NaN",
        "rows.hpp",
        "const auto better = (score > best) | ((score != score) & (best == best));",
        "const auto better = score > best;",
        DRIVER,
    ),
    Mistake(
        "a stale moment",
        "parameters.hpp",
        "if (step.stores_moments && !full)",
        "if (step.stores_moments && !full && block)",
        DRIVER,
    ),
)
