// The threads of the process: they wait for a job, and sleep when none comes.
#pragma once

namespace fuseprop {

// Lets up to `members` threads, of which the caller is one, call work(of) at once; returns when all who began have
// returned. Work must be right however many come, and whenever: who comes late finds nothing left to do. A job that
// finds the threads taken by another one is done by its caller alone.
void together(int members, void (*work)(void* of), void* of);

// How many threads a job may have at most.
int thread_limit();

// A moment's pause of a thread that spins.
void relax();

} // namespace fuseprop
