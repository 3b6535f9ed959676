/* SPDX-License-Identifier: MIT */
/*
 * test_codec_nomem.c - each allocation of the codec fails once.
 *
 * Memory that is out must be told as that: read as "absent" it would store a record without its
 * property, or refuse a delivery for good. The allocator is replaced in this program; calls from
 * our own text are counted and refused, those of libraries pass, for libcrypto cannot go on without
 * memory. Sanitizers bring an allocator of their own: there the tests are skipped.
 */
#include "test_codec_util.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REPLACED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define REPLACED 0
#endif
#endif
#ifndef REPLACED
#define REPLACED 1
#endif

static long countdown = -1; /* of our own allocations before one fails; below 0: none does */
static long live;	    /* blocks held, since it was last set */

#if REPLACED
void *__libc_malloc(size_t n);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);
extern char __executable_start, etext;

static bool refuse(const void *caller)
{
	const char *at = caller;

	return at >= &__executable_start && at < &etext && countdown >= 0 && countdown-- == 0;
}

void *malloc(size_t n)
{
	void *p = refuse(__builtin_return_address(0)) ? NULL : __libc_malloc(n);

	live += p != NULL;
	return p;
}

void *realloc(void *old, size_t n)
{
	void *p = refuse(__builtin_return_address(0)) ? NULL : __libc_realloc(old, n);

	live += p && !old;
	return p;
}

void free(void *p)
{
	live -= p != NULL;
	__libc_free(p);
}

char *strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = refuse(__builtin_return_address(0)) ? NULL : __libc_malloc(len + 1);

	if (p) {
		memcpy(p, s, len);
		p[len] = '\0';
		live++;
	}
	return p;
}

char *strdup(const char *s)
{
	size_t len = strlen(s);
	char *p = refuse(__builtin_return_address(0)) ? NULL : __libc_malloc(len + 1);

	if (p) {
		memcpy(p, s, len + 1);
		live++;
	}
	return p;
}
#endif

#define ROW                                                                                        \
	"{\"id\":\"r\",\"integration_id\":\"i\",\"property_id\":\"p\",\"created_at\":\"c\","       \
	"\"updated_at\":\"u\",\"last_seen\":\"l\",\"o\":{\"a\":{\"b\":[1,{\"c\":2}]}}}"
#define DIFF                                                                                       \
	"{\"event\":\"DATA_UPDATE\",\"object\":\"a-b\",\"record_id\":\"r\",\"integration_id\":1,"  \
	"\"vendor\":\"V\",\"diff\":{\"new\":{\"a\":1},\"previous\":{\"a\":2}}}"

static px_rc record(struct px_err *err)
{
	struct px_record r = {0};
	px_rc rc = px_record_parse(ROW, strlen(ROW), &r, err);

	if (!rc)
		assert_true(r.id && r.integration_id && r.property_id && r.created_at &&
			    r.updated_at && r.last_seen && r.body);
	px_record_release(&r);
	return rc;
}

static px_rc page(struct px_err *err)
{
	static const char body[] = "{\"results\":[{},{}],\"result\":[{}],\"meta\":{\"total\":2}}";
	struct px_page p = {0};
	px_rc rc = px_page_parse(body, sizeof body - 1, &p, err);

	if (!rc)
		assert_int_equal(p.count, 2);
	px_page_release(&p);
	return rc;
}

static px_rc single(struct px_err *err)
{
	struct px_page p = {0};
	px_rc rc = px_page_parse("{\"results\":{}}", 14, &p, err);

	px_page_release(&p);
	return rc;
}

static px_rc delivery(struct px_err *err)
{
	struct px_event e = {0};
	px_rc rc = px_event_parse(DIFF, strlen(DIFF), &e, err);

	if (!rc)
		assert_true(e.event && e.object && e.record_id && e.integration_id && e.vendor);
	px_event_release(&e);
	return rc;
}

static px_rc nameless_delivery(struct px_err *err)
{
	static const char body[] = "{\"object\":\"a\",\"record_id\":5,\"payload\":{}}";
	struct px_event e = {0};
	px_rc rc = px_event_parse(body, sizeof body - 1, &e, err);

	px_event_release(&e);
	return rc;
}

static px_rc row(struct px_err *err)
{
	struct px_event e = {0};
	px_rc rc = px_event_from_diff(
		span("{\"model\":\"m\",\"model_record_id\":\"r\",\"event_type\":\"NEW\","
		     "\"integration_id\":\"i\",\"integration_vendor\":\"V\",\"data_diff\":{}}"),
		&e, err);

	if (!rc)
		assert_true(e.object && e.record_id && e.integration_id && e.vendor);
	px_event_release(&e);
	return rc;
}

static px_rc splice(struct px_err *err)
{
	static const char doc[] = "{\"id\":\"r\",\"a\":{\"x\":1,\"y\":{}},\"b\":2}";
	struct px_buf out = PX_BUF_INIT(1000);
	enum px_splice verdict = PX_SPLICE_LACKS;
	px_rc rc = px_doc_splice(doc, sizeof doc - 1, span("{\"a\":{\"x\":2},\"b\":3}"),
		span("{\"a\":{\"y\":{},\"x\":1},\"b\":2}"), &out, &verdict, err);

	assert_int_equal(verdict, rc ? PX_SPLICE_LACKS : PX_SPLICE_APPLIED);
	assert_true(!rc || !out.len);
	px_buf_release(&out);
	return rc;
}

static px_rc layout(struct px_err *err)
{
	struct px_buf out = PX_BUF_INIT(10000);
	px_rc rc = px_doc_format(ROW, strlen(ROW), &out, err);

	if (!rc)
		rc = px_doc_compact(ROW, strlen(ROW), &out, err);
	px_buf_release(&out);
	return rc;
}

static void each_failure_is_told(void **state)
{
	static px_rc (*const calls[])(struct px_err * err) = {
		record, page, single, delivery, nameless_delivery, row, splice, layout};
	struct px_err err;
	px_rc rc;

	(void)state;
	if (!REPLACED)
		skip();
	for (size_t i = 0; i < COUNT(calls); i++) {
		long n = 0;

		/* what libraries keep for later */
		assert_int_equal(calls[i](&err), 0);
		do {
			assert_true(n < 100);
			memset(&err, 0, sizeof err);
			live = 0;
			countdown = n++;
			rc = calls[i](&err);
			if (countdown >= 0) {
				/* nothing was refused: all have been tried */
				countdown = -1;
				assert_int_equal(rc, 0);
				break;
			}
			assert_int_equal(live, 0);
			assert_int_equal(rc, PX_ENOMEM);
			assert_int_equal(err.code, PX_ENOMEM);
		} while (true);
		assert_true(n > 1);
	}
}

static void comparing_without_memory_is_no_equality(void **state)
{
	struct px_span v = span("{\"a\":{\"b\":1}}");

	(void)state;
	if (!REPLACED)
		skip();
	assert_true(px_json_equal(v, v));
	for (long n = 0; n < 4; n++) {
		live = 0;
		countdown = n;
		assert_false(px_json_equal(v, v));
		assert_true(countdown < 0);
		assert_int_equal(live, 0);
	}
	countdown = 0;
	assert_null(px_json_strdup(span("\"a\""), 10));
	countdown = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_failure_is_told),
		cmocka_unit_test(comparing_without_memory_is_no_equality),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
