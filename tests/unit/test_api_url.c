/* SPDX-License-Identifier: MIT */
/* test_api_url.c - paths, queries and which base URLs are accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "propexofs/api.h"

static void bytes_are_encoded(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} table[] = {
		{"", 0, ""},
		{"abcXYZ019-._~", 13, "abcXYZ019-._~"},
		{"a/b", 3, "a%2Fb"},
		{"a b", 3, "a%20b"},
		{"?&=#%+:;,@", 10, "%3F%26%3D%23%25%2B%3A%3B%2C%40"},
		{"\0\x7f\xff", 3, "%00%7F%FF"},
		{"é\xf0\x9f\x8f\xa0", 6, "%C3%A9%F0%9F%8F%A0"},
		{".", 1, "%2E"},
		{"..", 2, "%2E%2E"},
		{"...", 3, "..."},
		{".a", 2, ".a"},
		{"a\r\nb", 4, "a%0D%0Ab"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct px_buf b = PX_BUF_INIT(100);

		assert_int_equal(px_url_encode(&b, table[i].in, table[i].len), 0);
		assert_string_equal(b.data ? b.data : "", table[i].out);
		px_buf_release(&b);
	}
}

static void ids_fill_the_hole(void **state)
{
	static const struct {
		const char *template, *id, *out;
	} table[] = {
		{"/v1/residents/{}", "cm1", "/v1/residents/cm1"},
		{"/v1/a/{}/b/", "x/y", "/v1/a/x%2Fy/b/"},
		{"/v1/a/{}", "..", "/v1/a/%2E%2E"},
		{"/v1/a/{}", "{}", "/v1/a/%7B%7D"},
		{"/v1/fees/", "x", "/v1/fees/"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct px_buf b = PX_BUF_INIT(100);

		assert_int_equal(
			px_url_path(&b, table[i].template, table[i].id, strlen(table[i].id)), 0);
		assert_string_equal(b.data, table[i].out);
		px_buf_release(&b);
	}
}

static void queries_are_joined(void **state)
{
	struct px_buf b = PX_BUF_INIT(200);
	struct px_buf tiny = PX_BUF_INIT(4);

	(void)state;
	px_buf_adds(&b, "/v1/residents/");
	px_url_query(&b, "order-by", "created_at:asc,id:asc");
	px_url_query_int(&b, "limit", 250);
	px_url_query_int(&b, "n", -7);
	assert_int_equal(px_url_query(&b, "a b", ""), 0);
	assert_string_equal(b.data, "/v1/residents/?order-by=created_at%3Aasc%2Cid%3Aasc&limit=250"
				    "&n=-7&a%20b=");
	px_buf_release(&b);
	assert_int_equal(px_url_query(&tiny, "long", "value"), PX_ELIMIT);
	px_buf_release(&tiny);
}

static void base_urls(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} table[] = {
		{"https://api.propexo.com", "https://api.propexo.com"},
		{"https://api.propexo.com/", "https://api.propexo.com"},
		{"HTTPS://API.Propexo.com//", "https://api.propexo.com"},
		{"https://api.propexo.com:443", "https://api.propexo.com"},
		{"https://api.propexo.com:8443/base/", "https://api.propexo.com:8443/base"},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"http://127.9.9.9", "http://127.9.9.9"},
		{"http://localhost:1/", "http://localhost:1"},
		{"http://LOCALHOST:1/", "http://localhost:1"},
		{"http://[::1]:9/", "http://[::1]:9"},
		{"http://api.propexo.com", NULL},
		{"http://localhost.example.org", NULL},
		{"http://128.0.0.1", NULL},
		{"http://127.0.0.1.example.org", NULL},
		{"http://[::2]", NULL},
		{"http://0.0.0.0", NULL},
		{"ftp://api.propexo.com", NULL},
		{"file:///etc/passwd", NULL},
		{"api.propexo.com", NULL},
		{"localhost:8080", NULL},
		{"https://", NULL},
		{"https:///x", NULL},
		{"https://user@api.propexo.com", NULL},
		{"https://user:secret@api.propexo.com", NULL},
		{"http://127.0.0.1@evil.example", NULL},
		{"https://api.propexo.com/?a=b", NULL},
		{"https://api.propexo.com/#x", NULL},
		{"https://api.propexo.com:99999", NULL},
		{"https://api.propexo.com\r\nX: y", NULL},
		{"https://api prop.com", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char out[256] = "untouched";
		struct px_err err = {0};
		px_rc rc = px_url_base(table[i].in, out, sizeof out, &err);

		if (table[i].out) {
			assert_int_equal(rc, 0);
			assert_string_equal(out, table[i].out);
			continue;
		}
		if (!rc)
			fail_msg("%s was accepted", table[i].in);
		assert_int_equal(rc, PX_EINVAL);
		assert_string_equal(out, "untouched");
		assert_true(err.msg[0]);
		assert_null(strstr(err.msg, "secret"));
	}
}

static void a_base_url_must_fit(void **state)
{
	char url[400], out[64];

	(void)state;
	(void)snprintf(url, sizeof url, "https://%0300d.example.org", 0);
	assert_int_equal(px_url_base(url, out, sizeof out, NULL), PX_EINVAL);
	assert_int_equal(px_url_base("https://api.propexo.com/a/quite/long/path/that/does/not/fit",
				 out, 16, NULL),
		PX_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_encoded),
		cmocka_unit_test(ids_fill_the_hole),
		cmocka_unit_test(queries_are_joined),
		cmocka_unit_test(base_urls),
		cmocka_unit_test(a_base_url_must_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
