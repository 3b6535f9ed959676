/* SPDX-License-Identifier: MIT */
/*
 * event.c - inbox and event log.
 *
 * Invariants: seq, time and day of a line are not below those of any line before it, whatever the
 * clock does; a day's file is the lines of that day one behind the other, and offset_all
 * (offset_iid for the integration's own file) is where a line begins in it, so that reading at an
 * offset is a search in an index; a finished day never changes.
 */
#include "store_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"

static const int64_t MS_PER_DAY = 86400000;

enum { LINE_MAX = 32 << 20 };

/* ---- inbox
 * --------------------------------------------------------------------------------------------------
 */

px_rc px_writer_inbox_add(struct px_writer *w, const char *body, size_t len, int64_t received_ms,
	int64_t *ret_arrival, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_INBOX_ADD, err);
	px_rc rc;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, received_ms);
	px_bind_blob(st, 2, body, len);
	rc = px_stmt_run(&w->db, st, err);
	if (!rc)
		*ret_arrival = sqlite3_last_insert_rowid(w->db.handle);
	w->tally.inbox++;
	return rc;
}

px_rc px_writer_inbox_attempt(
	struct px_writer *w, int64_t arrival, int *ret_attempts, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_INBOX_ATTEMPT, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, arrival);
	row = px_stmt_step(&w->db, st, err);
	if (row < 0)
		return row;
	if (!row)
		return px_err_set(err, PX_ENOENT, "no such delivery");
	*ret_attempts = sqlite3_column_int(st, 0);
	/* to its end, for the change to count */
	return px_stmt_run(&w->db, st, err);
}

px_rc px_writer_inbox_done(struct px_writer *w, int64_t arrival, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_INBOX_DONE, err);
	px_rc rc;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, arrival);
	rc = px_stmt_run(&w->db, st, err);
	if (!rc)
		w->tally.inbox -= sqlite3_changes(w->db.handle);
	return rc;
}

px_rc px_reader_inbox(struct px_reader *r, int64_t after, size_t limit, struct px_delivery **ret,
	size_t *ret_count, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_INBOX_LIST, err);
	struct px_delivery *list = NULL;
	size_t count = 0;
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, after);
	px_bind_int(st, 2, (int64_t)limit);
	while ((row = px_stmt_step(r->db, st, err)) > 0) {
		struct px_delivery *grown = realloc(list, (count + 1) * sizeof *grown), *d;
		size_t len = (size_t)sqlite3_column_bytes(st, 3);

		if (grown)
			list = grown;
		d = list ? &list[count] : NULL;
		if (!grown || !(d->body = malloc(len + 1))) {
			(void)sqlite3_reset(st);
			row = px_err_nomem(err);
			break;
		}
		count++;
		d->arrival = sqlite3_column_int64(st, 0);
		d->received_ms = sqlite3_column_int64(st, 1);
		d->attempts = sqlite3_column_int(st, 2);
		d->len = len;
		if (len)
			memcpy(d->body, sqlite3_column_blob(st, 3), len);
		d->body[len] = '\0';
	}
	if (row < 0) {
		px_deliveries_free(list, count);
		return row;
	}
	*ret = list;
	*ret_count = count;
	return PX_OK;
}

/* ---- appending
 * -------------------------------------------------------------------------------------------------
 */

static px_rc read_end(struct px_writer *w, struct px_err *err)
{
	sqlite3_stmt *st;
	int row;

	if (w->events_known)
		return PX_OK;
	st = px_stmt(&w->db, STMT_EVENT_LAST, err);
	if (!st)
		return PX_EIO;
	row = px_stmt_step(&w->db, st, err);
	if (row < 0)
		return row;
	if (row) {
		w->seq = sqlite3_column_int64(st, 0);
		w->event_ms = sqlite3_column_int64(st, 1);
		w->event_day = sqlite3_column_int64(st, 2);
		(void)sqlite3_reset(st);
	} else {
		/* the log may be empty because all of it was old: numbers go on from what was given
		 * out last */
		st = px_stmt(&w->db, STMT_META_GET, err);
		if (!st)
			return PX_EIO;
		px_bind_text(st, 1, "last_seq");
		row = px_stmt_step(&w->db, st, err);
		if (row < 0)
			return row;
		w->seq = row ? sqlite3_column_int64(st, 0) : 0;
		(void)sqlite3_reset(st);
		w->event_ms = w->event_day = 0;
	}
	w->events_known = true;
	return PX_OK;
}

static px_rc day_size(
	struct px_writer *w, int64_t iid, int64_t day, int64_t *ret, struct px_err *err)
{
	struct px_day d;
	px_rc rc = px_reader_day(&w->reader, iid, day, &d, err);

	*ret = rc ? 0 : d.size;
	return rc == PX_ENOENT ? PX_OK : rc;
}

static px_rc day_grow(
	struct px_writer *w, int64_t iid, int64_t day, size_t len, int64_t seq, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_DAY_GROW, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, iid);
	px_bind_int(st, 2, day);
	px_bind_int(st, 3, (int64_t)len);
	px_bind_int(st, 4, seq);
	px_bind_int(st, 5, w->now_ns);
	return px_stmt_run(&w->db, st, err);
}

px_rc px_writer_event(struct px_writer *w, int64_t iid, const char *rest, size_t len,
	struct px_event_place *ret, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf line = PX_BUF_INIT(LINE_MAX);
	struct px_event_place at = {0};
	int64_t ms = w->now_ns / 1000000, day;
	char stamp[PX_TIME_MAX], seq_text[32];
	sqlite3_stmt *st;
	px_rc rc = read_end(w, err);

	if (rc)
		return rc;
	if (ms < w->event_ms)
		ms = w->event_ms;
	day = ms / MS_PER_DAY;
	at.seq = w->seq + 1;
	at.day = day;
	px_buf_addf(&line, "{\"seq\":%lld,\"time\":\"%s\",", (long long)at.seq,
		px_time_format_ms(ms, stamp));
	px_buf_add(&line, rest, len);
	px_buf_adds(&line, "}\n");
	rc = px_buf_ok(&line, err);
	if (!rc)
		rc = day_size(w, 0, day, &at.offset_all, err);
	if (!rc && iid)
		rc = day_size(w, iid, day, &at.offset_iid, err);
	if (rc)
		return rc;
	st = px_stmt(&w->db, STMT_EVENT_ADD, err);
	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, at.seq);
	px_bind_int(st, 2, day);
	px_bind_int(st, 3, ms);
	px_bind_int(st, 4, iid);
	px_bind_int(st, 5, at.offset_all);
	px_bind_int(st, 6, at.offset_iid);
	px_bind_blob(st, 7, line.data, line.len);
	rc = px_stmt_run(&w->db, st, err);
	if (!rc)
		rc = day_grow(w, 0, day, line.len, at.seq, err);
	if (!rc && iid)
		rc = day_grow(w, iid, day, line.len, at.seq, err);
	if (rc)
		return rc;
	w->seq = at.seq;
	w->event_ms = ms;
	w->event_day = day;
	w->tally.events++;
	(void)snprintf(seq_text, sizeof seq_text, "%lld", (long long)at.seq);
	if (ret)
		*ret = at;
	return px_writer_meta_put(w, "last_seq", seq_text, err);
}

/* ---- reading
 * -----------------------------------------------------------------------------------------------------
 */

static void read_day(sqlite3_stmt *st, struct px_day *d)
{
	d->day = sqlite3_column_int64(st, 0);
	d->size = sqlite3_column_int64(st, 1);
	d->first_seq = sqlite3_column_int64(st, 2);
	d->last_seq = sqlite3_column_int64(st, 3);
	d->mtime_ns = sqlite3_column_int64(st, 4);
}

px_rc px_reader_days(struct px_reader *r, int64_t iid, struct px_day **ret, size_t *ret_count,
	struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_DAYS, err);
	struct px_day *list = NULL;
	size_t count = 0;
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, iid);
	while ((row = px_stmt_step(r->db, st, err)) > 0) {
		struct px_day *grown = realloc(list, (count + 1) * sizeof *grown);

		if (!grown) {
			(void)sqlite3_reset(st);
			row = px_err_nomem(err);
			break;
		}
		list = grown;
		read_day(st, &list[count++]);
	}
	if (row < 0) {
		free(list);
		return row;
	}
	*ret = list;
	*ret_count = count;
	return PX_OK;
}

px_rc px_reader_day(
	struct px_reader *r, int64_t iid, int64_t day, struct px_day *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_DAY_GET, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, iid);
	px_bind_int(st, 2, day);
	row = px_stmt_step(r->db, st, err);
	if (row < 0)
		return row;
	if (!row)
		return px_err_set(err, PX_ENOENT, "no events on that day");
	read_day(st, ret);
	(void)sqlite3_reset(st);
	return PX_OK;
}

px_rc px_reader_day_read(struct px_reader *r, int64_t iid, int64_t day, int64_t offset, char *buf,
	size_t len, size_t *ret_len, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, iid ? STMT_DAY_READ_IID : STMT_DAY_READ_ALL, err);
	size_t have = 0;
	int row = 0;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, day);
	px_bind_int(st, 2, offset);
	if (iid)
		px_bind_int(st, 3, iid);
	while (have < len && (row = px_stmt_step(r->db, st, err)) > 0) {
		int64_t at = sqlite3_column_int64(st, 0), skip = offset + (int64_t)have - at;
		int64_t size = sqlite3_column_bytes(st, 1);
		size_t n;

		if (skip >= size)
			continue;
		n = (size_t)(size - skip) < len - have ? (size_t)(size - skip) : len - have;
		memcpy(buf + have, (const char *)sqlite3_column_blob(st, 1) + skip, n);
		have += n;
	}
	if (row < 0)
		return row;
	(void)sqlite3_reset(st);
	*ret_len = have;
	return PX_OK;
}

px_rc px_reader_events(struct px_reader *r, int64_t after,
	bool (*cb)(void *arg, int64_t seq, const char *line, size_t len), void *arg,
	struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_EVENTS, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, after);
	while ((row = px_stmt_step(r->db, st, err)) > 0) {
		size_t len = (size_t)sqlite3_column_bytes(st, 1);

		if (!cb(arg, sqlite3_column_int64(st, 0), sqlite3_column_blob(st, 1),
			    len ? len - 1 : 0)) {
			(void)sqlite3_reset(st);
			return PX_OK;
		}
	}
	return row;
}
