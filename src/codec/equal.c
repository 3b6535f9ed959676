/* SPDX-License-Identifier: MIT */
/*
 * equal.c - whether two values mean the same, and an object's members by name.
 *
 * Invariants: the answer is exact, numbers of any length included; each pair of values is compared
 * once, and members are found by a sorted index, so the cost is near linear in the text whatever
 * it says; recursion is as deep as the nesting, which the parser has bounded.
 */
#include "codec_i.h"

#include <stdlib.h>

/* ---- members by name -------------------------------------------------------------------------*/

static int by_name(const void *a, const void *b)
{
	const struct px_member *x = a, *y = b;
	int order = px_json_string_cmp(x->key, y->key);

	/* of equal names the one that stands later in the text comes later */
	return order ? order : (x->key.p > y->key.p) - (x->key.p < y->key.p);
}

px_rc px_members_init(struct px_members *ms, struct px_span object)
{
	struct px_span key, v;
	struct px_json_walk w;
	size_t cap = 0, kept = 0;

	*ms = (struct px_members){NULL, 0};
	if (px_json_kind(object) != PX_JSON_OBJECT)
		return PX_OK;
	px_json_walk_init(&w, object);
	while (px_json_walk_next(&w, &key, &v)) {
		if (ms->count == cap) {
			struct px_member *grown;

			cap = cap ? cap * 2 : 8;
			grown = realloc(ms->m, cap * sizeof *grown);
			if (!grown) {
				px_members_release(ms);
				return PX_ENOMEM;
			}
			ms->m = grown;
		}
		ms->m[ms->count++] = (struct px_member){key, v, {NULL, 0}};
	}
	if (ms->count > 1)
		qsort(ms->m, ms->count, sizeof *ms->m, by_name);
	for (size_t i = 0; i < ms->count; i++)
		if (i + 1 == ms->count || px_json_string_cmp(ms->m[i].key, ms->m[i + 1].key) != 0)
			ms->m[kept++] = ms->m[i];
	ms->count = kept;
	return PX_OK;
}

void px_members_release(struct px_members *ms)
{
	free(ms->m);
	*ms = (struct px_members){NULL, 0};
}

struct px_member *px_members_find(const struct px_members *ms, struct px_span key)
{
	size_t low = 0, high = ms->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = px_json_string_cmp(key, ms->m[mid].key);

		if (!order)
			return &ms->m[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

/* ---- numbers ---------------------------------------------------------------------------------*/

/* A decimal as its sign, its digits without zeros at either end, and the power of ten of the last
 * of them, which is what stands behind the 'e' plus `shift`. */
struct decimal {
	bool minus;
	const char *p, *end; /* runs over digits and at most one '.'; empty for zero */
	size_t digits;
	bool e_minus;
	const char *e, *e_end; /* digits of the exponent, without zeros in front */
	int64_t shift;
};

static struct decimal decimal_of(struct px_span n)
{
	struct decimal d = {.p = n.p, .end = n.p + n.len, .e = n.p, .e_end = n.p};
	const char *q, *point = NULL;

	if (*d.p == '-') {
		d.minus = true;
		d.p++;
	}
	for (q = d.p; q < d.end && *q != 'e' && *q != 'E'; q++)
		if (*q == '.')
			point = q;
	if (q < d.end) {
		d.e = q + 1;
		d.e_end = d.end;
		d.end = q;
		d.e_minus = *d.e == '-';
		if (*d.e == '-' || *d.e == '+')
			d.e++;
		while (d.e < d.e_end && *d.e == '0')
			d.e++;
	}
	if (!point)
		point = d.end;
	while (d.p < d.end && (*d.p == '0' || *d.p == '.'))
		d.p++;
	while (d.end > d.p && (d.end[-1] == '0' || d.end[-1] == '.'))
		d.end--;
	/* the last digit that counts is before the point or behind it */
	d.shift = d.end <= point ? point - d.end : point + 1 - d.end;
	for (q = d.p; q < d.end; q++)
		d.digits += *q != '.';
	return d;
}

/* Whether the exponents, of any length, agree. */
static bool equal_exponents(const struct decimal *x, const struct decimal *y)
{
	size_t nx = (size_t)(x->e_end - x->e), ny = (size_t)(y->e_end - y->e);
	int64_t difference = 0;

	/* digit by digit, the difference of the two; it never comes back from far away */
	for (size_t i = nx > ny ? nx : ny; i; i--) {
		int dx = i <= nx ? x->e_end[-(ptrdiff_t)i] - '0' : 0;
		int dy = i <= ny ? y->e_end[-(ptrdiff_t)i] - '0' : 0;

		difference = difference * 10 + (x->e_minus ? -dx : dx) - (y->e_minus ? -dy : dy);
		if (difference > INT64_MAX / 100 || difference < -(INT64_MAX / 100))
			return false;
	}
	return difference == y->shift - x->shift;
}

static bool equal_numbers(struct px_span a, struct px_span b)
{
	struct decimal x = decimal_of(a), y = decimal_of(b);

	if (x.digits != y.digits)
		return false;
	if (!x.digits)
		return true; /* -0e5 is 0 */
	if (x.minus != y.minus || !equal_exponents(&x, &y))
		return false;
	for (size_t i = 0; i < x.digits; i++, x.p++, y.p++) {
		x.p += *x.p == '.';
		y.p += *y.p == '.';
		if (*x.p != *y.p)
			return false;
	}
	return true;
}

/* ---- values ----------------------------------------------------------------------------------*/

static px_rc compare(struct px_span a, struct px_span b, int depth, bool *ret);

static px_rc compare_objects(struct px_span a, struct px_span b, int depth, bool *ret)
{
	struct px_members x, y;
	px_rc rc = px_members_init(&x, a);

	if (rc)
		return rc;
	rc = px_members_init(&y, b);
	*ret = !rc && x.count == y.count;
	for (size_t i = 0; !rc && *ret && i < x.count; i++) {
		*ret = !px_json_string_cmp(x.m[i].key, y.m[i].key);
		if (*ret)
			rc = compare(x.m[i].value, y.m[i].value, depth, ret);
	}
	px_members_release(&x);
	px_members_release(&y);
	return rc;
}

static px_rc compare_arrays(struct px_span a, struct px_span b, int depth, bool *ret)
{
	struct px_json_walk x, y;
	struct px_span key, v, other;
	px_rc rc = PX_OK;

	*ret = true;
	px_json_walk_init(&x, a);
	px_json_walk_init(&y, b);
	while (!rc && *ret && px_json_walk_next(&x, &key, &v)) {
		*ret = px_json_walk_next(&y, &key, &other);
		if (*ret)
			rc = compare(v, other, depth, ret);
	}
	if (!rc && *ret)
		*ret = !px_json_walk_next(&y, &key, &other);
	return rc;
}

static px_rc compare(struct px_span a, struct px_span b, int depth, bool *ret)
{
	enum px_json_kind kind = px_json_kind(a);

	*ret = false;
	if (depth > PX_JSON_DEPTH_MAX || kind != px_json_kind(b))
		return PX_OK;
	switch (kind) {
	case PX_JSON_NUMBER:
		*ret = equal_numbers(a, b);
		return PX_OK;
	case PX_JSON_STRING:
		*ret = !px_json_string_cmp(a, b);
		return PX_OK;
	case PX_JSON_OBJECT:
		return compare_objects(a, b, depth + 1, ret);
	case PX_JSON_ARRAY:
		return compare_arrays(a, b, depth + 1, ret);
	default:
		*ret = true;
		return PX_OK;
	}
}

px_rc px_json_compare(struct px_span a, struct px_span b, bool *ret_equal)
{
	*ret_equal = false;
	if (!a.p || !b.p)
		return PX_OK;
	return compare(px_span_trim(a), px_span_trim(b), 0, ret_equal);
}

bool px_json_equal(struct px_span a, struct px_span b)
{
	bool equal;

	/* without memory they count as different: then the record is read again */
	return !px_json_compare(a, b, &equal) && equal;
}
