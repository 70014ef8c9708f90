// Jobs for the threads of pool.cpp. POOL_RACES makes a program of them: callers side by side, and a limit that
// changes.
#include "pool_hooks.hpp"

#include "interface.hpp"
#include "pool.hpp"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

using fuseprop::Helper;
using fuseprop::together;

namespace {

std::atomic<int> allowed{1 << 30};

double seconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

// A job of units, each taken by whoever comes first.
struct Units {
  int count, more_members; // members of a job within each unit
  std::atomic<int> next{0}, wrong{0};
  int* taken; // (count,): plain numbers, which only the one who took the unit may write
};

void take(void* of, Helper*) {
  Units& units = *static_cast<Units*>(of);
  for (int unit; (unit = units.next.fetch_add(1)) < units.count;) {
    units.taken[unit]++;
    if (units.more_members) {
      int inner_taken[5] = {};
      Units inner{5, 0, {0}, {0}, inner_taken};
      together(units.more_members, take, &inner);
      for (const int times : inner_taken) units.wrong += times != 1;
    }
  }
}

// Members who wait for one another, though not for ever.
struct Meeting {
  int members;
  double until;
  std::atomic<int> there{0};
};

void meet(void* of, Helper*) {
  Meeting& meeting = *static_cast<Meeting*>(of);
  meeting.there++;
  while (meeting.there.load() < meeting.members && seconds() < meeting.until) sched_yield();
}

// A job that goes on until told to end.
struct Lasting {
  int members;
  std::atomic<int> helping{0};
  std::atomic<bool>* ends;
};

void last(void* of, Helper* helps) {
  Lasting& lasting = *static_cast<Lasting*>(of);
  if (helps) lasting.helping++;
  while (!*lasting.ends && !fuseprop::leaves(helps)) sched_yield();
  if (helps) lasting.helping--;
}

void* call_lasting(void* of) {
  Lasting& lasting = *static_cast<Lasting*>(of);
  together(lasting.members, last, &lasting);
  return nullptr;
}

// Whether so many help each job at a time, within so many seconds.
bool come(const Lasting* jobs, int count, const int* helping, double patience) {
  const double until = seconds() + patience;
  for (;;) {
    int as_wanted = 0;
    for (int i = 0; i < count; i++) as_wanted += jobs[i].helping == helping[i];
    if (as_wanted == count) return true;
    if (seconds() > until) return false;
    usleep(200);
  }
}

struct Sums {
  std::atomic<int> there{0}, flushed{0};
  double until;
};

void flush(void* of, Helper*) {
  Sums& sums = *static_cast<Sums*>(of);
  volatile float tiny = 1e-40f;
  if (tiny * 1.0f == 0) sums.flushed++;
  sums.there++;
  while (sums.there.load() < 2 && seconds() < sums.until) sched_yield();
}

} // namespace

int create_if_allowed(pthread_t* thread, const pthread_attr_t* attributes, void* (*live)(void*), void* of) {
  return allowed.fetch_sub(1) > 0 ? pthread_create(thread, attributes, live, of) : EAGAIN;
}

// Lets the system refuse threads once it gave that many more.
FUSEPROP_API void allow_threads(int count) { allowed = count; }

// Returns how many units of `jobs` jobs were not done just once.
FUSEPROP_API int wrong_units(int jobs, int members, int count, int more_members) {
  int wrong = 0;
  int* const taken = static_cast<int*>(std::malloc(sizeof(int) * size_t(count)));
  for (int job = 0; job < jobs; job++) {
    for (int i = 0; i < count; i++) taken[i] = 0;
    Units units{count, more_members, {0}, {0}, taken};
    together(members, take, &units);
    for (int i = 0; i < count; i++) wrong += taken[i] != 1;
    wrong += units.wrong;
  }
  std::free(taken);
  return wrong;
}

// Returns how many of the members of a job were there at once.
FUSEPROP_API int members_at_once(int members, double patience) {
  Meeting meeting{members, seconds() + patience, {0}};
  together(members, meet, &meeting);
  return meeting.there;
}

// Begins jobs one after the other, all with so many members, each of them when those before it are helped by as many as
// `helping` (callers, callers) says, row by row; then changes the number of threads, after which as many help as `then`
// (callers,) says. Returns at which of these nobody came or went: -1 if all was as said.
FUSEPROP_API int job_with_other_helpers(int callers, int members, const int* helping, int threads, const int* then, double patience) {
  constexpr int MOST = 16;
  std::atomic<bool> ends{false};
  Lasting jobs[MOST];
  pthread_t handles[MOST];
  int wrong = -1, begun = 0;
  while (begun < callers && wrong < 0) {
    jobs[begun].members = members, jobs[begun].ends = &ends;
    pthread_create(&handles[begun], nullptr, call_lasting, &jobs[begun]);
    if (!come(jobs, begun + 1, helping + begun * callers, patience)) wrong = begun;
    begun++;
  }
  if (wrong < 0) {
    fuseprop_set_num_threads(threads);
    if (!come(jobs, callers, then, patience)) wrong = callers;
  }
  ends = true;
  for (int i = 0; i < begun; i++) pthread_join(handles[i], nullptr);
  return wrong;
}

// Returns how many of two threads take denormal numbers for zero, as the caller is told to or not to.
FUSEPROP_API int members_that_flush(int flushing) {
#if defined(__x86_64__)
  const unsigned before = _mm_getcsr();
  _mm_setcsr(flushing ? before | 0x8040 : before & ~0x8040u);
  Sums sums{{0}, {0}, seconds() + 20};
  together(2, flush, &sums);
  _mm_setcsr(before);
  return sums.there == 2 ? sums.flushed.load() : -1;
#else
  return flushing ? 2 : 0;
#endif
}

#ifdef POOL_RACES
namespace {

std::atomic<int> wrong{0};
std::atomic<bool> ends{false};

void* call(void* of) {
  const long number = long(of);
  for (int round = 0; round < 60; round++) {
    wrong += wrong_units(40, 2 + int((round + number) % 4), 1 + round % 13, round % 5 == 0 ? 3 : 0);
    if (round % 3 == 0) usleep(300); // the threads fall asleep
  }
  return nullptr;
}

void* change(void*) {
  for (int i = 0; !ends; i++) {
    fuseprop_set_num_threads(1 + i % 5);
    usleep(100);
  }
  return nullptr;
}

} // namespace

int main() {
  fuseprop_set_num_threads(4);
  for (int round = 0; round < 100; round++) wrong += wrong_units(20, 4, 7, 0) + 0 * usleep(150);
  pthread_t callers[3], changer;
  pthread_create(&changer, nullptr, change, nullptr);
  for (long i = 0; i < 3; i++) pthread_create(&callers[i], nullptr, call, reinterpret_cast<void*>(i));
  for (const pthread_t caller : callers) pthread_join(caller, nullptr);
  ends = true;
  pthread_join(changer, nullptr);
  std::printf("wrong %d\n", wrong.load());
  return wrong != 0;
}
#endif
