/* SPDX-License-Identifier: MIT */
/*
 * sync.c - the loop: what is due is started, the API is served, ended jobs are looked at.
 *
 * Invariants: every object of this folder belongs to the thread that runs loop_once; the list of
 * ended jobs is the only thing that another thread (ingest) touches, under a leaf lock. Every
 * submitted job's `after` runs exactly once, on this thread.
 */
#include "sync_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/hash.h"

enum { BOARD_MS = 500, STEP_MS = 200, RATE_LIMITED_MS = 60000 };

/* ---- jobs
 * ---------------------------------------------------------------------------------------------- */

/* Ingest thread. */
/* At the end of its life there is nobody to wake. */
static void wake(struct px_sync *s)
{
	if (s->api)
		px_api_wake(s->api);
}

static void job_done(struct px_job *job, px_rc rc, const struct px_err *err)
{
	struct px_sync *s = job->ctx;

	(void)rc;
	(void)err;
	job->next = NULL;
	pthread_mutex_lock(&s->lock);
	*s->ended_tail = job;
	s->ended_tail = &job->next;
	pthread_mutex_unlock(&s->lock);
	wake(s);
}

void sync_submit(struct px_sync *s, struct px_job *job)
{
	px_rc rc;

	job->ctx = s;
	job->done = job_done;
	s->jobs_out++;
	rc = px_ingest_submit(s->ingest, job, true);
	if (rc) {
		job->rc = px_err_set(&job->err, rc, "the writer has stopped");
		job_done(job, rc, &job->err);
	}
}

static void run_ended(struct px_sync *s)
{
	struct px_job *list;

	pthread_mutex_lock(&s->lock);
	list = s->ended;
	s->ended = NULL;
	s->ended_tail = &s->ended;
	pthread_mutex_unlock(&s->lock);
	while (list) {
		struct px_job *next = list->next;

		s->jobs_out--;
		list->after(list);
		list = next;
	}
}

static void note_after(struct px_job *job)
{
	struct px_note_job *n = (struct px_note_job *)job;

	if (job->rc)
		px_log_limited(PX_LOG_WARN, "sync", "a note was not stored: %s", job->err.msg);
	px_note_job_release(n);
	free(n);
}

void sync_submit_note(struct px_sync *s, struct px_note_job *n)
{
	n->job.after = note_after;
	sync_submit(s, &n->job);
}

void sync_log(
	struct px_sync *s, int64_t iid, const char *model, const char *event, const char *detail)
{
	struct px_note_job *n = malloc(sizeof *n);

	if (!n)
		return;
	px_note_job_init(n);
	n->event = event;
	n->event_iid = iid;
	n->event_model = model ? strdup(model) : NULL;
	n->event_detail = detail ? strdup(detail) : NULL;
	sync_submit_note(s, n);
}

void sync_store_meta(struct px_sync *s, const char *key, const char *value)
{
	struct px_note_job *n = malloc(sizeof *n);

	if (!n)
		return;
	px_note_job_init(n);
	n->meta_key = strdup(key);
	n->meta_value = strdup(value);
	sync_submit_note(s, n);
}

void sync_dir_copy(struct px_dir *to, const struct px_dir *from)
{
	*to = *from;
	to->watermark = from->watermark ? strdup(from->watermark) : NULL;
	to->cursor = from->cursor ? strdup(from->cursor) : NULL;
	to->error = from->error ? strdup(from->error) : NULL;
}

void sync_put_dir(struct px_sync *s, const struct sdir *d)
{
	struct px_note_job *n = malloc(sizeof *n);

	if (!n)
		return;
	px_note_job_init(n);
	n->put_dir = true;
	sync_dir_copy(&n->dir, &d->row);
	sync_submit_note(s, n);
}

void sync_dir_error(struct px_sync *s, struct sdir *d, const char *message)
{
	if (message && d->row.error && !strcmp(message, d->row.error))
		return;
	if (!message && !d->row.error)
		return;
	free(d->row.error);
	d->row.error = message ? strdup(message) : NULL;
	sync_put_dir(s, d);
}

int64_t sync_next_refresh_ms(const struct px_sync *s)
{
	return s->refresh_s ? px_clock_mono_ms() + (int64_t)s->refresh_s * 1000 : INT64_MAX;
}

int64_t sync_backoff_ms(int failures, int64_t min_ms, int64_t max_ms)
{
	int64_t ms = min_ms;

	for (int i = 1; i < failures && ms < max_ms; i++)
		ms *= 2;
	if (ms > max_ms)
		ms = max_ms;
	/* spread by a quarter, so that models that failed together do not come back together */
	return ms - ms / 4 + (int64_t)(random() % (ms / 2 + 1));
}

bool sync_is_odd(struct px_sync *s, uint64_t *list)
{
	if (*list && s->lists_read >= *list) {
		*list = 0;
		return false;
	}
	if (!*list) {
		/* one that is being read may have begun before */
		*list = s->lists_read + 1 + s->listing;
		s->list_again = s->listing;
		s->refresh_due_ms = 0;
	}
	return true;
}

int64_t sync_did_of(struct px_sync *s, int model, int64_t did, const struct px_record *r)
{
	const struct sinteg *in = r->integration_id ? sync_integ_by_id(s, r->integration_id) : NULL;

	if (!r->integration_id || (in && in->dirs[model].row.did == did))
		return did;
	return in && in->wanted ? in->dirs[model].row.did : 0;
}

struct sinteg *sync_integ_by_id(struct px_sync *s, const char *id)
{
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->integs[i]->row.id, id))
			return s->integs[i];
	return NULL;
}

struct sinteg *sync_integ_by_iid(struct px_sync *s, int64_t iid)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->integs[i]->row.iid == iid)
			return s->integs[i];
	return NULL;
}

/* ---- what others tell ---- */

struct poke {
	struct poke *next;
	enum { POKE_MARKED, POKE_SYNCED, POKE_PARENTS } kind;
	int64_t iid;
	int model;
	bool first, back;
};

static void poke(struct px_sync *s, struct poke what)
{
	struct poke *p;

	pthread_mutex_lock(&s->lock);
	for (p = s->pokes; p; p = p->next)
		if (p->kind == what.kind && p->iid == what.iid && p->model == what.model)
			break;
	if (p) {
		p->first |= what.first;
		p->back |= what.back;
	} else if ((p = malloc(sizeof *p))) {
		*p = what;
		p->next = s->pokes;
		s->pokes = p;
	}
	pthread_mutex_unlock(&s->lock);
	wake(s);
}

void px_sync_marked(void *s)
{
	poke(s, (struct poke){.kind = POKE_MARKED});
}

void px_sync_synced(void *s, int64_t iid, bool first, bool back)
{
	poke(s, (struct poke){.kind = POKE_SYNCED, .iid = iid, .first = first, .back = back});
}

void px_sync_parents(void *s, int64_t iid, int model)
{
	poke(s, (struct poke){.kind = POKE_PARENTS, .iid = iid, .model = model});
}

static void take_pokes(struct px_sync *s)
{
	struct poke *list;

	pthread_mutex_lock(&s->lock);
	list = s->pokes;
	s->pokes = NULL;
	pthread_mutex_unlock(&s->lock);
	while (list) {
		struct poke *next = list->next;
		struct sinteg *in = sync_integ_by_iid(s, list->iid);

		switch (list->kind) {
		case POKE_MARKED:
			s->marked = true;
			break;
		case POKE_SYNCED:
			/* the list of integrations says what has moved; a back-sync is not always
			 * visible there at once */
			s->refresh_due_ms = 0;
			s->list_again = s->listing;
			if (in)
				in->files_wanted = true;
			if (in && (list->back || list->first)) {
				in->silent_told = true;
				in->silent_ms = px_clock_wall_ms();
			}
			break;
		case POKE_PARENTS:
			if (in)
				catchup_parents(&in->dirs[list->model]);
			break;
		}
		free(list);
		list = next;
	}
}

/* ---- settings
 * ------------------------------------------------------------------------------------------------
 */

static void drop_secret(char *secret)
{
	if (secret)
		px_wipe(secret, strlen(secret));
	free(secret);
}

px_rc px_sync_set(struct px_sync *s, const struct px_sync_settings *settings, struct px_err *err)
{
	char *key = settings->key ? strdup(settings->key) : NULL;
	char *hook_secret = settings->hook_secret ? strdup(settings->hook_secret) : NULL;

	if ((settings->key && !key) || (settings->hook_secret && !hook_secret)) {
		drop_secret(key);
		drop_secret(hook_secret);
		return px_err_nomem(err);
	}
	pthread_mutex_lock(&s->lock);
	s->settings = *settings;
	s->settings.key = s->settings.hook_secret = NULL;
	if (key) {
		drop_secret(s->settings_key);
		s->settings_key = key;
	}
	if (hook_secret) {
		drop_secret(s->settings_hook_secret);
		s->settings_hook_secret = hook_secret;
	}
	s->settings_due = true;
	pthread_mutex_unlock(&s->lock);
	wake(s);
	return PX_OK;
}

static void take_settings(struct px_sync *s)
{
	struct px_sync_settings fresh;
	struct px_err err;
	char *key, *hook_secret;
	bool due;

	pthread_mutex_lock(&s->lock);
	due = s->settings_due;
	fresh = s->settings;
	key = s->settings_key;
	hook_secret = s->settings_hook_secret;
	s->settings_due = false;
	s->settings_key = s->settings_hook_secret = NULL;
	pthread_mutex_unlock(&s->lock);
	if (!due)
		return;
	px_api_set_share(s->api, fresh.rate_share);
	if (fresh.refresh_s != s->refresh_s) {
		s->refresh_s = fresh.refresh_s;
		px_board_set_refresh(s->board, s->refresh_s);
		/* what waits for a retry goes on waiting for it */
		if (!s->list_failures)
			s->refresh_due_ms = sync_next_refresh_ms(s);
	}
	s->sweep_days = fresh.sweep_days;
	if (key && px_api_set_key(s->api, key, &err))
		px_error("sync", "the new key is not used: %s", err.msg);
	else if (key)
		s->refresh_due_ms = 0;
	drop_secret(key);
	if (hook_secret) {
		drop_secret(s->hook_secret);
		s->hook_secret = hook_secret;
		s->hooks_due_ms = 0;
	}
}

/* ---- the loop
 * -------------------------------------------------------------------------------------------- */

/* What the API's state says to people and to the log. */
static void tell_board(struct px_sync *s)
{
	struct px_api_stats stats;
	int64_t now = px_clock_mono_ms();

	if (now < s->board_due_ms)
		return;
	s->board_due_ms = now + BOARD_MS;
	px_api_stats(s->api, &stats);
	if (s->foreign) {
		stats.authorized = false;
		stats.last_error_ms = s->foreign_ms;
		(void)snprintf(stats.last_error, sizeof stats.last_error, "%s", s->list_err.msg);
	}
	px_board_set_api(s->board, &stats, s->conf->api_url, false);
	if (stats.reachable != s->reachable) {
		s->reachable = stats.reachable;
		if (s->reachable)
			px_info("api", "the API answers again");
		else
			px_warn("api", "the API is out of reach: %s", stats.last_error);
		sync_log(s, 0, NULL, s->reachable ? "API_BACK" : "API_UNREACHABLE",
			s->reachable ? NULL : stats.last_error);
	}
	if (stats.authorized != s->authorized) {
		s->authorized = stats.authorized;
		if (!s->authorized) {
			const char *why = s->foreign ? s->list_err.msg : "the API refuses the key";

			px_warn("api", "%s", why);
			sync_log(s, 0, NULL, "UNAUTHORIZED", why);
		} else {
			px_info("api", "the API accepts the key");
		}
	}
	if (stats.refused != s->refused && now >= s->refused_ms + RATE_LIMITED_MS) {
		char text[120];

		(void)snprintf(text, sizeof text,
			"429, %llu in all; %lld requests a minute are allowed",
			(unsigned long long)stats.refused, (long long)stats.limiter.allowed);
		sync_log(s, 0, NULL, "RATE_LIMITED", text);
		s->refused = stats.refused;
		s->refused_ms = now;
	}
	walk_progress(s, &stats);
}

/* ---- passes that others ask for ---- */

static void report(const struct px_sync *s,
	void (*progress)(void *arg, const struct px_sync_progress *p), void *arg)
{
	struct px_sync_progress p = {.eta_s = s->eta_s};

	for (size_t i = 0; i < s->count; i++)
		for (int m = 0; m < PX_MODEL_COUNT; m++) {
			const struct sdir *d = &s->integs[i]->dirs[m];

			if (!dir_due(d))
				continue;
			p.models++;
			if (d->row.complete && !d->walk)
				p.models_done++;
			p.done += d->walk ? walk_applied(d->walk) : d->row.records;
			p.expected += d->row.expected > d->row.records ? d->row.expected
								       : d->row.records;
			if (d->walk && !p.doing)
				p.doing = d->row.model;
		}
	progress(arg, &p);
}

uint64_t px_sync_pass_begin(struct px_sync *s)
{
	uint64_t pass;

	pthread_mutex_lock(&s->lock);
	pass = ++s->pass_asked;
	pthread_mutex_unlock(&s->lock);
	wake(s);
	return pass;
}

px_rc px_sync_pass_look(struct px_sync *s, uint64_t pass, struct px_sync_progress *p,
	bool *complete, struct px_err *err)
{
	px_rc rc = PX_EBUSY;

	pthread_mutex_lock(&s->lock);
	*p = s->pass_progress;
	*complete = s->pass_complete;
	if (s->pass_ended >= pass) {
		rc = s->pass_err.code;
		*err = s->pass_err;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

struct px_api *px_sync_api(struct px_sync *s)
{
	return s->api;
}

static void keep_progress(void *arg, const struct px_sync_progress *p)
{
	struct px_sync *s = arg;

	pthread_mutex_lock(&s->lock);
	s->pass_progress = *p;
	s->pass_progress.doing = NULL;
	pthread_mutex_unlock(&s->lock);
}

static void pass_end(struct px_sync *s, const struct px_err *err)
{
	bool complete = fill_complete(s);

	pthread_mutex_lock(&s->lock);
	s->pass_ended = s->pass_taken;
	s->pass_complete = complete;
	memset(&s->pass_err, 0, sizeof s->pass_err);
	if (err)
		s->pass_err = *err;
	pthread_mutex_unlock(&s->lock);
}

static void pass_step(struct px_sync *s)
{
	uint64_t asked, ended;

	pthread_mutex_lock(&s->lock);
	asked = s->pass_asked;
	ended = s->pass_ended;
	pthread_mutex_unlock(&s->lock);
	if (asked > s->pass_taken) {
		s->pass_taken = asked;
		/* one that is being read may be older than what is asked for */
		s->pass_list = s->lists_read + 1 + s->listing;
		s->pass_failures = s->list_failures;
		s->list_again = s->listing;
		s->refresh_due_ms = 0;
	}
	if (s->pass_taken == ended)
		return;
	report(s, keep_progress, s);
	if (s->list_failures > s->pass_failures)
		pass_end(s, &s->list_err);
	else if (s->lists_read >= s->pass_list && fill_idle(s))
		pass_end(s, NULL);
}

static void loop_once(struct px_sync *s, bool refresh)
{
	int64_t now = px_clock_mono_ms();

	run_ended(s);
	take_pokes(s);
	take_settings(s);
	pass_step(s);
	if (refresh && !s->listing && now >= s->refresh_due_ms)
		account_refresh(s);
	webhooks_schedule(s);
	if (s->known) {
		diffs_schedule(s);
		hydrate_schedule(s);
		since_schedule(s);
		sweep_schedule(s);
		catchup_schedule(s);
		fill_schedule(s);
		catchup_reconcile(s);
		files_schedule(s);
	}
	walk_advance_all(s);
	tell_board(s);
	px_api_step(s->api, now + STEP_MS);
}

static void *sync_main(void *arg)
{
	struct px_sync *s = arg;

	while (!s->stop)
		loop_once(s, true);
	return NULL;
}

px_rc px_sync_start(struct px_sync *s, struct px_err *err)
{
	int rc = pthread_create(&s->thread, NULL, sync_main, s);

	if (rc)
		return px_err_sys(err, rc, "cannot start the sync thread");
	s->started = true;
	return PX_OK;
}

void px_sync_stop(struct px_sync *s)
{
	s->stop = true;
	if (s->started) {
		wake(s);
		pthread_join(s->thread, NULL);
		s->started = false;
	}
}

static px_rc renew_key(void *arg, struct px_api *api, struct px_err *err)
{
	struct px_sync *s = arg;

	return px_conf_renew_key(s->conf, &s->stop, api, err);
}

px_rc px_sync_new(const struct px_conf *conf, struct px_ingest *ingest, struct px_board *board,
	struct px_sync **ret, struct px_err *err)
{
	struct px_sync *s = calloc(1, sizeof *s);
	px_rc rc = PX_OK;

	if (!s)
		return px_err_nomem(err);
	s->conf = conf;
	s->ingest = ingest;
	s->board = board;
	s->reachable = s->authorized = true;
	s->eta_s = -1;
	s->ended_tail = &s->ended;
	pthread_mutex_init(&s->lock, NULL);
	s->refresh_s = conf->refresh_s;
	s->sweep_days = conf->sweep_days;
	px_board_set_refresh(board, conf->refresh_s);
	rc = px_api_new(
		&(struct px_api_options){
			.base_url = conf->api_url,
			.key = conf->key.text ? conf->key.text : "",
			.connections = conf->connections,
			.share_percent = conf->rate_share,
			.user_agent = "propexofs/" PX_VERSION,
			.retries = 3,
			.renew_key = renew_key,
			.renew_arg = s,
		},
		&s->api, err);
	if (!rc && conf->webhook_url && conf->webhook_secret_count) {
		s->hook_secret = strdup(conf->webhook_secrets[0].text);
		if (!s->hook_secret)
			rc = px_err_nomem(err);
	}
	if (!rc)
		rc = px_reader_open(conf->store, &s->reader, err);
	if (!rc)
		rc = account_load(s, err);
	if (rc) {
		px_sync_free(s);
		return rc;
	}
	*ret = s;
	return PX_OK;
}

void px_sync_free(struct px_sync *s)
{
	if (!s)
		return;
	px_sync_stop(s);
	px_api_free(s->api); /* its callbacks find every walk still there */
	s->api = NULL;
	/* the end of one may submit another, which the writer refuses at once */
	while (s->ended)
		run_ended(s);
	walk_free_all(s);
	since_free_all(s);
	hydrate_free(s);
	diffs_free(s);
	sweep_free(s);
	account_free(s);
	take_pokes(s);
	drop_secret(s->settings_key);
	drop_secret(s->settings_hook_secret);
	drop_secret(s->hook_secret);
	px_reader_close(s->reader);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- one pass
 * ------------------------------------------------------------------------------------------------
 */

px_rc px_sync_once(struct px_sync *s, void (*progress)(void *arg, const struct px_sync_progress *p),
	void *arg, const _Atomic bool *stop, bool *ret_complete, struct px_err *err)
{
	bool listed = false;

	s->refresh_due_ms = 0;
	while (!(stop && *stop)) {
		loop_once(s, true);
		if (s->known)
			listed = true;
		if (progress)
			report(s, progress, arg);
		if (!listed && !s->listing && s->list_failures)
			break;
		if (listed && fill_idle(s))
			break;
	}
	if (stop && *stop)
		return px_err_set(err, PX_ECANCELED, "stopped");
	if (!listed) {
		*err = s->list_err;
		return px_err_ctx(err, "cannot read the list of integrations");
	}
	*ret_complete = fill_complete(s);
	return PX_OK;
}
