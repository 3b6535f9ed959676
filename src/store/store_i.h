/* SPDX-License-Identifier: MIT */
/* store_i.h - private to src/store: a connection with its prepared statements, and binding. */
#ifndef PROPEXOFS_STORE_I_H
#define PROPEXOFS_STORE_I_H

#include <sqlite3.h>

#include "propexofs/store_write.h"

enum {
	STORE_APPLICATION_ID = 0x50784653 /* "PxFS" */,
	STORE_VERSION = 1,
	STORE_PAGE_BYTES = 16384
};

/* Statements are named in stmt.c's table, prepared at first use, and kept with the connection. */
enum px_stmt_id {
#define PX_STMT(name, sql) STMT_##name,
#include "statements.h"
#undef PX_STMT
	STMT_COUNT
};

struct px_db {
	sqlite3 *handle;
	char *path;
	sqlite3_stmt *stmts[STMT_COUNT];
};

px_rc px_db_open(const char *path, bool write, struct px_db *ret, struct px_err *err);
void px_db_close(struct px_db *db);
/* The error of the last call on this connection. */
px_rc px_db_error(struct px_db *db, struct px_err *err, const char *what);
px_rc px_db_exec(struct px_db *db, const char *sql, struct px_err *err);

/* The prepared statement, reset and without bindings. NULL with err set. */
sqlite3_stmt *px_stmt(struct px_db *db, enum px_stmt_id id, struct px_err *err);
/* Runs to the end a statement that gives no rows, and resets it. */
px_rc px_stmt_run(struct px_db *db, sqlite3_stmt *st, struct px_err *err);
/* One step: 1 a row, 0 the end (reset), negative: a px_rc (reset). */
int px_stmt_step(struct px_db *db, sqlite3_stmt *st, struct px_err *err);

void px_bind_int(sqlite3_stmt *st, int at, int64_t v);
void px_bind_text(
	sqlite3_stmt *st, int at, const char *v); /* NULL binds null; v outlives the run */
void px_bind_blob(sqlite3_stmt *st, int at, const void *v, size_t len);
char *px_column_strdup(sqlite3_stmt *st, int at); /* NULL for null */

/* Brings the schema up to STORE_VERSION; binds a new store to api_url. */
px_rc px_schema_prepare(struct px_db *db, const char *api_url, struct px_err *err);
px_rc px_schema_check(struct px_db *db, struct px_err *err); /* PX_EVERSION for another format */

/* An exclusive lock on "<path>.lock" that names its owner's pid; released by closing fd. */
px_rc px_lock_take(const char *path, int *ret_fd, struct px_err *err);

struct px_reader {
	struct px_db *db;
	struct px_db own; /* unless it shares a writer's connection */
};

/* What a transaction has changed of a directory's and the store's counts; written when a part of it
 * is final. */
struct px_tally {
	struct {
		int64_t did, records;
	} dirs[8];
	size_t dir_count;
	int64_t records, versions, events, inbox, pending;
};

struct px_writer {
	struct px_db db;
	struct px_reader reader;
	int lock_fd;
	int changes;	 /* rows changed before the open transaction */
	int64_t now_ns;	 /* of the open transaction */
	int64_t last_ns; /* of the newest commit */
	int64_t epoch, epoch_reserved;
	int64_t last_ino; /* newest inode number given out, committed or not */
	/* the event log's end, as of the open transaction; 0: to be read again */
	int64_t seq, event_ms, event_day;
	bool events_known;
	bool in_tx, marked;
	struct px_tally tally;
};

/* Adds to the tally of a directory; touched means that its listing changed. */
px_rc px_tally_dir(struct px_writer *w, int64_t did, int64_t records, struct px_err *err);
px_rc px_tally_write(struct px_writer *w, struct px_err *err);

enum { RECORD_ID_MAX = 4096 };

#endif
