// A layer forward for a few rows, with the weights where the caller has them: packing them would take as long as the
// product. The sums are those of `product`, number for number: weight times input, feature after feature, the bias last.
#pragma once

#include "products.hpp"
#include "step.hpp"

namespace fuseprop {

// So many rows are few.
constexpr long FEW = 8;

// They lie row after row, with a 1 behind the last feature as in panels, and room for vectors that reach further.
constexpr int FEW_VECTORS = 8;
template <class T> constexpr long few_stride(long features) { return pieces(features + 1, FEW_VECTORS * WIDTH<T>) * FEW_VECTORS * WIDTH<T>; }

// NV vectors of outputs of R rows x; the weights of features [0, near) lie `stride` apart, those behind them in `rest`,
// side by side.
template <class T, int R, int NV>
FUSEPROP_INLINE void few_outputs(const T* x, long x_stride, long K1, const T* weights, long stride, long near, const T* rest, T* y, long y_stride) {
  constexpr int N = WIDTH<T>;
  using V = Vec<T, N>;
  V sums[R][NV];
#pragma GCC unroll 4
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) sums[r][v] = V{};
  for (long k = 0; k < K1; k++) {
    const T* w = k < near ? weights + k * stride : rest + (k - near) * NV * N;
#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
      const V input = broadcast<V>(x[r * x_stride + k]);
#pragma GCC unroll 8
      for (int v = 0; v < NV; v++) sums[r][v] = fma<V>(load<V>(w + v * N), input, sums[r][v]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; r++)
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) store<V>(y + r * y_stride + v * N, sums[r][v]);
}

// All outputs of R rows, up to NV vectors at a time. The last ones reach past the last output: into the next row of
// weights, but not past the last row, of which the end is copied.
template <class T, int R, int NV> static void few_rows(const Layer<T>& layer, const T* x, T* y, long n = 0) {
  constexpr long W = NV * WIDTH<T>;
  const long K1 = layer.K + 1, N = layer.N, x_stride = few_stride<T>(layer.K), y_stride = few_stride<T>(N);
  for (; n < N; n += W) {
    if constexpr (NV > 1)
      if (N - n <= W / 2) return few_rows<T, R, NV / 2>(layer, x, y, n);
    const T* weights = layer.own_values + n;
    const long end = K1 * N - n - W; // the last place where vectors may begin
    const long near = end < 0 ? 0 : least(K1, end / N + 1);
    alignas(64) T rest[W * W];
    for (long k = near; k < K1; k++) std::memcpy(rest + (k - near) * W, weights + k * N, least(W, N - n) * sizeof(T));
    few_outputs<T, R, NV>(x, x_stride, K1, weights, N, near, rest, y + n, y_stride);
  }
}

// The outputs y of a layer for rows x, in place of `forward`.
template <class T> static void forward_few(const Layer<T>& layer, long rows, const T* x, T* y) {
  const long x_stride = few_stride<T>(layer.K), y_stride = few_stride<T>(layer.N);
  long r = 0;
  for (; r + 4 <= rows; r += 4) few_rows<T, 4, 2>(layer, x + r * x_stride, y + r * y_stride);
  for (; r < rows; r++) few_rows<T, 1, FEW_VECTORS>(layer, x + r * x_stride, y + r * y_stride);
  if (!layer.spec.is_identity) activate<T>(layer.spec.value, y, rows * y_stride);
  for (r = 0; r < rows; r++) y[r * y_stride + layer.N] = T(1);
}

} // namespace fuseprop
