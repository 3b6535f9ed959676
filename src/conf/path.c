/* SPDX-License-Identifier: MIT */
/*
 * path.c - where the configuration and the store lie.
 *
 * Invariant: every path that leaves here is absolute, for the daemon's working directory is the
 * root. Nothing but px_conf_make_state_home touches the disk beyond looking.
 */
#include "conf_i.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_TEXT_MAX = 4096 };

static const char suffix[] = ".conf";

static px_rc steal(struct px_buf *b, char **ret, struct px_err *err)
{
	px_rc rc = px_buf_ok(b, NULL);

	if (rc == PX_ELIMIT)
		return px_err_set(err, PX_EUSAGE, "a path is longer than %d bytes", PATH_TEXT_MAX);
	if (rc)
		return px_err_nomem(err);
	*ret = px_buf_steal(b, NULL);
	return *ret ? PX_OK : px_err_nomem(err);
}

static const char *home(void)
{
	const char *dir = getenv("HOME");
	const struct passwd *pw;

	if (dir && *dir == '/')
		return dir;
	pw = getpwuid(getuid());
	return pw && pw->pw_dir && *pw->pw_dir == '/' ? pw->pw_dir : NULL;
}

/* $variable when it is an absolute path (the XDG rule), else the fallback below the home directory;
 * *ret stays NULL without a home. */
static px_rc xdg(const char *variable, const char *fallback, char **ret, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(PATH_TEXT_MAX);
	const char *dir = getenv(variable);

	if (dir && *dir == '/') {
		px_buf_adds(&b, dir);
	} else {
		dir = home();
		if (!dir)
			return PX_OK;
		px_buf_adds(&b, dir);
		px_buf_addc(&b, '/');
		px_buf_adds(&b, fallback);
	}
	return steal(&b, ret, err);
}

static px_rc join(const char *dir, const char *middle, const char *name, const char *end,
	char **ret, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(PATH_TEXT_MAX);

	px_buf_adds(&b, dir);
	px_buf_adds(&b, middle);
	px_buf_adds(&b, name);
	px_buf_adds(&b, end);
	return steal(&b, ret, err);
}

px_rc px_path_absolute(
	const char *base, bool tilde, const char *path, char **ret, struct px_err *err)
{
	if (*path == '/')
		return join(path, "", "", "", ret, err);
	if (tilde && !strncmp(path, "~/", 2) && home())
		return join(home(), "/", path + 2, "", ret, err);
	if (!base) {
		px_err_set(err, PX_EUSAGE,
			"the working directory has gone: %s must be an absolute path", path);
		return PX_EUSAGE;
	}
	return join(base, "/", path, "", ret, err);
}

/* 1: there is something to read at path, 0: nothing, -1: err. */
static int exists(const char *path, struct px_err *err)
{
	struct stat st;

	if (!stat(path, &st))
		return 1;
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	px_err_sys(err, errno, "configuration %s", path);
	return -1;
}

/* "acme" of "/etc/propexofs/acme.conf". */
static px_rc name_of(const char *file, char **ret, struct px_err *err)
{
	const char *base = strrchr(file, '/');
	size_t len;

	base = base ? base + 1 : file;
	len = strlen(base);
	if (len > strlen(suffix) && !strcmp(base + len - strlen(suffix), suffix))
		len -= strlen(suffix);
	if (!len)
		return px_err_set(err, PX_EUSAGE, "configuration %s: names no file", file);
	*ret = strndup(base, len);
	return *ret ? PX_OK : px_err_nomem(err);
}

bool px_conf_is_file(const char *config)
{
	size_t len = strlen(config);

	return strchr(config, '/') ||
	       (len > strlen(suffix) && !strcmp(config + len - strlen(suffix), suffix));
}

static px_rc find_file(
	const char *config, const char *cwd, char **ret_name, char **ret_path, struct px_err *err)
{
	char *path = NULL;
	px_rc rc = px_path_absolute(cwd, false, config, &path, err);
	int found;

	if (!rc)
		rc = name_of(path, ret_name, err);
	if (rc) {
		free(path);
		return rc;
	}
	found = exists(path, err);
	if (found > 0) {
		*ret_path = path;
		return PX_OK;
	}
	free(path);
	return found ? PX_EUSAGE
		     : px_err_set(err, PX_EUSAGE, "configuration %s does not exist", config);
}

static px_rc find_name(
	const char *name, bool named, char **ret_name, char **ret_path, struct px_err *err)
{
	char *dirs[2] = {NULL, NULL}, *path = NULL;
	px_rc rc = xdg("XDG_CONFIG_HOME", ".config", &dirs[0], err);
	int found = 0;

	if (!rc) {
		dirs[1] = strdup("/etc");
		*ret_name = strdup(name);
		if (!dirs[1] || !*ret_name)
			rc = px_err_nomem(err);
	}
	for (int i = 0; i < 2 && !rc && !found; i++) {
		if (!dirs[i])
			continue;
		rc = join(dirs[i], "/propexofs/", name, suffix, &path, err);
		if (!rc) {
			found = exists(path, err);
			if (found < 0)
				rc = PX_EUSAGE;
		}
		if (found <= 0) {
			free(path);
			path = NULL;
		}
	}
	if (!rc && !found && named)
		rc = px_err_set(err, PX_EUSAGE,
			"no configuration named %s: there is neither %s/propexofs/%s.conf nor "
			"/etc/propexofs/%s.conf",
			name, dirs[0] ? dirs[0] : "~/.config", name, name);
	if (!rc)
		*ret_path = path;
	free(dirs[0]);
	free(dirs[1]);
	return rc;
}

px_rc px_conf_find(
	const char *config, const char *cwd, char **ret_name, char **ret_path, struct px_err *err)
{
	const char *name = config ? config : "default";

	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return px_err_set(err, PX_EUSAGE,
				"the configuration's name holds control characters");
	if (px_conf_is_file(name))
		return find_file(name, cwd, ret_name, ret_path, err);
	return find_name(name, config != NULL, ret_name, ret_path, err);
}

px_rc px_conf_home(char **ret, struct px_err *err)
{
	char *dir = NULL;
	px_rc rc = xdg("XDG_CONFIG_HOME", ".config", &dir, err);

	if (!rc && !dir)
		rc = px_err_set(err, PX_EUSAGE,
			"there is no home directory for a configuration: name a file");
	if (!rc)
		rc = join(dir, "/propexofs", "", "", ret, err);
	free(dir);
	return rc;
}

px_rc px_conf_default_store(const char *name, char **ret, struct px_err *err)
{
	char *dir = NULL;
	px_rc rc;

	if (geteuid() == 0)
		return join("/var/lib/propexofs", "/", name, ".db", ret, err);
	rc = xdg("XDG_STATE_HOME", ".local/state", &dir, err);
	if (!rc && !dir)
		rc = px_err_set(err, PX_EUSAGE,
			"there is no home directory to keep the store in: say where with --store");
	if (!rc)
		rc = join(dir, "/propexofs/", name, ".db", ret, err);
	free(dir);
	return rc;
}

px_rc px_conf_make_state_home(const char *store, struct px_err *err)
{
	char *dir = strdup(store);
	px_rc rc = PX_OK;

	if (!dir)
		return px_err_nomem(err);
	/* all but the last two: the store's own directory is the store's to make */
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(dir, '/');

		if (slash)
			*slash = '\0';
	}
	for (char *p = dir; *p && !rc; p++) {
		char *end = strchr(p + 1, '/');

		if (end)
			*end = '\0';
		if (mkdir(dir, 0700) && errno != EEXIST && errno != EROFS && errno != EACCES)
			rc = px_err_sys(err, errno, "cannot make %s for the store", dir);
		if (!end)
			break;
		*end = '/';
		p = end - 1;
	}
	free(dir);
	return rc;
}
