/* SPDX-License-Identifier: MIT */
/*
 * codec.h - JSON in, bytes out, by walking tokens.
 *
 * Invariant: no literal is ever converted. Every number and string that ends in a file is the text
 * that the API sent, in the API's order of members; only white space between tokens is ours.
 * Input is RFC 8259 JSON in well-formed UTF-8; anything else is refused (PX_ESYNTAX), as is nesting
 * deeper than PX_JSON_DEPTH_MAX or text over the stated maximum (PX_ELIMIT). Nothing here does I/O,
 * keeps state, or recurses without a bound; any thread. A span points into the caller's text and
 * lives as long as that.
 */
#ifndef PROPEXOFS_CODEC_H
#define PROPEXOFS_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "propexofs/buf.h"
#include "propexofs/err.h"
#include "propexofs/model.h"

enum {
	PX_JSON_DEPTH_MAX = 128,
	PX_RECORD_MAX = 8 << 20, /* bytes of one record's file */
	PX_NAME_MAX = 255,	 /* bytes of a file name, without the NUL */
};

struct px_span {
	const char *p; /* NULL: absent */
	size_t len;
};

/* ---- values ------------------------------------------------------------------------------------
 */

enum px_json_kind {
	PX_JSON_NULL,
	PX_JSON_FALSE,
	PX_JSON_TRUE,
	PX_JSON_NUMBER,
	PX_JSON_STRING,
	PX_JSON_ARRAY,
	PX_JSON_OBJECT,
};

/* Whether text is exactly one JSON value, white space around it allowed. */
px_rc px_json_check(const char *text, size_t len, struct px_err *err);

/* Kind of a value that px_json_check or a walker has passed: by its first byte. */
enum px_json_kind px_json_kind(struct px_span value);
/* Whether a checked value is an object without members. */
bool px_json_is_empty(struct px_span value);

/* Walks the members of an object, or the elements of an array, that has been checked. */
struct px_json_walk {
	const char *p, *end;
	bool object;
};
/* `value` may be absent or of another kind: then the walk is empty. */
void px_json_walk_init(struct px_json_walk *w, struct px_span value);
/* false at the end. key: the raw string token with its quotes (absent for elements); value: the raw
 * token(s). */
bool px_json_walk_next(struct px_json_walk *w, struct px_span *ret_key, struct px_span *ret_value);

/* The value of the (last) member with this decoded name in a checked object; absent when there is
 * none. */
struct px_span px_json_member(struct px_span object, const char *name);

/* Whether a raw string token decodes to exactly this text. */
bool px_json_string_is(struct px_span token, const char *text);

/* Appends the decoded text of a string token. Lone surrogates give U+FFFD. PX_EINVAL when it is no
 * string. */
px_rc px_json_string(struct px_span token, struct px_buf *out);
/* The same into a fresh NUL-terminated string; NULL when token is no string, or holds U+0000, or is
 * over max bytes, or memory is out. */
char *px_json_strdup(struct px_span token, size_t max);

/* true/false when the token is one, else fallback. */
bool px_json_bool(struct px_span token, bool fallback);
/* The integer value of a number token without fraction that fits, else fallback. */
int64_t px_json_int(struct px_span token, int64_t fallback);

/* Whether two checked values mean the same: decoded strings, exact decimals (1.10 is 1.1, 1e2 is
 * 100, -0 is 0, no rounding), members in any order, null is not absent. */
bool px_json_equal(struct px_span a, struct px_span b);

/* ---- record files ------------------------------------------------------------------------------
 */

/* Appends the value as a file: two-space indent, one member or element a line, `{}` and `[]` on one
 * line, `"key": value`, a newline at the end. Checks while walking. */
px_rc px_doc_format(const char *text, size_t len, struct px_buf *out, struct px_err *err);

/* Appends the value with no white space between tokens and no newline. Checks while walking. */
px_rc px_doc_compact(const char *text, size_t len, struct px_buf *out, struct px_err *err);

/* What the mirror needs to know of a record. Strings are NUL-terminated, owned, NULL when absent,
 * null, or not a string. */
struct px_record {
	char *id;
	size_t id_len;
	char *integration_id;
	char *property_id;
	char *created_at;
	char *updated_at;
	char *last_seen;
	int64_t mtime_ns; /* updated_at, else created_at; INT64_MIN when neither is a time */
	char *body;	  /* as px_doc_format */
	size_t body_len;
	/* Of the body without the value of the top-level member last_seen; equal digests mean that
	 * the file need not change. The first 16 bytes of a SHA-256. */
	unsigned char digest[16];
	/* The same without updated_at too: versions that differ in nothing else are soon forgotten.
	 */
	unsigned char core_digest[16];
};

/* Builds a record from the text of one JSON object. PX_ESYNTAX when it is not an object or has no
 * id (a non-empty string of at most 4096 bytes without U+0000). *ret is untouched on failure. */
px_rc px_record_parse(const char *text, size_t len, struct px_record *ret, struct px_err *err);
void px_record_release(struct px_record *r); /* accepts a zeroed record */

/* Name of a record's file (contract §3): id with bytes outside A-Za-z0-9._- and a leading dot
 * percent-encoded (upper-case hex), ".json" at the end; over 255 bytes it is cut (never within an
 * escape) and ends in
 * '~' and 16 hex digits of the id's SHA-256 before ".json". Never "." or "..". */
void px_record_name(const char *id, size_t id_len, char ret[PX_NAME_MAX + 1]);

/* ---- diffs -------------------------------------------------------------------------------------
 */

enum px_splice {
	PX_SPLICE_APPLIED, /* previous agrees with the stored record: new values are in ret_text */
	PX_SPLICE_DUPLICATE, /* every new value is in place already */
	PX_SPLICE_MISMATCH,  /* previous disagrees with what is stored */
	PX_SPLICE_LACKS,     /* the record lacks a member that the diff names, or names id /
				integration_id */
};

/*
 * Applies a DATA_UPDATE to a stored file: each top-level member named by `new_members` (checked
 * object) has its value replaced in place, re-indented, byte for byte the received literals; all
 * else stays. `previous` (checked object, may be absent) must agree with what is stored, by
 * px_json_equal, for every member it names. Only for PX_SPLICE_APPLIED does `out` receive the new
 * file. Does not judge age.
 */
px_rc px_doc_splice(const char *doc, size_t doc_len, struct px_span new_members,
	struct px_span previous, struct px_buf *out, enum px_splice *ret, struct px_err *err);

/* ---- API answers -------------------------------------------------------------------------------
 */

struct px_page {
	struct px_span *results; /* raw text of each element; into the body that was parsed */
	size_t count;
	bool single;	     /* results was one object */
	int64_t total;	     /* -1: not told */
	int has_more;	     /* 1, 0, -1: null or not told */
	struct px_span meta; /* absent when there is none */
};

/* Reads {"meta":…,"results"|"result":…} (API reference §3), or a bare array. results: null or
 * missing gives count 0 — missing altogether only when some other known member makes it an envelope
 * ("meta"), else PX_ESYNTAX. Every element must be an object: else PX_ESYNTAX and nothing is
 * returned. */
px_rc px_page_parse(const char *body, size_t len, struct px_page *ret, struct px_err *err);
void px_page_release(struct px_page *p);

/* code and message of an error body (API reference §7) into msg, printable, cut to size; "" when it
 * is something else (a proxy's HTML). */
void px_error_body(const char *body, size_t len, char *msg, size_t size);

/* ---- deliveries --------------------------------------------------------------------------------
 */

enum px_event_kind {
	PX_EVENT_UNKNOWN,
	PX_EVENT_DATA_NEW,
	PX_EVENT_DATA_UPDATE,
	PX_EVENT_SYNC_COMPLETE,
	PX_EVENT_FIRST_SYNC_COMPLETE,
	PX_EVENT_JOB_FAILURE,
	PX_EVENT_WRITE_OPERATION_FAILURE,
};

struct px_event {
	enum px_event_kind kind;
	char *event;	      /* as received, at most 64 bytes kept; never NULL when parsed */
	char *object;	      /* normalised to snake_case; NULL when absent */
	char *integration_id; /* NULL when absent */
	char *record_id;      /* NULL when absent */
	char *vendor;
	struct px_span payload; /* of DATA_NEW; into the body */
	struct px_span diff_new, diff_previous;
	struct px_span models_synced;
	bool is_backsync;
	bool is_sync_finished; /* true when absent */
	int64_t failed_jobs;   /* of a sync; 0 when absent */
};

/* Normalises the four wrappings (API reference §13.4). PX_ESYNTAX: not JSON, or no recognisable
 * shape (no event name, diff or payload can be found). Unknown event names are PX_EVENT_UNKNOWN,
 * not an error. A data event without record id or object is PX_ESYNTAX. */
px_rc px_event_parse(const char *body, size_t len, struct px_event *ret, struct px_err *err);

/* The same from a row of GET /v1/admin/data-diffs/ (API reference §11): NEW and UPDATE with
 * data_diff of either shape. */
px_rc px_event_from_diff(struct px_span row, struct px_event *ret, struct px_err *err);

void px_event_release(struct px_event *e);

#endif
