/* SPDX-License-Identifier: MIT */
/*
 * server.c - the listener: from bytes to a request, from an answer to bytes.
 *
 * Invariants: a request is counted before the first byte of its answer leaves; an answer is made
 * when the request has come and only sent later when it is slowed down, so that a slow answer is
 * also an old one; a connection that is suspended has an entry in the timer. URIs are taken as sent
 * and decoded here, segment by segment, so that ids may hold anything.
 */
#include "sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "propexofs/clock.h"

static const int64_t SLOW_MS = 2000;

struct server {
	struct MHD_Daemon *daemon;
	int port;
};

/* ---- reading a request -------------------------------------------------------------------------
 */

static void *uri_log(void *cls, const char *uri, struct MHD_Connection *conn)
{
	struct req *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->s = cls;
	r->conn = conn;
	r->uri = strdup(uri);
	r->model = -1;
	r->integ = -1;
	px_buf_init(&r->body, SIM_BODY_MAX);
	if (!r->uri) {
		free(r);
		return NULL;
	}
	return r;
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static char *decode(const char *s, size_t len, bool form, size_t *ret_len)
{
	char *out = malloc(len + 1);
	size_t n = 0;

	for (size_t i = 0; out && i < len; i++) {
		if (s[i] == '%' && i + 2 < len && hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0) {
			out[n++] = (char)(hex(s[i + 1]) << 4 | hex(s[i + 2]));
			i += 2;
		} else {
			out[n++] = form && s[i] == '+' ? ' ' : s[i];
		}
	}
	if (out) {
		out[n] = '\0';
		*ret_len = n;
	}
	return out;
}

static bool parse_params(struct req *r, const char *q)
{
	size_t n = 1;

	for (const char *p = q; *p; p++)
		n += *p == '&';
	r->params = calloc(n, sizeof *r->params);
	if (!r->params)
		return false;
	while (*q) {
		size_t len = strcspn(q, "&"), name = strcspn(q, "=&"), ignored;
		struct param *p = &r->params[r->nparams];

		if (len) {
			bool valued = name < len;

			r->nparams++;
			p->name = decode(q, name, true, &ignored);
			p->value = decode(
				q + name + valued, len - name - valued, true, &p->value_len);
			if (!p->name || !p->value)
				return false;
		}
		q += len;
		if (*q == '&')
			q++;
	}
	return true;
}

static bool parse_uri(struct req *r)
{
	size_t len = strcspn(r->uri, "?"), n = 1;
	const char *p;

	r->path = strndup(r->uri, len);
	if (!r->path)
		return false;
	if (r->uri[len] == '?' && !parse_params(r, r->uri + len + 1))
		return false;
	for (p = r->path; *p; p++)
		n += *p == '/';
	r->segs = calloc(n, sizeof *r->segs);
	r->seg_len = calloc(n, sizeof *r->seg_len);
	if (!r->segs || !r->seg_len)
		return false;
	p = r->path;
	while (*p == '/' && p[1]) {
		size_t seg = strcspn(p + 1, "/");

		r->segs[r->nsegs] = decode(p + 1, seg, false, &r->seg_len[r->nsegs]);
		if (!r->segs[r->nsegs])
			return false;
		r->nsegs++;
		p += seg + 1;
	}
	r->slash = *p == '/';
	return true;
}

static void req_free(struct req *r)
{
	for (size_t i = 0; i < r->nparams; i++) {
		free(r->params[i].name);
		free(r->params[i].value);
	}
	for (size_t i = 0; i < r->nsegs; i++)
		free(r->segs[i]);
	free(r->params);
	free(r->segs);
	free(r->seg_len);
	free(r->path);
	free(r->uri);
	px_buf_release(&r->body);
	if (r->response)
		MHD_destroy_response(r->response);
	free(r);
}

/* ---- delays ------------------------------------------------------------------------------------
 */

static void resume(struct sim *s, void *arg)
{
	(void)s;
	MHD_resume_connection(arg);
}

void server_delay(struct req *r, int64_t mono_ms)
{
	MHD_suspend_connection(r->conn);
	if (!timer_add(r->s, mono_ms, resume, r->conn))
		MHD_resume_connection(r->conn);
}

/* ---- bodies ------------------------------------------------------------------------------------
 */

/* A body that does not simply arrive. */
struct odd_body {
	struct sim *s;
	struct MHD_Connection *conn;
	char *data;
	size_t len;
	enum fault_kind kind;
	size_t bytes;
	int64_t interval_ms, next_ms;
};

static void reset_socket(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (info)
		(void)setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static ssize_t odd_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct odd_body *o = cls;
	size_t left = o->len - (size_t)pos;

	if (o->kind == FAULT_SLOW) {
		int64_t now = px_clock_mono_ms();

		if (!o->s->stopping && now < o->next_ms) {
			MHD_suspend_connection(o->conn);
			if (timer_add(o->s, o->next_ms, resume, o->conn))
				return 0;
			MHD_resume_connection(o->conn);
			return 0;
		}
		o->next_ms = now + o->interval_ms;
		if (!o->s->stopping && left > o->bytes)
			left = o->bytes;
	} else {
		size_t half = o->len / 2;

		if (pos >= half) {
			if (o->kind == FAULT_RESET)
				reset_socket(o->conn);
			return MHD_CONTENT_READER_END_WITH_ERROR;
		}
		left = half - (size_t)pos;
	}
	if (left > max)
		left = max;
	memcpy(buf, o->data + pos, left);
	return (ssize_t)left;
}

static void odd_free(void *cls)
{
	struct odd_body *o = cls;

	free(o->data);
	free(o);
}

static struct MHD_Response *odd_response(struct req *r, char *data, size_t len, const struct hit *h)
{
	struct odd_body *o = calloc(1, sizeof *o);
	struct MHD_Response *resp;

	if (!o) {
		free(data);
		return NULL;
	}
	*o = (struct odd_body){.s = r->s,
		.conn = r->conn,
		.data = data,
		.len = len,
		.kind = h->kind,
		.bytes = (size_t)h->bytes,
		.interval_ms = h->interval_ms};
	resp = MHD_create_response_from_callback(len, 1 << 16, odd_read, o, odd_free);
	if (!resp)
		odd_free(o);
	return resp;
}

/* Prerendered pages are sent from where they lie. */
struct pieces {
	struct MHD_IoVec v[3];
	char *head, *tail;
};

static void pieces_free(void *cls)
{
	struct pieces *p = cls;

	free(p->head);
	free(p->tail);
	free(p);
}

static struct MHD_Response *piece_response(struct page *page)
{
	struct pieces *p = calloc(1, sizeof *p);
	struct MHD_Response *resp;

	if (!p)
		return NULL;
	p->head = px_buf_steal(&page->body, &p->v[0].iov_len);
	p->tail = px_buf_steal(&page->tail, &p->v[2].iov_len);
	p->v[0].iov_base = p->head;
	p->v[1] = (struct MHD_IoVec){page->slice, page->slice_len};
	p->v[2].iov_base = p->tail;
	resp = MHD_create_response_from_iovec(p->v, 3, pieces_free, p);
	if (!resp)
		pieces_free(p);
	return resp;
}

static struct MHD_Response *plain_response(char *data, size_t len)
{
	struct MHD_Response *resp = MHD_create_response_from_buffer(
		len, data, MHD_RESPMEM_MUST_FREE);

	if (!resp)
		free(data);
	return resp;
}

static struct MHD_Response *make_response(struct req *r, struct answer *a, const struct hit *h)
{
	char *data;
	size_t len = 0;

	if (h && (h->kind == FAULT_RESET || h->kind == FAULT_CUT || h->kind == FAULT_SLOW)) {
		data = px_buf_steal(&a->page.body, &len);
		return data ? odd_response(r, data, len, h) : NULL;
	}
	if (a->page.slice)
		return piece_response(&a->page);
	data = px_buf_steal(&a->page.body, &len);
	return data ? plain_response(data, len) : NULL;
}

static void add_number_header(struct MHD_Response *resp, const char *name, int64_t value)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%lld", (long long)value);
	(void)MHD_add_response_header(resp, name, text);
}

/* ---- the API -----------------------------------------------------------------------------------
 */

static bool key_good(struct sim *s, struct MHD_Connection *conn)
{
	const char *auth = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Authorization");

	if (!auth || strncmp(auth, "Bearer ", 7) || s->revoked)
		return false;
	for (size_t i = 0; i < s->nkeys; i++)
		if (!strcmp(s->keys[i], auth + 7))
			return true;
	return false;
}

static void prettify(struct answer *a)
{
	struct px_buf out = PX_BUF_INIT(SIM_TEXT_MAX);

	json_pretty(a->page.body.data ? a->page.body.data : "", a->page.body.len, &out);
	px_buf_release(&a->page.body);
	a->page.body = out;
}

/* Makes the answer; true when it is to be sent later. */
static bool api_answer(struct req *r)
{
	struct sim *s = r->s;
	struct answer a = {0};
	struct verdict v = {.limit = s->opt.rate_limit, .remaining = 0};
	struct hit hit;
	bool faulty = false, good;
	int64_t delay = 0;

	px_buf_init(&a.page.body, SIM_TEXT_MAX);
	px_buf_init(&a.page.tail, 64);
	(void)pthread_mutex_lock(&s->world.lock);
	world_settle(s);
	good = key_good(s, r->conn);
	if (good)
		limit_take(s, &v);
	if (!good)
		answer_error(&a, 401, "UNAUTHORIZED", "missing or wrong API key");
	else if (v.refused)
		answer_error(
			&a, 429, "RATE_LIMITED", "too many requests; wait for the next minute");
	else
		route(s, r, &a);
	(void)pthread_mutex_unlock(&s->world.lock);
	if (s->quirk[QUIRK_PRETTY] && !a.page.slice && a.page.body.len)
		prettify(&a);
	if (good && !v.refused)
		faulty = fault_match(s, r, &a, &hit);
	if (faulty)
		fault_apply(s, r, &a, &hit);
	if (v.slow)
		delay = SLOW_MS;
	if (faulty && hit.kind == FAULT_STALL)
		delay = hit.stall_ms;
	r->status = a.status;
	r->bytes = a.page.body.len + a.page.slice_len + a.page.tail.len;
	r->response = make_response(r, &a, faulty ? &hit : NULL);
	if (r->response) {
		(void)MHD_add_response_header(
			r->response, "Content-Type", a.type ? a.type : "application/json");
		add_number_header(r->response, "x-ratelimit-limit", v.limit);
		add_number_header(r->response, "x-ratelimit-remaining", v.remaining);
		if (a.location)
			(void)MHD_add_response_header(r->response, "Location", a.location);
		if (faulty && hit.kind == FAULT_STATUS && hit.retry_after >= 0)
			add_number_header(r->response, "Retry-After", hit.retry_after);
	}
	stats_note(s, v.slow, v.refused, faulty ? &hit : NULL);
	stats_end(s, r);
	answer_release(&a);
	if (!delay || s->stopping)
		return false;
	server_delay(r, px_clock_mono_ms() + delay);
	return true;
}

static void control_answer(struct req *r)
{
	struct answer a = {.status = 200};

	px_buf_init(&a.page.body, SIM_TEXT_MAX);
	px_buf_init(&a.page.tail, 64);
	control_route(r->s, r, &a);
	r->status = a.status;
	if (r->wait_until_ms) { /* asked again soon */
		answer_release(&a);
		server_delay(r, px_clock_mono_ms() + 5);
		return;
	}
	if (!r->response)
		r->response = make_response(r, &a, NULL);
	if (r->response)
		(void)MHD_add_response_header(
			r->response, "Content-Type", a.type ? a.type : "application/json");
	answer_release(&a);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *conn, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **con_cls)
{
	struct req *r = *con_cls;
	enum MHD_Result ret;

	(void)cls;
	(void)url;
	(void)version;
	if (!r)
		return MHD_NO;
	if (!r->begun) {
		r->begun = true;
		(void)snprintf(r->method, sizeof r->method, "%s", method);
		if (!parse_uri(r))
			return MHD_NO;
		return MHD_YES;
	}
	if (*size) {
		if (px_buf_add(&r->body, data, *size))
			return MHD_NO;
		*size = 0;
		return MHD_YES;
	}
	if (!r->response && r->nsegs && !strcmp(r->segs[0], "_control")) {
		control_answer(r);
		if (r->wait_until_ms)
			return MHD_YES;
	} else if (!r->response) {
		r->at_ms = px_clock_wall_ms();
		r->counted = true;
		stats_begin(r->s);
		if (api_answer(r))
			return MHD_YES;
	}
	if (!r->response)
		return MHD_NO;
	ret = MHD_queue_response(conn, r->status, r->response);
	MHD_destroy_response(r->response);
	r->response = NULL;
	return ret;
}

static void completed(void *cls, struct MHD_Connection *conn, void **con_cls,
	enum MHD_RequestTerminationCode code)
{
	struct req *r = *con_cls;

	(void)cls;
	(void)conn;
	(void)code;
	if (!r)
		return;
	if (r->counted)
		stats_done(r->s);
	req_free(r);
	*con_cls = NULL;
}

static void connection(void *cls, struct MHD_Connection *conn, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	(void)conn;
	(void)socket_context;
	stats_connection(cls, code == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1);
}

/* ---- start and stop ----------------------------------------------------------------------------
 */

px_rc server_start(struct sim *s, struct px_err *err)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->opt.port)};
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)s->opt.port)};
	bool six = strchr(s->opt.host, ':') != NULL;
	const struct sockaddr *addr = six ? (const struct sockaddr *)&v6
					  : (const struct sockaddr *)&v4;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
	const union MHD_DaemonInfo *info;

	if (six) {
		flags |= MHD_USE_IPv6;
		(void)inet_pton(AF_INET6, s->opt.host, &v6.sin6_addr);
	} else {
		(void)inet_pton(AF_INET, s->opt.host, &v4.sin_addr);
	}
	s->server = calloc(1, sizeof *s->server);
	if (!s->server)
		return px_err_nomem(err);
	errno = 0;
	s->server->daemon = MHD_start_daemon(flags, (uint16_t)s->opt.port, NULL, NULL, handle, s,
		MHD_OPTION_SOCK_ADDR, addr, MHD_OPTION_URI_LOG_CALLBACK, uri_log, s,
		MHD_OPTION_NOTIFY_COMPLETED, completed, s, MHD_OPTION_NOTIFY_CONNECTION, connection,
		s, MHD_OPTION_CONNECTION_LIMIT, 4096U, MHD_OPTION_CONNECTION_TIMEOUT, 600U,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(128 << 10),
		MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U,
		s->opt.threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
		(unsigned)s->opt.threads, MHD_OPTION_END);
	if (!s->server->daemon)
		return px_err_sys(err, errno ? errno : EADDRINUSE, "cannot listen on %s:%d",
			s->opt.host, s->opt.port);
	info = MHD_get_daemon_info(s->server->daemon, MHD_DAEMON_INFO_BIND_PORT);
	s->server->port = info ? info->port : s->opt.port;
	return PX_OK;
}

int server_port(const struct sim *s)
{
	return s->server->port;
}

void server_stop(struct sim *s)
{
	if (s->server && s->server->daemon)
		MHD_stop_daemon(s->server->daemon);
	free(s->server);
	s->server = NULL;
}
