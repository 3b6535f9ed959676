/* SPDX-License-Identifier: MIT */
/*
 * fill.c - which directories are read next.
 *
 * Invariants: an integration whose first sync is not finished waits. A directory is walked by one
 * walk at a time. After a sync or a back-sync that this process did not cover, every directory of
 * the integration is read again in place; its files stay readable meanwhile, and unchanged records
 * keep their version.
 */
#include "sync_i.h"

#include <stdlib.h>
#include <string.h>

enum { MARKS_SOON_MS = 1000, MARKS_LOOK = 1000 };

static bool needs_walk(const struct sdir *d)
{
	return dir_due(d) && (!d->row.complete || d->refill);
}

static bool parent_ready(const struct sdir *d)
{
	int parent = px_models[d->model].parent;

	if (parent < 0)
		return true;
	d = &d->integ->dirs[parent];
	return d->row.did && (d->row.complete || !d->row.enabled) && !d->walk && !d->refill &&
	       !d->since_out && !catchup_due(d);
}

static bool is_account_wide(int model)
{
	return !px_models[model].by_integration && px_models[model].parent < 0;
}

/* Weekly by default: the whole list again, for what vanished without a word. */
static void sweep_when_due(const struct px_sync *s, struct sdir *d)
{
	int64_t every_ms = (int64_t)s->sweep_days * 86400000;
	int64_t ago_ms = px_clock_wall_ms() - d->row.reconciled_ms;

	/* also when the clock was wrong, and so it will be read at some time to come */
	if (every_ms && d->row.complete && d->row.reconciled_ms && !d->refill &&
		(ago_ms > every_ms || ago_ms < -every_ms))
		d->refill = d->sweeping = true;
}

/* The list of a model without an integration filter: one walk for all integrations. */
static void schedule_account(struct px_sync *s, int model, int64_t now)
{
	bool any = false, sweep = true;

	if (s->account_walk)
		return;
	for (size_t i = 0; i < s->count; i++) {
		struct sdir *d = &s->integs[i]->dirs[model];

		sweep_when_due(s, d);
		if (!needs_walk(d))
			continue;
		any = true;
		sweep &= d->sweeping;
	}
	if (any && now >= s->fees_retry_ms)
		walk_start_account(s, model, sweep ? PX_FOR_SWEEP : PX_FOR_FILL);
}

/* A model that the API refused is asked for again now and then. */
static void retry_refused(struct sdir *d, int64_t now)
{
	if (!d->row.enabled && d->row.error && now >= d->retry_ms)
		d->row.enabled = true;
}

void fill_schedule(struct px_sync *s)
{
	int64_t now = px_clock_mono_ms();
	size_t most = (size_t)s->conf->connections;

	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		if (is_account_wide(m)) {
			schedule_account(s, m, now);
			continue;
		}
		for (size_t i = 0; i < s->count; i++) {
			struct sdir *d = &s->integs[i]->dirs[m];
			enum px_purpose purpose;

			if (d->walk || !d->wanted)
				continue;
			retry_refused(d, now);
			sweep_when_due(s, d);
			if (!needs_walk(d) || now < d->retry_ms || !parent_ready(d))
				continue;
			/* neither keeps the other out */
			purpose = d->sweeping ? PX_FOR_SWEEP : PX_FOR_FILL;
			if (walk_count(s, purpose) >= most)
				continue;
			walk_start(s, d, purpose);
			d->sweeping = false;
		}
	}
}

/* Marks that nobody has looked at yet. */
static bool has_fresh_marks(const struct px_sync *s)
{
	struct px_pending *list = NULL;
	size_t count = 0;
	bool fresh = false;

	if (px_reader_pending(s->reader, 0, px_clock_forward_ms() + MARKS_SOON_MS, MARKS_LOOK,
		    &list, &count, NULL))
		return false;
	for (size_t i = 0; i < count && !fresh; i++)
		for (size_t k = 0; k < s->count && !fresh && !list[i].attempts; k++)
			for (int m = 0; m < PX_MODEL_COUNT && !fresh; m++) {
				const struct sdir *d = &s->integs[k]->dirs[m];

				fresh = d->row.did == list[i].did && dir_due(d) &&
					d->row.complete && d->failures < 3;
			}
	px_pending_free(list, count);
	return fresh;
}

bool fill_idle(const struct px_sync *s)
{
	if (s->walks || s->jobs_out || px_api_waiting((struct px_api *)s->api, PX_PURPOSES))
		return false;
	if (s->since_walks || s->asks_out || s->absents || s->absents_out || s->marked ||
		s->diffs_out || (s->diffs_due && s->diffs_honoured >= 0 && !s->diffs_retry_ms))
		return false;
	for (size_t i = 0; i < s->count; i++)
		for (int m = 0; m < PX_MODEL_COUNT; m++) {
			const struct sdir *d = &s->integs[i]->dirs[m];

			/* what has failed a few times will not come right now */
			if ((needs_walk(d) || catchup_due(d) ||
				    (d->absent_list && !s->list_failures)) &&
				parent_ready(d) &&
				(is_account_wide(m) ? s->fees_failures < 3 : d->failures < 3))
				return false;
		}
	return !has_fresh_marks(s);
}

bool fill_complete(const struct px_sync *s)
{
	for (size_t i = 0; i < s->count; i++)
		for (int m = 0; m < PX_MODEL_COUNT; m++) {
			const struct sdir *d = &s->integs[i]->dirs[m];

			if (needs_walk(d) || catchup_due(d))
				return false;
			if (d->wanted && d->row.enabled && s->integs[i]->row.present &&
				s->integs[i]->row.active && !s->integs[i]->row.archived &&
				!d->row.complete)
				return false;
		}
	return true;
}
