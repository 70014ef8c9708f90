// How results are compared with those that are expected, and what is told of those that are others.
#pragma once

#include <cstdio>
#include <cstring>

#include "reference.hpp"

namespace driver {

using namespace fuseprop;

inline int complaints = 0;

// Largest errors, in units of rounding of a result's largest number.
constexpr double MOST_ERROR = 64;

template <class T> Formula formula(const Told& told, std::vector<std::vector<T>>& keep) {
  keep.emplace_back(told.numbers.begin(), told.numbers.end());
  return {told.kernel, keep.back().data(), int64_t(keep.back().size()), told.code.data(), int64_t(told.code.size())};
}

inline uint64_t hash(const std::vector<Result>& results) {
  uint64_t made = 0xcbf29ce484222325u;
  for (const Result& result : results)
    for (const double number : result.numbers) {
      uint64_t bits = 0x7ff8000000000000u; // of every NaN
      if (number == number) std::memcpy(&bits, &number, sizeof bits);
      made = (made ^ bits) * 0x100000001b3u;
      made ^= made >> 29;
    }
  return made;
}

// The largest error in units of `unit` of each result's largest number; what is odd in one is to be so in the other.
inline double compare(const char* name, const std::vector<Result>& found, const std::vector<Result>& wanted, double unit) {
  double worst = 0;
  for (size_t r = 0; r < wanted.size(); r++) {
    const std::vector<double>&a = found[r].numbers, &b = wanted[r].numbers;
    if (a.size() != b.size() || found[r].name != wanted[r].name) std::abort();
    double scale = 0;
    for (const double number : b)
      if (std::isfinite(number)) scale = std::fmax(scale, std::fabs(number));
    long wrong = 0, first = -1;
    double most = 0;
    for (size_t i = 0; i < a.size(); i++) {
      if (wanted[r].name == "hits" && b[i] == -1) continue;
      const bool odd = !std::isfinite(a[i]) || !std::isfinite(b[i]);
      const double error = odd ? 0 : std::fabs(a[i] - b[i]) / (scale * unit + 1e-37);
      most = std::fmax(most, error);
      if (odd ? !(a[i] == b[i] || (a[i] != a[i] && b[i] != b[i])) : error > MOST_ERROR) {
        if (!wrong++) first = long(i);
      }
    }
    if (wrong) {
      std::printf("%s: %s: %ld of %zu wrong, the first at %ld: %.9g, not %.9g; error %.3g\n", name, wanted[r].name.c_str(), wrong,
                  a.size(), first, a[first], b[first], most);
      complaints++;
    }
    worst = std::fmax(worst, most);
  }
  return worst;
}

} // namespace driver
