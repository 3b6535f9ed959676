/* SPDX-License-Identifier: MIT */
/*
 * dirwalk.c - are the cookies of a directory true?
 *
 *   dirwalk DIR
 *
 * Lists DIR, remembers telldir before each entry, goes back to every cookie in a scattered order,
 * and expects the same entry there; then rewinds and expects the same listing. Exits 1 with a line
 * when something differs.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 200000 };

static struct {
	long cookie;
	char *name;
} seen[MAX];

int main(int argc, char **argv)
{
	DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
	struct dirent *e;
	size_t n = 0, again = 0;

	if (!d) {
		fprintf(stderr, "usage: dirwalk DIR\n");
		return 2;
	}
	for (;;) {
		long cookie = telldir(d);

		e = readdir(d);
		if (!e || n == MAX)
			break;
		seen[n].cookie = cookie;
		seen[n++].name = strdup(e->d_name);
	}
	for (size_t i = 0; i < n; i++) {
		size_t at = i * 7919 % n;

		seekdir(d, seen[at].cookie);
		e = readdir(d);
		if (!e || strcmp(e->d_name, seen[at].name) != 0) {
			printf("cookie %ld: %s, was %s\n", seen[at].cookie,
				e ? e->d_name : "the end", seen[at].name);
			return 1;
		}
	}
	rewinddir(d);
	while ((e = readdir(d))) {
		if (again >= n || strcmp(e->d_name, seen[again].name) != 0) {
			printf("after rewinding entry %zu is %s\n", again, e->d_name);
			return 1;
		}
		again++;
	}
	closedir(d);
	if (again != n || n < 3) {
		printf("%zu entries, then %zu\n", n, again);
		return 1;
	}
	for (size_t i = 0; i < n; i++)
		free(seen[i].name);
	return 0;
}
