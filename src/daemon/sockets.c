/* SPDX-License-Identifier: MIT */
/* sockets.c - what the service manager listens at for us (sd_listen_fds(3)). */
#include "daemon_i.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "propexofs/log.h"

static px_rc take(int fd, const char *name, struct handed *ret, struct px_err *err)
{
	int *slot = !strcmp(name, "metrics") ? &ret->metrics : &ret->webhook;

	if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
		return px_err_set(err, PX_EUSAGE,
			"the service manager hands over %s, which is no listening stream socket: "
			"ListenStream= and Accept=no make one",
			name);
	if (*slot >= 0)
		return px_err_set(err, PX_EUSAGE,
			"the service manager hands over two sockets for %s: one is for webhooks, "
			"one with FileDescriptorName=metrics for metrics",
			slot == &ret->metrics ? "metrics" : "webhooks");
	*slot = fd;
	return PX_OK;
}

px_rc sockets_take(struct handed *ret, struct px_err *err)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);
	px_rc rc = PX_OK;

	ret->webhook = ret->metrics = -1;
	if (n < 0)
		return px_err_sys(err, -n, "cannot take what the service manager hands over");
	for (int i = 0; i < n && !rc; i++)
		rc = take(SD_LISTEN_FDS_START + i, names[i], ret, err);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return rc;
}
