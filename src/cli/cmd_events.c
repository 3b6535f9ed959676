/* SPDX-License-Identifier: MIT */
/*
 * cmd_events.c - the event log in order, across days.
 *
 * Reads the store with a connection of its own: the writer is never in the way, and a daemon need
 * not run. Every line is printed (or given to CMD) exactly once and in the order of seq; a CMD that
 * fails ends the command, so that nothing is passed over.
 */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "propexofs/clock.h"
#include "propexofs/codec.h"
#include "propexofs/model.h"
#include "propexofs/store_read.h"

enum { POLL_MS = 100 };

struct reading {
	const struct px_conf *c;
	const char *exec;
	int64_t seq;	 /* of the last line seen */
	int64_t from_ns; /* lines from before are passed over */
	px_rc rc;
	struct px_err *err;
};

static const char *last_of(const struct px_strings *list)
{
	return list->count ? list->list[list->count - 1] : NULL;
}

/* A member that must be one of the list, when there is one. */
static bool among(struct px_span line, const char *member, const struct px_strings *list)
{
	struct px_span value = px_json_member(line, member);

	if (!list->count)
		return true;
	for (size_t i = 0; i < list->count; i++)
		if (px_json_string_is(value, list->list[i]))
			return true;
	return false;
}

static bool model_wanted(const struct px_conf *c, struct px_span line)
{
	char *name;
	bool wanted = false;
	int model;

	if (!c->models.count || among(line, "model", &c->models))
		return true;
	/* a log line may have the name as the delivery spelt it */
	name = px_json_strdup(px_json_member(line, "model"), 256);
	model = name ? px_model_by_any(name) : -1;
	for (size_t i = 0; i < c->models.count && model >= 0; i++)
		wanted |= !strcmp(c->models.list[i], px_models[model].dir);
	free(name);
	return wanted;
}

static bool is_wanted(const struct reading *r, const char *text, size_t len)
{
	struct px_span line = {text, len};
	int64_t ns = 0;
	char *time;

	if (r->from_ns) {
		time = px_json_strdup(px_json_member(line, "time"), 64);
		if (!time || px_time_parse(time, strlen(time), &ns) || ns < r->from_ns) {
			free(time);
			return false;
		}
		free(time);
	}
	return among(line, "integration_id", &r->c->integrations) && model_wanted(r->c, line);
}

static px_rc run_command(const struct reading *r, const char *line, size_t len)
{
	int fds[2], status = 0;
	pid_t pid;

	if (pipe(fds))
		return px_err_sys(r->err, errno, "pipe");
	pid = fork();
	if (pid < 0)
		return px_err_sys(r->err, errno, "cannot start --exec");
	if (!pid) {
		(void)close(fds[1]);
		(void)dup2(fds[0], STDIN_FILENO);
		(void)close(fds[0]);
		(void)signal(SIGPIPE, SIG_DFL);
		(void)execl("/bin/sh", "sh", "-c", r->exec, (char *)NULL);
		_exit(127);
	}
	(void)close(fds[0]);
	for (size_t at = 0; at <= len;) {
		ssize_t n = at < len ? write(fds[1], line + at, len - at) : write(fds[1], "\n", 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* it need not read all */
		at += (size_t)n;
	}
	(void)close(fds[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return PX_OK;
	return px_err_set(r->err, PX_EIO,
		"--exec failed at seq %lld (%s %d): go on with --since %lld", (long long)r->seq,
		WIFEXITED(status) ? "exit code" : "signal",
		WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), (long long)r->seq - 1);
}

static bool take(void *arg, int64_t seq, const char *line, size_t len)
{
	struct reading *r = arg;

	r->seq = seq;
	if (!is_wanted(r, line, len))
		return true;
	if (r->exec)
		r->rc = run_command(r, line, len);
	else if (fwrite(line, 1, len, stdout) != len || putchar('\n') == EOF)
		r->rc = px_err_sys(r->err, errno, "standard output");
	return !r->rc;
}

static px_rc read_since(struct reading *r, const char *since, struct px_err *err)
{
	char *end;

	if (!since)
		return PX_OK;
	errno = 0;
	r->seq = strtoll(since, &end, 10);
	if (!errno && *since && !*end && r->seq >= 0)
		return PX_OK;
	r->seq = 0;
	if (px_time_parse(since, strlen(since), &r->from_ns))
		return px_err_set(err, PX_EUSAGE,
			"--since '%s' is neither a seq nor a time (RFC 3339)", since);
	return PX_OK;
}

px_rc px_cmd_events(struct px_conf *c, int *ret_code, struct px_err *err)
{
	struct reading r = {.c = c, .exec = last_of(&c->exec), .err = err};
	struct px_reader *reader = NULL;
	struct pollfd out = {.fd = r.exec ? -1 : STDOUT_FILENO}; /* for POLLERR and POLLHUP */
	px_rc rc = read_since(&r, last_of(&c->since), err);

	*ret_code = PX_EXIT_DONE;
	if (!rc)
		rc = px_reader_open(c->store, &reader, err);
	(void)signal(SIGPIPE, r.exec ? SIG_IGN : SIG_DFL); /* CMD need not read all */
	while (!rc) {
		rc = px_reader_events(reader, r.seq, take, &r, err);
		if (!rc)
			rc = r.rc;
		if (!rc && fflush(stdout))
			rc = px_err_sys(err, errno, "standard output");
		if (rc || !c->follow)
			break;
		if (poll(&out, 1, POLL_MS) > 0)
			break; /* whoever read it has gone */
	}
	px_reader_close(reader);
	return rc;
}
