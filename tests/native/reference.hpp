// A step in plain doubles, to be read: what the engine is to compute, but for rounding.
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

template <class T> std::vector<Result> expected(const Network& network, const Start<T>& start) {
  const std::vector<long>& sizes = network.sizes;
  const long layers = long(sizes.size()) - 1, M = network.rows, k = sizes.back(), P = long(start.values.size());
  const Update& rule = update_rule(network.update);
  Matrix w(start.values.begin(), start.values.end()), moments(start.moments.begin(), start.moments.end());
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
      const long K = sizes[layer], N = sizes[layer + 1];
      const double* weights = &w[start.offsets[layer]];
      for (long i = 0; i < M; i++)
        for (long n = 0; n < N; n++) {
          double sum = weights[K * N + n];
          for (long f = 0; f < K; f++) sum += y[layer][i * K + f] * weights[f * N + n];
          z[layer].push_back(sum);
          before_dropout[layer].push_back(activation(network.activations[layer]).f(sum));
          const double share = mask(layer, i * N + n);
          y[layer + 1].push_back(share != 0 ? before_dropout[layer].back() * share : 0); // whatever it was
        }
    }
    // losses, hits, and the gradient of the last outputs
    Matrix delta(M * k);
    for (long i = 0; i < M; i++) {
      const long row = row_of(network, start, step, i), label = start.labels[row];
      const double weight = start.row_weights[network.weighted ? row : i], *at = &y[layers][i * k];
      const T* target = &start.target[row * k];
      double sum = 0;
      if (network.loss == "softmax") {
        double top = at[0];
        for (long j = 1; j < k; j++) top = larger(at[j], top);
        for (long j = 0; j < k; j++) sum += std::exp(at[j] - top);
        for (long j = 0; j < k; j++) delta[i * k + j] = weight * (std::exp(at[j] - top) / sum - (j == label));
        losses.push_back(std::log(sum) - (at[label] - top));
      } else {
        const Loss& l = loss(network.loss);
        for (long j = 0; j < k; j++) {
          sum += l.term(at[j], target[j]);
          delta[i * k + j] = network.loss_factor * weight * l.slope(at[j], target[j]);
        }
        losses.push_back(network.loss_factor * sum);
      }
      for (long j = 0; j < k; j++) outputs.push_back(at[j]);
      if (network.hits == fuseprop::ARGMAX_EQUALS) {
        long best = 0;
        double margin = 1;
        for (long j = 1; j < k; j++)
          if (at[j] > at[best] || (at[j] != at[j] && at[best] == at[best])) best = j;
        for (long j = 0; j < k; j++)
          if (j != best) margin = smaller(margin, std::fabs(at[best] - at[j]));
        hits.push_back(margin < 1e-4 ? -1 : best == label);
      } else if (network.hits == fuseprop::THRESHOLD_EQUALS) {
        bool equal = true;
        double margin = 1;
        for (long j = 0; j < k; j++) {
          equal &= (at[j] > SCORE_THRESHOLD) == (target[j] > TARGET_THRESHOLD);
          margin = smaller(margin, std::fabs(at[j] - SCORE_THRESHOLD));
        }
        hits.push_back(margin < 1e-4 ? -1 : equal);
      }
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
      delta = below;
    }
    // clipping, then the update; the decay is no part of what is clipped
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
  return made;
}

} // namespace driver
