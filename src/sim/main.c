/* SPDX-License-Identifier: MIT */
/*
 * main.c - the simulator's life: build the world, serve it, end on a signal.
 *
 * Invariants: the line that names the address, and the port file, come when requests are answered;
 * SIGTERM and SIGINT end it with 0; parts are taken down in reverse, and the timer first, so that
 * nothing starts any more.
 */
#include "sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "propexofs/clock.h"
#include "propexofs/log.h"

static px_rc copy_keys(struct sim *s, struct px_err *err)
{
	s->keys = calloc(s->opt.nkeys + 1, sizeof *s->keys);
	if (!s->keys)
		return px_err_nomem(err);
	for (size_t i = 0; i < s->opt.nkeys; i++) {
		s->keys[s->nkeys] = strdup(s->opt.keys[i]);
		if (!s->keys[s->nkeys++])
			return px_err_nomem(err);
	}
	return PX_OK;
}

static px_rc begin(struct sim *s, struct px_err *err)
{
	px_rc rc = copy_keys(s, err);

	s->meta = s->opt.meta;
	for (int q = 0; q < QUIRK_COUNT; q++)
		s->quirk[q] = s->opt.quirk[q];
	if (!rc && (limit_init(s) || faults_init(s) || stats_init(s)))
		rc = px_err_nomem(err);
	if (!rc)
		rc = world_init(s, err);
	if (!rc)
		rc = routes_init(s, err);
	if (!rc && s->opt.webhook && hooks_ready_made(s, s->opt.webhook, s->opt.webhook_secret))
		rc = px_err_nomem(err);
	if (!rc)
		rc = timer_start(s, err);
	if (!rc)
		rc = deliveries_start(s, err);
	if (!rc)
		rc = server_start(s, err);
	if (!rc && s->opt.live_s > 0) {
		s->live_ms = (int64_t)(s->opt.live_s * 1000);
		(void)pthread_mutex_lock(&s->world.lock);
		live_start(s);
		(void)pthread_mutex_unlock(&s->world.lock);
	}
	return rc;
}

static void end(struct sim *s)
{
	s->stopping = true;
	if (s->timer)
		timer_stop(s);
	if (s->server)
		server_stop(s);
	if (s->deliveries)
		deliveries_stop(s);
	if (s->timer)
		timer_free(s);
	routes_release(s);
	world_release(s);
	stats_release(s);
	faults_release(s);
	limit_release(s);
	for (size_t i = 0; i < s->nkeys; i++)
		free(s->keys[i]);
	free(s->keys);
}

/* By a name beside it and rename(2): whoever waits for the file never sees half a number. */
static px_rc write_port(const char *path, int port, struct px_err *err)
{
	char beside[4096];
	FILE *f;
	bool ok;

	if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
		return px_err_set(err, PX_EUSAGE, "the port file's path is too long");
	f = fopen(beside, "we");
	ok = f && fprintf(f, "%d\n", port) > 0;
	if (f && fclose(f))
		ok = false;
	if (!ok || rename(beside, path))
		return px_err_set(err, PX_EIO, "cannot write the port file %s", path);
	return PX_OK;
}

int main(int argc, char **argv)
{
	static struct sim sim;
	struct px_err err = {0};
	sigset_t set;
	int sig, code;
	px_rc rc;

	px_clock_setup();
	code = options_parse(&sim.opt, argc, argv);
	if (code)
		return code == 1 ? 0 : code;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	px_log_setup(PX_LOG_STDERR, PX_LOG_WARN);
	rc = begin(&sim, &err);
	if (!rc && sim.opt.port_file)
		rc = write_port(sim.opt.port_file, server_port(&sim), &err);
	if (rc) {
		(void)fprintf(stderr, "propexofs-sim: %s\n", err.msg);
	} else {
		(void)printf("propexofs-sim: listening on http://%s:%d\n", sim.opt.host,
			server_port(&sim));
		(void)fflush(stdout);
		while (sigwait(&set, &sig))
			;
	}
	end(&sim);
	options_release(&sim.opt);
	return rc ? 1 : 0;
}
