// sin and cos of any vector of float or double, computed in doubles. NaN of infinity and of NaN. Largest errors found,
// in units of the last place; float: every eighth of all numbers, double: 10 million that were drawn.
//
//             sin   cos
//     float   0.50  0.50
//     double  0.82  0.80
#pragma once

#include "functions.hpp"

namespace fuseprop {

// x = n pi/2 + rest + little, |rest| <= pi/4 and a little; the last two bits of `whole` are those of n.
template <class W> struct Turned {
  W rest, little;
  Unsigned<W> whole;
};

constexpr double TWO_BY_PI = 0x1.45f306dc9c883p-1;
// pi/2 in three parts.
constexpr double QUARTER[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};
// The least of what cancels is 2^-62: up to here n pi/2 has digits enough.
constexpr double MOST_TURNED = 0x1p40;

// The bits of 2/pi behind the point, behind a word of zeros.
constexpr uint64_t TWO_BY_PI_BITS[] = {
    0,
    0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561, 0xb7246e3a424dd2e0,
    0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4,
    0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab, 0xf0cfbc209af4361d,
};

// What `turn_one` finds of a number above MOST_TURNED.
struct One {
  double rest, little;
  uint64_t whole;
};

// By Payne and Hanek: of x 2/pi only the digits that are no whole turns. In whole numbers, so that nothing rounds.
inline One turn_one(double x) {
  using Wide = unsigned __int128;
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint64_t mantissa = (bits & ((uint64_t(1) << 52) - 1)) | uint64_t(1) << 52;
  const int exponent = int(bits >> 52 & 2047) - 1075; // x = mantissa 2^exponent
  // 192 digits from the one on that counts twice a turn's quarter: mantissa times them is 2^190 quarters
  const int first = exponent - 2 + 64, word = first / 64, shift = first % 64;
  uint64_t digits[3];
  for (int i = 0; i < 3; i++) {
    const uint64_t *at = TWO_BY_PI_BITS + word + i;
    digits[i] = shift ? at[0] << shift | at[1] >> (64 - shift) : at[0];
  }
  const Wide low = Wide(mantissa) * digits[2], middle = Wide(mantissa) * digits[1] + (low >> 64);
  Wide quarters = (Wide(mantissa * digits[0]) << 64) + middle; // 2^126 of them are one; what is below is too little
  const uint64_t n = uint64_t((quarters + (Wide(1) << 125)) >> 126);
  quarters -= Wide(n) << 126;
  const bool is_negative = quarters >> 127;
  if (is_negative) quarters = -quarters;
  int zeros = quarters >> 64 ? __builtin_clzll(uint64_t(quarters >> 64)) : 64;
  if (zeros == 64) zeros += uint64_t(quarters) ? __builtin_clzll(uint64_t(quarters)) : 63;
  quarters <<= zeros;
  const uint64_t unit_bits = uint64_t(1023 - 126 - zeros) << 52;
  double unit;
  std::memcpy(&unit, &unit_bits, sizeof unit);
  if (is_negative) unit = -unit;
  const double high = double(uint64_t(quarters >> 75)) * 0x1p75 * unit;
  const double rest = double(uint64_t(quarters >> 22) & ((uint64_t(1) << 53) - 1)) * 0x1p22 * unit;
  const double turned = high * QUARTER[0];
  const double little = __builtin_fma(high, QUARTER[0], -turned) + (high * QUARTER[1] + rest * QUARTER[0]);
  const bool of_negative = bits >> 63;
  return {of_negative ? -turned : turned, of_negative ? -little : little, of_negative ? -n : n};
}

template <class W> FUSEPROP_INLINE Turned<W> turn(W x) {
  constexpr double SHIFTER = Constants<double>::SHIFTER;
  const W whole = fma<W>(x, broadcast<W>(TWO_BY_PI), broadcast<W>(SHIFTER)), n = whole - SHIFTER;
  // x - n pi/2, with what each rounding leaves
  const W first = n * QUARTER[0], of_first = fma<W>(n, broadcast<W>(QUARTER[0]), -first);
  const W a = x - first; // exact
  const W b = a - of_first, b_part = b - a, b_left = (a - (b - b_part)) - (of_first + b_part);
  const W second = n * QUARTER[1], of_second = fma<W>(n, broadcast<W>(QUARTER[1]), -second);
  const W c = b - second, c_part = c - b, c_left = (b - (c - c_part)) - (second + c_part);
  const W left = (b_left + c_left) - (of_second + n * QUARTER[2]);
  Turned<W> made;
  made.rest = c + left;
  made.little = (c - made.rest) + left;
  made.whole = unsigned_bits<W>(whole);
  const Integers<W> is_large = (abs<W>(x) > MOST_TURNED) & (abs<W>(x) < INFINITY_OF<W>);
  int64_t any = 0;
  for (int i = 0; i < LENGTH<W>; i++) any |= is_large[i];
  if (__builtin_expect(any != 0, 0))
    for (int i = 0; i < LENGTH<W>; i++)
      if (is_large[i]) {
        const One one = turn_one(x[i]);
        made.rest[i] = one.rest, made.little[i] = one.little, made.whole[i] = one.whole;
      }
  return made;
}

// sin x where `more` is 0, and where it is 1, sin(x + pi/2).
template <class W> FUSEPROP_INLINE W wave_of_doubles(W x, uint64_t more) {
  // (sin(r) / r - 1) / r^2 and (cos(r) - 1 + r^2 / 2) / r^4 of r^2, for |r| <= pi/4: off by less than 3.7e-18 of sin.
  static constexpr double SIN[] = {-0.1666666666666663,   0.008333333333322005,   -0.00019841269829495652,
                                   2.755731358766045e-06, -2.505074231292331e-08, 1.5895904970586426e-10};
  static constexpr double COS[] = {0.041666666666666595,   -0.0013888888888872895, 2.4801587288748156e-05,
                                   -2.755731414861744e-07, 2.087569657207771e-09,  -1.1358310476311698e-11};
  const Turned<W> turned = turn<W>(x);
  const W r = turned.rest, square = r * r, half = square * 0.5, one = 1 - half;
  const W sine = r + fma<W>(r * square, polynomial(SIN, square), turned.little * one);
  const W cosine = one + (((1 - one) - half) + fma<W>(square * square, polynomial(COS, square), -(r * turned.little)));
  const Unsigned<W> n = turned.whole + more;
  const W made = choose<W>((Integers<W>)(n << 63) < Integers<W>{}, cosine, sine); // n is odd
  const W signed_one = (W)(unsigned_bits<W>(made) ^ (n >> 1 << 63));
  return choose<W>(abs<W>(x) < INFINITY_OF<W>, signed_one, x - x);
}

// Floats in doubles, as many at a time as a vector has.
template <class V> FUSEPROP_INLINE V wave(V x, uint64_t more) {
  constexpr int COUNT = LENGTH<V>, PART = COUNT < WIDTH<double> ? COUNT : WIDTH<double>;
  if constexpr (sizeof(Element<V>) == 8) return wave_of_doubles<V>(x, more);
  else {
    using Few = Vec<float, PART>;
    Few parts[COUNT / PART];
    std::memcpy(parts, &x, sizeof x);
    for (Few& each : parts)
      each = __builtin_convertvector(wave_of_doubles(__builtin_convertvector(each, Vec<double, PART>), more), Few);
    std::memcpy(&x, parts, sizeof x);
    return x;
  }
}

template <class V> FUSEPROP_INLINE V sin(V x) { return choose<V>(x == V{}, x, wave<V>(x, 0)); }
template <class V> FUSEPROP_INLINE V cos(V x) { return wave<V>(x, 1); }

} // namespace fuseprop
