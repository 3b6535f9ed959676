/* SPDX-License-Identifier: MIT */
/*
 * commit.c - a piece on its way into the store, with all that stands behind it, in one transaction:
 * the cursor, and at the end of the list the state of its directories.
 *
 * Invariants:
 * 1. A page is stored only behind the one before it: when one could not be written, those behind it
 * are refused, and the walk goes on from what the store says.
 * 2. `complete` is written with the last piece only.
 * 3. The watermark lies before the walk's beginning: what changed on pages that had been read by
 * then is newer.
 * 4. What the store has and the list had not is looked at only when the last piece is stored.
 */
#include "walk_i.h"

#include <stdlib.h>
#include <string.h>

struct page_ctx {
	struct px_page_job page;
	struct walk *walk;
	bool last;
};

/* ---- what stands behind a piece
 * -----------------------------------------------------------------------------------------------
 */

/* Invariant 1: the page follows the one whose cursor is the walk's, which then is that of this page
 * (NULL: the end of the list). */
static px_rc keep_order(struct walk *w, struct px_page_job *page, const struct piece *p)
{
	page->behind = w->cursor;
	page->behind_did = w->d ? w->d->row.did : 0;
	w->cursor = p ? cursor_text(w, p) : NULL;
	return p && !w->cursor ? PX_ENOMEM : PX_OK;
}

/* What a walk over what changed later begins with: the largest updated_at that the walk saw, but
 * for a moment before it began. Never less than what such walks have reached. */
static void set_watermark(const struct walk *w, struct px_dir *row)
{
	int64_t before_ns = (w->began_ms - CLOCKS_MS) * 1000000, ns;
	char at[PX_TIME_MAX];
	const char *mark = w->newest;

	if (!mark)
		return;
	if (w->began_ms && w->newest_ns > before_ns)
		mark = px_time_format_ms(w->began_ms - CLOCKS_MS, at);
	if (row->watermark && !px_time_parse(row->watermark, strlen(row->watermark), &ns) &&
		ns >= (mark == at ? before_ns : w->newest_ns))
		return;
	free(row->watermark);
	row->watermark = strdup(mark);
}

/* What stands in the directory's row behind this piece. */
static px_rc fill_states(struct walk *w, struct px_page_job *page, const struct piece *p, bool last)
{
	struct px_sync *s = w->s;
	int64_t now = px_clock_wall_ms();

	if (keep_order(w, page, last ? NULL : p))
		return PX_ENOMEM;
	if (!w->d && !last) {
		page->meta_key = strdup("fees.cursor");
		page->meta_value = strdup(w->cursor);
		return page->meta_key && page->meta_value ? PX_OK : PX_ENOMEM;
	}
	page->states = calloc(s->count ? s->count : 1, sizeof *page->states);
	if (!page->states)
		return PX_ENOMEM;
	for (size_t i = 0; i < s->count; i++) {
		struct sdir *d = &s->integs[i]->dirs[w->model];
		struct px_dir *row = &d->row;

		if (w->d ? w->d != d : !dir_due(d))
			continue;
		/* its first sync ended while the account's list was read: that needs another walk
		 */
		if (!w->d && !row->complete && d->refill)
			continue;
		if (w->d)
			row->expected = walk_is_sub(w) ? -1 : w->total;
		free(row->cursor);
		row->cursor = last || !w->d ? NULL : strdup(w->cursor);
		row->walk = w->number;
		if (last) {
			if (!row->filled_ms)
				row->filled_ms = now;
			row->reconciled_ms = now;
			row->complete = true;
			set_watermark(w, row);
			free(row->error);
			row->error = NULL;
			if (w->skips) {
				struct px_buf b = PX_BUF_INIT(200);

				px_buf_addf(&b, "%d record%s could not be read", w->skips,
					w->skips == 1 ? "" : "s");
				row->error = px_buf_steal(&b, NULL);
			} else if (w->total > w->seen && w->d && !walk_is_sub(w)) {
				struct px_buf b = PX_BUF_INIT(200);

				px_buf_addf(&b, "the API counts %lld records and lists %lld",
					(long long)w->total, (long long)w->seen);
				row->error = px_buf_steal(&b, NULL);
			}
		}
		sync_dir_copy(&page->states[page->state_count++], row);
	}
	if (last && !w->d) {
		page->meta_key = strdup("fees.cursor");
		page->meta_value = strdup("");
	}
	return PX_OK;
}

/* ---- once it is stored
 * -----------------------------------------------------------------------------------------------
 */

/* What the store has and the whole list had not. A walk that had to leave records out proves
 * nothing. */
static void walk_sweep(struct walk *w)
{
	struct px_sync *s = w->s;

	if (w->skips || (w->total >= 0 && w->d && !walk_is_sub(w) && w->seen < w->total))
		return;
	for (size_t i = 0; i < s->count; i++) {
		struct sdir *d = &s->integs[i]->dirs[w->model];
		int64_t seen = 0;

		if ((w->d ? w->d != d : !dir_due(d)) || !d->row.did || d->row.walk != w->number)
			continue;
		if (!px_reader_walk_seen(s->reader, d->row.did, w->number, &seen, NULL))
			sweep_walk_done(s, d, w->began_epoch, (size_t)seen);
	}
}

static void page_after(struct px_job *job)
{
	struct page_ctx *c = (struct page_ctx *)job;
	struct walk *w = c->walk;
	struct px_sync *s = w->s;

	w->jobs--;
	if (job->rc) {
		/* nothing of it is stored: go on from there once the store can be written again */
		for (size_t i = 0; i < s->count; i++)
			if (!w->d || w->d == &s->integs[i]->dirs[w->model])
				account_reload(s, &s->integs[i]->dirs[w->model]);
		walk_fail(w, &job->err);
	}
	if (!job->rc && c->last) {
		if (w->d) {
			w->d->failures = 0;
			w->d->row.records = w->seen;
		} else {
			s->fees_failures = 0;
		}
		px_info("sync", "%s of %s: read to the end, %lld records", walk_name(w), walk_of(w),
			(long long)w->seen);
		walk_sweep(w);
	}
	px_page_job_release(&c->page);
	free(c);
	walk_apply(w);
	walk_settle(w);
}

/* ---- handing over
 * -----------------------------------------------------------------------------------------------
 */

void commit_piece(struct walk *w, struct piece *p, bool last)
{
	struct page_ctx *c = calloc(1, sizeof *c);
	struct px_err err;

	if (!c) {
		px_err_nomem(&err);
		walk_fail(w, &err);
		return;
	}
	px_page_job_init(&c->page);
	c->page.job.after = page_after;
	c->walk = w;
	c->last = last;
	c->page.records = p->records;
	c->page.count = p->count;
	p->records = NULL;
	p->count = 0;
	c->page.sent_epoch = p->epoch;
	c->page.walk = w->number;
	if (p->parent && !px_models[w->model].parent_member) {
		c->page.parent = p->parent;
		p->parent = NULL;
	}
	if (fill_states(w, &c->page, p, last)) {
		px_page_job_release(&c->page);
		free(c);
		px_err_nomem(&err);
		walk_fail(w, &err);
		return;
	}
	if (last)
		c->page.event = w->fill ? "FILL_COMPLETE" : "RECONCILED";
	if (last)
		w->end_sent = true;
	if (last)
		c->page.whole_epoch = w->began_epoch;
	/* where there is no reading by id, the whole list answers marks */
	if (last && w->d && !px_models[w->model].get_path) {
		c->page.settled_epoch = w->began_epoch;
		c->page.settled_did = w->d->row.did;
		c->page.settled_view = px_models[w->model].view_of >= 0;
	}
	w->jobs++;
	sync_submit(w->s, &c->page.job);
}
