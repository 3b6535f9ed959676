/* SPDX-License-Identifier: MIT */
/*
 * page.c - one API answer's records into the store, in one transaction with the walk's notes.
 *
 * Invariant (order by request): an answer is applied only if its request was sent after the
 * record's last apply; one that was sent earlier and differs is dropped, and the record is marked
 * to be read again. A mark is cleared only by an answer whose request was sent after the mark.
 */
#include "ingest_i.h"

#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"

enum { LAG_MS = 300000 };

/* How long to wait before the API is asked again when it lags behind its own delivery. */
static const int lag_delays_ms[] = {1000, 4000, 16000, 60000};

static bool sent_too_early(const struct px_record_state *s, int64_t sent_epoch)
{
	int64_t applied = s->fetched_epoch > s->patched_epoch ? s->fetched_epoch : s->patched_epoch;

	return sent_epoch <= applied;
}

/* Below, at, above 0: the API's time lies before, at, after the stored one; 0 also when one is not
 * known. */
static int time_order(const char *theirs, const char *ours)
{
	int64_t a, b;

	if (!theirs || !*ours || px_time_parse(theirs, strlen(theirs), &a) ||
		px_time_parse(ours, strlen(ours), &b))
		return 0;
	return a < b ? -1 : a > b;
}

/* Whether the answer looks like the record before what a delivery has told of it. Also when another
 * answer has confirmed the delivery since: not every answer comes from the same copy. */
static bool may_lag(const struct px_record_state *s, const struct px_record *r, int64_t now_ms)
{
	if (now_ms - s->patched_ms > LAG_MS)
		return false;
	/* back at a former state, and said to be later than it: A to B to A is three changes */
	if (time_order(r->updated_at, s->updated_at))
		return time_order(r->updated_at, s->updated_at) < 0;
	for (size_t i = 0; i + 16 <= s->before_len; i += 16)
		if (!memcmp(s->before + i, r->core_digest, 16))
			return true;
	return false;
}

/* Not applied, but the walk has seen it. */
static px_rc drop(struct px_ingest_tx *tx, struct px_page_job *p, const struct px_page_record *r,
	const char *name, struct px_err *err)
{
	p->dropped++;
	return p->walk ? px_writer_walk_saw(tx->writer, r->did, name, p->walk, err) : PX_OK;
}

/* The API lags behind its own delivery: asked again later, a few times; then it is believed. */
static px_rc ask_later(struct px_ingest_tx *tx, const struct px_page_record *r, bool *ret_later,
	struct px_err *err)
{
	int64_t epoch;
	int attempts = 0;
	px_rc rc = px_reader_pending_get(px_writer_reader(tx->writer), r->did, r->record.id,
		r->record.id_len, &epoch, &attempts, err);

	*ret_later = attempts < (int)(sizeof lag_delays_ms / sizeof *lag_delays_ms);
	if (rc == PX_ENOENT)
		rc = px_writer_pending_add(tx->writer, r->did, r->record.id, r->record.id_len,
			px_ingest_epoch(tx->in), tx->now_ms, tx->now_ms, err);
	if (rc || !*ret_later)
		return rc;
	return px_writer_pending_retry(tx->writer, r->did, r->record.id, r->record.id_len,
		tx->now_ms + lag_delays_ms[attempts], err);
}

/* *ret_dropped: the answer must not be applied, and what is due instead has been noted. */
static px_rc check_order(struct px_ingest_tx *tx, struct px_page_job *p,
	const struct px_page_record *r, const char *name, bool *ret_dropped, struct px_err *err)
{
	struct px_reader *reader = px_writer_reader(tx->writer);
	struct px_record_state state;
	px_rc rc = px_reader_record_state(reader, r->did, name, &state, err);

	*ret_dropped = false;
	if (rc == PX_ENOENT)
		return PX_OK;
	if (rc || (state.ino && !memcmp(state.digest, r->record.digest, sizeof state.digest)))
		return rc;
	if (sent_too_early(&state, p->sent_epoch)) {
		*ret_dropped = true;
		p->overtaken++;
		rc = px_writer_pending_add(tx->writer, r->did, r->record.id, r->record.id_len,
			px_ingest_epoch(tx->in), tx->now_ms, tx->now_ms, err);
	} else if (state.ino && may_lag(&state, &r->record, tx->now_ms)) {
		rc = ask_later(tx, r, ret_dropped, err);
	}
	return rc || !*ret_dropped ? rc : drop(tx, p, r, name, err);
}

/* Marks that this answer settles: those that are older than its request. */
static px_rc clear_marks(struct px_ingest_tx *tx, struct px_page_job *p,
	const struct px_page_record *r, struct px_err *err)
{
	struct px_dir dir = {0};
	int64_t epoch;
	int attempts;
	px_rc rc = PX_OK;

	if (p->cleared_did)
		rc = px_writer_pending_clear(tx->writer, p->cleared_did, r->record.id,
			r->record.id_len, p->sent_epoch, NULL, err);
	if (!rc)
		rc = px_reader_pending_get(px_writer_reader(tx->writer), r->did, r->record.id,
			r->record.id_len, &epoch, &attempts, err);
	if (rc)
		return rc == PX_ENOENT ? PX_OK : rc;
	if (epoch > p->sent_epoch) {
		p->overtaken++;
		return PX_OK;
	}
	rc = px_writer_pending_clear(
		tx->writer, r->did, r->record.id, r->record.id_len, p->sent_epoch, NULL, err);
	if (rc)
		return rc;
	rc = px_reader_dir(px_writer_reader(tx->writer), r->did, &dir, err);
	if (!rc)
		rc = px_log_local(tx, dir.iid, dir.model, r->record.id, "HYDRATED", NULL, err);
	px_dir_release(&dir);
	return rc;
}

static px_rc put_one(struct px_ingest_tx *tx, struct px_page_job *p, const struct px_page_record *r,
	struct px_err *err)
{
	char name[PX_NAME_MAX + 1];
	int64_t epoch, ino = 0, old_ino = 0;
	enum px_put_result result = PX_PUT_SAME;
	bool dropped;
	px_rc rc;

	px_record_name(r->record.id, r->record.id_len, name);
	rc = check_order(tx, p, r, name, &dropped, err);
	if (rc || dropped)
		return rc;
	rc = clear_marks(tx, p, r, err);
	if (rc)
		return rc;
	epoch = px_ingest_epoch(tx->in);
	rc = px_writer_put(tx->writer,
		&(struct px_put){
			.did = r->did,
			.id = r->record.id,
			.id_len = r->record.id_len,
			.name = name,
			.body = r->record.body,
			.body_len = r->record.body_len,
			.digest = r->record.digest,
			.core_digest = r->record.core_digest,
			.updated_at = r->record.updated_at,
			.last_seen = r->record.last_seen,
			.property_id = r->record.property_id,
			.parent = p->parent,
			.mtime_ns = r->record.mtime_ns,
			.source = PX_SOURCE_API,
			.epoch = epoch,
			.walk = p->walk,
		},
		&result, &ino, &old_ino, err);
	if (rc)
		return rc;
	switch (result) {
	case PX_PUT_SAME:
		p->same++;
		return PX_OK;
	case PX_PUT_NEW:
		p->fresh++;
		return px_tx_change(tx, PX_CHANGE_NEW, 0, r->did, name, 0, err);
	case PX_PUT_REPLACED:
		p->replaced++;
		return px_tx_change(tx, PX_CHANGE_REPLACED, 0, r->did, name, old_ino, err);
	}
	return PX_OK;
}

/* Writes a directory's state and announces what of it shows. */
px_rc px_tx_dir_state(struct px_ingest_tx *tx, const struct px_dir *state, struct px_err *err)
{
	struct px_dir before = {0};
	px_rc rc = px_reader_dir(px_writer_reader(tx->writer), state->did, &before, err);
	bool listing, shown;

	if (rc)
		return rc;
	listing = state->complete && !before.complete;
	shown = px_dir_shown(&before) != (state->enabled || before.records > 0);
	px_dir_release(&before);
	rc = px_writer_dir_state(tx->writer, state, err);
	if (!rc && listing)
		rc = px_tx_change(tx, PX_CHANGE_LISTING, state->iid, state->did, NULL, 0, err);
	if (!rc && shown)
		rc = px_tx_change(tx, PX_CHANGE_DIRS, state->iid, 0, NULL, 0, err);
	return rc;
}

enum { SETTLE_MAX = 1000, BACKOFF_MIN_MS = 2000, BACKOFF_MAX_MS = 3600000, GIVE_UP_MS = 86400000 };

/* A record that was announced and is not in the list. */
static px_rc settle_one(struct px_ingest_tx *tx, const struct px_page_job *p,
	const struct px_pending *mark, struct px_err *err)
{
	int64_t delay = BACKOFF_MIN_MS;
	struct px_entry entry;
	char name[PX_NAME_MAX + 1];
	px_rc rc = PX_OK;

	if (p->settled_view) {
		px_record_name(mark->id, mark->id_len, name);
		rc = px_reader_lookup(
			px_writer_reader(tx->writer), mark->did, name, strlen(name), &entry, err);
	}
	if (rc == PX_ENOENT || tx->now_ms - mark->since_ms > GIVE_UP_MS)
		return px_writer_pending_clear(
			tx->writer, mark->did, mark->id, mark->id_len, p->settled_epoch, NULL, err);
	for (int i = 0; i < mark->attempts && delay < BACKOFF_MAX_MS; i++)
		delay *= 2;
	return rc ? rc
		  : px_writer_pending_retry(
			    tx->writer, mark->did, mark->id, mark->id_len, tx->now_ms + delay, err);
}

static px_rc settle_marks(struct px_ingest_tx *tx, const struct px_page_job *p, struct px_err *err)
{
	struct px_pending *list = NULL;
	size_t count = 0;
	px_rc rc = px_reader_pending(px_writer_reader(tx->writer), p->settled_did, tx->now_ms,
		SETTLE_MAX, &list, &count, err);

	for (size_t i = 0; i < count && !rc; i++)
		if (list[i].epoch < p->settled_epoch)
			rc = settle_one(tx, p, &list[i], err);
	px_pending_free(list, count);
	return rc;
}

/* Whether the page before this one is stored. */
static px_rc check_behind(struct px_ingest_tx *tx, const struct px_page_job *p, struct px_err *err)
{
	struct px_reader *r = px_writer_reader(tx->writer);
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(64 << 10);
	struct px_dir dir = {0};
	const char *stored;
	px_rc rc = p->behind_did ? px_reader_dir(r, p->behind_did, &dir, err)
				 : px_reader_meta(r, p->meta_key, &text, err);

	if (rc && rc != PX_ENOENT)
		return rc;
	stored = p->behind_did ? dir.cursor : text.data;
	rc = stored && !strcmp(stored, p->behind)
		     ? PX_OK
		     : px_err_set(err, PX_EBUSY, "the page before it was not stored");
	px_dir_release(&dir);
	return rc;
}

static px_rc page_run(struct px_ingest_tx *tx, struct px_job *job, struct px_err *err)
{
	struct px_page_job *p = (struct px_page_job *)job;
	px_rc behind = p->behind ? check_behind(tx, p, err) : PX_OK;

	if (behind)
		return behind;
	p->fresh = p->replaced = p->same = p->dropped = p->overtaken = 0;
	for (size_t i = 0; i < p->count; i++) {
		px_rc rc = put_one(tx, p, &p->records[i], err);

		if (rc)
			return px_err_ctx(err, "record %s", p->records[i].record.id);
	}
	for (size_t i = 0; i < p->state_count; i++) {
		px_rc rc = px_tx_dir_state(tx, &p->states[i], err);

		if (!rc && p->event)
			rc = px_log_local(tx, p->states[i].iid, p->states[i].model, NULL, p->event,
				NULL, err);
		if (!rc && p->whole_epoch)
			rc = px_parents_answered(tx, p->states[i].did, p->whole_epoch, err);
		if (rc)
			return rc;
	}
	if (p->settled_epoch) {
		px_rc rc = settle_marks(tx, p, err);

		if (rc)
			return rc;
	}
	return p->meta_key ? px_writer_meta_put(tx->writer, p->meta_key, p->meta_value, err)
			   : PX_OK;
}

void px_page_job_init(struct px_page_job *p)
{
	memset(p, 0, sizeof *p);
	p->job.run = page_run;
}

void px_page_job_release(struct px_page_job *p)
{
	for (size_t i = 0; i < p->count; i++)
		px_record_release(&p->records[i].record);
	free(p->records);
	free(p->parent);
	for (size_t i = 0; i < p->state_count; i++)
		px_dir_release(&p->states[i]);
	free(p->states);
	free(p->meta_key);
	free(p->meta_value);
	free(p->behind);
}
