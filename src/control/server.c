/* SPDX-License-Identifier: MIT */
/*
 * server.c - the daemon's side: one thread that accepts, one for each request.
 *
 * Invariants: at most CLIENTS_MAX requests at a time; a client that has gone ends its work within a
 * second; nothing that is asked here can hold up deliveries or the mount, for all of it runs on
 * threads of its own with connections of its own.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control_i.h"
#include "propexofs/codec.h"
#include "propexofs/log.h"

enum { CLIENTS_MAX = 4, STEP_MS = 100, REQUEST_STRINGS_MAX = 1000 };

struct client {
	struct px_control *control;
	int fd;
	pthread_t thread;
	bool started;
	_Atomic bool ended; /* its thread can be joined */
	_Atomic bool stop;  /* the work it asked for */
};

struct px_control {
	const struct px_conf *conf;
	struct px_sync *sync;
	int listen_fd, end_fd;
	pthread_t thread;
	bool started, bound;
	_Atomic bool ending;
	struct client clients[CLIENTS_MAX]; /* accepting thread */
};

static void say_error(int fd, const char *message)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(8192);

	px_buf_adds(&b, "{\"error\":");
	px_buf_add_jsons(&b, message);
	px_buf_addc(&b, '}');
	(void)control_send(fd, &b);
}

/* Whether nobody waits for the answer any more. */
static bool has_gone(struct client *c)
{
	struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

	return c->control->ending || (poll(&p, 1, 0) > 0 && p.revents);
}

/* ---- sync ------------------------------------------------------------------------------------ */

static void do_sync(struct client *c)
{
	uint64_t pass = px_sync_pass_begin(c->control->sync);
	struct px_sync_progress p;
	struct px_err err;
	bool complete = false;

	while (!has_gone(c)) {
		PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(1024);
		px_rc rc = px_sync_pass_look(c->control->sync, pass, &p, &complete, &err);

		if (rc == PX_EBUSY) {
			px_buf_addf(&b,
				"{\"progress\":{\"done\":%lld,\"expected\":%lld,\"eta_s\":%lld,"
				"\"models_done\":%zu,\"models\":%zu}}",
				(long long)p.done, (long long)p.expected, (long long)p.eta_s,
				p.models_done, p.models);
		} else if (rc) {
			say_error(c->fd, err.msg);
			return;
		} else {
			px_buf_addf(&b, "{\"end\":{\"complete\":%s}}", complete ? "true" : "false");
		}
		if (control_send(c->fd, &b) || !rc)
			return;
		(void)poll(NULL, 0, STEP_MS);
	}
}

/* ---- verify ---------------------------------------------------------------------------------- */

static void tell(void *arg, const char *line)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(CONTROL_LINE_MAX);
	struct client *c = arg;

	px_buf_adds(&b, "{\"line\":");
	px_buf_add_jsons(&b, line);
	px_buf_addc(&b, '}');
	if (!px_buf_ok(&b, NULL))
		(void)control_send(c->fd, &b);
}

static px_rc take_strings(struct px_span array, struct px_strings *ret, struct px_err *err)
{
	struct px_json_walk w;
	struct px_span key, value;

	memset(ret, 0, sizeof *ret);
	if (!array.p || px_json_kind(array) != PX_JSON_ARRAY)
		return PX_OK;
	ret->list = calloc(REQUEST_STRINGS_MAX, sizeof *ret->list);
	if (!ret->list)
		return px_err_nomem(err);
	px_json_walk_init(&w, array);
	while (ret->count < REQUEST_STRINGS_MAX && px_json_walk_next(&w, &key, &value)) {
		char *s = px_json_strdup(value, 8192);

		if (!s)
			return px_err_set(err, PX_ESYNTAX, "a name that is no text");
		ret->list[ret->count++] = s;
	}
	return PX_OK;
}

static void free_strings(struct px_strings *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->list[i]);
	free(s->list);
}

/* Ends the work when its client goes: looked at by a thread of its own, for verify waits for the
 * API. */
static void *watch_main(void *arg)
{
	struct client *c = arg;

	while (!c->stop) {
		if (has_gone(c))
			c->stop = true;
		(void)poll(NULL, 0, STEP_MS);
	}
	return NULL;
}

static void do_verify(struct client *c, struct px_span request)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(1024);
	struct px_conf conf = *c->control->conf; /* what it points to stays the daemon's */
	struct px_verify_result result;
	struct px_err err = {0};
	pthread_t watch;
	px_rc rc = take_strings(px_json_member(request, "integrations"), &conf.integrations, &err);

	memset(&conf.models, 0, sizeof conf.models);
	if (!rc)
		rc = take_strings(px_json_member(request, "models"), &conf.models, &err);
	if (!rc && pthread_create(&watch, NULL, watch_main, c))
		rc = px_err_sys(&err, errno, "cannot start a thread");
	if (!rc) {
		rc = px_verify(&conf, px_sync_api(c->control->sync),
			px_json_int(px_json_member(request, "sample"), 0), tell, c, &c->stop,
			&result, &err);
		c->stop = true;
		(void)pthread_join(watch, NULL);
	}
	if (rc) {
		say_error(c->fd, err.msg);
	} else {
		px_buf_addf(&b,
			"{\"end\":{\"compared\":%lld,\"differences\":%lld,\"unreadable\":%lld}}",
			(long long)result.compared, (long long)result.differences,
			(long long)result.unreadable);
		(void)control_send(c->fd, &b);
	}
	free_strings(&conf.integrations);
	free_strings(&conf.models);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void *client_main(void *arg)
{
	struct client *c = arg;
	struct control_lines l = {.fd = c->fd, .have = PX_BUF_INIT(CONTROL_LINE_MAX)};
	struct px_span request = {0};
	struct px_err err;
	px_rc rc = control_line(&l, &c->stop, &request.p, &request.len, &err);

	if (!rc)
		rc = px_json_check(request.p, request.len, &err);
	if (rc)
		say_error(c->fd, err.msg);
	else if (!c->control->sync)
		say_error(c->fd, "the daemon is offline: it asks the API nothing");
	else if (px_json_string_is(px_json_member(request, "do"), "sync"))
		do_sync(c);
	else if (px_json_string_is(px_json_member(request, "do"), "verify"))
		do_verify(c, request);
	else
		say_error(c->fd, "the daemon does not know this command: is it older?");
	px_buf_release(&l.have);
	(void)shutdown(c->fd, SHUT_RDWR);
	c->ended = true;
	return NULL;
}

static void reap(struct client *c)
{
	(void)pthread_join(c->thread, NULL);
	(void)close(c->fd);
	c->started = false;
}

static void take_client(struct px_control *control, int fd)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &control->clients[i];

		if (c->started && c->ended)
			reap(c);
		if (c->started)
			continue;
		c->control = control;
		c->fd = fd;
		c->stop = false;
		c->ended = false;
		c->started = !pthread_create(&c->thread, NULL, client_main, c);
		if (c->started)
			return;
		break;
	}
	say_error(fd, "the daemon is busy with other commands");
	(void)close(fd);
}

static void *accept_main(void *arg)
{
	struct px_control *c = arg;

	while (!c->ending) {
		struct pollfd p[2] = {{.fd = c->listen_fd, .events = POLLIN},
			{.fd = c->end_fd, .events = POLLIN}};
		int fd;

		if (poll(p, 2, -1) <= 0 || !(p[0].revents & POLLIN))
			continue;
		fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			take_client(c, fd);
	}
	return NULL;
}

px_rc px_control_start(const struct px_conf *conf, struct px_sync *sync, struct px_control **ret,
	struct px_err *err)
{
	struct px_control *c = calloc(1, sizeof *c);
	mode_t mask;
	int n;

	if (!c)
		return px_err_nomem(err);
	c->conf = conf;
	c->sync = sync;
	c->end_fd = eventfd(0, EFD_CLOEXEC);
	c->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* the store's lock is ours: what is there is left over */
	mask = umask(0177);
	n = c->listen_fd < 0 || c->end_fd < 0 || control_at(conf->store, c->listen_fd, true, true);
	(void)umask(mask);
	c->bound = !n;
	if (n || listen(c->listen_fd, CLIENTS_MAX)) {
		px_err_sys(err, errno, "the socket %s.sock", conf->store);
		px_control_stop(c);
		return err ? err->code : PX_EIO;
	}
	n = pthread_create(&c->thread, NULL, accept_main, c);
	c->started = !n;
	if (n) {
		px_control_stop(c);
		return px_err_sys(err, n, "cannot start the control thread");
	}
	*ret = c;
	return PX_OK;
}

void px_control_stop(struct px_control *c)
{
	if (!c)
		return;
	c->ending = true;
	if (c->started) {
		(void)eventfd_write(c->end_fd, 1);
		(void)pthread_join(c->thread, NULL);
	}
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		c->clients[i].stop = true;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (c->clients[i].started)
			reap(&c->clients[i]);
	if (c->bound)
		control_unlink(c->conf->store);
	if (c->listen_fd >= 0)
		(void)close(c->listen_fd);
	if (c->end_fd >= 0)
		(void)close(c->end_fd);
	free(c);
}
