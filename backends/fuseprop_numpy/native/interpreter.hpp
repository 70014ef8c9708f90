// Formulas that no struct of formulas.hpp has, such as a user's own: run operation by operation over tiles.
//
// A tile is so long that reading an operation costs little, and so short that all of them stay in the nearest
// cache. Every operation is that of vectors.hpp and functions.hpp, so that the bits are those of a struct.
//
// The code: {given, settings, registers, made, length} and then the operations, each {operation, to, operands ...}.
// Numbered through are the arrays that are given, which are read and written, the settings, the constants, the numbers
// that are made of both, and the registers. The first `length` integers are the operations that make numbers: they are
// done once, and not over a tile. Whoever writes the code keeps to the limits below, reads no register before it is
// written, and no array after.
#pragma once

#include "elementwise.hpp"
#include "trigonometry.hpp"

namespace fuseprop {

constexpr int MOST_GIVEN = 8, MOST_NUMBERS = 128, MOST_REGISTERS = 32;

// Two operations at a time, the second of p q and r: multiply_add is p q + r, multiply_from is r - p q, and add_into
// is r / (p + q). Each is rounded, as by itself; what is between them is stored nowhere.
#define FUSEPROP_PAIRS(X, first) \
  X(first##_add) X(first##_subtract) X(first##_from) X(first##_multiply) X(first##_divide) X(first##_into)

// By operation its number of operands. where_greater(a, b, x, y) is x where a > b, else y.
#define FUSEPROP_OPERATIONS(X) \
  X(copy) X(add) X(subtract) X(multiply) X(divide) X(negative) X(abs) X(exp) X(expm1) X(log) X(log1p) X(sin) X(cos) \
  X(sqrt) X(tanh) X(sign) X(maximum) X(minimum) X(greater) X(greater_equal) X(equal) X(where_greater) \
  X(where_greater_equal) X(where_equal) FUSEPROP_PAIRS(X, add) FUSEPROP_PAIRS(X, subtract) \
  FUSEPROP_PAIRS(X, multiply) FUSEPROP_PAIRS(X, divide)

enum class Operation : int32_t {
#define FUSEPROP_NAME(name) name,
  FUSEPROP_OPERATIONS(FUSEPROP_NAME)
#undef FUSEPROP_NAME
};

template <class T> class Interpreter {
public:
  using V = Vec<T, WIDTH<T>>;

  Interpreter(const Formula& formula, const T* settings = nullptr)
      : code_(formula.code + 5 + formula.code[4]), end_(formula.code + formula.code_length) {
    const int32_t *sizes = formula.code;
    Operand* next = operands_ + sizes[0];
    V* number = numbers_;
    const auto put = [&](const T* numbers, long count) {
      for (long i = 0; i < count; i++) *number = broadcast<V>(numbers[i]), *next++ = {(T*)number++, 0};
    };
    put(settings, sizes[1]);
    put((const T*)formula.constants, formula.constant_count);
    for (long i = 0; i < sizes[3]; i++) *next++ = {(T*)number++, 0};
    for (long i = 0; i < sizes[2]; i++) *next++ = {registers_ + i * TILE<T>, -1};
    run(sizes + 5, code_, WIDTH<T>);
  }
  Interpreter(const Interpreter&) = delete;

  void give(int place, T* array) { operands_[place] = {array, -1}; }

  // Runs it over that many numbers, at most a tile of them, and whole vectors.
  void run(long count) const { run(code_, end_, count); }

private:
  struct Operand {
    T* array;
    long mask; // of the place in the array: 0 for a number
    FUSEPROP_INLINE V at(long i) const { return load<V>(array + (i & mask)); }
  };

  void run(const int32_t* at, const int32_t* end, long count) const {
    while (at < end) {
      const Operand a = operands_[at[2]];
      T* const to = operands_[at[1]].array;
      const auto one = [&](auto f) __attribute__((always_inline)) {
        for (long i = 0; i < count; i += WIDTH<T>) store(to + i, f(a.at(i)));
        at += 3;
      };
      const auto two = [&](auto f) __attribute__((always_inline)) {
        const Operand b = operands_[at[3]];
        if (!b.mask) {
          const V q = load<V>(b.array);
          for (long i = 0; i < count; i += WIDTH<T>) store(to + i, f(load<V>(a.array + i), q));
        } else if (!a.mask) {
          const V p = load<V>(a.array);
          for (long i = 0; i < count; i += WIDTH<T>) store(to + i, f(p, load<V>(b.array + i)));
        } else
          for (long i = 0; i < count; i += WIDTH<T>) store(to + i, f(load<V>(a.array + i), load<V>(b.array + i)));
        at += 4;
      };
      const auto three = [&](auto f) __attribute__((always_inline)) {
        const Operand b = operands_[at[3]], c = operands_[at[4]];
        for (long i = 0; i < count; i += WIDTH<T>) store(to + i, f(a.at(i), b.at(i), c.at(i)));
        at += 5;
      };
      const auto where = [&](auto holds) __attribute__((always_inline)) {
        const Operand b = operands_[at[3]], x = operands_[at[4]], y = operands_[at[5]];
        for (long i = 0; i < count; i += WIDTH<T>)
          store(to + i, choose<V>(holds(a.at(i), b.at(i)), x.at(i), y.at(i)));
        at += 6;
      };
#define FUSEPROP_CASE(name, kind, made, ...) \
  case Operation::name: kind([](__VA_ARGS__) __attribute__((always_inline)) { return made; }); break;
#define FUSEPROP_ONE(name, made) FUSEPROP_CASE(name, one, V(made), V p)
#define FUSEPROP_TWO(name, made) FUSEPROP_CASE(name, two, V(made), V p, V q)
#define FUSEPROP_WHERE(name, held) FUSEPROP_CASE(name, where, held, V p, V q)
#define FUSEPROP_THREE(name, made) FUSEPROP_CASE(name, three, V(made), V p, V q, V r)
#define FUSEPROP_PAIR(first, made) \
  FUSEPROP_THREE(first##_add, (made) + r) \
  FUSEPROP_THREE(first##_subtract, (made) - r) \
  FUSEPROP_THREE(first##_from, r - (made)) \
  FUSEPROP_THREE(first##_multiply, (made) * r) \
  FUSEPROP_THREE(first##_divide, (made) / r) \
  FUSEPROP_THREE(first##_into, r / (made))
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
        FUSEPROP_ONE(sin, fuseprop::sin(p))
        FUSEPROP_ONE(cos, fuseprop::cos(p))
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
        FUSEPROP_PAIR(add, p + q)
        FUSEPROP_PAIR(subtract, p - q)
        FUSEPROP_PAIR(multiply, p * q)
        FUSEPROP_PAIR(divide, p / q)
      }
#undef FUSEPROP_CASE
#undef FUSEPROP_ONE
#undef FUSEPROP_TWO
#undef FUSEPROP_WHERE
#undef FUSEPROP_THREE
#undef FUSEPROP_PAIR
    }
  }

  const int32_t *code_, *end_;
  Operand operands_[MOST_GIVEN + MOST_NUMBERS + MOST_REGISTERS];
  V numbers_[MOST_NUMBERS];
  alignas(64) T registers_[MOST_REGISTERS * TILE<T>];
};

} // namespace fuseprop
