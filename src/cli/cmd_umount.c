/* SPDX-License-Identifier: MIT */
/*
 * cmd_umount.c - unmount, and wait for the daemon to end.
 *
 * Who serves the mount is read from its status.json before it goes. The process is held by a pidfd,
 * so that a number that is used again deceives nobody; where that cannot be had, the store's lock
 * tells.
 */
#include "cli.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "propexofs/clock.h"
#include "propexofs/codec.h"
#include "propexofs/fs.h"
#include "propexofs/store.h"

enum {
	WAIT_MS = 30000,
	WAIT_LAZY_MS = 5000, /* it may serve for as long as somebody holds a file */
	STEP_MS = 50,
	STATUS_MAX = 16 << 20,
};

struct server {
	int pid;     /* 0: unknown */
	int pidfd;   /* -1: none */
	char *store; /* NULL: unknown */
};

static void find_server(const char *mountpoint, struct server *ret)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(STATUS_MAX);
	struct px_span root;

	/* a mount whose status cannot be read can be unmounted all the same */
	if (px_cli_read(mountpoint, "status.json", &text, NULL) || !text.len ||
		px_json_check(text.data, text.len, NULL))
		return;
	root = (struct px_span){text.data, text.len};
	ret->pid = (int)px_json_int(px_json_member(root, "pid"), 0);
	ret->store = px_json_strdup(px_json_member(px_json_member(root, "store"), "path"), 4096);
	if (ret->pid > 1)
		ret->pidfd = (int)syscall(SYS_pidfd_open, ret->pid, 0);
}

static bool has_ended(const struct server *s)
{
	struct px_store_owner owner = {0};
	struct pollfd p = {.fd = s->pidfd, .events = POLLIN};

	if (s->pidfd >= 0)
		return poll(&p, 1, STEP_MS) > 0;
	(void)nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
	return !s->store || px_store_owner(s->store, &owner, NULL) || !owner.held;
}

static px_rc wait_for(const struct server *s, int64_t ms, struct px_err *err)
{
	int64_t deadline = px_clock_mono_ms() + ms;

	while (!has_ended(s))
		if (px_clock_mono_ms() >= deadline)
			return px_err_set(err, PX_EBUSY,
				"unmounted, but the daemon (pid %d) has not ended after %d s; see "
				"its log",
				s->pid, (int)(ms / 1000));
	return PX_OK;
}

/* Whether the filesystem is mounted somewhere still, by a bind mount: then its daemon goes on. */
static bool is_left(const struct stat *root)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	unsigned major, minor;
	char *line = NULL;
	size_t cap = 0;
	bool found = false;

	while (f && !found && getline(&line, &cap, f) > 0)
		found = sscanf(line, "%*d %*d %u:%u", &major, &minor) == 2 &&
			makedev(major, minor) == root->st_dev;
	free(line);
	if (f)
		(void)fclose(f);
	return found;
}

px_rc px_cmd_umount(struct px_conf *c, int *ret_code, struct px_err *err)
{
	struct server s = {.pidfd = -1};
	struct stat root = {0};
	int mounted = px_mounted(c->mountpoint, NULL, 0);
	px_rc rc;

	*ret_code = PX_EXIT_DONE;
	if (c->dead)
		return mounted == 2 ? px_mount_clear(c->mountpoint, err) : PX_OK;
	if (mounted != 1 && mounted != 2)
		return px_err_set(err, PX_ENOENT,
			mounted == 3 ? "%s: what is mounted there is not propexofs"
				     : "%s: nothing is mounted there",
			c->mountpoint);
	if (mounted == 1) {
		find_server(c->mountpoint, &s);
		(void)stat(c->mountpoint, &root); /* denied: then there is no bind mount of ours */
	}
	/* a mount that only its user may enter: the configuration knows */
	if (!s.store && c->origin.mountpoint && !strcmp(c->origin.mountpoint, c->mountpoint))
		s.store = strdup(c->store);
	rc = px_unmount(c->mountpoint, c->lazy || mounted == 2, err);
	if (!rc && !(root.st_dev && is_left(&root)))
		rc = wait_for(&s, c->lazy ? WAIT_LAZY_MS : WAIT_MS, err);
	if (rc == PX_EBUSY && c->lazy)
		rc = PX_OK;
	if (s.pidfd >= 0)
		(void)close(s.pidfd);
	free(s.store);
	return rc;
}
