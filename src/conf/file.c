/* SPDX-License-Identifier: MIT */
/*
 * file.c - the configuration file: `key = value` lines, # comments.
 *
 * Invariants: every line is read by inih and given to the table, or refused with its number; a line
 * that is cut, continued or holds a NUL is refused rather than guessed at. Nothing is ever quoted
 * back of a line that we do not know: it may be a secret in the wrong place.
 */
#include "conf_i.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LINE_MAX_BYTES = 8192 };

struct reading {
	struct px_load *l;
	const char *path;
	FILE *f;
	int line;
	px_rc rc;
	struct px_err *err;
};

static void close_file(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static px_rc refuse(struct reading *r, const char *why)
{
	r->rc = px_err_set(r->err, PX_EUSAGE, "%s:%d: %s", r->path, r->line, why);
	return r->rc;
}

/* One line without what inih would make more of: indentation (a continuation to it). */
static char *read_line(char *out, int size, void *arg)
{
	struct reading *r = arg;
	char *line = NULL, *start;
	size_t cap = 0;
	ssize_t n;

	if (r->rc)
		return NULL;
	errno = 0;
	n = getline(&line, &cap, r->f);
	if (n < 0) {
		if (ferror(r->f))
			r->rc = px_err_sys(r->err, errno ? errno : EIO, "%s", r->path);
		free(line);
		return NULL;
	}
	r->line++;
	start = line + strspn(line, " \t");
	if (strlen(line) != (size_t)n)
		refuse(r, "holds a NUL byte");
	else if (n + 3 > size)
		refuse(r, "is too long");
	else
		memcpy(out, start, strlen(start) + 1);
	free(line);
	return r->rc ? NULL : out;
}

/* Whether a name looks like one of ours misspelt. A key that was pasted here and happens to hold a
 * '=' does not, and must not be repeated. */
static bool is_tellable(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz-_");

	return len && len <= 24 && !name[len];
}

static int take(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *r = arg;
	const struct px_option *o;

	if (r->rc)
		return 1;
	if (*section) {
		refuse(r, "sections are not used: only key = value lines");
		return 1;
	}
	o = px_option_by_name(name, strlen(name), PX_BY_FILE);
	if (!o && (!strcmp(name, "api-key") || !strcmp(name, "webhook-secret"))) {
		refuse(r, "secrets do not belong here: put it into a file of its own, mode 0600, "
			  "and name that with api-key-file or webhook-secret-file");
		return 1;
	}
	if (!o) {
		r->rc = px_err_set(r->err, PX_EUSAGE,
			"%s:%d: unknown key%s%s%s; keys are the long options of propexofs mount "
			"--help, and mountpoint",
			r->path, r->line, is_tellable(name) ? " '" : "",
			is_tellable(name) ? name : "", is_tellable(name) ? "'" : "");
		return 1;
	}
	r->rc = px_option_set(r->l, o, value, r->err);
	if (r->rc)
		r->rc = px_err_ctx(r->err, "%s:%d: %s", r->path, r->line, o->name);
	return 1;
}

/* Who can write the file says what is run as us. */
static px_rc refuse_command(
	const struct px_load *l, const char *path, const struct stat *st, struct px_err *err)
{
	static const char name[] = "api-key-command";
	const struct px_option *o = px_option_by_name(name, sizeof name - 1, PX_BY_FILE);

	if (!(st->st_mode & 022) || l->ranks[o - px_options] != PX_RANK_FILE)
		return PX_OK;
	return px_err_set(err, PX_EUSAGE,
		"configuration %s can be changed by others (mode %04o) and holds api-key-command, "
		"which is run as you: chmod go-w it",
		path, (unsigned)(st->st_mode & 07777));
}

px_rc px_conf_read_file(struct px_load *l, const char *path, struct px_err *err)
{
	__attribute__((cleanup(close_file))) FILE *f = fopen(path, "re");
	struct px_err local = {0};
	struct reading r = {.l = l, .path = path, .f = f, .err = err ? err : &local};
	struct stat st;
	char *base, *slash;
	int bad;

	if (!f || fstat(fileno(f), &st))
		return px_err_sys(err, errno, "configuration %s", path);
	if (S_ISDIR(st.st_mode))
		return px_err_set(err, PX_EUSAGE, "configuration %s is a directory", path);
	base = strdup(path);
	if (!base)
		return px_err_nomem(err);
	slash = strrchr(base, '/');
	if (slash)
		slash[slash == base] = '\0';

	/* these are variables of Debian's inih; a process has one thread that reads configurations
	 */
	ini_use_stack = false;
	ini_max_line = LINE_MAX_BYTES;
	ini_initial_alloc = LINE_MAX_BYTES;
	ini_allow_multiline = false;
	ini_allow_no_value = false;
	ini_start_comment_prefixes = "#";
	ini_inline_comment_prefixes = "#";

	l->rank = PX_RANK_FILE;
	l->base = base;
	bad = ini_parse_stream(read_line, &r, take, &r);
	l->base = NULL;
	free(base);
	if (!r.rc && bad > 0) {
		r.line = bad;
		refuse(&r, "is not a key = value line");
	} else if (!r.rc && bad < 0) {
		r.rc = px_err_nomem(err);
	}
	return r.rc ? r.rc : refuse_command(l, path, &st, err);
}
