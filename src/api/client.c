/* SPDX-License-Identifier: MIT */
/*
 * client.c - requests queued by purpose, let out by the limiter, retried, answered once.
 *
 * Invariants: every accepted request is answered exactly once, from px_api_step or px_api_free; a
 * request leaves only when the limiter, a free transfer and the memory budget allow it; `sending`
 * runs right before each attempt, so that what its answer says is newer than whatever the callback
 * noted. Deadlines of our own (retries, the limiter) follow px_clock, those of a transfer real
 * time. Messages name path and status, never a query, a body or the key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "api_i.h"
#include "propexofs/clock.h"
#include "propexofs/hash.h"
#include "propexofs/log.h"

static const char MODULE[] = "api";
static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void init_curl(void)
{
	curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

CURLcode px_api_init_curl(void)
{
	(void)pthread_once(&curl_once, init_curl);
	return curl_ready;
}

/* ---- lists */

static void append(struct px_list *l, struct px_request *r)
{
	r->next = NULL;
	if (l->last)
		l->last->next = r;
	else
		l->first = r;
	l->last = r;
}

static void prepend(struct px_list *l, struct px_request *r)
{
	r->next = l->first;
	l->first = r;
	if (!l->last)
		l->last = r;
}

static struct px_request *shift(struct px_list *l)
{
	struct px_request *r = l->first;

	if (r) {
		l->first = r->next;
		if (!l->first)
			l->last = NULL;
		r->next = NULL;
	}
	return r;
}

/* ---- requests */

static void free_request(struct px_request *r)
{
	if (!r)
		return;
	if (r->body)
		px_wipe(r->body, strlen(r->body));
	free(r->body);
	free(r->path);
	free(r->target);
	free(r);
}

static bool printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

static px_rc submit(struct px_api *a, const struct px_request *proto, const char *path,
	const char *body, struct px_err *err)
{
	struct px_request *r;

	if (a->closing)
		return px_err_set(err, PX_ECANCELED, "the client is closing");
	if ((unsigned)proto->purpose >= PX_PURPOSES || path[0] != '/' || !printable(path) ||
		strchr(path, '#'))
		return px_err_set(err, PX_EINVAL, "a request path that makes no sense");
	r = malloc(sizeof *r);
	if (!r)
		return px_err_nomem(err);
	*r = *proto;
	r->path = strdup(path);
	r->body = body ? strdup(body) : NULL;
	if (!r->path || (body && !r->body)) {
		free_request(r);
		return px_err_nomem(err);
	}
	if (!r->max_body)
		r->max_body = PX_API_BODY;
	if (r->max_body > PX_API_BUDGET)
		r->max_body = PX_API_BUDGET;
	append(&a->queue[r->purpose], r);
	a->waiting[r->purpose]++;
	return PX_OK;
}

px_rc px_api_get(struct px_api *a, enum px_purpose purpose, const char *path, size_t max_body,
	void (*sending)(void *arg), void (*done)(void *arg, const struct px_answer *answer),
	void *arg, struct px_err *err)
{
	struct px_request proto = {
		.purpose = purpose,
		.method = "GET",
		.max_body = max_body,
		.sending = sending,
		.done = done,
		.arg = arg,
	};

	if (!a)
		return px_err_set(err, PX_ECANCELED, "stopped");
	return submit(a, &proto, path, NULL, err);
}

/* The rest of the path must stay below /v1/webhooks/ also for a server that resolves dots. */
static bool management_path(const char *path)
{
	static const char prefix[] = "/v1/webhooks/";

	return !strncmp(path, prefix, sizeof prefix - 1) && !strstr(path, "..") &&
	       !strcasestr(path, "%2e") && !strcasestr(path, "%2f") && !strchr(path, '\\');
}

px_rc px_api_manage(struct px_api *a, const char *method, const char *path, const char *body,
	void (*done)(void *arg, const struct px_answer *answer), void *arg, struct px_err *err)
{
	static const char *const methods[] = {"POST", "PUT", "DELETE"};
	struct px_request proto = {.purpose = PX_FOR_CONTROL, .done = done, .arg = arg};

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (!strcmp(method, methods[i]))
			proto.method = methods[i];
	if (!proto.method || !management_path(path))
		return px_err_set(err, PX_EINVAL, "only webhooks may be managed");
	return submit(a, &proto, path, body, err);
}

size_t px_api_waiting(struct px_api *a, enum px_purpose purpose)
{
	size_t n = 0;

	if (purpose != PX_PURPOSES)
		return a->waiting[purpose];
	for (size_t i = 0; i < PX_PURPOSES; i++)
		n += a->waiting[i];
	return n;
}

/* ---- life */

static px_rc check_key(const char *key, struct px_err *err)
{
	if (!key || !*key)
		return px_err_set(err, PX_EINVAL, "the API key is empty");
	if (!printable(key))
		return px_err_set(err, PX_EINVAL,
			"the API key holds a space, a control character "
			"or one outside ASCII");
	if (strlen(key) > 8192)
		return px_err_set(err, PX_EINVAL, "the API key is longer than 8192 characters");
	return PX_OK;
}

static void drop_key(struct px_api *a)
{
	if (a->key)
		px_wipe(a->key, strlen(a->key));
	free(a->key);
	a->key = NULL;
}

px_rc px_api_set_key(struct px_api *a, const char *key, struct px_err *err)
{
	px_rc rc = check_key(key, err);
	char *copy;

	if (rc)
		return rc;
	copy = strdup(key);
	if (!copy)
		return px_err_nomem(err);
	(void)pthread_mutex_lock(&a->lock);
	if (!a->key || strcmp(a->key, copy) != 0)
		a->key_number++;
	drop_key(a);
	a->key = copy;
	(void)pthread_mutex_unlock(&a->lock);
	return PX_OK;
}

/* The key that another client has now. */
static px_rc take_key(struct px_api *a, struct px_api *from, struct px_err *err)
{
	(void)pthread_mutex_lock(&from->lock);
	a->key = strdup(from->key);
	(void)pthread_mutex_unlock(&from->lock);
	return a->key ? PX_OK : px_err_nomem(err);
}

/* ---- the gate */

static struct gate *gate_new(int share_percent)
{
	struct gate *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	g->clients = 1;
	g->limiter = px_limiter_new(share_percent);
	if (!g->limiter) {
		free(g);
		return NULL;
	}
	(void)pthread_mutex_init(&g->lock, NULL);
	return g;
}

static struct gate *gate_join(struct gate *g)
{
	g->clients++;
	return g;
}

/* Accepts NULL. */
static void gate_leave(struct gate *g)
{
	if (!g || --g->clients)
		return;
	px_limiter_free(g->limiter);
	(void)pthread_mutex_destroy(&g->lock);
	free(g);
}

void px_api_set_share(struct px_api *a, int share_percent)
{
	(void)pthread_mutex_lock(&a->gate->lock);
	px_limiter_set_share(a->gate->limiter, share_percent);
	(void)pthread_mutex_unlock(&a->gate->lock);
}

static long or_default(int ms, int standard)
{
	return ms > 0 ? ms : standard;
}

static px_rc init(struct px_api *a, const struct px_api_options *o, struct px_err *err)
{
	px_rc rc;

	if (o->share_percent < 1 || o->share_percent > 100 || o->connections < 1 ||
		o->connections > 256)
		return px_err_set(err, PX_EINVAL, "share 1 to 100 and connections 1 to 256");
	a->connections = (size_t)o->connections;
	a->retries = o->retries < 0 ? 0 : o->retries;
	a->connect_timeout_ms = or_default(o->connect_timeout_ms, 10000);
	a->stall_timeout_s = (or_default(o->stall_timeout_ms, 20000) + 999) / 1000;
	a->total_timeout_ms = or_default(o->total_timeout_ms, 120000);
	a->renew_key = o->renew_key;
	a->renew_arg = o->renew_arg;
	if (getrandom(&a->random, sizeof a->random, GRND_NONBLOCK) < 0 || !a->random)
		a->random = (uint64_t)px_clock_mono_ns() | 1;
	a->stats.reachable = true;
	a->stats.authorized = true;
	rc = px_url_base(o->base_url, a->base, sizeof a->base, err);
	if (!rc)
		rc = px_url_origin(a->base, &a->origin, err);
	if (!rc)
		rc = o->beside ? take_key(a, o->beside, err) : px_api_set_key(a, o->key, err);
	if (rc)
		return rc;
	a->user_agent = strdup(o->user_agent ? o->user_agent : "propexofs");
	a->gate = o->beside ? gate_join(o->beside->gate) : gate_new(o->share_percent);
	a->transfers = calloc(a->connections, sizeof *a->transfers);
	a->multi = curl_multi_init();
	if (!a->user_agent || !a->gate || !a->transfers || !a->multi)
		return px_err_nomem(err);
	for (size_t i = 0; i < a->connections; i++)
		a->transfers[i].api = a;
	(void)curl_multi_setopt(a->multi, CURLMOPT_MAXCONNECTS, (long)a->connections + 2);
	return PX_OK;
}

px_rc px_api_new(const struct px_api_options *o, struct px_api **ret, struct px_err *err)
{
	struct px_api *a;
	px_rc rc;

	if (px_api_init_curl() != CURLE_OK)
		return px_err_set(err, PX_EIO, "libcurl: %s", curl_easy_strerror(curl_ready));
	a = calloc(1, sizeof *a);
	if (!a)
		return px_err_nomem(err);
	if (pthread_mutex_init(&a->lock, NULL)) {
		free(a);
		return px_err_nomem(err);
	}
	rc = init(a, o, err);
	if (rc) {
		px_api_free(a);
		return rc;
	}
	*ret = a;
	return PX_OK;
}

/* ---- answering */

static void note_failure(struct px_api *a, const char *msg)
{
	(void)pthread_mutex_lock(&a->lock);
	(void)snprintf(a->stats.last_error, sizeof a->stats.last_error, "%s", msg);
	a->stats.last_error_ms = px_clock_wall_ms();
	(void)pthread_mutex_unlock(&a->lock);
}

static void answer(struct px_api *a, struct px_request *r, struct px_answer *answer)
{
	a->waiting[r->purpose]--;
	answer->attempts = r->attempts;
	answer->done_ms = px_clock_mono_ms();
	if (!answer->body)
		answer->body = "";
	if (r->done)
		r->done(r->arg, answer);
	free_request(r);
}

static void cancel(struct px_api *a, struct px_request *r)
{
	struct px_answer gone = {.rc = PX_ECANCELED};

	(void)px_err_set(&gone.err, PX_ECANCELED, "stopped");
	answer(a, r, &gone);
}

static void cancel_list(struct px_api *a, struct px_list *l)
{
	struct px_request *r;

	while ((r = shift(l)) != NULL)
		cancel(a, r);
}

void px_api_free(struct px_api *a)
{
	if (!a)
		return;
	a->closing = true;
	for (size_t i = 0; a->transfers && i < a->connections; i++) {
		struct px_request *r = a->transfers[i].r;

		if (!r)
			continue;
		/* a thread that waits for a name server is not waited for */
		(void)curl_easy_setopt(a->transfers[i].easy, CURLOPT_QUICK_EXIT, 1L);
		px_transfer_end(&a->transfers[i]);
		cancel(a, r);
	}
	cancel_list(a, &a->alone);
	cancel_list(a, &a->hops);
	cancel_list(a, &a->later);
	for (size_t i = 0; i < PX_PURPOSES; i++)
		cancel_list(a, &a->queue[i]);
	for (size_t i = 0; a->transfers && i < a->connections; i++)
		curl_easy_cleanup(a->transfers[i].easy);
	curl_multi_cleanup(a->multi);
	gate_leave(a->gate);
	drop_key(a);
	free(a->transfers);
	free(a->user_agent);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
}

/* ---- trying again */

static uint64_t random_below(struct px_api *a, uint64_t n)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 7;
	a->random ^= a->random << 17;
	return n ? a->random % n : 0;
}

/* Full jitter: anything up to 0.5, 1, 2, 4... 30 s, so that many requests that failed together do
 * not come back together. */
static int64_t backoff_ms(struct px_api *a, int failures)
{
	int64_t most = 500;

	for (int i = 1; i < failures && most < 30000; i++)
		most *= 2;
	return 1 + (int64_t)random_below(a, (uint64_t)(most < 30000 ? most : 30000));
}

/* Once several attempts in a row got no answer, or only a gateway's, the API is away: then one
 * request at a time goes out, after pauses that grow, until one is answered. A 500 is the trouble
 * of one endpoint: others go on. */
static bool away(const struct px_api *a)
{
	return a->failed >= PX_API_AWAY;
}

static void note_health(struct px_api *a, int status, int64_t now)
{
	if (status && (status < 502 || status > 504)) {
		a->failed = 0;
		a->holds = 0;
		a->hold_until_ms = 0;
		return;
	}
	if (a->failed < PX_API_AWAY)
		a->failed++;
	if (away(a) && now >= a->hold_until_ms)
		a->hold_until_ms = now + backoff_ms(a, ++a->holds);
}

static void forget_target(struct px_request *r)
{
	free(r->target);
	r->target = NULL;
	r->foreign = false;
	r->hops = 0;
}

static void queue_again(struct px_api *a, struct px_request *r)
{
	if (r->foreign)
		append(&a->hops, r);
	else if (r->alone)
		append(&a->alone, r);
	else
		prepend(&a->queue[r->purpose], r);
}

/* ---- a key that was replaced */

/* Whether a request that was refused with a key may go out once more: with another one. */
static bool has_new_key(struct px_api *a, unsigned refused_key)
{
	int64_t now = px_clock_mono_ms();
	struct px_err err;

	if (refused_key != a->key_number)
		return true;
	if (!a->renew_key || (a->renewed_ms && now - a->renewed_ms < PX_API_RENEW_MS))
		return false;
	a->renewed_ms = now;
	if (a->renew_key(a->renew_arg, a, &err)) {
		note_failure(a, err.msg);
		px_warn(MODULE, "the key was refused, and there is no new one: %s", err.msg);
		return false;
	}
	if (refused_key == a->key_number)
		return false;
	px_info(MODULE, "the key was refused: going on with a new one");
	return true;
}

/* ---- what became of an attempt */

/* What the attempt's end asks for. */
enum verdict { ANSWER, RETRY, WAIT_MINUTE, FOLLOW, ALONE, NEW_KEY };

struct ending {
	CURLcode code;
	int status;
	struct px_transfer_headers headers;
	char *location; /* owned by curl */
};

static int path_len(const struct px_request *r)
{
	size_t n = strcspn(r->path, "?");

	return n > 200 ? 200 : (int)n;
}

static px_rc status_rc(int status)
{
	if (status >= 200 && status < 300)
		return PX_OK;
	if (status == 401 || status == 403)
		return PX_EAUTH;
	return status == 404 ? PX_ENOENT : PX_EHTTP;
}

static enum verdict judge_status(
	const struct px_transfer *t, const struct ending *e, px_rc *ret_rc, struct px_err *err)
{
	const struct px_request *r = t->r;

	*ret_rc = status_rc(e->status);
	if (*ret_rc) {
		(void)px_err_set(err, *ret_rc, "%s %.*s: HTTP %d", r->method, path_len(r), r->path,
			e->status);
		err->http = e->status;
	}
	if (e->status == 429)
		return WAIT_MINUTE;
	if (e->status == 401 && !r->foreign)
		return NEW_KEY;
	if (e->status >= 500)
		return RETRY;
	if (e->location && !strcmp(r->method, "GET"))
		return FOLLOW;
	return ANSWER;
}

static enum verdict judge(
	const struct px_transfer *t, const struct ending *e, px_rc *ret_rc, struct px_err *err)
{
	const struct px_request *r = t->r;
	const char *why = t->reason[0] ? t->reason : curl_easy_strerror(e->code);

	switch (t->cut) {
	case PX_CUT_OVER_MAX:
		*ret_rc = px_err_set(err, PX_ELIMIT, "%s %.*s: the answer is larger than %zu bytes",
			r->method, path_len(r), r->path, r->max_body);
		return ANSWER;
	case PX_CUT_NOMEM:
		*ret_rc = px_err_nomem(err);
		return ANSWER;
	case PX_CUT_BUDGET:
		*ret_rc = px_err_set(err, PX_ELIMIT,
			"%s %.*s: the answer does not fit beside others", r->method, path_len(r),
			r->path);
		return ALONE;
	case PX_CUT_ERROR_BODY:
		return judge_status(t, e, ret_rc, err);
	case PX_CUT_NOT:
		break;
	}
	/* A redirect or a refusal has said all it has to say in its headers. */
	if (e->code != CURLE_OK && !e->location && e->status != 429) {
		*ret_rc = px_err_set(
			err, PX_ENET, "%s %.*s: %s", r->method, path_len(r), r->path, why);
		return RETRY;
	}
	return judge_status(t, e, ret_rc, err);
}

static void tell_limiter(
	struct px_api *a, const struct px_transfer *t, const struct ending *e, int64_t now)
{
	if (!t->counted)
		return;
	(void)pthread_mutex_lock(&a->gate->lock);
	if (e->status == 429)
		px_limiter_refused(a->gate->limiter, &t->ticket, e->headers.retry_after_ms, now);
	else if (e->status)
		px_limiter_answer(
			a->gate->limiter, &t->ticket, e->headers.limit, e->headers.remaining, now);
	else
		px_limiter_lost(a->gate->limiter, &t->ticket, now);
	(void)pthread_mutex_unlock(&a->gate->lock);
}

static void count(struct px_api *a, const struct px_transfer *t, const struct ending *e,
	enum verdict v, px_rc rc, size_t len)
{
	bool foreign = t->r->foreign;

	(void)pthread_mutex_lock(&a->lock);
	a->stats.bytes += len;
	a->stats.refused += e->status == 429 && !foreign;
	a->stats.failed += rc != PX_OK && v != FOLLOW && v != ALONE;
	if (!foreign) {
		a->stats.reachable = e->status > 0 && e->status < 500;
		if (e->status)
			a->stats.authorized = e->status != 401;
		if (e->status)
			a->stats.last_answer_ms = px_clock_wall_ms();
	}
	(void)pthread_mutex_unlock(&a->lock);
}

/* Where a redirect leads: at most PX_API_HOPS times, never from https down to http, http to this
 * machine only. */
static px_rc follow(
	struct px_api *a, struct px_request *r, const char *location, struct px_err *err)
{
	struct px_origin from = a->origin, to;
	struct px_err cause;
	char *target;

	if (r->target && px_url_origin(r->target, &from, NULL))
		from = a->origin;
	if (r->hops >= PX_API_HOPS)
		return px_err_set(err, PX_EHTTP, "%s %.*s: more than %d redirects", r->method,
			path_len(r), r->path, PX_API_HOPS);
	if (px_url_origin(location, &to, &cause))
		return px_err_set(err, PX_EHTTP, "%s %.*s: a redirect to somewhere strange: %s",
			r->method, path_len(r), r->path, cause.msg);
	if (!to.tls && (from.tls || a->origin.tls || !to.loopback))
		return px_err_set(err, PX_EHTTP,
			"%s %.*s: a redirect from https to http is not followed", r->method,
			path_len(r), r->path);
	target = strdup(location);
	if (!target)
		return px_err_nomem(err);
	free(r->target);
	r->target = target;
	r->foreign = strcmp(to.text, a->origin.text) != 0;
	r->hops++;
	return PX_OK;
}

static void log_refused(const struct px_request *r)
{
	px_log_limited(PX_LOG_WARN, MODULE, "status=429 path=%.*s", path_len(r), r->path);
}

static void log_retry(const struct px_request *r, const char *msg, int64_t wait)
{
	px_log_limited(PX_LOG_WARN, MODULE, "attempt=%d retry_in_ms=%lld error=\"%s\"", r->attempts,
		(long long)wait, msg);
}

/* Puts the request where the verdict says; false: it is to be answered. */
static bool carry_on(struct px_api *a, struct px_request *r, unsigned key_number,
	const struct ending *e, enum verdict v, px_rc *rc, struct px_err *err, int64_t now)
{
	bool once = strcmp(r->method, "GET") != 0;
	int64_t wait;

	switch (v) {
	case ANSWER:
		return false;
	case NEW_KEY:
		if (!has_new_key(a, key_number))
			return false;
		forget_target(r);
		queue_again(a, r);
		return true;
	case FOLLOW:
		*rc = follow(a, r, e->location, err);
		if (*rc)
			return false;
		queue_again(a, r);
		return true;
	case ALONE:
		if (once)
			return false;
		r->alone = true;
		queue_again(a, r);
		return true;
	case WAIT_MINUTE:
		log_refused(r);
		if (!r->foreign) {
			queue_again(a, r);
			return true;
		}
		/* another host's 429 is not our limiter's */
		/* fall through */
	case RETRY:
		break;
	}
	if (once || r->failures >= a->retries)
		return false;
	r->failures++;
	wait = backoff_ms(a, r->failures);
	if (e->headers.retry_after_ms > wait)
		wait = e->headers.retry_after_ms < 60000 ? e->headers.retry_after_ms : 60000;
	r->not_before_ms = now + wait;
	forget_target(r);
	log_retry(r, err->msg, wait);
	append(&a->later, r);
	return true;
}

static void finish(struct px_api *a, struct px_transfer *t, CURLcode code)
{
	struct px_request *r = t->r;
	struct ending e = {.code = code};
	struct px_answer result = {.sent_ms = t->sent_ms};
	PX_BUF_AUTO struct px_buf body = PX_BUF_INIT(0);
	int64_t now = px_clock_mono_ms();
	enum verdict v;
	char *location = NULL;
	long status = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &location);
	e.status = (int)status;
	e.location = location;
	px_transfer_headers(t, &e.headers);
	v = judge(t, &e, &result.rc, &result.err);
	tell_limiter(a, t, &e, now);
	count(a, t, &e, v, result.rc, t->body.len);
	if (result.rc && v != FOLLOW && v != ALONE)
		note_failure(a, result.err.msg);
	if (!r->foreign)
		note_health(a, e.status, now);
	a->largest -= a->largest / 16;
	if (t->body.len > a->largest)
		a->largest = t->body.len;
	a->in_flight--;
	if (carry_on(a, r, t->key_number, &e, v, &result.rc, &result.err, now)) {
		px_transfer_end(t);
		return;
	}
	result.status = e.status;
	body = t->body;
	px_buf_init(&t->body, 0);
	px_transfer_end(t);
	result.body = result.rc == PX_ELIMIT || result.rc == PX_ENET ? NULL : body.data;
	result.len = result.body ? body.len : 0;
	answer(a, r, &result);
}

/* ---- letting requests out */

static struct px_transfer *free_transfer(struct px_api *a)
{
	for (size_t i = 0; i < a->connections; i++)
		if (!a->transfers[i].r)
			return &a->transfers[i];
	return NULL;
}

static size_t estimate(const struct px_api *a, const struct px_request *r)
{
	size_t size = a->largest * 2;

	if (size < PX_API_RESERVE)
		size = PX_API_RESERVE;
	return size < r->max_body ? size : r->max_body;
}

static bool fits(const struct px_api *a, const struct px_request *r)
{
	size_t size = r->alone ? PX_API_BUDGET : estimate(a, r);

	return !a->in_flight || a->reserved + size <= PX_API_BUDGET;
}

static void launch(struct px_api *a, struct px_request *r, const struct px_limiter_ticket *ticket)
{
	struct px_transfer *t = free_transfer(a);
	struct px_answer failed = {.sent_ms = px_clock_mono_ms()};

	t->counted = ticket != NULL;
	if (ticket)
		t->ticket = *ticket;
	t->reserved = r->alone ? PX_API_BUDGET : estimate(a, r);
	a->reserved += t->reserved;
	if (!r->hops)
		r->attempts++;
	if (r->sending)
		r->sending(r->arg);
	t->sent_ms = failed.sent_ms;
	failed.rc = px_transfer_start(t, r, &failed.err);
	if (failed.rc) {
		px_transfer_end(t);
		(void)pthread_mutex_lock(&a->gate->lock);
		if (ticket)
			px_limiter_lost(a->gate->limiter, ticket, px_clock_mono_ms());
		(void)pthread_mutex_unlock(&a->gate->lock);
		answer(a, r, &failed);
		return;
	}
	a->in_flight++;
	if (!ticket)
		return;
	(void)pthread_mutex_lock(&a->lock);
	a->stats.requests[r->purpose]++;
	(void)pthread_mutex_unlock(&a->lock);
}

static int64_t ask(
	struct px_api *a, enum px_purpose p, unsigned mask, struct px_limiter_ticket *ret)
{
	int64_t wait;

	(void)pthread_mutex_lock(&a->gate->lock);
	wait = px_limiter_take(a->gate->limiter, p, mask, px_clock_mono_ms(), ret);
	(void)pthread_mutex_unlock(&a->gate->lock);
	return wait;
}

/* Moves what has waited its time back to its queue; the earliest of the rest. */
static int64_t wake_later(struct px_api *a, int64_t now)
{
	struct px_list rest = {NULL, NULL};
	struct px_request *r;
	int64_t next = INT64_MAX;

	while ((r = shift(&a->later)) != NULL) {
		if (r->not_before_ms <= now) {
			queue_again(a, r);
			continue;
		}
		if (r->not_before_ms < next)
			next = r->not_before_ms;
		append(&rest, r);
	}
	a->later = rest;
	return next;
}

/* Lets one request out; ms to wait, or -1 when only an answer can change anything. */
static int64_t let_one_out(struct px_api *a)
{
	struct px_limiter_ticket ticket;
	unsigned mask = 0;
	int64_t least = -1;

	if (a->in_flight >= a->connections || (away(a) && a->in_flight))
		return -1;
	if (away(a) && px_clock_mono_ms() < a->hold_until_ms)
		return a->hold_until_ms - px_clock_mono_ms();
	if (a->hops.first) {
		if (!fits(a, a->hops.first))
			return -1;
		launch(a, shift(&a->hops), NULL);
		return 0;
	}
	if (a->alone.first) {
		if (!fits(a, a->alone.first))
			return -1;
		least = ask(a, a->alone.first->purpose, 1U << a->alone.first->purpose, &ticket);
		if (!least)
			launch(a, shift(&a->alone), &ticket);
		return least;
	}
	for (unsigned p = 0; p < PX_PURPOSES; p++) {
		if (!a->queue[p].first)
			continue;
		if (!fits(a, a->queue[p].first))
			return -1;
		mask |= 1U << p;
	}
	for (unsigned p = 0; p < PX_PURPOSES; p++) {
		int64_t wait;

		if (!(mask & 1U << p))
			continue;
		wait = ask(a, (enum px_purpose)p, mask, &ticket);
		if (!wait) {
			launch(a, shift(&a->queue[p]), &ticket);
			return 0;
		}
		least = least < 0 || wait < least ? wait : least;
	}
	return least;
}

/* Lets out what may go; the time at which more may, INT64_MAX when none. */
static int64_t let_out(struct px_api *a)
{
	int64_t next = wake_later(a, px_clock_mono_ms());
	int64_t wait;

	do
		wait = let_one_out(a);
	while (!wait);
	if (wait > 0 && px_clock_mono_ms() + wait < next)
		next = px_clock_mono_ms() + wait;
	return next;
}

/* ---- the loop */

static bool run(struct px_api *a)
{
	bool any = false;
	int running = 0, left = 0;
	CURLMsg *m;

	(void)curl_multi_perform(a->multi, &running);
	while ((m = curl_multi_info_read(a->multi, &left)) != NULL) {
		struct px_transfer *t = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		finish(a, t, m->data.result);
		any = true;
	}
	return any;
}

void px_api_step(struct px_api *a, int64_t deadline_mono_ms)
{
	bool any = false;

	if (a->stepping)
		return;
	a->stepping = true;
	for (;;) {
		int64_t next = let_out(a);

		/* a second look after the first answer starts what its callback asked for */
		any = run(a) || any;
		if (atomic_exchange(&a->woken, false) || px_clock_mono_ms() >= deadline_mono_ms)
			break;
		if (any) {
			(void)let_out(a);
			break;
		}
		if (deadline_mono_ms < next)
			next = deadline_mono_ms;
		(void)curl_multi_poll(a->multi, NULL, 0, px_clock_poll_ms(next, 1000), NULL);
	}
	a->stepping = false;
}

void px_api_wake(struct px_api *a)
{
	a->woken = true;
	(void)curl_multi_wakeup(a->multi);
}

void px_api_stats(struct px_api *a, struct px_api_stats *ret)
{
	(void)pthread_mutex_lock(&a->lock);
	*ret = a->stats;
	(void)pthread_mutex_unlock(&a->lock);
	(void)pthread_mutex_lock(&a->gate->lock);
	px_limiter_view(a->gate->limiter, px_clock_mono_ms(), &ret->limiter);
	(void)pthread_mutex_unlock(&a->gate->lock);
}
