/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what a fuzz target is, and what the targets share.
 *
 * A target is one fuzz_*.c with LLVMFuzzerTestOneInput; driver.c gives it a main, or libFuzzer
 * does. It returns 0 when the input got past the first check, else -1: such an input is no use as a
 * beginning for others. A property that does not hold aborts, and the driver says with which input.
 */
#ifndef PROPEXOFS_FUZZ_H
#define PROPEXOFS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			(void)fprintf(                                                             \
				stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what);  \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* More than any input becomes when it is indented. */
enum { FUZZ_ROOM = 64 << 20 };

static inline struct px_span fuzz_span(const struct px_buf *b)
{
	return (struct px_span){b->data, b->len};
}

static inline bool fuzz_same(struct px_span a, struct px_span b)
{
	return a.len == b.len && (!a.len || !memcmp(a.p, b.p, a.len));
}

static inline bool fuzz_same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : !a && !b;
}

/* Text in memory of exactly its size, so that a sanitizer sees a single byte read too far. */
static inline struct px_span fuzz_exact(const void *data, size_t len)
{
	char *copy = malloc(len ? len : 1);

	HOLDS(copy);
	if (len)
		memcpy(copy, data, len);
	return (struct px_span){copy, len};
}

static inline void fuzz_drop(struct px_span exact)
{
	free((void *)exact.p);
}

/* The only ways in which text can be refused; the reason is always given. */
static inline bool fuzz_refused(px_rc rc, const struct px_err *err)
{
	return (rc == PX_ESYNTAX || rc == PX_ELIMIT) && err->code == rc && err->msg[0] &&
	       !strchr(err->msg, '\n');
}

/* Into `out`, emptied first: text that has been checked cannot fail. */
static inline struct px_span fuzz_format(struct px_span text, struct px_buf *out)
{
	px_buf_reset(out);
	HOLDS(!px_doc_format(text.p, text.len, out, NULL));
	return fuzz_span(out);
}

static inline struct px_span fuzz_compact(struct px_span text, struct px_buf *out)
{
	px_buf_reset(out);
	HOLDS(!px_doc_compact(text.p, text.len, out, NULL));
	return fuzz_span(out);
}

#endif
