// Products of small matrices, for which cuBLAS takes two to four times as long: benchmarks/README.md has the times.
#include "scalars.cuh"

constexpr int TILE = 16;     // rows and columns of out that a block computes
constexpr int EACH = 2;      // of which a thread computes so many by so many
constexpr int GROUPS = 4;    // so many groups of threads share the sum over d
constexpr int DEPTH = 64;    // elements of a row of a, and of a column of b, that a block holds at a time
constexpr int SIDE = TILE / EACH, THREADS = GROUPS * SIDE * SIDE;
constexpr int PITCH = TILE + EACH;  // in which neighbours stand in shared memory: fewer of them share a bank

// How a block loads its part of a factor, TILE lines by DEPTH along the sum: each thread the same place of every
// `step`-th line, or of every `step`-th place along the sum, in the direction in which the factor lies in memory.
template <typename T> struct Part {
  const T* next;
  long long step, chunk;
  int line, along, next_line, next_along, lines;

  __device__ Part(const T* factor, long long line_stride, long long stride, long long first, long long count)
      : chunk(DEPTH * stride), lines(count - first < TILE ? int(count - first) : TILE) {
    const bool is_along = stride == 1;
    line = is_along ? threadIdx.x / DEPTH : threadIdx.x % TILE;
    along = is_along ? threadIdx.x % DEPTH : threadIdx.x / TILE;
    next_line = is_along ? THREADS / DEPTH : 0;
    next_along = is_along ? 0 : THREADS / TILE;
    next = factor + (first + line) * line_stride + along * stride;
    step = next_line * line_stride + next_along * stride;
  }

  // loaded[s] = the thread's s-th element of the next chunk, of which `depth` places count; 0 beyond the factor
  __device__ void load(T (&loaded)[TILE * DEPTH / THREADS], int depth) {
#pragma unroll
    for (int s = 0; s < TILE * DEPTH / THREADS; ++s)
      loaded[s] = line + s * next_line < lines && along + s * next_along < depth ? next[s * step] : T(0);
    next += chunk;
  }

  __device__ void store(const T (&loaded)[TILE * DEPTH / THREADS], T* shared) const {
#pragma unroll
    for (int s = 0; s < TILE * DEPTH / THREADS; ++s)
      shared[(along + s * next_along) * PITCH + line + s * next_line] = loaded[s];
  }
};

// out = a b for a (n, d) and b (d, m), of which each is given with the strides of its rows and columns: a block a
// tile. The next chunk is loaded while the sums of one are taken; at the end the groups' sums are added in order.
template <typename T>
__global__ void __launch_bounds__(256)
small_product(const T* a, const T* b, T* out, long long n, long long d, long long m, long long a_row,
              long long a_column, long long b_row, long long b_column) {
  __shared__ T memory[2 * DEPTH * PITCH];
  T *const left = memory, *const right = memory + DEPTH * PITCH;
  const long long top = (long long)blockIdx.y * TILE, first = (long long)blockIdx.x * TILE;
  const int group = threadIdx.x / (SIDE * SIDE), place = threadIdx.x % (SIDE * SIDE);
  const int row = place / SIDE * EACH, column = place % SIDE * EACH;
  Part<T> of_a(a, a_row, a_column, top, n), of_b(b, b_column, b_row, first, m);
  T sums[EACH][EACH] = {}, from_a[TILE * DEPTH / THREADS], from_b[TILE * DEPTH / THREADS];
  int depth = d < DEPTH ? int(d) : DEPTH;
  of_a.load(from_a, depth);
  of_b.load(from_b, depth);
#pragma unroll 1
  for (long long left_over = d; left_over > 0; left_over -= DEPTH) {
    of_a.store(from_a, left);
    of_b.store(from_b, right);
    __syncthreads();
    const int here = depth;
    depth = left_over - DEPTH < DEPTH ? int(left_over - DEPTH) : DEPTH;
    if (depth > 0) {
      of_a.load(from_a, depth);
      of_b.load(from_b, depth);
    }
#pragma unroll 4
    for (int k = group; k < here; k += GROUPS) {
      T x[EACH], y[EACH];
#pragma unroll
      for (int i = 0; i < EACH; ++i) {
        x[i] = left[k * PITCH + row + i];
        y[i] = right[k * PITCH + column + i];
      }
#pragma unroll
      for (int i = 0; i < EACH; ++i)
#pragma unroll
        for (int j = 0; j < EACH; ++j) sums[i][j] += x[i] * y[j];
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < EACH; ++i)
#pragma unroll
    for (int j = 0; j < EACH; ++j) memory[(group * TILE + row + i) * TILE + column + j] = sums[i][j];
  __syncthreads();
  const int i = threadIdx.x / TILE, j = threadIdx.x % TILE;
  T sum = memory[threadIdx.x];
#pragma unroll
  for (int other = 1; other < GROUPS; ++other) sum += memory[other * TILE * TILE + threadIdx.x];
  if (i < of_a.lines && j < of_b.lines) out[(top + i) * m + first + j] = sum;
}
