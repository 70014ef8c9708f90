// The threads of the process: they wait for jobs, and sleep when none comes.
#pragma once

#include <cstdint>

namespace fuseprop {

struct Helper;

// Lets up to `members` threads, of which the caller is one, call work(of, ...) at once; returns when all who began have
// returned. Work must be right however many come, whenever they come and go: who comes late finds nothing left to do.
// For the caller `helps` is null; who helps returns from work as soon as `leaves(helps)`.
//
// Callers side by side share the threads: all together are at most thread_limit(), but for callers beyond that, and each
// caller gets its share of them, and what the others leave.
void together(int members, void (*work)(void* of, Helper* helps), void* of);

// Whether who helps is to go, as more threads work than may: another caller came, or the limit was lowered.
bool leaves(Helper* helps);

// Whether more threads work than there are processors for them: one that waits would keep another from its work.
bool crowded();

// How many threads may work at once.
int thread_limit();

// A moment's pause of a thread that spins.
void relax();

// Of a clock that only goes forward.
int64_t nanoseconds();

} // namespace fuseprop
