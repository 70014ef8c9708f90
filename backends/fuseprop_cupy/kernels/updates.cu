// The update of a whole network in few launches, over its flat buffers.
#include "groups.cuh"

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

// v = mu v - a g, w = w + v or (Nesterov) w = w + mu v - a g; (a, mu, c) = settings, and g is the gradient
// plus c w inside the ascending decay_ranges [start, stop), (ranges, 2). A thread's positions ascend too, so
// it goes through the ranges once.
template <typename T, bool nesterov>
__global__ void __launch_bounds__(BLOCK)
momentum_sgd(T* values, const T* gradients, T* velocities, const T* settings, const long long* decay_ranges,
             int ranges, long long size) {
  const T learning_rate = settings[0], momentum = settings[1], decay = settings[2];
  int range = 0;
  for (long long i = first_item(); i < size; i += item_stride()) {
    while (range < ranges && i >= decay_ranges[2 * range + 1]) ++range;
    const bool decays = decay != T(0) && range < ranges && i >= decay_ranges[2 * range];
    const T w = values[i];
    const T step = learning_rate * (decays ? gradients[i] + decay * w : gradients[i]);
    const T v = momentum * velocities[i] - step;
    velocities[i] = v;
    values[i] = w + (nesterov ? momentum * v - step : v);
  }
}
