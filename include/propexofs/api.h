/* SPDX-License-Identifier: MIT */
/*
 * api.h - GET from Propexo: several requests in flight, one limiter for all, capped bodies,
 * deadlines.
 *
 * Knows nothing of models, JSON or the store. One struct px_api belongs to one thread (sync); only
 * px_api_wake and px_api_stats may be called from others. The key goes to the host of the base URL
 * only, is never logged, and is wiped on free. Nothing but GET is sent, except px_api_manage
 * (webhook management).
 */
#ifndef PROPEXOFS_API_H
#define PROPEXOFS_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "propexofs/buf.h"
#include "propexofs/err.h"

/* What a request is for, by falling priority. Every class with work gets at least a tenth of what
 * is sent. */
enum px_purpose {
	PX_FOR_CONTROL, /* list of integrations, probes: a few, always first */
	PX_FOR_HYDRATE, /* re-reads of single records that an event marked */
	PX_FOR_CATCH_UP,
	PX_FOR_FILL,
	PX_FOR_SWEEP,
	PX_PURPOSES,
};

/* ---- limiter: pure, the clock is passed in
 * -------------------------------------------------------------- */

struct px_limiter;
struct px_limiter *px_limiter_new(int share_percent); /* NULL: out of memory */
void px_limiter_free(struct px_limiter *l);
void px_limiter_set_share(struct px_limiter *l, int share_percent);

/* Identifies one request that was let out; the caller keeps it and hands it back once, with what
 * became of the request. Members belong to limiter.c. */
struct px_limiter_ticket {
	int64_t sent_ms;
	int64_t sent, done, doubt; /* the limiter's counters before this request */
	int64_t used;		   /* what was known to be used then, -1 nothing */
	unsigned generation;
	bool probe;
};

/* May a request of this class be sent now? 0: yes, it is counted as sent and *ret is its ticket.
 * Otherwise ms to wait (> 0) before asking again; asking again after any answer is worthwhile.
 * `waiting` is a bit mask (1 << px_purpose) of all classes with work, so that none starves: while
 * it is another class's turn the answer is 1. */
int64_t px_limiter_take(struct px_limiter *l, enum px_purpose purpose, unsigned waiting,
	int64_t now_ms, struct px_limiter_ticket *ret);
/* What an answer said: -1 for a header that was absent. */
void px_limiter_answer(struct px_limiter *l, const struct px_limiter_ticket *t, int64_t limit,
	int64_t remaining, int64_t now_ms);
/* A request ended without an answer. */
void px_limiter_lost(struct px_limiter *l, const struct px_limiter_ticket *t, int64_t now_ms);
/* 429: nothing is sent until the minute has surely ended (retry_after_ms when told, -1 when not:
 * then up to a minute, with jitter). */
void px_limiter_refused(struct px_limiter *l, const struct px_limiter_ticket *t,
	int64_t retry_after_ms, int64_t now_ms);
struct px_limiter_view {
	int64_t allowed;	   /* per minute: 0 until told */
	int64_t used;		   /* of this minute, others' use of the account included */
	int64_t sent[PX_PURPOSES]; /* in the last 60 s, ours */
	int64_t paused_until_ms;   /* 0: not paused */
	int64_t share;	    /* of `allowed`, what may be used; 0 until told, or without limit */
	int64_t room;	    /* requests that may be sent now */
	int64_t more_in_ms; /* until there is more room than that */
};
void px_limiter_view(struct px_limiter *l, int64_t now_ms, struct px_limiter_view *ret);
/* How long `requests` will take, of which one after the other takes each_ms: they go out as there
 * is room, minute by minute. */
int64_t px_limiter_forecast_ms(
	const struct px_limiter_view *v, int64_t requests, double each_ms, int64_t now_ms);

/* ---- URLs
 * ---------------------------------------------------------------------------------------------------
 */

/* Appends s percent-encoded for a path segment or a query value (everything outside A-Za-z0-9._~-
 * is encoded; "." and ".." as whole segments are encoded too). */
px_rc px_url_encode(struct px_buf *b, const char *s, size_t len);
/* Appends path_template with its one "{}" replaced by the encoded id. */
px_rc px_url_path(struct px_buf *b, const char *path_template, const char *id, size_t id_len);
/* Appends ?key=value or &key=value, encoded. */
px_rc px_url_query(struct px_buf *b, const char *key, const char *value);
px_rc px_url_query_int(struct px_buf *b, const char *key, int64_t value);
/* Checks a base URL: https, or http to a loopback host; no user, query or fragment. Writes it
 * without a trailing slash. */
px_rc px_url_base(const char *url, char *ret, size_t size, struct px_err *err);

/* ---- client
 * ---------------------------------------------------------------------------------------------------
 */

struct px_answer {
	/* 0: a 2xx status and a whole body. PX_EHTTP, PX_EAUTH (401, 403), PX_ENOENT (404),
	 * PX_ERATE never (waited out inside), PX_ENET (after retries), PX_ELIMIT (body over max),
	 * PX_ECANCELED */
	px_rc rc;
	int status;	  /* HTTP status, 0 when none came */
	const char *body; /* valid during the callback; also for error statuses (capped);
			     NUL-terminated */
	size_t len;
	struct px_err err;	  /* why rc is not 0; never holds the key */
	int64_t sent_ms, done_ms; /* px_clock_mono_ms */
	int attempts;
};

struct px_api;
struct px_api_options {
	const char *base_url;
	const char *key; /* copied, wiped on free */
	int connections; /* requests in flight */
	int share_percent;
	const char *user_agent;
	int retries; /* attempts after the first for resets, stalls, 5xx, truncation; with jitter:
			0.5, 1, 2, 4… s, at most 30 s */
	/* For keys that are replaced: called on the owner's thread when the API has answered 401,
	 * at most once a minute; gives the key anew with px_api_set_key. What was refused with
	 * another key than the present one is sent once more. NULL: a 401 is final. */
	px_rc (*renew_key)(void *arg, struct px_api *a, struct px_err *err);
	void *renew_arg;
	/* One allowance for two: requests of this client are let out by the limiter of that one
	 * (share_percent is not looked at), and it begins with its key (nor is key). That one may
	 * belong to another thread; it must be alive during px_api_new. NULL: alone. */
	struct px_api *beside;
	/* Real milliseconds, 0: the default. */
	int connect_timeout_ms; /* 10 s */
	int stall_timeout_ms;	/* 20 s without a byte; counted in whole seconds */
	int total_timeout_ms;	/* 120 s for an answer as a whole */
};

px_rc px_api_new(const struct px_api_options *o, struct px_api **ret, struct px_err *err);
/* Ends what is under way with PX_ECANCELED answers first. Accepts NULL. */
void px_api_free(struct px_api *a);
/* Takes effect with the next request: for keys that were replaced. */
px_rc px_api_set_key(struct px_api *a, const char *key, struct px_err *err);
/* 1 to 100; from the next request on. */
void px_api_set_share(struct px_api *a, int share_percent);

/*
 * Queues a GET. path starts with '/', query included; copied. done is called exactly once, from
 * px_api_step or px_api_free, on the owner's thread; it may submit more. `sending` (may be NULL) is
 * called on the owner's thread right before each attempt goes out: for taking an epoch. max_body 0:
 * the default of 8 MiB. With a NULL: PX_ECANCELED, for what still ends after the client.
 */
px_rc px_api_get(struct px_api *a, enum px_purpose purpose, const char *path, size_t max_body,
	void (*sending)(void *arg), void (*done)(void *arg, const struct px_answer *answer),
	void *arg, struct px_err *err);

/* Webhook management only: method POST, PUT or DELETE, path must start with "/v1/webhooks/", body
 * may be NULL. Sent once: it may have had its effect even when no answer came. Only a 429, which
 * has none, is waited out. */
px_rc px_api_manage(struct px_api *a, const char *method, const char *path, const char *body,
	void (*done)(void *arg, const struct px_answer *answer), void *arg, struct px_err *err);

/* Runs transfers and callbacks; returns after deadline_mono_ms, a finished transfer, or
 * px_api_wake. */
void px_api_step(struct px_api *a, int64_t deadline_mono_ms);
void px_api_wake(struct px_api *a); /* any thread */
/* Requests queued or under way, by purpose; of all with PX_PURPOSES. Owner's thread. */
size_t px_api_waiting(struct px_api *a, enum px_purpose purpose);

struct px_api_stats {
	struct px_limiter_view limiter;
	uint64_t requests[PX_PURPOSES]; /* attempts sent since start */
	uint64_t refused;		/* 429 answers */
	uint64_t failed;		/* attempts that ended without a 2xx */
	uint64_t bytes;
	bool reachable; /* the newest attempt got an HTTP answer below 500; true before the first */
	bool authorized;	/* the newest answer was not a 401; true before the first */
	int64_t last_answer_ms; /* px_clock_wall_ms of the newest HTTP answer, 0 none */
	char last_error[200];	/* newest failure, one line, or "" */
	int64_t last_error_ms;
};
void px_api_stats(struct px_api *a, struct px_api_stats *ret); /* any thread */

/* Connects to a base URL's host, shakes hands, and hangs up without a request. err says what did
 * not go; timeout in real ms, for all of it. Any thread. */
enum px_reach {
	PX_REACH_NO_NAME,	/* its name stands for no address */
	PX_REACH_NO_CONNECTION, /* nobody answers there */
	PX_REACH_NO_TLS,	/* somebody does, but no TLS with a good certificate came about */
	PX_REACH_TLS,
	PX_REACH_PLAIN, /* reached, at a URL without TLS */
};
enum px_reach px_api_reach(const char *base_url, int timeout_ms, struct px_err *err);

#endif
