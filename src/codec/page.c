/* SPDX-License-Identifier: MIT */
/* page.c - the envelopes of API answers (API reference §3): liberal in form, strict in what an
 * element is. */
#include "propexofs/codec.h"

#include <stdlib.h>
#include <string.h>

static px_rc take_results(struct px_page *page, struct px_span results, struct px_err *err)
{
	struct px_json_walk w;
	struct px_span key, v;
	size_t cap = 0;

	if (px_json_kind(results) == PX_JSON_OBJECT) {
		page->results = malloc(sizeof *page->results);
		if (!page->results)
			return px_err_nomem(err);
		page->results[0] = results;
		page->count = 1;
		page->single = true;
		return PX_OK;
	}
	if (px_json_kind(results) != PX_JSON_ARRAY)
		return px_err_set(err, PX_ESYNTAX, "results is neither an array nor an object");
	px_json_walk_init(&w, results);
	while (px_json_walk_next(&w, &key, &v)) {
		if (px_json_kind(v) != PX_JSON_OBJECT)
			return px_err_set(err, PX_ESYNTAX,
				"element %zu of results is not an object", page->count);
		if (page->count == cap) {
			struct px_span *grown;

			cap = cap ? cap * 2 : 64;
			grown = realloc(page->results, cap * sizeof *grown);
			if (!grown)
				return px_err_nomem(err);
			page->results = grown;
		}
		page->results[page->count++] = v;
	}
	return PX_OK;
}

static px_rc parse(struct px_span root, struct px_page *page, struct px_err *err)
{
	struct px_span results, more;

	if (px_json_kind(root) == PX_JSON_ARRAY)
		return take_results(page, root, err);
	if (px_json_kind(root) != PX_JSON_OBJECT)
		return px_err_set(err, PX_ESYNTAX, "the answer is not an object");
	page->meta = px_json_member(root, "meta");
	if (page->meta.p && px_json_kind(page->meta) != PX_JSON_OBJECT)
		page->meta = (struct px_span){NULL, 0};
	page->total = px_json_int(px_json_member(page->meta, "total"), -1);
	more = px_json_member(page->meta, "hasMore");
	page->has_more = more.p && px_json_kind(more) != PX_JSON_NULL ? px_json_bool(more, false)
								      : -1;
	results = px_json_member(root, "results");
	if (!results.p)
		results = px_json_member(root, "result");
	if (!results.p && !page->meta.p)
		return px_err_set(err, PX_ESYNTAX, "the answer has neither results nor meta");
	if (!results.p || px_json_kind(results) == PX_JSON_NULL)
		return PX_OK;
	return take_results(page, results, err);
}

px_rc px_page_parse(const char *body, size_t len, struct px_page *ret, struct px_err *err)
{
	struct px_page page = {.total = -1, .has_more = -1};
	px_rc rc = px_json_check(body, len, err);

	if (!rc)
		rc = parse((struct px_span){body, len}, &page, err);
	if (rc) {
		px_page_release(&page);
		return rc;
	}
	*ret = page;
	return PX_OK;
}

void px_page_release(struct px_page *p)
{
	free(p->results);
	memset(p, 0, sizeof *p);
}

static void add_printable(struct px_span token, char *msg, size_t size)
{
	char *s = px_json_strdup(token, 1000);
	size_t n = strlen(msg);

	for (char *c = s; c && *c && n + 1 < size; c++)
		msg[n++] = (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c;
	msg[n] = '\0';
	free(s);
}

void px_error_body(const char *body, size_t len, char *msg, size_t size)
{
	struct px_span error;

	msg[0] = '\0';
	if (px_json_check(body, len, NULL))
		return;
	error = px_json_member((struct px_span){body, len}, "error");
	if (!error.p || px_json_kind(error) != PX_JSON_OBJECT)
		return;
	add_printable(px_json_member(error, "code"), msg, size);
	if (*msg && px_json_member(error, "message").p && strlen(msg) + 3 < size)
		memcpy(msg + strlen(msg), ": ", 3);
	add_printable(px_json_member(error, "message"), msg, size);
}
