// Units of work, phase by phase, for any number of threads; it can be left, and gone on with.
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

// A Job has units(phase), at least 1: how many units a phase has, asked when it begins; unit(phase, number) does one of
// them; after(phase) is done by one thread when all of them are done.
template <class Job> class Schedule {
public:
  // What comes is all phases, in order.
  void begin(Job& job, long phases) {
    this->job = &job, this->phases = phases;
    open(0);
  }

  // Goes on with up to `members` threads, until all phases are done or so many nanoseconds are over, for which each of
  // them looks after `looks` units; returns whether all are done. Who left it at that did so between two units.
  bool run(int members, int64_t patience, long looks) {
    this->looks = looks, until = nanoseconds() + patience;
    stops.store(false, std::memory_order_relaxed);
    if (members < 2)
      together(1, [](void* of, Helper*) { static_cast<Schedule*>(of)->alone(); }, this);
    else
      together(members, [](void* of, Helper* helps) { static_cast<Schedule*>(of)->share(helps); }, this);
    return phase() >= phases;
  }

  // The first phase that is not done.
  long phase() const { return long(ticket.load(std::memory_order_relaxed) >> UNIT_BITS); }

  // Goes on until all phases are done.
  void finish(int members) {
    while (!run(members, FOREVER, SELDOM)) {
    }
  }

  // All phases are done, and more come: those up to `last`.
  void extend(long last) {
    phases = last;
    open(phase());
  }

  // Forgets the phases from `last` on.
  void cut(long last) { phases = last; }

private:
  static constexpr int64_t FOREVER = int64_t(1) << 60;
  static constexpr long SELDOM = long(1) << 60;
  static constexpr int UNIT_BITS = 24;
  static constexpr uint64_t UNIT_MASK = (uint64_t(1) << UNIT_BITS) - 1;
  static constexpr int SPINS = 4000; // without a unit, before other threads are let in; about 100 us

  Job* job;
  long phases, looks;
  int64_t until;
  long units;                                  // of the phase; who has one of them that is not done may read this
  alignas(64) std::atomic<uint64_t> ticket{0}; // the phase, and how many of its units nobody has taken
  std::atomic<bool> stops{false};
  alignas(64) std::atomic<long> done{0}; // units of the phase

  void open(long phase) {
    units = phase < phases ? job->units(phase) : 0;
    done.store(0, std::memory_order_relaxed);
    ticket.store(uint64_t(phase) << UNIT_BITS | uint64_t(units), std::memory_order_release);
  }

  void alone() {
    const Flushing flushing;
    const uint64_t begun = ticket.load(std::memory_order_relaxed);
    long phase = long(begun >> UNIT_BITS), left = long(begun & UNIT_MASK);
    for (long look = looks; phase < phases;) {
      job->unit(phase, units - left);
      if (!--left) {
        job->after(phase);
        open(++phase);
        left = units;
      }
      if (--look > 0) continue;
      look = looks;
      if (nanoseconds() < until) continue;
      ticket.store(uint64_t(phase) << UNIT_BITS | uint64_t(left), std::memory_order_relaxed);
      done.store(units - left, std::memory_order_relaxed);
      return;
    }
  }

  void share(Helper* helps) {
    const Flushing flushing;
    long look = looks;
    for (int idle = 0; !stops.load(std::memory_order_relaxed) && !leaves(helps);) {
      uint64_t taken = ticket.load(std::memory_order_acquire);
      const long phase = long(taken >> UNIT_BITS), left = long(taken & UNIT_MASK);
      if (phase >= phases) break;
      if (!left) {
        const bool in_the_way = crowded();
        if (in_the_way && helps) break;
        if (++idle < SPINS && !in_the_way)
          relax();
        else
          sched_yield();
        continue;
      }
      if (!ticket.compare_exchange_weak(taken, taken - 1, std::memory_order_acq_rel)) continue;
      idle = 0;
      const long all = units;
      job->unit(phase, all - left);
      if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == all) {
        job->after(phase);
        open(phase + 1);
      }
      if (--look > 0) continue;
      look = looks;
      if (nanoseconds() >= until) stops.store(true, std::memory_order_relaxed);
    }
  }
};

} // namespace fuseprop
