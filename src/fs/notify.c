/* SPDX-License-Identifier: MIT */
/*
 * notify.c - after a commit: the kernel drops what it believed.
 *
 * Invariants: this thread serves no request and holds no lock while it tells the kernel
 * (inval_entry inside a LOOKUP handler puts both sides into an uninterruptible wait); names go
 * before the listings they are in, for a listing in flight could be cached after its directory was
 * dropped; an existing directory's name is never dropped (a shell in it would lose its path); no
 * entry of the kernel is "nothing to do".
 *
 * A reply that was made before the commit can reach the kernel after the notification. So when a
 * directory was asked within the last second, its names are dropped once more, a moment later and
 * after the request under way has been answered.
 */
#include "fs_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "propexofs/clock.h"
#include "propexofs/log.h"

enum { RECENT_MS = 1000, REPEAT_MS = 50, RELIST_MS = 5000, PAGE = 4096, DIRS = 64 };

/* Directories whose listing is dropped after a batch's names. A set: more than DIRS are dropped as
 * they come. */
struct dirs {
	uint64_t ino[DIRS];
	size_t count;
};

/* A directory in which names only moved to newer versions: its listing has old inode numbers. */
struct relist {
	uint64_t dir;
	int64_t last_ms; /* when its listing was dropped last */
	bool due;
};

struct notifier {
	struct px_fs *fs;
	struct px_changes *first, **last; /* to be repeated, oldest first */
	struct relist *relists;
	size_t relist_count;
	uint64_t *dirs; /* node of each model directory by its number, 0: not asked for yet */
	size_t dir_count;
};

/* ---- directories ----------------------------------------------------------------------------- */

/* Which node shows the records of this directory. */
static uint64_t node_of_dir(struct notifier *n, int64_t did)
{
	uint64_t node = node_pack(NODE_MODEL, did);
	struct px_dir d = {0};

	if ((size_t)did >= n->dir_count) {
		size_t count = (size_t)did + 64;
		uint64_t *grown = realloc(n->dirs, count * sizeof *grown);

		if (!grown)
			return node;
		memset(grown + n->dir_count, 0, (count - n->dir_count) * sizeof *grown);
		n->dirs = grown;
		n->dir_count = count;
	}
	if (!n->dirs[did] && !px_reader_dir(n->fs->feed_reader, did, &d, NULL)) {
		n->dirs[did] = strcmp(d.model, EVENTS_NAME) != 0 ? node
								 : node_pack(NODE_EVENTS, d.iid);
		px_dir_release(&d);
	}
	return n->dirs[did] ? n->dirs[did] : node;
}

/* ---- to the kernel
 * ----------------------------------------------------------------------------------------------------
 */

static void told(struct px_fs *fs, int rc, const char *what)
{
	fs_count(fs, OP_NOTIFIED);
	/* not cached, or the mount is gone */
	if (rc && rc != -ENOENT && rc != -ENODEV && rc != -ENOTCONN && rc != -ENOTDIR)
		px_log_limited(PX_LOG_WARN, "fs",
			"telling the kernel of a changed %s failed: errno=%d", what, -rc);
}

static void drop_name(struct px_fs *fs, uint64_t dir, const char *name)
{
	told(fs, fuse_lowlevel_notify_inval_entry(fs->se, dir, name, strlen(name)), "name");
}

/* Attributes, and pages from offset on. */
static void drop_inode(struct px_fs *fs, uint64_t ino, int64_t offset)
{
	told(fs, fuse_lowlevel_notify_inval_inode(fs->se, ino, offset, 0), "inode");
}

/* ---- listings
 * -----------------------------------------------------------------------------------------------------------
 */

static struct relist *relist_of(struct notifier *n, uint64_t dir)
{
	struct relist *grown;

	for (size_t i = 0; i < n->relist_count; i++)
		if (n->relists[i].dir == dir)
			return &n->relists[i];
	grown = realloc(n->relists, (n->relist_count + 1) * sizeof *grown);
	if (!grown)
		return NULL;
	n->relists = grown;
	grown[n->relist_count] = (struct relist){.dir = dir, .last_ms = -RELIST_MS};
	return &grown[n->relist_count++];
}

static void drop_listing(struct notifier *n, uint64_t dir)
{
	struct relist *r = relist_of(n, dir);

	drop_inode(n->fs, dir, 0);
	if (r) {
		r->due = false;
		r->last_ms = px_clock_mono_ms();
	}
}

static void add_dir(struct notifier *n, struct dirs *d, uint64_t dir)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->ino[i] == dir)
			return;
	if (d->count == DIRS) {
		drop_listing(n, dir);
		return;
	}
	d->ino[d->count++] = dir;
}

static void drop_due_listings(struct notifier *n)
{
	int64_t now = px_clock_mono_ms();

	for (size_t i = 0; i < n->relist_count; i++)
		if (n->relists[i].due && now >= n->relists[i].last_ms + RELIST_MS)
			drop_listing(n, n->relists[i].dir);
}

/* ---- one change
 * -----------------------------------------------------------------------------------------------------------
 */

static void tell_dirs(struct notifier *n, struct dirs *d, int64_t iid)
{
	uint64_t dir = node_pack(NODE_INTEGRATION, iid);
	struct px_dir *list = NULL;
	size_t count = 0;

	add_dir(n, d, dir);
	add_dir(n, d, node_pack(NODE_EVENTS, iid));
	if (px_reader_dirs(n->fs->feed_reader, iid, &list, &count, NULL))
		return;
	for (size_t i = 0; i < count; i++)
		if (!px_dir_shown(&list[i]) && strcmp(list[i].model, EVENTS_NAME) != 0)
			drop_name(n->fs, dir, list[i].model);
	px_dirs_free(list, count);
}

static void tell_log(struct notifier *n, struct dirs *d, const struct px_change *c)
{
	struct px_fs *fs = n->fs;
	uint64_t ino = node_day(c->iid, c->day);
	int64_t announced = daylog_announced(fs, ino);
	struct px_day day;

	if (!c->old_size)
		add_dir(n, d, c->iid ? node_pack(NODE_EVENTS, c->iid) : FIXED_EVENTS);
	if (px_reader_day(fs->feed_reader, c->iid, c->day, &day, NULL) || day.size <= announced)
		return;
	if (announced >= 0)
		drop_inode(fs, ino, announced & ~(int64_t)(PAGE - 1));
	daylog_announce(fs, ino, day.size);
}

static bool asked_recently(struct px_fs *fs, uint64_t dir)
{
	return px_clock_mono_ms() - atomic_load(&fs->replied_ms[dir_slot(dir)]) < RECENT_MS;
}

/* Returns whether it has to be told again. */
static bool tell_one(struct notifier *n, struct dirs *d, const struct px_change *c, bool again)
{
	uint64_t dir = c->did ? node_of_dir(n, c->did) : 0;
	struct relist *r;

	switch (c->kind) {
	case PX_CHANGE_NEW:
	case PX_CHANGE_GONE:
		if (again && !asked_recently(n->fs, dir))
			return false;
		drop_name(n->fs, dir, c->name);
		add_dir(n, d, dir);
		return asked_recently(n->fs, dir);
	case PX_CHANGE_REPLACED:
		if (again && !asked_recently(n->fs, dir))
			return false;
		drop_name(n->fs, dir, c->name);
		r = relist_of(n, dir);
		if (r)
			r->due = true;
		return asked_recently(n->fs, dir);
	case PX_CHANGE_LISTING:
		add_dir(n, d, dir);
		return asked_recently(n->fs, dir);
	case PX_CHANGE_DIRS:
		tell_dirs(n, d, c->iid);
		return asked_recently(n->fs, node_pack(NODE_INTEGRATION, c->iid));
	case PX_CHANGE_INTEGRATIONS:
		add_dir(n, d, FIXED_ROOT);
		add_dir(n, d, FIXED_INTEGRATIONS);
		add_dir(n, d, FIXED_BY_NAME);
		return asked_recently(n->fs, FIXED_INTEGRATIONS) ||
		       asked_recently(n->fs, FIXED_BY_NAME);
	case PX_CHANGE_LOG:
		tell_log(n, d, c);
		return !c->old_size;
	}
	return false;
}

/* ---- batches
 * ----------------------------------------------------------------------------------------------------------------
 */

static bool tell(struct notifier *n, const struct px_changes *batch, bool again)
{
	struct dirs d = {.count = 0};
	bool repeat = false;

	for (size_t i = 0; i < batch->count; i++)
		repeat |= tell_one(n, &d, &batch->list[i], again);
	for (size_t i = 0; i < d.count; i++)
		drop_listing(n, d.ino[i]);
	return repeat;
}

/* Until the request that may have been answered from before has been answered. */
static void wait_turn(struct px_fs *fs)
{
	uint64_t turn = atomic_load(&fs->turn);

	while (turn & 1 && atomic_load(&fs->turn) == turn && !px_feed_closed(fs->feed))
		(void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void repeat_due(struct notifier *n)
{
	int64_t now_ns = px_clock_mono_ns();

	while (n->first && n->first->committed_mono_ns + REPEAT_MS * INT64_C(1000000) <= now_ns) {
		struct px_changes *batch = n->first;

		n->first = batch->next;
		if (!n->first)
			n->last = &n->first;
		wait_turn(n->fs);
		(void)tell(n, batch, true);
		px_changes_free(batch);
	}
}

static int64_t next_due(const struct notifier *n)
{
	int64_t due = INT64_MAX;

	if (n->first)
		due = n->first->committed_mono_ns / 1000000 + REPEAT_MS + 1;
	for (size_t i = 0; i < n->relist_count; i++)
		if (n->relists[i].due && n->relists[i].last_ms + RELIST_MS < due)
			due = n->relists[i].last_ms + RELIST_MS;
	return due;
}

void *notify_main(void *arg)
{
	struct px_fs *fs = arg;
	struct notifier n = {.fs = fs};

	n.last = &n.first;
	for (;;) {
		struct px_changes *batch = px_feed_take(fs->feed, next_due(&n));

		if (!batch && px_feed_closed(fs->feed))
			break;
		if (batch && tell(&n, batch, false)) {
			/* told again so long after it was told, however long it waited */
			batch->committed_mono_ns = px_clock_mono_ns();
			*n.last = batch;
			n.last = &batch->next;
		} else {
			px_changes_free(batch);
		}
		repeat_due(&n);
		drop_due_listings(&n);
	}
	while (n.first) {
		struct px_changes *next = n.first->next;

		px_changes_free(n.first);
		n.first = next;
	}
	free(n.relists);
	free(n.dirs);
	atomic_store(&fs->notifier_done, true);
	(void)eventfd_write(fs->wake_fd, 1);
	return NULL;
}
