/* SPDX-License-Identifier: MIT */
/*
 * db.c - a connection: opened with one set of settings, its errors turned into ours.
 *
 * Invariants: a connection belongs to one thread at a time (SQLITE_OPEN_NOMUTEX); a reader never
 * writes, not even the schema (SQLITE_OPEN_READWRITE is needed for WAL's shared memory, PRAGMA
 * query_only forbids the rest); opening reads the header and the schema, nothing that grows with
 * the number of records.
 */
#include "store_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

px_rc px_db_error(struct px_db *db, struct px_err *err, const char *what)
{
	int code = db->handle ? sqlite3_extended_errcode(db->handle) : SQLITE_NOMEM;
	px_rc rc;

	switch (code & 0xff) {
	case SQLITE_NOMEM:
		return px_err_nomem(err);
	case SQLITE_FULL:
		rc = PX_EFULL;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		rc = PX_ECORRUPT;
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		rc = PX_EBUSY;
		break;
	case SQLITE_IOERR:
		rc = db->handle && sqlite3_system_errno(db->handle) == ENOSPC ? PX_EFULL : PX_EIO;
		break;
	default:
		rc = PX_EIO;
	}
	return px_err_set(err, rc, "%s %s: %s (%d)", what, db->path ? db->path : "",
		db->handle ? sqlite3_errmsg(db->handle) : "", code);
}

px_rc px_db_exec(struct px_db *db, const char *sql, struct px_err *err)
{
	return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK
		       ? PX_OK
		       : px_db_error(db, err, "store");
}

static px_rc settings(struct px_db *db, bool write, struct px_err *err)
{
	px_rc rc;

	(void)sqlite3_extended_result_codes(db->handle, 1);
	(void)sqlite3_busy_timeout(db->handle, 5000);
	if (write) {
		/* the page size counts only before the first table; WAL only after it */
		rc = px_db_exec(db,
			"PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
			"PRAGMA wal_autocheckpoint=4096; PRAGMA journal_size_limit=16777216; "
			"PRAGMA foreign_keys=OFF;"
			"PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY",
			err);
	} else {
		/* not mapped: every page that was ever read would count as resident */
		rc = px_db_exec(db,
			"PRAGMA query_only=1; PRAGMA cache_size=-2048; PRAGMA mmap_size=0", err);
	}
	return rc;
}

px_rc px_db_open(const char *path, bool write, struct px_db *ret, struct px_err *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (write ? SQLITE_OPEN_CREATE : 0);
	struct px_db db = {.path = strdup(path)};
	struct stat st;
	px_rc rc;

	if (!db.path)
		return px_err_nomem(err);
	if (!write && stat(path, &st)) {
		rc = px_err_sys(err, errno, "store %s", path);
		free(db.path);
		return rc;
	}
	errno = 0;
	rc = sqlite3_open_v2(path, &db.handle, flags, NULL) == SQLITE_OK
		     ? PX_OK
		     : px_db_error(&db, err, "cannot open the store");
	if (!rc)
		rc = settings(&db, write, err);
	if (rc) {
		px_db_close(&db);
		return rc;
	}
	*ret = db;
	return PX_OK;
}

void px_db_close(struct px_db *db)
{
	for (int i = 0; i < STMT_COUNT; i++)
		(void)sqlite3_finalize(db->stmts[i]);
	(void)sqlite3_close_v2(db->handle);
	free(db->path);
	memset(db, 0, sizeof *db);
}
