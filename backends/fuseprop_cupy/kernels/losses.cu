// Losses: each row's loss and the gradient of the weighted mean over rows, in one pass; one group a row.
// Outputs, targets and gradients (rows, columns); row_weights, losses and labels (rows,).
//
// A bias (columns,) that is yet to be added to the outputs, unless it is null, is added as they are read.
//
// With a cursor, losses (N,) are kept at its place in the epoch; with hits, these are too: 1 where a row is
// right, by its class where there are classes (rows,), else by the thresholds. Either may be null.
#include "formulas.cuh"
#include "groups.cuh"
#include "hits.cuh"
#include "scalars.cuh"

// losses = factor sum_j l and gradient = factor weight l', by the terms and slopes of the row's outputs and targets
template <typename T, typename Loss>
__global__ void __launch_bounds__(BLOCK)
loss_of_rows(const T* output, const T* bias /* or null */, const T* target, const T* row_weights, T factor,
             T* losses, T* gradient, const long long* classes /* or null */, T score_threshold,
             T target_threshold, T* hits /* or null */, const long long* cursor /* or null */, long long rows,
             long long columns, int lanes) {
  const long long start = cursor ? *cursor : 0;
  const Hits<T> asked{hits, classes, score_threshold, target_threshold};
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    const Scores<T> y{output + row * columns, bias};
    const T* t = target + row * columns;
    T* g = gradient + row * columns;
    if (hits) asked.keep(y, t, row, start + row, columns, lanes);
    const T weight = row_weights[row];  // read before the hits, it spills registers for sm_120
    T sum = 0;
    in_flight<LOADS<T>>(
        lane_of(lanes), columns, lanes, [&](long long j) { return Pair<T>{y[j], t[j]}; },
        [&](long long j, Pair<T> at) {
          const Pair<T> result = Loss::at(at.first, at.second);
          sum += result.first;
          g[j] = weight * (factor * result.second);
        });
    sum = group_sum(sum, lanes);
    if (lane_of(lanes) == 0) losses[start + row] = factor * sum;
  }
}

// max_j z_j over a row, known to every lane of its group
template <typename T> __device__ inline T row_largest(Scores<T> z, long long columns, int lanes) {
  T top = z[0];  // a lane may be without a column
  in_flight<LOADS<T>>(
      lane_of(lanes), columns, lanes, [=](long long j) { return z[j]; },
      [&](long long, T x) { top = larger(top, x); });
  return group_largest(top, lanes);
}

// sum_j e^(z_j - top), which cannot overflow
template <typename T>
__device__ inline T row_exponentials(Scores<T> z, T top, long long columns, int lanes) {
  T total = 0;
  in_flight<LOADS<T>>(
      lane_of(lanes), columns, lanes, [=](long long j) { return z[j]; },
      [&](long long, T x) { total += exp(x - top); });
  return group_sum(total, lanes);
}

// losses = log(sum_j e^z_j) - z_label, gradient = weight (softmax(z) - onehot(label)). Exponentials are computed
// twice: storing them costs a wait for memory, a second exp some instructions.
template <typename T>
__global__ void __launch_bounds__(BLOCK)
softmax_cross_entropy(const T* logits, const T* bias /* or null */, const long long* labels,
                      const T* row_weights, T* losses, T* gradient, T* hits /* or null */,
                      const long long* cursor /* or null */, long long rows, long long columns, int lanes) {
  const long long start = cursor ? *cursor : 0;
  const Hits<T> asked{hits, labels, {}, {}};
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    const Scores<T> z{logits + row * columns, bias};
    T* g = gradient + row * columns;
    const T weight = row_weights[row];
    const long long label = labels[row];
    if (hits) asked.keep(z, nullptr, row, start + row, columns, lanes);
    const T top = row_largest(z, columns, lanes);
    const T total = row_exponentials(z, top, columns, lanes);
    if (lane_of(lanes) == 0) losses[start + row] = log(total) - (z[label] - top);
    in_flight<LOADS<T>>(
        lane_of(lanes), columns, lanes, [=](long long j) { return z[j]; },
        [=](long long j, T x) { g[j] = weight * (exp(x - top) / total - T(j == label)); });
  }
}

// out = e^z / sum_j e^z_j by row; out may be logits
template <typename T>
__global__ void __launch_bounds__(BLOCK)
softmax(const T* logits, T* out, long long rows, long long columns, int lanes) {
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    const Scores<T> z{logits + row * columns, nullptr};
    T* p = out + row * columns;
    const T top = row_largest(z, columns, lanes);
    const T total = row_exponentials(z, top, columns, lanes);
    in_flight<LOADS<T>>(
        lane_of(lanes), columns, lanes, [=](long long j) { return z[j]; },
        [=](long long j, T x) { p[j] = exp(x - top) / total; });
  }
}
