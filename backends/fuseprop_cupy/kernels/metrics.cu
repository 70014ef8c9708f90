// Hits: 1 where a row is right, else 0; out (rows,). One group a row.
#include "groups.cuh"

// Whether score a of column i goes before score b of column j: the larger one, NaN above all as in NumPy,
// and the first among equals.
template <typename T> __device__ inline bool goes_before(T a, long long i, T b, long long j) {
  return a > b || (a != a && b == b) || (i < j && (a == b || a != a));
}

// out = [the first largest of scores stands at label]; scores (rows, columns), labels (rows,)
template <typename T>
__global__ void __launch_bounds__(BLOCK)
argmax_equals(const T* scores, const long long* labels, T* out, long long rows, long long columns,
              int lanes) {
  const unsigned mask = group_mask(lanes);
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    const T* z = scores + row * columns;
    long long best = 0;  // a lane may be without a column
    T top = z[best];
#pragma unroll 1  // unrolled, it spills registers in double precision on sm_90
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
    if (lane_of(lanes) == 0) out[row] = T(best == labels[row]);
  }
}

// out = [(score > score_threshold) == (target > target_threshold) all along the row]
template <typename T>
__global__ void __launch_bounds__(BLOCK)
threshold_equals(const T* scores, const T* target, T score_threshold, T target_threshold, T* out,
                 long long rows, long long columns, int lanes) {
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    int misses = 0;
    for (long long j = lane_of(lanes); j < columns; j += lanes) {
      const long long i = row * columns + j;
      misses |= (scores[i] > score_threshold) != (target[i] > target_threshold);
    }
    misses = group_sum(misses, lanes);
    if (lane_of(lanes) == 0) out[row] = T(misses == 0);
  }
}
