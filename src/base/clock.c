/* SPDX-License-Identifier: MIT */
/*
 * clock.c - the two clocks and the calendar.
 *
 * Invariant: px_clock_mono_ns never goes back within a process, also when a test moves the shared
 * clock file. The calendar is the proleptic Gregorian one, UTC; no locale, no time zone, no libc
 * time calls.
 */
#include "propexofs/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const int64_t NS_PER_MS = 1000000, NS_PER_S = 1000000000;

static struct px_test_clock *test_clock; /* set once by px_clock_setup, before threads */
static pthread_mutex_t test_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t test_seen_ns, test_mono_ns; /* guarded by: test_lock */

static int64_t read_ns(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static struct px_test_clock *map_clock(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	void *map = MAP_FAILED;

	if (fd < 0)
		return NULL;
	if (!(flags & O_CREAT) || ftruncate(fd, sizeof(struct px_test_clock)) == 0)
		map = mmap(NULL, sizeof(struct px_test_clock), PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, 0);
	(void)close(fd);
	return map == MAP_FAILED ? NULL : map;
}

void px_clock_setup(void)
{
	const char *path = getenv("PROPEXOFS_TEST_CLOCK");

	if (!path || !*path || test_clock)
		return;
	test_clock = map_clock(path, O_RDWR);
	if (!test_clock || test_clock->rate_milli <= 0) {
		(void)fprintf(stderr, "propexofs: PROPEXOFS_TEST_CLOCK: cannot use %s\n", path);
		exit(1);
	}
}

static int64_t test_now(int64_t *ret_rate)
{
	int64_t real, virt, rate, sequence;

	do {
		sequence = test_clock->sequence;
		real = test_clock->real_ns;
		virt = test_clock->virtual_ns;
		rate = test_clock->rate_milli;
	} while ((sequence & 1) || sequence != test_clock->sequence);
	if (ret_rate)
		*ret_rate = rate;
	return virt + (int64_t)((__int128)(read_ns(CLOCK_MONOTONIC) - real) * rate / 1000);
}

int64_t px_clock_wall_ns(void)
{
	return test_clock ? test_now(NULL) : read_ns(CLOCK_REALTIME);
}

int64_t px_clock_wall_ms(void)
{
	return px_clock_wall_ns() / NS_PER_MS;
}

int64_t px_clock_mono_ns(void)
{
	int64_t now;

	if (!test_clock)
		return read_ns(CLOCK_MONOTONIC);
	/* a step back of the test's clock is one of the wall clock only: time has gone on */
	pthread_mutex_lock(&test_lock);
	now = test_now(NULL);
	if (!test_seen_ns)
		test_mono_ns = read_ns(CLOCK_MONOTONIC);
	else if (now > test_seen_ns)
		test_mono_ns += now - test_seen_ns;
	test_seen_ns = now;
	now = test_mono_ns;
	pthread_mutex_unlock(&test_lock);
	return now;
}

int64_t px_clock_mono_ms(void)
{
	return px_clock_mono_ns() / NS_PER_MS;
}

/* ---- never back */

static pthread_mutex_t forward_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t forward_ns = INT64_MIN, forward_mono_ns; /* guarded by: forward_lock */

int64_t px_clock_forward_ns(void)
{
	int64_t wall, mono, now;

	pthread_mutex_lock(&forward_lock);
	wall = px_clock_wall_ns();
	mono = px_clock_mono_ns();
	now = forward_ns == INT64_MIN ? wall : forward_ns + (mono - forward_mono_ns);
	if (now < wall)
		now = wall;
	forward_ns = now;
	forward_mono_ns = mono;
	pthread_mutex_unlock(&forward_lock);
	return now;
}

int64_t px_clock_forward_ms(void)
{
	return px_clock_forward_ns() / NS_PER_MS;
}

void px_clock_forward_from(int64_t unix_ns)
{
	pthread_mutex_lock(&forward_lock);
	if (forward_ns < unix_ns) {
		forward_ns = unix_ns;
		forward_mono_ns = px_clock_mono_ns();
	}
	pthread_mutex_unlock(&forward_lock);
}

/* ---- waiting */

static const int64_t DAY_MS = 86400000;

/* A test may move the clock at any time: waits are cut short so that nobody sleeps past the move.
 */
static int64_t real_wait_ns(int64_t deadline_mono_ms)
{
	int64_t now = px_clock_mono_ns(), rate = 1000, left;

	if (deadline_mono_ms <= now / NS_PER_MS)
		return 0;
	/* "never" is a day: whoever waits asks again */
	left = deadline_mono_ms - now / NS_PER_MS > DAY_MS ? DAY_MS * NS_PER_MS
							   : deadline_mono_ms * NS_PER_MS - now;
	if (test_clock) {
		(void)test_now(&rate);
		left = (int64_t)((__int128)left * 1000 / rate) + 1;
		if (left > 50 * NS_PER_MS)
			left = 50 * NS_PER_MS;
	}
	return left;
}

int px_clock_poll_ms(int64_t deadline_mono_ms, int cap_ms)
{
	int64_t ms = (real_wait_ns(deadline_mono_ms) + NS_PER_MS - 1) / NS_PER_MS;

	return ms > cap_ms ? cap_ms : (int)ms;
}

int px_clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);

	if (rc)
		return rc;
	rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (!rc)
		rc = pthread_cond_init(cond, &attr);
	(void)pthread_condattr_destroy(&attr);
	return rc;
}

int px_clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_mono_ms)
{
	int64_t until = read_ns(CLOCK_MONOTONIC) + real_wait_ns(deadline_mono_ms);
	struct timespec ts = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};

	(void)pthread_cond_timedwait(cond, mutex, &ts);
	return px_clock_mono_ms() >= deadline_mono_ms ? ETIMEDOUT : 0;
}

int px_clock_test_write(const char *path, int64_t virtual_ns, int64_t rate_milli)
{
	struct px_test_clock *c = map_clock(path, O_RDWR | O_CREAT);

	if (!c)
		return errno ? errno : EIO;
	c->sequence |= 1;
	c->real_ns = read_ns(CLOCK_MONOTONIC);
	c->virtual_ns = virtual_ns;
	c->rate_milli = rate_milli;
	c->sequence++;
	(void)munmap(c, sizeof *c);
	return 0;
}

/* Days since 1970-01-01 of a civil date, and back (Howard Hinnant's algorithms). */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
	int64_t era;
	unsigned yoe, doy, doe;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = (unsigned)(y - era * 400);
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + (int64_t)doe - 719468;
}

static void civil_from_days(int64_t z, int *ret_y, unsigned *ret_m, unsigned *ret_d)
{
	int64_t era;
	unsigned doe, yoe, doy, mp;

	z += 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = (unsigned)(z - era * 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*ret_d = doy - (153 * mp + 2) / 5 + 1;
	*ret_m = mp < 10 ? mp + 3 : mp - 9;
	*ret_y = (int)((int64_t)yoe + era * 400 + (*ret_m <= 2));
}

struct civil {
	int year;
	unsigned month, day, hour, minute, second, ms;
};

static struct civil civil_of_ms(int64_t unix_ms)
{
	static const int64_t MIN_MS = -62167219200000, MAX_MS = 253402300799999;
	const int64_t day_ms = 86400000;
	struct civil c;
	int64_t days, rest;

	if (unix_ms < MIN_MS)
		unix_ms = MIN_MS;
	if (unix_ms > MAX_MS)
		unix_ms = MAX_MS;
	days = unix_ms / day_ms;
	rest = unix_ms % day_ms;
	if (rest < 0) {
		rest += day_ms;
		days--;
	}
	civil_from_days(days, &c.year, &c.month, &c.day);
	c.hour = (unsigned)(rest / 3600000);
	c.minute = (unsigned)(rest / 60000 % 60);
	c.second = (unsigned)(rest / 1000 % 60);
	c.ms = (unsigned)(rest % 1000);
	return c;
}

const char *px_time_format_ms(int64_t unix_ms, char buf[PX_TIME_MAX])
{
	struct civil c = civil_of_ms(unix_ms);

	(void)snprintf(buf, PX_TIME_MAX, "%04d-%02u-%02uT%02u:%02u:%02u.%03uZ", c.year % 10000,
		c.month % 100, c.day % 100, c.hour % 100, c.minute % 100, c.second % 100,
		c.ms % 1000);
	return buf;
}

const char *px_time_format_s(int64_t unix_ms, char buf[PX_TIME_MAX])
{
	struct civil c = civil_of_ms(unix_ms);

	(void)snprintf(buf, PX_TIME_MAX, "%04d-%02u-%02uT%02u:%02u:%02uZ", c.year % 10000,
		c.month % 100, c.day % 100, c.hour % 100, c.minute % 100, c.second % 100);
	return buf;
}

const char *px_time_format_day(int64_t unix_ms, char buf[PX_TIME_MAX])
{
	struct civil c = civil_of_ms(unix_ms);

	(void)snprintf(
		buf, PX_TIME_MAX, "%04d-%02u-%02u", c.year % 10000, c.month % 100, c.day % 100);
	return buf;
}

/* Reads exactly `digits` digits; -1 when they are not there. */
static int number(const char **s, const char *end, int digits)
{
	int n = 0;

	if (end - *s < digits)
		return -1;
	for (int i = 0; i < digits; i++) {
		char c = *(*s)++;

		if (c < '0' || c > '9')
			return -1;
		n = n * 10 + (c - '0');
	}
	return n;
}

static int zone(const char *s, const char *end, int64_t *ret_s)
{
	int sign, h, m;

	*ret_s = 0;
	if (s == end || (end - s == 1 && (*s == 'Z' || *s == 'z')))
		return 0;
	if (*s != '+' && *s != '-')
		return -1;
	sign = *s++ == '-' ? -1 : 1;
	h = number(&s, end, 2);
	if (s < end && *s == ':')
		s++;
	m = s == end ? 0 : number(&s, end, 2);
	if (h < 0 || h > 23 || m < 0 || m > 59 || s != end)
		return -1;
	*ret_s = sign * (h * 3600 + m * 60);
	return 0;
}

int px_time_parse(const char *s, size_t len, int64_t *ret_ns)
{
	static const unsigned char month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const char *end = s + len;
	int y, mo, d, h = 0, mi = 0, sec = 0;
	int64_t frac = 0, offset = 0;

	y = number(&s, end, 4);
	if (y < 0 || s == end || *s++ != '-')
		return -1;
	mo = number(&s, end, 2);
	if (mo < 1 || mo > 12 || s == end || *s++ != '-')
		return -1;
	d = number(&s, end, 2);
	if (d < 1 || d > month_days[mo - 1])
		return -1;
	if (s < end) {
		if (*s != 'T' && *s != 't' && *s != ' ')
			return -1;
		s++;
		h = number(&s, end, 2);
		if (h < 0 || h > 23 || s == end || *s++ != ':')
			return -1;
		mi = number(&s, end, 2);
		if (mi < 0 || mi > 59)
			return -1;
		if (s < end && *s == ':') {
			s++;
			sec = number(&s, end, 2);
			if (sec < 0 || sec > 60)
				return -1;
		}
		if (s < end && (*s == '.' || *s == ',')) {
			int64_t unit = NS_PER_S / 10;

			if (++s == end || *s < '0' || *s > '9')
				return -1;
			for (; s < end && *s >= '0' && *s <= '9'; s++, unit /= 10)
				frac += (*s - '0') * unit;
		}
		if (zone(s, end, &offset) < 0)
			return -1;
	}
	/* int64 nanoseconds reach from 1678 to 2261 */
	if (y < 1678 || y > 2261)
		return -1;
	*ret_ns = (days_from_civil(y, (unsigned)mo, (unsigned)d) * 86400 + h * 3600 + mi * 60 +
			  sec - offset) *
			  NS_PER_S +
		  frac;
	return 0;
}
