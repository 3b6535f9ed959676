/* SPDX-License-Identifier: MIT */
/*
 * test_codec_util.h - what the tests of the codec share.
 *
 * Texts that are to be refused are handed over in memory of exactly their size, so that a sanitizer
 * sees a single byte read too far.
 */
#ifndef PROPEXOFS_TEST_CODEC_UTIL_H
#define PROPEXOFS_TEST_CODEC_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "propexofs/codec.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct px_span absent __attribute__((unused)) = {NULL, 0};

static inline struct px_span span(const char *s)
{
	return s ? (struct px_span){s, strlen(s)} : absent;
}

/* A copy without a byte behind it; free with free. */
static inline char *exact(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	if (len)
		memcpy(copy, text, len);
	return copy;
}

/* A file of tests/data/json; the tests run at the root of the tree. */
static inline char *load(const char *name, size_t *ret_len)
{
	char path[300], *text = malloc(1 << 16);
	size_t len;
	FILE *f;

	(void)snprintf(path, sizeof path, "tests/data/json/%s", name);
	f = fopen(path, "rb");
	if (!f || !text)
		fail_msg("%s cannot be read", path);
	len = fread(text, 1, 1 << 16, f);
	assert_int_equal(fclose(f), 0);
	*ret_len = len;
	return text;
}

static inline char *format_len(const char *text, size_t len)
{
	struct px_buf b = PX_BUF_INIT(1 << 24);
	struct px_err err = {0};

	if (px_doc_format(text, len, &b, &err))
		fail_msg("%s: %.*s", err.msg, (int)len, text);
	return px_buf_steal(&b, NULL);
}

static inline char *format(const char *text)
{
	return format_len(text, strlen(text));
}

static inline char *compact(const char *text)
{
	struct px_buf b = PX_BUF_INIT(1 << 24);
	struct px_err err = {0};

	if (px_doc_compact(text, strlen(text), &b, &err))
		fail_msg("%s: %s", err.msg, text);
	return px_buf_steal(&b, NULL);
}

static inline void assert_span(struct px_span got, const char *want)
{
	if (!got.p || !want) {
		assert_true(!got.p == !want);
		return;
	}
	if (got.len != strlen(want) || memcmp(got.p, want, got.len) != 0)
		fail_msg("%.*s instead of %s", (int)got.len, got.p, want);
}

static inline void assert_text(const char *got, const char *want)
{
	if (!got || !want)
		assert_true(!got == !want);
	else
		assert_string_equal(got, want);
}

#endif
