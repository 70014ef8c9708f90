// Each function of functions.hpp over arrays, and how far it is from the C library's in a wider type; for
// native_functions.py. Counts of numbers are multiples of 16.
#include "trigonometry.hpp"

#include <math.h>

#ifndef LANES // how many numbers a vector has; by default as many as the machine's
#define LANES fuseprop::WIDTH<T>
#endif
#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

template <class T> using Tested = fuseprop::Vec<T, LANES>;

namespace tested {
using namespace fuseprop;
template <class V> FUSEPROP_INLINE V sigmoid(V z) {
  const V e = exp<V>(-abs<V>(z));
  return choose<V>(z >= V{}, broadcast<V>(1), e) / (1 + e);
}
} // namespace tested

double sigmoid(double x) { return 1 / (1 + ::exp(-x)); }
long double sigmoidl(long double x) { return 1 / (1 + ::expl(-x)); }

// Denormals count as 0 while it lives, if `flushes`.
struct Flushing {
#if defined(__x86_64__)
  const unsigned before = _mm_getcsr();
  explicit Flushing(bool flushes) { if (flushes) _mm_setcsr(before | 0x8040); }
  ~Flushing() { _mm_setcsr(before); }
#else
  explicit Flushing(bool) {}
#endif
};

// The largest errors, in units of the last place, where the result is normal and where it is denormal; what is of
// the wrong kind: NaN, infinity or sign; and of each the first number with it.
template <class T> struct Errors {
  double normal, denormal;
  int64_t wrong;
  T normal_at, denormal_at, wrong_at;
};

template <class Wide> struct Place; // of the last digit of a float, in doubles, and of a double, in long doubles
template <> struct Place<double> {
  static constexpr double SMALLEST_NORMAL = 0x1p-126, LAST = 0x1p-149, BEYOND = 0x1p128;
  static double over_unit(double error, double x) {
    uint64_t bits;
    memcpy(&bits, &x, 8);
    bits = ((2046 + 23) - (bits >> 52 & 2047)) << 52;
    double factor;
    memcpy(&factor, &bits, 8);
    return error * factor;
  }
};
template <> struct Place<long double> {
  static constexpr long double SMALLEST_NORMAL = 0x1p-1022L, LAST = 0x1p-1074L, BEYOND = 0x1p1024L;
  static long double over_unit(long double error, long double x) { return scalbnl(error, 52 - ilogbl(x)); }
};

template <class Wide, class T> void compare(T x, T found, Wide right, Errors<T>& errors) {
  using P = Place<Wide>;
  const Wide size = fabsl(right) < P::BEYOND ? fabsl(right) : P::BEYOND; // infinity counts as the next number
  const Wide made = fabsl((Wide)found) < P::BEYOND ? fabsl((Wide)found) : P::BEYOND;
  const bool both = right == right && found == found;
  if (both ? (signbit(right) != 0) != (signbit(found) != 0) : right == right || found == found) {
    if (!errors.wrong++) errors.wrong_at = x;
  } else if (!both || size == made) {
  } else if (size < P::SMALLEST_NORMAL) {
    const double error = (made > size ? made - size : size - made) / P::LAST;
    if (error > errors.denormal) errors.denormal = error, errors.denormal_at = x;
  } else {
    const double error = P::over_unit(made > size ? made - size : size - made, size == P::BEYOND ? size / 2 : size);
    if (error > errors.normal) errors.normal = error, errors.normal_at = x;
  }
}

} // namespace

#define COMPUTED(name, T)                                                                                           \
  EXPORTED void name##_##T(const T* x, T* out, int64_t count, int flushes) {                                        \
    using V = Tested<T>;                                                                                            \
    const Flushing flushing(flushes);                                                                               \
    for (int64_t i = 0; i < count; i += fuseprop::LENGTH<V>)                                                        \
      fuseprop::store<V>(out + i, tested::name<V>(fuseprop::load<V>(x + i)));                                       \
  }
#define OF_TWO(name, T)                                                                                             \
  EXPORTED void name##_##T(const T* x, const T* y, T* out, int64_t count) {                                         \
    using V = Tested<T>;                                                                                            \
    for (int64_t i = 0; i < count; i += fuseprop::LENGTH<V>)                                                        \
      fuseprop::store<V>(out + i, tested::name<V>(fuseprop::load<V>(x + i), fuseprop::load<V>(y + i)));             \
  }
#define COMPARED(name, T, Wide, function)                                                                           \
  EXPORTED void name##_##T##_errors(const T* x, int64_t count, Errors<T>* errors) {                                 \
    T out[1024];                                                                                                    \
    for (int64_t first = 0; first < count; first += 1024) {                                                         \
      const int64_t some = count - first < 1024 ? count - first : 1024;                                             \
      name##_##T(x + first, out, some, 0);                                                                          \
      for (int64_t i = 0; i < some; i++)                                                                            \
        compare<Wide, T>(x[first + i], out[i], function((Wide)x[first + i]), *errors);                              \
    }                                                                                                               \
  }

#define IN_BOTH(name) COMPUTED(name, float) COMPUTED(name, double)
IN_BOTH(exp) IN_BOTH(expm1) IN_BOTH(log) IN_BOTH(log1p) IN_BOTH(tanh) IN_BOTH(sigmoid)
IN_BOTH(sqrt) IN_BOTH(abs) IN_BOTH(sign) IN_BOTH(sin) IN_BOTH(cos)
OF_TWO(maximum, float) OF_TWO(maximum, double) OF_TWO(minimum, float) OF_TWO(minimum, double)

#define WITH_THE_LIBRARY(name) COMPARED(name, float, double, ::name) COMPARED(name, double, long double, ::name##l)
WITH_THE_LIBRARY(exp) WITH_THE_LIBRARY(expm1) WITH_THE_LIBRARY(log) WITH_THE_LIBRARY(log1p) WITH_THE_LIBRARY(tanh)
WITH_THE_LIBRARY(sigmoid) WITH_THE_LIBRARY(sqrt) WITH_THE_LIBRARY(sin) WITH_THE_LIBRARY(cos)
