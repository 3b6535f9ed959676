/* SPDX-License-Identifier: MIT */
/*
 * main.c - the process: clock and closed descriptors first, then the subcommand.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "propexofs/clock.h"

/* Started with a standard descriptor closed, the next file to be opened would take its place, and a
 * message would end in the store. Opened the wrong way round, so that using one still fails. */
static int hold_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	int code;

	if (hold_standard_descriptors())
		return PX_EXIT_FAILED;
	px_clock_setup();
	code = px_cli_main(argc, argv);
	if (fflush(stdout)) {
		(void)fprintf(stderr, "propexofs: standard output: %s\n", strerrordesc_np(errno));
		if (code == PX_EXIT_DONE)
			code = PX_EXIT_FAILED;
	}
	return code;
}
