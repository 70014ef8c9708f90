// Formulas that no struct of formulas.hpp has, such as a user's own: run operation by operation over tiles.
//
// A tile is so long that reading an operation costs little, and so short that all of them stay in the nearest
// cache. Every operation is that of vectors.hpp and functions.hpp, so that the bits are those of a struct.
//
// The code: {given, settings, registers} and then the operations, each {operation, to, operands ...}. Numbered
// through are the arrays that are given, which are read and written, the settings, the constants, and the registers.
// Whoever writes the code keeps to the limits below, reads no register before it is written, and no array after.
#pragma once

#include "functions.hpp"
#include "interface.hpp"

namespace fuseprop {

constexpr int MOST_GIVEN = 8, MOST_NUMBERS = 128, MOST_REGISTERS = 32;

template <class T> constexpr long TILE = 1024 / sizeof(T);

// By operation its number of operands. where_greater(a, b, x, y) is x where a > b, else y.
#define FUSEPROP_OPERATIONS(X) \
  X(copy) X(add) X(subtract) X(multiply) X(divide) X(negative) X(abs) X(exp) X(expm1) X(log) X(log1p) X(sqrt) \
  X(tanh) X(sign) X(maximum) X(minimum) X(greater) X(greater_equal) X(equal) X(where_greater) \
  X(where_greater_equal) X(where_equal)

enum class Operation : int32_t {
#define FUSEPROP_NAME(name) name,
  FUSEPROP_OPERATIONS(FUSEPROP_NAME)
#undef FUSEPROP_NAME
};

template <class T> class Interpreter {
public:
  using V = Vec<T, WIDTH<T>>;

  Interpreter(const Formula& formula, const T* settings = nullptr)
      : code_(formula.code + 3), end_(formula.code + formula.code_length) {
    const int32_t *sizes = formula.code;
    Operand* next = operands_ + sizes[0];
    const auto put = [&](const T* numbers, long count, V* to) {
      for (long i = 0; i < count; i++) {
        to[i] = broadcast<V>(numbers[i]);
        *next++ = {(T*)&to[i], 0};
      }
    };
    put(settings, sizes[1], numbers_);
    put((const T*)formula.constants, formula.constant_count, numbers_ + sizes[1]);
    for (long i = 0; i < sizes[2]; i++) *next++ = {registers_ + i * TILE<T>, -1};
  }
  Interpreter(const Interpreter&) = delete;

  void give(int place, T* array) { operands_[place] = {array, -1}; }

  // Runs it over that many numbers, at most a tile of them, and whole vectors.
  void run(long count) const {
    for (const int32_t* at = code_; at < end_;) {
      const Operand a = operands_[at[2]];
      T* const to = operands_[at[1]].array;
      const auto one = [&](auto f) __attribute__((always_inline)) {
        for (long i = 0; i < count; i += WIDTH<T>) store(to + i, f(load<V>(a.array + (i & a.mask))));
        at += 3;
      };
      const auto two = [&](auto f) __attribute__((always_inline)) {
        const Operand b = operands_[at[3]];
        for (long i = 0; i < count; i += WIDTH<T>)
          store(to + i, f(load<V>(a.array + (i & a.mask)), load<V>(b.array + (i & b.mask))));
        at += 4;
      };
      const auto where = [&](auto holds) __attribute__((always_inline)) {
        const Operand b = operands_[at[3]], x = operands_[at[4]], y = operands_[at[5]];
        for (long i = 0; i < count; i += WIDTH<T>)
          store(to + i, choose<V>(holds(load<V>(a.array + (i & a.mask)), load<V>(b.array + (i & b.mask))),
                                  load<V>(x.array + (i & x.mask)), load<V>(y.array + (i & y.mask))));
        at += 6;
      };
#define FUSEPROP_CASE(name, kind, made, ...) \
  case Operation::name: kind([](__VA_ARGS__) __attribute__((always_inline)) { return made; }); break;
#define FUSEPROP_ONE(name, made) FUSEPROP_CASE(name, one, V(made), V p)
#define FUSEPROP_TWO(name, made) FUSEPROP_CASE(name, two, V(made), V p, V q)
#define FUSEPROP_WHERE(name, held) FUSEPROP_CASE(name, where, held, V p, V q)
      switch (Operation(*at)) {
        FUSEPROP_ONE(copy, p)
        FUSEPROP_TWO(add, p + q)
        FUSEPROP_TWO(subtract, p - q)
        FUSEPROP_TWO(multiply, p * q)
        FUSEPROP_TWO(divide, p / q)
        FUSEPROP_ONE(negative, -p)
        FUSEPROP_ONE(abs, fuseprop::abs(p))
        FUSEPROP_ONE(exp, fuseprop::exp(p))
        FUSEPROP_ONE(expm1, fuseprop::expm1(p))
        FUSEPROP_ONE(log, fuseprop::log(p))
        FUSEPROP_ONE(log1p, fuseprop::log1p(p))
        FUSEPROP_ONE(sqrt, fuseprop::sqrt(p))
        FUSEPROP_ONE(tanh, fuseprop::tanh(p))
        FUSEPROP_ONE(sign, fuseprop::sign(p))
        FUSEPROP_TWO(maximum, fuseprop::maximum(p, q))
        FUSEPROP_TWO(minimum, fuseprop::minimum(p, q))
        FUSEPROP_TWO(greater, truth<V>(p > q))
        FUSEPROP_TWO(greater_equal, truth<V>(p >= q))
        FUSEPROP_TWO(equal, truth<V>(p == q))
        FUSEPROP_WHERE(where_greater, p > q)
        FUSEPROP_WHERE(where_greater_equal, p >= q)
        FUSEPROP_WHERE(where_equal, p == q)
      }
#undef FUSEPROP_CASE
#undef FUSEPROP_ONE
#undef FUSEPROP_TWO
#undef FUSEPROP_WHERE
    }
  }

private:
  struct Operand {
    T* array;
    long mask; // of the place in the array: 0 for a number
  };
  const int32_t *code_, *end_;
  Operand operands_[MOST_GIVEN + MOST_NUMBERS + MOST_REGISTERS];
  V numbers_[MOST_NUMBERS];
  alignas(64) T registers_[MOST_REGISTERS * TILE<T>];
};

} // namespace fuseprop
