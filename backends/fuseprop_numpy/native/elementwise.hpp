// What is done to numbers one by one: activations, slopes, losses of rows and updates, by the formulas of
// fuseprop.formulas (formulas.hpp, generated) or by the interpreter (interpreter.hpp) for any other.
//
// Tiles are short and lie in the nearest cache; what calls these decides their sizes. Every count, and every
// `lanes` and `columns`, is a multiple of 8.
#pragma once

#include "interface.hpp"

namespace fuseprop {

// The most numbers that the interpreter takes at a time. A call for fewer costs as much to begin.
template <class T> constexpr long TILE = 2048 / sizeof(T);
inline bool is_interpreted(const Formula& formula) { return formula.kernel < 0; }

// z -> f(z), in place.
template <class T> void activate(const Formula& formula, T* values, long count);

// gradient -> gradient f'(point), in place; `point` holds outputs, or weighted sums where the slope is of those.
template <class T> void through(const Formula& formula, T* gradient, const T* point, long count);

// losses[i] = factor sum_j l(y_ji, t_ji), gradient_ji = factor weights[i] dl/dy: arrays (k, lanes), weights and
// losses (lanes,).
template <class T>
void loss_of_rows(const Formula& formula, T factor, const T* output, const T* target, const T* weights, long k,
                  long lanes, T* losses, T* gradient);

// Some parameters and what the optimizer keeps for them: rows of `columns` numbers, at distances of their own.
template <class T> struct Tile {
  long rows, columns;
  T* values;
  long values_stride;
  const T* gradients;
  long gradients_stride;
  T* moments; // of the first moment; those of the others are `moment_distance` further each
  long moments_stride, moment_distance;
};

// One step of an optimizer, in place; `settings` end with the weight decay c. Where `decays` holds, g + c w stands
// for g.
template <class T> void update(const Formula& formula, const Tile<T>& tile, const T* settings, long setting_count, long moment_count, bool decays);

} // namespace fuseprop
