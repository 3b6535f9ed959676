/* SPDX-License-Identifier: MIT */
/*
 * logwatch.c - reads a growing log as fast as it can and judges what it sees.
 *
 *   logwatch FILE SECONDS
 *
 * Every look: stat, read to the end, by read(2) and by mmap(2). A NUL byte, a size that goes back,
 * bytes that change, or fewer bytes than stat said are errors. Prints how many looks there were,
 * and how far the log grew.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX = 64 << 20 };

static char seen[MAX], now[MAX];

static bool judge(const char *how, const char *text, size_t len, size_t told, size_t before)
{
	if (memchr(text, '\0', len)) {
		printf("%s: a NUL at %zu of %zu\n", how,
			(size_t)((const char *)memchr(text, '\0', len) - text), len);
		return false;
	}
	if (len < told) {
		printf("%s: %zu bytes of %zu\n", how, len, told);
		return false;
	}
	if (memcmp(text, seen, before) != 0) {
		printf("%s: bytes have changed\n", how);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 1);
	size_t before = 0, first = 0;
	long looks = 0;

	while (time(NULL) < end) {
		struct stat st;
		size_t len = 0;
		ssize_t n;
		char *map;
		int fd = open(argv[1], O_RDONLY | O_CLOEXEC);

		if (fd < 0 || fstat(fd, &st) || st.st_size > MAX)
			return 2;
		if ((size_t)st.st_size < before) {
			printf("size went back from %zu to %zu\n", before, (size_t)st.st_size);
			return 1;
		}
		while ((n = read(fd, now + len, MAX - len)) > 0)
			len += (size_t)n;
		if (!judge("read", now, len, (size_t)st.st_size, before))
			return 1;
		map = st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0)
				 : NULL;
		if (map && map != MAP_FAILED) {
			if (!judge("mmap", map, (size_t)st.st_size, (size_t)st.st_size, before))
				return 1;
			munmap(map, (size_t)st.st_size);
		}
		(void)close(fd);
		memcpy(seen, now, len);
		before = len;
		if (!looks++)
			first = len;
	}
	printf("%ld looks, grew by %zu bytes\n", looks, before - first);
	return !looks;
}
