/* SPDX-License-Identifier: MIT */
/*
 * treecheck.c - does a mounted tree equal the simulator's truth?
 *
 *   treecheck [--last-seen] [--partial] MOUNT TRUTH
 *   treecheck --paths MOUNT TRUTH
 *
 * TRUTH is what /_control/truth answers: a line for each record that the API serves. For each the
 * file is looked for by a name made here from the id, its bytes are compared with an indentation
 * made here of the text that was served, and st_size with the bytes read; then every directory is
 * listed, and a file that no line accounts for is a difference too.
 * --last-seen ignores the value of the top-level member last_seen; --partial allows what is
 * missing, but nothing that is wrong. --paths only prints where each record should be.
 *
 * Uses nothing of the codec that it judges: only hash.h, for names that are cut.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "propexofs/hash.h"

enum { SHOWN = 20 };

static bool ignore_last_seen, partial, paths;
static long differences, records, missing;

static void differ(const char *what, const char *path)
{
	if (differences++ < SHOWN)
		printf("%s: %s\n", what, path);
}

/* ---- a growing text ---- */

struct text {
	char *p;
	size_t len, cap;
};

static void put(struct text *t, const char *p, size_t len)
{
	if (t->len + len + 1 > t->cap) {
		t->cap = (t->len + len + 1) * 2;
		t->p = realloc(t->p, t->cap);
		if (!t->p)
			abort();
	}
	memcpy(t->p + t->len, p, len);
	t->len += len;
	t->p[t->len] = '\0';
}

static void put_line(struct text *t, int depth)
{
	put(t, "\n", 1);
	while (depth-- > 0)
		put(t, "  ", 2);
}

/* ---- JSON, as far as it takes ---- */

static const char *space(const char *p)
{
	while (*p && strchr(" \t\r\n", *p))
		p++;
	return p;
}

static const char *string_end(const char *p)
{
	for (p++; *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p + 1;
}

/* Indents the value at p; returns its end. */
static const char *indent(const char *p, int depth, struct text *out)
{
	char close;

	p = space(p);
	if (*p == '"') {
		const char *end = string_end(p);

		put(out, p, (size_t)(end - p));
		return end;
	}
	if (*p != '{' && *p != '[') {
		size_t len = strcspn(p, ",]} \t\r\n");

		put(out, p, len);
		return p + len;
	}
	close = *p == '{' ? '}' : ']';
	put(out, p, 1);
	p = space(p + 1);
	if (*p == close) {
		put(out, p, 1);
		return p + 1;
	}
	for (;;) {
		put_line(out, depth + 1);
		if (close == '}') {
			const char *end = string_end(p);

			put(out, p, (size_t)(end - p));
			put(out, ": ", 2);
			p = space(end) + 1;
		}
		p = space(indent(p, depth + 1, out));
		if (*p == close)
			break;
		put(out, p, 1);
		p = space(p + 1);
	}
	put_line(out, depth);
	put(out, p, 1);
	return p + 1;
}

static unsigned hex4(const char *p)
{
	char digits[5] = {p[0], p[1], p[2], p[3], 0};

	return (unsigned)strtoul(digits, NULL, 16);
}

static void put_utf8(struct text *t, unsigned c)
{
	char u[4];
	size_t n;

	if (c < 0x80) {
		u[0] = (char)c;
		n = 1;
	} else if (c < 0x800) {
		u[0] = (char)(0xc0 | c >> 6);
		u[1] = (char)(0x80 | (c & 63));
		n = 2;
	} else if (c < 0x10000) {
		u[0] = (char)(0xe0 | c >> 12);
		u[1] = (char)(0x80 | (c >> 6 & 63));
		u[2] = (char)(0x80 | (c & 63));
		n = 3;
	} else {
		u[0] = (char)(0xf0 | c >> 18);
		u[1] = (char)(0x80 | (c >> 12 & 63));
		u[2] = (char)(0x80 | (c >> 6 & 63));
		u[3] = (char)(0x80 | (c & 63));
		n = 4;
	}
	put(t, u, n);
}

/* Decodes the string token at p. */
static void decode(const char *p, struct text *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	out->len = 0;
	put(out, "", 0);
	for (p++; *p != '"'; p++) {
		if (*p != '\\') {
			put(out, p, 1);
			continue;
		}
		p++;
		if (*p == 'u') {
			unsigned c = hex4(p + 1);

			p += 4;
			if (c >= 0xd800 && c < 0xdc00 && p[1] == '\\') {
				c = 0x10000 + ((c - 0xd800) << 10) + (hex4(p + 3) - 0xdc00);
				p += 6;
			}
			put_utf8(out, c);
		} else {
			put(out, &to[strchr(from, *p) - from], 1);
		}
	}
}

/* The value of a top-level member of the object at p; NULL: none. */
static const char *member(const char *p, const char *name)
{
	size_t len = strlen(name);

	p = space(space(p) + 1);
	while (*p == '"') {
		const char *key = p + 1, *end = string_end(p);
		struct text skipped = {0};
		bool hit = (size_t)(end - 1 - key) == len && !memcmp(key, name, len);

		p = space(space(end) + 1);
		if (hit)
			return p;
		p = space(indent(p, 0, &skipped));
		free(skipped.p);
		if (*p == ',')
			p = space(p + 1);
	}
	return NULL;
}

/* ---- names ---- */

static void name_of(const char *id, size_t len, bool file, char ret[300])
{
	struct text t = {0};
	size_t max = file ? 250 : 250;

	put(&t, "", 0);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)id[i];

		if (isalnum(c) || c == '_' || c == '-' || (c == '.' && i)) {
			put(&t, id + i, 1);
		} else {
			char escape[4];

			(void)snprintf(escape, sizeof escape, "%%%02X", c);
			put(&t, escape, 3);
		}
	}
	if (t.len > max) {
		char hex[PX_SHA256_HEX];

		/* 16 digits and '~' take 17 */
		t.len = max - 17;
		while (t.p[t.len - 1] == '%' || t.p[t.len - 2] == '%')
			t.len--;
		px_sha256_hex(id, len, hex);
		put(&t, "~", 1);
		put(&t, hex, 16);
	}
	(void)snprintf(ret, 300, "%s%s", t.p, file ? ".json" : "");
	free(t.p);
}

/* ---- the names that must be there, for the second half ---- */

static char **wanted;
static size_t wanted_count, wanted_cap;

static void want(const char *path)
{
	if (wanted_count == wanted_cap) {
		wanted_cap = wanted_cap ? wanted_cap * 2 : 1024;
		wanted = realloc(wanted, wanted_cap * sizeof *wanted);
		if (!wanted)
			abort();
	}
	wanted[wanted_count++] = strdup(path);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- one record ---- */

static bool read_file(const char *path, struct text *out)
{
	FILE *f = fopen(path, "re");
	char chunk[65536];
	size_t n;

	if (!f)
		return false;
	out->len = 0;
	put(out, "", 0);
	while ((n = fread(chunk, 1, sizeof chunk, f)))
		put(out, chunk, n);
	return !fclose(f);
}

/* The text without the line of the top-level member last_seen. */
static void drop_last_seen(struct text *t)
{
	char *line = strstr(t->p, "\n  \"last_seen\": ");
	char *end = line ? strchr(line + 1, '\n') : NULL;

	if (!end)
		return;
	memmove(line, end, t->len - (size_t)(end - t->p) + 1);
	t->len -= (size_t)(end - line);
}

static void check_record(const char *mount, const char *line)
{
	struct text id = {0}, integration = {0}, expected = {0}, found = {0};
	char name[300], dir[300], model[80], path[4096];
	const char *model_token = member(line, "model"), *record = member(line, "record");
	struct stat st;

	decode(member(line, "integration_id"), &integration);
	decode(member(line, "id"), &id);
	(void)snprintf(model, sizeof model, "%.*s",
		(int)(strchr(model_token + 1, '"') - model_token - 1), model_token + 1);
	name_of(integration.p, integration.len, false, dir);
	name_of(id.p, id.len, true, name);
	(void)snprintf(path, sizeof path, "%s/integrations/%s/%s/%s", mount, dir, model, name);
	records++;
	if (paths) {
		printf("%s\n", path);
		free(id.p);
		free(integration.p);
		return;
	}
	want(path);
	indent(record, 0, &expected);
	put(&expected, "\n", 1);
	if (lstat(path, &st)) {
		missing++;
		if (!partial)
			differ("missing", path);
	} else if (!read_file(path, &found)) {
		differ("unreadable", path);
	} else {
		if ((size_t)st.st_size != found.len)
			differ("size", path);
		if (ignore_last_seen) {
			drop_last_seen(&expected);
			drop_last_seen(&found);
		}
		if (found.len != expected.len || memcmp(found.p, expected.p, found.len) != 0)
			differ("content", path);
	}
	free(id.p);
	free(integration.p);
	free(expected.p);
	free(found.p);
}

/* ---- what else is there ---- */

static void list(const char *path, int depth)
{
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d) {
		differ("cannot open", path);
		return;
	}
	while (errno = 0, (e = readdir(d))) {
		char below[4096], *key = below;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		(void)snprintf(below, sizeof below, "%s/%s", path, e->d_name);
		if (depth < 2 && e->d_type == DT_DIR)
			list(below, depth + 1);
		else if (depth == 2 && strstr(e->d_name, ".jsonl") == NULL &&
			 !bsearch(&key, wanted, wanted_count, sizeof *wanted, by_text))
			differ("not in the truth", below);
	}
	if (errno && !partial)
		differ(strerror(errno), path);
	closedir(d);
}

int main(int argc, char **argv)
{
	char root[4096], *line = NULL;
	size_t cap = 0;
	int at = 1;
	FILE *f;

	for (; at < argc && argv[at][0] == '-'; at++) {
		ignore_last_seen |= !strcmp(argv[at], "--last-seen");
		partial |= !strcmp(argv[at], "--partial");
		paths |= !strcmp(argv[at], "--paths");
	}
	if (argc - at != 2 || !(f = fopen(argv[at + 1], "re"))) {
		fprintf(stderr,
			"usage: treecheck [--last-seen] [--partial | --paths] MOUNT TRUTH\n");
		return 2;
	}
	while (getline(&line, &cap, f) > 0)
		check_record(argv[at], line);
	(void)fclose(f);
	free(line);
	if (paths)
		return 0;
	qsort(wanted, wanted_count, sizeof *wanted, by_text);
	(void)snprintf(root, sizeof root, "%s/integrations", argv[at]);
	list(root, 0);
	for (size_t i = 0; i < wanted_count; i++)
		free(wanted[i]);
	free(wanted);
	printf("treecheck: %ld records, %ld missing, %ld differences\n", records, missing,
		differences);
	return differences || !records;
}
