/* SPDX-License-Identifier: MIT */
/*
 * json.c - RFC 8259 by the letter: a pull parser without recursion, and walking over text it has
 * passed.
 *
 * Invariants: the parser never reads outside [begin, end); every token is a span of the input; what
 * is open is kept in an array of PX_JSON_DEPTH_MAX, so depth is bounded; strings are well-formed
 * UTF-8 with valid escapes. The walkers below take text that the parser has passed, and rely on it.
 */
#include "codec_i.h"

#include <stdlib.h>
#include <string.h>

#include "propexofs/utf8.h"

enum {
	WANT_VALUE,
	WANT_VALUE_OR_END,
	WANT_KEY,
	WANT_KEY_OR_END,
	WANT_COLON,
	WANT_COMMA_OR_END,
	WANT_NOTHING,
	STUCK
};

/* ---- lexing
 * -----------------------------------------------------------------------------------------------
 */

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static enum px_token bad(struct px_parser *ps, const char *why)
{
	ps->why = why;
	ps->rc = PX_ESYNTAX;
	ps->state = STUCK;
	return PX_TOKEN_BAD;
}

/* p is at the opening quote. Returns the position behind the closing one, or NULL with why set. */
static const char *lex_string(struct px_parser *ps, const char *p)
{
	for (p++; p < ps->end;) {
		unsigned char c = (unsigned char)*p;

		if (c == '"')
			return p + 1;
		if (c < 0x20) {
			ps->why = "a control character in a string";
			return NULL;
		}
		if (c == '\\') {
			if (ps->end - p < 2)
				break;
			if (p[1] == 'u') {
				if (ps->end - p < 6)
					break;
				for (int i = 2; i < 6; i++)
					if (hex_digit(p[i]) < 0) {
						ps->why = "a bad \\u escape";
						return NULL;
					}
				p += 6;
			} else if (strchr("\"\\/bfnrt", p[1]) && p[1]) {
				p += 2;
			} else {
				ps->why = "an unknown escape";
				return NULL;
			}
		} else if (c < 0x80) {
			p++;
		} else {
			size_t n = px_utf8_len(p, (size_t)(ps->end - p));

			if (!n) {
				ps->why = "bytes that are not UTF-8";
				return NULL;
			}
			p += n;
		}
	}
	ps->why = "a string without an end";
	return NULL;
}

static const char *lex_number(struct px_parser *ps, const char *p)
{
	const char *end = ps->end;

	ps->why = "a malformed number";
	if (p < end && *p == '-')
		p++;
	if (p == end || !is_digit(*p))
		return NULL;
	if (*p == '0')
		p++;
	else
		while (p < end && is_digit(*p))
			p++;
	if (p < end && *p == '.') {
		p++;
		if (p == end || !is_digit(*p))
			return NULL;
		while (p < end && is_digit(*p))
			p++;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (p == end || !is_digit(*p))
			return NULL;
		while (p < end && is_digit(*p))
			p++;
	}
	return p;
}

static const char *lex_word(struct px_parser *ps, const char *p, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(ps->end - p) >= len && !memcmp(p, word, len))
		return p + len;
	ps->why = "an unknown word";
	return NULL;
}

/* ---- parsing
 * -----------------------------------------------------------------------------------------------
 */

void px_parser_init(struct px_parser *ps, const char *text, size_t len)
{
	memset(ps, 0, offsetof(struct px_parser, open));
	ps->begin = ps->p = text;
	ps->end = text + len;
	ps->state = WANT_VALUE;
}

static void after_value(struct px_parser *ps)
{
	ps->state = ps->depth ? WANT_COMMA_OR_END : WANT_NOTHING;
}

static enum px_token begin(struct px_parser *ps, char c)
{
	if (ps->depth == PX_JSON_DEPTH_MAX) {
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
	char opener = ps->open[ps->depth - 1];

	if ((c == '}') != (opener == '{'))
		return bad(ps, "a bracket that does not match");
	ps->empty = ps->state == WANT_KEY_OR_END || ps->state == WANT_VALUE_OR_END;
	ps->depth--;
	ps->token = (struct px_span){ps->p++, 1};
	after_value(ps);
	return PX_TOKEN_END;
}

static enum px_token value(struct px_parser *ps, char c)
{
	const char *to;

	if (c == '{' || c == '[')
		return begin(ps, c);
	if (c == '"')
		to = lex_string(ps, ps->p);
	else if (c == '-' || is_digit(c))
		to = lex_number(ps, ps->p);
	else
		to = lex_word(ps, ps->p, c == 't' ? "true" : c == 'f' ? "false" : "null");
	if (!to)
		return bad(ps, ps->why);
	ps->token = (struct px_span){ps->p, (size_t)(to - ps->p)};
	ps->p = to;
	after_value(ps);
	return PX_TOKEN_SCALAR;
}

enum px_token px_parser_next(struct px_parser *ps)
{
	for (;;) {
		const char *to;
		char c;

		while (ps->p < ps->end && is_space(*ps->p))
			ps->p++;
		if (ps->state == STUCK)
			return PX_TOKEN_BAD;
		if (ps->p == ps->end)
			return ps->state == WANT_NOTHING ? PX_TOKEN_DONE
							 : bad(ps, "it ends too early");
		c = *ps->p;
		switch (ps->state) {
		case WANT_NOTHING:
			return bad(ps, "something follows the value");
		case WANT_COLON:
			if (c != ':')
				return bad(ps, "no colon behind a name");
			ps->p++;
			ps->state = WANT_VALUE;
			continue;
		case WANT_COMMA_OR_END:
			if (c == ',') {
				ps->p++;
				ps->state = ps->open[ps->depth - 1] == '{' ? WANT_KEY : WANT_VALUE;
				continue;
			}
			if (c == '}' || c == ']')
				return end(ps, c);
			return bad(ps, "no comma between two values");
		case WANT_KEY_OR_END:
			if (c == '}')
				return end(ps, c);
			/* fall through */
		case WANT_KEY:
			if (c != '"')
				return bad(ps, "a name that is no string");
			to = lex_string(ps, ps->p);
			if (!to)
				return bad(ps, ps->why);
			ps->token = (struct px_span){ps->p, (size_t)(to - ps->p)};
			ps->p = to;
			ps->state = WANT_COLON;
			return PX_TOKEN_KEY;
		case WANT_VALUE_OR_END:
			if (c == ']')
				return end(ps, c);
			/* fall through */
		default:
			return value(ps, c);
		}
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

	px_parser_init(&ps, text, len);
	do
		t = px_parser_next(&ps);
	while (t != PX_TOKEN_DONE && t != PX_TOKEN_BAD);
	return t == PX_TOKEN_BAD ? px_parser_error(&ps, err) : PX_OK;
}

/* ---- walking over what has passed
 * ---------------------------------------------------------------------------- */

enum px_json_kind px_json_kind(struct px_span v)
{
	while (v.len && is_space(*v.p)) {
		v.p++;
		v.len--;
	}
	if (!v.p || !v.len)
		return PX_JSON_NULL;
	switch (*v.p) {
	case '{':
		return PX_JSON_OBJECT;
	case '[':
		return PX_JSON_ARRAY;
	case '"':
		return PX_JSON_STRING;
	case 't':
		return PX_JSON_TRUE;
	case 'f':
		return PX_JSON_FALSE;
	case 'n':
		return PX_JSON_NULL;
	default:
		return PX_JSON_NUMBER;
	}
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && is_space(*p))
		p++;
	return p;
}

static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : end;
}

static const char *skip_value(const char *p, const char *end)
{
	int depth = 0;

	do {
		if (*p == '"') {
			p = skip_string(p, end);
		} else if (*p == '{' || *p == '[') {
			depth++;
			p++;
		} else if (*p == '}' || *p == ']') {
			depth--;
			p++;
		} else if (depth) {
			p++;
		} else {
			while (p < end && !is_space(*p) && !strchr(",]}:", *p))
				p++;
		}
	} while (depth && p < end);
	return p;
}

void px_json_walk_init(struct px_json_walk *w, struct px_span v)
{
	enum px_json_kind kind = px_json_kind(v);

	memset(w, 0, sizeof *w);
	if (!v.p || (kind != PX_JSON_OBJECT && kind != PX_JSON_ARRAY))
		return;
	w->end = v.p + v.len;
	w->p = skip_space(v.p, w->end) + 1;
	w->object = kind == PX_JSON_OBJECT;
}

bool px_json_walk_next(struct px_json_walk *w, struct px_span *ret_key, struct px_span *ret_value)
{
	const char *p;

	if (!w->p)
		return false;
	p = skip_space(w->p, w->end);
	if (p < w->end && *p == ',')
		p = skip_space(p + 1, w->end);
	if (p >= w->end || *p == '}' || *p == ']') {
		w->p = NULL;
		return false;
	}
	*ret_key = (struct px_span){NULL, 0};
	if (w->object) {
		ret_key->p = p;
		p = skip_string(p, w->end);
		ret_key->len = (size_t)(p - ret_key->p);
		p = skip_space(p, w->end);
		p = skip_space(p + 1, w->end); /* the colon */
	}
	ret_value->p = p;
	p = skip_value(p, w->end);
	ret_value->len = (size_t)(p - ret_value->p);
	w->p = p;
	return true;
}

struct px_span px_json_member(struct px_span object, const char *name)
{
	struct px_span found = {NULL, 0}, key, v;
	struct px_json_walk w;

	if (!object.p || px_json_kind(object) != PX_JSON_OBJECT)
		return found;
	px_json_walk_init(&w, object);
	while (px_json_walk_next(&w, &key, &v))
		if (px_json_string_is(key, name))
			found = v;
	return found;
}

/* ---- scalars
 * ---------------------------------------------------------------------------------------------------
 */

/* Decodes one character of a string token's inside; returns the position behind it. */
static const char *decode(const char *p, const char *end, char out[4], size_t *ret_len)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	unsigned code = 0, low = 0;

	if (*p != '\\') {
		size_t n = px_utf8_len(p, (size_t)(end - p));

		n = n ? n : 1;
		memcpy(out, p, n);
		*ret_len = n;
		return p + n;
	}
	if (p[1] != 'u') {
		const char *at = strchr(from, p[1]);

		out[0] = at ? to[at - from] : p[1];
		*ret_len = 1;
		return p + 2;
	}
	for (int i = 2; i < 6; i++)
		code = code << 4 | (unsigned)hex_digit(p[i]);
	p += 6;
	if (code >= 0xd800 && code < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
		for (int i = 2; i < 6; i++)
			low = low << 4 | (unsigned)hex_digit(p[i]);
		if (low >= 0xdc00 && low < 0xe000) {
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
			p += 6;
		}
	}
	*ret_len = px_utf8_put(code, out);
	return p;
}

static bool inside(struct px_span token, const char **ret_p, const char **ret_end)
{
	if (!token.p || token.len < 2 || *token.p != '"')
		return false;
	*ret_p = token.p + 1;
	*ret_end = token.p + token.len - 1;
	return true;
}

bool px_json_string_is(struct px_span token, const char *text)
{
	const char *p, *end;
	char c[4];
	size_t n;

	if (!inside(token, &p, &end))
		return false;
	while (p < end) {
		p = decode(p, end, c, &n);
		if (strncmp(text, c, n) != 0 || memchr(text, 0, n))
			return false;
		text += n;
	}
	return !*text;
}

px_rc px_json_string(struct px_span token, struct px_buf *out)
{
	const char *p, *end;
	char c[4];
	size_t n;

	if (!inside(token, &p, &end))
		return PX_EINVAL;
	while (p < end) {
		p = decode(p, end, c, &n);
		px_buf_add(out, c, n);
	}
	return out->failed ? out->failed : px_buf_reserve(out, 0);
}

char *px_json_strdup(struct px_span token, size_t max)
{
	struct px_buf b = PX_BUF_INIT(max);
	size_t len = 0;
	char *s;

	if (px_json_string(token, &b) || !(s = px_buf_steal(&b, &len))) {
		px_buf_release(&b);
		return NULL;
	}
	if (memchr(s, 0, len)) {
		free(s);
		return NULL;
	}
	return s;
}

bool px_json_bool(struct px_span token, bool fallback)
{
	if (!token.p)
		return fallback;
	switch (px_json_kind(token)) {
	case PX_JSON_TRUE:
		return true;
	case PX_JSON_FALSE:
		return false;
	default:
		return fallback;
	}
}

int64_t px_json_int(struct px_span token, int64_t fallback)
{
	int64_t n = 0;
	bool minus;
	size_t i = 0;

	if (!token.p || px_json_kind(token) != PX_JSON_NUMBER)
		return fallback;
	minus = token.p[0] == '-';
	for (i = minus; i < token.len; i++) {
		if (!is_digit(token.p[i]) || __builtin_mul_overflow(n, 10, &n) ||
			__builtin_sub_overflow(n, token.p[i] - '0', &n))
			return fallback;
	}
	/* counted downwards, for the lowest value has no positive twin */
	if (minus)
		return n;
	return n == INT64_MIN ? fallback : -n;
}

/* ---- equality
 * ------------------------------------------------------------------------------------------------------
 */

/* A decimal as sign, digits without zeros at either end, and the exponent of the last digit. */
struct decimal {
	bool minus;
	const char *p, *end; /* runs over digits and at most one '.' */
	int64_t exponent;
	size_t digits;
};

static struct decimal decimal_of(struct px_span n)
{
	struct decimal d = {.p = n.p, .end = n.p + n.len};
	int64_t e = 0;
	const char *q, *point = NULL;

	if (*d.p == '-') {
		d.minus = true;
		d.p++;
	}
	for (q = d.p; q < d.end && *q != 'e' && *q != 'E'; q++)
		if (*q == '.')
			point = q;
	if (q < d.end) {
		const char *x = q + 1;
		bool minus = *x == '-';

		if (*x == '-' || *x == '+')
			x++;
		for (; x < d.end; x++)
			if (e < INT64_MAX / 100)
				e = e * 10 + (*x - '0');
		if (minus)
			e = -e;
		d.end = q;
	}
	while (d.p < d.end && (*d.p == '0' || *d.p == '.'))
		d.p++;
	while (d.end > d.p && (d.end[-1] == '0' || d.end[-1] == '.')) {
		/* zeros behind the point say nothing; those before it are part of the exponent */
		if (d.end[-1] == '0' && (!point || d.end - 1 < point))
			e++;
		d.end--;
	}
	if (point && d.end > point)
		e -= d.end - point - 1;
	for (q = d.p; q < d.end; q++)
		d.digits += *q != '.';
	d.exponent = e;
	if (!d.digits) {
		d.minus = false;
		d.exponent = 0;
	}
	return d;
}

static bool equal_numbers(struct px_span a, struct px_span b)
{
	struct decimal x = decimal_of(a), y = decimal_of(b);

	if (x.minus != y.minus || x.exponent != y.exponent || x.digits != y.digits)
		return false;
	for (size_t i = 0; i < x.digits; i++, x.p++, y.p++) {
		x.p += *x.p == '.';
		y.p += *y.p == '.';
		if (*x.p != *y.p)
			return false;
	}
	return true;
}

static bool equal_strings(struct px_span a, struct px_span b)
{
	const char *p, *p_end, *q, *q_end;
	char c[4], d[4];
	size_t n, m;

	if (a.len == b.len && !memcmp(a.p, b.p, a.len))
		return true;
	if (!inside(a, &p, &p_end) || !inside(b, &q, &q_end))
		return false;
	while (p < p_end && q < q_end) {
		p = decode(p, p_end, c, &n);
		q = decode(q, q_end, d, &m);
		if (n != m || memcmp(c, d, n) != 0)
			return false;
	}
	return p == p_end && q == q_end;
}

static bool equal_at(struct px_span a, struct px_span b, int depth);

static struct px_span member_like(struct px_span object, struct px_span name)
{
	struct px_span found = {NULL, 0}, key, v;
	struct px_json_walk w;

	px_json_walk_init(&w, object);
	while (px_json_walk_next(&w, &key, &v))
		if (equal_strings(key, name))
			found = v;
	return found;
}

/* Every member of a is in b with an equal value. Duplicates: the last one counts. */
static bool covers(struct px_span a, struct px_span b, int depth)
{
	struct px_json_walk w;
	struct px_span key, v;

	px_json_walk_init(&w, a);
	while (px_json_walk_next(&w, &key, &v)) {
		struct px_span other = member_like(b, key);

		if (!other.p || !equal_at(member_like(a, key), other, depth))
			return false;
	}
	return true;
}

static bool equal_at(struct px_span a, struct px_span b, int depth)
{
	enum px_json_kind kind = px_json_kind(a);
	struct px_json_walk w, x;
	struct px_span key, v, other;

	if (depth > PX_JSON_DEPTH_MAX || kind != px_json_kind(b))
		return false;
	switch (kind) {
	case PX_JSON_NUMBER:
		return equal_numbers(a, b);
	case PX_JSON_STRING:
		return equal_strings(a, b);
	case PX_JSON_OBJECT:
		return covers(a, b, depth + 1) && covers(b, a, depth + 1);
	case PX_JSON_ARRAY:
		px_json_walk_init(&w, a);
		px_json_walk_init(&x, b);
		while (px_json_walk_next(&w, &key, &v))
			if (!px_json_walk_next(&x, &key, &other) || !equal_at(v, other, depth + 1))
				return false;
		return !px_json_walk_next(&x, &key, &other);
	default:
		return true;
	}
}

bool px_json_equal(struct px_span a, struct px_span b)
{
	return a.p && b.p && equal_at(a, b, 0);
}
