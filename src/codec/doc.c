/* SPDX-License-Identifier: MIT */
/*
 * doc.c - record files: the received tokens with our white space between them.
 *
 * Invariants: every token of the output is a copy of a received token, in the received order;
 * format(format(x)) is format(x) and compact(format(x)) is compact(x); a failure leaves the output
 * as it was.
 */
#include "codec_i.h"

/* Collects the many small pieces before they go to the buffer, which checks itself on each call. */
struct sink {
	struct px_buf *out;
	size_t n;
	char chunk[2048];
};

static void flush(struct sink *s)
{
	px_buf_add(s->out, s->chunk, s->n);
	s->n = 0;
}

static void put(struct sink *s, const char *p, size_t len)
{
	if (len > sizeof s->chunk - s->n) {
		flush(s);
		if (len > sizeof s->chunk) {
			px_buf_add(s->out, p, len);
			return;
		}
	}
	memcpy(s->chunk + s->n, p, len);
	s->n += len;
}

static void put_char(struct sink *s, char c)
{
	if (s->n == sizeof s->chunk)
		flush(s);
	s->chunk[s->n++] = c;
}

static void put_newline(struct sink *s, int depth)
{
	size_t spaces = 2 * (size_t)depth;

	_Static_assert(2 * PX_JSON_DEPTH_MAX + 1 <= sizeof s->chunk, "an indent fits");
	if (1 + spaces > sizeof s->chunk - s->n)
		flush(s);
	s->chunk[s->n] = '\n';
	memset(s->chunk + s->n + 1, ' ', spaces);
	s->n += 1 + spaces;
}

static size_t position(const struct sink *s)
{
	return s->out->len + s->n;
}

static px_rc finish(struct sink *s, const struct px_parser *ps, enum px_token last, size_t before,
	struct px_err *err)
{
	px_rc rc = last == PX_TOKEN_BAD ? px_parser_error(ps, err) : PX_OK;

	if (!rc) {
		flush(s);
		rc = px_buf_ok(s->out, err);
	}
	if (rc)
		px_buf_truncate(s->out, before);
	return rc;
}

px_rc px_doc_write(const char *text, size_t len, int outside, struct px_buf *out,
	px_member_fn *told, void *arg, struct px_err *err)
{
	struct sink s;
	struct px_parser ps;
	struct px_span key = {NULL, 0}; /* the newest one of the top level */
	bool after_key = false, first = true;
	size_t before = out->len, from = 0;
	enum px_token t;

	s.out = out;
	s.n = 0;
	px_parser_init(&ps, text, len, outside);
	while ((t = px_parser_next(&ps)) < PX_TOKEN_DONE) {
		if (t == PX_TOKEN_END) {
			if (!ps.empty)
				put_newline(&s, outside + ps.depth);
			put_char(&s, *ps.token.p);
			first = after_key = false;
		} else {
			if (!after_key) {
				int depth = ps.depth - (t == PX_TOKEN_BEGIN);

				if (!first)
					put_char(&s, ',');
				if (depth)
					put_newline(&s, outside + depth);
			}
			put(&s, ps.token.p, ps.token.len);
			after_key = t == PX_TOKEN_KEY;
			first = t == PX_TOKEN_BEGIN;
		}
		if (t == PX_TOKEN_KEY) {
			put_char(&s, ':');
			put_char(&s, ' ');
			if (ps.depth == 1) {
				key = ps.token;
				from = position(&s);
			}
		} else if (told && key.p && ps.depth == 1) {
			told(arg, key, from, position(&s));
		}
	}
	return finish(&s, &ps, t, before, err);
}

px_rc px_doc_format(const char *text, size_t len, struct px_buf *out, struct px_err *err)
{
	size_t before = out->len;
	px_rc rc = px_doc_write(text, len, 0, out, NULL, NULL, err);

	if (rc)
		return rc;
	px_buf_addc(out, '\n');
	rc = px_buf_ok(out, err);
	if (rc)
		px_buf_truncate(out, before);
	return rc;
}

px_rc px_doc_compact(const char *text, size_t len, struct px_buf *out, struct px_err *err)
{
	struct sink s;
	struct px_parser ps;
	bool comma = false;
	size_t before = out->len;
	enum px_token t;

	s.out = out;
	s.n = 0;
	px_parser_init(&ps, text, len, 0);
	while ((t = px_parser_next(&ps)) < PX_TOKEN_DONE) {
		if (comma && t != PX_TOKEN_END)
			put_char(&s, ',');
		put(&s, ps.token.p, ps.token.len);
		if (t == PX_TOKEN_KEY)
			put_char(&s, ':');
		comma = t == PX_TOKEN_SCALAR || t == PX_TOKEN_END;
	}
	return finish(&s, &ps, t, before, err);
}
