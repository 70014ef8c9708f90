// How arrays lie while steps are taken.
//
//   rows        panels of LANES examples, features along rows: [panel][feature][LANES]. Behind the last feature stands
//               one that is always 1: the bias is its weight.
//   weights     blocks of LANES outputs: [block][K + 1][LANES], row K is the bias.
//   deltas      as rows, and turned for the weight gradient: [block][example][LANES].
//
// So all three products take their operands as they lie: one is broadcast, number by number, the other is vectors.
// LANES is 8, 16 or 32: the least that holds all, or two vectors. More vectors side by side would be as well for the
// bits, which depend on no layout, but products of wide layers took 1.1 to 1.2 times as long (256 bits).
#pragma once

#include "vectors.hpp"

namespace fuseprop {

template <class T> constexpr int MOST_LANES = WIDTH<T> <= 4 ? 8 : 2 * WIDTH<T>;

template <class T> inline int lanes_for(long count) {
  return count <= 8 || MOST_LANES<T> == 8 ? 8 : count <= 16 || MOST_LANES<T> == 16 ? 16 : 32;
}

inline long pieces(long whole, long most) { return (whole + most - 1) / most; }

// Where part `part` of `parts` begins, which differ by 1 at most. One part is what small layers have: a division takes as
// long as their product.
inline long part_of(long whole, long part, long parts) { return parts == 1 ? whole * part : whole * part / parts; }

inline long least(long a, long b) { return a < b ? a : b; }
inline long greatest(long a, long b) { return a > b ? a : b; }

// Features of a panel: room for the one that is always 1, and for vectors that reach past the last feature.
inline long room(long features) { return pieces(features + 1, 32) * 32; }

// The vectors that go over `LANES` numbers: NV at a time of N numbers each, then the next `GROUP`.
template <class T, int LANES> struct Lanes {
  static constexpr int N = WIDTH<T> < LANES ? WIDTH<T> : LANES;
  static constexpr int NV = LANES / N < 2 ? 1 : 2;
  static constexpr int GROUP = N * NV;
  typedef Vec<T, N> V;
};
template <class T, int LANES> using Some = typename Lanes<T, LANES>::V;

// Calls f with LANES as a constant.
template <int L> struct LanesIs {
  static constexpr int value = L;
};
template <class T, class F> FUSEPROP_INLINE void with_lanes(int lanes, F f) {
  if constexpr (MOST_LANES<T> >= 32)
    if (lanes == 32) {
      f(LanesIs<32>());
      return;
    }
  if constexpr (MOST_LANES<T> >= 16)
    if (lanes == 16) {
      f(LanesIs<16>());
      return;
    }
  f(LanesIs<8>());
}

// The lanes [j & H] of a and b that a transposition by halves puts together.
template <class V, int H, int HIGH, size_t... I> FUSEPROP_INLINE V halves(V a, V b, std::index_sequence<I...>) {
  constexpr int N = LENGTH<V>;
#if defined(__clang__) || __GNUC__ >= 12
  return __builtin_shufflevector(a, b, (HIGH ? (int(I) & H ? int(I) + N : int(I) + H) : (int(I) & H ? int(I) - H + N : int(I)))...);
#else
  return __builtin_shuffle(a, b, Integers<V>{(HIGH ? (int(I) & H ? int(I) + N : int(I) + H) : (int(I) & H ? int(I) - H + N : int(I)))...});
#endif
}
template <class V, int H> FUSEPROP_INLINE void transpose_by(V* r) {
  constexpr int N = LENGTH<V>;
  constexpr auto ALL = std::make_index_sequence<N>();
#pragma GCC unroll 16
  for (int i = 0; i < N; i++)
    if (!(i & H)) {
      const V low = halves<V, H, 0>(r[i], r[i + H], ALL), high = halves<V, H, 1>(r[i], r[i + H], ALL);
      r[i] = low, r[i + H] = high;
    }
  if constexpr (H > 1) transpose_by<V, H / 2>(r);
}
// N vectors of N numbers, turned in place.
template <class V> FUSEPROP_INLINE void transpose(V* r) { transpose_by<V, LENGTH<V> / 2>(r); }

} // namespace fuseprop
