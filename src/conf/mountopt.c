/* SPDX-License-Identifier: MIT */
/*
 * mountopt.c - the list after -o: our options, mount(8)'s, FUSE's.
 *
 * Invariants: what we do not know is refused (unless mount(8) says -s), never handed on; only
 * names, never values, go into messages, for somebody may have put a key there. "\," is a comma
 * within a value, "\\" a backslash.
 */
#include "conf_i.h"

#include <stdlib.h>
#include <string.h>

enum kind {
	SILENT,	  /* nothing to do: mount(8)'s own, or so anyway */
	PASS,	  /* to libfuse or the kernel */
	PASS_ARG, /* the same, with a value */
	NOEXEC,
	EXEC,
	REFUSED,
};

static const struct {
	const char *name; /* ends in '*': a prefix */
	enum kind kind;
} foreign[] = {
	/* mount(8)'s: who may mount, when, and what it keeps for itself */
	{"_netdev", SILENT},
	{"_rnetdev", SILENT},
	{"nofail", SILENT},
	{"auto", SILENT},
	{"noauto", SILENT},
	{"user", NOEXEC},
	{"users", NOEXEC},
	{"owner", SILENT},
	{"group", SILENT},
	{"nouser", SILENT},
	{"nousers", SILENT},
	{"noowner", SILENT},
	{"nogroup", SILENT},
	{"defaults", SILENT},
	{"comment", SILENT},
	{"x-*", SILENT},
	{"X-*", SILENT},
	/* what a read-only mount that libfuse makes nosuid and nodev is or does anyway */
	{"ro", SILENT},
	{"rw", SILENT},
	{"suid", SILENT},
	{"nosuid", SILENT},
	{"dev", SILENT},
	{"nodev", SILENT},
	{"exec", EXEC},
	{"noexec", NOEXEC},
	{"atime", SILENT},
	{"noatime", SILENT},
	{"diratime", SILENT},
	{"nodiratime", SILENT},
	{"relatime", SILENT},
	{"norelatime", SILENT},
	{"strictatime", SILENT},
	{"nostrictatime", SILENT},
	{"lazytime", SILENT},
	{"nolazytime", SILENT},
	{"sync", SILENT},
	{"async", SILENT},
	{"dirsync", SILENT},
	{"silent", SILENT},
	{"loud", SILENT},
	{"iversion", SILENT},
	{"noiversion", SILENT},
	{"default_permissions", SILENT},
	/* FUSE's */
	{"allow_other", PASS},
	{"allow_root", PASS},
	{"debug", PASS},
	{"max_read", PASS_ARG},
	{"fsname", PASS_ARG},
	{"context", PASS_ARG},
	{"fscontext", PASS_ARG},
	{"defcontext", PASS_ARG},
	{"rootcontext", PASS_ARG},
	{"remount", REFUSED},
};

static bool matches(const char *row, const char *name)
{
	size_t len = strlen(row);

	return row[len - 1] == '*' ? !strncmp(row, name, len - 1) : !strcmp(row, name);
}

/* Adds name[=value] to what libfuse gets, escaped as its own parser wants it. */
static px_rc pass_on(struct px_load *l, const char *name, const char *value, struct px_err *err)
{
	struct px_buf *b = &l->fuse[l->rank];

	if (b->len)
		px_buf_addc(b, ',');
	px_buf_adds(b, name);
	if (value)
		px_buf_addc(b, '=');
	for (; value && *value; value++) {
		if (*value == ',' || *value == '\\')
			px_buf_addc(b, '\\');
		px_buf_addc(b, *value);
	}
	return px_buf_ok(b, err);
}

static px_rc set_foreign(struct px_load *l, const char *name, const char *value, struct px_err *err)
{
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
		if (!matches(foreign[i].name, name))
			continue;
		switch (foreign[i].kind) {
		case SILENT:
			return PX_OK;
		case NOEXEC:
		case EXEC:
			if (l->rank >= l->noexec_rank) {
				l->noexec = foreign[i].kind == NOEXEC;
				l->noexec_rank = l->rank;
			}
			return PX_OK;
		case PASS:
			if (value)
				return px_err_set(err, PX_EUSAGE, "-o %s takes no value", name);
			return pass_on(l, name, NULL, err);
		case PASS_ARG:
			if (!value || !*value)
				return px_err_set(err, PX_EUSAGE, "-o %s needs a value", name);
			return pass_on(l, name, value, err);
		case REFUSED:
			return px_err_set(err, PX_EUSAGE,
				"-o %s: options cannot be changed while mounted; unmount and mount "
				"again",
				name);
		}
	}
	if (l->sloppy)
		return PX_OK;
	return px_err_set(
		err, PX_EUSAGE, "-o %s: unknown option; see propexofs mount --help", name);
}

static px_rc set_one(struct px_load *l, char *item, struct px_err *err)
{
	char *value = strchr(item, '=');
	const struct px_option *o;
	px_rc rc;

	if (value)
		*value++ = '\0';
	o = px_option_by_name(item, strlen(item), PX_BY_O);
	if (!o)
		return set_foreign(l, item, value, err);
	rc = px_option_set(l, o, value, err);
	return rc ? px_err_ctx(err, "-o %s", o->name) : PX_OK;
}

px_rc px_set_options(struct px_load *l, const struct px_option *o, const char *value, bool keep,
	struct px_err *err)
{
	char *item = malloc(strlen(value) + 1);
	size_t n = 0;
	px_rc rc = PX_OK;

	(void)o;
	(void)keep; /* each option within decides for itself */
	if (!item)
		return px_err_nomem(err);
	for (const char *p = value; !rc; p++) {
		if (*p == '\\' && (p[1] == ',' || p[1] == '\\')) {
			item[n++] = *++p;
			continue;
		}
		if (*p && *p != ',') {
			item[n++] = *p;
			continue;
		}
		item[n] = '\0';
		if (n)
			rc = set_one(l, item, err);
		n = 0;
		if (!*p)
			break;
	}
	free(item);
	return rc;
}
