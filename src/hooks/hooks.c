/* SPDX-License-Identifier: MIT */
/*
 * hooks.c - two lists, a plan, its steps one after the other.
 *
 * Invariants:
 * 1. A hook whose URL is not ours is counted and forgotten while the lists are read: no step can
 * name it.
 * 2. After a request that may have had its effect although nobody said so, the lists are read again
 * before anything else is sent.
 * 3. A hook is removed only when a right one for the same model stands, so that no delivery is
 * missed meanwhile; doubled ones are harmless.
 * 4. PUT changes `active` and `secret` alone: what it does to triggers is undocumented, so a hook
 * with other triggers is replaced, its headers kept.
 */
#include "propexofs/hooks.h"

#include <stdlib.h>
#include <string.h>

#include "propexofs/codec.h"
#include "propexofs/hash.h"
#include "propexofs/log.h"
#include "propexofs/model.h"
#include "propexofs/utf8.h"

enum {
	PAGE = 250,
	ROUNDS_MAX = 10, /* readings of the lists in one run */
	SECRET_MIN = 10, /* characters, the API's rule */
	ID_MAX = 1024,
	HEADERS_MAX = 64 << 10,
	BODY_MAX = 256 << 10,
};

static const char *const names[] = {
	"DATA_NEW",
	"DATA_UPDATE",
	"SYNC_COMPLETE",
	"FIRST_SYNC_COMPLETE",
	"JOB_FAILURE",
	"WRITE_OPERATION_FAILURE",
};
enum {
	NAMES = sizeof names / sizeof *names,
	OF_MODEL = 0x03,
	WITHOUT_MODEL = 0x3c,
	UNKNOWN_NAME = 1 << NAMES,
};

/* Places for hooks: one for each px_webhook_models, then GENERAL for the one without a model. */
#define GENERAL (px_webhook_model_count)
#define PLACES	(px_webhook_model_count + 1)
#define NOWHERE ((size_t)-1) /* a model that we do not know, or several */

struct hook {
	char *id;
	char *headers; /* as received; NULL: none */
	size_t place;
	bool url_ours;
	bool triggers_right, active, secret_right;
};

struct step {
	enum { CREATE, REPAIR, REMOVE } kind;
	size_t place;
	size_t hook; /* index; of CREATE the one that it replaces, or NOWHERE */
};

struct run {
	struct px_hooks_options o;
	char *secret;
	bool active; /* which list is being read: of the active ones, or of the others */
	int64_t offset;
	int rounds;
	struct hook *hooks; /* with our URL */
	size_t hook_count;
	struct step *steps;
	size_t step_count, at;
	size_t failed_place, failures;
	struct px_hooks_result result;
	struct px_err failure; /* the first of them */
};

/* ---- life ---- */

static void release_hook(struct hook *h)
{
	free(h->id);
	free(h->headers);
}

static void forget_lists(struct run *r)
{
	for (size_t i = 0; i < r->hook_count; i++)
		release_hook(&r->hooks[i]);
	free(r->hooks);
	free(r->steps);
	r->hooks = NULL;
	r->steps = NULL;
	r->hook_count = r->step_count = r->at = 0;
	r->failed_place = NOWHERE;
}

static void free_run(struct run *r)
{
	forget_lists(r);
	if (r->secret)
		px_wipe(r->secret, strlen(r->secret));
	free(r->secret);
	free(r);
}

static void finish(struct run *r, px_rc rc, const struct px_err *err)
{
	r->result.rc = rc;
	if (rc)
		r->result.err = *err;
	r->o.done(r->o.arg, &r->result);
	free_run(r);
}

static void told(struct run *r, const char *what, size_t place, const char *id)
{
	if (r->o.told)
		r->o.told(
			r->o.arg, what, place < GENERAL ? px_webhook_models[place].snake : "-", id);
}

/* ---- what there is ---- */

static unsigned trigger_bit(struct px_span name)
{
	for (unsigned i = 0; i < NAMES; i++)
		if (px_json_string_is(name, names[i]))
			return 1U << i;
	return UNKNOWN_NAME;
}

static size_t place_of_model(struct px_span name)
{
	const struct px_webhook_model *m;
	char *text;

	if (!name.p || px_json_kind(name) != PX_JSON_STRING)
		return GENERAL;
	text = px_json_strdup(name, ID_MAX);
	m = text ? px_webhook_model_by_name(text, strlen(text)) : NULL;
	free(text);
	return m ? (size_t)(m - px_webhook_models) : NOWHERE;
}

static bool url_is(struct px_span token, const char *url)
{
	const char *host = strstr(url, "://");
	char *text;
	bool same;

	if (!token.p || px_json_kind(token) != PX_JSON_STRING)
		return false;
	if (px_json_string_is(token, url))
		return true;
	/* https://host and https://host/ are one address */
	text = px_json_strdup(token, BODY_MAX);
	same = text && host && !strchr(host + 3, '/') && strlen(text) == strlen(url) + 1 &&
	       !strncmp(text, url, strlen(url)) && text[strlen(url)] == '/';
	free(text);
	return same;
}

/* Reads one webhook object of the API. Without memory, or without an id, ret->id is NULL. */
static void read_hook(const struct run *r, struct px_span o, struct hook *ret)
{
	struct px_span model = px_json_member(o, "model"), secret = px_json_member(o, "secret");
	struct px_span headers = px_json_member(o, "headers"), key, value;
	struct px_json_walk w;
	unsigned bits = 0;

	memset(ret, 0, sizeof *ret);
	ret->id = px_json_strdup(px_json_member(o, "id"), ID_MAX);
	ret->url_ours = url_is(px_json_member(o, "url"), r->o.conf->webhook_url);
	ret->place = place_of_model(model);
	px_json_walk_init(&w, px_json_member(o, "triggers"));
	while (px_json_walk_next(&w, &key, &value)) {
		bool object = px_json_kind(value) == PX_JSON_OBJECT;
		size_t place = GENERAL;

		bits |= trigger_bit(object ? px_json_member(value, "trigger") : value);
		if (object)
			place = place_of_model(px_json_member(value, "model"));
		if (ret->place == GENERAL)
			ret->place = place;
		else if (place != GENERAL && place != ret->place)
			ret->place = NOWHERE;
	}
	ret->triggers_right = bits == (ret->place == GENERAL ? WITHOUT_MODEL : OF_MODEL);
	ret->active = px_json_bool(px_json_member(o, "active"), false);
	/* one that is not shown cannot be judged */
	ret->secret_right = !r->secret || !secret.p || px_json_kind(secret) != PX_JSON_STRING ||
			    px_json_string_is(secret, r->secret);
	if (headers.p && px_json_kind(headers) == PX_JSON_ARRAY && headers.len > 2 &&
		headers.len <= HEADERS_MAX)
		ret->headers = strndup(headers.p, headers.len);
}

static bool right(const struct hook *h)
{
	return h->triggers_right && h->active && h->secret_right;
}

static bool wanted(const struct run *r, size_t place)
{
	const struct px_webhook_model *m = &px_webhook_models[place];
	const struct px_conf *c = r->o.conf;

	if (place == GENERAL || !c->models.count)
		return true;
	for (size_t i = 0; i < sizeof m->models / sizeof *m->models && m->models[i] >= 0; i++)
		if (px_conf_wants_model(c, px_models[m->models[i]].dir))
			return true;
	for (size_t i = 0; i < sizeof m->parents / sizeof *m->parents && m->parents[i] >= 0; i++)
		if (px_conf_wants_model(c, px_models[m->parents[i]].dir))
			return true;
	return false;
}

/* ---- the plan ---- */

/* The hook that stands for this place: with the right triggers if one has them, and of those one
 * that needs no repair. */
static size_t best_of(const struct run *r, size_t place)
{
	size_t best = NOWHERE;

	for (size_t i = 0; i < r->hook_count; i++) {
		const struct hook *h = &r->hooks[i], *b = &r->hooks[best == NOWHERE ? 0 : best];

		if (h->place != place)
			continue;
		if (best == NOWHERE || (h->triggers_right && !b->triggers_right) ||
			(right(h) && !right(b)))
			best = i;
	}
	return best;
}

static void add_step(struct run *r, int kind, size_t place, size_t hook)
{
	r->steps[r->step_count].kind = kind;
	r->steps[r->step_count].place = place;
	r->steps[r->step_count++].hook = hook;
}

static void plan_register(struct run *r)
{
	for (size_t place = 0; place < PLACES; place++) {
		size_t best = best_of(r, place);

		if (!wanted(r, place))
			continue;
		if (best == NOWHERE || !r->hooks[best].triggers_right)
			add_step(r, CREATE, place, best);
		else if (!right(&r->hooks[best]))
			add_step(r, REPAIR, place, best);
		else
			r->result.right++;
		for (size_t i = 0; i < r->hook_count; i++)
			if (r->hooks[i].place == place &&
				(i != best || !r->hooks[i].triggers_right))
				add_step(r, REMOVE, place, i);
	}
}

static void tell_list(struct run *r)
{
	for (size_t place = 0; place < PLACES; place++) {
		size_t best = best_of(r, place);

		if (best == NOWHERE && wanted(r, place))
			told(r, "missing", place, "");
		for (size_t i = 0; i < r->hook_count; i++) {
			const struct hook *h = &r->hooks[i];

			if (h->place != place)
				continue;
			r->result.right += i == best && right(h) && wanted(r, place);
			told(r,
				!wanted(r, place)    ? "extra"
				: i != best	     ? "double"
				: !h->triggers_right ? "changed"
				: !h->active	     ? "disabled"
				: !h->secret_right   ? "secret"
						     : "ok",
				place, h->id);
		}
	}
	for (size_t i = 0; i < r->hook_count; i++)
		if (r->hooks[i].place == NOWHERE)
			told(r, "extra", NOWHERE, r->hooks[i].id);
}

static void next_step(struct run *r);

static void plan(struct run *r)
{
	static const char *const words[] = {"create", "repair", "remove"};
	struct px_err err;

	r->result.wanted = r->result.right = r->failures = 0;
	for (size_t place = 0; place < PLACES; place++)
		r->result.wanted += wanted(r, place);
	if (r->o.task == PX_HOOKS_LIST) {
		tell_list(r);
		finish(r, PX_OK, NULL);
		return;
	}
	r->steps = calloc(PLACES + r->hook_count, sizeof *r->steps);
	if (!r->steps) {
		finish(r, px_err_nomem(&err), &err);
		return;
	}
	if (r->o.task == PX_HOOKS_REGISTER)
		plan_register(r);
	else
		for (size_t i = 0; i < r->hook_count; i++)
			add_step(r, REMOVE, r->hooks[i].place, i);
	if (!r->o.dry_run) {
		next_step(r);
		return;
	}
	for (size_t i = 0; i < r->step_count; i++) {
		const struct step *s = &r->steps[i];

		told(r, words[s->kind], s->place, s->kind == CREATE ? "" : r->hooks[s->hook].id);
	}
	r->result.changed = r->step_count;
	finish(r, PX_OK, NULL);
}

/* ---- the lists ---- */

static void ask_page(struct run *r);

static bool known(const struct run *r, const char *id)
{
	for (size_t i = 0; i < r->hook_count; i++)
		if (!strcmp(r->hooks[i].id, id))
			return true;
	return false;
}

/* PX_ESYNTAX for what is no webhook. */
static px_rc take_hook(struct run *r, struct px_span o, struct px_err *err)
{
	struct hook h, *grown;

	read_hook(r, o, &h);
	if (!h.id || !*h.id) {
		release_hook(&h);
		return px_err_set(err, PX_ESYNTAX, "the list of webhooks holds one without an id");
	}
	/* both lists show it when it was switched between the two, pages when it has moved */
	if (!h.url_ours || known(r, h.id)) {
		r->result.others += !h.url_ours;
		release_hook(&h);
		return PX_OK;
	}
	grown = realloc(r->hooks, (r->hook_count + 1) * sizeof *grown);
	if (!grown) {
		release_hook(&h);
		return px_err_nomem(err);
	}
	r->hooks = grown;
	r->hooks[r->hook_count++] = h;
	return PX_OK;
}

static void on_page(void *arg, const struct px_answer *a)
{
	struct run *r = arg;
	struct px_page page = {0};
	struct px_err err = a->err;
	px_rc rc = a->rc;
	bool more = false;

	if (!rc)
		rc = px_page_parse(a->body, a->len, &page, &err);
	for (size_t i = 0; !rc && i < page.count; i++)
		rc = take_hook(r, page.results[i], &err);
	if (!rc)
		more = page.count &&
		       (page.has_more == 1 || (page.has_more < 0 && page.count >= PAGE));
	r->offset += (int64_t)page.count;
	px_page_release(&page);
	if (rc) {
		if (rc != PX_ECANCELED)
			(void)px_err_ctx(&err, "cannot read the list of webhooks");
		finish(r, rc, &err);
		return;
	}
	if (!more && !r->active) {
		plan(r);
		return;
	}
	if (!more) {
		r->active = false;
		r->offset = 0;
	}
	ask_page(r);
}

static void ask_page(struct run *r)
{
	PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(1024);
	struct px_err err;
	px_rc rc;

	px_buf_adds(&path, "/v1/webhooks/");
	/* left to itself the list hides the inactive ones */
	px_url_query(&path, "active", r->active ? "true" : "false");
	px_url_query(&path, "order-by", "created_at:asc,id:asc");
	px_url_query_int(&path, "limit", PAGE);
	px_url_query_int(&path, "offset", r->offset);
	rc = px_buf_ok(&path, &err);
	if (!rc)
		rc = px_api_get(r->o.api, PX_FOR_CONTROL, path.data, 0, NULL, on_page, r, &err);
	if (rc)
		finish(r, rc, &err);
}

static void read_lists(struct run *r)
{
	forget_lists(r);
	r->rounds++;
	r->result.others = 0;
	r->active = true;
	r->offset = 0;
	ask_page(r);
}

/* ---- the steps ---- */

static void add_text_member(struct px_buf *b, const char *name, const char *value)
{
	px_buf_addf(b, "%s\"%s\":", b->len > 1 ? "," : "", name);
	px_buf_add_jsons(b, value);
}

static void create_body(const struct run *r, const struct step *s, struct px_buf *b)
{
	unsigned bits = s->place == GENERAL ? WITHOUT_MODEL : OF_MODEL;
	const char *headers = s->hook == NOWHERE ? NULL : r->hooks[s->hook].headers;
	bool first = true;

	px_buf_addc(b, '{');
	add_text_member(b, "url", r->o.conf->webhook_url);
	px_buf_adds(b, ",\"triggers\":[");
	for (size_t i = 0; i < NAMES; i++)
		if (bits >> i & 1) {
			px_buf_addf(b, "%s\"%s\"", first ? "" : ",", names[i]);
			first = false;
		}
	px_buf_addc(b, ']');
	if (s->place != GENERAL)
		add_text_member(b, "model", px_webhook_models[s->place].snake);
	px_buf_adds(b, ",\"active\":true");
	add_text_member(b, "secret", r->secret);
	if (headers) {
		px_buf_adds(b, ",\"headers\":");
		px_buf_adds(b, headers);
	}
	px_buf_addc(b, '}');
}

static void repair_body(const struct run *r, const struct step *s, struct px_buf *b)
{
	px_buf_adds(b, "{\"active\":true");
	if (!r->hooks[s->hook].secret_right)
		add_text_member(b, "secret", r->secret);
	px_buf_addc(b, '}');
}

static void path_of(const char *id, struct px_buf *path)
{
	px_buf_adds(path, "/v1/webhooks/");
	px_url_encode(path, id, strlen(id));
}

/* What the API said when it refused; an answer that repeats the secret is not shown. */
static void explain(const struct run *r, const struct px_answer *a, struct px_err *err)
{
	char said[200] = "";

	if (a->rc == PX_EHTTP || a->rc == PX_EAUTH)
		px_error_body(a->body, a->len, said, sizeof said);
	if (*said && !(r->secret && strstr(said, r->secret)))
		(void)px_err_set(err, a->rc, "%s: %s", a->err.msg, said);
	else
		*err = a->err;
}

/* The step did not come about; others may. */
static void step_failed(struct run *r, const struct px_err *err)
{
	if (!r->failures++)
		r->failure = *err;
	r->failed_place = r->steps[r->at].place;
	r->at++;
	next_step(r);
}

static void step_done(struct run *r, const char *id)
{
	static const char *const words[] = {"created", "repaired", "removed"};
	const struct step *s = &r->steps[r->at];

	r->result.changed++;
	r->result.right += s->kind != REMOVE;
	told(r, words[s->kind], s->place, id);
	r->at++;
	next_step(r);
}

/* Whether nobody knows what became of it. */
static bool unclear(const struct px_answer *a)
{
	return a->rc != PX_ECANCELED && (a->rc == PX_ENET || a->status < 200 || a->status >= 500 ||
						(a->rc && a->status < 300));
}

/* The lists say what became of it. */
static void look_again(struct run *r, const struct px_err *err)
{
	if (r->rounds >= ROUNDS_MAX) {
		finish(r, err->code, err);
		return;
	}
	px_warn("hooks", "reading the list again: %s", err->msg);
	read_lists(r);
}

/* What was made by mistake is gone, or stays: the failure is told in any case. */
static void on_undone(void *arg, const struct px_answer *a)
{
	struct run *r = arg;

	if (a->rc && a->rc != PX_ENOENT)
		px_warn("hooks", "a webhook that is not as it should be stays: %s", a->err.msg);
	finish(r, r->failure.code, &r->failure);
}

/* The API has made something else than it was asked for. To try this for each model, and again at
 * every run, would pile up hooks. */
static void undo(struct run *r, const struct hook *h, const char *url)
{
	PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(8 << 10);
	px_rc rc;

	if (h->url_ours)
		(void)px_err_set(&r->failure, PX_EHTTP,
			"the API has made a webhook that is not as it was asked for");
	else
		(void)px_err_set(&r->failure, PX_EHTTP,
			"the API spells the URL otherwise: set --webhook-url to %.300s",
			url ? url : "it");
	path_of(h->id, &path);
	rc = px_buf_ok(&path, NULL);
	if (!rc)
		rc = px_api_manage(r->o.api, "DELETE", path.data, NULL, on_undone, r, NULL);
	if (rc)
		finish(r, r->failure.code, &r->failure);
}

/* CREATE and REPAIR: the answer shows the hook as it is now. */
static void judge_answer(struct run *r, const struct px_answer *a)
{
	const struct step *s = &r->steps[r->at];
	struct px_page page = {0};
	struct hook h = {0};
	char *url = NULL;
	struct px_err err;
	px_rc rc = px_page_parse(a->body, a->len, &page, &err);

	if (!rc && page.count) {
		read_hook(r, page.results[0], &h);
		url = px_json_strdup(px_json_member(page.results[0], "url"), BODY_MAX);
	}
	px_page_release(&page);
	if (!h.id || !*h.id) {
		(void)px_err_set(&err, PX_ESYNTAX, "an answer that is no webhook");
		look_again(r, &err);
	} else if (h.url_ours && h.place == s->place && right(&h)) {
		step_done(r, h.id);
	} else if (s->kind == CREATE) {
		undo(r, &h, url);
	} else {
		(void)px_err_set(
			&err, PX_EHTTP, "the API leaves webhook %s as it was: remove it", h.id);
		step_failed(r, &err);
	}
	release_hook(&h);
	free(url);
}

static void on_step(void *arg, const struct px_answer *a)
{
	struct run *r = arg;
	const struct step *s = &r->steps[r->at];
	struct px_err err;

	explain(r, a, &err);
	if (a->rc == PX_ECANCELED || a->rc == PX_EAUTH)
		finish(r, a->rc, &err);
	else if (unclear(a))
		look_again(r, &err);
	else if (s->kind == REMOVE && (!a->rc || a->rc == PX_ENOENT))
		step_done(r, r->hooks[s->hook].id);
	else if (s->kind == REPAIR && a->rc == PX_ENOENT)
		look_again(r, &err); /* somebody has removed it */
	else if (a->rc)
		step_failed(r, &err);
	else
		judge_answer(r, a);
}

static void end(struct run *r)
{
	struct px_err err = r->failure;

	if (!r->failures) {
		finish(r, PX_OK, NULL);
		return;
	}
	(void)px_err_ctx(
		&err, "%zu of %zu webhook changes failed, the first", r->failures, r->step_count);
	finish(r, err.code, &err);
}

static void next_step(struct run *r)
{
	static const char *const methods[] = {"POST", "PUT", "DELETE"};
	struct px_buf path = PX_BUF_INIT(8 << 10), body = PX_BUF_INIT(BODY_MAX);
	const struct step *s;
	struct px_err err;
	px_rc rc;

	while (r->at < r->step_count && r->o.task == PX_HOOKS_REGISTER &&
		r->steps[r->at].kind == REMOVE && r->steps[r->at].place == r->failed_place)
		r->at++;
	if (r->at == r->step_count) {
		end(r);
		return;
	}
	s = &r->steps[r->at];
	if (s->kind == CREATE) {
		px_buf_adds(&path, "/v1/webhooks/");
		create_body(r, s, &body);
	} else {
		path_of(r->hooks[s->hook].id, &path);
		if (s->kind == REPAIR)
			repair_body(r, s, &body);
	}
	rc = px_buf_ok(&path, &err);
	if (!rc)
		rc = px_buf_ok(&body, &err);
	if (!rc && s->kind != REMOVE)
		rc = px_buf_addc(&body, '\0');
	if (!rc)
		rc = px_api_manage(r->o.api, methods[s->kind], path.data,
			s->kind == REMOVE ? NULL : body.data, on_step, r, &err);
	px_buf_wipe(&body);
	px_buf_release(&path);
	if (rc)
		finish(r, rc, &err);
}

/* ---- start ---- */

static px_rc check_secret(const char *secret, struct px_err *err)
{
	size_t len = strlen(secret), characters = 0;

	for (size_t i = 0; i < len; characters++) {
		size_t n = px_utf8_len(secret + i, len - i);

		if (!n)
			return px_err_set(err, PX_EUSAGE,
				"the first webhook secret is not UTF-8: it cannot be registered");
		i += n;
	}
	if (characters < SECRET_MIN)
		return px_err_set(err, PX_EUSAGE,
			"the first webhook secret is shorter than %d characters, which the API "
			"refuses: openssl rand -hex 32 makes one",
			SECRET_MIN);
	return PX_OK;
}

px_rc px_hooks_start(const struct px_hooks_options *o, struct px_err *err)
{
	struct run *r;
	px_rc rc;

	if (!o->conf->webhook_url)
		return px_err_set(err, PX_EUSAGE,
			"no address to deliver to: set webhook-url, the receiver's public address");
	if (!o->secret && o->task == PX_HOOKS_REGISTER)
		return px_err_set(err, PX_EUSAGE,
			"webhooks need a signing secret: name its file with --webhook-secret-file, "
			"or set PROPEXO_WEBHOOK_SECRET");
	rc = o->secret && o->task == PX_HOOKS_REGISTER ? check_secret(o->secret, err) : PX_OK;
	if (rc)
		return rc;
	r = calloc(1, sizeof *r);
	if (!r)
		return px_err_nomem(err);
	r->o = *o;
	r->o.secret = NULL;
	r->secret = o->secret ? strdup(o->secret) : NULL;
	if (o->secret && !r->secret) {
		free_run(r);
		return px_err_nomem(err);
	}
	read_lists(r);
	return PX_OK;
}
