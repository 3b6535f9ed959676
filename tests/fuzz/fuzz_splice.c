/* SPDX-License-Identifier: MIT */
/*
 * fuzz_splice.c - a diff applied to a stored file.
 *
 * The input is three texts with a line "---" between them: the file, the new values, and (it may be
 * left out) the previous ones. A splice changes the values it names and not one byte else; what it
 * has done it finds in place the next time; undone, the record means what it meant before; whatever
 * is not applied leaves no trace.
 */
#include "fuzz.h"

static struct px_span cut(struct px_span *rest)
{
	static const char line[] = "\n---\n";
	struct px_span first = *rest;
	const char *at = rest->len ? memmem(rest->p, rest->len, line, sizeof line - 1) : NULL;

	if (!at) {
		*rest = (struct px_span){NULL, 0};
		return first;
	}
	first.len = (size_t)(at - first.p);
	rest->p = at + sizeof line - 1;
	rest->len -= first.len + sizeof line - 1;
	return first;
}

/* The member's value in the diff when the splice is to put it there; else absent. */
static struct px_span replacement(
	struct px_span doc, struct px_span fresh, struct px_span key, struct px_span value)
{
	struct px_span k, v, found = {NULL, 0}, last = {NULL, 0};
	struct px_json_walk w;

	if (px_json_string_is(key, "id") || px_json_string_is(key, "integration_id"))
		return found;
	px_json_walk_init(&w, fresh);
	while (px_json_walk_next(&w, &k, &v))
		if (px_json_equal(k, key))
			found = v;
	px_json_walk_init(&w, doc);
	while (px_json_walk_next(&w, &k, &v))
		if (px_json_equal(k, key))
			last = v;
	return last.p == value.p ? found : (struct px_span){NULL, 0};
}

static bool same_tokens(struct px_span a, struct px_span b)
{
	PX_BUF_AUTO struct px_buf x = PX_BUF_INIT(FUZZ_ROOM), y = PX_BUF_INIT(FUZZ_ROOM);

	return fuzz_same(fuzz_compact(a, &x), fuzz_compact(b, &y));
}

static struct px_span between(const char *from, const char *to)
{
	return (struct px_span){from, (size_t)(to - from)};
}

/* Walks both files together; everything between the values is compared too. */
static void try_applied(struct px_span doc, struct px_span fresh, struct px_span out)
{
	struct px_json_walk w, x;
	struct px_span key, v, other_key, other;
	const char *p = doc.p, *q = out.p;

	px_json_walk_init(&w, doc);
	px_json_walk_init(&x, out);
	while (px_json_walk_next(&w, &key, &v)) {
		struct px_span want = replacement(doc, fresh, key, v);

		HOLDS(px_json_walk_next(&x, &other_key, &other));
		HOLDS(fuzz_same(between(p, v.p), between(q, other.p)));
		HOLDS(want.p ? same_tokens(want, other) : fuzz_same(v, other));
		p = v.p + v.len;
		q = other.p + other.len;
	}
	HOLDS(!px_json_walk_next(&x, &other_key, &other));
	HOLDS(fuzz_same(between(p, doc.p + doc.len), between(q, out.p + out.len)));
}

static bool same_names(struct px_span a, struct px_span b)
{
	struct px_json_walk w, x;
	struct px_span key, v, k, u;

	px_json_walk_init(&w, a);
	while (px_json_walk_next(&w, &key, &v)) {
		bool found = false;

		px_json_walk_init(&x, b);
		while (!found && px_json_walk_next(&x, &k, &u))
			found = px_json_equal(key, k);
		if (!found)
			return false;
	}
	return true;
}

static enum px_splice splice(struct px_span doc, struct px_span fresh, struct px_span previous,
	struct px_buf *out, bool *ret_limit)
{
	enum px_splice verdict = PX_SPLICE_LACKS;
	struct px_err err = {0};
	px_rc rc;

	px_buf_reset(out);
	px_buf_adds(out, "x");
	rc = px_doc_splice(doc.p, doc.len, fresh, previous, out, &verdict, &err);
	/* everything has been checked; only too deep it can become */
	HOLDS(!rc || (rc == PX_ELIMIT && fuzz_refused(rc, &err)));
	*ret_limit = rc != 0;
	HOLDS(out->len >= 1 && out->data[0] == 'x' && !out->failed);
	HOLDS((!rc && verdict == PX_SPLICE_APPLIED) == (out->len > 1));
	return verdict;
}

static void try_splice(struct px_span doc, struct px_span fresh, struct px_span previous, bool file)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(FUZZ_ROOM), again = PX_BUF_INIT(FUZZ_ROOM);
	struct px_span out;
	bool limit;
	enum px_splice verdict = splice(doc, fresh, previous, &b, &limit), next;

	if (limit)
		return;
	if (verdict == PX_SPLICE_MISMATCH) {
		HOLDS(previous.p);
		HOLDS(splice(doc, fresh, (struct px_span){NULL, 0}, &again, &limit) ==
				PX_SPLICE_APPLIED ||
			limit);
	}
	if (verdict != PX_SPLICE_APPLIED)
		return;
	out = (struct px_span){b.data + 1, b.len - 1};
	HOLDS(!px_json_check(out.p, out.len, NULL));
	try_applied(doc, fresh, out);
	if (file)
		HOLDS(fuzz_same(fuzz_format(out, &again), out));
	HOLDS(splice(out, fresh, previous, &again, &limit) == PX_SPLICE_DUPLICATE && !limit);
	if (!previous.p || !same_names(fresh, previous) || !same_names(previous, fresh))
		return;
	next = splice(out, previous, fresh, &again, &limit);
	HOLDS(!limit && next == PX_SPLICE_APPLIED);
	HOLDS(px_json_equal((struct px_span){again.data + 1, again.len - 1}, doc));
}

static bool is_object(struct px_span v)
{
	return !px_json_check(v.p, v.len, NULL) && px_json_kind(v) == PX_JSON_OBJECT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PX_BUF_AUTO struct px_buf file = PX_BUF_INIT(FUZZ_ROOM), out = PX_BUF_INIT(FUZZ_ROOM);
	struct px_span rest = {(const char *)data, size}, doc = cut(&rest), fresh = cut(&rest),
		       previous = cut(&rest);
	enum px_splice verdict;
	struct px_err err = {0};

	if (!is_object(fresh) || (previous.p && !is_object(previous)))
		return -1;
	if (!is_object(doc)) {
		px_rc rc = px_doc_splice(doc.p, doc.len, fresh, previous, &out, &verdict, &err);

		HOLDS(rc && fuzz_refused(rc, &err) && !out.len);
		return -1;
	}
	try_splice(doc, fresh, previous, false);
	try_splice(fuzz_format(doc, &file), fresh, previous, true);
	return 0;
}
