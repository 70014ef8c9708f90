"""Mistakes that kernels are prone to, each with the rung that finds it and what that says.

file: {mistake: (text, what stands there instead, rung, finding)}; the change is made wherever the text
stands. The rungs are those of tests/README.md: "compiled"; "built", where g++ compares functions with the
list; "executed" in float32, or "executed64"; and the sanitizers "address" and "thread", for what leaves
the numbers right.
"""

ORDER = "depends on the order of threads"
OUTSIDE = "wrote outside an array"
PARITY = "times the parity bound|not equal"
NEVER = "never come"
EPS = "eps"
ULP = "ulp"
DOUBLE = "double"
TYPE = "no matches converting function|cannot convert"
NARROW = "may change value"
RACE = "data race"
BEYOND = "heap-buffer-overflow"

MISTAKES = {
    "scalars.cuh": {
        "an inexact sigmoid": (
            "return (z >= T(0) ? T(1) : e) / (T(1) + e);",
            "return (T(1) + tanh(z / 2)) / 2 + 0 * e;",
            *("executed", ULP),
        ),
        "a logistic loss that cancels": (
            "(z > T(0) ? (T(1) - t) * z : -t * z) + log1p",
            "(z > T(0) ? z : T(0)) - t * z + log1p",
            *("executed", EPS),
        ),
        "a Poisson deviance that cancels": ("fabs(d) <= T(1) ?", "fabs(d) <= T(0) ?", "executed", EPS),
        "a logarithm of 0": ("  if (t == T(0)) return y;\n", "", "executed", PARITY),
        "a constant in double": ("? T(1) : e) / (T(1) + e)", "? 1.0 : e) / (1.0 + e)", "compiled", DOUBLE),
        "no sign at a target that is met": ("x < T(0) ? T(-1) : x;", "T(-1);", "executed", PARITY),
        "swapped operands": ("a > b || a != a ? a : b", "a > b || a != a ? b : a", "executed", PARITY),
    },
    "dropout.cu": {
        "the same mask in every step": (
            "mix(unsigned(*step))",
            "mix(unsigned(*step * 0))",
            "executed",
            PARITY,
        ),
        "the same mask in every layer": ("unsigned(seed)", "unsigned(seed * 0)", "executed", PARITY),
        "an element kept at its threshold's other side": (
            "< unsigned(t",
            "<= unsigned(t",
            "executed",
            PARITY,
        ),
        "nothing scaled": ("scale * x", "scale / scale * x", "executed", PARITY),
        "a signed shift": ("mix(unsigned x,", "mix(int x,", "executed", PARITY),
        "an element's place in 32 bits": ("return values[i];", "return values[int(i)];", "executed", PARITY),
        "an element beyond the end": ("first_item(), size,", "first_item(), size + 1,", "executed", OUTSIDE),
        "a wrong type of parameter": ("long long threshold", "unsigned threshold", "built", TYPE),
        "a product in double": ("scale * x", "scale * 3.0 / 3.0 * x", "compiled", DOUBLE),
    },
    "groups.cuh": {
        "no barrier in a sum": ("    __syncthreads();\n", "", "executed", ORDER),
        "a barrier that some threads miss": (
            "    __syncthreads();\n",
            "    if (threadIdx.x < half) __syncthreads();\n",
            *("executed", NEVER),
        ),
        "an early return before a barrier": (
            "  partial[threadIdx.x] = x;\n",
            "  partial[threadIdx.x] = x;\n  if (threadIdx.x == 0) return x;\n",
            *("executed", NEVER),
        ),
        "a sum read before it is whole": (
            "  __syncthreads();\n  return partial[0];",
            "  return partial[0];",
            *("executed", ORDER),
        ),
        "a part of a sum left out": ("threadIdx.x, count,", "threadIdx.x, count - 1,", "executed", PARITY),
        "an item loaded beyond the last": (
            "if (i + k * stride < stop) loaded",
            "if (i + k * stride <= stop) loaded",
            *("address", BEYOND),
        ),
        "an item that is not used": (
            "if (i + k * stride < stop) use",
            "if (i + (k + 1) * stride < stop) use",
            *("executed", PARITY),
        ),
        "an item's number in 32 bits": (
            "first_item(int lanes = 1) {\n  return (long long)",
            "first_item(int lanes = 1) {\n  return (int)",
            *("executed", PARITY),
        ),
        "items of another stride": ("i += COUNT * stride", "i += (COUNT + 1) * stride", "executed", PARITY),
        "a mask without half of the lanes": ("ffu >> (32 -", "ffu >> (33 -", "executed", "outside its mask"),
        "an element beyond a shared array": (
            "partial[threadIdx.x + half];",
            "partial[threadIdx.x + half + half / 64];",
            *("executed", PARITY),
        ),
        "a shuffle in single precision": (
            "x += __shfl_xor_sync(mask, x, offset)",
            "x += T(float(__shfl_xor_sync(mask, x, offset)))",
            *("executed64", PARITY),
        ),
    },
    "activations.cu": {
        "no barrier before column sums": ("  __syncthreads();\n", "", "executed", ORDER),
        "an early return before a barrier": (
            "  if (j < columns)\n",
            "  if (j >= columns) return;\n",
            "executed",
            NEVER,
        ),
        "one row of a slice left out": ("threadIdx.y, stop,", "threadIdx.y, stop - 1,", "executed", PARITY),
        "a column sum's place in 32 bits": (
            "sums[blockIdx.y * columns + j]",
            "sums[int(blockIdx.y * columns + j)]",
            *("executed", PARITY),
        ),
        "a row's place in 32 bits": ("z + row * columns", "z + unsigned(row * columns)", "executed", PARITY),
        "the last column left out": (
            "lane_of(lanes), columns,",
            "lane_of(lanes), columns - 1,",
            "executed",
            PARITY,
        ),
        "swapped operands": (
            "at.first * Activation::slope(at.second)",
            "at.second * Activation::slope(at.first)",
            *("executed", PARITY),
        ),
        "a sum in single precision": ("  T sum = 0;", "  float sum = 0;", "executed64", PARITY),
        "all threads write the column sums": (
            "if (threadIdx.y == 0 && j < columns) {\n    for (int k = 1; k < ROWS; ++k) sum +=",
            "if (j < columns) {\n    sum = 0;\n    for (int k = 0; k < ROWS; ++k) sum +=",
            *("thread", RACE),
        ),
    },
    "batches.cu": {
        "the cursor forgotten": ("order[start + row]", "order[start * 0 + row]", "executed", PARITY),
        "labels of other rows": ("labels[from]", "labels[row]", "executed", PARITY),
        "targets of other rows": ("target + from * outputs", "target + row * outputs", "executed", PARITY),
        "one row too many": (
            "row < rows; row += item_stride()",
            "row <= rows; row += item_stride()",
            "executed",
            PARITY,
        ),
        "swapped operands": ("return from[j]", "return from[columns - 1 - j]", "executed", PARITY),
        "a wrong type of parameter": ("T* out, long long rows) {", "T* out, int rows) {", "built", TYPE),
        "a row's number in 32 bits": ("const long long from =", "const int from =", "built", NARROW),
        "a row's place in 32 bits": ("x + from * columns", "x + int(from * columns)", "executed", PARITY),
        "a target's place in 32 bits": (
            "target + from * outputs",
            "target + unsigned(from * outputs)",
            *("executed", PARITY),
        ),
        "a label's place in 32 bits": ("labels[from]", "labels[int(from)]", "executed", PARITY),
        "a place in the epoch in 32 bits": ("out[start + row]", "out[int(start + row)]", "executed", PARITY),
        "an index read one beyond the end": (
            "    const long long from = order[start + row];",
            "    const long long from = order[start + row] + (order[start + row + 1] == -2);",
            *("address", BEYOND),
        ),
    },
    "losses.cu": {
        "the last column left out": (
            "lane_of(lanes), columns,",
            "lane_of(lanes), columns - 1,",
            "executed",
            PARITY,
        ),
        "swapped operands": ("error = y - t;", "error = t - y;", "executed", PARITY),
        "a mean that is not weighted": ("weight * result", "weight * weight * result", "executed", PARITY),
        "the last exponential left out": (
            "first_item(), size,",
            "first_item(), size - 1,",
            "executed",
            PARITY,
        ),
        "an overflowing softmax": ("exp(x - top)", "exp(x - 0 * top)", "executed", PARITY),
        "the loss of all lanes": ("if (lane_of(lanes) == 0) losses", "losses", "thread", RACE),
        "losses at the start of the epoch": ("cursor ? *cursor : 0", "cursor ? 0 : 0", "executed", PARITY),
        "a target in place of the output": (
            "hits.keep(y, t,",
            "hits.keep({t, nullptr}, y.z,",
            "executed",
            PARITY,
        ),
        "the first row's target": ("target + row * columns", "target + row * 0", "executed", PARITY),
        "a loss's place in 32 bits": (
            "losses[start + row] = log",
            "losses[int(start + row)] = log",
            *("executed", PARITY),
        ),
        "a factor in double": ("T(2) * factor", "2.0 * factor", "compiled", DOUBLE),
        "a sum in single precision": ("    T sum = 0;", "    float sum = 0;", "executed64", PARITY),
        "a column read beyond the row": (
            "T top = z[0];",
            "T top = z[columns];",
            "executed",
            PARITY,
        ),
    },
    "hits.cuh": {
        "one column too many": (
            "j < columns; j += lanes)\n    if",
            "j <= columns; j += lanes)\n    if",
            *("executed", PARITY),
        ),
        "swapped operands": (
            "goes_before(other, at, top, best)",
            "goes_before(top, best, other, at)",
            "executed",
            PARITY,
        ),
        "the last among equals": ("i < j &&", "i > j &&", "executed", PARITY),
        "hits at the start of the epoch": ("kept[place]", "kept[row + 0 * place]", "executed", PARITY),
        "a hit's place in 32 bits": ("kept[place]", "kept[unsigned(place)]", "executed", PARITY),
        "the first row's class": ("classes[row]", "classes[row * 0]", "executed", PARITY),
        "a bias left out": ("bias ? z[j] + bias[j] : z[j]", "z[j]", "executed", PARITY),
        "the first column's bias": ("z[j] + bias[j]", "z[j] + bias[0]", "executed", PARITY),
        "a lane that leaves before the shuffles": (
            "  return group_sum(misses",
            "  if (misses) return false;\n  return group_sum(misses",
            *("executed", NEVER),
        ),
    },
    "metrics.cu": {
        "swapped operands": (
            "{scores + i, nullptr}, target + i",
            "{target + i, nullptr}, scores + i",
            *("executed", PARITY),
        ),
        "the last row left out": ("row < rows;", "row < rows - 1;", "executed", PARITY),
        "a row's place in 32 bits": ("i = row * columns;", "i = int(row * columns);", "executed", PARITY),
        "a wrong type of parameter": ("T score_threshold", "double score_threshold", "built", TYPE),
        "the hits of all lanes": ("if (lane_of(lanes) == 0) out", "out", "thread", RACE),
    },
    "sums.cu": {
        "one row left out": ("row < rows; ++row", "row < rows - 1; ++row", "executed", PARITY),
        "an element's place in 32 bits": (
            "array[row * columns + j]",
            "array[unsigned(row * columns + j)]",
            *("executed", PARITY),
        ),
        "one element too many": ("i < size; i += BLOCK", "i <= size; i += BLOCK", "executed", PARITY),
        "swapped operands": ("sum += a[i] * b[i]", "sum += b[i] * b[i] + 0 * a[i]", "executed", PARITY),
        "a sum in single precision": ("  T sum = 0;", "  float sum = 0;", "executed64", PARITY),
        "all threads write the sum": ("if (threadIdx.x == 0) ", "", "thread", RACE),
        "threads that return before the barriers": (
            "  sum = block_sum(sum);",
            "  if (threadIdx.x >= size) return;\n  sum = block_sum(sum);",
            *("executed", NEVER),
        ),
    },
    "updates.cu": {
        "an element beyond the end": (
            "velocities[i] = v",
            "velocities[i + (i == size - 1)] = v",
            "executed",
            OUTSIDE,
        ),
        "a wrong type of parameter": ("T limit", "double limit", "built", TYPE),
        "gradients below the limit scaled too": (
            "length > limit &&",
            "length >= T(0) &&",
            *("executed", PARITY),
        ),
        "decay past its range": (
            "i >= table[2 * at + 1]",
            "i > table[2 * at + 1]",
            "executed",
            PARITY,
        ),
        "swapped operands": (
            "momentum * item.v - step",
            "step - momentum * item.v",
            "executed",
            PARITY,
        ),
        "a norm without its root": ("sqrt(sum_of_blocks(", "(sum_of_blocks(", "executed", PARITY),
        "a part left out": ("slice < slices;", "slice < slices - 1;", "executed", PARITY),
        "a part's place in 32 bits": (
            "parts + table[4 * at + 2]",
            "parts + int(table[4 * at + 2])",
            *("executed", PARITY),
        ),
        "a parameter's place in 32 bits": ("velocities[i] = v", "velocities[int(i)] = v", "executed", PARITY),
        "a gradient's place in 32 bits": (
            "gradients[i] = g * scale",
            "gradients[unsigned(i)] = g * scale",
            *("executed", PARITY),
        ),
        "parts of the first sum for all": ("parts + table[4 * at + 2]", "parts", "executed", PARITY),
        "a sum that is not written": ("return {sum, true}", "return {sum, false}", "executed", PARITY),
        "a cursor moved on by every block": (
            "first_item() == 0",
            "threadIdx.x == 0",
            *("executed", PARITY),
        ),
        "swapped moments": ("rate * m / (sqrt(v)", "rate * v / (sqrt(m * m)", "executed", PARITY),
        "a moment left as it was": ("    second[i] = v;\n", "", "executed", PARITY),
        "a share in double": ("(T(1) - beta_1) * g", "(1.0 - beta_1) * g", "compiled", DOUBLE),
        "a comparison with a double": (
            "momentum * v - step",
            "1.0 * momentum * v - step",
            "compiled",
            DOUBLE,
        ),
        "a range read beyond the table": (
            "at < count && i >= table[2 * at + 1]",
            "count && i >= table[2 * at + 1] && at < count",
            *("address", BEYOND),
        ),
    },
}
