/* SPDX-License-Identifier: MIT */
/*
 * mountpoint.c - naming a mount, and reading files of it.
 *
 * Invariant: naming a mountpoint never asks the filesystem mounted there, which may be dead: its
 * parent is resolved, and readlink(2) of a mounted directory is answered by the kernel alone.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static px_rc resolve(const char *path, char **ret, struct px_err *err)
{
	*ret = realpath(path, NULL);
	return *ret ? PX_OK : px_err_sys(err, errno, "%s", path);
}

px_rc px_cli_mountpoint(const char *given, char **ret, struct px_err *err)
{
	char *path = strdup(given), *slash, *parent = NULL;
	char whole[PATH_MAX];
	const char *last;
	px_rc rc = PX_OK;
	size_t len = strlen(given);
	int n = 0;

	if (!path)
		return px_err_nomem(err);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	slash = strrchr(path, '/');
	last = slash ? slash + 1 : path;
	if (!*last || !strcmp(last, ".") || !strcmp(last, "..")) {
		rc = resolve(path, ret, err);
		free(path);
		return rc;
	}
	if (slash)
		*slash = '\0';
	rc = resolve(!slash ? "." : *path ? path : "/", &parent, err);
	if (!rc)
		n = snprintf(whole, sizeof whole, "%s/%s", strcmp(parent, "/") ? parent : "", last);
	free(parent);
	free(path);
	if (rc)
		return px_err_ctx(err, "mountpoint %s", given);
	if (n < 0 || (size_t)n >= sizeof whole)
		return px_err_set(err, PX_EUSAGE, "the mountpoint's path is too long");
	if (readlink(whole, (char[2]){0}, 1) >= 0)
		return resolve(whole, ret, err);
	*ret = strdup(whole);
	return *ret ? PX_OK : px_err_nomem(err);
}

px_rc px_cli_read(const char *mountpoint, const char *name, struct px_buf *out, struct px_err *err)
{
	__attribute__((cleanup(close_fd))) int fd = -1;
	char path[PATH_MAX + 300];

	(void)snprintf(path, sizeof path, "%s/%s", mountpoint, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return px_err_sys(err, errno, "%s", path);
	for (;;) {
		char chunk[16384];
		ssize_t n = read(fd, chunk, sizeof chunk);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return px_err_sys(err, errno, "%s", path);
		if (!n)
			return px_buf_ok(out, err);
		px_buf_add(out, chunk, (size_t)n);
	}
}
