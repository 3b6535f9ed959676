/* SPDX-License-Identifier: MIT */
/*
 * walk_i.h - private to walk.c and what it is made of (piece.c, cursor.c, commit.c, progress.c): a
 * walk, and its pieces.
 *
 * Everything here belongs to the sync thread. Whatever can end a walk calls walk_fail, which frees
 * nothing that its callers hold but the pieces in the walk's list; the walk itself is freed by
 * walk_settle, which comes last wherever an answer or an ended job is looked at, and at the end of
 * the program.
 */
#ifndef PROPEXOFS_WALK_I_H
#define PROPEXOFS_WALK_I_H

#include "sync_i.h"

enum piece_state { PIECE_QUEUED, PIECE_FLYING, PIECE_READY };

/* A page of a list. In its walk's list, which owns it; one that was dropped while under way is its
 * request's. */
struct piece {
	struct walk *walk;
	struct piece *next;
	enum piece_state state;
	bool dropped; /* thrown away while under way: its answer is not looked at */
	int64_t offset;
	int limit;
	bool overlap; /* its first record is the last one before it */
	char *parent; /* id, for sub-collections */
	int64_t parent_rid;
	int64_t epoch;
	/* when READY */
	struct px_page_record *records;
	size_t count;
	size_t got; /* with those of integrations that are not wanted */
	char *first_id, *last_id;
	int64_t total;
	int has_more;
	int64_t newest_ns; /* largest updated_at in it */
	char *newest;
	bool skipped;
	int tries; /* of a single record that could not be read */
};

/* One list, from beginning to end. Owned by px_sync.all_walks; a directory, or
 * px_sync.account_walk, refers to it as long as it lives. */
struct walk {
	struct px_sync *s;
	struct walk *next;
	struct sdir *d; /* NULL: account-wide */
	int model;
	enum px_purpose purpose;
	bool fill;	/* ends with FILL_COMPLETE */
	bool refill;	/* was asked for again: also when it fails */
	int64_t number; /* of the walk, per directory */
	struct piece *head, **tail;
	size_t flying;
	int limit;	 /* page size; smaller where the server gives less */
	int64_t planned; /* offset behind the last planned piece; list of one */
	int64_t applied; /* offset behind what ingest has got */
	int64_t total;	 /* -1 unknown */
	int64_t seen;	 /* records it has met, counted at its end */
	char *last_id;	 /* of what ingest has got */
	int back;	 /* steps back in a row */
	int voids;	 /* pages that showed nothing, not even their overlap */
	int tries;	 /* walks over the whole list so far */
	int skips;
	bool any;	  /* the list has shown a record, since it was begun */
	bool planned_all; /* the end of the list is among the pieces */
	bool at_end;	  /* the last piece has gone to ingest */
	bool end_sent;	  /* and what is to be said of the whole list */
	bool failed;
	struct px_err err;
	int jobs; /* submitted and not yet ended */
	int64_t newest_ns;
	char *newest;	     /* largest updated_at so far: the watermark to be */
	char *sync_at;	     /* last_completed_sync when it began, */
	char *back_at;	     /* and last_completed_back_sync */
	int64_t began_epoch; /* before its first request; 0: not known */
	int64_t began_ms;    /* px_clock_wall_ms; 0: not known */
	char *cursor;	     /* stored with what went to ingest last; NULL: nothing yet */
	/* sub-collections */
	int64_t parent_rid; /* parents up to here are planned */
	bool parents_done;
};

/* ---- piece.c: a page of a list */

/* Not in the list of w yet, and the caller's. NULL: out of memory. */
struct piece *piece_new(struct walk *w, int64_t offset, int limit, bool overlap);
void piece_free(struct piece *p);
/* Throws away what has not gone to ingest. */
void piece_drop_all(struct walk *w);
/* Pieces of w that have not been asked for. */
size_t piece_waiting(const struct walk *w);
/* Asks for a queued piece. Its answer makes it ready, splits it, or fails the walk, and then hands
 * over what has its turn. When it cannot be asked for, the walk fails, and p is gone. */
void piece_send(struct piece *p);

/* ---- cursor.c: where an interrupted walk goes on */

/* What stands behind `last`, of which w->applied and all else in w tell already. From malloc; NULL:
 * out of memory. */
char *cursor_text(const struct walk *w, const struct piece *last);
/* Brings w, which is new, to where the text says. */
void cursor_read(struct walk *w, const char *text);
/* An interrupted reading of what is complete, begun too long ago to go on with. */
bool cursor_too_old(const struct sdir *d);

/* ---- commit.c: a piece on its way into the store */

/* Hands to ingest the records of p, with what stands behind them; p, without them, stays the
 * caller's. last: the end of the list, and p is an empty piece. Fails the walk when it cannot. */
void commit_piece(struct walk *w, struct piece *p, bool last);

/* ---- walk.c, for the others */

/* A list for each parent, instead of one. */
bool walk_is_sub(const struct walk *w);
/* What the log calls it: the model, and the integration's id or "account". */
const char *walk_name(const struct walk *w);
const char *walk_of(const struct walk *w);
/* Ends the walk, and drops its pieces; what is stored stays, the cursor too, and it is tried again
 * later. Only the first error counts. */
void walk_fail(struct walk *w, const struct px_err *err);
/* Hands over the pieces that are ready, in order, while ingest has room, and the end of the list
 * when all is stored. May fail the walk. */
void walk_apply(struct walk *w);
/* Frees a walk that has ended, once nothing refers to it any more: the caller's last look at it. */
void walk_settle(struct walk *w);

#endif
