/* SPDX-License-Identifier: MIT */
/*
 * holdthread.c - stops one thread of a process for a while, and no other.
 *
 *   holdthread TID SECONDS
 *
 * Says "held" once it stands still.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	pid_t tid = argc == 3 ? atoi(argv[1]) : 0;
	int status;

	if (tid <= 0) {
		(void)fprintf(stderr, "usage: holdthread TID SECONDS\n");
		return 2;
	}
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ||
		waitpid(tid, &status, __WALL) != tid) {
		perror("holdthread");
		return 1;
	}
	if (puts("held") < 0 || fflush(stdout))
		return 1;
	(void)sleep((unsigned)atoi(argv[2]));
	return ptrace(PTRACE_DETACH, tid, NULL, NULL) ? 1 : 0;
}
