/* SPDX-License-Identifier: MIT */
/*
 * mute.c - a server that takes datagrams and answers none: a name server on the other side of a
 * dead line.
 *
 *   mute PORT
 *
 * On loopback; says "asked" for each. Ends when killed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	const struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)(argc == 2 ? atoi(argv[1]) : 0)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[512];

	if (!a.sin_port || fd < 0) {
		(void)fprintf(stderr, "usage: mute PORT\n");
		return 2;
	}
	if (bind(fd, (const struct sockaddr *)&a, sizeof a)) {
		perror("bind");
		return 1;
	}
	while (recv(fd, text, sizeof text, 0) >= 0)
		if (puts("asked") < 0 || fflush(stdout))
			return 1;
	perror("recv");
	return 1;
}
