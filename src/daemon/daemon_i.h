/* SPDX-License-Identifier: MIT */
/* daemon_i.h - private to src/daemon: the running process and its parts. */
#ifndef PX_DAEMON_I_H
#define PX_DAEMON_I_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "propexofs/control.h"
#include "propexofs/daemon.h"
#include "propexofs/feed.h"
#include "propexofs/fs.h"
#include "propexofs/ingest.h"
#include "propexofs/metrics.h"
#include "propexofs/status.h"
#include "propexofs/sync.h"
#include "propexofs/webhook.h"

/* What the service manager has been told. Signal thread. */
struct manager {
	bool on; /* there is one */
	bool ready;
	int64_t watchdog_ms; /* half of its time; 0: none */
	int64_t status_due_ms, watchdog_due_ms;
	char status[256];
	struct px_reader *reader;
};

/* Listening sockets, -1: none. */
struct handed {
	int webhook, metrics;
};

struct daemon {
	const struct px_conf *conf; /* as started */
	struct px_conf *live;	    /* as read again last, or NULL. Signal thread */
	struct px_board *board;
	struct px_feed *feed;
	struct px_ingest *ingest;
	struct px_reader *reader; /* of the renderer: request thread */
	struct px_fs *fs;
	struct px_sync *sync;
	struct handed handed; /* until receiver and metrics have taken them over */
	struct px_webhook *webhook;
	struct px_control *control;
	struct px_metrics *metrics;
	pthread_t signals;
	bool signals_started;
	struct manager manager;
	pthread_mutex_t parts; /* held while parts are changed, or begin to end */
	_Atomic bool ending;   /* parts are being stopped */
	_Atomic bool ended;    /* all but the signal thread and the mount */
	bool asked;	       /* to unmount, by a signal. Signal thread */
};

/* ---- user.c: in this order, before there are threads */

/* Becomes conf->setuid but for the saved user, and makes the store's directory his when it is not
 * there. PX_EUSAGE unless root. Does nothing without setuid, as the others. */
px_rc user_assume(const struct px_conf *c, struct px_err *err);
/* Root's power for the mount. */
px_rc user_raise(const struct px_conf *c, struct px_err *err);
/* Gives all of it up: root, and any capability when not root. */
px_rc user_settle(const struct px_conf *c, struct px_err *err);

/* ---- sockets.c */

/* What the service manager hands over: to this process, so before it forks. One named "metrics" is
 * for metrics, any other for webhooks. PX_EUSAGE: what we cannot use. */
px_rc sockets_take(struct handed *ret, struct px_err *err);

/* ---- signals.c */

/* Blocks what the signal thread waits for, in this thread and those it starts. */
void signals_block(sigset_t *ret);
px_rc signals_start(struct daemon *d, struct px_err *err);
void signals_stop(struct daemon *d); /* joins; does nothing when not started */

/* ---- reload.c: signal thread, with d->parts held */

void daemon_reload(struct daemon *d);

/* ---- manager.c: does nothing when there is no service manager */

/* CLOCK_MONOTONIC in ms, also when the rest runs on a test's clock. */
int64_t daemon_real_ms(void);
void manager_init(struct manager *m);
/* What is due. Ms until more is, -1: nothing will be. Signal thread, as the two below. */
int64_t manager_tick(struct daemon *d);
void manager_reloading(struct daemon *d);
void manager_reloaded(struct daemon *d);
void manager_stopping(struct daemon *d); /* any thread */
void manager_release(struct manager *m);

#endif
