/* SPDX-License-Identifier: MIT */
/*
 * doc.c - record files: the received tokens with our white space, and diffs spliced into them.
 *
 * Invariants: every token of the output is a copy of a received token; format(format(x)) is
 * format(x); a splice changes the values it names and not one byte else.
 */
#include "codec_i.h"

#include <string.h>

static void newline(struct px_buf *out, int depth)
{
	static const char spaces[] =
		"\n                                                                "
		"                                                                "
		"                                                                "
		"                                                                ";

	px_buf_add(out, spaces, 1 + 2 * (size_t)depth);
}

_Static_assert(PX_JSON_DEPTH_MAX == 128, "the indent above is as long as the deepest nesting");

/* Formats one value whose first line stands at depth `base`. */
static px_rc format_at(
	const char *text, size_t len, int base, struct px_buf *out, struct px_err *err)
{
	struct px_parser ps;
	bool after_key = false, first = true;

	px_parser_init(&ps, text, len);
	for (;;) {
		enum px_token t = px_parser_next(&ps);

		if (t == PX_TOKEN_DONE)
			return px_buf_ok(out, err);
		if (t == PX_TOKEN_BAD)
			return px_parser_error(&ps, err);
		if (t == PX_TOKEN_END) {
			if (!ps.empty)
				newline(out, base + ps.depth);
			px_buf_add(out, ps.token.p, 1);
			first = after_key = false;
			continue;
		}
		if (!after_key) {
			int at = ps.depth - (t == PX_TOKEN_BEGIN);

			if (!first)
				px_buf_addc(out, ',');
			if (at)
				newline(out, base + at);
		}
		px_buf_add(out, ps.token.p, ps.token.len);
		if (t == PX_TOKEN_KEY)
			px_buf_add(out, ": ", 2);
		after_key = t == PX_TOKEN_KEY;
		first = t == PX_TOKEN_BEGIN;
	}
}

px_rc px_doc_format(const char *text, size_t len, struct px_buf *out, struct px_err *err)
{
	px_rc rc = format_at(text, len, 0, out, err);

	px_buf_addc(out, '\n');
	return rc ? rc : px_buf_ok(out, err);
}

px_rc px_doc_compact(const char *text, size_t len, struct px_buf *out, struct px_err *err)
{
	struct px_parser ps;
	bool after_key = false, first = true;

	px_parser_init(&ps, text, len);
	for (;;) {
		enum px_token t = px_parser_next(&ps);

		if (t == PX_TOKEN_DONE)
			return px_buf_ok(out, err);
		if (t == PX_TOKEN_BAD)
			return px_parser_error(&ps, err);
		if (t != PX_TOKEN_END && !after_key && !first)
			px_buf_addc(out, ',');
		px_buf_add(out, ps.token.p, ps.token.len);
		if (t == PX_TOKEN_KEY)
			px_buf_addc(out, ':');
		after_key = t == PX_TOKEN_KEY;
		first = t == PX_TOKEN_BEGIN;
	}
}

/* ---- splicing
 * ---------------------------------------------------------------------------------------------- */

static struct px_span value_of(struct px_span object, struct px_span name)
{
	struct px_span found = {NULL, 0}, key, v;
	struct px_json_walk w;

	px_json_walk_init(&w, object);
	while (px_json_walk_next(&w, &key, &v))
		if (px_json_equal(key, name))
			found = v;
	return found;
}

static enum px_splice judge(struct px_span doc, struct px_span fresh, struct px_span previous)
{
	struct px_json_walk w;
	struct px_span key, v;
	bool in_place = true, agrees = true;

	px_json_walk_init(&w, fresh);
	while (px_json_walk_next(&w, &key, &v)) {
		struct px_span have = value_of(doc, key);
		bool equal = have.p && px_json_equal(have, v);

		if (!have.p)
			return PX_SPLICE_LACKS;
		if (!equal &&
			(px_json_string_is(key, "id") || px_json_string_is(key, "integration_id")))
			return PX_SPLICE_LACKS;
		in_place &= equal;
	}
	px_json_walk_init(&w, previous);
	while (px_json_walk_next(&w, &key, &v)) {
		struct px_span have = value_of(doc, key);

		if (!have.p)
			return PX_SPLICE_LACKS;
		agrees &= px_json_equal(have, v);
	}
	if (in_place)
		return PX_SPLICE_DUPLICATE;
	return agrees ? PX_SPLICE_APPLIED : PX_SPLICE_MISMATCH;
}

px_rc px_doc_splice(const char *doc, size_t doc_len, struct px_span new_members,
	struct px_span previous, struct px_buf *out, enum px_splice *ret, struct px_err *err)
{
	struct px_span whole = {doc, doc_len}, key, v;
	struct px_json_walk w;
	const char *copied = doc;
	px_rc rc = px_json_check(doc, doc_len, err);

	if (rc)
		return rc;
	if (!new_members.p || px_json_kind(new_members) != PX_JSON_OBJECT ||
		px_json_kind(whole) != PX_JSON_OBJECT ||
		(previous.p && px_json_kind(previous) != PX_JSON_OBJECT))
		return px_err_set(err, PX_ESYNTAX, "the diff is not made of objects");
	*ret = judge(whole, new_members, previous);
	if (*ret != PX_SPLICE_APPLIED)
		return PX_OK;
	px_json_walk_init(&w, whole);
	while (px_json_walk_next(&w, &key, &v)) {
		struct px_span fresh = value_of(new_members, key);

		if (!fresh.p || px_json_equal(fresh, v))
			continue;
		px_buf_add(out, copied, (size_t)(v.p - copied));
		rc = format_at(fresh.p, fresh.len, 1, out, err);
		if (rc)
			return rc;
		copied = v.p + v.len;
	}
	px_buf_add(out, copied, (size_t)(doc + doc_len - copied));
	return px_buf_ok(out, err);
}
