// A step: its layers with their arrays, the rows that it gathers, what its units of work are.
#pragma once

#include "elementwise.hpp"
#include "layout.hpp"
#include "memory.hpp"

namespace fuseprop {

// Bytes of a chunk that is gone over many times: it stays in the second-level cache. 256 to 640 KiB make no difference.
constexpr long CHUNK = 384 << 10;
// How many pieces of so many numbers are a chunk.
template <class T> long chunk_of(long numbers) { return greatest(1, CHUNK / (numbers * long(sizeof(T)))); }

// Of a run, for each thread: with less, waking a thread costs more than it saves.
constexpr double OPERATIONS_A_THREAD = 1e7;
// Of a step, for each thread: with less, a thread whose core is taken in its midst costs more than two threads save.
constexpr double OPERATIONS_OF_A_SHARE = 2.5e6;
// Panels of a unit of rows, which a thread takes at a time.
constexpr long PANELS_OF_A_RUN = 4;

template <class T> struct Layer {
  LayerSpec spec;
  long K, N;
  int lanes;       // of a block of outputs
  long blocks;     // of outputs
  long size;       // of `weights`: blocks (K + 1) lanes
  // panels whose inputs, or deltas, are a chunk, and blocks whose turned deltas are
  long forward_chunk, back_chunk, gradient_chunk;
  T* weights;      // [block][K + 1][lanes]
  T* last_moments; // [moment][K + 1][lanes]: those of the last block where it is not full, else null
  T* sums;         // [panel][room(N)][row lanes]: z, where the slope is of it or it is kept, else null
  T* outputs;      // so too: f(z)
  T* dropped;      // so too: what dropout leaves of them; `outputs` where none is
  T* deltas;       // so too: dL/d outputs, then dL/dz
  T* turned;       // [block][panels row lanes][lanes]: dL/dz
  // where the caller's blocks (K + 1, N) are
  T* own_values;
  T* own_gradients;
  T* own_moments;
};

// A range of panels, which one thread takes from the gathered rows to all deltas.
struct Run {
  long begin, end;
};

// Parts [first, last) of the rows of blocks [begin, end): their gradient, and their update.
struct ParameterTile {
  int layer;
  long first, last, begin, end;
};

template <class T> struct Step {
  Memory memory;
  StepSpec spec;
  long M, panels;
  int lanes; // of a panel
  Layer<T>* layers;
  int layer_count;
  T* inputs;      // [panel][room(K)][lanes]
  T* targets;     // [panel][k][lanes], or null
  T* labels;      // [panel][lanes], as numbers, or null
  T* row_weights; // [panel][lanes], 0 beyond the last row
  T* row_losses;  // [panel][lanes]
  double operations;
  bool apart;   // whether the gradients of all are known, and lie where the caller's do, before the first update
  bool fetches; // whether arrays are so large that they are asked for before they are needed
  // units of work, and what they add up to
  int members; // threads that find work
  long panels_of_a_run, run_count;
  ParameterTile* tiles;
  long tile_count;
  T* squares; // of the gradients, for each NORM_ROWS rows of a layer's
  long square_count;
  T clip_scale;
  // this run
  bool stores_values, stores_moments, stores_gradients;

  Run run(long number) const { return {number * panels_of_a_run, least((number + 1) * panels_of_a_run, panels)}; }
  const T* rows_into(int layer) const { return layer ? layers[layer - 1].dropped : inputs; }
  Layer<T>& top() { return layers[layer_count - 1]; }
};

inline void copy_formula(Memory& memory, Formula& formula, size_t number) {
  formula.constants = memory.copy(static_cast<const char*>(formula.constants), formula.constant_count * number);
  formula.code = memory.copy(formula.code, formula.code_length);
}

// What is told of a layer; it has no arrays of its own yet.
template <class T> void describe_layer(Memory& memory, Layer<T>& layer, const StepSpec& spec, int number) {
  layer.spec = spec.layers[number];
  layer.K = layer.spec.inputs, layer.N = layer.spec.outputs;
  layer.lanes = lanes_for<T>(layer.N), layer.blocks = pieces(layer.N, layer.lanes);
  layer.size = layer.blocks * layer.lanes * (layer.K + 1);
  copy_formula(memory, layer.spec.value, sizeof(T));
  copy_formula(memory, layer.spec.slope, sizeof(T));
  const auto own = [&](void* flat) { return flat ? static_cast<T*>(flat) + layer.spec.offset : nullptr; };
  layer.own_values = own(spec.values), layer.own_gradients = own(spec.gradients), layer.own_moments = own(spec.moments);
}

// The feature that is always 1.
template <class T> void ones(T* panels, long count, int lanes, long features) {
  for (long p = 0; p < count; p++)
    for (int i = 0; i < lanes; i++) panels[(p * room(features) + features) * lanes + i] = T(1);
}

} // namespace fuseprop
