// Denormal numbers count as zero while steps are taken: x86 processors take many times as long over them, and a
// velocity that nothing moves any more would end among them.
#pragma once

#include <cstdint>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace fuseprop {

// Holds the setting of this thread as long as it lives.
class Flushing {
public:
#if defined(__x86_64__)
  Flushing() : before(_mm_getcsr()) { _mm_setcsr(before | 0x8040); }
  ~Flushing() { _mm_setcsr(before); }

private:
  unsigned before;
#elif defined(__aarch64__)
  Flushing() {
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" ::"r"(before | uint64_t(1) << 24));
  }
  ~Flushing() { __asm__ volatile("msr fpcr, %0" ::"r"(before)); }

private:
  uint64_t before;
#endif
};

} // namespace fuseprop
