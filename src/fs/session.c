/* SPDX-License-Identifier: MIT */
/*
 * session.c - the mount's life: mount, serve, stop.
 *
 * Invariants: whatever is wrong with the mountpoint is said in one line before libfuse is asked;
 * the request thread serves until the kernel ends the connection, or until the time to stop is over
 * and the notifier has ended: a thread that waits in the kernel for an unanswered request cannot be
 * killed; "ro" is the last option, so that none before it can take it back.
 */
#include "fs_i.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "propexofs/clock.h"
#include "propexofs/log.h"

/* The rest of the way down fits into what is left of five seconds. */
enum { STOP_MS = 4000 };

/* ---- libfuse's own messages
 * ------------------------------------------------------------------------------------------- */

/* The last one while mounting: libfuse says why only there. One mount a process. */
static char fuse_said[256];

static void take_fuse_log(enum fuse_log_level level, const char *fmt, va_list ap)
{
	char line[sizeof fuse_said];
	char *text = line;

	(void)vsnprintf(line, sizeof line, fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	if (!strncmp(text, "fuse: ", 6))
		text += 6;
	if (!*text)
		return;
	(void)snprintf(fuse_said, sizeof fuse_said, "%s", text);
	px_log(level <= FUSE_LOG_ERR ? PX_LOG_WARN : PX_LOG_DEBUG, "libfuse", "%s", text);
}

/* ---- mount
 * --------------------------------------------------------------------------------------------------------------
 */

/* A directory that something else is mounted on may be mounted on while it is empty, as one that
 * was bound into a container is; files would vanish from sight. */
static bool is_empty(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	bool empty = d != NULL;

	while (empty && (e = readdir(d)))
		empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
	if (d)
		(void)closedir(d);
	return empty;
}

static px_rc check_mountpoint(const char *path, struct px_err *err)
{
	struct stat st;
	int mounted = px_mounted(path, NULL, 0);

	if (mounted == 1)
		return px_err_set(
			err, PX_EBUSY, "%s is in use: a propexofs is mounted there already", path);
	if (mounted == 3 && !is_empty(path))
		return px_err_set(err, PX_EBUSY,
			"%s is in use: another filesystem is mounted there, with files in it",
			path);
	if (mounted == 2) {
		px_rc rc = px_mount_clear(path, err);

		if (rc)
			return rc;
	}
	if (stat(path, &st) && errno == ENOENT)
		return px_err_set(err, PX_ENOENT,
			"mountpoint %s does not exist: create it with mkdir -p", path);
	else if (stat(path, &st))
		return px_err_sys(err, errno, "mountpoint %s", path);
	if (!S_ISDIR(st.st_mode))
		return px_err_set(err, PX_EINVAL, "mountpoint %s is not a directory", path);
	if (access("/dev/fuse", F_OK))
		return px_err_set(err, PX_ENOENT,
			"/dev/fuse does not exist: load the module (modprobe fuse), or give the "
			"container the device (--device /dev/fuse)");
	return PX_OK;
}

/* A comma within a value ends in "\,": libfuse splits by commas. */
static void add_escaped(struct px_buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == ',' || *s == '\\')
			px_buf_addc(b, '\\');
		px_buf_addc(b, *s);
	}
}

static px_rc make_session(struct px_fs *fs, const struct px_fs_options *o, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf list = PX_BUF_INIT(64 << 10);
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	px_rc rc;

	px_buf_adds(&list, "fsname=");
	add_escaped(&list, o->source && *o->source ? o->source : "propexofs");
	px_buf_adds(&list, ",subtype=propexofs,default_permissions");
	if (o->fuse_options && *o->fuse_options)
		px_buf_addf(&list, ",%s", o->fuse_options);
	px_buf_adds(&list, ",ro");
	px_buf_addc(&list, '\0');
	rc = px_buf_ok(&list, err);
	if (rc)
		return rc;
	if (fuse_opt_add_arg(&args, "propexofs") || fuse_opt_add_arg(&args, "-o") ||
		fuse_opt_add_arg(&args, list.data))
		rc = px_err_nomem(err);
	fuse_set_log_func(take_fuse_log);
	fuse_said[0] = '\0';
	if (!rc) {
		fs->se = fuse_session_new(&args, &fs_ops, sizeof fs_ops, fs);
		if (!fs->se)
			rc = px_err_set(
				err, PX_EUSAGE, "cannot mount %s: %s", o->mountpoint, fuse_said);
	}
	fuse_opt_free_args(&args);
	return rc;
}

static px_rc mount_it(struct px_fs *fs, struct px_err *err)
{
	fuse_said[0] = '\0';
	if (!fuse_session_mount(fs->se, fs->mountpoint))
		return PX_OK;
	return px_err_set(err, PX_EIO, "cannot mount %s: %s", fs->mountpoint,
		*fuse_said ? fuse_said : strerror(errno));
}

px_rc px_fs_mount(const struct px_fs_options *o, const struct px_renderer *renderer,
	struct px_feed *feed, struct px_fs **ret, struct px_err *err)
{
	struct px_fs *fs;
	px_rc rc = check_mountpoint(o->mountpoint, err);

	if (rc)
		return rc;
	fs = calloc(1, sizeof *fs);
	if (!fs)
		return px_err_nomem(err);
	if (pthread_mutex_init(&fs->lock, NULL)) {
		free(fs);
		return px_err_nomem(err);
	}
	(void)pthread_mutex_init(&fs->push_lock, NULL);
	(void)pthread_cond_init(&fs->push_wake, NULL);
	fs->renderer = *renderer;
	fs->feed = feed;
	fs->uid = o->uid;
	fs->gid = o->gid;
	fs->file_mode = 0777 & ~o->file_mask & ~(mode_t)0111;
	fs->dir_mode = 0777 & ~o->dir_mask;
	fs->partial = o->incomplete_partial;
	fs->mounted_ns = px_clock_wall_ns();
	fs->mountpoint = strdup(o->mountpoint);
	fs->known = known_new();
	fs->reply = malloc(REPLY_MAX);
	fs->push_room = malloc(REPLY_MAX);
	fs->added = calloc(ADDED_MAX, sizeof *fs->added);
	fs->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (size_t i = 0; i < DIR_REPLIES; i++)
		fs->replied_ms[i] = INT64_MIN / 2;
	if (!fs->mountpoint || !fs->known || !fs->reply || !fs->push_room || !fs->added ||
		fs->wake_fd < 0)
		rc = px_err_nomem(err);
	if (!rc)
		rc = px_reader_open(o->store, &fs->reader, err);
	if (!rc)
		rc = px_reader_open(o->store, &fs->feed_reader, err);
	if (!rc)
		rc = px_reader_open(o->store, &fs->push_reader, err);
	if (!rc)
		rc = make_session(fs, o, err);
	if (!rc)
		rc = mount_it(fs, err);
	if (rc) {
		if (fs->se)
			fuse_session_destroy(fs->se);
		fs->se = NULL;
		px_fs_free(fs);
		return rc;
	}
	*ret = fs;
	return PX_OK;
}

void px_fs_free(struct px_fs *fs)
{
	if (!fs)
		return;
	if (fs->se) {
		/* does nothing when the kernel has ended the connection */
		fuse_session_unmount(fs->se);
		fuse_session_destroy(fs->se);
	}
	rendered_free(fs);
	px_reader_close(fs->reader);
	px_reader_close(fs->feed_reader);
	px_reader_close(fs->push_reader);
	known_free(fs->known);
	free(fs->daylogs);
	free(fs->reply);
	free(fs->push_room);
	free(fs->added);
	free(fs->mountpoint);
	if (fs->wake_fd >= 0)
		(void)close(fs->wake_fd);
	pthread_mutex_destroy(&fs->lock);
	pthread_mutex_destroy(&fs->push_lock);
	pthread_cond_destroy(&fs->push_wake);
	free(fs);
}

/* ---- serve
 * ----------------------------------------------------------------------------------------------------------------
 */

/* Real time, whatever clock the rest is on: it is about processes of this machine. */
static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Serves one request; false when the connection has ended. */
static bool serve_one(struct px_fs *fs, struct fuse_buf *buf)
{
	int n = fuse_session_receive_buf(fs->se, buf);

	if (n == -EINTR || n == -EAGAIN)
		return true;
	if (n <= 0)
		return false;
	atomic_fetch_add(&fs->turn, 1);
	fuse_session_process_buf(fs->se, buf);
	atomic_fetch_add(&fs->turn, 1);
	return !fuse_session_exited(fs->se);
}

/* Serves until the connection ends, `until` says so, or the time to stop is over. Returns whether
 * the connection lives. */
static bool serve(struct px_fs *fs, struct fuse_buf *buf, bool until_helpers_done)
{
	struct pollfd p[2] = {{.fd = fuse_session_fd(fs->se), .events = POLLIN},
		{.fd = fs->wake_fd, .events = POLLIN}};

	for (;;) {
		int64_t stop_ms = atomic_load(&fs->stop_ms);
		int64_t left = stop_ms ? stop_ms - now_ms() : -1;
		eventfd_t ignored;

		if (until_helpers_done
				? atomic_load(&fs->notifier_done) && atomic_load(&fs->pusher_done)
				: stop_ms && left <= 0)
			return true;
		if (poll(p, 2, until_helpers_done || left < 0 ? -1 : (int)left) < 0 &&
			errno != EINTR)
			return true;
		if (p[1].revents) {
			(void)eventfd_read(fs->wake_fd, &ignored);
			atomic_store(&fs->pongs, atomic_load(&fs->pings));
		}
		if (p[0].revents && !serve_one(fs, buf))
			return false;
	}
}

px_rc px_fs_serve(struct px_fs *fs, struct px_err *err)
{
	struct fuse_buf buf = {.mem = NULL};
	bool alive;
	int n = 0;

	atomic_store(&fs->notifier_done, !fs->feed);
	n = pthread_create(&fs->pusher, NULL, push_main, fs);
	if (n)
		return px_err_sys(err, n, "cannot start the pusher");
	if (fs->feed)
		n = pthread_create(&fs->notifier, NULL, notify_main, fs);
	if (n) {
		push_stop(fs);
		pthread_join(fs->pusher, NULL);
		return px_err_sys(err, n, "cannot start the notifier");
	}
	alive = serve(fs, &buf, false);
	push_stop(fs);
	if (fs->feed)
		px_feed_close(fs->feed);
	/* they may be waiting in the kernel for one of our answers */
	if (alive)
		(void)serve(fs, &buf, true);
	if (fs->feed)
		pthread_join(fs->notifier, NULL);
	pthread_join(fs->pusher, NULL);
	free(buf.mem);
	return PX_OK;
}

void px_fs_stop(struct px_fs *fs)
{
	struct px_err err;
	px_rc rc = PX_EBUSY;
	bool again = atomic_fetch_add(&fs->stops, 1) > 0;
	int mounted;

	if (!again)
		rc = px_unmount(fs->mountpoint, false, &err);
	if (rc == PX_EBUSY) {
		rc = px_unmount(fs->mountpoint, true, &err);
		if (!rc && !again)
			px_info("fs",
				"%s is in use: detached, serving its users for %d more seconds",
				fs->mountpoint, STOP_MS / 1000);
	}
	/* also when unmounting failed: whoever asked wants the daemon to end */
	atomic_store(&fs->stop_ms, again ? 1 : now_ms() + STOP_MS);
	(void)eventfd_write(fs->wake_fd, 1);
	/* somebody may have been quicker */
	mounted = rc && !again ? px_mounted(fs->mountpoint, NULL, 0) : 0;
	if (mounted == 1 || mounted == 2)
		px_warn("fs", "%s", err.msg);
}

bool px_fs_ping(struct px_fs *fs)
{
	unsigned asked = atomic_load(&fs->pings);
	bool answered = asked && atomic_load(&fs->pongs) == asked;

	if (answered || !asked)
		atomic_store(&fs->pings, asked + 1 ? asked + 1 : 1);
	(void)eventfd_write(fs->wake_fd, 1);
	return answered;
}

/* ---- counters
 * ----------------------------------------------------------------------------------------------------------------
 */

void px_fs_counters(struct px_fs *fs, struct px_fs_counters *ret)
{
	uint64_t c[OP_KINDS];

	for (size_t i = 0; i < OP_KINDS; i++)
		c[i] = atomic_load_explicit(&fs->count[i], memory_order_relaxed);
	*ret = (struct px_fs_counters){.lookup = c[OP_LOOKUP],
		.getattr = c[OP_GETATTR],
		.readlink = c[OP_READLINK],
		.read = c[OP_READ],
		.readdir = c[OP_READDIR],
		.readdirplus = c[OP_READDIRPLUS],
		.open = c[OP_OPEN],
		.opendir = c[OP_OPENDIR],
		.release = c[OP_RELEASE],
		.forget = c[OP_FORGET],
		.statfs = c[OP_STATFS],
		.getxattr = c[OP_GETXATTR],
		.listxattr = c[OP_LISTXATTR],
		.changing = c[OP_CHANGING],
		.other = c[OP_OTHER],
		.pushed = c[OP_PUSHED],
		.notified = c[OP_NOTIFIED],
		.bytes_read = c[OP_BYTES]};
}

bool px_fs_known(void *fs, int64_t ino)
{
	return known_get(((struct px_fs *)fs)->known, ino);
}
