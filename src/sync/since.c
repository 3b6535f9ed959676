/* SPDX-License-Identifier: MIT */
/*
 * since.c - one walk over what a model changed since a moment, oldest first, a page at a time.
 *
 * Where the server honours updated_at_gte, pages are asked for by the last key seen, never by
 * offset: records move while one walks. Where it does not (a 400, or a first record older than
 * asked for), the list is read newest first down to that moment. Which of the two it is is found
 * out once per start. `>=` with overlap: several records share a timestamp.
 *
 * Pages that are asked for by offset begin with a record of the page before: when they do not, the
 * list has become shorter before them, and the walk steps back.
 *
 * Deliveries may overtake a page on its way into the store: what they mark then has to be read once
 * more. So a page is asked for only when the one before it is stored; and one that was overtaken is
 * asked for again when the deliveries have slowed, each time after a longer silence. Thus a walk
 * through the middle of a burst costs few requests more than one behind it. What is overtaken yet
 * again, HOLDS_MAX times in all, is left to its mark.
 *
 * Invariant: only a walk that came to its end says so to its caller; records themselves are right
 * whatever happens, for each is judged by the epoch of its own request.
 */
#include "sync_i.h"

#include <stdlib.h>
#include <string.h>

enum { SINCE_PAGES_MAX = 100000, BACK_MAX = 20, HOLDS_MAX = 8 };

/* What a page is asked for by, and shows whether it follows the one before. */
struct place {
	char *key;	/* updated_at of the newest record so far; NULL before the first page */
	int64_t offset; /* within ties, or newest first: behind the last record */
	uint64_t ids[PAGE_LIMIT]; /* hashes of those of the page before */
	size_t id_count;
};

struct since {
	struct px_sync *s;
	struct since *next;
	int64_t iid;
	int model;
	int64_t did;
	enum px_purpose purpose;
	int64_t from_ns;
	char from[PX_TIME_MAX];
	struct place at; /* of the page under way */
	int back;	 /* steps back in a row */
	int64_t epoch;
	int64_t newest_ns;
	char *newest;
	int pages;
	bool desc;
	int holds;	       /* so often it has waited for deliveries to slow, */
	int64_t silence_ms;    /* the last time for one that long; */
	int64_t hold_until_ms; /* px_clock_mono_ms: or until then; 0: it does not wait */
	void (*done)(
		struct px_sync *s, struct sdir *d, const struct px_err *err, const char *newest);
	struct sdir *d;
};

static void since_request(struct since *w);

struct since *since_next(const struct since *w)
{
	return w->next;
}

static void since_free(struct since *w)
{
	for (struct since **at = &w->s->since_walks; *at; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			break;
		}
	free(w->at.key);
	free(w->newest);
	free(w);
}

/* err NULL: it has come to its end. */
static void since_end(struct since *w, const struct px_err *err)
{
	w->d->since_pages = w->pages;
	w->done(w->s, w->d, err, w->newest);
	since_free(w);
}

struct since_job {
	struct px_page_job page;
	struct since *walk;
	struct place next; /* behind this page */
	bool last;
};

static void since_job_free(struct since_job *j)
{
	px_page_job_release(&j->page);
	free(j->next.key);
	free(j);
}

/* ---- deliveries beside it -------------------------------------------------------------------- */

/* Waits for the deliveries to slow before the page is asked for again. false: often enough. */
static bool hold(struct since *w)
{
	if (w->holds == HOLDS_MAX)
		return false;
	w->silence_ms = w->holds++ ? 2 * w->silence_ms : QUIET_MS;
	w->hold_until_ms = px_clock_mono_ms() + BURST_MAX_MS;
	return true;
}

void since_schedule(struct px_sync *s)
{
	int64_t now = px_clock_mono_ms();
	struct since *next;

	for (struct since *w = s->since_walks; w; w = next) {
		next = w->next;
		if (!w->hold_until_ms ||
			(now < w->hold_until_ms && now < s->marks_newest_ms + w->silence_ms))
			continue;
		w->hold_until_ms = 0;
		since_request(w);
	}
}

void since_free_all(struct px_sync *s)
{
	while (s->since_walks)
		since_free(s->since_walks);
}

static void since_after(struct px_job *job)
{
	struct since_job *j = (struct since_job *)job;
	struct since *w = j->walk;
	bool last = j->last;

	if (job->rc)
		since_end(w, &job->err);
	/* behind the API's end nothing is asked for */
	if (job->rc || !w->s->api || (j->page.overtaken && hold(w))) {
		since_job_free(j);
		return;
	}
	free(w->at.key);
	w->at = j->next;
	j->next.key = NULL;
	since_job_free(j);
	if (last || ++w->pages >= SINCE_PAGES_MAX)
		since_end(w, NULL);
	else
		since_request(w);
}

/* ---- pages ----------------------------------------------------------------------------------- */

/* Whether the first answer shows that the server does not know the filter. */
static bool ignores_filter(const struct since *w, const struct px_page_record *r)
{
	int64_t at;

	return !w->desc && !w->pages && r->record.updated_at &&
	       !px_time_parse(r->record.updated_at, strlen(r->record.updated_at), &at) &&
	       at < w->from_ns;
}

/* Remembers where the walk stands; says whether it has come below its start (newest first). */
static bool advance(struct since *w, const struct px_page_record *list, size_t count)
{
	bool below = false;

	for (size_t i = 0; i < count; i++) {
		const char *u = list[i].record.updated_at;
		int64_t at;

		if (!u || px_time_parse(u, strlen(u), &at))
			continue;
		if (at > w->newest_ns) {
			w->newest_ns = at;
			free(w->newest);
			w->newest = strdup(u);
		}
		below |= at < w->from_ns;
	}
	return below;
}

static uint64_t id_hash(struct px_span row)
{
	struct px_span id = px_json_member(row, "id");
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; id.p && i < id.len; i++)
		h = (h ^ (unsigned char)id.p[i]) * UINT64_C(1099511628211);
	return h;
}

/* Whether a page that was asked for by offset follows the one before it without a gap. */
static bool follows(const struct place *at, const struct px_page *page)
{
	uint64_t first;

	if (!at->offset || !at->id_count)
		return true;
	if (!page->count)
		return false;
	first = id_hash(page->results[0]);
	for (size_t i = 0; i < at->id_count; i++)
		if (at->ids[i] == first)
			return true;
	return false;
}

static int64_t asked_offset(const struct place *at)
{
	return at->offset && at->id_count ? at->offset - 1 : at->offset;
}

static void step_back(struct since *w)
{
	int64_t step = (int64_t)PAGE_LIMIT << w->back;

	if (++w->back > BACK_MAX)
		w->at.offset = 0;
	else
		w->at.offset = w->at.offset > step ? w->at.offset - step : 0;
	w->at.id_count = 0;
	since_request(w);
}

/* Where the next page begins: behind the last key, or further within records that share it. */
static px_rc find_next(const struct since *w, const struct px_page *page,
	const struct px_page_record *list, size_t count, struct place *next, struct px_err *err)
{
	const char *last = count ? list[count - 1].record.updated_at : NULL;
	const struct place *at = &w->at;

	if (w->desc || !last || (at->key && !strcmp(at->key, last))) {
		next->offset = asked_offset(at) + (int64_t)page->count;
		last = at->key;
	}
	next->key = last ? strdup(last) : NULL;
	if (last && !next->key)
		return px_err_nomem(err);
	for (size_t i = 0; i < page->count && next->id_count < PAGE_LIMIT; i++)
		next->ids[next->id_count++] = id_hash(page->results[i]);
	return PX_OK;
}

static void fall_back(struct since *w)
{
	px_info("sync", "the API does not honour updated_at_gte: lists are read newest first");
	w->s->since_honoured = -1;
	w->desc = true;
	w->at.offset = 0;
	since_request(w);
}

static void since_sending(void *arg)
{
	struct since *w = arg;

	w->epoch = px_ingest_epoch(w->s->ingest);
}

static px_rc take(
	struct since *w, const struct px_page *page, struct since_job *j, struct px_err *err)
{
	j->page.records = calloc(page->count ? page->count : 1, sizeof *j->page.records);
	if (!j->page.records)
		return px_err_nomem(err);
	for (size_t i = 0; i < page->count; i++) {
		struct px_page_record *r = &j->page.records[j->page.count];
		px_rc rc = px_record_parse(
			page->results[i].p, page->results[i].len, &r->record, err);

		if (rc)
			return rc;
		r->did = sync_did_of(w->s, w->model, w->did, &r->record);
		if (!r->did)
			px_record_release(&r->record);
		else
			j->page.count++;
	}
	return find_next(w, page, j->page.records, j->page.count, &j->next, err);
}

/* NULL: an error. */
static struct since_job *since_job_new(
	struct since *w, const struct px_page *page, struct px_err *err)
{
	struct since_job *j = calloc(1, sizeof *j);

	if (!j) {
		px_err_nomem(err);
		return NULL;
	}
	px_page_job_init(&j->page);
	j->page.job.after = since_after;
	j->page.sent_epoch = w->epoch;
	j->walk = w;
	if (take(w, page, j, err)) {
		since_job_free(j);
		return NULL;
	}
	return j;
}

static void since_answer(void *arg, const struct px_answer *answer)
{
	struct since *w = arg;
	struct px_page page = {0};
	struct px_err err = answer->err;
	struct since_job *j = NULL;
	bool below, more;
	size_t got;

	if (answer->rc == PX_EHTTP && answer->status == 400 && !w->desc && !w->pages) {
		fall_back(w);
		return;
	}
	if (!answer->rc && !px_page_parse(answer->body, answer->len, &page, &err))
		j = since_job_new(w, &page, &err);
	if (!j) {
		px_page_release(&page);
		if (err.code != PX_ECANCELED)
			px_log_limited(PX_LOG_WARN, "sync", "%s: changes: %s",
				px_models[w->model].dir, err.msg);
		if (answer->status)
			err.http = answer->status;
		since_end(w, &err);
		return;
	}
	if (!follows(&w->at, &page)) {
		px_page_release(&page);
		since_job_free(j);
		step_back(w);
		return;
	}
	got = page.count;
	more = page.has_more == 1 || (page.has_more < 0 && got >= PAGE_LIMIT);
	px_page_release(&page);
	if (j->page.count && ignores_filter(w, &j->page.records[0])) {
		since_job_free(j);
		fall_back(w);
		return;
	}
	if (got && !w->desc)
		w->s->since_honoured = 1;
	below = advance(w, j->page.records, j->page.count);
	w->back = 0;
	j->last = !got || !more || (w->desc && below);
	sync_submit(w->s, &j->page.job);
}

static void since_request(struct since *w)
{
	PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(64 << 10);
	const struct px_model *m = &px_models[w->model];
	struct sinteg *in = sync_integ_by_iid(w->s, w->iid);
	struct px_err err = {0};
	px_rc rc;

	px_buf_adds(&path, m->list_path);
	px_url_query(
		&path, "order-by", w->desc ? "updated_at:desc,id:desc" : "updated_at:asc,id:asc");
	if (m->by_integration && in)
		px_url_query(&path, "integration_id", in->row.id);
	if (!w->desc)
		px_url_query(&path, "updated_at_gte", w->at.key ? w->at.key : w->from);
	px_url_query_int(&path, "limit", PAGE_LIMIT);
	px_url_query_int(&path, "offset", asked_offset(&w->at));
	rc = px_buf_ok(&path, &err);
	if (!rc)
		rc = px_api_get(
			w->s->api, w->purpose, path.data, 0, since_sending, since_answer, w, &err);
	if (rc)
		since_end(w, &err);
}

bool since_start(struct px_sync *s, struct sdir *d, int64_t from_ms, enum px_purpose purpose,
	void (*done)(
		struct px_sync *s, struct sdir *d, const struct px_err *err, const char *newest))
{
	struct since *w = calloc(1, sizeof *w);

	if (!w)
		return false;
	w->s = s;
	w->iid = d->row.iid;
	w->did = d->row.did;
	w->model = d->model;
	w->purpose = purpose;
	w->from_ns = from_ms * 1000000;
	w->newest_ns = INT64_MIN;
	w->desc = s->since_honoured < 0;
	w->done = done;
	w->d = d;
	(void)px_time_format_ms(from_ms, w->from);
	w->next = s->since_walks;
	s->since_walks = w;
	since_request(w);
	return true;
}
