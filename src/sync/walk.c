/* SPDX-License-Identifier: MIT */
/*
 * walk.c - one list from beginning to end, in ascending order of (created_at, id), page by page.
 *
 * A walk is an ordered list of pieces: [offset, offset + limit) of one list (of one parent's list
 * for a sub-collection). Pieces are asked for in parallel and handed to ingest strictly in order,
 * each with the cursor that stands behind it, in one transaction. So after a crash the walk goes on
 * behind the last committed piece.
 *
 * Invariants:
 * 1. Neighbouring pages overlap by one record. When the record that ends one page does not begin
 * the next, something moved: pieces ahead are thrown away and the walk steps back, further each
 * time.
 * 2. A piece that is malformed or too large is split in two, down to one record; when that cannot
 * be read RECORD_TRIES times, it is reported, and the rest goes on. More than SKIP_MAX such
 * records, and the walk ends with an error instead.
 * 3. `complete` is written with the last piece only, and only when the records seen are at least as
 * many as the API counts, or WALK_TRIES walks agree that they are not.
 * 4. Nothing of a page that is refused is stored.
 * 5. A page is stored only behind the one before it: when one could not be written, those behind it
 * are refused, and the walk goes on from what the store says.
 * 6. The watermark lies before the walk's beginning: what changed on pages that had been read by
 * then is newer.
 */
#include "sync_i.h"

#include <stdlib.h>
#include <string.h>

enum { CURSOR_MAX_MS = 86400000 /* older: what was read again so far is not new any more */ };

enum piece_state { PIECE_QUEUED, PIECE_FLYING, PIECE_READY };

struct piece {
	struct walk *walk;
	struct piece *next;
	enum piece_state state;
	bool dropped; /* thrown away while under way: its answer is not looked at */
	int64_t offset;
	int limit;
	bool overlap; /* its first record is the last one before it */
	char *parent; /* id, for sub-collections */
	int64_t parent_rid;
	int64_t epoch;
	/* when READY */
	struct px_page_record *records;
	size_t count;
	size_t got; /* with those of integrations that are not wanted */
	char *first_id, *last_id;
	int64_t total;
	int has_more;
	int64_t newest_ns; /* largest updated_at in it */
	char *newest;
	bool skipped;
	int tries; /* of a single record that could not be read */
};

struct walk {
	struct px_sync *s;
	struct walk *next;
	struct sdir *d; /* NULL: account-wide */
	int model;
	enum px_purpose purpose;
	bool fill;	/* ends with FILL_COMPLETE */
	bool refill;	/* was asked for again: also when it fails */
	int64_t number; /* of the walk, per directory */
	struct piece *head, **tail;
	size_t flying, ready;
	int limit;	 /* page size; smaller where the server gives less */
	int64_t planned; /* offset behind the last planned piece; list of one */
	int64_t applied; /* offset behind what ingest has got */
	int64_t total;	 /* -1 unknown */
	int64_t seen;	 /* records it has met, counted at its end */
	char *last_id;	 /* of what ingest has got */
	int back;	 /* steps back in a row */
	int voids;	 /* pages that showed nothing, not even their overlap */
	int tries;	 /* walks over the whole list so far */
	int skips;
	bool any;	  /* the list has shown a record, since it was begun */
	bool planned_all; /* the end of the list is among the pieces */
	bool at_end;	  /* the last piece has gone to ingest */
	bool end_sent;	  /* and what is to be said of the whole list */
	bool failed;
	struct px_err err;
	int jobs; /* submitted and not yet ended */
	int64_t newest_ns;
	char *newest;	     /* largest updated_at so far: the watermark to be */
	char *sync_at;	     /* last_completed_sync when it began, */
	char *back_at;	     /* and last_completed_back_sync */
	int64_t began_epoch; /* before its first request; 0: not known */
	int64_t began_ms;    /* px_clock_wall_ms; 0: not known */
	char *cursor;	     /* stored with what went to ingest last; NULL: nothing yet */
	/* sub-collections */
	int64_t parent_rid; /* parents up to here are planned */
	bool parents_done;
	int64_t parents_applied, parents_total;
};

static bool is_sub(const struct walk *w)
{
	return px_models[w->model].parent >= 0;
}

static const char *walk_name(const struct walk *w)
{
	return px_models[w->model].dir;
}

static const char *walk_of(const struct walk *w)
{
	return w->d ? w->d->integ->row.id : "account";
}

/* ---- life
 * ----------------------------------------------------------------------------------------------------
 */

static void piece_free(struct piece *p)
{
	for (size_t i = 0; i < p->count; i++)
		px_record_release(&p->records[i].record);
	free(p->records);
	free(p->parent);
	free(p->first_id);
	free(p->last_id);
	free(p->newest);
	free(p);
}

/* Throws away what has not gone to ingest. Pieces under way free themselves when their answer
 * comes. */
static void drop_pieces(struct walk *w)
{
	struct piece *p = w->head;

	w->head = NULL;
	w->tail = &w->head;
	while (p) {
		struct piece *next = p->next;

		if (p->state == PIECE_READY) {
			w->ready--;
			w->s->requests[w->purpose]--;
		}
		if (p->state == PIECE_FLYING)
			p->dropped = true;
		else
			piece_free(p);
		p = next;
	}
}

static void walk_unlink(struct walk *w)
{
	struct walk **at = &w->s->all_walks;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

static void walk_free(struct walk *w)
{
	drop_pieces(w);
	walk_unlink(w);
	if (w->d) {
		const struct px_progress none = {.eta_s = -1, .expected = -1};

		w->d->walk = NULL;
		px_board_set_progress(w->s->board, w->d->row.did, &none);
	} else {
		w->s->account_walk = NULL;
	}
	w->s->walks--;
	free(w->last_id);
	free(w->newest);
	free(w->sync_at);
	free(w->back_at);
	free(w->cursor);
	free(w);
}

void walk_free_all(struct px_sync *s)
{
	while (s->all_walks)
		walk_free(s->all_walks);
}

/* Frees a walk that has ended, once nothing refers to it any more. */
static void walk_settle(struct walk *w)
{
	if ((w->failed || w->end_sent) && !w->flying && !w->jobs && (w->failed || !w->head))
		walk_free(w);
}

/* ---- cursor
 * ----------------------------------------------------------------------------------------------------
 */

static char *cursor_text(const struct walk *w, const struct piece *last)
{
	struct px_buf b = PX_BUF_INIT(64 << 10);

	px_buf_addf(&b,
		"{\"walk\":%lld,\"began\":%lld,\"at\":%lld,\"offset\":%lld,\"total\":%lld,"
		"\"tries\":%d,"
		"\"skips\":%d,\"parent\":%lld,\"last\":",
		(long long)w->number, (long long)w->began_epoch, (long long)w->began_ms,
		(long long)w->applied, (long long)w->total, w->tries, w->skips,
		(long long)(last && last->parent ? last->parent_rid : 0));
	px_buf_add_jsons(&b, w->last_id);
	px_buf_adds(&b, ",\"newest\":");
	px_buf_add_jsons(&b, w->newest);
	px_buf_adds(&b, ",\"sync\":");
	px_buf_add_jsons(&b, w->sync_at);
	px_buf_adds(&b, ",\"back\":");
	px_buf_add_jsons(&b, w->back_at);
	px_buf_addc(&b, '}');
	return px_buf_steal(&b, NULL);
}

static void cursor_read(struct walk *w, const char *text)
{
	struct px_span c = {text, strlen(text)};
	int64_t at;

	if (px_json_check(c.p, c.len, NULL) || px_json_kind(c) != PX_JSON_OBJECT)
		return;
	w->number = px_json_int(px_json_member(c, "walk"), w->number);
	w->began_epoch = px_json_int(px_json_member(c, "began"), 0);
	w->began_ms = px_json_int(px_json_member(c, "at"), 0);
	w->applied = px_json_int(px_json_member(c, "offset"), 0);
	w->total = px_json_int(px_json_member(c, "total"), -1);
	w->tries = (int)px_json_int(px_json_member(c, "tries"), 0);
	w->skips = (int)px_json_int(px_json_member(c, "skips"), 0);
	w->parent_rid = px_json_int(px_json_member(c, "parent"), 0);
	w->last_id = px_json_strdup(px_json_member(c, "last"), 8192);
	w->newest = px_json_strdup(px_json_member(c, "newest"), 256);
	if (w->newest && !px_time_parse(w->newest, strlen(w->newest), &at))
		w->newest_ns = at;
	free(w->sync_at);
	w->sync_at = px_json_strdup(px_json_member(c, "sync"), 256);
	free(w->back_at);
	w->back_at = px_json_strdup(px_json_member(c, "back"), 256);
	if (w->applied < 0)
		w->applied = 0;
	/* one record back: the overlap shows whether the list still is what it was */
	w->planned = w->applied > 0 && w->last_id ? w->applied - 1 : w->applied;
}

/* A member of the cursor of d; p NULL: there is none. */
static struct px_span cursor_member(const struct sdir *d, const char *name)
{
	struct px_span c = {d->row.cursor, d->row.cursor ? strlen(d->row.cursor) : 0};

	if (!c.p || px_json_check(c.p, c.len, NULL) || px_json_kind(c) != PX_JSON_OBJECT)
		return (struct px_span){0};
	return px_json_member(c, name);
}

int64_t walk_cursor_began_ms(const struct sdir *d)
{
	return px_json_int(cursor_member(d, "at"), 0);
}

static bool is_time(struct px_span member, const char *time)
{
	return member.p &&
	       (time ? px_json_string_is(member, time) : px_json_kind(member) == PX_JSON_NULL);
}

bool walk_cursor_after_syncs(const struct sdir *d)
{
	const struct px_integration *i = &d->integ->row;

	return is_time(cursor_member(d, "sync"), i->last_completed_sync) &&
	       is_time(cursor_member(d, "back"), i->last_completed_back_sync);
}

void walk_again(struct sdir *d)
{
	d->refill = d->anew = true;
}

/* ---- planning
 * --------------------------------------------------------------------------------------------------
 */

static struct piece *piece_new(struct walk *w, int64_t offset, int limit, bool overlap)
{
	struct piece *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->walk = w;
	p->offset = offset;
	p->limit = limit;
	p->overlap = overlap;
	p->total = -1;
	p->has_more = -1;
	p->newest_ns = INT64_MIN;
	return p;
}

static void walk_fail(struct walk *w, const struct px_err *err);

static bool plan_one(struct walk *w, int64_t offset, int limit, bool overlap)
{
	struct piece *p = piece_new(w, offset, limit, overlap);
	struct px_err err;

	if (!p) {
		px_err_nomem(&err);
		walk_fail(w, &err);
		return false;
	}
	*w->tail = p;
	w->tail = &p->next;
	return true;
}

struct parents {
	struct walk *w;
	size_t room;
};

static bool plan_parent(void *arg, int64_t rid, const char *id, size_t id_len)
{
	struct parents *ps = arg;
	struct walk *w = ps->w;
	struct piece *p;

	if (!ps->room)
		return false;
	ps->room--;
	if (!plan_one(w, 0, PAGE_LIMIT, false))
		return false;
	for (p = w->head; p->next; p = p->next)
		;
	p->parent = strndup(id, id_len);
	p->parent_rid = rid;
	w->parent_rid = rid;
	return true;
}

/* The next parents of a sub-collection, as many as there is room for. */
static void plan_parents(struct walk *w, size_t room)
{
	struct sdir *parent = &w->d->integ->dirs[px_models[w->model].parent];
	struct parents ps = {.w = w, .room = room};
	struct px_err err = {0};
	px_rc rc = px_reader_ids(
		w->s->reader, parent->row.did, w->parent_rid, plan_parent, &ps, &err);

	if (rc)
		walk_fail(w, &err);
	else if (ps.room)
		w->parents_done = w->planned_all = true;
}

static size_t pieces_waiting(const struct walk *w)
{
	size_t n = 0;

	for (const struct piece *p = w->head; p; p = p->next)
		n += p->state == PIECE_QUEUED;
	return n;
}

static void plan(struct walk *w, size_t room)
{
	size_t waiting = pieces_waiting(w);

	if (w->failed || w->planned_all || waiting >= room)
		return;
	if (is_sub(w)) {
		plan_parents(w, room - waiting);
		return;
	}
	/* the first page tells whether there is a total; without one, each page waits for the one
	 * before */
	while (!w->planned_all && waiting < room &&
		(!w->head || (w->total >= 0 && w->planned < w->total))) {
		bool overlap = w->planned > 0 && (w->head || w->last_id);

		if (!plan_one(w, w->planned, w->limit, overlap))
			return;
		/* the next page begins with this one's last record */
		w->planned += w->limit > 1 ? w->limit - 1 : 1;
		waiting++;
		if (w->total < 0)
			break;
	}
}

/* ---- failing
 * ---------------------------------------------------------------------------------------------------
 */

static void note_after(struct px_job *job)
{
	struct px_note_job *n = (struct px_note_job *)job;

	px_note_job_release(n);
	free(n);
}

void sync_put_dir(struct px_sync *s, const struct sdir *d)
{
	struct px_note_job *n = malloc(sizeof *n);

	if (!n)
		return;
	px_note_job_init(n);
	n->job.after = note_after;
	n->put_dir = true;
	n->dir = d->row;
	n->dir.watermark = d->row.watermark ? strdup(d->row.watermark) : NULL;
	n->dir.cursor = d->row.cursor ? strdup(d->row.cursor) : NULL;
	n->dir.error = d->row.error ? strdup(d->row.error) : NULL;
	sync_submit(s, &n->job);
}

void sync_dir_error(struct px_sync *s, struct sdir *d, const char *message)
{
	if (message && d->row.error && !strcmp(message, d->row.error))
		return;
	if (!message && !d->row.error)
		return;
	free(d->row.error);
	d->row.error = message ? strdup(message) : NULL;
	sync_put_dir(s, d);
}

static bool is_refusal(const struct px_err *err)
{
	return err->http == 403 || err->http == 404;
}

/* Ends the walk; what is stored stays, the cursor too, and it is tried again later. */
static void walk_fail(struct walk *w, const struct px_err *err)
{
	struct px_sync *s = w->s;
	int64_t now = px_clock_mono_ms();

	if (w->failed)
		return;
	w->failed = true;
	w->err = *err;
	for (size_t i = 0; w->refill && i < s->count; i++)
		if (!w->d || w->d == &s->integs[i]->dirs[w->model])
			s->integs[i]->dirs[w->model].refill |=
				s->integs[i]->dirs[w->model].row.complete;
	drop_pieces(w);
	if (err->code == PX_ECANCELED)
		return;
	px_log_limited(PX_LOG_WARN, "sync", "%s of %s: %s", walk_name(w), walk_of(w), err->msg);
	if (!w->d) {
		s->fees_failures++;
		s->fees_retry_ms = now +
				   sync_backoff_ms(s->fees_failures, RETRY_MIN_MS, RETRY_MAX_MS);
		for (size_t i = 0; i < s->count; i++)
			if (dir_due(&s->integs[i]->dirs[w->model]))
				sync_dir_error(s, &s->integs[i]->dirs[w->model], err->msg);
		return;
	}
	w->d->failures++;
	if (is_refusal(err)) {
		w->d->retry_ms = now + sync_backoff_ms(w->d->failures, REFUSED_RETRY_MS,
					       4 * REFUSED_RETRY_MS);
		w->d->row.enabled = false;
	} else {
		w->d->retry_ms = now + sync_backoff_ms(w->d->failures, RETRY_MIN_MS, RETRY_MAX_MS);
	}
	sync_dir_error(s, w->d, err->msg);
}

/* ---- answers
 * ---------------------------------------------------------------------------------------------------
 */

static px_rc take_records(struct piece *p, const struct px_page *page, struct px_err *err)
{
	struct walk *w = p->walk;

	p->records = calloc(page->count ? page->count : 1, sizeof *p->records);
	if (!p->records)
		return px_err_nomem(err);
	for (size_t i = 0; i < page->count; i++) {
		struct px_page_record *r = &p->records[p->count];
		px_rc rc = px_record_parse(
			page->results[i].p, page->results[i].len, &r->record, err);
		int64_t at;

		if (rc)
			return rc;
		if (w->d) {
			r->did = w->d->row.did;
		} else {
			struct sinteg *in = r->record.integration_id
						    ? sync_integ_by_id(
							      w->s, r->record.integration_id)
						    : NULL;

			r->did = in && in->wanted ? in->dirs[w->model].row.did : 0;
		}
		if (i == 0)
			p->first_id = strdup(r->record.id);
		if (i + 1 == page->count)
			p->last_id = strdup(r->record.id);
		if (r->record.updated_at &&
			!px_time_parse(r->record.updated_at, strlen(r->record.updated_at), &at) &&
			at > p->newest_ns) {
			p->newest_ns = at;
			free(p->newest);
			p->newest = strdup(r->record.updated_at);
		}
		if (r->did)
			p->count++;
		else
			px_record_release(&r->record);
	}
	return PX_OK;
}

static void piece_clear(struct piece *p)
{
	for (size_t i = 0; i < p->count; i++)
		px_record_release(&p->records[i].record);
	free(p->records);
	free(p->first_id);
	free(p->last_id);
	free(p->newest);
	p->records = NULL;
	p->count = 0;
	p->first_id = p->last_id = p->newest = NULL;
	p->newest_ns = INT64_MIN;
}

/* Invariant 2. */
static void split(struct piece *p, const struct px_err *why)
{
	struct walk *w = p->walk;
	struct piece *rest;
	int half = p->limit / 2;

	if (p->limit == 1 && ++p->tries < RECORD_TRIES) {
		p->state = PIECE_QUEUED;
		return;
	}
	if (p->limit == 1) {
		px_warn("sync", "%s of %s: the record at offset %lld cannot be read: %s",
			walk_name(w), walk_of(w), (long long)p->offset, why->msg);
		if (++w->skips > SKIP_MAX) {
			walk_fail(w, why);
			return;
		}
		p->skipped = true;
		p->state = PIECE_READY;
		p->total = w->total;
		w->ready++;
		w->s->requests[w->purpose]++;
		return;
	}
	rest = piece_new(w, p->offset + half, p->limit - half, false);
	if (!rest) {
		walk_fail(w, why);
		return;
	}
	rest->parent = p->parent ? strdup(p->parent) : NULL;
	rest->parent_rid = p->parent_rid;
	rest->next = p->next;
	if (w->tail == &p->next)
		w->tail = &rest->next;
	p->next = rest;
	p->limit = half;
	p->state = PIECE_QUEUED;
}

static void piece_sending(void *arg)
{
	struct piece *p = arg;

	p->epoch = px_ingest_epoch(p->walk->s->ingest);
}

static void walk_apply(struct walk *w);

static void piece_answer(void *arg, const struct px_answer *answer)
{
	struct piece *p = arg;
	struct walk *w = p->walk;
	struct px_page page = {0};
	struct px_err err = answer->err;
	size_t got = 0;
	px_rc rc = answer->rc;

	w->flying--;
	w->s->requests[w->purpose]--;
	if (p->dropped || w->failed) {
		piece_free(p);
		walk_settle(w);
		return;
	}
	p->state = PIECE_QUEUED; /* not under way any more: whoever drops it frees it */
	/* a parent that has gone has no rows; 400 is one way to say so (API reference §7) */
	if (p->parent && (rc == PX_ENOENT || (rc == PX_EHTTP && answer->status == 400)))
		rc = PX_OK;
	else if (!rc)
		rc = px_page_parse(answer->body, answer->len, &page, &err);
	if (!rc && answer->rc == PX_OK)
		rc = take_records(p, &page, &err);
	got = page.count;
	if (!rc) {
		p->got = got;
		p->total = page.total;
		p->has_more = page.has_more;
		p->state = PIECE_READY;
		w->ready++;
		w->s->requests[w->purpose]++;
		/* a server that gives less than was asked for has a smaller page */
		if (p->has_more == 1 && got && got < (size_t)p->limit && p->limit == w->limit &&
			!p->parent)
			w->limit = (int)got;
	}
	px_page_release(&page);
	if (rc) {
		piece_clear(p);
		if (answer->status)
			err.http = answer->status;
		if (rc == PX_ESYNTAX || rc == PX_ELIMIT)
			split(p, &err);
		else
			walk_fail(w, &err);
	}
	walk_apply(w);
	walk_settle(w);
}

static px_rc piece_path(const struct piece *p, struct px_buf *path, struct px_err *err)
{
	const struct walk *w = p->walk;
	const struct px_model *m = &px_models[w->model];

	if (p->parent)
		px_url_path(path, m->list_path, p->parent, strlen(p->parent));
	else
		px_buf_adds(path, m->list_path);
	px_url_query(path, "order-by", "created_at:asc,id:asc");
	if (m->by_integration && w->d)
		px_url_query(path, "integration_id", w->d->integ->row.id);
	px_url_query_int(path, "limit", p->limit);
	px_url_query_int(path, "offset", p->offset);
	return px_buf_ok(path, err);
}

static void piece_send(struct piece *p)
{
	struct walk *w = p->walk;
	PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(64 << 10);
	struct px_err err = {0};
	px_rc rc = piece_path(p, &path, &err);

	if (!rc)
		rc = px_api_get(
			w->s->api, w->purpose, path.data, 0, piece_sending, piece_answer, p, &err);
	if (rc) {
		walk_fail(w, &err);
		return;
	}
	p->state = PIECE_FLYING;
	w->flying++;
	w->s->requests[w->purpose]++;
}

/* ---- applying, in order
 * ------------------------------------------------------------------------------------------- */

struct page_ctx {
	struct px_page_job page;
	struct walk *walk;
	int64_t offset;
	bool last;
};

/* Begins the list again: from where the overlap did not hold, or from the front. */
static void restart_at(struct walk *w, int64_t offset)
{
	drop_pieces(w);
	w->planned_all = w->at_end = w->any = false;
	w->parents_done = false;
	w->planned = w->applied = offset > 0 ? offset : 0;
	free(w->last_id);
	w->last_id = NULL;
	if (is_sub(w))
		w->parent_rid = 0;
}

/* Invariant 5: the page follows the one whose cursor is the walk's, which then is that of this page
 * (NULL: the end of the list). */
static px_rc keep_order(struct walk *w, struct px_page_job *page, const struct piece *p)
{
	page->behind = w->cursor;
	page->behind_did = w->d ? w->d->row.did : 0;
	w->cursor = p ? cursor_text(w, p) : NULL;
	return p && !w->cursor ? PX_ENOMEM : PX_OK;
}

static void dir_copy(struct px_dir *to, const struct px_dir *from)
{
	*to = *from;
	to->watermark = from->watermark ? strdup(from->watermark) : NULL;
	to->cursor = from->cursor ? strdup(from->cursor) : NULL;
	to->error = from->error ? strdup(from->error) : NULL;
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
			row->expected = is_sub(w) ? -1 : w->total;
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
			} else if (w->total > w->seen && w->d && !is_sub(w)) {
				struct px_buf b = PX_BUF_INIT(200);

				px_buf_addf(&b, "the API counts %lld records and lists %lld",
					(long long)w->total, (long long)w->seen);
				row->error = px_buf_steal(&b, NULL);
			}
		}
		dir_copy(&page->states[page->state_count++], row);
	}
	if (last && !w->d) {
		page->meta_key = strdup("fees.cursor");
		page->meta_value = strdup("");
	}
	return PX_OK;
}

/* What the store has and the whole list had not. A walk that had to leave records out proves
 * nothing. */
static void walk_sweep(struct walk *w)
{
	struct px_sync *s = w->s;

	if (w->skips || (w->total >= 0 && w->d && !is_sub(w) && w->seen < w->total))
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

static void submit(struct walk *w, struct piece *p, bool last)
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
	c->offset = p->offset;
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

/* Whether the list ends behind this piece. */
static bool is_end(const struct walk *w, const struct piece *p, size_t got)
{
	if (p->has_more == 1 && got)
		return false;
	if (p->has_more == 0)
		return true;
	if (p->skipped)
		return w->total >= 0 && p->offset + p->limit >= w->total;
	return got < (size_t)p->limit;
}

/* A sub-collection's list goes on: the next page of the same parent comes right behind. */
static bool continue_parent(struct piece *p, size_t got)
{
	struct walk *w = p->walk;
	struct piece *more;

	more = piece_new(w, p->offset + (int64_t)got, PAGE_LIMIT, false);
	if (!more)
		return false;
	more->parent = strdup(p->parent);
	more->parent_rid = p->parent_rid;
	more->next = p->next;
	if (w->tail == &p->next)
		w->tail = &more->next;
	p->next = more;
	return true;
}

static void apply_head(struct walk *w)
{
	struct piece *p = w->head;
	size_t got = p->got;
	bool end;

	/* nothing where the last record should be again: the list has become shorter before it */
	if (p->overlap && w->last_id && !p->skipped &&
		(p->first_id ? strcmp(p->first_id, w->last_id) != 0 : ++w->voids <= WALK_TRIES)) {
		int64_t step = (int64_t)w->limit << (w->back < 20 ? w->back : 20);

		px_debug("sync", "%s of %s: the list moved at offset %lld", walk_name(w),
			walk_of(w), (long long)p->offset);
		w->back++;
		restart_at(w, p->offset - step);
		return;
	}
	w->back = 0;
	if (p->total >= 0)
		w->total = p->total;
	w->any |= p->first_id || p->skipped;
	end = is_end(w, p, got);
	if (p->parent && !end && !p->skipped && !continue_parent(p, got)) {
		struct px_err err;

		px_err_nomem(&err);
		walk_fail(w, &err);
		return;
	}
	w->head = p->next;
	if (!w->head)
		w->tail = &w->head;
	w->ready--;
	w->s->requests[w->purpose]--;
	if (is_sub(w)) {
		w->at_end = w->parents_done && !w->head;
	} else {
		w->applied = p->skipped ? p->offset + p->limit : p->offset + (int64_t)got;
		if (p->last_id) {
			free(w->last_id);
			w->last_id = strdup(p->last_id);
		} else if (p->skipped) {
			free(w->last_id);
			w->last_id = NULL;
		}
		if (end) {
			drop_pieces(w);
			w->planned_all = true;
		} else if (!w->head) {
			/* sequential, or the list grew behind what was planned */
			w->planned = w->last_id ? w->applied - 1 : w->applied;
		}
		w->at_end = end;
	}
	if (p->newest && p->newest_ns > w->newest_ns) {
		w->newest_ns = p->newest_ns;
		free(w->newest);
		w->newest = p->newest;
		p->newest = NULL;
	}
	submit(w, p, false);
	piece_free(p);
}

/* The end was reached, and every page is in the store: does the count come out? */
static bool count_comes_out(struct walk *w)
{
	struct px_err err;

	if (!w->d || is_sub(w))
		return true;
	if (px_reader_walk_seen(w->s->reader, w->d->row.did, w->number, &w->seen, &err)) {
		walk_fail(w, &err);
		return false;
	}
	if (w->total < 0 || w->seen >= w->total - w->skips || w->tries + 1 >= WALK_TRIES)
		return true;
	px_info("sync", "%s of %s: %lld records seen of %lld: walking again", walk_name(w),
		walk_of(w), (long long)w->seen, (long long)w->total);
	w->tries++;
	restart_at(w, 0);
	return false;
}

/* A list that shows nothing, of which records are stored: all of them may have vanished; or the key
 * is another account's now, or the model is switched off. The list of integrations tells, and then
 * this one is read once more. */
static bool is_believed(struct walk *w)
{
	struct px_sync *s = w->s;
	bool held = false;
	struct px_err err;

	for (size_t i = 0; i < s->count && !w->any && !held; i++) {
		const struct sdir *d = &s->integs[i]->dirs[w->model];
		struct px_dir stored = {0};

		if ((w->d ? w->d == d : dir_due(d)) &&
			!px_reader_dir(s->reader, d->row.did, &stored, NULL))
			held = stored.records > 0;
		px_dir_release(&stored);
	}
	if (w->any || !held || !sync_is_odd(s, w->d ? &w->d->odd_list : &s->account_odd_list))
		return true;
	for (size_t i = 0; i < s->count; i++)
		if (!w->d || w->d == &s->integs[i]->dirs[w->model])
			s->integs[i]->dirs[w->model].anew = true;
	px_err_set(&err, PX_EBUSY, "the list is empty, and records of it are stored");
	walk_fail(w, &err);
	return false;
}

static void walk_apply(struct walk *w)
{
	struct piece *end;

	while (!w->failed && !w->at_end && w->head && w->head->state == PIECE_READY &&
		w->s->jobs_out < JOBS_OUT_MAX)
		apply_head(w);
	/* a sub-collection may have no parents, and so no piece */
	if (is_sub(w) && w->parents_done && !w->head)
		w->at_end = true;
	if (w->failed || !w->at_end || w->end_sent || w->jobs || !is_believed(w) ||
		!count_comes_out(w))
		return;
	end = piece_new(w, 0, 1, false);
	if (end) {
		submit(w, end, true);
		piece_free(end);
	}
}

/* ---- from outside
 * --------------------------------------------------------------------------------------------------
 */

static struct walk *walk_new(struct px_sync *s, struct sdir *d, int model, enum px_purpose purpose)
{
	struct walk *w = calloc(1, sizeof *w);

	if (!w)
		return NULL;
	w->s = s;
	w->d = d;
	w->model = model;
	w->purpose = purpose;
	w->tail = &w->head;
	w->limit = PAGE_LIMIT;
	w->total = -1;
	w->newest_ns = INT64_MIN;
	w->next = s->all_walks;
	s->all_walks = w;
	s->walks++;
	return w;
}

static void walk_log_started(struct walk *w)
{
	if (w->fill && !w->applied && !w->parent_rid)
		sync_log(w->s, w->d ? w->d->row.iid : 0, walk_name(w), "FILL_STARTED", NULL);
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* An interrupted reading of what is complete. */
static bool is_too_old(const struct sdir *d)
{
	return d->row.complete && d->row.cursor &&
	       px_clock_wall_ms() - walk_cursor_began_ms(d) > CURSOR_MAX_MS;
}

/* From the front, or where the cursor says. */
static void walk_begins(struct walk *w, const char *cursor)
{
	if (cursor && *cursor) {
		cursor_read(w, cursor);
		return;
	}
	w->began_epoch = px_ingest_epoch(w->s->ingest);
	w->began_ms = px_clock_wall_ms();
}

void walk_start(struct px_sync *s, struct sdir *d, enum px_purpose purpose)
{
	struct walk *w = walk_new(s, d, d->model, purpose);

	if (!w)
		return;
	d->walk = w;
	w->fill = !d->row.complete;
	w->refill = d->refill;
	if (d->anew || is_too_old(d)) {
		free(d->row.cursor);
		d->row.cursor = NULL;
	}
	/* whoever asks from now on wants another walk; a walk that goes on does not have what
	 * changed on the pages that it had read */
	d->refill = d->anew = false;
	d->catch_up &= d->row.cursor != NULL;
	w->number = d->row.walk + 1;
	w->sync_at = copy(d->integ->row.last_completed_sync);
	w->back_at = copy(d->integ->row.last_completed_back_sync);
	walk_begins(w, d->row.cursor);
	walk_log_started(w);
}

void walk_start_account(struct px_sync *s, int model, enum px_purpose purpose)
{
	PX_BUF_AUTO struct px_buf cursor = PX_BUF_INIT(64 << 10);
	struct walk *w = walk_new(s, NULL, model, purpose);
	bool anew = false;

	if (!w)
		return;
	s->account_walk = w;
	for (size_t i = 0; i < s->count; i++) {
		struct sdir *d = &s->integs[i]->dirs[model];

		if (d->row.walk >= w->number)
			w->number = d->row.walk + 1;
		w->fill |= !d->row.complete && dir_due(d);
		w->refill |= d->refill;
		anew |= d->anew;
		d->refill = d->anew = d->sweeping = false;
	}
	if (!anew && !px_reader_meta(s->reader, "fees.cursor", &cursor, NULL))
		walk_begins(w, cursor.data);
	else
		walk_begins(w, NULL);
	for (size_t i = 0; i < s->count; i++)
		s->integs[i]->dirs[model].catch_up &= w->applied > 0;
	walk_log_started(w);
}

void walk_advance_all(struct px_sync *s)
{
	/* of each purpose: else one of them could keep the others out */
	size_t room = (size_t)s->conf->connections + JOBS_OUT_MAX;
	struct walk *next;

	for (struct walk *w = s->all_walks; w; w = next) {
		next = w->next;
		walk_apply(w);
		if (!w->failed && s->requests[w->purpose] < room) {
			plan(w, room - s->requests[w->purpose]);
			for (struct piece *p = w->head;
				p && !w->failed && s->requests[w->purpose] < room;) {
				struct piece *after = p->next;

				if (p->state == PIECE_QUEUED)
					piece_send(p);
				p = after;
			}
		}
		walk_apply(w);
		walk_settle(w);
	}
}

bool walk_is_sweep(const struct walk *w)
{
	return w->purpose == PX_FOR_SWEEP;
}

int64_t walk_applied(const struct walk *w)
{
	return w->applied;
}

size_t walk_count(const struct px_sync *s, enum px_purpose purpose)
{
	size_t n = 0;

	for (const struct walk *w = s->all_walks; w; w = w->next)
		n += w->purpose == purpose;
	return n;
}

/* Requests that a walk has not sent yet; -1: nobody knows. */
static int64_t unsent(const struct walk *w)
{
	int64_t step = w->limit > 1 ? w->limit - 1 : 1;
	int64_t left = w->total - w->planned;

	if (w->total < 0)
		return w->at_end ? 0 : -1;
	return (int64_t)pieces_waiting(w) + (left > 0 ? (left + step - 1) / step : 0);
}

/* What a request takes while they go out, over the last seconds in which some did. */
static void measure_pace(struct px_sync *s, const struct px_api_stats *stats, int64_t now)
{
	uint64_t sent = 0;
	int64_t took = now - s->pace_at_ms;

	for (int p = 0; p < PX_PURPOSES; p++)
		sent += stats->requests[p];
	if (s->pace_at_ms && sent > s->pace_sent) {
		s->pace_ms += (double)took;
		s->pace_requests += (double)(sent - s->pace_sent);
	}
	while (s->pace_ms > PACE_MS) {
		s->pace_ms /= 2;
		s->pace_requests /= 2;
	}
	s->pace_at_ms = now;
	s->pace_sent = sent;
}

void walk_progress(struct px_sync *s, const struct px_api_stats *stats)
{
	int64_t now = px_clock_mono_ms(), ahead = 0;
	double each_ms;

	measure_pace(s, stats, now);
	each_ms = s->pace_requests > 0 ? s->pace_ms / s->pace_requests : 0;
	s->eta_s = -1;
	/* the newest walk is served first */
	for (struct walk *w = s->all_walks; w; w = w->next) {
		struct px_progress p = {
			.done = w->applied, .expected = w->total, .eta_s = -1, .active = true};
		int64_t left = unsent(w);

		if (left >= 0) {
			ahead += left;
			if (stats->reachable && each_ms > 0)
				p.eta_s = (px_limiter_forecast_ms(&stats->limiter,
						   ahead + (int64_t)w->flying, each_ms, now) +
						  500) /
					  1000;
		}
		s->eta_s = p.eta_s;
		if (w->d)
			px_board_set_progress(s->board, w->d->row.did, &p);
	}
}
