/* SPDX-License-Identifier: MIT */
/*
 * api_i.h - private to src/api.
 *
 * Life of a request: queued (by purpose) -> transfer -> answered, or back through `later` (a retry
 * that waits its time), `hops` (a redirect to another host, which the limiter does not count) or
 * `alone` (an answer that needs the whole memory budget). It is on exactly one list, or belongs to
 * exactly one transfer.
 */
#ifndef PROPEXOFS_API_I_H
#define PROPEXOFS_API_I_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "propexofs/api.h"

enum {
	PX_API_URL_MAX = 512,	     /* of the base URL */
	PX_API_BUDGET = 32 << 20,    /* bytes of all bodies in flight */
	PX_API_RESERVE = 1 << 20,    /* least that is set aside for an answer */
	PX_API_BODY = 8 << 20,	     /* default of max_body */
	PX_API_ERROR_BODY = 1 << 16, /* of an error answer more is not read */
	PX_API_HOPS = 3,
	PX_API_RENEW_MS = 60000, /* least time between two askings for a new key */
	PX_API_AWAY = 4,	 /* failures in a row after which the API counts as away */
};

/* scheme://host:port in lower case, the port always there: equal text is the same origin. */
struct px_origin {
	char text[320];
	bool tls, loopback;
};
px_rc px_url_origin(const char *url, struct px_origin *ret, struct px_err *err);
bool px_url_loopback(const char *host);

struct px_request {
	struct px_request *next;
	enum px_purpose purpose;
	const char *method; /* static */
	char *path;	    /* with its query */
	char *body;	    /* of a management request, may hold a secret: wiped; NULL none */
	char *target;	    /* where a redirect leads; NULL: base URL + path */
	bool foreign;	    /* target is of another origin: goes without the key */
	bool alone;
	size_t max_body;
	int attempts; /* requests sent, hops not included */
	int failures; /* that counted against `retries` */
	int hops;
	int64_t not_before_ms;
	void (*sending)(void *arg);
	void (*done)(void *arg, const struct px_answer *answer);
	void *arg;
};

struct px_list {
	struct px_request *first, *last;
};

/* Why a transfer was given up by ourselves. */
enum px_cut { PX_CUT_NOT, PX_CUT_OVER_MAX, PX_CUT_BUDGET, PX_CUT_ERROR_BODY, PX_CUT_NOMEM };

struct px_transfer {
	struct px_api *api;
	struct px_request *r; /* NULL: free */
	CURL *easy;
	struct curl_slist *headers; /* holds the key: wiped */
	struct px_buf body;
	size_t reserved; /* of the budget */
	enum px_cut cut;
	bool counted; /* the limiter let it out: ticket is set */
	struct px_limiter_ticket ticket;
	int64_t sent_ms;
	unsigned key_number; /* of the key that it went with */
	char reason[CURL_ERROR_SIZE];
};

/* The limiter, of one client or of several that share an allowance. */
struct gate {
	pthread_mutex_t lock;	    /* a leaf */
	struct px_limiter *limiter; /* guarded by: lock */
	_Atomic int clients;
};

struct px_api {
	/* constant after px_api_new */
	char base[PX_API_URL_MAX];
	struct px_origin origin;
	char *user_agent;
	size_t connections;
	int retries;
	long connect_timeout_ms, stall_timeout_s, total_timeout_ms;
	px_rc (*renew_key)(void *arg, struct px_api *a, struct px_err *err); /* may be NULL */
	void *renew_arg;

	/* owner's thread */
	CURLM *multi;
	char *key;
	unsigned key_number;	       /* steps when the key becomes another one */
	int64_t renewed_ms;	       /* when it was last asked for anew, 0 never */
	struct px_transfer *transfers; /* `connections` of them */
	size_t in_flight;
	size_t reserved; /* sum over transfers */
	size_t largest;	 /* recently seen answer, slowly forgotten */
	struct px_list queue[PX_PURPOSES];
	struct px_list later, hops, alone;
	size_t waiting[PX_PURPOSES];
	uint64_t random;
	int failed;	       /* attempts in a row that found nobody */
	int holds;	       /* pauses since then */
	int64_t hold_until_ms; /* of the newest */
	bool stepping, closing;

	_Atomic bool woken;

	pthread_mutex_t lock; /* a leaf: nothing is called with it held */
	struct gate *gate;
	struct px_api_stats stats; /* guarded by: lock */
};

/* client.c: libcurl, once in the life of the process. */
CURLcode px_api_init_curl(void);

/* transfer.c: one attempt. */
px_rc px_transfer_start(struct px_transfer *t, struct px_request *r, struct px_err *err);
/* Takes the attempt off the line and forgets it; the request is left alone. */
void px_transfer_end(struct px_transfer *t);

struct px_transfer_headers {
	int64_t limit, remaining; /* -1: absent */
	int64_t retry_after_ms;	  /* -1: absent */
};
void px_transfer_headers(struct px_transfer *t, struct px_transfer_headers *ret);

#endif
