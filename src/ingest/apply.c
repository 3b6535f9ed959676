/* SPDX-License-Identifier: MIT */
/*
 * apply.c - what an event does: to the record, to what is due to be read again, to the log.
 *
 * Invariants:
 * 1. Partial data alone never becomes a file: an update is spliced only into a stored record that
 * agrees with it, and every splice is marked to be read again. What cannot be spliced is only
 * marked.
 * 2. Nothing is skipped for being identical to an earlier delivery: A to B, B to A, A to B are
 * three events.
 * 3. One log line for each delivery and model-directory that it touched at most; at least one for
 * each delivery.
 * 4. An event never touches a directory that is not enabled, and never makes one.
 */
#include "ingest_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"
#include "propexofs/log.h"

enum { HYDRATE_DELAY_MS = 300 };

struct applying {
	struct px_ingest_tx *tx;
	const struct px_event *e;
	const char *source;
	const char *payload; /* compact, NULL when withheld */
	size_t payload_len;
	const struct px_webhook_model *w;
	bool mark_only;
	int64_t at_ms; /* of a row of the API's log: when it was written there; 0: a delivery */
	size_t marked;
	size_t lines;
};

/* The values of a connection's configuration: they may hold credentials. */
static bool is_withheld(const struct px_webhook_model *w)
{
	return w && !strcmp(w->snake, "integration_configuration_meta_data");
}

static px_rc log_line(struct applying *a, const struct px_integration *i, const char *model,
	enum px_outcome outcome, const char *detail, struct px_err *err)
{
	a->lines++;
	/* what a delivery or a walk has brought already is no news */
	if (outcome == PX_OUTCOME_DUPLICATE && strcmp(a->source, "data-diff") == 0)
		return PX_OK;
	return px_log_append(a->tx,
		&(struct px_log_line){
			.source = a->source,
			.event = a->e->event,
			.iid = i ? i->iid : 0,
			.integration_id = i ? i->id : a->e->integration_id,
			.model = model ? model : a->e->object,
			.record_id = a->e->record_id,
			.outcome = outcome,
			.detail = detail,
			.payload = a->payload,
			.payload_len = a->payload_len,
		},
		err);
}

static px_rc mark(struct applying *a, int64_t did, const char *id, struct px_err *err)
{
	a->marked++;
	return px_writer_pending_add(a->tx->writer, did, id, strlen(id), px_ingest_epoch(a->tx->in),
		a->tx->now_ms, a->tx->now_ms + HYDRATE_DELAY_MS, err);
}

/* ---- one record
 * -------------------------------------------------------------------------------------------- */

static bool time_member(struct px_span object, const char *name, int64_t *ret_ns)
{
	char *s = px_json_strdup(px_json_member(object, name), 64);
	bool ok = s && !px_time_parse(s, strlen(s), ret_ns);

	free(s);
	return ok;
}

static bool older(struct px_span diff, const char *name, const char *stored)
{
	int64_t theirs, ours;

	return time_member(diff, name, &theirs) && *stored &&
	       !px_time_parse(stored, strlen(stored), &ours) && theirs < ours;
}

/* A diff whose own times lie before the record's is late news. */
static bool is_late(const struct px_event *e, const struct px_record_state *s)
{
	return older(e->diff_new, "last_seen", s->last_seen) ||
	       older(e->diff_new, "updated_at", s->updated_at);
}

static px_rc put_spliced(struct applying *a, int64_t did, const char *name,
	const struct px_buf *file, struct px_err *err)
{
	struct px_record r = {0};
	enum px_put_result result;
	int64_t ino, old_ino = 0;
	px_rc rc = px_record_parse(file->data, file->len, &r, err);

	if (rc)
		return rc;
	rc = px_writer_put(a->tx->writer,
		&(struct px_put){
			.did = did,
			.id = r.id,
			.id_len = r.id_len,
			.name = name,
			.body = r.body,
			.body_len = r.body_len,
			.digest = r.digest,
			.core_digest = r.core_digest,
			.updated_at = r.updated_at,
			.last_seen = r.last_seen,
			.property_id = r.property_id,
			.mtime_ns = r.mtime_ns,
			.source = PX_SOURCE_WEBHOOK,
			.epoch = px_ingest_epoch(a->tx->in),
		},
		&result, &ino, &old_ino, err);
	if (!rc && result == PX_PUT_REPLACED)
		rc = px_tx_change(a->tx, PX_CHANGE_REPLACED, 0, did, name, old_ino, err);
	px_record_release(&r);
	return rc;
}

static px_rc update(struct applying *a, const struct px_dir *dir, const struct px_entry *entry,
	const struct px_record_state *state, enum px_outcome *ret, const char **ret_detail,
	struct px_err *err)
{
	PX_BUF_AUTO struct px_buf doc = PX_BUF_INIT(PX_RECORD_MAX),
				  out = PX_BUF_INIT(PX_RECORD_MAX);
	enum px_splice verdict;
	int64_t ours;
	px_rc rc = px_reader_body(px_writer_reader(a->tx->writer), entry->ino, &doc, err);

	if (rc)
		return rc;
	rc = px_doc_splice(doc.data, doc.len, a->e->diff_new.p ? a->e->diff_new : a->e->payload,
		a->e->diff_previous, &out, &verdict, err);
	if (rc == PX_ELIMIT || rc == PX_ESYNTAX) {
		verdict = PX_SPLICE_MISMATCH;
		rc = PX_OK;
	}
	if (rc)
		return rc;
	if (verdict == PX_SPLICE_DUPLICATE) {
		*ret = PX_OUTCOME_DUPLICATE;
		return PX_OK;
	}
	/* what the API served later than this was written has it, or something newer */
	if (a->at_ms && state->source == PX_SOURCE_API && *state->updated_at &&
		!px_time_parse(state->updated_at, strlen(state->updated_at), &ours) &&
		ours / 1000000 >= a->at_ms) {
		*ret = PX_OUTCOME_DUPLICATE;
		return PX_OK;
	}
	*ret = PX_OUTCOME_QUEUED;
	if (is_late(a->e, state)) {
		*ret = PX_OUTCOME_STALE;
		*ret_detail = "older than the stored record; it is read again";
	} else if (verdict == PX_SPLICE_APPLIED && !a->mark_only &&
		   a->e->kind == PX_EVENT_DATA_UPDATE) {
		*ret = PX_OUTCOME_APPLIED;
		rc = put_spliced(a, dir->did, entry->name, &out, err);
	} else if (verdict == PX_SPLICE_MISMATCH) {
		*ret_detail = "the stored record has other previous values; it is read again";
	} else if (verdict == PX_SPLICE_LACKS) {
		*ret_detail = "the stored record lacks a member of the diff; it is read again";
	}
	return rc ? rc : mark(a, dir->did, a->e->record_id, err);
}

/* A row of a sub-collection can only be read below its parent: its event may say which that is, in
 * a member named after the parent's model (construction_jobs: construction_job_id). */
static px_rc remember_parent(struct applying *a, int model, struct px_err *err)
{
	struct px_span told = a->e->payload.p ? a->e->payload : a->e->diff_new;
	const char *parent;
	char member[80], *id;
	size_t len;
	px_rc rc = PX_OK;

	if (model < 0 || px_models[model].parent < 0 || !told.p)
		return PX_OK;
	parent = px_models[px_models[model].parent].snake;
	len = strlen(parent);
	(void)snprintf(member, sizeof member, "%.*s_id", (int)(len ? len - 1 : 0), parent);
	id = px_json_strdup(px_json_member(told, member), 4096);
	if (id && *id)
		rc = px_writer_link_put(
			a->tx->writer, px_models[model].snake, a->e->record_id, 0, id, err);
	free(id);
	return rc;
}

/* The event's own record, in one directory that holds records of its model. */
static px_rc apply_to(struct applying *a, const struct px_integration *i, const struct px_dir *dir,
	struct px_err *err)
{
	struct px_reader *r = px_writer_reader(a->tx->writer);
	int model = px_model_by_dir(dir->model);
	struct px_record_state state = {0};
	struct px_entry entry;
	char name[PX_NAME_MAX + 1];
	enum px_outcome outcome = PX_OUTCOME_QUEUED;
	const char *detail = NULL;
	px_rc rc;

	px_record_name(a->e->record_id, strlen(a->e->record_id), name);
	rc = px_reader_lookup(r, dir->did, name, strlen(name), &entry, err);
	if (!rc)
		rc = px_reader_record_state(r, dir->did, name, &state, err);
	if (rc && rc != PX_ENOENT)
		return rc;
	if (rc == PX_ENOENT) {
		/* which events are appointments only the API knows: an unknown one is news for its
		 * own model alone */
		if (model >= 0 && px_models[model].view_of >= 0 &&
			a->e->kind == PX_EVENT_DATA_UPDATE)
			return PX_OK;
		rc = remember_parent(a, model, err);
		if (!rc)
			rc = mark(a, dir->did, a->e->record_id, err);
	} else if (a->e->kind == PX_EVENT_DATA_UPDATE ? a->e->diff_new.p : a->e->payload.p) {
		rc = update(a, dir, &entry, &state, &outcome, &detail, err);
	} else {
		rc = mark(a, dir->did, a->e->record_id, err);
	}
	return rc ? rc : log_line(a, i, dir->model, outcome, detail, err);
}

/* ---- where it belongs
 * ------------------------------------------------------------------------------------------ */

/* Whether the integration has the model that the event is about, and if asked, its record. */
static bool has_model(const struct applying *a, int64_t iid, const char *record_name)
{
	struct px_reader *r = px_writer_reader(a->tx->writer);
	int model = !a->w ? -1 : a->w->models[0] >= 0 ? a->w->models[0] : a->w->parents[0];
	struct px_dir dir = {0};
	struct px_entry entry;
	bool has = model >= 0 && !px_reader_dir_by_name(r, iid, px_models[model].dir, &dir, NULL) &&
		   (record_name ? !px_reader_lookup(r, dir.did, record_name, strlen(record_name),
					  &entry, NULL)
				: px_dir_shown(&dir));

	px_dir_release(&dir);
	return has;
}

/* The integration an event names; without a name the one that holds the record, else the first that
 * has such records: read again by id, the answer says whose it is. */
static px_rc find_integration(struct applying *a, struct px_integration *ret, struct px_err *err)
{
	struct px_reader *r = px_writer_reader(a->tx->writer);
	struct px_integration *list = NULL;
	char name[PX_NAME_MAX + 1];
	size_t count = 0, at = SIZE_MAX;
	px_rc rc;

	if (a->e->integration_id)
		return px_reader_integration_by_id(r, a->e->integration_id, ret, err);
	rc = px_reader_integrations(r, &list, &count, err);
	if (rc)
		return rc;
	if (a->e->record_id && a->w && a->w->models[0] >= 0) {
		px_record_name(a->e->record_id, strlen(a->e->record_id), name);
		for (size_t i = 0; i < count && at == SIZE_MAX; i++)
			if (has_model(a, list[i].iid, name))
				at = i;
	}
	for (size_t i = 0; i < count && at == SIZE_MAX; i++)
		if (has_model(a, list[i].iid, NULL))
			at = i;
	if (at == SIZE_MAX && count)
		at = 0;
	rc = at == SIZE_MAX ? px_err_set(err, PX_ENOENT, "no integration") : PX_OK;
	if (!rc) {
		*ret = list[at];
		memset(&list[at], 0, sizeof list[at]);
	}
	px_integrations_free(list, count);
	return rc;
}

static px_rc apply_models(struct applying *a, const struct px_integration *i, struct px_err *err)
{
	px_rc rc = PX_OK;

	for (const int *m = a->w->models; *m >= 0 && !rc; m++) {
		struct px_dir dir = {0};

		rc = px_reader_dir_by_name(
			px_writer_reader(a->tx->writer), i->iid, px_models[*m].dir, &dir, err);
		if (rc == PX_ENOENT)
			rc = PX_OK;
		else if (!rc && px_dir_shown(&dir))
			rc = apply_to(a, i, &dir, err);
		px_dir_release(&dir);
	}
	if (!rc && !a->lines)
		rc = log_line(a, i, NULL, PX_OUTCOME_IGNORED,
			"the integration does not have this model", err);
	return rc;
}

/* A row that is only visible inside its parents: they are read again (API reference §10.5). */
static px_rc apply_parents(struct applying *a, const struct px_integration *i, struct px_err *err)
{
	struct px_reader *r = px_writer_reader(a->tx->writer);
	struct px_span told = a->e->payload.p ? a->e->payload : a->e->diff_new;
	bool all = true;
	px_rc rc = PX_OK;

	for (int k = 0; a->w->parents[k] >= 0 && !rc; k++) {
		PX_BUF_AUTO struct px_buf known = PX_BUF_INIT(8192);
		struct px_dir dir = {0};
		char *id = px_json_strdup(px_json_member(told, a->w->parent_member[k]), 4096);
		const char *parent = id;

		if (id)
			rc = px_writer_link_put(
				a->tx->writer, a->w->snake, a->e->record_id, k, id, err);
		else if (!px_reader_link(r, a->w->snake, a->e->record_id, k, &known, NULL))
			parent = known.data;
		if (!rc)
			rc = px_reader_dir_by_name(
				r, i->iid, px_models[a->w->parents[k]].dir, &dir, err);
		if (rc == PX_ENOENT) {
			rc = PX_OK;
		} else if (!rc && px_dir_shown(&dir)) {
			if (parent && *parent) {
				rc = mark(a, dir.did, parent, err);
			} else {
				all = false;
				rc = px_parents_owed(a->tx, i->iid, a->w->parents[k], err);
			}
		}
		px_dir_release(&dir);
		free(id);
	}
	return rc ? rc
		  : log_line(a, i, NULL, PX_OUTCOME_QUEUED,
			    all ? NULL
				: "the records it belongs to are not named: their list is read "
				  "again",
			    err);
}

static px_rc apply_data(struct applying *a, struct px_err *err)
{
	struct px_integration i = {0};
	px_rc rc;

	a->w = px_webhook_model_by_name(a->e->object, strlen(a->e->object));
	if (is_withheld(a->w)) {
		a->payload = NULL;
		a->payload_len = 0;
	}
	rc = find_integration(a, &i, err);
	if (rc && rc != PX_ENOENT)
		return rc;
	if (!rc && a->w && a->e->record_id && !a->at_ms)
		px_unannounced_heard(px_ingest_unannounced(a->tx->in), i.iid, a->w->snake,
			a->e->record_id, a->tx->now_ms);
	if (!a->w) {
		rc = log_line(a, rc ? NULL : &i, NULL, PX_OUTCOME_UNKNOWN_MODEL, NULL, err);
	} else if (rc) {
		px_ingest_ask_synced(a->tx->in, 0, false, false);
		rc = log_line(a, NULL, NULL, PX_OUTCOME_IGNORED,
			"the integration is not known yet: it will be read whole", err);
	} else if (a->w->event_only) {
		rc = log_line(a, &i, NULL, PX_OUTCOME_NOTED, "visible nowhere in the API", err);
	} else if (a->w->models[0] >= 0) {
		rc = apply_models(a, &i, err);
	} else if (a->w->parents[0] >= 0) {
		rc = apply_parents(a, &i, err);
	} else {
		rc = log_line(a, &i, NULL, PX_OUTCOME_NOTED, NULL, err);
	}
	if (!rc && a->at_ms && a->marked)
		px_unannounced_note(px_ingest_unannounced(a->tx->in), i.iid, a->w->snake,
			a->e->record_id, a->at_ms);
	px_integration_release(&i);
	return rc;
}

static px_rc apply_sync(struct applying *a, struct px_err *err)
{
	struct px_integration i = {0};
	px_rc rc = find_integration(a, &i, err);
	bool known = !rc;
	char failed[100];

	if (rc && rc != PX_ENOENT)
		return rc;
	if (known) {
		bool first = a->e->kind == PX_EVENT_FIRST_SYNC_COMPLETE;

		if (first || a->e->is_backsync)
			rc = px_silent_owed(a->tx, i.iid, err);
		px_ingest_ask_synced(a->tx->in, i.iid, first, a->e->is_backsync);
	} else {
		rc = PX_OK;
		px_ingest_ask_synced(a->tx->in, 0, false, false);
	}
	if (a->e->failed_jobs)
		(void)snprintf(failed, sizeof failed, "%lld jobs of the sync failed%s",
			(long long)a->e->failed_jobs,
			a->e->is_sync_finished ? "" : ", and it was given up before its end");
	if (!rc)
		rc = log_line(a, known ? &i : NULL, NULL, PX_OUTCOME_NOTED,
			a->e->failed_jobs	 ? failed
			: a->e->is_sync_finished ? NULL
						 : "the sync was given up before its end",
			err);
	px_integration_release(&i);
	return rc;
}

static px_rc touch_integration(struct applying *a, struct px_err *err)
{
	struct px_integration i = {0};
	px_rc rc;

	if (!a->e->integration_id)
		return PX_OK;
	rc = px_reader_integration_by_id(
		px_writer_reader(a->tx->writer), a->e->integration_id, &i, err);
	if (rc)
		return rc == PX_ENOENT ? PX_OK : rc;
	i.last_event_ms = a->tx->now_ms;
	rc = px_writer_integration_state(a->tx->writer, &i, err);
	px_integration_release(&i);
	return rc;
}

static px_rc apply(struct applying *a, struct px_err *err)
{
	px_rc rc = touch_integration(a, err);

	if (rc)
		return rc;
	switch (a->e->kind) {
	case PX_EVENT_DATA_NEW:
	case PX_EVENT_DATA_UPDATE:
		return apply_data(a, err);
	case PX_EVENT_SYNC_COMPLETE:
	case PX_EVENT_FIRST_SYNC_COMPLETE:
		return apply_sync(a, err);
	case PX_EVENT_JOB_FAILURE:
	case PX_EVENT_WRITE_OPERATION_FAILURE: {
		struct px_integration i = {0};
		bool known = !find_integration(a, &i, NULL);

		rc = log_line(a, known ? &i : NULL, NULL, PX_OUTCOME_NOTED, NULL, err);
		px_integration_release(&i);
		return rc;
	}
	default:
		return log_line(
			a, NULL, NULL, PX_OUTCOME_IGNORED, "an event of an unknown kind", err);
	}
}

/* ---- deliveries
 * -------------------------------------------------------------------------------------------------
 */

px_rc px_apply_delivery(struct px_ingest_tx *tx, const struct px_delivery *d, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf payload = PX_BUF_INIT(16 << 20);
	struct px_event e = {0};
	struct applying a = {.tx = tx, .e = &e, .source = "webhook"};
	px_rc rc = px_event_parse(d->body, d->len, &e, err);

	if (!rc)
		rc = px_doc_compact(d->body, d->len, &payload, err);
	a.payload = payload.data;
	a.payload_len = payload.len;
	if (!rc)
		rc = apply(&a, err);
	if (!rc)
		rc = px_writer_inbox_done(tx->writer, d->arrival, err);
	if (!rc && a.marked)
		px_ingest_ask_marked(tx->in);
	px_event_release(&e);
	return rc;
}

/* Set aside after three tries: said in the log, and its record is read again. */
px_rc px_apply_failed(
	struct px_ingest_tx *tx, const struct px_delivery *d, const char *why, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf payload = PX_BUF_INIT(16 << 20);
	struct px_event e = {0};
	struct applying a = {.tx = tx, .e = &e, .source = "webhook"};
	struct px_integration i = {0};
	bool known = false;
	px_rc rc = PX_OK;

	if (px_event_parse(d->body, d->len, &e, NULL)) {
		e.event = strdup("UNREADABLE");
	} else if (!px_doc_compact(d->body, d->len, &payload, NULL)) {
		a.payload = payload.data;
		a.payload_len = payload.len;
	}
	if (e.object)
		a.w = px_webhook_model_by_name(e.object, strlen(e.object));
	if (is_withheld(a.w))
		a.payload = NULL;
	known = !find_integration(&a, &i, NULL);
	/* which rows it would have touched is not asked a fourth time: the lists that show them are
	 * read */
	if (known && a.w)
		for (const int *m = a.w->parents; *m >= 0 && !rc; m++)
			rc = px_parents_owed(tx, i.iid, *m, err);
	if (known && a.w && e.record_id)
		for (const int *m = a.w->models; *m >= 0 && !rc; m++) {
			struct px_dir dir = {0};

			if (!px_reader_dir_by_name(px_writer_reader(tx->writer), i.iid,
				    px_models[*m].dir, &dir, NULL) &&
				px_dir_shown(&dir))
				rc = mark(&a, dir.did, e.record_id, err);
			px_dir_release(&dir);
		}
	if (!rc)
		rc = log_line(&a, known ? &i : NULL, NULL, PX_OUTCOME_FAILED, why, err);
	if (!rc)
		rc = px_writer_inbox_done(tx->writer, d->arrival, err);
	if (!rc && a.marked)
		px_ingest_ask_marked(tx->in);
	px_integration_release(&i);
	px_event_release(&e);
	return rc;
}

static void add_member(struct px_buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	px_buf_addf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
	px_buf_add_jsons(out, value);
}

/* What is kept of a delivery whose payload is withheld: it may hold credentials, and what has been
 * in the database once can stay in its free pages. false: it is kept as it came. */
static bool without_payload(const struct px_delivery_job *d, struct px_buf *out)
{
	struct px_event e = {0};
	bool withheld = memmem(d->body, d->len, "configuration", 13) &&
			!px_event_parse(d->body, d->len, &e, NULL) &&
			is_withheld(px_webhook_model_by_name(
				e.object ? e.object : "", e.object ? strlen(e.object) : 0));

	if (withheld) {
		px_buf_addc(out, '{');
		add_member(out, "event", e.event);
		add_member(out, "object", e.object);
		add_member(out, "integration_id", e.integration_id);
		add_member(out, "record_id", e.record_id);
		px_buf_addc(out, '}');
	}
	px_event_release(&e);
	return withheld;
}

static px_rc delivery_run(struct px_ingest_tx *tx, struct px_job *job, struct px_err *err)
{
	struct px_delivery_job *d = (struct px_delivery_job *)job;
	PX_BUF_AUTO struct px_buf kept = PX_BUF_INIT(64 << 10);
	int64_t arrival;
	px_rc rc;

	if (without_payload(d, &kept)) {
		rc = px_buf_ok(&kept, err);
		if (!rc)
			rc = px_writer_inbox_add(
				tx->writer, kept.data, kept.len, d->received_ms, &arrival, err);
	} else {
		rc = px_writer_inbox_add(
			tx->writer, d->body, d->len, d->received_ms, &arrival, err);
	}
	if (!rc)
		px_ingest_inbox_filled(tx->in);
	return rc;
}

void px_delivery_job_init(
	struct px_delivery_job *d, const char *body, size_t len, int64_t received_ms)
{
	memset(d, 0, sizeof *d);
	d->job.run = delivery_run;
	d->body = body;
	d->len = len;
	d->received_ms = received_ms;
}

/* ---- data diffs
 * -----------------------------------------------------------------------------------------------------
 */

static px_rc diff_run(struct px_ingest_tx *tx, struct px_job *job, struct px_err *err)
{
	struct px_diff_job *d = (struct px_diff_job *)job;

	d->marked = 0;
	for (size_t k = 0; k < d->count; k++) {
		PX_BUF_AUTO struct px_buf payload = PX_BUF_INIT(16 << 20);
		struct px_event e = {0};
		struct applying a = {
			.tx = tx, .e = &e, .source = "data-diff", .mark_only = d->mark_only};
		int64_t at_ns;
		px_rc rc = px_event_from_diff(d->rows[k], &e, err);

		if (rc) {
			px_log_limited(PX_LOG_WARN, "sync", "a data diff is not understood: %s",
				err ? err->msg : "");
			continue;
		}
		a.at_ms = time_member(d->rows[k], "created_at", &at_ns) ? at_ns / 1000000
									: tx->now_ms;
		rc = px_doc_compact(d->rows[k].p, d->rows[k].len, &payload, err);
		a.payload = payload.data;
		a.payload_len = payload.len;
		if (!rc)
			rc = apply_data(&a, err);
		d->marked += a.marked;
		px_event_release(&e);
		if (rc)
			return rc;
	}
	if (d->marked)
		px_ingest_ask_marked(tx->in);
	return d->meta_key ? px_writer_meta_put(tx->writer, d->meta_key, d->meta_value, err)
			   : PX_OK;
}

void px_diff_job_init(struct px_diff_job *d)
{
	memset(d, 0, sizeof *d);
	d->job.run = diff_run;
}

void px_diff_job_release(struct px_diff_job *d)
{
	free(d->rows);
	free(d->body);
	free(d->meta_key);
	free(d->meta_value);
}
