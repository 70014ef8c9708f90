// Whether a row is right, known to every lane of its group, for the metrics and for losses that keep hits too.
#ifndef FUSEPROP_HITS_CUH
#define FUSEPROP_HITS_CUH

#include "groups.cuh"

// Whether score a of column i goes before score b of column j: the larger one, NaN above all as in NumPy,
// and the first among equals.
template <typename T> __device__ inline bool goes_before(T a, long long i, T b, long long j) {
  return a > b || (a != a && b == b) || (i < j && (a == b || a != a));
}

// A row of scores: what a product left, and a bias (columns,) that is yet to be added, unless it is null.
template <typename T> struct Scores {
  const T* z;
  const T* bias;

  __device__ T operator[](long long j) const { return bias ? z[j] + bias[j] : z[j]; }
};

// Whether the first largest of a row's scores z stands at label
template <typename T>
__device__ inline bool argmax_is(Scores<T> z, long long label, long long columns, int lanes) {
  const unsigned mask = group_mask(lanes);
  long long best = 0;  // a lane may be without a column
  T top = z[best];
#pragma unroll 1  // unrolled, it spills registers in double precision
  for (long long j = lane_of(lanes); j < columns; j += lanes)
    if (goes_before(z[j], j, top, best)) {
      top = z[j];
      best = j;
    }
  for (int offset = lanes / 2; offset; offset /= 2) {
    const T other = __shfl_xor_sync(mask, top, offset);
    const long long at = __shfl_xor_sync(mask, best, offset);
    if (goes_before(other, at, top, best)) {
      top = other;
      best = at;
    }
  }
  return best == label;
}

// Whether (score > score_threshold) == (target > target_threshold) all along a row
template <typename T>
__device__ inline bool same_sides(Scores<T> scores, const T* target, T score_threshold, T target_threshold,
                                  long long columns, int lanes) {
  int misses = 0;
#pragma unroll 1  // as above
  for (long long j = lane_of(lanes); j < columns; j += lanes)
    misses |= (scores[j] > score_threshold) != (target[j] > target_threshold);
  return group_sum(misses, lanes) == 0;
}

// Where hits go, and what they go by: classes (rows,), or where there are none, thresholds.
template <typename T> struct Hits {
  T* kept;  // (N,)
  const long long* classes;
  T score_threshold, target_threshold;

  // kept[place] = [row is right]
  __device__ void keep(Scores<T> scores, const T* target, long long row, long long place, long long columns,
                       int lanes) const {
    const bool right = classes
                           ? argmax_is(scores, classes[row], columns, lanes)
                           : same_sides(scores, target, score_threshold, target_threshold, columns, lanes);
    if (lane_of(lanes) == 0) kept[place] = T(right);
  }
};

#endif
