/* SPDX-License-Identifier: MIT */
/*
 * user.c - whom the daemon runs as: root's help for the mount alone, and no way back after it.
 *
 * With setuid=USER the real and the effective user are USER's from the start, so that the store's
 * files are USER's and the kernel takes USER for the owner of the mount (who may unmount it with
 * fusermount3); only the saved one stays root, until the mount is made. Without it, a capability
 * that a service manager lent for the mount is given back.
 *
 * Invariants: no other thread runs before user_settle, for capabilities belong to threads;
 * user_settle tries the way back and fails when there is one.
 */
#include "daemon_i.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static px_rc cannot(struct px_err *err, const char *user)
{
	return px_err_sys(err, errno, "cannot become the user %s", user);
}

/* The store's directory, when it has to be made where only root can. By descriptor: the parent may
 * be somebody's who exchanges names meanwhile. */
static px_rc make_directory(const char *store, const struct passwd *pw, struct px_err *err)
{
	char *copy = strdup(store), *dir;
	px_rc rc = PX_OK;
	int fd = -1;

	if (!copy)
		return px_err_nomem(err);
	dir = dirname(copy);
	if (!mkdir(dir, 0700)) {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fchown(fd, pw->pw_uid, pw->pw_gid))
			rc = px_err_sys(err, errno, "cannot give the store's directory %s to %s",
				dir, pw->pw_name);
	} else if (errno != EEXIST) {
		rc = px_err_sys(err, errno, "cannot make the directory of the store, %s", dir);
	}
	if (fd >= 0)
		(void)close(fd);
	free(copy);
	return rc;
}

px_rc user_assume(const struct px_conf *c, struct px_err *err)
{
	const struct passwd *pw;
	px_rc rc;

	if (!c->setuid)
		return PX_OK;
	if (geteuid() != 0)
		return px_err_set(err, PX_EUSAGE,
			"-o setuid=%s: only root can mount for another user", c->setuid);
	errno = ENOENT;
	pw = getpwnam(c->setuid);
	if (!pw)
		return cannot(err, c->setuid);
	rc = make_directory(c->store, pw, err);
	if (rc)
		return rc;
	if (initgroups(pw->pw_name, pw->pw_gid) || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) ||
		setresuid(pw->pw_uid, pw->pw_uid, 0))
		return cannot(err, c->setuid);
	return PX_OK;
}

px_rc user_raise(const struct px_conf *c, struct px_err *err)
{
	if (c->setuid && setresuid((uid_t)-1, 0, (uid_t)-1))
		return px_err_sys(err, errno, "cannot mount as root");
	return PX_OK;
}

/* Every set but the bounding one, which only matters to what is executed: fusermount3 has to work.
 */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {{0}, {0}};

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_capset, &head, none);
}

px_rc user_settle(const struct px_conf *c, struct px_err *err)
{
	uid_t uid = getuid();

	if (c->setuid && setresuid(uid, uid, uid))
		return cannot(err, c->setuid);
	if (geteuid() == 0)
		return PX_OK;
	if (drop_capabilities())
		return px_err_sys(err, errno, "cannot give up capabilities");
	if (c->setuid && !setresuid((uid_t)-1, 0, (uid_t)-1))
		return px_err_set(err, PX_EIO, "cannot give up root for %s", c->setuid);
	return PX_OK;
}
