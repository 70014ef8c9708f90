// What the library is told of a step, and what it offers: plain C, called through ctypes.
//
// The structs stand in fuseprop_numpy/compiled/interface.py once more, field by field; a test compares them.
#pragma once

#include <cstdint>

#define FUSEPROP_API extern "C" __attribute__((visibility("default")))

namespace fuseprop {

// A formula: one of the table of its kind, or a program of the interpreter. Its numbers are those that stand in
// the formula, in their order; they are `float` or `double`, as the step.
struct Formula {
  int64_t kernel;        // its place in the table of its kind, or -1: then `code` is run
  const void* constants; // numbers
  int64_t constant_count;
  const int32_t* code;   // see interpreter.hpp
  int64_t code_length;
};

// What a step gathers: rows of `source` (row-major, of `width` elements), at order[cursor], order[cursor + 1], ...;
// without an order rows 0, 1, 2, ... . Nothing is gathered where `source` is null.
struct Gather {
  const void* source;
  const int64_t* order;
  const int64_t* cursor;
  int64_t width;
};

struct LayerSpec {
  int64_t inputs, outputs; // K, N
  int64_t offset;          // where its block (K + 1, N), weights and then the bias, starts in the flat buffers
  int64_t decays;          // whether weight decay goes over its weights
  Formula value, slope;    // y = f(z); f', of y or of z
  int64_t is_identity;     // f(z) = z: neither is computed
  int64_t slope_of_sum;    // f' is of z
  int64_t drops;           // whether dropout follows
  double rate;             // the share that is dropped
  uint32_t seed;
  // (M, N) each, or null where nobody reads them: z, f(z), dL/dz
  void *kept_sums, *kept_outputs, *kept_deltas;
};

// What is done by one thread, before a step or after it.
enum Task : int64_t { TAKE_ROWS, PUT_ROWS, ADVANCE, SUM_SQUARES, COPY };
struct Chore {
  int64_t task;
  int64_t rows, bytes;  // rows of that many bytes each; of SUM_SQUARES, `rows` numbers; of ADVANCE, by `rows`
  const void* source;
  const int64_t* order; // of TAKE_ROWS
  int64_t* cursor;      // of TAKE_ROWS, PUT_ROWS and ADVANCE
  void* out;
};

enum LossKind : int64_t { LOSS_OF_ROWS, SOFTMAX_CROSS_ENTROPY };
enum HitKind : int64_t { NO_HITS, ARGMAX_EQUALS, THRESHOLD_EQUALS };
enum LinkKind : int64_t { NO_LINK, SOFTMAX, FORMULA };
enum Kind : int64_t { TRAINING, GRADIENT, FORWARD };

// A training step; with GRADIENT one that does not learn, whose gradients are the result. With FORWARD there is nothing
// of the way back, and the rows are given with each call.
struct StepSpec {
  int64_t kind;
  int64_t rows; // M; of FORWARD 0
  int64_t layer_count;
  const LayerSpec* layers;
  // the flat buffers: (P,), (P,), (moment_count, P)
  void* values;
  void* gradients;
  void* moments;
  int64_t parameter_count, moment_count;
  // rows
  Gather x, target, labels, row_weights; // target: (n, k) numbers, or null for exclusive classes; labels: (n,) int64
  const int64_t* dropout_step;           // (1,), or null
  // loss and hits
  int64_t loss_kind;
  Formula loss;
  double factor;
  void* losses; // (M,), or null where nothing asks for them
  int64_t hit_kind;
  double score_threshold, target_threshold;
  void* hits;       // (M,), or null
  int64_t link_kind; // of FORWARD: what the last outputs go through before they are told
  Formula link;
  void* outputs; // of FORWARD: (M, N of the last layer), or null where nobody reads the last outputs
  // update
  Formula update;
  const void* settings; // (S + 1,)
  int64_t setting_count; // S
  int64_t clips;
  double limit; // of the gradients' norm
  void* norm;   // (1,)
  int64_t reduces; // before its update each step waits for its gradients to become their sum over processes
  // what else reads
  int64_t stores_values;    // after each step, not only after the last one of a run
  int64_t stores_gradients; // so too
  int64_t before_count, after_count;
  const Chore *before, *after;
};

// Parts of a run.
enum Part : int64_t { FIRST = 1, LAST = 2 };
// How a run was left: its steps are taken; its time is over; or `gradients` are to be summed.
enum Left : int64_t { DONE, GOES_ON, WAITS };

} // namespace fuseprop

// Returns a step, or null where memory does not suffice. `spec` and what it points to but for arrays of numbers and
// cursors is copied.
FUSEPROP_API void* fuseprop_new_float(const fuseprop::StepSpec* spec);
FUSEPROP_API void* fuseprop_new_double(const fuseprop::StepSpec* spec);
// Takes that many steps, or what so many nanoseconds are enough for. The first part of a run reads values and moments, the
// last one writes them back. Returns how it was left; until it is DONE, fuseprop_resume goes on, and returns that too.
FUSEPROP_API int64_t fuseprop_run(void* step, int64_t times, int64_t part, int64_t patience);
FUSEPROP_API int64_t fuseprop_resume(void* step, int64_t patience);
// Ends a run that is not over, or whose last part did not come, and writes values and moments back; else does nothing. A
// step that has begun to update them is finished, an earlier one is as if it had never begun.
FUSEPROP_API void fuseprop_store(void* step);
FUSEPROP_API void fuseprop_free(void* step);
// Takes rows (row-major, of the step's number type) forward with the present values. `target` holds (rows, k) numbers and
// `labels` (rows,); `outputs`, `losses` and `hits` are written, but for those that the step was not told of. One call at
// a time. Where `renewed` is 0 the values are those of the call before, and are not packed again. Returns 0.
FUSEPROP_API int64_t fuseprop_forward(void* step, int64_t rows, const void* x, const void* target, const int64_t* labels, void* outputs, void* losses, void* hits, int64_t renewed);
// The multiplications and additions of a step.
FUSEPROP_API double fuseprop_operations(const void* step);
// The bytes of memory that a step has of its own.
FUSEPROP_API int64_t fuseprop_bytes(const void* step);
// The shapes of formulas by table, and the interpreter's operations, each by the name that Python knows it by: a line
// each, in the order of their numbers.
FUSEPROP_API const char* fuseprop_kernels();
// Threads: how many a step may take at most; see pool.hpp.
FUSEPROP_API int fuseprop_get_num_threads();
FUSEPROP_API void fuseprop_set_num_threads(int threads);
