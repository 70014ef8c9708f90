// Dropout: whether an element is kept is told by a hash of the seed, the step and the element's number, in whole
// numbers modulo 2^32, as on every backend; see Backend.dropout.
#pragma once

#include "step.hpp"

namespace fuseprop {

FUSEPROP_INLINE uint32_t mix(uint32_t x, uint32_t key = 0) {
  x ^= x >> 16;
  x = x * 0x7feb352du + key;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ (x >> 16);
}

// The mask of a layer in a step.
struct Mask {
  uint32_t a, b, threshold;
  double scale;
  Mask(const LayerSpec& layer, int64_t step) {
    a = mix(layer.seed ^ mix(uint32_t(step)));
    b = mix(a ^ layer.seed);
    threshold = uint32_t(layer.rate * 4294967296.0);
    scale = 1 / (1 - layer.rate);
  }
};

// out = values / (1 - rate) where kept, else 0: a panel whose first row is number `row`, of `features` each.
template <class T, int LANES>
static void drop(const Mask& mask, long row, long features, const T* values, T* out) {
  const T scale = T(mask.scale);
  for (long f = 0; f < features; f++)
    for (int i = 0; i < LANES; i++) {
      const uint32_t number = uint32_t(row + i) * uint32_t(features) + uint32_t(f);
      const bool kept = mix(number ^ mask.a, mask.b) >= mask.threshold;
      const T value = values[f * LANES + i] * scale;
      out[f * LANES + i] = kept ? value : T(0);
    }
}

} // namespace fuseprop
