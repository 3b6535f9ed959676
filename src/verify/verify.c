/* SPDX-License-Identifier: MIT */
/*
 * verify.c - every list of the API against the store, page by page, one request at a time per page.
 *
 * Invariants: nothing is written; a difference is reported only when a second look, at the record
 * by itself and at the store as it is then, shows it too; what the API does not give is counted,
 * not taken for a difference.
 */
#include "propexofs/verify.h"

#include <stdlib.h>
#include <string.h>

#include "propexofs/api.h"
#include "propexofs/clock.h"
#include "propexofs/codec.h"
#include "propexofs/log.h"
#include "propexofs/model.h"
#include "propexofs/store_read.h"

enum { LIMIT = 250, SETTLE_MS = 3000, STEP_MS = 200, BODY_MAX = 64 << 20 };

enum difference { SAME, CONTENT, MISSING, EXTRA };

static const char *const words[] = {"same", "content", "missing", "extra"};

/* To be looked at again. */
struct suspect {
	struct suspect *next;
	const struct px_dir *dir;
	const char *integration;
	char *id;
	enum difference what;
	unsigned char digest[16]; /* of what the API gave; MISSING and CONTENT */
};

struct verifying {
	const struct px_conf *conf;
	struct px_api *api;
	struct px_reader *reader;
	const _Atomic bool *stop;
	struct suspect *suspects;
	struct px_verify_result *ret;
	void (*tell)(void *arg, const char *line);
	void *arg;
};

/* ---- one request ----------------------------------------------------------------------------- */

struct reply {
	bool done;
	px_rc rc;
	int status;
	struct px_buf body;
	struct px_err err;
};

static void on_answer(void *arg, const struct px_answer *a)
{
	struct reply *r = arg;

	r->done = true;
	r->rc = a->rc;
	r->status = a->status;
	r->err = a->err;
	if (!a->rc)
		r->rc = px_buf_add(&r->body, a->body, a->len);
}

/* PX_OK: *page points into reply. */
static px_rc fetch(struct verifying *v, const char *path, struct reply *r, struct px_page *page,
	struct px_err *err)
{
	px_rc rc;

	*r = (struct reply){.body = PX_BUF_INIT(BODY_MAX)};
	memset(page, 0, sizeof *page);
	rc = px_api_get(v->api, PX_FOR_SWEEP, path, 0, NULL, on_answer, r, err);
	while (!rc && !r->done) {
		if (v->stop && *v->stop) {
			/* the request under way is answered while there is still a reply for it */
			px_api_free(v->api);
			v->api = NULL;
			return px_err_set(err, PX_ECANCELED, "stopped");
		}
		px_api_step(v->api, px_clock_mono_ms() + STEP_MS);
	}
	if (!rc && r->rc) {
		*err = r->err;
		rc = r->rc;
	}
	return rc ? rc : px_page_parse(r->body.data ? r->body.data : "", r->body.len, page, err);
}

static void release(struct reply *r, struct px_page *page)
{
	px_page_release(page);
	px_buf_release(&r->body);
}

/* Whether the API says that it has no such record, in one of the forms that this takes (API
 * reference §7). */
static bool is_absent(px_rc rc, const struct reply *r, const struct px_page *page)
{
	struct px_span body = {r->body.data, r->body.len};

	if (rc == PX_ESYNTAX)
		return body.len && !px_json_check(body.p, body.len, NULL) && px_json_is_empty(body);
	if (rc)
		return rc == PX_ENOENT || (rc == PX_EHTTP && r->status == 400);
	return !page->count || px_json_is_empty(page->results[0]);
}

/* ---- comparing ------------------------------------------------------------------------------- */

static void suspect(struct verifying *v, const char *integration, const struct px_dir *dir,
	const char *id, enum difference what, const unsigned char *digest)
{
	struct suspect *s = calloc(1, sizeof *s);

	if (!s)
		return;
	s->dir = dir;
	s->integration = integration;
	s->id = strdup(id);
	s->what = what;
	if (digest)
		memcpy(s->digest, digest, sizeof s->digest);
	s->next = v->suspects;
	v->suspects = s;
}

/* What the store says of a record that the API gave. */
static enum difference compare(
	struct verifying *v, int64_t did, const char *id, const unsigned char *digest)
{
	struct px_record_state state;
	char name[PX_NAME_MAX + 1];

	px_record_name(id, strlen(id), name);
	if (px_reader_record_state(v->reader, did, name, &state, NULL) || !state.ino)
		return MISSING;
	return memcmp(state.digest, digest, sizeof state.digest) ? CONTENT : SAME;
}

struct ids {
	char **list;
	size_t count, cap;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool ids_add(struct ids *ids, const char *id)
{
	if (ids->count == ids->cap) {
		size_t cap = ids->cap ? ids->cap * 2 : 1024;
		char **list = realloc(ids->list, cap * sizeof *list);

		if (!list)
			return false;
		ids->list = list;
		ids->cap = cap;
	}
	ids->list[ids->count] = strdup(id);
	return ids->list[ids->count] && ++ids->count;
}

static void ids_release(struct ids *ids)
{
	for (size_t i = 0; i < ids->count; i++)
		free(ids->list[i]);
	free(ids->list);
}

struct comparing {
	struct verifying *v;
	const struct px_dir *dir;
	const char *integration;
	struct ids *ids;
};

static bool find_extra(void *arg, int64_t rid, const char *id, size_t id_len)
{
	struct comparing *c = arg;
	char *copy = strndup(id, id_len);

	(void)rid;
	if (copy && !(c->ids->count &&
			    bsearch(&copy, c->ids->list, c->ids->count, sizeof copy, by_text)))
		suspect(c->v, c->integration, c->dir, copy, EXTRA, NULL);
	free(copy);
	return true;
}

static void take_page(struct comparing *c, const struct px_page *page, bool of_account)
{
	for (size_t i = 0; i < page->count; i++) {
		struct px_record r = {0};
		enum difference d;

		if (px_record_parse(page->results[i].p, page->results[i].len, &r, NULL)) {
			c->v->ret->unreadable++;
			continue;
		}
		if (!of_account ||
			(r.integration_id && !strcmp(r.integration_id, c->integration))) {
			c->v->ret->compared++;
			d = compare(c->v, c->dir->did, r.id, r.digest);
			if (d != SAME)
				suspect(c->v, c->integration, c->dir, r.id, d, r.digest);
			(void)ids_add(c->ids, r.id);
		}
		px_record_release(&r);
	}
}

/* One list, whole; parent: of a sub-collection. */
static px_rc compare_list(
	struct comparing *c, const char *parent, size_t parent_len, struct px_err *err)
{
	const struct px_model *m = &px_models[px_model_by_dir(c->dir->model)];

	for (int64_t offset = 0;;) {
		PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(64 << 10);
		struct px_page page;
		struct reply r;
		bool more;
		px_rc rc;

		if (parent)
			px_url_path(&path, m->list_path, parent, parent_len);
		else
			px_buf_adds(&path, m->list_path);
		px_url_query(&path, "order-by", "created_at:asc,id:asc");
		if (m->by_integration && !parent)
			px_url_query(&path, "integration_id", c->integration);
		px_url_query_int(&path, "limit", LIMIT);
		px_url_query_int(&path, "offset", offset);
		rc = px_buf_ok(&path, err);
		if (!rc)
			rc = fetch(c->v, path.data, &r, &page, err);
		if (rc)
			return rc == PX_ENOENT && parent ? PX_OK : rc;
		take_page(c, &page, !m->by_integration && !parent);
		offset += (int64_t)page.count;
		more = page.count &&
		       (page.has_more == 1 || (page.has_more < 0 && page.count >= LIMIT));
		release(&r, &page);
		if (!more)
			return PX_OK;
	}
}

struct parents {
	struct comparing *c;
	px_rc rc;
	struct px_err *err;
};

static bool compare_under(void *arg, int64_t rid, const char *id, size_t id_len)
{
	struct parents *p = arg;

	(void)rid;
	p->rc = compare_list(p->c, id, id_len, p->err);
	return !p->rc;
}

static px_rc compare_dir(struct verifying *v, const char *integration, const struct px_dir *dir,
	const struct px_dir *dirs, size_t count, struct px_err *err)
{
	const struct px_model *m = &px_models[px_model_by_dir(dir->model)];
	struct ids ids = {0};
	struct comparing c = {.v = v, .dir = dir, .integration = integration, .ids = &ids};
	struct parents p = {.c = &c, .err = err};
	px_rc rc = PX_OK;

	if (m->parent < 0)
		rc = compare_list(&c, NULL, 0, err);
	for (size_t i = 0; m->parent >= 0 && i < count && !rc; i++)
		if (!strcmp(dirs[i].model, px_models[m->parent].dir)) {
			rc = px_reader_ids(v->reader, dirs[i].did, 0, compare_under, &p, err);
			if (!rc)
				rc = p.rc;
		}
	if (!rc) {
		if (ids.count)
			qsort(ids.list, ids.count, sizeof *ids.list, by_text);
		rc = px_reader_ids(v->reader, dir->did, 0, find_extra, &c, err);
	}
	ids_release(&ids);
	return rc;
}

/* ---- a sample ---------------------------------------------------------------------------------
 */

struct sampling {
	struct comparing c;
	double share;
};

static bool sample_one(void *arg, int64_t rid, const char *id, size_t id_len)
{
	struct sampling *s = arg;
	struct verifying *v = s->c.v;
	PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(64 << 10);
	struct px_page page;
	struct px_err err;
	struct reply r;
	char *copy;
	bool asked;
	px_rc rc;

	(void)rid;
	if ((double)random() / 2147483648.0 >= s->share)
		return true;
	copy = strndup(id, id_len);
	px_url_path(&path, px_models[px_model_by_dir(s->c.dir->model)].get_path, id, id_len);
	rc = copy ? px_buf_ok(&path, &err) : PX_ENOMEM;
	asked = !rc;
	if (asked)
		rc = fetch(v, path.data, &r, &page, &err);
	if (asked && is_absent(rc, &r, &page)) {
		v->ret->compared++;
		suspect(v, s->c.integration, s->c.dir, copy, EXTRA, NULL);
	} else if (!rc) {
		take_page(&s->c, &page, false);
	} else {
		v->ret->unreadable++;
	}
	if (asked)
		release(&r, &page);
	free(copy);
	return rc != PX_ECANCELED;
}

static px_rc sample_dir(struct verifying *v, const char *integration, const struct px_dir *dir,
	double share, struct px_err *err)
{
	struct ids ids = {0};
	struct sampling s = {
		.c = {.v = v, .dir = dir, .integration = integration, .ids = &ids}, .share = share};
	px_rc rc = px_models[px_model_by_dir(dir->model)].get_path
			   ? px_reader_ids(v->reader, dir->did, 0, sample_one, &s, err)
			   : PX_OK;

	ids_release(&ids);
	return rc;
}

/* ---- the second look --------------------------------------------------------------------------
 */

/* The API's word on this record now: its digest; PX_ENOENT. */
static px_rc ask_again(
	struct verifying *v, const struct suspect *s, unsigned char digest[16], struct px_err *err)
{
	const struct px_model *m = &px_models[px_model_by_dir(s->dir->model)];
	PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(64 << 10);
	struct px_record record = {0};
	struct px_page page;
	struct reply r;
	px_rc rc;

	px_url_path(&path, m->get_path, s->id, strlen(s->id));
	rc = px_buf_ok(&path, err);
	if (rc)
		return rc;
	rc = fetch(v, path.data, &r, &page, err);
	if (is_absent(rc, &r, &page))
		rc = px_err_set(err, PX_ENOENT, "not found");
	if (!rc)
		rc = px_record_parse(page.results[0].p, page.results[0].len, &record, err);
	if (!rc)
		memcpy(digest, record.digest, sizeof record.digest);
	px_record_release(&record);
	release(&r, &page);
	return rc;
}

/* Whether it still differs. Where there is no reading by id, the list's word stands. */
static bool confirm(struct verifying *v, struct suspect *s)
{
	const struct px_model *m = &px_models[px_model_by_dir(s->dir->model)];
	unsigned char digest[16];
	struct px_record_state state;
	char name[PX_NAME_MAX + 1];
	struct px_err err;
	px_rc rc = PX_OK;

	memcpy(digest, s->digest, sizeof digest);
	if (m->get_path)
		rc = ask_again(v, s, digest, &err);
	px_record_name(s->id, strlen(s->id), name);
	if (rc == PX_ENOENT || (!m->get_path && s->what == EXTRA)) {
		s->what = EXTRA;
		return !px_reader_record_state(v->reader, s->dir->did, name, &state, NULL) &&
		       state.ino;
	}
	if (rc) {
		v->ret->unreadable++;
		return false;
	}
	s->what = compare(v, s->dir->did, s->id, digest);
	return s->what != SAME;
}

static void second_look(struct verifying *v)
{
	int64_t until = px_clock_mono_ms() + SETTLE_MS;
	struct suspect *next;

	/* what is under way has time to arrive */
	while (v->suspects && px_clock_mono_ms() < until && !(v->stop && *v->stop))
		px_api_step(v->api, until);
	for (struct suspect *s = v->suspects; s; s = next) {
		PX_BUF_AUTO struct px_buf line = PX_BUF_INIT(16 << 10);

		next = s->next;
		if (!(v->stop && *v->stop) && s->id && confirm(v, s)) {
			v->ret->differences++;
			px_buf_addf(
				&line, "%s %s/%s/", words[s->what], s->integration, s->dir->model);
			px_buf_adds(&line, s->id);
			px_buf_addc(&line, '\0');
			if (line.data)
				v->tell(v->arg, line.data);
		}
		free(s->id);
		free(s);
	}
	v->suspects = NULL;
}

/* ---- all ----------------------------------------------------------------------------------------
 */

static px_rc verify_integration(
	struct verifying *v, const struct px_integration *i, double share, struct px_err *err)
{
	struct px_dir *dirs = NULL;
	size_t count = 0;
	px_rc rc = px_reader_dirs(v->reader, i->iid, &dirs, &count, err);

	for (size_t k = 0; k < count && !rc; k++) {
		if (!dirs[k].enabled || !dirs[k].complete || px_model_by_dir(dirs[k].model) < 0 ||
			!px_conf_wants_model(v->conf, dirs[k].model))
			continue;
		rc = share > 0 ? sample_dir(v, i->id, &dirs[k], share, err)
			       : compare_dir(v, i->id, &dirs[k], dirs, count, err);
		/* one model that is refused or malformed does not end it; an API that is away does
		 */
		if (rc == PX_EHTTP || rc == PX_EAUTH || rc == PX_ENOENT || rc == PX_ESYNTAX ||
			rc == PX_ELIMIT) {
			px_warn("verify", "%s of %s: %s", dirs[k].model, i->id, err->msg);
			v->ret->unreadable++;
			rc = PX_OK;
		}
	}
	if (!rc)
		second_look(v);
	px_dirs_free(dirs, count);
	return rc;
}

static px_rc renew_key(void *arg, struct px_api *api, struct px_err *err)
{
	const struct verifying *v = arg;

	return px_conf_renew_key(v->conf, NULL, api, err);
}

px_rc px_verify(const struct px_conf *conf, struct px_api *beside, int64_t sample,
	void (*tell)(void *arg, const char *line), void *arg, const _Atomic bool *stop,
	struct px_verify_result *ret, struct px_err *err)
{
	struct verifying v = {.conf = conf, .stop = stop, .ret = ret, .tell = tell, .arg = arg};
	struct px_integration *list = NULL;
	struct px_store_totals totals = {0};
	size_t count = 0;
	double share = 0;
	px_rc rc = px_reader_open(conf->store, &v.reader, err);

	memset(ret, 0, sizeof *ret);
	if (!rc)
		rc = px_api_new(
			&(struct px_api_options){
				.base_url = conf->api_url,
				.key = conf->key.text,
				.beside = beside,
				.connections = 1,
				.share_percent = conf->rate_share,
				.user_agent = "propexofs/" PX_VERSION,
				.retries = 3,
				.renew_key = renew_key,
				.renew_arg = &v,
			},
			&v.api, err);
	if (!rc)
		rc = px_reader_totals(v.reader, &totals, err);
	if (!rc)
		rc = px_reader_integrations(v.reader, &list, &count, err);
	if (sample && totals.records)
		share = (double)sample / (double)totals.records;
	for (size_t i = 0; i < count && !rc; i++)
		if (list[i].present && list[i].active &&
			px_conf_wants_integration(conf, list[i].id))
			rc = verify_integration(&v, &list[i], share, err);
	px_integrations_free(list, count);
	px_api_free(v.api);
	px_reader_close(v.reader);
	return rc;
}
