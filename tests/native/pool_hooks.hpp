// Included before pool.cpp: job numbers are about to wrap, and a test can let the system refuse threads.
#pragma once

#include <pthread.h>

#define FUSEPROP_FIRST_JOB 0xfffffffffff0

int create_if_allowed(pthread_t* thread, const pthread_attr_t* attributes, void* (*live)(void*), void* of);
#define FUSEPROP_CREATE_THREAD create_if_allowed
