/* SPDX-License-Identifier: MIT */
/* test_status_ready.c - what `ready` makes of status.json: its exit codes, one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "../../src/cli/cli.h"

#define NOW INT64_C(1795851400000) /* 2026-11-28T07:36:40Z */

#define ONE(extra)                                                                                 \
	"{\"integrations_known\":true,\"complete\":true,\"refreshed_at\":\"2026-11-28T07:35:"      \
	"40Z\","                                                                                   \
	"\"integrations\":[{\"id\":\"c1\",\"name\":\"Acme\",\"phase\":\"current\",\"counts\":"     \
	"true,"                                                                                    \
	"\"complete\":true" extra "}]}"

static const struct {
	const char *status;
	int max_age_s, code;
	const char *says;
} cases[] = {
	{ONE(""), -1, PX_EXIT_DONE, ""},
	{ONE(""), 60, PX_EXIT_DONE, ""},
	{ONE(""), 59, PX_EXIT_TOO_OLD, "60 s ago: Acme (c1)"},
	{ONE(""), 0, PX_EXIT_TOO_OLD, "too old"},
	/* reconciled by itself after the refresh */
	{ONE(",\"reconciled_at\":\"2026-11-28T07:36:35Z\""), 10, PX_EXIT_DONE, ""},
	{ONE(",\"reconciled_at\":\"2026-11-28T07:00:00Z\""), 60, PX_EXIT_DONE, ""},
	/* a change that waits makes it as old as the change */
	{ONE(",\"oldest_pending_event_at\":\"2026-11-28T07:00:00Z\""), 60, PX_EXIT_TOO_OLD,
		"2200 s"},
	{ONE(",\"oldest_pending_event_at\":\"2026-11-28T07:36:00Z\""), 60, PX_EXIT_DONE, ""},
	{ONE(",\"oldest_pending_event_at\":\"2026-11-28T07:36:00Z\""), -1, PX_EXIT_DONE, ""},
	/* nothing refreshed yet */
	{"{\"integrations_known\":true,\"complete\":true,\"refreshed_at\":null,\"integrations\":[]"
	 "}",
		-1, PX_EXIT_DONE, ""},
	{"{\"integrations_known\":true,\"complete\":true,\"refreshed_at\":null,\"integrations\":[]"
	 "}",
		2000000000, PX_EXIT_TOO_OLD, "not refreshed"},
	/* an account without integrations */
	{"{\"integrations_known\":true,\"complete\":true,\"refreshed_at\":\"2026-11-28T07:36:40Z\","
	 "\"integrations\":[]}",
		0, PX_EXIT_DONE, ""},
	/* incomplete comes before too old */
	{"{\"integrations_known\":false,\"complete\":false,\"integrations\":[]}", 1,
		PX_EXIT_INCOMPLETE, "has not been read yet"},
	{"{\"integrations_known\":true,\"complete\":false,\"integrations\":[{\"id\":\"c1\","
	 "\"name\":"
	 "\"Acme\",\"phase\":\"filling\",\"counts\":true,\"complete\":false}]}",
		1, PX_EXIT_INCOMPLETE, "Acme (c1) is filling"},
	/* what does not count: disabled and never synced */
	{"{\"integrations_known\":true,\"complete\":true,\"refreshed_at\":\"2026-11-28T07:36:40Z\","
	 "\"integrations\":[{\"id\":\"c1\",\"phase\":\"disabled\",\"counts\":false,\"complete\":"
	 "false}]}",
		5, PX_EXIT_DONE, ""},
	/* what cannot be understood is never ready */
	{"", -1, PX_EXIT_FAILED, "status.json"},
	{"{", -1, PX_EXIT_FAILED, "status.json"},
	{"{}", -1, PX_EXIT_INCOMPLETE, ""},
	{"{\"integrations_known\":true}", -1, PX_EXIT_INCOMPLETE, ""},
};

static void codes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		PX_BUF_AUTO struct px_buf why = PX_BUF_INIT(4096);
		int code = px_ready_judge(
			cases[i].status, strlen(cases[i].status), NOW, cases[i].max_age_s, &why);

		if (code != cases[i].code || !strstr(why.data ? why.data : "", cases[i].says))
			fail_msg("case %zu: %d (%s)", i, code, why.data ? why.data : "");
		if (code == PX_EXIT_DONE)
			assert_int_equal(why.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(codes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
