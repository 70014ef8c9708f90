// What C++ lacks for formulas, one number at a time, for float and double alike. NaN in is NaN out, as in NumPy.
#ifndef FUSEPROP_SCALARS_CUH
#define FUSEPROP_SCALARS_CUH

// max(a, b); fmax would lose a NaN.
template <typename T> __device__ inline T larger(T a, T b) { return a > b || a != a ? a : b; }

// min(a, b), likewise
template <typename T> __device__ inline T smaller(T a, T b) { return a < b || a != a ? a : b; }

// -1, 0 or 1
template <typename T> __device__ inline T sign(T x) { return x > T(0) ? T(1) : x < T(0) ? T(-1) : x; }

// The smallest number that is no denormal; NVRTC has no <limits>.
template <typename T> __device__ inline T smallest_normal();
template <> __device__ inline float smallest_normal<float>() { return 1.17549435e-38f; }
template <> __device__ inline double smallest_normal<double>() { return 2.2250738585072014e-308; }

#endif
