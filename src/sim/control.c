/* SPDX-License-Identifier: MIT */
/* control.c - the address by which tests look into the simulator and change it. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

struct call {
	const char *method, *path;
	void (*run)(struct sim *s, struct req *r, struct answer *a);
};

static void bad(struct answer *a, const char *why)
{
	a->status = 400;
	px_buf_reset(&a->page.body);
	px_buf_adds(&a->page.body, "{\"error\":");
	px_buf_add_jsons(&a->page.body, why);
	px_buf_adds(&a->page.body, "}");
}

static void run_stats(struct sim *s, struct req *r, struct answer *a)
{
	(void)r;
	stats_text(s, &a->page.body);
}

static void run_reset(struct sim *s, struct req *r, struct answer *a)
{
	(void)r;
	stats_reset(s);
	px_buf_adds(&a->page.body, "{}");
}

static void truth_of(struct sim *s, struct integ *in, int m, struct px_buf *out)
{
	struct col *c = &in->cols[model_base(m)];
	uint32_t n = col_visible(c);

	if (!in->cols[m].enabled || !c->enabled || !in->cols[m].allowed)
		return;
	for (uint32_t k = 0; k < n; k++) {
		uint32_t idx = col_nth(c, k);
		char id[SIM_ID_MAX];

		if (!rec_reachable(s, c, idx) ||
			(px_models[m].view_of >= 0 && !rec_appointment(c, idx)))
			continue;
		px_buf_adds(out, "{\"integration_id\":");
		px_buf_add_jsons(out, in->id);
		px_buf_addf(out, ",\"model\":\"%s\",\"id\":", px_models[m].dir);
		px_buf_add_json(out, id, rec_id(c, idx, id));
		px_buf_adds(out, ",\"record\":");
		rec_text(s, c, idx, out);
		px_buf_adds(out, "}\n");
	}
}

static void run_truth(struct sim *s, struct req *r, struct answer *a)
{
	(void)r;
	for (int i = 0; i < s->world.ninteg; i++)
		for (int m = 0; m < PX_MODEL_COUNT && integ_visible(s, s->world.integs[i]); m++)
			truth_of(s, s->world.integs[i], m, &a->page.body);
}

static void run_fault(struct sim *s, struct req *r, struct answer *a)
{
	struct px_err err;
	int64_t n = fault_add(s, r->body.data ? r->body.data : "", r->body.len, &err);

	if (n < 0)
		bad(a, err.msg);
	else
		px_buf_addf(&a->page.body, "{\"fault\":%lld}", (long long)n);
}

static void run_clear(struct sim *s, struct req *r, struct answer *a)
{
	(void)r;
	fault_clear(s, 0);
	px_buf_adds(&a->page.body, "{}");
}

static const struct call calls[] = {
	{"GET", "stats", run_stats},
	{"POST", "stats/reset", run_reset},
	{"GET", "truth", run_truth},
	{"POST", "fault", run_fault},
	{"POST", "fault/clear", run_clear},
};

void control_route(struct sim *s, struct req *r, struct answer *a)
{
	const char *path = r->path + strlen("/_control/");

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (!strcmp(calls[i].method, r->method) && !strcmp(calls[i].path, path)) {
			pthread_mutex_lock(&s->world.lock);
			calls[i].run(s, r, a);
			pthread_mutex_unlock(&s->world.lock);
			return;
		}
	bad(a, "no such call");
}
