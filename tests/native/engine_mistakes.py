"""Mistakes for the engine's sources, each with what must find it."""

from __future__ import annotations

from dataclasses import dataclass

DRIVER = "driver"  # hashes, or the comparison with plain doubles
ADDRESS = "address"  # AddressSanitizer and UndefinedBehaviorSanitizer
THREAD = "thread"  # ThreadSanitizer
WIDE = "wide"  # the driver, with vectors of more lanes than the least


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
        "a wrong stride",
        "parameters.hpp",
        "tile.moment_distance = full ? spec.parameter_count : K1 * NB;",
        "tile.moment_distance = full ? spec.parameter_count : (K1 - 1) * NB;",
        DRIVER,
    ),
    Mistake(
        "a sum divided by the number of threads",
        "parameters.hpp",
        "step.squares[unit] = squares.total();",
        "Squares<T> parts[2];\n"
        "  for (long r = r0; r < r1; r++)\n"
        "    for (long n = 0; n < layer.N; n += 32)\n"
        "      parts[(r - r0) * step.members >= r1 - r0 && step.members > 1]\n"
        "          .add(layer.own_gradients + r * layer.N + n, int(least(32, layer.N - n)));\n"
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
        "a step whose update has begun is forgotten",
        "engine.hpp",
        "(phase - first) % phases >= first_update;",
        "(phase - first) % phases > first_update;",
        DRIVER,
    ),
    Mistake(
        "the last step does not wait for other processes",
        "engine.hpp",
        "step.spec.reduces && number + 1 < times ?",
        "step.spec.reduces && number + 2 < times ?",
        DRIVER,
    ),
    Mistake(
        "a narrow gradient is read as if it were wide",
        "parameters.hpp",
        "if (columns == NB) {",
        "if (columns) {",
        ADDRESS,
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
    Mistake(
        "a gradient that is computed alone is taken from another place",
        "parameters.hpp",
        "copy_rows(layer.own_gradients + r0 * layer.N + b * NB, layer.N, made, NB, r1 - r0, columns);",
        "copy_rows(layer.own_gradients + r0 * layer.N + b * NB, layer.N, made, NB, r1 - r0 - !!r0, columns);",
        DRIVER,
    ),
    Mistake(
        "kept rows reach on",
        "rows.hpp",
        "to_rows<T, LANES>(panels + p * room(features) * LANES, least(LANES, step.M - p * LANES), features,",
        "to_rows<T, LANES>(panels + p * room(features) * LANES, LANES, features,",
        ADDRESS,
    ),
    Mistake(
        "kept sums are outputs",
        "rows.hpp",
        "keep<T, LANES>(step, layer.sums, layer.N,",
        "keep<T, LANES>(step, layer.outputs, layer.N,",
        DRIVER,
    ),
    Mistake(
        "few rows without a bias",
        "inference.hpp",
        "in[i * few_stride<T>(K) + K] = T(1);",
        "in[i * few_stride<T>(K) + K] = T(0);",
        DRIVER,
    ),
    Mistake(
        "a row of weights too many is read where it is",
        "few.hpp",
        "const long near = end < 0 ? 0 : least(K1, end / N + 1);",
        "const long near = end < 0 ? 0 : least(K1, end / N + 2);",
        ADDRESS,
    ),
    Mistake(
        "the bias of few rows comes first",
        "few.hpp",
        "for (long k = 0; k < K1; k++) {\n    const T* w",
        "for (long i = 0; i < K1; i++) {\n    const long k = i ? i - 1 : K1 - 1;\n    const T* w",
        DRIVER,
    ),
    Mistake(
        "rows of a unit begin one too late",
        "inference.hpp",
        "take_rows(*rooms[i], number * unit_rows, least(",
        "take_rows(*rooms[i], number * unit_rows - (number > 0), least(",
        DRIVER,
    ),
    Mistake(
        "rows behind the last one are taken",
        "inference.hpp",
        "least(unit_rows, given.rows - number * unit_rows));",
        "unit_rows);",
        ADDRESS,
    ),
    Mistake(
        "losses are told at the place of the first rows",
        "inference.hpp",
        "spec.losses = static_cast<T*>(given.losses) + begin;",
        "spec.losses = static_cast<T*>(given.losses);",
        DRIVER,
    ),
    Mistake(
        "a room is anybody's",
        "inference.hpp",
        "while (rooms[i]->taken.test_and_set(std::memory_order_acquire)) i = i + 1 == members ? 0 : i + 1;",
        "",
        THREAD,
    ),
    Mistake(
        "a room is given back without order",
        "inference.hpp",
        "rooms[i]->taken.clear(std::memory_order_release);",
        "rooms[i]->taken.clear(std::memory_order_relaxed);",
        THREAD,
    ),
    Mistake(
        "weights are those of the first call",
        "inference.hpp",
        "if (given.renewed) is_packed = false;",
        "",
        DRIVER,
    ),
    Mistake(
        "the bias of panels is not renewed for other lanes",
        "inference.hpp",
        "ones(step.layers[i].outputs, UNIT / lanes, lanes, step.layers[i].N);",
        "if (lanes == MOST_LANES<T>) ones(step.layers[i].outputs, UNIT / lanes, lanes, step.layers[i].N);",
        WIDE,
    ),
    Mistake(
        "denormal numbers count where rows are few",
        "inference.hpp",
        "const Flushing flushing;\n      take_few(*rooms[0]);",
        "take_few(*rooms[0]);",
        DRIVER,
    ),
    Mistake(
        "denormal numbers count as zero after a call",
        "denormals.hpp",
        "  ~Flushing() { _mm_setcsr(before); }",
        "  ~Flushing() {}",
        DRIVER,
    ),
    Mistake(
        "outputs are told before their link",
        "rows.hpp",
        "activate<T>(spec.link, deltas, k * LANES), told = deltas;",
        "activate<T>(spec.link, deltas, k * LANES);",
        DRIVER,
    ),
)

FIRST = tuple({mistake.found_by: mistake for mistake in reversed(MISTAKES)}.values())[::-1]
"""One for each that finds some: those of every landing."""
