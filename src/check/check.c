/* SPDX-License-Identifier: MIT */
/* check.c - one look after the other, and what they have in common. */
#include "check_i.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const subjects[PX_SUBJECTS] = {
	[PX_ON_DEVICE] = "/dev/fuse",
	[PX_ON_FUSERMOUNT] = "fusermount3",
	[PX_ON_CONF] = "configuration",
	[PX_ON_ALLOW_OTHER] = "allow_other",
	[PX_ON_MOUNTPOINT] = "mountpoint",
	[PX_ON_STORE_DIR] = "store directory",
	[PX_ON_SPACE] = "free space",
	[PX_ON_OWNER] = "store owner",
	[PX_ON_FORMAT] = "store format",
	[PX_ON_KEY] = "key",
	[PX_ON_API] = "API address",
	[PX_ON_TLS] = "TLS",
	[PX_ON_AUTHORISED] = "authorisation",
	[PX_ON_ALLOWANCE] = "allowance",
	[PX_ON_HOOK_ADDRESS] = "webhook address",
	[PX_ON_HOOK_SECRET] = "webhook secret",
};

const char *px_verdict_word(enum px_verdict v)
{
	static const char *const words[] = {"ok", "warn", "fail", "skip"};

	return words[v];
}

void px_found(struct px_checking *k, enum px_subject s, enum px_verdict v, const char *hint,
	const char *fmt, ...)
{
	struct px_finding f = {.subject = subjects[s], .verdict = v};
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(f.text, sizeof f.text, fmt, ap);
	va_end(ap);
	(void)snprintf(f.hint, sizeof f.hint, "%s", hint ? hint : "");
	k->failed += v == PX_VERDICT_FAIL;
	k->broken[s] = v == PX_VERDICT_FAIL || v == PX_VERDICT_SKIP;
	if (v == PX_VERDICT_FAIL)
		k->cause[s] = s;
	k->tell(k->arg, &f);
}

bool px_skipped(struct px_checking *k, enum px_subject s, enum px_subject on)
{
	if (!k->broken[on])
		return false;
	k->cause[s] = k->cause[on];
	px_found(k, s, PX_VERDICT_SKIP, NULL, "because %s failed", subjects[k->cause[s]]);
	return true;
}

void px_check(struct px_conf *conf, const struct px_err *conf_err,
	void (*tell)(void *arg, const struct px_finding *f), void *arg, int *ret_failed)
{
	struct px_checking k = {.conf = conf, .tell = tell, .arg = arg};

	px_check_device(&k);
	px_check_fusermount(&k);
	px_check_conf(&k, conf_err);
	px_check_allow_other(&k);
	px_check_mountpoint(&k);
	px_check_store(&k);
	px_check_key(&k);
	px_check_api(&k);
	px_check_hooks(&k);
	*ret_failed = k.failed;
}
