/* SPDX-License-Identifier: MIT */
/*
 * fuzz_record.c - a record's file, its digests and its name.
 *
 * The file is the formatted text and parses to the same record again; the digests are blind to
 * last_seen, and one of them to updated_at, and to nothing else; a name is fit for any file system
 * and can be read back unless it was cut.
 */
#include "fuzz.h"

static bool same_digest(const struct px_record *a, const struct px_record *b)
{
	return !memcmp(a->digest, b->digest, sizeof a->digest);
}

static bool same_core(const struct px_record *a, const struct px_record *b)
{
	return !memcmp(a->core_digest, b->core_digest, sizeof a->core_digest);
}

/* The record with one more member at its end. */
static void parse_with(const struct px_record *r, const char *member, struct px_record *ret)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(FUZZ_ROOM);

	/* a record has an id, so its file ends so */
	HOLDS(r->body_len > 3 && !memcmp(r->body + r->body_len - 3, "\n}\n", 3));
	px_buf_add(&b, r->body, r->body_len - 3);
	px_buf_adds(&b, ",");
	px_buf_adds(&b, member);
	px_buf_adds(&b, "}");
	HOLDS(!px_record_parse(b.data, b.len, ret, NULL));
}

static void try_digests(const struct px_record *r)
{
	static const char *const members[] = {"\"last_seen\":\"2026-01-05T04:10:00Z\"",
		"\"last_seen\":null", "\"updated_at\":\"2026-01-05T04:10:00Z\"",
		"\"updated_at\":[1]", "\"none\":0"};
	struct px_record v[5];

	for (size_t i = 0; i < 5; i++)
		parse_with(r, members[i], &v[i]);
	HOLDS(same_digest(&v[0], &v[1]) && same_core(&v[0], &v[1]));
	HOLDS(!same_digest(&v[2], &v[3]) && same_core(&v[2], &v[3]));
	HOLDS(!same_digest(&v[4], r) && !same_core(&v[4], r));
	HOLDS(!same_digest(&v[0], &v[2]) && !same_core(&v[0], &v[2]));
	HOLDS(v[2].mtime_ns == INT64_C(1767586200) * 1000000000);
	for (size_t i = 0; i < 5; i++) {
		HOLDS(fuzz_same_text(v[i].id, r->id));
		px_record_release(&v[i]);
	}
}

static void try_name(const struct px_record *r)
{
	char name[PX_NAME_MAX + 1];
	const char *p = name, *id = r->id;
	size_t len;

	memset(name, 'x', sizeof name);
	px_record_name(r->id, r->id_len, name);
	len = strnlen(name, sizeof name);
	HOLDS(len <= PX_NAME_MAX && len > 5 && !strcmp(name + len - 5, ".json"));
	HOLDS(name[0] != '.' && !strchr(name, '/'));
	for (; p < name + len - 5 && *p != '~'; p++, id++) {
		if (*p == '%') {
			char digits[3] = {p[1], p[2], '\0'};

			HOLDS((unsigned char)*id == strtoul(digits, NULL, 16));
			p += 2;
		} else {
			HOLDS(*p == *id);
		}
	}
	HOLDS(*p == '~' ? len >= PX_NAME_MAX - 2 && name + len - 5 - p == 17 : !*id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(FUZZ_ROOM);
	struct px_span text = {(const char *)data, size};
	struct px_record r = {0}, again = {0};
	struct px_err err = {0};
	px_rc rc = px_record_parse(text.p, size, &r, &err);

	if (rc) {
		HOLDS(fuzz_refused(rc, &err) && !r.id && !r.body);
		return -1;
	}
	HOLDS(px_json_kind(text) == PX_JSON_OBJECT);
	HOLDS(r.id && r.id_len && r.id_len == strlen(r.id) && r.id_len <= 4096);
	HOLDS(px_json_string_is(px_json_member(text, "id"), r.id));
	HOLDS(!r.integration_id ||
		px_json_string_is(px_json_member(text, "integration_id"), r.integration_id));
	HOLDS(!r.property_id ||
		px_json_string_is(px_json_member(text, "property_id"), r.property_id));
	HOLDS(!r.created_at || px_json_string_is(px_json_member(text, "created_at"), r.created_at));
	HOLDS(!r.updated_at || px_json_string_is(px_json_member(text, "updated_at"), r.updated_at));
	HOLDS(!r.last_seen || px_json_string_is(px_json_member(text, "last_seen"), r.last_seen));
	HOLDS(r.mtime_ns == INT64_MIN || r.created_at || r.updated_at);
	HOLDS(fuzz_same(fuzz_format(text, &b), (struct px_span){r.body, r.body_len}));
	HOLDS(!px_record_parse(r.body, r.body_len, &again, NULL));
	HOLDS(fuzz_same((struct px_span){again.body, again.body_len}, fuzz_span(&b)));
	HOLDS(same_digest(&r, &again) && same_core(&r, &again) && r.mtime_ns == again.mtime_ns);
	try_digests(&r);
	try_name(&r);
	px_record_release(&again);
	px_record_release(&r);
	return 0;
}
