// How threads share work: they stand in groups of `lanes` neighbours (a power of two), and each group takes
// one item after the other. An item is a row, over whose columns the lanes stride, or, for groups of one, an
// element. A launch may have any number of blocks. Where lanes talk to each other there are at most 32 of
// them, so that a group lies within a warp.
#ifndef FUSEPROP_GROUPS_CUH
#define FUSEPROP_GROUPS_CUH

#include "scalars.cuh"

__device__ inline int lane_of(int lanes) { return threadIdx.x % lanes; }

__device__ inline long long first_item(int lanes = 1) {
  return (long long)blockIdx.x * (blockDim.x / lanes) + threadIdx.x / lanes;
}

__device__ inline long long item_stride(int lanes = 1) { return (long long)gridDim.x * (blockDim.x / lanes); }

// For i = first, first + stride, ... below stop: use(i, load(i)), with the loads of up to COUNT items asked for
// before the first result is used. A compiler must not move a load before a store that may be to the same memory,
// so a plain loop waits for memory at each item. `use` may store where its own item was loaded.
template <int COUNT, typename Load, typename Use>
__device__ inline void in_flight(long long first, long long stop, long long stride, Load load, Use use) {
#pragma unroll 1
  for (long long i = first; i < stop; i += COUNT * stride) {
    decltype(load(i)) loaded[COUNT];
#pragma unroll
    for (int k = 0; k < COUNT; ++k)
      if (i + k * stride < stop) loaded[k] = load(i + k * stride);
#pragma unroll
    for (int k = 0; k < COUNT; ++k)
      if (i + k * stride < stop) use(i + k * stride, loaded[k]);
  }
}

// Items of one array in flight for a thread, 16 bytes of them: 1,024 threads on an SM then wait for 16 KiB of each
// array at a time. The bandwidth of an H200 times a latency of 0.6 us is 22 KiB an SM.
template <typename T> constexpr int LOADS = 16 / sizeof(T);

template <typename T> struct Pair {
  T first, second;
};

// The threads of this warp that form this thread's group. Groups may be at different rows, or finished.
__device__ inline unsigned group_mask(int lanes) {
  return (0xffffffffu >> (32 - lanes)) << (threadIdx.x % 32 / lanes * lanes);
}

// Reductions over a group: every lane gets the result, the same bits on every run.
template <typename T> __device__ inline T group_sum(T x, int lanes) {
  const unsigned mask = group_mask(lanes);
  for (int offset = lanes / 2; offset; offset /= 2) x += __shfl_xor_sync(mask, x, offset);
  return x;
}

template <typename T> __device__ inline T group_largest(T x, int lanes) {
  const unsigned mask = group_mask(lanes);
  for (int offset = lanes / 2; offset; offset /= 2) x = larger(x, __shfl_xor_sync(mask, x, offset));
  return x;
}

// Sum over a block of BLOCK threads; every thread gets the result. Once a kernel: the memory is not reused.
template <typename T> __device__ inline T block_sum(T x) {
  __shared__ T partial[BLOCK];
  partial[threadIdx.x] = x;
  for (unsigned half = BLOCK / 2; half; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
  }
  __syncthreads();
  return partial[0];
}

// Sum of what blocks left, partial (count,): any block of BLOCK threads gets the same bits
template <typename T> __device__ inline T sum_of_blocks(const T* partial, long long count) {
  T sum = 0;
  in_flight<2 * LOADS<T>>(
      threadIdx.x, count, BLOCK, [=](long long i) { return partial[i]; }, [&](long long, T x) { sum += x; });
  return block_sum(sum);
}

#endif
