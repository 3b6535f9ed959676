/* SPDX-License-Identifier: MIT */
/*
 * event.c - one delivery, whatever it is wrapped in (API reference §13.4).
 *
 * Invariant: a span of an event points into the body that was parsed; names are owned copies,
 * bounded.
 */
#include "propexofs/codec.h"

#include <stdlib.h>
#include <string.h>

enum { EVENT_MAX = 64, TEXT_MAX = 4096 };

static const struct {
	const char *name;
	enum px_event_kind kind;
} kinds[] = {
	{"DATA_NEW", PX_EVENT_DATA_NEW},
	{"DATA_UPDATE", PX_EVENT_DATA_UPDATE},
	{"SYNC_COMPLETE", PX_EVENT_SYNC_COMPLETE},
	{"FIRST_SYNC_COMPLETE", PX_EVENT_FIRST_SYNC_COMPLETE},
	{"JOB_FAILURE", PX_EVENT_JOB_FAILURE},
	{"WRITE_OPERATION_FAILURE", PX_EVENT_WRITE_OPERATION_FAILURE},
};

static enum px_event_kind kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].name, name))
			return kinds[i].kind;
	return PX_EVENT_UNKNOWN;
}

/* A string, or the literal of a number: some ids look like one. */
static char *text(struct px_span v, size_t max)
{
	if (!v.p)
		return NULL;
	if (px_json_kind(v) == PX_JSON_NUMBER)
		return v.len <= max ? strndup(v.p, v.len) : NULL;
	return px_json_strdup(v, max);
}

static char *snake(char *name)
{
	for (char *c = name; c && *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

static struct px_span object_or_nothing(struct px_span v)
{
	return v.p && px_json_kind(v) == PX_JSON_OBJECT ? v : (struct px_span){NULL, 0};
}

/* The first of three places that has a non-empty string. */
static char *first_text(
	struct px_span a, struct px_span b, struct px_span c, const char *name, size_t max)
{
	const struct px_span places[] = {a, b, c};

	for (size_t i = 0; i < 3; i++) {
		char *s = text(px_json_member(places[i], name), max);

		if (s && *s)
			return s;
		free(s);
	}
	return NULL;
}

static void take_diff(struct px_event *e, struct px_span diff)
{
	diff = object_or_nothing(diff);
	e->diff_new = object_or_nothing(px_json_member(diff, "new"));
	e->diff_previous = object_or_nothing(px_json_member(diff, "previous"));
	if (!e->diff_new.p && !e->diff_previous.p)
		e->diff_new = diff;
}

static px_rc take(struct px_span root, struct px_event *e, struct px_err *err)
{
	const struct px_span none = {NULL, 0};
	struct px_span b = object_or_nothing(px_json_member(root, "data"));
	struct px_span root_meta = object_or_nothing(px_json_member(root, "meta")), meta, diff;

	if (!b.p)
		b = root;
	meta = object_or_nothing(px_json_member(b, "meta"));
	diff = px_json_member(b, "diff");
	e->payload = object_or_nothing(px_json_member(b, "payload"));
	take_diff(e, diff);
	e->event = text(px_json_member(b, "event"), EVENT_MAX);
	if (!e->event || !*e->event) {
		free(e->event);
		e->event = text(px_json_member(root, "trigger"), EVENT_MAX);
	}
	if (!e->event || !*e->event) {
		free(e->event);
		e->event = object_or_nothing(diff).p ? strdup("DATA_UPDATE")
			   : e->payload.p	     ? strdup("DATA_NEW")
						     : NULL;
	}
	if (!e->event)
		return px_err_set(err, PX_ESYNTAX, "no event, diff or payload in it");
	e->kind = kind_of(e->event);
	e->object = snake(first_text(b, meta, root_meta, "object", TEXT_MAX));
	e->integration_id = first_text(b, meta, root_meta, "integration_id", TEXT_MAX);
	e->record_id = first_text(b, none, none, "record_id", TEXT_MAX);
	e->vendor = first_text(b, none, none, "vendor", TEXT_MAX);
	e->models_synced = px_json_member(b, "models_synced");
	e->is_backsync = px_json_bool(px_json_member(b, "is_backsync"), false);
	e->is_sync_finished = px_json_bool(px_json_member(b, "is_sync_finished"), true);
	if ((e->kind == PX_EVENT_DATA_NEW || e->kind == PX_EVENT_DATA_UPDATE) &&
		(!e->object || !e->record_id))
		return px_err_set(err, PX_ESYNTAX, "a data event without %s",
			e->object ? "record_id" : "object");
	return PX_OK;
}

px_rc px_event_parse(const char *body, size_t len, struct px_event *ret, struct px_err *err)
{
	struct px_event e = {.is_sync_finished = true};
	struct px_span root = {body, len};
	px_rc rc = px_json_check(body, len, err);

	if (!rc && px_json_kind(root) != PX_JSON_OBJECT)
		rc = px_err_set(err, PX_ESYNTAX, "a delivery that is not an object");
	if (!rc)
		rc = take(root, &e, err);
	if (rc) {
		px_event_release(&e);
		return rc;
	}
	*ret = e;
	return PX_OK;
}

px_rc px_event_from_diff(struct px_span row, struct px_event *ret, struct px_err *err)
{
	struct px_event e = {.is_sync_finished = true};
	struct px_span type = px_json_member(row, "event_type"),
		       diff = px_json_member(row, "data_diff");

	e.object = snake(text(px_json_member(row, "model"), TEXT_MAX));
	e.record_id = text(px_json_member(row, "model_record_id"), TEXT_MAX);
	e.integration_id = text(px_json_member(row, "integration_id"), TEXT_MAX);
	e.vendor = text(px_json_member(row, "integration_vendor"), TEXT_MAX);
	e.kind = px_json_string_is(type, "NEW") ? PX_EVENT_DATA_NEW : PX_EVENT_DATA_UPDATE;
	e.event = strdup(e.kind == PX_EVENT_DATA_NEW ? "DATA_NEW" : "DATA_UPDATE");
	take_diff(&e, diff);
	if (e.kind == PX_EVENT_DATA_NEW) {
		e.payload = e.diff_new;
		e.diff_new = e.diff_previous = (struct px_span){NULL, 0};
	}
	if (!e.object || !e.record_id || !e.event) {
		px_event_release(&e);
		return px_err_set(err, PX_ESYNTAX, "a data diff without model or model_record_id");
	}
	*ret = e;
	return PX_OK;
}

void px_event_release(struct px_event *e)
{
	free(e->event);
	free(e->object);
	free(e->integration_id);
	free(e->record_id);
	free(e->vendor);
	memset(e, 0, sizeof *e);
}
