/* SPDX-License-Identifier: MIT */
/* stmt.c - prepared statements, one of each per connection, prepared when first needed and kept. */
#include "store_i.h"

#include <string.h>

static const char *const sql[STMT_COUNT] = {
#define PX_STMT(name, text) [STMT_##name] = text,
#include "statements.h"
#undef PX_STMT
};

sqlite3_stmt *px_stmt(struct px_db *db, enum px_stmt_id id, struct px_err *err)
{
	if (!db->stmts[id] && sqlite3_prepare_v3(db->handle, sql[id], -1, SQLITE_PREPARE_PERSISTENT,
				      &db->stmts[id], NULL) != SQLITE_OK) {
		(void)px_db_error(db, err, "store");
		return NULL;
	}
	(void)sqlite3_reset(db->stmts[id]);
	(void)sqlite3_clear_bindings(db->stmts[id]);
	return db->stmts[id];
}

px_rc px_stmt_run(struct px_db *db, sqlite3_stmt *st, struct px_err *err)
{
	int row = px_stmt_step(db, st, err);

	if (row > 0)
		(void)sqlite3_reset(st);
	return row < 0 ? row : PX_OK;
}

int px_stmt_step(struct px_db *db, sqlite3_stmt *st, struct px_err *err)
{
	px_rc rc;

	switch (sqlite3_step(st)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		(void)sqlite3_reset(st);
		return 0;
	default:
		rc = px_db_error(db, err, "store");
		(void)sqlite3_reset(st);
		return rc;
	}
}

void px_bind_int(sqlite3_stmt *st, int at, int64_t v)
{
	(void)sqlite3_bind_int64(st, at, v);
}

void px_bind_text(sqlite3_stmt *st, int at, const char *v)
{
	if (v)
		(void)sqlite3_bind_text(st, at, v, -1, SQLITE_STATIC);
}

void px_bind_blob(sqlite3_stmt *st, int at, const void *v, size_t len)
{
	(void)sqlite3_bind_blob64(st, at, len ? v : "", len, SQLITE_STATIC);
}

char *px_column_strdup(sqlite3_stmt *st, int at)
{
	const char *s = (const char *)sqlite3_column_text(st, at);

	return s ? strdup(s) : NULL;
}
