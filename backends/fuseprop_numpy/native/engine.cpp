// The functions of interface.hpp.
#include "engine.hpp"
#include "inference.hpp"

#include <new>

namespace fuseprop {

// A step, or a forward pass, in either dtype.
struct Handle {
  void* engine;
  bool is_double, is_forward;
};

template <class E, class... Arguments> static void* make(bool is_double, bool is_forward, const Arguments&... arguments) {
  void* room = std::aligned_alloc(64, (sizeof(E) + 63) / 64 * 64);
  Handle* handle = static_cast<Handle*>(std::malloc(sizeof(Handle)));
  if (!room || !handle) {
    std::free(room), std::free(handle);
    return nullptr;
  }
  E* engine = ::new (room) E(arguments...);
  if (engine->failed) {
    engine->~E();
    std::free(room), std::free(handle);
    return nullptr;
  }
  *handle = {engine, is_double, is_forward};
  return handle;
}

template <class T> static void* make(const StepSpec& spec, bool is_double) {
  return spec.kind == FORWARD ? make<Inference<T>>(is_double, true, spec) : make<Engine<T>>(is_double, false, spec);
}

template <template <class> class E, class F> static auto with(const Handle* handle, F f) {
  return handle->is_double ? f(*static_cast<E<double>*>(handle->engine)) : f(*static_cast<E<float>*>(handle->engine));
}
template <class F> static auto with_any(const void* step, F f) {
  const Handle* handle = static_cast<const Handle*>(step);
  return handle->is_forward ? with<Inference>(handle, f) : with<Engine>(handle, f);
}

} // namespace fuseprop

using namespace fuseprop;

void* fuseprop_new_float(const StepSpec* spec) { return make<float>(*spec, false); }
void* fuseprop_new_double(const StepSpec* spec) { return make<double>(*spec, true); }

int64_t fuseprop_run(void* step, int64_t times, int64_t part, int64_t patience) {
  return with<Engine>(static_cast<Handle*>(step), [=](auto& engine) { return engine.run(times, part, patience); });
}

int64_t fuseprop_resume(void* step, int64_t patience) {
  return with<Engine>(static_cast<Handle*>(step), [=](auto& engine) { return engine.resume(patience); });
}

void fuseprop_store(void* step) {
  with<Engine>(static_cast<Handle*>(step), [](auto& engine) { engine.store(); });
}

int64_t fuseprop_forward(void* step, int64_t rows, const void* x, const void* target, const int64_t* labels, void* outputs, void* losses, void* hits, int64_t renewed) {
  return with<Inference>(static_cast<Handle*>(step), [=](auto& inference) { return inference.run({rows, renewed != 0, x, target, labels, outputs, losses, hits}) ? 0 : -1; });
}

void fuseprop_free(void* step) {
  if (!step) return;
  with_any(step, [](auto& engine) {
    using E = std::remove_reference_t<decltype(engine)>;
    engine.~E();
    std::free(&engine);
  });
  std::free(step);
}

double fuseprop_operations(const void* step) {
  return with_any(step, [](auto& engine) { return engine.operations(); });
}

int64_t fuseprop_bytes(const void* step) {
  return with_any(step, [](auto& engine) { return int64_t(engine.bytes()); });
}
