/* SPDX-License-Identifier: MIT */
/*
 * fs.h - the mounted tree: FUSE on one side, a store reader on the other.
 *
 * The read path never waits for the network, for the writer, or for a queue. One request thread
 * (the caller of px_fs_serve), one notifier, one pusher. Everything is read-only: EROFS from each
 * changing call.
 */
#ifndef PROPEXOFS_FS_H
#define PROPEXOFS_FS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "propexofs/buf.h"
#include "propexofs/err.h"
#include "propexofs/feed.h"

/* Files whose text is made when it is asked for. */
enum px_rendered {
	PX_RENDER_README,	      /* /README.md */
	PX_RENDER_STATUS,	      /* /status.json */
	PX_RENDER_METRICS,	      /* /metrics.prom */
	PX_RENDER_INTEGRATION_STATUS, /* /integrations/<id>/status.json */
};

/* Supplies rendered text. Called on the request thread only; must be quick (< 5 ms) and must not
 * wait for anything but the store reader it owns. */
struct px_renderer {
	px_rc (*render)(void *arg, enum px_rendered what, int64_t iid, struct px_buf *out,
		struct px_err *err);
	void *arg;
};

struct px_fs_options {
	const char *mountpoint;
	const char *store;	  /* path of the database */
	const char *source;	  /* what findmnt shows as source */
	const char *fuse_options; /* comma separated, for libfuse and the kernel
				     ("allow_other,nosuid"), or NULL */
	uid_t uid;
	gid_t gid;
	mode_t file_mask, dir_mask; /* bits taken away from 0777: 0277 gives files 0400 (never x)
				       and directories 0500 */
	bool incomplete_partial;    /* listings that are not complete end normally instead of with
				       EBUSY */
	bool xattr;
	bool hidden_visible;
};

/* FUSE requests received, by kind, since the mount. */
struct px_fs_counters {
	uint64_t lookup, getattr, readlink, read, readdir, readdirplus, open, opendir, release,
		forget, statfs, getxattr, listxattr, changing, other;
	uint64_t pushed;   /* bodies stored into the page cache ahead of a reader */
	uint64_t notified; /* names and inodes dropped from the kernel's caches */
	uint64_t bytes_read;
};

struct px_fs;

/* Mounts. feed may be NULL (nothing ever changes). A dead mount of ours at the mountpoint is
 * cleared first. Errors name the mountpoint and what to do: missing, not a directory, busy, no
 * /dev/fuse, not permitted. */
px_rc px_fs_mount(const struct px_fs_options *o, const struct px_renderer *renderer,
	struct px_feed *feed, struct px_fs **ret, struct px_err *err);

/* Serves until unmounted or stopped; starts notifier and pusher, joins them before it returns. Main
 * thread. */
px_rc px_fs_serve(struct px_fs *fs, struct px_err *err);

/* Asks px_fs_serve to end: plain unmount; when busy detach lazily and serve until the kernel is
 * done or 5 s have passed. Any thread (not a signal handler); returns at once. A second call ends
 * it at once. */
void px_fs_stop(struct px_fs *fs);

/* Whether the request thread lives: asks it to look up from its work (a request served, or none
 * there), and says whether it has done so since it was asked last; false the first time. Any
 * thread, one at a time. */
bool px_fs_ping(struct px_fs *fs);

void px_fs_free(struct px_fs *fs); /* unmounts when still mounted; accepts NULL */

void px_fs_counters(struct px_fs *fs, struct px_fs_counters *ret); /* any thread */

/* Whether the kernel holds this version's inode: it must not be deleted yet. Any thread. */
bool px_fs_known(void *fs, int64_t ino);

/* Whether something is mounted at path (absolute, its parent resolved): 1 ours and answering, 2
 * ours and dead (ENOTCONN, or no answer within 3 s), 3 something else, 0 nothing. Reads
 * /proc/self/mountinfo; asks nothing but a mount of ours, and that from a process of its own. */
int px_mounted(const char *path, char *ret_source, size_t source_size);

/* Clears a dead mount of ours (px_mounted 2): its connection is aborted, so that nothing waits for
 * its daemon any more, and it is detached. */
px_rc px_mount_clear(const char *path, struct px_err *err);

/* Unmounts path (umount2 as root, fusermount3 -u otherwise). lazy: detach at once. */
px_rc px_unmount(const char *path, bool lazy, struct px_err *err);

#endif
