/* SPDX-License-Identifier: MIT */
/*
 * buf.h - the growing byte buffer, with a mandatory maximum.
 *
 * Invariants: len <= cap, len <= max; data[len] is NUL whenever data is not NULL; a failed append
 * leaves content as it was and makes the buffer "failed", so that a chain of appends is checked
 * once at its end with px_buf_ok. A struct px_buf belongs to one thread at a time.
 */
#ifndef PROPEXOFS_BUF_H
#define PROPEXOFS_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "propexofs/err.h"

struct px_buf {
	char *data; /* may be read; NULL while empty */
	size_t len; /* may be read, and lowered with px_buf_truncate */
	size_t cap;
	size_t max;
	px_rc failed; /* first failure: PX_ENOMEM or PX_ELIMIT; 0 while sound */
};

#define PX_BUF_INIT(maximum)                                                                       \
	((struct px_buf){.data = NULL, .len = 0, .cap = 0, .max = (maximum), .failed = 0})

void px_buf_init(struct px_buf *b, size_t max);
void px_buf_release(struct px_buf *b); /* frees; b can be used again, empty, same max */
void px_buf_wipe(struct px_buf *b);    /* overwrites the content first: for secrets */

/* Each returns 0, or the buffer's failure. */
px_rc px_buf_reserve(struct px_buf *b, size_t more);
px_rc px_buf_add(struct px_buf *b, const void *data, size_t len);
px_rc px_buf_adds(struct px_buf *b, const char *s);
px_rc px_buf_addc(struct px_buf *b, char c);
px_rc px_buf_addf(struct px_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
px_rc px_buf_vaddf(struct px_buf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Appends s as a JSON string literal with its quotes; `len` bytes. Bytes that are not UTF-8 become
 * U+FFFD, so the result is always valid JSON. */
px_rc px_buf_add_json(struct px_buf *b, const char *s, size_t len);
/* The same for a C string; NULL gives null. */
px_rc px_buf_add_jsons(struct px_buf *b, const char *s);

void px_buf_truncate(struct px_buf *b, size_t len); /* len must be <= b->len; clears no failure */
void px_buf_reset(struct px_buf *b);		    /* len 0 and no failure; keeps the memory */

/* Hands out the memory (to be freed by the caller with free) and leaves b empty. Never NULL unless
 * failed. */
char *px_buf_steal(struct px_buf *b, size_t *ret_len);

/* 0, or the failure explained in err. */
px_rc px_buf_ok(const struct px_buf *b, struct px_err *err);

void px_buf_cleanup(struct px_buf *b);
#define PX_BUF_AUTO __attribute__((cleanup(px_buf_cleanup)))

#endif
