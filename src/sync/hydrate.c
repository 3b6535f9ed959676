/* SPDX-License-Identifier: MIT */
/*
 * hydrate.c - reading again what events marked.
 *
 * Marks wait 300 ms, in a burst until it slows (10 s at most), so that the several events of one
 * record, and of one sync, share requests. A few records of a model are asked for by id; many by
 * one walk over what changed since the oldest mark; models without a by-id path by their list. What
 * a walk did not bring goes by id.
 *
 * The more requests a model's marks cost, the longer its silence has to be, and the longer it is
 * waited for, two minutes at most: whatever is marked behind them has them sent once more, and late
 * news of what had been read is marked. So what a burst costs does not depend on how long it takes
 * to be delivered.
 *
 * Invariant: a mark is cleared only by ingest, with an answer whose request was sent after it. What
 * is asked for is remembered here only so that it is not asked for twice at a time.
 */
#include "sync_i.h"

#include <stdlib.h>
#include <string.h>

enum {
	LOOK_MS = 1000,		  /* for marks whose retry comes due */
	LOOK_MAX = 20000,	  /* marks looked at in one go */
	BY_ID_MAX = 4,		  /* more of one model: one walk */
	BY_ID_OUT_MAX = 16,	  /* by-id requests under way */
	SILENCE_EACH_MS = 100,	  /* so much longer a silence for each request, */
	PATIENCE_EACH_MS = 5000,  /* and so much longer a wait for it, */
	PATIENCE_MAX_MS = 120000, /* but no longer than this in all */
	GIVE_UP_MS = 86400000,	  /* of definite not-found */
	ABSENT_MAX_MS = 3600000,  /* between questions for what is not there */
};

struct ask {
	struct px_sync *s;
	struct ask *next;
	int64_t did;
	int64_t iid;
	int model;
	char *id;
	char *parent; /* id, for a row of a sub-collection: asked for with its neighbours */
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
	free(a->parent);
	free(a);
}

/* parent may be NULL. */
static bool asked(const struct px_sync *s, int64_t did, const char *id, const char *parent)
{
	for (const struct ask *a = s->asks; a; a = a->next)
		if (a->did == did && (!strcmp(a->id, id) || (parent && !strcmp(a->parent, parent))))
			return true;
	return false;
}

struct ask_job {
	struct px_page_job page;
	struct ask *ask;
};

static void ask_later(struct ask *a, bool definite, const char *why);

/* The record asked for is among the records of the page, or stands alone there. */
static bool brings(const struct px_page_job *p, const char *id)
{
	for (size_t i = 0; i < p->count; i++)
		if (!strcmp(p->records[i].record.id, id))
			return true;
	return false;
}

static void ask_after(struct px_job *job)
{
	struct ask_job *j = (struct ask_job *)job;

	if (job->rc)
		px_log_limited(PX_LOG_WARN, "sync", "a record read again was not stored: %s",
			job->err.msg);
	/* a row that its parent has no more: the whole list will say */
	if (!job->rc && !brings(&j->page, j->ask->id))
		ask_later(j->ask, true, "not below its parent");
	else
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
		m->not_before_ms = now + sync_backoff_ms(a->attempts + 1, RETRY_MIN_MS,
						 definite ? ABSENT_MAX_MS : RETRY_MAX_MS);
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

enum by_id sync_by_id(const struct px_answer *answer, struct px_page *page, struct px_err *err)
{
	*err = answer->err;
	if (answer->rc == PX_ENOENT || (answer->rc == PX_EHTTP && answer->status == 400))
		return BY_ID_ABSENT;
	if (answer->rc)
		return BY_ID_UNCLEAR;
	if (px_page_parse(answer->body, answer->len, page, err)) {
		bool valid = !px_json_check(answer->body, answer->len, NULL);

		return valid && px_json_is_empty((struct px_span){answer->body, answer->len})
			       ? BY_ID_ABSENT
			       : BY_ID_UNCLEAR;
	}
	return !page->count || px_json_is_empty(page->results[0]) ? BY_ID_ABSENT : BY_ID_FOUND;
}

static px_rc take_answer(
	const struct ask *a, const struct px_page *page, struct px_page_job *p, struct px_err *err)
{
	size_t count = a->parent ? page->count : 1;

	px_page_job_init(p);
	p->records = calloc(count, sizeof *p->records);
	if (!p->records)
		return px_err_nomem(err);
	for (; p->count < count; p->count++) {
		struct px_page_record *r = &p->records[p->count];
		px_rc rc = px_record_parse(
			page->results[p->count].p, page->results[p->count].len, &r->record, err);

		if (rc)
			return rc;
		r->did = a->parent ? a->did : sync_did_of(a->s, a->model, a->did, &r->record);
		/* an event that named no integration was marked where it was taken for */
		if (r->did && r->did != a->did)
			p->cleared_did = a->did;
	}
	if (!a->parent && p->count && !p->records[0].did) {
		/* the list of integrations will tell; where it is not wanted, it is given up */
		if (!sync_integ_by_id(a->s, p->records[0].record.integration_id)) {
			a->s->list_again = a->s->listing;
			a->s->refresh_due_ms = 0;
		}
		return px_err_set(err, PX_ENOENT, "a record of another integration");
	}
	if (!a->parent && !brings(p, a->id))
		return px_err_set(err, PX_ESYNTAX, "another record than the one asked for");
	if (a->parent && !px_models[a->model].parent_member)
		p->parent = strdup(a->parent);
	return PX_OK;
}

static void ask_answer(void *arg, const struct px_answer *answer)
{
	struct ask *a = arg;
	struct px_page page = {0};
	struct px_err err;
	struct ask_job *j = NULL;
	enum by_id found;
	px_rc rc;

	if (answer->rc == PX_ECANCELED) {
		ask_free(a);
		return;
	}
	found = sync_by_id(answer, &page, &err);
	if (found != BY_ID_FOUND) {
		px_page_release(&page);
		ask_later(a, found == BY_ID_ABSENT, found == BY_ID_ABSENT ? "not found" : err.msg);
		return;
	}
	j = calloc(1, sizeof *j);
	rc = j ? take_answer(a, &page, &j->page, &err) : px_err_nomem(&err);
	px_page_release(&page);
	if (rc) {
		if (j)
			px_page_job_release(&j->page);
		free(j);
		ask_later(a, rc == PX_ENOENT, err.msg);
		return;
	}
	j->ask = a;
	j->page.sent_epoch = a->epoch;
	j->page.job.after = ask_after;
	sync_submit(a->s, &j->page.job);
}

static void ask_sending(void *arg)
{
	struct ask *a = arg;

	a->epoch = px_ingest_epoch(a->s->ingest);
}

/* parent: NULL, or the id below which the record stands. */
static void ask_start(
	struct px_sync *s, const struct sdir *d, const struct px_pending *p, const char *parent)
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
	a->parent = parent ? strdup(parent) : NULL;
	a->since_ms = p->since_ms;
	a->attempts = p->attempts;
	a->next = s->asks;
	s->asks = a;
	s->asks_out++;
	if (parent) {
		px_url_path(&path, px_models[d->model].list_path, parent, strlen(parent));
		px_url_query(&path, "order-by", "created_at:asc,id:asc");
		px_url_query_int(&path, "limit", PAGE_LIMIT);
	} else {
		px_url_path(&path, px_models[d->model].get_path, p->id, p->id_len);
	}
	if (!a->id || (parent && !a->parent) || px_buf_ok(&path, &err) ||
		px_api_get(s->api, PX_FOR_HYDRATE, path.data, 0, ask_sending, ask_answer, a, &err))
		ask_free(a);
}

/* Below which record a row of a sub-collection stands: as it was listed, as it says itself, or as
 * the event that announced it said. False: not known. */
static bool find_parent(
	struct px_sync *s, const struct sdir *d, const struct px_pending *p, struct px_buf *out)
{
	PX_BUF_AUTO struct px_buf body = PX_BUF_INIT(PX_RECORD_MAX);
	const struct px_model *m = &px_models[d->model];
	char name[PX_NAME_MAX + 1];
	struct px_entry entry;

	px_record_name(p->id, p->id_len, name);
	if (!px_reader_parent(s->reader, d->row.did, name, out, NULL))
		return true;
	if (m->parent_member &&
		!px_reader_lookup(s->reader, d->row.did, name, strlen(name), &entry, NULL) &&
		!px_reader_body(s->reader, entry.ino, &body, NULL)) {
		char *id = px_json_strdup(
			px_json_member((struct px_span){body.data, body.len}, m->parent_member),
			8192);
		bool ok = id && *id && !px_buf_adds(out, id);

		free(id);
		if (ok)
			return true;
	}
	return !px_reader_link(s->reader, m->snake, p->id, 0, out, NULL);
}

/* Marks of a sub-collection: the lists of their parents; all of them where one is not known. */
static void hydrate_sub(
	struct px_sync *s, struct sdir *d, const struct px_pending *list, size_t count)
{
	if (!d->row.complete || d->walk || d->refill)
		return;
	for (size_t i = 0; i < count && s->asks_out < BY_ID_OUT_MAX; i++) {
		PX_BUF_AUTO struct px_buf parent = PX_BUF_INIT(8192);

		if (list[i].attempts || !find_parent(s, d, &list[i], &parent))
			walk_again(d);
		else if (!asked(s, d->row.did, list[i].id, parent.data))
			ask_start(s, d, &list[i], parent.data);
	}
}

/* A walk that reached back far enough has not brought it. */
static bool was_tried(const struct sdir *d, const struct px_pending *p)
{
	/* not_before follows the newest cause, since the oldest */
	return p->not_before_ms <= d->since_tried_ms && p->since_ms - CLOCKS_MS >= d->since_from_ms;
}

/* What the list of d, which may be that of other integrations too, has been marked for since. */
static int64_t oldest_mark(
	struct px_sync *s, const struct sdir *d, const struct px_pending *all, size_t count)
{
	int64_t oldest = INT64_MAX;

	for (size_t i = 0; i < count; i++) {
		const struct sdir *of = all[i].did == d->row.did ? d : NULL;

		if (!of && !px_models[d->model].by_integration)
			of = dir_of(s, all[i].did);
		if (of && of->model == d->model && !was_tried(of, &all[i]) &&
			all[i].since_ms < oldest)
			oldest = all[i].since_ms;
	}
	return oldest;
}

/* So many records are cheaper one by one than by a walk, as far as the last walk tells. */
static size_t by_id_most(const struct sdir *d)
{
	if (!px_models[d->model].get_path)
		return 0;
	return d->since_pages > BY_ID_MAX ? (size_t)d->since_pages : BY_ID_MAX;
}

/* Whether more marks are to be expected than have come: they share the requests for these. */
static bool is_burst(const struct sdir *d, size_t fresh, int64_t oldest_ms, int64_t newest_ms)
{
	size_t pages = fresh / PAGE_LIMIT, most = by_id_most(d), cost;
	int64_t now = px_clock_forward_ms(), patience;

	if (pages < (size_t)d->since_pages)
		pages = (size_t)d->since_pages;
	cost = fresh > most ? pages : fresh;
	patience = BURST_MAX_MS + (int64_t)cost * PATIENCE_EACH_MS;
	if (patience > PATIENCE_MAX_MS)
		patience = PATIENCE_MAX_MS;
	/* one reading in that time is enough */
	if (oldest_ms < d->since_tried_ms)
		oldest_ms = d->since_tried_ms;
	return cost > BY_ID_MAX && now < newest_ms + QUIET_MS + (int64_t)cost * SILENCE_EACH_MS &&
	       now < oldest_ms + patience;
}

/* Marks of one directory, some of all: by id, by what changed, or by the whole list. Also while it
 * is walked: that may take long. Says whether they wait for a burst to slow. */
static bool hydrate_dir(struct px_sync *s, struct sdir *d, const struct px_pending *list,
	size_t count, const struct px_pending *all, size_t all_count)
{
	int64_t oldest_ms = INT64_MAX, newest_ms = INT64_MIN;
	size_t fresh = 0;

	if (!d->row.enabled || d->since_out)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (was_tried(d, &list[i]))
			continue; /* by id */
		fresh++;
		if (list[i].since_ms < oldest_ms)
			oldest_ms = list[i].since_ms;
		if (list[i].not_before_ms > newest_ms)
			newest_ms = list[i].not_before_ms;
	}
	if (is_burst(d, fresh, oldest_ms, newest_ms))
		return true;
	if (px_models[d->model].parent >= 0) {
		hydrate_sub(s, d, list, count);
		return false;
	}
	if (fresh > by_id_most(d)) {
		catchup_start(s, d, oldest_mark(s, d, all, all_count), PX_FOR_HYDRATE);
		return false;
	}
	if (!px_models[d->model].get_path) {
		/* one that is under way began before some of them */
		if (d->row.complete && !d->walk && !d->refill)
			walk_again(d);
		return false;
	}
	for (size_t i = 0; i < count && s->asks_out < BY_ID_OUT_MAX; i++)
		if (!asked(s, d->row.did, list[i].id, NULL))
			ask_start(s, d, &list[i], NULL);
	return false;
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
	bool waits = false;

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
	/* the API's log of changes is a burst, too */
	if (s->diffs_out && s->diffs_more && now < s->burst_began_ms + BURST_MAX_MS)
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
			waits |= hydrate_dir(s, d, list + i, k - i, list, count);
	}
	px_pending_free(list, count);
	/* again when some of these have been answered */
	s->marks_due_ms = now + (s->asks_out ? 50 : waits ? QUIET_MS : LOOK_MS);
}

void hydrate_free(struct px_sync *s)
{
	while (s->asks)
		ask_free(s->asks);
}
