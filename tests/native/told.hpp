// Formulas for the driver: how the engine is told of each, and what it is in plain doubles.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "formulas.hpp"
#include "interface.hpp"
#include "interpreter.hpp"

namespace driver {

using fuseprop::Operation;

// The place of a shape in its table.
template <class Shape, class... Shapes> int64_t place(fuseprop::Table<Shapes...>) {
  int64_t at = 0;
  (void)((std::is_same_v<Shape, Shapes> || (at++, false)) || ...);
  return at;
}
template <class Shape> int64_t value_place() { return place<Shape>(fuseprop::Values()); }
template <class Shape> int64_t slope_place() { return place<Shape>(fuseprop::Slopes()); }
template <class Shape> int64_t loss_place() { return place<Shape>(fuseprop::Losses()); }
template <class Shape> int64_t update_place() { return place<Shape>(fuseprop::Updates()); }

// A formula as the engine takes it, but for the dtype of its numbers.
struct Told {
  int64_t kernel = -1;
  std::vector<double> numbers;
  std::vector<int32_t> code;
};

// Code of the interpreter: {operation, to, operands ...} one after the other.
inline int32_t op(Operation operation) { return int32_t(operation); }

struct Activation {
  std::string name;
  Told value, slope;
  bool is_identity, of_sum;
  double (*f)(double z);
  double (*derivative)(double z, double y);
};

struct Loss {
  std::string name;
  Told told;
  double (*term)(double y, double t);
  double (*slope)(double y, double t);
};

struct Update {
  std::string name;
  Told told;
  int moments;
  std::vector<double> settings; // without the decay
  bool squares;                 // the second moment is of squares
  void (*step)(double& w, double g, double* m, const double* s);
};

inline double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }
inline double signed_one(double z) { return z > 0 ? 1 : z < 0 ? -1 : z == 0 ? 0 : z; }
inline double larger(double a, double b) { return a > b || a != a ? a : b; }
inline double smaller(double a, double b) { return a < b || a != a ? a : b; }

inline const Activation& activation(const std::string& name) {
  using namespace fuseprop;
  constexpr double SCALE = 0.7978845608028654, CUBE = 0.044715;
  static const std::vector<Activation> ALL = {
      {"identity", {}, {}, true, false, [](double z) { return z; }, [](double, double) { return 1.0; }},
      {"sigmoid", {value_place<SigmoidValue>(), {0, 1}, {}}, {slope_place<SigmoidSlope>(), {1}, {}}, false, false,
       sigmoid, [](double, double y) { return y * (1 - y); }},
      {"tanh", {value_place<TanhValue>(), {}, {}}, {slope_place<TanhSlope>(), {1}, {}}, false, false,
       [](double z) { return std::tanh(z); }, [](double, double y) { return 1 - y * y; }},
      {"relu", {value_place<ReluValue>(), {0}, {}}, {slope_place<ReluSlope>(), {}, {}}, false, false,
       [](double z) { return larger(z, 0); }, [](double, double y) { return signed_one(y); }},
      {"leaky", {value_place<LeakyReluValue>(), {0.125}, {}}, {slope_place<LeakyReluSlope>(), {0.125}, {}}, false,
       false, [](double z) { return larger(z, 0.125 * z); }, [](double, double y) { return larger(signed_one(y), 0.125); }},
      {"gelu", {value_place<GeluValue>(), {0.5, 1, SCALE, CUBE}, {}},
       {slope_place<GeluSlope>(), {SCALE, CUBE, 0.5, 1, 0.5, SCALE, SCALE * CUBE, 2, 1}, {}}, false, true,
       [](double z) { return 0.5 * z * (1 + std::tanh(SCALE * (z + CUBE * z * z * z))); },
       [](double z, double) {
         const double t = std::tanh(SCALE * (z + CUBE * z * z * z));
         return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * SCALE * (1 + 3 * CUBE * z * z);
       }},
      {"silu", {value_place<SiluValue>(), {0, 1}, {}}, {slope_place<SiluSlope>(), {0, 1, 1}, {}}, false, true,
       [](double z) { return z * sigmoid(z); },
       [](double z, double) { return sigmoid(z) + z * sigmoid(z) * (1 - sigmoid(z)); }},
      // 0.75 tanh(z) + (log1p(z) where z > 0, else expm1(z)): given are z; numbers 1, 2; registers 3, 4, 5
      {"user", {-1, {0.75, 0},
                {1, 0, 3, 0, 0, op(Operation::tanh), 3, 0, op(Operation::multiply), 3, 3, 1, op(Operation::maximum), 4, 0, 2,
                 op(Operation::log1p), 4, 4, op(Operation::minimum), 5, 0, 2, op(Operation::expm1), 5, 5,
                 op(Operation::where_greater), 4, 0, 2, 4, 5, op(Operation::add), 0, 3, 4}},
       // given are the gradient and z; numbers 2, 3, 4; registers 5, 6, 7
       {-1, {0.75, 1, 0},
        {2, 0, 3, 0, 0, op(Operation::tanh), 5, 1, op(Operation::multiply), 5, 5, 5, op(Operation::subtract), 5, 3, 5,
         op(Operation::multiply), 5, 5, 2, op(Operation::maximum), 6, 1, 4, op(Operation::add), 6, 6, 3,
         op(Operation::divide), 6, 3, 6, op(Operation::minimum), 7, 1, 4, op(Operation::exp), 7, 7,
         op(Operation::where_greater), 6, 1, 4, 6, 7, op(Operation::add), 5, 5, 6, op(Operation::multiply), 0, 0, 5}},
       false, true, [](double z) { return 0.75 * std::tanh(z) + (z > 0 ? std::log1p(z) : std::expm1(z)); },
       [](double z, double) {
         const double t = std::tanh(z);
         return 0.75 * (1 - t * t) + (z > 0 ? 1 / (1 + z) : std::exp(z));
       }},
  };
  for (const Activation& one : ALL)
    if (one.name == name) return one;
  std::abort();
}

inline const Loss& loss(const std::string& name) {
  using namespace fuseprop;
  static const std::vector<Loss> ALL = {
      {"squares", {loss_place<HalfSquaredErrorLoss>(), {0.5}, {}}, [](double y, double t) { return 0.5 * (y - t) * (y - t); },
       [](double y, double t) { return y - t; }},
      {"logistic", {loss_place<SigmoidCrossEntropyLoss>(), {0, 1}, {}},
       [](double y, double t) { return std::log1p(std::exp(-std::fabs(y))) + ((y >= 0) - t) * y; },
       [](double y, double t) { return sigmoid(y) - t; }},
      {"huber", {loss_place<HuberLoss>(), {0.75, 0.5, -0.75, 0.75}, {}},
       [](double y, double t) {
         const double e = std::fabs(y - t), s = smaller(e, 0.75);
         return s * (e - 0.5 * s);
       },
       [](double y, double t) { return smaller(larger(y - t, -0.75), 0.75); }},
      // sqrt(1 + (y - t)^2) - 1: given are y, t, the term and its slope; number 4; registers 5, 6
      {"user", {-1, {1},
                {4, 0, 2, 0, 0, op(Operation::subtract), 5, 0, 1, op(Operation::multiply), 6, 5, 5, op(Operation::add), 6, 6, 4,
                 op(Operation::sqrt), 6, 6, op(Operation::divide), 3, 5, 6, op(Operation::subtract), 2, 6, 4}},
       [](double y, double t) { return std::sqrt(1 + (y - t) * (y - t)) - 1; },
       [](double y, double t) { return (y - t) / std::sqrt(1 + (y - t) * (y - t)); }},
  };
  for (const Loss& one : ALL)
    if (one.name == name) return one;
  std::abort();
}

inline const Update& update_rule(const std::string& name) {
  using namespace fuseprop;
  static const std::vector<Update> ALL = {
      {"momentum", {update_place<MomentumUpdate>(), {}, {}}, 1, {0.125, 0.875}, false,
       [](double& w, double g, double* m, const double* s) { w += m[0] = s[1] * m[0] - s[0] * g; }},
      {"nesterov", {update_place<NesterovUpdate>(), {}, {}}, 1, {0.125, 0.875}, false,
       [](double& w, double g, double* m, const double* s) {
         m[0] = s[1] * m[0] - s[0] * g;
         w += s[1] * m[0] - s[0] * g;
       }},
      {"adam", {update_place<AdamUpdate>(), {1, 1}, {}}, 2, {0.03125, 0.875, 0.96875, 0.0625}, true,
       [](double& w, double g, double* m, const double* s) {
         m[0] = s[1] * m[0] + (1 - s[1]) * g;
         m[1] = s[2] * m[1] + (1 - s[2]) * g * g;
         w -= s[0] * m[0] / (std::sqrt(m[1]) + s[3]);
       }},
      // without moments: w - s0 g
      {"plain", {-1, {}, {2, 1, 1, 0, 0, op(Operation::multiply), 3, 2, 1, op(Operation::subtract), 0, 0, 3}}, 0, {0.25}, false,
       [](double& w, double g, double*, const double* s) { w -= s[0] * g; }},
      {"none", {}, 0, {}, false, [](double&, double, double*, const double*) {}},
      // m0 = s1 m0 + (1 - s1) g, m1 = max(s1 m1, |g|), w - s0 m0 / (m1 + 1/16): given are w, g, m0, m1; settings 4, 5;
      // numbers 6, 7; made is 8, 1 - s1; register 9
      {"user", {-1, {0.0625, 1},
                {4, 2, 1, 1, 4, op(Operation::subtract), 8, 7, 5, op(Operation::multiply), 9, 8, 1,
                 op(Operation::multiply_add), 2, 2, 5, 9, op(Operation::abs), 9, 1, op(Operation::multiply), 3, 3, 5,
                 op(Operation::maximum), 3, 3, 9, op(Operation::multiply), 9, 2, 4, op(Operation::add_into), 9, 3, 6, 9,
                 op(Operation::subtract), 0, 0, 9}},
       2, {0.0625, 0.875}, true,
       [](double& w, double g, double* m, const double* s) {
         m[0] = s[1] * m[0] + (1 - s[1]) * g;
         m[1] = larger(s[1] * m[1], std::fabs(g));
         w -= s[0] * m[0] / (m[1] + 0.0625);
       }},
  };
  for (const Update& one : ALL)
    if (one.name == name) return one;
  std::abort();
}

} // namespace driver
