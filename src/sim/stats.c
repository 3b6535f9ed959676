/* SPDX-License-Identifier: MIT */
/*
 * stats.c - what was asked of the API, in numbers and one by one.
 *
 * Tests count requests with it ("browsing costs none"), so control calls are never counted, and a
 * request is counted before its answer is sent: whoever has the answer finds it in the numbers.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#define CLASS_NAME(name) #name,
const char *const class_names[CLASS_COUNT] = {SIM_CLASSES(CLASS_NAME)};

enum { LOG_MAX = 20000, STATUS_MAX = 600, METHODS = 8 };

struct entry {
	uint64_t seq;
	int64_t ms, offset, limit, results;
	char method[16];
	char *uri;
	unsigned status;
	int cls, model;
};

struct stats {
	pthread_mutex_t lock;
	uint64_t requests, by_class[CLASS_COUNT], by_model[PX_MODEL_COUNT][4], status[STATUS_MAX];
	struct {
		char name[16];
		uint64_t n;
	} methods[METHODS];
	uint64_t results, bytes, slowed, refused, faults, by_fault[FAULT_KINDS];
	int64_t open, in_flight, busiest;
	uint64_t connections;
	struct entry *log; /* a ring of LOG_MAX */
	uint64_t seq;
};

px_rc stats_init(struct sim *s)
{
	s->stats = calloc(1, sizeof *s->stats);
	if (!s->stats)
		return PX_ENOMEM;
	(void)pthread_mutex_init(&s->stats->lock, NULL);
	s->stats->log = calloc(LOG_MAX, sizeof *s->stats->log);
	return s->stats->log ? PX_OK : PX_ENOMEM;
}

void stats_release(struct sim *s)
{
	struct stats *t = s->stats;

	if (!t)
		return;
	for (size_t i = 0; t->log && i < LOG_MAX; i++)
		free(t->log[i].uri);
	free(t->log);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
	s->stats = NULL;
}

void stats_begin(struct sim *s)
{
	struct stats *t = s->stats;

	(void)pthread_mutex_lock(&t->lock);
	if (++t->in_flight > t->busiest)
		t->busiest = t->in_flight;
	(void)pthread_mutex_unlock(&t->lock);
}

void stats_done(struct sim *s)
{
	(void)pthread_mutex_lock(&s->stats->lock);
	s->stats->in_flight--;
	(void)pthread_mutex_unlock(&s->stats->lock);
}

static void count_method(struct stats *t, const char *method)
{
	for (size_t i = 0; i < METHODS; i++) {
		if (!t->methods[i].name[0])
			memcpy(t->methods[i].name, method, sizeof t->methods[i].name);
		if (!strcmp(t->methods[i].name, method) || i == METHODS - 1) {
			t->methods[i].n++;
			return;
		}
	}
}

void stats_end(struct sim *s, const struct req *r)
{
	struct stats *t = s->stats;
	struct entry *e;

	(void)pthread_mutex_lock(&t->lock);
	t->requests++;
	t->by_class[r->cls]++;
	if (r->model >= 0 && r->cls <= CLASS_view)
		t->by_model[r->model][r->cls]++;
	t->status[r->status < STATUS_MAX ? r->status : 0]++;
	count_method(t, r->method);
	t->results += (uint64_t)r->results;
	t->bytes += r->bytes;
	e = &t->log[t->seq % LOG_MAX];
	free(e->uri);
	*e = (struct entry){.seq = ++t->seq,
		.ms = r->at_ms,
		.offset = r->offset,
		.limit = r->limit,
		.results = r->results,
		.uri = strdup(r->uri),
		.status = r->status,
		.cls = (int)r->cls,
		.model = r->model};
	memcpy(e->method, r->method, sizeof e->method);
	(void)pthread_mutex_unlock(&t->lock);
}

void stats_note(struct sim *s, bool slow, bool refused, const struct hit *fault)
{
	(void)pthread_mutex_lock(&s->stats->lock);
	s->stats->slowed += slow;
	s->stats->refused += refused;
	if (fault) {
		s->stats->faults++;
		s->stats->by_fault[fault->kind]++;
	}
	(void)pthread_mutex_unlock(&s->stats->lock);
}

void stats_connection(struct sim *s, int change)
{
	(void)pthread_mutex_lock(&s->stats->lock);
	s->stats->open += change;
	s->stats->connections += change > 0;
	(void)pthread_mutex_unlock(&s->stats->lock);
}

void stats_reset(struct sim *s)
{
	struct stats *t = s->stats;

	(void)pthread_mutex_lock(&t->lock);
	t->requests = t->results = t->bytes = t->slowed = t->refused = t->faults = 0;
	t->connections = (uint64_t)t->open;
	t->busiest = t->in_flight;
	memset(t->by_class, 0, sizeof t->by_class);
	memset(t->by_model, 0, sizeof t->by_model);
	memset(t->status, 0, sizeof t->status);
	memset(t->methods, 0, sizeof t->methods);
	memset(t->by_fault, 0, sizeof t->by_fault);
	(void)pthread_mutex_unlock(&t->lock);
	deliveries_stats_reset(s);
}

static void models_text(const struct stats *t, struct px_buf *out)
{
	bool any = false;

	px_buf_adds(out, ",\"by_model\":{");
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		const uint64_t *n = t->by_model[m];
		bool first = true;

		if (!(n[0] | n[1] | n[2] | n[3]))
			continue;
		px_buf_addf(out, "%s\"%s\":{", any ? "," : "", px_models[m].dir);
		any = true;
		for (int c = 0; c <= CLASS_view; c++)
			if (n[c]) {
				px_buf_addf(out, "%s\"%s\":%llu", first ? "" : ",", class_names[c],
					(unsigned long long)n[c]);
				first = false;
			}
		px_buf_addc(out, '}');
	}
	px_buf_addc(out, '}');
}

void stats_text(struct sim *s, struct px_buf *out)
{
	struct stats *t = s->stats;
	int64_t limit, used, left;
	bool any = false;

	limit_view(s, &limit, &used, &left);
	(void)pthread_mutex_lock(&t->lock);
	px_buf_addf(out, "{\"requests\":%llu,\"by_class\":{", (unsigned long long)t->requests);
	for (int c = 0; c < CLASS_COUNT; c++)
		px_buf_addf(out, "%s\"%s\":%llu", c ? "," : "", class_names[c],
			(unsigned long long)t->by_class[c]);
	px_buf_addc(out, '}');
	models_text(t, out);
	px_buf_adds(out, ",\"by_status\":{");
	for (int i = 0; i < STATUS_MAX; i++)
		if (t->status[i]) {
			px_buf_addf(out, "%s\"%d\":%llu", any ? "," : "", i,
				(unsigned long long)t->status[i]);
			any = true;
		}
	px_buf_adds(out, "},\"by_method\":{");
	for (size_t i = 0; i < METHODS && t->methods[i].name[0]; i++) {
		if (i)
			px_buf_addc(out, ',');
		px_buf_add_jsons(out, t->methods[i].name);
		px_buf_addf(out, ":%llu", (unsigned long long)t->methods[i].n);
	}
	px_buf_adds(out, "},\"by_fault\":{");
	any = false;
	for (int k = 0; k < FAULT_KINDS; k++)
		if (t->by_fault[k]) {
			px_buf_addf(out, "%s\"%s\":%llu", any ? "," : "", fault_names[k],
				(unsigned long long)t->by_fault[k]);
			any = true;
		}
	px_buf_addf(out,
		"},\"results\":%llu,\"bytes\":%llu,\"slowed\":%llu,\"refused\":%llu,\"faults\":%"
		"llu,"
		"\"rate\":{\"limit\":%lld,\"used\":%lld,\"window_ms_left\":%lld},"
		"\"connections\":{\"open\":%lld,\"total\":%llu},\"busiest\":{\"in_flight\":%lld},"
		"\"deliveries\":",
		(unsigned long long)t->results, (unsigned long long)t->bytes,
		(unsigned long long)t->slowed, (unsigned long long)t->refused,
		(unsigned long long)t->faults, (long long)limit, (long long)used, (long long)left,
		(long long)t->open, (unsigned long long)t->connections, (long long)t->busiest);
	(void)pthread_mutex_unlock(&t->lock);
	deliveries_stats(s, out);
	px_buf_addc(out, '}');
}

void stats_requests(struct sim *s, uint64_t since, struct px_buf *out)
{
	struct stats *t = s->stats;
	uint64_t first;

	(void)pthread_mutex_lock(&t->lock);
	first = t->seq > LOG_MAX ? t->seq - LOG_MAX : 0;
	if (since > first)
		first = since;
	for (uint64_t i = first; i < t->seq; i++) {
		const struct entry *e = &t->log[i % LOG_MAX];

		px_buf_addf(out,
			"{\"seq\":%llu,\"ms\":%lld,\"method\":", (unsigned long long)e->seq,
			(long long)e->ms);
		px_buf_add_jsons(out, e->method);
		px_buf_adds(out, ",\"uri\":");
		px_buf_add_jsons(out, e->uri);
		px_buf_addf(out,
			",\"status\":%u,\"class\":\"%s\",\"model\":%s%s%s,\"offset\":%lld,"
			"\"limit\":%lld,\"results\":%lld}\n",
			e->status, class_names[e->cls], e->model >= 0 ? "\"" : "",
			e->model >= 0 ? px_models[e->model].dir : "null", e->model >= 0 ? "\"" : "",
			(long long)e->offset, (long long)e->limit, (long long)e->results);
	}
	(void)pthread_mutex_unlock(&t->lock);
}
