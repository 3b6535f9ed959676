/* SPDX-License-Identifier: MIT */
/*
 * json.c - finding and replacing values in JSON texts by position.
 *
 * The simulator serves texts, not values: a changed record is its old text with other tokens, so
 * that every literal that was not changed stays as it was. Independent of the daemon's codec, so
 * that the one can test the other. Texts come from here or from a control call that cJSON has
 * accepted.
 */
#include "sim.h"

#include <string.h>

#include "propexofs/utf8.h"

const char *json_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '\\')
			p++;
		else if (*p == '"')
			return p + 1;
	}
	return NULL;
}

const char *json_skip(const char *p, const char *end)
{
	int depth = 0;

	if (p >= end)
		return NULL;
	if (*p == '"')
		return skip_string(p, end);
	if (*p != '{' && *p != '[') {
		const char *start = p;

		while (p < end && !strchr(",]} \t\r\n", *p))
			p++;
		return p > start ? p : NULL;
	}
	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			if (!p)
				return NULL;
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if ((*p == '}' || *p == ']') && --depth == 0)
			return p + 1;
		p++;
	}
	return NULL;
}

void json_members(const char *text, size_t len,
	void (*each)(void *arg, struct span key, struct span value), void *arg)
{
	const char *end = text + len, *p = json_space(text, end);

	if (p >= end || *p != '{')
		return;
	p = json_space(p + 1, end);
	while (p < end && *p == '"') {
		struct span key, value;
		const char *q = json_skip(p, end);

		if (!q)
			return;
		key = (struct span){p + 1, (size_t)(q - p) - 2};
		p = json_space(q, end);
		if (p >= end || *p != ':')
			return;
		p = json_space(p + 1, end);
		q = json_skip(p, end);
		if (!q)
			return;
		value = (struct span){p, (size_t)(q - p)};
		each(arg, key, value);
		p = json_space(q, end);
		if (p >= end || *p != ',')
			return;
		p = json_space(p + 1, end);
	}
}

void json_elements(
	const char *text, size_t len, void (*each)(void *arg, struct span element), void *arg)
{
	const char *end = text + len, *p = json_space(text, end);

	if (p >= end || *p != '[')
		return;
	p = json_space(p + 1, end);
	while (p < end && *p != ']') {
		const char *q = json_skip(p, end);

		if (!q)
			return;
		each(arg, (struct span){p, (size_t)(q - p)});
		p = json_space(q, end);
		if (p >= end || *p != ',')
			return;
		p = json_space(p + 1, end);
	}
}

struct find {
	const char *name;
	size_t len;
	struct span value;
};

static void find_each(void *arg, struct span key, struct span value)
{
	struct find *f = arg;

	if (key.len == f->len && !memcmp(key.p, f->name, f->len))
		f->value = value;
}

struct span json_member(const char *text, size_t len, const char *name)
{
	struct find f = {.name = name, .len = strlen(name), .value = {NULL, 0}};

	json_members(text, len, find_each, &f);
	return f.value;
}

bool json_is(struct span token, const char *literal)
{
	return token.p && token.len == strlen(literal) && !memcmp(token.p, literal, token.len);
}

static unsigned hex4(const char *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];

		v = v << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
	}
	return v;
}

void json_decode(struct span token, struct px_buf *out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *p, *end;

	if (!token.p || token.len < 2 || *token.p != '"')
		return;
	p = token.p + 1;
	end = token.p + token.len - 1;
	while (p < end) {
		const char *run = memchr(p, '\\', (size_t)(end - p));
		const char *at;

		if (!run)
			run = end;
		px_buf_add(out, p, (size_t)(run - p));
		p = run;
		if (p + 1 >= end)
			break;
		at = p[1] ? strchr(from, p[1]) : NULL;
		if (p[1] == 'u' && end - p >= 6) {
			unsigned code = hex4(p + 2);
			char utf8[4];

			p += 6;
			if (code >= 0xd800 && code < 0xdc00 && end - p >= 6 && p[0] == '\\' &&
				p[1] == 'u') {
				code = 0x10000 + ((code - 0xd800) << 10) + (hex4(p + 2) - 0xdc00);
				p += 6;
			}
			px_buf_add(out, utf8, px_utf8_put(code, utf8));
			continue;
		}
		px_buf_addc(out, at ? to[at - from] : p[1]);
		p += 2;
	}
}

void json_replace(const char *text, size_t len, const char *name, const char *value,
	size_t value_len, struct px_buf *out)
{
	struct span old = json_member(text, len, name);

	if (old.p) {
		size_t at = (size_t)(old.p - text);

		px_buf_add(out, text, at);
		px_buf_add(out, value, value_len);
		px_buf_add(out, text + at + old.len, len - at - old.len);
		return;
	}
	while (len && text[len - 1] != '}')
		len--;
	px_buf_add(out, text, len ? len - 1 : 0);
	if (len > 2)
		px_buf_addc(out, ',');
	px_buf_add_jsons(out, name);
	px_buf_addc(out, ':');
	px_buf_add(out, value, value_len);
	px_buf_addc(out, '}');
}

void json_pretty(const char *text, size_t len, struct px_buf *out)
{
	const char *p = text, *end = text + len;

	while (p < end) {
		const char *q = p;

		if (*p == '"') {
			q = skip_string(p, end);
			if (!q)
				q = end;
			px_buf_add(out, p, (size_t)(q - p));
			p = q;
			continue;
		}
		px_buf_addc(out, *p);
		if (*p == ',')
			px_buf_adds(out, "\r\n\t ");
		else if (*p == ':' || *p == '{' || *p == '[')
			px_buf_addc(out, ' ');
		p++;
	}
}

uint64_t hash_text(const char *s, size_t len)
{
	uint64_t h = UINT64_C(1469598103934665603);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)s[i]) * UINT64_C(1099511628211);
	return mix(h, len);
}
