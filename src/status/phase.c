/* SPDX-License-Identifier: MIT */
/*
 * phase.c - the rules of contract §5, in one place.
 *
 * A survey is one committed moment of the store beside one moment of the board; every renderer
 * works from one, so that files made together agree. Invariant: the clock decides phases only
 * (whether something has lasted too long); no text ever contains it.
 */
#include "status_i.h"

#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"

enum {
	REFRESH_DEFAULT_S = 300, /* what a period is when --refresh is 0 */
	STALE_PERIODS = 3,
	UNANNOUNCED_MS = 15 * 60 * 1000,
};

static const char *const words[] = {
	[PX_PHASE_WAITING] = "waiting",
	[PX_PHASE_FILLING] = "filling",
	[PX_PHASE_CURRENT] = "current",
	[PX_PHASE_CATCHING_UP] = "catching-up",
	[PX_PHASE_STALE] = "stale",
	[PX_PHASE_DISABLED] = "disabled",
	[PX_PHASE_ERROR] = "error",
};

const char *px_phase_word(enum px_phase p)
{
	return words[p];
}

enum px_phase px_phase_of(const struct px_phase_facts *f)
{
	const struct {
		bool is;
		enum px_phase phase;
	} rules[] = {
		{f->disabled, PX_PHASE_DISABLED},
		{f->waiting, PX_PHASE_WAITING},
		{f->failed, PX_PHASE_ERROR},
		{!f->complete, PX_PHASE_FILLING},
		{f->stale, PX_PHASE_STALE},
		{f->pending, PX_PHASE_CATCHING_UP},
	};

	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (rules[i].is)
			return rules[i].phase;
	return PX_PHASE_CURRENT;
}

/* Out of reach (also: by choice, or refused) for more than three periods. What counts is when the
 * mirror was last made right, which survives a restart, not when this process began to try. */
static bool out_of_reach(const struct px_survey *s, const struct px_integration *i)
{
	const struct px_board_view *v = &s->view;
	int64_t period = (v->refresh_s > 0 ? v->refresh_s : REFRESH_DEFAULT_S) * INT64_C(1000);
	int64_t right = v->refreshed_ms > i->reconciled_ms ? v->refreshed_ms : i->reconciled_ms;

	if (v->api.reachable && v->api.authorized && !v->offline)
		return false;
	return s->now_ms - right > STALE_PERIODS * period;
}

/* Why there is nothing to expect from an integration; NULL when there is. */
static const char *disabled_because(const struct px_survey *s, const struct px_integration *i)
{
	if (!i->present)
		return "no longer in the account's list of integrations; what is stored stays";
	if (i->archived)
		return "archived at Propexo; what is stored stays";
	if (!i->active)
		return "not active at Propexo; what is stored stays";
	if (!px_board_wants_integration(s->board, i->id))
		return "left out by --integration; what is stored stays";
	return NULL;
}

/* Whether a model is one that the mirror is expected to hold whole. */
static bool dir_counts(const struct px_survey *s, const struct px_dir *d)
{
	return d->enabled && px_board_wants_model(s->board, d->model);
}

static void judge(const struct px_survey *s, struct px_judged *j)
{
	const struct px_integration *i = &j->row;
	const char *disabled = disabled_because(s, i);
	struct px_board_integration live = {0};
	struct px_phase_facts f = {0};

	if (s->board)
		px_board_integration(s->board, i->iid, &live);
	j->complete = i->models_known;
	for (size_t k = 0; k < j->ndirs; k++) {
		const struct px_dir *d = &j->dirs[k];

		j->records += d->records;
		j->pending += d->pending;
		if (d->oldest_pending_ms &&
			(!j->oldest_pending_ms || d->oldest_pending_ms < j->oldest_pending_ms))
			j->oldest_pending_ms = d->oldest_pending_ms;
		if (dir_counts(s, d) && !d->complete)
			j->complete = false;
	}
	j->stale = s->board &&
		   (out_of_reach(s, i) || (live.unannounced_ms && s->now_ms - live.unannounced_ms >
									  UNANNOUNCED_MS));
	f.disabled = disabled != NULL;
	f.waiting = !i->last_completed_sync;
	f.failed = i->error != NULL;
	f.complete = j->complete;
	f.stale = j->stale;
	f.pending = j->pending > 0 || live.catching_up;
	j->phase = px_phase_of(&f);
	j->error = i->error ? i->error : disabled;
	j->counts = px_board_wants_integration(s->board, i->id) &&
		    !(disabled && !i->last_completed_sync);
}

enum px_phase px_model_phase(
	const struct px_survey *s, const struct px_judged *j, const struct px_dir *d)
{
	const struct px_phase_facts f = {
		.disabled = j->phase == PX_PHASE_DISABLED || (!dir_counts(s, d) && !d->error),
		.waiting = j->phase == PX_PHASE_WAITING,
		.failed = d->error != NULL,
		.complete = d->complete,
		.stale = j->stale,
		.pending = d->pending > 0,
	};

	return px_phase_of(&f);
}

const char *px_model_error(
	const struct px_survey *s, const struct px_judged *j, const struct px_dir *d)
{
	if (d->error || j->phase == PX_PHASE_DISABLED)
		return d->error;
	if (!px_board_wants_model(s->board, d->model))
		return "left out by --model";
	return d->enabled ? NULL : "not enabled at Propexo";
}

/* ---- surveys ---- */

static void begin(struct px_survey *s, struct px_board *board)
{
	memset(s, 0, sizeof *s);
	s->board = board;
	if (board) {
		px_board_view(board, &s->view);
		s->now_ms = px_clock_wall_ms();
	}
}

static px_rc add_dirs(struct px_reader *r, struct px_judged *j, struct px_err *err)
{
	return px_reader_dirs(r, j->row.iid, &j->dirs, &j->ndirs, err);
}

static px_rc take_all(struct px_reader *r, struct px_survey *s, struct px_err *err)
{
	struct px_integration *rows = NULL;
	size_t count = 0;
	px_rc rc = px_reader_integrations_known(r, &s->known, err);

	if (!rc)
		rc = px_reader_totals(r, &s->totals, err);
	if (!rc)
		rc = px_reader_integrations(r, &rows, &count, err);
	if (!rc && count) {
		s->list = calloc(count, sizeof *s->list);
		if (!s->list)
			rc = px_err_nomem(err);
	}
	for (size_t i = 0; i < count && !rc; i++) {
		struct px_judged *j = &s->list[s->count++];

		j->row = rows[i];
		memset(&rows[i], 0, sizeof rows[i]);
		rc = add_dirs(r, j, err);
		if (!rc)
			judge(s, j);
	}
	px_integrations_free(rows, count);
	return rc;
}

px_rc px_survey_take(
	struct px_reader *r, struct px_board *board, struct px_survey *ret, struct px_err *err)
{
	px_rc rc;

	begin(ret, board);
	rc = px_reader_begin(r, err);
	if (rc)
		return rc;
	rc = take_all(r, ret, err);
	px_reader_end(r);
	if (rc)
		px_survey_release(ret);
	return rc;
}

static px_rc take_one(struct px_reader *r, int64_t iid, struct px_survey *s, struct px_err *err)
{
	px_rc rc;

	s->list = calloc(1, sizeof *s->list);
	if (!s->list)
		return px_err_nomem(err);
	rc = px_reader_integration(r, iid, &s->list[0].row, err);
	if (rc)
		return rc;
	s->count = 1;
	rc = add_dirs(r, &s->list[0], err);
	if (!rc)
		judge(s, &s->list[0]);
	return rc;
}

px_rc px_survey_one(struct px_reader *r, struct px_board *board, int64_t iid, struct px_survey *ret,
	struct px_err *err)
{
	px_rc rc;

	begin(ret, board);
	rc = px_reader_begin(r, err);
	if (rc)
		return rc;
	rc = take_one(r, iid, ret, err);
	px_reader_end(r);
	if (rc)
		px_survey_release(ret);
	return rc;
}

void px_survey_release(struct px_survey *s)
{
	for (size_t i = 0; i < s->count; i++) {
		px_integration_release(&s->list[i].row);
		px_dirs_free(s->list[i].dirs, s->list[i].ndirs);
	}
	free(s->list);
	s->list = NULL;
	s->count = 0;
}
