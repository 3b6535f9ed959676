/* SPDX-License-Identifier: MIT */
/*
 * splice.c - a DATA_UPDATE applied to a stored file.
 *
 * Invariants: a splice changes the values of the members it names and not one byte else; a record
 * file stays one, as px_doc_format would write it; id and integration_id never change; a member is
 * never added or removed.
 */
#include "codec_i.h"

#include <stdlib.h>

static bool is_identity(struct px_span key)
{
	return px_json_string_is(key, "id") || px_json_string_is(key, "integration_id");
}

/* Gives every member of the diff its counterpart in the record; of equal names the last. */
static void match(struct px_span doc, struct px_members *fresh, struct px_members *previous)
{
	struct px_span key, v;
	struct px_json_walk w;

	px_json_walk_init(&w, doc);
	while (px_json_walk_next(&w, &key, &v)) {
		struct px_member *f = px_members_find(fresh, key),
				 *p = px_members_find(previous, key);

		if (f)
			f->match = v;
		if (p)
			p->match = v;
	}
}

static px_rc judge(
	const struct px_members *fresh, const struct px_members *previous, enum px_splice *ret)
{
	bool in_place = true, agrees = true, equal;
	px_rc rc;

	*ret = PX_SPLICE_LACKS;
	for (size_t i = 0; i < previous->count; i++)
		if (!previous->m[i].match.p)
			return PX_OK;
	for (size_t i = 0; i < fresh->count; i++)
		if (!fresh->m[i].match.p)
			return PX_OK;
	for (size_t i = 0; i < fresh->count; i++) {
		rc = px_json_compare(fresh->m[i].match, fresh->m[i].value, &equal);
		if (rc)
			return rc;
		if (!equal && is_identity(fresh->m[i].key))
			return PX_OK;
		in_place &= equal;
	}
	for (size_t i = 0; !in_place && agrees && i < previous->count; i++) {
		rc = px_json_compare(previous->m[i].match, previous->m[i].value, &agrees);
		if (rc)
			return rc;
	}
	*ret = in_place ? PX_SPLICE_DUPLICATE : agrees ? PX_SPLICE_APPLIED : PX_SPLICE_MISMATCH;
	return PX_OK;
}

static int by_place(const void *a, const void *b)
{
	const struct px_member *x = a, *y = b;

	return (x->match.p > y->match.p) - (x->match.p < y->match.p);
}

static px_rc apply(const char *doc, size_t len, struct px_members *fresh, struct px_buf *out,
	struct px_err *err)
{
	const char *copied = doc;
	size_t before = out->len;
	px_rc rc = PX_OK;

	qsort(fresh->m, fresh->count, sizeof *fresh->m, by_place);
	for (size_t i = 0; !rc && i < fresh->count; i++) {
		const struct px_member *m = &fresh->m[i];

		if (is_identity(m->key))
			continue;
		px_buf_add(out, copied, (size_t)(m->match.p - copied));
		rc = px_doc_write(m->value.p, m->value.len, 1, out, NULL, NULL, err);
		copied = m->match.p + m->match.len;
	}
	if (!rc) {
		px_buf_add(out, copied, (size_t)(doc + len - copied));
		rc = px_buf_ok(out, err);
	}
	if (rc)
		px_buf_truncate(out, before);
	return rc;
}

px_rc px_doc_splice(const char *doc, size_t doc_len, struct px_span new_members,
	struct px_span previous, struct px_buf *out, enum px_splice *ret, struct px_err *err)
{
	struct px_span whole = {doc, doc_len};
	struct px_members fresh, before = {NULL, 0};
	enum px_splice verdict;
	px_rc rc = px_json_check(doc, doc_len, err);

	if (rc)
		return rc;
	if (px_json_kind(whole) != PX_JSON_OBJECT)
		return px_err_set(err, PX_ESYNTAX, "the record is not an object");
	if (px_json_kind(new_members) != PX_JSON_OBJECT ||
		(previous.p && px_json_kind(previous) != PX_JSON_OBJECT))
		return px_err_set(err, PX_ESYNTAX, "the diff is not made of objects");
	rc = px_members_init(&fresh, new_members);
	if (!rc)
		rc = px_members_init(&before, previous);
	if (!rc) {
		match(whole, &fresh, &before);
		rc = judge(&fresh, &before, &verdict);
	}
	if (rc)
		rc = px_err_nomem(err);
	else if (verdict == PX_SPLICE_APPLIED)
		rc = apply(doc, doc_len, &fresh, out, err);
	px_members_release(&fresh);
	px_members_release(&before);
	if (!rc)
		*ret = verdict;
	return rc;
}
