// The product of numbers that are broadcast with vectors, which all products of a step are.
//
// C[i][:] = sum over j of a(i, j) B[j][:], each sum from j = 0 on, by one chain of fused multiply-adds: no sum is
// divided, so that its bits depend on nothing but its terms.
#pragma once

#include "layout.hpp"

namespace fuseprop {

// Rows of C that one pass holds in registers: 28 of 32 accumulators with 512 bits, 12 of 16 with 256, 24 of 32 on Arm,
// where both compilers spill with more.
template <int NV> constexpr int MOST_ROWS =
#if FUSEPROP_BITS == 512
    14;
#elif defined(__aarch64__)
    12;
#else
    NV == 1 ? 12 : 6;
#endif

template <class T, int LANES> constexpr int TILE_ROWS = MOST_ROWS<Lanes<T, LANES>::NV>;

// Where a(i, j) lies: A[(j / length) jump + i ROW + (j % length) NEXT].
template <class T> struct Broadcast {
  const T* at;
  long jump, length;
};

template <class T, int MR, int LANES, int ROW, int NEXT>
FUSEPROP_INLINE void pass(Broadcast<T> a, long total, const T* b, T* c) {
  using L = Lanes<T, LANES>;
  using V = typename L::V;
  constexpr int NV = L::NV, N = L::N;
  constexpr int AHEAD = 64 / sizeof(T);
  V sums[MR][NV];
#pragma GCC unroll 16
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 2
    for (int v = 0; v < NV; v++) sums[i][v] = V{};
  const T* start = a.at;
  for (long done = 0; done < total; done += a.length, start += a.jump) {
    const T* from = start;
    const long end = a.length < total - done ? a.length : total - done;
    // Prefetching saves 2 to 13% where operands come from afar: the rows of the next block, one an iteration, or what
    // is 24 iterations ahead.
    const T* next = start + a.jump;
    for (long j = 0; j < end; j++, from += NEXT, b += LANES) {
      if constexpr (NEXT == 1)
        __builtin_prefetch(next + j * AHEAD);
      else {
        __builtin_prefetch(from + 24 * NEXT);
        if constexpr (MR > 5) __builtin_prefetch(from + 24 * NEXT + MR - 1);
      }
      V x[NV];
#pragma GCC unroll 2
      for (int v = 0; v < NV; v++) x[v] = load<V>(b + v * N);
#pragma GCC unroll 16
      for (int i = 0; i < MR; i++) {
        const V w = broadcast<V>(from[i * ROW]);
#pragma GCC unroll 2
        for (int v = 0; v < NV; v++) sums[i][v] = fma<V>(w, x[v], sums[i][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 2
    for (int v = 0; v < NV; v++) store<V>(c + i * LANES + v * N, sums[i][v]);
}

// C (rows, lanes), row-major with LANES a row; `lanes` are those that are needed, all or fewer; rows at most
// TILE_ROWS.
template <class T, int LANES, int ROW, int NEXT>
static void product(int rows, Broadcast<T> a, long total, const T* b, T* c, long lanes) {
  for (long g = 0; g < lanes; g += Lanes<T, LANES>::GROUP) switch (rows) {
#define FUSEPROP_CASE(n)                                                                              \
  case n:                                                                                             \
    if constexpr (n <= TILE_ROWS<T, LANES>) pass<T, n, LANES, ROW, NEXT>(a, total, b + g, c + g); \
    break;
      FUSEPROP_CASE(1)
      FUSEPROP_CASE(2)
      FUSEPROP_CASE(3)
      FUSEPROP_CASE(4)
      FUSEPROP_CASE(5)
      FUSEPROP_CASE(6)
      FUSEPROP_CASE(7)
      FUSEPROP_CASE(8)
      FUSEPROP_CASE(9)
      FUSEPROP_CASE(10)
      FUSEPROP_CASE(11)
      FUSEPROP_CASE(12)
      FUSEPROP_CASE(13)
      FUSEPROP_CASE(14)
#undef FUSEPROP_CASE
    }
}

} // namespace fuseprop
