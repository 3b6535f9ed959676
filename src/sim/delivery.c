/* SPDX-License-Identifier: MIT */
/*
 * delivery.c - events on their way to the hooks.
 *
 * An event becomes one body per hook that wants it, wrapped and spelled in one of the ways that the
 * sources show, signed over the bytes that are sent. Workers post them, several at a time but those
 * of one record one after the other, so that without a fault nothing overtakes. What is not
 * answered 2xx waits for its retry. Faults (lose, repeat, reorder, delay, mis-sign) are drawn when
 * the event is queued.
 *
 * lock guards everything in struct deliveries; it is a leaf and never held while posting.
 */
#include "sim.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"
#include "propexofs/hash.h"

enum { RETRIES = 10, TIMEOUT_MS = 10000, WORKERS_MAX = 64, REORDER_SPAN = 8 };

struct job {
	struct job *next;
	char *url, *body, *secret, *headers;
	char *signature; /* literal; NULL: signed with the secret */
	size_t len;
	bool unsigned_, mis_signed;
	uint64_t record; /* hash of what must stay in order; 0: nothing */
	int attempts;
	int64_t due_ms;
};

struct deliveries {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread[WORKERS_MAX];
	int nthreads;
	struct job *ready, *ready_tail;	    /* in order */
	struct job *later;		    /* for a time to come, unsorted */
	size_t nready, nlater, first_later; /* first_later: of these, never tried */
	int64_t next_due_ms;
	uint64_t busy[WORKERS_MAX]; /* records that workers are at */
	int in_flight;
	struct delivery_settings set;
	uint64_t rng;
	bool stop;
	uint64_t made, sent, accepted, refused, unreachable, retried, dropped;
	uint64_t lost, repeated, reordered, mis_signed;
};

struct worker {
	struct sim *s;
	int num;
};

static void job_free(struct job *j)
{
	if (!j)
		return;
	free(j->url);
	free(j->body);
	free(j->secret);
	free(j->headers);
	free(j->signature);
	free(j);
}

static double chance_locked(struct deliveries *d)
{
	d->rng = mix(d->rng, 1);
	return (double)(d->rng >> 11) / (double)(UINT64_C(1) << 53);
}

/* ---- the queue (locked) ------------------------------------------------------------------------
 */

static void append_locked(struct deliveries *d, struct job *j)
{
	j->next = NULL;
	if (d->ready_tail)
		d->ready_tail->next = j;
	else
		d->ready = j;
	d->ready_tail = j;
	d->nready++;
	(void)pthread_cond_signal(&d->wake);
}

/* Somewhere among the last few. */
static void insert_early_locked(struct deliveries *d, struct job *j)
{
	size_t skip = d->nready > REORDER_SPAN ? d->nready - REORDER_SPAN : 0;
	struct job **at = &d->ready;

	d->rng = mix(d->rng, 2);
	skip += d->nready ? d->rng % (d->nready - skip + 1) : 0;
	while (skip-- && *at)
		at = &(*at)->next;
	j->next = *at;
	*at = j;
	if (!j->next)
		d->ready_tail = j;
	d->nready++;
	(void)pthread_cond_signal(&d->wake);
}

static void postpone_locked(struct deliveries *d, struct job *j, int64_t due_ms)
{
	j->due_ms = due_ms;
	j->next = d->later;
	d->later = j;
	d->nlater++;
	d->first_later += j->attempts == 0;
	if (due_ms < d->next_due_ms)
		d->next_due_ms = due_ms;
	(void)pthread_cond_broadcast(&d->wake);
}

static void due_locked(struct deliveries *d, int64_t now)
{
	struct job **at = &d->later, *due = NULL;

	if (d->next_due_ms > now)
		return;
	d->next_due_ms = INT64_MAX;
	while (*at) {
		struct job *j = *at;

		if (j->due_ms > now) {
			if (j->due_ms < d->next_due_ms)
				d->next_due_ms = j->due_ms;
			at = &j->next;
			continue;
		}
		*at = j->next;
		d->nlater--;
		d->first_later -= j->attempts == 0;
		/* the list has the newest first: turn it round */
		j->next = due;
		due = j;
	}
	while (due) {
		struct job *next = due->next;

		append_locked(d, due);
		due = next;
	}
}

static bool busy_locked(const struct deliveries *d, uint64_t record)
{
	for (int i = 0; record && i < d->nthreads; i++)
		if (d->busy[i] == record)
			return true;
	return false;
}

static struct job *take_locked(struct deliveries *d)
{
	struct job *before = NULL;

	if (d->set.paused || d->in_flight >= d->set.concurrency)
		return NULL;
	for (struct job *j = d->ready; j; before = j, j = j->next) {
		if (busy_locked(d, j->record))
			continue;
		if (before)
			before->next = j->next;
		else
			d->ready = j->next;
		if (d->ready_tail == j)
			d->ready_tail = before;
		d->nready--;
		return j;
	}
	return NULL;
}

/* ---- posting -----------------------------------------------------------------------------------
 */

static size_t discard(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

/* Ends a post that hangs when the simulator does. */
static int give_up(
	void *arg, curl_off_t down, curl_off_t down_now, curl_off_t up, curl_off_t up_now)
{
	const struct sim *s = arg;

	(void)down;
	(void)down_now;
	(void)up;
	(void)up_now;
	return s->stopping;
}

static struct curl_slist *custom_headers(const struct job *j, struct curl_slist *list)
{
	cJSON *all = j->headers ? cJSON_Parse(j->headers) : NULL;
	const cJSON *o;

	cJSON_ArrayForEach(o, all)
	{
		struct px_buf line = PX_BUF_INIT(1 << 16);
		const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(o, "header"));
		const char *value = cJSON_GetStringValue(cJSON_GetObjectItem(o, "value"));

		px_buf_addf(&line, "%s: %s", name ? name : "X", value ? value : "");
		list = curl_slist_append(list, line.data);
		px_buf_release(&line);
	}
	cJSON_Delete(all);
	return list;
}

static struct curl_slist *headers_of(struct sim *s, const struct job *j)
{
	struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
	struct px_buf line = PX_BUF_INIT(1 << 16);
	char hex[PX_SHA256_HEX];

	list = curl_slist_append(list, "Expect:");
	list = custom_headers(j, list);
	if (j->unsigned_)
		return list;
	px_hmac_sha256_hex(j->secret, strlen(j->secret), j->body, j->len, hex);
	if (j->mis_signed)
		hex[0] = hex[0] == '0' ? '1' : '0';
	px_buf_addf(&line, "%s: %s",
		s->quirk[QUIRK_OLD_SIGNATURE_HEADER] ? "propify-signature" : "propexo-signature",
		j->signature ? j->signature : hex);
	list = curl_slist_append(list, line.data);
	px_buf_release(&line);
	return list;
}

/* HTTP status, 0 when there was no answer. */
static long post(struct sim *s, CURL *curl, const struct job *j)
{
	struct curl_slist *headers = headers_of(s, j);
	long status = 0;

	(void)curl_easy_setopt(curl, CURLOPT_URL, j->url);
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, j->body);
	(void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)j->len);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, give_up);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, s);
	(void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "Propexo-Webhooks/1.0");
	if (curl_easy_perform(curl) == CURLE_OK)
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	return status;
}

static void settle_locked(struct deliveries *d, struct job *j, long status)
{
	d->sent++;
	if (status >= 200 && status < 300) {
		d->accepted++;
		job_free(j);
		return;
	}
	if (status)
		d->refused++;
	else
		d->unreachable++;
	if (++j->attempts > RETRIES || d->stop) {
		d->dropped++;
		job_free(j);
		return;
	}
	d->retried++;
	postpone_locked(d, j, px_clock_mono_ms() + d->set.retry_ms);
}

static void *run(void *arg)
{
	struct worker *w = arg;
	struct sim *s = w->s;
	struct deliveries *d = s->deliveries;
	CURL *curl = curl_easy_init();
	int num = w->num;

	free(w);
	(void)pthread_mutex_lock(&d->lock);
	while (!d->stop && curl) {
		int64_t now = px_clock_mono_ms();
		struct job *j;
		long status;

		due_locked(d, now);
		j = take_locked(d);
		if (!j) {
			int64_t until = d->next_due_ms < now + 1000 ? d->next_due_ms : now + 1000;

			(void)px_clock_cond_wait(&d->wake, &d->lock, until);
			continue;
		}
		d->busy[num] = j->record;
		d->in_flight++;
		(void)pthread_mutex_unlock(&d->lock);
		status = post(s, curl, j);
		(void)pthread_mutex_lock(&d->lock);
		d->busy[num] = 0;
		d->in_flight--;
		settle_locked(d, j, status);
		if (d->ready)
			(void)pthread_cond_signal(&d->wake);
	}
	(void)pthread_mutex_unlock(&d->lock);
	curl_easy_cleanup(curl);
	return NULL;
}

/* ---- making bodies -----------------------------------------------------------------------------
 */

static void object_text(const struct event *e, int spelling, struct px_buf *out)
{
	px_buf_addc(out, '"');
	for (const char *p = e->model->snake; *p; p++)
		px_buf_addc(out, spelling == SPELL_KEBAB && *p == '_' ? '-' : *p);
	px_buf_addc(out, '"');
}

static void change_text(const struct event *e, bool previous_first, struct px_buf *out)
{
	if (e->trigger == TRIGGER_DATA_NEW) {
		px_buf_addf(out, "\"payload\":%s", e->payload);
		return;
	}
	px_buf_adds(out, "\"diff\":{");
	if (previous_first) {
		px_buf_adds(out, "\"previous\":");
		px_buf_adds(out, e->diff_previous);
		px_buf_adds(out, ",\"new\":");
		px_buf_adds(out, e->diff_new);
	} else {
		px_buf_adds(out, "\"new\":");
		px_buf_adds(out, e->diff_new);
		px_buf_adds(out, ",\"previous\":");
		px_buf_adds(out, e->diff_previous);
	}
	px_buf_addc(out, '}');
}

static void fields_text(const struct event *e, int spelling, bool flat, struct px_buf *out)
{
	const char *rest = flat && e->rest_flat ? e->rest_flat : e->rest;

	px_buf_addf(out, "\"event\":\"%s\"", trigger_names[e->trigger]);
	if (!e->model) {
		px_buf_addf(out, ",\"integration_id\":\"%s\",\"vendor\":\"%s\"%s", e->in->id,
			e->in->vendor, rest ? rest : "");
		return;
	}
	px_buf_adds(out, ",\"object\":");
	object_text(e, spelling, out);
	px_buf_adds(out, ",\"record_id\":");
	px_buf_add_jsons(out, e->record_id);
	px_buf_addf(out,
		",\"integration_id\":\"%s\",\"vendor\":\"%s\",\"job_id\":\"%s\",\"root_job_id\":\"%"
		"s\","
		"\"job_type\":\"%s\",",
		e->in->id, e->in->vendor, e->job_id, e->root_id, e->job_type);
	change_text(e, false, out);
	px_buf_adds(out, ",\"context\":{");
	if (e->property_id) {
		px_buf_adds(out, "\"property_id\":");
		px_buf_add_jsons(out, e->property_id);
	}
	px_buf_addc(out, '}');
}

static void meta_of(const struct event *e, int spelling, struct px_buf *out)
{
	px_buf_adds(out, "\"meta\":{\"object\":");
	object_text(e, spelling, out);
	px_buf_addf(out, ",\"integration_id\":\"%s\"}", e->in->id);
}

static void body_text(const struct event *e, int wrapping, int spelling, struct px_buf *out)
{
	px_buf_addc(out, '{');
	switch (wrapping) {
	case WRAP_D:
		px_buf_addf(
			out, "\"data\":{\"event\":\"%s\",\"object\":", trigger_names[e->trigger]);
		object_text(e, spelling, out);
		px_buf_adds(out, ",\"record_id\":");
		px_buf_add_jsons(out, e->record_id);
		px_buf_addc(out, ',');
		change_text(e, false, out);
		px_buf_addc(out, '}');
		break;
	case WRAP_M:
		meta_of(e, spelling, out);
		px_buf_adds(out, ",\"record_id\":");
		px_buf_add_jsons(out, e->record_id);
		px_buf_addc(out, ',');
		change_text(e, true, out);
		break;
	case WRAP_F:
		fields_text(e, spelling, true, out);
		if (e->model) {
			px_buf_addc(out, ',');
			meta_of(e, spelling, out);
		}
		break;
	default:
		px_buf_addf(out, "\"trigger\":\"%s\",\"data\":{", trigger_names[e->trigger]);
		fields_text(e, spelling, false, out);
		px_buf_addc(out, '}');
		if (e->model) {
			px_buf_addc(out, ',');
			meta_of(e, spelling, out);
		}
	}
	px_buf_addc(out, '}');
}

static struct job *job_new(const struct hook *h, const char *body, size_t len)
{
	struct job *j = calloc(1, sizeof *j);

	if (!j)
		return NULL;
	j->url = strdup(h->url);
	j->secret = strdup(h->secret);
	j->headers = h->headers ? strdup(h->headers) : NULL;
	j->body = malloc(len + 1);
	j->len = len;
	if (!j->url || !j->secret || !j->body) {
		job_free(j);
		return NULL;
	}
	memcpy(j->body, body, len);
	j->body[len] = '\0';
	return j;
}

static void queue_locked(struct deliveries *d, struct job *j)
{
	if (chance_locked(d) < d->set.lose) {
		d->lost++;
		job_free(j);
		return;
	}
	j->mis_signed = chance_locked(d) < d->set.mis_sign;
	d->mis_signed += j->mis_signed;
	if (d->set.delay_max_ms > 0) {
		int64_t span = d->set.delay_max_ms - d->set.delay_min_ms;

		postpone_locked(d, j,
			px_clock_mono_ms() + d->set.delay_min_ms +
				(span > 0 ? (int64_t)(chance_locked(d) * (double)span) : 0));
	} else if (chance_locked(d) < d->set.reorder) {
		j->record = 0;
		d->reordered++;
		insert_early_locked(d, j);
	} else {
		append_locked(d, j);
	}
}

static bool wants(const struct sim *s, const struct hook *h, const struct event *e)
{
	if (!h->active || !(h->triggers >> e->trigger & 1))
		return false;
	if (!e->model)
		return true;
	return h->model ? h->model == e->model : !s->quirk[QUIRK_MODELLESS_NONE];
}

void deliver_event(struct sim *s, const struct event *e)
{
	struct deliveries *d = s->deliveries;
	struct px_buf body = PX_BUF_INIT(SIM_TEXT_MAX);

	for (size_t i = 0; i < s->world.nhooks; i++) {
		const struct hook *h = s->world.hooks[i];
		int wrapping, spelling, times;

		if (!wants(s, h, e))
			continue;
		(void)pthread_mutex_lock(&d->lock);
		wrapping = d->set.wrapping ? d->set.wrapping : 1 + (int)(chance_locked(d) * 4);
		spelling = d->set.spelling ? d->set.spelling : 1 + (int)(chance_locked(d) * 2);
		if (!e->model && (wrapping == WRAP_D || wrapping == WRAP_M))
			wrapping = WRAP_F;
		times = 1 + (chance_locked(d) < d->set.repeat);
		d->repeated += times > 1;
		px_buf_reset(&body);
		body_text(e, wrapping, spelling, &body);
		while (times-- && body.data) {
			struct job *j = job_new(h, body.data, body.len);

			if (!j)
				continue;
			d->made++;
			if (e->model)
				j->record = mix(hash_text(e->record_id, strlen(e->record_id)),
						    hash_text(e->model->snake,
							    strlen(e->model->snake))) |
					    1;
			queue_locked(d, j);
		}
		(void)pthread_mutex_unlock(&d->lock);
	}
	px_buf_release(&body);
}

size_t deliver_raw(struct sim *s, const char *body, size_t len, const char *sign)
{
	struct deliveries *d = s->deliveries;
	size_t n = 0;

	for (size_t i = 0; i < s->world.nhooks; i++) {
		const struct hook *h = s->world.hooks[i];
		struct job *j;
		size_t k;

		for (k = 0; k < i; k++)
			if (s->world.hooks[k]->active && !strcmp(s->world.hooks[k]->url, h->url))
				break;
		if (!h->active || k < i)
			continue;
		j = job_new(h, body, len);
		if (!j)
			continue;
		j->unsigned_ = !strcmp(sign, "missing");
		j->mis_signed = !strcmp(sign, "bad");
		if (strcmp(sign, "missing") && strcmp(sign, "bad") && strcmp(sign, "good"))
			j->signature = strdup(sign);
		(void)pthread_mutex_lock(&d->lock);
		d->made++;
		append_locked(d, j);
		(void)pthread_mutex_unlock(&d->lock);
		n++;
	}
	return n;
}

bool deliveries_full(struct sim *s)
{
	bool full;

	(void)pthread_mutex_lock(&s->deliveries->lock);
	full = s->deliveries->set.full_payload;
	(void)pthread_mutex_unlock(&s->deliveries->lock);
	return full;
}

bool deliveries_idle(struct sim *s)
{
	struct deliveries *d = s->deliveries;
	bool idle;

	(void)pthread_mutex_lock(&d->lock);
	idle = !d->nready && !d->in_flight && !d->first_later;
	(void)pthread_mutex_unlock(&d->lock);
	return idle;
}

/* ---- settings ----------------------------------------------------------------------------------
 */

static const char *const wrapping_names[] = {"random", "E", "D", "F", "M"};
static const char *const spelling_names[] = {"random", "kebab", "snake"};

static bool pick(const cJSON *o, const char *name, const char *const *names, int n, int *ret)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	if (!v)
		return true;
	for (int i = 0; cJSON_IsString(v) && i < n; i++)
		if (!strcmp(names[i], v->valuestring)) {
			*ret = i;
			return true;
		}
	return false;
}

static void number(const cJSON *o, const char *name, double *ret)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	if (cJSON_IsNumber(v))
		*ret = v->valuedouble;
}

static px_rc read_settings(
	const cJSON *o, struct delivery_settings *set, uint64_t *rng, struct px_err *err)
{
	static const char *const payloads[] = {"partial", "full"};
	const cJSON *v;
	double concurrency = set->concurrency, retry = (double)set->retry_ms, seed = -1;
	int full = set->full_payload;

	if (!cJSON_IsObject(o))
		return px_err_set(err, PX_EINVAL, "not a JSON object");
	if (!pick(o, "wrapping", wrapping_names, 5, &set->wrapping) ||
		!pick(o, "spelling", spelling_names, 3, &set->spelling) ||
		!pick(o, "payload", payloads, 2, &full))
		return px_err_set(err, PX_EINVAL, "wrapping, spelling or payload");
	set->full_payload = full;
	number(o, "concurrency", &concurrency);
	number(o, "retry_ms", &retry);
	number(o, "seed", &seed);
	number(o, "lose", &set->lose);
	number(o, "repeat", &set->repeat);
	number(o, "reorder", &set->reorder);
	number(o, "mis_sign", &set->mis_sign);
	if (concurrency < 1 || concurrency > WORKERS_MAX || retry < 0)
		return px_err_set(err, PX_EINVAL, "concurrency must be 1 to 64");
	set->concurrency = (int)concurrency;
	set->retry_ms = (int64_t)retry;
	if (seed >= 0)
		*rng = mix((uint64_t)seed, 0xde11);
	v = cJSON_GetObjectItemCaseSensitive(o, "paused");
	if (v)
		set->paused = cJSON_IsTrue(v);
	v = cJSON_GetObjectItemCaseSensitive(o, "delay_ms");
	if (cJSON_IsNumber(v)) {
		set->delay_min_ms = set->delay_max_ms = (int64_t)v->valuedouble;
	} else if (cJSON_IsArray(v) && cJSON_GetArraySize(v) == 2) {
		set->delay_min_ms = (int64_t)cJSON_GetArrayItem(v, 0)->valuedouble;
		set->delay_max_ms = (int64_t)cJSON_GetArrayItem(v, 1)->valuedouble;
	}
	return PX_OK;
}

/* As many workers as were ever wanted; take_locked keeps to the number that is wanted now. */
static int add_workers_locked(struct sim *s)
{
	struct deliveries *d = s->deliveries;

	while (d->nthreads < d->set.concurrency) {
		struct worker *w = malloc(sizeof *w);
		int sys;

		if (!w)
			return ENOMEM;
		*w = (struct worker){s, d->nthreads};
		sys = pthread_create(&d->thread[d->nthreads], NULL, run, w);
		if (sys) {
			free(w);
			return sys;
		}
		d->nthreads++;
	}
	return 0;
}

px_rc deliveries_set(struct sim *s, const char *json, size_t len, struct px_err *err)
{
	struct deliveries *d = s->deliveries;
	cJSON *o = cJSON_ParseWithLength(json, len);
	struct delivery_settings set;
	px_rc rc;
	int sys = 0;

	(void)pthread_mutex_lock(&d->lock);
	set = d->set;
	rc = read_settings(o, &set, &d->rng, err);
	if (!rc) {
		d->set = set;
		sys = add_workers_locked(s);
		(void)pthread_cond_broadcast(&d->wake);
	}
	(void)pthread_mutex_unlock(&d->lock);
	cJSON_Delete(o);
	return sys ? px_err_sys(err, sys, "worker") : rc;
}

void deliveries_text(struct sim *s, struct px_buf *out)
{
	struct delivery_settings set;

	(void)pthread_mutex_lock(&s->deliveries->lock);
	set = s->deliveries->set;
	(void)pthread_mutex_unlock(&s->deliveries->lock);
	px_buf_addf(out,
		"{\"wrapping\":\"%s\",\"spelling\":\"%s\",\"payload\":\"%s\",\"concurrency\":%d,"
		"\"lose\":%g,"
		"\"repeat\":%g,\"reorder\":%g,\"delay_ms\":[%lld,%lld],\"mis_sign\":%g,\"retry_"
		"ms\":%lld,"
		"\"paused\":%s}",
		wrapping_names[set.wrapping], spelling_names[set.spelling],
		set.full_payload ? "full" : "partial", set.concurrency, set.lose, set.repeat,
		set.reorder, (long long)set.delay_min_ms, (long long)set.delay_max_ms, set.mis_sign,
		(long long)set.retry_ms, set.paused ? "true" : "false");
}

void deliveries_stats(struct sim *s, struct px_buf *out)
{
	struct deliveries *d = s->deliveries;

	(void)pthread_mutex_lock(&d->lock);
	px_buf_addf(out,
		"{\"made\":%llu,\"sent\":%llu,\"accepted\":%llu,\"refused\":%llu,\"unreachable\":%"
		"llu,"
		"\"retried\":%llu,\"dropped\":%llu,\"lost\":%llu,\"repeated\":%llu,\"reordered\":%"
		"llu,"
		"\"mis_signed\":%llu,\"due\":%zu,\"waiting\":%zu}",
		(unsigned long long)d->made, (unsigned long long)d->sent,
		(unsigned long long)d->accepted, (unsigned long long)d->refused,
		(unsigned long long)d->unreachable, (unsigned long long)d->retried,
		(unsigned long long)d->dropped, (unsigned long long)d->lost,
		(unsigned long long)d->repeated, (unsigned long long)d->reordered,
		(unsigned long long)d->mis_signed, d->nready + (size_t)d->in_flight, d->nlater);
	(void)pthread_mutex_unlock(&d->lock);
}

void deliveries_stats_reset(struct sim *s)
{
	struct deliveries *d = s->deliveries;

	(void)pthread_mutex_lock(&d->lock);
	d->made = d->sent = d->accepted = d->refused = d->unreachable = 0;
	d->retried = d->dropped = d->lost = 0;
	d->repeated = d->reordered = d->mis_signed = 0;
	(void)pthread_mutex_unlock(&d->lock);
}

px_rc deliveries_start(struct sim *s, struct px_err *err)
{
	struct deliveries *d = calloc(1, sizeof *d);
	int sys;

	if (!d)
		return px_err_nomem(err);
	s->deliveries = d;
	(void)pthread_mutex_init(&d->lock, NULL);
	(void)px_clock_cond_init(&d->wake);
	d->rng = mix(s->opt.seed, 0xde11);
	d->next_due_ms = INT64_MAX;
	d->set = (struct delivery_settings){
		.wrapping = WRAP_E, .spelling = SPELL_KEBAB, .concurrency = 4, .retry_ms = 900000};
	(void)pthread_mutex_lock(&d->lock);
	sys = add_workers_locked(s);
	(void)pthread_mutex_unlock(&d->lock);
	return sys ? px_err_sys(err, sys, "delivery thread") : PX_OK;
}

static void jobs_free(struct job *j)
{
	while (j) {
		struct job *next = j->next;

		job_free(j);
		j = next;
	}
}

void deliveries_stop(struct sim *s)
{
	struct deliveries *d = s->deliveries;

	if (!d)
		return;
	(void)pthread_mutex_lock(&d->lock);
	d->stop = true;
	(void)pthread_cond_broadcast(&d->wake);
	(void)pthread_mutex_unlock(&d->lock);
	for (int i = 0; i < d->nthreads; i++)
		(void)pthread_join(d->thread[i], NULL);
	jobs_free(d->ready);
	jobs_free(d->later);
	(void)pthread_mutex_destroy(&d->lock);
	(void)pthread_cond_destroy(&d->wake);
	free(d);
	s->deliveries = NULL;
}
