/* SPDX-License-Identifier: MIT */
/*
 * daemon.c - start and stop, in one order.
 *
 * Start: configuration, log, daemonise, the user it runs as, then what must not cross a fork:
 * board, feed, ingest (which takes the store's lock), the mount, the threads, sync; then the parent
 * is told, and the main thread serves. Stop is the reverse: when the request thread has returned,
 * receiver and metrics, sync, ingest, signals, the mount, the store.
 *
 * Invariants: whatever can be refused is refused before the parent returns, in one line; signals
 * are handled by one thread that waits for them, never by a handler; no secret can be in a core
 * dump, for there is none.
 */
#include "daemon_i.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "propexofs/log.h"

static const char UNIX[] = "unix:";

/* ---- texts
 * -------------------------------------------------------------------------------------------------
 */

static px_rc render(
	void *arg, enum px_rendered what, int64_t iid, struct px_buf *out, struct px_err *err)
{
	struct daemon *d = arg;
	struct px_fs_counters counters;

	switch (what) {
	case PX_RENDER_README:
		return px_status_readme(out, err);
	case PX_RENDER_STATUS:
		return px_status_root(d->reader, d->board, d->conf->store, out, err);
	case PX_RENDER_METRICS:
		px_fs_counters(d->fs, &counters);
		return px_status_metrics(d->reader, d->board, &counters, out, err);
	case PX_RENDER_INTEGRATION_STATUS:
		return px_status_integration(d->reader, d->board, iid, out, err);
	}
	return px_err_set(err, PX_ENOENT, "no such text");
}

/* ---- start
 * -------------------------------------------------------------------------------------------------
 */

static void keep_secrets_in(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__)
	/* also for a core_pattern that is a pipe, and against ptrace by others of the same user */
	(void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* Open connections of deliveries must leave room for everything else that opens something: the
 * soft limit, 1024 as a rule, is for programs that use select(). */
static void raise_open_files(void)
{
	enum { WANTED = 8192 };
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= WANTED)
		return;
	files.rlim_cur = files.rlim_max < WANTED ? files.rlim_max : WANTED;
	if (setrlimit(RLIMIT_NOFILE, &files))
		px_warn("daemon", "the limit of open files stays as it is: %s", strerror(errno));
}

/* The daemon would wait for itself if it had to read a file through its own mount. */
static px_rc refuse_below(
	const char *mountpoint, const char *path, const char *what, struct px_err *err)
{
	char *mount = path ? realpath(mountpoint, NULL) : NULL;
	char *real = NULL, *dir = NULL;
	px_rc rc = PX_OK;
	size_t len;

	if (!mount)
		return PX_OK; /* px_fs_mount says what is wrong with it */
	real = realpath(path, NULL);
	if (!real && (dir = strdup(path))) {
		char *slash = strrchr(dir, '/');

		if (slash)
			slash[slash == dir] = '\0';
		real = realpath(dir, NULL);
	}
	len = strlen(mount);
	if (real && strcmp(mount, "/") != 0 && !strncmp(real, mount, len) &&
		(real[len] == '/' || (!real[len] && dir)))
		rc = px_err_set(err, PX_EUSAGE,
			"%s %s lies below the mountpoint %s: put it elsewhere", what, path,
			mountpoint);
	free(dir);
	free(real);
	free(mount);
	return rc;
}

static px_rc start(struct daemon *d, struct px_err *err)
{
	const struct px_conf *c = d->conf;
	const struct px_renderer renderer = {.render = render, .arg = d};
	bool listens = c->webhook_listen || d->handed.webhook >= 0;
	px_rc rc = refuse_below(c->mountpoint, c->store, "the store", err);

	if (!rc)
		rc = refuse_below(c->mountpoint, c->api_key_file, "the key file", err);
	if (!rc)
		rc = refuse_below(c->mountpoint, getenv("TMPDIR"), "TMPDIR", err);
	if (!rc && c->webhook_listen && !strncmp(c->webhook_listen, UNIX, sizeof UNIX - 1))
		rc = refuse_below(c->mountpoint, c->webhook_listen + sizeof UNIX - 1,
			"the receiver's socket", err);
	if (rc)
		return rc;
	/* a mount that a killed daemon left behind may keep its last thread, and so the store's
	 * lock, in the kernel */
	if (px_mounted(c->mountpoint, NULL, 0) == 2) {
		px_info("daemon", "clearing the dead mount at %s", c->mountpoint);
		rc = px_mount_clear(c->mountpoint, err);
		if (rc)
			return rc;
	}
	rc = user_assume(c, err);
	if (rc)
		return rc;
	d->board = px_board_new();
	d->feed = px_feed_new();
	if (!d->board || !d->feed)
		return px_err_nomem(err);
	px_board_set_conf(d->board, c);
	rc = px_ingest_new(
		&(struct px_ingest_options){
			.store = c->store,
			.api_url = c->api_url,
			.history_days = c->history_days,
			.listens = listens,
			.feed = d->feed,
			.board = d->board,
		},
		&d->ingest, err);
	if (!rc)
		rc = px_reader_open(c->store, &d->reader, err);
	if (!rc)
		rc = user_raise(c, err);
	if (!rc)
		rc = px_fs_mount(
			&(struct px_fs_options){
				.mountpoint = c->mountpoint,
				.store = c->store,
				.source = c->config_file ? c->config_file : c->name,
				.fuse_options = c->fuse_options,
				.uid = c->uid,
				.gid = c->gid,
				.file_mask = c->file_mask,
				.dir_mask = c->dir_mask,
				.incomplete_partial = c->incomplete_partial,
				.xattr = c->xattr,
				.hidden_visible = c->hidden_visible,
			},
			&renderer, d->feed, &d->fs, err);
	if (!rc)
		rc = user_settle(c, err);
	/* a change of user may have taken it back */
	keep_secrets_in();
	raise_open_files();
	/* offline there is nobody to read again what events mark: the marks wait in the store */
	if (!rc && !c->offline)
		rc = px_sync_new(c, d->ingest, d->board, &d->sync, err);
	if (!rc && d->sync)
		px_ingest_set_listener(
			d->ingest, &(struct px_ingest_listener){.marked = px_sync_marked,
					   .synced = px_sync_synced,
					   .parents = px_sync_parents,
					   .arg = d->sync});
	if (!rc) {
		px_ingest_set_known(d->ingest, px_fs_known, d->fs);
		rc = px_ingest_start(d->ingest, err);
	}
	/* the receiver listens before the first list is asked for: what happens meanwhile is not
	 * missed */
	if (!rc && listens)
		rc = px_webhook_start(c, d->handed.webhook, d->ingest, d->board, &d->webhook, err);
	else if (!rc && c->webhook_url)
		px_warn("daemon", "webhook-url is set, but nothing listens: set webhook-listen");
	if (!rc && (c->metrics_listen || d->handed.metrics >= 0))
		rc = px_metrics_start(c, d->handed.metrics, d->board, d->fs, &d->metrics, err);
	if (!rc && d->sync)
		rc = px_sync_start(d->sync, err);
	if (!rc && px_control_start(c, d->sync, &d->control, err))
		/* commands then say that the store is in use; nothing else is lost */
		px_warn("daemon", "commands cannot reach this daemon: %s", err->msg);
	if (!rc)
		rc = signals_start(d, err);
	return rc;
}

static void stop(struct daemon *d)
{
	pthread_mutex_lock(&d->parts);
	d->ending = true;
	pthread_mutex_unlock(&d->parts);
	px_webhook_stop(d->webhook);
	px_control_stop(d->control);
	px_metrics_stop(d->metrics);
	if (d->sync)
		px_sync_stop(d->sync);
	if (d->ingest)
		px_ingest_stop(d->ingest);
	signals_stop(d);
	manager_release(&d->manager);
	if (d->live)
		px_conf_release(d->live);
	free(d->live);
	px_sync_free(d->sync);
	px_fs_free(d->fs);
	px_reader_close(d->reader);
	px_ingest_free(d->ingest);
	px_feed_free(d->feed);
	px_board_free(d->board);
}

/* ---- the process
 * -------------------------------------------------------------------------------------------- */

/* What the child tells the waiting parent. */
struct verdict {
	px_rc rc;
	struct px_err err;
};

static void tell(int fd, px_rc rc, const struct px_err *err)
{
	struct verdict v;

	memset(&v, 0, sizeof v);
	v.rc = rc;
	if (rc)
		v.err = *err;
	/* less than PIPE_BUF: whole or not at all; a parent that has gone needs no answer */
	if (write(fd, &v, sizeof v) != (ssize_t)sizeof v)
		px_debug("daemon", "nobody waits for the verdict");
	(void)close(fd);
}

static px_rc wait_verdict(int fd, struct px_err *err)
{
	struct verdict v = {.rc = PX_EIO};
	size_t have = 0;

	while (have < sizeof v) {
		ssize_t n = read(fd, (char *)&v + have, sizeof v - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return px_err_set(err, PX_EIO,
				"the daemon ended while starting; see the system's log");
		have += (size_t)n;
	}
	if (v.rc && err)
		*err = v.err;
	return v.rc;
}

static px_rc detach(struct px_err *err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || chdir("/") < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
		dup2(null, 2) < 0)
		return px_err_sys(err, errno, "cannot go to the background");
	if (null > 2)
		(void)close(null);
	return PX_OK;
}

static px_rc serve(
	const struct px_conf *conf, const struct handed *handed, int fd, struct px_err *err)
{
	struct daemon d = {.conf = conf, .handed = *handed, .parts = PTHREAD_MUTEX_INITIALIZER};
	sigset_t set;
	px_rc rc;

	signals_block(&set);
	manager_init(&d.manager);
	(void)signal(SIGPIPE, SIG_IGN);
	keep_secrets_in();
	rc = start(&d, err);
	/* not earlier: while an automount waits for this mount, its trigger lets only those pass
	 * who are in the process group that mounts for it */
	if (!rc && fd >= 0 && setsid() < 0)
		rc = px_err_sys(err, errno, "cannot go to the background");
	/* whoever tries again at once must find the store free */
	if (rc)
		stop(&d);
	if (fd >= 0)
		tell(fd, rc, err);
	if (!rc) {
		px_info("daemon", "serving at %s", conf->mountpoint);
		rc = px_fs_serve(d.fs, err);
		px_info("daemon", "unmounted");
		manager_stopping(&d);
		stop(&d);
	}
	return rc;
}

/*
 * Pages of the API are a megabyte each and come in bursts. By default malloc(3) raises its
 * threshold with the first of them and takes the rest from heaps that every thread has and that
 * never shrink.
 */
static void settle_malloc(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 128 << 10);
	(void)mallopt(M_ARENA_MAX, 2);
}

px_rc px_daemon_mount(const struct px_conf *conf, bool *ret_parent, struct px_err *err)
{
	struct handed handed;
	int fds[2];
	pid_t pid;
	px_rc rc = sockets_take(&handed, err);

	*ret_parent = false;
	if (rc)
		return rc;
	settle_malloc();
	if (conf->foreground) {
		px_log_setup(PX_LOG_STDERR, conf->log_level);
		return serve(conf, &handed, -1, err);
	}
	if (pipe2(fds, O_CLOEXEC) < 0)
		return px_err_sys(err, errno, "pipe");
	pid = fork();
	if (pid < 0) {
		rc = px_err_sys(err, errno, "cannot start the daemon");
		(void)close(fds[0]);
		(void)close(fds[1]);
		return rc;
	}
	if (pid > 0) {
		*ret_parent = true;
		(void)close(fds[1]);
		rc = wait_verdict(fds[0], err);
		(void)close(fds[0]);
		return rc;
	}
	(void)close(fds[0]);
	px_log_setup(PX_LOG_SYSLOG, conf->log_level);
	rc = detach(err);
	if (rc) {
		tell(fds[1], rc, err);
		return rc;
	}
	return serve(conf, &handed, fds[1], err);
}
