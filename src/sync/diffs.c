/* SPDX-License-Identifier: MIT */
/*
 * diffs.c - what the account's log of changes names and no delivery has brought (API reference
 * §11).
 *
 * After each list of integrations the log is read from the watermark on, less an overlap, page by
 * page. Each row marks its record, unless what it tells is in place already; nothing is spliced
 * from here, for rows can be older than what is stored. The watermark is the server's own
 * created_at, so clocks need not agree; it is stored with the page that it stands for, and not
 * without it.
 *
 * Invariants: one reading at a time; a row is handled once while this process lives, whatever the
 * overlap; an account whose log is refused or has a hole (29 days away) is read again in place
 * instead, and that is remembered until it is done.
 */
#include "sync_i.h"

#include <stdlib.h>
#include <string.h>

enum { OVERLAP_S = 120, ROWS_MAX = 100000 };

static const int64_t KEPT_MS = INT64_C(29) * 86400000; /* the server keeps 30 days */

static const char watermark_key[] = "diffs.watermark", read_key[] = "diffs.read",
		  hole_key[] = "diffs.hole";
/* Where an empty log stands: before whatever comes. */
static const char beginning[] = "1970-01-01T00:00:00.000Z";

enum { READ_NOTE_MS = 3600000, REFUSED_MS = 3600000 };

/* ---- holes ----------------------------------------------------------------------------------- */

/* What is complete and has not been read whole since the hole was found is read again in place. */
static void close_hole(struct px_sync *s)
{
	for (size_t i = 0; i < s->count; i++)
		for (int m = 0; m < PX_MODEL_COUNT; m++) {
			struct sdir *d = &s->integs[i]->dirs[m];

			if (!d->row.complete || d->row.reconciled_ms > s->diffs_hole_ms)
				continue;
			d->refill = true;
			d->anew |= d->walk || walk_cursor_began_ms(d) <= s->diffs_hole_ms;
		}
}

static void hole(struct px_sync *s, const char *why)
{
	char at[PX_TIME_MAX];

	px_info("sync", "%s: everything is read again", why);
	s->diffs_hole_ms = px_clock_wall_ms();
	sync_store_meta(s, hole_key, px_time_format_ms(s->diffs_hole_ms, at));
	close_hole(s);
}

static void hole_when_closed(struct px_sync *s)
{
	if (!s->diffs_hole_ms)
		return;
	for (size_t i = 0; i < s->count; i++)
		for (int m = 0; m < PX_MODEL_COUNT; m++) {
			const struct sdir *d = &s->integs[i]->dirs[m];

			if (dir_due(d) && d->row.complete &&
				(d->refill || d->walk || d->row.reconciled_ms <= s->diffs_hole_ms))
				return;
		}
	s->diffs_hole_ms = 0;
	sync_store_meta(s, hole_key, "");
}

/* ---- rows seen ------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *p, size_t len)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)p[i]) * UINT64_C(1099511628211);
	return h | 1;
}

/* Whether a row with this id has been handled; remembers it. Rows of the overlap come again soon:
 * each bucket forgets what it has not met for longest. */
static bool seen_before(struct px_sync *s, struct px_span id)
{
	uint64_t h = hash_of(id.p, id.len);
	uint64_t *bucket = s->diffs_seen[h / 2 % DIFFS_BUCKETS];
	size_t at = 0;
	bool seen;

	while (at < DIFFS_WAYS - 1 && bucket[at] != h)
		at++;
	seen = bucket[at] == h;
	memmove(bucket + 1, bucket, at * sizeof *bucket);
	bucket[0] = h;
	return seen;
}

/* ---- one page -------------------------------------------------------------------------------- */

struct diff_page {
	struct px_diff_job job;
	struct px_sync *s;
	char *newest; /* created_at in it, or NULL */
	int64_t newest_ns;
};

static void diffs_request(struct px_sync *s);
static void note_read(struct px_sync *s);

static void diffs_end(struct px_sync *s, bool whole)
{
	s->diffs_out = false;
	if (whole) {
		s->diffs_due = false;
		s->diffs_retry_ms = 0;
		s->diffs_read_ms = px_clock_forward_ms();
		note_read(s);
	} else {
		s->diffs_retry_ms = px_clock_mono_ms() + RETRY_MIN_MS * 5;
	}
}

/* Not for this key, or not on this server: syncs tell what to read again, and it is asked now and
 * then whether that has changed. */
static void diffs_refused(struct px_sync *s, const struct px_err *err)
{
	if (s->diffs_honoured >= 0) {
		px_info("sync", "data diffs are refused: %s", err->msg);
		hole(s, "what changed is not told");
	}
	s->diffs_honoured = -1;
	s->diffs_out = s->diffs_due = false;
	s->diffs_retry_ms = px_clock_mono_ms() + REFUSED_MS;
}

/* The newest row that is stored. */
static void adopt(struct px_sync *s, char *newest, int64_t ns)
{
	if (newest && (!s->diffs_watermark || ns > s->diffs_watermark_ns)) {
		free(s->diffs_watermark);
		s->diffs_watermark = newest;
		s->diffs_watermark_ns = ns;
	} else {
		free(newest);
	}
}

static void page_after(struct px_job *job)
{
	struct diff_page *p = (struct diff_page *)job;
	struct px_sync *s = p->s;
	bool more = s->diffs_more;

	if (job->rc) {
		px_log_limited(PX_LOG_WARN, "sync", "data diffs were not stored: %s", job->err.msg);
		memset(s->diffs_seen, 0, sizeof s->diffs_seen);
	} else {
		adopt(s, p->newest, p->newest_ns);
		p->newest = NULL;
		if (p->job.marked)
			px_info("sync", "data diffs: %zu records to be read again", p->job.marked);
	}
	if (job->rc || !more)
		diffs_end(s, !job->rc);
	else
		diffs_request(s);
	px_diff_job_release(&p->job);
	free(p->newest);
	free(p);
}

/* When the log was read to its end last: a hole of a month shows by that. */
static void note_read(struct px_sync *s)
{
	char at[PX_TIME_MAX];

	if (px_clock_mono_ms() < s->diffs_note_due_ms)
		return;
	s->diffs_note_due_ms = px_clock_mono_ms() + READ_NOTE_MS;
	sync_store_meta(s, read_key, px_time_format_ms(s->diffs_read_ms, at));
}

/* The newest created_at of a page; NULL: it has none. */
static char *newest_of(const struct px_page *page, int64_t *ret_ns)
{
	int64_t best_ns = INT64_MIN, ns;
	char *best = NULL;

	for (size_t i = 0; i < page->count; i++) {
		char *at = px_json_strdup(px_json_member(page->results[i], "created_at"), 64);

		if (at && !px_time_parse(at, strlen(at), &ns) && ns > best_ns) {
			free(best);
			best = at;
			best_ns = ns;
		} else {
			free(at);
		}
	}
	*ret_ns = best_ns;
	return best;
}

/* The first time: only where the log stands now. */
static void begin_watermark(struct px_sync *s, const struct px_page *page)
{
	int64_t ns;
	char *newest = newest_of(page, &ns);

	if (!newest) {
		newest = strdup(beginning);
		ns = 0;
	}
	adopt(s, newest, ns);
	if (s->diffs_watermark)
		sync_store_meta(s, watermark_key, s->diffs_watermark);
}

static void take_page(struct px_sync *s, const struct px_answer *answer, struct px_page *page)
{
	struct diff_page *p = calloc(1, sizeof *p);

	if (p) {
		px_diff_job_init(&p->job);
		p->job.body = malloc(answer->len ? answer->len : 1);
		p->job.rows = calloc(page->count ? page->count : 1, sizeof *p->job.rows);
	}
	if (!p || !p->job.body || !p->job.rows) {
		if (p)
			px_diff_job_release(&p->job);
		free(p);
		diffs_end(s, false);
		return;
	}
	memcpy(p->job.body, answer->body, answer->len);
	for (size_t i = 0; i < page->count; i++) {
		struct px_span id = px_json_member(page->results[i], "id");

		if (id.p && seen_before(s, id))
			continue;
		p->job.rows[p->job.count++] = (struct px_span){
			p->job.body + (page->results[i].p - answer->body), page->results[i].len};
	}
	p->s = s;
	p->job.mark_only = true;
	p->newest = newest_of(page, &p->newest_ns);
	if (p->newest && p->newest_ns > s->diffs_watermark_ns) {
		p->job.meta_key = strdup(watermark_key);
		p->job.meta_value = strdup(p->newest);
	}
	p->job.job.after = page_after;
	s->diffs_offset += (int64_t)page->count;
	s->diffs_more = page->count && page->has_more != 0 && s->diffs_offset < ROWS_MAX &&
			(page->has_more == 1 || page->count >= PAGE_LIMIT);
	if (s->diffs_offset >= ROWS_MAX)
		hole(s, "more data diffs than are read");
	sync_submit(s, &p->job.job);
}

static void diffs_answer(void *arg, const struct px_answer *answer)
{
	struct px_sync *s = arg;
	struct px_page page = {0};
	struct px_err err = answer->err;
	px_rc rc = answer->rc ? answer->rc : px_page_parse(answer->body, answer->len, &page, &err);

	if (rc) {
		if (answer->status == 400 || answer->status == 403 || answer->status == 404) {
			diffs_refused(s, &err);
			return;
		}
		if (rc != PX_ECANCELED)
			px_log_limited(PX_LOG_WARN, "sync", "data diffs: %s", err.msg);
		diffs_end(s, false);
		return;
	}
	s->diffs_honoured = 1;
	if (!s->diffs_watermark) {
		begin_watermark(s, &page);
		diffs_end(s, true);
	} else {
		take_page(s, answer, &page);
	}
	px_page_release(&page);
}

static void diffs_request(struct px_sync *s)
{
	PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(4096);
	struct px_err err = {0};
	char from[PX_TIME_MAX];
	px_rc rc;

	px_buf_adds(&path, "/v1/admin/data-diffs/");
	if (s->diffs_watermark) {
		px_url_query(&path, "order-by", "created_at:asc,id:asc");
		px_url_query(&path, "after", px_time_format_ms(s->diffs_from_ms, from));
		px_url_query_int(&path, "limit", PAGE_LIMIT);
		px_url_query_int(&path, "offset", s->diffs_offset);
	} else {
		px_url_query(&path, "order-by", "created_at:desc");
		px_url_query_int(&path, "limit", 1);
	}
	rc = px_buf_ok(&path, &err);
	if (!rc)
		rc = px_api_get(s->api, PX_FOR_CATCH_UP, path.data, 0, NULL, diffs_answer, s, &err);
	if (rc)
		diffs_end(s, false);
}

static bool load_time(struct px_sync *s, const char *key, struct px_buf *text, int64_t *ret_ns)
{
	return !px_reader_meta(s->reader, key, text, NULL) && text->len &&
	       !px_time_parse(text->data, text->len, ret_ns);
}

static void load_watermark(struct px_sync *s)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(256), other = PX_BUF_INIT(256);
	int64_t ns = 0;

	s->diffs_loaded = true;
	if (load_time(s, hole_key, &other, &ns)) {
		s->diffs_hole_ms = ns / 1000000;
		close_hole(s);
	}
	px_buf_release(&other);
	px_buf_init(&other, 256);
	if (!load_time(s, watermark_key, &text, &s->diffs_watermark_ns))
		return;
	s->diffs_watermark = strndup(text.data, text.len);
	/* never read to its end: as if long ago */
	s->diffs_read_ms = load_time(s, read_key, &other, &ns) ? ns / 1000000 : 1;
}

static void look_for_hole(struct px_sync *s)
{
	if (!s->diffs_read_ms || px_clock_forward_ms() - s->diffs_read_ms <= KEPT_MS)
		return;
	hole(s, "the log of changes was not read for over 29 days");
	/* what is still there of it is older than what is read now */
	free(s->diffs_watermark);
	s->diffs_watermark = NULL;
	s->diffs_read_ms = 0;
}

void diffs_schedule(struct px_sync *s)
{
	if (!s->diffs_due || s->diffs_out || px_clock_mono_ms() < s->diffs_retry_ms)
		return;
	if (!s->diffs_loaded)
		load_watermark(s);
	look_for_hole(s);
	hole_when_closed(s);
	s->diffs_out = true;
	s->diffs_offset = 0;
	s->diffs_from_ms = s->diffs_watermark_ns / 1000000 - OVERLAP_S * 1000;
	diffs_request(s);
}

void diffs_free(struct px_sync *s)
{
	free(s->diffs_watermark);
	s->diffs_watermark = NULL;
}
