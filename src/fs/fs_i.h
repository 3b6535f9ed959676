/* SPDX-License-Identifier: MIT */
/*
 * fs_i.h - private to src/fs: nodes, their numbers, and the state of one mount.
 *
 * A number names a node for ever: numbers of record versions are the store's and stand for
 * immutable bytes; all other nodes are kind << 44 | key, so that every number stays below 2^53 and
 * neither table nor lock is needed to decode it.
 */
#ifndef PROPEXOFS_FS_I_H
#define PROPEXOFS_FS_I_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "propexofs/fs.h"
#include "propexofs/store_read.h"

enum node_kind {
	NODE_FIXED, /* small numbers: see enum fixed_node; and versions, from PX_INO_FIRST on */
	NODE_INTEGRATION,  /* key: iid */
	NODE_MODEL,	   /* key: did */
	NODE_EVENTS,	   /* key: iid; the root's is FIXED_EVENTS */
	NODE_SCHEMA,	   /* key: index of the model; the name's own number */
	NODE_DAY,	   /* key: iid << 20 | day */
	NODE_LATEST,	   /* key: iid */
	NODE_BY_NAME,	   /* key: iid: a link */
	NODE_FILE,	   /* key: iid << 8 | index in small_files; the name's own number */
	NODE_RENDERING,	   /* key: serial of one rendering of a text */
	NODE_VERSION = 99, /* not packed */
};

enum fixed_node {
	FIXED_ROOT = 1,
	FIXED_README,
	FIXED_STATUS,
	FIXED_METRICS,
	FIXED_SCHEMA,
	FIXED_EVENTS,
	FIXED_BY_NAME,
	FIXED_INTEGRATIONS,
};

/* Of the log's directory, and of a model's: an integration has one directory for both. */
#define EVENTS_NAME "events"

struct node {
	enum node_kind kind;
	int64_t key;
};

uint64_t node_pack(enum node_kind kind, int64_t key);
struct node node_unpack(uint64_t ino);
uint64_t node_day(int64_t iid, int64_t day);

/* ---- known.c: inodes of versions that the kernel holds */

struct known;
struct known *known_new(void);
void known_free(struct known *k);
/* One reference more. false: not counted (out of memory, no version's number). */
bool known_add(struct known *k, int64_t ino);
void known_drop(struct known *k, int64_t ino, uint64_t references);
bool known_get(struct known *k, int64_t ino);

/* ---- rendered.c: texts that are made when they are asked for */

struct rendering {
	struct rendering *next;
	int64_t serial;
	uint64_t name_ino;
	char *text;
	size_t size;
	int64_t mtime_ns, ctime_ns, checked_ms;
	bool current;
	uint64_t lookups; /* references the kernel holds */
};

struct px_fs;
/* The current rendering of the text whose name has this number. PX_ENOENT when there is no such
 * text. */
px_rc rendered_get(struct px_fs *fs, uint64_t name_ino, struct rendering **ret, struct px_err *err);
struct rendering *rendered_find(struct px_fs *fs, int64_t serial);
void rendered_forget(struct px_fs *fs, int64_t serial, uint64_t count);
void rendered_free(struct px_fs *fs);

/* Names of small files of an integration, in listing order; index is part of their number. */
extern const char *const small_files[];
enum { SMALL_FILES = 6, SMALL_STATUS = 1 };

/* ---- daylog.c: sizes of growing logs */

/* The size that may be reported now: never more than what the kernel has been prepared for, never
 * less than before. */
int64_t daylog_size(struct px_fs *fs, uint64_t ino, int64_t committed);
/* What was reported last; -1: nothing yet, so the kernel has no page of it. */
int64_t daylog_announced(struct px_fs *fs, uint64_t ino);
/* After the kernel's page at the old end has been dropped. */
void daylog_announce(struct px_fs *fs, uint64_t ino, int64_t size);

struct daylog {
	uint64_t ino;
	int64_t size;
};

/* ---- tree.c: what is where */

struct dent {
	const char *name;
	size_t name_len;
	int64_t cookie;
	uint64_t ino;
	mode_t type;
	const struct px_entry *record; /* of a record: its attributes; NULL otherwise */
};

/* What a lookup found. */
struct found {
	uint64_t nodeid;
	struct stat attr;
	double entry_timeout, attr_timeout;
};

px_rc tree_attr(struct px_fs *fs, uint64_t nodeid, struct found *ret, struct px_err *err);
/* *ret_negative_timeout: with PX_ENOENT, how long the kernel may believe it. */
px_rc tree_lookup(struct px_fs *fs, uint64_t parent, const char *name, struct found *ret,
	double *ret_negative_timeout, struct px_err *err);
/* Entries behind cookie `after` until emit returns false (then PX_OK and *ret_end false). At the
 * end *ret_end is true and the result is PX_OK, or PX_EBUSY for a listing that is not complete.
 * PX_EINVAL: no directory. */
px_rc tree_list(struct px_fs *fs, uint64_t dir, int64_t after,
	bool (*emit)(void *arg, const struct dent *e), void *arg, bool *ret_end,
	struct px_err *err);
px_rc tree_readlink(struct px_fs *fs, uint64_t nodeid, struct px_buf *out, struct px_err *err);
px_rc tree_read(struct px_fs *fs, uint64_t nodeid, int64_t offset, size_t len, struct px_buf *out,
	struct px_err *err);
void tree_record_attr(const struct px_fs *fs, const struct px_entry *e, struct found *ret);

/* ---- names.c */

/* Directory name of an integration: its id, encoded as record names are, without ".json". */
void name_of_integration(const char *id, char ret[256]);
/* Names under by-name for all integrations: ret[i] belongs to list[i]. */
void names_readable(const struct px_integration *list, size_t count, char (*ret)[256]);
void name_of_day(int64_t day, char ret[32]);
bool day_of_name(const char *name, int64_t *ret);

/* ---- the mount */

enum op_kind {
	OP_LOOKUP,
	OP_GETATTR,
	OP_READLINK,
	OP_READ,
	OP_READDIR,
	OP_READDIRPLUS,
	OP_OPEN,
	OP_OPENDIR,
	OP_RELEASE,
	OP_FORGET,
	OP_STATFS,
	OP_GETXATTR,
	OP_LISTXATTR,
	OP_CHANGING,
	OP_OTHER,
	OP_PUSHED,
	OP_NOTIFIED,
	OP_BYTES,
	OP_KINDS,
};

enum { DIR_REPLIES = 256 };
enum { PUSH_MARKS = 64, PUSH_HELD = 8 };

/* A READ that the pusher answers. */
struct held_read {
	fuse_req_t req;
	int64_t ino;
	size_t size;
};

/* A version that was left out ahead of a reader, and how many entries were dealt with there. */
struct push_mark {
	int64_t ino;
	uint64_t at;
};

struct px_fs {
	struct fuse_session *se;
	char *mountpoint; /* absolute */
	char *store;
	uid_t uid;
	gid_t gid;
	mode_t file_mode, dir_mode;
	bool partial;
	struct px_renderer renderer;
	struct px_feed *feed;
	struct px_reader *reader;      /* request thread */
	struct px_reader *feed_reader; /* notifier */
	struct known *known;
	struct rendering *renderings;
	int64_t rendering_serial;
	int64_t mounted_ns;
	char *reply;	/* request thread's buffer, REPLY_MAX bytes */
	int64_t *added; /* versions referred to by the listing in `reply`, ADDED_MAX at most */

	pthread_mutex_t lock;
	struct daylog *daylogs; /* guarded by: lock */
	size_t daylog_count;	/* guarded by: lock */

	/* when a reply about names of a directory left last, by hash of its number: for repeating
	 * notifications */
	_Atomic int64_t replied_ms[DIR_REPLIES];
	_Atomic uint64_t turn; /* odd while the request thread is at a request */

	pthread_t notifier, pusher;
	_Atomic bool notifier_done, pusher_done;
	struct px_reader *push_reader; /* pusher */
	char *push_room;	       /* pusher's buffer, REPLY_MAX bytes */
	pthread_mutex_t push_lock;     /* a leaf */
	pthread_cond_t push_wake;
	/* guarded by: push_lock, all of these */
	bool push_ending;
	struct held_read held[PUSH_HELD]; /* READs that wait for the pusher, oldest first */
	size_t held_count;
	int64_t push_last;    /* version read last; 0: none */
	int64_t push_noted;   /* version read last whose READ does not wait; 0: none */
	unsigned push_missed; /* such READs since the pusher looked */
	unsigned push_futile; /* READs that waited for nothing, one after another */
	int64_t pushing;      /* version being stored; 0: none */
	struct push_mark push_marks[PUSH_MARKS]; /* the newest at push_mark - 1 % PUSH_MARKS */
	size_t push_mark;
	int wake_fd;		 /* eventfd: somebody wants the request thread to look around */
	_Atomic int64_t stop_ms; /* real CLOCK_MONOTONIC at which serving ends at the latest; 0: not
				    asked to */
	_Atomic int stops;
	_Atomic unsigned pings, pongs; /* px_fs_ping: asked, answered */

	_Atomic uint64_t count[OP_KINDS];
};

static inline void fs_count(struct px_fs *fs, enum op_kind op)
{
	atomic_fetch_add_explicit(&fs->count[op], 1, memory_order_relaxed);
}

enum { REPLY_MAX = 1 << 20, FOREVER_S = 1 << 30, ADDED_MAX = 8192 };

/* ops.c */
extern const struct fuse_lowlevel_ops fs_ops;
/* Answers a READ: with `len` bytes, or with what failed. */
void op_read_reply(struct px_fs *fs, fuse_req_t req, px_rc rc, const char *data, size_t len,
	const struct px_err *err);

/* Which slot of replied_ms a directory has. */
static inline size_t dir_slot(uint64_t dir)
{
	return (dir * UINT64_C(0x9e3779b97f4a7c15)) >> 56;
}

/* ---- push.c: the thread that stores bodies ahead of a reader */

void *push_main(void *fs);
/* A version is read from its beginning. True: the pusher answers. Request thread. */
bool push_take(struct px_fs *fs, fuse_req_t req, int64_t ino, size_t size);
void push_stop(struct px_fs *fs);

/* ---- notify.c: the thread that tells the kernel; ends when the feed is closed */
void *notify_main(void *fs);

#endif
