/* SPDX-License-Identifier: MIT */
/*
 * hook.c - webhook management (API reference §13.1).
 *
 * As awkward as the reference: one model each, created inactive, inactive ones hidden from the list
 * unless asked for, triggers go in as strings and come out as objects, secrets come out in clear.
 * Called with world.lock held.
 */
#include "sim.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const trigger_names[HOOK_TRIGGERS] = {"DATA_NEW", "DATA_UPDATE", "SYNC_COMPLETE",
	"FIRST_SYNC_COMPLETE", "JOB_FAILURE", "WRITE_OPERATION_FAILURE", "JOB_SUCCESS"};

enum { SECRET_MIN = 10 };

void hook_free(struct hook *h)
{
	if (!h)
		return;
	free(h->url);
	free(h->headers);
	free(h->secret);
	free(h);
}

static struct hook *hook_new(struct sim *s)
{
	struct world *w = &s->world;
	struct hook **hooks = realloc(w->hooks, (w->nhooks + 1) * sizeof *hooks);
	struct hook *h;

	if (!hooks)
		return NULL;
	w->hooks = hooks;
	h = calloc(1, sizeof *h);
	if (!h)
		return NULL;
	random_id(s, h->id);
	h->created_ms = h->updated_ms = world_now(s);
	return h;
}

px_rc hooks_ready_made(struct sim *s, const char *url, const char *secret)
{
	for (size_t i = 0; i <= px_webhook_model_count; i++) {
		struct hook *h = hook_new(s);
		bool general = i == px_webhook_model_count;

		if (!h)
			return PX_ENOMEM;
		h->url = strdup(url);
		h->secret = strdup(secret);
		h->active = true;
		h->model = general ? NULL : &px_webhook_models[i];
		h->triggers = general ? ~3U & ((1U << TRIGGER_JOB_SUCCESS) - 1) : 3;
		if (!h->url || !h->secret) {
			hook_free(h);
			return PX_ENOMEM;
		}
		s->world.hooks[s->world.nhooks++] = h;
	}
	return PX_OK;
}

static void hook_text(const struct hook *h, struct px_buf *out)
{
	bool first = true;

	px_buf_addf(out, "{\"id\":\"%s\",\"created_at\":", h->id);
	time_text(h->created_ms, out);
	px_buf_adds(out, ",\"updated_at\":");
	time_text(h->updated_ms, out);
	px_buf_adds(out, ",\"url\":");
	px_buf_add_jsons(out, h->url);
	if (h->headers) {
		px_buf_adds(out, ",\"headers\":");
		px_buf_adds(out, h->headers);
	}
	px_buf_addf(out, ",\"active\":%s,\"secret\":", h->active ? "true" : "false");
	px_buf_add_jsons(out, h->secret);
	px_buf_adds(out, ",\"system\":\"PRODUCTION\",\"triggers\":[");
	for (int t = 0; t < HOOK_TRIGGERS; t++) {
		if (!(h->triggers >> t & 1))
			continue;
		px_buf_addf(out, "%s{\"id\":\"%st%d\",\"trigger\":\"%s\",\"model\":%s%s%s}",
			first ? "" : ",", h->id, t, trigger_names[t], h->model ? "\"" : "",
			h->model ? h->model->snake : "null", h->model ? "\"" : "");
		first = false;
	}
	px_buf_adds(out, "]}");
}

static void list_hooks(struct sim *s, struct req *r, struct answer *a)
{
	const struct param *p = param_find(r->params, r->nparams, "active");
	struct px_buf *b = &a->page.body, items = PX_BUF_INIT(SIM_TEXT_MAX);
	struct px_err err = {0};
	int64_t offset, limit, n = 0, count = 0;
	bool active = true;

	if (!paging(s, r->params, r->nparams, &offset, &limit, &err) ||
		(p && !bool_value(p, &active))) {
		answer_error(a, 400, "VALIDATION_ERROR",
			*err.msg ? err.msg : "active must be a boolean");
		return;
	}
	for (size_t i = s->world.nhooks; i-- > 0;) {
		const struct hook *h = s->world.hooks[i];

		if (h->active != active || n++ < offset || count >= limit)
			continue;
		if (count++)
			px_buf_addc(&items, ',');
		hook_text(h, &items);
	}
	a->status = 200;
	px_buf_adds(b, "{\"meta\":");
	meta_text(s, offset, limit, "[{\"field\":\"created_at\",\"direction\":\"desc\"}]", count, n,
		b);
	px_buf_adds(b, ",\"results\":[");
	px_buf_add(b, items.data ? items.data : "", items.len);
	px_buf_adds(b, "]}");
	px_buf_release(&items);
	r->offset = offset;
	r->limit = limit;
	r->results = count;
}

static void result(const struct hook *h, struct answer *a)
{
	a->status = 200;
	px_buf_adds(&a->page.body, "{\"result\":");
	hook_text(h, &a->page.body);
	px_buf_addc(&a->page.body, '}');
}

static const char *set_text(char **at, const cJSON *v)
{
	char *copy;

	if (!cJSON_IsString(v))
		return "must be a string";
	copy = strdup(v->valuestring);
	if (!copy)
		return "out of memory";
	free(*at);
	*at = copy;
	return NULL;
}

static const char *set_triggers(struct sim *s, struct hook *h, const cJSON *v, bool create)
{
	const cJSON *t;
	unsigned bits = 0;

	if (!cJSON_IsArray(v) || (create && !cJSON_GetArraySize(v)))
		return "triggers must be an array of names";
	cJSON_ArrayForEach(t, v)
	{
		int k;

		for (k = 0; k < HOOK_TRIGGERS - (create ? 1 : 0); k++)
			if (cJSON_IsString(t) && !strcmp(trigger_names[k], t->valuestring))
				break;
		if (k == HOOK_TRIGGERS - (create ? 1 : 0))
			return "triggers: unknown name";
		bits |= 1U << k;
	}
	h->triggers = !create && s->quirk[QUIRK_WEBHOOKS_MERGE] ? h->triggers | bits : bits;
	return NULL;
}

static const char *set_headers(struct hook *h, const cJSON *v)
{
	const cJSON *o;

	if (cJSON_IsNull(v)) {
		free(h->headers);
		h->headers = NULL;
		return NULL;
	}
	if (!cJSON_IsArray(v))
		return "headers must be an array";
	cJSON_ArrayForEach(o, v)
	{
		if (!cJSON_IsString(cJSON_GetObjectItemCaseSensitive(o, "header")) ||
			!cJSON_IsString(cJSON_GetObjectItemCaseSensitive(o, "value")))
			return "headers: each needs header and value";
	}
	free(h->headers);
	h->headers = cJSON_PrintUnformatted(v);
	return h->headers ? NULL : "out of memory";
}

static const char *set_model(struct hook *h, const cJSON *v)
{
	if (cJSON_IsNull(v)) {
		h->model = NULL;
		return NULL;
	}
	for (size_t i = 0; cJSON_IsString(v) && i < px_webhook_model_count; i++)
		if (!strcmp(px_webhook_models[i].snake, v->valuestring)) {
			h->model = &px_webhook_models[i];
			return NULL;
		}
	return "model: unknown name (snake_case)";
}

/* What is wrong with the request, or NULL. */
static const char *apply(struct sim *s, struct hook *h, const cJSON *o, bool create)
{
	const cJSON *v;
	const char *bad = NULL;

	if (!cJSON_IsObject(o))
		return "the body must be an object";
	if (create && !cJSON_GetObjectItemCaseSensitive(o, "url"))
		return "url is required";
	if (create && !cJSON_GetObjectItemCaseSensitive(o, "triggers"))
		return "triggers is required";
	cJSON_ArrayForEach(v, o)
	{
		if (!strcmp(v->string, "url")) {
			bad = set_text(&h->url, v);
			if (!bad && strncmp(h->url, "http://", 7) && strncmp(h->url, "https://", 8))
				bad = "url must be a URI";
		} else if (!strcmp(v->string, "triggers")) {
			bad = set_triggers(s, h, v, create);
		} else if (!strcmp(v->string, "model")) {
			bad = set_model(h, v);
		} else if (!strcmp(v->string, "active")) {
			if (!cJSON_IsBool(v))
				bad = "active must be a boolean";
			h->active = cJSON_IsTrue(v);
		} else if (!strcmp(v->string, "secret")) {
			bad = set_text(&h->secret, v);
			if (!bad && strlen(h->secret) < SECRET_MIN)
				bad = "secret must have at least 10 characters";
		} else if (!strcmp(v->string, "headers")) {
			bad = set_headers(h, v);
		}
		if (bad)
			return bad;
	}
	return NULL;
}

static bool secret_made(struct sim *s, struct hook *h)
{
	char secret[32];

	if (h->secret)
		return true;
	random_id(s, secret);
	h->secret = strdup(secret);
	return h->secret != NULL;
}

static void create(struct sim *s, struct req *r, struct answer *a)
{
	cJSON *o = cJSON_ParseWithLength(r->body.data ? r->body.data : "", r->body.len);
	struct hook *h = hook_new(s);
	const char *bad = h ? apply(s, h, o, true) : "out of memory";

	cJSON_Delete(o);
	if (!bad && !secret_made(s, h))
		bad = "out of memory";
	if (bad) {
		hook_free(h);
		answer_error(a, 400, "VALIDATION_ERROR", bad);
		return;
	}
	s->world.hooks[s->world.nhooks++] = h;
	result(h, a);
}

/* A bad PUT changes nothing: it is tried on a copy. */
static void update(struct sim *s, struct req *r, struct hook *h, struct answer *a)
{
	cJSON *o = cJSON_ParseWithLength(r->body.data ? r->body.data : "", r->body.len);
	struct hook copy = *h;
	const char *bad;

	copy.url = strdup(h->url);
	copy.secret = strdup(h->secret);
	copy.headers = h->headers ? strdup(h->headers) : NULL;
	bad = copy.url && copy.secret ? apply(s, &copy, o, false) : "out of memory";
	cJSON_Delete(o);
	if (bad) {
		free(copy.url);
		free(copy.secret);
		free(copy.headers);
		answer_error(a, 400, "VALIDATION_ERROR", bad);
		return;
	}
	free(h->url);
	free(h->secret);
	free(h->headers);
	*h = copy;
	h->updated_ms = world_now(s);
	result(h, a);
}

static void remove_hook(struct sim *s, size_t at, struct answer *a)
{
	struct world *w = &s->world;

	a->status = 200;
	px_buf_addf(&a->page.body, "{\"result\":{\"id\":\"%s\"}}", w->hooks[at]->id);
	hook_free(w->hooks[at]);
	memmove(w->hooks + at, w->hooks + at + 1, (w->nhooks - at - 1) * sizeof *w->hooks);
	w->nhooks--;
}

bool hook_route(struct sim *s, struct req *r, struct answer *a)
{
	size_t at;

	if (r->nsegs > 3)
		return false;
	r->cls = CLASS_webhooks;
	if (r->nsegs == 2) {
		if (!slash_ok(s, r, true, a))
			return true;
		if (!strcmp(r->method, "GET") || !strcmp(r->method, "HEAD"))
			list_hooks(s, r, a);
		else if (!strcmp(r->method, "POST"))
			create(s, r, a);
		else
			answer_error(a, 405, "METHOD_NOT_ALLOWED", "GET or POST");
		return true;
	}
	if (!slash_ok(s, r, false, a))
		return true;
	for (at = 0; at < s->world.nhooks; at++)
		if (!strcmp(s->world.hooks[at]->id, r->segs[2]))
			break;
	if (at == s->world.nhooks) {
		answer_absent(s, a, "no such webhook");
	} else if (!strcmp(r->method, "GET") || !strcmp(r->method, "HEAD")) {
		a->status = 200;
		px_buf_adds(&a->page.body, "{\"meta\":{\"orderBy\":[]},\"results\":");
		hook_text(s->world.hooks[at], &a->page.body);
		px_buf_addc(&a->page.body, '}');
	} else if (!strcmp(r->method, "PUT")) {
		update(s, r, s->world.hooks[at], a);
	} else if (!strcmp(r->method, "DELETE")) {
		remove_hook(s, at, a);
	} else {
		answer_error(a, 405, "METHOD_NOT_ALLOWED", "GET, PUT or DELETE");
	}
	return true;
}
