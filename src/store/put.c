/* SPDX-License-Identifier: MIT */
/*
 * put.c - records and their versions.
 *
 * Invariants: a version's row is written once and never updated; a name points to exactly one
 * version or none; mtime of a name grows by at least one whole second with each version; what is
 * superseded is listed in `superseded` with the time it was.
 */
#include "store_i.h"

#include <string.h>

static const int64_t NS_PER_S = 1000000000;

struct stored {
	int64_t rid, ino, mtime_ns;
	bool same, core_same;
	/* core digests of what the record was since the API's last answer, the newest last */
	unsigned char before[PX_BEFORE_MAX * 16 + 16];
	size_t before_len;
	unsigned char core[16];
};

static int find(struct px_writer *w, const struct px_put *p, struct stored *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_RECORD_GET, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, p->did);
	px_bind_text(st, 2, p->name);
	row = px_stmt_step(&w->db, st, err);
	if (row <= 0)
		return row;
	ret->rid = sqlite3_column_int64(st, 0);
	ret->ino = sqlite3_column_int64(st, 1);
	ret->same = ret->ino && sqlite3_column_bytes(st, 2) == 16 &&
		    !memcmp(sqlite3_column_blob(st, 2), p->digest, 16);
	ret->core_same = sqlite3_column_bytes(st, 3) == 16 &&
			 !memcmp(sqlite3_column_blob(st, 3), p->core_digest, 16);
	ret->mtime_ns = sqlite3_column_int64(st, 4);
	ret->before_len = (size_t)sqlite3_column_bytes(st, 5);
	if (ret->before_len > PX_BEFORE_MAX * 16)
		ret->before_len = PX_BEFORE_MAX * 16;
	if (ret->before_len)
		memcpy(ret->before, sqlite3_column_blob(st, 5), ret->before_len);
	if (sqlite3_column_bytes(st, 3) == 16)
		memcpy(ret->core, sqlite3_column_blob(st, 3), 16);
	(void)sqlite3_reset(st);
	return 1;
}

/* An answer of the API makes what was before irrelevant; a diff adds the state that it replaces. */
static void bind_before(
	sqlite3_stmt *st, int at, const struct px_put *p, struct stored *old, bool replaced)
{
	if (p->source == PX_SOURCE_API) {
		(void)sqlite3_bind_null(st, at);
		return;
	}
	if (replaced) {
		memcpy(old->before + old->before_len, old->core, 16);
		old->before_len += 16;
		if (old->before_len > PX_BEFORE_MAX * 16) {
			old->before_len -= 16;
			memmove(old->before, old->before + 16, old->before_len);
		}
	}
	px_bind_blob(st, at, old->before, old->before_len);
}

/* One whole second after the version before, for tools that compare whole seconds. */
static int64_t mtime_of(const struct px_writer *w, const struct px_put *p, const struct stored *old)
{
	int64_t wish = p->mtime_ns != INT64_MIN ? p->mtime_ns : w->now_ns;

	if (old && wish < old->mtime_ns + NS_PER_S)
		wish = old->mtime_ns + NS_PER_S;
	return wish;
}

static px_rc add_version(struct px_writer *w, const struct px_put *p, int64_t rid, int64_t ino,
	int64_t mtime_ns, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_VERSION_ADD, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, rid);
	px_bind_int(st, 2, w->now_ns);
	px_bind_int(st, 3, (int64_t)p->body_len);
	px_bind_int(st, 4, mtime_ns);
	px_bind_int(st, 5, w->now_ns);
	px_bind_int(st, 6, p->source);
	px_bind_blob(st, 7, p->body, p->body_len);
	px_bind_int(st, 8, ino);
	w->tally.versions++;
	return px_stmt_run(&w->db, st, err);
}

static void bind_times(sqlite3_stmt *st, int at, const struct px_writer *w, const struct px_put *p)
{
	bool api = p->source == PX_SOURCE_API;

	px_bind_int(st, at, api ? p->epoch : 0);
	px_bind_int(st, at + 1, api ? 0 : p->epoch);
	px_bind_int(st, at + 2, api ? 0 : w->now_ns / 1000000);
	px_bind_int(st, at + 3, p->walk);
	px_bind_int(st, at + 4, p->source);
}

static px_rc put_same(
	struct px_writer *w, const struct px_put *p, struct stored *old, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_RECORD_SEEN, err);

	if (!st)
		return PX_EIO;
	px_bind_text(st, 1, p->last_seen);
	bind_times(st, 2, w, p);
	px_bind_text(st, 7, p->parent);
	bind_before(st, 8, p, old, false);
	px_bind_int(st, 9, old->rid);
	return px_stmt_run(&w->db, st, err);
}

static px_rc supersede(struct px_writer *w, int64_t ino, bool is_trivial, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_VERSION_END, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, ino);
	px_bind_int(st, 2, w->now_ns);
	px_bind_int(st, 3, is_trivial);
	return px_stmt_run(&w->db, st, err);
}

static px_rc put_replaced(struct px_writer *w, const struct px_put *p, struct stored *old,
	int64_t *ret_ino, struct px_err *err)
{
	int64_t mtime_ns = mtime_of(w, p, old);
	sqlite3_stmt *st;
	px_rc rc;

	/* never given out again, also when this transaction is undone */
	*ret_ino = ++w->last_ino;
	rc = add_version(w, p, old->rid, *ret_ino, mtime_ns, err);

	if (!rc)
		rc = supersede(w, old->ino, old->core_same, err);
	if (rc)
		return rc;
	st = px_stmt(&w->db, STMT_RECORD_SET, err);
	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, *ret_ino);
	px_bind_int(st, 2, (int64_t)p->body_len);
	px_bind_int(st, 3, mtime_ns);
	px_bind_int(st, 4, w->now_ns);
	px_bind_blob(st, 5, p->digest, 16);
	px_bind_blob(st, 6, p->core_digest, 16);
	px_bind_text(st, 7, p->updated_at);
	px_bind_text(st, 8, p->last_seen);
	px_bind_text(st, 9, p->property_id);
	px_bind_text(st, 10, p->parent);
	bind_times(st, 11, w, p);
	bind_before(st, 16, p, old, true);
	px_bind_int(st, 17, old->rid);
	rc = px_stmt_run(&w->db, st, err);
	return rc ? rc : px_tally_dir(w, p->did, 0, err);
}

/* `old` is the row of a removed record of that name, or NULL: its cookie is not used again. */
static px_rc put_new(struct px_writer *w, const struct px_put *p, const struct stored *old,
	int64_t *ret_ino, struct px_err *err)
{
	int64_t mtime_ns = mtime_of(w, p, old);
	sqlite3_stmt *st;
	px_rc rc = PX_OK;

	if (old) {
		st = px_stmt(&w->db, STMT_RECORD_DROP, err);
		if (!st)
			return PX_EIO;
		px_bind_int(st, 1, old->rid);
		rc = px_stmt_run(&w->db, st, err);
	}
	if (rc)
		return rc;
	*ret_ino = ++w->last_ino;
	st = px_stmt(&w->db, STMT_RECORD_ADD, err);
	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, p->did);
	px_bind_text(st, 2, p->name);
	(void)sqlite3_bind_text64(st, 3, p->id, p->id_len, SQLITE_STATIC, SQLITE_UTF8);
	px_bind_int(st, 4, *ret_ino);
	px_bind_int(st, 5, (int64_t)p->body_len);
	px_bind_int(st, 6, mtime_ns);
	px_bind_int(st, 7, w->now_ns);
	px_bind_blob(st, 8, p->digest, 16);
	px_bind_blob(st, 9, p->core_digest, 16);
	px_bind_text(st, 10, p->updated_at);
	px_bind_text(st, 11, p->last_seen);
	px_bind_text(st, 12, p->property_id);
	px_bind_text(st, 13, p->parent);
	bind_times(st, 14, w, p);
	rc = px_stmt_run(&w->db, st, err);
	if (!rc)
		rc = add_version(
			w, p, sqlite3_last_insert_rowid(w->db.handle), *ret_ino, mtime_ns, err);
	return rc ? rc : px_tally_dir(w, p->did, 1, err);
}

px_rc px_writer_put(struct px_writer *w, const struct px_put *p, enum px_put_result *ret,
	int64_t *ret_ino, int64_t *ret_old_ino, struct px_err *err)
{
	struct stored old = {0};
	int found = find(w, p, &old, err);
	int64_t ino = 0;
	px_rc rc;

	if (found < 0)
		return found;
	if (found && old.same) {
		*ret = PX_PUT_SAME;
		ino = old.ino;
		rc = put_same(w, p, &old, err);
	} else if (found && old.ino) {
		*ret = PX_PUT_REPLACED;
		rc = put_replaced(w, p, &old, &ino, err);
	} else {
		*ret = PX_PUT_NEW;
		rc = put_new(w, p, found ? &old : NULL, &ino, err);
	}
	if (rc)
		return rc;
	*ret_ino = ino;
	if (ret_old_ino)
		*ret_old_ino = *ret == PX_PUT_REPLACED ? old.ino : 0;
	return PX_OK;
}

px_rc px_writer_walk_saw(
	struct px_writer *w, int64_t did, const char *name, int64_t walk, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_RECORD_WALK, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, walk);
	px_bind_int(st, 2, did);
	(void)sqlite3_bind_text(st, 3, name, -1, SQLITE_STATIC);
	return px_stmt_run(&w->db, st, err);
}

px_rc px_writer_remove(
	struct px_writer *w, int64_t did, const char *name, int64_t epoch, struct px_err *err)
{
	static const unsigned char none[16];
	const struct px_put p = {.did = did, .name = name, .digest = none, .core_digest = none};
	struct stored old = {0};
	int found = find(w, &p, &old, err);
	sqlite3_stmt *st;
	px_rc rc;

	if (found < 0)
		return found;
	if (!found || !old.ino)
		return px_err_set(err, PX_ENOENT, "no record of this name");
	rc = supersede(w, old.ino, false, err);
	if (rc)
		return rc;
	st = px_stmt(&w->db, STMT_RECORD_GONE, err);
	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, epoch);
	px_bind_int(st, 2, old.rid);
	rc = px_stmt_run(&w->db, st, err);
	return rc ? rc : px_tally_dir(w, did, -1, err);
}

/* ---- retention
 * ---------------------------------------------------------------------------------------------- */

enum { STEP_MAX = 4096 };

static px_rc delete_by_ino(struct px_writer *w, enum px_stmt_id id, int64_t ino, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, id, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, ino);
	return px_stmt_run(&w->db, st, err);
}

static px_rc retain_list(struct px_writer *w, enum px_stmt_id list, int64_t before_ns, size_t limit,
	bool (*known)(void *arg, int64_t ino), void *arg, bool *ret_more, struct px_err *err)
{
	int64_t inos[STEP_MAX];
	size_t count = 0;
	sqlite3_stmt *st = px_stmt(&w->db, list, err);
	px_rc rc = PX_OK;
	int row;

	if (!st)
		return PX_EIO;
	if (limit > STEP_MAX)
		limit = STEP_MAX;
	px_bind_int(st, 1, before_ns);
	px_bind_int(st, 2, (int64_t)limit);
	while ((row = px_stmt_step(&w->db, st, err)) > 0)
		inos[count++] = sqlite3_column_int64(st, 0);
	if (row < 0)
		return row;
	for (size_t i = 0; i < count && !rc; i++) {
		if (known && known(arg, inos[i]))
			continue;
		rc = delete_by_ino(w, STMT_VERSION_DELETE, inos[i], err);
		if (!rc)
			rc = delete_by_ino(w, STMT_SUPERSEDED_DELETE, inos[i], err);
		if (!rc) {
			w->tally.versions--;
			*ret_more |= count == limit;
		}
	}
	return rc;
}

static px_rc retain_events(
	struct px_writer *w, int64_t before_ns, size_t limit, bool *ret_more, struct px_err *err)
{
	int64_t before_day = before_ns / (86400 * NS_PER_S), day;
	sqlite3_stmt *st = px_stmt(&w->db, STMT_DAY_OLD, err);
	int row, gone;
	px_rc rc;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, before_day);
	row = px_stmt_step(&w->db, st, err);
	if (row <= 0)
		return row;
	if (sqlite3_column_type(st, 0) == SQLITE_NULL) {
		(void)sqlite3_reset(st);
		return PX_OK;
	}
	day = sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	st = px_stmt(&w->db, STMT_EVENT_DELETE, err);
	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, day);
	px_bind_int(st, 2, (int64_t)limit);
	rc = px_stmt_run(&w->db, st, err);
	if (rc)
		return rc;
	gone = sqlite3_changes(w->db.handle);
	w->tally.events -= gone;
	*ret_more = true;
	if (gone == (int)limit)
		return PX_OK;
	return delete_by_ino(w, STMT_DAY_DELETE, day, err);
}

px_rc px_writer_retain(struct px_writer *w, int64_t before_ns, int64_t before_trivial_ns,
	size_t limit, bool (*known)(void *arg, int64_t ino), void *arg, bool *ret_more,
	struct px_err *err)
{
	px_rc rc;

	*ret_more = false;
	rc = retain_list(
		w, STMT_RETAIN_TRIVIAL, before_trivial_ns, limit, known, arg, ret_more, err);
	if (!rc)
		rc = retain_list(w, STMT_RETAIN_LIST, before_ns, limit, known, arg, ret_more, err);
	if (!rc)
		rc = retain_events(w, before_ns, limit, ret_more, err);
	return rc;
}

/* ---- forgetting
 * ------------------------------------------------------------------------------------------------
 */

static px_rc forget_records(
	struct px_writer *w, int64_t did, size_t limit, size_t *ret_gone, struct px_err *err)
{
	int64_t rids[STEP_MAX], inos[STEP_MAX];
	size_t count = 0;
	sqlite3_stmt *st = px_stmt(&w->db, STMT_FORGET_LIST, err);
	px_rc rc = PX_OK;
	int row;

	if (!st)
		return PX_EIO;
	if (limit > STEP_MAX)
		limit = STEP_MAX;
	px_bind_int(st, 1, did);
	px_bind_int(st, 2, (int64_t)limit);
	while ((row = px_stmt_step(&w->db, st, err)) > 0) {
		rids[count] = sqlite3_column_int64(st, 0);
		inos[count++] = sqlite3_column_int64(st, 1);
	}
	if (row < 0)
		return row;
	for (size_t i = 0; i < count && !rc; i++) {
		if (inos[i]) {
			/* readers that hold it go on reading; retention deletes it */
			rc = supersede(w, inos[i], true, err);
			if (!rc)
				rc = px_tally_dir(w, did, -1, err);
		}
		if (!rc)
			rc = delete_by_ino(w, STMT_RECORD_DROP, rids[i], err);
	}
	*ret_gone = count;
	return rc;
}

px_rc px_writer_forget(struct px_writer *w, int64_t iid, int64_t did, size_t limit, bool *ret_more,
	struct px_err *err)
{
	struct px_dir *list = NULL;
	size_t count = 0, gone = 0;
	px_rc rc = px_reader_dirs(&w->reader, iid, &list, &count, err);

	*ret_more = false;
	for (size_t i = 0; i < count && !rc && gone < limit; i++) {
		size_t n = 0;

		if (did && list[i].did != did)
			continue;
		rc = forget_records(w, list[i].did, limit - gone, &n, err);
		gone += n;
		if (!rc && gone < limit)
			rc = delete_by_ino(w, STMT_FORGET_PENDING, list[i].did, err);
		if (!rc && gone < limit)
			rc = px_tally_write(w, err);
		if (!rc && gone < limit)
			rc = delete_by_ino(w, STMT_DIR_FORGET, list[i].did, err);
	}
	px_dirs_free(list, count);
	*ret_more = gone >= limit;
	if (!rc && !did && !*ret_more)
		rc = delete_by_ino(w, STMT_FILE_FORGET, iid, err);
	if (!rc && !did && !*ret_more)
		rc = delete_by_ino(w, STMT_INTEGRATION_FORGET, iid, err);
	return rc;
}
