/* SPDX-License-Identifier: MIT */
/*
 * walk.c - one list from beginning to end, in ascending order of (created_at, id), page by page.
 *
 * A walk is an ordered list of pieces: [offset, offset + limit) of one list (of one parent's list
 * for a sub-collection). Pieces are asked for in parallel (piece.c) and handed to ingest strictly
 * in order, each with the cursor that stands behind it (cursor.c), in one transaction (commit.c).
 * So after a crash the walk goes on behind the last committed piece.
 *
 * Invariants:
 * 1. Neighbouring pages overlap by one record. When the record that ends one page does not begin
 * the next, something moved: pieces ahead are thrown away and the walk steps back, further each
 * time.
 * 2. The last piece goes to ingest only when every other one is stored, and only when the records
 * seen are at least as many as the API counts, or WALK_TRIES walks agree that they are not.
 * 3. A list that shows nothing, of which records are stored, is not believed at once.
 * 4. A walk is freed when it has ended, and neither request nor job refers to it any more.
 */
#include "walk_i.h"

#include <stdlib.h>
#include <string.h>

bool walk_is_sub(const struct walk *w)
{
	return px_models[w->model].parent >= 0;
}

const char *walk_name(const struct walk *w)
{
	return px_models[w->model].dir;
}

const char *walk_of(const struct walk *w)
{
	return w->d ? w->d->integ->row.id : "account";
}

/* ---- life
 * -----------------------------------------------------------------------------------------------
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

static void walk_unlink(struct walk *w)
{
	struct walk **at = &w->s->all_walks;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

static void walk_free(struct walk *w)
{
	piece_drop_all(w);
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

void walk_settle(struct walk *w)
{
	if ((w->failed || w->end_sent) && !w->flying && !w->jobs && (w->failed || !w->head))
		walk_free(w);
}

/* ---- planning
 * -----------------------------------------------------------------------------------------------
 */

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

static void plan(struct walk *w, size_t room)
{
	size_t waiting = piece_waiting(w);

	if (w->failed || w->planned_all || waiting >= room)
		return;
	if (walk_is_sub(w)) {
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
 * -----------------------------------------------------------------------------------------------
 */

static bool is_refusal(const struct px_err *err)
{
	return err->http == 403 || err->http == 404;
}

void walk_fail(struct walk *w, const struct px_err *err)
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
	piece_drop_all(w);
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

/* ---- applying, in order
 * -----------------------------------------------------------------------------------------------
 */

/* Begins the list again: from where the overlap did not hold, or from the front. */
static void restart_at(struct walk *w, int64_t offset)
{
	piece_drop_all(w);
	w->planned_all = w->at_end = w->any = false;
	w->parents_done = false;
	w->planned = w->applied = offset > 0 ? offset : 0;
	free(w->last_id);
	w->last_id = NULL;
	if (walk_is_sub(w))
		w->parent_rid = 0;
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
	w->s->requests[w->purpose]--;
	if (walk_is_sub(w)) {
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
			piece_drop_all(w);
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
	commit_piece(w, p, false);
	piece_free(p);
}

/* ---- ending
 * -----------------------------------------------------------------------------------------------
 */

/* The end was reached, and every page is in the store: does the count come out? */
static bool count_comes_out(struct walk *w)
{
	struct px_err err;

	if (!w->d || walk_is_sub(w))
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

void walk_apply(struct walk *w)
{
	struct piece *end;

	while (!w->failed && !w->at_end && w->head && w->head->state == PIECE_READY &&
		w->s->jobs_out < JOBS_OUT_MAX)
		apply_head(w);
	/* a sub-collection may have no parents, and so no piece */
	if (walk_is_sub(w) && w->parents_done && !w->head)
		w->at_end = true;
	if (w->failed || !w->at_end || w->end_sent || w->jobs || !is_believed(w) ||
		!count_comes_out(w))
		return;
	end = piece_new(w, 0, 1, false);
	if (end) {
		commit_piece(w, end, true);
		piece_free(end);
	}
}

/* ---- from outside
 * -----------------------------------------------------------------------------------------------
 */

static void walk_log_started(struct walk *w)
{
	if (w->fill && !w->applied && !w->parent_rid)
		sync_log(w->s, w->d ? w->d->row.iid : 0, walk_name(w), "FILL_STARTED", NULL);
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
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
	if (d->anew || cursor_too_old(d)) {
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

void walk_again(struct sdir *d)
{
	d->refill = d->anew = true;
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
