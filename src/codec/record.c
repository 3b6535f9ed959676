/* SPDX-License-Identifier: MIT */
/*
 * record.c - one record as received: its file, and what the mirror needs to know of it.
 *
 * Invariant: digest covers every byte of the file but the value of the top-level last_seen,
 * core_digest also leaves out updated_at; so equal digests mean that a reader would find nothing
 * new.
 */
#include "codec_i.h"

#include <stdlib.h>
#include <string.h>

#include "propexofs/clock.h"
#include "propexofs/hash.h"

enum { ID_MAX = 4096, MEMBER_MAX = 4096 };

struct member {
	const char *name;
	char **to;
	struct px_span at; /* of the value in the file, the last one of that name */
};

static void digest(struct px_record *r, const struct px_span *last_seen,
	const struct px_span *updated_at, struct px_buf *scratch)
{
	unsigned char hash[PX_SHA256_LEN];
	const struct px_span *cuts[2] = {last_seen, updated_at};
	const char *from = r->body, *end = r->body + r->body_len;

	if (cuts[0]->p && cuts[1]->p && cuts[0]->p > cuts[1]->p) {
		cuts[0] = updated_at;
		cuts[1] = last_seen;
	}
	for (int i = 0; i < 2; i++) {
		if (!cuts[i]->p)
			continue;
		px_buf_add(scratch, from, (size_t)(cuts[i]->p - from));
		from = cuts[i]->p + cuts[i]->len;
	}
	px_buf_add(scratch, from, (size_t)(end - from));
	px_sha256(scratch->data, scratch->len, hash);
	memcpy(r->core_digest, hash, sizeof r->core_digest);
	px_buf_reset(scratch);
	px_buf_add(scratch, hash, sizeof hash);
	px_buf_add(scratch, updated_at->p, updated_at->p ? updated_at->len : 0);
	px_sha256(scratch->data, scratch->len, hash);
	memcpy(r->digest, hash, sizeof r->digest);
}

static int64_t time_of(const char *s)
{
	int64_t ns;

	return s && !px_time_parse(s, strlen(s), &ns) ? ns : INT64_MIN;
}

static px_rc fill(struct px_record *r, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf scratch = PX_BUF_INIT(PX_RECORD_MAX + 64);
	struct member members[] = {{"id", &r->id, {0}}, {"integration_id", &r->integration_id, {0}},
		{"property_id", &r->property_id, {0}}, {"created_at", &r->created_at, {0}},
		{"updated_at", &r->updated_at, {0}}, {"last_seen", &r->last_seen, {0}}};
	struct px_json_walk w;
	struct px_span key, v;

	px_json_walk_init(&w, (struct px_span){r->body, r->body_len});
	while (px_json_walk_next(&w, &key, &v))
		for (size_t i = 0; i < sizeof members / sizeof *members; i++)
			if (key.len == strlen(members[i].name) + 2 &&
				px_json_string_is(key, members[i].name))
				members[i].at = v;
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		*members[i].to = px_json_strdup(members[i].at, i ? MEMBER_MAX : ID_MAX);
	if (!r->id || !*r->id)
		return px_err_set(err, PX_ESYNTAX, "a record without an id");
	r->id_len = strlen(r->id);
	r->mtime_ns = time_of(r->updated_at);
	if (r->mtime_ns == INT64_MIN)
		r->mtime_ns = time_of(r->created_at);
	if (px_buf_reserve(&scratch, r->body_len + 64))
		return px_buf_ok(&scratch, err);
	digest(r, &members[5].at, &members[4].at, &scratch);
	return PX_OK;
}

px_rc px_record_parse(const char *text, size_t len, struct px_record *ret, struct px_err *err)
{
	struct px_record r = {0};
	struct px_buf body = PX_BUF_INIT(PX_RECORD_MAX);
	px_rc rc = px_buf_reserve(&body, len < PX_RECORD_MAX / 2 ? len + len / 4 + 16 : 0);

	rc = rc ? px_buf_ok(&body, err) : px_doc_format(text, len, &body, err);
	if (!rc && px_json_kind((struct px_span){body.data, body.len}) != PX_JSON_OBJECT)
		rc = px_err_set(err, PX_ESYNTAX, "a record that is not an object");
	if (rc) {
		px_buf_release(&body);
		return rc;
	}
	r.body = px_buf_steal(&body, &r.body_len);
	rc = fill(&r, err);
	if (rc) {
		px_record_release(&r);
		return rc;
	}
	*ret = r;
	return PX_OK;
}

void px_record_release(struct px_record *r)
{
	free(r->id);
	free(r->integration_id);
	free(r->property_id);
	free(r->created_at);
	free(r->updated_at);
	free(r->last_seen);
	free(r->body);
	memset(r, 0, sizeof *r);
}
