/* SPDX-License-Identifier: MIT */
/*
 * manager.c - what the service manager is told (sd_notify(3)), and nothing when there is none.
 *
 * Invariants: READY=1 goes out once the request thread has looked up from its work, so the tree can
 * be served; WATCHDOG=1 only when it has done so since the last time; STATUS= only when its text
 * has changed. Times are real ones, whatever clock the rest is on: the manager's are.
 */
#include "daemon_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "propexofs/log.h"

enum { STATUS_MS = 2000, STARTING_MS = 10 };

int64_t daemon_real_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void tell(const char *state)
{
	int rc = sd_notify(0, state);

	if (rc < 0)
		px_log_limited(PX_LOG_WARN, "daemon", "the service manager cannot be told: %s",
			strerrordesc_np(-rc));
}

void manager_init(struct manager *m)
{
	const char *socket = getenv("NOTIFY_SOCKET");
	uint64_t usec = 0;

	memset(m, 0, sizeof *m);
	m->on = socket && *socket;
	if (m->on && sd_watchdog_enabled(0, &usec) > 0)
		m->watchdog_ms = (int64_t)(usec / 2000);
}

/* Appends STATUS= when it has changed; false: it has not. */
static bool add_status(struct daemon *d, char *state, size_t size)
{
	struct manager *m = &d->manager;
	struct px_err err;
	char line[sizeof m->status];
	size_t n = strlen(state);

	if (!m->reader && px_reader_open(d->conf->store, &m->reader, &err)) {
		px_log_limited(PX_LOG_WARN, "daemon", "status: %s", err.msg);
		return false;
	}
	if (px_status_line(m->reader, d->board, line, sizeof line, &err)) {
		px_log_limited(PX_LOG_WARN, "daemon", "status: %s", err.msg);
		return false;
	}
	if (!strcmp(line, m->status))
		return false;
	(void)snprintf(m->status, sizeof m->status, "%s", line);
	(void)snprintf(state + n, size - n, "STATUS=%s\n", line);
	return true;
}

static void be_ready(struct daemon *d)
{
	char state[512] = "READY=1\n";

	(void)add_status(d, state, sizeof state);
	tell(state);
}

int64_t manager_tick(struct daemon *d)
{
	struct manager *m = &d->manager;
	int64_t now = daemon_real_ms();

	if (!m->on || d->ending)
		return -1;
	if (!m->ready) {
		if (!px_fs_ping(d->fs))
			return STARTING_MS;
		m->ready = true;
		be_ready(d);
		m->status_due_ms = now + STATUS_MS;
		m->watchdog_due_ms = now + m->watchdog_ms;
	}
	if (now >= m->status_due_ms) {
		char state[512] = "";

		m->status_due_ms = now + STATUS_MS;
		if (add_status(d, state, sizeof state))
			tell(state);
	}
	if (!m->watchdog_ms)
		return m->status_due_ms - now;
	if (now >= m->watchdog_due_ms) {
		m->watchdog_due_ms = now + m->watchdog_ms;
		if (px_fs_ping(d->fs))
			tell("WATCHDOG=1");
		else
			px_log_limited(PX_LOG_WARN, "daemon",
				"the request thread has not answered for half the watchdog's time");
	}
	return (m->watchdog_due_ms < m->status_due_ms ? m->watchdog_due_ms : m->status_due_ms) -
	       now;
}

void manager_reloading(struct daemon *d)
{
	struct timespec ts;
	char state[96];

	if (!d->manager.on)
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	(void)snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
	tell(state);
}

void manager_reloaded(struct daemon *d)
{
	if (d->manager.on)
		be_ready(d);
}

void manager_stopping(struct daemon *d)
{
	if (d->manager.on)
		tell("STOPPING=1\nSTATUS=unmounting");
}

void manager_release(struct manager *m)
{
	px_reader_close(m->reader);
	m->reader = NULL;
}
