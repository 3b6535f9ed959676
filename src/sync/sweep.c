/* SPDX-License-Identifier: MIT */
/*
 * sweep.c - what a complete walk did not meet any more.
 *
 * Nothing is announced when a record vanishes (API reference §14), so absence from a whole list is
 * the only sign, and lists lose records while they are paged. So nothing is removed for being
 * absent once: where there is reading by id, the API must say "not found" to a request sent after
 * the walk; where there is not, a second whole walk must miss it too.
 *
 * The guard: when more than a twentieth of a model (and more than 20) would go, nothing goes before
 * two walks in a row agree (DRIFT). Integrations and models are never removed here.
 */
#include "sync_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD_MIN = 20, GUARD_SHARE = 20, OUT_MAX = 8, AGAIN_MS = 30000 };

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

/* It is there after all: the list had lost it. */
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
	bool gone = sync_is_not_found(answer);

	a->s->absents_out--;
	if (!answer->rc && !px_page_parse(answer->body, answer->len, &page, NULL)) {
		if (page.count)
			put_found(a, &page);
		else
			gone = true;
		px_page_release(&page);
	}
	/* any other answer proves nothing: the next whole walk asks again */
	if (gone)
		take_away(a->s, a->did, a->id, a->id_len, a->epoch);
	absent_free(a);
}

void sweep_schedule(struct px_sync *s)
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
	size_t count;
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

	if (g->count <= most || d->drift_walk == d->row.walk - 1) {
		d->drift_walk = 0;
		return true;
	}
	d->drift_walk = d->row.walk;
	(void)snprintf(text, sizeof text, "%zu of %zu records are absent from the whole list",
		g->count, records);
	px_warn("sync", "%s of %s: %s: nothing is removed before the next one agrees", d->row.model,
		d->integ->row.id, text);
	sync_log(g->s, d->row.iid, d->row.model, "DRIFT", text);
	return false;
}

void sweep_walk_done(struct px_sync *s, struct sdir *d, int64_t began_epoch, size_t seen)
{
	struct gathering g = {
		.s = s, .d = d, .epoch = began_epoch, .by_id = px_models[d->model].get_path};
	int64_t walk = d->row.walk;
	struct px_err err;

	if (!began_epoch || count_absent(&g, walk, &err) || !g.count ||
		!guard_allows(&g, seen + g.count))
		return;
	if (!g.by_id) {
		/* those that the walk before has missed, too; for the others there must be a second
		 * one */
		size_t all = g.count;

		walk--;
		if (count_absent(&g, walk, &err))
			return;
		if (g.count < all) {
			d->refill = true;
			d->retry_ms = px_clock_mono_ms() + AGAIN_MS;
		}
	}
	if (g.count && px_reader_unseen(s->reader, d->row.did, walk, 0, take_one, &g, &err))
		px_log_limited(PX_LOG_WARN, "sync", "sweep: %s", err.msg);
}
