/* SPDX-License-Identifier: MIT */
/*
 * url.c - paths, queries and the base URL.
 *
 * Ids are opaque: nothing in one can change the shape of a URL. Every byte outside the unreserved
 * set is encoded, and so are "." and "..", which servers and proxies would otherwise resolve.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api_i.h"

static bool unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

px_rc px_url_encode(struct px_buf *b, const char *s, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	bool dots = (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.');

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		char esc[3] = {'%', hex[c >> 4], hex[c & 15]};

		if (unreserved(c) && !dots)
			px_buf_addc(b, (char)c);
		else
			px_buf_add(b, esc, sizeof esc);
	}
	return b->failed;
}

px_rc px_url_path(struct px_buf *b, const char *path_template, const char *id, size_t id_len)
{
	const char *hole = strstr(path_template, "{}");

	if (!hole)
		return px_buf_adds(b, path_template);
	px_buf_add(b, path_template, (size_t)(hole - path_template));
	px_url_encode(b, id, id_len);
	return px_buf_adds(b, hole + 2);
}

px_rc px_url_query(struct px_buf *b, const char *key, const char *value)
{
	px_buf_addc(b, b->data && memchr(b->data, '?', b->len) ? '&' : '?');
	px_url_encode(b, key, strlen(key));
	px_buf_addc(b, '=');
	return px_url_encode(b, value, strlen(value));
}

px_rc px_url_query_int(struct px_buf *b, const char *key, int64_t value)
{
	char digits[24];

	(void)snprintf(digits, sizeof digits, "%lld", (long long)value);
	return px_url_query(b, key, digits);
}

bool px_url_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;
	char bare[64];
	size_t len = strlen(host);

	if (!strcasecmp(host, "localhost"))
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (len < 3 || len - 2 >= sizeof bare || host[0] != '[' || host[len - 1] != ']')
		return false;
	memcpy(bare, host + 1, len - 2);
	bare[len - 2] = '\0';
	return inet_pton(AF_INET6, bare, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static void lower(char *s)
{
	for (; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
}

static void free_part(char **s)
{
	curl_free(*s);
}

static void free_url(CURLU **u)
{
	curl_url_cleanup(*u);
}

#define PART_AUTO __attribute__((cleanup(free_part))) char *

static bool has_part(CURLU *u, CURLUPart part)
{
	PART_AUTO s = NULL;

	return curl_url_get(u, part, &s, 0) == CURLUE_OK;
}

px_rc px_url_origin(const char *url, struct px_origin *ret, struct px_err *err)
{
	__attribute__((cleanup(free_url))) CURLU *u = curl_url();
	PART_AUTO scheme = NULL;
	PART_AUTO host = NULL;
	PART_AUTO port = NULL;
	int n;

	if (!u)
		return px_err_nomem(err);
	if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
		curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return px_err_set(err, PX_EINVAL, "not a URL");
	lower(scheme);
	lower(host);
	ret->tls = !strcmp(scheme, "https");
	if (!ret->tls && strcmp(scheme, "http") != 0)
		return px_err_set(err, PX_EINVAL, "only https is possible");
	if (curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return px_err_set(err, PX_EINVAL, "not a URL");
	ret->loopback = px_url_loopback(host);
	n = snprintf(ret->text, sizeof ret->text, "%s://%s:%s", scheme, host, port);
	if (n < 0 || (size_t)n >= sizeof ret->text)
		return px_err_set(err, PX_EINVAL, "a host name that is too long");
	return PX_OK;
}

/* Messages do not repeat the URL: it may hold a password. */
px_rc px_url_base(const char *url, char *ret, size_t size, struct px_err *err)
{
	__attribute__((cleanup(free_url))) CURLU *u = curl_url();
	PART_AUTO host = NULL;
	PART_AUTO port = NULL;
	PART_AUTO path = NULL;
	char whole[PX_API_URL_MAX];
	const char *authority;
	struct px_origin origin;
	size_t len;
	px_rc rc;
	int n;

	if (!u)
		return px_err_nomem(err);
	for (const char *s = url; *s; s++)
		if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f)
			return px_err_set(
				err, PX_EINVAL, "API URL: a character that no URL can have");
	authority = strstr(url, "://");
	if (!authority || authority[3] == '/')
		return px_err_set(err, PX_EINVAL, "API URL: must start with https:// and a host");
	rc = px_url_origin(url, &origin, err);
	if (rc) {
		(void)px_err_ctx(err, "API URL");
		return rc;
	}
	if (!origin.tls && !origin.loopback)
		return px_err_set(err, PX_EINVAL,
			"API URL: must start with https:// (http only to this machine itself)");
	if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
		curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
		curl_url_get(u, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		return px_err_set(err, PX_EINVAL, "API URL: not a URL");
	if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD) || strchr(url, '@'))
		return px_err_set(
			err, PX_EINVAL, "API URL: must not hold a user name or a password");
	if (strchr(url, '?') || strchr(url, '#'))
		return px_err_set(err, PX_EINVAL, "API URL: must have no query and no fragment");
	lower(host);
	(void)curl_url_get(u, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
	for (len = strlen(path); len && path[len - 1] == '/'; len--)
		path[len - 1] = '\0';
	n = snprintf(whole, sizeof whole, "%s://%s%s%s%s", origin.tls ? "https" : "http", host,
		port ? ":" : "", port ? port : "", path);
	if (n < 0 || (size_t)n >= sizeof whole || (size_t)n >= size)
		return px_err_set(err, PX_EINVAL, "API URL: too long");
	memcpy(ret, whole, (size_t)n + 1);
	return PX_OK;
}
