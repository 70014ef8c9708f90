// The networks of the driver: what each is, and the numbers it begins with, made from its seed.
#pragma once

#include <cmath>
#include <limits>

#include "told.hpp"

namespace driver {

// Where a step's rows come from.
enum Rows { GATHERED, SENT, IN_PLACE }; // by an order; into a buffer, by a chore; the same ones in every step
// TINY: weights so small that outputs are next to nothing
// NAN_BIAS: one of the last layer's; INFINITE_WEIGHT: the first, which makes NaN of rows that are not there alone
enum Odd { NOTHING, NANS, INFINITIES, DENORMALS, TINY, NAN_BIAS, INFINITE_WEIGHT };

struct Network {
  std::string name;
  std::vector<long> sizes;
  long rows;
  std::vector<std::string> activations; // of the layers, the last one's last; those before repeat
  std::string loss;                     // "softmax", or of rows
  std::string update = "momentum";
  Rows from = GATHERED;
  fuseprop::HitKind hits = fuseprop::NO_HITS;
  std::vector<double> drops = {}; // rates of the layers; 0 where none follows
  double decay = 0, limit = 0;    // limit: of the gradients' norm, 0 where they are not clipped
  bool weighted = false;          // each row by a weight of its own, gathered as the rows
  bool watched = false;           // outputs are kept, and values, gradients and sums of squares after every step
  Odd odd = NOTHING;
  double loss_factor = 1;
  long steps = 4;
  bool keeps = false; // z, f(z) and dL/dz of each layer
  bool reduces = false; // another process has the same gradients, to which they are added
};

// With the update "none" gradients alone are computed.
inline bool learns(const Network& network) { return network.update != "none"; }

// A forward pass of a network, of all rows that there are; its loss may be "none".
struct Forward {
  Network of;
  std::string link = "none"; // or "softmax", or an activation
  bool tells_outputs = true;
};

// Numbers from a seed, the same on every machine.
class Numbers {
public:
  explicit Numbers(uint64_t seed) : state(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint64_t whole(uint64_t below) { return (next() >> 11) % below; }
  double between(double low, double high) { return low + (high - low) * double(next() >> 11) / 9007199254740992.0; }

private:
  uint64_t state;
  uint64_t next() {
    uint64_t x = state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }
};

// All that a network begins with, as T.
template <class T> struct Start {
  long count;                  // rows in all
  std::vector<long> offsets;   // of the layers' blocks
  std::vector<T> x, target, row_weights, values, moments, settings;
  std::vector<int64_t> labels, order, setting_order;

  Start(const Network& network, uint64_t seed, const Update& update) {
    Numbers numbers(seed);
    const std::vector<long>& sizes = network.sizes;
    const long layers = long(sizes.size()) - 1, k = sizes.back(), width = sizes[0], M = network.rows;
    count = M * network.steps + 3;
    long parameters = 0;
    for (long i = 0; i < layers; i++) {
      offsets.push_back(parameters);
      const double most = std::sqrt(3.0 / double(sizes[i]));
      for (long j = 0; j < (sizes[i] + 1) * sizes[i + 1]; j++) values.push_back(T(numbers.between(-most, most)));
      parameters = long(values.size());
    }
    for (int m = 0; m < update.moments; m++)
      for (long j = 0; j < parameters; j++)
        moments.push_back(T(m && update.squares ? numbers.between(0, 0.01) : numbers.between(-0.01, 0.01)));
    for (long i = 0; i < count * width; i++) x.push_back(T(numbers.between(-1.5, 1.5)));
    for (long i = 0; i < count; i++) {
      labels.push_back(int64_t(numbers.whole(uint64_t(k))));
      // of classes where hits tell them; else numbers on both sides of 0.5, some in [0, 1]
      for (long j = 0; j < k; j++)
        target.push_back(network.hits == fuseprop::ARGMAX_EQUALS ? T(labels.back() == j) : T(numbers.between(-0.25, 1.25)));
      row_weights.push_back(T(network.weighted ? numbers.between(0, 2.0 / double(M)) : 1 / double(M)));
      order.push_back(i);
    }
    for (long i = count - 1; i > 0; i--) std::swap(order[i], order[numbers.whole(uint64_t(i + 1))]);
    // Settings of their own for every step, as a schedule has them; they end with the decay.
    for (long i = 0; i < network.steps; i++) {
      for (size_t s = 0; s < update.settings.size(); s++) settings.push_back(T(update.settings[s] * (s ? 1 : 1 - 0.125 * double(i))));
      settings.push_back(T(network.decay));
      setting_order.push_back(i);
    }
    if (network.odd == NAN_BIAS)
      values[values.size() - size_t(k / 2) - 1] = std::numeric_limits<T>::quiet_NaN();
    else if (network.odd == INFINITE_WEIGHT)
      values[0] = std::numeric_limits<T>::infinity();
    else if (network.odd == TINY)
      for (T& value : values) value *= 8 * std::numeric_limits<T>::min();
    else if (network.odd != NOTHING) {
      const T odd = network.odd == NANS         ? std::numeric_limits<T>::quiet_NaN()
                    : network.odd == INFINITIES ? std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::denorm_min() * 37;
      // A row of the last step, and with denormals of every step; in between finite numbers
      for (long step = network.odd == DENORMALS ? 0 : network.steps - 1; step < network.steps; step++)
        for (long j = 0; j < width; j += 2) x[order[step * M + M / 2] * width + j] = j % 4 ? -odd : odd;
      if (network.odd == DENORMALS)
        for (T& moment : moments) moment = odd;
    }
  }
};

inline std::vector<Network> networks(bool all) {
  using fuseprop::ARGMAX_EQUALS;
  using fuseprop::THRESHOLD_EQUALS;
  std::vector<Network> made = {
      {"smallest", {2, 8, 1}, 4, {"sigmoid", "sigmoid"}, "squares", "momentum", IN_PLACE, THRESHOLD_EQUALS},
      {"one-layer", {5, 1}, 1, {"identity"}, "user", "plain"},
      {"classes", {33, 47, 19, 3}, 77, {"tanh", "sigmoid", "identity"}, "softmax", "momentum", GATHERED, ARGMAX_EQUALS, {}, 0.0625, 0, true},
      {"clipped", {300, 33, 9}, 45, {"relu", "identity"}, "squares", "momentum", GATHERED, ARGMAX_EQUALS, {}, 0.03125, 0.25, true, true},
      // Sums of squares whose rounding shows in the norm, though a root halves it: one behind the other, and of many units.
      // Row 64 of the first and row 128 of the second begin a unit with nothing but the biases.
      {"clipped-64", {64, 1}, 70, {"identity"}, "squares", "momentum", GATHERED, THRESHOLD_EQUALS, {}, 0, 0.125, true, true, NOTHING, 1, 8},
      {"clipped-128", {128, 1}, 70, {"tanh"}, "squares", "nesterov", GATHERED, THRESHOLD_EQUALS, {}, 0.03125, 0.125, true, false, NOTHING, 1, 8},
      {"clipped-2000", {2000, 1}, 35, {"identity"}, "squares", "momentum", SENT, THRESHOLD_EQUALS, {}, 0, 0.5, false, false, NOTHING, 1, 8},
      {"within", {19, 24, 5}, 24, {"tanh", "sigmoid"}, "logistic", "nesterov", SENT, THRESHOLD_EQUALS, {}, 0.03125, 1e6, false, true},
      {"dropping", {21, 40, 17, 6}, 50, {"gelu", "tanh", "identity"}, "softmax", "adam", GATHERED, ARGMAX_EQUALS, {0.25, 0.5}, 0.03125, 0, true, true},
      {"deep", {7, 9, 16, 11, 8, 23, 4}, 37, {"user", "silu", "leaky", "tanh", "identity", "silu"}, "huber", "user", SENT, THRESHOLD_EQUALS, {0, 0.25, 0, 0.125, 0.5}, 0.03125, 0, true, true, NOTHING, 0.5},
      {"nan", {11, 18, 10}, 29, {"relu", "identity"}, "softmax", "adam", GATHERED, ARGMAX_EQUALS, {}, 0, 0, false, true, NANS},
      {"nan-score", {11, 18, 5}, 29, {"tanh", "identity"}, "squares", "momentum", GATHERED, ARGMAX_EQUALS, {}, 0, 0, false, true, NAN_BIAS},
      {"infinite", {11, 18, 10}, 29, {"tanh", "user"}, "squares", "momentum", GATHERED, THRESHOLD_EQUALS, {}, 0, 1, false, true, INFINITIES},
      {"infinite-weight", {6, 10, 3}, 13, {"tanh", "identity"}, "squares", "momentum", GATHERED, fuseprop::NO_HITS, {}, 0, 0, false, true, INFINITE_WEIGHT},
      {"denormal", {9, 13, 5}, 22, {"sigmoid", "identity"}, "softmax", "momentum", GATHERED, ARGMAX_EQUALS, {}, 0, 0, false, true, DENORMALS},
  };
  const auto keeping = [&](Network one) { one.keeps = true, made.push_back(one); };
  const auto reducing = [&](Network one) { one.reduces = true, made.push_back(one); };
  reducing({"reducing", {33, 20, 65, 7}, 41, {"tanh", "gelu", "identity"}, "softmax", "adam", GATHERED, ARGMAX_EQUALS, {0.25}, 0.03125, 0, true, true});
  reducing({"reducing-clipped", {70, 33, 9}, 45, {"relu", "identity"}, "squares", "momentum", SENT, ARGMAX_EQUALS, {}, 0.03125, 0.25, true, true});
  reducing({"reducing-one", {1, 1}, 9, {"sigmoid"}, "squares", "user", IN_PLACE, THRESHOLD_EQUALS});
  keeping({"gradient", {33, 20, 65, 7}, 41, {"tanh", "gelu", "identity"}, "softmax", "none", IN_PLACE, ARGMAX_EQUALS, {}, 0, 0, true});
  keeping({"gradient-one", {1, 1}, 9, {"sigmoid"}, "squares", "none", SENT, THRESHOLD_EQUALS, {}, 0, 0, false, true});
  keeping({"gradient-dropping", {17, 31, 9, 3}, 70, {"user", "relu", "leaky"}, "huber", "none", GATHERED, fuseprop::NO_HITS, {0.25, 0.5}, 0, 0, true, true});
  keeping({"keeping", {8, 15, 32, 2}, 36, {"silu", "tanh", "identity"}, "logistic", "adam", GATHERED, THRESHOLD_EQUALS, {0, 0.25}, 0.03125, 0.5, true, true});
  if (!all) return made;
  // Shapes drawn, and everything else with them.
  Numbers numbers(18);
  const char* const kinds[] = {"sigmoid", "tanh", "relu", "leaky", "gelu", "silu", "user", "identity"};
  const char* const losses[] = {"softmax", "squares", "logistic", "huber", "user"};
  const char* const updates[] = {"momentum", "nesterov", "adam", "plain", "user"};
  for (int i = 0; i < 40; i++) {
    Network one;
    one.name = "drawn-" + std::to_string(i);
    const long layers = 1 + long(numbers.whole(6)), most = layers > 3 ? 60 : 200;
    for (long j = 0; j <= layers; j++) one.sizes.push_back(1 + long(numbers.whole(uint64_t(j == layers ? 40 : most))));
    one.rows = 1 + long(numbers.whole(uint64_t(most)));
    one.loss = losses[numbers.whole(5)];
    for (long j = 0; j < layers; j++) one.activations.push_back(kinds[numbers.whole(8)]);
    if (one.loss == "softmax" || one.loss == "logistic") one.activations.back() = "identity";
    one.update = updates[numbers.whole(5)];
    one.from = Rows(numbers.whole(3));
    one.hits = one.loss == "softmax" ? ARGMAX_EQUALS : fuseprop::HitKind(numbers.whole(3));
    for (long j = 0; j + 1 < layers; j++) one.drops.push_back(numbers.whole(3) ? 0 : numbers.between(0, 0.75));
    one.decay = numbers.whole(2) ? 0.03125 : 0;
    one.limit = numbers.whole(2) ? numbers.between(0.01, 1) : 0;
    one.weighted = numbers.whole(2), one.watched = numbers.whole(2);
    one.loss_factor = one.loss == "softmax" ? 1 : 1 / double(one.sizes.back());
    one.steps = 3;
    if (i % 5 == 4) one.update = "none", one.limit = 0;
    one.keeps = i % 3 == 1;
    one.reduces = learns(one) && i % 4 == 1;
    made.push_back(one);
  }
  return made;
}

inline std::vector<Forward> forwards(bool all) {
  using fuseprop::ARGMAX_EQUALS;
  using fuseprop::NO_HITS;
  using fuseprop::THRESHOLD_EQUALS;
  constexpr long ROWS = 147; // 3 more come
  std::vector<Forward> made;
  const auto add = [&](const char* name, std::vector<long> sizes, std::vector<std::string> activations, const char* loss, fuseprop::HitKind hits, const char* link, bool tells = true, Odd odd = NOTHING) {
    Network one{name, sizes, ROWS, activations, loss, "none", IN_PLACE, hits};
    one.odd = odd, one.steps = 1, one.loss_factor = loss == std::string("huber") ? 0.5 : 1;
    made.push_back({one, link, tells});
  };
  add("forward-one", {1, 1}, {"identity"}, "none", NO_HITS, "none");
  add("forward-narrow", {7, 8, 9, 15}, {"tanh", "sigmoid", "identity"}, "softmax", ARGMAX_EQUALS, "softmax");
  add("forward-odd", {16, 17, 31, 1}, {"relu", "user", "identity"}, "logistic", THRESHOLD_EQUALS, "sigmoid");
  add("forward-wide", {32, 33, 65, 2}, {"gelu", "silu", "leaky"}, "huber", THRESHOLD_EQUALS, "none");
  add("forward-few-in", {1, 130, 3, 8}, {"tanh", "identity", "user"}, "user", NO_HITS, "user");
  add("forward-link", {9, 64, 16}, {"sigmoid", "identity"}, "none", NO_HITS, "softmax");
  add("forward-judged", {5, 7, 33}, {"user", "tanh"}, "squares", THRESHOLD_EQUALS, "none", false);
  add("forward-hits", {40, 24, 10}, {"relu", "identity"}, "none", ARGMAX_EQUALS, "none");
  add("forward-thresholds", {3, 5}, {"identity"}, "none", THRESHOLD_EQUALS, "tanh");
  add("forward-losses", {129, 4}, {"identity"}, "softmax", NO_HITS, "none", false);
  add("forward-nan", {11, 18, 10}, {"relu", "identity"}, "softmax", ARGMAX_EQUALS, "softmax", true, NANS);
  add("forward-nan-score", {11, 18, 5}, {"tanh", "identity"}, "squares", ARGMAX_EQUALS, "none", true, NAN_BIAS);
  add("forward-infinite", {11, 18, 9}, {"tanh", "user"}, "squares", THRESHOLD_EQUALS, "none", true, INFINITIES);
  add("forward-infinite-weight", {6, 10, 3}, {"tanh", "identity"}, "squares", NO_HITS, "none", true, INFINITE_WEIGHT);
  add("forward-denormal", {9, 13, 5}, {"sigmoid", "identity"}, "none", NO_HITS, "none", true, DENORMALS);
  add("forward-tiny", {5, 9}, {"identity"}, "none", NO_HITS, "none", true, TINY);
  if (!all) return made;
  Numbers numbers(19);
  const char* const kinds[] = {"sigmoid", "tanh", "relu", "leaky", "gelu", "silu", "user", "identity"};
  const char* const losses[] = {"softmax", "squares", "logistic", "huber", "user", "none"};
  const char* const links[] = {"none", "softmax", "sigmoid", "user"};
  for (int i = 0; i < 40; i++) {
    const long layers = 1 + long(numbers.whole(4));
    std::vector<long> sizes;
    std::vector<std::string> activations;
    for (long j = 0; j <= layers; j++) sizes.push_back((j == layers ? 2 : 1) + long(numbers.whole(j % 2 ? 20 : 70)));
    for (long j = 0; j < layers; j++) activations.push_back(kinds[numbers.whole(8)]);
    const char* const loss = losses[numbers.whole(6)];
    if (loss == losses[0] || loss == losses[2]) activations.back() = "identity";
    const bool tells = numbers.whole(3) || loss == losses[5]; // hits alone are those of the other dtype too
    const fuseprop::HitKind hits = fuseprop::HitKind(numbers.whole(3));
    add(("forward-drawn-" + std::to_string(i)).c_str(), sizes, activations, loss, loss == losses[0] && hits ? ARGMAX_EQUALS : hits, tells ? links[numbers.whole(4)] : "none", tells);
  }
  return made;
}

// Whether the weights of that layer decay.
inline bool decays(long layer) { return layer % 3 != 1; }
inline uint32_t dropout_seed(long layer) { return 0x9e3779b9u * uint32_t(layer + 1); }
constexpr long FIRST_DROPOUT_STEP = 5;
constexpr double SCORE_THRESHOLD = 0.375, TARGET_THRESHOLD = 0.5;

} // namespace driver
