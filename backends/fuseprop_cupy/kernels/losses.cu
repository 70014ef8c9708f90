// Losses: each row's loss and the gradient of the weighted mean over rows, in one pass; one group a row.
// Outputs, targets and gradients (rows, columns); row_weights, losses and labels (rows,). Loops that divide or
// exponentiate in double precision spill registers when unrolled (seen on sm_80 and sm_120).
//
// With a cursor, losses (N,) are kept at its place in the epoch; with hits, these are too: 1 where a row is
// right, by its class where there are classes (rows,), else by the thresholds. Either may be null.
#include "groups.cuh"
#include "hits.cuh"
#include "scalars.cuh"

// max_j z_j over a row, known to every lane of its group
template <typename T> __device__ inline T row_largest(const T* z, long long columns, int lanes) {
  T top = z[0];  // a lane may be without a column
  for (long long j = lane_of(lanes); j < columns; j += lanes) top = larger(top, z[j]);
  return group_largest(top, lanes);
}

// out_j = e^(z_j - top), which cannot overflow; returns their sum. A lane reads and writes only its own
// columns, so out may be z.
template <typename T>
__device__ inline T row_exponentials(const T* z, T top, T* out, long long columns, int lanes) {
  T total = 0;
#pragma unroll 1
  for (long long j = lane_of(lanes); j < columns; j += lanes) {
    const T e = exp(z[j] - top);
    out[j] = e;
    total += e;
  }
  return group_sum(total, lanes);
}

// losses = factor sum_j (y - t)^2, gradient = 2 factor weight (y - t)
template <typename T>
__global__ void __launch_bounds__(BLOCK)
squared_error(const T* output, const T* target, const T* row_weights, T factor, T* losses, T* gradient,
              const long long* classes, T score_threshold, T target_threshold, T* hits,
              const long long* cursor, long long rows, long long columns, int lanes) {
  const long long start = cursor ? *cursor : 0;
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    keep_hit(output, target, classes, score_threshold, target_threshold, hits, row, start, columns, lanes);
    const T weight = row_weights[row];
    T sum = 0;
    for (long long j = lane_of(lanes); j < columns; j += lanes) {
      const long long i = row * columns + j;
      const T error = output[i] - target[i];
      gradient[i] = T(2) * factor * error * weight;
      sum += error * error;
    }
    sum = group_sum(sum, lanes);
    if (lane_of(lanes) == 0) losses[start + row] = factor * sum;
  }
}

// losses = factor sum_j |y - t|, gradient = factor weight sign(y - t); NaN has no sign but NaN
template <typename T>
__global__ void __launch_bounds__(BLOCK)
absolute_error(const T* output, const T* target, const T* row_weights, T factor, T* losses, T* gradient,
               const long long* classes, T score_threshold, T target_threshold, T* hits,
               const long long* cursor, long long rows, long long columns, int lanes) {
  const long long start = cursor ? *cursor : 0;
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    keep_hit(output, target, classes, score_threshold, target_threshold, hits, row, start, columns, lanes);
    const T weight = row_weights[row];
    T sum = 0;
    for (long long j = lane_of(lanes); j < columns; j += lanes) {
      const long long i = row * columns + j;
      const T error = output[i] - target[i];
      gradient[i] = factor * sign(error) * weight;
      sum += fabs(error);
    }
    sum = group_sum(sum, lanes);
    if (lane_of(lanes) == 0) losses[start + row] = factor * sum;
  }
}

// losses = sum_j log(1 + e^z) - t z, gradient = weight (sigmoid(z) - t)
template <typename T>
__global__ void __launch_bounds__(BLOCK)
sigmoid_cross_entropy(const T* logits, const T* target, const T* row_weights, T* losses, T* gradient,
                      const long long* classes, T score_threshold, T target_threshold, T* hits,
                      const long long* cursor, long long rows, long long columns, int lanes) {
  const long long start = cursor ? *cursor : 0;
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    keep_hit(logits, target, classes, score_threshold, target_threshold, hits, row, start, columns, lanes);
    const T weight = row_weights[row];
    T sum = 0;
    for (long long j = lane_of(lanes); j < columns; j += lanes) {
      const long long i = row * columns + j;
      gradient[i] = weight * (sigmoid(logits[i]) - target[i]);
      sum += logistic_loss(logits[i], target[i]);
    }
    sum = group_sum(sum, lanes);
    if (lane_of(lanes) == 0) losses[start + row] = sum;
  }
}

// losses = sum_j t log(t / y) - t + y with y = e^z, gradient = weight (y - t)
template <typename T>
__global__ void __launch_bounds__(BLOCK)
half_poisson_deviance(const T* logits, const T* target, const T* row_weights, T* losses, T* gradient,
                      const long long* classes, T score_threshold, T target_threshold, T* hits,
                      const long long* cursor, long long rows, long long columns, int lanes) {
  const long long start = cursor ? *cursor : 0;
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    keep_hit(logits, target, classes, score_threshold, target_threshold, hits, row, start, columns, lanes);
    const T weight = row_weights[row];
    T sum = 0;
#pragma unroll 1
    for (long long j = lane_of(lanes); j < columns; j += lanes) {
      const long long i = row * columns + j;
      const T mean = exp(logits[i]);
      gradient[i] = weight * (mean - target[i]);
      sum += poisson_loss(logits[i], target[i], mean);
    }
    sum = group_sum(sum, lanes);
    if (lane_of(lanes) == 0) losses[start + row] = sum;
  }
}

// out = e^z; out may be logits. (size,)
template <typename T>
__global__ void __launch_bounds__(BLOCK) exponential(const T* logits, T* out, long long size) {
#pragma unroll 1
  for (long long i = first_item(); i < size; i += item_stride()) out[i] = exp(logits[i]);
}

// losses = log(sum_j e^z_j) - z_label, gradient = weight (softmax(z) - onehot(label))
template <typename T>
__global__ void __launch_bounds__(BLOCK)
softmax_cross_entropy(const T* logits, const long long* labels, const T* row_weights, T* losses,
                      T* gradient, T* hits, const long long* cursor, long long rows, long long columns,
                      int lanes) {
  const long long start = cursor ? *cursor : 0;
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    const T* z = logits + row * columns;
    T* g = gradient + row * columns;
    const T weight = row_weights[row];
    const long long label = labels[row];
    keep_hit<T>(logits, nullptr, labels, {}, {}, hits, row, start, columns, lanes);
    const T top = row_largest(z, columns, lanes);
    const T total = row_exponentials(z, top, g, columns, lanes);
#pragma unroll 1
    for (long long j = lane_of(lanes); j < columns; j += lanes)
      g[j] = weight * (g[j] / total - T(j == label));
    if (lane_of(lanes) == 0) losses[start + row] = log(total) - (z[label] - top);
  }
}

// out = e^z / sum_j e^z_j by row; out may be logits
template <typename T>
__global__ void __launch_bounds__(BLOCK)
softmax(const T* logits, T* out, long long rows, long long columns, int lanes) {
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    const T* z = logits + row * columns;
    T* p = out + row * columns;
    const T total = row_exponentials(z, row_largest(z, columns, lanes), p, columns, lanes);
#pragma unroll 1
    for (long long j = lane_of(lanes); j < columns; j += lanes) p[j] /= total;
  }
}
