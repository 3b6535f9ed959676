/* SPDX-License-Identifier: MIT */
/*
 * route.c - from a path to an answer, for the data collections.
 *
 * The paths come from the table of models, so every collection, sub-collection and by-id path that
 * it knows is served and no other; words win over ids in the same place (units/details). Called
 * with world.lock held and after the key has been checked.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

enum { SEGS_MAX = 8 };

struct route {
	const char *seg[SEGS_MAX]; /* "{}" stands for an id */
	size_t seg_len[SEGS_MAX];
	size_t n;
	bool slash;
	enum sim_class cls;
	int model;
	int parent;	    /* model of the id in a sub-collection's path */
	const char *member; /* views: which member names that id */
};

struct routes {
	struct route *route;
	size_t n;
};

/* Collections that show records of another, below a parent. */
static const struct {
	const char *path, *dir, *parent, *member;
} views[] = {
	{"/v1/applicants/{}/rentable-items", "rentable-items", "applicants", "applicant_id"},
	{"/v1/leads/{}/rentable-items", "rentable-items", "leads", "lead_id"},
	{"/v1/residents/{}/rentable-items", "rentable-items", "residents", "resident_id"},
	{"/v1/vendors/properties/{}", "vendors", "properties", "property_id"},
};

static void add_route(struct routes *t, const char *path, enum sim_class cls, int model, int parent,
	const char *member)
{
	struct route *r = &t->route[t->n++];

	*r = (struct route){.cls = cls, .model = model, .parent = parent, .member = member};
	while (*path == '/' && path[1] && r->n < SEGS_MAX) {
		size_t len = strcspn(path + 1, "/");

		r->seg[r->n] = path + 1;
		r->seg_len[r->n++] = len;
		path += len + 1;
	}
	r->slash = *path == '/';
}

px_rc routes_init(struct sim *s, struct px_err *err)
{
	size_t nviews = sizeof views / sizeof views[0];

	s->routes = calloc(1, sizeof *s->routes);
	if (s->routes)
		s->routes->route = calloc(PX_MODEL_COUNT * 2 + nviews, sizeof *s->routes->route);
	if (!s->routes || !s->routes->route)
		return px_err_nomem(err);
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		const struct px_model *x = &px_models[m];

		add_route(s->routes, x->list_path, x->parent >= 0 ? CLASS_sub : CLASS_list, m,
			x->parent, NULL);
		if (x->get_path)
			add_route(s->routes, x->get_path, CLASS_get, m, -1, NULL);
	}
	for (size_t i = 0; i < nviews; i++)
		add_route(s->routes, views[i].path, CLASS_view, px_model_by_dir(views[i].dir),
			px_model_by_dir(views[i].parent), views[i].member);
	return PX_OK;
}

void routes_release(struct sim *s)
{
	if (s->routes)
		free(s->routes->route);
	free(s->routes);
	s->routes = NULL;
}

static bool is_id(const struct route *t, size_t i)
{
	return t->seg_len[i] == 2 && !memcmp(t->seg[i], "{}", 2);
}

static const struct route *find_route(const struct routes *t, const struct req *r)
{
	const struct route *best = NULL;
	int best_words = -1;

	for (size_t k = 0; k < t->n; k++) {
		const struct route *x = &t->route[k];
		int words = 0;
		size_t i;

		if (x->n != r->nsegs)
			continue;
		for (i = 0; i < x->n; i++) {
			if (is_id(x, i) ? r->seg_len[i] > 0
					: x->seg_len[i] == r->seg_len[i] &&
						  !memcmp(x->seg[i], r->segs[i], x->seg_len[i]))
				words += !is_id(x, i);
			else
				break;
		}
		if (i == x->n && words > best_words) {
			best = x;
			best_words = words;
		}
	}
	return best;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

void answer_error(struct answer *a, unsigned status, const char *code, const char *message)
{
	page_release(&a->page);
	a->page = (struct page){0};
	px_buf_init(&a->page.body, SIM_TEXT_MAX);
	px_buf_init(&a->page.tail, 64);
	a->status = status;
	px_buf_adds(&a->page.body, "{\"error\":{\"code\":");
	px_buf_add_jsons(&a->page.body, code);
	px_buf_adds(&a->page.body, ",\"message\":");
	px_buf_add_jsons(&a->page.body, message);
	px_buf_adds(&a->page.body, ",\"details\":{}}}");
}

void answer_release(struct answer *a)
{
	page_release(&a->page);
	free(a->location);
	a->location = NULL;
}

void answer_absent(struct sim *s, struct answer *a, const char *what)
{
	struct px_buf *b = &a->page.body;

	if (s->quirk[QUIRK_NOTFOUND_NULL] || s->quirk[QUIRK_NOTFOUND_EMPTY]) {
		a->status = 200;
		px_buf_adds(b, "{\"meta\":");
		meta_text(s, 0, SIM_PAGE_DEFAULT, "[]", 0, 0, b);
		px_buf_addf(b, ",\"results\":%s}", s->quirk[QUIRK_NOTFOUND_NULL] ? "null" : "{}");
		return;
	}
	answer_error(a, s->quirk[QUIRK_NOTFOUND_400] ? 400 : 404,
		s->quirk[QUIRK_NOTFOUND_400] ? "VALIDATION_ERROR" : "NOT_FOUND", what);
}

bool slash_ok(struct sim *s, struct req *r, bool canonical, struct answer *a)
{
	struct px_buf to = PX_BUF_INIT(1 << 16);
	size_t len = strlen(r->path);

	if (r->slash == canonical)
		return true;
	if (s->quirk[QUIRK_SLASH_STRICT]) {
		answer_error(a, 404, "NOT_FOUND", "no such path");
		return false;
	}
	if (!s->quirk[QUIRK_SLASH_REDIRECT])
		return true;
	px_buf_add(&to, r->path, canonical ? len : len - 1);
	if (canonical)
		px_buf_addc(&to, '/');
	px_buf_adds(&to, r->uri + len);
	a->status = 301;
	a->location = px_buf_steal(&to, NULL);
	return false;
}

/* Appointments are events: whoever may not see the one may not see the other. */
static bool allowed_of(const struct integ *in, int model)
{
	return in->cols[model].allowed && in->cols[model_base(model)].allowed;
}

static bool allowed(struct sim *s, const struct query *q)
{
	bool any = false;

	if (q->integ >= 0)
		return allowed_of(s->world.integs[q->integ], q->model);
	for (int i = 0; i < s->world.ninteg; i++) {
		const struct integ *in = s->world.integs[i];

		if (!integ_visible(s, in))
			continue;
		if (allowed_of(in, q->model))
			return true;
		any = true;
	}
	return !any;
}

static void list(struct sim *s, struct req *r, const struct route *t, struct answer *a)
{
	struct px_err err = {0};
	struct query q;
	size_t at = 0;

	if (!query_init(s, &q, t->model, r->params, r->nparams, &err)) {
		answer_error(a, 400, "VALIDATION_ERROR", err.msg);
		query_release(&q);
		return;
	}
	if (t->parent >= 0) {
		struct col *parent;
		uint32_t idx;

		while (!is_id(t, at))
			at++;
		if (!find_record(s, t->parent, r->segs[at], r->seg_len[at], &parent, &idx) ||
			!rec_reachable(s, parent, idx)) {
			query_release(&q);
			answer_error(a, s->quirk[QUIRK_NOTFOUND_400] ? 400 : 404, "NOT_FOUND",
				"no such parent");
			return;
		}
		q.integ = parent->in->num;
		if (t->member) {
			struct filter *f = &q.filter[q.nfilter++];

			*f = (struct filter){.name = strdup(t->member),
				.value = strndup(r->segs[at], r->seg_len[at]),
				.value_len = r->seg_len[at]};
		} else {
			q.parent = (int64_t)ref_of(parent->in->num, idx);
		}
	}
	r->integ = q.integ;
	r->offset = q.offset;
	r->limit = q.limit;
	if (!allowed(s, &q)) {
		answer_error(a, 403, "FORBIDDEN", "the key has no permission for this model");
	} else if (list_page(s, &q, &a->page, &err)) {
		answer_error(a, 500, "INTERNAL", err.msg);
	} else {
		a->status = 200;
		r->results = (int64_t)a->page.count;
	}
	query_release(&q);
}

static void by_id(struct sim *s, struct req *r, const struct route *t, struct answer *a)
{
	struct px_buf *b = &a->page.body;
	struct col *c;
	uint32_t idx;
	size_t at = 0;

	while (!is_id(t, at))
		at++;
	if (!find_record(s, t->model, r->segs[at], r->seg_len[at], &c, &idx) ||
		!rec_reachable(s, c, idx)) {
		answer_absent(s, a, "no such record");
		return;
	}
	r->integ = c->in->num;
	if (!c->allowed) {
		answer_error(a, 403, "FORBIDDEN", "the key has no permission for this model");
		return;
	}
	px_buf_adds(b, "{\"meta\":");
	meta_text(s, 0, SIM_PAGE_DEFAULT, "[]", 1, 1, b);
	px_buf_adds(b, ",\"results\":");
	(void)rec_text(s, c, idx, b);
	px_buf_addc(b, '}');
	a->status = 200;
	r->results = 1;
}

void route(struct sim *s, struct req *r, struct answer *a)
{
	const struct route *t;
	bool known = false;

	r->cls = CLASS_unknown;
	if (r->nsegs && r->seg_len[0] == 2 && !memcmp(r->segs[0], "v1", 2)) {
		if (r->nsegs > 1 && !strcmp(r->segs[1], "admin"))
			known = admin_route(s, r, a);
		else if (r->nsegs > 1 && !strcmp(r->segs[1], "webhooks"))
			known = hook_route(s, r, a);
	}
	if (known)
		return;
	t = find_route(s->routes, r);
	if (!t) {
		answer_error(a, 404, "NOT_FOUND", "no such path");
		return;
	}
	r->cls = t->cls;
	r->model = t->model;
	if (strcmp(r->method, "GET") && strcmp(r->method, "HEAD")) {
		answer_error(a, 405, "METHOD_NOT_ALLOWED", "this simulator only answers GET here");
		return;
	}
	if (!slash_ok(s, r, t->slash, a))
		return;
	if (t->cls == CLASS_get)
		by_id(s, r, t, a);
	else
		list(s, r, t, a);
}
