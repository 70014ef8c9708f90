// A step of a network, from what it is told to its phases: rows, then parameters.
#pragma once

#include "parameters.hpp"
#include "rows.hpp"
#include "schedule.hpp"

namespace fuseprop {

// Operations of a unit of parameters, at least.
constexpr double OPERATIONS_OF_A_TILE = 1e6;
constexpr int TILES_A_THREAD = 16;

// Arrays of so many bytes together are near without being asked for: asking is an eighth of the instructions of a step
// of 64-32-10.
constexpr size_t FETCHED = 256 << 10;

template <class T> class Engine {
public:
  explicit Engine(const StepSpec& spec, int threads) { failed = !describe(spec) || !divide(threads) || step.memory.failed; }

  bool failed;

  double operations() const { return step.operations; }
  long bytes() const { return long(sizeof(Engine) + step.memory.taken); }

  void run(long times, long part) {
    if (times <= 0) return;
    this->times = times, first = part & FIRST, last = part & LAST;
    open = !last && step.spec.kind == TRAINING;
    members = int(least(thread_limit(), step.members));
    chores(step.spec.before, step.spec.before_count);
    begin_step(0);
    schedule.run(*this, first + times * phases, members);
  }

  void store() {
    if (open) unpack(step);
    open = false;
  }

  // Phases: the parameters are packed, in the first part of a run; then those of each step.
  long units(long phase) const {
    if (first && phase == 0) return members;
    switch ((phase - first) % phases) {
    case 0:
      return step.run_count;
    case 2:
      return step.square_count;
    default:
      return step.tile_count;
    }
  }
  void unit(long phase, long number) {
    if (first && phase == 0) {
      pack(step, number, members);
      return;
    }
    switch ((phase - first) % phases) {
    case 0:
      take_run(step, step.runs[number]);
      break;
    case 1:
      take_tile(step, step.tiles[number]);
      break;
    case 2:
      take_squares(step, number);
      break;
    default:
      take_update(step, step.tiles[number]);
    }
  }
  void after(long phase) {
    if (first && phase == 0) return;
    const long taken = (phase - first) / phases, of_step = (phase - first) % phases;
    if (of_step == 2) settle_norm(step);
    if (of_step < phases - 1) return;
    chores(step.spec.after, step.spec.after_count);
    if (taken + 1 == times) return;
    chores(step.spec.before, step.spec.before_count);
    begin_step(taken + 1);
  }

private:
  Step<T> step{};
  Schedule<Engine> schedule{};
  long phases, times;
  int members;
  long first;
  bool last;
  bool open = false; // values and moments are ours, the caller's are old

  // Whether the caller's arrays are written to: nobody sees the gradients of a step that another one follows.
  void begin_step(long number) {
    const bool at_last = last && number + 1 == times;
    step.stores_values = at_last || step.spec.stores_values;
    step.stores_moments = at_last;
    step.stores_gradients = at_last || step.spec.stores_gradients;
  }

  bool describe(const StepSpec& given) {
    Memory& memory = step.memory;
    step.spec = given;
    StepSpec& spec = step.spec;
    spec.before = memory.copy(given.before, given.before_count);
    spec.after = memory.copy(given.after, given.after_count);
    copy_formula(memory, spec.loss, sizeof(T));
    copy_formula(memory, spec.update, sizeof(T));
    step.M = spec.rows, step.lanes = lanes_for<T>(step.M), step.panels = pieces(step.M, step.lanes);
    step.layer_count = int(spec.layer_count);
    step.layers = memory.take<Layer<T>>(spec.layer_count);
    if (memory.failed) return false;
    phases = spec.clips ? 4 : 2;
    const long all = step.panels * step.lanes;
    step.operations = 0;
    for (int i = 0; i < step.layer_count; i++) {
      Layer<T>& layer = step.layers[i];
      describe_layer(memory, layer, given, i);
      layer.forward_chunk = chunk_of<T>((layer.K + 1) * step.lanes);
      layer.back_chunk = chunk_of<T>(layer.N * step.lanes);
      layer.gradient_chunk = chunk_of<T>(all * layer.lanes);
      layer.weights = memory.take<T>(layer.size);
      if (spec.clips) layer.gradients = memory.take<T>(layer.size);
      if (layer.N % layer.lanes && spec.moment_count) layer.last_moments = memory.take<T>(spec.moment_count * (layer.K + 1) * layer.lanes);
      const long panels = room(layer.N) * all;
      layer.outputs = memory.take<T>(panels), layer.deltas = memory.take<T>(panels);
      if (layer.spec.slope_of_sum || layer.spec.kept_sums) layer.sums = memory.take<T>(panels);
      layer.dropped = layer.spec.drops ? memory.take<T>(panels) : layer.outputs;
      layer.turned = memory.take<T>(layer.blocks * layer.lanes * all);
      if (memory.failed) return false;
      ones(layer.dropped, step.panels, step.lanes, layer.N);
      step.operations += 2.0 * step.M * layer.K * layer.N * (i ? 3 : 2);
    }
    step.fetches = memory.bytes() > FETCHED;
    step.inputs = memory.take<T>(room(step.layers[0].K) * all);
    if (spec.target.source) step.targets = memory.take<T>(step.top().N * all);
    if (spec.labels.source) step.labels = memory.take<T>(all);
    step.row_weights = memory.take<T>(all), step.row_losses = memory.take<T>(all);
    if (memory.failed) return false;
    ones(step.inputs, step.panels, step.lanes, step.layers[0].K);
    return true;
  }

  bool divide(int threads) {
    Memory& memory = step.memory;
    step.members = int(greatest(1, least(least(threads, step.panels), long(step.operations / OPERATIONS_A_THREAD))));
    const long each = greatest(1, least(PANELS_OF_A_RUN, step.panels / step.members));
    step.run_count = pieces(step.panels, each);
    step.runs = memory.take<Run>(step.run_count);
    if (memory.failed) return false;
    for (long i = 0; i < step.run_count; i++) step.runs[i] = {i * each, least((i + 1) * each, step.panels)};
    long tiles = 0;
    for (int counted = 0; counted < 2; counted++) {
      if (counted) {
        step.tiles = memory.take<ParameterTile>(tiles);
        if (memory.failed) return false;
      }
      tiles = 0;
      for (int i = 0; i < step.layer_count; i++) tiles = tiles_of(i, tiles, counted ? step.tiles : nullptr);
    }
    step.tile_count = tiles;
    if (step.spec.clips) {
      for (int i = 0; i < step.layer_count; i++) step.square_count += square_units(step.layers[i]);
      step.squares = memory.take<T>(step.square_count);
    }
    return !memory.failed;
  }

  long tiles_of(int number, long count, ParameterTile* out) const {
    const Layer<T>& layer = step.layers[number];
    long parts = 0;
    with_lanes<T>(layer.lanes, [&](auto lanes) { parts = pieces(layer.K + 1, TILE_ROWS<T, decltype(lanes)::value>); });
    const long group = step.members == 1 ? layer.blocks : layer.gradient_chunk;
    const double grain = greatest(long(OPERATIONS_OF_A_TILE), long(step.operations / 3 / (TILES_A_THREAD * step.members)));
    for (long b = 0; b < layer.blocks; b += group) {
      const long end = least(b + group, layer.blocks);
      const double work = 2.0 * step.M * layer.K * (end - b) * layer.lanes;
      const long cut = step.members == 1 ? 1 : greatest(1, least(parts, long(work / grain + .5)));
      for (long q = 0; q < cut; q++, count++)
        if (out) out[count] = {number, parts * q / cut, parts * (q + 1) / cut, b, end};
    }
    return count;
  }

  void chores(const Chore* list, long count) {
    for (const Chore* chore = list; chore < list + count; chore++) switch (chore->task) {
      case TAKE_ROWS:
        for (long i = 0; i < chore->rows; i++)
          std::memcpy(static_cast<char*>(chore->out) + i * chore->bytes, static_cast<const char*>(chore->source) + chore->order[*chore->cursor + i] * chore->bytes, chore->bytes);
        break;
      case PUT_ROWS:
        std::memcpy(static_cast<char*>(chore->out) + *chore->cursor * chore->bytes, chore->source, chore->rows * chore->bytes);
        break;
      case ADVANCE:
        *chore->cursor += chore->rows;
        break;
      case SUM_SQUARES:
        *static_cast<T*>(chore->out) = sum_squares(static_cast<const T*>(chore->source), chore->rows);
        break;
      case COPY:
        std::memmove(chore->out, chore->source, chore->rows * chore->bytes);
        break;
      }
  }
};

} // namespace fuseprop
