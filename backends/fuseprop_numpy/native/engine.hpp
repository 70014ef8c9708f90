// A step of a network, from what it is told to its phases: rows, then parameters.
#pragma once

#include "parameters.hpp"
#include "rows.hpp"
#include "schedule.hpp"

namespace fuseprop {

// Operations of a unit of parameters, at least.
constexpr double OPERATIONS_OF_A_TILE = 1e6;
constexpr int TILES_A_THREAD = 16;
// Of any unit, at most, where it can be divided: a run is left between two units.
constexpr double OPERATIONS_OF_A_UNIT = 1e9;

// Between two looks at the clock; and what takes as long as all that a step does beside its operations.
constexpr double OPERATIONS_OF_A_LOOK = 1e6, OPERATIONS_BESIDE = 5e3;
// A step that is longer knows all gradients before its first update, so that it can be forgotten until then: what is
// left takes a moment. Another one is finished.
constexpr double OPERATIONS_OF_A_LONG_STEP = 1e10;

// Arrays of so many bytes together are near without being asked for: asking is an eighth of the instructions of a step
// of 64-32-10.
constexpr size_t FETCHED = 256 << 10;

template <class T> class Engine {
public:
  explicit Engine(const StepSpec& spec) { failed = !describe(spec) || !divide(thread_limit()) || step.memory.failed; }

  bool failed;

  double operations() const { return step.operations; }
  long bytes() const { return long(sizeof(Engine) + step.memory.bytes()); }

  // Begins a run and goes on with it for so many nanoseconds; returns how it is left.
  Left run(long times, long part, int64_t patience) {
    if (times <= 0) return DONE;
    this->times = times, first = part & FIRST, last = part & LAST;
    open = true, waits = false;
    if (members_for(thread_limit()) != step.members) divide(thread_limit());
    chores(step.spec.before, step.spec.before_count);
    begin_step(0);
    schedule.begin(*this, stop_behind(-1));
    return resume(patience);
  }

  Left resume(int64_t patience) {
    if (waits) schedule.extend(stop_behind(taken()));
    waits = false;
    if (!schedule.run(step.members, patience, looks)) return GOES_ON;
    waits = taken() < times;
    if (waits) return WAITS;
    if (last) open = false;
    return DONE;
  }

  // Ends a run that is not over, or whose last part did not come.
  void store() {
    if (!open) return;
    open = false;
    const long phase = schedule.phase();
    const bool is_over = taken() == times, updates = !is_over && !waits && phase >= first && (phase - first) % phases >= first_update;
    if (updates) {
      times = taken() + 1;
      schedule.cut(first + times * phases);
      schedule.finish(step.members);
    } else if (!is_over)
      forget(step.spec.before, step.spec.before_count);
    if (phase >= first && step.spec.kind == TRAINING) unpack(step);
  }

  // Phases: the parameters are packed, in the first part of a run; then those of each step.
  long units(long phase) const {
    if (first && phase == 0) return step.members;
    const long of_step = (phase - first) % phases;
    return of_step == 0 ? step.run_count : of_step == 2 && step.spec.clips ? step.square_count : step.tile_count;
  }
  void unit(long phase, long number) {
    if (first && phase == 0) {
      pack(step, number, step.members);
      return;
    }
    const long of_step = (phase - first) % phases;
    if (of_step == 0)
      take_run(step, step.run(number));
    else if (of_step == 1)
      take_tile(step, step.tiles[number]);
    else if (of_step == 2 && step.spec.clips)
      take_squares(step, number);
    else
      take_update(step, step.tiles[number]);
  }
  void after(long phase) {
    if (first && phase == 0) return;
    const long taken = (phase - first) / phases, of_step = (phase - first) % phases;
    if (of_step == 2 && step.spec.clips) settle_norm(step);
    if (of_step < phases - 1) return;
    chores(step.spec.after, step.spec.after_count);
    if (taken + 1 == times) return;
    if (thread_limit() != threads) divide(thread_limit());
    chores(step.spec.before, step.spec.before_count);
    begin_step(taken + 1);
  }

private:
  Step<T> step{};
  Schedule<Engine> schedule{};
  // Phases of a step: rows; gradients; squares, where they are clipped; updates, where they stand apart.
  long phases, first_update, times = 1;
  int threads; // that the work is divided for
  long looks;  // units until the next one
  long first;
  bool last;
  bool open = false; // values and moments are ours, the caller's are old
  bool waits = false; // for the sum of a step's gradients
  long room_for_tiles = 0;

  // Steps of this run that are over.
  long taken() const { return schedule.phase() < first ? 0 : (schedule.phase() - first) / phases; }

  // The phase before which a run stops next, behind that of this step: for the sum of the next one's gradients, or at
  // its end.
  long stop_behind(long number) const {
    return step.spec.reduces && number + 1 < times ? first + (number + 1) * phases + 2 : first + times * phases;
  }

  // Whether the caller's arrays are written to: nobody sees the gradients of a step that another one follows.
  void begin_step(long number) {
    const bool at_last = last && number + 1 == times;
    step.stores_values = at_last || step.spec.stores_values;
    step.stores_moments = at_last;
    step.stores_gradients = !step.apart && (at_last || step.spec.stores_gradients);
  }

  bool describe(const StepSpec& given) {
    Memory& memory = step.memory;
    step.spec = given;
    StepSpec& spec = step.spec;
    spec.before = memory.copy(given.before, given.before_count);
    spec.after = memory.copy(given.after, given.after_count);
    copy_formula(memory, spec.loss, sizeof(T));
    copy_formula(memory, spec.update, sizeof(T));
    step.M = spec.rows, step.operations = 0;
    for (int i = 0; i < spec.layer_count; i++)
      step.operations += 2.0 * step.M * given.layers[i].inputs * given.layers[i].outputs * (i ? 3 : 2);
    // Panels of one vector instead of two, where there is a thread for each: a step takes 1.3 times the time in all.
    step.lanes = lanes_for<T>(step.M);
    const long wanted = least(thread_limit(), long(step.operations / OPERATIONS_OF_A_SHARE));
    while (step.lanes > greatest(8, WIDTH<T>) && pieces(step.M, step.lanes / 2) <= wanted) step.lanes /= 2;
    step.panels = pieces(step.M, step.lanes);
    step.layer_count = int(spec.layer_count);
    step.layers = memory.take<Layer<T>>(spec.layer_count);
    if (memory.failed) return false;
    const long all = step.panels * step.lanes;
    for (int i = 0; i < step.layer_count; i++) {
      Layer<T>& layer = step.layers[i];
      describe_layer(memory, layer, given, i);
      layer.forward_chunk = chunk_of<T>((layer.K + 1) * step.lanes);
      layer.back_chunk = chunk_of<T>(layer.N * step.lanes);
      layer.gradient_chunk = chunk_of<T>(all * layer.lanes);
      layer.weights = memory.take<T>(layer.size);
      if (layer.N % layer.lanes && spec.moment_count) layer.last_moments = memory.take<T>(spec.moment_count * (layer.K + 1) * layer.lanes);
      const long panels = room(layer.N) * all;
      layer.outputs = memory.take<T>(panels), layer.deltas = memory.take<T>(panels);
      if (layer.spec.slope_of_sum || layer.spec.kept_sums) layer.sums = memory.take<T>(panels);
      layer.dropped = layer.spec.drops ? memory.take<T>(panels) : layer.outputs;
      layer.turned = memory.take<T>(layer.blocks * layer.lanes * all);
      if (memory.failed) return false;
      ones(layer.dropped, step.panels, step.lanes, layer.N);
    }
    step.fetches = memory.bytes() > FETCHED;
    const bool learns = spec.kind == TRAINING;
    step.apart = learns && (spec.clips || spec.reduces || step.operations > OPERATIONS_OF_A_LONG_STEP);
    phases = 2 + step.apart + spec.clips, first_update = learns ? phases - 1 : phases, step.clip_scale = 1;
    step.inputs = memory.take<T>(room(step.layers[0].K) * all);
    if (spec.target.source) step.targets = memory.take<T>(step.top().N * all);
    if (spec.labels.source) step.labels = memory.take<T>(all);
    if (spec.clips) {
      for (int i = 0; i < step.layer_count; i++) step.square_count += square_units(step.layers[i]);
      step.squares = memory.take<T>(step.square_count);
    }
    step.row_weights = memory.take<T>(all), step.row_losses = memory.take<T>(all);
    if (memory.failed) return false;
    ones(step.inputs, step.panels, step.lanes, step.layers[0].K);
    return true;
  }

  // How many of so many threads find work in this run.
  int members_for(int threads) const {
    const double by_run = step.operations * double(times) / OPERATIONS_A_THREAD, by_step = step.operations / OPERATIONS_OF_A_SHARE;
    return int(greatest(1, least(least(threads, step.panels), long(by_run < by_step ? by_run : by_step))));
  }

  // Divides the work for so many threads, as often as their number changes; without memory it is left as it was.
  bool divide(int threads) {
    Memory& memory = step.memory;
    const int before = step.members;
    step.members = members_for(threads);
    long tiles = 0;
    for (int i = 0; i < step.layer_count; i++) tiles = tiles_of(i, tiles, nullptr);
    if (tiles > room_for_tiles) {
      ParameterTile* const more = memory.take<ParameterTile>(tiles);
      if (!more) {
        step.members = before;
        return false;
      }
      step.tiles = more, room_for_tiles = tiles;
    }
    this->threads = threads;
    step.tile_count = 0;
    for (int i = 0; i < step.layer_count; i++) step.tile_count = tiles_of(i, step.tile_count, step.tiles);
    const long short_of = long(OPERATIONS_OF_A_UNIT * double(step.panels) / (step.operations + 1));
    step.panels_of_a_run = greatest(1, least(least(PANELS_OF_A_RUN, short_of), step.panels / step.members));
    step.run_count = pieces(step.panels, step.panels_of_a_run);
    looks = greatest(1, long(OPERATIONS_OF_A_LOOK * double(step.run_count + step.tile_count) / (step.operations + OPERATIONS_BESIDE)));
    return true;
  }

  long tiles_of(int number, long count, ParameterTile* out) const {
    const Layer<T>& layer = step.layers[number];
    long parts = 0;
    with_lanes<T>(layer.lanes, [&](auto lanes) { parts = pieces(layer.K + 1, TILE_ROWS<T, decltype(lanes)::value>); });
    const long group = step.members == 1 ? layer.blocks : layer.gradient_chunk;
    const double share = step.operations / 3 / (TILES_A_THREAD * step.members), wanted = share < OPERATIONS_OF_A_TILE ? OPERATIONS_OF_A_TILE : share;
    const double grain = step.members == 1 || wanted > OPERATIONS_OF_A_UNIT ? OPERATIONS_OF_A_UNIT : wanted;
    for (long b = 0; b < layer.blocks; b += group) {
      const long end = least(b + group, layer.blocks);
      const double work = 2.0 * step.M * layer.K * (end - b) * layer.lanes;
      const long cut = greatest(1, least(parts, long(work / grain + .5)));
      for (long q = 0; q < cut; q++, count++)
        if (out) out[count] = {number, parts * q / cut, parts * (q + 1) / cut, b, end};
    }
    return count;
  }

  // Undoes what chores before a step have moved.
  void forget(const Chore* list, long count) {
    for (const Chore* chore = list; chore < list + count; chore++)
      if (chore->task == ADVANCE) *chore->cursor -= chore->rows;
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
