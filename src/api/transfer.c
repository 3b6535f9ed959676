/* SPDX-License-Identifier: MIT */
/*
 * transfer.c - one attempt of one request, as a curl handle.
 *
 * Invariants: the key is in the headers only when the target's origin is the base URL's; curl
 * itself follows no redirect; a body never grows beyond the request's maximum, and all bodies
 * together never beyond the budget, counted with the slack of a growing buffer. gzip is accepted,
 * and limits count what comes out of it.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api_i.h"
#include "propexofs/clock.h"
#include "propexofs/hash.h"

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Sets `size` bytes of the budget aside for this body; a growing buffer may take twice its content.
 */
static bool reserve(struct px_transfer *t, size_t len)
{
	struct px_api *a = t->api;
	size_t size = smaller(len * 2, t->r->max_body);

	if (size <= t->reserved)
		return true;
	if (a->reserved - t->reserved + size > PX_API_BUDGET)
		return false;
	a->reserved += size - t->reserved;
	t->reserved = size;
	return true;
}

static enum px_cut keep(struct px_transfer *t, const char *data, size_t n)
{
	long status = 0;
	curl_off_t announced = -1;
	size_t need = t->body.len + n;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || status > 299) {
		n = smaller(n, PX_API_ERROR_BODY - smaller(t->body.len, PX_API_ERROR_BODY));
		if (px_buf_add(&t->body, data, n) == PX_ENOMEM)
			return PX_CUT_NOMEM;
		return need > PX_API_ERROR_BODY ? PX_CUT_ERROR_BODY : PX_CUT_NOT;
	}
	if (!t->body.data)
		(void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
	if (announced > 0 && (curl_off_t)need < announced)
		need = (uint64_t)announced > t->r->max_body ? t->r->max_body + 1
							    : (size_t)announced;
	if (need > t->r->max_body)
		return PX_CUT_OVER_MAX;
	if (!reserve(t, need))
		return PX_CUT_BUDGET;
	if (px_buf_reserve(&t->body, need - t->body.len) || px_buf_add(&t->body, data, n))
		return PX_CUT_NOMEM;
	return PX_CUT_NOT;
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct px_transfer *t = arg;

	t->cut = keep(t, data, size * n);
	return t->cut == PX_CUT_NOT ? size * n : 0;
}

static px_rc add_header(struct px_transfer *t, const char *line)
{
	struct curl_slist *list = curl_slist_append(t->headers, line);

	if (!list)
		return PX_ENOMEM;
	t->headers = list;
	return PX_OK;
}

static px_rc add_key(struct px_transfer *t)
{
	struct px_buf line = PX_BUF_INIT(16384);
	px_rc rc;

	px_buf_adds(&line, "Authorization: Bearer ");
	px_buf_adds(&line, t->api->key);
	rc = line.failed ? line.failed : add_header(t, line.data);
	px_buf_wipe(&line);
	return rc;
}

static px_rc set_headers(struct px_transfer *t)
{
	px_rc rc = add_header(t, "Accept: application/json");

	if (!rc)
		rc = add_header(t, "Expect:");
	if (!rc && t->r->body)
		rc = add_header(t, "Content-Type: application/json");
	if (!rc && !t->r->foreign)
		rc = add_key(t);
	return rc;
}

static bool set_method(CURL *c, const struct px_request *r)
{
	bool with_body = r->body || !strcmp(r->method, "POST") || !strcmp(r->method, "PUT");

	if (!strcmp(r->method, "GET"))
		return curl_easy_setopt(c, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	/* On a kept connection that ends without a word curl would send the request once more, and
	 * the first may have been heard. */
	if (curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L))
		return false;
	if (with_body && (curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body ? r->body : "") ||
				 curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
					 (curl_off_t)(r->body ? strlen(r->body) : 0))))
		return false;
	return curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method) == CURLE_OK;
}

static bool set_target(struct px_transfer *t, const char *url, bool tls)
{
	CURL *c = t->easy;

	if (curl_easy_setopt(c, CURLOPT_URL, url) ||
		curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http") ||
		curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L))
		return false;
	/* http is for this machine only; a proxy would see the key. */
	return tls || curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK;
}

static bool set_rest(struct px_transfer *t)
{
	struct px_api *a = t->api;
	CURL *c = t->easy;

	return !(curl_easy_setopt(c, CURLOPT_PRIVATE, t) ||
		 curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->reason) ||
		 curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers) ||
		 curl_easy_setopt(c, CURLOPT_USERAGENT, a->user_agent) ||
		 curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip") ||
		 curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data) ||
		 curl_easy_setopt(c, CURLOPT_WRITEDATA, t) ||
		 curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) ||
		 curl_easy_setopt(c, CURLOPT_NOPROGRESS, 1L) ||
		 curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) ||
		 curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) ||
		 curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) ||
		 curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) ||
		 curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ||
		 curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ||
		 curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L) ||
		 curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, a->connect_timeout_ms) ||
		 curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, a->total_timeout_ms) ||
		 curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L) ||
		 curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, a->stall_timeout_s));
}

static px_rc set_up(struct px_transfer *t, struct px_err *err)
{
	struct px_origin origin = t->api->origin;
	struct px_buf url = PX_BUF_INIT(1 << 20);
	px_rc rc = PX_OK;

	if (t->r->target) {
		rc = px_url_origin(t->r->target, &origin, err);
		if (rc)
			return rc;
	}
	if (!t->easy)
		t->easy = curl_easy_init();
	if (!t->easy)
		return px_err_nomem(err);
	curl_easy_reset(t->easy);
	t->reason[0] = '\0';
	if (t->r->target)
		px_buf_adds(&url, t->r->target);
	else
		px_buf_addf(&url, "%s%s", t->api->base, t->r->path);
	rc = px_buf_ok(&url, err);
	if (!rc && (set_headers(t) || !set_target(t, url.data, origin.tls) ||
			   !set_method(t->easy, t->r) || !set_rest(t)))
		rc = px_err_nomem(err);
	px_buf_release(&url);
	return rc;
}

px_rc px_transfer_start(struct px_transfer *t, struct px_request *r, struct px_err *err)
{
	px_rc rc;

	t->r = r;
	t->cut = PX_CUT_NOT;
	t->key_number = t->api->key_number;
	px_buf_init(&t->body, r->max_body > PX_API_ERROR_BODY ? r->max_body : PX_API_ERROR_BODY);
	rc = set_up(t, err);
	if (!rc && curl_multi_add_handle(t->api->multi, t->easy) != CURLM_OK)
		rc = px_err_nomem(err);
	return rc;
}

static void wipe_list(struct curl_slist *list)
{
	for (struct curl_slist *i = list; i; i = i->next)
		px_wipe(i->data, strlen(i->data));
	curl_slist_free_all(list);
}

void px_transfer_end(struct px_transfer *t)
{
	if (t->easy) {
		(void)curl_multi_remove_handle(t->api->multi, t->easy);
		curl_easy_reset(t->easy);
	}
	wipe_list(t->headers);
	t->headers = NULL;
	px_buf_release(&t->body);
	t->api->reserved -= t->reserved;
	t->reserved = 0;
	t->r = NULL;
}

static const char *header(struct px_transfer *t, const char *name)
{
	struct curl_header *h = NULL;

	return curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value
										     : NULL;
}

static int64_t number(const char *s)
{
	char *end = NULL;
	long long n;

	if (!s || *s < '0' || *s > '9')
		return -1;
	n = strtoll(s, &end, 10);
	while (*end == ' ' || *end == '\t')
		end++;
	return *end && *end != ',' && *end != ';' ? -1 : n;
}

void px_transfer_headers(struct px_transfer *t, struct px_transfer_headers *ret)
{
	const char *after = header(t, "retry-after");
	int64_t s = number(after);

	ret->limit = number(header(t, "x-ratelimit-limit"));
	ret->remaining = number(header(t, "x-ratelimit-remaining"));
	ret->retry_after_ms = -1;
	if (s < 0 && after) {
		time_t when = curl_getdate(after, NULL);

		if (when != (time_t)-1)
			s = (int64_t)when - px_clock_wall_ms() / 1000;
		if (when != (time_t)-1 && s < 0)
			s = 0;
	}
	if (s >= 0)
		ret->retry_after_ms = s > 3600 ? 3600000 : s * 1000;
}
