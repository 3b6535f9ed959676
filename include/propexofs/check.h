/* SPDX-License-Identifier: MIT */
/*
 * check.h - the doctor: everything that a mount needs, with a verdict and a remedy each.
 *
 * In order of dependency: what depends on something that failed is skipped and says because of
 * what. Changes nothing, makes no file, and sends at most one GET (more only when the API redirects
 * it). Blocks for as long as the network does: about 30 s at most. One thread.
 */
#ifndef PROPEXOFS_CHECK_H
#define PROPEXOFS_CHECK_H

#include "propexofs/conf.h"
#include "propexofs/err.h"

enum px_verdict { PX_VERDICT_OK, PX_VERDICT_WARN, PX_VERDICT_FAIL, PX_VERDICT_SKIP };

/* "ok", "warn", "fail", "skip" */
const char *px_verdict_word(enum px_verdict v);

struct px_finding {
	const char *subject; /* static: "/dev/fuse", "key" */
	enum px_verdict verdict;
	char text[512]; /* what was found, one line, never a secret */
	char hint[320]; /* what to do, "" when nothing */
};

/*
 * Looks at everything and tells each finding in turn; the number of those that failed goes to
 * *ret_failed. conf NULL: it could not be read, and conf_err says why; what needs it is skipped.
 * The key and the secrets are loaded into conf, for it to be released.
 */
void px_check(struct px_conf *conf, const struct px_err *conf_err,
	void (*tell)(void *arg, const struct px_finding *f), void *arg, int *ret_failed);

#endif
