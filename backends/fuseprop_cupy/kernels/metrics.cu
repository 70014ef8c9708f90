// Hits: 1 where a row is right, else 0; out (rows,). One group a row.
#include "hits.cuh"

// out = [the first largest of scores stands at label]; scores (rows, columns), labels (rows,)
template <typename T>
__global__ void __launch_bounds__(BLOCK)
argmax_equals(const T* scores, const long long* labels, T* out, long long rows, long long columns,
              int lanes) {
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    const bool right = argmax_is<T>({scores + row * columns, nullptr}, labels[row], columns, lanes);
    if (lane_of(lanes) == 0) out[row] = T(right);
  }
}

// out = [(score > score_threshold) == (target > target_threshold) all along the row]
template <typename T>
__global__ void __launch_bounds__(BLOCK)
threshold_equals(const T* scores, const T* target, T score_threshold, T target_threshold, T* out,
                 long long rows, long long columns, int lanes) {
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    const long long i = row * columns;
    const bool right =
        same_sides<T>({scores + i, nullptr}, target + i, score_threshold, target_threshold, columns, lanes);
    if (lane_of(lanes) == 0) out[row] = T(right);
  }
}
