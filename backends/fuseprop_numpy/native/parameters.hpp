// What a step does with its parameters: their gradient, a tile at a time, and their update, at once or apart.
#pragma once

#include "products.hpp"
#include "step.hpp"

namespace fuseprop {

// Copies rows [r0, r1) of a block between the caller's (K + 1, N) and ours, whose rows are `lanes` wide.
template <class T> static void copy_rows(T* to, long to_stride, const T* from, long from_stride, long rows, long columns) {
  for (long i = 0; i < rows; i++) std::memcpy(to + i * to_stride, from + i * from_stride, columns * sizeof(T));
}

// Part `part` of `parts` of the caller's values, and the moments of blocks that are not full, as the steps take them.
template <class T> static void pack(Step<T>& step, long part, long parts) {
  for (int i = 0; i < step.layer_count; i++) {
    const Layer<T>& layer = step.layers[i];
    const long K1 = layer.K + 1, r0 = K1 * part / parts, rows = K1 * (part + 1) / parts - r0;
    const int NB = layer.lanes;
    for (long n = 0; n < layer.N; n += NB)
      copy_rows(layer.weights + n * K1 + r0 * NB, NB, layer.own_values + r0 * layer.N + n, layer.N, rows, least(NB, layer.N - n));
    if (layer.last_moments) {
      const long n = layer.N / NB * NB;
      for (long m = 0; m < step.spec.moment_count; m++)
        copy_rows(layer.last_moments + (m * K1 + r0) * NB, NB, layer.own_moments + m * step.spec.parameter_count + r0 * layer.N + n, layer.N, rows, layer.N - n);
    }
  }
}

// Back to the caller.
template <class T> static void unpack(Step<T>& step) {
  for (int i = 0; i < step.layer_count; i++) {
    const Layer<T>& layer = step.layers[i];
    const long K1 = layer.K + 1;
    const int NB = layer.lanes;
    for (long n = 0; n < layer.N; n += NB)
      copy_rows(layer.own_values + n, layer.N, layer.weights + n * K1, NB, K1, least(NB, layer.N - n));
    if (layer.last_moments) {
      const long n = layer.N / NB * NB;
      for (long m = 0; m < step.spec.moment_count; m++)
        copy_rows(layer.own_moments + m * step.spec.parameter_count + n, layer.N, layer.last_moments + m * K1 * NB, NB, K1, layer.N - n);
    }
  }
}

// Takes the step of the optimizer for rows [r0, r1) of a block, whose gradient is given with `lanes` columns a row, at
// some distance.
template <class T> static void learn(Step<T>& step, const Layer<T>& layer, long r0, long r1, long block, const T* gradients, long distance) {
  const StepSpec& spec = step.spec;
  const int NB = layer.lanes;
  const long K1 = layer.K + 1, n = block * NB, columns = least(NB, layer.N - n);
  const T* settings = static_cast<const T*>(spec.settings);
  const bool full = columns == NB;
  Tile<T> tile;
  tile.columns = NB;
  tile.values_stride = NB, tile.gradients_stride = distance;
  tile.moments_stride = full ? layer.N : NB;
  tile.moment_distance = full ? spec.parameter_count : K1 * NB;
  T* const moments = full ? layer.own_moments + n : layer.last_moments;
  auto rows = [&](long from, long to, bool decays) {
    if (from == to) return;
    tile.rows = to - from;
    tile.values = layer.weights + n * K1 + from * NB;
    tile.gradients = gradients + (from - r0) * distance;
    tile.moments = moments + from * tile.moments_stride;
    update<T>(spec.update, tile, settings, spec.setting_count, spec.moment_count, decays);
  };
  if (layer.spec.decays && settings[spec.setting_count] != 0) {
    rows(r0, least(r1, layer.K), true); // the bias does not decay
    rows(greatest(r0, least(r1, layer.K)), r1, false);
  } else
    rows(r0, r1, false);
  if (step.stores_gradients) copy_rows(layer.own_gradients + r0 * layer.N + n, layer.N, gradients, distance, r1 - r0, columns);
  if (step.stores_values) copy_rows(layer.own_values + r0 * layer.N + n, layer.N, layer.weights + n * K1 + r0 * NB, NB, r1 - r0, columns);
  if (step.stores_moments && !full)
    for (long m = 0; m < spec.moment_count; m++)
      copy_rows(layer.own_moments + m * spec.parameter_count + r0 * layer.N + n, layer.N, layer.last_moments + (m * K1 + r0) * NB, NB, r1 - r0, columns);
}

// Asks for the weights and first moments of rows [r0, r1) of a block, which are needed after their gradient.
template <class T> FUSEPROP_INLINE void fetch(const Layer<T>& layer, long r0, long r1, long block, const StepSpec& spec) {
  constexpr long LINE = 64 / sizeof(T);
  const int NB = layer.lanes;
  const T* weights = layer.weights + block * (layer.K + 1) * NB;
  for (long i = r0 * NB; i < r1 * NB; i += LINE) __builtin_prefetch(weights + i, 1);
  if ((block + 1) * NB <= layer.N)
    for (long m = 0; m < spec.moment_count; m++)
      for (long r = r0; r < r1; r++)
        for (long i = 0; i < NB; i += LINE) __builtin_prefetch(layer.own_moments + m * spec.parameter_count + r * layer.N + block * NB + i, 1);
}

template <class T, int LANES, int NB> static void take_gradient(Step<T>& step, const ParameterTile& tile) {
  const Layer<T>& layer = step.layers[tile.layer];
  const T* inputs = step.rows_into(tile.layer);
  const long K1 = layer.K + 1, features = room(layer.K), parts = pieces(K1, TILE_ROWS<T, NB>);
  const long all = step.panels * LANES, group = layer.gradient_chunk;
  // Parts that an interpreted update takes together.
  constexpr long PART = TILE_ROWS<T, NB> * NB, MOST = TILE<T> < 2 * PART ? 1 : TILE<T> / PART;
  const long together = is_interpreted(step.spec.update) ? MOST : 1;
  for (long g = tile.begin; g < tile.end; g += group)
    for (long q = tile.first; q < tile.last; q += together) {
      const long last = least(q + together, tile.last), r0 = part_of(K1, q, parts), r1 = part_of(K1, last, parts);
      for (long b = g; b < least(g + group, tile.end); b++) {
        if (step.fetches) fetch(layer, r0, r1, b, step.spec);
        alignas(64) T made[MOST * PART];
        const long columns = least(NB, layer.N - b * NB);
        for (long part = q; part < last; part++) {
          const long r = part_of(K1, part, parts), rows = part_of(K1, part + 1, parts) - r;
          product<T, NB, LANES, 1>(int(rows), {inputs + r * LANES, features * LANES, LANES}, step.M, layer.turned + b * all * NB, made + (r - r0) * NB, columns);
        }
        if (step.spec.kind == TRAINING && !step.apart)
          learn(step, layer, r0, r1, b, made, NB);
        else
          copy_rows(layer.own_gradients + r0 * layer.N + b * NB, layer.N, made, NB, r1 - r0, columns);
      }
    }
}

// A tile: its gradient, and at once its update, unless that has to wait for the gradients of all.
template <class T> static void take_tile(Step<T>& step, const ParameterTile& tile) {
  with_lanes<T>(step.lanes, [&](auto lanes) {
    with_lanes<T>(step.layers[tile.layer].lanes, [&](auto block) { take_gradient<T, decltype(lanes)::value, decltype(block)::value>(step, tile); });
  });
}

// Rows of a layer's gradients whose squares are added up together.
constexpr long NORM_ROWS = 64;

// Adds up squares in 32 sums one beside the other: the same bits however wide vectors are.
template <class T> struct Squares {
  static constexpr int SUMS = 32;
  T sums[SUMS] = {};
  // As many numbers as there are sums, or fewer.
  FUSEPROP_INLINE void add(const T* numbers, int count) {
    for (int j = 0; j < count; j++) sums[j] = sums[j] + numbers[j] * numbers[j];
  }
  T total() {
    for (int half = SUMS / 2; half; half /= 2)
      for (int j = 0; j < half; j++) sums[j] = sums[j] + sums[j + half];
    return sums[0];
  }
};
template <class T> static T sum_squares(const T* numbers, long count) {
  Squares<T> squares;
  constexpr int SUMS = Squares<T>::SUMS;
  long i = 0;
  for (; i + SUMS <= count; i += SUMS) squares.add(numbers + i, SUMS);
  squares.add(numbers + i, int(count - i));
  return squares.total();
}

// How many units a layer's gradients are for `take_squares`.
template <class T> static long square_units(const Layer<T>& layer) { return pieces(layer.K + 1, NORM_ROWS); }

template <class T> static void take_squares(Step<T>& step, long unit) {
  int i = 0;
  long at = unit;
  while (at >= square_units(step.layers[i])) at -= square_units(step.layers[i++]);
  const Layer<T>& layer = step.layers[i];
  const long r0 = at * NORM_ROWS, r1 = least(r0 + NORM_ROWS, layer.K + 1);
  Squares<T> squares;
  for (long r = r0; r < r1; r++)
    for (long n = 0; n < layer.N; n += Squares<T>::SUMS) squares.add(layer.own_gradients + r * layer.N + n, int(least(Squares<T>::SUMS, layer.N - n)));
  step.squares[unit] = squares.total();
}

// Tells the norm, and by what gradients are multiplied so that it is at most the limit.
template <class T> static void settle_norm(Step<T>& step) {
  T sum = 0;
  for (long i = 0; i < step.square_count; i++) sum = sum + step.squares[i];
  T norm = sizeof(T) == 4 ? __builtin_sqrtf(sum) : __builtin_sqrt(sum);
  const T limit = T(step.spec.limit);
  *static_cast<T*>(step.spec.norm) = norm;
  // Gradients whose norm is within the limit, or not finite, keep their bits.
  step.clip_scale = limit < norm && norm < T(__builtin_inf()) ? limit / norm : T(1);
}

// The update of a tile whose gradient is known.
template <class T> static void take_update(Step<T>& step, const ParameterTile& tile) {
  const Layer<T>& layer = step.layers[tile.layer];
  const int NB = layer.lanes;
  const long K1 = layer.K + 1;
  long parts = 0;
  with_lanes<T>(NB, [&](auto block) { parts = pieces(K1, TILE_ROWS<T, decltype(block)::value>); });
  const long r0 = part_of(K1, tile.first, parts), r1 = part_of(K1, tile.last, parts);
  for (long b = tile.begin; b < tile.end; b++) {
    T* const gradients = layer.own_gradients + b * NB;
    const long columns = least(NB, layer.N - b * NB);
    if (step.clip_scale != T(1))
      for (long r = r0; r < r1; r++)
        for (long i = 0; i < columns; i++) gradients[r * layer.N + i] = gradients[r * layer.N + i] * step.clip_scale;
    if (columns == NB) {
      learn(step, layer, r0, r1, b, gradients + r0 * layer.N, layer.N);
      continue;
    }
    // What is wider than the caller's rows has zeros there.
    alignas(64) T wide[NORM_ROWS * MOST_LANES<T>] = {};
    for (long r = r0; r < r1; r += NORM_ROWS) {
      const long end = least(r + NORM_ROWS, r1);
      copy_rows(wide, NB, gradients + r * layer.N, layer.N, end - r, columns);
      learn(step, layer, r, end, b, wide, NB);
    }
  }
}

} // namespace fuseprop
