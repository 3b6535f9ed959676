/* SPDX-License-Identifier: MIT */
/*
 * remote.c - key, API and deliveries.
 *
 * Invariant: one connection without a request, and one GET: both at most once, whatever is found.
 */
#include "check_i.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "propexofs/api.h"
#include "propexofs/clock.h"

enum { CONNECT_MS = 10000, ANSWER_MS = 15000, STEP_MS = 200 };

/* ---- key ---- */

void px_check_key(struct px_checking *k)
{
	struct px_conf *c = k->conf;
	struct px_err err = {0};

	if (px_skipped(k, PX_ON_KEY, PX_ON_CONF))
		return;
	if (px_conf_load_key(c, &err))
		px_found(k, PX_ON_KEY, PX_VERDICT_FAIL,
			c->api_key_file || c->api_key_command ? NULL : "propexofs init", "%s",
			err.msg);
	else if (c->api_key_command)
		px_found(k, PX_ON_KEY, PX_VERDICT_OK, NULL, "from api-key-command");
	else if (c->api_key_file)
		px_found(k, PX_ON_KEY, PX_VERDICT_OK, NULL, "from %s", c->api_key_file);
	else
		px_found(k, PX_ON_KEY, PX_VERDICT_OK, NULL, "from the environment");
}

/* ---- API ---- */

static void check_reach(struct px_checking *k)
{
	struct px_err err = {0};
	enum px_reach reach;

	if (px_skipped(k, PX_ON_API, PX_ON_CONF)) {
		(void)px_skipped(k, PX_ON_TLS, PX_ON_API);
		return;
	}
	reach = px_api_reach(k->conf->api_url, CONNECT_MS, &err);
	if (reach == PX_REACH_NO_NAME || reach == PX_REACH_NO_CONNECTION) {
		px_found(k, PX_ON_API, PX_VERDICT_FAIL,
			reach == PX_REACH_NO_NAME
				? "check --api-url and this machine's name servers"
				: "check --api-url, firewall and proxy (https_proxy)",
			"%s: %s", k->conf->api_url, err.msg);
		(void)px_skipped(k, PX_ON_TLS, PX_ON_API);
		return;
	}
	px_found(k, PX_ON_API, PX_VERDICT_OK, NULL, "%s can be reached", k->conf->api_url);
	if (reach == PX_REACH_NO_TLS)
		px_found(k, PX_ON_TLS, PX_VERDICT_FAIL,
			"check this machine's clock, and that ca-certificates is installed", "%s",
			err.msg);
	else if (reach == PX_REACH_PLAIN)
		px_found(k, PX_ON_TLS, PX_VERDICT_OK, NULL,
			"not used: the address is on this machine");
	else
		px_found(k, PX_ON_TLS, PX_VERDICT_OK, NULL, "the certificate is good");
}

struct question {
	bool answered;
	px_rc rc;
	int status;
	struct px_err err;
};

static void on_answer(void *arg, const struct px_answer *a)
{
	struct question *q = arg;

	if (a->rc == PX_ECANCELED)
		return;
	q->answered = true;
	q->rc = a->rc;
	q->status = a->status;
	q->err = a->err;
}

/* Asks for one integration; gives up after a while, and at a 429, which the client waits out. */
static px_rc ask(
	const struct px_conf *c, struct question *q, struct px_api_stats *stats, struct px_err *err)
{
	int64_t end = px_clock_mono_ms() + ANSWER_MS;
	struct px_api *api = NULL;
	px_rc rc = px_api_new(
		&(struct px_api_options){
			.base_url = c->api_url,
			.key = c->key.text,
			.connections = 1,
			.share_percent = 100,
			.user_agent = "propexofs/" PX_VERSION,
			.total_timeout_ms = ANSWER_MS,
		},
		&api, err);

	if (!rc)
		rc = px_api_get(api, PX_FOR_CONTROL, "/v1/admin/integrations/?limit=1", 0, NULL,
			on_answer, q, err);
	memset(stats, 0, sizeof *stats);
	while (!rc && !q->answered && !stats->refused && px_clock_mono_ms() < end) {
		px_api_step(api, px_clock_mono_ms() + STEP_MS);
		px_api_stats(api, stats);
	}
	px_api_free(api);
	return rc;
}

static void check_allowance(struct px_checking *k, const struct px_api_stats *s)
{
	const struct px_limiter_view *v = &s->limiter;
	int share;

	if (px_skipped(k, PX_ON_ALLOWANCE, PX_ON_AUTHORISED))
		return;
	share = k->conf->rate_share;
	if (s->refused)
		px_found(k, PX_ON_ALLOWANCE, PX_VERDICT_WARN,
			"others use the account too; it comes back within a minute",
			"used up: HTTP 429");
	else if (v->allowed <= 0)
		px_found(k, PX_ON_ALLOWANCE, PX_VERDICT_OK, NULL, "the API names no limit");
	else if (v->used * 100 >= v->allowed * share)
		px_found(k, PX_ON_ALLOWANCE, PX_VERDICT_WARN,
			"others use the account too; --rate-share says how much may be used up",
			"%lld of %lld requests of this minute are used: no more than %d %% may be",
			(long long)v->used, (long long)v->allowed, share);
	else
		px_found(k, PX_ON_ALLOWANCE, PX_VERDICT_OK, NULL,
			"%lld of %lld requests of this minute are left",
			(long long)(v->allowed - v->used), (long long)v->allowed);
}

static void check_authorised(struct px_checking *k, struct px_api_stats *stats)
{
	struct question q = {.answered = false};
	struct px_err err = {0};

	if (px_skipped(k, PX_ON_AUTHORISED, PX_ON_KEY) ||
		px_skipped(k, PX_ON_AUTHORISED, PX_ON_API) ||
		px_skipped(k, PX_ON_AUTHORISED, PX_ON_TLS))
		return;
	if (ask(k->conf, &q, stats, &err))
		px_found(k, PX_ON_AUTHORISED, PX_VERDICT_FAIL, NULL, "%s", err.msg);
	else if (stats->refused)
		px_found(k, PX_ON_AUTHORISED, PX_VERDICT_WARN, "try again in a minute",
			"not known: the API answers nobody now");
	else if (!q.answered)
		px_found(k, PX_ON_AUTHORISED, PX_VERDICT_FAIL, "try again later",
			"the API did not answer within %d s", ANSWER_MS / 1000);
	else if (q.status == 401)
		px_found(k, PX_ON_AUTHORISED, PX_VERDICT_FAIL,
			"propexofs init takes a new key; keys are made in Propexo's dashboard",
			"the key is refused: HTTP 401");
	else if (q.rc)
		px_found(k, PX_ON_AUTHORISED, PX_VERDICT_FAIL,
			q.rc == PX_EAUTH ? "the key lacks a permission: ask Propexo" : NULL, "%s",
			q.err.msg);
	else
		px_found(k, PX_ON_AUTHORISED, PX_VERDICT_OK, NULL, "the key is good");
}

void px_check_api(struct px_checking *k)
{
	struct px_api_stats stats = {.refused = 0};

	check_reach(k);
	check_authorised(k, &stats);
	check_allowance(k, &stats);
}

/* ---- deliveries ---- */

/* Whether HOST:PORT can be bound now; 0, or errno. *ret_local: it is on this machine only. */
static int try_address(const char *address, bool *ret_local, const char **ret_why)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;
	struct addrinfo *list = NULL;
	char host[256];
	int why, fd, on = 1;

	if (len > 1 && address[0] == '[' && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	(void)snprintf(host, sizeof host, "%.*s", (int)len, address);
	*ret_local = !strncmp(host, "127.", 4) || !strcmp(host, "::1") ||
		     !strcmp(host, "localhost");
	why = getaddrinfo(host, colon ? colon + 1 : "0", &hints, &list);
	if (why) {
		*ret_why = gai_strerror(why);
		return EADDRNOTAVAIL;
	}
	why = EADDRNOTAVAIL;
	for (struct addrinfo *a = list; a && why; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		why = fd < 0 ? errno : 0;
		if (fd < 0)
			continue;
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, 1))
			why = errno;
		(void)close(fd);
	}
	freeaddrinfo(list);
	*ret_why = strerrordesc_np(why);
	return why;
}

static void check_tcp(struct px_checking *k, const char *address)
{
	const char *reason = "";
	bool local = false;
	int why = try_address(address, &local, &reason);

	if (why == EADDRINUSE && k->in_use)
		px_found(k, PX_ON_HOOK_ADDRESS, PX_VERDICT_OK, NULL,
			"%s is in use, as it should be while propexofs runs", address);
	else if (why)
		px_found(k, PX_ON_HOOK_ADDRESS, PX_VERDICT_FAIL,
			why == EACCES ? "ports below 1024 are root's: take another"
				      : "name another address with --webhook-listen",
			"%s: %s", address, reason);
	else if (!local)
		px_found(k, PX_ON_HOOK_ADDRESS, PX_VERDICT_WARN,
			"let a proxy that speaks https stand in front, and listen on 127.0.0.1",
			"%s: deliveries would cross the network in the clear", address);
	else
		px_found(k, PX_ON_HOOK_ADDRESS, PX_VERDICT_OK, NULL, "%s is free", address);
}

static void check_unix(struct px_checking *k, const char *address, const char *path)
{
	char *dir = strdup(path), *slash = dir ? strrchr(dir, '/') : NULL;

	if (slash)
		slash[slash == dir] = '\0';
	if (access(slash ? dir : ".", W_OK | X_OK))
		px_found(k, PX_ON_HOOK_ADDRESS, PX_VERDICT_FAIL,
			"name a directory that can be written", "%s: %s", address,
			strerrordesc_np(errno));
	else
		px_found(k, PX_ON_HOOK_ADDRESS, PX_VERDICT_OK, NULL, "%s can be made", address);
	free(dir);
}

static void check_address(struct px_checking *k)
{
	const struct px_conf *c = k->conf;

	if (px_skipped(k, PX_ON_HOOK_ADDRESS, PX_ON_CONF))
		return;
	if (!c->webhook_listen && !c->webhook_url)
		px_found(k, PX_ON_HOOK_ADDRESS, PX_VERDICT_OK, NULL,
			"off: changes are asked for, not delivered");
	else if (!c->webhook_listen)
		px_found(k, PX_ON_HOOK_ADDRESS, PX_VERDICT_WARN,
			"set --webhook-listen, unless systemd hands over the socket",
			"webhook-url is set, but nothing listens");
	else if (!strncmp(c->webhook_listen, "unix:", 5))
		check_unix(k, c->webhook_listen, c->webhook_listen + 5);
	else
		check_tcp(k, c->webhook_listen);
}

void px_check_hooks(struct px_checking *k)
{
	struct px_conf *c = k->conf;
	struct px_err err = {0};

	check_address(k);
	if (px_skipped(k, PX_ON_HOOK_SECRET, PX_ON_CONF))
		return;
	if (px_conf_load_webhook_secrets(c, &err))
		px_found(k, PX_ON_HOOK_SECRET, PX_VERDICT_FAIL,
			c->webhook_secret_file ? NULL : "openssl rand -hex 32 makes one", "%s",
			err.msg);
	else if (!c->webhook_listen && !c->webhook_url)
		px_found(k, PX_ON_HOOK_SECRET, PX_VERDICT_OK, NULL, "none is needed");
	else
		px_found(k, PX_ON_HOOK_SECRET, PX_VERDICT_OK, NULL, "%zu %s from %s",
			c->webhook_secret_count,
			c->webhook_secret_count == 1 ? "secret" : "secrets",
			c->webhook_secret_file ? c->webhook_secret_file : "the environment");
}
