/* SPDX-License-Identifier: MIT */
/* mmapcat.c - cat by mmap(2). With a second argument: maps, says "mapped", waits for a line on
 * standard input, and only then touches the pages: what a reader sees that mapped a file before it
 * was replaced. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct stat st;
	void *p;
	int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0 || fstat(fd, &st))
		return 2;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return 1;
	if (argc > 2) {
		fprintf(stderr, "mapped\n");
		if (getchar() == EOF)
			return 1;
	}
	return fwrite(p, 1, (size_t)st.st_size, stdout) != (size_t)st.st_size || fflush(stdout);
}
