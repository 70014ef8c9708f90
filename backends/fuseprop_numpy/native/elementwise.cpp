#include "elementwise.hpp"

#include "formulas.hpp"
#include "interpreter.hpp"

namespace fuseprop {
namespace {

template <class T> using Widest = Vec<T, WIDTH<T>>;

// Numbers as vectors, N of them.
template <class V, int N> struct Numbers {
  V all[N + 1]; // the last one is not used: there is no array of none

  FUSEPROP_INLINE explicit Numbers(const Element<V>* from) { put(from, std::make_integer_sequence<int, N>()); }
  template <int... I> FUSEPROP_INLINE void put([[maybe_unused]] const Element<V>* from, std::integer_sequence<int, I...>) {
    ((all[I] = broadcast<V>(from[I])), ...);
  }
};

template <class V, class Shape> FUSEPROP_INLINE auto constants(const Formula& formula) {
  return Numbers<V, Shape::CONSTANTS>((const Element<V>*)formula.constants);
}

template <class T> bool fills_vectors(long count) { return count % WIDTH<T> == 0; }

// Activations and slopes: whole vectors, and the numbers that are left within one of their own.

template <class T> using ValueRun = void (*)(const Formula&, T* values, long count);
template <class T> using SlopeRun = void (*)(const Formula&, T* gradient, const T* point, long count);

template <class T, class Shape> void value(const Formula& formula, T* values, long count) {
  using V = Widest<T>;
  const auto c = constants<V, Shape>(formula);
  for (long i = 0; i < count; i += WIDTH<T>) store(values + i, Shape::at(load<V>(values + i), c.all));
}

template <class T, class Shape> void slope(const Formula& formula, T* gradient, const T* point, long count) {
  using V = Widest<T>;
  const auto c = constants<V, Shape>(formula);
  for (long i = 0; i < count; i += WIDTH<T>)
    store(gradient + i, load<V>(gradient + i) * Shape::at(load<V>(point + i), c.all));
}

template <class T> void interpreted_value(const Formula& formula, T* values, long count) {
  Interpreter<T> interpreter(formula);
  for (long i = 0; i < count; i += TILE<T>) {
    interpreter.give(0, values + i);
    interpreter.run(count - i < TILE<T> ? count - i : TILE<T>);
  }
}

template <class T> void interpreted_slope(const Formula& formula, T* gradient, const T* point, long count) {
  Interpreter<T> interpreter(formula);
  for (long i = 0; i < count; i += TILE<T>) {
    interpreter.give(0, gradient + i);
    interpreter.give(1, const_cast<T*>(point + i)); // only read
    interpreter.run(count - i < TILE<T> ? count - i : TILE<T>);
  }
}

template <class T, class... Shapes> ValueRun<T> value_of(const Formula& formula, Table<Shapes...>) {
  static constexpr ValueRun<T> TABLE[] = {value<T, Shapes>...};
  return is_interpreted(formula) ? interpreted_value<T> : TABLE[formula.kernel];
}

template <class T, class... Shapes> SlopeRun<T> slope_of(const Formula& formula, Table<Shapes...>) {
  static constexpr SlopeRun<T> TABLE[] = {slope<T, Shapes>...};
  return is_interpreted(formula) ? interpreted_slope<T> : TABLE[formula.kernel];
}

// Losses

template <class T>
using LossRun = void (*)(const Formula&, T factor, const T* output, const T* target, const T* weights, long k,
                         long lanes, T* losses, T* gradient);

template <class V, class Shape, class T = Element<V>>
FUSEPROP_INLINE void loss_in(const Formula& formula, T factor, const T* output, const T* target, const T* weights,
                             long k, long lanes, T* losses, T* gradient) {
  const auto c = constants<V, Shape>(formula);
  for (long lane = 0; lane < lanes; lane += LENGTH<V>) {
    const V weight = broadcast<V>(factor) * load<V>(weights + lane);
    V sum{};
    for (long i = lane; i < k * lanes; i += lanes) {
      V term, slope;
      Shape::at(load<V>(output + i), load<V>(target + i), term, slope, c.all);
      sum += term;
      store(gradient + i, weight * slope);
    }
    store(losses + lane, broadcast<V>(factor) * sum);
  }
}

template <class T, class Shape>
void loss(const Formula& formula, T factor, const T* output, const T* target, const T* weights, long k, long lanes,
          T* losses, T* gradient) {
  if constexpr (WIDTH<T> > 8)
    if (!fills_vectors<T>(lanes))
      return loss_in<Vec<T, 8>, Shape>(formula, factor, output, target, weights, k, lanes, losses, gradient);
  loss_in<Widest<T>, Shape>(formula, factor, output, target, weights, k, lanes, losses, gradient);
}

template <class T>
void interpreted_loss(const Formula& formula, T factor, const T* output, const T* target, const T* weights, long k,
                      long lanes, T* losses, T* gradient) {
  using V = Vec<T, 8>;
  Interpreter<T> interpreter(formula);
  alignas(64) T terms[TILE<T>], slopes[TILE<T>], outputs[TILE<T>], targets[TILE<T>];
  interpreter.give(2, terms);
  interpreter.give(3, slopes);
  for (long lane = 0; lane < lanes; lane++) losses[lane] = 0;
  const long rows = TILE<T> / lanes;
  for (long first = 0; first < k; first += rows) {
    const long count = (k - first < rows ? k - first : rows) * lanes;
    T *y = const_cast<T*>(output + first * lanes), *t = const_cast<T*>(target + first * lanes); // only read
    long whole = count;
    if (!fills_vectors<T>(count)) {
      whole += 8;
      store(outputs + count, V{}), store(targets + count, V{});
      y = (T*)std::memcpy(outputs, y, count * sizeof(T));
      t = (T*)std::memcpy(targets, t, count * sizeof(T));
    }
    interpreter.give(0, y);
    interpreter.give(1, t);
    interpreter.run(whole);
    for (long i = 0; i < count; i += lanes)
      for (long lane = 0; lane < lanes; lane += 8) {
        const V weight = broadcast<V>(factor) * load<V>(weights + lane);
        store(losses + lane, load<V>(losses + lane) + load<V>(terms + i + lane));
        store(gradient + first * lanes + i + lane, weight * load<V>(slopes + i + lane));
      }
  }
  for (long lane = 0; lane < lanes; lane += 8)
    store(losses + lane, broadcast<V>(factor) * load<V>(losses + lane));
}

template <class T, class... Shapes> LossRun<T> loss_of(const Formula& formula, Table<Shapes...>) {
  static constexpr LossRun<T> TABLE[] = {loss<T, Shapes>...};
  return is_interpreted(formula) ? interpreted_loss<T> : TABLE[formula.kernel];
}

// Updates

template <class T> using UpdateRun = void (*)(const Formula&, const Tile<T>&, const T* settings, bool decays);

template <class V, class Shape, class T = Element<V>>
FUSEPROP_INLINE void update_in(const Formula& formula, const Tile<T>& tile, const T* settings, bool decays) {
  const auto c = constants<V, Shape>(formula);
  const Numbers<V, Shape::SETTINGS> s(settings);
  const V decay = broadcast<V>(settings[Shape::SETTINGS]);
  for (long row = 0; row < tile.rows; row++) {
    T* const values = tile.values + row * tile.values_stride;
    const T* const gradients = tile.gradients + row * tile.gradients_stride;
    T* const moments = tile.moments + row * tile.moments_stride;
    for (long i = 0; i < tile.columns; i += LENGTH<V>) {
      V w = load<V>(values + i), g = load<V>(gradients + i), m[Shape::MOMENTS + 1];
      if (decays) g = decay * w + g;
#pragma GCC unroll 8
      for (int j = 0; j < Shape::MOMENTS; j++) m[j] = load<V>(moments + j * tile.moment_distance + i);
      Shape::step(w, g, m, s.all, c.all);
      store(values + i, w);
#pragma GCC unroll 8
      for (int j = 0; j < Shape::MOMENTS; j++) store(moments + j * tile.moment_distance + i, m[j]);
    }
  }
}

template <class T, class Shape>
void update_by(const Formula& formula, const Tile<T>& tile, const T* settings, bool decays) {
  if constexpr (WIDTH<T> > 8)
    if (!fills_vectors<T>(tile.columns)) return update_in<Vec<T, 8>, Shape>(formula, tile, settings, decays);
  update_in<Widest<T>, Shape>(formula, tile, settings, decays);
}

// Copies `count` numbers, a multiple of 8.
template <class T> FUSEPROP_INLINE void copy_eights(T* to, const T* from, long count) {
  for (long i = 0; i < count; i += 8) store(to + i, load<Vec<T, 8>>(from + i));
}

// Given are w, g and the moments. Rows that lie one behind the other are taken where they are, others together in a
// room of their own.
template <class T>
void interpreted_update(const Formula& formula, const Tile<T>& tile, const T* settings, bool decays) {
  using V = Vec<T, 8>;
  struct Rows {
    T* first;
    long stride;
  } arrays[MOST_GIVEN];
  arrays[0] = {tile.values, tile.values_stride};
  arrays[1] = {const_cast<T*>(tile.gradients), tile.gradients_stride}; // only read
  const int given = formula.code[0];
  for (int j = 2; j < given; j++) arrays[j] = {tile.moments + (j - 2) * tile.moment_distance, tile.moments_stride};
  const V decay = broadcast<V>(settings[formula.code[1]]);
  Interpreter<T> interpreter(formula, settings);
  alignas(64) T room[MOST_GIVEN][TILE<T>];
  for (long column = 0; column < tile.columns; column += TILE<T>) {
    const long width = tile.columns - column < TILE<T> ? tile.columns - column : TILE<T>, most = TILE<T> / width;
    for (long first = 0; first < tile.rows; first += most) {
      const long rows = tile.rows - first < most ? tile.rows - first : most, count = rows * width;
      const long whole = fills_vectors<T>(count) ? count : count + 8;
      T* taken[MOST_GIVEN];
      for (int j = 0; j < given; j++) {
        const long stride = arrays[j].stride;
        T* const from = arrays[j].first + first * stride + column;
        const bool decays_here = decays && j == 1;
        taken[j] = stride == width && whole == count && !decays_here ? from : room[j];
        interpreter.give(j, taken[j]);
        if (taken[j] == from) continue;
        for (long i = 0; i < rows; i++) copy_eights(room[j] + i * width, from + i * stride, width);
        if (decays_here)
          for (long i = 0; i < count; i += 8)
            store(room[j] + i, decay * load<V>(taken[0] + i) + load<V>(room[j] + i));
        if (whole != count) store(room[j] + count, V{});
      }
      interpreter.run(whole);
      for (int j = 0; j < given; j++)
        if (taken[j] == room[j] && j != 1)
          for (long i = 0; i < rows; i++)
            copy_eights(arrays[j].first + (first + i) * arrays[j].stride + column, room[j] + i * width, width);
    }
  }
}

template <class T, class... Shapes> UpdateRun<T> update_of(const Formula& formula, Table<Shapes...>) {
  static constexpr UpdateRun<T> TABLE[] = {update_by<T, Shapes>...};
  return is_interpreted(formula) ? interpreted_update<T> : TABLE[formula.kernel];
}

} // namespace

template <class T> void activate(const Formula& formula, T* values, long count) {
  const ValueRun<T> run = value_of<T>(formula, Values());
  const long rest = count % WIDTH<T>, whole = count - rest;
  run(formula, values, whole);
  if (rest) {
    T room[WIDTH<T>] = {};
    std::memcpy(room, values + whole, rest * sizeof(T));
    run(formula, room, WIDTH<T>);
    std::memcpy(values + whole, room, rest * sizeof(T));
  }
}

template <class T> void through(const Formula& formula, T* gradient, const T* point, long count) {
  const SlopeRun<T> run = slope_of<T>(formula, Slopes());
  const long rest = count % WIDTH<T>, whole = count - rest;
  run(formula, gradient, point, whole);
  if (rest) {
    T room[WIDTH<T>] = {}, points[WIDTH<T>] = {};
    std::memcpy(room, gradient + whole, rest * sizeof(T));
    std::memcpy(points, point + whole, rest * sizeof(T));
    run(formula, room, points, WIDTH<T>);
    std::memcpy(gradient + whole, room, rest * sizeof(T));
  }
}

template <class T>
void loss_of_rows(const Formula& formula, T factor, const T* output, const T* target, const T* weights, long k,
                  long lanes, T* losses, T* gradient) {
  loss_of<T>(formula, Losses())(formula, factor, output, target, weights, k, lanes, losses, gradient);
}

template <class T>
void update(const Formula& formula, const Tile<T>& tile, const T* settings, long setting_count, long, bool decays) {
  update_of<T>(formula, Updates())(formula, tile, settings, decays && settings[setting_count] != 0);
}

#define FUSEPROP_OF(T)                                                                                             \
  template void activate<T>(const Formula&, T*, long);                                                             \
  template void through<T>(const Formula&, T*, const T*, long);                                                    \
  template void loss_of_rows<T>(const Formula&, T, const T*, const T*, const T*, long, long, T*, T*);              \
  template void update<T>(const Formula&, const Tile<T>&, const T*, long, long, bool);
FUSEPROP_OF(float)
FUSEPROP_OF(double)

} // namespace fuseprop

#define FUSEPROP_NAMED(name) " " #name
const char* fuseprop_kernels() { return FUSEPROP_KEYS "Operation" FUSEPROP_OPERATIONS(FUSEPROP_NAMED) "\n"; }
