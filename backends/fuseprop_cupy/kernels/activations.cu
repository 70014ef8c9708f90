// Forward and backward through an activation, fused with the bias. Nothing is __restrict__: z and out, or
// gradient and out, may be the same array.
#include "formulas.cuh"
#include "groups.cuh"

// out = f(z + bias); z and out (rows, columns), bias (columns,). Where the slope of f is of the sum, kept = z + bias.
template <typename T, typename Activation>
__global__ void __launch_bounds__(BLOCK)
bias_activation(const T* z, const T* bias /* or null */, T* out, T* kept /* or null */, long long rows,
                long long columns, int lanes) {
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    const T* from = z + row * columns;
    T* to = out + row * columns;
    in_flight<LOADS<T>>(
        lane_of(lanes), columns, lanes, [=](long long j) { return bias ? from[j] + bias[j] : from[j]; },
        [=](long long j, T x) {
          if constexpr (Activation::KEEPS_SUM)
            if (kept) kept[row * columns + j] = x;
          to[j] = Activation::value(x);
        });
  }
}

// Column sums over slices of rows: sums (slices, columns), of what each(i, load(i)) returns for the elements i of a
// matrix (rows, columns). A block of 32 x ROWS threads walks down one slice of 32 columns; its rows are added in a
// fixed order, and so are the slices afterwards, by sum_columns.
template <typename T, typename Load, typename Each>
__device__ inline void add_up_slices(T* sums, long long rows, long long columns, long long slice, Load load,
                                     Each each) {
  __shared__ T partial[ROWS][32];
  const long long j = blockIdx.x * 32LL + threadIdx.x;
  const long long start = blockIdx.y * slice;
  const long long stop = min(start + slice, rows);
  T sum = 0;
  if (j < columns)
    in_flight<LOADS<T>>(
        start + threadIdx.y, stop, ROWS, [=](long long row) { return load(row * columns + j); },
        [&](long long row, auto loaded) { sum += each(row * columns + j, loaded); });
  partial[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && j < columns) {
    for (int k = 1; k < ROWS; ++k) sum += partial[k][threadIdx.x];
    sums[blockIdx.y * columns + j] = sum;
  }
}

// out = gradient * f', and the column sums of out; point is what f' is of, the output or the sum
template <typename T, typename Activation>
__global__ void __launch_bounds__(32 * ROWS)
activation_backward(const T* gradient, const T* point, T* out, T* sums, long long rows, long long columns,
                    long long slice) {
  add_up_slices(
      sums, rows, columns, slice, [=](long long i) { return Pair<T>{gradient[i], point[i]}; },
      [=](long long i, Pair<T> at) { return out[i] = at.first * Activation::slope(at.second); });
}

// The column sums alone: where f' = 1 and gradient and out are one
template <typename T>
__global__ void __launch_bounds__(32 * ROWS)
sum_slices(const T* gradient, T* sums, long long rows, long long columns, long long slice) {
  add_up_slices(
      sums, rows, columns, slice, [=](long long i) { return gradient[i]; }, [](long long, T x) { return x; });
}
