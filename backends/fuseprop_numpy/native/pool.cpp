// The threads of the process, and jobs that any of them may join.
//
// One atomic word of a job, `offer`, holds its number and how many more may join. A thread joins by taking one place
// off; the caller takes off what is left once its own work is done, and waits for those who joined. So a thread
// that comes late finds no place and nobody waits for it, and what a job is may be read only by who has joined.
//
// pthreads and atomics alone: nothing here needs a C++ library. A pool is never freed, and its threads never end:
// they hold up no exit, for they are detached.
#include "pool.hpp"

#include "interface.hpp"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <new>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#ifndef FUSEPROP_FIRST_JOB // a test begins where the number wraps
#define FUSEPROP_FIRST_JOB 0
#endif
#ifndef FUSEPROP_CREATE_THREAD // a test lets it fail
#define FUSEPROP_CREATE_THREAD pthread_create
#endif

namespace fuseprop {

constexpr int PLACE_BITS = 16;
constexpr uint64_t PLACES = (uint64_t(1) << PLACE_BITS) - 1;

using Work = void (*)(void*, Helper*);

// A place for a job: of the caller who has taken it, until all who joined are done.
struct Job {
  alignas(64) std::atomic<uint64_t> offer{uint64_t(FUSEPROP_FIRST_JOB) << PLACE_BITS}; // number, places
  alignas(64) std::atomic<int> done{0};       // how many who joined have returned
  std::atomic<int> helping{0};                // how many who joined have not
  alignas(64) std::atomic<bool> taken{false}; // by a caller
  std::atomic<bool> caller_sleeps{false};
  // of the job on offer
  Work work = nullptr;
  void* of = nullptr;
  uint64_t arithmetic = 0;

  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t all_done = PTHREAD_COND_INITIALIZER;

  bool join(uint64_t& last);
  void wait_for(int joined);
};

// A thread that has joined a job.
struct Helper {
  Job& job;
  bool counted = true; // until it leaves
};

namespace {

constexpr int MOST_THREADS = 1024;
constexpr int MOST_JOBS = 16; // at once; a caller who finds no place works alone
constexpr int64_t SPIN_NANOSECONDS = 100 * 1000; // about what it takes to fall asleep and to be woken a few times
constexpr int LOOKS = 16;                        // between two looks at the clock
constexpr int JOBS_UNTIL_RETRY = 1024;           // once the system refused a thread

// Of all jobs, also those that are done by their callers alone.
std::atomic<int> limit{1};
std::atomic<int> callers{0};
std::atomic<int> present{0}; // callers, and who helps them
std::atomic<int> processors{1}; // that the last caller might use

// How this thread rounds, and what it does with denormal numbers: the threads of a job do as its caller does.
uint64_t arithmetic() {
#if defined(__x86_64__)
  return __builtin_ia32_stmxcsr() & 0xffc0; // without the flags of what has happened
#elif defined(__aarch64__)
  uint64_t control;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  return control;
#else
  return 0;
#endif
}

void set_arithmetic(uint64_t control) {
  if (control == arithmetic()) return;
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(unsigned(control));
#elif defined(__aarch64__)
  asm volatile("msr fpcr, %0" : : "r"(control));
#endif
}

// A caller's part of all threads.
int share() {
  const int all = callers.load(std::memory_order_relaxed), most = thread_limit();
  return all < most ? most / (all < 1 ? 1 : all) : 1;
}

// Looks until something holds, but not for long; returns whether it holds.
template <class Holds> bool spin(Holds holds) {
  const int64_t until = nanoseconds() + SPIN_NANOSECONDS;
  do {
    for (int i = 0; i < LOOKS; i++) {
      if (holds()) return true;
      relax();
    }
  } while (nanoseconds() < until);
  return holds();
}

// Where a thread may run.
#if defined(__linux__)
using Cores = cpu_set_t;
#else
struct Cores {};
#endif

struct Pool;

struct Thread {
  Pool* pool;
  pthread_t handle;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t wake_up = PTHREAD_COND_INITIALIZER;
  bool sleeps = false; // under the mutex
  Cores cores{};       // where it was last sent to; under the mutex

  void sleep(const uint64_t* last);
  bool wake(const Cores* cores);
  void send(const Cores* cores);
};

struct Pool {
  Job jobs[MOST_JOBS];
  alignas(64) std::atomic<int> looking{0}; // threads that are awake and have no job
  std::atomic<int> count{0};
  Thread* threads[MOST_THREADS];

  pthread_mutex_t growing = PTHREAD_MUTEX_INITIALIZER;
  int jobs_until_retry = 0; // of who is growing it

  Job* take();
  bool join_any(uint64_t* last);
  void grow(int wanted);
  bool start_thread();
  void wake(int needed);
};

// Whether there is a place in a job that this thread has not had yet.
bool invites(uint64_t offer, uint64_t last) { return (offer & PLACES) && offer >> PLACE_BITS != last; }

bool Pool::join_any(uint64_t* last) {
  for (int i = 0; i < MOST_JOBS; i++)
    if (invites(jobs[i].offer.load(std::memory_order_relaxed), last[i])) {
      looking.fetch_sub(1);
      const bool joined = jobs[i].join(last[i]);
      looking.fetch_add(1);
      if (joined) return true;
    }
  return false;
}

// A thread is no longer `looking` before it looks at the offers for the last time, and who makes an offer looks at
// `looking` after it: one of the two sees the other.
void Thread::sleep(const uint64_t* last) {
  pthread_mutex_lock(&mutex);
  sleeps = true;
  pool->looking.fetch_sub(1);
  for (int i = 0; i < MOST_JOBS && sleeps; i++)
    if (invites(pool->jobs[i].offer.load(), last[i])) {
      pool->looking.fetch_add(1);
      sleeps = false;
    }
  while (sleeps) pthread_cond_wait(&wake_up, &mutex);
  pthread_mutex_unlock(&mutex);
}

// Wakes the thread if it sleeps, on these cores if any are told; returns whether it slept.
bool Thread::wake(const Cores* where) {
  pthread_mutex_lock(&mutex);
  const bool slept = sleeps;
  if (slept) {
    sleeps = false;
    pool->looking.fetch_add(1);
    if (where) send(where);
  }
  pthread_mutex_unlock(&mutex);
  if (slept) pthread_cond_signal(&wake_up);
  return slept;
}

void Thread::send(const Cores* where) {
#if defined(__linux__)
  if (CPU_EQUAL(where, &cores)) return; // setting it takes 10 us
  if (!pthread_setaffinity_np(handle, sizeof *where, where)) cores = *where;
#else
  (void)where;
#endif
}

// The cores that this thread may use, but for the one it is on if there are others; returns whether it is known.
bool other_cores(Cores* cores) {
#if defined(__linux__)
  const int here = sched_getcpu();
  if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof *cores, cores)) return false;
  if (CPU_COUNT(cores) > 1) CPU_CLR(here, cores);
  return true;
#else
  (void)cores;
  return false;
#endif
}

int usable_processors() {
#if defined(__linux__)
  cpu_set_t cores;
  if (!sched_getaffinity(0, sizeof cores, &cores)) return CPU_COUNT(&cores);
#endif
  return MOST_THREADS; // not known
}

// Those who are awake come by themselves. The others may run where the caller may, but for the core that it is on:
// a thread that is woken there, as many would be, waits for milliseconds until the caller is interrupted.
void Pool::wake(int needed) {
  int missing = needed - looking.load();
  if (missing <= 0) return;
  Cores cores;
  const Cores* const where = other_cores(&cores) ? &cores : nullptr;
  const int there = count.load(std::memory_order_acquire);
  for (int i = 0; i < there && missing > 0; i++) missing -= threads[i]->wake(where);
}

void* live(void* of) {
  Thread& thread = *static_cast<Thread*>(of);
  uint64_t last[MOST_JOBS]; // that it joined, for each place
  for (uint64_t& number : last) number = ~uint64_t(0); // no job's
  const auto join = [&] { return thread.pool->join_any(last); };
  for (;;) {
    if (join()) continue;
    // A thread that spins where callers have all cores would take theirs.
    if (present.load(std::memory_order_relaxed) >= thread_limit() || !spin(join)) thread.sleep(last);
  }
}

// Signals are for the threads that were there before, but for those that a thread brings upon itself.
bool Pool::start_thread() {
  void* const memory = std::malloc(sizeof(Thread));
  if (!memory) return false;
  Thread* const thread = new (memory) Thread;
  thread->pool = this;
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) sigdelset(&blocked, own);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  looking.fetch_add(1);
  const bool started = FUSEPROP_CREATE_THREAD(&thread->handle, nullptr, live, thread) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!started) {
    looking.fetch_sub(1);
    std::free(memory);
    return false;
  }
  pthread_detach(thread->handle);
#if defined(__linux__)
  pthread_setname_np(thread->handle, "fuseprop");
#endif
  const int before_it = count.load(std::memory_order_relaxed);
  threads[before_it] = thread;
  count.store(before_it + 1, std::memory_order_release);
  return true;
}

// Where the system gives no more threads, a job does with those that there are.
void Pool::grow(int wanted) {
  const int most = thread_limit() - 1;
  if (wanted > most) wanted = most;
  if (count.load(std::memory_order_relaxed) >= wanted || pthread_mutex_trylock(&growing)) return;
  if (jobs_until_retry > 0)
    jobs_until_retry--;
  else {
    while (count.load(std::memory_order_relaxed) < wanted && start_thread()) {
    }
    if (count.load(std::memory_order_relaxed) < wanted) jobs_until_retry = JOBS_UNTIL_RETRY;
  }
  pthread_mutex_unlock(&growing);
}

Job* Pool::take() {
  for (Job& job : jobs)
    if (!job.taken.load(std::memory_order_relaxed) && !job.taken.exchange(true, std::memory_order_acquire)) return &job;
  return nullptr;
}

std::atomic<Pool*> current{nullptr};
bool forks_are_seen = false;

// A child has none of the threads, and locks as they were: it begins anew.
void forget() {
  current.store(nullptr);
  callers.store(0), present.store(0);
}
__attribute__((constructor)) void watch_forks() { forks_are_seen = !pthread_atfork(nullptr, nullptr, forget); }

// Returns the pool, or null where memory does not suffice.
Pool* pool() {
  Pool* found = current.load(std::memory_order_acquire);
  if (found || !forks_are_seen) return found;
  void* memory;
  if (posix_memalign(&memory, alignof(Pool), sizeof(Pool))) return nullptr;
  Pool* const made = new (memory) Pool;
  if (current.compare_exchange_strong(found, made)) return made;
  std::free(memory);
  return found;
}

// Counts a caller as long as it lives.
struct AtWork {
  AtWork() { callers.fetch_add(1, std::memory_order_relaxed), present.fetch_add(1); }
  ~AtWork() { callers.fetch_sub(1, std::memory_order_relaxed), present.fetch_sub(1); }
};

} // namespace

// Takes part in the job on offer; returns whether there was a place.
bool Job::join(uint64_t& last) {
  uint64_t seen = offer.load(std::memory_order_relaxed);
  do {
    if (!invites(seen, last)) return false;
  } while (!offer.compare_exchange_weak(seen, seen - 1, std::memory_order_acquire, std::memory_order_relaxed));
  last = seen >> PLACE_BITS;
  set_arithmetic(arithmetic);
  helping.fetch_add(1, std::memory_order_relaxed), present.fetch_add(1);
  Helper helper{*this};
  work(of, &helper);
  if (helper.counted) present.fetch_sub(1), helping.fetch_sub(1, std::memory_order_relaxed);
  done.fetch_add(1); // from here on the job may be gone
  if (caller_sleeps.load()) {
    pthread_mutex_lock(&mutex);
    pthread_cond_signal(&all_done);
    pthread_mutex_unlock(&mutex);
  }
  return true;
}

void Job::wait_for(int joined) {
  const auto all = [&] { return done.load(std::memory_order_acquire) == joined; };
  if (all() || spin(all)) return;
  pthread_mutex_lock(&mutex);
  caller_sleeps.store(true);
  while (done.load() != joined) pthread_cond_wait(&all_done, &mutex);
  caller_sleeps.store(false);
  pthread_mutex_unlock(&mutex);
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int64_t nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t(now.tv_sec) * 1000000000 + now.tv_nsec;
}

int thread_limit() { return limit.load(std::memory_order_relaxed); }

bool crowded() { return present.load(std::memory_order_relaxed) > processors.load(std::memory_order_relaxed); }

// No more leave than are too many: each is counted no more when it is told to.
bool leaves(Helper* helps) {
  if (!helps) return false;
  int now = present.load(std::memory_order_relaxed);
  while (now > thread_limit() && helps->job.helping.load(std::memory_order_relaxed) >= share())
    if (present.compare_exchange_weak(now, now - 1)) {
      helps->job.helping.fetch_sub(1, std::memory_order_relaxed);
      helps->counted = false;
      return true;
    }
  return false;
}

void together(int members, Work work, void* of) {
  const AtWork caller;
  const int fair = share(), idle = thread_limit() - present.load(std::memory_order_relaxed) + 1, most = fair > idle ? fair : idle;
  if (members > most) members = most;
  Pool* const pool = members > 1 ? fuseprop::pool() : nullptr;
  Job* const job = pool ? pool->take() : nullptr;
  if (!job) {
    work(of, nullptr);
    return;
  }
  pool->grow(members - 1 + present.load(std::memory_order_relaxed) - callers.load(std::memory_order_relaxed));
  const int there = pool->count.load(std::memory_order_relaxed), others = members - 1 < there ? members - 1 : there;
  processors.store(usable_processors(), std::memory_order_relaxed);
  job->work = work;
  job->of = of;
  job->arithmetic = arithmetic();
  job->done.store(0, std::memory_order_relaxed);
  const uint64_t number = (job->offer.load(std::memory_order_relaxed) >> PLACE_BITS) + 1; // it may wrap
  job->offer.store(number << PLACE_BITS | uint64_t(others));
  pool->wake(others);
  work(of, nullptr);
  const uint64_t left = job->offer.fetch_and(~PLACES) & PLACES;
  job->wait_for(others - int(left));
  job->taken.store(false, std::memory_order_release);
}

} // namespace fuseprop

int fuseprop_get_num_threads() { return fuseprop::thread_limit(); }

void fuseprop_set_num_threads(int threads) {
  using fuseprop::MOST_THREADS;
  const int taken = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
  fuseprop::limit.store(taken, std::memory_order_relaxed);
}
