/* SPDX-License-Identifier: MIT */
/*
 * signals.c - the thread that waits for signals, and tells the service manager how it goes in
 * between.
 *
 * Invariants: signals are taken by sigtimedwait(2) here and nowhere else; the thread lives until
 * everything but the mount has ended, so that a second SIGTERM can end what hangs.
 */
#include "daemon_i.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "propexofs/log.h"

enum { FORCE_MS = 1000 };

void signals_block(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGHUP);
	sigaddset(ret, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, ret, NULL);
}

static void log_line(void *arg, const char *text)
{
	(void)arg;
	px_info("daemon", "%s", text);
}

static void dump(struct daemon *d)
{
	struct px_fs_counters counters;
	struct px_reader *reader = NULL;
	struct px_err err;
	px_rc rc = px_reader_open(d->conf->store, &reader, &err);

	px_fs_counters(d->fs, &counters);
	if (!rc)
		rc = px_status_dump(reader, d->board, &counters, log_line, NULL, &err);
	px_reader_close(reader);
	if (rc)
		px_warn("daemon", "no state can be told: %s", err.msg);
}

static void reload(struct daemon *d)
{
	pthread_mutex_lock(&d->parts);
	if (!d->ending) {
		manager_reloading(d);
		daemon_reload(d);
		manager_reloaded(d);
	}
	pthread_mutex_unlock(&d->parts);
}

static void end(struct daemon *d, int sig, int64_t *force_ms)
{
	if (!*force_ms && !d->ending && !d->asked) {
		px_info("daemon", "signal %d: unmounting", sig);
		manager_stopping(d);
		d->asked = true;
	} else {
		px_info("daemon", "signal %d again: ending at once", sig);
		*force_ms = daemon_real_ms() + FORCE_MS;
	}
	if (!d->ending)
		px_fs_stop(d->fs);
}

/* The next signal, 0 when there is none within wait_ms; -1: without end. */
static int next_signal(const sigset_t *set, int64_t wait_ms)
{
	const struct timespec ts = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
	int sig = wait_ms < 0 ? sigwaitinfo(set, NULL) : sigtimedwait(set, NULL, &ts);

	return sig < 0 ? 0 : sig;
}

static void *signals_main(void *arg)
{
	struct daemon *d = arg;
	int64_t force_ms = 0;
	sigset_t set;

	signals_block(&set);
	for (;;) {
		int64_t wait_ms = manager_tick(d);
		int sig;

		if (force_ms)
			wait_ms = force_ms - daemon_real_ms();
		if (force_ms && wait_ms <= 0) {
			/* the store is made for that; what is not committed was not promised */
			px_warn("daemon", "ended by force");
			_exit(0);
		}
		sig = next_signal(&set, wait_ms);
		if (d->ended)
			return NULL;
		switch (sig) {
		case SIGTERM:
		case SIGINT:
			end(d, sig, &force_ms);
			break;
		case SIGHUP:
			reload(d);
			break;
		case SIGUSR1:
			dump(d);
			break;
		default:
			break;
		}
	}
}

px_rc signals_start(struct daemon *d, struct px_err *err)
{
	int n = pthread_create(&d->signals, NULL, signals_main, d);

	if (n)
		return px_err_sys(err, n, "cannot start the signal thread");
	d->signals_started = true;
	return PX_OK;
}

void signals_stop(struct daemon *d)
{
	if (!d->signals_started)
		return;
	d->ended = true;
	pthread_kill(d->signals, SIGUSR1);
	pthread_join(d->signals, NULL);
}
