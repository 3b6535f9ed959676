/* SPDX-License-Identifier: MIT */
/*
 * push.c - bodies ahead of a reader that goes through a directory in order (grep -r, tar, rsync,
 * a shell's *).
 *
 * When two READs follow each other in an order that a directory has - its listing's, that of the
 * inode numbers (fts(3) sorts by them), that of the names (globs, rsync) - the next bodies are
 * stored into the page cache before they are asked for (FUSE_NOTIFY_STORE, Linux fs/fuse/dev.c).
 * Inodes are immutable, so what is stored is right whatever happens meanwhile. Now and then one
 * body is left out: a mark. The READ for it tells how far the reader has come, and the window moves
 * on.
 *
 * A reader who is faster than this thread would ask for every other file himself, at many times the
 * cost. So a READ that may be in order is not answered by the request thread but left here, and
 * this thread answers it when the bodies up to the next mark are there: the reader cannot overtake,
 * whoever of the two is given the processor. READs in no order are answered by the request thread
 * at once, and only noted here.
 *
 * Why nobody waits for ever: to store a page the kernel locks it, and a page that is being read is
 * locked until its READ is answered. This thread waits for such a lock alone, so the READ that
 * holds it must be answered by the request thread: a version whose READ is left here is never
 * pushed, and a READ of the version that is being pushed is never left here (both are decided under
 * push_lock).
 *
 * Invariants: this thread holds no lock while it talks to the kernel, and no directory's: it sends
 * answers to READs alone; each READ that was left here is answered once, within HOLD_MS and the
 * time of the READs before it; at most AHEAD bodies are ahead of a reader.
 */
#include "fs_i.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "propexofs/clock.h"
#include "propexofs/log.h"

enum {
	AHEAD = 256,
	NEAR = 384,	 /* numbers apart, at which one still follows the other */
	NAMES_NEAR = 96, /* names between, likewise */
	MARK_FIRST = 16, /* entries to the first mark; the distance doubles */
	MARK_MOST = 128,
	BATCH = 64,
	HOLD_MS = 100,
	STREAMS = 4,
	BEHIND = 8, /* READs that were noted and not looked at: the next one waits */
	FUTILE = 4, /* READs left here for nothing: only marks are */
};

/* A reader. */
struct stream {
	int64_t did; /* 0: none */
	enum px_order order;
	bool running;	      /* at least two READs in order */
	struct px_entry last; /* of its last READ */
	/* what was dealt with: all behind begin, end too */
	struct px_entry begin, end;
	/* entries counted: where the reader is at least, the newest mark, end */
	uint64_t reader, marked, ahead;
	int spacing, to_mark; /* between marks, to the next one */
	bool whole;	      /* nothing behind end */
	uint64_t used;	      /* of all streams the smallest was used longest ago */
};

struct pusher {
	struct px_fs *fs;
	struct px_reader *reader;
	struct stream streams[STREAMS];
	struct stream *latest; /* of the last READ; NULL: none */
	uint64_t uses;
	int64_t held_until_ms; /* when the READ that waits is answered at the latest */
};

/* ---- what the request thread does ------------------------------------------------------------ */

static bool is_mark_locked(const struct px_fs *fs, int64_t ino)
{
	for (size_t i = 0; i < PUSH_MARKS; i++)
		if (fs->push_marks[i].ino == ino)
			return true;
	return false;
}

bool push_take(struct px_fs *fs, fuse_req_t req, int64_t ino, size_t size)
{
	bool near, take;

	pthread_mutex_lock(&fs->push_lock);
	near = fs->push_last && ino != fs->push_last && ino - fs->push_last <= NEAR &&
	       fs->push_last - ino <= NEAR && fs->push_futile < FUTILE;
	fs->push_last = ino;
	take = !fs->push_ending && ino != fs->pushing && fs->held_count < PUSH_HELD &&
	       (near || fs->push_missed >= BEHIND || is_mark_locked(fs, ino));
	if (take) {
		fs->held[fs->held_count++] = (struct held_read){
			.req = req, .ino = ino, .size = size};
	} else {
		fs->push_noted = ino;
		fs->push_missed++;
	}
	pthread_cond_signal(&fs->push_wake);
	pthread_mutex_unlock(&fs->push_lock);
	return take;
}

void push_stop(struct px_fs *fs)
{
	pthread_mutex_lock(&fs->push_lock);
	fs->push_ending = true;
	pthread_cond_signal(&fs->push_wake);
	pthread_mutex_unlock(&fs->push_lock);
}

/* ---- what both share ------------------------------------------------------------------------- */

/* The next READ to look at: one that was only noted, then those that wait, oldest first. False: the
 * end, and nobody waits. */
static bool next_read(struct px_fs *fs, struct held_read *ret)
{
	bool any;

	pthread_mutex_lock(&fs->push_lock);
	while (!fs->push_noted && !fs->held_count && !fs->push_ending)
		pthread_cond_wait(&fs->push_wake, &fs->push_lock);
	any = fs->held_count || !fs->push_ending;
	if (fs->push_noted && !fs->push_ending)
		*ret = (struct held_read){.ino = fs->push_noted};
	else if (any)
		*ret = fs->held[0]; /* stays there until it is answered: it must not be pushed */
	fs->push_noted = 0;
	fs->push_missed = 0;
	pthread_mutex_unlock(&fs->push_lock);
	return any;
}

static void held_answered(struct px_fs *fs, bool futile)
{
	pthread_mutex_lock(&fs->push_lock);
	fs->push_futile = futile ? fs->push_futile + 1 : 0;
	memmove(fs->held, fs->held + 1, --fs->held_count * sizeof *fs->held);
	pthread_mutex_unlock(&fs->push_lock);
}

static bool wanted_elsewhere(struct px_fs *fs)
{
	bool wanted;

	pthread_mutex_lock(&fs->push_lock);
	wanted = fs->push_noted || fs->held_count || fs->push_ending;
	pthread_mutex_unlock(&fs->push_lock);
	return wanted;
}

/* False: somebody waits for its READ here. */
static bool begin_pushing(struct px_fs *fs, int64_t ino)
{
	bool ok = true;

	pthread_mutex_lock(&fs->push_lock);
	for (size_t i = 0; i < fs->held_count; i++)
		ok &= fs->held[i].ino != ino;
	fs->pushing = ok ? ino : 0;
	pthread_mutex_unlock(&fs->push_lock);
	return ok;
}

static void end_pushing(struct px_fs *fs)
{
	pthread_mutex_lock(&fs->push_lock);
	fs->pushing = 0;
	pthread_mutex_unlock(&fs->push_lock);
}

static void add_mark(struct px_fs *fs, int64_t ino, uint64_t at)
{
	pthread_mutex_lock(&fs->push_lock);
	fs->push_marks[fs->push_mark++ % PUSH_MARKS] = (struct push_mark){.ino = ino, .at = at};
	pthread_mutex_unlock(&fs->push_lock);
}

/* Only this thread sets marks, so it reads them without the lock. */
static const struct push_mark *mark_of(const struct px_fs *fs, int64_t ino)
{
	for (size_t i = 0; i < PUSH_MARKS; i++)
		if (fs->push_marks[i].ino == ino)
			return &fs->push_marks[i];
	return NULL;
}

/* ---- orders ---------------------------------------------------------------------------------- */

static bool within(int64_t from, int64_t to, int64_t most)
{
	return to > from && to - from <= most;
}

/* Whether b comes soon after a. */
static bool follows(struct pusher *p, int64_t did, enum px_order order, const struct px_entry *a,
	const struct px_entry *b)
{
	bool near = false;

	switch (order) {
	case PX_BY_RID:
		return within(a->rid, b->rid, NEAR);
	case PX_BY_INO:
		return within(a->ino, b->ino, NEAR);
	case PX_BY_NAME:
		if (strcmp(a->name, b->name) < 0 && px_reader_names_near(p->reader, did, a->name,
							    b->name, NAMES_NEAR, &near, NULL))
			near = false;
	}
	return near;
}

static bool is_behind(enum px_order order, const struct px_entry *a, const struct px_entry *b)
{
	switch (order) {
	case PX_BY_RID:
		return a->rid > b->rid;
	case PX_BY_INO:
		return a->ino > b->ino;
	case PX_BY_NAME:
		break;
	}
	return strcmp(a->name, b->name) > 0;
}

/* ---- streams --------------------------------------------------------------------------------- */

/* The reader is at this entry, and nothing behind it was dealt with. */
static void go_on_from(struct stream *s, const struct px_entry *e)
{
	s->begin = s->end = *e;
	s->reader = s->marked = s->ahead;
	s->to_mark = s->spacing;
	s->whole = false;
}

static void start(struct stream *s, enum px_order order, const struct px_entry *e)
{
	s->order = order;
	s->running = true;
	s->spacing = MARK_FIRST;
	go_on_from(s, e);
}

/* Whether this READ goes on with a stream that runs; moves it there. */
static bool goes_on(struct pusher *p, struct stream *s, const struct px_entry *e)
{
	const struct push_mark *mark = mark_of(p->fs, e->ino);

	if (is_behind(s->order, &s->last, e) && !follows(p, s->did, s->order, e, &s->last))
		return false;
	if (is_behind(s->order, e, &s->end)) {
		if (!follows(p, s->did, s->order, &s->end, e))
			return false;
		/* overtaken */
		go_on_from(s, e);
	} else if (is_behind(s->order, &s->begin, e)) {
		/* rsync: from odd names, which are anywhere, back to the head */
		go_on_from(s, e);
	} else if (e->ino == s->end.ino) {
		/* caught up: neck and neck it would go on asking for what is not there yet */
		s->reader = s->ahead;
	} else if (mark && mark->at <= s->ahead && mark->at > s->reader) {
		s->reader = mark->at;
	}
	return true;
}

static bool begins(struct pusher *p, struct stream *s, const struct px_entry *e)
{
	for (enum px_order order = PX_BY_RID; order <= PX_BY_NAME; order++) {
		/* that question is not as cheap */
		if (order == PX_BY_NAME && s != p->latest)
			break;
		if (follows(p, s->did, order, &s->last, e)) {
			start(s, order, e);
			return true;
		}
	}
	return false;
}

/* The one that was used longest ago, of those that do not run if there are any. */
static struct stream *oldest(struct pusher *p)
{
	struct stream *found = NULL;

	for (size_t i = 0; i < STREAMS; i++) {
		struct stream *s = &p->streams[i];

		if (!found || (found->running && !s->running) ||
			(found->running == s->running && s->used < found->used))
			found = s;
	}
	return found;
}

/* The reader that this READ belongs to. */
static struct stream *stream_of(struct pusher *p, int64_t did, const struct px_entry *e)
{
	struct stream *s = NULL;

	for (size_t i = 0; i < STREAMS && !s; i++)
		if (p->streams[i].did == did && p->streams[i].running &&
			goes_on(p, &p->streams[i], e))
			s = &p->streams[i];
	for (size_t i = 0; i < STREAMS && !s; i++)
		if (p->streams[i].did == did && !p->streams[i].running &&
			begins(p, &p->streams[i], e))
			s = &p->streams[i];
	if (!s) {
		s = oldest(p);
		*s = (struct stream){.did = did};
	}
	s->last = *e;
	s->used = ++p->uses;
	p->latest = s;
	return s;
}

/* ---- pushing --------------------------------------------------------------------------------- */

struct batch {
	struct px_entry list[BATCH];
	size_t count;
};

static bool take_entry(void *arg, const struct px_entry *e)
{
	struct batch *b = arg;

	b->list[b->count++] = *e;
	return b->count < BATCH;
}

static void push_one(struct pusher *p, const struct px_entry *e)
{
	struct fuse_bufvec vec = FUSE_BUFVEC_INIT(0);
	size_t len = 0;

	if (px_reader_read(p->reader, e->ino, 0, p->fs->push_room, REPLY_MAX, &len, NULL) || !len ||
		!begin_pushing(p->fs, e->ino))
		return;
	vec.buf[0].mem = p->fs->push_room;
	vec.buf[0].size = len;
	/* an inode that the kernel has forgotten meanwhile is nothing to be ahead of */
	if (!fuse_lowlevel_notify_store(p->fs->se, (fuse_ino_t)e->ino, 0, &vec, 0))
		fs_count(p->fs, OP_PUSHED);
	end_pushing(p->fs);
}

static void deal_with(struct pusher *p, struct stream *s, const struct px_entry *e)
{
	s->ahead++;
	s->to_mark--;
	s->end = *e;
	/* what the kernel does not know cannot be stored for it */
	if (e->size > REPLY_MAX || !known_get(p->fs->known, e->ino))
		return;
	if (s->to_mark > 0) {
		push_one(p, e);
		return;
	}
	s->marked = s->ahead;
	add_mark(p->fs, e->ino, s->marked);
	if (s->spacing < MARK_MOST)
		s->spacing *= 2;
	s->to_mark = s->spacing;
}

static bool full(const struct stream *s)
{
	return s->whole || s->ahead >= s->reader + AHEAD;
}

/* The next few entries, while `go` says so. */
static void push_batch(
	struct pusher *p, struct stream *s, bool (*go)(struct pusher *p, const struct stream *s))
{
	struct batch b = {.count = 0};
	/* one moment for all of them; a reader keeps no writer waiting */
	px_rc rc = px_reader_begin(p->reader, NULL);

	if (!rc) {
		rc = px_reader_list_from(
			p->reader, s->did, s->order, &s->end, take_entry, &b, NULL);
		for (size_t i = 0; i < b.count && !full(s) && go(p, s); i++)
			deal_with(p, s, &b.list[i]);
		px_reader_end(p->reader);
	}
	s->whole = rc || !b.count;
}

static bool lacks_mark(struct pusher *p, const struct stream *s)
{
	return s->marked <= s->reader && px_clock_mono_ms() < p->held_until_ms;
}

static bool undisturbed(struct pusher *p, const struct stream *s)
{
	(void)s;
	return !wanted_elsewhere(p->fs);
}

static void push_while(
	struct pusher *p, struct stream *s, bool (*go)(struct pusher *p, const struct stream *s))
{
	while (!full(s) && go(p, s))
		push_batch(p, s, go);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void answer(struct pusher *p, const struct held_read *h)
{
	struct px_err err;
	size_t len = 0;
	px_rc rc = px_reader_read(p->reader, h->ino, 0, p->fs->push_room, h->size, &len, &err);

	op_read_reply(p->fs, h->req, rc, p->fs->push_room, len, &err);
}

static void follow(struct pusher *p, const struct held_read *h)
{
	struct stream *s = NULL;
	struct px_entry e;
	int64_t did;
	uint64_t before;
	bool useful = mark_of(p->fs, h->ino);

	if (!px_reader_place(p->reader, h->ino, &did, &e, NULL))
		s = stream_of(p, did, &e);
	if (s && !s->running)
		s = NULL;
	if (s) {
		before = s->ahead;
		p->held_until_ms = px_clock_mono_ms() + HOLD_MS;
		push_while(p, s, lacks_mark);
		useful |= s->ahead != before;
	}
	if (h->req) {
		answer(p, h);
		held_answered(p->fs, !useful);
	}
	if (s)
		push_while(p, s, undisturbed);
}

void *push_main(void *arg)
{
	struct px_fs *fs = arg;
	struct pusher p = {.fs = fs, .reader = fs->push_reader};
	struct held_read h;

	while (next_read(fs, &h))
		follow(&p, &h);
	atomic_store(&fs->pusher_done, true);
	(void)eventfd_write(fs->wake_fd, 1);
	return NULL;
}
