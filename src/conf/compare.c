/* SPDX-License-Identifier: MIT */
/* compare.c - what differs between two configurations, from the table. */
#include "conf_i.h"

#include <string.h>

bool px_same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_list(const struct px_strings *a, const struct px_strings *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (strcmp(a->list[i], b->list[i]) != 0)
			return false;
	return a->count == b->count;
}

/* By the type that the row's setter stores. */
static bool same(const struct px_option *o, const struct px_conf *a, const struct px_conf *b)
{
	const void *x = (const char *)a + o->offset, *y = (const char *)b + o->offset;

	if (o->set == px_set_config)
		return px_same_text(a->config_file, b->config_file);
	if (o->set == px_set_options)
		return px_same_text(a->fuse_options, b->fuse_options);
	if (o->set == px_set_mask) /* umask shows in one of the others */
		return o->offset == 1	? a->file_mask == b->file_mask
		       : o->offset == 2 ? a->dir_mask == b->dir_mask
					: true;
	if (o->set == px_set_switch || o->set == px_set_incomplete)
		return *(const bool *)x == *(const bool *)y;
	if (o->set == px_set_int)
		return *(const int *)x == *(const int *)y;
	if (o->set == px_set_level)
		return *(const enum px_log_level *)x == *(const enum px_log_level *)y;
	if (o->set == px_set_user)
		return *(const uid_t *)x == *(const uid_t *)y;
	if (o->set == px_set_group)
		return *(const gid_t *)x == *(const gid_t *)y;
	if (o->set == px_set_text || o->set == px_set_model)
		return same_list(x, y);
	if (o->set == px_set_ignored)
		return true;
	return px_same_text(*(char *const *)x, *(char *const *)y);
}

void px_conf_differences(
	const struct px_conf *a, const struct px_conf *b, bool live, struct px_buf *names)
{
	for (size_t i = 0; i < px_option_count; i++) {
		const struct px_option *o = &px_options[i];

		if (o->live == live && !same(o, a, b))
			px_buf_addf(names, "%s%s", names->len ? ", " : "", o->name);
	}
}
