// The update of a whole network in few launches, over its flat buffers.
#include "groups.cuh"

// cursor += by, unless it is null: an update that is a step's last act moves on to the next batch
__device__ inline void move_on(long long* cursor, long long by) {
  if (cursor && first_item() == 0) *cursor += by;
}

// number = sqrt(number), in a launch of its own: nobody reads a norm that somebody else has yet to write
template <typename T> __global__ void square_root(T* number) { *number = sqrt(*number); }

// gradients = gradients min(1, limit / norm); untouched where the norm is not finite. gradients (size,)
template <typename T>
__global__ void __launch_bounds__(BLOCK)
scale_to_limit(T* gradients, const T* norm, T limit, long long size) {
  const T length = *norm;
  if (!(length > limit && length - length == T(0))) return;
  const T scale = limit / length;
  for (long long i = first_item(); i < size; i += item_stride()) gradients[i] *= scale;
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

// v = mu v - a g, w = w + v or (Nesterov) w = w + mu v - a g; (a, mu, c) = settings, and g is the gradient
// plus c w inside the decay_ranges
template <typename T, bool nesterov>
__global__ void __launch_bounds__(BLOCK)
momentum_sgd(T* values, const T* gradients, T* velocities, const T* settings, const long long* decay_ranges,
             int ranges, long long* cursor, long long by, long long size) {
  move_on(cursor, by);
  const T learning_rate = settings[0], momentum = settings[1], decay = settings[2];
  Ranges decaying{decay_ranges, ranges, 0};
  for (long long i = first_item(); i < size; i += item_stride()) {
    const bool decays = decay != T(0) && decaying.hold(i);
    const T w = values[i];
    const T step = learning_rate * (decays ? gradients[i] + decay * w : gradients[i]);
    const T v = momentum * velocities[i] - step;
    velocities[i] = v;
    values[i] = w + (nesterov ? momentum * v - step : v);
  }
}

// m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, w = w - a m / (sqrt(v) + epsilon); (a, b1, b2, epsilon, c) =
// settings, and g is the gradient plus c w inside the decay_ranges
template <typename T>
__global__ void __launch_bounds__(BLOCK)
adam(T* values, const T* gradients, T* first, T* second, const T* settings, const long long* decay_ranges,
     int ranges, long long* cursor, long long by, long long size) {
  move_on(cursor, by);
  const T rate = settings[0], beta_1 = settings[1], beta_2 = settings[2], epsilon = settings[3];
  const T decay = settings[4];
  Ranges decaying{decay_ranges, ranges, 0};
  for (long long i = first_item(); i < size; i += item_stride()) {
    const bool decays = decay != T(0) && decaying.hold(i);
    const T w = values[i];
    const T g = decays ? gradients[i] + decay * w : gradients[i];
    const T m = beta_1 * first[i] + (T(1) - beta_1) * g;
    const T v = beta_2 * second[i] + (T(1) - beta_2) * (g * g);
    first[i] = m;
    second[i] = v;
    values[i] = w - rate * m / (sqrt(v) + epsilon);
  }
}
