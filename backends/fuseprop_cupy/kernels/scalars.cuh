// The formulas, one number at a time, for float and double alike. NaN in is NaN out, as in NumPy.
#ifndef FUSEPROP_SCALARS_CUH
#define FUSEPROP_SCALARS_CUH

// max(a, b); fmax would lose a NaN.
template <typename T> __device__ inline T larger(T a, T b) { return a > b || a != a ? a : b; }

// -1, 0 or 1
template <typename T> __device__ inline T sign(T x) { return x > T(0) ? T(1) : x < T(0) ? T(-1) : x; }

// 1 / (1 + e^-z) from e = e^-|z|, which never overflows and keeps every digit where the result is small.
template <typename T> __device__ inline T sigmoid(T z) {
  const T e = exp(-fabs(z));
  return (z >= T(0) ? T(1) : e) / (T(1) + e);
}

// log(1 + e^z) - t z for t in [0, 1]. Its parts are never negative, so that nothing cancels:
// max(z, 0) - t z is (1 - t) z or -t z, and log(1 + e^z) - max(z, 0) is log(1 + e^-|z|).
template <typename T> __device__ inline T logistic_loss(T z, T t) {
  return (z > T(0) ? (T(1) - t) * z : -t * z) + log1p(exp(-fabs(z)));
}

// t log(t / y) - t + y for y = e^z and t >= 0. With d = z - log t it is t (e^d - 1 - d), whose digits survive
// near d = 0; elsewhere (y - t) - t d, in which little cancels and e^z keeps its own.
template <typename T> __device__ inline T poisson_loss(T z, T t, T y) {
  if (t == T(0)) return y;
  const T d = z - log(t);
  return fabs(d) <= T(1) ? t * (expm1(d) - d) : (y - t) - t * d;
}

// Activations: value(z) = f(z), and slope(y) = f' from the output y = f(z).
struct Identity {
  template <typename T> __device__ static T value(T z) { return z; }
  template <typename T> __device__ static T slope(T) { return T(1); }
};

struct Sigmoid {
  template <typename T> __device__ static T value(T z) { return sigmoid(z); }
  template <typename T> __device__ static T slope(T y) { return y * (T(1) - y); }
};

struct Tanh {
  template <typename T> __device__ static T value(T z) { return tanh(z); }
  template <typename T> __device__ static T slope(T y) { return T(1) - y * y; }
};

struct Relu {  // y is positive, 0 or NaN
  template <typename T> __device__ static T value(T z) { return larger(z, T(0)); }
  template <typename T> __device__ static T slope(T y) { return y > T(0) ? T(1) : y; }
};

#endif
