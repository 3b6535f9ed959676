/* SPDX-License-Identifier: MIT */
/*
 * mountinfo.c - which mounts there are, and how they end.
 *
 * Invariants: a mount is judged by /proc/self/mountinfo (proc(5)); the only question put to a mount
 * is statfs(2), which always asks its daemon, and it is put from a process of its own: one that
 * hangs there hangs alone.
 */
#include "propexofs/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 8192, ANSWER_MS = 3000, STEP_MS = 5 };

struct mount {
	unsigned minor; /* of its device: the number of the FUSE connection */
	char type[64];
	char source[1024];
	uid_t uid; /* of who mounted it */
	gid_t gid;
};

/* Octal escapes of mountinfo: \040 and the like. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; to++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
			s[3] >= '0' && s[3] <= '7') {
			*to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to = *s++;
		}
	}
	*to = '\0';
}

static unsigned long option_number(const char *options, const char *key)
{
	const char *at = options ? strstr(options, key) : NULL;

	return at ? strtoul(at + strlen(key), NULL, 10) : 0;
}

/* 36 35 98:0 /root /mnt/point rw,noatime master:1 - type source options */
static bool parse_line(char *line, const char *path, struct mount *ret)
{
	char *save = NULL, *device = NULL, *point = NULL, *dash = strstr(line, " - ");
	char *word, *type, *source, *options;

	if (!dash)
		return false;
	*dash = '\0';
	word = strtok_r(line, " ", &save);
	for (int i = 0; word && i <= 4; i++, word = strtok_r(NULL, " ", &save)) {
		if (i == 2)
			device = word;
		else if (i == 4)
			point = word;
	}
	if (!device || !point || !strchr(device, ':'))
		return false;
	unescape(point);
	if (strcmp(point, path) != 0)
		return false;
	type = strtok_r(dash + 3, " ", &save);
	source = strtok_r(NULL, " \n", &save);
	options = strtok_r(NULL, " \n", &save);
	if (!type)
		return false;
	if (source)
		unescape(source);
	ret->minor = (unsigned)strtoul(strchr(device, ':') + 1, NULL, 10);
	(void)snprintf(ret->type, sizeof ret->type, "%s", type);
	(void)snprintf(ret->source, sizeof ret->source, "%s", source ? source : "");
	ret->uid = (uid_t)option_number(options, "user_id=");
	ret->gid = (gid_t)option_number(options, "group_id=");
	return true;
}

/* The topmost mount at path. */
static bool find_mount(const char *path, struct mount *ret)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[LINE];
	bool found = false;

	if (!f)
		return false;
	while (fgets(line, sizeof line, f))
		found |= parse_line(line, path, ret);
	(void)fclose(f);
	return found;
}

static bool is_ours(const struct mount *m)
{
	return !strcmp(m->type, "fuse.propexofs");
}

static bool sleep_step(int *left_ms)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
	*left_ms -= STEP_MS;
	return *left_ms > 0;
}

/* The kernel asks the daemon only for who mounted it; to others, root too, it answers by itself. */
static void ask_as_owner(const struct mount *m)
{
	if (geteuid() || !m->uid)
		return;
	if (setgroups(0, NULL) || setresgid(m->gid, m->gid, m->gid) ||
		setresuid(m->uid, m->uid, m->uid))
		_exit(0); /* not known to be dead */
}

/* Whether the daemon behind path answers. */
static bool answers(const struct mount *m, const char *path)
{
	pid_t pid = fork();
	int status = 0, left_ms = ANSWER_MS;

	if (pid < 0)
		return true; /* not known to be dead */
	if (!pid) {
		struct statfs s;

		ask_as_owner(m);
		/* aborted: it ended while it was asked */
		_exit(statfs(path, &s) && (errno == ENOTCONN || errno == ECONNABORTED));
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		if (!sleep_step(&left_ms)) {
			/* it may be beyond reach of the signal; whoever ends us inherits it */
			(void)kill(pid, SIGKILL);
			return false;
		}
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

int px_mounted(const char *path, char *ret_source, size_t source_size)
{
	struct mount m = {.minor = 0};

	/* automount's trigger is there to be mounted over */
	if (!find_mount(path, &m) || !strcmp(m.type, "autofs"))
		return 0;
	if (ret_source)
		(void)snprintf(ret_source, source_size, "%s", m.source);
	if (!is_ours(&m))
		return 3;
	return answers(&m, path) ? 1 : 2;
}

/* ---- ending one
 * ----------------------------------------------------------------------------------------------------------
 */

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

/* fusermount3 -u, for those who may not umount(2). */
static px_rc by_helper(const char *path, bool lazy, struct px_err *err)
{
	int fds[2], status = 0;
	char said[256];
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return px_err_sys(err, errno, "pipe");
	pid = fork();
	if (pid < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return px_err_sys(err, errno, "cannot start fusermount3");
	}
	if (!pid) {
		(void)dup2(fds[1], STDERR_FILENO);
		(void)execlp("fusermount3", "fusermount3", lazy ? "-uz" : "-u", "--", path,
			(char *)NULL);
		_exit(127);
	}
	(void)close(fds[1]);
	do
		n = read(fds[0], said, sizeof said - 1);
	while (n < 0 && errno == EINTR);
	(void)close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return PX_OK;
	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return px_err_set(
			err, PX_ENOENT, "fusermount3 is missing: install the package fuse3");
	if (access("/etc/mtab", F_OK))
		return px_err_set(err, PX_ENOENT,
			"cannot unmount %s: fusermount3 asks /etc/mtab, which does not exist: ln "
			"-s "
			"/proc/self/mounts /etc/mtab, as root",
			path);
	return px_err_set(
		err, strstr(said, "busy") ? PX_EBUSY : PX_EIO, "cannot unmount %s: %s", path, said);
}

px_rc px_unmount(const char *path, bool lazy, struct px_err *err)
{
	if (!umount2(path, (lazy ? MNT_DETACH : 0) | UMOUNT_NOFOLLOW))
		return PX_OK;
	if (errno == EPERM)
		return by_helper(path, lazy, err);
	if (errno == EBUSY)
		return px_err_set(err, PX_EBUSY,
			"cannot unmount %s: somebody has a file or directory of it open (fuser -m "
			"tells who); --lazy detaches it",
			path);
	if (errno == EINVAL)
		return px_err_set(
			err, PX_ENOENT, "cannot unmount %s: nothing is mounted there", path);
	return px_err_sys(err, errno, "cannot unmount %s", path);
}

px_rc px_mount_clear(const char *path, struct px_err *err)
{
	struct mount m;
	char control[128];

	if (!find_mount(path, &m) || !is_ours(&m))
		return PX_OK;
	/* Documentation/filesystems/fuse.rst: writing anything there aborts the connection */
	(void)snprintf(control, sizeof control, "/sys/fs/fuse/connections/%u/abort", m.minor);
	if (!write_file(control, "1") && !umount2(path, MNT_FORCE | UMOUNT_NOFOLLOW))
		return PX_OK;
	return px_unmount(path, true, err);
}
