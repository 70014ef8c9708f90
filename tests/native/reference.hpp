// Steps and forward passes in plain doubles, to be read: what the engine is to compute, but for rounding.
#pragma once

#include "networks.hpp"

namespace driver {

// What comes of a network, by name, in the order that the driver collects it in. A hit that rounding may decide is -1.
struct Result {
  std::string name;
  std::vector<double> numbers;
};

inline uint32_t mixed(uint32_t x, uint32_t key = 0) {
  x ^= x >> 16, x = 0x7feb352du * x + key, x ^= x >> 15, x = 0x846ca68bu * x;
  return x ^ (x >> 16);
}
inline bool kept(double rate, uint32_t seed, int64_t step, uint32_t element) {
  const uint32_t a = mixed(seed ^ mixed(uint32_t(step))), b = mixed(a ^ seed);
  return mixed(element ^ a, b) >= uint32_t(std::floor(rate * 4294967296.0));
}

// The number of row `i` of step `step`.
template <class T> long row_of(const Network& network, const Start<T>& start, long step, long i) {
  return network.from == IN_PLACE ? i : start.order[step * network.rows + i];
}

using Matrix = std::vector<double>;

// Added up more exactly than by the engine: of thousands of doubles one after the other the last digits are lost.
inline double square_sum(const Matrix& numbers) {
  long double sum = 0;
  for (const double number : numbers) sum += static_cast<long double>(number) * number;
  return double(sum);
}

// z (M, N) of rows x (M, K): weights (K, N), and the bias behind them.
inline Matrix weighted_sums(const Matrix& x, const double* weights, long M, long K, long N) {
  Matrix z;
  for (long i = 0; i < M; i++)
    for (long n = 0; n < N; n++) {
      double sum = weights[K * N + n];
      for (long f = 0; f < K; f++) sum += x[i * K + f] * weights[f * N + n];
      z.push_back(sum);
    }
  return z;
}

// The loss of a row, by how much it grows with each of the last outputs `at`, times a weight, and whether it is a hit.
struct Judged {
  double loss = 0;
  Matrix slopes;
  double hit = 0;
};
template <class T> Judged judged(const Network& network, const Start<T>& start, long row, double weight, const double* at) {
  const long k = network.sizes.back(), label = start.labels[row];
  const T* target = &start.target[row * k];
  Judged made;
  if (network.loss == "softmax") {
    double top = at[0], sum = 0;
    for (long j = 1; j < k; j++) top = larger(at[j], top);
    for (long j = 0; j < k; j++) sum += std::exp(at[j] - top);
    for (long j = 0; j < k; j++) made.slopes.push_back(weight * (std::exp(at[j] - top) / sum - (j == label)));
    made.loss = std::log(sum) - (at[label] - top);
  } else if (network.loss != "none") {
    const Loss& l = loss(network.loss);
    for (long j = 0; j < k; j++) {
      made.loss += network.loss_factor * l.term(at[j], target[j]);
      made.slopes.push_back(network.loss_factor * weight * l.slope(at[j], target[j]));
    }
  }
  double margin = 1;
  if (network.hits == fuseprop::ARGMAX_EQUALS) {
    long best = 0;
    for (long j = 1; j < k; j++)
      if (at[j] > at[best] || (at[j] != at[j] && at[best] == at[best])) best = j;
    for (long j = 0; j < k; j++)
      if (j != best) margin = smaller(margin, std::fabs(at[best] - at[j]));
    made.hit = best == label;
  } else if (network.hits == fuseprop::THRESHOLD_EQUALS) {
    made.hit = 1;
    for (long j = 0; j < k; j++) {
      if ((at[j] > SCORE_THRESHOLD) != (target[j] > TARGET_THRESHOLD)) made.hit = 0;
      margin = smaller(margin, std::fabs(at[j] - SCORE_THRESHOLD));
    }
  }
  if (margin < 1e-4) made.hit = -1;
  return made;
}

inline std::string kept_name(long number) {
  const char* const names[] = {"sums", "outputs", "deltas"};
  return std::string("kept ") + names[number % 3] + " of layer " + std::to_string(number / 3);
}

template <class T> std::vector<Result> expected(const Network& network, const Start<T>& start) {
  const std::vector<long>& sizes = network.sizes;
  const long layers = long(sizes.size()) - 1, M = network.rows, k = sizes.back(), P = long(start.values.size());
  const Update& rule = update_rule(network.update);
  Matrix w(start.values.begin(), start.values.end()), moments(start.moments.begin(), start.moments.end());
  std::vector<Matrix> kept_arrays(3 * layers);
  Matrix gradient(P), losses, hits, outputs, every_value, every_gradient, norms, squares;
  for (long step = 0; step < network.steps; step++) {
    // forward; y[i] are the rows into layer i, after dropout
    std::vector<Matrix> y(layers + 1), z(layers), before_dropout(layers);
    const auto mask = [&](long layer, long element) {
      const double rate = layer < long(network.drops.size()) ? network.drops[layer] : 0;
      return rate == 0 ? 1.0 : kept(rate, dropout_seed(layer), FIRST_DROPOUT_STEP + step, uint32_t(element)) ? 1 / (1 - rate) : 0.0;
    };
    for (long i = 0; i < M; i++)
      for (long f = 0; f < sizes[0]; f++) y[0].push_back(start.x[row_of(network, start, step, i) * sizes[0] + f]);
    for (long layer = 0; layer < layers; layer++) {
      const long N = sizes[layer + 1];
      z[layer] = weighted_sums(y[layer], &w[start.offsets[layer]], M, sizes[layer], N);
      for (long at = 0; at < M * N; at++) {
        before_dropout[layer].push_back(activation(network.activations[layer]).f(z[layer][at]));
        const double share = mask(layer, at);
        y[layer + 1].push_back(share != 0 ? before_dropout[layer].back() * share : 0); // whatever it was
      }
    }
    // losses, hits, and the gradient of the last outputs
    Matrix delta;
    for (long i = 0; i < M; i++) {
      const long row = row_of(network, start, step, i);
      const double* const at = &y[layers][i * k];
      const Judged made = judged(network, start, row, start.row_weights[network.weighted ? row : i], at);
      losses.push_back(made.loss);
      if (network.hits) hits.push_back(made.hit);
      delta.insert(delta.end(), made.slopes.begin(), made.slopes.end());
      outputs.insert(outputs.end(), at, at + k);
    }
    // backward
    for (long layer = layers - 1; layer >= 0; layer--) {
      const long K = sizes[layer], N = sizes[layer + 1];
      const Activation& f = activation(network.activations[layer]);
      double* const into = &gradient[start.offsets[layer]];
      const double* weights = &w[start.offsets[layer]];
      Matrix below(M * K);
      for (long j = 0; j < (K + 1) * N; j++) into[j] = 0;
      for (long i = 0; i < M; i++)
        for (long n = 0; n < N; n++) {
          const long at = i * N + n;
          const double share = mask(layer, at);
          double& d = delta[at];
          d = share != 0 ? d * share : 0;
          if (!f.is_identity) d *= f.derivative(z[layer][at], before_dropout[layer][at]);
          for (long b = 0; b < K; b++) {
            into[b * N + n] += y[layer][i * K + b] * d;
            below[i * K + b] += d * weights[b * N + n];
          }
          into[K * N + n] += d;
        }
      if (network.keeps) kept_arrays[3 * layer] = z[layer], kept_arrays[3 * layer + 1] = before_dropout[layer], kept_arrays[3 * layer + 2] = delta;
      delta = below;
    }
    // clipping, then the update; the decay is no part of what is clipped
    if (network.reduces)
      for (double& g : gradient) g *= 2;
    const double norm = std::sqrt(square_sum(gradient));
    norms.push_back(norm);
    if (network.limit > 0 && norm > network.limit && std::isfinite(norm))
      for (double& g : gradient) g *= network.limit / norm;
    const size_t setting_count = rule.settings.size() + 1;
    const Matrix settings(start.settings.begin() + step * setting_count, start.settings.begin() + (step + 1) * setting_count);
    for (long layer = 0; layer < layers; layer++)
      for (long j = 0; j < (sizes[layer] + 1) * sizes[layer + 1]; j++) {
        const long at = start.offsets[layer] + j;
        const bool decaying = settings.back() != 0 && decays(layer) && j < sizes[layer] * sizes[layer + 1];
        double own[2] = {};
        for (int m = 0; m < rule.moments; m++) own[m] = moments[m * P + at];
        rule.step(w[at], gradient[at] + (decaying ? settings.back() * w[at] : 0), own, settings.data());
        for (int m = 0; m < rule.moments; m++) moments[m * P + at] = own[m];
      }
    squares.push_back(square_sum(w));
    every_value.insert(every_value.end(), w.begin(), w.end());
    every_gradient.insert(every_gradient.end(), gradient.begin(), gradient.end());
  }
  std::vector<Result> made = {{"values", w}, {"moments", moments}, {"gradients", gradient}, {"losses", losses}, {"hits", hits}};
  if (network.limit > 0) made.push_back({"norms", norms});
  if (network.watched) {
    made.push_back({"outputs", outputs});
    made.push_back({"values of every step", every_value});
    made.push_back({"gradients of every step", every_gradient});
    made.push_back({"sums of squares", squares});
  }
  for (long i = 0; network.keeps && i < 3 * layers; i++) made.push_back({kept_name(i), kept_arrays[i]});
  return made;
}

template <class T> std::vector<Result> expected(const Forward& forward, const Start<T>& start) {
  const Network& network = forward.of;
  const std::vector<long>& sizes = network.sizes;
  const Matrix w(start.values.begin(), start.values.end());
  const long k = sizes.back();
  Matrix y(start.x.begin(), start.x.end()), losses, hits;
  for (size_t layer = 0; layer + 1 < sizes.size(); layer++) {
    y = weighted_sums(y, &w[start.offsets[layer]], start.count, sizes[layer], sizes[layer + 1]);
    for (double& number : y) number = activation(network.activations[layer]).f(number);
  }
  for (long i = 0; i < start.count; i++) {
    const Judged made = judged(network, start, i, 0, &y[i * k]);
    if (network.loss != "none") losses.push_back(made.loss);
    if (network.hits) hits.push_back(made.hit);
    if (forward.link == "softmax") {
      double top = y[i * k], sum = 0;
      for (long j = 1; j < k; j++) top = larger(y[i * k + j], top);
      for (long j = 0; j < k; j++) sum += y[i * k + j] = std::exp(y[i * k + j] - top);
      for (long j = 0; j < k; j++) y[i * k + j] /= sum;
    } else if (forward.link != "none")
      for (long j = 0; j < k; j++) y[i * k + j] = activation(forward.link).f(y[i * k + j]);
  }
  if (!forward.tells_outputs) y.clear();
  return {{"outputs", y}, {"losses", losses}, {"hits", hits}};
}

} // namespace driver
