// Functions of numbers one by one, for any vector of float or double: exp, expm1, log, log1p, tanh, sqrt, abs, sign,
// maximum, minimum.
//
// They use the operations of vectors.hpp alone and take no branches: the bits are the same on every machine, and a
// number's result depends on no other lane. NaN in is NaN out, and zeros keep their sign where the function does.
// A float is computed in floats. Largest errors found, in units of the last place of a result that is no denormal;
// float: all numbers (tests/long/functions.py), double: 17 million that were drawn, beside long doubles:
//
//             exp   expm1  log   log1p  tanh  sqrt  sigmoid by exp(-|z|)
//     float   0.92  1.59   0.93  1.27   2.00  0.5   2.41
//     double  0.86  1.58   0.88  0.89   1.84  0.5   2.32
//
// Where denormals are flushed, one that goes in counts as 0, and one that would come out is 0.
//
// The polynomials are minimax: found by Remez's algorithm in 60 digits, then each coefficient rounded by itself.
// sin and cos are in trigonometry.hpp.
#pragma once

#include "vectors.hpp"

namespace fuseprop {

// Bits as numbers without a sign: shifted to the right, what comes in is 0, which AVX2 can do at 64 bits too.
template <class V> using Unsigned = Vec<std::make_unsigned_t<Whole<Element<V>>>, LENGTH<V>>;

template <class T> struct Constants;

template <> struct Constants<float> {
  static constexpr int MANTISSA = 23;                // bits of it
  static constexpr int BIAS = 127;                   // of exponents
  static constexpr uint32_t THREE_QUARTERS = 0x3f400000; // bits of 0.75
  static constexpr float SHIFTER = 0x1.8p23f;        // added to a small number, leaves a whole one in the last bits
  static constexpr float SMALLEST_NORMAL = 0x1p-126f;
  static constexpr float SMALLEST_EXP = -104, LARGEST_EXP = 89; // exp is 0 from here down, infinite from here up
  static constexpr float SMALLEST_EXPM1 = -20;                  // expm1 is -1 from here down
  static constexpr float LARGEST_TANH = 10;                     // tanh is 1 from here up
  static constexpr float LOG2_E = 0x1.715476p0f;
  static constexpr float LN2 = 0x1.62e43p-1f, LN2_REST = -0x1.05c61p-29f;
  // (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2; exp(r) - 1 is off by less than 1.4e-8 of it.
  static constexpr float EXP[] = {4.9999997e-01f, 1.6666543e-01f, 4.16672e-02f, 8.366527e-03f, 1.3882526e-03f};
  // (log(1 + f) - f) / f^2 for -0.25 <= f <= 0.5; log(1 + f) is off by less than 4.8e-9 of it.
  static constexpr float LOG[] = {-5e-01f,         3.3333454e-01f,  -2.5000054e-01f, 1.9990605e-01f, -1.664776e-01f,
                                  1.448207e-01f,   -1.3162318e-01f, 1.0448466e-01f,  -4.491019e-02f};
};

template <> struct Constants<double> {
  static constexpr int MANTISSA = 52;
  static constexpr int BIAS = 1023;
  static constexpr uint64_t THREE_QUARTERS = 0x3fe8000000000000;
  static constexpr double SHIFTER = 0x1.8p52;
  static constexpr double SMALLEST_NORMAL = 0x1p-1022;
  static constexpr double SMALLEST_EXP = -746, LARGEST_EXP = 710;
  static constexpr double SMALLEST_EXPM1 = -40;
  static constexpr double LARGEST_TANH = 20;
  static constexpr double LOG2_E = 0x1.71547652b82fep0;
  static constexpr double LN2 = 0x1.62e42fefa39efp-1, LN2_REST = 0x1.abc9e3b39803fp-56;
  // As above; off by less than 2.7e-19.
  static constexpr double EXP[] = {
    0.5, 0.16666666666666677, 0.04166666666666651, 0.008333333333321681,
    0.0013888888888962379, 0.0001984126988599371, 2.480158717254984e-05, 2.7557244343304234e-06,
    2.755740260767496e-07, 2.510899057794175e-08, 2.0875349233258336e-09
  };
  // As above; off by less than 8.4e-18.
  static constexpr double LOG[] = {
    -0.4999999999999997, 0.3333333333333395, -0.25000000000019584, 0.1999999999981586,
    -0.16666666662758192, 0.14285714301421068, -0.1250000034949503, 0.11111110794826676,
    -0.09999983768180397, 0.09090889769527896, -0.08333731972625384, 0.07693478425194614,
    -0.07138419860945135, 0.06642297380442601, -0.06249186341331075, 0.06087253985157077,
    -0.05977285957075997, 0.05074402364482588, -0.02935341826329104, 0.008056419077307421
  };
};

template <class V> using ConstantsOf = Constants<Element<V>>;
template <class V> constexpr Element<V> INFINITY_OF = sizeof(Element<V>) == 4 ? __builtin_inff() : __builtin_inf();
template <class V> constexpr Element<V> NAN_OF = sizeof(Element<V>) == 4 ? __builtin_nanf("") : __builtin_nan("");

// The polynomial with these coefficients, that of x^0 first, from the one at FROM on.
template <int FROM = 0, class V, int COUNT>
FUSEPROP_INLINE V polynomial(const Element<V> (&coefficients)[COUNT], V x) {
  const V first = broadcast<V>(coefficients[FROM]);
  if constexpr (FROM == COUNT - 1) return first;
  else return fma<V>(polynomial<FROM + 1, V, COUNT>(coefficients, x), x, first);
}

template <class V> FUSEPROP_INLINE Unsigned<V> unsigned_bits(V x) { return (Unsigned<V>)x; }

template <class V> FUSEPROP_INLINE V abs(V x) { return (V)(unsigned_bits<V>(x) << 1 >> 1); }

// x with the sign of `of`; x is positive, or has that sign already.
template <class V> FUSEPROP_INLINE V with_sign_of(V of, V x) {
  constexpr auto LAST = 8 * sizeof(Element<V>) - 1;
  return (V)(unsigned_bits<V>(x) | unsigned_bits<V>(of) >> LAST << LAST);
}

// -1, 0 or 1; of -0 it is 0, as in NumPy.
template <class V> FUSEPROP_INLINE V sign(V x) {
  const V not_positive = choose<V>(x < V{}, broadcast<V>(-1), x - x); // NaN - NaN, 0 - 0
  return choose<V>(x > V{}, broadcast<V>(1), not_positive);
}

// NaN if either is NaN, b where they are equal.
template <class V> FUSEPROP_INLINE V maximum(V a, V b) { return choose<V>((a > b) | (a != a), a, b); }
template <class V> FUSEPROP_INLINE V minimum(V a, V b) { return choose<V>((a < b) | (a != a), a, b); }

// One instruction, rounded correctly: the compiler joins the lanes.
template <class V> FUSEPROP_INLINE V sqrt(V x) {
  V r;
  for (int i = 0; i < LENGTH<V>; i++) r[i] = sizeof(x[0]) == 4 ? __builtin_sqrtf(x[i]) : __builtin_sqrt(x[i]);
  return r;
}

// x, or the limit where it is beyond; NaN stays.
template <class V> FUSEPROP_INLINE V at_most(V x, Element<V> limit) {
  return choose<V>(x > limit, broadcast<V>(limit), x);
}
template <class V> FUSEPROP_INLINE V at_least(V x, Element<V> limit) {
  return choose<V>(x < limit, broadcast<V>(limit), x);
}

// x = n ln 2 + rest + little, n whole, |rest| <= ln(2) / 2; `whole` has n + `added` in its last bits.
template <class V> struct Reduced { V rest, n, whole; };
template <class V> FUSEPROP_INLINE Reduced<V> reduce(V x, int added) {
  using C = ConstantsOf<V>;
  const Element<V> shifter = C::SHIFTER + added;
  const V whole = fma<V>(x, broadcast<V>(C::LOG2_E), broadcast<V>(shifter));
  const V n = whole - shifter;
  return {fma<V>(n, broadcast<V>(-C::LN2), x), n, whole}; // exact; little is -n LN2_REST
}

template <class V> FUSEPROP_INLINE V exp(V x) {
  using C = ConstantsOf<V>;
  const Reduced<V> reduced = reduce<V>(at_least<V>(at_most<V>(x, C::LARGEST_EXP), C::SMALLEST_EXP), 2 * C::BIAS);
  const V r = fma<V>(reduced.n, broadcast<V>(-C::LN2_REST), reduced.rest);
  const V slope = fma<V>(polynomial(C::EXP, r), r, broadcast<V>(1));
  const V y = fma<V>(slope, r, broadcast<V>(1));
  // 2^n in two steps, as it may be too large or too small for one; only the second may round
  const Unsigned<V> n = unsigned_bits<V>(reduced.whole), half = n >> 1;
  return y * (V)(half << C::MANTISSA) * (V)((n - half) << C::MANTISSA);
}

// exp(rest + little) - 1; no digit of either is lost before the last sum.
template <class V> FUSEPROP_INLINE V expm1_of_rest(const Reduced<V>& reduced) {
  using C = ConstantsOf<V>;
  const V little = reduced.n * -C::LN2_REST, r = reduced.rest + little;
  return reduced.rest + fma<V>(r * r, polynomial(C::EXP, r), little);
}

template <class V> FUSEPROP_INLINE V expm1(V x) {
  using C = ConstantsOf<V>;
  const Reduced<V> reduced = reduce<V>(at_least<V>(at_most<V>(x, C::LARGEST_EXP), C::SMALLEST_EXPM1), C::BIAS);
  // 2^n, or half of it where it is too large: a mask is -1 as a number
  const Integers<V> too_large = reduced.whole > C::SHIFTER + (2 * C::BIAS);
  const V power = (V)((unsigned_bits<V>(reduced.whole) + (Unsigned<V>)too_large) << C::MANTISSA);
  const V y = fma<V>(expm1_of_rest<V>(reduced), power, power - 1);
  return with_sign_of<V>(x, y * choose<V>(too_large, broadcast<V>(2), broadcast<V>(1)));
}

// |e - 1| / (e + 1), e = exp(-2 |x|). In doubles below a half, where that would be off by 2.07 units, e = exp(2 |x|).
template <class V> FUSEPROP_INLINE V tanh(V x) {
  using C = ConstantsOf<V>;
  const V z = at_most<V>(abs<V>(x), C::LARGEST_TANH);
  V times = broadcast<V>(-2);
  if constexpr (sizeof(Element<V>) == 8) times = choose<V>((z > 0.3) & (z < 0.55), broadcast<V>(2), times);
  const Reduced<V> reduced = reduce<V>(z * times, C::BIAS);
  const V power = (V)(unsigned_bits<V>(reduced.whole) << C::MANTISSA);
  const V y = expm1_of_rest<V>(reduced);
  return with_sign_of<V>(x, abs<V>(fma<V>(y, power, power - 1)) / fma<V>(y, power, power + 1));
}

// u = 2^n m, 0.75 <= m < 1.5, for a normal positive u: n + bias above the mantissa, m - 0.75 as bits in it.
template <class V> FUSEPROP_INLINE Unsigned<V> split(V u) {
  using C = ConstantsOf<V>;
  constexpr auto ONE = (decltype(C::THREE_QUARTERS))C::BIAS << C::MANTISSA;
  return unsigned_bits<V>(u) + (ONE - C::THREE_QUARTERS);
}

// n + bias of what was split, as a number: it is put into the last bits of 2^MANTISSA.
template <class V> FUSEPROP_INLINE V exponent(Unsigned<V> parts) {
  using C = ConstantsOf<V>;
  constexpr auto SHIFTER = (decltype(C::THREE_QUARTERS))(C::BIAS + C::MANTISSA) << C::MANTISSA;
  return (V)(parts >> C::MANTISSA | SHIFTER);
}

// n ln 2 + log(1 + f)
template <class V> FUSEPROP_INLINE V log_of_parts(V n, V f) {
  using C = ConstantsOf<V>;
  const V square = f * f, p = polynomial(C::LOG, f);
  V r;
  if constexpr (sizeof(Element<V>) == 4) r = fma<V>(p, square, f); // n times what LN2 lacks is less than the rounding
  else r = f + fma<V>(p, square, n * C::LN2_REST);
  return fma<V>(n, broadcast<V>(C::LN2), r);
}

// The logarithm of x where x > 0, -inf where it is 0, infinity of infinity, else NaN.
template <class V> FUSEPROP_INLINE V of_positive(V x, V logarithm) {
  const V none = choose<V>(x == V{}, broadcast<V>(-INFINITY_OF<V>), broadcast<V>(NAN_OF<V>));
  const V r = choose<V>(x > V{}, logarithm, none);
  return choose<V>(x == INFINITY_OF<V>, x, r);
}

template <class V> FUSEPROP_INLINE V log(V x) {
  using C = ConstantsOf<V>;
  using T = Element<V>;
  // a denormal is made normal
  constexpr int MORE = C::MANTISSA + 2;
  constexpr T FACTOR = (T)(1LL << MORE), SUBTRACTED = (T)(1LL << C::MANTISSA) + C::BIAS;
  const Integers<V> is_small = x < C::SMALLEST_NORMAL;
  const Unsigned<V> parts = split<V>(choose<V>(is_small, x * FACTOR, x));
  const V n = exponent<V>(parts) - choose<V>(is_small, broadcast<V>(SUBTRACTED + MORE), broadcast<V>(SUBTRACTED));
  const V m = (V)((parts << (8 * sizeof(T) - C::MANTISSA) >> (8 * sizeof(T) - C::MANTISSA)) + C::THREE_QUARTERS);
  return of_positive<V>(x, log_of_parts<V>(n, m - 1));
}

template <class V> FUSEPROP_INLINE V log1p(V x) {
  using C = ConstantsOf<V>;
  using T = Element<V>;
  using Bits = decltype(C::THREE_QUARTERS);
  // 1 + x = 2^n (1 + f), f = 2^-n x + (2^-n - 1): no digit of x is lost, as the sum is exact where it matters
  const V sum = x + 1;
  const Unsigned<V> parts = split<V>(sum);
  const Unsigned<V> biased = parts >> C::MANTISSA << C::MANTISSA;
  const V scaled = (V)(unsigned_bits<V>(x) - (biased - ((Bits)C::BIAS << C::MANTISSA)));
  const V four = (V)(((Bits)(2 * C::BIAS + 2) << C::MANTISSA) - biased); // 4 2^-n, as 2^-n may be denormal
  const V f = scaled + fma<V>(four, broadcast<V>((T)0.25), broadcast<V>(-1));
  const V n = exponent<V>(parts) - ((T)(1LL << C::MANTISSA) + C::BIAS);
  const V r = of_positive<V>(sum, log_of_parts<V>(n, f));
  return with_sign_of<V>(x, r);
}

} // namespace fuseprop
