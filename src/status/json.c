/* SPDX-License-Identifier: MIT */
/*
 * json.c - status.json, of the whole and of an integration.
 *
 * Invariants: members are those of contract §5, in its order; more may follow, none is ever left
 * out, so that a reader can rely on each; a value that is not known is null. Written compact, then
 * laid out by the codec, which checks it on the way.
 */
#include "status_i.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "propexofs/clock.h"
#include "propexofs/codec.h"

enum { STATUS_MAX = 16 << 20 };

/* ---- members ---- */

void px_json_key(struct px_buf *b, const char *key)
{
	if (b->len && b->data[b->len - 1] != '{')
		px_buf_addc(b, ',');
	px_buf_addf(b, "\"%s\":", key);
}

void px_json_bool_member(struct px_buf *b, const char *key, bool value)
{
	px_json_key(b, key);
	px_buf_adds(b, value ? "true" : "false");
}

void px_json_int_member(struct px_buf *b, const char *key, int64_t value)
{
	px_json_key(b, key);
	px_buf_addf(b, "%lld", (long long)value);
}

void px_json_count_member(struct px_buf *b, const char *key, int64_t value)
{
	if (value >= 0) {
		px_json_int_member(b, key, value);
		return;
	}
	px_json_key(b, key);
	px_buf_adds(b, "null");
}

void px_json_text_member(struct px_buf *b, const char *key, const char *value)
{
	px_json_key(b, key);
	px_buf_add_jsons(b, value);
}

void px_json_time_ms(struct px_buf *b, int64_t ms)
{
	char text[PX_TIME_MAX];

	px_buf_add_jsons(b, ms ? px_time_format_ms(ms, text) : NULL);
}

void px_json_time_text(struct px_buf *b, const char *text)
{
	int64_t ns;

	if (text && !px_time_parse(text, strlen(text), &ns))
		px_json_time_ms(b, ns / 1000000);
	else
		px_buf_add_jsons(b, text);
}

void px_json_time_member(struct px_buf *b, const char *key, int64_t ms)
{
	px_json_key(b, key);
	px_json_time_ms(b, ms);
}

static void open_object(struct px_buf *b, const char *key)
{
	px_json_key(b, key);
	px_buf_addc(b, '{');
}

static px_rc finish(const struct px_buf *compact, struct px_buf *out, struct px_err *err)
{
	px_rc rc = px_buf_ok(compact, err);

	return rc ? rc : px_doc_format(compact->data, compact->len, out, err);
}

/* ---- one integration ---- */

/* How far a model is: thousandths, rounded down so that 1.0 means complete; -1 unknown. */
static int thousandths(const struct px_dir *d, const struct px_progress *p)
{
	int64_t done = p->active ? p->done : d->records;
	int64_t expected = p->active && p->expected >= 0 ? p->expected : d->expected;

	if (d->complete)
		return 1000;
	if (expected < 0 || done < 0)
		return -1;
	if (done >= expected)
		return 999;
	return (int)((double)done / (double)expected * 1000);
}

static void add_model(struct px_buf *b, const struct px_survey *s, const struct px_judged *j,
	const struct px_dir *d)
{
	struct px_progress p = {.eta_s = -1, .expected = -1};
	int part;

	if (s->board)
		(void)px_board_progress(s->board, d->did, &p);
	part = thousandths(d, &p);
	open_object(b, d->model);
	px_json_text_member(b, "phase", px_phase_word(px_model_phase(s, j, d)));
	px_json_bool_member(b, "complete", d->complete);
	px_json_int_member(b, "records", d->records);
	px_json_count_member(b, "expected", p.active && p.expected >= 0 ? p.expected : d->expected);
	px_json_key(b, "progress");
	if (part < 0)
		px_buf_adds(b, "null");
	else
		px_buf_addf(b, part == 1000 ? "1.0" : "0.%03d", part);
	px_json_count_member(b, "eta_seconds", d->complete ? 0 : p.active ? p.eta_s : -1);
	px_json_key(b, "updated_through");
	px_json_time_text(b, d->watermark);
	px_json_int_member(b, "pending", d->pending);
	px_json_text_member(b, "error", px_model_error(s, j, d));
	px_buf_addc(b, '}');
}

static void add_integration(struct px_buf *b, const struct px_survey *s, const struct px_judged *j)
{
	const struct px_integration *i = &j->row;

	px_buf_addc(b, '{');
	px_json_text_member(b, "id", i->id);
	px_json_text_member(b, "name", i->name);
	px_json_text_member(b, "vendor", i->vendor);
	px_json_text_member(b, "system", i->system);
	px_json_bool_member(b, "active", i->active);
	px_json_bool_member(b, "archived", i->archived);
	px_json_text_member(b, "phase", px_phase_word(j->phase));
	open_object(b, "propexo");
	px_json_key(b, "last_completed_sync");
	px_json_time_text(b, i->last_completed_sync);
	px_json_key(b, "last_completed_back_sync");
	px_json_time_text(b, i->last_completed_back_sync);
	px_json_bool_member(b, "syncing", i->syncing);
	if (i->can_authenticate < 0)
		px_buf_adds(b, ",\"can_authenticate\":null");
	else
		px_json_bool_member(b, "can_authenticate", i->can_authenticate == 1);
	px_buf_addc(b, '}');
	open_object(b, "mirror");
	px_json_time_member(b, "first_filled_at", i->first_filled_ms);
	px_json_time_member(b, "reconciled_at", i->reconciled_ms);
	px_json_time_member(b, "last_event_at", i->last_event_ms);
	px_json_time_member(b, "oldest_pending_event_at", j->oldest_pending_ms);
	px_buf_addc(b, '}');
	open_object(b, "models");
	for (size_t k = 0; k < j->ndirs; k++)
		add_model(b, s, j, &j->dirs[k]);
	px_buf_addc(b, '}');
	px_json_text_member(b, "error", j->error);
	px_json_bool_member(b, "present", i->present);
	px_json_bool_member(b, "complete", j->complete);
	px_buf_addc(b, '}');
}

px_rc px_status_integration(struct px_reader *r, struct px_board *board, int64_t iid,
	struct px_buf *out, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(STATUS_MAX);
	struct px_survey s;
	px_rc rc = px_survey_one(r, board, iid, &s, err);

	if (rc)
		return rc;
	add_integration(&b, &s, &s.list[0]);
	px_survey_release(&s);
	return finish(&b, out, err);
}

/* ---- the whole ---- */

static void add_api(struct px_buf *b, const struct px_survey *s, const char *url)
{
	const struct px_api_stats *a = &s->view.api;
	const int64_t *sent = a->limiter.sent;

	open_object(b, "api");
	px_json_text_member(b, "url", url);
	if (s->board && !s->view.offline) {
		px_json_bool_member(b, "reachable", a->reachable);
		px_json_bool_member(b, "authorized", a->authorized);
	} else {
		px_buf_adds(b, ",\"reachable\":null,\"authorized\":null");
	}
	px_json_text_member(b, "last_error", *a->last_error ? a->last_error : NULL);
	open_object(b, "requests_per_minute");
	px_json_count_member(b, "allowed", a->limiter.allowed > 0 ? a->limiter.allowed : -1);
	px_json_int_member(b, "used", a->limiter.used);
	px_json_int_member(b, "fill", sent[PX_FOR_FILL]);
	px_json_int_member(b, "catch_up", sent[PX_FOR_CATCH_UP]);
	px_json_int_member(b, "hydrate", sent[PX_FOR_HYDRATE]);
	px_json_int_member(b, "sweep", sent[PX_FOR_SWEEP]);
	px_json_int_member(b, "control", sent[PX_FOR_CONTROL]);
	px_buf_addc(b, '}');
	px_json_bool_member(b, "offline", s->view.offline);
	px_json_time_member(b, "last_error_at", *a->last_error ? a->last_error_ms : 0);
	px_buf_addc(b, '}');
}

static void add_webhooks(struct px_buf *b, const struct px_survey *s)
{
	const struct px_webhook_stats *w = &s->view.webhooks;

	open_object(b, "webhooks");
	px_json_text_member(b, "listening", s->board && w->listening ? w->address : NULL);
	px_json_count_member(b, "registered", s->board ? w->registered : -1);
	px_json_int_member(b, "received", (int64_t)w->received);
	px_json_int_member(b, "rejected", (int64_t)w->rejected);
	px_json_int_member(b, "duplicate", (int64_t)w->duplicate);
	px_json_int_member(b, "pending", s->totals.inbox);
	px_json_time_member(b, "last_received_at", w->last_received_ms);
	px_buf_addc(b, '}');
}

static void add_store(struct px_buf *b, const struct px_survey *s, const char *path)
{
	const struct px_store_totals *t = &s->totals;

	open_object(b, "store");
	px_json_text_member(b, "path", path);
	px_json_int_member(b, "bytes", t->bytes);
	px_json_int_member(b, "records", t->records);
	px_json_int_member(b, "versions", t->versions);
	px_json_int_member(b, "pending", t->pending);
	px_json_text_member(b, "error", *s->view.store_error ? s->view.store_error : NULL);
	px_buf_addc(b, '}');
}

static void add_summary(struct px_buf *b, const struct px_judged *j)
{
	px_buf_addc(b, '{');
	px_json_text_member(b, "id", j->row.id);
	px_json_text_member(b, "name", j->row.name);
	px_json_text_member(b, "phase", px_phase_word(j->phase));
	px_json_int_member(b, "records", j->records);
	px_json_text_member(b, "error", j->error);
	px_json_bool_member(b, "complete", j->complete);
	px_json_bool_member(b, "counts", j->counts);
	px_json_int_member(b, "pending", j->pending);
	px_json_time_member(b, "oldest_pending_event_at", j->oldest_pending_ms);
	px_json_time_member(b, "reconciled_at", j->row.reconciled_ms);
	px_buf_addc(b, '}');
}

/* What --integration names and the account never had: a slip of the pen, not an empty mirror. */
static const char *unknown_integration(const struct px_survey *s)
{
	const struct px_strings *named = px_board_named(s->board);

	for (size_t k = 0; named && s->known && k < named->count; k++) {
		size_t i = 0;

		while (i < s->count && strcmp(named->list[k], s->list[i].row.id) != 0)
			i++;
		if (i == s->count)
			return named->list[k];
	}
	return NULL;
}

static void add_root(
	struct px_buf *b, const struct px_survey *s, const char *store_path, const char *url)
{
	const char *unknown = unknown_integration(s);
	bool complete = s->known && !unknown;

	px_buf_addc(b, '{');
	px_json_text_member(b, "version", PX_VERSION);
	px_json_count_member(b, "pid", s->board ? (int64_t)getpid() : -1);
	px_json_time_member(b, "started_at", s->view.started_ms);
	add_api(b, s, url);
	add_webhooks(b, s);
	add_store(b, s, store_path);
	px_json_key(b, "integrations");
	px_buf_addc(b, '[');
	for (size_t i = 0; i < s->count; i++) {
		if (i)
			px_buf_addc(b, ',');
		add_summary(b, &s->list[i]);
		if (s->list[i].counts && !s->list[i].complete)
			complete = false;
	}
	px_buf_addc(b, ']');
	px_json_bool_member(b, "integrations_known", s->known);
	px_json_bool_member(b, "complete", complete);
	px_json_text_member(b, "unknown_integration", unknown);
	px_json_time_member(b, "refreshed_at", s->view.refreshed_ms);
	px_buf_addc(b, '}');
}

px_rc px_status_root(struct px_reader *r, struct px_board *board, const char *store_path,
	struct px_buf *out, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(STATUS_MAX);
	PX_BUF_AUTO struct px_buf url = PX_BUF_INIT(4096);
	struct px_survey s;
	px_rc rc = px_survey_take(r, board, &s, err);

	if (rc)
		return rc;
	if (*s.view.api_url)
		px_buf_adds(&url, s.view.api_url);
	else if ((rc = px_reader_meta(r, "api_url", &url, err)) == PX_ENOENT)
		rc = PX_OK;
	if (!rc)
		add_root(&b, &s, store_path, url.len ? url.data : NULL);
	px_survey_release(&s);
	return rc ? rc : finish(&b, out, err);
}
