/* SPDX-License-Identifier: MIT */
/*
 * reader.c - asking the store.
 *
 * Invariants: a call sees one committed moment (a statement is one read transaction,
 * px_reader_begin makes several calls one); outputs are untouched on failure; lists that are handed
 * out belong to the caller; nothing here writes.
 */
#include "store_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

px_rc px_reader_open(const char *path, struct px_reader **ret, struct px_err *err)
{
	struct px_reader *r = calloc(1, sizeof *r);
	px_rc rc;

	if (!r)
		return px_err_nomem(err);
	rc = px_db_open(path, false, &r->own, err);
	r->db = &r->own;
	if (!rc)
		rc = px_schema_check(r->db, err);
	if (rc) {
		px_reader_close(r);
		return rc;
	}
	*ret = r;
	return PX_OK;
}

void px_reader_close(struct px_reader *r)
{
	if (!r)
		return;
	px_db_close(&r->own);
	free(r);
}

px_rc px_reader_begin(struct px_reader *r, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_BEGIN_READ, err);

	return st ? px_stmt_run(r->db, st, err) : PX_EIO;
}

void px_reader_end(struct px_reader *r)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_COMMIT, NULL);

	if (st && !sqlite3_get_autocommit(r->db->handle))
		(void)px_stmt_run(r->db, st, NULL);
}

/* Grows an array of `size`-byte elements; returns the zeroed new one, or NULL. */
static void *more(void **list, size_t *count, size_t size)
{
	char *grown = *list;

	if ((*count & (*count - 1)) == 0) {
		grown = realloc(grown, (*count ? *count * 2 : 1) * size);
		if (!grown)
			return NULL;
		*list = grown;
	}
	grown += (*count)++ * size;
	memset(grown, 0, size);
	return grown;
}

/* ---- names and versions
 * ------------------------------------------------------------------------------------- */

static void read_entry(sqlite3_stmt *st, struct px_entry *e)
{
	const unsigned char *name = sqlite3_column_text(st, 5);
	size_t len = (size_t)sqlite3_column_bytes(st, 5);

	e->rid = sqlite3_column_int64(st, 0);
	e->ino = sqlite3_column_int64(st, 1);
	e->size = sqlite3_column_int64(st, 2);
	e->mtime_ns = sqlite3_column_int64(st, 3);
	e->ctime_ns = sqlite3_column_int64(st, 4);
	if (len >= sizeof e->name)
		len = sizeof e->name - 1;
	memcpy(e->name, name ? (const char *)name : "", len);
	e->name[len] = '\0';
	e->name_len = len;
}

px_rc px_reader_lookup(struct px_reader *r, int64_t did, const char *name, size_t name_len,
	struct px_entry *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_LOOKUP, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, did);
	(void)sqlite3_bind_text64(st, 2, name, name_len, SQLITE_STATIC, SQLITE_UTF8);
	row = px_stmt_step(r->db, st, err);
	if (row < 0)
		return row;
	if (!row)
		return px_err_set(err, PX_ENOENT, "no such record");
	read_entry(st, ret);
	(void)sqlite3_reset(st);
	return PX_OK;
}

/* The entries that a bound statement gives, until cb returns false. */
static px_rc each_entry(struct px_reader *r, sqlite3_stmt *st,
	bool (*cb)(void *arg, const struct px_entry *e), void *arg, struct px_err *err)
{
	struct px_entry e;
	int row;

	while ((row = px_stmt_step(r->db, st, err)) > 0) {
		read_entry(st, &e);
		if (!cb(arg, &e)) {
			(void)sqlite3_reset(st);
			return PX_OK;
		}
	}
	return row;
}

px_rc px_reader_list(struct px_reader *r, int64_t did, int64_t after,
	bool (*cb)(void *arg, const struct px_entry *e), void *arg, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_LIST, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, did);
	px_bind_int(st, 2, after);
	return each_entry(r, st, cb, arg, err);
}

px_rc px_reader_list_from(struct px_reader *r, int64_t did, enum px_order order,
	const struct px_entry *after, bool (*cb)(void *arg, const struct px_entry *e), void *arg,
	struct px_err *err)
{
	static const enum px_stmt_id statements[] = {[PX_BY_RID] = STMT_LIST,
		[PX_BY_INO] = STMT_LIST_BY_INO,
		[PX_BY_NAME] = STMT_LIST_BY_NAME};
	sqlite3_stmt *st = px_stmt(r->db, statements[order], err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, did);
	if (order == PX_BY_NAME)
		px_bind_text(st, 2, after->name);
	else
		px_bind_int(st, 2, order == PX_BY_RID ? after->rid : after->ino);
	return each_entry(r, st, cb, arg, err);
}

px_rc px_reader_names_near(struct px_reader *r, int64_t did, const char *a, const char *b, int most,
	bool *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_NAMES_NEAR, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, did);
	px_bind_text(st, 2, a);
	px_bind_text(st, 3, b);
	px_bind_int(st, 4, most);
	row = px_stmt_step(r->db, st, err);
	if (row < 0)
		return row;
	*ret = sqlite3_column_int(st, 0) < most;
	(void)sqlite3_reset(st);
	return PX_OK;
}

px_rc px_reader_version(struct px_reader *r, int64_t ino, struct px_entry *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_VERSION, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, ino);
	row = px_stmt_step(r->db, st, err);
	if (row < 0)
		return row;
	if (!row)
		return px_err_set(err, PX_ENOENT, "no such version");
	read_entry(st, ret);
	(void)sqlite3_reset(st);
	return PX_OK;
}

/* Steps to a version's body; reset the statement after use. */
static px_rc body_of(struct px_reader *r, int64_t ino, sqlite3_stmt **ret, const char **ret_body,
	size_t *ret_len, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_BODY, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, ino);
	row = px_stmt_step(r->db, st, err);
	if (row < 0)
		return row;
	if (!row)
		return px_err_set(err, PX_ENOENT, "no such version");
	*ret_body = sqlite3_column_blob(st, 0);
	*ret_len = (size_t)sqlite3_column_bytes(st, 0);
	*ret = st;
	return PX_OK;
}

px_rc px_reader_read(struct px_reader *r, int64_t ino, int64_t offset, char *buf, size_t len,
	size_t *ret_len, struct px_err *err)
{
	sqlite3_stmt *st = NULL;
	const char *body = NULL;
	size_t size = 0;
	px_rc rc = body_of(r, ino, &st, &body, &size, err);

	if (rc)
		return rc;
	if (offset < 0 || (uint64_t)offset >= size)
		len = 0;
	else if (len > size - (size_t)offset)
		len = size - (size_t)offset;
	if (len)
		memcpy(buf, body + offset, len);
	*ret_len = len;
	(void)sqlite3_reset(st);
	return PX_OK;
}

px_rc px_reader_body(struct px_reader *r, int64_t ino, struct px_buf *out, struct px_err *err)
{
	sqlite3_stmt *st = NULL;
	const char *body = NULL;
	size_t size = 0;
	px_rc rc = body_of(r, ino, &st, &body, &size, err);

	if (rc)
		return rc;
	(void)px_buf_add(out, body ? body : "", size);
	(void)sqlite3_reset(st);
	return px_buf_ok(out, err);
}

/* ---- integrations
 * -----------------------------------------------------------------------------------------------
 */

static void read_integration(sqlite3_stmt *st, struct px_integration *i)
{
	memset(i, 0, sizeof *i);
	i->iid = sqlite3_column_int64(st, 0);
	i->id = px_column_strdup(st, 1);
	i->name = px_column_strdup(st, 2);
	i->vendor = px_column_strdup(st, 3);
	i->system = px_column_strdup(st, 4);
	i->created_at = px_column_strdup(st, 5);
	i->last_completed_sync = px_column_strdup(st, 6);
	i->last_completed_back_sync = px_column_strdup(st, 7);
	i->active = sqlite3_column_int(st, 8) != 0;
	i->archived = sqlite3_column_int(st, 9) != 0;
	i->syncing = sqlite3_column_int(st, 10) != 0;
	i->can_authenticate = sqlite3_column_int(st, 11);
	i->present = sqlite3_column_int(st, 12) != 0;
	i->models_known = sqlite3_column_int(st, 13) != 0;
	i->mtime_ns = sqlite3_column_int64(st, 14);
	i->first_filled_ms = sqlite3_column_int64(st, 15);
	i->reconciled_ms = sqlite3_column_int64(st, 16);
	i->last_event_ms = sqlite3_column_int64(st, 17);
	i->error = px_column_strdup(st, 18);
}

px_rc px_reader_integrations_known(struct px_reader *r, bool *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_META_GET, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_text(st, 1, "integrations_known");
	row = px_stmt_step(r->db, st, err);
	if (row < 0)
		return row;
	*ret = row > 0;
	(void)sqlite3_reset(st);
	return PX_OK;
}

px_rc px_reader_integrations(
	struct px_reader *r, struct px_integration **ret, size_t *ret_count, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_INTEGRATIONS, err);
	void *list = NULL;
	size_t count = 0;
	int row;

	if (!st)
		return PX_EIO;
	while ((row = px_stmt_step(r->db, st, err)) > 0) {
		struct px_integration *i = more(&list, &count, sizeof *i);

		if (!i) {
			(void)sqlite3_reset(st);
			row = px_err_nomem(err);
			break;
		}
		read_integration(st, i);
	}
	if (row < 0) {
		px_integrations_free(list, count);
		return row;
	}
	*ret = list;
	*ret_count = count;
	return PX_OK;
}

static px_rc one_integration(
	struct px_reader *r, sqlite3_stmt *st, struct px_integration *ret, struct px_err *err)
{
	int row = px_stmt_step(r->db, st, err);

	if (row < 0)
		return row;
	if (!row)
		return px_err_set(err, PX_ENOENT, "no such integration");
	read_integration(st, ret);
	(void)sqlite3_reset(st);
	return PX_OK;
}

px_rc px_reader_integration(
	struct px_reader *r, int64_t iid, struct px_integration *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_INTEGRATION, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, iid);
	return one_integration(r, st, ret, err);
}

px_rc px_reader_integration_by_id(
	struct px_reader *r, const char *id, struct px_integration *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_INTEGRATION_BY_ID, err);

	if (!st)
		return PX_EIO;
	px_bind_text(st, 1, id);
	return one_integration(r, st, ret, err);
}

/* ---- directories
 * ---------------------------------------------------------------------------------------------------
 */

static void read_dir(sqlite3_stmt *st, struct px_dir *d)
{
	const unsigned char *model = sqlite3_column_text(st, 2);

	memset(d, 0, sizeof *d);
	d->did = sqlite3_column_int64(st, 0);
	d->iid = sqlite3_column_int64(st, 1);
	(void)sqlite3_snprintf(
		(int)sizeof d->model, d->model, "%s", model ? (const char *)model : "");
	d->enabled = sqlite3_column_int(st, 3) != 0;
	d->complete = sqlite3_column_int(st, 4) != 0;
	d->records = sqlite3_column_int64(st, 5);
	d->expected = sqlite3_column_int64(st, 6);
	d->mtime_ns = sqlite3_column_int64(st, 7);
	d->pending = sqlite3_column_int64(st, 8);
	d->oldest_pending_ms = sqlite3_column_int64(st, 9);
	d->watermark = px_column_strdup(st, 10);
	d->cursor = px_column_strdup(st, 11);
	d->walk = sqlite3_column_int64(st, 12);
	d->filled_ms = sqlite3_column_int64(st, 13);
	d->reconciled_ms = sqlite3_column_int64(st, 14);
	d->error = px_column_strdup(st, 15);
}

px_rc px_reader_dirs(struct px_reader *r, int64_t iid, struct px_dir **ret, size_t *ret_count,
	struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, iid ? STMT_DIRS_OF : STMT_DIRS, err);
	void *list = NULL;
	size_t count = 0;
	int row;

	if (!st)
		return PX_EIO;
	if (iid)
		px_bind_int(st, 1, iid);
	while ((row = px_stmt_step(r->db, st, err)) > 0) {
		struct px_dir *d = more(&list, &count, sizeof *d);

		if (!d) {
			(void)sqlite3_reset(st);
			row = px_err_nomem(err);
			break;
		}
		read_dir(st, d);
	}
	if (row < 0) {
		px_dirs_free(list, count);
		return row;
	}
	*ret = list;
	*ret_count = count;
	return PX_OK;
}

static px_rc one_dir(struct px_reader *r, sqlite3_stmt *st, struct px_dir *ret, struct px_err *err)
{
	int row = px_stmt_step(r->db, st, err);

	if (row < 0)
		return row;
	if (!row)
		return px_err_set(err, PX_ENOENT, "no such directory");
	read_dir(st, ret);
	(void)sqlite3_reset(st);
	return PX_OK;
}

px_rc px_reader_dir(struct px_reader *r, int64_t did, struct px_dir *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_DIR, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, did);
	return one_dir(r, st, ret, err);
}

px_rc px_reader_dir_by_name(
	struct px_reader *r, int64_t iid, const char *model, struct px_dir *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_DIR_BY_NAME, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, iid);
	px_bind_text(st, 2, model);
	return one_dir(r, st, ret, err);
}

/* ---- small files
 * ----------------------------------------------------------------------------------------------------
 */

static px_rc read_file(sqlite3_stmt *st, struct px_file *f, struct px_err *err)
{
	const void *body = sqlite3_column_blob(st, 1);
	size_t len = (size_t)sqlite3_column_bytes(st, 1);
	const unsigned char *name = sqlite3_column_text(st, 0);

	memset(f, 0, sizeof *f);
	(void)sqlite3_snprintf((int)sizeof f->name, f->name, "%s", name ? (const char *)name : "");
	f->size = (size_t)sqlite3_column_int64(st, 2);
	f->mtime_ns = sqlite3_column_int64(st, 3);
	if (sqlite3_column_type(st, 1) == SQLITE_NULL)
		return PX_OK;
	f->body = malloc(len + 1);
	if (!f->body)
		return px_err_nomem(err);
	if (len)
		memcpy(f->body, body, len);
	f->body[len] = '\0';
	return PX_OK;
}

px_rc px_reader_files(struct px_reader *r, int64_t iid, struct px_file **ret, size_t *ret_count,
	struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_FILES, err);
	void *list = NULL;
	size_t count = 0;
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, iid);
	while ((row = px_stmt_step(r->db, st, err)) > 0) {
		struct px_file *f = more(&list, &count, sizeof *f);
		px_rc rc = f ? read_file(st, f, err) : px_err_nomem(err);

		if (rc) {
			(void)sqlite3_reset(st);
			row = rc;
			break;
		}
	}
	if (row < 0) {
		px_files_free(list, count);
		return row;
	}
	*ret = list;
	*ret_count = count;
	return PX_OK;
}

px_rc px_reader_file(
	struct px_reader *r, int64_t iid, const char *name, struct px_file *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_FILE, err);
	int row;
	px_rc rc;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, iid);
	px_bind_text(st, 2, name);
	row = px_stmt_step(r->db, st, err);
	if (row < 0)
		return row;
	if (!row)
		return px_err_set(err, PX_ENOENT, "no such file");
	rc = read_file(st, ret, err);
	(void)sqlite3_reset(st);
	return rc;
}

/* ---- the mirror's own state
 * -------------------------------------------------------------------------------------------- */

static void copy_text(sqlite3_stmt *st, int at, char *to, size_t size)
{
	const unsigned char *s = sqlite3_column_text(st, at);

	(void)sqlite3_snprintf((int)size, to, "%s", s ? (const char *)s : "");
}

px_rc px_reader_record_state(struct px_reader *r, int64_t did, const char *name,
	struct px_record_state *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_RECORD_STATE, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, did);
	px_bind_text(st, 2, name);
	row = px_stmt_step(r->db, st, err);
	if (row < 0)
		return row;
	if (!row)
		return px_err_set(err, PX_ENOENT, "no such record");
	memset(ret, 0, sizeof *ret);
	ret->rid = sqlite3_column_int64(st, 0);
	ret->ino = sqlite3_column_int64(st, 1);
	ret->fetched_epoch = sqlite3_column_int64(st, 2);
	ret->patched_epoch = sqlite3_column_int64(st, 3);
	ret->patched_ms = sqlite3_column_int64(st, 4);
	ret->walk = sqlite3_column_int64(st, 5);
	if (sqlite3_column_bytes(st, 6) == (int)sizeof ret->digest)
		memcpy(ret->digest, sqlite3_column_blob(st, 6), sizeof ret->digest);
	copy_text(st, 7, ret->updated_at, sizeof ret->updated_at);
	copy_text(st, 8, ret->last_seen, sizeof ret->last_seen);
	ret->source = sqlite3_column_int(st, 9) ? PX_SOURCE_WEBHOOK : PX_SOURCE_API;
	ret->before_len = (size_t)sqlite3_column_bytes(st, 10);
	if (ret->before_len > sizeof ret->before)
		ret->before_len = sizeof ret->before;
	if (ret->before_len)
		memcpy(ret->before, sqlite3_column_blob(st, 10), ret->before_len);
	(void)sqlite3_reset(st);
	return PX_OK;
}

/* Appends the one text that a bound statement gives. */
static px_rc one_text(struct px_reader *r, sqlite3_stmt *st, const char *none, struct px_buf *out,
	struct px_err *err)
{
	int row = px_stmt_step(r->db, st, err);

	if (row < 0)
		return row;
	if (!row)
		return px_err_set(err, PX_ENOENT, "%s", none);
	(void)px_buf_add(out, sqlite3_column_text(st, 0), (size_t)sqlite3_column_bytes(st, 0));
	(void)sqlite3_reset(st);
	return px_buf_ok(out, err);
}

px_rc px_reader_parent(
	struct px_reader *r, int64_t did, const char *name, struct px_buf *out, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_RECORD_PARENT, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, did);
	px_bind_text(st, 2, name);
	return one_text(r, st, "its parent is not known", out, err);
}

px_rc px_reader_link(struct px_reader *r, const char *snake, const char *id, int parent_slot,
	struct px_buf *out, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_LINK_GET, err);

	if (!st)
		return PX_EIO;
	px_bind_text(st, 1, snake);
	px_bind_text(st, 2, id);
	px_bind_int(st, 3, parent_slot);
	return one_text(r, st, "nothing was told of its parent", out, err);
}

static px_rc each_id(struct px_reader *r, sqlite3_stmt *st,
	bool (*cb)(void *arg, int64_t rid, const char *id, size_t id_len), void *arg,
	struct px_err *err)
{
	int row;

	while ((row = px_stmt_step(r->db, st, err)) > 0)
		if (!cb(arg, sqlite3_column_int64(st, 0), (const char *)sqlite3_column_text(st, 1),
			    (size_t)sqlite3_column_bytes(st, 1))) {
			(void)sqlite3_reset(st);
			return PX_OK;
		}
	return row;
}

px_rc px_reader_place(struct px_reader *r, int64_t ino, int64_t *ret_did, struct px_entry *ret,
	struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_PLACE, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, ino);
	row = px_stmt_step(r->db, st, err);
	if (row < 0)
		return row;
	if (!row)
		return px_err_set(err, PX_ENOENT, "no such version");
	read_entry(st, ret);
	*ret_did = sqlite3_column_int64(st, 6);
	(void)sqlite3_reset(st);
	return PX_OK;
}

px_rc px_reader_walk_seen(
	struct px_reader *r, int64_t did, int64_t walk, int64_t *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_WALK_SEEN, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, did);
	px_bind_int(st, 2, walk);
	row = px_stmt_step(r->db, st, err);
	if (row < 0)
		return row;
	*ret = sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	return PX_OK;
}

px_rc px_reader_unseen(struct px_reader *r, int64_t did, int64_t walk, int64_t after_rid,
	bool (*cb)(void *arg, int64_t rid, const char *id, size_t id_len), void *arg,
	struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_UNSEEN, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, did);
	px_bind_int(st, 2, after_rid);
	px_bind_int(st, 3, walk);
	return each_id(r, st, cb, arg, err);
}

px_rc px_reader_ids(struct px_reader *r, int64_t did, int64_t after_rid,
	bool (*cb)(void *arg, int64_t rid, const char *id, size_t id_len), void *arg,
	struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_IDS, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, did);
	px_bind_int(st, 2, after_rid);
	return each_id(r, st, cb, arg, err);
}

px_rc px_reader_pending_get(struct px_reader *r, int64_t did, const char *id, size_t id_len,
	int64_t *ret_epoch, int *ret_attempts, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_PENDING_GET, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, did);
	(void)sqlite3_bind_text64(st, 2, id, id_len, SQLITE_STATIC, SQLITE_UTF8);
	row = px_stmt_step(r->db, st, err);
	if (row < 0)
		return row;
	if (!row)
		return px_err_set(err, PX_ENOENT, "no such mark");
	*ret_epoch = sqlite3_column_int64(st, 0);
	*ret_attempts = sqlite3_column_int(st, 1);
	(void)sqlite3_reset(st);
	return PX_OK;
}

px_rc px_reader_pending(struct px_reader *r, int64_t did, int64_t now_ms, size_t limit,
	struct px_pending **ret, size_t *ret_count, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, did ? STMT_PENDING_LIST_OF : STMT_PENDING_LIST, err);
	void *list = NULL;
	size_t count = 0;
	int at = 1, row;

	if (!st)
		return PX_EIO;
	if (did)
		px_bind_int(st, at++, did);
	px_bind_int(st, at++, now_ms);
	px_bind_int(st, at, (int64_t)limit);
	while ((row = px_stmt_step(r->db, st, err)) > 0) {
		struct px_pending *p = more(&list, &count, sizeof *p);

		if (p)
			p->id = px_column_strdup(st, 1);
		if (!p || !p->id) {
			(void)sqlite3_reset(st);
			row = px_err_nomem(err);
			break;
		}
		p->did = sqlite3_column_int64(st, 0);
		p->id_len = (size_t)sqlite3_column_bytes(st, 1);
		p->epoch = sqlite3_column_int64(st, 2);
		p->since_ms = sqlite3_column_int64(st, 3);
		p->not_before_ms = sqlite3_column_int64(st, 4);
		p->attempts = sqlite3_column_int(st, 5);
	}
	if (row < 0) {
		px_pending_free(list, count);
		return row;
	}
	*ret = list;
	*ret_count = count;
	return PX_OK;
}

px_rc px_reader_meta(struct px_reader *r, const char *key, struct px_buf *out, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(r->db, STMT_META_GET, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_text(st, 1, key);
	row = px_stmt_step(r->db, st, err);
	if (row < 0)
		return row;
	if (!row)
		return px_err_set(err, PX_ENOENT, "%s is not set", key);
	(void)px_buf_add(out, sqlite3_column_text(st, 0), (size_t)sqlite3_column_bytes(st, 0));
	(void)sqlite3_reset(st);
	return px_buf_ok(out, err);
}

static int64_t file_bytes(const char *path, const char *suffix)
{
	char *name = sqlite3_mprintf("%s%s", path, suffix);
	struct stat st;
	int64_t bytes = name && !stat(name, &st) ? st.st_size : 0;

	sqlite3_free(name);
	return bytes;
}

px_rc px_reader_totals(struct px_reader *r, struct px_store_totals *ret, struct px_err *err)
{
	struct px_store_totals t = {0};
	const struct {
		const char *name;
		int64_t *to;
	} counters[] = {{"records", &t.records}, {"versions", &t.versions}, {"pending", &t.pending},
		{"events", &t.events}, {"inbox", &t.inbox}};
	sqlite3_stmt *st = px_stmt(r->db, STMT_COUNTERS, err);
	int row;

	if (!st)
		return PX_EIO;
	while ((row = px_stmt_step(r->db, st, err)) > 0)
		for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
			if (!strcmp((const char *)sqlite3_column_text(st, 0), counters[i].name))
				*counters[i].to = sqlite3_column_int64(st, 1);
	if (row < 0)
		return row;
	st = px_stmt(r->db, STMT_OLDEST_PENDING, err);
	if (!st)
		return PX_EIO;
	row = px_stmt_step(r->db, st, err);
	if (row < 0)
		return row;
	t.oldest_pending_ms = row ? sqlite3_column_int64(st, 0) : 0;
	(void)sqlite3_reset(st);
	t.bytes = file_bytes(r->db->path, "") + file_bytes(r->db->path, "-wal");
	*ret = t;
	return PX_OK;
}
