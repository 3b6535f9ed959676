/* SPDX-License-Identifier: MIT */
/*
 * push.c - bodies ahead of a reader that goes through a directory in order (grep -r, tar, rsync).
 *
 * When two READs follow each other in listing order, the next bodies are stored into the page cache
 * before they are asked for (FUSE_NOTIFY_STORE, Linux fs/fuse/dev.c). Inodes are immutable, so what
 * is stored is right whatever happens meanwhile. One body in MARK is left out: the READ for it
 * tells how far the reader has come, and the window moves on.
 *
 * A reader who is faster than this thread would ask for every other file himself, at many times the
 * cost: the answer to one that has overtaken it waits for a moment, in which this thread gets
 * ahead.
 *
 * Invariants: this thread serves no request and holds no lock while it talks to the kernel; the
 * request thread only leaves the number of the inode that was read; at most AHEAD bodies are ahead
 * of the last READ.
 */
#include "fs_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

enum { AHEAD = 256, MARK = 65, NEAR = 96, BODY_MAX = 1 << 20, WINDOW = 1024, OVERTAKEN_RUN = 4 };

struct pusher {
	struct px_fs *fs;
	struct px_reader *reader;
	struct px_buf body;
	int64_t did;	  /* directory of the last READ; 0: none */
	int64_t last_rid; /* of the last READ */
	int run;	  /* READs in order so far */
	/* entries from last_rid on that have been dealt with, oldest first, by rid */
	int64_t done[WINDOW];
	size_t count;
	uint64_t sequence; /* of entries, for the marks */
};

/* ---- what the request thread does ------------------------------------------------------------ */

bool push_note(struct px_fs *fs, int64_t ino)
{
	bool overtaken;

	pthread_mutex_lock(&fs->push_lock);
	overtaken = fs->push_running;
	for (size_t i = 0; i < PUSH_MARKS; i++)
		overtaken &= fs->push_marks[i] != ino;
	fs->push_ino = ino;
	pthread_cond_signal(&fs->push_wake);
	pthread_mutex_unlock(&fs->push_lock);
	return overtaken;
}

static void tell_running(struct px_fs *fs, bool running)
{
	pthread_mutex_lock(&fs->push_lock);
	fs->push_running = running;
	pthread_mutex_unlock(&fs->push_lock);
}

static void tell_mark(struct px_fs *fs, int64_t ino)
{
	pthread_mutex_lock(&fs->push_lock);
	fs->push_marks[fs->push_mark++ % PUSH_MARKS] = ino;
	pthread_mutex_unlock(&fs->push_lock);
}

void push_stop(struct px_fs *fs)
{
	pthread_mutex_lock(&fs->push_lock);
	fs->push_ending = true;
	pthread_cond_signal(&fs->push_wake);
	pthread_mutex_unlock(&fs->push_lock);
}

/* The newest READ; 0: the end. */
static int64_t next_read(struct px_fs *fs)
{
	int64_t ino;

	pthread_mutex_lock(&fs->push_lock);
	while (!fs->push_ino && !fs->push_ending)
		pthread_cond_wait(&fs->push_wake, &fs->push_lock);
	ino = fs->push_ending ? 0 : fs->push_ino;
	fs->push_ino = 0;
	pthread_mutex_unlock(&fs->push_lock);
	return ino;
}

static bool newer_read(struct px_fs *fs)
{
	bool newer;

	pthread_mutex_lock(&fs->push_lock);
	newer = fs->push_ino || fs->push_ending;
	pthread_mutex_unlock(&fs->push_lock);
	return newer;
}

/* ---- the window -------------------------------------------------------------------------------
 */

struct batch {
	struct px_entry *list;
	size_t count, most;
};

static bool take_entry(void *arg, const struct px_entry *e)
{
	struct batch *b = arg;

	if (b->count == b->most)
		return false;
	b->list[b->count++] = *e;
	return b->count < b->most;
}

/* Whether rid is one of the next few entries behind the last READ. */
static bool is_near(struct pusher *p, int64_t did, int64_t rid)
{
	struct px_entry list[NEAR];
	struct batch b = {.list = list, .most = NEAR};

	if (did != p->did || rid <= p->last_rid)
		return false;
	for (size_t i = 0; i < p->count; i++)
		if (p->done[i] == rid)
			return true;
	if (px_reader_list(p->reader, did, p->last_rid, take_entry, &b, NULL))
		return false;
	for (size_t i = 0; i < b.count; i++)
		if (list[i].rid == rid)
			return true;
	return false;
}

/* Forgets what lies behind the reader. */
static void move_to(struct pusher *p, int64_t rid)
{
	size_t behind = 0;

	while (behind < p->count && p->done[behind] <= rid)
		behind++;
	p->count -= behind;
	memmove(p->done, p->done + behind, p->count * sizeof *p->done);
	p->last_rid = rid;
}

static bool push_one(struct pusher *p, const struct px_entry *e)
{
	struct fuse_bufvec vec = FUSE_BUFVEC_INIT(0);
	int rc;

	px_buf_reset(&p->body);
	if (e->size > BODY_MAX || px_reader_body(p->reader, e->ino, &p->body, NULL) || !p->body.len)
		return true;
	vec.buf[0].mem = p->body.data;
	vec.buf[0].size = p->body.len;
	rc = fuse_lowlevel_notify_store(p->fs->se, (fuse_ino_t)e->ino, 0, &vec, 0);
	if (!rc)
		fs_count(p->fs, OP_PUSHED);
	/* not known to the kernel: nothing to be ahead of. The mount is gone: nothing at all */
	return rc != -ENODEV && rc != -ENOTCONN;
}

static void push_ahead(struct pusher *p)
{
	struct px_entry list[64];

	while (p->count < AHEAD && !newer_read(p->fs)) {
		struct batch b = {.list = list, .most = sizeof list / sizeof *list};
		int64_t after = p->count ? p->done[p->count - 1] : p->last_rid;

		if (px_reader_list(p->reader, p->did, after, take_entry, &b, NULL) || !b.count)
			return;
		for (size_t i = 0; i < b.count && p->count < WINDOW; i++) {
			if (newer_read(p->fs))
				return;
			p->done[p->count++] = list[i].rid;
			if (++p->sequence % MARK == 0)
				tell_mark(p->fs, list[i].ino);
			/* what the kernel does not know cannot be stored for it */
			else if (known_get(p->fs->known, list[i].ino) && !push_one(p, &list[i]))
				return;
		}
	}
}

static void follow(struct pusher *p, int64_t ino)
{
	int64_t did, rid;

	if (px_reader_place(p->reader, ino, &did, &rid, NULL))
		return;
	if (is_near(p, did, rid)) {
		p->run++;
		move_to(p, rid);
	} else {
		tell_running(p->fs, false);
		p->run = 0;
		p->count = 0;
		p->did = did;
		p->last_rid = rid;
	}
	if (p->run == OVERTAKEN_RUN)
		tell_running(p->fs, true);
	if (p->run)
		push_ahead(p);
}

void *push_main(void *arg)
{
	struct px_fs *fs = arg;
	struct pusher p = {
		.fs = fs, .reader = fs->push_reader, .body = PX_BUF_INIT(BODY_MAX + 4096)};
	int64_t ino;

	while ((ino = next_read(fs)) != 0)
		follow(&p, ino);
	px_buf_release(&p.body);
	atomic_store(&fs->pusher_done, true);
	(void)eventfd_write(fs->wake_fd, 1);
	return NULL;
}
