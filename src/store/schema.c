/* SPDX-License-Identifier: MIT */
/*
 * schema.c - numbered migrations. A store of a newer format is refused, an older one is brought up
 * in one transaction.
 *
 * The layout keeps what listings need (record and its covering index) apart from bodies (version),
 * and what changes often (pending, dir) apart from both. Numbers that the kernel or a reader may
 * hold on to - inodes, directory cookies, integrations - are AUTOINCREMENT: never given twice, also
 * when the highest row is deleted.
 */
#include "store_i.h"

#include <string.h>

static const char *const migrations[] = {
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"INSERT INTO counter "
	"VALUES('records',0),('versions',0),('events',0),('inbox',0),('pending',0);"
	"CREATE TABLE integration(iid INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, "
	"name TEXT, vendor TEXT,"
	" system TEXT, created_at TEXT, last_completed_sync TEXT, last_completed_back_sync TEXT,"
	" active INTEGER NOT NULL DEFAULT 0, archived INTEGER NOT NULL DEFAULT 0, syncing INTEGER "
	"NOT NULL DEFAULT 0,"
	" can_authenticate INTEGER NOT NULL DEFAULT -1, present INTEGER NOT NULL DEFAULT 1,"
	" models_known INTEGER NOT NULL DEFAULT 0, mtime_ns INTEGER NOT NULL, first_filled_ms "
	"INTEGER NOT NULL DEFAULT 0,"
	" reconciled_ms INTEGER NOT NULL DEFAULT 0, last_event_ms INTEGER NOT NULL DEFAULT 0, "
	"error TEXT);"
	"CREATE TABLE dir(did INTEGER PRIMARY KEY AUTOINCREMENT, iid INTEGER NOT NULL, model TEXT "
	"NOT NULL,"
	" enabled INTEGER NOT NULL DEFAULT 0, complete INTEGER NOT NULL DEFAULT 0, records INTEGER "
	"NOT NULL DEFAULT 0,"
	" expected INTEGER NOT NULL DEFAULT -1, mtime_ns INTEGER NOT NULL, pending INTEGER NOT "
	"NULL DEFAULT 0,"
	" oldest_pending_ms INTEGER NOT NULL DEFAULT 0, watermark TEXT, cursor TEXT, walk INTEGER "
	"NOT NULL DEFAULT 0,"
	" filled_ms INTEGER NOT NULL DEFAULT 0, reconciled_ms INTEGER NOT NULL DEFAULT 0, error "
	"TEXT, UNIQUE(iid,model));"
	"CREATE TABLE file(iid INTEGER NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, "
	"mtime_ns INTEGER NOT NULL,"
	" body BLOB NOT NULL, PRIMARY KEY(iid,name)) WITHOUT ROWID;"
	"CREATE TABLE record(rid INTEGER PRIMARY KEY AUTOINCREMENT, did INTEGER NOT NULL, name "
	"TEXT NOT NULL, id TEXT NOT NULL,"
	" ino INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER "
	"NOT NULL,"
	" digest BLOB NOT NULL, core_digest BLOB NOT NULL, updated_at TEXT, last_seen TEXT, "
	"property_id TEXT, parent TEXT,"
	" fetched_epoch INTEGER NOT NULL, patched_epoch INTEGER NOT NULL, patched_ms INTEGER NOT "
	"NULL, walk INTEGER NOT NULL,"
	" source INTEGER NOT NULL, before BLOB, UNIQUE(did,name));"
	"CREATE INDEX record_list ON record(did,rid,ino,size,mtime_ns,ctime_ns,name) WHERE ino>0;"
	"CREATE TABLE version(ino INTEGER PRIMARY KEY AUTOINCREMENT, rid INTEGER NOT NULL, "
	"valid_from INTEGER NOT NULL,"
	" size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, source "
	"INTEGER NOT NULL,"
	" body BLOB NOT NULL);"
	"INSERT INTO sqlite_sequence(name,seq) VALUES('version',1048575);"
	"CREATE TABLE superseded(ino INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, is_trivial "
	"INTEGER NOT NULL);"
	"CREATE INDEX superseded_at ON superseded(at_ns);"
	"CREATE INDEX superseded_trivial ON superseded(at_ns) WHERE is_trivial=1;"
	"CREATE TABLE pending(did INTEGER NOT NULL, id TEXT NOT NULL, epoch INTEGER NOT NULL, "
	"since_ms INTEGER NOT NULL,"
	" not_before_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, PRIMARY KEY(did,id)) WITHOUT "
	"ROWID;"
	"CREATE INDEX pending_since ON pending(did,since_ms);"
	"CREATE TABLE inbox(arrival INTEGER PRIMARY KEY AUTOINCREMENT, received_ms INTEGER NOT "
	"NULL,"
	" attempts INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL);"
	"CREATE TABLE event(seq INTEGER PRIMARY KEY, day INTEGER NOT NULL, time_ms INTEGER NOT "
	"NULL, iid INTEGER NOT NULL,"
	" offset_all INTEGER NOT NULL, offset_iid INTEGER NOT NULL, line BLOB NOT NULL);"
	"CREATE UNIQUE INDEX event_all ON event(day,offset_all);"
	"CREATE UNIQUE INDEX event_iid ON event(iid,day,offset_iid) WHERE iid>0;"
	"CREATE TABLE day(iid INTEGER NOT NULL, day INTEGER NOT NULL, size INTEGER NOT NULL, "
	"first_seq INTEGER NOT NULL,"
	" last_seq INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, PRIMARY KEY(iid,day)) WITHOUT "
	"ROWID;"
	"CREATE TABLE link(model TEXT NOT NULL, id TEXT NOT NULL, slot INTEGER NOT NULL, parent "
	"TEXT NOT NULL,"
	" PRIMARY KEY(model,id,slot)) WITHOUT ROWID;",
};

_Static_assert(
	sizeof migrations / sizeof *migrations == STORE_VERSION, "one migration for each version");

static px_rc pragma_int(struct px_db *db, const char *name, int64_t *ret, struct px_err *err)
{
	sqlite3_stmt *st = NULL;
	char sql[64];
	px_rc rc = PX_OK;

	(void)sqlite3_snprintf((int)sizeof sql, sql, "PRAGMA %s", name);
	if (sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL) != SQLITE_OK ||
		sqlite3_step(st) != SQLITE_ROW)
		rc = px_db_error(db, err, "reading the store's format");
	else
		*ret = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return rc;
}

px_rc px_schema_check(struct px_db *db, struct px_err *err)
{
	int64_t id = 0, version = 0;
	px_rc rc = pragma_int(db, "application_id", &id, err);

	if (!rc)
		rc = pragma_int(db, "user_version", &version, err);
	if (rc)
		return rc;
	if (id != STORE_APPLICATION_ID)
		return px_err_set(err, id || version ? PX_EMISMATCH : PX_ENOENT,
			"%s is not a store of propexofs", db->path);
	if (version > STORE_VERSION)
		return px_err_set(err, PX_EVERSION,
			"the store %s has format %lld, this program knows %d: use the newer "
			"program, or another --store",
			db->path, (long long)version, STORE_VERSION);
	return PX_OK;
}

static px_rc migrate(struct px_db *db, int64_t from, struct px_err *err)
{
	char sql[96];
	px_rc rc = px_db_exec(db, "BEGIN IMMEDIATE", err);

	for (int64_t v = from; v < STORE_VERSION && !rc; v++)
		rc = px_db_exec(db, migrations[v], err);
	(void)sqlite3_snprintf((int)sizeof sql, sql,
		"PRAGMA application_id=%d; PRAGMA user_version=%d", (int)STORE_APPLICATION_ID,
		(int)STORE_VERSION);
	if (!rc)
		rc = px_db_exec(db, sql, err);
	if (!rc)
		rc = px_db_exec(db, "COMMIT", err);
	if (rc)
		(void)px_db_exec(db, "ROLLBACK", NULL);
	return rc;
}

static px_rc bind_url(struct px_db *db, const char *api_url, struct px_err *err)
{
	sqlite3_stmt *st;
	int row;

	if (!api_url) /* whoever only deletes does not care whose it is */
		return PX_OK;
	st = px_stmt(db, STMT_META_GET, err);
	if (!st)
		return err ? err->code : PX_EIO;
	px_bind_text(st, 1, "api_url");
	row = px_stmt_step(db, st, err);
	if (row < 0)
		return row;
	if (row) {
		bool same = !strcmp((const char *)sqlite3_column_text(st, 0), api_url);
		px_rc rc = same ? PX_OK
				: px_err_set(err, PX_EMISMATCH,
					  "the store %s holds data of %s, not of %s: use another "
					  "--store",
					  db->path, (const char *)sqlite3_column_text(st, 0),
					  api_url);

		(void)sqlite3_reset(st);
		return rc;
	}
	st = px_stmt(db, STMT_META_PUT, err);
	if (!st)
		return err ? err->code : PX_EIO;
	px_bind_text(st, 1, "api_url");
	px_bind_text(st, 2, api_url);
	return px_stmt_run(db, st, err);
}

px_rc px_schema_prepare(struct px_db *db, const char *api_url, struct px_err *err)
{
	int64_t id = 0, version = 0;
	px_rc rc = pragma_int(db, "application_id", &id, err);

	if (!rc)
		rc = pragma_int(db, "user_version", &version, err);
	if (!rc && (id || version))
		rc = px_schema_check(db, err);
	if (!rc && version < STORE_VERSION)
		rc = migrate(db, version, err);
	return rc ? rc : bind_url(db, api_url, err);
}
