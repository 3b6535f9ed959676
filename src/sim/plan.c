/* SPDX-License-Identifier: MIT */
/*
 * plan.c - what takes its time: syncs, first syncs, hydration, the live mode.
 *
 * A plan is carried out in steps on the timer; with no duration all of it happens in the call. Data
 * events come during a sync and its end event after them; back-syncs and first syncs change records
 * and announce only their end. Entries of the timer own their plan and free it, also when the
 * simulator ends. Needs world.lock, which the timer's callbacks take.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"

enum { SYNC_STEPS = 20, LIVE_RECORDS = 3 };

/* ---- end events --------------------------------------------------------------------------------
 */

struct sync_end {
	struct integ *in;
	enum sim_trigger trigger;
	bool back, finished, manual;
	int good, failed;
	const bool *models; /* NULL: all */
};

static void models_synced(struct sim *s, const struct sync_end *e, struct px_buf *out)
{
	bool any = false;

	px_buf_adds(out, ",\"models_synced\":[");
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		if (px_models[m].view_of >= 0 || !e->in->cols[m].enabled ||
			(e->models && !e->models[m]))
			continue;
		px_buf_addf(out, "%s\"%s\"", any ? "," : "",
			s->quirk[QUIRK_MODELS_KEBAB] ? px_models[m].object : px_models[m].snake);
		any = true;
	}
	px_buf_addc(out, ']');
}

/* The reference shows more members than the event pages, whose form is flat. */
static void announce_end(struct sim *s, const struct sync_end *e)
{
	struct px_buf counts = PX_BUF_INIT(4096), full = PX_BUF_INIT(1 << 16);
	char schedule[40];

	schedule_id(e->in, schedule);
	px_buf_addf(&counts,
		",\"successful_job_count\":%d,\"failed_job_count\":%d,\"is_sync_finished\":%s,"
		"\"job_schedule_id\":%s%s%s",
		e->good, e->failed, e->finished ? "true" : "false", e->manual ? "" : "\"",
		e->manual ? "null" : schedule, e->manual ? "" : "\"");
	if (e->trigger == TRIGGER_SYNC_COMPLETE && !s->quirk[QUIRK_BACKSYNC_FLAG_ABSENT])
		px_buf_addf(&full, ",\"is_backsync\":%s", e->back ? "true" : "false");
	px_buf_adds(&full, counts.data ? counts.data : "");
	if (e->trigger == TRIGGER_SYNC_COMPLETE)
		models_synced(s, e, &full);
	deliver_event(s, &(struct event){.trigger = e->trigger,
				 .in = e->in,
				 .rest = full.data,
				 .rest_flat = counts.data});
	px_buf_release(&counts);
	px_buf_release(&full);
}

static void stamp(struct sim *s, int64_t *at)
{
	int64_t now = world_now(s);

	*at = now > *at ? now : *at + 1;
}

/* ---- syncs -------------------------------------------------------------------------------------
 */

struct run {
	struct sync_plan p;
	int step, steps;
	int creates, updates; /* done */
	char job[32], root[32];
	bool events, diffs;
};

static bool takes_part(const struct sync_plan *p, int m)
{
	const struct col *c = &p->in->cols[m];

	return px_models[m].view_of < 0 && c->enabled && (!p->some_models || p->models[m]);
}

/* A collection by how many records it shows, so that large ones change more. */
static struct col *pick_col(struct sim *s, const struct sync_plan *p, bool create)
{
	uint64_t sum = 0, at;

	for (int m = 0; m < PX_MODEL_COUNT; m++)
		if (takes_part(p, m))
			sum += col_visible(&p->in->cols[m]);
	if (!sum)
		return NULL;
	at = sim_random(s, sum);
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		struct col *c = &p->in->cols[m];

		if (!takes_part(p, m))
			continue;
		if (at < col_visible(c))
			return create && px_models[m].parent >= 0 &&
					       !col_visible(&p->in->cols[px_models[m].parent])
				       ? NULL
				       : c;
		at -= col_visible(c);
	}
	return NULL;
}

static void one_create(struct sim *s, struct run *r, const struct change_options *o)
{
	struct col *c = pick_col(s, &r->p, true);
	int parent_model = c ? px_models[c->model].parent : -1;
	uint32_t parent = 0, idx;
	struct px_err err;

	if (!c || (parent_model >= 0 && !pick_record(s, &r->p.in->cols[parent_model], &parent)))
		return;
	(void)change_create(
		s, c, NULL, parent_model >= 0 ? (int64_t)parent : -1, false, o, &idx, &err);
}

static void one_update(struct sim *s, struct run *r, const struct change_options *o)
{
	struct col *c = pick_col(s, &r->p, false);
	struct px_err err;
	uint32_t idx;

	if (c && pick_record(s, c, &idx))
		(void)change_update(s, c, idx, o, &err);
}

static void changes_until(struct sim *s, struct run *r, int step)
{
	struct change_options o = {
		.events = r->events, .diffs = r->diffs, .job_id = r->job, .root_id = r->root};
	int creates = (int)((int64_t)r->p.creates * step / r->steps);
	int updates = (int)((int64_t)r->p.updates * step / r->steps);

	for (; r->creates < creates; r->creates++)
		one_create(s, r, &o);
	for (; r->updates < updates; r->updates++)
		one_update(s, r, &o);
}

/* What the sync has seen: last_seen of all in its window, without touching a single record. */
static void touch_all(struct sim *s, const struct sync_plan *p)
{
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		struct col *c = &p->in->cols[m];

		if (!takes_part(p, m))
			continue;
		stamp(s, &c->seen_ms);
		c->seen_moves |= s->quirk[QUIRK_TOUCH_MOVES_UPDATED_AT];
		col_changed(s, c);
	}
}

static void sync_finish(struct sim *s, struct run *r)
{
	struct sync_plan *p = &r->p;
	int models = 0;

	if (p->touch)
		touch_all(s, p);
	for (int i = 0; i < p->failed; i++) {
		char job[32], root[32];

		change_job(s, p->in, "READ_RESIDENTS", "FAILURE", job, root);
	}
	for (int m = 0; m < PX_MODEL_COUNT; m++)
		models += takes_part(p, m);
	p->in->syncing = false;
	if (p->back)
		stamp(s, &p->in->last_back_sync_ms);
	else if (p->finished)
		stamp(s, &p->in->last_sync_ms);
	announce_end(s, &(struct sync_end){.in = p->in,
				.trigger = TRIGGER_SYNC_COMPLETE,
				.back = p->back,
				.finished = p->finished,
				.manual = p->back,
				.good = models + p->creates + p->updates,
				.failed = p->failed,
				.models = p->some_models ? p->models : NULL});
}

static void sync_step(struct sim *s, void *arg)
{
	struct run *r = arg;
	bool more = false;

	if (!s->stopping) {
		(void)pthread_mutex_lock(&s->world.lock);
		changes_until(s, r, ++r->step);
		more = r->step < r->steps;
		if (!more)
			sync_finish(s, r);
		(void)pthread_mutex_unlock(&s->world.lock);
	}
	if (!more ||
		!timer_add_step(s, px_clock_mono_ms() + r->p.duration_ms / r->steps, sync_step, r))
		free(r);
}

px_rc sync_run(struct sim *s, const struct sync_plan *p, struct px_err *err)
{
	struct run *r = calloc(1, sizeof *r);

	if (!r)
		return px_err_nomem(err);
	if (p->in->pending || p->in->syncing) {
		free(r);
		return px_err_set(err, PX_EBUSY,
			p->in->pending ? "the first sync is not finished" : "a sync is running");
	}
	r->p = *p;
	r->steps = p->duration_ms > 0 ? SYNC_STEPS : 1;
	r->events = !p->silent && !p->back;
	r->diffs = !p->back || s->quirk[QUIRK_DIFFS_SILENT_SYNCS];
	if (p->no_diffs)
		r->diffs = false;
	p->in->syncing = true;
	change_job(s, p->in, "READ_FULL_SYNC", "SUCCESS", r->job, r->root);
	if (p->duration_ms > 0) {
		if (timer_add_step(s, px_clock_mono_ms() + p->duration_ms / r->steps, sync_step, r))
			return PX_OK;
		free(r);
		return px_err_set(err, PX_ECANCELED, "ending");
	}
	changes_until(s, r, 1);
	sync_finish(s, r);
	free(r);
	return PX_OK;
}

/* One event per schedule: with some models only, the others' schedule is still to come. */
px_rc first_sync(struct sim *s, struct integ *in, const bool models[PX_MODEL_COUNT], bool some,
	struct px_err *err)
{
	bool all = true;
	int n = 0;

	if (!in->pending)
		return px_err_set(err, PX_EINVAL, "the first sync is finished already");
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		struct col *c = &in->cols[m];

		if (px_models[m].view_of >= 0)
			continue;
		if (!some || models[m]) {
			col_complete(s, c);
			n++;
		}
		all &= c->nvis == c->n;
	}
	stamp(s, &in->last_sync_ms);
	in->pending = !all;
	in->active = true;
	announce_end(s, &(struct sync_end){.in = in,
				.trigger = TRIGGER_FIRST_SYNC_COMPLETE,
				.finished = true,
				.good = n,
				.models = some ? models : NULL});
	return PX_OK;
}

/* ---- hydration ---------------------------------------------------------------------------------
 */

struct hydration {
	struct col *c;
	uint32_t idx;
	int step, steps;
	int64_t interval_ms;
};

/* The stub's nulls of this step's share, as an object for change_update. */
static void share_of_nulls(struct sim *s, const struct hydration *h, struct px_buf *set)
{
	const struct px_model *m = &px_models[h->c->model];
	struct px_buf text = PX_BUF_INIT(SIM_TEXT_MAX), value = PX_BUF_INIT(SIM_TEXT_MAX);
	struct rec *r = col_rec_make(s, h->c, h->idx);

	px_buf_addc(set, '{');
	if (r && rec_newest(s, h->c, h->idx, &text))
		for (size_t i = 0; i < m->nfields; i++) {
			px_buf_reset(&value);
			if ((int)(i % (size_t)h->steps) != h->step ||
				!json_is(json_member(text.data, text.len, m->fields[i].name),
					"null") ||
				!fresh_value(s, h->c, h->idx, i, ++r->turn, &value))
				continue;
			if (set->len > 1)
				px_buf_addc(set, ',');
			px_buf_addf(set, "\"%s\":%s", m->fields[i].name, value.data);
		}
	px_buf_addc(set, '}');
	px_buf_release(&text);
	px_buf_release(&value);
}

static void hydrate_step(struct sim *s, void *arg)
{
	struct hydration *h = arg;
	bool more = false;

	if (!s->stopping) {
		struct px_buf set = PX_BUF_INIT(SIM_TEXT_MAX);
		struct px_err err;

		(void)pthread_mutex_lock(&s->world.lock);
		share_of_nulls(s, h, &set);
		(void)change_update(s, h->c, h->idx,
			&(struct change_options){
				.events = true, .diffs = true, .set = set.data, .set_len = set.len},
			&err);
		(void)pthread_mutex_unlock(&s->world.lock);
		px_buf_release(&set);
		more = ++h->step < h->steps;
	}
	if (!more || !timer_add_step(s, px_clock_mono_ms() + h->interval_ms, hydrate_step, h))
		free(h);
}

px_rc hydrate(struct sim *s, struct col *c, int steps, int64_t interval_ms, uint32_t *ret,
	struct px_err *err)
{
	struct hydration *h = calloc(1, sizeof *h);
	struct change_options o = {.events = true, .diffs = true};
	int parent_model = px_models[c->model].parent;
	uint32_t parent = 0;
	px_rc rc;

	if (!h)
		return px_err_nomem(err);
	*h = (struct hydration){.c = c, .steps = steps, .interval_ms = interval_ms};
	if (parent_model >= 0 && !pick_record(s, &c->in->cols[parent_model], &parent))
		rc = px_err_set(err, PX_ENOENT, "no record to be the parent");
	else
		rc = change_create(s, c, NULL, parent_model >= 0 ? (int64_t)parent : -1, true, &o,
			&h->idx, err);
	if (rc) {
		free(h);
		return rc;
	}
	*ret = h->idx;
	if (!steps || !timer_add_step(s, px_clock_mono_ms() + interval_ms, hydrate_step, h))
		free(h);
	return PX_OK;
}

/* ---- the live mode -----------------------------------------------------------------------------
 */

static void live_changes(struct sim *s)
{
	struct change_options o = {.events = true, .diffs = true};
	struct run r = {.steps = 1};

	for (int i = 0; i < LIVE_RECORDS; i++) {
		struct integ *in =
			s->world.ninteg ? s->world.integs[sim_random(s, (uint64_t)s->world.ninteg)]
					: NULL;

		if (!in || !integ_visible(s, in) || !in->active || in->pending || in->archived)
			continue;
		r.p.in = in;
		one_update(s, &r, &o);
	}
}

static void live_step(struct sim *s, void *arg)
{
	(void)arg;
	if (s->stopping)
		return;
	(void)pthread_mutex_lock(&s->world.lock);
	s->world.live = false;
	if (s->live_ms > 0) {
		live_changes(s);
		live_start(s);
	}
	(void)pthread_mutex_unlock(&s->world.lock);
}

void live_start(struct sim *s)
{
	if (!s->world.live && s->live_ms > 0)
		s->world.live = timer_add(s, px_clock_mono_ms() + s->live_ms, live_step, NULL);
}
