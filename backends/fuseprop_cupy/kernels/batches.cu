// A batch's rows, gathered and put back at the position in the epoch that the device keeps.
#include "groups.cuh"

// out[i] = source[order[cursor + i]]; source (N, columns), out (rows, columns)
template <typename T>
__global__ void __launch_bounds__(BLOCK)
take_rows(const T* source, const long long* order, const long long* cursor, T* out, long long rows,
          long long columns, int lanes) {
  const long long start = *cursor;
  for (long long row = first_item(lanes); row < rows; row += item_stride(lanes)) {
    const T* from = source + order[start + row] * columns;
    T* to = out + row * columns;
    for (long long j = lane_of(lanes); j < columns; j += lanes) to[j] = from[j];
  }
}

// out[cursor + i] = values[i]; values (rows,)
template <typename T>
__global__ void __launch_bounds__(BLOCK)
put_rows(const T* values, const long long* cursor, T* out, long long rows) {
  const long long start = *cursor;
  for (long long row = first_item(); row < rows; row += item_stride()) out[start + row] = values[row];
}

__global__ void advance(long long* cursor, long long by) { *cursor += by; }
