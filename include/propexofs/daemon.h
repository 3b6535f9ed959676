/* SPDX-License-Identifier: MIT */
/*
 * daemon.h - builds every part in order and takes it down in reverse; the only module that sees
 * them all.
 */
#ifndef PROPEXOFS_DAEMON_H
#define PROPEXOFS_DAEMON_H

#include "propexofs/conf.h"
#include "propexofs/err.h"

/*
 * Mounts and serves until unmounted or told to stop (SIGTERM, SIGINT). Unless conf->foreground,
 * returns in the calling process as soon as the tree can be served (the daemon goes on in the
 * background), and *ret_parent is true there. Everything that can be refused is refused before
 * returning, with one line in err.
 */
px_rc px_daemon_mount(const struct px_conf *conf, bool *ret_parent, struct px_err *err);

/* `propexofs sync`: brings the store up to date once without a mount; progress on stderr when it is
 * a terminal (a bar), else a line now and then. A daemon that has the store does it (control.h),
 * with its own key and selection; otherwise the key is loaded here. *ret_complete: every wanted
 * model is complete. */
px_rc px_daemon_sync(struct px_conf *conf, bool *ret_complete, struct px_err *err);

#endif
