/* SPDX-License-Identifier: MIT */
/*
 * handover.c - runs a command as systemd does that listens for it (sd_listen_fds(3)).
 *
 *   handover NAME=ADDRESS... -- COMMAND...
 *
 * ADDRESS as in listen.h; where it listens goes to standard output, a line each.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "propexofs/listen.h"

enum { FIRST = 3, MAX = 8 };

int main(int argc, char **argv)
{
	char names[256] = "", text[32], where[128];
	int n = 0, fds[MAX];
	struct px_err err;

	for (; n + 1 < argc && n < MAX && strcmp(argv[n + 1], "--") != 0; n++) {
		char *equals = strchr(argv[n + 1], '=');

		if (!equals)
			return 2;
		*equals = '\0';
		(void)snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s",
			n ? ":" : "", argv[n + 1]);
		if (px_listen(equals + 1, argv[n + 1], &fds[n], &err)) {
			(void)fprintf(stderr, "handover: %s\n", err.msg);
			return 1;
		}
		px_listen_name(fds[n], where, sizeof where);
		(void)printf("%s\n", where);
	}
	if (n + 2 >= argc || fflush(stdout))
		return 2;
	/* out of the way of where they go */
	for (int i = 0; i < n; i++)
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST + MAX);
	for (int i = 0; i < n; i++)
		if (fds[i] < 0 || dup2(fds[i], FIRST + i) < 0)
			return 1;
	(void)snprintf(text, sizeof text, "%d", (int)getpid());
	(void)setenv("LISTEN_PID", text, 1);
	(void)snprintf(text, sizeof text, "%d", n);
	(void)setenv("LISTEN_FDS", text, 1);
	(void)setenv("LISTEN_FDNAMES", names, 1);
	(void)execvp(argv[n + 2], argv + n + 2);
	perror(argv[n + 2]);
	return 127;
}
