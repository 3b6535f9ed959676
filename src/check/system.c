/* SPDX-License-Identifier: MIT */
/* system.c - what FUSE needs of this machine, and the directory to mount on. */
#include "check_i.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "propexofs/fs.h"

void px_check_device(struct px_checking *k)
{
	static const char device[] = "/dev/fuse";
	int fd = open(device, O_RDWR | O_CLOEXEC), why = errno;

	if (fd >= 0) {
		(void)close(fd);
		px_found(k, PX_ON_DEVICE, PX_VERDICT_OK, NULL, "can be opened");
	} else if (why == ENOENT || why == ENODEV || why == ENXIO) {
		px_found(k, PX_ON_DEVICE, PX_VERDICT_FAIL,
			"load the module (modprobe fuse), or give the container the device "
			"(--device /dev/fuse)",
			"%s", why == ENOENT ? "does not exist" : "is there, but no FUSE behind it");
	} else {
		px_found(k, PX_ON_DEVICE, PX_VERDICT_FAIL,
			"chmod 666 /dev/fuse, as Debian's udev does; in a container allow the "
			"device (--device /dev/fuse)",
			"cannot be opened: %s", strerrordesc_np(why));
	}
}

/* fusermount3 where libfuse looks for it: beside the system's programs, else in PATH. */
static bool find_program(const char *name, char *out, size_t size, struct stat *st)
{
	const char *path = getenv("PATH");

	(void)snprintf(out, size, "/usr/bin/%s", name);
	if (!access(out, X_OK) && !stat(out, st))
		return true;
	while (path && *path) {
		size_t len = strcspn(path, ":");

		(void)snprintf(out, size, "%.*s/%s", (int)len, path, name);
		if (len && !access(out, X_OK) && !stat(out, st))
			return true;
		path += len + (path[len] == ':');
	}
	return false;
}

void px_check_fusermount(struct px_checking *k)
{
	char path[4096];
	struct stat st;

	if (geteuid() == 0)
		px_found(k, PX_ON_FUSERMOUNT, PX_VERDICT_OK, NULL, "root mounts without it");
	else if (!find_program("fusermount3", path, sizeof path, &st))
		px_found(k, PX_ON_FUSERMOUNT, PX_VERDICT_FAIL, "apt-get install fuse3",
			"is not installed, and only root mounts without it");
	else if (st.st_uid || !(st.st_mode & S_ISUID))
		px_found(k, PX_ON_FUSERMOUNT, PX_VERDICT_FAIL,
			"chmod 4755 it, as Debian's package has it, or mount as root",
			"%s is not setuid root: it may not mount", path);
	else if (access("/etc/mtab", F_OK))
		px_found(k, PX_ON_FUSERMOUNT, PX_VERDICT_FAIL,
			"ln -s /proc/self/mounts /etc/mtab, as root; Debian has it once systemd "
			"ran",
			"%s cannot unmount: there is no /etc/mtab", path);
	else
		px_found(k, PX_ON_FUSERMOUNT, PX_VERDICT_OK, NULL, "%s", path);
}

static bool has_option(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; p && *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && !strncmp(p, name, len))
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

/* fusermount3 takes a line of that word alone, blanks around it. */
static bool user_allow_other(void)
{
	FILE *f = fopen("/etc/fuse.conf", "re");
	char line[256], word[32];
	bool found = false;

	while (f && !found && fgets(line, sizeof line, f))
		found = sscanf(line, "%31s", word) == 1 && !strcmp(word, "user_allow_other");
	if (f)
		(void)fclose(f);
	return found;
}

void px_check_allow_other(struct px_checking *k)
{
	const char *list = k->conf ? k->conf->fuse_options : NULL;
	const char *asked = has_option(list, "allow_other")  ? "allow_other"
			    : has_option(list, "allow_root") ? "allow_root"
							     : NULL;

	if (px_skipped(k, PX_ON_ALLOW_OTHER, PX_ON_CONF))
		return;
	if (!asked)
		px_found(k, PX_ON_ALLOW_OTHER, PX_VERDICT_OK, NULL,
			"not asked for: the mount is for its owner alone");
	else if (geteuid() == 0)
		px_found(k, PX_ON_ALLOW_OTHER, PX_VERDICT_OK, NULL, "%s: root may", asked);
	else if (user_allow_other())
		px_found(k, PX_ON_ALLOW_OTHER, PX_VERDICT_OK, NULL,
			"%s: user_allow_other is set in /etc/fuse.conf", asked);
	else
		px_found(k, PX_ON_ALLOW_OTHER, PX_VERDICT_FAIL,
			"add the line user_allow_other to /etc/fuse.conf, or leave the option out",
			"%s: /etc/fuse.conf does not let users ask for it", asked);
}

/* ---- mountpoint ---- */

static bool is_empty(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	if (d)
		(void)closedir(d);
	return !n;
}

static void check_free(struct px_checking *k, const char *path)
{
	char hint[320];
	struct stat st;

	(void)snprintf(hint, sizeof hint, "mkdir -p %s", path);
	if (stat(path, &st) && errno == ENOENT)
		px_found(k, PX_ON_MOUNTPOINT, PX_VERDICT_FAIL, hint, "%s does not exist", path);
	else if (stat(path, &st))
		px_found(k, PX_ON_MOUNTPOINT, PX_VERDICT_FAIL, NULL, "%s: %s", path,
			strerrordesc_np(errno));
	else if (!S_ISDIR(st.st_mode))
		px_found(k, PX_ON_MOUNTPOINT, PX_VERDICT_FAIL, "name a directory",
			"%s is not a directory", path);
	else if (geteuid() && access(path, W_OK))
		px_found(k, PX_ON_MOUNTPOINT, PX_VERDICT_FAIL,
			"mount on a directory of your own, or as root",
			"%s is not yours to write: fusermount3 will refuse it", path);
	else if (!is_empty(path))
		px_found(k, PX_ON_MOUNTPOINT, PX_VERDICT_WARN,
			"what is in it cannot be seen while it is mounted on", "%s is not empty",
			path);
	else
		px_found(
			k, PX_ON_MOUNTPOINT, PX_VERDICT_OK, NULL, "%s is an empty directory", path);
}

void px_check_mountpoint(struct px_checking *k)
{
	const char *path = k->conf ? k->conf->mountpoint : NULL;
	char hint[320];

	if (px_skipped(k, PX_ON_MOUNTPOINT, PX_ON_CONF))
		return;
	if (!path) {
		px_found(k, PX_ON_MOUNTPOINT, PX_VERDICT_OK, NULL,
			"none is configured: mount takes it from its command line");
		return;
	}
	switch (px_mounted(path, NULL, 0)) {
	case 1:
		px_found(k, PX_ON_MOUNTPOINT, PX_VERDICT_OK, NULL, "%s is mounted and answers",
			path);
		return;
	case 2:
		(void)snprintf(hint, sizeof hint, "propexofs umount %s, then mount again", path);
		px_found(k, PX_ON_MOUNTPOINT, PX_VERDICT_FAIL, hint,
			"%s: the mount does not answer, its daemon has gone", path);
		return;
	case 3:
		if (!is_empty(path)) {
			px_found(k, PX_ON_MOUNTPOINT, PX_VERDICT_FAIL,
				"unmount it, or name another directory",
				"%s: another filesystem is mounted there, with files in it", path);
			return;
		}
		__attribute__((fallthrough));
	default:
		check_free(k, path);
	}
}
