/* SPDX-License-Identifier: MIT */
/*
 * lock.c - one writing process for each store.
 *
 * Invariant: the lock is flock(2) on "<path>.lock", so it ends with its owner, however that ends;
 * the pid inside is only for messages. The file itself stays: deleting it would let two processes
 * lock two files of the same name. Whoever takes it waits a moment for it: a killed owner keeps it
 * until its last thread has left the kernel, and who asks for the owner holds it while asking.
 */
#include "store_i.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* Real time, whatever the clock says. */
enum { STEP_MS = 20, STEPS = 100 };

static int open_lock(const char *path, int flags)
{
	char *name = NULL;
	int fd;

	if (asprintf(&name, "%s.lock", path) < 0)
		return -1;
	fd = open(name, flags | O_CLOEXEC, 0600);
	free(name);
	return fd;
}

static int read_pid(int fd)
{
	char text[32] = "";
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	return n > 0 ? atoi(text) : 0;
}

static bool lock_soon(int fd)
{
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || i == STEPS)
			return false;
		(void)nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
	}
	return true;
}

px_rc px_lock_take(const char *path, int *ret_fd, struct px_err *err)
{
	int fd = open_lock(path, O_RDWR | O_CREAT);
	char text[32];
	int n;

	if (fd < 0)
		return px_err_sys(err, errno, "cannot open the lock of the store %s", path);
	if (!lock_soon(fd)) {
		int why = errno, pid = read_pid(fd);

		(void)close(fd);
		if (why != EWOULDBLOCK)
			return px_err_sys(err, why, "cannot lock the store %s", path);
		return px_err_set(err, PX_EBUSY,
			"the store %s is in use by process %d: unmount that one, or use another "
			"--store",
			path, pid);
	}
	n = snprintf(text, sizeof text, "%d\n", (int)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)n, 0) != n) {
		px_rc rc = px_err_sys(err, errno, "cannot write the lock of the store %s", path);

		(void)close(fd);
		return rc;
	}
	*ret_fd = fd;
	return PX_OK;
}

px_rc px_store_owner(const char *path, struct px_store_owner *ret, struct px_err *err)
{
	struct px_store_owner owner = {0};
	int fd = open_lock(path, O_RDONLY);

	if (fd < 0 && errno != ENOENT)
		return px_err_sys(err, errno, "cannot open the lock of the store %s", path);
	if (fd >= 0) {
		owner.held = flock(fd, LOCK_SH | LOCK_NB) != 0;
		owner.pid = owner.held ? read_pid(fd) : 0;
		(void)close(fd);
	}
	*ret = owner;
	return PX_OK;
}
