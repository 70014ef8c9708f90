// What CUDA C++ has beyond C++, for the host's compiler; whoever includes it defines __shared__ before.
#pragma once
#include <cmath>

#define __global__
#define __device__
#define __launch_bounds__(...)

using std::cos;
using std::exp;
using std::expm1;
using std::fabs;
using std::log;
using std::log1p;
using std::sin;
using std::sqrt;
using std::tanh;

template <typename T> T min(T a, T b) { return b < a ? b : a; }

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
