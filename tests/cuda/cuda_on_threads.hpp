// Runs CUDA kernels on the CPU, one block after another, every CUDA thread as a thread of the system: for the
// sanitizers, which follow no fibers. A barrier that some threads never reach hangs; replay.hpp limits the time.
//
// The barriers are pthread's: std::barrier hid from ThreadSanitizer a value overwritten before all had read it.
// A shuffle is a barrier between its lanes here, which CUDA does not promise.
#pragma once
#include <pthread.h>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <list>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#define __shared__ static /* blocks run one at a time */
#include "cuda_syntax.hpp"

inline thread_local dim3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;

namespace cpu {

class Barrier {
 public:
  explicit Barrier(unsigned threads) { pthread_barrier_init(&barrier, nullptr, threads); }
  Barrier(const Barrier&) = delete;
  ~Barrier() { pthread_barrier_destroy(&barrier); }
  void wait() { pthread_barrier_wait(&barrier); }

 private:
  pthread_barrier_t barrier;
};

// 32 neighbouring threads. A mask of shuffles is 1, 2, 4 ... 32 neighbours from a multiple of their number on;
// each has a barrier of its own, made beforehand: one made on demand needs a lock, and a lock hides races.
struct Warp {
  Warp() {
    for (unsigned lanes = 1; lanes <= 32; lanes *= 2)
      for (unsigned first = 0; first < 32; first += lanes) barriers.emplace_back(lanes);
  }
  Barrier& barrier(unsigned mask) {
    const unsigned lanes = std::popcount(mask), first = mask ? std::countr_zero(mask) : 0;
    if (!std::has_single_bit(lanes) || first % lanes || mask != (0xffffffffu >> (32 - lanes)) << first) {
      std::fprintf(stderr, "the mask %08x is not 1, 2, 4 ... 32 aligned lanes\n", mask);
      std::abort();
    }
    auto it = barriers.begin();
    for (unsigned smaller = 1; smaller < lanes; smaller *= 2) std::advance(it, 32 / smaller);
    return *std::next(it, first / lanes);
  }
  std::list<Barrier> barriers;
  alignas(8) char slot[32][8];  // what each lane gave to the current shuffle
};

// The threads of a block, started once for all launches with as many: with new ones for each launch the test took
// 52 s on two cores, with these it takes 9 s. They are never joined; the process ends without them.
struct Block {
  explicit Block(unsigned threads) : size(threads), all(threads), start(threads + 1), end(threads + 1) {
    for (unsigned t = 0; t < threads; ++t)
      std::thread([this, t] {
        for (;;) {
          start.wait();
          threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y)};
          blockIdx = number;
          (*kernel)();
          end.wait();
        }
      }).detach();
  }
  void run(dim3 index, const std::function<void()>& call) {
    number = index;
    kernel = &call;
    start.wait();
    end.wait();
  }
  unsigned size;
  Barrier all, start, end;
  std::vector<Warp> warps{(size + 31) / 32};
  dim3 number;
  const std::function<void()>* kernel;
};

inline std::map<unsigned, Block>& blocks = *new std::map<unsigned, Block>;  // by size; outlives all threads
inline Block* block;                                                          // the one that runs

inline unsigned thread_number() { return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z); }

// Launches as cuLaunchKernel does: shape is (grid x, y, z, block x, y, z), arguments point at each argument.
template <typename... A>
void launch(void (*kernel)(A...), const unsigned* shape, void** arguments) {
  gridDim = {shape[0], shape[1], shape[2]};
  blockDim = {shape[3], shape[4], shape[5]};
  const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  block = &blocks.try_emplace(threads, threads).first->second;
  const std::function<void()> call = [&] {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      kernel(*static_cast<A*>(arguments[I])...);
    }(std::index_sequence_for<A...>{});
  };
  for (unsigned z = 0; z < gridDim.z; ++z)
    for (unsigned y = 0; y < gridDim.y; ++y)
      for (unsigned x = 0; x < gridDim.x; ++x) block->run({x, y, z}, call);
}

}  // namespace cpu

inline void __syncthreads() { cpu::block->all.wait(); }

template <typename T> T __shfl_xor_sync(unsigned mask, T value, int other) {
  static_assert(sizeof(T) <= 8);
  const unsigned own = cpu::thread_number() % 32, from = own ^ other;
  cpu::Warp& warp = cpu::block->warps[cpu::thread_number() / 32];
  cpu::Barrier& barrier = warp.barrier(mask);
  if (!(mask >> own & 1) || !(mask >> from & 1)) {
    std::fprintf(stderr, "lane %u shuffles with lane %u, outside its mask %08x\n", own, from, mask);
    std::abort();
  }
  std::memcpy(warp.slot[own], &value, sizeof(T));
  barrier.wait();
  std::memcpy(&value, warp.slot[from], sizeof(T));
  barrier.wait();
  return value;
}
