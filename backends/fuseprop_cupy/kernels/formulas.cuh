// The formulas of fuseprop.formulas, one struct each: written by fuseprop_cupy/formulas.py, not by hand.
//
// An activation has value(z) = f(z) and slope = f', of the output y = f(z) or, where KEEPS_SUM holds, of z. A
// loss has at(y, t): an output's term and its slope. A rule has step(w, g, moments, settings), which changes
// the moments and returns the new w.
#ifndef FUSEPROP_FORMULAS_CUH
#define FUSEPROP_FORMULAS_CUH

#include "groups.cuh"
#include "scalars.cuh"

struct Identity {
  static constexpr bool KEEPS_SUM = false;
  template <typename T> __device__ static T value(T z) {
    return z;
  }
  template <typename T> __device__ static T slope(T) {
    return T(1);
  }
};

struct Sigmoid {
  static constexpr bool KEEPS_SUM = false;
  template <typename T> __device__ static T value(T z) {
    const T v0 = exp(-fabs(z));
    return larger(T(z >= T(0.0)), v0) / (T(1) + v0);
  }
  template <typename T> __device__ static T slope(T y) {
    return y * (T(1) - y);
  }
};

struct Tanh {
  static constexpr bool KEEPS_SUM = false;
  template <typename T> __device__ static T value(T z) {
    return tanh(z);
  }
  template <typename T> __device__ static T slope(T y) {
    return T(1) - y * y;
  }
};

struct Relu {
  static constexpr bool KEEPS_SUM = false;
  template <typename T> __device__ static T value(T z) {
    return larger(z, T(0.0));
  }
  template <typename T> __device__ static T slope(T y) {
    return sign(y);
  }
};

struct LeakyRelu {
  static constexpr bool KEEPS_SUM = false;
  template <typename T> __device__ static T value(T z) {
    return larger(z, T(0.01) * z);
  }
  template <typename T> __device__ static T slope(T y) {
    return larger(sign(y), T(0.01));
  }
};

struct Elu {
  static constexpr bool KEEPS_SUM = false;
  template <typename T> __device__ static T value(T z) {
    return larger(z, T(0.0)) + T(1) * expm1(smaller(z, T(0.0)));
  }
  template <typename T> __device__ static T slope(T y) {
    return y > T(0.0) ? T(1) : y + T(1);
  }
};

struct Selu {
  static constexpr bool KEEPS_SUM = false;
  template <typename T> __device__ static T value(T z) {
    return T(1.0507009873554805) * (larger(z, T(0.0)) + T(1.6732632423543772) * expm1(smaller(z, T(0.0))));
  }
  template <typename T> __device__ static T slope(T y) {
    return y > T(0.0) ? T(1.0507009873554805) : y + T(1.7580993408473766);
  }
};

struct Softplus {
  static constexpr bool KEEPS_SUM = false;
  template <typename T> __device__ static T value(T z) {
    return larger(z, T(0.0)) + log1p(exp(-fabs(z)));
  }
  template <typename T> __device__ static T slope(T y) {
    return -expm1(-y);
  }
};

struct Softsign {
  static constexpr bool KEEPS_SUM = false;
  template <typename T> __device__ static T value(T z) {
    return z / (T(1) + fabs(z));
  }
  template <typename T> __device__ static T slope(T y) {
    const T v0 = T(1) - fabs(y);
    return v0 * v0;
  }
};

struct Gelu {
  static constexpr bool KEEPS_SUM = true;
  template <typename T> __device__ static T value(T z) {
    return T(0.5) * z * (T(1) + tanh(T(0.7978845608028654) * (z + T(0.044715) * (z * z * z))));
  }
  template <typename T> __device__ static T slope(T z) {
    const T v0 = z * z;
    const T v1 = tanh(T(0.7978845608028654) * (z + T(0.044715) * (v0 * z)));
    return T(0.5) * (T(1) + v1) + T(0.3989422804014327) * ((T(1) + T(0.044715) * (T(2) * v0 + v0)) * (T(1) - v1 * v1) * z);
  }
};

struct Silu {
  static constexpr bool KEEPS_SUM = true;
  template <typename T> __device__ static T value(T z) {
    const T v0 = exp(-fabs(z));
    return z * (larger(T(z >= T(0.0)), v0) / (T(1) + v0));
  }
  template <typename T> __device__ static T slope(T z) {
    const T v0 = exp(-fabs(z));
    const T v1 = larger(T(z >= T(0.0)), v0) / (T(1) + v0);
    return v1 + v1 * (T(1) - v1) * z;
  }
};

struct HardSigmoid {
  static constexpr bool KEEPS_SUM = false;
  template <typename T> __device__ static T value(T z) {
    return smaller(larger(z / T(6) + T(0.5), T(0.0)), T(1));
  }
  template <typename T> __device__ static T slope(T y) {
    return sign(y) * sign(T(1) - y) / T(6);
  }
};

struct Exponential {
  static constexpr bool KEEPS_SUM = false;
  template <typename T> __device__ static T value(T z) {
    return exp(z);
  }
  template <typename T> __device__ static T slope(T y) {
    return y;
  }
};

struct Step {
  static constexpr bool KEEPS_SUM = false;
  template <typename T> __device__ static T value(T z) {
    return z == z ? (z > T(0.0) ? T(1) : T(0.0)) : z;
  }
  template <typename T> __device__ static T slope(T) {
    return T(0.0);
  }
};

struct HalfSquaredError {
  template <typename T> __device__ static Pair<T> at(T y, T t) {
    const T v0 = y - t;
    const T term = T(0.5) * (v0 * v0);
    const T slope = v0;
    return {term, slope};
  }
};

struct MeanSquaredError {
  template <typename T> __device__ static Pair<T> at(T y, T t) {
    const T v0 = y - t;
    const T term = v0 * v0;
    const T slope = T(2) * v0;
    return {term, slope};
  }
};

struct MeanAbsoluteError {
  template <typename T> __device__ static Pair<T> at(T y, T t) {
    const T v0 = y - t;
    const T term = fabs(v0);
    const T slope = sign(v0);
    return {term, slope};
  }
};

struct SigmoidCrossEntropy {
  template <typename T> __device__ static Pair<T> at(T y, T t) {
    const T v0 = exp(-fabs(y));
    const T v1 = T(y >= T(0.0));
    const T term = log1p(v0) + (v1 - t) * y;
    const T slope = larger(v1, v0) / (T(1) + v0) - t;
    return {term, slope};
  }
};

struct HalfPoissonDeviance {
  template <typename T> __device__ static Pair<T> at(T y, T t) {
    const T v0 = y - log(larger(t, smallest_normal<T>()));
    const T v1 = smaller(larger(v0, T(-1)), T(1));
    const T v2 = exp(y) - t;
    const T term = T(1) >= fabs(v0) ? t * (expm1(v1) - v1) : v2 - t * v0;
    const T slope = v2;
    return {term, slope};
  }
};

struct Huber {
  template <typename T> __device__ static Pair<T> at(T y, T t) {
    const T v0 = y - t;
    const T v1 = fabs(v0);
    const T v2 = smaller(v1, T(1));
    const T term = v2 * (v1 - T(0.5) * v2);
    const T slope = smaller(larger(v0, T(-1)), T(1));
    return {term, slope};
  }
};

struct LogCosh {
  template <typename T> __device__ static Pair<T> at(T y, T t) {
    const T v0 = y - t;
    const T v1 = fabs(v0);
    const T v2 = expm1(-smaller(v1, T(1)));
    const T term = T(1) >= v1 ? log1p(v2 * v2 / (T(2) * (T(1) + v2))) : v1 + log1p(exp(T(-2) * v1)) - T(0.6931471805599453);
    const T slope = tanh(v0);
    return {term, slope};
  }
};

struct Quantile {
  template <typename T> __device__ static Pair<T> at(T y, T t) {
    const T v0 = y - t;
    const T v1 = sign(v0);
    const T term = larger(T(0.5) * (t - y), T(0.5) * v0);
    const T slope = T(0.5) * v1 + T(0.0) * fabs(v1);
    return {term, slope};
  }
};

struct Hinge {
  template <typename T> __device__ static Pair<T> at(T y, T t) {
    const T v0 = larger(T(1) - t * y, T(0.0));
    const T term = v0;
    const T slope = -t * sign(v0);
    return {term, slope};
  }
};

struct Momentum {
  static constexpr int MOMENTS = 1, SETTINGS = 2;
  template <typename T> __device__ static T step(T w, T g, T* moments, const T* settings) {
    const T v = moments[0];
    const T a = settings[0];
    const T mu = settings[1];
    const T v0 = mu * v - a * g;
    moments[0] = v0;
    return w + v0;
  }
};

struct Nesterov {
  static constexpr int MOMENTS = 1, SETTINGS = 2;
  template <typename T> __device__ static T step(T w, T g, T* moments, const T* settings) {
    const T v = moments[0];
    const T a = settings[0];
    const T mu = settings[1];
    const T v0 = a * g;
    const T v1 = mu * v - v0;
    moments[0] = v1;
    return w - v0 + mu * v1;
  }
};

struct Adam {
  static constexpr int MOMENTS = 2, SETTINGS = 4;
  template <typename T> __device__ static T step(T w, T g, T* moments, const T* settings) {
    const T m = moments[0];
    const T v = moments[1];
    const T a = settings[0];
    const T b1 = settings[1];
    const T b2 = settings[2];
    const T epsilon = settings[3];
    const T v0 = b1 * m + (T(1) - b1) * g;
    const T v1 = b2 * v + (T(1) - b2) * (g * g);
    moments[0] = v0;
    moments[1] = v1;
    return w - a * v0 / (sqrt(v1) + epsilon);
  }
};

#endif
