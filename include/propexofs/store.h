/* SPDX-License-Identifier: MIT */
/*
 * store.h - the rows of the cache, as plain data, and opening it.
 *
 * One SQLite file (WAL, 16 KiB pages, mode 0600), one writing process at a time, any number of
 * readers. Nothing outside src/store speaks SQL. store_read.h reads, store_write.h writes; code
 * that includes only the former cannot write.
 *
 * The one idea: an inode number stands for one version of one record, for ever. A record's name
 * points to its newest version. The bytes of a version never change.
 */
#ifndef PROPEXOFS_STORE_H
#define PROPEXOFS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "propexofs/err.h"

/* Numbers of versions (inodes) start here; smaller ones are free for the tree's fixed nodes. */
#define PX_INO_FIRST INT64_C(1048576)

enum px_source { PX_SOURCE_API = 0, PX_SOURCE_WEBHOOK = 1 };

/* One integration. Strings are NULL when the API said null or nothing. */
struct px_integration {
	int64_t iid; /* ours, never reused */
	char *id;
	char *name;
	char *vendor;
	char *system;
	char *created_at;
	char *last_completed_sync;
	char *last_completed_back_sync;
	bool active;
	bool archived;
	bool syncing;
	int can_authenticate; /* 1, 0, -1 not told */
	bool present; /* in the newest list of the API; false: vanished, what is stored stays */
	bool models_known; /* its model directories have been laid out: its listing is complete */
	int64_t mtime_ns;  /* of its directory */
	int64_t first_filled_ms, reconciled_ms, last_event_ms; /* 0: never */
	char *error;					       /* one line, or NULL */
};
void px_integration_release(struct px_integration *i);

/* One model of one integration: a directory with its sync state. */
struct px_dir {
	int64_t did; /* ours, never reused */
	int64_t iid;
	char model[64];	  /* directory name, e.g. "unit-details" */
	bool enabled;	  /* the integration has the model and the API does not refuse it */
	bool complete;	  /* was read to its end once after the first sync; stays true */
	int64_t records;  /* files in it */
	int64_t expected; /* total the API told, -1 unknown */
	int64_t mtime_ns; /* when the listing last changed */
	int64_t pending;  /* re-reads that are due */
	int64_t oldest_pending_ms; /* 0: none */
	char *watermark;	   /* largest updated_at that a complete walk saw, or NULL */
	char *cursor; /* sync's own notes on a walk that is not finished, opaque here; or NULL */
	int64_t walk; /* number of the walk in progress or last done */
	int64_t filled_ms, reconciled_ms; /* 0: never */
	char *error;			  /* why the API does not give it, one line; or NULL */
};
/* A directory is shown when it is enabled or holds records. */
static inline bool px_dir_shown(const struct px_dir *d)
{
	return d->enabled || d->records > 0;
}
void px_dir_release(struct px_dir *d);

/* A name in a model directory and the version it points to. */
struct px_entry {
	int64_t rid; /* never reused: the directory cookie */
	int64_t ino;
	int64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns; /* when the bytes were stored */
	char name[256];
	size_t name_len;
};

/* A small file kept whole: integration.json, data-access.json, schedules.json, properties.json,
 * jobs.jsonl. */
struct px_file {
	char name[64];
	char *body;
	size_t size;
	int64_t mtime_ns;
};
void px_file_release(struct px_file *f);

struct px_store_totals {
	int64_t bytes;	 /* of the database file, write-ahead log included */
	int64_t records; /* names */
	int64_t versions;
	int64_t pending;
	int64_t oldest_pending_ms; /* 0: none */
	int64_t events;
	int64_t inbox; /* deliveries stored and not yet applied */
};

enum px_outcome {
	PX_OUTCOME_APPLIED,
	PX_OUTCOME_QUEUED,
	PX_OUTCOME_DUPLICATE,
	PX_OUTCOME_STALE,
	PX_OUTCOME_UNKNOWN_MODEL,
	PX_OUTCOME_IGNORED,
	PX_OUTCOME_NOTED,
	PX_OUTCOME_FAILED,
};
/* The word of contract §6: "applied", "unknown-model"... */
const char *px_outcome_word(enum px_outcome o);

/* What a program that does not hold the store's lock may ask about its owner. */
struct px_store_owner {
	bool held;
	int pid; /* 0 when unknown */
};
px_rc px_store_owner(const char *path, struct px_store_owner *ret, struct px_err *err);

#endif
