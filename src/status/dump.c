/* SPDX-License-Identifier: MIT */
/*
 * dump.c - how things stand in one line for the service manager, and in several for the log.
 *
 * Invariant: ids, phases, counts and ages only; no names, bodies or messages from outside, for logs
 * go to places that the mirror's owner does not guard.
 */
#include "status_i.h"

#include <stdarg.h>
#include <stdio.h>

#include "propexofs/clock.h"

enum { LINE_SIZE = 512 };

/* ---- one line ---- */

/* What a person would want to hear first of several integrations. */
static int urgency(enum px_phase p)
{
	static const enum px_phase order[] = {PX_PHASE_DISABLED, PX_PHASE_CURRENT,
		PX_PHASE_CATCHING_UP, PX_PHASE_WAITING, PX_PHASE_FILLING, PX_PHASE_STALE,
		PX_PHASE_ERROR};
	int at = 0;

	while (order[at] != p)
		at++;
	return at;
}

static void count_records(const struct px_survey *s, int64_t *ret_have, int64_t *ret_expected)
{
	*ret_have = *ret_expected = 0;
	for (size_t i = 0; i < s->count; i++)
		for (size_t k = 0; k < s->list[i].ndirs; k++) {
			const struct px_dir *d = &s->list[i].dirs[k];
			bool more = !d->complete && d->expected > d->records;

			*ret_have += d->records;
			*ret_expected += more ? d->expected : d->records;
		}
}

px_rc px_status_line(
	struct px_reader *r, struct px_board *board, char *out, size_t size, struct px_err *err)
{
	enum px_phase phase = PX_PHASE_DISABLED;
	struct px_survey s;
	int64_t have, expected;
	size_t n = 0;
	px_rc rc = px_survey_take(r, board, &s, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < s.count; i++)
		if (urgency(s.list[i].phase) > urgency(phase))
			phase = s.list[i].phase;
	count_records(&s, &have, &expected);
	if (!s.known)
		n = (size_t)snprintf(out, size, "waiting for the list of integrations");
	else
		n = (size_t)snprintf(out, size, "%s: %lld", px_phase_word(phase), (long long)have);
	if (s.known && expected > have && n < size)
		n += (size_t)snprintf(out + n, size - n, " of %lld", (long long)expected);
	if (s.known && n < size)
		n += (size_t)snprintf(out + n, size - n, " records, %zu integration%s", s.count,
			s.count == 1 ? "" : "s");
	if (n < size)
		(void)snprintf(out + n, size - n, "%s",
			s.view.offline		 ? "; offline"
			: !s.view.api.reachable	 ? "; the API is out of reach"
			: !s.view.api.authorized ? "; the API refuses the key"
			: *s.view.store_error	 ? "; the store cannot be written"
						 : "");
	px_survey_release(&s);
	return PX_OK;
}

/* ---- several ---- */

struct lines {
	void (*line)(void *arg, const char *text);
	void *arg;
};

__attribute__((format(printf, 2, 3))) static void say(const struct lines *to, const char *fmt, ...)
{
	char text[LINE_SIZE];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	to->line(to->arg, text);
}

static void say_whole(const struct lines *to, const struct px_survey *s)
{
	const struct px_api_stats *a = &s->view.api;
	const struct px_webhook_stats *w = &s->view.webhooks;
	const struct px_store_totals *t = &s->totals;
	int64_t up_ms = s->now_ms - s->view.started_ms;

	say(to, "state version=%s uptime_s=%lld integrations=%zu known=%d offline=%d", PX_VERSION,
		(long long)(up_ms / 1000), s->count, s->known, s->view.offline);
	say(to,
		"state api reachable=%d authorized=%d allowed_per_minute=%lld used=%lld fill=%lld "
		"catch_up=%lld hydrate=%lld sweep=%lld control=%lld",
		a->reachable, a->authorized, (long long)a->limiter.allowed,
		(long long)a->limiter.used, (long long)a->limiter.sent[PX_FOR_FILL],
		(long long)a->limiter.sent[PX_FOR_CATCH_UP],
		(long long)a->limiter.sent[PX_FOR_HYDRATE],
		(long long)a->limiter.sent[PX_FOR_SWEEP],
		(long long)a->limiter.sent[PX_FOR_CONTROL]);
	say(to,
		"state webhooks listening=%s registered=%d received=%llu rejected=%llu "
		"duplicate=%llu inbox=%lld",
		w->listening ? w->address : "-", w->registered, (unsigned long long)w->received,
		(unsigned long long)w->rejected, (unsigned long long)w->duplicate,
		(long long)t->inbox);
	say(to,
		"state store bytes=%lld records=%lld versions=%lld events=%lld pending=%lld "
		"writable=%d",
		(long long)t->bytes, (long long)t->records, (long long)t->versions,
		(long long)t->events, (long long)t->pending, !*s->view.store_error);
}

static void say_integration(
	const struct lines *to, const struct px_survey *s, const struct px_judged *j)
{
	say(to, "state integration=%s phase=%s records=%lld pending=%lld complete=%d", j->row.id,
		px_phase_word(j->phase), (long long)j->records, (long long)j->pending, j->complete);
	for (size_t k = 0; k < j->ndirs; k++) {
		const struct px_dir *d = &j->dirs[k];

		if (px_dir_shown(d))
			say(to,
				"state integration=%s model=%s phase=%s records=%lld expected=%lld "
				"pending=%lld complete=%d",
				j->row.id, d->model, px_phase_word(px_model_phase(s, j, d)),
				(long long)d->records, (long long)d->expected,
				(long long)d->pending, d->complete);
	}
}

px_rc px_status_dump(struct px_reader *r, struct px_board *board, const struct px_fs_counters *fs,
	void (*line)(void *arg, const char *text), void *arg, struct px_err *err)
{
	const struct lines to = {.line = line, .arg = arg};
	const uint64_t listings = fs->readdir + fs->readdirplus;
	struct px_survey s;
	px_rc rc = px_survey_take(r, board, &s, err);

	if (rc)
		return rc;
	say_whole(&to, &s);
	say(&to,
		"state fuse lookup=%llu getattr=%llu readlink=%llu read=%llu readdir=%llu "
		"statfs=%llu forget=%llu pushed=%llu notified=%llu bytes=%llu",
		(unsigned long long)fs->lookup, (unsigned long long)fs->getattr,
		(unsigned long long)fs->readlink, (unsigned long long)fs->read,
		(unsigned long long)listings, (unsigned long long)fs->statfs,
		(unsigned long long)fs->forget, (unsigned long long)fs->pushed,
		(unsigned long long)fs->notified, (unsigned long long)fs->bytes_read);
	for (size_t i = 0; i < s.count; i++)
		say_integration(&to, &s, &s.list[i]);
	px_survey_release(&s);
	return PX_OK;
}
