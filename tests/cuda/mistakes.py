"""Mistakes that kernels are prone to, each with the rung that finds it and what that says.

file: {mistake: (text, what stands there instead, rung, finding)}; the change is made wherever the text
stands. The rungs are those of tests/README.md: "compiled"; "built", where g++ compares functions with the
list; "executed" in float32, or "executed64"; and the sanitizers "address" and "thread", for what leaves
the numbers right.
"""

ORDER = "depends on the order of threads"
OUTSIDE = "wrote outside an array"
PARITY = "elements? differ|not equal"
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
        "a logarithm of 0": ("return 1.17549435e-38f", "return 0", "executed", PARITY),
        "no sign at a target that is met": ("x < T(0) ? T(-1) : x;", "T(-1);", "executed", PARITY),
        "swapped operands": ("a > b || a != a ? a : b", "a > b || a != a ? b : a", "executed", PARITY),
    },
    "formulas.cuh": {
        "an inexact sigmoid": (
            "return larger(T(z >= T(0.0)), v0) / (T(1) + v0);",
            "return (T(1) + tanh(z / 2)) / 2 + 0 * v0;",
            *("executed", ULP),
        ),
        "a cross-entropy that overflows": (
            "log1p(v0) + (v1 - t) * y",
            "log(exp(y) + T(1)) - t * y",
            *("executed", EPS),
        ),
        "a Poisson deviance that cancels": ("T(1) >= fabs(v0) ?", "T(0) >= fabs(v0) ?", "executed", EPS),
        "a constant in double": ("y * (T(1) - y)", "y * (1.0 - y)", "compiled", DOUBLE),
        "a slope of the other side": ("y > T(0.0) ? T(1) :", "y < T(0.0) ? T(1) :", "executed", PARITY),
        "a slope of the output for one of the sum": (
            "KEEPS_SUM = true",
            "KEEPS_SUM = false",
            *("executed", PARITY),
        ),
        "an error of the other sign": (
            "const T v0 = y - t;",
            "const T v0 = t - y;",
            "executed",
            PARITY,
        ),
        "swapped moments": (
            "w - a * v0 / (sqrt(v1) + epsilon)",
            "w - a * v1 / (sqrt(v0 * v0) + epsilon)",
            *("executed", PARITY),
        ),
        "a moment left as it was": ("    moments[1] = v1;\n", "", "executed", PARITY),
        "a setting of another place": ("b2 = settings[2]", "b2 = settings[1]", "executed", PARITY),
        "a moment beyond the last": ("moments[1] = v1", "moments[3] = v1", "executed", PARITY),
        "a share in double": ("(T(1) - b1) * g", "(1.0 - b1) * g", "compiled", DOUBLE),
    },
    "own.cuh": {
        "a term of the other side": ("T(y > t)", "T(t > y)", "executed", PARITY),
        "an asymmetry that is none": ("T(3) * ", "", "executed", PARITY),
        "another constant": ("T(0.2)", "T(0.3)", "executed", PARITY),
        "a constant in double": ("T(0.5) * v2", "0.5 * v2", "compiled", DOUBLE),
        "a moment left as it was": ("    moments[0] = v0;\n", "", "executed", PARITY),
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
        "a wrong type of parameter": (
            "Element* out, long long rows) {",
            "Element* out, int rows) {",
            "built",
            TYPE,
        ),
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
    "losses.cu": {
        "the last column left out": (
            "lane_of(lanes), columns,",
            "lane_of(lanes), columns - 1,",
            "executed",
            PARITY,
        ),
        "swapped operands": ("at(at.first, at.second)", "at(at.second, at.first)", "executed", PARITY),
        "a mean that is not weighted": ("weight * (factor", "weight * weight * (factor", "executed", PARITY),
        "an overflowing softmax": ("exp(x - top)", "exp(x - 0 * top)", "executed", PARITY),
        "the loss of all lanes": ("if (lane_of(lanes) == 0) losses", "losses", "thread", RACE),
        "losses at the start of the epoch": ("cursor ? *cursor : 0", "cursor ? 0 : 0", "executed", PARITY),
        "a target in place of the output": (
            "asked.keep(y, t,",
            "asked.keep({t, nullptr}, y.z,",
            "executed",
            PARITY,
        ),
        "the first row's target": ("target + row * columns", "target + row * 0", "executed", PARITY),
        "a loss's place in 32 bits": (
            "losses[start + row] = log",
            "losses[int(start + row)] = log",
            *("executed", PARITY),
        ),
        "a factor in double": ("(factor * result", "(1.0 * factor * result", "compiled", DOUBLE),
        "a factor left out": ("(factor * result", "(result", "executed", PARITY),
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
    "products.cu": {
        "a chunk's last place left out": (
            "k < here; k += GROUPS",
            "k < here - 1; k += GROUPS",
            "executed",
            PARITY,
        ),
        "a row beyond the end": (
            "if (i < of_a.lines && j < of_b.lines) out",
            "if (j < of_b.lines) out",
            "executed",
            OUTSIDE,
        ),
        "a group's sums left out": (
            "other < GROUPS; ++other",
            "other < GROUPS - 1; ++other",
            "executed",
            PARITY,
        ),
        "the other factor's stride": (
            "of_b(b, b_column, b_row,",
            "of_b(b, b_row, b_column,",
            "executed",
            PARITY,
        ),
        "sums written over what others read": (
            "    }\n    __syncthreads();\n  }\n#pragma unroll",
            "    }\n  }\n#pragma unroll",
            *("executed", f"{ORDER}|{PARITY}"),
        ),
        "sums in single precision": (
            "  T sums[EACH][EACH] = {}, ",
            "  float sums[EACH][EACH] = {}; T ",
            "executed64",
            PARITY,
        ),
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
            "values[i] = Rule",
            "values[i + (i == size - 1)] = Rule",
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
        "another moment's row": ("= moments[m * size + i];", "= moments[i];", "executed", PARITY),
        "a norm without its root": ("sqrt(sum_of_blocks(", "(sum_of_blocks(", "executed", PARITY),
        "a part left out": ("slice < slices;", "slice < slices - 1;", "executed", PARITY),
        "a part's place in 32 bits": (
            "parts + table[4 * at + 2]",
            "parts + int(table[4 * at + 2])",
            *("executed", PARITY),
        ),
        "a parameter's place in 32 bits": ("values[i] = Rule", "values[int(i)] = Rule", "executed", PARITY),
        "a moment's place in 32 bits": (
            "    for (int m = 0; m < Rule::MOMENTS; ++m) moments[m * size + i]",
            "    for (int m = 0; m < Rule::MOMENTS; ++m) moments[int(m * size + i)]",
            *("executed", PARITY),
        ),
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
        "decay in double": ("added + decay * w", "T(added + 1.0 * decay * w)", "compiled", DOUBLE),
        "a range read beyond the table": (
            "at < count && i >= table[2 * at + 1]",
            "count && i >= table[2 * at + 1] && at < count",
            *("address", BEYOND),
        ),
    },
}
