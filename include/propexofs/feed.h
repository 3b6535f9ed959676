/* SPDX-License-Identifier: MIT */
/*
 * feed.h - from commit to kernel: what a committed transaction changed in the tree.
 *
 * ingest publishes after each commit; fs/notify takes and tells the kernel. The list is in memory:
 * it is only about this process's mount, and a mount dies with its process. publish never blocks,
 * so acknowledging deliveries never waits for the kernel; a fill asks px_feed_backlog and slows
 * down by itself. Invariant: changes arrive in commit order, and only after their commit, so that a
 * reader that asks again after a notification finds the new state.
 */
#ifndef PROPEXOFS_FEED_H
#define PROPEXOFS_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "propexofs/err.h"

enum px_change_kind {
	PX_CHANGE_NEW,	    /* a name appeared in model directory did */
	PX_CHANGE_REPLACED, /* a name in did points to another version; old_ino was the one before
			     */
	PX_CHANGE_GONE,	    /* a name vanished from did */
	PX_CHANGE_LISTING,  /* did: its listing may end now (complete), or its attributes moved */
	PX_CHANGE_DIRS, /* iid: the set of its model directories, or whether it is known, changed */
	PX_CHANGE_INTEGRATIONS, /* the set or the names of integrations changed */
	PX_CHANGE_LOG, /* the event log of `day` grew for iid (0: the one of all) from old_size */
};

struct px_change {
	enum px_change_kind kind;
	int64_t iid, did;
	int64_t old_ino;
	int64_t day, old_size;
	const char *name; /* in the batch's arena; NULL when the kind has none */
};

/* The changes of one commit. Filled by one thread, then handed over. */
struct px_changes {
	struct px_change *list;
	size_t count, cap;
	struct px_arena_block *arena;
	int64_t committed_mono_ns; /* set by publish: for measuring how long a change takes to show
				    */
	struct px_changes *next;
};
struct px_changes *px_changes_new(void);    /* NULL: out of memory */
void px_changes_free(struct px_changes *c); /* accepts NULL */
/* Copies the change and its name. PX_ENOMEM. */
px_rc px_changes_add(struct px_changes *c, const struct px_change *change);
/* Forgets all that was added after `count` (what a rolled-back part of a transaction had added). */
void px_changes_truncate(struct px_changes *c, size_t count);

struct px_feed;
struct px_feed *px_feed_new(void);
void px_feed_free(struct px_feed *f);

/* Takes ownership of c (may be empty: then it is freed). Any thread; never blocks. */
void px_feed_publish(struct px_feed *f, struct px_changes *c);
/* The oldest batch, or NULL after deadline_mono_ms (px_clock_mono_ms) or once closed and empty.
 * Caller frees. */
struct px_changes *px_feed_take(struct px_feed *f, int64_t deadline_mono_ms);
/* No more batches will come; wakes the taker. */
void px_feed_close(struct px_feed *f);
bool px_feed_closed(struct px_feed *f);
/* Changes published and not yet taken. */
size_t px_feed_backlog(struct px_feed *f);

#endif
