// Forward and backward through an activation, fused with the bias. Nothing is __restrict__: z and out, or
// gradient and out, may be the same array.
#include "groups.cuh"
#include "scalars.cuh"

// out = f(z + bias); z and out (rows, columns), bias (columns,) or null
template <typename T, typename Activation>
__global__ void __launch_bounds__(BLOCK)
bias_activation(const T* z, const T* bias, T* out, long long rows, long long columns, int lanes) {
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes))
    for (long long j = lane_of(lanes); j < columns; j += lanes) {
      const long long i = row * columns + j;
      out[i] = Activation::value(bias ? z[i] + bias[j] : z[i]);
    }
}

// out = gradient * f'(output), and the column sums of out over slices of rows: sums (slices, columns).
// A block of 32 x (BLOCK / 32) threads walks down one slice of 32 columns; its rows are added in a fixed
// order, and so are the slices afterwards, by sum_columns.
template <typename T, typename Activation>
__global__ void __launch_bounds__(BLOCK)
activation_backward(const T* gradient, const T* output, T* out, T* sums, long long rows, long long columns,
                    long long slice) {
  __shared__ T partial[BLOCK / 32][32];
  const long long j = blockIdx.x * 32LL + threadIdx.x;
  const long long start = blockIdx.y * slice;
  const long long stop = min(start + slice, rows);
  T sum = 0;
  if (j < columns)
    for (long long row = start + threadIdx.y; row < stop; row += BLOCK / 32) {
      const long long i = row * columns + j;
      const T delta = gradient[i] * Activation::slope(output[i]);
      out[i] = delta;
      sum += delta;
    }
  partial[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && j < columns) {
    for (int k = 1; k < BLOCK / 32; ++k) sum += partial[k][threadIdx.x];
    sums[blockIdx.y * columns + j] = sum;
  }
}
