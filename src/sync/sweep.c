/* SPDX-License-Identifier: MIT */
/*
 * sweep.c - what a complete walk did not meet any more.
 *
 * Nothing is announced when a record vanishes (API reference §14), so absence from a whole list is
 * the only sign, and lists lose records while they are paged. So nothing is removed for being
 * absent once: where there is reading by id, the API must say "not found" to a request sent after
 * the walk; where there is not, a second whole walk must miss it too.
 *
 * And nothing is asked before the list of integrations has been read once more, for a key of
 * another account sees whole, empty lists and finds no record by id.
 *
 * Nor is anything judged below a model that is switched off or refused: an API that does not show
 * the parents shows none of their rows.
 *
 * The guard: when more than a twentieth of a model (and more than 20) would go, or all of it,
 * nothing goes before two walks in a row agree (DRIFT). Integrations and models are never removed
 * here.
 */
#include "sync_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	GUARD_MIN = 20,
	GUARD_SHARE = 20,
	OUT_MAX = 8,
	AGAIN_MS =
		900000, /* two whole lists that miss a record are so far apart: one fault of the */
	DRIFT_MS = 3600000, /* API must not be seen twice; and so far when they miss many */
};

struct absent {
	struct absent *next;
	struct px_sync *s;
	int64_t did, walk;
	int model;
	char *id;
	size_t id_len;
	int64_t epoch; /* of the request that asks for it */
};

static void absent_free(struct absent *a)
{
	free(a->id);
	free(a);
}

static void take_away_after(struct px_job *job)
{
	struct px_remove_job *r = (struct px_remove_job *)job;

	if (job->rc)
		px_log_limited(PX_LOG_WARN, "sync", "a removal was not stored: %s", job->err.msg);
	free(r->id);
	free(r);
}

static void take_away(struct px_sync *s, int64_t did, const char *id, size_t id_len, int64_t epoch)
{
	struct px_remove_job *r = malloc(sizeof *r);

	if (!r)
		return;
	px_remove_job_init(r);
	r->job.after = take_away_after;
	r->did = did;
	r->id = strndup(id, id_len);
	r->sent_epoch = epoch;
	if (r->id)
		sync_submit(s, &r->job);
	else
		free(r);
}

/* ---- asking by id ---------------------------------------------------------------------------- */

struct found_job {
	struct px_page_job page;
};

static void found_after(struct px_job *job)
{
	px_page_job_release((struct px_page_job *)job);
	free(job);
}

/* It is there after all: the list had lost it. Unless it says that it is another integration's. */
static void put_found(struct absent *a, const struct px_page *page)
{
	struct px_page_job *p = malloc(sizeof *p);
	struct px_err err;

	if (!p)
		return;
	px_page_job_init(p);
	p->records = calloc(1, sizeof *p->records);
	if (!p->records || px_record_parse(page->results[0].p, page->results[0].len,
				   &p->records[0].record, &err)) {
		px_page_job_release(p);
		free(p);
		return;
	}
	p->count = 1;
	p->records[0].did = a->did;
	if (sync_did_of(a->s, a->model, a->did, &p->records[0].record) != a->did) {
		px_page_job_release(p);
		free(p);
		take_away(a->s, a->did, a->id, a->id_len, a->epoch);
		return;
	}
	p->sent_epoch = a->epoch;
	p->walk = a->walk;
	p->job.after = found_after;
	sync_submit(a->s, &p->job);
}

static void absent_sending(void *arg)
{
	struct absent *a = arg;

	a->epoch = px_ingest_epoch(a->s->ingest);
}

static void absent_answer(void *arg, const struct px_answer *answer)
{
	struct absent *a = arg;
	struct px_page page = {0};
	struct px_err err;

	a->s->absents_out--;
	switch (sync_by_id(answer, &page, &err)) {
	case BY_ID_FOUND:
		put_found(a, &page);
		break;
	case BY_ID_ABSENT:
		take_away(a->s, a->did, a->id, a->id_len, a->epoch);
		break;
	case BY_ID_UNCLEAR:
		break; /* it proves nothing: the next whole walk asks again */
	}
	px_page_release(&page);
	absent_free(a);
}

static void ask_absents(struct px_sync *s)
{
	while (s->absents && s->absents_out < OUT_MAX) {
		PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(64 << 10);
		struct absent *a = s->absents;
		struct px_err err = {0};

		s->absents = a->next;
		s->absents_out++;
		px_url_path(&path, px_models[a->model].get_path, a->id, a->id_len);
		if (px_buf_ok(&path, &err) || px_api_get(s->api, PX_FOR_SWEEP, path.data, 0,
						      absent_sending, absent_answer, a, &err)) {
			s->absents_out--;
			absent_free(a);
		}
	}
}

void sweep_free(struct px_sync *s)
{
	while (s->absents) {
		struct absent *next = s->absents->next;

		absent_free(s->absents);
		s->absents = next;
	}
}

/* ---- at the end of a walk -------------------------------------------------------------------- */

struct gathering {
	struct px_sync *s;
	struct sdir *d;
	int64_t epoch;
	bool by_id;
	size_t count, all;
};

static bool count_one(void *arg, int64_t rid, const char *id, size_t id_len)
{
	struct gathering *g = arg;

	(void)rid;
	(void)id;
	(void)id_len;
	g->count++;
	return true;
}

static bool take_one(void *arg, int64_t rid, const char *id, size_t id_len)
{
	struct gathering *g = arg;
	struct absent *a;

	(void)rid;
	if (!g->by_id) {
		take_away(g->s, g->d->row.did, id, id_len, g->epoch);
		return true;
	}
	a = calloc(1, sizeof *a);
	if (!a)
		return false;
	a->s = g->s;
	a->did = g->d->row.did;
	a->model = g->d->model;
	a->walk = g->d->row.walk;
	a->id = strndup(id, id_len);
	a->id_len = id_len;
	a->next = g->s->absents;
	if (!a->id) {
		absent_free(a);
		return false;
	}
	g->s->absents = a;
	return true;
}

static px_rc count_absent(struct gathering *g, int64_t walk, struct px_err *err)
{
	g->count = 0;
	return px_reader_unseen(g->s->reader, g->d->row.did, walk, 0, count_one, g, err);
}

/* Whether so many may go; if not, it is said once, and the next whole walk decides. */
static bool guard_allows(struct gathering *g, size_t records)
{
	struct sdir *d = g->d;
	size_t most = records / GUARD_SHARE > GUARD_MIN ? records / GUARD_SHARE : GUARD_MIN;
	char text[120];

	if ((g->count <= most && g->count < records) ||
		(d->drift_ms && px_clock_forward_ms() - d->drift_ms >= DRIFT_MS)) {
		d->drift_ms = 0;
		return true;
	}
	if (d->drift_ms)
		return false;
	d->drift_ms = px_clock_forward_ms();
	(void)snprintf(text, sizeof text, "%zu of %zu records are absent from the whole list",
		g->count, records);
	px_warn("sync", "%s of %s: %s: nothing is removed before the next one agrees", d->row.model,
		d->integ->row.id, text);
	sync_log(g->s, d->row.iid, d->row.model, "DRIFT", text);
	return false;
}

/* What whole walks have missed is remembered across lives: a mirror that is only synchronised now
 * and then sees each walk in another process. */
static void memory_key(const struct sdir *d, char key[40])
{
	(void)snprintf(key, 40, "absent.%lld", (long long)d->row.did);
}

static void recall(struct px_sync *s, struct sdir *d)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(256);
	struct px_span c;
	char key[40];

	if (d->absent_recalled)
		return;
	d->absent_recalled = true;
	memory_key(d, key);
	if (px_reader_meta(s->reader, key, &text, NULL) || !text.len ||
		px_json_check(text.data, text.len, NULL))
		return;
	c = (struct px_span){text.data, text.len};
	d->drift_ms = px_json_int(px_json_member(c, "drift"), 0);
	d->missed_walk = px_json_int(px_json_member(c, "walk"), 0);
	d->missed_ms = px_json_int(px_json_member(c, "missed"), 0);
}

static void remember(struct px_sync *s, const struct sdir *d)
{
	char key[40], text[120];

	memory_key(d, key);
	(void)snprintf(text, sizeof text, "{\"drift\":%lld,\"walk\":%lld,\"missed\":%lld}",
		(long long)d->drift_ms, (long long)d->missed_walk, (long long)d->missed_ms);
	sync_store_meta(s, key, text);
}

/* Without reading by id: those go that a whole list long enough before has missed, too. Says which
 * walk that was; 0: there must be another one. */
static int64_t missed_before(struct gathering *g, bool allowed)
{
	struct sdir *d = g->d;
	int64_t now = px_clock_forward_ms(), before = d->missed_walk;

	if (before && now < d->missed_ms + AGAIN_MS)
		return 0;
	d->missed_walk = d->absent_walk;
	d->missed_ms = now;
	if (!allowed)
		return 0;
	/* what this one is the first to miss */
	if (!before || (!count_absent(g, before, NULL) && g->count < g->all)) {
		walk_again(d);
		d->retry_ms = px_clock_mono_ms() + AGAIN_MS;
	}
	return before;
}

static bool parents_shown(const struct sdir *d)
{
	int parent = px_models[d->model].parent;

	if (parent < 0)
		return true;
	d = &d->integ->dirs[parent];
	return d->row.enabled && parents_shown(d);
}

static void judge(struct px_sync *s, struct sdir *d)
{
	struct gathering g = {
		.s = s, .d = d, .epoch = d->absent_epoch, .by_id = px_models[d->model].get_path};
	int64_t walk = d->absent_walk;
	struct px_err err;
	bool allowed;

	if (count_absent(&g, walk, &err)) {
		px_log_limited(PX_LOG_WARN, "sync", "sweep: %s", err.msg);
		return;
	}
	if (!g.count)
		return;
	g.all = g.count;
	recall(s, d);
	allowed = guard_allows(&g, d->absent_seen + g.count);
	if (!g.by_id)
		walk = missed_before(&g, allowed);
	remember(s, d);
	if (!allowed || !walk)
		return;
	if (px_reader_unseen(s->reader, d->row.did, walk, 0, take_one, &g, &err))
		px_log_limited(PX_LOG_WARN, "sync", "sweep: %s", err.msg);
}

void sweep_walk_done(struct px_sync *s, struct sdir *d, int64_t began_epoch, size_t seen)
{
	struct gathering g = {.s = s, .d = d};
	struct px_err err;

	d->absent_list = 0;
	if (!began_epoch)
		return;
	if (count_absent(&g, d->row.walk, &err)) {
		px_log_limited(PX_LOG_WARN, "sync", "sweep: %s", err.msg);
		return;
	}
	if (!g.count) {
		recall(s, d);
		if (d->drift_ms || d->missed_walk) {
			d->drift_ms = d->missed_walk = 0;
			remember(s, d);
		}
		return;
	}
	d->absent_walk = d->row.walk;
	d->absent_epoch = began_epoch;
	d->absent_seen = seen;
	/* one that is being read may have begun before the walk ended */
	d->absent_list = s->lists_read + 1 + s->listing;
	s->list_again = s->listing;
	s->refresh_due_ms = 0;
}

void sweep_schedule(struct px_sync *s)
{
	for (size_t i = 0; i < s->count; i++)
		for (int m = 0; m < PX_MODEL_COUNT; m++) {
			struct sdir *d = &s->integs[i]->dirs[m];

			if (!d->absent_list || s->lists_read < d->absent_list)
				continue;
			d->absent_list = 0;
			/* a walk that has begun since then will say it again, or not */
			if (dir_due(d) && d->row.walk == d->absent_walk && parents_shown(d))
				judge(s, d);
		}
	ask_absents(s);
}
