/* SPDX-License-Identifier: MIT */
/*
 * check_i.h - how findings are made.
 *
 * Each look belongs to one subject and tells exactly one finding. `broken` remembers what failed,
 * by subject, for those that depend on it.
 */
#ifndef PX_CHECK_I_H
#define PX_CHECK_I_H

#include "propexofs/check.h"

/* What can be asked about, in order of dependency. */
enum px_subject {
	PX_ON_DEVICE,
	PX_ON_FUSERMOUNT,
	PX_ON_CONF,
	PX_ON_ALLOW_OTHER,
	PX_ON_MOUNTPOINT,
	PX_ON_STORE_DIR,
	PX_ON_SPACE,
	PX_ON_OWNER,
	PX_ON_FORMAT,
	PX_ON_KEY,
	PX_ON_API,
	PX_ON_TLS,
	PX_ON_AUTHORISED,
	PX_ON_ALLOWANCE,
	PX_ON_HOOK_ADDRESS,
	PX_ON_HOOK_SECRET,
	PX_SUBJECTS,
};

struct px_checking {
	struct px_conf *conf;
	void (*tell)(void *arg, const struct px_finding *f);
	void *arg;
	int failed;
	bool broken[PX_SUBJECTS];	    /* failed, or was skipped */
	enum px_subject cause[PX_SUBJECTS]; /* of what is broken: what failed first */
	bool in_use;			    /* a running propexofs holds the store */
};

/* Each tells its finding. hint: NULL or "": none. */
void px_found(struct px_checking *k, enum px_subject s, enum px_verdict v, const char *hint,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Tells "because X failed" and returns true when `on` is broken. */
bool px_skipped(struct px_checking *k, enum px_subject s, enum px_subject on);

/* system.c: what FUSE needs of this machine. */
void px_check_device(struct px_checking *k);
void px_check_fusermount(struct px_checking *k);
void px_check_allow_other(struct px_checking *k);
void px_check_mountpoint(struct px_checking *k);
/* files.c: configuration and store. */
void px_check_conf(struct px_checking *k, const struct px_err *err);
void px_check_store(struct px_checking *k);
/* remote.c: key, API, deliveries. */
void px_check_key(struct px_checking *k);
void px_check_api(struct px_checking *k);
void px_check_hooks(struct px_checking *k);

#endif
