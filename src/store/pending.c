/* SPDX-License-Identifier: MIT */
/* pending.c - re-reads that are due, and what join rows told of their parents. A mark keeps its
 * oldest time and newest epoch. */
#include "store_i.h"

#include <string.h>

static px_rc count(struct px_writer *w, int64_t did, int64_t n, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_DIR_PENDING, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, n);
	px_bind_int(st, 2, did);
	w->tally.pending += n;
	return px_stmt_run(&w->db, st, err);
}

static void bind_id(sqlite3_stmt *st, int at, const char *id, size_t id_len)
{
	(void)sqlite3_bind_text64(st, at, id, id_len, SQLITE_STATIC, SQLITE_UTF8);
}

px_rc px_writer_pending_add(struct px_writer *w, int64_t did, const char *id, size_t id_len,
	int64_t epoch, int64_t now_ms, int64_t not_before_ms, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_PENDING_RENEW, err);
	px_rc rc;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, epoch);
	px_bind_int(st, 2, not_before_ms);
	px_bind_int(st, 3, did);
	bind_id(st, 4, id, id_len);
	rc = px_stmt_run(&w->db, st, err);
	if (rc || sqlite3_changes(w->db.handle))
		return rc;
	st = px_stmt(&w->db, STMT_PENDING_ADD, err);
	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, did);
	bind_id(st, 2, id, id_len);
	px_bind_int(st, 3, epoch);
	px_bind_int(st, 4, now_ms);
	px_bind_int(st, 5, not_before_ms);
	rc = px_stmt_run(&w->db, st, err);
	return rc ? rc : count(w, did, 1, err);
}

px_rc px_writer_pending_clear(struct px_writer *w, int64_t did, const char *id, size_t id_len,
	int64_t sent_epoch, bool *ret_cleared, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_PENDING_CLEAR, err);
	bool cleared;
	px_rc rc;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, did);
	bind_id(st, 2, id, id_len);
	px_bind_int(st, 3, sent_epoch);
	rc = px_stmt_run(&w->db, st, err);
	if (rc)
		return rc;
	cleared = sqlite3_changes(w->db.handle) > 0;
	if (ret_cleared)
		*ret_cleared = cleared;
	return cleared ? count(w, did, -1, err) : PX_OK;
}

px_rc px_writer_pending_retry(struct px_writer *w, int64_t did, const char *id, size_t id_len,
	int64_t not_before_ms, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_PENDING_RETRY, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, not_before_ms);
	px_bind_int(st, 2, did);
	bind_id(st, 3, id, id_len);
	return px_stmt_run(&w->db, st, err);
}

px_rc px_writer_link_put(struct px_writer *w, const char *snake, const char *id, int parent_slot,
	const char *parent_id, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_LINK_PUT, err);

	if (!st)
		return PX_EIO;
	px_bind_text(st, 1, snake);
	px_bind_text(st, 2, id);
	px_bind_int(st, 3, parent_slot);
	px_bind_text(st, 4, parent_id);
	return px_stmt_run(&w->db, st, err);
}
