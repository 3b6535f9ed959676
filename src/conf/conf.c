/* SPDX-License-Identifier: MIT */
/* conf.c - the life of struct px_conf, and the filters in it. */
#include "conf_i.h"

#include <stdlib.h>
#include <string.h>

static void strings_release(struct px_strings *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->list[i]);
	free(s->list);
}

void px_conf_release(struct px_conf *c)
{
	free(c->name);
	free(c->config_file);
	free(c->mountpoint);
	free(c->api_url);
	free(c->api_key_file);
	free(c->api_key_command);
	free(c->store);
	free(c->webhook_listen);
	free(c->webhook_secret_file);
	free(c->webhook_url);
	free(c->metrics_listen);
	free(c->fuse_options);
	free(c->setuid);
	strings_release(&c->integrations);
	strings_release(&c->models);
	strings_release(&c->since);
	strings_release(&c->exec);
	free(c->origin.cwd);
	free(c->origin.mountpoint);
	free(c->origin.default_store);
	px_secret_wipe(&c->origin.key);
	px_secret_wipe(&c->origin.hook);
	px_secret_wipe(&c->key);
	for (size_t i = 0; i < c->webhook_secret_count; i++)
		px_secret_wipe(&c->webhook_secrets[i]);
	free(c->webhook_secrets);
	memset(c, 0, sizeof *c);
}

static bool wants(const struct px_strings *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->list[i], name))
			return true;
	return !s->count;
}

bool px_conf_wants_integration(const struct px_conf *c, const char *id)
{
	return wants(&c->integrations, id);
}

bool px_conf_wants_model(const struct px_conf *c, const char *dir)
{
	return wants(&c->models, dir);
}
