// A batch's rows, gathered and put back at the position in the epoch that the device keeps.
#include "groups.cuh"

template <typename T>
__device__ inline void copy_row(const T* from, T* to, long long columns, int lanes) {
  in_flight<2 * LOADS<T>>(
      lane_of(lanes), columns, lanes, [=](long long j) { return from[j]; },
      [=](long long j, T x) { to[j] = x; });
}

// out[i] = source[order[cursor + i]]; source (N, columns), out (rows, columns)
template <typename Element>
__global__ void __launch_bounds__(BLOCK)
take_rows(const Element* source, const long long* order, const long long* cursor, Element* out, long long rows,
          long long columns, int lanes) {
  const long long start = *cursor;
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes))
    copy_row(source + order[start + row] * columns, out + row * columns, columns, lanes);
}

// The same for all that belongs to a row: x (N, columns), target (N, outputs), of which there may be none, and
// labels (N,).
template <typename T>
__global__ void __launch_bounds__(BLOCK)
take_batch(const T* x, const T* target /* or null */, const long long* labels /* or null */,
           const long long* order, const long long* cursor, T* x_out, T* target_out /* or null */,
           long long* labels_out /* or null */, long long rows, long long columns, long long outputs,
           int lanes) {
  const long long start = *cursor;
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    const long long from = order[start + row];
    const bool labelled = labels && lane_of(lanes) == 0;
    const long long label = labelled ? labels[from] : 0;
    copy_row(x + from * columns, x_out + row * columns, columns, lanes);
    copy_row(target + from * outputs, target_out + row * outputs, outputs, lanes);
    if (labelled) labels_out[row] = label;
  }
}

// out[cursor + i] = values[i]; values (rows,)
template <typename Element>
__global__ void __launch_bounds__(BLOCK)
put_rows(const Element* values, const long long* cursor, Element* out, long long rows) {
  const long long start = *cursor;
  for (long long row = first_item(); row < rows; row += item_stride()) out[start + row] = values[row];
}

__global__ void advance(long long* cursor, long long by) { *cursor += by; }
