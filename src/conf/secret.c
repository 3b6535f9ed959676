/* SPDX-License-Identifier: MIT */
/*
 * secret.c - the key and the signing secrets: where they come from, and that they go nowhere else.
 *
 * Invariants: no message, log line or other string ever holds a secret, a part of it or its length;
 * the environment does not keep one (nor does /proc/self/environ); every copy made here is
 * overwritten before it is freed. A file that others may read is refused, except where the service
 * manager hands credentials out: there the directory is what keeps others away.
 */
#include "conf_i.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "propexofs/api.h"
#include "propexofs/hash.h"

enum { SECRET_FILE_MAX = 4096 };

extern char **environ;

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static void wipe_secret(struct px_secret *s)
{
	px_secret_wipe(s);
}
#define SECRET_AUTO __attribute__((cleanup(wipe_secret)))

void px_secret_wipe(struct px_secret *s)
{
	if (s->text)
		px_wipe(s->text, s->len);
	free(s->text);
	s->text = NULL;
	s->len = 0;
}

px_rc px_secret_set(struct px_secret *s, const char *text, size_t len, struct px_err *err)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return px_err_nomem(err);
	memcpy(copy, text, len);
	copy[len] = '\0';
	px_secret_wipe(s);
	s->text = copy;
	s->len = len;
	return PX_OK;
}

px_rc px_secret_copy(struct px_secret *ret, const struct px_secret *s, struct px_err *err)
{
	return s->text ? px_secret_set(ret, s->text, s->len, err) : PX_OK;
}

/* ---- environment ---- */

px_rc px_secret_from_env(const char *name, struct px_secret *ret, struct px_err *err)
{
	const char *value = getenv(name);
	size_t name_len = strlen(name);
	px_rc rc = PX_OK;

	if (value && *value)
		rc = px_secret_set(ret, value, strlen(value), err);
	/* a variable may be there more than once, and unsetenv only moves pointers */
	for (char **e = environ; e && *e; e++)
		if (!strncmp(*e, name, name_len) && (*e)[name_len] == '=')
			px_wipe(*e + name_len + 1, strlen(*e + name_len + 1));
	(void)unsetenv(name); /* fails for bad names only */
	return rc;
}

/* ---- files ---- */

static bool lies_below(const char *path, const char *dir)
{
	char *real = dir && *dir == '/' ? realpath(dir, NULL) : NULL;
	size_t len = real ? strlen(real) : 0;
	bool below = len > 1 && !strncmp(path, real, len) && path[len] == '/';

	free(real);
	return below;
}

/* Whether the open file lies where the service manager or the container puts credentials. */
static bool is_handed_out(int fd)
{
	char link[64], path[4096];
	ssize_t n;

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	return lies_below(path, getenv("CREDENTIALS_DIRECTORY")) ||
	       lies_below(path, "/run/secrets");
}

static px_rc check_file(int fd, const char *path, const char *what, struct px_err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return px_err_sys(err, errno, "%s %s", what, path);
	if (!S_ISREG(st.st_mode))
		return px_err_set(err, PX_EUSAGE, "%s %s is not a regular file", what, path);
	if ((st.st_mode & 077) && !is_handed_out(fd))
		return px_err_set(err, PX_EUSAGE,
			"%s %s can be read by others (mode %04o): chmod 600 it", what, path,
			(unsigned)(st.st_mode & 07777));
	if (st.st_size > SECRET_FILE_MAX)
		return px_err_set(err, PX_EUSAGE, "%s %s is larger than %d bytes: not a secret",
			what, path, SECRET_FILE_MAX);
	return PX_OK;
}

static px_rc read_secret(
	const char *path, const char *what, struct px_secret *ret, struct px_err *err)
{
	/* O_NONBLOCK: a FIFO must not hang us */
	__attribute__((cleanup(close_fd))) int fd = open(
		path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char text[SECRET_FILE_MAX + 1];
	size_t len = 0;
	px_rc rc;

	if (fd < 0) {
		px_err_sys(err, errno, "%s %s", what, path);
		if (err)
			err->code = PX_EUSAGE;
		return PX_EUSAGE;
	}
	rc = check_file(fd, path, what, err);
	while (!rc && len < sizeof text) {
		ssize_t n = read(fd, text + len, sizeof text - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = px_err_sys(err, errno, "%s %s", what, path);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (!rc && len > SECRET_FILE_MAX)
		rc = px_err_set(err, PX_EUSAGE, "%s %s is larger than %d bytes: not a secret", what,
			path, SECRET_FILE_MAX);
	if (!rc)
		rc = px_secret_set(ret, text, len, err);
	px_wipe(text, sizeof text);
	return rc;
}

/* ---- what makes a secret ---- */

static size_t without_line_end(const char *text, size_t len)
{
	if (len && text[len - 1] == '\n')
		len--;
	if (len && text[len - 1] == '\r')
		len--;
	return len;
}

static px_rc check_text(const char *text, size_t len, const char *what, struct px_err *err)
{
	if (!len)
		return px_err_set(err, PX_EUSAGE, "%s is empty", what);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return px_err_set(err, PX_EUSAGE,
				"%s holds control characters: one line of text is expected", what);
	return PX_OK;
}

px_rc px_secret_check(struct px_secret *s, const char *what, struct px_err *err)
{
	size_t len = without_line_end(s->text, s->len);
	px_rc rc = check_text(s->text, len, what, err);

	if (rc)
		return rc;
	px_wipe(s->text + len, s->len - len);
	s->text[len] = '\0';
	s->len = len;
	return PX_OK;
}

px_rc px_conf_check_key(struct px_secret *s, struct px_err *err)
{
	size_t start = strspn(s->text, " \t"), len = s->len - start;

	memmove(s->text, s->text + start, len);
	while (len && strchr(" \t\r\n", s->text[len - 1]))
		len--;
	px_wipe(s->text + len, s->len - len);
	s->text[len] = '\0';
	s->len = len;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s->text[i] <= 0x20 || (unsigned char)s->text[i] >= 0x7f)
			return px_err_set(err, PX_EUSAGE,
				"that is no key: it holds a space, a control character or one "
				"outside ASCII");
	return px_secret_check(s, "the key", err);
}

static void drop_webhook_secrets(struct px_conf *c)
{
	for (size_t i = 0; i < c->webhook_secret_count; i++)
		px_secret_wipe(&c->webhook_secrets[i]);
	free(c->webhook_secrets);
	c->webhook_secrets = NULL;
	c->webhook_secret_count = 0;
}

px_rc px_conf_webhook_secrets(
	struct px_conf *c, const struct px_secret *text, const char *what, struct px_err *err)
{
	const char *p = text->text, *end = p + text->len;

	drop_webhook_secrets(c);
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *next = nl ? nl + 1 : end;
		size_t len = without_line_end(p, (size_t)(next - p));
		struct px_secret *grown;
		px_rc rc;

		if (len) {
			rc = check_text(p, len, what, err);
			if (rc)
				return rc;
			/* only pointers move: no copy of a secret is left behind */
			grown = realloc(
				c->webhook_secrets, (c->webhook_secret_count + 1) * sizeof *grown);
			if (!grown)
				return px_err_nomem(err);
			c->webhook_secrets = grown;
			memset(&grown[c->webhook_secret_count], 0, sizeof *grown);
			rc = px_secret_set(&grown[c->webhook_secret_count], p, len, err);
			if (rc)
				return rc;
			c->webhook_secret_count++;
		}
		p = next;
	}
	if (!c->webhook_secret_count)
		return px_err_set(err, PX_EUSAGE, "%s holds no secret", what);
	return PX_OK;
}

/* ---- what a command needs ---- */

static px_rc fetch_key(const struct px_conf *c, const _Atomic bool *stop, struct px_secret *ret,
	struct px_err *err)
{
	char what[320];
	px_rc rc;

	if (c->api_key_command)
		return px_conf_key_command(c->api_key_command, stop, ret, err);
	rc = read_secret(c->api_key_file, "key file", ret, err);
	(void)snprintf(what, sizeof what, "key file %s", c->api_key_file);
	return rc ? rc : px_secret_check(ret, what, err);
}

px_rc px_conf_load_key(struct px_conf *c, struct px_err *err)
{
	SECRET_AUTO struct px_secret fresh = {0};
	px_rc rc;

	if (!c->api_key_file && !c->api_key_command) {
		if (c->key.text)
			return PX_OK; /* from the environment, checked there */
		return px_err_set(err, PX_EUSAGE,
			"no API key: propexofs init asks for it; or name its file with "
			"--api-key-file, or a program that prints it with --api-key-command, or "
			"set PROPEXO_API_KEY");
	}
	rc = fetch_key(c, NULL, &fresh, err);
	return rc ? rc : px_secret_set(&c->key, fresh.text, fresh.len, err);
}

px_rc px_conf_renew_key(
	const struct px_conf *c, const _Atomic bool *stop, struct px_api *api, struct px_err *err)
{
	SECRET_AUTO struct px_secret fresh = {0};
	px_rc rc;

	if (!c->api_key_file && !c->api_key_command)
		return PX_OK; /* the environment has no other */
	rc = fetch_key(c, stop, &fresh, err);
	return rc ? rc : px_api_set_key(api, fresh.text, err);
}

px_rc px_conf_load_webhook_secrets(struct px_conf *c, struct px_err *err)
{
	SECRET_AUTO struct px_secret text = {0};
	char what[320];
	px_rc rc;

	if (c->webhook_secret_file) {
		rc = read_secret(c->webhook_secret_file, "webhook secret file", &text, err);
		(void)snprintf(what, sizeof what, "webhook secret file %s", c->webhook_secret_file);
		return rc ? rc : px_conf_webhook_secrets(c, &text, what, err);
	}
	if (!c->webhook_secret_count && (c->webhook_listen || c->webhook_url))
		return px_err_set(err, PX_EUSAGE,
			"webhooks need a signing secret: name its file with "
			"--webhook-secret-file, or set PROPEXO_WEBHOOK_SECRET");
	return PX_OK;
}

px_rc px_conf_load_secrets(struct px_conf *c, bool need_key, struct px_err *err)
{
	px_rc rc = need_key ? px_conf_load_key(c, err) : PX_OK;

	return rc ? rc : px_conf_load_webhook_secrets(c, err);
}
