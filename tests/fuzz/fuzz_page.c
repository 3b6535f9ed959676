/* SPDX-License-Identifier: MIT */
/*
 * fuzz_page.c - the envelopes of answers, and error bodies.
 *
 * The one pass over a page must find just what the walker finds step by step, and refuse only what
 * the contract refuses; a message made of an error body is printable text that fits, and a shorter
 * one is the beginning of a longer one.
 */
#include "fuzz.h"

#include "propexofs/utf8.h"

static void try_elements(const struct px_page *page, struct px_span list)
{
	struct px_json_walk w;
	struct px_span key, v;
	size_t n = 0;

	px_json_walk_init(&w, list);
	while (px_json_walk_next(&w, &key, &v)) {
		HOLDS(n < page->count);
		HOLDS(page->results[n].p == v.p && page->results[n].len == v.len);
		HOLDS(px_json_kind(v) == PX_JSON_OBJECT);
		n++;
	}
	HOLDS(n == page->count && !page->single);
}

static void try_meta(const struct px_page *page, struct px_span meta)
{
	bool object = meta.p && px_json_kind(meta) == PX_JSON_OBJECT;
	struct px_span more = px_json_member(page->meta, "hasMore");
	int64_t total = px_json_int(px_json_member(page->meta, "total"), -1);

	HOLDS(page->meta.p == (object ? meta.p : NULL));
	HOLDS(page->meta.len == (object ? meta.len : 0));
	HOLDS(page->total == (total < 0 ? -1 : total));
	HOLDS(page->has_more == (px_json_bool(more, false)	   ? 1
					: px_json_bool(more, true) ? -1
								   : 0));
}

static bool all_objects(struct px_span list)
{
	struct px_json_walk w;
	struct px_span key, v;

	px_json_walk_init(&w, list);
	while (px_json_walk_next(&w, &key, &v))
		if (px_json_kind(v) != PX_JSON_OBJECT)
			return false;
	return true;
}

static struct px_span results_of(struct px_span root)
{
	struct px_span v;

	if (px_json_kind(root) == PX_JSON_ARRAY)
		return root;
	v = px_json_member(root, "results");
	return v.p ? v : px_json_member(root, "result");
}

/* Whether the contract wants this text, which is JSON, as a page. */
static bool is_page(struct px_span root)
{
	struct px_span results = results_of(root);

	if (px_json_kind(root) != PX_JSON_ARRAY && px_json_kind(root) != PX_JSON_OBJECT)
		return false;
	if (!results.p)
		return px_json_kind(px_json_member(root, "meta")) == PX_JSON_OBJECT;
	switch (px_json_kind(results)) {
	case PX_JSON_NULL:
	case PX_JSON_OBJECT:
		return true;
	case PX_JSON_ARRAY:
		return all_objects(results);
	default:
		return false;
	}
}

static void try_page(struct px_span root)
{
	struct px_page page = {.count = 12345};
	struct px_err err = {0};
	px_rc rc = px_page_parse(root.p, root.len, &page, &err);
	struct px_span results;

	HOLDS(is_page(root) == !rc);
	if (rc) {
		HOLDS(rc == PX_ESYNTAX && fuzz_refused(rc, &err) && page.count == 12345);
		return;
	}
	results = results_of(root);
	if (results.p && px_json_kind(results) == PX_JSON_OBJECT) {
		HOLDS(page.single && page.count == 1);
		HOLDS(page.results[0].p == results.p && page.results[0].len == results.len);
	} else {
		try_elements(&page, results);
	}
	if (px_json_kind(root) == PX_JSON_OBJECT)
		try_meta(&page, px_json_member(root, "meta"));
	else
		HOLDS(!page.meta.p && page.total == -1 && page.has_more == -1);
	px_page_release(&page);
	HOLDS(!page.results && !page.count);
}

static void try_error(struct px_span body)
{
	static const size_t sizes[] = {1, 2, 3, 5, 9, 20, 64, 480};
	char longest[512], msg[512];

	px_error_body(body.p, body.len, longest, sizeof longest);
	for (const char *p = longest; *p;) {
		size_t n = px_utf8_len(p, strlen(p));

		HOLDS(n && (unsigned char)*p >= 0x20 && *p != 0x7f);
		HOLDS(n != 2 || (unsigned char)p[0] != 0xc2 || (unsigned char)p[1] >= 0xa0);
		p += n;
	}
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		memset(msg, 'x', sizeof msg);
		px_error_body(body.p, body.len, msg, sizes[i]);
		HOLDS(strnlen(msg, sizeof msg) < sizes[i]);
		HOLDS(!strncmp(msg, longest, strlen(msg)));
		/* cut as late as whole characters allow */
		HOLDS(strlen(msg) + 4 >= sizes[i] || !strcmp(msg, longest));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct px_span text = {(const char *)data, size};
	struct px_page page = {0};
	struct px_err err = {0};
	px_rc rc = px_json_check(text.p, size, NULL);

	try_error(text);
	if (rc) {
		HOLDS(px_page_parse(text.p, size, &page, &err) == rc);
		HOLDS(fuzz_refused(rc, &err) && !page.results);
		return -1;
	}
	try_page(text);
	return 0;
}
