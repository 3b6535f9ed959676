/* SPDX-License-Identifier: MIT */
/* err.c - filling struct px_err. A message is always one terminated line. */
#include "propexofs/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	px_rc rc;
	int sys;
} rc_table[] = {
#define ROW(n, v, s) {#n, PX_##n, s},
	PX_RC_LIST(ROW)
#undef ROW
};

static void one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

px_rc px_err_set(struct px_err *err, px_rc code, const char *fmt, ...)
{
	if (err) {
		va_list ap;

		memset(err, 0, sizeof *err);
		err->code = code;
		va_start(ap, fmt);
		(void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
		va_end(ap);
		one_line(err->msg);
	}
	return code;
}

static px_rc rc_of_errno(int sys)
{
	switch (sys) {
	case ENOMEM:
		return PX_ENOMEM;
	case ENOENT:
		return PX_ENOENT;
	case EBUSY:
		return PX_EBUSY;
	case EEXIST:
		return PX_EEXIST;
	case ENOSPC:
	case EDQUOT:
		return PX_EFULL;
	default:
		return PX_EIO;
	}
}

px_rc px_err_sys(struct px_err *err, int sys, const char *fmt, ...)
{
	px_rc code = rc_of_errno(sys);

	if (err) {
		va_list ap;
		char reason[128];
		size_t len;

		memset(err, 0, sizeof *err);
		err->code = code;
		err->sys = sys;
		va_start(ap, fmt);
		(void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
		va_end(ap);
		len = strlen(err->msg);
		(void)snprintf(err->msg + len, sizeof err->msg - len, ": %s",
			strerror_r(sys, reason, sizeof reason));
		one_line(err->msg);
	}
	return code;
}

px_rc px_err_ctx(struct px_err *err, const char *fmt, ...)
{
	char head[sizeof err->msg];
	char whole[sizeof err->msg];
	va_list ap;
	int n;

	if (!err)
		return PX_EIO;
	va_start(ap, fmt);
	(void)vsnprintf(head, sizeof head, fmt, ap);
	va_end(ap);
	n = snprintf(whole, sizeof whole, "%s: %s", head, err->msg);
	(void)n; /* a message that is too long is cut at its end */
	memcpy(err->msg, whole, sizeof whole);
	one_line(err->msg);
	return err->code;
}

px_rc px_err_nomem(struct px_err *err)
{
	return px_err_set(err, PX_ENOMEM, "out of memory");
}

int px_rc_errno(px_rc rc)
{
	if (rc == PX_OK)
		return 0;
	for (size_t i = 0; i < sizeof rc_table / sizeof *rc_table; i++)
		if (rc_table[i].rc == rc)
			return rc_table[i].sys;
	return EIO;
}

const char *px_rc_name(px_rc rc)
{
	if (rc == PX_OK)
		return "OK";
	for (size_t i = 0; i < sizeof rc_table / sizeof *rc_table; i++)
		if (rc_table[i].rc == rc)
			return rc_table[i].name;
	return "?";
}
