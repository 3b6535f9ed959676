/* SPDX-License-Identifier: MIT */
/* listen.c - addresses taken apart, sockets bound. */
#include "propexofs/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static const char UNIX[] = "unix:";

static const char *unix_path(const char *address)
{
	return strncmp(address, UNIX, sizeof UNIX - 1) ? NULL : address + sizeof UNIX - 1;
}

/* ---- unix:PATH */

/* Whether the socket file is one that nobody listens at. */
static bool stale(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused;

	if (fd < 0)
		return false;
	refused = connect(fd, (const struct sockaddr *)a, sizeof *a) < 0 && errno == ECONNREFUSED;
	(void)close(fd);
	return refused;
}

/* A file descriptor, or -1 with errno. */
static int listen_unix(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), why;
	struct stat st;

	if (fd < 0)
		return -1;
	if (!lstat(a->sun_path, &st) && S_ISSOCK(st.st_mode) && stale(a))
		(void)unlink(a->sun_path);
	if (bind(fd, (const struct sockaddr *)a, sizeof *a)) {
		why = errno;
		(void)close(fd);
		errno = why;
		return -1;
	}
	if (!chmod(a->sun_path, 0666) && !listen(fd, BACKLOG))
		return fd;
	why = errno;
	(void)unlink(a->sun_path);
	(void)close(fd);
	errno = why;
	return -1;
}

/* ---- HOST:PORT */

static px_rc split(
	const char *address, const char *what, char host[128], char port[16], struct px_err *err)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;

	if (!colon || !colon[1] || len >= 128 || strlen(colon + 1) >= 16 ||
		strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return px_err_set(
			err, PX_EUSAGE, "cannot listen for %s: %s is not HOST:PORT", what, address);
	if (address[0] == '[' && len > 1 && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	memcpy(host, address, len);
	host[len] = '\0';
	memcpy(port, colon + 1, strlen(colon + 1) + 1);
	return PX_OK;
}

static int listen_tcp(const struct addrinfo *list)
{
	int why = EADDRNOTAVAIL, on = 1;

	for (const struct addrinfo *a = list; a; a = a->ai_next) {
		int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);

		if (fd < 0) {
			why = errno;
			continue;
		}
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (!bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, BACKLOG))
			return fd;
		why = errno;
		(void)close(fd);
	}
	errno = why;
	return -1;
}

/* ---- both */

px_rc px_listen(const char *address, const char *what, int *ret_fd, struct px_err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	const char *path = unix_path(address);
	struct addrinfo *list = NULL;
	char host[128] = "", port[16] = "";
	px_rc rc;
	int why;

	if (path) {
		if (!*path || strlen(path) > PX_LISTEN_PATH_MAX)
			return px_err_set(err, PX_EUSAGE,
				"cannot listen for %s at %s: the path of a socket has 1 to %d "
				"bytes",
				what, address, PX_LISTEN_PATH_MAX);
		memcpy(local.sun_path, path, strlen(path) + 1);
		*ret_fd = listen_unix(&local);
	} else {
		rc = split(address, what, host, port, err);
		if (rc)
			return rc;
		why = getaddrinfo(*host ? host : "127.0.0.1", port, &hints, &list);
		if (why)
			return px_err_set(err, PX_EUSAGE, "cannot listen for %s at %s: %s", what,
				address, gai_strerror(why));
		*ret_fd = listen_tcp(list);
		why = errno;
		freeaddrinfo(list);
		errno = why;
	}
	return *ret_fd < 0 ? px_err_sys(err, errno, "cannot listen for %s at %s", what, address)
			   : PX_OK;
}

void px_listen_remove(const char *address)
{
	const char *path = unix_path(address);

	if (path)
		(void)unlink(path);
}

void px_listen_name(int fd, char *out, size_t size)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof a;
	char host[64] = "", port[16] = "";

	*out = '\0';
	memset(&a, 0, sizeof a);
	if (getsockname(fd, (struct sockaddr *)&a, &len))
		return;
	if (a.ss_family == AF_UNIX)
		(void)snprintf(out, size, "%s%s", UNIX, ((struct sockaddr_un *)&a)->sun_path);
	else if (!getnameinfo((struct sockaddr *)&a, len, host, sizeof host, port, sizeof port,
			 NI_NUMERICHOST | NI_NUMERICSERV))
		(void)snprintf(
			out, size, a.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}
