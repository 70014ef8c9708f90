// Which build of the engine this processor runs. Built for any x86-64, as a library of its own: loading a build
// of the engine in order to ask may already run instructions that the processor lacks.

// 4: x86-64-v4, with AVX-512; 3: x86-64-v3, with AVX2 and FMA; 0: neither. What the system does not save when it
// changes threads counts as absent.
extern "C" __attribute__((visibility("default"))) int fuseprop_level() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi") ||
      !__builtin_cpu_supports("bmi2"))
    return 0;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vl"))
    return 3;
  return 4;
}
