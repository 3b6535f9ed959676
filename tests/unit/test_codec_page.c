/* SPDX-License-Identifier: MIT */
/* test_codec_page.c - the envelopes of API answers and of errors (API reference §3 and §7). */
#include "test_codec_util.h"

static const struct {
	const char *body;
	px_rc rc;
	size_t count;
	bool single;
	int64_t total;
	int more;
	const char *first, *last; /* elements */
	bool meta;
} rows[] = {
	/* collections */
	{"{\"meta\":{\"offset\":0,\"limit\":2,\"orderBy\":[],\"hasMore\":true,\"total\":17},"
	 "\"results\":[{\"id\":\"a\"},{ \"id\" : \"b\" }]}",
		0, 2, false, 17, 1, "{\"id\":\"a\"}", "{ \"id\" : \"b\" }", true},
	{"{\"results\":[{\"id\":\"a\"}],\"meta\":{\"orderBy\":[],\"hasMore\":false,\"total\":0}}",
		0, 1, false, 0, 0, "{\"id\":\"a\"}", NULL, true},
	{"{\"meta\":{\"orderBy\":[]},\"results\":[]}", 0, 0, false, -1, -1, NULL, NULL, true},
	{" {\n \"results\" :\t[ {} , {\"a\":[{}]} ] } ", 0, 2, false, -1, -1, "{}", "{\"a\":[{}]}",
		false},
	{"{\"r\\u0065sults\":[{}],\"m\\u0065ta\":{\"total\":1}}", 0, 1, false, 1, -1, "{}", NULL,
		true},
	/* hasMore and total: only what is surely said */
	{"{\"meta\":{\"hasMore\":null},\"results\":[]}", 0, 0, false, -1, -1, NULL, NULL, true},
	{"{\"meta\":{\"hasMore\":\"true\",\"total\":\"5\"},\"results\":[]}", 0, 0, false, -1, -1,
		NULL, NULL, true},
	{"{\"meta\":{\"hasMore\":0,\"total\":-5},\"results\":[]}", 0, 0, false, -1, -1, NULL, NULL,
		true},
	{"{\"meta\":{\"hasMore\":[],\"total\":1.5},\"results\":[]}", 0, 0, false, -1, -1, NULL,
		NULL, true},
	{"{\"meta\":{\"total\":99999999999999999999},\"results\":[]}", 0, 0, false, -1, -1, NULL,
		NULL, true},
	{"{\"meta\":{\"total\":null},\"results\":[]}", 0, 0, false, -1, -1, NULL, NULL, true},
	{"{\"hasMore\":true,\"total\":3,\"results\":[]}", 0, 0, false, -1, -1, NULL, NULL, false},
	{"{\"meta\":null,\"results\":[{}]}", 0, 1, false, -1, -1, "{}", NULL, false},
	{"{\"meta\":[{\"total\":1}],\"results\":[{}]}", 0, 1, false, -1, -1, "{}", NULL, false},
	{"{\"meta\":\"m\",\"results\":[{}]}", 0, 1, false, -1, -1, "{}", NULL, false},
	/* one record */
	{"{\"meta\":{\"orderBy\":[]},\"results\":{\"id\":\"a\",\"results\":[1]}}", 0, 1, true, -1,
		-1, "{\"id\":\"a\",\"results\":[1]}", NULL, true},
	/* irregular: result; no meta; a list one level down; a bare array; null */
	{"{\"result\":{\"id\":\"w\"}}", 0, 1, true, -1, -1, "{\"id\":\"w\"}", NULL, false},
	{"{\"result\":[{\"id\":\"w\"}]}", 0, 1, false, -1, -1, "{\"id\":\"w\"}", NULL, false},
	{"{\"meta\":{\"job_id\":\"j\"},\"result\":{}}", 0, 1, true, -1, -1, "{}", NULL, true},
	{"{\"results\":{\"minute_limit\":5}}", 0, 1, true, -1, -1, "{\"minute_limit\":5}", NULL,
		false},
	{"{\"results\":{\"logs\":[{\"id\":\"l\"}]}}", 0, 1, true, -1, -1,
		"{\"logs\":[{\"id\":\"l\"}]}", NULL, false},
	{"[{\"id\":\"a\"},{\"id\":\"b\",\"x\":[[{}]]}]", 0, 2, false, -1, -1, "{\"id\":\"a\"}",
		"{\"id\":\"b\",\"x\":[[{}]]}", false},
	{" [ ] ", 0, 0, false, -1, -1, NULL, NULL, false},
	{"{\"meta\":{},\"results\":null}", 0, 0, false, -1, -1, NULL, NULL, true},
	{"{\"results\":null}", 0, 0, false, -1, -1, NULL, NULL, false},
	{"{\"meta\":{\"orderBy\":[]}}", 0, 0, false, -1, -1, NULL, NULL, true},
	/* results before result; of equal names the last */
	{"{\"result\":{\"a\":1},\"results\":[{},{}]}", 0, 2, false, -1, -1, "{}", "{}", false},
	{"{\"results\":[{\"b\":1},{}],\"result\":[{\"a\":1},{},{}]}", 0, 2, false, -1, -1,
		"{\"b\":1}", "{}", false},
	{"{\"results\":[{\"b\":1}],\"result\":[1]}", 0, 1, false, -1, -1, "{\"b\":1}", NULL, false},
	{"{\"results\":[1,2,3],\"results\":[{\"b\":1}]}", 0, 1, false, -1, -1, "{\"b\":1}", NULL,
		false},
	{"{\"results\":[{},{}],\"results\":{\"b\":1}}", 0, 1, true, -1, -1, "{\"b\":1}", NULL,
		false},
	{"{\"results\":[{},{}],\"results\":null}", 0, 0, false, -1, -1, NULL, NULL, false},
	{"{\"meta\":{\"total\":1},\"meta\":{\"total\":2},\"results\":[]}", 0, 0, false, 2, -1, NULL,
		NULL, true},
	/* other members, whatever is in them */
	{"{\"x\":[{\"results\":[9]}],\"y\":{\"results\":[8],\"meta\":{\"total\":8}},\"results\":[{"
	 "}],\"z\":[7]}",
		0, 1, false, -1, -1, "{}", NULL, false},
	/* no page */
	{"{}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"{\"write_status\":\"PENDING\",\"errors\":[]}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL,
		false},
	{"{\"job_id\":\"j\",\"data\":{}}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"{\"meta\":null}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"{\"error\":{\"code\":\"c\",\"message\":\"m\"}}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL,
		false},
	{"{\"results\":\"text\"}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"{\"results\":1}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"{\"results\":false,\"meta\":{}}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"{\"results\":[1]}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"{\"results\":[{},null]}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"{\"results\":[{},[{}]]}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"{\"results\":[\"{}\"]}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"[[{}]]", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"[{},1]", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"\"x\"", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"null", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"17", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"<html>", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"{\"results\":[{\"id\":\"a\xff\"}]}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"{\"results\":[{\"id\":\"a\"}]}{}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
	{"{\"results\":[{\"id\":\"a\"},]}", PX_ESYNTAX, 0, false, 0, 0, NULL, NULL, false},
};

static void envelopes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].body);
		char *body = exact(rows[i].body, len);
		struct px_page p = {.count = 99};
		struct px_err err = {0};

		if (px_page_parse(body, len, &p, &err) != rows[i].rc)
			fail_msg("%s: %s", rows[i].body, err.msg);
		if (rows[i].rc) {
			assert_int_equal(p.count, 99); /* untouched */
			assert_int_equal(err.code, rows[i].rc);
			free(body);
			continue;
		}
		if (p.count != rows[i].count || p.single != rows[i].single ||
			p.total != rows[i].total || p.has_more != rows[i].more ||
			!p.meta.p != !rows[i].meta)
			fail_msg("%s: count %zu, single %d, total %ld, more %d, meta %d",
				rows[i].body, p.count, p.single, (long)p.total, p.has_more,
				p.meta.p != NULL);
		if (rows[i].first)
			assert_span(p.results[0], rows[i].first);
		if (rows[i].last)
			assert_span(p.results[p.count - 1], rows[i].last);
		for (size_t k = 0; k < p.count; k++)
			assert_true(p.results[k].p > body - 1 &&
				    p.results[k].p + p.results[k].len <= body + len);
		px_page_release(&p);
		assert_null(p.results);
		px_page_release(&p);
		free(body);
	}
}

static void the_documented_page(void **state)
{
	size_t len;
	char *body = load("page_documented.json", &len);
	struct px_page p;

	(void)state;
	assert_int_equal(px_page_parse(body, len, &p, NULL), 0);
	assert_int_equal(p.count, 2);
	assert_int_equal(p.total, 17);
	assert_int_equal(p.has_more, 1);
	assert_span(p.results[0], "{\"id\":\"cm1aaaaaaaaaaaaaaaaaaaaaa\",\"first_name\":\"Ada\"}");
	assert_span(px_json_member(p.meta, "limit"), "2");
	px_page_release(&p);
	free(body);
}

static void large_pages_keep_every_element_in_order(void **state)
{
	struct px_buf b = PX_BUF_INIT(1 << 20);
	struct px_page p;

	(void)state;
	px_buf_adds(&b, "{\"results\":[{\"n\":0}");
	for (int i = 1; i < 5000; i++)
		px_buf_addf(&b, ",{\"n\":%d,\"a\":[{},[]]}", i);
	px_buf_adds(&b, "],\"meta\":{\"hasMore\":false}}");
	assert_int_equal(px_page_parse(b.data, b.len, &p, NULL), 0);
	assert_int_equal(p.count, 5000);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(px_json_int(px_json_member(p.results[i], "n"), -1), i);
	assert_int_equal(p.has_more, 0);
	px_page_release(&p);
	px_buf_release(&b);
}

static void every_cut_is_refused(void **state)
{
	static const char *const names[] = {"page_documented.json", "page_data_diffs.json"};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		size_t len;
		char *text = load(names[i], &len), msg[100];
		struct px_page p;

		for (size_t k = 0; k + 1 < len; k++) {
			char *copy = exact(text, k);

			assert_int_equal(px_page_parse(copy, k, &p, NULL), PX_ESYNTAX);
			px_error_body(copy, k, msg, sizeof msg);
			assert_string_equal(msg, "");
			free(copy);
		}
		free(text);
	}
}

static void depth_is_bounded(void **state)
{
	enum { MAX = PX_JSON_DEPTH_MAX };
	struct px_buf b = PX_BUF_INIT(1000);
	struct px_page p;

	(void)state;
	for (int depth = MAX - 3; depth <= MAX - 2; depth++) {
		px_buf_reset(&b);
		px_buf_adds(&b, "{\"results\":[{\"a\":");
		for (int i = 0; i < depth; i++)
			px_buf_addc(&b, '[');
		for (int i = 0; i < depth; i++)
			px_buf_addc(&b, ']');
		px_buf_adds(&b, "}]}");
		assert_int_equal(px_page_parse(b.data, b.len, &p, NULL),
			depth == MAX - 3 ? PX_OK : PX_ELIMIT);
		if (depth == MAX - 3)
			px_page_release(&p);
	}
	px_buf_release(&b);
}

/* ---- errors ----------------------------------------------------------------------------------*/

static void error_bodies(void **state)
{
	static const struct {
		const char *body, *msg;
	} errors[] = {
		{"{\"error\":{\"code\":\"bad\",\"message\":\"no\\nsuch\"}}", "bad: no such"},
		{"{\"error\":{\"message\":\"m\",\"code\":\"c\",\"details\":{\"a\":[]}}}", "c: m"},
		{"{\"error\":{\"code\":\"alone\"}}", "alone"},
		{"{\"error\":{\"message\":\"alone\"}}", "alone"},
		{"{\"error\":{\"code\":\"\",\"message\":\"m\"}}", "m"},
		{"{\"error\":{\"code\":\"c\",\"message\":\"\"}}", "c"},
		{"{\"error\":{\"code\":400,\"message\":\"m\"}}", "400: m"},
		{"{\"error\":{\"code\":null,\"message\":[\"m\"]}}", ""},
		{"{\"error\":{}}", ""},
		{"{\"error\":\"x\"}", ""},
		{"{\"error\":null}", ""},
		{"{\"message\":\"m\"}", ""},
		{"[{\"error\":{\"code\":\"c\"}}]", ""},
		{"<html>oops</html>", ""},
		{"{\"error\":{\"code\":\"c\"}", ""},
		{"", ""},
		{"{\"error\":{\"code\":\"a\\u0000b\\u001b[31m\\u007f\",\"message\":\"\\u009b\"}}",
			"a b [31m :  "},
		{"{\"error\":{\"code\":\"\\u00e9\xc3\xa9\",\"message\":\"\\ud800\"}}",
			"\xc3\xa9\xc3\xa9: \xef\xbf\xbd"},
	};
	char msg[100];

	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		char *copy = exact(errors[i].body, strlen(errors[i].body));

		memset(msg, 'x', sizeof msg);
		px_error_body(copy, strlen(errors[i].body), msg, sizeof msg);
		assert_string_equal(msg, errors[i].msg);
		free(copy);
	}
}

static void messages_are_cut_between_characters(void **state)
{
	static const char want[] = "c\xc3\xa9: \xe6\x97\xa5\xf0\x9f\x98\x80x";
	struct px_buf b = PX_BUF_INIT(100000);
	char msg[200];

	(void)state;
	px_buf_adds(&b,
		"{\"error\":{\"code\":\"c\\u00e9\",\"message\":\"\xe6\x97\xa5\xf0\x9f\x98\x80"
		"x\"}}");
	for (size_t size = 0; size <= sizeof want + 1; size++) {
		char *room = malloc(size ? size : 1);
		size_t len;

		assert_non_null(room);
		*room = 'x';
		px_error_body(b.data, b.len, room, size);
		if (!size) {
			assert_int_equal(*room, 'x');
		} else {
			len = strlen(room);
			assert_true(len < size);
			assert_memory_equal(room, want, len);
			/* what is missing did not fit */
			assert_true(len == sizeof want - 1 || len + 4 >= size);
			/* and nothing was cut in half */
			assert_true((want[len] & 0xc0) != 0x80);
		}
		free(room);
	}
	px_buf_reset(&b);
	px_buf_addf(&b, "{\"error\":{\"code\":\"long\",\"message\":\"%0*d\"}}", 50000, 1);
	px_error_body(b.data, b.len, msg, sizeof msg);
	assert_int_equal(strlen(msg), sizeof msg - 1);
	assert_memory_equal(msg, "long: 0000", 10);
	px_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(envelopes),
		cmocka_unit_test(the_documented_page),
		cmocka_unit_test(large_pages_keep_every_element_in_order),
		cmocka_unit_test(every_cut_is_refused),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(error_bodies),
		cmocka_unit_test(messages_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
