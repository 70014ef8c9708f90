// Vectors of one source for 512, 256 and 128 bits: the vector extensions of GCC and Clang.
//
// Equal bits on every machine rest on these rules: each operation is written out, and the compiler joins none
// (-ffp-contract=off); only `fma` fuses; a comparison and a choice instead of min and max, whose results for NaN
// and for zeros of two signs differ between processors; rounding by adding 1.5 2^23 (2^52); powers of two by
// integer arithmetic; no estimates of reciprocals; nothing of the C library.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define FUSEPROP_INLINE inline __attribute__((always_inline))

#ifndef FUSEPROP_BITS // a test builds for wider vectors than the machine has
#if defined(__AVX512F__)
#define FUSEPROP_BITS 512
#elif defined(__AVX2__)
#define FUSEPROP_BITS 256
#else
#define FUSEPROP_BITS 128
#endif
#endif

namespace fuseprop {

// How many numbers the widest vector holds.
template <class T> constexpr int WIDTH = FUSEPROP_BITS / 8 / sizeof(T);

// The integers as wide as a T.
template <class T> using Whole = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

template <class T, int N> struct VectorOf {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
};
template <class T, int N> using Vec = typename VectorOf<T, N>::type;

// Of a vector type: its element, its length, and the integer vector that its comparisons give.
template <class V> using Element = std::remove_cv_t<std::remove_reference_t<decltype(std::declval<V&>()[0])>>;
template <class V> constexpr int LENGTH = sizeof(V) / sizeof(Element<V>);
template <class V> using Integers = Vec<Whole<Element<V>>, LENGTH<V>>;

template <class V> FUSEPROP_INLINE V load(const Element<V>* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <class V> FUSEPROP_INLINE void store(Element<V>* to, V v) { std::memcpy(to, &v, sizeof v); }

// x - 0 is x for every x; x + 0 would make 0 of -0.
template <class V> FUSEPROP_INLINE V broadcast(Element<V> x) { return x - V{}; }

template <class V> FUSEPROP_INLINE Integers<V> bits(V v) { return (Integers<V>)v; }
template <class V> FUSEPROP_INLINE V from_bits(Integers<V> v) { return (V)v; }

// a b + c, rounded once.
template <class V> FUSEPROP_INLINE V fma(V a, V b, V c) {
  using T = Element<V>;
  constexpr int BYTES = sizeof(V);
  constexpr bool SINGLE = sizeof(T) == 4;
#if defined(__AVX512F__)
  if constexpr (BYTES == 64 && SINGLE) return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
  if constexpr (BYTES == 64 && !SINGLE) return (V)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#endif
#if defined(__FMA__)
  if constexpr (BYTES == 32 && SINGLE) return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
  if constexpr (BYTES == 32 && !SINGLE) return (V)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
  if constexpr (BYTES == 16 && SINGLE) return (V)_mm_fmadd_ps((__m128)a, (__m128)b, (__m128)c);
  if constexpr (BYTES == 16 && !SINGLE) return (V)_mm_fmadd_pd((__m128d)a, (__m128d)b, (__m128d)c);
#elif defined(__aarch64__)
  if constexpr (BYTES == 16 && SINGLE) return (V)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
  if constexpr (BYTES == 16 && !SINGLE) return (V)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#endif
  if constexpr (BYTES > 16) { // wider than the machine: two halves
    using Half = Vec<T, LENGTH<V> / 2>;
    Half x[2], y[2], z[2];
    std::memcpy(x, &a, BYTES), std::memcpy(y, &b, BYTES), std::memcpy(z, &c, BYTES);
    const Half made[2] = {fma<Half>(x[0], y[0], z[0]), fma<Half>(x[1], y[1], z[1])};
    V r;
    std::memcpy(&r, made, BYTES);
    return r;
  } else {
    V r;
    for (int i = 0; i < LENGTH<V>; i++) r[i] = SINGLE ? __builtin_fmaf(a[i], b[i], c[i]) : __builtin_fma(a[i], b[i], c[i]);
    return r;
  }
}

// c - a b, rounded once: changing a sign is exact.
template <class V> FUSEPROP_INLINE V fnma(V a, V b, V c) { return fma<V>(-a, b, c); }

// a where the comparison held, else b.
template <class V> FUSEPROP_INLINE V choose(Integers<V> held, V a, V b) { return held ? a : b; }

// 1 where the comparison held, else 0.
template <class V> FUSEPROP_INLINE V truth(Integers<V> held) { return choose<V>(held, broadcast<V>(1), V{}); }

} // namespace fuseprop
