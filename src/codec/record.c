/* SPDX-License-Identifier: MIT */
/*
 * record.c - one record as received: its file, and what the mirror needs to know of it.
 *
 * Invariant: digest covers every byte of the file but the value of the top-level last_seen,
 * core_digest also leaves out that of updated_at; so equal digests mean that a reader would find
 * nothing new.
 */
#include "codec_i.h"

#include <stdlib.h>

#include "propexofs/clock.h"
#include "propexofs/hash.h"

enum { TEXT_MAX = 4096 };

/* The members that are looked for; the order is that of names[]. */
enum { ID, INTEGRATION_ID, PROPERTY_ID, CREATED_AT, UPDATED_AT, LAST_SEEN, MEMBERS };

static const struct {
	const char *name;
	size_t len;
} names[MEMBERS] = {
#define NAME(s)                                                                                    \
	{                                                                                          \
		s, sizeof s - 1                                                                    \
	}
	[ID] = NAME("id"),
	[INTEGRATION_ID] = NAME("integration_id"),
	[PROPERTY_ID] = NAME("property_id"),
	[CREATED_AT] = NAME("created_at"),
	[UPDATED_AT] = NAME("updated_at"),
	[LAST_SEEN] = NAME("last_seen"),
#undef NAME
};

/* Places in the file; to == 0 while there is none. */
struct found {
	size_t from[MEMBERS], to[MEMBERS];
};

/* As every member's name passes here, only one of a plausible length is looked at. */
static void note(void *arg, struct px_span key, size_t from, size_t to)
{
	struct found *f = arg;
	bool escaped = memchr(key.p, '\\', key.len) != NULL;

	for (int i = 0; i < MEMBERS; i++) {
		if (escaped ? !px_json_string_is(key, names[i].name)
			    : key.len != names[i].len + 2 ||
					memcmp(key.p + 1, names[i].name, names[i].len) != 0)
			continue;
		f->from[i] = from; /* a later one of the same name replaces it */
		f->to[i] = to;
		return;
	}
}

static size_t cut(char *text, size_t len, size_t from, size_t to)
{
	memmove(text + from, text + to, len - to);
	return len - (to - from);
}

static px_rc digest(struct px_record *r, const struct found *f)
{
	unsigned char hash[PX_SHA256_LEN];
	size_t len = r->body_len, from = f->from[UPDATED_AT], to = f->to[UPDATED_AT];
	char *scratch = malloc(len);

	if (!scratch)
		return PX_ENOMEM;
	memcpy(scratch, r->body, len);
	if (f->to[LAST_SEEN]) {
		size_t gone = f->to[LAST_SEEN] - f->from[LAST_SEEN];

		len = cut(scratch, len, f->from[LAST_SEEN], f->to[LAST_SEEN]);
		if (f->from[LAST_SEEN] < from) {
			from -= gone;
			to -= gone;
		}
	}
	px_sha256(scratch, len, hash);
	memcpy(r->digest, hash, sizeof r->digest);
	if (f->to[UPDATED_AT]) {
		len = cut(scratch, len, from, to);
		px_sha256(scratch, len, hash);
	}
	memcpy(r->core_digest, hash, sizeof r->core_digest);
	free(scratch);
	return PX_OK;
}

static int64_t time_of(const char *s)
{
	int64_t ns;

	return s && !px_time_parse(s, strlen(s), &ns) ? ns : INT64_MIN;
}

static px_rc fill(struct px_record *r, const struct found *f, struct px_err *err)
{
	char **const texts[MEMBERS] = {
		[ID] = &r->id,
		[INTEGRATION_ID] = &r->integration_id,
		[PROPERTY_ID] = &r->property_id,
		[CREATED_AT] = &r->created_at,
		[UPDATED_AT] = &r->updated_at,
		[LAST_SEEN] = &r->last_seen,
	};

	for (int i = 0; i < MEMBERS; i++) {
		struct px_span v = {r->body + f->from[i], f->to[i] - f->from[i]};

		if (px_json_text(v, TEXT_MAX, texts[i]))
			return px_err_nomem(err);
	}
	if (!r->id || !*r->id)
		return px_err_set(err, PX_ESYNTAX, "a record without an id");
	r->id_len = strlen(r->id);
	r->mtime_ns = time_of(r->updated_at);
	if (r->mtime_ns == INT64_MIN)
		r->mtime_ns = time_of(r->created_at);
	return digest(r, f) ? px_err_nomem(err) : PX_OK;
}

static px_rc format(
	const char *text, size_t len, struct px_buf *body, struct found *f, struct px_err *err)
{
	px_rc rc;

	/* most often enough for the white space, so that the text is not moved */
	if (len < PX_RECORD_MAX / 2)
		px_buf_reserve(body, len + len / 4 + 64);
	rc = px_doc_write(text, len, 0, body, note, f, err);
	if (rc)
		return rc;
	if (*body->data != '{')
		return px_err_set(err, PX_ESYNTAX, "a record that is not an object");
	px_buf_addc(body, '\n');
	return px_buf_ok(body, err);
}

px_rc px_record_parse(const char *text, size_t len, struct px_record *ret, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf body = PX_BUF_INIT(PX_RECORD_MAX);
	struct px_record r = {0};
	struct found f = {{0}, {0}};
	px_rc rc = format(text, len, &body, &f, err);

	if (rc)
		return rc;
	r.body = px_buf_steal(&body, &r.body_len);
	rc = fill(&r, &f, err);
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
