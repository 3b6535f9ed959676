/* SPDX-License-Identifier: MIT */
/*
 * codec_i.h - private to src/codec: the pull parser that everything here stands on, and what the
 * files share.
 *
 * Invariant: only px_parser_* reads text that nobody has checked. The rest works on what it has
 * passed, and relies on that.
 */
#ifndef PROPEXOFS_CODEC_I_H
#define PROPEXOFS_CODEC_I_H

#include <endian.h>
#include <string.h>

#include "propexofs/codec.h"

/* ---- parser.c --------------------------------------------------------------------------------*/

enum px_token {
	PX_TOKEN_BEGIN, /* '{' or '[' */
	PX_TOKEN_END,	/* '}' or ']'; `empty` tells whether nothing was between */
	PX_TOKEN_KEY,	/* a member's name, quotes included; its colon has been passed too */
	PX_TOKEN_SCALAR,
	PX_TOKEN_DONE, /* the one value is whole, and nothing but white space follows */
	PX_TOKEN_BAD,
};

struct px_parser {
	const char *begin, *p, *end;
	const char *why;      /* with PX_TOKEN_BAD */
	px_rc rc;	      /* PX_ESYNTAX or PX_ELIMIT, with PX_TOKEN_BAD */
	struct px_span token; /* text of the newest token */
	bool empty;	      /* newest END closes an empty container */
	int depth;	      /* containers open after the newest token */
	int depth_max;
	int state;
	char open[PX_JSON_DEPTH_MAX]; /* what is open: '{' or '[' */
};

/* `outside`: containers that the text will stand in, counted against PX_JSON_DEPTH_MAX. */
void px_parser_init(struct px_parser *ps, const char *text, size_t len, int outside);
enum px_token px_parser_next(struct px_parser *ps);
px_rc px_parser_error(const struct px_parser *ps, struct px_err *err);

static inline bool px_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool px_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Value of a hexadecimal digit, or -1. */
static inline int px_hex(char c)
{
	if (px_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The first byte at or behind p that needs a look inside a string: a quote, a backslash, a control
 * character, or one that is not ASCII; `end` when there is none. Most bytes of an answer pass here,
 * so it takes eight at a time: in each sum the top bit of a byte is set when it is of its kind, and
 * a borrow can only disturb bytes behind the first one that is. */
static inline const char *px_skip_plain(const char *p, const char *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;

	for (; end - p >= 8; p += 8) {
		uint64_t w, stop;

		memcpy(&w, p, 8);
		w = le64toh(w);
		stop = ((w - ones * 0x20) | ((w ^ ones * '"') - ones) | ((w ^ ones * '\\') - ones) |
			       w) &
		       tops;
		if (stop)
			return p + __builtin_ctzll(stop) / 8;
	}
	while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
		*p != '\\')
		p++;
	return p;
}

/* ---- json.c ----------------------------------------------------------------------------------*/

/* The same value without white space around it: a whole text may have some. */
struct px_span px_span_trim(struct px_span v);

/* The decoded text of a string token as a terminated copy. *ret is NULL when there is none: no
 * string, or with U+0000 in it, or over max bytes. PX_ENOMEM is the only failure. */
px_rc px_json_text(struct px_span token, size_t max, char **ret);

/* Compares the decoded texts of two string tokens, byte by byte as memcmp does. */
int px_json_string_cmp(struct px_span a, struct px_span b);

/* ---- equal.c ---------------------------------------------------------------------------------*/

/* A checked object's members in the order of their decoded names, one for each name: where one
 * occurs more than once, the last is kept. */
struct px_members {
	struct px_member {
		struct px_span key, value;
		struct px_span match; /* for the owner's use */
	} * m;
	size_t count;
};

/* PX_OK or PX_ENOMEM. A value that is absent or not an object has no members. */
px_rc px_members_init(struct px_members *ms, struct px_span object);
void px_members_release(struct px_members *ms);
/* NULL when there is none of that name. */
struct px_member *px_members_find(const struct px_members *ms, struct px_span key);

/* px_json_equal that tells running out of memory from a difference. */
px_rc px_json_compare(struct px_span a, struct px_span b, bool *ret_equal);

/* ---- doc.c -----------------------------------------------------------------------------------*/

/* Told of each member of the top-level object once its value has been written: `from` and `to` are
 * that value's place in the output. */
typedef void px_member_fn(void *arg, struct px_span key, size_t from, size_t to);

/* px_doc_format without the newline at the end, for a value that stands `outside` containers deep.
 * `told` may be NULL. On failure out is as long as before. */
px_rc px_doc_write(const char *text, size_t len, int outside, struct px_buf *out,
	px_member_fn *told, void *arg, struct px_err *err);

#endif
