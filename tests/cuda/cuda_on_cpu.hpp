// Runs CUDA kernels on the CPU, one block after another, every CUDA thread as a fiber of its own: for numbers.
// The sanitizers need threads of the system: cuda_on_threads.hpp.
//
// A fiber runs until it waits, at __syncthreads or in a shuffle, and then the next one gets its turn; so every
// run is repeatable, and a barrier that some threads never reach is an error instead of a hang. Fibers take
// turns from the first to the last or from the last to the first: results that differ between the two orders
// come from threads that do not wait for each other.
//
// Not here: extern __shared__, atomics, half precision, vectors, cooperative groups. Not what a GPU does:
// flushing denormals, fusing products with sums, its own exp, log1p and tanh.
#pragma once
#include <pthread.h> /* <thread> and <memory> would double the time that a kernel takes to compile */
#include <ucontext.h>

#include <cstring>
#include <utility>
#include <vector>

#define __shared__ static thread_local /* blocks run one at a time; each launch is a new thread, see launch */
#include "cuda_syntax.hpp"

inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace cpu {

constexpr std::size_t STACK = 64 * 1024;

struct Fiber {
  ucontext_t context;
  std::vector<char> stack = std::vector<char>(STACK);
  dim3 index;
  bool finished;
  bool at_barrier;
  unsigned barrier;             // the barrier that it waits at
  unsigned mask;                // the lanes that it shuffles with, 0 if it does not
  unsigned shuffles;            // how many shuffles it has come to
  alignas(8) char slot[2][8];   // what it gave to the last two shuffles
};

struct Block {
  std::vector<Fiber> fibers;
  unsigned size, arrived, barrier;
  Fiber* current;
  ucontext_t scheduler;
  const char* error;
  void (*call)(void*);
  void* work;
};

inline Block block;

inline Fiber& lane(int i) { return block.fibers[(block.current - block.fibers.data()) / 32 * 32 + i]; }

inline void wait() {
  Fiber* self = block.current;
  swapcontext(&self->context, &block.scheduler);
}

inline bool ready(const Fiber& fiber, unsigned number) {
  if (fiber.finished) return false;
  if (fiber.at_barrier) return block.barrier > fiber.barrier;
  for (unsigned i = 0; i < 32; ++i)
    if (fiber.mask >> i & 1) {
      const unsigned other = number / 32 * 32 + i;
      if (other >= block.size || block.fibers[other].shuffles < fiber.shuffles) return false;
    }
  return true;
}

inline void enter() {
  block.call(block.work);
  block.current->finished = true;
  wait();
}

inline void run_block(bool descending) {
  block.arrived = block.barrier = 0;
  for (unsigned t = 0; t < block.size; ++t) {
    Fiber& fiber = block.fibers[t];
    fiber.index = {t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y)};
    fiber.finished = fiber.at_barrier = false;
    fiber.mask = fiber.shuffles = 0;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = STACK;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, enter, 0);
  }
  unsigned left = block.size;
  while (left && !block.error) {
    bool progress = false;
    for (unsigned k = 0; k < block.size; ++k) {
      const unsigned t = descending ? block.size - 1 - k : k;
      Fiber& fiber = block.fibers[t];
      if (!ready(fiber, t)) continue;
      progress = true;
      fiber.at_barrier = false;
      block.current = &fiber;
      threadIdx = fiber.index;
      swapcontext(&block.scheduler, &fiber.context);
      if (fiber.finished) --left;
    }
    if (left && !progress) block.error = "threads wait for others that never come to the same place";
  }
}

struct How {
  bool descending, ends;
};

inline void* run_grid(void* asked) {
  const How how = *static_cast<How*>(asked);
  if (how.ends) {
    blockIdx = {0, 0, 0};
    run_block(how.descending);
    blockIdx = {gridDim.x - 1, gridDim.y - 1, gridDim.z - 1};
    if (blockIdx.x || blockIdx.y || blockIdx.z) run_block(how.descending);
    return nullptr;
  }
  for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < gridDim.x && !block.error; ++blockIdx.x) run_block(how.descending);
  return nullptr;
}

// Launches as cuLaunchKernel does: shape is (grid x, y, z, block x, y, z), arguments point at each argument. Of a
// grid too large to run there are both ends alone, its first and its last block: blocks do not know of each other.
// Returns what went wrong, or null. A thread of its own gives each launch fresh shared memory: what the last one
// left would look right to threads that do not wait for it to be written.
template <typename... A>
const char* launch(void (*kernel)(A...), const unsigned* shape, void** arguments, bool descending,
                   bool ends) {
  How how{descending, ends};
  auto work = [&] {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      kernel(*static_cast<A*>(arguments[I])...);
    }(std::index_sequence_for<A...>{});
  };
  gridDim = {shape[0], shape[1], shape[2]};
  blockDim = {shape[3], shape[4], shape[5]};
  block.size = blockDim.x * blockDim.y * blockDim.z;
  if (block.fibers.size() < block.size) block.fibers = std::vector<Fiber>(block.size);
  block.error = nullptr;
  block.call = [](void* w) { (*static_cast<decltype(work)*>(w))(); };
  block.work = &work;
  pthread_t thread;
  pthread_create(&thread, nullptr, run_grid, &how);
  pthread_join(thread, nullptr);
  return block.error;
}

}  // namespace cpu

inline void __syncthreads() {
  cpu::Fiber& self = *cpu::block.current;
  self.at_barrier = true;
  self.barrier = cpu::block.barrier;
  if (++cpu::block.arrived == cpu::block.size) {
    cpu::block.arrived = 0;
    ++cpu::block.barrier;
  }
  cpu::wait();
}

template <typename T> T __shfl_xor_sync(unsigned mask, T value, int other) {
  static_assert(sizeof(T) <= 8);
  cpu::Fiber& self = *cpu::block.current;
  const int own = int((&self - cpu::block.fibers.data()) % 32), from = own ^ other;
  if (!(mask >> own & 1) || !(mask >> from & 1)) {
    cpu::block.error = "a lane shuffles outside its mask";
    cpu::wait();
  }
  const unsigned round = self.shuffles++ % 2;
  std::memcpy(self.slot[round], &value, sizeof(T));
  self.mask = mask;
  cpu::wait();
  self.mask = 0;
  std::memcpy(&value, cpu::lane(from).slot[round], sizeof(T));
  return value;
}
