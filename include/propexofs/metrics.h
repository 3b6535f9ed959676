/* SPDX-License-Identifier: MIT */
/*
 * metrics.h - metrics.prom over HTTP, for Prometheus: GET /metrics and nothing else.
 *
 * One thread of libmicrohttpd with its own reader of the store: a scrape waits for nothing but the
 * disk, and nothing waits for a scrape. There is no authentication: what it says is counts, ids and
 * names of integrations, and the address says who can ask.
 */
#ifndef PROPEXOFS_METRICS_H
#define PROPEXOFS_METRICS_H

#include "propexofs/conf.h"
#include "propexofs/err.h"
#include "propexofs/fs.h"
#include "propexofs/status.h"

struct px_metrics;

/* Listens at fd, which is taken over; -1: at conf->metrics_listen. conf, board and fs outlive it.
 */
px_rc px_metrics_start(const struct px_conf *conf, int fd, struct px_board *board, struct px_fs *fs,
	struct px_metrics **ret, struct px_err *err);
void px_metrics_stop(struct px_metrics *m); /* accepts NULL */

#endif
