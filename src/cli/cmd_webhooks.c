/* SPDX-License-Identifier: MIT */
/* cmd_webhooks.c - what Propexo delivers to: a line for each webhook on standard output, a summary
 * on standard error. */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/api.h"
#include "propexofs/clock.h"
#include "propexofs/hooks.h"
#include "propexofs/log.h"

enum { STEP_MS = 200 };

static const struct {
	const char *word;
	enum px_hooks_task task;
} tasks[] = {
	{"list", PX_HOOKS_LIST},
	{"register", PX_HOOKS_REGISTER},
	{"remove", PX_HOOKS_REMOVE},
};

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

struct managing {
	bool done;
	struct px_hooks_result result;
};

static void on_told(void *arg, const char *what, const char *model, const char *id)
{
	(void)arg;
	(void)printf(*id ? "%-9s %-40s %s\n" : "%-9s %s\n", what, model, id);
}

static void on_done(void *arg, const struct px_hooks_result *result)
{
	struct managing *m = arg;

	m->done = true;
	m->result = *result;
}

static px_rc renew_key(void *arg, struct px_api *api, struct px_err *err)
{
	return px_conf_renew_key(arg, NULL, api, err);
}

static px_rc manage(
	struct px_conf *c, enum px_hooks_task task, struct px_hooks_result *ret, struct px_err *err)
{
	struct managing m = {.done = false};
	struct px_api *api = NULL;
	px_rc rc = px_api_new(
		&(struct px_api_options){
			.base_url = c->api_url,
			.key = c->key.text,
			.connections = 1,
			.share_percent = c->rate_share,
			.user_agent = "propexofs/" PX_VERSION,
			.retries = 3,
			.renew_key = renew_key,
			.renew_arg = c,
		},
		&api, err);

	if (!rc)
		rc = px_hooks_start(
			&(struct px_hooks_options){
				.api = api,
				.conf = c,
				.secret = c->webhook_secret_count ? c->webhook_secrets[0].text
								  : NULL,
				.task = task,
				.dry_run = c->dry_run,
				.told = on_told,
				.done = on_done,
				.arg = &m,
			},
			err);
	while (!rc && !m.done && !stopped)
		px_api_step(api, px_clock_mono_ms() + STEP_MS);
	px_api_free(api);
	if (!rc && m.result.rc) {
		*err = m.result.err;
		rc = m.result.rc;
	}
	*ret = m.result;
	return rc;
}

static void summarise(
	const struct px_conf *c, enum px_hooks_task task, const struct px_hooks_result *r)
{
	(void)fprintf(stderr, "propexofs: ");
	if (task != PX_HOOKS_LIST && !r->changed)
		(void)fprintf(stderr, "nothing to do, ");
	else if (task != PX_HOOKS_LIST)
		(void)fprintf(stderr, "%zu %s, ", r->changed, c->dry_run ? "to do" : "done");
	if (task != PX_HOOKS_REMOVE)
		(void)fprintf(stderr, "%zu of %zu as they should be, ", r->right, r->wanted);
	(void)fprintf(stderr, "%zu with other addresses left alone\n", r->others);
}

static px_rc run(struct px_conf *c, enum px_hooks_task task, struct px_err *err)
{
	const struct sigaction act = {.sa_handler = on_signal};
	struct px_hooks_result result;
	px_rc rc;

	px_log_setup(PX_LOG_STDERR, c->log_level == PX_LOG_INFO ? PX_LOG_WARN : c->log_level);
	if (!c->webhook_url)
		return px_err_set(err, PX_EUSAGE,
			"no address to deliver to: set --webhook-url, the receiver's public "
			"address");
	rc = px_conf_load_key(c, err);
	/* the others say more with a secret, but need none */
	if (!rc && (task == PX_HOOKS_REGISTER || c->webhook_secret_file || c->webhook_secret_count))
		rc = px_conf_load_webhook_secrets(c, err);
	if (rc)
		return rc;
	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGTERM, &act, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	rc = manage(c, task, &result, err);
	if (fflush(stdout) && !rc)
		rc = px_err_set(err, PX_EIO, "standard output cannot be written");
	if (!rc)
		summarise(c, task, &result);
	return rc;
}

px_rc px_cmd_webhooks(int argc, char **argv, int *ret_code, struct px_err *err)
{
	struct px_conf c;
	char **operands = NULL;
	int n = 0;
	px_rc rc;

	memset(&c, 0, sizeof c);
	*ret_code = PX_EXIT_DONE;
	rc = px_conf_load(argc, argv, PX_CMD_WEBHOOKS, &c, &operands, &n, err);
	if (!rc) {
		rc = px_err_set(err, PX_EUSAGE,
			"usage: propexofs webhooks list|register|remove [--dry-run] [options]");
		for (size_t i = 0; n == 1 && i < sizeof tasks / sizeof *tasks; i++)
			if (!strcmp(operands[0], tasks[i].word)) {
				rc = run(&c, tasks[i].task, err);
				break;
			}
	}
	free(operands);
	px_conf_release(&c);
	return rc;
}
