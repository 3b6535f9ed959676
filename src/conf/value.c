/* SPDX-License-Identifier: MIT */
/*
 * value.c - one setter for each kind of value.
 *
 * Invariants: a value is checked before anything is stored; numbers are decimal and whole; a list
 * given by a stronger source replaces one from a weaker source, and grows when the source is the
 * same. Messages name what is accepted.
 */
#include "conf_i.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "propexofs/api.h"
#include "propexofs/listen.h"
#include "propexofs/model.h"

static void *field(struct px_load *l, const struct px_option *o)
{
	return (char *)l->c + o->offset;
}

static px_rc keep_string(char **slot, const char *value, struct px_err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return px_err_nomem(err);
	free(*slot);
	*slot = copy;
	return PX_OK;
}

static px_rc parse_int(const char *s, int base, int64_t *ret)
{
	char *end;
	long long v;

	/* strtoll would also take white space and signs */
	if (*s < '0' || *s > '9')
		return PX_EINVAL;
	errno = 0;
	v = strtoll(s, &end, base);
	if (errno || *end)
		return PX_EINVAL;
	*ret = v;
	return PX_OK;
}

px_rc px_set_switch(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	static const struct {
		const char *word;
		bool on;
	} words[] = {
		{"yes", true},
		{"true", true},
		{"on", true},
		{"1", true},
		{"no", false},
		{"false", false},
		{"off", false},
		{"0", false},
	};
	bool *at = field(l, o);

	if (!value) {
		if (keep)
			*at = true;
		return PX_OK;
	}
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcasecmp(value, words[i].word)) {
			if (keep)
				*at = words[i].on;
			return PX_OK;
		}
	return px_err_set(err, PX_EUSAGE, "'%s' is neither yes nor no", value);
}

px_rc px_set_int(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	int64_t v;

	if (parse_int(value, 10, &v) || v < o->min || v > o->max)
		return px_err_set(err, PX_EUSAGE, "'%s' is not a number from %lld to %lld", value,
			(long long)o->min, (long long)o->max);
	if (keep)
		*(int *)field(l, o) = (int)v;
	return PX_OK;
}

px_rc px_set_path(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	char *path = NULL;
	/* no shell reads the file, so ~/ is ours to know there */
	px_rc rc = px_path_absolute(
		l->base ? l->base : l->c->origin.cwd, l->base != NULL, value, &path, err);

	if (rc)
		return rc;
	if (keep) {
		char **at = field(l, o);

		free(*at);
		*at = path;
		path = NULL;
	}
	free(path);
	return PX_OK;
}

static px_rc add_to_list(
	struct px_load *l, const struct px_option *o, const char *value, struct px_err *err)
{
	struct px_strings *s = field(l, o);
	char **grown;

	if (l->ranks[o - px_options] < l->rank) {
		for (size_t i = 0; i < s->count; i++)
			free(s->list[i]);
		s->count = 0;
	}
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->list[i], value))
			return PX_OK;
	grown = realloc(s->list, (s->count + 1) * sizeof *grown);
	if (!grown)
		return px_err_nomem(err);
	s->list = grown;
	s->list[s->count] = strdup(value);
	if (!s->list[s->count])
		return px_err_nomem(err);
	s->count++;
	return PX_OK;
}

px_rc px_set_text(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	if (strlen(value) > (size_t)o->max)
		return px_err_set(err, PX_EUSAGE, "is longer than %lld bytes", (long long)o->max);
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return px_err_set(err, PX_EUSAGE, "holds control characters");
	return keep ? add_to_list(l, o, value, err) : PX_OK;
}

/* A shell's command line; only its option is ever named, for some put a secret into it. */
px_rc px_set_command(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	if (strlen(value) > (size_t)o->max)
		return px_err_set(err, PX_EUSAGE, "is longer than %lld bytes", (long long)o->max);
	if (!value[strspn(value, " \t")])
		return px_err_set(err, PX_EUSAGE, "is empty; it takes %s", o->arg);
	return keep ? keep_string(field(l, o), value, err) : PX_OK;
}

px_rc px_set_model(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	if (px_model_by_dir(value) < 0)
		return px_err_set(err, PX_EUSAGE,
			"there is no model '%s'; names are those of the directories, e.g. "
			"service-requests",
			value);
	return keep ? add_to_list(l, o, value, err) : PX_OK;
}

px_rc px_set_level(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	enum px_log_level level;

	if (!px_log_level_parse(value, &level))
		return px_err_set(err, PX_EUSAGE, "'%s' is none of %s", value, o->arg);
	if (keep)
		*(enum px_log_level *)field(l, o) = level;
	return PX_OK;
}

px_rc px_set_url(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	char base[2048];
	struct px_err why = {0};
	px_rc rc = px_url_base(value, base, sizeof base, &why);
	static const char subject[] = "API URL: ";

	if (rc == PX_ENOMEM)
		return px_err_nomem(err);
	if (rc) /* the option says which URL; the message never repeats it */
		return px_err_set(err, PX_EUSAGE, "%s",
			why.msg +
				(strncmp(why.msg, subject, strlen(subject)) ? 0 : strlen(subject)));
	return keep ? keep_string(field(l, o), base, err) : PX_OK;
}

/* HOST:PORT, with the host of an IPv6 address in brackets. */
px_rc px_set_listen(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	const char *colon = strrchr(value, ':');
	size_t host = colon ? (size_t)(colon - value) : 0;
	bool bracketed = host > 2 && value[0] == '[' && value[host - 1] == ']';
	int64_t port;

	if (!colon || !host || parse_int(colon + 1, 10, &port) || port > 65535 ||
		(!bracketed && memchr(value, ':', host)) || strpbrk(value, " \t\r\n/@"))
		return px_err_set(err, PX_EUSAGE,
			"'%s' is not HOST:PORT with a port from 0 to 65535 (IPv6: [ADDRESS]:PORT)",
			value);
	return keep ? keep_string(field(l, o), value, err) : PX_OK;
}

/* The same, or unix:PATH: the daemon has another working directory, so PATH becomes absolute. */
px_rc px_set_receiver(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	static const char prefix[] = "unix:";
	char *path = NULL, address[sizeof prefix + PX_LISTEN_PATH_MAX];
	px_rc rc;

	if (strncmp(value, prefix, sizeof prefix - 1) != 0)
		return px_set_listen(l, o, value, keep, err);
	value += sizeof prefix - 1;
	if (!*value)
		return px_err_set(err, PX_EUSAGE, "unix: names no socket file");
	rc = px_path_absolute(
		l->base ? l->base : l->c->origin.cwd, l->base != NULL, value, &path, err);
	if (!rc && strlen(path) > PX_LISTEN_PATH_MAX)
		rc = px_err_set(err, PX_EUSAGE, "the path of a socket has at most %d bytes",
			PX_LISTEN_PATH_MAX);
	if (!rc) {
		memcpy(address, prefix, sizeof prefix - 1);
		memcpy(address + sizeof prefix - 1, path, strlen(path) + 1);
		rc = keep ? keep_string(field(l, o), address, err) : PX_OK;
	}
	free(path);
	return rc;
}

px_rc px_set_mask(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	int64_t v;

	if (parse_int(value, 8, &v) || v > 0777)
		return px_err_set(
			err, PX_EUSAGE, "'%s' is not an octal mask from 0 to 0777", value);
	if (keep)
		l->mask[o->offset] = v;
	return PX_OK;
}

/* An id that is all digits, as chown(1) takes it; (uid_t)-1 stands for "none" and is no id. */
static bool numeric_id(const char *value, int64_t *ret)
{
	return !parse_int(value, 10, ret) && *ret < INT64_C(4294967295);
}

px_rc px_set_user(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	const struct passwd *pw;
	int64_t id;

	if (!numeric_id(value, &id)) {
		pw = getpwnam(value);
		if (!pw)
			return px_err_set(err, PX_EUSAGE, "there is no user '%s'", value);
		id = pw->pw_uid;
	}
	if (keep)
		*(uid_t *)field(l, o) = (uid_t)id;
	return PX_OK;
}

px_rc px_set_group(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	const struct group *gr;
	int64_t id;

	if (!numeric_id(value, &id)) {
		gr = getgrnam(value);
		if (!gr)
			return px_err_set(err, PX_EUSAGE, "there is no group '%s'", value);
		id = gr->gr_gid;
	}
	if (keep)
		*(gid_t *)field(l, o) = (gid_t)id;
	return PX_OK;
}

px_rc px_set_account(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	int64_t id;
	const struct passwd *pw = numeric_id(value, &id) ? getpwuid((uid_t)id) : getpwnam(value);

	if (!pw)
		return px_err_set(err, PX_EUSAGE, "there is no user '%s'", value);
	return keep ? keep_string(field(l, o), pw->pw_name, err) : PX_OK;
}

px_rc px_set_incomplete(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	bool partial = !strcmp(value, "partial");

	if (!partial && strcmp(value, "error") != 0)
		return px_err_set(err, PX_EUSAGE, "'%s' is none of %s", value, o->arg);
	if (keep)
		*(bool *)field(l, o) = partial;
	return PX_OK;
}

px_rc px_set_config(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	(void)o;
	return keep ? keep_string(&l->config, value, err) : PX_OK;
}

px_rc px_set_ignored(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	(void)l;
	(void)o;
	(void)value;
	(void)keep;
	(void)err;
	return PX_OK;
}
