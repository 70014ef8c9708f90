// Units of work, phase by phase, for any number of threads.
//
// Whoever is free takes the next unit. A phase is over when its units are done, not when all threads have come: one
// whose core is taken keeps nobody waiting. No sum is divided among units, so the bits of a result depend neither on the
// number of threads nor on who took what.
#pragma once

#include <atomic>
#include <cstdint>
#include <sched.h>

#include "denormals.hpp"
#include "pool.hpp"

namespace fuseprop {

// A Job has units(phase), at least 1: how many units a phase has; unit(phase, number) does one of them; after(phase) is
// done by one thread when all of them are done.
template <class Job> class Schedule {
public:
  // Does all phases, in order, with up to `members` threads.
  void run(Job& job, long phases, int members) {
    this->job = &job, this->phases = phases;
    if (members < 2) {
      alone();
      return;
    }
    ticket.store(0, std::memory_order_relaxed);
    done.store(0, std::memory_order_relaxed);
    together(members, [](void* of) { static_cast<Schedule*>(of)->share(); }, this);
  }

private:
  static constexpr int UNIT_BITS = 24;
  static constexpr uint64_t UNIT_MASK = (uint64_t(1) << UNIT_BITS) - 1;
  static constexpr int SPINS = 4000; // without a unit, before other threads are let in; about 100 us

  Job* job;
  long phases;
  alignas(64) std::atomic<uint64_t> ticket{0}; // the phase, and its next unit
  alignas(64) std::atomic<long> done{0};       // units of the phase

  void alone() {
    const Flushing flushing;
    for (long phase = 0; phase < phases; phase++) {
      const long units = job->units(phase);
      for (long unit = 0; unit < units; unit++) job->unit(phase, unit);
      job->after(phase);
    }
  }

  void share() {
    const Flushing flushing;
    for (int idle = 0;;) {
      uint64_t taken = ticket.load(std::memory_order_acquire);
      const long phase = long(taken >> UNIT_BITS), unit = long(taken & UNIT_MASK);
      if (phase >= phases) break;
      const long units = job->units(phase);
      if (unit >= units) {
        if (++idle < SPINS)
          relax();
        else
          sched_yield();
        continue;
      }
      if (!ticket.compare_exchange_weak(taken, taken + 1, std::memory_order_acq_rel)) continue;
      idle = 0;
      job->unit(phase, unit);
      if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == units) {
        job->after(phase);
        done.store(0, std::memory_order_relaxed);
        ticket.store(uint64_t(phase + 1) << UNIT_BITS, std::memory_order_release);
      }
    }
  }
};

} // namespace fuseprop
