/* SPDX-License-Identifier: MIT */
/*
 * dirstress.c - lists a directory again and again while it changes.
 *
 *   dirstress DIR SECONDS NAMES     NAMES: a file of names that are there all the time, a line each
 *
 * Each pass must bring each of NAMES exactly once, and no name twice. Prints how many passes there
 * were.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX = 100000 };

static char *names[MAX], *listed[MAX];

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t read_names(const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0, n = 0;
	ssize_t len;

	while (f && n < MAX && (len = getline(&line, &cap, f)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		names[n++] = strdup(line);
	}
	free(line);
	if (f)
		(void)fclose(f);
	qsort(names, n, sizeof *names, by_text);
	return n;
}

int main(int argc, char **argv)
{
	size_t wanted = argc == 4 ? read_names(argv[3]) : 0;
	time_t end = time(NULL) + (argc == 4 ? atoi(argv[2]) : 0);
	long passes = 0;

	if (!wanted)
		return 2;
	while (time(NULL) < end) {
		DIR *d = opendir(argv[1]);
		struct dirent *e;
		size_t n = 0, hits = 0;

		if (!d)
			return 2;
		while (errno = 0, (e = readdir(d)) && n < MAX)
			listed[n++] = strdup(e->d_name);
		if (errno) {
			printf("readdir: %s\n", strerror(errno));
			return 1;
		}
		closedir(d);
		qsort(listed, n, sizeof *listed, by_text);
		for (size_t i = 0; i < n; i++) {
			if (i && !strcmp(listed[i], listed[i - 1])) {
				printf("pass %ld: %s twice\n", passes, listed[i]);
				return 1;
			}
			hits += bsearch(&listed[i], names, wanted, sizeof *names, by_text) != NULL;
		}
		for (size_t i = 0; i < n; i++)
			free(listed[i]);
		if (hits != wanted) {
			printf("pass %ld: %zu of %zu names that were there all the time\n", passes,
				hits, wanted);
			return 1;
		}
		passes++;
	}
	printf("%ld passes\n", passes);
	return !passes;
}
