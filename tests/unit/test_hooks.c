/* SPDX-License-Identifier: MIT */
/* test_hooks.c - APIs more awkward than the simulator: what they answer is believed, and nothing is
 * piled up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"
#include "propexofs/hooks.h"
#include "propexofs/log.h"

#define SECRET "whsec-one-two-three"

/* ---- the API */

struct world {
	struct MHD_Daemon *mhd;
	char base[64];
	_Atomic int gets, posts, puts, deletes;
	char deleted[200]; /* path of the last DELETE */
	const char *list;  /* results of the list of active ones */
	int post_status, put_status;
	const char *post_body, *put_body;
	struct px_conf conf;
	bool done;
	struct px_hooks_result result;
	int told;
};

static enum MHD_Result answer(struct MHD_Connection *c, int status, const char *text)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result ok = MHD_queue_response(c, (unsigned)status, r);

	MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result serve(void *arg, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **ctx)
{
	struct world *w = arg;
	const char *active;
	char text[4096];

	(void)version;
	(void)data;
	if (!*ctx) {
		*ctx = w;
		return MHD_YES;
	}
	if (*size) {
		*size = 0;
		return MHD_YES;
	}
	if (!strcmp(method, "GET")) {
		w->gets++;
		active = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "active");
		(void)snprintf(text, sizeof text, "{\"meta\":{\"orderBy\":[]},\"results\":[%s]}",
			active && !strcmp(active, "true") ? w->list : "");
		return answer(c, 200, text);
	}
	if (!strcmp(method, "POST")) {
		w->posts++;
		return answer(c, w->post_status, w->post_body);
	}
	if (!strcmp(method, "PUT")) {
		w->puts++;
		return answer(c, w->put_status, w->put_body);
	}
	w->deletes++;
	(void)snprintf(w->deleted, sizeof w->deleted, "%s", url);
	return answer(c, 200, "{\"result\":{\"id\":\"x\"}}");
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	const union MHD_DaemonInfo *info;

	px_log_setup(PX_LOG_STDERR, PX_LOG_ERROR);
	w->mhd = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO_INTERNAL_THREAD, 0,
		NULL, NULL, serve, w, MHD_OPTION_END);
	if (!w->mhd)
		return -1;
	info = MHD_get_daemon_info(w->mhd, MHD_DAEMON_INFO_BIND_PORT);
	(void)snprintf(w->base, sizeof w->base, "http://127.0.0.1:%d", info->port);
	w->conf.webhook_url = (char *)"https://hooks.example.com/in";
	w->list = "";
	w->post_status = w->put_status = 200;
	w->post_body = w->put_body = "";
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	MHD_stop_daemon(w->mhd);
	free(w);
	return 0;
}

static void on_told(void *arg, const char *what, const char *model, const char *id)
{
	struct world *w = arg;

	assert_non_null(what);
	assert_non_null(model);
	assert_non_null(id);
	w->told++;
}

static void on_done(void *arg, const struct px_hooks_result *result)
{
	struct world *w = arg;

	assert_false(w->done);
	w->done = true;
	w->result = *result;
}

static struct px_hooks_options options(struct world *w, enum px_hooks_task task)
{
	return (struct px_hooks_options){.conf = &w->conf,
		.secret = SECRET,
		.task = task,
		.told = on_told,
		.done = on_done,
		.arg = w};
}

static void run(struct world *w, enum px_hooks_task task)
{
	struct px_hooks_options o = options(w, task);
	struct px_err err;
	int64_t end = px_clock_mono_ms() + 30000;

	assert_int_equal(px_api_new(&(struct px_api_options){.base_url = w->base,
					    .key = "k",
					    .connections = 1,
					    .share_percent = 100},
				 &o.api, &err),
		PX_OK);
	w->done = false;
	w->told = 0;
	assert_int_equal(px_hooks_start(&o, &err), PX_OK);
	while (!w->done && px_clock_mono_ms() < end)
		px_api_step(o.api, px_clock_mono_ms() + 100);
	assert_true(w->done);
	px_api_free(o.api);
}

#define HOOK(id, url, active, triggers)                                                            \
	"{\"id\":\"" id "\",\"url\":\"" url "\",\"active\":" active ",\"secret\":\"" SECRET        \
	"\",\"triggers\":[" triggers "]}"
#define OF(model)                                                                                  \
	"{\"trigger\":\"DATA_NEW\",\"model\":\"" model                                             \
	"\"},{\"trigger\":\"DATA_UPDATE\",\"model\":\"" model "\"}"

/* ---- what is made is looked at */

static void another_spelling_of_the_url_ends_the_run(void **state)
{
	struct world *w = *state;

	w->post_body = "{\"result\":" HOOK(
		"new1", "https://hooks.example.com:443/in", "true", OF("leases")) "}";
	run(w, PX_HOOKS_REGISTER);
	assert_int_equal(w->result.rc, PX_EHTTP);
	assert_non_null(strstr(w->result.err.msg, "https://hooks.example.com:443/in"));
	assert_int_equal(w->posts, 1);
	assert_int_equal(w->deletes, 1);
	assert_string_equal(w->deleted, "/v1/webhooks/new1");
	assert_int_equal(w->told, 0);
}

static void a_hook_made_inactive_is_taken_back(void **state)
{
	struct world *w = *state;

	w->post_body = "{\"result\":" HOOK(
		"new2", "https://hooks.example.com/in", "false", OF("ap_codes")) "}";
	run(w, PX_HOOKS_REGISTER);
	assert_int_equal(w->result.rc, PX_EHTTP);
	assert_int_equal(w->posts, 1);
	assert_string_equal(w->deleted, "/v1/webhooks/new2");
}

static void a_put_without_effect_is_told(void **state)
{
	struct world *w = *state;

	w->conf.models = (struct px_strings){
		.list = (char *[]){(char *)"charge-codes"}, .count = 1};
	w->list = HOOK("gen", "https://hooks.example.com/in", "true",
		"{\"trigger\":\"SYNC_COMPLETE\",\"model\":null},"
		"{\"trigger\":\"FIRST_SYNC_COMPLETE\",\"model\":null},"
		"{\"trigger\":\"JOB_FAILURE\"},{\"trigger\":\"WRITE_OPERATION_FAILURE\"}") "," HOOK("b",
		"https://hooks.example.com/in", "false", OF("charge_codes"));
	w->put_body = "{\"result\":" HOOK(
		"b", "https://hooks.example.com/in", "false", OF("charge_codes")) "}";
	run(w, PX_HOOKS_REGISTER);
	assert_int_equal(w->puts, 1);
	assert_int_equal(w->deletes, 0);
	assert_int_equal(w->result.rc, PX_EHTTP);
	assert_non_null(strstr(w->result.err.msg, "leaves webhook b as it was"));
	assert_int_equal(w->posts, 0);
	assert_int_equal(w->result.wanted, 2);
	assert_int_equal(w->result.right, 1);
}

/* ---- what is unclear is bounded, what is refused is told */

static void a_post_that_never_says_is_not_sent_for_ever(void **state)
{
	struct world *w = *state;

	w->post_status = 500;
	run(w, PX_HOOKS_REGISTER);
	assert_int_not_equal(w->result.rc, PX_OK);
	assert_int_equal(w->posts, 10);
	/* both lists before each */
	assert_int_equal(w->gets, 20);
}

static void a_refusal_that_repeats_the_secret_is_not_shown(void **state)
{
	struct world *w = *state;

	w->post_status = 400;
	w->post_body = "{\"error\":{\"code\":\"VALIDATION_ERROR\",\"message\":\"no good: " SECRET
		       "\"}}";
	run(w, PX_HOOKS_REGISTER);
	assert_int_equal(w->result.rc, PX_EHTTP);
	assert_int_equal(w->posts, (int)w->result.wanted);
	assert_non_null(strstr(w->result.err.msg, "HTTP 400"));
	assert_null(strstr(w->result.err.msg, "whsec"));
}

static void an_id_that_leads_elsewhere_is_not_asked_for(void **state)
{
	struct world *w = *state;

	w->list = HOOK(
		"../admin/integrations/x", "https://hooks.example.com/in", "true", OF("leases"));
	run(w, PX_HOOKS_REMOVE);
	assert_int_not_equal(w->result.rc, PX_OK);
	assert_int_equal(w->deletes, 0);
}

static void a_hook_of_two_models_stands_for_neither(void **state)
{
	struct world *w = *state;

	w->list = HOOK("one", "https://hooks.example.com/in", "true", OF("leases")) "," HOOK(
		"two", "https://hooks.example.com/in", "true", OF("units") "," OF("events"));
	run(w, PX_HOOKS_LIST);
	assert_int_equal(w->result.rc, PX_OK);
	assert_int_equal(w->result.right, 1);
}

static void what_is_no_list_ends_the_run(void **state)
{
	static const char *const bad[] = {"{\"id\":7}", "{}", "7", "{\"id\":\"\"}"};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		w->list = bad[i];
		run(w, PX_HOOKS_REGISTER);
		assert_int_equal(w->result.rc, PX_ESYNTAX);
	}
	assert_int_equal(w->posts, 0);
}

/* ---- start and end */

static void what_cannot_be_registered_is_refused_at_once(void **state)
{
	static const char *const bad[] = {NULL, "", "nine char",
		"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", "not utf-8 \xff at all"};
	struct world *w = *state;
	struct px_hooks_options o = options(w, PX_HOOKS_REGISTER);
	struct px_err err;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		o.secret = bad[i];
		assert_int_equal(px_hooks_start(&o, &err), PX_EUSAGE);
	}
	o.secret = SECRET;
	w->conf.webhook_url = NULL;
	assert_int_equal(px_hooks_start(&o, &err), PX_EUSAGE);
	assert_false(w->done);
}

static void a_client_that_goes_ends_the_run(void **state)
{
	struct world *w = *state;
	struct px_hooks_options o = options(w, PX_HOOKS_REGISTER);
	struct px_err err;

	assert_int_equal(px_api_new(&(struct px_api_options){.base_url = w->base,
					    .key = "k",
					    .connections = 1,
					    .share_percent = 100},
				 &o.api, &err),
		PX_OK);
	assert_int_equal(px_hooks_start(&o, &err), PX_OK);
	px_api_free(o.api);
	assert_true(w->done);
	assert_int_equal(w->result.rc, PX_ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(another_spelling_of_the_url_ends_the_run),
		TEST(a_hook_made_inactive_is_taken_back),
		TEST(a_put_without_effect_is_told),
		TEST(a_post_that_never_says_is_not_sent_for_ever),
		TEST(a_refusal_that_repeats_the_secret_is_not_shown),
		TEST(an_id_that_leads_elsewhere_is_not_asked_for),
		TEST(a_hook_of_two_models_stands_for_neither),
		TEST(what_is_no_list_ends_the_run),
		TEST(what_cannot_be_registered_is_refused_at_once),
		TEST(a_client_that_goes_ends_the_run),
	};

	px_clock_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
