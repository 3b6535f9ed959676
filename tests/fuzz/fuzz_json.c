/* SPDX-License-Identifier: MIT */
/*
 * fuzz_json.c - the parser, the walker, the scalars, comparison and formatting on any bytes.
 *
 * Written apart from the codec, straight from RFC 8259 and the contract, stand a reader that says
 * what is JSON, one that says what a string means, and a writer of files; the codec must agree with
 * them. Formatting must be idempotent and must not change what a value means.
 */
#include "fuzz.h"

/* ---- what is JSON ---- */

struct reader {
	const uint8_t *p, *end;
	int depth;
};

static px_rc read_value(struct reader *r);

static bool next_is(const struct reader *r, char c)
{
	return r->p < r->end && *r->p == (uint8_t)c;
}

static void read_space(struct reader *r)
{
	while (next_is(r, ' ') || next_is(r, '\t') || next_is(r, '\n') || next_is(r, '\r'))
		r->p++;
}

static bool read_digits(struct reader *r)
{
	const uint8_t *from = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return r->p > from;
}

static px_rc read_number(struct reader *r)
{
	if (next_is(r, '-'))
		r->p++;
	if (next_is(r, '0'))
		r->p++;
	else if (!read_digits(r))
		return PX_ESYNTAX;
	if (next_is(r, '.')) {
		r->p++;
		if (!read_digits(r))
			return PX_ESYNTAX;
	}
	if (next_is(r, 'e') || next_is(r, 'E')) {
		r->p++;
		if (next_is(r, '+') || next_is(r, '-'))
			r->p++;
		if (!read_digits(r))
			return PX_ESYNTAX;
	}
	return PX_OK;
}

/* By the number that the bytes stand for: the shortest form only, no surrogates. */
static bool read_beyond_ascii(struct reader *r)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	size_t more = *r->p >= 0xf0 ? 3 : *r->p >= 0xe0 ? 2 : 1;
	uint32_t code = *r->p & (0x3fU >> more);

	if (*r->p < 0xc0 || *r->p >= 0xf8 || (size_t)(r->end - r->p) <= more)
		return false;
	r->p++;
	for (size_t i = 0; i < more; i++, r->p++) {
		if ((*r->p & 0xc0) != 0x80)
			return false;
		code = code << 6 | (*r->p & 0x3f);
	}
	return code >= least[more] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static px_rc read_string(struct reader *r)
{
	if (!next_is(r, '"'))
		return PX_ESYNTAX;
	for (r->p++; r->p < r->end;) {
		uint8_t c = *r->p;

		if (c >= 0x80) {
			if (!read_beyond_ascii(r))
				return PX_ESYNTAX;
			continue;
		}
		r->p++;
		if (c == '"')
			return PX_OK;
		if (c < 0x20)
			return PX_ESYNTAX;
		if (c != '\\')
			continue;
		if (r->p == r->end || !*r->p || !strchr("\"\\/bfnrtu", *r->p))
			return PX_ESYNTAX;
		if (*r->p++ != 'u')
			continue;
		for (int i = 0; i < 4; i++, r->p++)
			if (r->p == r->end || !*r->p || !strchr("0123456789abcdefABCDEF", *r->p))
				return PX_ESYNTAX;
	}
	return PX_ESYNTAX;
}

static px_rc read_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return PX_ESYNTAX;
	r->p += n;
	return PX_OK;
}

static px_rc read_container(struct reader *r)
{
	char close = *r->p == '{' ? '}' : ']';
	px_rc rc;

	if (++r->depth > PX_JSON_DEPTH_MAX)
		return PX_ELIMIT;
	r->p++;
	read_space(r);
	if (next_is(r, close))
		goto closed;
	for (;;) {
		if (close == '}') {
			read_space(r);
			rc = read_string(r);
			if (rc)
				return rc;
			read_space(r);
			if (!next_is(r, ':'))
				return PX_ESYNTAX;
			r->p++;
		}
		rc = read_value(r);
		if (rc)
			return rc;
		if (next_is(r, close))
			goto closed;
		if (!next_is(r, ','))
			return PX_ESYNTAX;
		r->p++;
	}
closed:
	r->p++;
	r->depth--;
	return PX_OK;
}

static px_rc read_value(struct reader *r)
{
	px_rc rc;

	read_space(r);
	if (next_is(r, '{') || next_is(r, '['))
		rc = read_container(r);
	else if (next_is(r, '"'))
		rc = read_string(r);
	else if (next_is(r, 'n'))
		rc = read_word(r, "null");
	else if (next_is(r, 't'))
		rc = read_word(r, "true");
	else if (next_is(r, 'f'))
		rc = read_word(r, "false");
	else
		rc = read_number(r);
	if (!rc)
		read_space(r);
	return rc;
}

static px_rc read_text(const uint8_t *data, size_t size)
{
	struct reader r = {data, data + size, 0};
	px_rc rc = read_value(&r);

	return rc ? rc : r.p == r.end ? PX_OK : PX_ESYNTAX;
}

/* ---- what a string means ---- */

static uint32_t hex(const char *p)
{
	char digits[5] = {p[0], p[1], p[2], p[3], '\0'};

	return (uint32_t)strtoul(digits, NULL, 16);
}

static void put_code(struct px_buf *b, uint32_t c)
{
	if (c < 0x80) {
		px_buf_addc(b, (char)c);
	} else if (c < 0x800) {
		px_buf_addc(b, (char)(0xc0 | c >> 6));
		px_buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		px_buf_addc(b, (char)(0xe0 | c >> 12));
		px_buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		px_buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else {
		px_buf_addc(b, (char)(0xf0 | c >> 18));
		px_buf_addc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		px_buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		px_buf_addc(b, (char)(0x80 | (c & 0x3f)));
	}
}

static void decode(struct px_span token, struct px_buf *b)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *p = token.p + 1, *end = token.p + token.len - 1;

	while (p < end) {
		uint32_t c;
		const char *at;

		if (*p != '\\') {
			px_buf_addc(b, *p++);
			continue;
		}
		p += 2;
		if (p[-1] != 'u') {
			at = strchr(from, p[-1]);
			px_buf_addc(b, at ? to[at - from] : p[-1]);
			continue;
		}
		c = hex(p);
		p += 4;
		if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' &&
			hex(p + 2) >= 0xdc00 && hex(p + 2) < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (hex(p + 2) - 0xdc00);
			p += 6;
		}
		put_code(b, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
	}
}

static void try_string(struct px_span token)
{
	PX_BUF_AUTO struct px_buf want = PX_BUF_INIT(FUZZ_ROOM), got = PX_BUF_INIT(FUZZ_ROOM),
				  literal = PX_BUF_INIT(FUZZ_ROOM);
	bool nul;
	char *copy;

	decode(token, &want);
	HOLDS(!px_json_string(token, &got));
	HOLDS(fuzz_same(fuzz_span(&want), fuzz_span(&got)));
	nul = want.len && memchr(want.data, '\0', want.len);
	copy = px_json_strdup(token, want.len);
	HOLDS(nul ? !copy : copy && fuzz_same_text(copy, want.len ? want.data : ""));
	HOLDS(!copy || px_json_string_is(token, copy));
	free(copy);
	HOLDS(!want.len || !px_json_strdup(token, want.len - 1));
	if (want.len && !nul) {
		want.data[want.len - 1] ^= 1;
		HOLDS(!px_json_string_is(token, want.data));
		want.data[want.len - 1] ^= 1;
	}
	/* written by the library's other half, it is the same string */
	HOLDS(!px_buf_add_json(&literal, want.len ? want.data : "", want.len));
	HOLDS(!px_json_check(literal.data, literal.len, NULL));
	HOLDS(px_json_equal(fuzz_span(&literal), token));
}

/* ---- what a number means ---- */

static struct px_span with(struct px_buf *b, struct px_span n, const char *tail)
{
	px_buf_reset(b);
	px_buf_add(b, n.p, n.len);
	px_buf_adds(b, tail);
	HOLDS(!px_json_check(b->data, b->len, NULL));
	return fuzz_span(b);
}

/* 12.50 is 1250e-2. */
static void try_point(struct px_span n)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(FUZZ_ROOM);
	const char *point = memchr(n.p, '.', n.len);
	size_t before = (size_t)(point - n.p), behind = n.len - before - 1;

	/* without its point, a number below 1 would begin with a zero */
	if (n.p[0] == '0' || (n.p[0] == '-' && n.p[1] == '0'))
		return;
	px_buf_add(&b, n.p, before);
	px_buf_add(&b, point + 1, behind);
	px_buf_addf(&b, "e-%zu", behind);
	HOLDS(!px_json_check(b.data, b.len, NULL) && px_json_equal(fuzz_span(&b), n));
	px_buf_addc(&b, '0');
	HOLDS(!px_json_equal(fuzz_span(&b), n));
}

static void try_number(struct px_span n)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(FUZZ_ROOM);
	bool exponent = memchr(n.p, 'e', n.len) || memchr(n.p, 'E', n.len);
	bool point = memchr(n.p, '.', n.len) != NULL;
	bool zero = px_json_equal(n, (struct px_span){"0", 1});
	int64_t i = px_json_int(n, 7);

	HOLDS(i == px_json_int(n, 8) || exponent || point || n.len > 18);
	if (exponent || point)
		HOLDS(i == 7);
	else if (n.len <= 18)
		HOLDS(i == strtoll(with(&b, n, " ").p, NULL, 10));
	if (exponent) {
		/* one digit more is another exponent, unless it is 0 both times */
		HOLDS(!zero || px_json_equal(n, with(&b, n, "9")));
		HOLDS(zero || !px_json_equal(n, with(&b, n, "9")));
		return;
	}
	if (point)
		try_point(n);
	HOLDS(px_json_equal(n, with(&b, n, "e0")));
	HOLDS(px_json_equal(n, with(&b, n, "E-000")));
	HOLDS(px_json_equal(n, with(&b, n, point ? "00" : ".00")));
	HOLDS(px_json_equal(with(&b, n, point ? "0e+00" : ".0e+00"), n));
	HOLDS(zero == px_json_equal(n, with(&b, n, "e1")));
	HOLDS(!px_json_equal(n, with(&b, n, point ? "01" : ".01")));
}

/* ---- every value ---- */

static void try_value(struct px_span v, int depth);

static void try_container(struct px_span v, int depth)
{
	struct px_span key, value, last;
	struct px_json_walk w;
	const char *from = v.p;

	px_json_walk_init(&w, v);
	HOLDS(w.object == (*v.p == '{'));
	while (px_json_walk_next(&w, &key, &value)) {
		HOLDS(value.p > from && value.p + value.len < v.p + v.len);
		from = value.p + value.len;
		HOLDS(w.object == (key.p != NULL));
		try_value(value, depth + 1);
		if (w.object) {
			char *name = px_json_strdup(key, key.len);

			last = name ? px_json_member(v, name) : value;
			free(name);
			HOLDS(last.p >= value.p);
			if (depth < 4)
				try_string(key);
		}
	}
	HOLDS(!px_json_walk_next(&w, &key, &value));
}

static void try_value(struct px_span v, int depth)
{
	/* each level is walked again for each of its members: the deep ones get a look, not all */
	if (depth > 24)
		return;
	HOLDS(!px_json_check(v.p, v.len, NULL));
	switch (px_json_kind(v)) {
	case PX_JSON_STRING:
		try_string(v);
		break;
	case PX_JSON_NUMBER:
		try_number(v);
		break;
	case PX_JSON_OBJECT:
	case PX_JSON_ARRAY:
		try_container(v, depth);
		break;
	default:
		HOLDS(px_json_bool(v, true) == (px_json_kind(v) != PX_JSON_FALSE));
		HOLDS(px_json_bool(v, false) == (px_json_kind(v) == PX_JSON_TRUE));
	}
}

/* ---- whole texts ---- */

static struct px_span trimmed(struct px_span v)
{
	while (v.len && strchr(" \t\r\n", *v.p)) {
		v.p++;
		v.len--;
	}
	while (v.len && strchr(" \t\r\n", v.p[v.len - 1]))
		v.len--;
	return v;
}

/* Begins the next line of a file where a member or an element begins. */
static void begin_line(struct px_buf *out, int depth)
{
	if (out->len && strchr("{[,", out->data[out->len - 1]))
		px_buf_addf(out, "\n%*s", 2 * depth, "");
}

/* The text without white space outside strings; or as a file, with ours. */
static void write_text(struct px_span text, bool file, struct px_buf *out)
{
	bool string = false;
	int depth = 0;

	for (const char *p = text.p, *end = p + text.len; p < end; p++) {
		if (string) {
			px_buf_addc(out, *p);
			string = *p != '"';
			if (*p == '\\')
				px_buf_addc(out, *++p);
			continue;
		}
		if (strchr(" \t\r\n", *p))
			continue;
		if (strchr("}]", *p)) {
			depth--;
			if (file && !strchr("{[", out->data[out->len - 1]))
				px_buf_addf(out, "\n%*s", 2 * depth, "");
		} else if (file) {
			begin_line(out, depth);
		}
		px_buf_addc(out, *p);
		string = *p == '"';
		depth += *p == '{' || *p == '[';
		if (file && *p == ':')
			px_buf_addc(out, ' ');
	}
	if (file)
		px_buf_addc(out, '\n');
	HOLDS(!out->failed);
}

/* A refusal leaves the output as it was. */
static void try_refused(struct px_span text, px_rc rc)
{
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(FUZZ_ROOM);
	struct px_err err = {0};

	px_buf_adds(&b, "before");
	HOLDS(px_doc_format(text.p, text.len, &b, &err) == rc && fuzz_refused(rc, &err));
	HOLDS(px_doc_compact(text.p, text.len, &b, &err) == rc && fuzz_refused(rc, &err));
	HOLDS(b.len == 6 && !memcmp(b.data, "before", 6) && !b.failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PX_BUF_AUTO struct px_buf file = PX_BUF_INIT(FUZZ_ROOM), tight = PX_BUF_INIT(FUZZ_ROOM),
				  again = PX_BUF_INIT(FUZZ_ROOM), own = PX_BUF_INIT(FUZZ_ROOM);
	struct px_span text = {(const char *)data, size}, f, t;
	struct px_err err = {0};
	px_rc rc = px_json_check(text.p, size, &err);

	HOLDS(rc == read_text(data, size));
	if (rc) {
		HOLDS(fuzz_refused(rc, &err));
		try_refused(text, rc);
		return -1;
	}
	f = fuzz_format(text, &file);
	t = fuzz_compact(text, &tight);
	HOLDS(!read_text((const uint8_t *)f.p, f.len) && f.p[f.len - 1] == '\n');
	HOLDS(!read_text((const uint8_t *)t.p, t.len) && t.len <= size);
	write_text(text, true, &own);
	HOLDS(fuzz_same(fuzz_span(&own), f));
	px_buf_reset(&own);
	write_text(text, false, &own);
	HOLDS(fuzz_same(fuzz_span(&own), t));
	HOLDS(fuzz_same(fuzz_format(f, &again), f));
	HOLDS(fuzz_same(fuzz_format(t, &again), f));
	HOLDS(fuzz_same(fuzz_compact(t, &again), t));
	HOLDS(fuzz_same(fuzz_compact(f, &again), t));
	HOLDS(px_json_equal(text, text) && px_json_equal(text, f) && px_json_equal(t, text));
	try_value(trimmed(text), 0);
	return 0;
}
