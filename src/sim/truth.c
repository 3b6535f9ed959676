/* SPDX-License-Identifier: MIT */
/*
 * truth.c - everything that the API would serve now, a record a line.
 *
 * Streamed, because it may be larger than memory: world.lock is held for a few hundred records at a
 * time, so an answer that is read while data changes is no single moment. Whoever compares keeps
 * the world still.
 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 18 };

struct truth {
	struct sim *s;
	int only_integ, only_model;
	bool ids, all;
	int integ, model; /* where it stands */
	uint32_t at;
	struct px_buf text;
	size_t sent; /* of text */
	bool done;
};

static bool shown(const struct truth *t, struct integ *in, int m)
{
	const struct col *c = &in->cols[model_base(m)];

	if (!t->all && (!integ_visible(t->s, in) || !in->cols[m].enabled || !in->cols[m].allowed ||
			       !c->enabled || !c->allowed))
		return false;
	return (t->only_integ < 0 || t->only_integ == in->num) &&
	       (t->only_model < 0 || t->only_model == m);
}

static void one_line(struct truth *t, struct integ *in, int m, uint32_t idx)
{
	const struct col *c = &in->cols[model_base(m)];
	int parent = px_models[m].parent;
	char id[SIM_ID_MAX];

	if (!rec_reachable(t->s, c, idx) || (px_models[m].view_of >= 0 && !rec_appointment(c, idx)))
		return;
	px_buf_addf(&t->text, "{\"integration_id\":\"%s\",\"model\":\"%s\",\"id\":", in->id,
		px_models[m].dir);
	px_buf_add_json(&t->text, id, rec_id(c, idx, id));
	px_buf_adds(&t->text, ",\"parent\":");
	if (parent >= 0)
		px_buf_add_json(&t->text, id,
			rec_id(&in->cols[parent], (uint32_t)rec_parent(t->s, c, idx), id));
	else
		px_buf_adds(&t->text, "null");
	if (!t->ids) {
		px_buf_adds(&t->text, ",\"record\":");
		(void)rec_text(t->s, c, idx, &t->text);
	}
	px_buf_adds(&t->text, "}\n");
}

/* The next lines, until there is enough to send. Locked. */
static void fill(struct truth *t)
{
	const struct world *w = &t->s->world;

	px_buf_reset(&t->text);
	t->sent = 0;
	while (t->text.len < CHUNK && t->integ < w->ninteg) {
		struct integ *in = w->integs[t->integ];
		const struct col *c = &in->cols[model_base(t->model)];

		if (shown(t, in, t->model) && t->at < col_visible(c)) {
			one_line(t, in, t->model, col_nth(c, t->at++));
			continue;
		}
		t->at = 0;
		if (++t->model == PX_MODEL_COUNT) {
			t->model = 0;
			t->integ++;
		}
	}
	t->done = t->integ >= w->ninteg;
}

static ssize_t truth_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct truth *t = cls;
	size_t n;

	(void)pos;
	if (t->sent == t->text.len) {
		if (t->done)
			return MHD_CONTENT_READER_END_OF_STREAM;
		(void)pthread_mutex_lock(&t->s->world.lock);
		fill(t);
		(void)pthread_mutex_unlock(&t->s->world.lock);
		if (t->text.failed)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		if (!t->text.len)
			return MHD_CONTENT_READER_END_OF_STREAM;
	}
	n = t->text.len - t->sent;
	if (n > max)
		n = max;
	memcpy(buf, t->text.data + t->sent, n);
	t->sent += n;
	return (ssize_t)n;
}

static void truth_free(void *cls)
{
	struct truth *t = cls;

	px_buf_release(&t->text);
	free(t);
}

struct MHD_Response *truth_response(struct sim *s, int integ, int model, bool ids_only, bool all)
{
	struct truth *t = calloc(1, sizeof *t);
	struct MHD_Response *resp;

	if (!t)
		return NULL;
	*t = (struct truth){
		.s = s, .only_integ = integ, .only_model = model, .ids = ids_only, .all = all};
	px_buf_init(&t->text, SIM_TEXT_MAX);
	resp = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, CHUNK, truth_read, t, truth_free);
	if (!resp)
		truth_free(t);
	return resp;
}
