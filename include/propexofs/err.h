/* SPDX-License-Identifier: MIT */
/*
 * err.h - the one error convention.
 *
 * A function that can fail returns px_rc: 0, or a negative PX_E*. Its last parameter is
 * `struct px_err *err`, written only on failure, with the cause in words; callers prepend context
 * on the way up with px_err_ctx. err may be NULL everywhere. Errors are logged once, where they are
 * handled. Any thread; a struct px_err belongs to its caller.
 */
#ifndef PROPEXOFS_ERR_H
#define PROPEXOFS_ERR_H

typedef int px_rc;

/* X(name, value, errno at the FUSE edge) */
#define PX_RC_LIST(X)                                                                              \
	X(ENOMEM, 1, ENOMEM)	 /* out of memory */                                               \
	X(EINVAL, 2, EINVAL)	 /* a value that makes no sense */                                 \
	X(EUSAGE, 3, EINVAL)	 /* command line or configuration: exit code 2 */                  \
	X(EIO, 4, EIO)		 /* the system or the disk failed */                               \
	X(ENOENT, 5, ENOENT)	 /* does not exist */                                              \
	X(EBUSY, 6, EBUSY)	 /* held by somebody else, or not ready */                         \
	X(ELIMIT, 7, EFBIG)	 /* larger than we accept */                                       \
	X(ESYNTAX, 8, EIO)	 /* malformed input from outside */                                \
	X(ENET, 9, EIO)		 /* network: no answer, reset, cut short, timed out */             \
	X(EHTTP, 10, EIO)	 /* the API answered with an error status */                       \
	X(EAUTH, 11, EACCES)	 /* 401 or 403 */                                                  \
	X(ERATE, 12, EAGAIN)	 /* 429 */                                                         \
	X(EFULL, 13, ENOSPC)	 /* disk full or queue full: try again later */                    \
	X(ECORRUPT, 14, EIO)	 /* the store is damaged */                                        \
	X(EVERSION, 15, EIO)	 /* the store is of a newer format */                              \
	X(EMISMATCH, 16, EINVAL) /* the store belongs to another API */                            \
	X(ECANCELED, 17, EINTR)	 /* stopped while at work */                                       \
	X(EEXIST, 18, EEXIST)	 /* exists already */

#define PX_RC_ENUM(name, value, sys) PX_##name = -(value),
enum { PX_OK = 0, PX_RC_LIST(PX_RC_ENUM) };
#undef PX_RC_ENUM

struct px_err {
	px_rc code;    /* as returned */
	int sys;       /* errno when the system said no, else 0 */
	int http;      /* status when the API said no, else 0 */
	char msg[480]; /* one line, no newline, never a secret, never a record's body */
};

/* Sets *err and returns code, for `return px_err_set(...)`. */
px_rc px_err_set(struct px_err *err, px_rc code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same from an errno: the code is derived (ENOSPC is EFULL...) and strerror is appended. */
px_rc px_err_sys(struct px_err *err, int sys, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Prepends "context: " to the message and returns err's code. */
px_rc px_err_ctx(struct px_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Out of memory, said without allocating. */
px_rc px_err_nomem(struct px_err *err);

/* The errno that stands for rc at the FUSE edge; 0 for PX_OK. */
int px_rc_errno(px_rc rc);

/* "ENOENT" for PX_ENOENT; for logs. */
const char *px_rc_name(px_rc rc);

#endif
