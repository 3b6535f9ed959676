/* SPDX-License-Identifier: MIT */
/*
 * names.c - names in the tree that are not records.
 *
 * Invariants: a name has no '/' or NUL, is not "." or "..", and fits 255 bytes; two integrations
 * never share one. Which of several equal ones keeps the plain name depends on their age alone, so
 * names do not move when the list is read again.
 */
#include "fs_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"
#include "propexofs/codec.h"
#include "propexofs/utf8.h"

void name_of_integration(const char *id, char ret[256])
{
	px_record_name(id, strlen(id), ret);
	ret[strlen(ret) - strlen(".json")] = '\0';
}

/* Any UTF-8 stays; what cannot be in a name, or hides it, becomes '_'. At most `max` bytes, whole
 * characters. */
static void readable(const char *from, size_t max, char *to)
{
	size_t left = strlen(from), n, len = 0;

	for (; left; from += n, left -= n) {
		n = px_utf8_len(from, left);
		if (len + (n ? n : 1) > max)
			break;
		if (!n || (n == 1 && ((unsigned char)*from < 0x20 || *from == 0x7f ||
					     *from == '/' || (*from == '.' && !len)))) {
			to[len++] = '_';
			n = n ? n : 1;
		} else {
			memcpy(to + len, from, n);
			len += n;
		}
	}
	if (!len)
		to[len++] = '_';
	to[len] = '\0';
}

static bool older(const struct px_integration *a, const struct px_integration *b)
{
	int order = strcmp(a->created_at ? a->created_at : "", b->created_at ? b->created_at : "");

	return order ? order < 0 : strcmp(a->id, b->id) < 0;
}

static bool taken(char (*names)[256], size_t count, size_t self, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (i != self && !strcmp(names[i], name))
			return true;
	return false;
}

void names_readable(const struct px_integration *list, size_t count, char (*ret)[256])
{
	bool *plain = calloc(count ? count : 1, sizeof *plain);

	for (size_t i = 0; i < count; i++)
		readable(list[i].name && *list[i].name ? list[i].name : list[i].id, 255, ret[i]);
	for (size_t i = 0; i < count && plain; i++) {
		plain[i] = true;
		for (size_t k = 0; k < count; k++)
			if (k != i && !strcmp(ret[k], ret[i]) && older(&list[k], &list[i]))
				plain[i] = false;
	}
	for (size_t i = 0; i < count; i++) {
		size_t id_len = strlen(list[i].id);
		char tail[16], base[256], own[256];

		if (plain && plain[i])
			continue;
		readable(list[i].id + (id_len > 6 ? id_len - 6 : 0), sizeof tail - 2, tail);
		readable(list[i].name && *list[i].name ? list[i].name : list[i].id,
			255 - 1 - strlen(tail), base);
		(void)snprintf(own, sizeof own, "%s~%s", base, tail);
		/* somebody is called like that, or shares those six characters: the whole id is
		 * never shared */
		if (taken(ret, count, i, own))
			name_of_integration(list[i].id, own);
		memcpy(ret[i], own, sizeof own);
	}
	free(plain);
}

void name_of_day(int64_t day, char ret[32])
{
	char text[PX_TIME_MAX];

	(void)snprintf(ret, 32, "%.10s.jsonl", px_time_format_day(day * 86400000, text));
}

bool day_of_name(const char *name, int64_t *ret)
{
	int64_t ns;
	char back[32];

	if (strlen(name) != strlen("2026-11-23.jsonl") || px_time_parse(name, 10, &ns) || ns < 0)
		return false;
	*ret = ns / INT64_C(86400000000000);
	name_of_day(*ret, back);
	return !strcmp(back, name);
}
