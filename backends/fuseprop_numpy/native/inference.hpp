// Forward passes of any number of rows: what a network answers to them, their losses and hits.
//
// Rows are taken a unit at a time, in a room that a unit has to itself; there is one for each thread. What becomes of a
// row does not depend on the rows beside it, so all numbers are the same however rows are divided.
#pragma once

#include <new>

#include "few.hpp"
#include "parameters.hpp"
#include "rows.hpp"
#include "schedule.hpp"

namespace fuseprop {

// The arrays of a call; null where the network was not told of their kind.
struct Given {
  long rows;
  bool renewed; // whether the weights may be others than in the call before
  const void *x, *target;
  const int64_t* labels;
  void *outputs, *losses, *hits;
};

template <class T> class Inference {
public:
  explicit Inference(const StepSpec& spec) {
    shared.spec = spec;
    copy_formula(memory, shared.spec.loss, sizeof(T));
    copy_formula(memory, shared.spec.link, sizeof(T));
    shared.layer_count = int(spec.layer_count);
    shared.layers = memory.take<Layer<T>>(spec.layer_count);
    rooms = memory.take<Room*>(MOST_ROOMS);
    for (int i = 0; i < shared.layer_count && !memory.failed; i++) {
      describe_layer(memory, shared.layers[i], spec, i);
      shared.operations += 2.0 * double(shared.layers[i].K) * double(shared.layers[i].N);
    }
    failed = memory.failed || !furnish(1);
  }
  Inference(const Inference&) = delete;
  ~Inference() {
    for (int i = 0; i < room_count; i++) rooms[i]->~Room(), std::free(rooms[i]);
  }

  bool failed;

  // Of a row.
  double operations() const { return shared.operations; }
  long bytes() const {
    long all = long(sizeof(Inference) + memory.bytes());
    for (int i = 0; i < room_count; i++) all += long(sizeof(Room) + rooms[i]->memory.bytes());
    return all;
  }

  // Returns whether there was memory enough.
  bool run(const Given& call) {
    if (call.rows <= 0) return true; // its arrays may be null
    given = call;
    if (given.renewed) is_packed = false;
    if (given.rows <= FEW) {
      const Flushing flushing;
      take_few(*rooms[0]);
      return true;
    }
    const double threads = shared.operations * double(given.rows) / OPERATIONS_A_THREAD;
    members = int(greatest(1, least(least(thread_limit(), MOST_ROOMS), least(long(threads), pieces(given.rows, MOST_LANES<T>)))));
    unit_rows = least(UNIT, pieces(pieces(given.rows, members), MOST_LANES<T>) * MOST_LANES<T>);
    if (!furnish(members) || !make_room_for_weights()) return false;
    first = !is_packed;
    is_packed = true;
    schedule.begin(*this, 1 + first);
    schedule.finish(members);
    return true;
  }

  // Phases: the weights are packed, where they may be others; then come the rows.
  long units(long phase) const { return phase == first ? pieces(given.rows, unit_rows) : members; }
  void unit(long phase, long number) {
    if (phase < first) {
      pack(shared, number, members);
      return;
    }
    int i = 0;
    while (rooms[i]->taken.test_and_set(std::memory_order_acquire)) i = i + 1 == members ? 0 : i + 1;
    take_rows(*rooms[i], number * unit_rows, least(unit_rows, given.rows - number * unit_rows));
    rooms[i]->taken.clear(std::memory_order_release);
  }
  void after(long) {}

private:
  // What one thread computes with.
  struct Room {
    Memory memory;
    Step<T> step{};
    T* few[2]{}; // what goes into layers where rows are few, and what comes out, in turns
    std::atomic_flag taken = ATOMIC_FLAG_INIT;
  };
  static constexpr long UNIT = PANELS_OF_A_RUN * MOST_LANES<T>;
  static constexpr int MOST_ROOMS = 1024;

  Memory memory;
  Step<T> shared{}; // the layers, and their weights once they are packed
  bool is_packed = false;
  Room** rooms;
  int room_count = 0;
  Schedule<Inference> schedule{};
  // this call
  Given given;
  int members;
  long unit_rows, first;

  bool make_room_for_weights() {
    for (int i = 0; i < shared.layer_count; i++) {
      Layer<T>& layer = shared.layers[i];
      if (!layer.weights) layer.weights = memory.template take<T>(layer.size);
      if (!layer.weights) return false;
    }
    return true;
  }

  bool furnish(int count) {
    for (; room_count < count; room_count++) {
      void* place = std::aligned_alloc(64, (sizeof(Room) + 63) / 64 * 64);
      if (!place) return false;
      Room* made = rooms[room_count] = ::new (place) Room;
      if (!furnish(*made)) {
        made->~Room(), std::free(place);
        return false;
      }
    }
    return true;
  }

  // All arrays of a room, for UNIT rows.
  bool furnish(Room& made) const {
    Memory& own = made.memory;
    Step<T>& step = made.step;
    step.spec = shared.spec, step.layer_count = shared.layer_count;
    step.layers = own.template copy<Layer<T>>(shared.layers, shared.layer_count);
    if (own.failed) return false;
    long widest = few_stride<T>(step.layers[0].K);
    for (int i = 0; i < step.layer_count; i++) {
      Layer<T>& layer = step.layers[i];
      layer.outputs = layer.dropped = own.template take<T>(room(layer.N) * UNIT);
      widest = greatest(widest, few_stride<T>(layer.N));
    }
    const StepSpec& spec = step.spec;
    Layer<T>& top = step.top();
    if (spec.losses || spec.link_kind != NO_LINK) top.deltas = own.template take<T>(room(top.N) * UNIT);
    step.inputs = own.template take<T>(room(step.layers[0].K) * UNIT);
    if (spec.target.source) step.targets = own.template take<T>(top.N * UNIT);
    if (spec.labels.source) step.labels = own.template take<T>(UNIT);
    step.row_weights = own.template take<T>(UNIT), step.row_losses = own.template take<T>(UNIT);
    for (T*& few : made.few) few = own.template take<T>(FEW * widest);
    return !own.failed;
  }

  // Points a room to rows of the call.
  void take_place(Step<T>& step, long begin, long rows) const {
    StepSpec& spec = step.spec;
    const long k = step.top().N;
    step.M = rows;
    const int lanes = lanes_for<T>(rows);
    step.panels = pieces(rows, lanes);
    if (step.lanes != lanes) {
      step.lanes = lanes;
      ones(step.inputs, UNIT / lanes, lanes, step.layers[0].K);
      for (int i = 0; i < step.layer_count; i++) {
        ones(step.layers[i].outputs, UNIT / lanes, lanes, step.layers[i].N);
        step.layers[i].forward_chunk = chunk_of<T>((step.layers[i].K + 1) * lanes);
      }
    }
    spec.x.source = static_cast<const T*>(given.x) + begin * spec.x.width;
    if (spec.target.source) spec.target.source = static_cast<const T*>(given.target) + begin * k;
    if (spec.labels.source) spec.labels.source = given.labels + begin;
    if (spec.outputs) spec.outputs = static_cast<T*>(given.outputs) + begin * k;
    if (spec.losses) spec.losses = static_cast<T*>(given.losses) + begin;
    if (spec.hits) spec.hits = static_cast<T*>(given.hits) + begin;
  }

  void take_rows(Room& own, long begin, long rows) const {
    Step<T>& step = own.step;
    take_place(step, begin, rows);
    for (int i = 0; i < step.layer_count; i++) step.layers[i].weights = shared.layers[i].weights;
    with_lanes<T>(step.lanes, [&](auto lanes) { go_forward<T, decltype(lanes)::value>(step, 0, step.panels); });
  }

  // Few rows: the last outputs alone come to a panel.
  void take_few(Room& own) const {
    Step<T>& step = own.step;
    take_place(step, 0, given.rows);
    T *in = own.few[0], *out = own.few[1];
    const long K = step.layers[0].K, k = step.top().N;
    for (long i = 0; i < given.rows; i++) {
      std::memcpy(in + i * few_stride<T>(K), static_cast<const T*>(given.x) + i * K, K * sizeof(T));
      in[i * few_stride<T>(K) + K] = T(1);
    }
    for (int i = 0; i < step.layer_count; i++) {
      forward_few(step.layers[i], given.rows, in, out);
      std::swap(in, out);
    }
    T* panel = step.top().outputs;
    for (long i = 0; i < given.rows; i++)
      for (long j = 0; j < k; j++) panel[j * FEW + i] = in[i * few_stride<T>(k) + j];
    gather_answers<T, FEW>(step, 0, 1);
    tell<T, FEW>(step, 0, 1);
  }
};

} // namespace fuseprop
