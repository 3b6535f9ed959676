/* SPDX-License-Identifier: MIT */
/*
 * catchup.c - what a sync, or a burst of events, has changed: one walk per model over what changed
 * since a moment.
 *
 * A regular sync announces what it changes, record by record, and announcements get lost: so each
 * complete model is walked once more from its watermark, which costs a request where nothing
 * changed. A first sync or a back-sync announces nothing and is not bound to move updated_at (API
 * reference §14): after those every list is read whole again, in place. Rows of sub-collections
 * have no list of their own: the log of changes names them, and where that is refused they are read
 * whole again too.
 *
 * Invariants: the watermark moves only behind a walk that began at it, or before it, and came to
 * its end, to the largest updated_at that the API told. What has been caught up with is stored only
 * when every walk for it has ended well; a process that dies before walks again.
 */
#include "sync_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	WATERMARK_OVERLAP_MS = 120000, /* both are the API's: changes that were committed late */
	BURST_OVERLAP_MS = 2000,       /* what was committed later than that goes by id */
	PARENTS_QUIET_MS = 10000,      /* rows inside records come in bursts */
	PARENTS_EACH_MS = 600000,      /* unless a sync ends */
};

bool catchup_due(const struct sdir *d)
{
	return d->catch_up && dir_due(d) && d->row.complete;
}

/* ---- what has been caught up with ------------------------------------------------------------ */

static bool moved(const char *a, const char *b)
{
	return b && (!a || strcmp(a, b) != 0);
}

static void keep(char **to, const char *from)
{
	free(*to);
	*to = from ? strdup(from) : NULL;
}

static void covered_key(const struct sinteg *in, char key[40])
{
	(void)snprintf(key, 40, "covered.%lld", (long long)in->row.iid);
}

static void load_covered(struct px_sync *s, struct sinteg *in)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(4096);
	char key[40];

	in->covered_loaded = true;
	px_silent_key(in->row.iid, key);
	if (!px_reader_meta(s->reader, key, &text, NULL) && text.len) {
		/* the list of integrations has been read since */
		in->silent_told = in->silent_listed = true;
		in->silent_ms = strtoll(text.data, NULL, 10);
	}
	px_buf_release(&text);
	px_buf_init(&text, 4096);
	covered_key(in, key);
	if (!px_reader_meta(s->reader, key, &text, NULL) && text.len &&
		!px_json_check(text.data, text.len, NULL)) {
		struct px_span c = {text.data, text.len};

		in->covered_sync = px_json_strdup(px_json_member(c, "sync"), 256);
		in->covered_back_sync = px_json_strdup(px_json_member(c, "back"), 256);
	}
}

static void store_covered(struct px_sync *s, struct sinteg *in)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(4096);
	char key[40];

	covered_key(in, key);
	px_buf_adds(&text, "{\"sync\":");
	px_buf_add_jsons(&text, in->covered_sync);
	px_buf_adds(&text, ",\"back\":");
	px_buf_add_jsons(&text, in->covered_back_sync);
	px_buf_addc(&text, '}');
	if (!px_buf_ok(&text, NULL))
		sync_store_meta(s, key, text.data);
	if (in->silent_ms && !in->silent_told) {
		in->silent_ms = 0;
		px_silent_key(in->row.iid, key);
		sync_store_meta(s, key, "");
	}
}

/* The walk under way over the list that holds d, or NULL. */
static const struct walk *walk_over(const struct px_sync *s, const struct sdir *d)
{
	const struct px_model *m = &px_models[d->model];

	return m->by_integration || m->parent >= 0 ? d->walk : s->account_walk;
}

static bool all_caught_up(const struct px_sync *s, const struct sinteg *in)
{
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		const struct sdir *d = &in->dirs[m];

		if (dir_due(d) && (!d->row.complete || d->refill || d->catch_up || d->since_out ||
					  walk_over(s, d)))
			return false;
	}
	return true;
}

/* What is stored is what the API had when the last refresh was begun: it named nothing that has not
 * been read since. What it marked counts as waiting (oldest_pending_event_at), not here. */
static void reconciled(struct px_sync *s, struct sinteg *in)
{
	struct px_note_job *n = malloc(sizeof *n);
	int64_t filled_ms = 0;

	if (!n)
		return;
	for (int m = 0; m < PX_MODEL_COUNT; m++)
		if (in->dirs[m].row.filled_ms > filled_ms)
			filled_ms = in->dirs[m].row.filled_ms;
	px_note_job_init(n);
	n->reconciled_iid = in->row.iid;
	n->filled_ms = filled_ms;
	n->reconciled_ms = in->reconciled_ms = s->refreshed_ms;
	sync_submit_note(s, n);
}

/* Whether something that the API told, or a list never read whole, waits to be read. */
static bool is_behind(const struct px_sync *s, const struct sinteg *in)
{
	if (in->silent_told)
		return true;
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		const struct sdir *d = &in->dirs[m];

		if (dir_due(d) && (!d->row.complete || d->catch_up || d->since_out ||
					  (d->refill && !d->sweeping) ||
					  (walk_over(s, d) && !walk_is_sweep(walk_over(s, d)))))
			return true;
	}
	return false;
}

void catchup_reconcile(struct px_sync *s)
{
	if (s->listed_ms > s->refreshed_ms && (!s->diffs_due || s->diffs_honoured < 0)) {
		s->refreshed_ms = s->listed_ms;
		px_board_set_refreshed(s->board, s->refreshed_ms);
	}
	for (size_t i = 0; i < s->count; i++) {
		struct sinteg *in = s->integs[i];
		bool behind = is_behind(s, in);

		if (behind != in->behind)
			px_board_set_catching_up(s->board, in->row.iid, behind);
		in->behind = behind;
		if (!behind && in->wanted && in->row.present && in->row.last_completed_sync &&
			s->refreshed_ms > in->reconciled_ms)
			reconciled(s, in);
	}
}

/* Whether a directory was read to its end after the sync that the API names now. */
static bool read_since(const struct sdir *d)
{
	const struct px_integration *i = &d->integ->row;
	int64_t sync_ns = INT64_MIN, back_ns = INT64_MIN;

	if (!d->row.reconciled_ms || d->row.cursor)
		return false;
	if (i->last_completed_sync)
		(void)px_time_parse(
			i->last_completed_sync, strlen(i->last_completed_sync), &sync_ns);
	if (i->last_completed_back_sync)
		(void)px_time_parse(
			i->last_completed_back_sync, strlen(i->last_completed_back_sync), &back_ns);
	if (back_ns > sync_ns)
		sync_ns = back_ns;
	return sync_ns / 1000000 < d->row.reconciled_ms;
}

/* Whether the walk that a cursor stands for began after the syncs that the API and deliveries name
 * now.
 */
static bool began_after_syncs(const struct sdir *d)
{
	return walk_cursor_after_syncs(d) && walk_cursor_began_ms(d) > d->integ->silent_ms;
}

static void notice(struct px_sync *s, struct sinteg *in)
{
	const struct px_integration *row = &in->row;
	bool silent, first;

	if (!in->covered_loaded)
		load_covered(s, in);
	first = !in->covered_sync;
	silent = in->silent_listed ||
		 (!first && moved(in->covered_back_sync, row->last_completed_back_sync));
	if (!silent && !moved(in->covered_sync, row->last_completed_sync)) {
		if (in->covering && all_caught_up(s, in)) {
			in->covering = false;
			store_covered(s, in);
		}
		return;
	}
	in->files_wanted = true;
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		struct sdir *d = &in->dirs[m];

		if (d->parents_asked_ms)
			d->parents_listed_ms = 0;
		/* a store that was filled and never caught up */
		if (first && !in->silent_listed && read_since(d))
			continue;
		/* pages that were read before the sync ended do not have what it brought */
		if (!d->row.complete && !walk_over(s, d))
			d->anew |= !began_after_syncs(d);
		else if (silent || first)
			d->refill = true;
		else
			d->catch_up = true;
		if (d->refill)
			d->anew |= walk_over(s, d) || !began_after_syncs(d);
	}
	in->silent_told = in->silent_listed = false;
	in->covering = true;
	keep(&in->covered_sync, row->last_completed_sync);
	keep(&in->covered_back_sync, row->last_completed_back_sync);
}

/* ---- one model ------------------------------------------------------------------------------- */

static int64_t watermark_ms(const struct sdir *d)
{
	int64_t ns;

	if (!d->row.watermark || px_time_parse(d->row.watermark, strlen(d->row.watermark), &ns))
		return INT64_MIN;
	return ns / 1000000;
}

/* Calls for each directory that a list holds: one, or for a list without an integration filter the
 * model's in every integration. */
static void each_of_list(struct px_sync *s, struct sdir *d,
	void (*what)(struct px_sync *s, struct sdir *d, const void *arg), const void *arg)
{
	if (px_models[d->model].by_integration) {
		what(s, d, arg);
		return;
	}
	for (size_t i = 0; i < s->count; i++)
		if (dir_due(&s->integs[i]->dirs[d->model]))
			what(s, &s->integs[i]->dirs[d->model], arg);
}

static void began(struct px_sync *s, struct sdir *d, const void *arg)
{
	const int64_t *from_ms = arg;

	(void)s;
	d->since_out = true;
	d->since_from_ms = *from_ms;
	d->since_tried_ms = px_clock_forward_ms();
	if (watermark_ms(d) >= *from_ms)
		d->catch_up = false; /* whoever asks from now on wants another walk */
}

static void ended(struct px_sync *s, struct sdir *d, const void *arg)
{
	const char *newest = arg;
	int64_t ns;

	d->since_out = false;
	/* at least what the watermark stands for should have come */
	if (!newest && watermark_ms(d) >= d->since_from_ms && sync_is_odd(s, &d->odd_list)) {
		d->since_tried_ms = 0;
		d->catch_up = true;
		d->retry_ms = px_clock_mono_ms() + RETRY_MIN_MS;
		return;
	}
	d->failures = 0;
	if (newest && px_time_parse(newest, strlen(newest), &ns))
		newest = NULL;
	if (newest && ns / 1000000 > d->since_reached_ms)
		d->since_reached_ms = ns / 1000000;
	if (newest && watermark_ms(d) >= d->since_from_ms && ns / 1000000 > watermark_ms(d)) {
		free(d->row.watermark);
		d->row.watermark = strdup(newest);
		sync_put_dir(s, d);
	}
	sync_dir_error(s, d, NULL);
}

static void failed(struct px_sync *s, struct sdir *d, const void *arg)
{
	const struct px_err *err = arg;

	d->since_out = false;
	d->since_tried_ms = 0;
	d->failures++;
	d->retry_ms = px_clock_mono_ms() + sync_backoff_ms(d->failures, RETRY_MIN_MS, RETRY_MAX_MS);
	/* the whole list knows what to do with a refusal, and needs no filter and no order */
	if (err->http == 400 || err->http == 403 || err->http == 404)
		walk_again(d);
	else if (watermark_ms(d) >= d->since_from_ms)
		d->catch_up = true;
	sync_dir_error(s, d, err->msg);
}

static void done(struct px_sync *s, struct sdir *d, const struct px_err *err, const char *newest)
{
	if (err && err->code == PX_ECANCELED)
		return;
	each_of_list(s, d, err ? failed : ended, err ? (const void *)err : (const void *)newest);
	s->marks_due_ms = 0;
}

static void lowest(struct px_sync *s, struct sdir *d, const void *arg)
{
	int64_t *from_ms = (int64_t *)(uintptr_t)arg;
	int64_t at = watermark_ms(d);

	(void)s;
	if (d->catch_up && at != INT64_MIN && at - WATERMARK_OVERLAP_MS < *from_ms)
		*from_ms = at - WATERMARK_OVERLAP_MS;
}

void catchup_start(struct px_sync *s, struct sdir *d, int64_t oldest_ms, enum px_purpose purpose)
{
	int64_t from_ms = oldest_ms == INT64_MAX ? INT64_MAX : oldest_ms - CLOCKS_MS;

	/* in one burst each walk goes on where the last one ended */
	if (oldest_ms != INT64_MAX && oldest_ms > d->since_tried_ms &&
		from_ms < d->since_reached_ms - BURST_OVERLAP_MS)
		from_ms = d->since_reached_ms - BURST_OVERLAP_MS;
	each_of_list(s, d, lowest, &from_ms);
	if (from_ms == INT64_MAX || !since_start(s, d, from_ms, purpose, done))
		return;
	each_of_list(s, d, began, &from_ms);
}

void catchup_parents(struct sdir *d)
{
	d->parents_asked_ms = px_clock_mono_ms();
}

/* What an earlier process was told and has not done. */
static void recall_parents(struct px_sync *s, struct sdir *d)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(64);
	char key[PX_META_KEY_MAX];

	if (d->parents_recalled || !d->row.did)
		return;
	d->parents_recalled = true;
	px_parents_key(d->row.did, key);
	if (!px_reader_meta(s->reader, key, &text, NULL) && text.len)
		catchup_parents(d);
}

static void parents_when_due(struct sdir *d, int64_t now)
{
	if (!d->parents_asked_ms || !d->row.complete ||
		now < d->parents_asked_ms + PARENTS_QUIET_MS ||
		(d->parents_listed_ms && now < d->parents_listed_ms + PARENTS_EACH_MS))
		return;
	d->parents_asked_ms = 0;
	d->parents_listed_ms = now;
	d->sweeping = !d->refill;
	walk_again(d);
}

/* No list that tells what changed: the log of changes has named it, or all of it is read. */
static bool needs_whole_list(const struct px_sync *s, const struct sdir *d)
{
	if (px_models[d->model].parent >= 0)
		return s->diffs_honoured <= 0;
	return watermark_ms(d) == INT64_MIN;
}

static void catch_up(struct px_sync *s, struct sdir *d)
{
	if (needs_whole_list(s, d)) {
		d->catch_up = false;
		walk_again(d);
	} else if (px_models[d->model].parent >= 0) {
		d->catch_up = false;
	} else if (!d->refill && !d->walk) {
		catchup_start(s, d, INT64_MAX, PX_FOR_CATCH_UP);
	}
}

void catchup_schedule(struct px_sync *s)
{
	int64_t now = px_clock_mono_ms();
	size_t out = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->integs[i]->row.last_completed_sync)
			notice(s, s->integs[i]);
	for (struct since *w = s->since_walks; w; w = since_next(w))
		out++;
	for (size_t i = 0; i < s->count; i++)
		for (int m = 0; m < PX_MODEL_COUNT; m++) {
			struct sdir *d = &s->integs[i]->dirs[m];

			recall_parents(s, d);
			parents_when_due(d, now);
			/* first the log of changes: what it names is met by the same walk */
			if (!catchup_due(d) || d->since_out || now < d->retry_ms ||
				out >= (size_t)s->conf->connections ||
				(s->diffs_due && s->diffs_honoured >= 0 && !s->diffs_retry_ms))
				continue;
			catch_up(s, d);
			out += d->since_out;
		}
}
