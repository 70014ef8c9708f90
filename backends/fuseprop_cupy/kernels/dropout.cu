// Masks that nobody stores: whether an element is dropped is a hash of the layer's seed, the step and its number.
#include "groups.cuh"

// A hash of 32 bits, without a pattern between neighbours.
__device__ inline unsigned mix(unsigned x, unsigned key = 0) {
  x ^= x >> 16;
  x = x * 0x7feb352du + key;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  return x ^ x >> 16;
}

// out = scale values where the hash of the element is at least the threshold, else 0; out may be values.
// seed and threshold are below 2^32; values and out (size,)
template <typename T>
__global__ void __launch_bounds__(BLOCK)
dropout(const T* values, const long long* step, T* out, T scale, long long seed, long long threshold,
        long long size) {
  const unsigned a = mix(unsigned(seed) ^ mix(unsigned(*step)));
  const unsigned b = mix(a ^ unsigned(seed));
  in_flight<LOADS<T>>(
      first_item(), size, item_stride(), [=](long long i) { return values[i]; },
      [=](long long i, T x) {
        out[i] = mix(unsigned(i) ^ a, b) < unsigned(threshold) ? T(0) : scale * x;
      });
}
