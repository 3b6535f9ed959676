/* SPDX-License-Identifier: MIT */
/*
 * parser.c - RFC 8259 by the letter, one token at a time and without recursion.
 *
 * Invariants: nothing outside [begin, end) is read; every token is a span of the input; what is
 * open is kept in an array of PX_JSON_DEPTH_MAX, so depth is bounded; strings are well-formed UTF-8
 * with valid escapes. Once a text is refused, every further call says so again.
 */
#include "codec_i.h"

#include "propexofs/utf8.h"

enum {
	WANT_VALUE,
	WANT_VALUE_OR_END,
	WANT_KEY,
	WANT_KEY_OR_END,
	WANT_COMMA_OR_END,
	WANT_NOTHING,
	STUCK
};

static enum px_token bad(struct px_parser *ps, const char *why)
{
	ps->why = why;
	ps->rc = PX_ESYNTAX;
	ps->state = STUCK;
	return PX_TOKEN_BAD;
}

/* ---- the kinds of token ----------------------------------------------------------------------*/

/* p is at a backslash. Returns the position behind the escape, or NULL with why set. */
static const char *lex_escape(struct px_parser *ps, const char *p)
{
	if (ps->end - p >= 2) {
		switch (p[1]) {
		case '"':
		case '\\':
		case '/':
		case 'b':
		case 'f':
		case 'n':
		case 'r':
		case 't':
			return p + 2;
		case 'u':
			if (ps->end - p < 6)
				break;
			if ((px_hex(p[2]) | px_hex(p[3]) | px_hex(p[4]) | px_hex(p[5])) >= 0)
				return p + 6;
			ps->why = "a bad \\u escape";
			return NULL;
		default:
			ps->why = "an unknown escape";
			return NULL;
		}
	}
	ps->why = "a string without an end";
	return NULL;
}

/* p is at the opening quote. Returns the position behind the closing one, or NULL with why set. */
static const char *lex_string(struct px_parser *ps, const char *p)
{
	p++;
	for (;;) {
		size_t n;

		p = px_skip_plain(p, ps->end);
		if (p == ps->end) {
			ps->why = "a string without an end";
			return NULL;
		}
		if (*p == '"')
			return p + 1;
		if (*p == '\\') {
			p = lex_escape(ps, p);
			if (!p)
				return NULL;
			continue;
		}
		if ((unsigned char)*p < 0x20) {
			ps->why = "a control character in a string";
			return NULL;
		}
		n = px_utf8_len(p, (size_t)(ps->end - p));
		if (!n) {
			ps->why = "bytes that are not UTF-8";
			return NULL;
		}
		p += n;
	}
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && px_is_digit(*p))
		p++;
	return p;
}

static const char *lex_number(struct px_parser *ps, const char *p)
{
	const char *end = ps->end;

	ps->why = "a malformed number";
	if (*p == '-')
		p++;
	if (p == end || !px_is_digit(*p))
		return NULL;
	p = *p == '0' ? p + 1 : skip_digits(p, end);
	if (p < end && *p == '.') {
		p++;
		if (p == end || !px_is_digit(*p))
			return NULL;
		p = skip_digits(p, end);
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (p == end || !px_is_digit(*p))
			return NULL;
		p = skip_digits(p, end);
	}
	return p;
}

static const char *lex_word(struct px_parser *ps, const char *p, const char *word, size_t len)
{
	if ((size_t)(ps->end - p) >= len && !memcmp(p, word, len))
		return p + len;
	ps->why = "an unknown word";
	return NULL;
}

/* ---- their order -----------------------------------------------------------------------------*/

void px_parser_init(struct px_parser *ps, const char *text, size_t len, int outside)
{
	memset(ps, 0, offsetof(struct px_parser, open));
	ps->begin = ps->p = text ? text : "";
	ps->end = ps->begin + len;
	ps->depth_max = PX_JSON_DEPTH_MAX - outside;
	ps->state = WANT_VALUE;
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && px_is_space(*p))
		p++;
	return p;
}

static void after_value(struct px_parser *ps)
{
	ps->state = ps->depth ? WANT_COMMA_OR_END : WANT_NOTHING;
}

static enum px_token begin(struct px_parser *ps, char c)
{
	if (ps->depth >= ps->depth_max) {
		bad(ps, "nested too deeply");
		ps->rc = PX_ELIMIT;
		return PX_TOKEN_BAD;
	}
	ps->open[ps->depth++] = c;
	ps->token = (struct px_span){ps->p++, 1};
	ps->state = c == '{' ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
	return PX_TOKEN_BEGIN;
}

static enum px_token end(struct px_parser *ps, char c)
{
	if ((c == '}') != (ps->open[ps->depth - 1] == '{'))
		return bad(ps, "a bracket that does not match");
	ps->empty = ps->state == WANT_KEY_OR_END || ps->state == WANT_VALUE_OR_END;
	ps->depth--;
	ps->token = (struct px_span){ps->p++, 1};
	after_value(ps);
	return PX_TOKEN_END;
}

static enum px_token value(struct px_parser *ps, char c)
{
	const char *p = ps->p, *to;

	switch (c) {
	case '{':
	case '[':
		return begin(ps, c);
	case '"':
		to = lex_string(ps, p);
		break;
	case 't':
		to = lex_word(ps, p, "true", 4);
		break;
	case 'f':
		to = lex_word(ps, p, "false", 5);
		break;
	case 'n':
		to = lex_word(ps, p, "null", 4);
		break;
	default:
		if (c != '-' && !px_is_digit(c))
			return bad(ps, "no value where one should be");
		to = lex_number(ps, p);
	}
	if (!to)
		return bad(ps, ps->why);
	ps->token = (struct px_span){p, (size_t)(to - p)};
	ps->p = to;
	after_value(ps);
	return PX_TOKEN_SCALAR;
}

static enum px_token key(struct px_parser *ps, char c)
{
	const char *to;

	if (c != '"')
		return bad(ps, "a name that is no string");
	to = lex_string(ps, ps->p);
	if (!to)
		return bad(ps, ps->why);
	ps->token = (struct px_span){ps->p, (size_t)(to - ps->p)};
	ps->p = skip_space(to, ps->end);
	if (ps->p == ps->end || *ps->p != ':')
		return bad(ps, "no colon behind a name");
	ps->p++;
	ps->state = WANT_VALUE;
	return PX_TOKEN_KEY;
}

enum px_token px_parser_next(struct px_parser *ps)
{
	char c;

	if (ps->state == STUCK)
		return PX_TOKEN_BAD;
	ps->p = skip_space(ps->p, ps->end);
	if (ps->p < ps->end && *ps->p == ',' && ps->state == WANT_COMMA_OR_END) {
		ps->state = ps->open[ps->depth - 1] == '{' ? WANT_KEY : WANT_VALUE;
		ps->p = skip_space(ps->p + 1, ps->end);
	}
	if (ps->p == ps->end)
		return ps->state == WANT_NOTHING ? PX_TOKEN_DONE : bad(ps, "it ends too early");
	c = *ps->p;
	switch (ps->state) {
	case WANT_NOTHING:
		return bad(ps, "something follows the value");
	case WANT_COMMA_OR_END:
		if (c == '}' || c == ']')
			return end(ps, c);
		return bad(ps, "no comma between two values");
	case WANT_KEY_OR_END:
		return c == '}' ? end(ps, c) : key(ps, c);
	case WANT_KEY:
		return key(ps, c);
	case WANT_VALUE_OR_END:
		return c == ']' ? end(ps, c) : value(ps, c);
	default:
		return value(ps, c);
	}
}

px_rc px_parser_error(const struct px_parser *ps, struct px_err *err)
{
	return px_err_set(
		err, ps->rc, "not JSON at byte %zu: %s", (size_t)(ps->p - ps->begin), ps->why);
}

px_rc px_json_check(const char *text, size_t len, struct px_err *err)
{
	struct px_parser ps;
	enum px_token t;

	px_parser_init(&ps, text, len, 0);
	do
		t = px_parser_next(&ps);
	while (t != PX_TOKEN_DONE && t != PX_TOKEN_BAD);
	return t == PX_TOKEN_BAD ? px_parser_error(&ps, err) : PX_OK;
}
