/* SPDX-License-Identifier: MIT */
/*
 * status.h - one place that knows how things stand, and the texts that say it.
 *
 * The board is what only the running process knows (reachability, rates, progress); the store's
 * rows are the rest. Writers (sync, webhook, fs counters through callbacks) update the board;
 * renderers take both. All board calls: any thread; its lock is a leaf.
 */
#ifndef PROPEXOFS_STATUS_H
#define PROPEXOFS_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "propexofs/api.h"
#include "propexofs/buf.h"
#include "propexofs/conf.h"
#include "propexofs/fs.h"
#include "propexofs/store_read.h"

/* Progress of a walk over one directory, as sync sees it. */
struct px_progress {
	int64_t done;	  /* records read so far */
	int64_t expected; /* -1 unknown */
	int64_t eta_s;	  /* -1 unknown */
	bool active;
};

struct px_webhook_stats {
	bool listening;
	char address[128]; /* "127.0.0.1:41234", "" when off */
	int registered;	   /* hooks registered with the API; -1: not ours to manage */
	uint64_t received, rejected, duplicate;
	int64_t last_received_ms; /* 0: never */
};

struct px_board;
struct px_board *px_board_new(void);
void px_board_free(struct px_board *b);

/* Before threads. What is left out by --integration and --model counts as disabled, not as
 * incomplete; URL, refresh period and offline are known before the first request. conf outlives the
 * board. */
void px_board_set_conf(struct px_board *b, const struct px_conf *conf);
void px_board_set_api(
	struct px_board *b, const struct px_api_stats *s, const char *api_url, bool offline);
void px_board_set_refresh(struct px_board *b, int refresh_s);
/* Wall-clock ms of the last refresh that came through in full. */
void px_board_set_refreshed(struct px_board *b, int64_t ms);
void px_board_set_progress(struct px_board *b, int64_t did, const struct px_progress *p);
/* All but `registered`, which is sync's to say. */
void px_board_set_webhooks(struct px_board *b, const struct px_webhook_stats *s);
void px_board_set_registered(struct px_board *b, int registered);
/* The API announces changes for this integration that no delivery has brought (contract §5
 * `stale`), since when; 0: not so. */
void px_board_set_unannounced(struct px_board *b, int64_t iid, int64_t since_ms);
/* The store cannot be written (disk full, I/O error): message, or NULL when it can again. */
void px_board_set_store_error(struct px_board *b, const char *message);
/* While sync is at work on something that was announced for this integration. */
void px_board_set_catching_up(struct px_board *b, int64_t iid, bool on);

/* What the board says of itself as one value, for tests and callers that need a part. */
struct px_board_view {
	struct px_api_stats api;
	char api_url[256];
	bool offline;
	int refresh_s;
	int64_t started_ms, refreshed_ms;
	struct px_webhook_stats webhooks;
	char store_error[200];
};
void px_board_view(struct px_board *b, struct px_board_view *ret);

enum px_phase {
	PX_PHASE_WAITING,
	PX_PHASE_FILLING,
	PX_PHASE_CURRENT,
	PX_PHASE_CATCHING_UP,
	PX_PHASE_STALE,
	PX_PHASE_DISABLED,
	PX_PHASE_ERROR,
};
const char *px_phase_word(enum px_phase p);

/* The files of contract §5. board may be NULL: then only what the store knows (propexofs status
 * without a mount). Numbers and times change only when something does; keys never do. */
px_rc px_status_root(struct px_reader *r, struct px_board *board, const char *store_path,
	struct px_buf *out, struct px_err *err);
px_rc px_status_integration(struct px_reader *r, struct px_board *board, int64_t iid,
	struct px_buf *out, struct px_err *err);
/* Prometheus text format; fs may be NULL. */
px_rc px_status_metrics(struct px_reader *r, struct px_board *board,
	const struct px_fs_counters *fs, struct px_buf *out, struct px_err *err);
/* README.md of the mount. */
px_rc px_status_readme(struct px_buf *out, struct px_err *err);

/* One line for a service manager: phase, counts, what is wrong. */
px_rc px_status_line(
	struct px_reader *r, struct px_board *board, char *out, size_t size, struct px_err *err);
/* status.json of all as short lines for a log: ids and counts, nothing of what records say. */
px_rc px_status_dump(struct px_reader *r, struct px_board *board, const struct px_fs_counters *fs,
	void (*line)(void *arg, const char *text), void *arg, struct px_err *err);

/* Human text of a root status.json and its integrations, as `propexofs status` prints it. `status`
 * is the text of root status.json; read(arg, id, out) supplies an integration's. */
px_rc px_status_print(const char *status, size_t len,
	px_rc (*read)(
		void *arg, const char *integration_id, struct px_buf *out, struct px_err *err),
	void *arg, struct px_buf *out, struct px_err *err);

/* ---- watching ---- */

/* One moment, as texts: what the functions below show. Everything belongs to the caller. */
struct px_moment {
	const char *place;  /* mountpoint or store, for people */
	const char *status; /* root status.json */
	size_t len;
	/* an integration's status.json, as for px_status_print */
	px_rc (*read)(
		void *arg, const char *integration_id, struct px_buf *out, struct px_err *err);
	void *arg;
	const char *events; /* last lines of the log; the first may be cut */
	size_t events_len;
	int64_t now_ms; /* wall clock */
};

/* A screen of exactly `rows` lines of text without line ends, each ended by "\n"; nothing is cut at
 * the right, which is the terminal's to do. What does not fit is counted in a line of its own. */
px_rc px_status_screen(const struct px_moment *m, int rows, struct px_buf *out, struct px_err *err);

/* A line with a time for each thing that is not as it was at the last call. *state is the caller's,
 * empty (an initialised buffer) before the first; unchanged on failure. Allowance, ETA and counts
 * that only grow are shown, but are no change. */
px_rc px_status_changes(
	const struct px_moment *m, struct px_buf *state, struct px_buf *out, struct px_err *err);

#endif
