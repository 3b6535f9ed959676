/* SPDX-License-Identifier: MIT */
/*
 * once.c - `propexofs sync`: one pass, by the daemon that has the store, or without one.
 *
 * Invariant: standard error gets a bar only when it is a terminal; otherwise a line every few
 * seconds, for logs.
 */
#include "propexofs/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "propexofs/clock.h"
#include "propexofs/control.h"
#include "propexofs/ingest.h"
#include "propexofs/status.h"
#include "propexofs/sync.h"

enum { BAR_MS = 200, LINE_MS = 5000, BAR_WIDTH = 24 };

static _Atomic bool stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = true;
}

struct meter {
	bool terminal;
	int64_t due_ms;
};

/* Nothing while it is not known, and at the end. */
static void time_left(int64_t s, const char *before, char out[32])
{
	if (s <= 0)
		out[0] = '\0';
	else if (s >= 3600)
		(void)snprintf(out, 32, "%sETA %lld:%02d:%02d", before, (long long)(s / 3600),
			(int)(s / 60 % 60), (int)(s % 60));
	else
		(void)snprintf(out, 32, "%sETA %d:%02d", before, (int)(s / 60), (int)(s % 60));
}

static void show(void *arg, const struct px_sync_progress *p)
{
	struct meter *m = arg;
	int64_t now = px_clock_mono_ms();
	char left[32], bar[BAR_WIDTH + 1];
	double part = p->expected ? (double)p->done / (double)p->expected : 0;
	int full;

	if (now < m->due_ms || !p->models) /* too soon, or nothing to tell yet */
		return;
	m->due_ms = now + (m->terminal ? BAR_MS : LINE_MS);
	time_left(p->eta_s, m->terminal ? "  " : ", ", left);
	if (part > 1)
		part = 1;
	full = (int)(part * BAR_WIDTH);
	for (int i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < full ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	if (m->terminal)
		(void)fprintf(stderr, "\r[%s] %lld records  %zu of %zu models%-14s  %-28.28s", bar,
			(long long)p->done, p->models_done, p->models, left,
			p->doing ? p->doing : "");
	else
		(void)fprintf(stderr, "propexofs: %lld of %lld records, %zu of %zu models%s\n",
			(long long)p->done, (long long)p->expected, p->models_done, p->models,
			left);
}

px_rc px_daemon_sync(struct px_conf *conf, bool *ret_complete, struct px_err *err)
{
	const struct sigaction act = {.sa_handler = on_signal};
	struct meter meter = {.terminal = isatty(STDERR_FILENO) == 1};
	struct px_board *board;
	struct px_ingest *ingest = NULL;
	struct px_sync *sync = NULL;
	px_rc rc;
	int fd;

	px_log_setup(PX_LOG_STDERR, conf->log_level == PX_LOG_INFO ? PX_LOG_WARN : conf->log_level);
	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	if (!px_control_connect(conf->store, &fd, err)) {
		rc = px_control_sync(fd, show, &meter, &stopped, ret_complete, err);
		if (meter.terminal && meter.due_ms)
			(void)fprintf(stderr, "\n");
		return rc;
	}
	rc = px_conf_load_secrets(conf, true, err);
	if (rc)
		return rc;
	board = px_board_new();
	if (!board)
		return px_err_nomem(err);
	px_board_set_conf(board, conf);
	rc = px_ingest_new(
		&(struct px_ingest_options){
			.store = conf->store,
			.api_url = conf->api_url,
			.history_days = conf->history_days,
			.board = board,
		},
		&ingest, err);
	if (!rc)
		rc = px_ingest_start(ingest, err);
	if (!rc)
		rc = px_sync_new(conf, ingest, board, &sync, err);
	if (!rc && conf->offline)
		rc = px_err_set(err, PX_EUSAGE, "sync needs the network: leave out --offline");
	if (!rc)
		rc = px_sync_once(sync, show, &meter, &stopped, ret_complete, err);
	if (meter.terminal && meter.due_ms)
		(void)fprintf(stderr, "\n");
	if (ingest)
		px_ingest_stop(ingest);
	px_sync_free(sync);
	px_ingest_free(ingest);
	px_board_free(board);
	return rc;
}
