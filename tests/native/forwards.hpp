// Forward passes of many networks, each in calls of any number of rows.
//
// All rows in one call are compared with plain doubles; a row must have the same bits in every other call, at any number
// of threads, and beside other callers. Arrays end where the library may no longer read or write: a sanitizer sees it.
#pragma once

#include <memory>
#include <pthread.h>

#include "comparing.hpp"

namespace driver {

// A forward pass with arrays of its own.
template <class T> class Passing {
public:
  Passing(const Forward& forward, uint64_t seed) : forward_(forward), start_(forward.of, seed, update_rule("none")) {
    const Network& network = forward.of;
    const std::vector<long>& sizes = network.sizes;
    std::vector<std::vector<T>> keep;
    keep.reserve(64);
    std::vector<LayerSpec> layers;
    StepSpec spec{};
    for (size_t i = 0; i + 1 < sizes.size(); i++) {
      // Behind the last bias of each layer nothing is to be read.
      const T* const from = start_.values.data() + start_.offsets[i];
      const long size = (sizes[i] + 1) * sizes[i + 1];
      blocks_.emplace_back(new T[size]);
      std::memcpy(blocks_[i].get(), from, size * sizeof(T));
      const Activation& f = activation(network.activations[i]);
      LayerSpec layer{};
      layer.inputs = sizes[i], layer.outputs = sizes[i + 1];
      layer.offset = (reinterpret_cast<intptr_t>(blocks_[i].get()) - reinterpret_cast<intptr_t>(blocks_[0].get())) / intptr_t(sizeof(T));
      layer.value = formula(f.value, keep), layer.is_identity = f.is_identity;
      layers.push_back(layer);
      operations_ += 2.0 * double(sizes[i] * sizes[i + 1]);
    }
    T some = 0; // arrays are told of by what is not null
    int64_t some_label = 0;
    const bool by_label = network.loss == "softmax" || network.hits == ARGMAX_EQUALS;
    const bool by_target = (network.loss != "softmax" && network.loss != "none") || network.hits == THRESHOLD_EQUALS;
    spec.kind = FORWARD, spec.layer_count = int64_t(layers.size()), spec.layers = layers.data(), spec.values = blocks_[0].get();
    spec.x = {&some, nullptr, nullptr, sizes[0]};
    if (by_target) spec.target = {&some, nullptr, nullptr, sizes.back()};
    if (by_label) spec.labels = {&some_label, nullptr, nullptr, 1};
    spec.loss_kind = network.loss == "softmax" ? SOFTMAX_CROSS_ENTROPY : LOSS_OF_ROWS;
    if (spec.loss_kind == LOSS_OF_ROWS && network.loss != "none") spec.loss = formula(loss(network.loss).told, keep);
    spec.factor = network.loss_factor, spec.losses = network.loss == "none" ? nullptr : &some;
    spec.hit_kind = network.hits, spec.hits = network.hits ? &some : nullptr;
    spec.score_threshold = SCORE_THRESHOLD, spec.target_threshold = TARGET_THRESHOLD;
    spec.outputs = forward.tells_outputs ? &some : nullptr;
    spec.link_kind = forward.link == "none" ? NO_LINK : forward.link == "softmax" ? SOFTMAX : FORMULA;
    if (spec.link_kind == FORMULA) spec.link = formula(activation(forward.link).value, keep);
    pass_ = sizeof(T) == 4 ? fuseprop_new_float(&spec) : fuseprop_new_double(&spec);
    if (!pass_) std::abort();
    told_targets_ = by_target, told_labels_ = by_label;
  }
  ~Passing() { fuseprop_free(pass_); }
  Passing(const Passing&) = delete;

  const Start<T>& start() const { return start_; }
  double counted_operations() const { return operations_; }
  double operations() const { return fuseprop_operations(pass_); }
  int64_t bytes() const { return fuseprop_bytes(pass_); }

  void halve_weights() {
    for (size_t i = 0; i < blocks_.size(); i++)
      for (long j = 0; j < (forward_.of.sizes[i] + 1) * forward_.of.sizes[i + 1]; j++) blocks_[i][j] *= T(0.5);
  }

  // What comes of `rows` rows from `first` on, in arrays of their size.
  std::vector<Result> results(long first, long rows, bool renewed = true) {
    const Network& network = forward_.of;
    const long d = network.sizes[0], k = network.sizes.back();
    const std::vector<T> x = part(start_.x, first * d, rows * d), target = part(start_.target, first * k, rows * k);
    const std::vector<int64_t> labels = part(start_.labels, first, rows);
    std::vector<T> outputs(forward_.tells_outputs ? rows * k : 0), losses(network.loss == "none" ? 0 : rows), hits(network.hits ? rows : 0);
    const int64_t failed = fuseprop_forward(pass_, rows, x.data(), told_targets_ ? target.data() : nullptr, told_labels_ ? labels.data() : nullptr,
                                            outputs.data(), losses.data(), hits.data(), renewed);
    if (failed) std::abort();
    return {{"outputs", {outputs.begin(), outputs.end()}}, {"losses", {losses.begin(), losses.end()}}, {"hits", {hits.begin(), hits.end()}}};
  }

private:
  const Forward& forward_;
  const Start<T> start_;
  std::vector<std::unique_ptr<T[]>> blocks_;
  double operations_ = 0;
  bool told_targets_, told_labels_;
  void* pass_;

  template <class S> static std::vector<S> part(const std::vector<S>& all, long first, long count) {
    return {all.begin() + first, all.begin() + first + count};
  }
};

// Of all results the rows from `first` on.
inline std::vector<Result> rows_of(const std::vector<Result>& all, long count, long first, long rows) {
  std::vector<Result> made;
  for (const Result& result : all) {
    const long width = long(result.numbers.size()) / count;
    made.push_back({result.name, {result.numbers.begin() + first * width, result.numbers.begin() + (first + rows) * width}});
  }
  return made;
}

// Calls of many numbers of rows, wide and narrow panels by turns; tells the last that leaves other bits.
template <class T> struct Asking {
  Passing<T>* passing;
  const std::vector<Result>* all;
  long wrong_rows = -1, wrong_first = -1;

  void ask() {
    const long count = passing->start().count;
    long first = 0;
    for (const long rows : {65L, 1L, 33L, 2L, 64L, 8L, 17L, 3L, 12L, 4L, 129L, 9L, 5L, 31L, 0L, 16L, 7L, 32L, 6L, count, 15L, 1L}) {
      first = (first + 41) % (count - rows + 1);
      if (hash(passing->results(first, rows, rows % 2)) != hash(rows_of(*all, count, first, rows))) wrong_rows = rows, wrong_first = first;
    }
  }
  static void* call(void* of) {
    static_cast<Asking*>(of)->ask();
    return nullptr;
  }
};

template <class T> void drive_forward(const Forward& forward, uint64_t seed, const std::vector<int>& threads, bool once, bool tells_worst) {
  const std::string name = forward.of.name + (sizeof(T) == 4 ? " float" : " double");
  std::vector<Result> all;
  for (const int count : threads) {
    fuseprop_set_num_threads(count);
    // The first asks beside nobody; then there are two more.
    std::unique_ptr<Passing<T>> passings[3];
    for (auto& passing : passings) passing = std::make_unique<Passing<T>>(forward, seed);
    Passing<T>& first = *passings[0];
    const long rows = first.start().count;
    const int64_t before = first.bytes();
    const std::vector<Result> made = first.results(0, rows);
    const int64_t after = first.bytes();
    if (all.empty()) {
      all = made;
      const double worst = compare(name.c_str(), all, expected(forward, first.start()), std::numeric_limits<T>::epsilon());
      if (tells_worst) std::printf("%s: error %.3g\n", name.c_str(), worst);
    }
    if (hash(made) != hash(all)) std::printf("%s: other bits with %d threads\n", name.c_str(), count), complaints++;
    if (first.operations() != first.counted_operations()) std::printf("%s: wrong operations\n", name.c_str()), complaints++;
    if (once) break;
    Asking<T> asking[3];
    for (int i = 0; i < 3; i++) asking[i] = {passings[i].get(), &all};
    asking[0].ask();
    volatile float tiny = std::numeric_limits<float>::min();
    if (tiny / 2 == 0) std::printf("%s: denormal numbers count as zero after a call\n", name.c_str()), complaints++;
    if (!(before < after && first.bytes() == after)) std::printf("%s: wrong bytes\n", name.c_str()), complaints++;
    if (count < 3) {
      for (int i = 0; i < 2; i++) passings[i]->halve_weights();
      // Few rows first, then many that are told of no other weights.
      const std::vector<Result> few = first.results(5, 3);
      if (hash(first.results(0, rows, false)) != hash(passings[1]->results(0, rows)) || hash(few) != hash(passings[1]->results(5, 3)))
        std::printf("%s: old weights with %d threads\n", name.c_str(), count), complaints++;
    } else {
      pthread_t others[2];
      for (int i = 0; i < 2; i++) pthread_create(&others[i], nullptr, Asking<T>::call, &asking[i + 1]);
      asking[0].ask();
      for (const pthread_t other : others) pthread_join(other, nullptr);
    }
    for (const Asking<T>& one : asking)
      if (one.wrong_rows >= 0)
        std::printf("%s: other bits of %ld rows from %ld with %d threads\n", name.c_str(), one.wrong_rows, one.wrong_first, count), complaints++;
  }
  std::printf("%s %016llx\n", name.c_str(), static_cast<unsigned long long>(hash(all)));
}

} // namespace driver
