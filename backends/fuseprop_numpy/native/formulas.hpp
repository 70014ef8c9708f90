// The formulas of fuseprop.formulas on vectors, one struct for each shape: written by
// fuseprop_numpy/compiled/shapes.py, not by hand.
//
// A shape is a formula with a hole c[i] in place of each number. Value is y = f(z); Slope is f' of a point x,
// which is y or z; Loss is an output's term and its slope; Update changes w and the moments m by the gradient
// g and the settings s.
#pragma once

#include "trigonometry.hpp"

namespace fuseprop {

template <class... Shapes> struct Table {};

struct IdentityValue {
  static constexpr int CONSTANTS = 0;
  template <class V> static FUSEPROP_INLINE V at(V z, const V*) {
    return z;
  }
};

struct IdentitySlope {
  static constexpr int CONSTANTS = 1;
  template <class V> static FUSEPROP_INLINE V at(V, const V* c) {
    return c[0];
  }
};

struct SigmoidValue {
  static constexpr int CONSTANTS = 2;
  template <class V> static FUSEPROP_INLINE V at(V z, const V* c) {
    const V v0 = exp(-abs(z));
    return maximum(truth<V>(z >= c[0]), v0) / (c[1] + v0);
  }
};

struct SigmoidSlope {
  static constexpr int CONSTANTS = 1;
  template <class V> static FUSEPROP_INLINE V at(V x, const V* c) {
    return x * (c[0] - x);
  }
};

struct TanhValue {
  static constexpr int CONSTANTS = 0;
  template <class V> static FUSEPROP_INLINE V at(V z, const V*) {
    return tanh(z);
  }
};

struct TanhSlope {
  static constexpr int CONSTANTS = 1;
  template <class V> static FUSEPROP_INLINE V at(V x, const V* c) {
    return c[0] - x * x;
  }
};

struct ReluValue {
  static constexpr int CONSTANTS = 1;
  template <class V> static FUSEPROP_INLINE V at(V z, const V* c) {
    return maximum(z, c[0]);
  }
};

struct ReluSlope {
  static constexpr int CONSTANTS = 0;
  template <class V> static FUSEPROP_INLINE V at(V x, const V*) {
    return sign(x);
  }
};

struct LeakyReluValue {
  static constexpr int CONSTANTS = 1;
  template <class V> static FUSEPROP_INLINE V at(V z, const V* c) {
    return maximum(z, c[0] * z);
  }
};

struct LeakyReluSlope {
  static constexpr int CONSTANTS = 1;
  template <class V> static FUSEPROP_INLINE V at(V x, const V* c) {
    return maximum(sign(x), c[0]);
  }
};

struct EluValue {
  static constexpr int CONSTANTS = 3;
  template <class V> static FUSEPROP_INLINE V at(V z, const V* c) {
    return maximum(z, c[0]) + c[1] * expm1(minimum(z, c[2]));
  }
};

struct EluSlope {
  static constexpr int CONSTANTS = 3;
  template <class V> static FUSEPROP_INLINE V at(V x, const V* c) {
    return choose<V>(x > c[0], c[1], x + c[2]);
  }
};

struct SeluValue {
  static constexpr int CONSTANTS = 4;
  template <class V> static FUSEPROP_INLINE V at(V z, const V* c) {
    return c[0] * (maximum(z, c[1]) + c[2] * expm1(minimum(z, c[3])));
  }
};

struct SoftplusValue {
  static constexpr int CONSTANTS = 1;
  template <class V> static FUSEPROP_INLINE V at(V z, const V* c) {
    return maximum(z, c[0]) + log1p(exp(-abs(z)));
  }
};

struct SoftplusSlope {
  static constexpr int CONSTANTS = 0;
  template <class V> static FUSEPROP_INLINE V at(V x, const V*) {
    return -expm1(-x);
  }
};

struct SoftsignValue {
  static constexpr int CONSTANTS = 1;
  template <class V> static FUSEPROP_INLINE V at(V z, const V* c) {
    return z / (c[0] + abs(z));
  }
};

struct SoftsignSlope {
  static constexpr int CONSTANTS = 1;
  template <class V> static FUSEPROP_INLINE V at(V x, const V* c) {
    const V v0 = c[0] - abs(x);
    return v0 * v0;
  }
};

struct GeluValue {
  static constexpr int CONSTANTS = 4;
  template <class V> static FUSEPROP_INLINE V at(V z, const V* c) {
    return c[0] * z * (c[1] + tanh(c[2] * (z + c[3] * (z * z * z))));
  }
};

struct GeluSlope {
  static constexpr int CONSTANTS = 9;
  template <class V> static FUSEPROP_INLINE V at(V x, const V* c) {
    const V v0 = x * x;
    const V v1 = tanh(c[0] * (x + c[1] * (v0 * x)));
    return c[2] * (c[3] + v1) + c[4] * ((c[5] + c[6] * (c[7] * v0 + v0)) * (c[8] - v1 * v1) * x);
  }
};

struct SiluValue {
  static constexpr int CONSTANTS = 2;
  template <class V> static FUSEPROP_INLINE V at(V z, const V* c) {
    const V v0 = exp(-abs(z));
    return z * (maximum(truth<V>(z >= c[0]), v0) / (c[1] + v0));
  }
};

struct SiluSlope {
  static constexpr int CONSTANTS = 3;
  template <class V> static FUSEPROP_INLINE V at(V x, const V* c) {
    const V v0 = exp(-abs(x));
    const V v1 = maximum(truth<V>(x >= c[0]), v0) / (c[1] + v0);
    return v1 + v1 * (c[2] - v1) * x;
  }
};

struct HardSigmoidValue {
  static constexpr int CONSTANTS = 4;
  template <class V> static FUSEPROP_INLINE V at(V z, const V* c) {
    return minimum(maximum(z / c[0] + c[1], c[2]), c[3]);
  }
};

struct HardSigmoidSlope {
  static constexpr int CONSTANTS = 2;
  template <class V> static FUSEPROP_INLINE V at(V x, const V* c) {
    return sign(x) * sign(c[0] - x) / c[1];
  }
};

struct ExponentialValue {
  static constexpr int CONSTANTS = 0;
  template <class V> static FUSEPROP_INLINE V at(V z, const V*) {
    return exp(z);
  }
};

struct ExponentialSlope {
  static constexpr int CONSTANTS = 0;
  template <class V> static FUSEPROP_INLINE V at(V x, const V*) {
    return x;
  }
};

struct StepValue {
  static constexpr int CONSTANTS = 3;
  template <class V> static FUSEPROP_INLINE V at(V z, const V* c) {
    return choose<V>(z == z, choose<V>(z > c[0], c[1], c[2]), z);
  }
};

struct HalfSquaredErrorLoss {
  static constexpr int CONSTANTS = 1;
  template <class V> static FUSEPROP_INLINE void at(V y, V t, V& term, V& slope, const V* c) {
    const V v0 = y - t;
    term = c[0] * (v0 * v0);
    slope = v0;
  }
};

struct MeanSquaredErrorLoss {
  static constexpr int CONSTANTS = 1;
  template <class V> static FUSEPROP_INLINE void at(V y, V t, V& term, V& slope, const V* c) {
    const V v0 = y - t;
    term = v0 * v0;
    slope = c[0] * v0;
  }
};

struct MeanAbsoluteErrorLoss {
  static constexpr int CONSTANTS = 0;
  template <class V> static FUSEPROP_INLINE void at(V y, V t, V& term, V& slope, const V*) {
    const V v0 = y - t;
    term = abs(v0);
    slope = sign(v0);
  }
};

struct SigmoidCrossEntropyLoss {
  static constexpr int CONSTANTS = 2;
  template <class V> static FUSEPROP_INLINE void at(V y, V t, V& term, V& slope, const V* c) {
    const V v0 = exp(-abs(y));
    const V v1 = truth<V>(y >= c[0]);
    term = log1p(v0) + (v1 - t) * y;
    slope = maximum(v1, v0) / (c[1] + v0) - t;
  }
};

struct HalfPoissonDevianceLoss {
  static constexpr int CONSTANTS = 4;
  template <class V> static FUSEPROP_INLINE void at(V y, V t, V& term, V& slope, const V* c) {
    const V v0 = y - log(maximum(t, c[0]));
    const V v1 = minimum(maximum(v0, c[1]), c[2]);
    const V v2 = exp(y) - t;
    term = choose<V>(c[3] >= abs(v0), t * (expm1(v1) - v1), v2 - t * v0);
    slope = v2;
  }
};

struct HuberLoss {
  static constexpr int CONSTANTS = 4;
  template <class V> static FUSEPROP_INLINE void at(V y, V t, V& term, V& slope, const V* c) {
    const V v0 = y - t;
    const V v1 = abs(v0);
    const V v2 = minimum(v1, c[0]);
    term = v2 * (v1 - c[1] * v2);
    slope = minimum(maximum(v0, c[2]), c[3]);
  }
};

struct LogCoshLoss {
  static constexpr int CONSTANTS = 6;
  template <class V> static FUSEPROP_INLINE void at(V y, V t, V& term, V& slope, const V* c) {
    const V v0 = y - t;
    const V v1 = abs(v0);
    const V v2 = expm1(-minimum(v1, c[0]));
    term = choose<V>(c[1] >= v1, log1p(v2 * v2 / (c[2] * (c[3] + v2))), v1 + log1p(exp(c[4] * v1)) - c[5]);
    slope = tanh(v0);
  }
};

struct QuantileLoss {
  static constexpr int CONSTANTS = 4;
  template <class V> static FUSEPROP_INLINE void at(V y, V t, V& term, V& slope, const V* c) {
    const V v0 = y - t;
    const V v1 = sign(v0);
    term = maximum(c[0] * (t - y), c[1] * v0);
    slope = c[2] * v1 + c[3] * abs(v1);
  }
};

struct HingeLoss {
  static constexpr int CONSTANTS = 2;
  template <class V> static FUSEPROP_INLINE void at(V y, V t, V& term, V& slope, const V* c) {
    const V v0 = maximum(c[0] - t * y, c[1]);
    term = v0;
    slope = -t * sign(v0);
  }
};

struct MomentumUpdate {
  static constexpr int MOMENTS = 1, SETTINGS = 2, CONSTANTS = 0;
  template <class V> static FUSEPROP_INLINE void step(V& w, V g, V* m, const V* s, const V*) {
    const V v0 = s[1] * m[0] - s[0] * g;
    const V next0 = v0;
    w = w + v0;
    m[0] = next0;
  }
};

struct NesterovUpdate {
  static constexpr int MOMENTS = 1, SETTINGS = 2, CONSTANTS = 0;
  template <class V> static FUSEPROP_INLINE void step(V& w, V g, V* m, const V* s, const V*) {
    const V v0 = s[0] * g;
    const V v1 = s[1] * m[0] - v0;
    const V next0 = v1;
    w = w - v0 + s[1] * v1;
    m[0] = next0;
  }
};

struct AdamUpdate {
  static constexpr int MOMENTS = 2, SETTINGS = 4, CONSTANTS = 2;
  template <class V> static FUSEPROP_INLINE void step(V& w, V g, V* m, const V* s, const V* c) {
    const V v0 = s[1] * m[0] + (c[0] - s[1]) * g;
    const V v1 = s[2] * m[1] + (c[1] - s[2]) * (g * g);
    const V next0 = v0;
    const V next1 = v1;
    w = w - s[0] * v0 / (sqrt(v1) + s[3]);
    m[0] = next0;
    m[1] = next1;
  }
};

using Values = Table<IdentityValue, SigmoidValue, TanhValue, ReluValue, LeakyReluValue, EluValue,
    SeluValue, SoftplusValue, SoftsignValue, GeluValue, SiluValue, HardSigmoidValue,
    ExponentialValue, StepValue>;

using Slopes = Table<IdentitySlope, SigmoidSlope, TanhSlope, ReluSlope, LeakyReluSlope, EluSlope,
    SoftplusSlope, SoftsignSlope, GeluSlope, SiluSlope, HardSigmoidSlope, ExponentialSlope>;

using Losses = Table<HalfSquaredErrorLoss, MeanSquaredErrorLoss, MeanAbsoluteErrorLoss,
    SigmoidCrossEntropyLoss, HalfPoissonDevianceLoss, HuberLoss, LogCoshLoss, QuantileLoss,
    HingeLoss>;

using Updates = Table<MomentumUpdate, NesterovUpdate, AdamUpdate>;

// The keys of the tables' shapes, in their order.
#define FUSEPROP_KEYS \
  "Value 0ebf3010b84e deb5ea0fc54f 9f8319b2c086 7f9e80b8e9d2 0ba25a687c18 0bae8c91cc71 8987e7b1ef41" \
  " abee02b25449 f2807a4bafa9 1e3648b70eb5 f9803bea8b51 277b36232b33 ae3011c10201 322372f28a18\n" \
  "Slope b3d07ef6e09b 91dcd41a221a 95d102da418d 3097653b31cf 376d8d35879e 2aaba101da10 77a6cd0c63db" \
  " f9c92064b89b e97a3be62314 32f5cf086fca 77335f47bae8 78d82eec7135\n" \
  "Loss d47a87a100ca 5cea2d248c76 0b05bc586e81 7275e7adda0b 235120c1b0f7 ce7555df5570 8905eda02c75" \
  " f59eaac23716 11608d64359e\n" \
  "Update 897d88076505 fe668600e876 499e2937f0c3\n"

} // namespace fuseprop
