/* SPDX-License-Identifier: MIT */
/*
 * test_api_client.c - the client against a small scripted HTTP server.
 *
 * The server runs in this process: a thread accepts, a thread serves each connection. A request is
 * answered by the script of its path: the n-th request by the n-th line, the last line for all that
 * follow. The clocks run twenty times faster, so that waits of a second cost little; what curl
 * itself times out is real. Everything the client logs goes to a file, which at the end must not
 * hold the key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "propexofs/api.h"
#include "propexofs/clock.h"
#include "propexofs/log.h"

static const char KEY[] = "sk-THE-SECRET-KEY-0123456789";
static const char RATE[] = "x-ratelimit-limit: 1000000\r\nx-ratelimit-remaining: 900000\r\n";

/* ---- server */

enum how {
	SAY,	   /* status, headers, body */
	CUT,	   /* announces more than it sends */
	CUT_CHUNK, /* ends inside a chunk */
	RESET,
	CLOSE, /* without a word */
	STALL, /* headers, some body, then nothing */
	MUTE,  /* nothing at all */
	BIG,   /* `size` bytes, announced */
	FLOOD, /* chunks without end */
	SLOW,  /* answers after 300 ms */
};

struct line {
	enum how how;
	int status;
	const char *headers, *body;
	size_t size; /* of body, 0: strlen; or of BIG */
};

enum { LINES = 8, ROUTES = 32, CONNECTIONS = 256, SEEN = 512 };

struct route {
	const char *path; /* without query */
	struct line lines[LINES];
	int n, asked;
};

struct seen {
	char method[8], target[200];
	char head[1600];
	char body[400];
	int connection;
};

struct server {
	int fd, port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct route routes[ROUTES];
	size_t n_routes;
	struct seen seen[SEEN];
	size_t n_seen;
	int fds[CONNECTIONS];
	pthread_t threads[CONNECTIONS];
	int n_connections;
	int busy, busiest;
	bool stopping;
};

struct connection {
	struct server *s;
	int index, fd;
};

static bool send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static bool send_many(int fd, size_t len, bool chunked)
{
	char block[16384];
	char head[32];

	memset(block, 'x', sizeof block);
	while (len) {
		size_t n = len < sizeof block ? len : sizeof block;

		(void)snprintf(head, sizeof head, "%zx\r\n", n);
		if ((chunked && !send_all(fd, head, strlen(head))) || !send_all(fd, block, n) ||
			(chunked && !send_all(fd, "\r\n", 2)))
			return false;
		len -= n;
	}
	return true;
}

static bool send_head(int fd, const struct line *l, const char *length)
{
	bool own = l->headers && strstr(l->headers, "x-ratelimit");
	char head[4096];
	int n = snprintf(head, sizeof head,
		"HTTP/1.1 %d Some Thing\r\nContent-Type: application/json\r\n%s%s%s\r\n",
		l->status ? l->status : 200, own ? "" : RATE, l->headers ? l->headers : "", length);

	return send_all(fd, head, (size_t)n);
}

static void wait_for_stop(struct server *s)
{
	(void)pthread_mutex_lock(&s->lock);
	while (!s->stopping)
		(void)pthread_cond_wait(&s->changed, &s->lock);
	(void)pthread_mutex_unlock(&s->lock);
}

/* false: the connection is to be closed. */
static bool say(struct server *s, int fd, const struct line *l)
{
	const char *body = l->body ? l->body : "";
	size_t size = l->size ? l->size : strlen(body);
	struct linger hard = {.l_onoff = 1, .l_linger = 0};
	char length[64];

	(void)snprintf(length, sizeof length, "Content-Length: %zu\r\n",
		l->how == CUT ? size + 100 : size);
	switch (l->how) {
	case SLOW:
		(void)usleep(300000);
		/* fall through */
	case SAY:
		return send_head(fd, l, length) && send_all(fd, body, size);
	case CUT:
		(void)(send_head(fd, l, length) && send_all(fd, body, size));
		return false;
	case CUT_CHUNK:
		(void)(send_head(fd, l, "Transfer-Encoding: chunked\r\n") &&
			send_all(fd, "ff\r\nabc", 7));
		return false;
	case RESET:
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		return false;
	case CLOSE:
		return false;
	case STALL:
		(void)(send_head(fd, l, "Content-Length: 1000\r\n") && send_all(fd, "{", 1));
		/* fall through */
	case MUTE:
		wait_for_stop(s);
		return false;
	case BIG:
		return send_head(fd, l, length) && send_many(fd, size, false);
	case FLOOD:
		(void)(send_head(fd, l, "Transfer-Encoding: chunked\r\n") &&
			send_many(fd, SIZE_MAX, true));
		return false;
	}
	return false;
}

/* Reads one request; false at the end. */
static bool hear(int fd, struct seen *r)
{
	size_t len = 0, body = 0;
	char *end, *length;

	memset(r, 0, sizeof *r);
	while (!(end = strstr(r->head, "\r\n\r\n"))) {
		ssize_t n = recv(fd, r->head + len, 1, 0);

		if (n <= 0 || len + 2 >= sizeof r->head)
			return false;
		len += (size_t)n;
	}
	if (sscanf(r->head, "%7s %199s", r->method, r->target) != 2)
		return false;
	length = strcasestr(r->head, "\r\nContent-Length:");
	if (length)
		body = strtoul(length + 17, NULL, 10);
	if (body >= sizeof r->body)
		return false;
	return !body || recv(fd, r->body, body, MSG_WAITALL) == (ssize_t)body;
}

static struct line script(struct server *s, const char *target)
{
	static const struct line unknown = {.status = 404, .body = "{\"unknown\":1}"};
	size_t len = strcspn(target, "?");

	for (size_t i = 0; i < s->n_routes; i++) {
		struct route *r = &s->routes[i];

		if (strlen(r->path) == len && !strncmp(r->path, target, len)) {
			int n = r->asked++;

			return r->lines[n < r->n ? n : r->n - 1];
		}
	}
	return unknown;
}

static void *serve(void *arg)
{
	struct connection *c = arg;
	struct server *s = c->s;
	struct seen r;
	bool more = true;

	while (more && hear(c->fd, &r)) {
		struct line l;

		r.connection = c->index;
		(void)pthread_mutex_lock(&s->lock);
		l = script(s, r.target);
		if (s->n_seen < SEEN)
			s->seen[s->n_seen++] = r;
		s->busy++;
		s->busiest = s->busy > s->busiest ? s->busy : s->busiest;
		(void)pthread_cond_broadcast(&s->changed);
		(void)pthread_mutex_unlock(&s->lock);
		more = say(s, c->fd, &l);
		(void)pthread_mutex_lock(&s->lock);
		s->busy--;
		(void)pthread_mutex_unlock(&s->lock);
	}
	(void)pthread_mutex_lock(&s->lock);
	s->fds[c->index] = -1;
	(void)close(c->fd);
	(void)pthread_mutex_unlock(&s->lock);
	free(c);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct server *s = arg;

	for (;;) {
		struct connection *c;
		int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return NULL;
		c = malloc(sizeof *c);
		(void)pthread_mutex_lock(&s->lock);
		if (!c || s->stopping || s->n_connections == CONNECTIONS) {
			(void)pthread_mutex_unlock(&s->lock);
			(void)close(fd);
			free(c);
			continue;
		}
		*c = (struct connection){.s = s, .index = s->n_connections++, .fd = fd};
		s->fds[c->index] = fd;
		(void)pthread_create(&s->threads[c->index], NULL, serve, c);
		(void)pthread_mutex_unlock(&s->lock);
	}
}

static struct server *server_new(void)
{
	struct server *s = calloc(1, sizeof *s);
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;

	assert_non_null(s);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(s->fd, 64), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
	s->port = ntohs(at.sin_port);
	assert_int_equal(pthread_mutex_init(&s->lock, NULL), 0);
	assert_int_equal(pthread_cond_init(&s->changed, NULL), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, accept_all, s), 0);
	return s;
}

static void server_free(struct server *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->stopping = true;
	(void)pthread_cond_broadcast(&s->changed);
	for (int i = 0; i < s->n_connections; i++)
		if (s->fds[i] >= 0)
			(void)shutdown(s->fds[i], SHUT_RDWR);
	(void)pthread_mutex_unlock(&s->lock);
	(void)shutdown(s->fd, SHUT_RDWR);
	(void)pthread_join(s->thread, NULL);
	for (int i = 0; i < s->n_connections; i++)
		(void)pthread_join(s->threads[i], NULL);
	(void)close(s->fd);
	(void)pthread_cond_destroy(&s->changed);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

static void on_path(struct server *s, const char *path, struct line line)
{
	struct route *r = NULL;

	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_routes; i++)
		if (!strcmp(s->routes[i].path, path))
			r = &s->routes[i];
	if (!r) {
		assert_true(s->n_routes < ROUTES);
		r = &s->routes[s->n_routes++];
		r->path = path;
	}
	assert_true(r->n < LINES);
	r->lines[r->n++] = line;
	(void)pthread_mutex_unlock(&s->lock);
}

#define ON(server, path, ...) on_path(server, path, (struct line){__VA_ARGS__})

static size_t seen_count(struct server *s)
{
	size_t n;

	(void)pthread_mutex_lock(&s->lock);
	n = s->n_seen;
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

static int connection_count(struct server *s)
{
	int n;

	(void)pthread_mutex_lock(&s->lock);
	n = s->n_connections;
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

static int busiest(struct server *s)
{
	int n;

	(void)pthread_mutex_lock(&s->lock);
	n = s->busiest;
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

static struct seen seen(struct server *s, size_t i)
{
	struct seen r;

	(void)pthread_mutex_lock(&s->lock);
	assert_true(i < s->n_seen);
	r = s->seen[i];
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

static bool has_header(const struct seen *r, const char *line)
{
	char want[300];

	(void)snprintf(want, sizeof want, "\r\n%s\r\n", line);
	return strcasestr(r->head, want) != NULL;
}

static bool has_key(const struct seen *r)
{
	return strcasestr(r->head, "\r\nAuthorization:") != NULL || strstr(r->head, KEY) != NULL;
}

/* ---- client */

struct result {
	int calls, sendings;
	px_rc rc;
	int status, attempts;
	char *body;
	size_t len;
	struct px_err err;
	int64_t sent_ms, done_ms;
	struct px_api *api; /* set: submit `again` from the callback */
	const char *again;
	px_rc again_rc;
	int order;
};

static int order_counter;

static void on_sending(void *arg)
{
	((struct result *)arg)->sendings++;
}

static void on_done(void *arg, const struct px_answer *a)
{
	struct result *r = arg;

	r->calls++;
	r->rc = a->rc;
	r->status = a->status;
	r->attempts = a->attempts;
	assert_int_equal(a->body[a->len], 0);
	free(r->body);
	r->body = malloc(a->len + 1);
	assert_non_null(r->body);
	memcpy(r->body, a->body, a->len + 1);
	r->len = a->len;
	r->err = a->err;
	r->sent_ms = a->sent_ms;
	r->done_ms = a->done_ms;
	r->order = ++order_counter;
	assert_null(strstr(a->err.msg, KEY));
	assert_null(strchr(a->err.msg, '?'));
	if (a->rc) {
		assert_int_equal(a->err.code, a->rc);
		assert_true(a->err.msg[0]);
	}
	if (r->again) {
		const char *path = r->again;

		r->again = NULL;
		r->again_rc = px_api_get(
			r->api, PX_FOR_FILL, path, 0, on_sending, on_done, r, NULL);
	}
}

static struct px_api_options options(const struct server *s, char url[64])
{
	(void)snprintf(url, 64, "http://127.0.0.1:%d", s->port);
	return (struct px_api_options){
		.base_url = url,
		.key = KEY,
		.connections = 8,
		.share_percent = 100,
		.user_agent = "propexofs/test",
		.retries = 2,
		.connect_timeout_ms = 2000,
		.stall_timeout_ms = 1000,
		.total_timeout_ms = 10000,
	};
}

static struct px_api *client(const struct server *s)
{
	char url[64];
	struct px_api_options o = options(s, url);
	struct px_api *a = NULL;
	struct px_err err = {0};

	if (px_api_new(&o, &a, &err))
		fail_msg("%s", err.msg);
	return a;
}

static void get(struct px_api *a, struct result *r, const char *path, size_t max)
{
	struct px_err err;

	if (px_api_get(a, PX_FOR_FILL, path, max, on_sending, on_done, r, &err))
		fail_msg("%s", err.msg);
}

static void run(struct px_api *a)
{
	int64_t give_up = px_clock_mono_ms() + 20 * 60000;

	while (px_api_waiting(a, PX_PURPOSES)) {
		assert_true(px_clock_mono_ms() < give_up);
		px_api_step(a, px_clock_mono_ms() + 1000);
	}
}

static struct result ask(struct px_api *a, const char *path, size_t max)
{
	struct result r = {0};

	get(a, &r, path, max);
	run(a);
	assert_int_equal(r.calls, 1);
	return r;
}

/* ---- tests */

static void a_whole_answer(void **state)
{
	struct server *s = server_new();
	struct px_api *a = client(s);
	struct px_api_stats st;
	struct result r;
	struct seen q;

	(void)state;
	px_api_stats(a, &st);
	assert_true(st.reachable && st.authorized && !st.last_answer_ms && !st.last_error[0]);
	ON(s, "/v1/residents/", .body = "{\"results\":[]}");
	r = ask(a, "/v1/residents/?limit=2&order-by=id%3Aasc", 0);
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.attempts, 1);
	assert_int_equal(r.sendings, 1);
	assert_string_equal(r.body, "{\"results\":[]}");
	assert_int_equal(r.len, 14);
	assert_true(r.sent_ms > 0 && r.done_ms >= r.sent_ms);
	q = seen(s, 0);
	assert_string_equal(q.method, "GET");
	assert_string_equal(q.target, "/v1/residents/?limit=2&order-by=id%3Aasc");
	assert_true(has_header(&q, "Accept: application/json"));
	assert_true(has_header(&q, "Authorization: Bearer sk-THE-SECRET-KEY-0123456789"));
	assert_true(has_header(&q, "User-Agent: propexofs/test"));
	assert_null(strcasestr(q.head, "cookie"));
	px_api_stats(a, &st);
	assert_int_equal(st.requests[PX_FOR_FILL], 1);
	assert_int_equal(st.bytes, 14);
	assert_int_equal(st.failed, 0);
	assert_true(st.last_answer_ms > 0);
	assert_int_equal(st.limiter.allowed, 1000000);
	free(r.body);
	px_api_free(a);
	server_free(s);
}

static void connections_are_kept(void **state)
{
	struct server *s = server_new();
	struct px_api *a = client(s);

	(void)state;
	ON(s, "/v1/x", .body = "{}");
	for (int i = 0; i < 20; i++) {
		struct result r = ask(a, "/v1/x", 0);

		assert_int_equal(r.rc, 0);
		free(r.body);
	}
	assert_int_equal(connection_count(s), 1);
	px_api_free(a);
	server_free(s);
}

static void several_are_in_flight(void **state)
{
	struct server *s = server_new();
	struct px_api *a = client(s);
	struct result r[24] = {0};

	(void)state;
	ON(s, "/v1/x", .body = "{}");
	ON(s, "/v1/slow", .how = SLOW, .body = "{}");
	free(ask(a, "/v1/x", 0).body);
	for (int i = 0; i < 24; i++)
		get(a, &r[i], "/v1/slow", 0);
	assert_int_equal(px_api_waiting(a, PX_FOR_FILL), 24);
	run(a);
	for (int i = 0; i < 24; i++) {
		assert_int_equal(r[i].rc, 0);
		assert_int_equal(r[i].calls, 1);
		free(r[i].body);
	}
	assert_int_equal(busiest(s), 8);
	assert_true(connection_count(s) <= 8);
	px_api_free(a);
	server_free(s);
}

/* What one request with one script comes to. */
static void each_fault_has_its_answer(void **state)
{
	static const struct {
		const char *name;
		struct line lines[4];
		int n;
		size_t max;
		px_rc rc;
		int status, attempts;
		const char *body;
	} table[] = {
		{"500 then ok", {{.status = 500}, {.body = "{}"}}, 2, 0, 0, 200, 2, "{}"},
		{"502 and 503", {{.status = 502}, {.status = 503}, {.body = "[]"}}, 3, 0, 0, 200, 3,
			"[]"},
		{"500 for ever", {{.status = 500, .body = "{\"e\":1}"}}, 1, 0, PX_EHTTP, 500, 3,
			"{\"e\":1}"},
		{"reset then ok", {{.how = RESET}, {.body = "{}"}}, 2, 0, 0, 200, 2, "{}"},
		{"reset for ever", {{.how = RESET}}, 1, 0, PX_ENET, 0, 3, ""},
		{"closed then ok", {{.how = CLOSE}, {.body = "{}"}}, 2, 0, 0, 200, 2, "{}"},
		{"cut then ok", {{.how = CUT, .body = "{\"a\":"}, {.body = "{}"}}, 2, 0, 0, 200, 2,
			"{}"},
		{"cut for ever", {{.how = CUT, .body = "{\"a\":"}}, 1, 0, PX_ENET, 200, 3, ""},
		{"chunk cut", {{.how = CUT_CHUNK}, {.body = "{}"}}, 2, 0, 0, 200, 2, "{}"},
		{"stall then ok", {{.how = STALL}, {.body = "{}"}}, 2, 0, 0, 200, 2, "{}"},
		{"mute then ok", {{.how = MUTE}, {.body = "{}"}}, 2, 0, 0, 200, 2, "{}"},
		{"401", {{.status = 401, .body = "{\"x\":1}"}}, 1, 0, PX_EAUTH, 401, 1,
			"{\"x\":1}"},
		{"403", {{.status = 403, .body = "no"}}, 1, 0, PX_EAUTH, 403, 1, "no"},
		{"404", {{.status = 404, .body = "<html>"}}, 1, 0, PX_ENOENT, 404, 1, "<html>"},
		{"400", {{.status = 400, .body = "{}"}}, 1, 0, PX_EHTTP, 400, 1, "{}"},
		{"418", {{.status = 418}}, 1, 0, PX_EHTTP, 418, 1, ""},
		{"302 to nowhere", {{.status = 302}}, 1, 0, PX_EHTTP, 302, 1, ""},
		{"204", {{.status = 204}}, 1, 0, 0, 204, 1, ""},
		{"429 then ok", {{.status = 429, .headers = "Retry-After: 2\r\n"}, {.body = "{}"}},
			2, 0, 0, 200, 2, "{}"},
		{"429 five times, 500, ok",
			{{.status = 429, .headers = "Retry-After: 1\r\n"},
				{.status = 429, .headers = "Retry-After: 1\r\n"}, {.status = 500},
				{.body = "{}"}},
			4, 0, 0, 200, 4, "{}"},
		{"as large as may be", {{.how = BIG, .size = 5000}}, 1, 5000, 0, 200, 1, NULL},
		{"larger, announced", {{.how = BIG, .size = 5001}}, 1, 5000, PX_ELIMIT, 200, 1, ""},
		{"larger, not announced", {{.how = FLOOD}}, 1, 300000, PX_ELIMIT, 200, 1, ""},
		{"an error without end", {{.how = FLOOD, .status = 400}}, 1, 0, PX_EHTTP, 400, 1,
			NULL},
		{"gzip",
			{{.headers = "Content-Encoding: gzip\r\n",
				.body = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\xca\x48"
					"\xcd\xc9\xc9\x57\xb2\x52\x4a\xaf\xca\x2c\x50\xaa\x05\x00"
					"\xf6\x4f\x05\x6f\x10\x00\x00\x00",
				.size = 36}},
			1, 0, 0, 200, 1, "{\"hello\":\"gzip\"}"},
		/* 100,000 zeros in 132 bytes */
		{"gzip bomb",
			{{.headers = "Content-Encoding: gzip\r\n",
				.body = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x31\x01"
					"\x00\x00\x00\xc2\xa0\xf5\x4f\x6d\x0d\x0f\xa0\x00\x00\x00"
					"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
					"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
					"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
					"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
					"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
					"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
					"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x57\x03\x7d"
					"\x95\x11\xd4\xa0\x86\x01\x00",
				.size = 132}},
			1, 50000, PX_ELIMIT, 200, 1, ""},
		{"gzip that is none",
			{{.headers = "Content-Encoding: gzip\r\n", .body = "nonsense"},
				{.body = "{}"}},
			2, 0, 0, 200, 2, "{}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct server *s = server_new();
		struct px_api *a = client(s);
		struct px_api_stats st;
		struct result r;

		for (int k = 0; k < table[i].n; k++)
			on_path(s, "/v1/fault", table[i].lines[k]);
		r = ask(a, "/v1/fault?private=value", table[i].max);
		if (r.rc != table[i].rc || r.status != table[i].status ||
			r.attempts != table[i].attempts || r.sendings != table[i].attempts ||
			(table[i].body && strcmp(table[i].body, r.body) != 0))
			fail_msg("%s: %s (%s), status %d, attempts %d, body %.20s", table[i].name,
				px_rc_name(r.rc), r.err.msg, r.status, r.attempts, r.body);
		if (r.rc == PX_EHTTP || r.rc == PX_EAUTH || r.rc == PX_ENOENT)
			assert_int_equal(r.err.http, r.status);
		if (r.rc)
			assert_non_null(strstr(r.err.msg, "/v1/fault"));
		assert_null(strstr(r.err.msg, "private"));
		px_api_stats(a, &st);
		assert_int_equal(st.requests[PX_FOR_FILL], table[i].attempts);
		assert_int_equal(st.failed, (unsigned)table[i].attempts - (table[i].rc ? 0 : 1));
		assert_int_equal(st.authorized, table[i].status != 401);
		assert_int_equal(st.last_error[0] != 0, st.failed != 0);
		free(r.body);
		px_api_free(a);
		server_free(s);
	}
}

static void a_refusal_is_waited_out(void **state)
{
	struct server *s = server_new();
	struct px_api *a = client(s);
	struct px_api_stats st;
	struct result r, other = {0};
	int64_t begun = px_clock_mono_ms();

	(void)state;
	ON(s, "/v1/x", .status = 429, .headers = "Retry-After: 7\r\n");
	ON(s, "/v1/x", .status = 429, .headers = "Retry-After: 5\r\n");
	ON(s, "/v1/x", .body = "{}");
	ON(s, "/v1/other", .body = "{}");
	get(a, &other, "/v1/other", 0);
	r = ask(a, "/v1/x", 0);
	assert_int_equal(r.rc, 0);
	assert_true(r.sent_ms - begun >= 12000);
	px_api_stats(a, &st);
	assert_int_equal(st.refused, 2);
	assert_true(st.reachable);
	assert_int_equal(other.rc, 0);
	free(other.body);
	free(r.body);
	px_api_free(a);
	server_free(s);
}

static void nobody_there(void **state)
{
	struct server *s = server_new();
	struct px_api *a = client(s);
	struct px_api_stats st;
	struct result r;

	(void)state;
	server_free(s);
	r = ask(a, "/v1/residents/?phone_1=2125550000", 0);
	assert_int_equal(r.rc, PX_ENET);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.attempts, 3);
	assert_non_null(strstr(r.err.msg, "/v1/residents/: "));
	assert_null(strstr(r.err.msg, "2125550000"));
	px_api_stats(a, &st);
	assert_false(st.reachable);
	assert_true(st.authorized);
	assert_null(strstr(st.last_error, "2125550000"));
	assert_int_equal(st.last_answer_ms, 0);
	free(r.body);
	px_api_free(a);
}

/* While the server is away it is asked slowly, however much is queued; it is noticed at once when
 * it is back. */
static void an_outage_is_not_hammered(void **state)
{
	struct server *s = server_new();
	struct px_api *a = client(s);
	struct result r[200] = {0};
	int64_t begun = px_clock_mono_ms();
	size_t asked, ok = 0;

	(void)state;
	for (int i = 0; i < 7; i++)
		ON(s, "/v1/x", .how = i & 1 ? RESET : SAY, .status = 503);
	ON(s, "/v1/x", .how = RESET);
	for (int i = 0; i < 200; i++)
		get(a, &r[i], "/v1/x", 0);
	while (px_clock_mono_ms() < begun + 120000)
		px_api_step(a, begun + 120000);
	asked = seen_count(s);
	assert_true(asked >= 8 && asked <= 60);
	(void)pthread_mutex_lock(&s->lock);
	s->routes[0].lines[LINES - 1] = (struct line){.body = "{}"};
	(void)pthread_mutex_unlock(&s->lock);
	run(a);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(r[i].calls, 1);
		ok += r[i].rc == 0;
		free(r[i].body);
	}
	assert_true(ok >= 180);
	px_api_free(a);
	server_free(s);
}

static char *to(const char *format, int port)
{
	char *s = NULL;

	assert_true(asprintf(&s, format, port) > 0);
	return s;
}

static void redirects(void **state)
{
	struct server *home = server_new(), *away = server_new();
	struct px_api *a = client(home);
	char *other = to("Location: http://127.0.0.1:%d/signed?X-Sig=abc\r\n", away->port);
	char *name = to("Location: http://localhost:%d/signed\r\n", home->port);
	char *back = to("Location: http://127.0.0.1:%d/v1/target\r\n", home->port);
	struct result r;
	struct seen q;

	(void)state;
	/* within the host, absolute or not, the key stays */
	ON(home, "/v1/same", .status = 301, .headers = "Location: /v1/target?a=b\r\n");
	ON(home, "/v1/whole", .status = 307, .headers = back);
	ON(home, "/v1/target", .body = "{\"t\":1}");
	r = ask(a, "/v1/same?q=1", 0);
	assert_int_equal(r.rc, 0);
	assert_string_equal(r.body, "{\"t\":1}");
	assert_int_equal(r.attempts, 1);
	q = seen(home, seen_count(home) - 1);
	assert_string_equal(q.target, "/v1/target?a=b");
	assert_true(has_key(&q));
	free(r.body);
	r = ask(a, "/v1/whole", 0);
	assert_int_equal(r.rc, 0);
	q = seen(home, seen_count(home) - 1);
	assert_true(has_key(&q));
	free(r.body);

	/* another port or name is another host: without the key; and back with it */
	ON(home, "/v1/away", .status = 302, .headers = other);
	ON(away, "/signed", .how = CUT, .body = "not");
	ON(away, "/signed", .body = "raw data");
	ON(away, "/signed", .status = 302, .headers = back);
	r = ask(a, "/v1/away", 0);
	assert_int_equal(r.rc, 0);
	assert_string_equal(r.body, "raw data");
	assert_int_equal(r.attempts, 2); /* began anew after the cut */
	free(r.body);
	r = ask(a, "/v1/away", 0);
	assert_int_equal(r.rc, 0);
	assert_string_equal(r.body, "{\"t\":1}");
	q = seen(home, seen_count(home) - 1);
	assert_true(has_key(&q));
	free(r.body);
	assert_int_equal(seen_count(away), 3);
	for (size_t i = 0; i < 3; i++) {
		q = seen(away, i);
		assert_false(has_key(&q));
	}
	ON(home, "/v1/name", .status = 302, .headers = name);
	ON(home, "/signed", .body = "x");
	r = ask(a, "/v1/name", 0);
	assert_int_equal(r.rc, 0);
	q = seen(home, seen_count(home) - 1);
	assert_string_equal(q.target, "/signed");
	assert_false(has_key(&q));
	free(r.body);

	/* what is not followed */
	ON(home, "/v1/loop", .status = 302, .headers = "Location: /v1/loop\r\n");
	ON(home, "/v1/http", .status = 302, .headers = "Location: http://192.0.2.1/x\r\n");
	ON(home, "/v1/file", .status = 302, .headers = "Location: file:///etc/passwd\r\n");
	r = ask(a, "/v1/loop", 0);
	assert_int_equal(r.rc, PX_EHTTP);
	assert_non_null(strstr(r.err.msg, "redirects"));
	free(r.body);
	r = ask(a, "/v1/http", 0);
	assert_int_equal(r.rc, PX_EHTTP);
	assert_non_null(strstr(r.err.msg, "http"));
	free(r.body);
	r = ask(a, "/v1/file", 0);
	assert_int_equal(r.rc, PX_EHTTP);
	assert_null(strstr(r.err.msg, "passwd"));
	free(r.body);
	px_api_free(a);
	server_free(home);
	server_free(away);
	free(other);
	free(name);
	free(back);
}

static void another_hosts_refusal_is_not_ours(void **state)
{
	struct server *home = server_new(), *away = server_new();
	struct px_api *a = client(home);
	char *other = to("Location: http://127.0.0.1:%d/signed\r\n", away->port);
	struct px_api_stats st;
	struct result r;

	(void)state;
	ON(home, "/v1/away", .status = 302, .headers = other);
	ON(away, "/signed", .status = 429);
	r = ask(a, "/v1/away", 0);
	assert_int_equal(r.rc, PX_EHTTP);
	assert_int_equal(r.status, 429);
	assert_int_equal(r.attempts, 3);
	px_api_stats(a, &st);
	assert_int_equal(st.limiter.paused_until_ms, 0);
	free(r.body);
	px_api_free(a);
	server_free(home);
	server_free(away);
	free(other);
}

static void a_new_key_counts_from_the_next_request_on(void **state)
{
	struct server *s = server_new();
	struct px_api *a = client(s);
	struct px_api_stats st;
	struct result r;
	struct seen q;

	(void)state;
	ON(s, "/v1/x", .status = 401);
	ON(s, "/v1/x", .body = "{}");
	r = ask(a, "/v1/x", 0);
	assert_int_equal(r.rc, PX_EAUTH);
	free(r.body);
	px_api_stats(a, &st);
	assert_false(st.authorized);
	assert_int_equal(px_api_set_key(a, "", NULL), PX_EINVAL);
	assert_int_equal(px_api_set_key(a, "a\r\nX: y", NULL), PX_EINVAL);
	assert_int_equal(px_api_set_key(a, "another", NULL), 0);
	r = ask(a, "/v1/x", 0);
	assert_int_equal(r.rc, 0);
	free(r.body);
	q = seen(s, 1);
	assert_true(has_header(&q, "Authorization: Bearer another"));
	px_api_stats(a, &st);
	assert_true(st.authorized);
	px_api_free(a);
	server_free(s);
}

struct renewal {
	const char *key; /* NULL: there is none */
	int calls;
};

static px_rc renew(void *arg, struct px_api *a, struct px_err *err)
{
	struct renewal *n = arg;

	n->calls++;
	return n->key ? px_api_set_key(a, n->key, err)
		      : px_err_set(err, PX_EIO, "the safe is locked");
}

static struct px_api *renewing_client(const struct server *s, struct renewal *n)
{
	char url[64];
	struct px_api_options o = options(s, url);
	struct px_api *a = NULL;

	o.renew_key = renew;
	o.renew_arg = n;
	assert_int_equal(px_api_new(&o, &a, NULL), 0);
	return a;
}

/* Requests that were refused together cost one asking, and each goes out once more. */
static void a_refused_key_is_asked_for_anew(void **state)
{
	struct server *s = server_new();
	struct renewal n = {.key = "another"};
	struct px_api *a = renewing_client(s, &n);
	static const char *const paths[] = {"/v1/1", "/v1/2", "/v1/3"};
	struct result r[3] = {0}, first = {0};
	int with_new = 0;

	(void)state;
	/* one that is answered before: the very first goes out alone */
	ON(s, "/v1/first", .body = "{}");
	get(a, &first, "/v1/first", 0);
	run(a);
	free(first.body);
	for (int i = 0; i < 3; i++) {
		ON(s, paths[i], .how = SLOW, .status = 401);
		ON(s, paths[i], .body = "{}");
		get(a, &r[i], paths[i], 0);
	}
	run(a);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(r[i].calls, 1);
		assert_int_equal(r[i].rc, 0);
		free(r[i].body);
	}
	assert_int_equal(n.calls, 1);
	for (size_t i = 0; i < seen_count(s); i++) {
		struct seen q = seen(s, i);

		with_new += has_header(&q, "Authorization: Bearer another");
	}
	assert_int_equal(with_new, 3);
	px_api_free(a);
	server_free(s);
}

/* A key that is refused again, the same key, or none: the 401 is the answer, and nothing is asked
 * for within the minute. */
static void no_better_key_no_loop(void **state)
{
	static const char *const keys[] = {"another", KEY, NULL};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct server *s = server_new();
		struct renewal n = {.key = keys[i]};
		struct px_api *a = renewing_client(s, &n);
		struct px_api_stats st;
		struct result r;

		for (int k = 0; k < 3; k++)
			ON(s, "/v1/x", .status = 401);
		r = ask(a, "/v1/x", 0);
		assert_int_equal(r.rc, PX_EAUTH);
		assert_int_equal(r.attempts, i ? 1 : 2);
		free(r.body);
		r = ask(a, "/v1/x", 0);
		assert_int_equal(r.rc, PX_EAUTH);
		assert_int_equal(r.attempts, 1);
		free(r.body);
		assert_int_equal(n.calls, 1);
		px_api_stats(a, &st);
		assert_non_null(strstr(st.last_error, "HTTP 401"));
		px_api_free(a);
		server_free(s);
	}
}

static void free_answers_everything(void **state)
{
	struct server *s = server_new();
	struct px_api *a = client(s);
	struct result r[30] = {0};

	(void)state;
	ON(s, "/v1/x", .body = "{}");
	ON(s, "/v1/mute", .how = MUTE);
	ON(s, "/v1/bad", .status = 500);
	free(ask(a, "/v1/x", 0).body);
	for (int i = 0; i < 30; i++) {
		get(a, &r[i], i ? "/v1/mute" : "/v1/bad", 0);
		r[i].api = a;
		r[i].again = "/v1/x";
	}
	while (seen_count(s) < 5)
		px_api_step(a, px_clock_mono_ms() + 200);
	px_api_free(a);
	for (int i = 0; i < 30; i++) {
		assert_int_equal(r[i].calls, 1);
		assert_int_equal(r[i].rc, PX_ECANCELED);
		assert_int_equal(r[i].again_rc, PX_ECANCELED);
		free(r[i].body);
	}
	server_free(s);
	px_api_free(NULL);
}

static void callbacks_may_ask_for_more(void **state)
{
	struct server *s = server_new();
	struct px_api *a = client(s);
	struct result r = {.api = a, .again = "/v1/second"};

	(void)state;
	ON(s, "/v1/first", .body = "1");
	ON(s, "/v1/second", .body = "2");
	get(a, &r, "/v1/first", 0);
	run(a);
	assert_int_equal(r.calls, 2);
	assert_int_equal(r.again_rc, 0);
	assert_string_equal(r.body, "2");
	free(r.body);
	px_api_free(a);
	server_free(s);
}

static void *wake_later(void *arg)
{
	struct px_api_stats st;

	(void)usleep(100000);
	px_api_stats(arg, &st);
	px_api_wake(arg);
	return NULL;
}

static void another_thread_wakes(void **state)
{
	struct server *s = server_new();
	struct px_api *a = client(s);
	struct result r = {0};
	pthread_t t;
	int64_t begun = px_clock_mono_ms();

	(void)state;
	ON(s, "/v1/mute", .how = MUTE);
	ON(s, "/v1/mute", .body = "{}");
	get(a, &r, "/v1/mute", 0);
	assert_int_equal(pthread_create(&t, NULL, wake_later, a), 0);
	px_api_step(a, begun + 600000);
	assert_int_equal(r.calls, 0);
	(void)pthread_join(t, NULL);
	/* a wake before the step counts too */
	px_api_wake(a);
	px_api_step(a, begun + 600000);
	assert_int_equal(r.calls, 0);
	assert_true(px_clock_mono_ms() < begun + 60000);
	run(a);
	assert_int_equal(r.calls, 1);
	/* the deadline ends a step with nothing to do */
	begun = px_clock_mono_ms();
	px_api_step(a, begun + 2000);
	assert_true(px_clock_mono_ms() >= begun + 2000);
	free(r.body);
	px_api_free(a);
	server_free(s);
}

static void urgent_requests_overtake(void **state)
{
	struct server *s = server_new();
	char url[64];
	struct px_api_options o = options(s, url);
	struct px_api *a = NULL;
	struct result sweep[3] = {0}, hydrate = {0}, control = {0};

	(void)state;
	ON(s, "/v1/x", .body = "{}");
	o.connections = 1;
	assert_int_equal(px_api_new(&o, &a, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			px_api_get(a, PX_FOR_SWEEP, "/v1/x", 0, NULL, on_done, &sweep[i], NULL), 0);
	assert_int_equal(
		px_api_get(a, PX_FOR_HYDRATE, "/v1/x", 0, NULL, on_done, &hydrate, NULL), 0);
	assert_int_equal(
		px_api_get(a, PX_FOR_CONTROL, "/v1/x", 0, NULL, on_done, &control, NULL), 0);
	assert_int_equal(px_api_waiting(a, PX_FOR_SWEEP), 3);
	assert_int_equal(px_api_waiting(a, PX_PURPOSES), 5);
	run(a);
	assert_true(control.order < hydrate.order);
	assert_true(hydrate.order < sweep[0].order);
	assert_true(sweep[0].order < sweep[1].order && sweep[1].order < sweep[2].order);
	free(control.body);
	free(hydrate.body);
	for (int i = 0; i < 3; i++)
		free(sweep[i].body);
	px_api_free(a);
	server_free(s);
}

/* 20 answers of 7 MB: all arrive whole, though they do not fit in memory together. */
static void bodies_share_a_budget(void **state)
{
	struct server *s = server_new();
	struct px_api *a = client(s);
	struct result r[20] = {0};
	int attempts = 0;

	(void)state;
	ON(s, "/v1/x", .body = "{}");
	ON(s, "/v1/big", .how = BIG, .size = 7000000);
	free(ask(a, "/v1/x", 0).body);
	for (int i = 0; i < 20; i++)
		get(a, &r[i], "/v1/big", 0);
	run(a);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(r[i].rc, 0);
		assert_int_equal(r[i].calls, 1);
		assert_int_equal(r[i].len, 7000000);
		assert_int_equal(strspn(r[i].body, "x"), 7000000);
		attempts += r[i].attempts;
		free(r[i].body);
	}
	/* only those in flight before the first was measured had to come again */
	assert_true(attempts > 20 && attempts <= 28);
	px_api_free(a);
	server_free(s);
}

static void only_webhooks_are_managed(void **state)
{
	static const struct {
		const char *method, *path;
	} refused[] = {
		{"POST", "/v1/residents/"},
		{"POST", "/v1/webhooks"},
		{"POST", "/v1/webhooks/../residents/"},
		{"POST", "/v1/webhooks/%2e%2E/residents/"},
		{"POST", "/v1/webhooks/a%2F..%2Fb"},
		{"POST", "/v1/webhooks/\\..\\x"},
		{"POST", "/v1/webhooks/ x"},
		{"POST", "v1/webhooks/"},
		{"PATCH", "/v1/webhooks/"},
		{"GET", "/v1/webhooks/"},
		{"post", "/v1/webhooks/"},
	};
	struct server *s = server_new();
	struct px_api *a = client(s);
	struct result r = {0};
	struct seen q;

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		assert_int_equal(px_api_manage(a, refused[i].method, refused[i].path, "{}", on_done,
					 &r, NULL),
			PX_EINVAL);
	ON(s, "/v1/webhooks/", .status = 201, .body = "{\"result\":{}}");
	ON(s, "/v1/webhooks/w1", .status = 500, .body = "{}");
	ON(s, "/v1/webhooks/w2", .status = 302, .headers = "Location: /v1/webhooks/\r\n");
	assert_int_equal(
		px_api_manage(a, "POST", "/v1/webhooks/", "{\"secret\":\"s\"}", on_done, &r, NULL),
		0);
	run(a);
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.status, 201);
	q = seen(s, 0);
	assert_string_equal(q.method, "POST");
	assert_string_equal(q.body, "{\"secret\":\"s\"}");
	assert_true(has_header(&q, "Content-Type: application/json"));
	assert_true(has_key(&q));
	assert_int_equal(
		px_api_manage(a, "PUT", "/v1/webhooks/w1", "{\"a\":1}", on_done, &r, NULL), 0);
	run(a);
	assert_int_equal(r.rc, PX_EHTTP);
	assert_int_equal(r.attempts, 1);
	assert_string_equal(seen(s, 1).method, "PUT");
	assert_string_equal(seen(s, 1).body, "{\"a\":1}");
	assert_int_equal(px_api_manage(a, "DELETE", "/v1/webhooks/w2", NULL, on_done, &r, NULL), 0);
	run(a);
	assert_int_equal(r.rc, PX_EHTTP);
	assert_int_equal(r.status, 302);
	assert_string_equal(seen(s, 2).method, "DELETE");
	assert_int_equal(seen_count(s), 3);
	free(r.body);
	px_api_free(a);
	server_free(s);
}

/* A kept connection that the server drops without a word is where curl would send it once more. */
static void management_is_sent_once(void **state)
{
	struct server *s = server_new();
	struct px_api *a = client(s);
	struct result r = {0};

	(void)state;
	ON(s, "/v1/webhooks/", .status = 201, .body = "{}");
	ON(s, "/v1/webhooks/gone", .how = CLOSE);
	ON(s, "/v1/webhooks/busy", .status = 429, .headers = "Retry-After: 2\r\n");
	ON(s, "/v1/webhooks/busy", .status = 204);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			px_api_manage(a, "POST", "/v1/webhooks/", "{}", on_done, &r, NULL), 0);
		run(a);
		assert_int_equal(r.rc, 0);
		assert_int_equal(
			px_api_manage(a, "POST", "/v1/webhooks/gone", "{}", on_done, &r, NULL), 0);
		run(a);
		assert_int_equal(r.rc, PX_ENET);
		assert_int_equal(r.attempts, 1);
		assert_int_equal(seen_count(s), 2 * i + 2);
	}
	assert_int_equal(
		px_api_manage(a, "DELETE", "/v1/webhooks/busy", NULL, on_done, &r, NULL), 0);
	run(a);
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.status, 204);
	assert_int_equal(seen_count(s), 6);
	free(r.body);
	px_api_free(a);
	server_free(s);
}

static void bad_requests_and_options_are_refused(void **state)
{
	static const char *const paths[] = {"", "x", "/a b", "/a\r\nX: y", "/a#b", "/\xc3\xa9"};
	struct server *s = server_new();
	char url[64];
	struct px_api_options o = options(s, url);
	struct px_api *a = client(s), *none = NULL;
	struct px_err err;

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		assert_int_equal(px_api_get(a, PX_FOR_FILL, paths[i], 0, NULL, on_done, NULL, &err),
			PX_EINVAL);
	assert_int_equal(px_api_waiting(a, PX_PURPOSES), 0);
	o.key = "with space";
	assert_int_equal(px_api_new(&o, &none, &err), PX_EINVAL);
	assert_null(strstr(err.msg, "with"));
	o = options(s, url);
	o.base_url = "http://example.org";
	assert_int_equal(px_api_new(&o, &none, &err), PX_EINVAL);
	o = options(s, url);
	o.connections = 0;
	assert_int_equal(px_api_new(&o, &none, &err), PX_EINVAL);
	o = options(s, url);
	o.share_percent = 101;
	assert_int_equal(px_api_new(&o, &none, &err), PX_EINVAL);
	assert_null(none);
	px_api_free(a);
	server_free(s);
}

/* A server that allows 40 a minute: the client stays below, and says how it stands. */
static void the_limiter_is_obeyed(void **state)
{
	struct server *s = server_new();
	struct px_api *a = client(s);
	struct px_api_stats st;
	struct result r[3] = {0};

	(void)state;
	ON(s, "/v1/x", .headers = "x-ratelimit-limit: 40\r\nx-ratelimit-remaining: 0\r\n",
		.body = "{}");
	get(a, &r[0], "/v1/x", 0);
	run(a);
	px_api_stats(a, &st);
	assert_int_equal(st.limiter.allowed, 40);
	assert_int_equal(st.limiter.used, 40);
	assert_int_equal(st.limiter.sent[PX_FOR_FILL], 1);
	get(a, &r[1], "/v1/x", 0);
	px_api_step(a, px_clock_mono_ms() + 5000);
	assert_int_equal(r[1].calls, 0);
	run(a);
	assert_true(r[1].sent_ms - r[0].done_ms >= 59000);
	assert_true(r[1].sent_ms - r[0].done_ms <= 90000);
	for (int i = 0; i < 3; i++)
		free(r[i].body);
	px_api_free(a);
	server_free(s);
}

/* Last: nothing that was logged holds the key. */
static char log_path[] = "/tmp/test_api_client.XXXXXX";

static void the_key_was_never_logged(void **state)
{
	FILE *f = fopen(log_path, "r");
	char line[4096];
	int lines = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		lines++;
		if (strstr(line, "SECRET-KEY") || strstr(line, "Bearer") ||
			strstr(line, "private") || strstr(line, "2125550000"))
			fail_msg("logged: %s", line);
	}
	(void)fclose(f);
	assert_true(lines > 0);
}

/* What cmocka had to say about failures is there too. */
static void show_log(void)
{
	FILE *f = fopen(log_path, "r");
	char line[4096];

	while (f && fgets(line, sizeof line, f))
		(void)fputs(line, stderr);
	if (f)
		(void)fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_answer),
		cmocka_unit_test(connections_are_kept),
		cmocka_unit_test(several_are_in_flight),
		cmocka_unit_test(each_fault_has_its_answer),
		cmocka_unit_test(a_refusal_is_waited_out),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(an_outage_is_not_hammered),
		cmocka_unit_test(redirects),
		cmocka_unit_test(another_hosts_refusal_is_not_ours),
		cmocka_unit_test(a_new_key_counts_from_the_next_request_on),
		cmocka_unit_test(a_refused_key_is_asked_for_anew),
		cmocka_unit_test(no_better_key_no_loop),
		cmocka_unit_test(free_answers_everything),
		cmocka_unit_test(callbacks_may_ask_for_more),
		cmocka_unit_test(another_thread_wakes),
		cmocka_unit_test(urgent_requests_overtake),
		cmocka_unit_test(bodies_share_a_budget),
		cmocka_unit_test(only_webhooks_are_managed),
		cmocka_unit_test(management_is_sent_once),
		cmocka_unit_test(bad_requests_and_options_are_refused),
		cmocka_unit_test(the_limiter_is_obeyed),
		cmocka_unit_test(the_key_was_never_logged),
	};
	char clock_path[] = "/tmp/test_api_clock.XXXXXX";
	int fd = mkstemp(clock_path), log_fd = mkstemp(log_path), err_fd = dup(STDERR_FILENO);
	int failed;

	if (fd < 0 || log_fd < 0 || err_fd < 0 ||
		px_clock_test_write(clock_path, px_clock_wall_ns(), 20000) ||
		setenv("PROPEXOFS_TEST_CLOCK", clock_path, 1))
		return 1;
	px_clock_setup();
	(void)dup2(log_fd, STDERR_FILENO);
	px_log_setup(PX_LOG_STDERR, PX_LOG_DEBUG);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)dup2(err_fd, STDERR_FILENO);
	if (failed)
		show_log();
	(void)unlink(clock_path);
	(void)unlink(log_path);
	return failed;
}
