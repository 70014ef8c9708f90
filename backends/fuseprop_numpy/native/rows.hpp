// What a step does with its rows: it gathers them, takes them through all layers, tells losses and hits, and brings the
// deltas back. Each panel of rows goes its own way, so that any number of threads may share them.
#pragma once

#include "dropout.hpp"
#include "functions.hpp"
#include "products.hpp"
#include "step.hpp"

namespace fuseprop {

// Which row of the source comes i-th.
struct RowNumbers {
  const int64_t* at;
  explicit RowNumbers(const Gather& gather) : at(gather.order ? gather.order + *gather.cursor : nullptr) {}
  long operator[](long i) const { return at ? at[i] : i; }
};

// Panels [begin, end) of M rows, one row's `width` numbers along the features.
template <class T, int LANES>
static void gather_rows(const Gather& gather, long M, long begin, long end, long features, T* panels) {
  using V = Some<T, LANES>;
  constexpr int N = LENGTH<V>;
  const T* source = static_cast<const T*>(gather.source);
  const long width = gather.width;
  const RowNumbers numbers(gather);
  for (long p = begin; p < end; p++) {
    T* panel = panels + p * features * LANES;
    const long rows = least(LANES, M - p * LANES);
    for (long first = 0; first < rows; first += N) {
      if (first + N <= rows && width >= N) {
        const T* from[N];
        for (int i = 0; i < N; i++) from[i] = source + numbers[p * LANES + first + i] * width;
        for (long k = 0; k < width; k += N) {
          if (k + N > width) k = width - N; // the last block reaches back
          V block[N];
#pragma GCC unroll 16
          for (int i = 0; i < N; i++) block[i] = load<V>(from[i] + k);
          transpose(block);
#pragma GCC unroll 16
          for (int i = 0; i < N; i++) store<V>(panel + (k + i) * LANES + first, block[i]);
        }
      } else
        for (long i = first; i < least(first + N, rows); i++) {
          const T* from = source + numbers[p * LANES + i] * width;
          for (long k = 0; k < width; k++) panel[k * LANES + i] = from[k];
        }
    }
  }
}

// One number a row.
template <class T, class S> static void gather_numbers(const Gather& gather, long M, long begin, long end, T* out) {
  const S* source = static_cast<const S*>(gather.source);
  const RowNumbers numbers(gather);
  for (long i = begin; i < least(end, M); i++) out[i] = static_cast<T>(source[numbers[i]]);
}

// What the outputs are compared with.
template <class T, int LANES> static void gather_answers(Step<T>& step, long begin, long end) {
  const StepSpec& spec = step.spec;
  if (step.targets) gather_rows<T, LANES>(spec.target, step.M, begin, end, step.top().N, step.targets);
  if (step.labels) gather_numbers<T, int64_t>(spec.labels, step.M, begin * LANES, end * LANES, step.labels);
  if (spec.row_weights.source) gather_numbers<T, T>(spec.row_weights, step.M, begin * LANES, end * LANES, step.row_weights);
}

template <class T, int LANES, int NB> static void forward(Step<T>& step, int number, long begin, long end) {
  const Layer<T>& layer = step.layers[number];
  const long K1 = layer.K + 1, in = room(layer.K) * LANES, out = room(layer.N) * LANES;
  const T* inputs = step.rows_into(number);
  T* made = layer.sums ? layer.sums : layer.outputs;
  const long chunk = layer.forward_chunk;
  const bool late = is_interpreted(layer.spec.value); // a tile would be short
  for (long first = begin; first < end; first += chunk) {
    for (long n = 0; n < layer.N; n += NB) {
      const long outputs = least(NB, layer.N - n), parts = pieces(outputs, TILE_ROWS<T, LANES>);
      for (long s = 0; s < parts; s++) {
        const long r0 = part_of(outputs, s, parts), r1 = part_of(outputs, s + 1, parts), count = (r1 - r0) * LANES;
        const T* weights = layer.weights + n * K1 + r0;
        for (long p = first; p < least(first + chunk, end); p++) {
          const long at = p * out + (n + r0) * LANES;
          if (step.fetches)
            for (long i = 0; i < count; i += 64 / sizeof(T)) __builtin_prefetch(made + at + i, 1);
          product<T, LANES, 1, NB>(int(r1 - r0), {weights, 0, K1}, K1, inputs + p * in, made + at, least(LANES, step.M - p * LANES));
          if (layer.sums) std::memcpy(layer.outputs + at, layer.sums + at, count * sizeof(T));
          if (!layer.spec.is_identity && !late) activate<T>(layer.spec.value, layer.outputs + at, count);
        }
      }
    }
    if (!layer.spec.is_identity && late)
      for (long p = first; p < least(first + chunk, end); p++)
        activate<T>(layer.spec.value, layer.outputs + p * out, layer.N * LANES);
  }
  if (layer.spec.drops)
    for (long p = begin; p < end; p++)
      drop<T, LANES>(Mask(layer.spec, *step.spec.dropout_step), p * LANES, layer.N, layer.outputs + p * out, layer.dropped + p * out);
}

// Deltas of the layer below from those of this one.
template <class T, int LANES, int NB> static void back(Step<T>& step, int number, long begin, long end) {
  const Layer<T>&layer = step.layers[number], &below = step.layers[number - 1];
  const long K1 = layer.K + 1, in = room(layer.N) * LANES, out = room(layer.K) * LANES;
  const long chunk = layer.back_chunk, parts = pieces(layer.K, TILE_ROWS<T, LANES>);
  const T* point = below.spec.slope_of_sum ? below.sums : below.outputs;
  const bool late = below.spec.drops || is_interpreted(below.spec.slope);
  for (long first = begin; first < end; first += chunk) {
    for (long s = 0; s < parts; s++) {
      const long r0 = part_of(layer.K, s, parts), r1 = part_of(layer.K, s + 1, parts), count = (r1 - r0) * LANES;
      for (long p = first; p < least(first + chunk, end); p++) {
        const long at = p * out + r0 * LANES;
        if (step.fetches)
          for (long i = 0; i < count; i += 64 / sizeof(T)) __builtin_prefetch(point + at + i), __builtin_prefetch(below.deltas + at + i, 1);
        product<T, LANES, NB, 1>(int(r1 - r0), {layer.weights + r0 * NB, K1 * NB, NB}, layer.N, layer.deltas + p * in, below.deltas + at, least(LANES, step.M - p * LANES));
        if (!below.spec.is_identity && !late) through<T>(below.spec.slope, below.deltas + at, point + at, count);
      }
    }
    if (late)
      for (long p = first; p < least(first + chunk, end); p++) {
        T* deltas = below.deltas + p * out;
        if (below.spec.drops) drop<T, LANES>(Mask(below.spec, *step.spec.dropout_step), p * LANES, layer.K, deltas, deltas);
        if (!below.spec.is_identity) through<T>(below.spec.slope, deltas, point + p * out, layer.K * LANES);
      }
  }
}

template <class T, int LANES, int NB> static void turn(Step<T>& step, int number, long begin, long end) {
  using V = Vec<T, WIDTH<T> < (LANES < NB ? LANES : NB) ? WIDTH<T> : (LANES < NB ? LANES : NB)>;
  constexpr int N = LENGTH<V>;
  const Layer<T>& layer = step.layers[number];
  const long all = step.panels * LANES, size = room(layer.N) * LANES;
  for (long p = begin; p < end; p++)
    for (long f = 0; f < layer.N; f += N)
      for (long i = 0; i < least(LANES, step.M - p * LANES); i += N) {
        V block[N];
        const T* from = layer.deltas + p * size + f * LANES + i;
#pragma GCC unroll 16
        for (int r = 0; r < N; r++) block[r] = load<V>(from + r * LANES);
        transpose(block);
        T* to = layer.turned + (f / NB * all + p * LANES + i) * NB + f % NB;
#pragma GCC unroll 16
        for (int r = 0; r < N; r++) store<V>(to + r * NB, block[r]);
      }
}

template <class T, int LANES> FUSEPROP_INLINE Some<T, LANES> largest(const T* logits, long k) {
  using V = Some<T, LANES>;
  V top = load<V>(logits);
  for (long j = 1; j < k; j++) top = maximum<V>(top, load<V>(logits + j * LANES));
  return top;
}

// log(sum_j e^z_j) - z_label, and weight (softmax(z) - onehot(label)): shifted by the largest logit, nothing overflows.
template <class T, int LANES>
static void softmax_cross_entropy(const T* logits, const T* labels, const T* weights, long k, T* losses, T* gradient) {
  using V = Some<T, LANES>;
  for (int i = 0; i < LANES; i += LENGTH<V>) {
    const V label = load<V>(labels + i), weight = load<V>(weights + i), top = largest<T, LANES>(logits + i, k);
    V sum = V{}, picked = V{};
    for (long j = 0; j < k; j++) {
      const V shifted = load<V>(logits + j * LANES + i) - top, e = exp<V>(shifted);
      picked = choose<V>(label == broadcast<V>(T(j)), shifted, picked);
      sum = sum + e;
      store<V>(gradient + j * LANES + i, e);
    }
    store<V>(losses + i, log<V>(sum) - picked);
    const V share = weight / sum;
    for (long j = 0; j < k; j++) {
      T* const at = gradient + j * LANES + i;
      const V hot = choose<V>(label == broadcast<V>(T(j)), weight, V{});
      store<V>(at, load<V>(at) * share - hot);
    }
  }
}

// e^z_j / sum_j e^z_j.
template <class T, int LANES> static void softmax(const T* logits, long k, T* out) {
  using V = Some<T, LANES>;
  for (int i = 0; i < LANES; i += LENGTH<V>) {
    const V top = largest<T, LANES>(logits + i, k);
    V sum = V{};
    for (long j = 0; j < k; j++) {
      const V e = exp<V>(load<V>(logits + j * LANES + i) - top);
      sum = sum + e;
      store<V>(out + j * LANES + i, e);
    }
    for (long j = 0; j < k; j++) store<V>(out + j * LANES + i, load<V>(out + j * LANES + i) / sum);
  }
}

// 1 where the first largest score stands at the label; NaN is larger than all.
template <class T, int LANES> static void argmax_equals(const T* scores, const T* labels, long k, T* hits) {
  using V = Some<T, LANES>;
  for (int i = 0; i < LANES; i += LENGTH<V>) {
    V best = load<V>(scores + i), place = V{};
    for (long j = 1; j < k; j++) {
      const V score = load<V>(scores + j * LANES + i);
      const auto better = (score > best) | ((score != score) & (best == best));
      best = choose<V>(better, score, best);
      place = choose<V>(better, broadcast<V>(T(j)), place);
    }
    store<V>(hits + i, choose<V>(place == load<V>(labels + i), broadcast<V>(T(1)), V{}));
  }
}

// 1 where each score is on the same side of its threshold as the target is of its own.
template <class T, int LANES>
static void threshold_equals(const T* scores, const T* targets, long k, T of_scores, T of_targets, T* hits) {
  using V = Some<T, LANES>;
  for (int i = 0; i < LANES; i += LENGTH<V>) {
    Integers<V> equal = V{} == V{};
    for (long j = 0; j < k; j++) {
      const auto score = load<V>(scores + j * LANES + i) > broadcast<V>(of_scores);
      const auto target = load<V>(targets + j * LANES + i) > broadcast<V>(of_targets);
      equal = equal & (score == target);
    }
    store<V>(hits + i, choose<V>(equal, broadcast<V>(T(1)), V{}));
  }
}

// A panel as the caller's rows.
template <class T, int LANES> static void to_rows(const T* panel, long rows, long features, T* to) {
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < features; j++) to[i * features + j] = panel[j * LANES + i];
}

// What the caller asked to see of panels of a layer.
template <class T, int LANES> static void keep(const Step<T>& step, const T* panels, long features, long begin, long end, void* kept) {
  if (!kept) return;
  for (long p = begin; p < end; p++)
    to_rows<T, LANES>(panels + p * room(features) * LANES, least(LANES, step.M - p * LANES), features, static_cast<T*>(kept) + p * LANES * features);
}

// Losses and hits of panels, the last outputs, and of what goes back the last deltas.
template <class T, int LANES> static void tell(Step<T>& step, long begin, long end) {
  const StepSpec& spec = step.spec;
  Layer<T>& top = step.top();
  const long k = top.N, size = room(k) * LANES;
  for (long p = begin; p < end; p++) {
    const T* outputs = top.outputs + p * size;
    const T* targets = step.targets ? step.targets + p * k * LANES : nullptr;
    const T* labels = step.labels ? step.labels + p * LANES : nullptr;
    const T* weights = step.row_weights + p * LANES;
    T *losses = step.row_losses + p * LANES, *deltas = top.deltas + p * size;
    const long rows = least(LANES, step.M - p * LANES);
    if (spec.losses) {
      if (spec.loss_kind == SOFTMAX_CROSS_ENTROPY)
        softmax_cross_entropy<T, LANES>(outputs, labels, weights, k, losses, deltas);
      else
        loss_of_rows<T>(spec.loss, T(spec.factor), outputs, targets, weights, k, LANES, losses, deltas);
      std::memcpy(static_cast<T*>(spec.losses) + p * LANES, losses, rows * sizeof(T));
    }
    if (spec.kind != FORWARD && !top.spec.is_identity)
      through<T>(top.spec.slope, deltas, top.spec.slope_of_sum ? top.sums + p * size : outputs, k * LANES);
    if (spec.hit_kind != NO_HITS) {
      T hits[LANES];
      if (spec.hit_kind == ARGMAX_EQUALS)
        argmax_equals<T, LANES>(outputs, labels, k, hits);
      else
        threshold_equals<T, LANES>(outputs, targets, k, T(spec.score_threshold), T(spec.target_threshold), hits);
      std::memcpy(static_cast<T*>(spec.hits) + p * LANES, hits, rows * sizeof(T));
    }
    if (spec.outputs) {
      const T* told = outputs;
      if (spec.link_kind == SOFTMAX)
        softmax<T, LANES>(outputs, k, deltas), told = deltas;
      else if (spec.link_kind == FORMULA) {
        std::memcpy(deltas, outputs, k * LANES * sizeof(T));
        activate<T>(spec.link, deltas, k * LANES), told = deltas;
      }
      to_rows<T, LANES>(told, rows, k, static_cast<T*>(spec.outputs) + p * LANES * k);
    }
  }
}

// Panels of rows to the last outputs, and what is told of them.
template <class T, int LANES> static void go_forward(Step<T>& step, long begin, long end) {
  gather_rows<T, LANES>(step.spec.x, step.M, begin, end, room(step.layers[0].K), step.inputs);
  gather_answers<T, LANES>(step, begin, end);
  for (int i = 0; i < step.layer_count; i++)
    with_lanes<T>(step.layers[i].lanes, [&](auto block) { forward<T, LANES, decltype(block)::value>(step, i, begin, end); });
  tell<T, LANES>(step, begin, end);
}

template <class T> static void take_run(Step<T>& step, const Run& run) {
  with_lanes<T>(step.lanes, [&](auto lanes) {
    constexpr int LANES = decltype(lanes)::value;
    go_forward<T, LANES>(step, run.begin, run.end);
    for (int i = step.layer_count - 1; i >= 0; i--)
      with_lanes<T>(step.layers[i].lanes, [&](auto block) {
        constexpr int NB = decltype(block)::value;
        turn<T, LANES, NB>(step, i, run.begin, run.end);
        if (i) back<T, LANES, NB>(step, i, run.begin, run.end);
      });
    for (int i = 0; i < step.layer_count; i++) {
      const Layer<T>& layer = step.layers[i];
      keep<T, LANES>(step, layer.sums, layer.N, run.begin, run.end, layer.spec.kept_sums);
      keep<T, LANES>(step, layer.outputs, layer.N, run.begin, run.end, layer.spec.kept_outputs);
      keep<T, LANES>(step, layer.deltas, layer.N, run.begin, run.end, layer.spec.kept_deltas);
    }
  });
}

} // namespace fuseprop
