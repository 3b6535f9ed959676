/* SPDX-License-Identifier: MIT */
/*
 * notified.c - stands for the service manager: what is sent to NOTIFY_SOCKET, one assignment a
 * line.
 *
 *   notified SOCKET
 *
 * Each line begins with the milliseconds since it was started. Ends when killed.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static long long now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	long long began = now_ms();
	char text[8192];

	if (argc != 2 || fd < 0 || strlen(argv[1]) >= sizeof a.sun_path) {
		(void)fprintf(stderr, "usage: notified SOCKET\n");
		return 2;
	}
	memcpy(a.sun_path, argv[1], strlen(argv[1]) + 1);
	if (bind(fd, (struct sockaddr *)&a, sizeof a)) {
		perror(argv[1]);
		return 1;
	}
	for (;;) {
		ssize_t n = recv(fd, text, sizeof text - 1, 0);
		char *save = NULL;

		if (n < 0) {
			perror("recv");
			return 1;
		}
		text[n] = '\0';
		for (char *line = strtok_r(text, "\n", &save); line;
			line = strtok_r(NULL, "\n", &save))
			if (printf("%lld %s\n", now_ms() - began, line) < 0 || fflush(stdout))
				return 1;
	}
}
