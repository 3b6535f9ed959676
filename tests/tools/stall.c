/* SPDX-License-Identifier: MIT */
/*
 * stall.c - how long a mount makes its readers wait while something else goes on.
 *
 *   stall DIR END      looks up a name that is not there, a new one each time, until the file END
 * exists
 *
 * Each is a request to the daemon, for nothing of it can be cached. Prints how many, and
 * milliseconds: p50, p99, p99.9 and the longest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1 << 22, EACH_NS = 200000 };

static double took[MOST];

static double now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1000 + (double)ts.tv_nsec / 1e6;
}

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	const struct timespec each = {.tv_nsec = EACH_NS};
	size_t n = 0;

	if (argc != 3) {
		fprintf(stderr, "usage: stall DIR END\n");
		return 2;
	}
	while (n < MOST && access(argv[2], F_OK)) {
		char path[4096];
		struct stat st;
		double from;

		(void)snprintf(path, sizeof path, "%s/absent-%d-%zu", argv[1], (int)getpid(), n);
		from = now_ms();
		if (!stat(path, &st) || errno != ENOENT) {
			perror(path);
			return 1;
		}
		took[n++] = now_ms() - from;
		(void)nanosleep(&each, NULL);
	}
	if (!n)
		return 1;
	qsort(took, n, sizeof *took, by_number);
	printf("%zu lookups, ms: p50 %.2f p99 %.2f p99.9 %.2f max %.2f\n", n, took[n / 2],
		took[n * 99 / 100], took[n * 999 / 1000], took[n - 1]);
	return 0;
}
