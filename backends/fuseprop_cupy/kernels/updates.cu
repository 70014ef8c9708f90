// The update of a whole network in few launches, over its flat buffers.
#include "formulas.cuh"
#include "groups.cuh"

// cursor += by, unless it is null: an update that is a step's last act moves on to the next batch
__device__ inline void move_on(long long* cursor, long long by) {
  if (cursor && first_item() == 0) *cursor += by;
}

// Walks through ascending ranges [start, stop), (ranges, 2), along with positions that ascend too.
struct Ranges {
  const long long* table;
  int count, at;

  __device__ bool hold(long long i) {
    while (at < count && i >= table[2 * at + 1]) ++at;
    return at < count && i >= table[2 * at];
  }
};

// Gradients of which a step has left parts (see sum_columns): a row (start, stop, first, slices) of the table says
// that gradient i in [start, stop) is the sum of `slices` parts, the first at first + i - start and each next one
// stop - start further on. Rows ascend.
template <typename T> struct Gradient {
  T value;
  bool added_up;
};

template <typename T> struct Parts {
  const T* parts;
  const long long* table;
  int count, at;

  // Gradient i, and whether it was added up and is yet to be stored
  __device__ Gradient<T> of(const T* gradients, long long i) {
    while (at < count && i >= table[4 * at + 1]) ++at;
    if (at == count || i < table[4 * at]) return {gradients[i], false};
    const long long start = table[4 * at], width = table[4 * at + 1] - start, slices = table[4 * at + 3];
    const T* part = parts + table[4 * at + 2] + (i - start);
    T sum = 0;
#pragma unroll 4
    for (long long slice = 0; slice < slices; ++slice) sum += part[slice * width];
    return {sum, true};
  }
};

// partial[block] = sum of the squares of the gradients (size,) that the block strides over
template <typename T>
__global__ void __launch_bounds__(BLOCK)
gradient_squares(T* gradients, const T* parts /* or null */, const long long* summed /* or null */, int sums,
                 T* partial, long long size) {
  Parts<T> left{parts, summed, sums, 0};
  T sum = 0;
  in_flight<LOADS<T>>(
      first_item(), size, item_stride(), [&](long long i) { return left.of(gradients, i); },
      [&](long long i, Gradient<T> gradient) {
        if (gradient.added_up) gradients[i] = gradient.value;
        sum += gradient.value * gradient.value;
      });
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// norm = sqrt(sum of partial) for partial (count,), and gradients (size,) = gradients min(1, limit / norm); they
// stay as they are where the norm is not finite. Each block adds the parts up by itself: nobody reads a norm that
// another block has yet to write.
template <typename T>
__global__ void __launch_bounds__(BLOCK)
scale_to_limit(T* gradients, const T* partial, long long count, T* norm, T limit, long long size) {
  const T length = sqrt(sum_of_blocks(partial, count));
  if (first_item() == 0) *norm = length;
  if (!(length > limit && length - length == T(0))) return;
  const T scale = limit / length;
  in_flight<LOADS<T>>(
      first_item(), size, item_stride(), [=](long long i) { return gradients[i]; },
      [=](long long i, T g) { gradients[i] = g * scale; });
}

// What a step makes of each parameter w and of its moments, by the rule's formula; moments (M, size), settings (S + 1,)
// the rule's and at last c, and g is the gradient plus c w inside the decay_ranges
template <typename T, typename Rule>
__global__ void __launch_bounds__(BLOCK)
update(T* values, T* gradients, T* moments, const T* settings, const long long* decay_ranges /* or null */,
       int ranges, const T* parts /* or null */, const long long* summed /* or null */, int sums,
       long long* cursor /* or null */, long long by, long long size) {
  move_on(cursor, by);
  Parts<T> left{parts, summed, sums, 0};
  T known[Rule::SETTINGS + 1];
#pragma unroll
  for (int k = 0; k <= Rule::SETTINGS; ++k) known[k] = settings[k];
  const T decay = known[Rule::SETTINGS];
  Ranges decaying{decay_ranges, ranges, 0};
  struct Item {
    T w, moments[Rule::MOMENTS + 1];  // one more: C++ has no array of none
    Gradient<T> gradient;
  };
  in_flight<LOADS<T> / 2>(
      first_item(), size, item_stride(),
      [&](long long i) {
        Item item{values[i], {}, left.of(gradients, i)};
#pragma unroll
        for (int m = 0; m < Rule::MOMENTS; ++m) item.moments[m] = moments[m * size + i];
        return item;
      },
      [&](long long i, Item item) {
        const T w = item.w, added = item.gradient.value;
        if (item.gradient.added_up) gradients[i] = added;
        const bool decays = decay != T(0) && decaying.hold(i);
        values[i] = Rule::step(w, decays ? added + decay * w : added, item.moments, known);
#pragma unroll
        for (int m = 0; m < Rule::MOMENTS; ++m) moments[m * size + i] = item.moments[m];
      });
}
