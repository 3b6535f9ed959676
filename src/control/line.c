/* SPDX-License-Identifier: MIT */
/*
 * line.c - lines over a local socket, and where that socket is.
 *
 * Invariant: a line that is longer than CONTROL_LINE_MAX ends the connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_i.h"

enum { LOOK_MS = 200 };

/* sun_path holds 108 bytes, a path may be longer: the directory is named by a descriptor. */
int control_at(const char *store, int fd, bool to_bind, bool unlink_first)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char *dir = strdup(store), *slash = dir ? strrchr(dir, '/') : NULL;
	const char *name = slash ? slash + 1 : store;
	int at_dir, rc = -1, saved;

	if (slash)
		slash[slash == dir] = '\0';
	at_dir = dir ? open(slash ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	/* the name was cut off behind the slash: it still stands there */
	if (at_dir >= 0 &&
		snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/%s.sock", at_dir,
			slash == dir ? store + 1 : name) < (int)sizeof at.sun_path) {
		if (unlink_first)
			(void)unlink(at.sun_path);
		rc = to_bind ? bind(fd, (const struct sockaddr *)&at, sizeof at)
			     : connect(fd, (const struct sockaddr *)&at, sizeof at);
	} else if (at_dir >= 0) {
		errno = ENAMETOOLONG;
	}
	saved = errno;
	if (at_dir >= 0)
		(void)close(at_dir);
	free(dir);
	errno = saved;
	return rc;
}

void control_unlink(const char *store)
{
	PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(8192);

	px_buf_addf(&path, "%s.sock", store);
	if (!px_buf_ok(&path, NULL))
		(void)unlink(path.data);
}

px_rc control_send(int fd, const struct px_buf *b)
{
	size_t sent = 0, len = b->len + 1;

	while (sent < len) {
		const char *from = sent < b->len ? b->data + sent : "\n";
		ssize_t n = send(fd, from, sent < b->len ? b->len - sent : 1, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return PX_EIO;
		sent += (size_t)n;
	}
	return PX_OK;
}

px_rc control_line(struct control_lines *l, const _Atomic bool *stop, const char **ret,
	size_t *ret_len, struct px_err *err)
{
	if (l->taken) {
		memmove(l->have.data, l->have.data + l->taken, l->have.len - l->taken);
		px_buf_truncate(&l->have, l->have.len - l->taken);
		l->taken = 0;
	}
	for (;;) {
		char *end = l->have.len ? memchr(l->have.data, '\n', l->have.len) : NULL;
		struct pollfd p = {.fd = l->fd, .events = POLLIN};
		char chunk[4096];
		ssize_t n;

		if (end) {
			*ret = l->have.data;
			*ret_len = (size_t)(end - l->have.data);
			l->taken = *ret_len + 1;
			return PX_OK;
		}
		if (stop && *stop)
			return px_err_set(err, PX_ECANCELED, "stopped");
		if (poll(&p, 1, LOOK_MS) <= 0)
			continue;
		n = recv(l->fd, chunk, sizeof chunk, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return px_err_set(err, PX_ENOENT, "the daemon has ended");
		if (px_buf_add(&l->have, chunk, (size_t)n))
			return px_buf_ok(&l->have, err);
	}
}
