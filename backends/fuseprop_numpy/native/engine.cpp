// The functions of interface.hpp.
#include "engine.hpp"

#include <new>

namespace fuseprop {

// A step in either dtype.
struct Handle {
  void* engine;
  bool is_double;
};

template <class T> static void* make(const StepSpec* spec, bool is_double) {
  void* room = std::aligned_alloc(64, (sizeof(Engine<T>) + 63) / 64 * 64);
  Handle* handle = static_cast<Handle*>(std::malloc(sizeof(Handle)));
  if (!room || !handle) {
    std::free(room), std::free(handle);
    return nullptr;
  }
  Engine<T>* engine = ::new (room) Engine<T>(*spec, thread_limit());
  if (engine->failed) {
    engine->~Engine<T>();
    std::free(room), std::free(handle);
    return nullptr;
  }
  *handle = {engine, is_double};
  return handle;
}

template <class F> static void with_engine(void* step, F f) {
  Handle* handle = static_cast<Handle*>(step);
  if (handle->is_double)
    f(*static_cast<Engine<double>*>(handle->engine));
  else
    f(*static_cast<Engine<float>*>(handle->engine));
}

} // namespace fuseprop

using namespace fuseprop;

void* fuseprop_new_float(const StepSpec* spec) { return make<float>(spec, false); }
void* fuseprop_new_double(const StepSpec* spec) { return make<double>(spec, true); }

int64_t fuseprop_run(void* step, int64_t times, int64_t part) {
  with_engine(step, [=](auto& engine) { engine.run(times, part); });
  return 0;
}

void fuseprop_store(void* step) {
  with_engine(step, [](auto& engine) { engine.store(); });
}

void fuseprop_free(void* step) {
  if (!step) return;
  with_engine(step, [](auto& engine) {
    using E = std::remove_reference_t<decltype(engine)>;
    engine.~E();
    std::free(&engine);
  });
  std::free(step);
}

double fuseprop_operations(const void* step) {
  double made = 0;
  with_engine(const_cast<void*>(step), [&](auto& engine) { made = engine.operations(); });
  return made;
}

int64_t fuseprop_bytes(const void* step) {
  int64_t taken = 0;
  with_engine(const_cast<void*>(step), [&](auto& engine) { taken = engine.bytes(); });
  return taken;
}
