/* SPDX-License-Identifier: MIT */
/*
 * fault.c - rules that make an answer wrong, and what wrong looks like.
 *
 * A rule says which requests, when, and what. It is matched after the right answer is known, so
 * that it can go by the records that the answer holds. What concerns the content is changed here;
 * what concerns the connection (reset, cut, stall, slow) is left to the server. The first rule that
 * hits wins.
 */
#include "sim.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rule {
	struct rule *next;
	int64_t number;
	struct hit hit;
	char path[256];
	char kind[16]; /* a class's name, or any */
	int model;     /* -1 any */
	int integ;     /* -1 any */
	int64_t offset;
	int64_t after, times;
	double probability;
	uint64_t rng;
	int64_t matched, hits;
};

struct faults {
	pthread_mutex_t lock;
	struct rule *rules;
	int64_t last;
};

const char *const fault_names[FAULT_KINDS] = {"status", "reset", "cut", "malformed", "wrong-types",
	"missing-id", "huge", "stall", "slow", "empty", "html", "redirect", "duplicate-ids",
	"bad-utf8"};

px_rc faults_init(struct sim *s)
{
	s->faults = calloc(1, sizeof *s->faults);
	if (!s->faults)
		return PX_ENOMEM;
	(void)pthread_mutex_init(&s->faults->lock, NULL);
	return PX_OK;
}

void fault_clear(struct sim *s, int64_t number)
{
	struct rule **at;

	(void)pthread_mutex_lock(&s->faults->lock);
	for (at = &s->faults->rules; *at;) {
		struct rule *r = *at;

		if (number && r->number != number) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		free(r);
	}
	(void)pthread_mutex_unlock(&s->faults->lock);
}

void faults_release(struct sim *s)
{
	if (!s->faults)
		return;
	fault_clear(s, 0);
	(void)pthread_mutex_destroy(&s->faults->lock);
	free(s->faults);
	s->faults = NULL;
}

/* ---- reading rules -----------------------------------------------------------------------------
 */

static void text_of(const cJSON *o, const char *name, char *ret, size_t size)
{
	const char *v = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

	(void)snprintf(ret, size, "%s", v ? v : "");
}

static double number_of(const cJSON *o, const char *name, double other)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(v) ? v->valuedouble : other;
}

static px_rc read_rule(struct sim *s, const cJSON *o, struct rule *r, struct px_err *err)
{
	char name[64], integ[64];
	int kind;

	text_of(o, "fault", name, sizeof name);
	for (kind = 0; kind < FAULT_KINDS; kind++)
		if (!strcmp(fault_names[kind], name))
			break;
	if (kind == FAULT_KINDS)
		return px_err_set(err, PX_EINVAL, "no such fault: '%s'", name);
	r->hit.kind = (enum fault_kind)kind;
	r->hit.status = (unsigned)number_of(o, "status", 500);
	if (r->hit.status < 100 || r->hit.status > 599)
		return px_err_set(err, PX_EINVAL, "status");
	text_of(o, "body", r->hit.body, sizeof r->hit.body);
	text_of(o, "variant", r->hit.variant, sizeof r->hit.variant);
	text_of(o, "location", r->hit.location, sizeof r->hit.location);
	text_of(o, "record", r->hit.record, sizeof r->hit.record);
	r->hit.stall_ms = (int64_t)(number_of(o, "seconds", 3600) * 1000);
	r->hit.bytes = (int64_t)number_of(o, "bytes", kind == FAULT_HUGE ? 20 << 20 : 64);
	if (r->hit.bytes < 1 || r->hit.bytes > 512 << 20)
		return px_err_set(err, PX_EINVAL, "bytes");
	r->hit.interval_ms = (int64_t)number_of(o, "interval_ms", 100);
	r->hit.retry_after = (int64_t)number_of(o, "retry_after", -1);
	text_of(o, "path", r->path, sizeof r->path);
	text_of(o, "kind", r->kind, sizeof r->kind);
	text_of(o, "model", name, sizeof name);
	r->model = -1;
	if (*name) {
		r->model = px_model_by_dir(name);
		if (r->model < 0)
			r->model = px_model_by_any(name);
		if (r->model < 0)
			return px_err_set(err, PX_EINVAL, "no such model: '%s'", name);
	}
	r->integ = -1;
	text_of(o, "integration", integ, sizeof integ);
	if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(o, "integration")))
		(void)snprintf(integ, sizeof integ, "%d", (int)number_of(o, "integration", 0));
	if (*integ) {
		const struct integ *in = world_integ(s, integ, strlen(integ));

		if (!in)
			return px_err_set(err, PX_EINVAL, "no such integration: '%s'", integ);
		r->integ = in->num;
	}
	r->offset = (int64_t)number_of(o, "offset", -1);
	r->after = (int64_t)number_of(o, "after", 0);
	r->times = (int64_t)number_of(o, "times", 1);
	r->probability = number_of(o, "probability", 1);
	r->rng = mix((uint64_t)number_of(o, "seed", 1), 0xfa17);
	return PX_OK;
}

int64_t fault_add(struct sim *s, const char *json, size_t len, struct px_err *err)
{
	cJSON *o = cJSON_ParseWithLength(json, len);
	struct rule *r = calloc(1, sizeof *r), **tail;
	int64_t number = -1;
	px_rc rc;

	(void)pthread_mutex_lock(&s->world.lock);
	rc = !o || !r ? px_err_set(err, PX_EINVAL, "not a JSON object") : read_rule(s, o, r, err);
	(void)pthread_mutex_unlock(&s->world.lock);
	cJSON_Delete(o);
	if (rc) {
		free(r);
		return -1;
	}
	(void)pthread_mutex_lock(&s->faults->lock);
	number = r->number = ++s->faults->last;
	for (tail = &s->faults->rules; *tail; tail = &(*tail)->next)
		;
	*tail = r;
	(void)pthread_mutex_unlock(&s->faults->lock);
	return number;
}

void faults_text(struct sim *s, struct px_buf *out)
{
	(void)pthread_mutex_lock(&s->faults->lock);
	px_buf_addc(out, '[');
	for (const struct rule *r = s->faults->rules; r; r = r->next)
		px_buf_addf(out,
			"%s{\"fault\":%lld,\"kind\":\"%s\",\"matched\":%lld,\"hits\":%lld}",
			r == s->faults->rules ? "" : ",", (long long)r->number,
			fault_names[r->hit.kind], (long long)r->matched, (long long)r->hits);
	px_buf_addc(out, ']');
	(void)pthread_mutex_unlock(&s->faults->lock);
}

/* ---- matching ----------------------------------------------------------------------------------
 */

struct seek {
	const char *id;
	bool found;
	struct span at;
	size_t n;
};

static bool id_is(struct span id, const char *want)
{
	struct px_buf text = PX_BUF_INIT(1 << 20);
	bool same;

	if (!id.p || *id.p != '"')
		return false;
	json_decode(id, &text);
	same = text.len == strlen(want) && (!text.len || !memcmp(text.data, want, text.len));
	px_buf_release(&text);
	return same;
}

static void seek_record(void *arg, struct span record)
{
	struct seek *k = arg;

	k->n++;
	if (k->found || *record.p != '{')
		return;
	if (*k->id && !id_is(json_member(record.p, record.len, "id"), k->id))
		return;
	k->found = true;
	k->at = record;
}

/* The record of this id in a body, or the first one when id is empty. */
static struct span find_one(const char *body, size_t len, const char *id)
{
	struct seek k = {.id = id, .found = false, .at = {NULL, 0}};
	struct span results = json_member(body, len, "results");

	if (!results.p)
		return k.at;
	if (*results.p == '[')
		json_elements(results.p, results.len, seek_record, &k);
	else
		seek_record(&k, results);
	return k.at;
}

static bool holds(const struct answer *a, const char *id)
{
	struct px_buf all = PX_BUF_INIT(SIM_TEXT_MAX);
	bool found;

	px_buf_add(&all, a->page.body.data, a->page.body.len);
	px_buf_add(&all, a->page.slice, a->page.slice_len);
	px_buf_add(&all, a->page.tail.data, a->page.tail.len);
	found = all.data && find_one(all.data, all.len, id).p;
	px_buf_release(&all);
	return found;
}

static bool concerns(const struct rule *r, const struct req *q, const struct answer *a)
{
	if (*r->path && !strstr(q->uri, r->path))
		return false;
	if (*r->kind && strcmp(r->kind, "any") && strcmp(r->kind, class_names[q->cls]))
		return false;
	if (r->model >= 0 && r->model != q->model)
		return false;
	if (r->integ >= 0 && r->integ != q->integ)
		return false;
	if (r->offset >= 0 && r->offset != q->offset)
		return false;
	return !*r->hit.record || holds(a, r->hit.record);
}

bool fault_match(struct sim *s, const struct req *q, const struct answer *a, struct hit *ret)
{
	bool hit = false;

	(void)pthread_mutex_lock(&s->faults->lock);
	for (struct rule *r = s->faults->rules; r && !hit; r = r->next) {
		if (r->times && r->hits >= r->times)
			continue;
		if (!concerns(r, q, a) || r->matched++ < r->after)
			continue;
		if (r->probability < 1) {
			r->rng = mix(r->rng, 1);
			if ((double)(r->rng >> 11) / (double)(UINT64_C(1) << 53) >= r->probability)
				continue;
		}
		r->hits++;
		*ret = r->hit;
		hit = true;
	}
	(void)pthread_mutex_unlock(&s->faults->lock);
	return hit;
}

/* ---- what it does ------------------------------------------------------------------------------
 */

static void flatten(struct page *p)
{
	px_buf_add(&p->body, p->slice, p->slice_len);
	px_buf_add(&p->body, p->tail.data, p->tail.len);
	p->slice = NULL;
	p->slice_len = 0;
	px_buf_release(&p->tail);
}

static void replace_body(struct answer *a, const char *text)
{
	px_buf_reset(&a->page.body);
	px_buf_adds(&a->page.body, text);
}

/* Puts other bytes in the place of a span of the body. */
static void splice(struct px_buf *body, struct span old, const char *text, size_t len)
{
	struct px_buf out = PX_BUF_INIT(SIM_TEXT_MAX);
	size_t at = (size_t)(old.p - body->data);

	px_buf_add(&out, body->data, at);
	px_buf_add(&out, text, len);
	px_buf_add(&out, old.p + old.len, body->len - at - old.len);
	px_buf_release(body);
	*body = out;
}

static void wrong_types(struct px_buf *body, const struct hit *h)
{
	struct span at = !strcmp(h->variant, "record")
				 ? find_one(body->data, body->len, h->record)
				 : json_member(body->data, body->len, "results");

	if (at.p)
		splice(body, at, !strcmp(h->variant, "record") ? "17" : "\"results\"",
			!strcmp(h->variant, "record") ? 2 : 9);
}

static void missing_id(struct px_buf *body, const struct hit *h)
{
	struct span record = find_one(body->data, body->len, h->record);
	struct span id = record.p ? json_member(record.p, record.len, "id") : record;

	if (!id.p)
		return;
	if (!strcmp(h->variant, "null")) {
		splice(body, id, "null", 4);
	} else if (!strcmp(h->variant, "number")) {
		splice(body, id, "12345", 5);
	} else {
		/* the name becomes another one, so that the text stays sound */
		id.p -= 4;
		id.len = 2;
		splice(body, id, "xd", 2);
	}
}

static void huge(struct px_buf *body, const struct hit *h)
{
	struct span record = find_one(body->data, body->len, h->record);
	struct px_buf big = PX_BUF_INIT(SIM_TEXT_MAX);

	if (!record.p)
		return;
	px_buf_adds(&big, "{\"padding\":\"");
	px_buf_reserve(&big, (size_t)h->bytes + 8);
	for (int64_t i = 0; i < h->bytes; i += 16)
		px_buf_adds(&big, "0123456789abcdef");
	px_buf_adds(&big, "\",");
	px_buf_add(&big, record.p + 1, record.len - 1);
	splice(body, record, big.data, big.len);
	px_buf_release(&big);
}

static void duplicate(struct px_buf *body, const struct hit *h)
{
	struct span record = find_one(body->data, body->len, h->record);
	struct px_buf two = PX_BUF_INIT(SIM_TEXT_MAX);

	if (!record.p)
		return;
	px_buf_add(&two, record.p, record.len);
	px_buf_addc(&two, ',');
	px_buf_add(&two, record.p, record.len);
	splice(body, record, two.data, two.len);
	px_buf_release(&two);
}

static void bad_utf8(struct px_buf *body, const struct hit *h)
{
	struct span record = find_one(body->data, body->len, h->record);

	if (record.p) {
		static const char text[] = "{\"broken\":\"\xff\xc0\xaf \xed\xa0\x80\",";
		struct span brace = {record.p, 1};

		splice(body, brace, text, sizeof text - 1);
	}
}

static const char html[] = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>"
			   "<body><center><h1>502 Bad Gateway</h1></center></body></html>\n";

void fault_apply(struct sim *s, const struct req *r, struct answer *a, const struct hit *h)
{
	struct px_buf *body = &a->page.body;

	(void)s;
	flatten(&a->page);
	switch (h->kind) {
	case FAULT_STATUS:
		if (!strcmp(h->body, "html")) {
			replace_body(a, html);
			a->type = "text/html";
			a->status = h->status;
		} else if (!strcmp(h->body, "none")) {
			replace_body(a, "");
			a->status = h->status;
		} else {
			answer_error(a, h->status,
				h->status == 429   ? "RATE_LIMITED"
				: h->status == 401 ? "UNAUTHORIZED"
				: h->status == 403 ? "FORBIDDEN"
				: h->status == 404 ? "NOT_FOUND"
						   : "INTERNAL",
				"made to fail");
		}
		break;
	case FAULT_MALFORMED:
		px_buf_truncate(body, body->len * 2 / 3);
		break;
	case FAULT_WRONG_TYPES:
		wrong_types(body, h);
		break;
	case FAULT_MISSING_ID:
		missing_id(body, h);
		break;
	case FAULT_HUGE:
		huge(body, h);
		break;
	case FAULT_EMPTY:
		replace_body(a, "");
		break;
	case FAULT_HTML:
		replace_body(a, html);
		a->type = "text/html";
		break;
	case FAULT_REDIRECT: {
		struct px_buf to = PX_BUF_INIT(1 << 16);

		px_buf_adds(&to, h->location);
		px_buf_adds(&to, r->uri);
		replace_body(a, "");
		a->status = 302;
		free(a->location);
		a->location = px_buf_steal(&to, NULL);
		break;
	}
	case FAULT_DUPLICATE_IDS:
		duplicate(body, h);
		break;
	case FAULT_BAD_UTF8:
		bad_utf8(body, h);
		break;
	default: /* the connection's faults */
		break;
	}
}
