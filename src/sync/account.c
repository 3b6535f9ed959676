/* SPDX-License-Identifier: MIT */
/*
 * account.c - the list of integrations: read whole, then believed; never in part.
 *
 * Invariants: a list that was cut, refused or shows none of the integrations we hold changes
 * nothing. What goes into integration.json is copied from a list of members known to be harmless
 * (API reference §9): configuration and credentials never reach the disk.
 */
#include "sync_i.h"

#include <stdlib.h>
#include <string.h>

enum { ACCOUNT_PAGES_MAX = 400 };

struct listing {
	struct px_sync *s;
	int64_t offset;
	int pages;
	struct px_account_entry *entries;
	size_t count, cap;
};

/* ---- harmless members
 * ------------------------------------------------------------------------------------- */

static const char *const harmless[] = {"id", "name", "created_at", "updated_at", "vendor", "active",
	"system", "is_archived", "last_completed_sync", "last_completed_back_sync",
	"is_running_sync", "is_running_data_access_check", "models", "integration_interfaces",
	"new_properties_are_enabled", "can_authenticate", "last_data_access_check",
	"sync_frequency", "sync_cadence", "max_job_concurrency", "max_request_frequency",
	"max_request_cadence", "allow_manual_syncs", NULL};
static const char *const harmless_of_model[] = {"enabled", "from_interfaces", NULL};
static const char *const harmless_of_interface[] = {"interface_name", "enabled", "version", NULL};

static bool listed(const char *const *names, struct px_span key)
{
	for (; *names; names++)
		if (px_json_string_is(key, *names))
			return true;
	return false;
}

/* The members of an object that are in names; scalars and arrays of scalars only. */
static void copy_members(struct px_buf *out, struct px_span object, const char *const *names)
{
	struct px_json_walk w;
	struct px_span key, value;
	bool first = true;

	px_buf_addc(out, '{');
	px_json_walk_init(&w, object);
	while (px_json_walk_next(&w, &key, &value)) {
		if (!listed(names, key) || px_json_kind(value) == PX_JSON_OBJECT)
			continue;
		if (!first)
			px_buf_addc(out, ',');
		first = false;
		px_buf_add(out, key.p, key.len);
		px_buf_addc(out, ':');
		px_buf_add(out, value.p, value.len);
	}
	px_buf_addc(out, '}');
}

static void copy_each(struct px_buf *out, struct px_span container, const char *const *names)
{
	bool object = px_json_kind(container) == PX_JSON_OBJECT, first = true;
	struct px_json_walk w;
	struct px_span key, value;

	px_buf_addc(out, object ? '{' : '[');
	px_json_walk_init(&w, container);
	while (px_json_walk_next(&w, &key, &value)) {
		if (px_json_kind(value) != PX_JSON_OBJECT)
			continue;
		if (!first)
			px_buf_addc(out, ',');
		first = false;
		if (object) {
			px_buf_add(out, key.p, key.len);
			px_buf_addc(out, ':');
		}
		copy_members(out, value, names);
	}
	px_buf_addc(out, object ? '}' : ']');
}

static px_rc harmless_file(struct px_span row, struct px_buf *out, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf compact = PX_BUF_INIT(4 << 20);
	struct px_json_walk w;
	struct px_span key, value;
	bool first = true;
	px_rc rc;

	px_buf_addc(&compact, '{');
	px_json_walk_init(&w, row);
	while (px_json_walk_next(&w, &key, &value)) {
		enum px_json_kind kind = px_json_kind(value);
		const char *const *inner = px_json_string_is(key, "models") ? harmless_of_model
					   : px_json_string_is(key, "integration_interfaces")
						   ? harmless_of_interface
						   : NULL;

		if (!listed(harmless, key) ||
			(!inner && (kind == PX_JSON_OBJECT || kind == PX_JSON_ARRAY)))
			continue;
		if (!first)
			px_buf_addc(&compact, ',');
		first = false;
		px_buf_add(&compact, key.p, key.len);
		px_buf_addc(&compact, ':');
		if (inner && (kind == PX_JSON_OBJECT || kind == PX_JSON_ARRAY))
			copy_each(&compact, value, inner);
		else
			px_buf_add(&compact, value.p, value.len);
	}
	px_buf_addc(&compact, '}');
	rc = px_buf_ok(&compact, err);
	return rc ? rc : px_doc_format(compact.data, compact.len, out, err);
}

/* ---- rows
 * ----------------------------------------------------------------------------------------------------
 */

static char *text(struct px_span row, const char *name)
{
	return px_json_strdup(px_json_member(row, name), 4096);
}

/* Which models the integration has. A name that the object does not mention is asked for like an
 * enabled one: its list says whether there is anything, and nothing is lost (API reference §9 gives
 * no complete list of keys). */
static void read_models(struct px_span row, struct px_account_entry *e)
{
	struct px_json_walk w;
	struct px_span key, value;

	for (int m = 0; m < PX_MODEL_COUNT; m++)
		e->enabled[m] = true;
	px_json_walk_init(&w, px_json_member(row, "models"));
	while (px_json_walk_next(&w, &key, &value)) {
		char *name = px_json_strdup(key, 128);
		int m = name ? px_model_by_any(name) : -1;
		struct px_span enabled = px_json_kind(value) == PX_JSON_OBJECT
						 ? px_json_member(value, "enabled")
						 : value;

		free(name);
		if (m >= 0 && !px_json_bool(enabled, true))
			e->enabled[m] = false;
	}
	/* what shares its records, or hangs below it, comes and goes with a model */
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		int of = px_models[m].view_of;

		if (of >= 0 && !e->enabled[of])
			e->enabled[m] = false;
	}
	e->lay_out = true;
}

static px_rc read_row(struct px_span row, struct px_account_entry *e, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf file = PX_BUF_INIT(8 << 20);
	struct px_integration *i = &e->integration;
	struct px_span auth = px_json_member(row, "can_authenticate");
	px_rc rc;

	i->id = text(row, "id");
	if (!i->id || !*i->id)
		return px_err_set(err, PX_ESYNTAX, "an integration without an id");
	i->name = text(row, "name");
	i->vendor = text(row, "vendor");
	if (!i->vendor)
		i->vendor = text(row, "integration_vendor");
	i->system = text(row, "system");
	i->created_at = text(row, "created_at");
	i->last_completed_sync = text(row, "last_completed_sync");
	i->last_completed_back_sync = text(row, "last_completed_back_sync");
	i->active = px_json_bool(px_json_member(row, "active"), true);
	i->archived = px_json_bool(px_json_member(row, "is_archived"), false);
	i->syncing = px_json_bool(px_json_member(row, "is_running_sync"), false);
	i->can_authenticate = auth.p && px_json_kind(auth) != PX_JSON_NULL
				      ? px_json_bool(auth, false)
				      : -1;
	i->present = true;
	rc = harmless_file(row, &file, err);
	if (rc)
		return rc;
	e->file = px_buf_steal(&file, &e->file_len);
	read_models(row, e);
	return PX_OK;
}

static px_rc add_rows(struct listing *l, const struct px_page *page, struct px_err *err)
{
	for (size_t i = 0; i < page->count; i++) {
		px_rc rc;

		if (l->count == l->cap) {
			size_t cap = l->cap ? l->cap * 2 : 32;
			struct px_account_entry *grown = realloc(l->entries, cap * sizeof *grown);

			if (!grown)
				return px_err_nomem(err);
			l->entries = grown;
			l->cap = cap;
		}
		memset(&l->entries[l->count], 0, sizeof l->entries[l->count]);
		l->count++; /* released with the rest also when it turns out bad */
		rc = read_row(page->results[i], &l->entries[l->count - 1], err);
		if (rc)
			return rc;
		for (size_t k = 0; k + 1 < l->count; k++)
			if (!strcmp(l->entries[k].integration.id,
				    l->entries[l->count - 1].integration.id)) {
				px_integration_release(&l->entries[l->count - 1].integration);
				free(l->entries[l->count - 1].file);
				l->count--;
				break;
			}
	}
	return PX_OK;
}

/* ---- reading the list
 * ------------------------------------------------------------------------------------------ */

static void listing_free(struct listing *l)
{
	struct px_account_job job = {.entries = l->entries, .count = l->count};

	px_account_job_release(&job);
	free(l);
}

static void listing_failed(struct listing *l, const struct px_err *err)
{
	struct px_sync *s = l->s;

	s->listing = false;
	s->list_failures++;
	s->list_err = *err;
	s->refresh_due_ms = px_clock_mono_ms() +
			    sync_backoff_ms(s->list_failures, RETRY_MIN_MS, RETRY_MAX_MS);
	if (err->code != PX_ECANCELED)
		px_log_limited(PX_LOG_WARN, "sync", "list of integrations: %s", err->msg);
	listing_free(l);
}

/* A key of another account shows none of what we hold: that is no reason to believe that all of it
 * has gone. */
static bool is_foreign(const struct listing *l)
{
	bool held = false;

	for (size_t i = 0; i < l->s->count; i++) {
		const struct px_integration *have = &l->s->integs[i]->row;

		if (!have->present)
			continue;
		held = true;
		for (size_t k = 0; k < l->count; k++)
			if (!strcmp(have->id, l->entries[k].integration.id))
				return false;
	}
	return held;
}

static void listing_after(struct px_job *job)
{
	struct px_account_job *a = (struct px_account_job *)job;
	struct px_sync *s = job->ctx;
	struct px_err err = job->err;
	px_rc rc = job->rc;

	s->listing = false;
	if (!rc)
		rc = account_load(s, &err);
	if (rc) {
		s->list_failures++;
		s->list_err = err;
		s->refresh_due_ms = px_clock_mono_ms() +
				    sync_backoff_ms(s->list_failures, RETRY_MIN_MS, RETRY_MAX_MS);
		px_log_limited(PX_LOG_WARN, "sync", "list of integrations: %s", err.msg);
	} else {
		s->known = true;
		s->foreign = false;
		s->lists_read++;
		s->diffs_due = true;
		s->list_failures = 0;
		s->refresh_due_ms = sync_next_refresh_ms(s);
		if (s->list_again)
			s->refresh_due_ms = 0;
		for (size_t i = 0; i < s->count && !s->list_again; i++)
			s->integs[i]->silent_listed = s->integs[i]->silent_told;
		s->list_again = false;
		s->listed_ms = s->list_began_ms;
	}
	px_account_job_release(a);
	free(a);
}

static void listing_complete(struct listing *l)
{
	struct px_account_job *a;

	if (is_foreign(l)) {
		struct px_err err;

		px_err_set(&err, PX_EAUTH,
			"the key shows none of the integrations that the store holds: another "
			"account's?");
		l->s->foreign = true;
		l->s->foreign_ms = px_clock_wall_ms();
		listing_failed(l, &err);
		return;
	}
	a = malloc(sizeof *a);
	if (!a) {
		struct px_err err;

		px_err_nomem(&err);
		listing_failed(l, &err);
		return;
	}
	px_account_job_init(a);
	a->entries = l->entries;
	a->count = l->count;
	a->job.after = listing_after;
	sync_submit(l->s, &a->job);
	l->entries = NULL;
	l->count = 0;
	listing_free(l);
}

static void listing_request(struct listing *l);

static void listing_answer(void *arg, const struct px_answer *answer)
{
	struct listing *l = arg;
	struct px_page page = {0};
	struct px_err err = answer->err;
	px_rc rc = answer->rc;
	bool more;

	if (!rc)
		rc = px_page_parse(answer->body, answer->len, &page, &err);
	if (!rc)
		rc = add_rows(l, &page, &err);
	if (rc) {
		px_page_release(&page);
		listing_failed(l, &err);
		return;
	}
	more = page.count &&
	       (page.has_more == 1 || (page.has_more < 0 && page.count >= PAGE_LIMIT));
	l->offset += (int64_t)page.count;
	px_page_release(&page);
	if (more && ++l->pages < ACCOUNT_PAGES_MAX)
		listing_request(l);
	else
		listing_complete(l);
}

static void listing_request(struct listing *l)
{
	PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(4096);
	struct px_err err = {0};
	px_rc rc;

	px_buf_adds(&path, "/v1/admin/integrations/");
	px_url_query(&path, "order-by", "created_at:asc,id:asc");
	px_url_query_int(&path, "limit", PAGE_LIMIT);
	px_url_query_int(&path, "offset", l->offset);
	rc = px_buf_ok(&path, &err);
	if (!rc)
		rc = px_api_get(
			l->s->api, PX_FOR_CONTROL, path.data, 0, NULL, listing_answer, l, &err);
	if (rc)
		listing_failed(l, &err);
}

void account_refresh(struct px_sync *s)
{
	struct listing *l = calloc(1, sizeof *l);

	if (!l)
		return;
	l->s = s;
	s->listing = true;
	s->list_began_ms = px_clock_wall_ms();
	listing_request(l);
}

/* ---- the store's view
 * -------------------------------------------------------------------------------------------- */

static px_rc integ_add(struct px_sync *s, int64_t iid, struct sinteg **ret, struct px_err *err)
{
	struct sinteg **grown = realloc(s->integs, (s->count + 1) * sizeof *grown);
	struct sinteg *in = calloc(1, sizeof *in);

	if (grown)
		s->integs = grown;
	if (!grown || !in) {
		free(in);
		return px_err_nomem(err);
	}
	in->row.iid = iid;
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		in->dirs[m].integ = in;
		in->dirs[m].model = m;
	}
	s->integs[s->count++] = in;
	*ret = in;
	return PX_OK;
}

static px_rc load_dirs(struct px_sync *s, struct px_err *err)
{
	struct px_dir *list = NULL;
	size_t count = 0;
	px_rc rc = px_reader_dirs(s->reader, 0, &list, &count, err);

	for (size_t i = 0; i < count && !rc; i++) {
		struct sinteg *in = sync_integ_by_iid(s, list[i].iid);
		int m = px_model_by_dir(list[i].model);
		struct sdir *d;

		if (!in || m < 0)
			continue;
		d = &in->dirs[m];
		d->wanted = in->wanted && px_conf_wants_model(s->conf, list[i].model);
		if (d->walk)
			continue; /* what the walk is about to write is newer */
		px_dir_release(&d->row);
		d->row = list[i];
		memset(&list[i], 0, sizeof list[i]);
	}
	px_dirs_free(list, count);
	return rc;
}

px_rc account_load(struct px_sync *s, struct px_err *err)
{
	struct px_integration *list = NULL;
	size_t count = 0;
	px_rc rc = px_reader_integrations(s->reader, &list, &count, err);

	for (size_t i = 0; i < count && !rc; i++) {
		struct sinteg *in = sync_integ_by_iid(s, list[i].iid);

		if (!in)
			rc = integ_add(s, list[i].iid, &in, err);
		if (rc)
			break;
		px_integration_release(&in->row);
		in->row = list[i];
		in->wanted = px_conf_wants_integration(s->conf, in->row.id);
		memset(&list[i], 0, sizeof list[i]);
	}
	px_integrations_free(list, count);
	return rc ? rc : load_dirs(s, err);
}

void account_reload(struct px_sync *s, struct sdir *d)
{
	struct px_dir row = {0};

	if (!d->row.did)
		return;
	if (px_reader_dir(s->reader, d->row.did, &row, NULL)) {
		/* unknown where it stands: from the front */
		d->anew = true;
		return;
	}
	px_dir_release(&d->row);
	d->row = row;
}

void account_free(struct px_sync *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct sinteg *in = s->integs[i];

		for (int m = 0; m < PX_MODEL_COUNT; m++)
			px_dir_release(&in->dirs[m].row);
		px_integration_release(&in->row);
		free(in->covered_sync);
		free(in->covered_back_sync);
		free(in);
	}
	free(s->integs);
	s->integs = NULL;
	s->count = 0;
}

bool dir_due(const struct sdir *d)
{
	const struct px_integration *i = &d->integ->row;

	return d->row.did && d->wanted && d->row.enabled && i->present && i->active &&
	       !i->archived && i->last_completed_sync;
}
