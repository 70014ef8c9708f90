// Sums over whole arrays and down columns; the order of additions depends on the shapes alone.
#include "groups.cuh"

// partial[block] = sum of the squares that the block strides over; array (size,)
template <typename T>
__global__ void __launch_bounds__(BLOCK)
sum_squares(const T* array, T* partial, long long size) {
  T sum = 0;
  in_flight<LOADS<T>>(
      first_item(), size, item_stride(), [=](long long i) { return array[i]; },
      [&](long long, T x) { sum += x * x; });
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// out = sum of partial (count,), by one block
template <typename T>
__global__ void __launch_bounds__(BLOCK) sum_partials(const T* partial, T* out, long long count) {
  const T sum = sum_of_blocks(partial, count);
  if (threadIdx.x == 0) *out = sum;
}

// out = a b for a row a (size,) and a column b (size,), by one block
template <typename T>
__global__ void __launch_bounds__(BLOCK) inner_product(const T* a, const T* b, T* out, long long size) {
  T sum = 0;
  for (long long i = threadIdx.x; i < size; i += BLOCK) sum += a[i] * b[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *out = sum;
}

// out_j = sum_i array_ij; array (rows, columns), one thread a column
template <typename T>
__global__ void __launch_bounds__(BLOCK)
sum_columns(const T* array, T* out, long long rows, long long columns) {
  for (long long j = first_item(); j < columns; j += item_stride()) {
    T sum = 0;
    for (long long row = 0; row < rows; ++row) sum += array[row * columns + j];
    out[j] = sum;
  }
}
