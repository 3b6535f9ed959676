/* SPDX-License-Identifier: MIT */
/*
 * options.c - the command line, from one table.
 */
#include "sim.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PX_VERSION
#define PX_VERSION "0"
#endif

static const struct {
	const char *name;
	enum sim_meta meta;
} metas[] = {{"full", META_FULL}, {"no-total", META_NO_TOTAL}, {"minimal", META_MINIMAL},
	{"null-hasmore", META_NULL_HASMORE}};

#define QUIRK_NAME(name, text) text,
static const char *const quirk_names[QUIRK_COUNT] = {SIM_QUIRKS(QUIRK_NAME)};

/* Names of what is the default, so that both sides of a choice can be named. */
static const char *const default_quirks[] = {"list-archived", "changed-since", "notfound-404"};

static bool is_default_quirk(const char *name)
{
	for (size_t i = 0; i < sizeof default_quirks / sizeof default_quirks[0]; i++)
		if (!strcmp(default_quirks[i], name))
			return true;
	return false;
}

int quirk_by_name(const char *name)
{
	for (int i = 0; i < QUIRK_COUNT; i++)
		if (!strcmp(quirk_names[i], name))
			return i;
	return -1;
}

bool meta_by_name(const char *name, enum sim_meta *ret)
{
	for (size_t i = 0; i < sizeof metas / sizeof metas[0]; i++)
		if (!strcmp(metas[i].name, name)) {
			*ret = metas[i].meta;
			return true;
		}
	return false;
}

static const char usage[] =
	"usage: propexofs-sim [options]     a simulated Propexo API on loopback\n"
	"\n"
	"  --listen HOST:PORT       127.0.0.1:0; loopback only, port 0 takes a free one\n"
	"  --port-file FILE         the port is written there when requests are answered\n"
	"  --seed N                 1; same seed and options, same data\n"
	"  --key KEY                sim-key; repeatable\n"
	"  --integrations N         3\n"
	"  --first-sync-pending N   of these, so many have not finished their first sync\n"
	"  --disabled N, --archived N\n"
	"  --disabled-models N      2; leaf models switched off in every integration but the "
	"first\n"
	"  --records MODEL=N        over all integrations; MODEL is a directory name or all; "
	"repeatable\n"
	"  --total N                3000; without --records: spread over all models\n"
	"  --rate-limit N           150 a minute; 0 is unlimited\n"
	"  --no-changed-since       refuse updated_at_gte and its like\n"
	"  --meta KIND              full, no-total, minimal, null-hasmore\n"
	"  --quirk NAME             repeatable; see docs/simulator.md\n"
	"  --webhook URL --webhook-secret SECRET\n"
	"                           ready-made hooks for every model and trigger\n"
	"  --live SECONDS           update a few records every so often\n"
	"  --prerender              render every page at the start\n"
	"  --threads N              2\n"
	"  --help, --version\n";

static bool number(const char *text, int64_t min, int64_t max, int64_t *ret)
{
	char *end;
	long long v = strtoll(text, &end, 10);

	if (!*text || *end || v < min || v > max)
		return false;
	*ret = v;
	return true;
}

/* The address must be one that only this machine can reach. */
static bool listen_at(struct options *o, const char *text)
{
	const char *colon = strrchr(text, ':');
	struct in6_addr six;
	struct in_addr four;
	int64_t port;
	size_t len;

	if (!colon || !number(colon + 1, 0, 65535, &port))
		return false;
	len = (size_t)(colon - text);
	if (len > 1 && *text == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof o->host)
		return false;
	memcpy(o->host, text, len);
	o->host[len] = '\0';
	o->port = (int)port;
	if (!strcmp(o->host, "localhost"))
		(void)snprintf(o->host, sizeof o->host, "127.0.0.1");
	if (inet_pton(AF_INET, o->host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, o->host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static bool records(struct options *o, const char *text)
{
	const char *eq = strchr(text, '=');
	char name[64];
	int64_t n;
	int model;

	if (!eq || (size_t)(eq - text) >= sizeof name || !number(eq + 1, 0, 100000000, &n))
		return false;
	memcpy(name, text, (size_t)(eq - text));
	name[eq - text] = '\0';
	o->records_given = true;
	if (!strcmp(name, "all")) {
		for (int m = 0; m < PX_MODEL_COUNT; m++)
			if (px_models[m].view_of < 0)
				o->records[m] = n;
		return true;
	}
	model = px_model_by_dir(name);
	if (model < 0)
		return false;
	o->records[model] = n;
	return true;
}

static bool add_key(struct options *o, const char *key)
{
	const char **keys = realloc(o->keys, (o->nkeys + 1) * sizeof *keys);

	if (!keys)
		return false;
	o->keys = keys;
	o->keys[o->nkeys++] = key;
	return *key != '\0';
}

static bool small(const char *text, int max, int *ret)
{
	int64_t v;

	if (!number(text, 0, max, &v))
		return false;
	*ret = (int)v;
	return true;
}

static bool quirk(struct options *o, const char *name)
{
	int q = quirk_by_name(name);

	if (q >= 0)
		o->quirk[q] = true;
	return q >= 0 || is_default_quirk(name);
}

static bool set_listen(struct options *o, const char *v)
{
	return listen_at(o, v);
}
static bool set_port_file(struct options *o, const char *v)
{
	o->port_file = v;
	return *v;
}
static bool set_seed(struct options *o, const char *v)
{
	int64_t n;

	if (!number(v, 0, INT64_MAX, &n))
		return false;
	o->seed = (uint64_t)n;
	return true;
}
static bool set_integrations(struct options *o, const char *v)
{
	return small(v, 2000, &o->integrations);
}
static bool set_pending(struct options *o, const char *v)
{
	return small(v, 2000, &o->pending);
}
static bool set_disabled(struct options *o, const char *v)
{
	return small(v, 2000, &o->disabled);
}
static bool set_archived(struct options *o, const char *v)
{
	return small(v, 2000, &o->archived);
}
static bool set_disabled_models(struct options *o, const char *v)
{
	return small(v, 12, &o->disabled_models);
}
static bool set_total(struct options *o, const char *v)
{
	return number(v, 0, 100000000, &o->total);
}
static bool set_rate(struct options *o, const char *v)
{
	return number(v, 0, 1000000, &o->rate_limit);
}
static bool set_meta(struct options *o, const char *v)
{
	return meta_by_name(v, &o->meta);
}
static bool set_webhook(struct options *o, const char *v)
{
	o->webhook = v;
	return !strncmp(v, "http", 4);
}
static bool set_secret(struct options *o, const char *v)
{
	o->webhook_secret = v;
	return strlen(v) >= 10;
}
static bool set_live(struct options *o, const char *v)
{
	char *end;

	o->live_s = strtod(v, &end);
	return *v && !*end && o->live_s > 0 && o->live_s < 1e6;
}
static bool set_threads(struct options *o, const char *v)
{
	return small(v, 64, &o->threads) && o->threads;
}
static bool set_no_since(struct options *o, const char *v)
{
	(void)v;
	o->quirk[QUIRK_CHANGED_SINCE_400] = true;
	return true;
}
static bool set_prerender(struct options *o, const char *v)
{
	(void)v;
	o->prerender = true;
	return true;
}

static const struct {
	const char *name;
	bool flag;
	bool (*set)(struct options *o, const char *value);
} table[] = {
	{"--listen", false, set_listen},
	{"--port-file", false, set_port_file},
	{"--seed", false, set_seed},
	{"--key", false, add_key},
	{"--integrations", false, set_integrations},
	{"--first-sync-pending", false, set_pending},
	{"--disabled", false, set_disabled},
	{"--archived", false, set_archived},
	{"--disabled-models", false, set_disabled_models},
	{"--records", false, records},
	{"--total", false, set_total},
	{"--rate-limit", false, set_rate},
	{"--no-changed-since", true, set_no_since},
	{"--meta", false, set_meta},
	{"--quirk", false, quirk},
	{"--webhook", false, set_webhook},
	{"--webhook-secret", false, set_secret},
	{"--live", false, set_live},
	{"--prerender", true, set_prerender},
	{"--threads", false, set_threads},
};

static int one_option(struct options *o, int *at, int argc, char **argv)
{
	const char *arg = argv[*at], *eq = strchr(arg, '=');
	size_t len = eq ? (size_t)(eq - arg) : strlen(arg);

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const char *value = eq ? eq + 1 : NULL;

		if (strlen(table[i].name) != len || strncmp(table[i].name, arg, len))
			continue;
		if (!table[i].flag && !value) {
			if (*at + 1 >= argc) {
				(void)fprintf(stderr, "propexofs-sim: %s needs a value\n", arg);
				return 2;
			}
			value = argv[++*at];
		}
		if (table[i].flag ? eq != NULL : false) {
			(void)fprintf(stderr, "propexofs-sim: %s takes no value\n", table[i].name);
			return 2;
		}
		if (!table[i].set(o, value ? value : "")) {
			(void)fprintf(stderr, "propexofs-sim: %s: '%s' is not accepted\n",
				table[i].name, value ? value : "");
			return 2;
		}
		return 0;
	}
	(void)fprintf(stderr, "propexofs-sim: unknown option %s (see --help)\n", arg);
	return 2;
}

int options_parse(struct options *o, int argc, char **argv)
{
	*o = (struct options){.host = "127.0.0.1",
		.seed = 1,
		.integrations = 3,
		.disabled_models = 2,
		.total = 3000,
		.rate_limit = 150,
		.threads = 2};
	for (int i = 1; i < argc; i++) {
		int rc;

		if (!strcmp(argv[i], "--help")) {
			(void)fputs(usage, stdout);
			return 1;
		}
		if (!strcmp(argv[i], "--version")) {
			(void)puts("propexofs-sim " PX_VERSION);
			return 1;
		}
		rc = one_option(o, &i, argc, argv);
		if (rc)
			return rc;
	}
	if (o->webhook && !o->webhook_secret) {
		(void)fputs("propexofs-sim: --webhook needs --webhook-secret\n", stderr);
		return 2;
	}
	if (!o->nkeys && !add_key(o, "sim-key"))
		return 2;
	return 0;
}

void options_release(struct options *o)
{
	free(o->keys);
	o->keys = NULL;
}
