/* SPDX-License-Identifier: MIT */
/*
 * event.c - one delivery, whatever it is wrapped in (API reference §13.4).
 *
 * Invariants: a span of an event points into the body that was parsed; names are owned, bounded
 * copies; a data event always says which record of which model it is about. What a delivery does
 * not say is absent, never guessed: the mirror then reads the record again.
 */
#include "codec_i.h"

#include <stdlib.h>

#include "propexofs/utf8.h"

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

static const struct px_span nothing = {NULL, 0};

static bool is(struct px_span v, enum px_json_kind kind)
{
	return v.p && px_json_kind(v) == kind;
}

static struct px_span object_or_nothing(struct px_span v)
{
	return is(v, PX_JSON_OBJECT) ? v : nothing;
}

/* ---- texts -----------------------------------------------------------------------------------*/

/* Where a member of the delivery may stand, best first. */
struct places {
	struct px_span at[4];
};

static struct px_span look(const struct places *p, const char *name, enum px_json_kind kind)
{
	for (size_t i = 0; i < sizeof p->at / sizeof *p->at; i++) {
		struct px_span v = px_json_member(p->at[i], name);

		if (is(v, kind))
			return v;
	}
	return nothing;
}

static px_rc copy(const char *s, size_t len, char **ret)
{
	*ret = strndup(s, len);
	return *ret ? PX_OK : PX_ENOMEM;
}

/* A text that is not empty. An id may also be a number: then it is what stands there. */
static px_rc text_of(struct px_span v, bool id, char **ret)
{
	px_rc rc;

	*ret = NULL;
	if (id && is(v, PX_JSON_NUMBER))
		return v.len <= TEXT_MAX ? copy(v.p, v.len, ret) : PX_OK;
	rc = px_json_text(v, TEXT_MAX, ret);
	if (!rc && *ret && !**ret) {
		free(*ret);
		*ret = NULL;
	}
	return rc;
}

static px_rc look_text(const struct places *p, const char *name, bool id, char **ret)
{
	px_rc rc = PX_OK;

	*ret = NULL;
	for (size_t i = 0; !rc && !*ret && i < sizeof p->at / sizeof *p->at; i++)
		rc = text_of(px_json_member(p->at[i], name), id, ret);
	return rc;
}

static void make_snake(char *name)
{
	for (; name && *name; name++)
		if (*name == '-')
			*name = '_';
}

/* The name of an event as received, cut to whole characters; it may be one that nobody knows. */
static px_rc name_event(struct px_event *e, struct px_span name)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(name.len);
	size_t keep = 0, n;

	e->kind = PX_EVENT_UNKNOWN;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (px_json_string_is(name, kinds[i].name))
			e->kind = kinds[i].kind;
	if (px_json_string(name, &text))
		return PX_ENOMEM;
	while (keep < text.len) {
		n = px_utf8_len(text.data + keep, text.len - keep);
		if (!n || keep + n > EVENT_MAX)
			break;
		if (!text.data[keep])
			text.data[keep] = '?'; /* ours is a C string */
		keep += n;
	}
	return copy(text.data, keep, &e->event);
}

/* ---- diffs -----------------------------------------------------------------------------------*/

/* {"new":…,"previous":…}, either of which may be missing or null, or the changed fields alone. */
static void take_diff(struct px_event *e, struct px_span diff)
{
	struct px_span fresh = px_json_member(diff, "new"),
		       previous = px_json_member(diff, "previous");

	e->diff_new = object_or_nothing(fresh);
	e->diff_previous = object_or_nothing(previous);
	if (e->diff_new.p || e->diff_previous.p || is(fresh, PX_JSON_NULL) ||
		is(previous, PX_JSON_NULL))
		return;
	e->diff_new = object_or_nothing(diff);
}

/* ---- deliveries ------------------------------------------------------------------------------*/

static px_rc take_name(
	struct px_event *e, struct px_span b, struct px_span root, bool diff, struct px_err *err)
{
	static const char *const words[] = {"event", "trigger"};
	const struct px_span by_trust[] = {px_json_member(b, words[0]),
		px_json_member(root, words[1]), px_json_member(root, words[0]),
		px_json_member(b, words[1])};
	px_rc rc;

	for (size_t i = 0; i < sizeof by_trust / sizeof *by_trust; i++) {
		if (!is(by_trust[i], PX_JSON_STRING) || px_json_string_is(by_trust[i], ""))
			continue;
		rc = name_event(e, by_trust[i]);
		return rc ? px_err_nomem(err) : PX_OK;
	}
	if (!diff && !e->payload.p)
		return px_err_set(err, PX_ESYNTAX, "no event, diff or payload in it");
	e->kind = diff ? PX_EVENT_DATA_UPDATE : PX_EVENT_DATA_NEW;
	e->event = strdup(diff ? "DATA_UPDATE" : "DATA_NEW");
	return e->event ? PX_OK : px_err_nomem(err);
}

/* The rule of all events that are about a record. */
static px_rc judge(const struct px_event *e, struct px_err *err)
{
	if (e->kind != PX_EVENT_DATA_NEW && e->kind != PX_EVENT_DATA_UPDATE)
		return PX_OK;
	if (!e->object)
		return px_err_set(err, PX_ESYNTAX, "a data event without a model");
	if (!e->record_id)
		return px_err_set(err, PX_ESYNTAX, "a data event without a record's id");
	return PX_OK;
}

static px_rc take(struct px_span root, struct px_event *e, struct px_err *err)
{
	struct px_span data = object_or_nothing(px_json_member(root, "data"));
	struct px_span b = data.p ? data : root;
	const struct places places = {
		{b, px_json_member(b, "meta"), px_json_member(root, "meta"), root}};
	const struct places outer = {{b, root, nothing, nothing}};
	struct px_span diff = look(&outer, "diff", PX_JSON_OBJECT);
	px_rc rc;

	e->payload = look(&outer, "payload", PX_JSON_OBJECT);
	take_diff(e, diff);
	rc = take_name(e, b, root, diff.p, err);
	if (rc)
		return rc;
	rc = look_text(&places, "object", false, &e->object);
	if (!rc)
		rc = look_text(&places, "integration_id", true, &e->integration_id);
	if (!rc)
		rc = look_text(&places, "record_id", true, &e->record_id);
	if (!rc)
		rc = look_text(&places, "vendor", false, &e->vendor);
	if (rc)
		return px_err_nomem(err);
	make_snake(e->object);
	e->models_synced = look(&outer, "models_synced", PX_JSON_ARRAY);
	e->is_backsync = look(&outer, "is_backsync", PX_JSON_TRUE).p != NULL;
	e->is_sync_finished = !look(&outer, "is_sync_finished", PX_JSON_FALSE).p;
	e->failed_jobs = px_json_int(look(&outer, "failed_job_count", PX_JSON_NUMBER), 0);
	return judge(e, err);
}

px_rc px_event_parse(const char *body, size_t len, struct px_event *ret, struct px_err *err)
{
	struct px_event e = {.is_sync_finished = true};
	struct px_span root = {body, len};
	px_rc rc = px_json_check(body, len, err);

	if (rc)
		return rc;
	if (px_json_kind(root) != PX_JSON_OBJECT)
		return px_err_set(err, PX_ESYNTAX, "a delivery that is not an object");
	rc = take(root, &e, err);
	if (rc) {
		px_event_release(&e);
		return rc;
	}
	*ret = e;
	return PX_OK;
}

/* ---- rows of the server's diff log -----------------------------------------------------------*/

static px_rc take_row(struct px_span row, struct px_event *e, struct px_err *err)
{
	struct px_span type = px_json_member(row, "event_type"),
		       diff = px_json_member(row, "data_diff");
	px_rc rc;

	/* of a kind that nobody knows: the record has changed, but how is not to be guessed */
	e->kind = PX_EVENT_DATA_UPDATE;
	if (px_json_string_is(type, "UPDATE")) {
		take_diff(e, diff);
	} else if (px_json_string_is(type, "NEW")) {
		e->kind = PX_EVENT_DATA_NEW;
		take_diff(e, diff);
		e->payload = e->diff_new;
		e->diff_new = e->diff_previous = nothing;
	}
	e->event = strdup(e->kind == PX_EVENT_DATA_NEW ? "DATA_NEW" : "DATA_UPDATE");
	rc = e->event ? PX_OK : PX_ENOMEM;
	if (!rc)
		rc = text_of(px_json_member(row, "model"), false, &e->object);
	if (!rc)
		rc = text_of(px_json_member(row, "model_record_id"), true, &e->record_id);
	if (!rc)
		rc = text_of(px_json_member(row, "integration_id"), true, &e->integration_id);
	if (!rc)
		rc = text_of(px_json_member(row, "integration_vendor"), false, &e->vendor);
	if (rc)
		return px_err_nomem(err);
	make_snake(e->object);
	return judge(e, err);
}

px_rc px_event_from_diff(struct px_span row, struct px_event *ret, struct px_err *err)
{
	struct px_event e = {.is_sync_finished = true};
	px_rc rc = take_row(row, &e, err);

	if (rc) {
		px_event_release(&e);
		return rc;
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
