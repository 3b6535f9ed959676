/* SPDX-License-Identifier: MIT */
/*
 * clock.h - time, with a seam for tests.
 *
 * Two clocks: wall (what names, mtimes and retention use; may jump) and mono (what every deadline
 * uses; never goes back). Units are in the names. Any thread.
 *
 * When the environment names a file in PROPEXOFS_TEST_CLOCK at px_clock_setup, both clocks follow
 * it, in every process that maps the file: struct px_test_clock below, 32 bytes, native byte order.
 * Time then runs at `rate_milli`/1000 times real speed from `virtual_ns` at `real_ns`. So a daemon
 * and a simulator can share a clock that runs faster, and a test can move it by writing the file.
 */
#ifndef PROPEXOFS_CLOCK_H
#define PROPEXOFS_CLOCK_H

#include <pthread.h>
#include <stdint.h>

struct px_test_clock {
	_Atomic int64_t sequence;   /* odd while the other members are being written */
	_Atomic int64_t real_ns;    /* CLOCK_MONOTONIC at which virtual_ns held */
	_Atomic int64_t virtual_ns; /* Unix time in ns */
	_Atomic int64_t rate_milli; /* 1000 is real speed; > 0 */
};

/* Once at start, before threads. A test clock that cannot be mapped ends the program: a test that
 * asked for it must not run on the real one. */
void px_clock_setup(void);

int64_t px_clock_wall_ns(void);
int64_t px_clock_wall_ms(void);
int64_t px_clock_mono_ns(void);
int64_t px_clock_mono_ms(void);

/* Wall clock that never goes back: when the wall clock does, it goes on from where it was at the
 * pace of time. For what is stored and compared later: commits, days of the log, when something is
 * due. Any thread. */
int64_t px_clock_forward_ns(void);
int64_t px_clock_forward_ms(void);
/* It has been at least this late before (in another life of this process). */
void px_clock_forward_from(int64_t unix_ns);

/* Real milliseconds to wait until px_clock_mono_ms() reaches deadline, at least 0, rounded up, at
 * most cap_ms: for poll and curl. */
int px_clock_poll_ms(int64_t deadline_mono_ms, int cap_ms);

/* Condition variables that wait on these clocks. */
int px_clock_cond_init(pthread_cond_t *cond);
/* As pthread_cond_timedwait with a deadline of px_clock_mono_ms; 0 or ETIMEDOUT. May wake early. */
int px_clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_mono_ms);

/* Writes the clock file (creates it, 0600): for tests and the simulator. 0 or errno. */
int px_clock_test_write(const char *path, int64_t virtual_ns, int64_t rate_milli);

/* "2026-11-23T07:36:40.123Z"; buf holds PX_TIME_MAX. Years 0000 to 9999; outside: clamped. */
enum { PX_TIME_MAX = 32 };
const char *px_time_format_ms(int64_t unix_ms, char buf[PX_TIME_MAX]);
/* The same without milliseconds: "2026-11-23T07:36:40Z". */
const char *px_time_format_s(int64_t unix_ms, char buf[PX_TIME_MAX]);
/* "2026-11-23", the UTC day. */
const char *px_time_format_day(int64_t unix_ms, char buf[PX_TIME_MAX]);

/* ISO 8601 as the API writes it: date, 'T' or space, time, optional fraction of any length, 'Z' or
 * +hh:mm or nothing (UTC); or a date alone. `len` bytes. On success *ret_ns is Unix time in ns. */
int px_time_parse(const char *s, size_t len, int64_t *ret_ns); /* 0, or -1 when it is no time */

#endif
