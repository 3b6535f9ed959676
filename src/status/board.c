/* SPDX-License-Identifier: MIT */
/*
 * board.c - what only the running process knows.
 *
 * Invariants: `lock` guards every member below it and is a leaf: nothing is called while it is
 * held but memcpy, strcmp and realloc. Only what differs from "nothing special" has an entry, so
 * the lists stay short. The clock is read when something is said, never when it is shown.
 */
#include "status_i.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"

struct progress_entry {
	int64_t did;
	struct px_progress p;
};

struct integration_entry {
	int64_t iid;
	struct px_board_integration i;
};

struct px_board {
	const struct px_conf *conf; /* set before threads, then const; or NULL */
	pthread_mutex_t lock;
	struct px_board_view view;
	struct progress_entry *progress; /* directories being walked */
	size_t progress_count, progress_cap;
	struct integration_entry *integrations;
	size_t integration_count, integration_cap;
};

struct px_board *px_board_new(void)
{
	struct px_board *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	if (pthread_mutex_init(&b->lock, NULL)) {
		free(b);
		return NULL;
	}
	b->view.api.reachable = b->view.api.authorized = true;
	b->view.refresh_s = 300;
	b->view.webhooks.registered = -1;
	b->view.started_ms = px_clock_wall_ms();
	return b;
}

void px_board_free(struct px_board *b)
{
	if (!b)
		return;
	pthread_mutex_destroy(&b->lock);
	free(b->progress);
	free(b->integrations);
	free(b);
}

void px_board_set_conf(struct px_board *b, const struct px_conf *conf)
{
	b->conf = conf;
	px_board_set_refresh(b, conf->refresh_s);
	pthread_mutex_lock(&b->lock);
	b->view.offline = conf->offline;
	if (conf->api_url)
		(void)snprintf(b->view.api_url, sizeof b->view.api_url, "%s", conf->api_url);
	pthread_mutex_unlock(&b->lock);
}

void px_board_set_api(
	struct px_board *b, const struct px_api_stats *s, const char *api_url, bool offline)
{
	pthread_mutex_lock(&b->lock);
	b->view.api = *s;
	(void)snprintf(b->view.api_url, sizeof b->view.api_url, "%s", api_url);
	b->view.offline = offline;
	pthread_mutex_unlock(&b->lock);
}

void px_board_set_refresh(struct px_board *b, int refresh_s)
{
	pthread_mutex_lock(&b->lock);
	b->view.refresh_s = refresh_s;
	pthread_mutex_unlock(&b->lock);
}

void px_board_set_refreshed(struct px_board *b, int64_t ms)
{
	pthread_mutex_lock(&b->lock);
	b->view.refreshed_ms = ms;
	pthread_mutex_unlock(&b->lock);
}

void px_board_set_webhooks(struct px_board *b, const struct px_webhook_stats *s)
{
	int registered;

	pthread_mutex_lock(&b->lock);
	registered = b->view.webhooks.registered;
	b->view.webhooks = *s;
	b->view.webhooks.registered = registered;
	pthread_mutex_unlock(&b->lock);
}

void px_board_set_registered(struct px_board *b, int registered)
{
	pthread_mutex_lock(&b->lock);
	b->view.webhooks.registered = registered;
	pthread_mutex_unlock(&b->lock);
}

void px_board_set_store_error(struct px_board *b, const char *message)
{
	pthread_mutex_lock(&b->lock);
	(void)snprintf(
		b->view.store_error, sizeof b->view.store_error, "%s", message ? message : "");
	pthread_mutex_unlock(&b->lock);
}

void px_board_view(struct px_board *b, struct px_board_view *ret)
{
	pthread_mutex_lock(&b->lock);
	*ret = b->view;
	pthread_mutex_unlock(&b->lock);
}

/* ---- by directory and by integration ---- */

/* Room for one more element; false: out of memory, and what was to be said is not shown. */
static bool grow(void **list, size_t count, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *grown;

	if (count < *cap)
		return true;
	grown = realloc(*list, more * size);
	if (!grown)
		return false;
	*list = grown;
	*cap = more;
	return true;
}

void px_board_set_progress(struct px_board *b, int64_t did, const struct px_progress *p)
{
	size_t i = 0;

	pthread_mutex_lock(&b->lock);
	while (i < b->progress_count && b->progress[i].did != did)
		i++;
	if (i < b->progress_count && !p->active)
		b->progress[i] = b->progress[--b->progress_count];
	else if (i < b->progress_count)
		b->progress[i].p = *p;
	else if (p->active && grow((void **)&b->progress, b->progress_count, &b->progress_cap,
				      sizeof *b->progress))
		b->progress[b->progress_count++] = (struct progress_entry){did, *p};
	pthread_mutex_unlock(&b->lock);
}

bool px_board_progress(struct px_board *b, int64_t did, struct px_progress *ret)
{
	bool found = false;

	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < b->progress_count && !found; i++)
		if (b->progress[i].did == did) {
			*ret = b->progress[i].p;
			found = true;
		}
	pthread_mutex_unlock(&b->lock);
	return found;
}

/* The entry of an integration, made when it is not there; NULL: out of memory. */
static struct px_board_integration *entry_locked(struct px_board *b, int64_t iid)
{
	for (size_t i = 0; i < b->integration_count; i++)
		if (b->integrations[i].iid == iid)
			return &b->integrations[i].i;
	if (!grow((void **)&b->integrations, b->integration_count, &b->integration_cap,
		    sizeof *b->integrations))
		return NULL;
	b->integrations[b->integration_count] = (struct integration_entry){.iid = iid};
	return &b->integrations[b->integration_count++].i;
}

void px_board_set_unannounced(struct px_board *b, int64_t iid, int64_t since_ms)
{
	struct px_board_integration *e;

	pthread_mutex_lock(&b->lock);
	e = entry_locked(b, iid);
	if (e)
		e->unannounced_ms = since_ms;
	pthread_mutex_unlock(&b->lock);
}

void px_board_set_catching_up(struct px_board *b, int64_t iid, bool on)
{
	struct px_board_integration *e;

	pthread_mutex_lock(&b->lock);
	e = entry_locked(b, iid);
	if (e)
		e->catching_up = on;
	pthread_mutex_unlock(&b->lock);
}

void px_board_integration(struct px_board *b, int64_t iid, struct px_board_integration *ret)
{
	memset(ret, 0, sizeof *ret);
	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < b->integration_count; i++)
		if (b->integrations[i].iid == iid)
			*ret = b->integrations[i].i;
	pthread_mutex_unlock(&b->lock);
}

bool px_board_wants_integration(struct px_board *b, const char *id)
{
	return !b || !b->conf || px_conf_wants_integration(b->conf, id);
}

const struct px_strings *px_board_named(const struct px_board *b)
{
	return b && b->conf && b->conf->integrations.count ? &b->conf->integrations : NULL;
}

bool px_board_wants_model(struct px_board *b, const char *dir)
{
	return !b || !b->conf || px_conf_wants_model(b->conf, dir);
}
