/* SPDX-License-Identifier: MIT */
/*
 * json.c - walking over text that the parser has passed, and the values of its scalars.
 *
 * Invariants: nothing is converted unless it is asked for; nothing outside a span is read, even of
 * a span that nobody checked (then the answers mean nothing).
 */
#include "codec_i.h"

#include <stdlib.h>

#include "propexofs/utf8.h"

struct px_span px_span_trim(struct px_span v)
{
	while (v.len && px_is_space(*v.p)) {
		v.p++;
		v.len--;
	}
	while (v.len && px_is_space(v.p[v.len - 1]))
		v.len--;
	return v;
}

enum px_json_kind px_json_kind(struct px_span v)
{
	v = px_span_trim(v);
	if (!v.len)
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

/* ---- walking ---------------------------------------------------------------------------------*/

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && px_is_space(*p))
		p++;
	return p;
}

static const char *skip_string(const char *p, const char *end)
{
	for (p++;;) {
		p = px_skip_plain(p, end);
		if (p == end)
			return end;
		if (*p == '"')
			return p + 1;
		p += *p == '\\' && end - p > 1 ? 2 : 1;
	}
}

static const char *skip_value(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		switch (*p) {
		case '"':
			p = skip_string(p, end);
			break;
		case '{':
		case '[':
			depth++;
			p++;
			continue;
		case '}':
		case ']':
			if (!depth)
				return p;
			depth--;
			p++;
			break;
		case ',':
		case ' ':
		case '\t':
		case '\n':
		case '\r':
			if (!depth)
				return p;
			/* fall through */
		default:
			p++;
			continue;
		}
		if (!depth)
			return p;
	}
	return end;
}

void px_json_walk_init(struct px_json_walk *w, struct px_span v)
{
	enum px_json_kind kind = px_json_kind(v);

	memset(w, 0, sizeof *w);
	if (kind != PX_JSON_OBJECT && kind != PX_JSON_ARRAY)
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
	if (p == w->end || *p == '}' || *p == ']') {
		w->p = NULL;
		return false;
	}
	*ret_key = (struct px_span){NULL, 0};
	if (w->object) {
		ret_key->p = p;
		p = skip_string(p, w->end);
		ret_key->len = (size_t)(p - ret_key->p);
		p = skip_space(p, w->end);
		if (p < w->end) /* the colon */
			p = skip_space(p + 1, w->end);
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

	px_json_walk_init(&w, object);
	if (!w.object)
		return found;
	while (px_json_walk_next(&w, &key, &v))
		if (px_json_string_is(key, name))
			found = v;
	return found;
}

/* ---- strings ---------------------------------------------------------------------------------*/

/* What is between the quotes; absent when the token is no string. */
static struct px_span inside(struct px_span token)
{
	token = px_span_trim(token);
	if (token.len < 2 || *token.p != '"' || token.p[token.len - 1] != '"')
		return (struct px_span){NULL, 0};
	return (struct px_span){token.p + 1, token.len - 2};
}

static unsigned hex4(const char *p)
{
	unsigned code = 0;

	for (int i = 0; i < 4; i++)
		code = code << 4 | ((unsigned)px_hex(p[i]) & 15);
	return code;
}

/* Decodes the escape at the front of s, which begins with a backslash, into at most four bytes, and
 * takes it off s. Returns how many. */
static size_t unescape(struct px_span *s, char out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *p = s->p;
	size_t used = 2, n = 1;

	if (s->len >= 6 && p[1] == 'u') {
		unsigned code = hex4(p + 2);

		used = 6;
		if (code >= 0xd800 && code < 0xdc00 && s->len >= 12 && p[6] == '\\' &&
			p[7] == 'u') {
			unsigned low = hex4(p + 8);

			if (low >= 0xdc00 && low < 0xe000) {
				code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
				used = 12;
			}
		}
		n = px_utf8_put(code, out);
	} else if (s->len >= 2) {
		const char *at = memchr(from, p[1], sizeof from - 1);

		out[0] = at ? to[at - from] : p[1];
	} else {
		out[0] = *p;
		used = 1;
	}
	s->p += used;
	s->len -= used;
	return n;
}

/* Takes the next run of decoded bytes off s: it points into s itself or into room. */
static struct px_span decode(struct px_span *s, char room[4])
{
	struct px_span run = *s;
	const char *escape = memchr(s->p, '\\', s->len);

	if (escape == s->p) {
		run.p = room;
		run.len = unescape(s, room);
		return run;
	}
	if (escape)
		run.len = (size_t)(escape - s->p);
	s->p += run.len;
	s->len -= run.len;
	return run;
}

bool px_json_string_is(struct px_span token, const char *text)
{
	struct px_span s = inside(token), run;
	size_t len = strlen(text);
	char room[4];

	if (!s.p)
		return false;
	for (; s.len; text += run.len, len -= run.len) {
		run = decode(&s, room);
		if (run.len > len || memcmp(run.p, text, run.len) != 0)
			return false;
	}
	return !len;
}

int px_json_string_cmp(struct px_span a, struct px_span b)
{
	struct px_span s = inside(a), t = inside(b), x = {NULL, 0}, y = {NULL, 0};
	char room_x[4], room_y[4];

	for (;;) {
		size_t n;
		int order;

		if (!x.len && s.len)
			x = decode(&s, room_x);
		if (!y.len && t.len)
			y = decode(&t, room_y);
		if (!x.len || !y.len)
			return (x.len > 0) - (y.len > 0);
		n = x.len < y.len ? x.len : y.len;
		order = memcmp(x.p, y.p, n);
		if (order)
			return order;
		x.p += n;
		x.len -= n;
		y.p += n;
		y.len -= n;
	}
}

px_rc px_json_string(struct px_span token, struct px_buf *out)
{
	struct px_span s = inside(token);
	char room[4];

	if (!s.p)
		return PX_EINVAL;
	while (s.len) {
		struct px_span run = decode(&s, room);

		px_buf_add(out, run.p, run.len);
	}
	return px_buf_reserve(out, 0);
}

px_rc px_json_text(struct px_span token, size_t max, char **ret)
{
	struct px_span s = inside(token);
	char room[4], *text;
	size_t len = 0;

	*ret = NULL;
	/* six bytes of an escape give one at the least, and no text decodes to a longer one */
	if (!s.p || s.len / 6 > max)
		return PX_OK;
	text = malloc(s.len + 1);
	if (!text)
		return PX_ENOMEM;
	while (s.len) {
		struct px_span run = decode(&s, room);

		memcpy(text + len, run.p, run.len);
		len += run.len;
	}
	text[len] = '\0';
	if (len > max || memchr(text, '\0', len)) {
		free(text);
		return PX_OK;
	}
	*ret = text;
	return PX_OK;
}

char *px_json_strdup(struct px_span token, size_t max)
{
	char *s;

	return px_json_text(token, max, &s) ? NULL : s;
}

/* ---- other scalars ---------------------------------------------------------------------------*/

bool px_json_bool(struct px_span token, bool fallback)
{
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

	token = px_span_trim(token);
	if (px_json_kind(token) != PX_JSON_NUMBER)
		return fallback;
	minus = token.p[0] == '-';
	/* counted downwards, for the lowest value has no positive twin */
	for (size_t i = minus; i < token.len; i++)
		if (!px_is_digit(token.p[i]) || __builtin_mul_overflow(n, 10, &n) ||
			__builtin_sub_overflow(n, token.p[i] - '0', &n))
			return fallback;
	if (minus)
		return n;
	return n == INT64_MIN ? fallback : -n;
}

bool px_json_is_empty(struct px_span v)
{
	struct px_json_walk w;
	struct px_span key, value;

	if (px_json_kind(v) != PX_JSON_OBJECT)
		return false;
	px_json_walk_init(&w, v);
	return !px_json_walk_next(&w, &key, &value);
}
