/* SPDX-License-Identifier: MIT */
/*
 * page.c - the envelopes of API answers (API reference §3): liberal in form, strict in what an
 * element is.
 *
 * Invariants: one pass over the body checks it and finds the elements; spans point into the body;
 * what is not told is -1, never a guess: has_more that reads "no" would end a walk too early.
 */
#include "codec_i.h"

#include <stdlib.h>

#include "propexofs/utf8.h"

/* ---- elements --------------------------------------------------------------------------------*/

struct list {
	const char *at; /* of the array whose elements these are */
	struct px_span *v;
	size_t count, cap;
};

static px_rc list_add(struct list *l, struct px_span v)
{
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 256;
		struct px_span *grown = realloc(l->v, cap * sizeof *grown);

		if (!grown)
			return PX_ENOMEM;
		l->v = grown;
		l->cap = cap;
	}
	l->v[l->count++] = v;
	return PX_OK;
}

/* ---- the one pass ----------------------------------------------------------------------------*/

enum { META, RESULTS, RESULT, OTHER };

struct scan {
	struct px_span root;
	struct px_span at[OTHER]; /* the members of the root; of equal names the last */
	struct list list;	  /* elements of the root, or of the last results or result */
};

static int which(struct px_span key)
{
	return px_json_string_is(key, "meta")	   ? META
	       : px_json_string_is(key, "results") ? RESULTS
	       : px_json_string_is(key, "result")  ? RESULT
						   : OTHER;
}

static px_rc scan(struct scan *s, const char *body, size_t len, struct px_err *err)
{
	struct px_parser ps;
	enum px_token t;
	const char *start[3] = {NULL}; /* of the container open at this depth */
	int member = OTHER;
	int level = 0; /* containers around an element; 0: no list is open */

	px_parser_init(&ps, body, len, 0);
	while ((t = px_parser_next(&ps)) < PX_TOKEN_DONE) {
		struct px_span v = ps.token; /* of a value that is whole */
		int depth = ps.depth;	     /* containers around it */

		if (t == PX_TOKEN_BEGIN) {
			if (depth > 3)
				continue;
			start[depth - 1] = v.p;
			if (*v.p == '[' &&
				(depth == 1 || (depth == 2 && member != OTHER && member != META))) {
				level = depth;
				s->list.at = v.p;
				s->list.count = 0;
			}
			continue;
		}
		if (depth > 2)
			continue;
		if (t == PX_TOKEN_KEY) {
			if (depth == 1)
				member = which(v);
			continue;
		}
		if (t == PX_TOKEN_END)
			v = (struct px_span){start[depth], (size_t)(ps.p - start[depth])};
		if (level && depth == level && list_add(&s->list, v))
			return px_err_nomem(err);
		if (depth < level)
			level = 0;
		if (depth == 1 && member != OTHER)
			s->at[member] = v;
		else if (depth == 0)
			s->root = v;
	}
	return t == PX_TOKEN_BAD ? px_parser_error(&ps, err) : PX_OK;
}

/* ---- what it means ---------------------------------------------------------------------------*/

/* The pass leaves the elements of the last list; another one is wanted only when the answer has
 * both results and result. */
static px_rc list_of(struct list *l, struct px_span array)
{
	struct px_json_walk w;
	struct px_span key, v;

	if (l->at == array.p)
		return PX_OK;
	l->at = array.p;
	l->count = 0;
	px_json_walk_init(&w, array);
	while (px_json_walk_next(&w, &key, &v))
		if (list_add(l, v))
			return PX_ENOMEM;
	return PX_OK;
}

static px_rc take_results(
	struct px_page *page, struct list *l, struct px_span results, struct px_err *err)
{
	if (!results.p || px_json_kind(results) == PX_JSON_NULL) {
		l->count = 0;
		return PX_OK;
	}
	if (px_json_kind(results) == PX_JSON_OBJECT) {
		l->count = 0;
		if (list_add(l, results))
			return px_err_nomem(err);
		page->single = true;
		return PX_OK;
	}
	if (px_json_kind(results) != PX_JSON_ARRAY)
		return px_err_set(err, PX_ESYNTAX, "results is neither an array nor an object");
	if (list_of(l, results))
		return px_err_nomem(err);
	for (size_t i = 0; i < l->count; i++)
		if (*l->v[i].p != '{')
			return px_err_set(
				err, PX_ESYNTAX, "element %zu of results is not an object", i);
	return PX_OK;
}

static void take_meta(struct px_page *page, struct px_span meta)
{
	struct px_span more;

	if (px_json_kind(meta) != PX_JSON_OBJECT)
		return;
	page->meta = meta;
	page->total = px_json_int(px_json_member(meta, "total"), -1);
	if (page->total < 0)
		page->total = -1;
	more = px_json_member(meta, "hasMore");
	if (px_json_kind(more) == PX_JSON_TRUE)
		page->has_more = 1;
	else if (px_json_kind(more) == PX_JSON_FALSE)
		page->has_more = 0;
}

static px_rc take(struct px_page *page, struct scan *s, struct px_err *err)
{
	struct px_span results = s->at[RESULTS].p ? s->at[RESULTS] : s->at[RESULT];

	if (px_json_kind(s->root) == PX_JSON_ARRAY)
		return take_results(page, &s->list, s->root, err);
	if (px_json_kind(s->root) != PX_JSON_OBJECT)
		return px_err_set(err, PX_ESYNTAX, "the answer is not an object");
	take_meta(page, s->at[META]);
	if (!results.p && !page->meta.p)
		return px_err_set(err, PX_ESYNTAX, "the answer has neither results nor meta");
	return take_results(page, &s->list, results, err);
}

px_rc px_page_parse(const char *body, size_t len, struct px_page *ret, struct px_err *err)
{
	struct px_page page = {.total = -1, .has_more = -1};
	struct scan s;
	px_rc rc;

	memset(&s, 0, sizeof s);
	rc = scan(&s, body, len, err);
	if (!rc)
		rc = take(&page, &s, err);
	if (rc) {
		free(s.list.v);
		return rc;
	}
	page.results = s.list.v;
	page.count = s.list.count;
	*ret = page;
	return PX_OK;
}

void px_page_release(struct px_page *p)
{
	free(p->results);
	memset(p, 0, sizeof *p);
}

/* ---- errors ----------------------------------------------------------------------------------*/

/* Appends as many whole characters as there is room for; controls become blanks. false: cut. */
static bool add_printable(char *msg, size_t size, const char *text, size_t len)
{
	size_t at = strlen(msg), i, n;

	for (i = 0; i < len; i += n) {
		const unsigned char *u = (const unsigned char *)text + i;
		bool control = *u < 0x20 || *u == 0x7f;

		n = px_utf8_len(text + i, len - i);
		if (n == 2 && u[0] == 0xc2 && u[1] < 0xa0)
			control = true;
		if (!n || at + (control ? 1 : n) >= size)
			break;
		if (control)
			msg[at++] = ' ';
		else
			for (size_t j = 0; j < n; j++)
				msg[at++] = text[i + j];
	}
	msg[at] = '\0';
	return i == len;
}

/* A string, or a number as it is written. false: cut, nothing more may follow. */
static bool add_member(char *msg, size_t size, const char *lead, struct px_span v)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(v.len);

	if (px_json_kind(v) == PX_JSON_NUMBER)
		px_buf_add(&text, v.p, v.len);
	else if (!v.p || px_json_string(v, &text))
		return true;
	if (!text.len)
		return true;
	return (!*msg || add_printable(msg, size, lead, strlen(lead))) &&
	       add_printable(msg, size, text.data, text.len);
}

void px_error_body(const char *body, size_t len, char *msg, size_t size)
{
	struct px_span error;

	if (!size)
		return;
	msg[0] = '\0';
	if (px_json_check(body, len, NULL))
		return;
	error = px_json_member((struct px_span){body, len}, "error");
	if (add_member(msg, size, "", px_json_member(error, "code")))
		(void)add_member(msg, size, ": ", px_json_member(error, "message"));
}
