/* SPDX-License-Identifier: MIT */
/*
 * writer.c - the one writing connection: opening, transactions, counts.
 *
 * Invariants: the time of a transaction is greater than that of every earlier one, restarts
 * included; an epoch that was handed out is below the reserved end that a commit has made durable,
 * or died with its process; counts are written with the rows they count.
 */
#include "store_i.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "propexofs/clock.h"

enum { EPOCH_BLOCK = 1000 };

/* ---- meta
 * --------------------------------------------------------------------------------------------------
 */

px_rc px_writer_meta_put(
	struct px_writer *w, const char *key, const char *value, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_META_PUT, err);

	if (!st)
		return PX_EIO;
	px_bind_text(st, 1, key);
	px_bind_text(st, 2, value);
	return px_stmt_run(&w->db, st, err);
}

static px_rc meta_int(struct px_writer *w, const char *key, int64_t *ret, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_META_GET, err);
	int row;

	if (!st)
		return PX_EIO;
	px_bind_text(st, 1, key);
	row = px_stmt_step(&w->db, st, err);
	if (row < 0)
		return row;
	*ret = row ? sqlite3_column_int64(st, 0) : 0;
	(void)sqlite3_reset(st);
	return PX_OK;
}

static px_rc meta_put_int(struct px_writer *w, const char *key, int64_t value, struct px_err *err)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%lld", (long long)value);
	return px_writer_meta_put(w, key, text, err);
}

/* ---- opening
 * -------------------------------------------------------------------------------------------------
 */

/* The last directory of the path is ours to make; more than that is a mistake to be seen. */
static px_rc make_directory(const char *path, struct px_err *err)
{
	char *copy = strdup(path), *dir;
	px_rc rc = PX_OK;

	if (!copy)
		return px_err_nomem(err);
	dir = dirname(copy);
	if (mkdir(dir, 0700) && errno != EEXIST)
		rc = px_err_sys(err, errno, "cannot make the directory of the store, %s", dir);
	free(copy);
	return rc;
}

static px_rc read_last_ino(struct px_writer *w, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_VERSION_LAST, err);
	int row = st ? px_stmt_step(&w->db, st, err) : PX_EIO;

	if (row < 0)
		return row;
	w->last_ino = row ? sqlite3_column_int64(st, 0) : 0;
	(void)sqlite3_reset(st);
	return w->last_ino >= PX_INO_FIRST - 1
		       ? PX_OK
		       : px_err_set(err, PX_ECORRUPT, "the store %s has lost its inode numbers",
				 w->db.path);
}

/* A database of somebody else's is left as it is: opening one for writing changes its header. What
 * is no database at all is damaged, and what has no tables yet becomes a store. */
static px_rc refuse_foreign(const char *path, struct px_err *err)
{
	enum { HEADER = 100, COOKIE = 40, USER_VERSION = 60, APPLICATION_ID = 68 };
	static const unsigned char none[4] = {0}, ours[4] = {STORE_APPLICATION_ID >> 24 & 0xff,
							  STORE_APPLICATION_ID >> 16 & 0xff,
							  STORE_APPLICATION_ID >> 8 & 0xff,
							  STORE_APPLICATION_ID & 0xff};
	unsigned char h[HEADER];
	struct stat st;
	ssize_t got;
	int fd;

	if (stat(path, &st))
		return PX_OK; /* it is about to be made, or opening it says why not */
	if (!S_ISREG(st.st_mode))
		return px_err_set(err, PX_EMISMATCH,
			"the store %s is not a regular file: use another --store", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return PX_OK;
	got = pread(fd, h, sizeof h, 0);
	(void)close(fd);
	if (got < HEADER || memcmp(h, "SQLite format 3", 16) != 0 ||
		!memcmp(h + APPLICATION_ID, ours, 4))
		return PX_OK;
	if (!memcmp(h + APPLICATION_ID, none, 4) && !memcmp(h + USER_VERSION, none, 4) &&
		!memcmp(h + COOKIE, none, 4))
		return PX_OK;
	return px_err_set(err, PX_EMISMATCH,
		"%s is a database, but not a store of propexofs: use another --store", path);
}

px_rc px_writer_open(
	const char *path, const char *api_url, struct px_writer **ret, struct px_err *err)
{
	struct px_writer *w = calloc(1, sizeof *w);
	mode_t mask;
	px_rc rc;

	if (!w)
		return px_err_nomem(err);
	w->lock_fd = -1;
	rc = make_directory(path, err);
	if (!rc)
		rc = refuse_foreign(path, err);
	if (!rc)
		rc = px_lock_take(path, &w->lock_fd, err);
	if (!rc) {
		mask = umask(0077);
		rc = px_db_open(path, true, &w->db, err);
		(void)umask(mask);
	}
	if (!rc)
		rc = px_schema_prepare(&w->db, api_url, err);
	if (!rc && chmod(path, 0600))
		rc = px_err_sys(err, errno, "store %s", path);
	if (!rc)
		rc = meta_int(w, "last_commit_ns", &w->last_ns, err);
	if (!rc)
		px_clock_forward_from(w->last_ns);
	if (!rc)
		rc = meta_int(w, "epoch", &w->epoch, err);
	if (!rc)
		rc = read_last_ino(w, err);
	if (rc) {
		px_writer_close(w);
		return rc;
	}
	w->epoch_reserved = w->epoch;
	w->reader.db = &w->db;
	*ret = w;
	return PX_OK;
}

void px_writer_close(struct px_writer *w)
{
	if (!w)
		return;
	px_db_close(&w->db);
	if (w->lock_fd >= 0)
		(void)close(w->lock_fd);
	free(w);
}

px_rc px_store_set_aside(const char *path, char **ret_path, struct px_err *err)
{
	static const char *const companions[] = {"", "-wal", "-shm"};
	char stamp[PX_TIME_MAX], *aside = NULL;
	px_rc rc = PX_OK;

	(void)px_time_format_s(px_clock_wall_ms(), stamp);
	if (asprintf(&aside, "%s.damaged-%s", path, stamp) < 0)
		return px_err_nomem(err);
	for (size_t i = 0; i < sizeof companions / sizeof *companions && !rc; i++) {
		char *from = NULL, *to = NULL;

		if (asprintf(&from, "%s%s", path, companions[i]) < 0 ||
			asprintf(&to, "%s%s", aside, companions[i]) < 0)
			rc = px_err_nomem(err);
		else if (rename(from, to) && (errno != ENOENT || !i))
			rc = px_err_sys(err, errno, "cannot rename %s", from);
		free(from);
		free(to);
	}
	if (rc)
		free(aside);
	else
		*ret_path = aside;
	return rc;
}

/* ---- counts
 * ----------------------------------------------------------------------------------------------------
 */

px_rc px_tally_dir(struct px_writer *w, int64_t did, int64_t records, struct px_err *err)
{
	struct px_tally *t = &w->tally;

	t->records += records;
	for (size_t i = 0; i < t->dir_count; i++)
		if (t->dirs[i].did == did) {
			t->dirs[i].records += records;
			return PX_OK;
		}
	if (t->dir_count == sizeof t->dirs / sizeof *t->dirs) {
		px_rc rc = px_tally_write(w, err);

		if (rc)
			return rc;
	}
	t->dirs[t->dir_count].did = did;
	t->dirs[t->dir_count++].records = records;
	return PX_OK;
}

static px_rc add_counter(struct px_writer *w, const char *name, int64_t n, struct px_err *err)
{
	sqlite3_stmt *st;

	if (!n)
		return PX_OK;
	st = px_stmt(&w->db, STMT_COUNTER_ADD, err);
	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, n);
	px_bind_text(st, 2, name);
	return px_stmt_run(&w->db, st, err);
}

px_rc px_tally_write(struct px_writer *w, struct px_err *err)
{
	struct px_tally *t = &w->tally;
	px_rc rc = PX_OK;

	for (size_t i = 0; i < t->dir_count && !rc; i++) {
		sqlite3_stmt *st = px_stmt(&w->db, STMT_DIR_COUNT, err);

		if (!st)
			return PX_EIO;
		px_bind_int(st, 1, t->dirs[i].records);
		px_bind_int(st, 2, w->now_ns);
		px_bind_int(st, 3, t->dirs[i].did);
		rc = px_stmt_run(&w->db, st, err);
	}
	if (!rc)
		rc = add_counter(w, "records", t->records, err);
	if (!rc)
		rc = add_counter(w, "versions", t->versions, err);
	if (!rc)
		rc = add_counter(w, "events", t->events, err);
	if (!rc)
		rc = add_counter(w, "inbox", t->inbox, err);
	if (!rc)
		rc = add_counter(w, "pending", t->pending, err);
	memset(t, 0, sizeof *t);
	return rc;
}

/* ---- transactions
 * ------------------------------------------------------------------------------------------------
 */

static px_rc run(struct px_writer *w, enum px_stmt_id id, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, id, err);

	return st ? px_stmt_run(&w->db, st, err) : PX_EIO;
}

px_rc px_writer_begin(struct px_writer *w, struct px_err *err)
{
	px_rc rc = run(w, STMT_BEGIN, err);

	if (rc)
		return rc;
	w->in_tx = true;
	w->changes = sqlite3_total_changes(w->db.handle);
	w->now_ns = px_clock_forward_ns();
	if (w->now_ns <= w->last_ns)
		w->now_ns = w->last_ns + 1;
	return PX_OK;
}

static void forget_cached(struct px_writer *w)
{
	memset(&w->tally, 0, sizeof w->tally);
	w->events_known = false;
}

void px_writer_rollback(struct px_writer *w)
{
	/* SQLite may have rolled back by itself when the disk was full: then there is nothing left
	 * to do */
	if (!sqlite3_get_autocommit(w->db.handle))
		(void)run(w, STMT_ROLLBACK, NULL);
	w->in_tx = w->marked = false;
	w->epoch_reserved = w->epoch; /* a reservation that was rolled back is made again */
	forget_cached(w);
}

px_rc px_writer_commit(struct px_writer *w, struct px_err *err)
{
	px_rc rc = px_tally_write(w, err);

	/* nothing to make durable: the disk is left alone */
	if (!rc && sqlite3_total_changes(w->db.handle) == w->changes) {
		px_writer_rollback(w);
		return PX_OK;
	}
	if (!rc)
		rc = meta_put_int(w, "last_commit_ns", w->now_ns, err);
	if (!rc)
		rc = run(w, STMT_COMMIT, err);
	if (rc)
		return rc;
	w->in_tx = w->marked = false;
	w->last_ns = w->now_ns;
	return PX_OK;
}

px_rc px_writer_mark(struct px_writer *w, struct px_err *err)
{
	px_rc rc = px_tally_write(w, err);

	if (!rc)
		rc = run(w, STMT_MARK, err);
	w->marked = !rc;
	return rc;
}

void px_writer_rollback_to(struct px_writer *w)
{
	if (w->marked && !sqlite3_get_autocommit(w->db.handle)) {
		(void)run(w, STMT_ROLLBACK_TO, NULL);
		(void)run(w, STMT_RELEASE, NULL);
	}
	w->marked = false;
	w->epoch_reserved = w->epoch;
	forget_cached(w);
}

px_rc px_writer_release_mark(struct px_writer *w, struct px_err *err)
{
	px_rc rc = px_tally_write(w, err);

	if (!rc)
		rc = run(w, STMT_RELEASE, err);
	if (!rc)
		w->marked = false;
	return rc;
}

int64_t px_writer_now_ns(struct px_writer *w)
{
	return w->now_ns;
}

struct px_reader *px_writer_reader(struct px_writer *w)
{
	return &w->reader;
}

px_rc px_writer_next_epoch(struct px_writer *w, int64_t *ret, struct px_err *err)
{
	if (w->epoch >= w->epoch_reserved) {
		px_rc rc = meta_put_int(w, "epoch", w->epoch + EPOCH_BLOCK, err);

		if (rc)
			return rc;
		w->epoch_reserved = w->epoch + EPOCH_BLOCK;
	}
	*ret = ++w->epoch;
	return PX_OK;
}

/* ---- checkpoints
 * ---------------------------------------------------------------------------------------------------
 */

/*
 * While the writer goes on committing there is always something left to move, and the log is begun
 * anew only when there is not. So when it has grown, the little that is left after a passive
 * checkpoint is moved while the writer waits.
 */
enum { WAL_FRAMES = 512 /* 8 MiB */, WAL_WAIT_MS = 20 };

struct px_checkpoint {
	struct px_db db;
};

px_rc px_checkpoint_open(const char *path, struct px_checkpoint **ret, struct px_err *err)
{
	struct px_checkpoint *c = calloc(1, sizeof *c);
	px_rc rc;

	if (!c)
		return px_err_nomem(err);
	rc = px_db_open(path, false, &c->db, err);
	if (!rc)
		rc = px_db_exec(&c->db,
			"PRAGMA query_only=0; PRAGMA mmap_size=0; PRAGMA synchronous=FULL", err);
	if (!rc)
		(void)sqlite3_busy_timeout(c->db.handle, WAL_WAIT_MS);
	if (rc) {
		px_checkpoint_close(c);
		return rc;
	}
	*ret = c;
	return PX_OK;
}

px_rc px_checkpoint_run(struct px_checkpoint *c, int64_t *ret_wal_bytes, struct px_err *err)
{
	int frames = 0, moved = 0;
	int code = sqlite3_wal_checkpoint_v2(
		c->db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);

	if (code == SQLITE_OK && frames > WAL_FRAMES)
		code = sqlite3_wal_checkpoint_v2(
			c->db.handle, NULL, SQLITE_CHECKPOINT_FULL, &frames, &moved);
	*ret_wal_bytes = frames > 0 ? (int64_t)frames * (STORE_PAGE_BYTES + 24) : 0;
	if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY)
		return px_db_error(&c->db, err, "checkpoint");
	return moved < frames ? px_err_set(err, PX_EBUSY, "a reader still needs the log") : PX_OK;
}

void px_checkpoint_close(struct px_checkpoint *c)
{
	if (!c)
		return;
	px_db_close(&c->db);
	free(c);
}
