// Takes steps and forward passes of many networks with the engine, without Python, and prints one hash of all that comes of each.
//
//     driver [--all] [--dtype float|double] [--threads 1,2,3,8] [--only NETWORK] [--once] [--worst]
//
// Every network meets every number of threads and every division into runs, runs that are left and gone on with or ended
// after any unit, several callers at once, and a number of threads that changes meanwhile; all must leave the same
// bits, and what plain doubles make of it but for rounding (reference.hpp). What does not is told, and the exit status is
// 1. `--once` takes the first number of threads and one division alone, for the hashes. `--worst` tells the
// largest error of each network, in units of the dtype's rounding. Forward passes are those of forwards.hpp.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <pthread.h>
#include <unistd.h>

#include "comparing.hpp"
#include "elementwise.hpp"
#include "forwards.hpp"

using namespace driver;
using namespace fuseprop;

// Some runs of a step, and what is done between them: times, part; no times: the step is stored.
using Division = std::vector<std::pair<long, int64_t>>;

static constexpr int64_t FOREVER = int64_t(1) << 60; // nanoseconds until a run is left

static std::vector<Division> divisions(long steps) {
  std::vector<Division> made = {{{steps, FIRST | LAST}}};
  Division ones;
  for (long i = 0; i < steps; i++) ones.push_back({1, int64_t(i == 0 ? FIRST : 0) | int64_t(i == steps - 1 ? LAST : 0)});
  made.push_back(ones);
  made.push_back({{steps - 1, FIRST | LAST}, {1, FIRST | LAST}});
  made.push_back({{1, FIRST}, {1, 0}, {0, 0}, {steps - 2, FIRST | LAST}});
  return made;
}

// A network with arrays of its own, and the engine's step over them.
template <class T> class Driven {
public:
  Driven(const Network& network, uint64_t seed)
      : network_(network), rule_(update_rule(network.update)), start_(network, seed, rule_) {
    keep_.reserve(64);
    const std::vector<long>& sizes = network.sizes;
    const long count = long(sizes.size()) - 1, M = network.rows, k = sizes.back(), P = long(start_.values.size());
    const long S = long(rule_.settings.size());
    values_ = start_.values, moments_ = start_.moments;
    gradients_.resize(P), losses_.resize(M), settings_.resize(S + 1);
    every_loss_.resize(M * network.steps);
    if (network.hits) hits_.resize(M), every_hit_.resize(M * network.steps);
    if (network.limit > 0) norms_.resize(network.steps);
    if (network.keeps) kept_.resize(3 * count);
    if (network.watched)
      outputs_.resize(M * k), every_output_.resize(M * k * network.steps), every_value_.resize(P * network.steps),
          every_gradient_.resize(P * network.steps), squares_.resize(network.steps);
    for (long i = 0; i < count; i++) {
      const Activation& f = activation(network.activations[i]);
      LayerSpec layer{};
      layer.inputs = sizes[i], layer.outputs = sizes[i + 1], layer.offset = start_.offsets[i], layer.decays = decays(i);
      layer.value = formula(f.value, keep_), layer.slope = formula(f.slope, keep_);
      layer.is_identity = f.is_identity, layer.slope_of_sum = f.of_sum;
      layer.rate = i < long(network.drops.size()) ? network.drops[i] : 0;
      layer.drops = layer.rate != 0, layer.seed = dropout_seed(i);
      if (network.keeps)
        for (void** kept : {&layer.kept_sums, &layer.kept_outputs, &layer.kept_deltas}) {
          std::vector<T>& made = kept_[3 * i + (kept == &layer.kept_sums ? 0 : kept == &layer.kept_outputs ? 1 : 2)];
          made.resize(M * sizes[i + 1]), *kept = made.data();
        }
      if (network.watched && i == count - 1) layer.kept_outputs = outputs_.data();
      layers_.push_back(layer);
    }
    StepSpec spec{};
    spec.kind = learns(network) ? TRAINING : GRADIENT;
    spec.rows = M, spec.layer_count = count, spec.layers = layers_.data();
    spec.values = values_.data(), spec.gradients = gradients_.data(), spec.moments = moments_.data();
    spec.parameter_count = P, spec.moment_count = rule_.moments;
    const int64_t* const order = network.from == GATHERED ? start_.order.data() : nullptr;
    const auto gathered = [&](auto& all, auto& sent, long width) {
      const void* source = all.data();
      if (network.from == SENT) {
        sent.resize(M * width), source = sent.data();
        before_.push_back({TAKE_ROWS, M, int64_t(width * sizeof(all[0])), all.data(), start_.order.data(), &row_, sent.data()});
      }
      return Gather{source, order, order ? &row_ : nullptr, width};
    };
    spec.x = gathered(start_.x, sent_x_, sizes[0]);
    if (network.loss != "softmax") spec.target = gathered(start_.target, sent_target_, k);
    if (network.loss == "softmax" || network.hits == ARGMAX_EQUALS) spec.labels = gathered(start_.labels, sent_labels_, 1);
    if (network.weighted)
      spec.row_weights = gathered(start_.row_weights, sent_weights_, 1);
    else
      spec.row_weights = {start_.row_weights.data(), nullptr, nullptr, 1};
    before_.push_back({ADVANCE, 1, 0, nullptr, nullptr, &dropout_step_, nullptr});
    before_.push_back({TAKE_ROWS, 1, int64_t((S + 1) * sizeof(T)), start_.settings.data(), start_.setting_order.data(), &step_, settings_.data()});
    spec.dropout_step = &dropout_step_;
    spec.loss_kind = network.loss == "softmax" ? SOFTMAX_CROSS_ENTROPY : LOSS_OF_ROWS;
    if (spec.loss_kind == LOSS_OF_ROWS) spec.loss = formula(loss(network.loss).told, keep_);
    spec.factor = network.loss_factor, spec.losses = losses_.data();
    spec.hit_kind = network.hits, spec.hits = network.hits ? hits_.data() : nullptr;
    spec.score_threshold = SCORE_THRESHOLD, spec.target_threshold = TARGET_THRESHOLD;
    if (learns(network)) spec.update = formula(rule_.told, keep_), spec.settings = settings_.data(), spec.setting_count = S;
    spec.clips = network.limit > 0, spec.limit = network.limit, spec.norm = &norm_;
    spec.reduces = network.reduces;
    spec.stores_values = spec.stores_gradients = network.watched;
    const auto put = [&](long rows, long width, const void* from, int64_t* cursor, std::vector<T>& to) {
      if (!to.empty()) after_.push_back({PUT_ROWS, rows, int64_t(width * sizeof(T)), from, nullptr, cursor, to.data()});
    };
    put(M, 1, losses_.data(), &put_row_, every_loss_);
    put(M, 1, hits_.data(), &put_row_, every_hit_);
    put(M, k, outputs_.data(), &put_row_, every_output_);
    put(1, P, values_.data(), &step_, every_value_);
    put(1, P, gradients_.data(), &step_, every_gradient_);
    put(1, 1, &norm_, &step_, norms_);
    if (network.watched) after_.push_back({SUM_SQUARES, P, 0, values_.data(), nullptr, nullptr, &square_});
    if (network.watched) after_.push_back({COPY, 1, sizeof(T), &square_, nullptr, nullptr, &copied_});
    put(1, 1, &copied_, &step_, squares_);
    after_.push_back({ADVANCE, M, 0, nullptr, nullptr, &row_, nullptr});
    after_.push_back({ADVANCE, M, 0, nullptr, nullptr, &put_row_, nullptr});
    after_.push_back({ADVANCE, 1, 0, nullptr, nullptr, &step_, nullptr});
    spec.before_count = int64_t(before_.size()), spec.before = before_.data();
    spec.after_count = int64_t(after_.size()), spec.after = after_.data();
    engine_ = sizeof(T) == 4 ? fuseprop_new_float(&spec) : fuseprop_new_double(&spec);
    if (!engine_) std::abort();
    // The step has copied all but arrays and cursors.
    const double operations = fuseprop_operations(engine_);
    double counted = 0;
    for (long i = 0; i < count; i++) counted += 2.0 * double(M * sizes[i] * sizes[i + 1]) * (i ? 3 : 2);
    if (operations != counted) std::printf("%s: %g operations, not %g\n", network.name.c_str(), operations, counted), complaints++;
    layers_.clear(), layers_.shrink_to_fit(), before_.clear(), before_.shrink_to_fit(), after_.clear(), after_.shrink_to_fit();
    keep_.clear();
  }
  ~Driven() { fuseprop_free(engine_); }
  Driven(const Driven&) = delete;

  void run(const Division& division, int64_t patience = FOREVER) {
    for (const auto& [times, part] : division) {
      if (!times)
        fuseprop_store(engine_);
      else
        for (int64_t left = fuseprop_run(engine_, times, part, patience); goes_on(left);) left = fuseprop_resume(engine_, patience);
    }
    fuseprop_run(engine_, 0, FIRST | LAST, patience); // does nothing
  }

  // Each run is ended after so many units, one more than the one before, until the last one takes all that is left.
  void run_with_ends() {
    for (long most = 0; step_ < network_.steps; most++) {
      int64_t left = fuseprop_run(engine_, network_.steps - step_, FIRST | LAST, 0);
      for (long i = 0; i < most && goes_on(left); i++) left = fuseprop_resume(engine_, 0);
      fuseprop_store(engine_);
      fuseprop_store(engine_); // does nothing
    }
  }

  const Start<T>& start() const { return start_; }

  std::vector<Result> results() const {
    std::vector<Result> made;
    const auto add = [&](const char* name, const std::vector<T>& all) { made.push_back({name, {all.begin(), all.end()}}); };
    add("values", values_), add("moments", moments_), add("gradients", gradients_), add("losses", every_loss_), add("hits", every_hit_);
    if (network_.limit > 0) add("norms", norms_);
    if (network_.watched)
      add("outputs", every_output_), add("values of every step", every_value_), add("gradients of every step", every_gradient_),
          add("sums of squares", squares_);
    for (size_t i = 0; i < kept_.size(); i++) add(kept_name(long(i)).c_str(), network_.watched && i + 2 == kept_.size() ? outputs_ : kept_[i]);
    return made;
  }

private:
  // Whether a run is not over; adds the gradients of the other process where it waits for them.
  bool goes_on(int64_t left) {
    if (left == WAITS)
      for (T& g : gradients_) g *= 2;
    return left != DONE;
  }

  const Network& network_;
  const Update& rule_;
  const Start<T> start_;
  std::vector<std::vector<T>> keep_;
  std::vector<LayerSpec> layers_;
  std::vector<Chore> before_, after_;
  std::vector<T> values_, moments_, gradients_, losses_, hits_, outputs_, settings_, norms_, squares_;
  std::vector<T> every_loss_, every_hit_, every_output_, every_value_, every_gradient_, sent_x_, sent_target_, sent_weights_;
  std::vector<std::vector<T>> kept_; // of each layer: z, f(z), dL/dz
  std::vector<int64_t> sent_labels_;
  int64_t row_ = 0, put_row_ = 0, step_ = 0, dropout_step_ = FIRST_DROPOUT_STEP - 1;
  T norm_ = 0, square_ = 0, copied_ = 0;
  void* engine_;
};

template <class T> struct Caller {
  Driven<T>* driven;
  const Division* division;
  int64_t patience;
  static void* call(void* of) {
    Caller& caller = *static_cast<Caller*>(of);
    caller.driven->run(*caller.division, caller.patience);
    return nullptr;
  }
};

// Changes the number of threads until told to end.
struct Changing {
  int most;
  std::atomic<bool> ends{false};
  static void* call(void* of) {
    Changing& changing = *static_cast<Changing*>(of);
    for (int i = 0; !changing.ends; i++) fuseprop_set_num_threads(1 + i % changing.most), usleep(20);
    return nullptr;
  }
};

template <class T> void drive(const Network& network, uint64_t seed, const std::vector<int>& threads, bool once, bool tells_worst) {
  const std::string dtype = sizeof(T) == 4 ? "float" : "double", name = network.name + " " + dtype;
  uint64_t first = 0;
  const std::vector<Division> all = divisions(network.steps);
  bool begun = false;
  const auto same = [&](const std::vector<Result>& results, int count, const char* how) {
    const uint64_t made = hash(results);
    if (made != first) std::printf("%s: other bits with %d threads, %s\n", name.c_str(), count, how), complaints++;
  };
  for (const int count : threads) {
    fuseprop_set_num_threads(count);
    for (size_t d = 0; d < (once ? 1 : all.size()); d++) {
      Driven<T> driven(network, seed);
      driven.run(all[d]);
      const std::vector<Result> results = driven.results();
      if (!begun) {
        begun = true, first = hash(results);
        const double worst = compare(name.c_str(), results, expected(network, driven.start()), std::numeric_limits<T>::epsilon());
        if (tells_worst) std::printf("%s: error %.3g\n", name.c_str(), worst);
      }
      same(results, count, ("division " + std::to_string(d)).c_str());
    }
    if (once) break;
    if (count <= 3) { // a unit, or one of each thread, at a time
      Driven<T> left(network, seed), ended(network, seed);
      left.run(all[0], 0);
      same(left.results(), count, "left after every unit");
      ended.run_with_ends();
      same(ended.results(), count, "ended after any unit");
    }
    if (count < 3) continue;
    // Callers at once, as many as threads and more; and in the end none knows how many threads there are.
    for (const int callers : {2, 5}) {
      std::vector<std::unique_ptr<Driven<T>>> driven;
      std::vector<Caller<T>> calls;
      for (int i = 0; i < callers; i++) driven.push_back(std::make_unique<Driven<T>>(network, seed));
      for (int i = 0; i < callers; i++) calls.push_back({driven[i].get(), &all[i % all.size()], i % 2 ? FOREVER : 20000});
      std::vector<pthread_t> threads(callers);
      Changing changing{count};
      pthread_t beside;
      if (callers > 2) pthread_create(&beside, nullptr, Changing::call, &changing);
      for (int i = 0; i < callers; i++) pthread_create(&threads[i], nullptr, Caller<T>::call, &calls[i]);
      for (const pthread_t thread : threads) pthread_join(thread, nullptr);
      changing.ends = true;
      if (callers > 2) pthread_join(beside, nullptr);
      fuseprop_set_num_threads(count);
      for (int i = 0; i < callers; i++) same(driven[i]->results(), count, ("one of " + std::to_string(callers) + " callers").c_str());
    }
  }
  std::printf("%s %016llx\n", name.c_str(), static_cast<unsigned long long>(first));
}

// Each operation of the interpreter by itself, over counts that do not fill a vector or a tile, and nothing beyond them.
template <class T> void drive_operations() {
  struct Case {
    Operation operation;
    int operands;
    double (*of)(double p, double q);
  };
  static const Case ALL[] = {
      {Operation::copy, 1, [](double p, double) { return p; }},
      {Operation::add, 2, [](double p, double q) { return p + q; }},
      {Operation::subtract, 2, [](double p, double q) { return p - q; }},
      {Operation::multiply, 2, [](double p, double q) { return p * q; }},
      {Operation::divide, 2, [](double p, double q) { return p / q; }},
      {Operation::negative, 1, [](double p, double) { return -p; }},
      {Operation::abs, 1, [](double p, double) { return std::fabs(p); }},
      {Operation::exp, 1, [](double p, double) { return std::exp(p); }},
      {Operation::expm1, 1, [](double p, double) { return std::expm1(p); }},
      {Operation::log, 1, [](double p, double) { return std::log(p); }},
      {Operation::log1p, 1, [](double p, double) { return std::log1p(p); }},
      {Operation::sin, 1, [](double p, double) { return std::sin(p); }},
      {Operation::cos, 1, [](double p, double) { return std::cos(p); }},
      {Operation::sqrt, 1, [](double p, double) { return std::sqrt(p); }},
      {Operation::tanh, 1, [](double p, double) { return std::tanh(p); }},
      {Operation::sign, 1, [](double p, double) { return signed_one(p); }},
      {Operation::maximum, 2, larger},
      {Operation::minimum, 2, smaller},
      {Operation::greater, 2, [](double p, double q) { return double(p > q); }},
      {Operation::greater_equal, 2, [](double p, double q) { return double(p >= q); }},
      {Operation::equal, 2, [](double p, double q) { return double(p == q); }},
      {Operation::add_add, 3, [](double p, double q) { return (p + q) + p; }},
      {Operation::add_subtract, 3, [](double p, double q) { return (p + q) - p; }},
      {Operation::add_from, 3, [](double p, double q) { return p - (p + q); }},
      {Operation::add_multiply, 3, [](double p, double q) { return (p + q) * p; }},
      {Operation::add_divide, 3, [](double p, double q) { return (p + q) / p; }},
      {Operation::add_into, 3, [](double p, double q) { return p / (p + q); }},
      {Operation::subtract_add, 3, [](double p, double q) { return (p - q) + p; }},
      {Operation::subtract_subtract, 3, [](double p, double q) { return (p - q) - p; }},
      {Operation::subtract_from, 3, [](double p, double q) { return p - (p - q); }},
      {Operation::subtract_multiply, 3, [](double p, double q) { return (p - q) * p; }},
      {Operation::subtract_divide, 3, [](double p, double q) { return (p - q) / p; }},
      {Operation::subtract_into, 3, [](double p, double q) { return p / (p - q); }},
      {Operation::multiply_add, 3, [](double p, double q) { return (p * q) + p; }},
      {Operation::multiply_subtract, 3, [](double p, double q) { return (p * q) - p; }},
      {Operation::multiply_from, 3, [](double p, double q) { return p - (p * q); }},
      {Operation::multiply_multiply, 3, [](double p, double q) { return (p * q) * p; }},
      {Operation::multiply_divide, 3, [](double p, double q) { return (p * q) / p; }},
      {Operation::multiply_into, 3, [](double p, double q) { return p / (p * q); }},
      {Operation::divide_add, 3, [](double p, double q) { return (p / q) + p; }},
      {Operation::divide_subtract, 3, [](double p, double q) { return (p / q) - p; }},
      {Operation::divide_from, 3, [](double p, double q) { return p - (p / q); }},
      {Operation::divide_multiply, 3, [](double p, double q) { return (p / q) * p; }},
      {Operation::divide_divide, 3, [](double p, double q) { return (p / q) / p; }},
      {Operation::divide_into, 3, [](double p, double q) { return p / (p / q); }},
      {Operation::where_greater, 4, [](double p, double q) { return p > q ? 0.25 : p; }},
      {Operation::where_greater_equal, 4, [](double p, double q) { return p >= q ? 0.25 : p; }},
      {Operation::where_equal, 4, [](double p, double q) { return p == q ? 0.25 : p; }},
  };
  const double SOME[] = {0.5, 1.5, -0.75, 3, 0, -0.0, 1, -1, 0.001, NAN, INFINITY, -INFINITY, 20, -20, 2, 0.625, -3};
  std::vector<Result> made;
  for (const Case& one : ALL)
    for (const long count : {8L, 24L, 264L, 1000L}) {
      // z = operation(z, number): given is z; numbers 1, 2
      Told told{-1, {0.5, 0.25}, {1, 0, 0, 0, 0, op(one.operation), 0, 0}};
      if (one.operands > 1) told.code.push_back(1);
      if (one.operands > 3) told.code.push_back(2);
      if (one.operands > 2) told.code.push_back(0);
      std::vector<std::vector<T>> keep;
      keep.reserve(1);
      const Formula f = formula<T>(told, keep);
      std::vector<T> values(count + 8);
      Result found{"operation " + std::to_string(int(one.operation)), {}}, wanted = found;
      for (long i = 0; i < count + 8; i++) {
        values[i] = T(SOME[i % 17]);
        wanted.numbers.push_back(i < count ? double(T(one.of(values[i], 0.5))) : double(values[i]));
      }
      activate<T>(f, values.data(), count);
      found.numbers.assign(values.begin(), values.end());
      // number by number: a large one hides no other
      for (size_t i = 0; i < values.size(); i++)
        compare("operations", {{found.name, {found.numbers[i]}}}, {{wanted.name, {wanted.numbers[i]}}}, std::numeric_limits<T>::epsilon());
      made.push_back(found);
    }
  // The first of each table, which no layer asks for: an identity is left out.
  std::vector<T> gradient(24), point(24);
  for (long i = 0; i < 24; i++) gradient[i] = T(i), point[i] = T(i) - 12;
  std::vector<T> same = gradient;
  activate<T>({value_place<IdentityValue>(), nullptr, 0, nullptr, 0}, same.data(), 24);
  Told one;
  one.kernel = slope_place<IdentitySlope>(), one.numbers = {1};
  std::vector<std::vector<T>> keep;
  keep.reserve(1);
  through<T>(formula<T>(one, keep), same.data(), point.data(), 24);
  if (same != gradient) std::printf("an identity changes numbers\n"), complaints++;
  std::printf("operations %s %016llx\n", sizeof(T) == 4 ? "float" : "double", static_cast<unsigned long long>(hash(made)));
}

int main(int count, char** arguments) {
  bool all = false, once = false, tells_worst = false;
  std::string dtype, only;
  std::vector<int> threads = {1, 2, 3, 8};
  for (int i = 1; i < count; i++) {
    const std::string argument = arguments[i];
    if (argument == "--all")
      all = true;
    else if (argument == "--once")
      once = true;
    else if (argument == "--worst")
      tells_worst = true;
    else if (argument == "--dtype" && i + 1 < count)
      dtype = arguments[++i];
    else if (argument == "--only" && i + 1 < count)
      only = arguments[++i];
    else if (argument == "--threads" && i + 1 < count) {
      threads.clear();
      for (char* at = arguments[++i]; *at; at += *at == ',') threads.push_back(int(std::strtol(at, &at, 10)));
    } else
      return std::fprintf(stderr, "driver: %s?\n", arguments[i]), 2;
  }
  if (only.empty() && dtype != "double") drive_operations<float>();
  if (only.empty() && dtype != "float") drive_operations<double>();
  uint64_t seed = 1;
  for (const Network& network : networks(all)) {
    seed++;
    if (!only.empty() && only != network.name) continue;
    if (dtype != "double") drive<float>(network, seed, threads, once, tells_worst);
    if (dtype != "float") drive<double>(network, seed, threads, once, tells_worst);
    std::fflush(stdout);
  }
  seed = 1000;
  for (const Forward& forward : forwards(all)) {
    seed++;
    if (!only.empty() && only != forward.of.name) continue;
    if (dtype != "double") drive_forward<float>(forward, seed, threads, once, tells_worst);
    if (dtype != "float") drive_forward<double>(forward, seed, threads, once, tells_worst);
    std::fflush(stdout);
  }
  return complaints != 0;
}
