/* SPDX-License-Identifier: MIT */
/*
 * piece.c - a page of a list: what asks for it, and what the answer makes of it.
 *
 * A piece is queued, under way or ready. It belongs to its walk while it is in the walk's list; one
 * that is dropped while it is under way belongs to its request, and is freed by the answer.
 *
 * Invariants:
 * 1. A piece is ready with all its records or not at all: nothing of a page that is refused is
 * stored.
 * 2. A piece that is malformed or too large is split in two, down to one record; when that cannot
 * be read RECORD_TRIES times, it is reported, and the rest goes on. More than SKIP_MAX such
 * records, and the walk ends with an error instead.
 * 3. Its epoch is taken when the request is sent, not when it is queued.
 * 4. A piece that is under way or ready counts among the requests of its purpose, a queued one does
 * not.
 */
#include "walk_i.h"

#include <stdlib.h>
#include <string.h>

/* ---- life
 * -----------------------------------------------------------------------------------------------
 */

struct piece *piece_new(struct walk *w, int64_t offset, int limit, bool overlap)
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

void piece_free(struct piece *p)
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

/* Pieces under way free themselves when their answer comes. */
void piece_drop_all(struct walk *w)
{
	struct piece *p = w->head;

	w->head = NULL;
	w->tail = &w->head;
	while (p) {
		struct piece *next = p->next;

		if (p->state == PIECE_READY)
			w->s->requests[w->purpose]--;
		if (p->state == PIECE_FLYING)
			p->dropped = true;
		else
			piece_free(p);
		p = next;
	}
}

size_t piece_waiting(const struct walk *w)
{
	size_t n = 0;

	for (const struct piece *p = w->head; p; p = p->next)
		n += p->state == PIECE_QUEUED;
	return n;
}

/* ---- answers
 * -----------------------------------------------------------------------------------------------
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

/* ---- requests
 * -----------------------------------------------------------------------------------------------
 */

static void piece_sending(void *arg)
{
	struct piece *p = arg;

	p->epoch = px_ingest_epoch(p->walk->s->ingest);
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

void piece_send(struct piece *p)
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
