/* SPDX-License-Identifier: MIT */
/* test_status_ready.c - what `ready` makes of status.json: its exit codes, one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "../../src/cli/cli.h"

#define NOW INT64_C(1795851400000) /* 2026-11-28T07:36:40Z */

/* The root was refreshed a minute ago; when the integration was last known to be right is for each
 * case to say. */
#define ONE(phase, extra)                                                                          \
	"{\"integrations_known\":true,\"complete\":true,\"refreshed_at\":\"2026-11-28T07:35:"      \
	"40Z\","                                                                                   \
	"\"integrations\":[{\"id\":\"c1\",\"name\":\"Acme\",\"phase\":\"" phase                    \
	"\",\"counts\":true,\"complete\":true" extra "}]}"
#define AT(time)    ",\"reconciled_at\":\"2026-11-28T" time "Z\""
#define SINCE(time) ",\"oldest_pending_event_at\":\"2026-11-28T" time "Z\""

static const struct {
	const char *status;
	int max_age_s, code;
	const char *says;
} cases[] = {
	{ONE("current", AT("07:35:40")), -1, PX_EXIT_DONE, ""},
	{ONE("current", AT("07:35:40")), 60, PX_EXIT_DONE, ""},
	{ONE("current", AT("07:35:40")), 59, PX_EXIT_TOO_OLD, "60 s ago: Acme (c1)"},
	{ONE("current", AT("07:35:40")), 0, PX_EXIT_TOO_OLD, "too old"},
	/* a refresh that found something which cannot be read makes nothing right */
	{ONE("current", AT("07:00:00")), 60, PX_EXIT_TOO_OLD, "2200 s ago: Acme (c1)"},
	{ONE("current", ",\"reconciled_at\":null"), 2000000000, PX_EXIT_TOO_OLD, "never"},
	{ONE("current", ",\"reconciled_at\":null"), -1, PX_EXIT_DONE, ""},
	/* nothing is expected from what is disabled: then the list of integrations counts */
	{ONE("disabled", AT("07:00:00")), 60, PX_EXIT_DONE, ""},
	{ONE("disabled", AT("07:00:00")), 59, PX_EXIT_TOO_OLD, "60 s"},
	/* a change that waits makes it as old as the change */
	{ONE("current", AT("07:36:40") SINCE("07:00:00")), 60, PX_EXIT_TOO_OLD, "2200 s"},
	{ONE("current", AT("07:36:40") SINCE("07:36:00")), 60, PX_EXIT_DONE, ""},
	{ONE("current", AT("07:36:40") SINCE("07:36:00")), -1, PX_EXIT_DONE, ""},
	/* nothing refreshed yet */
	{"{\"integrations_known\":true,\"complete\":true,\"refreshed_at\":null,\"integrations\":[]"
	 "}",
		-1, PX_EXIT_DONE, ""},
	{"{\"integrations_known\":true,\"complete\":true,\"refreshed_at\":null,\"integrations\":[]"
	 "}",
		2000000000, PX_EXIT_TOO_OLD, "never"},
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
	/* a name that nothing has */
	{"{\"integrations_known\":true,\"complete\":false,\"unknown_integration\":\"cly9\","
	 "\"refreshed_at\":\"2026-11-28T07:36:40Z\",\"integrations\":[]}",
		-1, PX_EXIT_INCOMPLETE, "no integration cly9"},
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
