/* SPDX-License-Identifier: MIT */
/*
 * create.c - a new configuration: where it lies, and writing it.
 *
 * Invariants: a file is there whole with mode 0600, or as it was before; nothing is replaced unless
 * told so, also when somebody else makes the file meanwhile.
 */
#include "conf_i.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_LEN_MAX = 64 };

/* Names end in paths of configuration and store, and in a unit's name. */
static bool is_name(const char *s)
{
	static const char chars[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strspn(s, chars);

	return len && len <= NAME_LEN_MAX && !s[len] && *s != '.' && *s != '-';
}

static px_rc make_directories(const char *dir, struct px_err *err)
{
	char *path = strdup(dir);
	px_rc rc = path ? PX_OK : px_err_nomem(err);

	for (char *p = path; !rc && *p; p++) {
		char *end = p + 1 + strcspn(p + 1, "/"), was = *end;

		*end = '\0';
		if (mkdir(path, 0700) && errno != EEXIST && errno != EROFS && errno != EACCES)
			rc = px_err_sys(err, errno, "cannot make %s", path);
		*end = was;
		p = end - 1;
	}
	free(path);
	return rc;
}

px_rc px_conf_new_paths(const char *config, char **ret_path, char **ret_key, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf path = PX_BUF_INIT(4096);
	char *dir = NULL;
	px_rc rc;

	if (px_conf_is_file(config)) {
		char *cwd = getcwd(NULL, 0);

		rc = px_path_absolute(cwd, false, config, &dir, err);
		free(cwd);
		if (!rc)
			px_buf_adds(&path, dir);
		if (!rc && (path.len < 6 || strcmp(path.data + path.len - 5, ".conf") != 0 ||
				   path.data[path.len - 6] == '/'))
			rc = px_err_set(err, PX_EUSAGE,
				"configuration %s: a file's name has to end in .conf", config);
	} else if (!is_name(config)) {
		rc = px_err_set(err, PX_EUSAGE,
			"a configuration's name has up to %d of the characters A-Z a-z 0-9 . _ - "
			"and begins with a letter, a digit or _",
			NAME_LEN_MAX);
	} else {
		rc = px_conf_home(&dir, err);
		if (!rc)
			rc = make_directories(dir, err);
		if (!rc)
			px_buf_addf(&path, "%s/%s.conf", dir, config);
	}
	free(dir);
	if (!rc)
		rc = px_buf_ok(&path, err);
	if (rc)
		return rc;
	*ret_path = strdup(path.data);
	*ret_key = *ret_path ? strdup(path.data) : NULL;
	if (!*ret_key) {
		free(*ret_path);
		*ret_path = NULL;
		return px_err_nomem(err);
	}
	memcpy(*ret_key + path.len - 4, "key", 4);
	return PX_OK;
}

static px_rc fill(int fd, const char *text, size_t len, const char *path, struct px_err *err)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return px_err_sys(err, errno, "cannot write %s", path);
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? px_err_sys(err, errno, "cannot write %s", path) : PX_OK;
}

/* What was put into a directory is there for certain only when the directory is written, too. */
static px_rc settle_directory(const char *path, struct px_err *err)
{
	char *dir = strdup(path), *slash = dir ? strrchr(dir, '/') : NULL;
	int fd = -1;
	px_rc rc = PX_OK;

	if (slash) {
		slash[slash == dir] = '\0';
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0 || fsync(fd))
		rc = px_err_sys(err, errno, "cannot write the directory of %s", path);
	if (fd >= 0)
		(void)close(fd);
	free(dir);
	return rc;
}

px_rc px_conf_write(
	const char *path, const char *text, size_t len, bool replace, struct px_err *err)
{
	char *draft = NULL;
	px_rc rc = PX_OK;
	int fd;

	if (asprintf(&draft, "%s.XXXXXX", path) < 0)
		return px_err_nomem(err);
	fd = mkostemp(draft, O_CLOEXEC); /* mode 0600 */
	if (fd < 0) {
		rc = px_err_sys(err, errno, "cannot write %s", path);
		free(draft);
		return rc;
	}
	rc = fill(fd, text, len, path, err);
	(void)close(fd);
	if (!rc && (replace ? rename(draft, path) : link(draft, path)))
		rc = px_err_sys(err, errno, "cannot write %s", path);
	if (rc || !replace)
		(void)unlink(draft);
	free(draft);
	return rc ? rc : settle_directory(path, err);
}
