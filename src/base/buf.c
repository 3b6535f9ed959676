/* SPDX-License-Identifier: MIT */
/* buf.c - the growing byte buffer. Invariants are in the header; check() executes them. */
#include "propexofs/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/hash.h"
#include "propexofs/utf8.h"

static void check(const struct px_buf *b)
{
	assert(b->len <= b->cap && b->len <= b->max);
	assert(!b->data || b->data[b->len] == '\0');
	(void)b;
}

void px_buf_init(struct px_buf *b, size_t max)
{
	*b = PX_BUF_INIT(max);
}

void px_buf_release(struct px_buf *b)
{
	free(b->data);
	px_buf_init(b, b->max);
}

void px_buf_wipe(struct px_buf *b)
{
	if (b->data)
		px_wipe(b->data, b->cap);
	px_buf_release(b);
}

void px_buf_cleanup(struct px_buf *b)
{
	px_buf_release(b);
}

px_rc px_buf_reserve(struct px_buf *b, size_t more)
{
	size_t need, cap;
	char *data;

	check(b);
	if (b->failed)
		return b->failed;
	if (more > b->max - b->len)
		return b->failed = PX_ELIMIT;
	need = b->len + more;
	if (b->data && need <= b->cap)
		return PX_OK;
	cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (cap > b->max)
		cap = b->max;
	data = realloc(b->data, cap + 1);
	if (!data)
		return b->failed = PX_ENOMEM;
	b->data = data;
	b->cap = cap;
	b->data[b->len] = '\0';
	return PX_OK;
}

px_rc px_buf_add(struct px_buf *b, const void *data, size_t len)
{
	px_rc rc = px_buf_reserve(b, len);

	if (rc)
		return rc;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return PX_OK;
}

px_rc px_buf_adds(struct px_buf *b, const char *s)
{
	return px_buf_add(b, s, strlen(s));
}

px_rc px_buf_addc(struct px_buf *b, char c)
{
	return px_buf_add(b, &c, 1);
}

px_rc px_buf_vaddf(struct px_buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;
	px_rc rc;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return b->failed ? b->failed : (b->failed = PX_ENOMEM);
	rc = px_buf_reserve(b, (size_t)n);
	if (rc)
		return rc;
	/* cap bytes are followed by one more for the NUL */
	(void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
	return PX_OK;
}

px_rc px_buf_addf(struct px_buf *b, const char *fmt, ...)
{
	va_list ap;
	px_rc rc;

	va_start(ap, fmt);
	rc = px_buf_vaddf(b, fmt, ap);
	va_end(ap);
	return rc;
}

px_rc px_buf_add_json(struct px_buf *b, const char *s, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t i = 0;

	px_buf_addc(b, '"');
	while (i < len) {
		unsigned char c = (unsigned char)s[i];
		size_t run = i;

		while (run < len && (unsigned char)s[run] >= 0x20 && (unsigned char)s[run] < 0x7f &&
			s[run] != '"' && s[run] != '\\')
			run++;
		if (run > i) {
			px_buf_add(b, s + i, run - i);
			i = run;
			continue;
		}
		if (c == '"' || c == '\\') {
			px_buf_addc(b, '\\');
			px_buf_addc(b, (char)c);
			i++;
		} else if (c == '\n') {
			px_buf_adds(b, "\\n");
			i++;
		} else if (c < 0x20 || c == 0x7f) {
			char esc[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

			px_buf_add(b, esc, sizeof esc);
			i++;
		} else {
			size_t n = px_utf8_len(s + i, len - i);

			if (n)
				px_buf_add(b, s + i, n);
			else
				px_buf_adds(b, "\xef\xbf\xbd");
			i += n ? n : 1;
		}
	}
	return px_buf_addc(b, '"');
}

px_rc px_buf_add_jsons(struct px_buf *b, const char *s)
{
	return s ? px_buf_add_json(b, s, strlen(s)) : px_buf_adds(b, "null");
}

void px_buf_truncate(struct px_buf *b, size_t len)
{
	check(b);
	assert(len <= b->len);
	b->len = len;
	if (b->data)
		b->data[len] = '\0';
}

void px_buf_reset(struct px_buf *b)
{
	px_buf_truncate(b, 0);
	b->failed = PX_OK;
}

char *px_buf_steal(struct px_buf *b, size_t *ret_len)
{
	char *data;

	if (!b->data)
		px_buf_reserve(b, 0);
	if (b->failed)
		return NULL;
	data = b->data;
	if (ret_len)
		*ret_len = b->len;
	px_buf_init(b, b->max);
	return data;
}

px_rc px_buf_ok(const struct px_buf *b, struct px_err *err)
{
	if (b->failed == PX_ENOMEM)
		return px_err_nomem(err);
	if (b->failed)
		return px_err_set(
			err, b->failed, "more than the %zu bytes that are accepted", b->max);
	return PX_OK;
}
