/* SPDX-License-Identifier: MIT */
/* value.c - members of a status, for people. */
#include "status_i.h"

#include <stdio.h>
#include <string.h>

#include "propexofs/clock.h"
#include "propexofs/codec.h"

/* Decoded text of a string, without control characters; fallback when it is none. */
const char *px_show_text(
	struct px_span object, const char *key, const char *fallback, char buf[static PX_WORD_MAX])
{
	struct px_span v = px_json_member(object, key);
	PX_BUF_AUTO struct px_buf b = PX_BUF_INIT(1 << 16);

	if (!v.p || px_json_kind(v) != PX_JSON_STRING || px_json_string(v, &b) || !b.len)
		return fallback;
	(void)snprintf(buf, PX_WORD_MAX, "%s", b.data);
	for (char *p = buf; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return buf;
}

int64_t px_show_number(struct px_span object, const char *key)
{
	return px_json_int(px_json_member(object, key), -1);
}

bool px_show_truth(struct px_span object, const char *key)
{
	return px_json_bool(px_json_member(object, key), false);
}

/* 1,234,567 */
const char *px_show_grouped(int64_t v, char buf[static 32])
{
	char plain[24];
	size_t len, n = 0;

	len = (size_t)snprintf(plain, sizeof plain, "%lld", (long long)(v < 0 ? 0 : v));
	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf[n++] = ',';
		buf[n++] = plain[i];
	}
	buf[n] = '\0';
	return buf;
}

const char *px_show_bytes(int64_t v, char buf[static 32])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double x = v < 0 ? 0 : (double)v;
	size_t u = 0;

	while (x >= 1024 && u + 1 < sizeof units / sizeof *units) {
		x /= 1024;
		u++;
	}
	(void)snprintf(buf, 32, u ? "%.1f %s" : "%.0f %s", x, units[u]);
	return buf;
}

const char *px_show_duration(int64_t s, char buf[static 32])
{
	if (s >= 3600)
		(void)snprintf(
			buf, 32, "%lld h %02d min", (long long)(s / 3600), (int)(s / 60 % 60));
	else if (s >= 60)
		(void)snprintf(buf, 32, "%d min %02d s", (int)(s / 60), (int)(s % 60));
	else
		(void)snprintf(buf, 32, "%d s", (int)s);
	return buf;
}

int64_t px_show_time_ms(struct px_span object, const char *key)
{
	char text[PX_WORD_MAX];
	int64_t ns;

	if (!px_show_text(object, key, NULL, text) || px_time_parse(text, strlen(text), &ns))
		return 0;
	return ns / 1000000;
}
