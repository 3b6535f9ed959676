/* SPDX-License-Identifier: MIT */
/*
 * hydrate.c - reading again what events marked.
 *
 * Marks wait 300 ms, in a burst until it slows (10 s at most), so that the several events of one
 * record, and of one sync, share requests. A few records of a model are asked for by id; many by
 * one walk over what changed since the oldest mark; models without a by-id path by their list. What
 * a walk did not bring goes by id.
 *
 * Invariant: a mark is cleared only by ingest, with an answer whose request was sent after it. What
 * is asked for is remembered here only so that it is not asked for twice at a time.
 */
#include "sync_i.h"

#include <stdlib.h>
#include <string.h>

enum {
	QUIET_MS = 300,
	BURST_MAX_MS = 10000,
	LOOK_MS = 1000,	       /* for marks whose retry comes due */
	LOOK_MAX = 20000,      /* marks looked at in one go */
	BY_ID_MAX = 12,	       /* more of one model: one walk */
	BY_ID_OUT_MAX = 16,    /* by-id requests under way */
	OVERLAP_MS = 600000,   /* the API's clock against ours, and slow syncs */
	GIVE_UP_MS = 86400000, /* of definite not-found */
};

struct ask {
	struct px_sync *s;
	struct ask *next;
	int64_t did;
	int64_t iid;
	int model;
	char *id;
	int64_t since_ms;
	int attempts;
	int64_t epoch;
};

static struct sdir *dir_of(struct px_sync *s, int64_t did)
{
	for (size_t i = 0; i < s->count; i++)
		for (int m = 0; m < PX_MODEL_COUNT; m++)
			if (s->integs[i]->dirs[m].row.did == did)
				return &s->integs[i]->dirs[m];
	return NULL;
}

/* ---- by id
 * --------------------------------------------------------------------------------------------------
 */

static void ask_free(struct ask *a)
{
	for (struct ask **at = &a->s->asks; *at; at = &(*at)->next)
		if (*at == a) {
			*at = a->next;
			a->s->asks_out--;
			break;
		}
	free(a->id);
	free(a);
}

static bool asked(const struct px_sync *s, int64_t did, const char *id)
{
	for (const struct ask *a = s->asks; a; a = a->next)
		if (a->did == did && !strcmp(a->id, id))
			return true;
	return false;
}

struct ask_job {
	struct px_page_job page;
	struct ask *ask;
};

static void ask_after(struct px_job *job)
{
	struct ask_job *j = (struct ask_job *)job;

	if (job->rc)
		px_log_limited(PX_LOG_WARN, "sync", "a record read again was not stored: %s",
			job->err.msg);
	ask_free(j->ask);
	px_page_job_release(&j->page);
	free(j);
}

static void mark_after(struct px_job *job)
{
	struct px_mark_job *m = (struct px_mark_job *)job;

	free(m->id);
	free(m);
}

/* Not there, or not to be had now: asked for again later, and not for ever. */
static void ask_later(struct ask *a, bool definite, const char *why)
{
	struct px_mark_job *m = malloc(sizeof *m);
	int64_t now = px_clock_forward_ms();

	if (m) {
		px_mark_job_init(m);
		m->job.after = mark_after;
		m->did = a->did;
		m->id = strdup(a->id);
		m->not_before_ms = now + sync_backoff_ms(a->attempts + 1, 2000, 3600000);
		m->drop = definite && now - a->since_ms > GIVE_UP_MS;
		if (m->drop)
			px_info("sync", "%s %s: not found for a day: forgotten",
				px_models[a->model].dir, a->id);
		else
			px_debug("sync", "%s %s: %s", px_models[a->model].dir, a->id, why);
		if (m->id)
			sync_submit(a->s, &m->job);
		else
			free(m);
	}
	ask_free(a);
}

bool sync_is_not_found(const struct px_answer *answer)
{
	return answer->rc == PX_ENOENT || (answer->rc == PX_EHTTP && answer->status == 400);
}

static void ask_answer(void *arg, const struct px_answer *answer)
{
	struct ask *a = arg;
	struct px_page page = {0};
	struct px_err err = answer->err;
	struct ask_job *j = NULL;
	struct sinteg *in;
	px_rc rc = answer->rc;

	if (rc == PX_ECANCELED) {
		ask_free(a);
		return;
	}
	if (!rc)
		rc = px_page_parse(answer->body, answer->len, &page, &err);
	if (rc || !page.count) {
		bool definite = sync_is_not_found(answer) || (!rc && !page.count);

		px_page_release(&page);
		ask_later(a, definite, rc ? err.msg : "not found");
		return;
	}
	j = calloc(1, sizeof *j);
	if (j)
		px_page_job_init(&j->page);
	if (j && (j->page.records = calloc(1, sizeof *j->page.records))) {
		rc = px_record_parse(
			page.results[0].p, page.results[0].len, &j->page.records[0].record, &err);
		j->page.count = !rc;
	} else {
		rc = px_err_nomem(&err);
	}
	px_page_release(&page);
	if (!rc && strcmp(j->page.records[0].record.id, a->id) != 0)
		rc = px_err_set(&err, PX_ESYNTAX, "another record than the one asked for");
	if (rc) {
		if (j)
			px_page_job_release(&j->page);
		free(j);
		ask_later(a, false, err.msg);
		return;
	}
	j->ask = a;
	j->page.records[0].did = a->did;
	in = j->page.records[0].record.integration_id
		     ? sync_integ_by_id(a->s, j->page.records[0].record.integration_id)
		     : NULL;
	if (in && in->row.iid != a->iid && in->dirs[a->model].row.did) {
		/* an event that named no integration was marked where it was taken for */
		j->page.records[0].did = in->dirs[a->model].row.did;
		j->page.cleared_did = a->did;
	}
	j->page.sent_epoch = a->epoch;
	j->page.job.after = ask_after;
	sync_submit(a->s, &j->page.job);
}

static void ask_sending(void *arg)
{
	struct ask *a = arg;

	a->epoch = px_ingest_epoch(a->s->ingest);
}

static void ask_start(struct px_sync *s, const struct sdir *d, const struct px_pending *p)
{
	PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(64 << 10);
	struct ask *a = calloc(1, sizeof *a);
	struct px_err err = {0};

	if (!a)
		return;
	a->s = s;
	a->did = d->row.did;
	a->iid = d->row.iid;
	a->model = d->model;
	a->id = strndup(p->id, p->id_len);
	a->since_ms = p->since_ms;
	a->attempts = p->attempts;
	a->next = s->asks;
	s->asks = a;
	s->asks_out++;
	px_url_path(&path, px_models[d->model].get_path, p->id, p->id_len);
	if (!a->id || px_buf_ok(&path, &err) ||
		px_api_get(s->api, PX_FOR_HYDRATE, path.data, 0, ask_sending, ask_answer, a, &err))
		ask_free(a);
}

/* ---- by walk
 * --------------------------------------------------------------------------------------------------
 */

static void burst_done(struct px_sync *s, void *arg, px_rc rc, const char *newest)
{
	struct sdir *d = arg;

	(void)newest;
	d->since_out = false;
	/* what is still marked from before goes by id, or waits for the next try when the walk
	 * failed */
	d->since_tried_ms = rc ? 0 : px_clock_forward_ms();
	s->marks_due_ms = 0;
}

/* Marks of one directory: by id, by what changed, or by the whole list. */
static void hydrate_dir(
	struct px_sync *s, struct sdir *d, const struct px_pending *list, size_t count)
{
	int64_t oldest = INT64_MAX;
	size_t fresh = 0;

	if (!d->row.enabled || d->since_out)
		return;
	if (!px_models[d->model].get_path) {
		if (d->row.complete)
			d->refill = true;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (list[i].since_ms < oldest)
			oldest = list[i].since_ms;
		fresh += !list[i].attempts && list[i].since_ms > d->since_tried_ms;
	}
	if (fresh > BY_ID_MAX && px_models[d->model].by_integration) {
		d->since_out = since_start(
			s, d, oldest - OVERLAP_MS, PX_FOR_HYDRATE, burst_done, d);
		return;
	}
	for (size_t i = 0; i < count && s->asks_out < BY_ID_OUT_MAX; i++)
		if (!asked(s, d->row.did, list[i].id))
			ask_start(s, d, &list[i]);
}

static int by_dir(const void *a, const void *b)
{
	const struct px_pending *x = a, *y = b;

	return x->did < y->did ? -1 : x->did > y->did;
}

void hydrate_schedule(struct px_sync *s)
{
	int64_t now = px_clock_mono_ms();
	struct px_pending *list = NULL;
	struct px_err err = {0};
	size_t count = 0;

	if (s->marked) {
		s->marked = false;
		s->marks_newest_ms = now;
		if (!s->burst_began_ms)
			s->burst_began_ms = now;
		s->marks_due_ms = 0;
	}
	if (s->burst_began_ms && now < s->marks_newest_ms + QUIET_MS &&
		now < s->burst_began_ms + BURST_MAX_MS)
		return;
	if (now < s->marks_due_ms || s->asks_out >= BY_ID_OUT_MAX)
		return;
	s->burst_began_ms = 0;
	if (px_reader_pending(s->reader, 0, px_clock_forward_ms(), LOOK_MAX, &list, &count, &err)) {
		px_log_limited(PX_LOG_WARN, "sync", "marks: %s", err.msg);
		s->marks_due_ms = now + LOOK_MS;
		return;
	}
	if (count)
		qsort(list, count, sizeof *list, by_dir);
	for (size_t i = 0, k; i < count; i = k) {
		struct sdir *d = dir_of(s, list[i].did);

		for (k = i; k < count && list[k].did == list[i].did; k++)
			;
		if (d)
			hydrate_dir(s, d, list + i, k - i);
	}
	px_pending_free(list, count);
	/* again when some of these have been answered */
	s->marks_due_ms = now + (s->asks_out ? 50 : LOOK_MS);
}

void hydrate_free(struct px_sync *s)
{
	while (s->asks)
		ask_free(s->asks);
}
