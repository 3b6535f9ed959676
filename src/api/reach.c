/* SPDX-License-Identifier: MIT */
/* reach.c - whether the API's host answers and is who it says: a connection without a request. */
#include "api_i.h"

enum px_reach px_api_reach(const char *base_url, int timeout_ms, struct px_err *err)
{
	char reason[CURL_ERROR_SIZE] = "";
	struct px_origin origin;
	CURLcode code = CURLE_OUT_OF_MEMORY;
	CURL *c;

	if (px_url_origin(base_url, &origin, err))
		return PX_REACH_NO_NAME;
	c = px_api_init_curl() == CURLE_OK ? curl_easy_init() : NULL;
	if (c && !curl_easy_setopt(c, CURLOPT_URL, base_url) &&
		!curl_easy_setopt(c, CURLOPT_CONNECT_ONLY, 1L) &&
		!curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) &&
		!curl_easy_setopt(c, CURLOPT_ERRORBUFFER, reason) &&
		!curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, origin.tls ? "https" : "http") &&
		!(!origin.tls && curl_easy_setopt(c, CURLOPT_PROXY, "")) &&
		!curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
		!curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms))
		code = curl_easy_perform(c);
	curl_easy_cleanup(c);
	if (code == CURLE_OK)
		return origin.tls ? PX_REACH_TLS : PX_REACH_PLAIN;
	(void)px_err_set(err, PX_ENET, "%s", *reason ? reason : curl_easy_strerror(code));
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return PX_REACH_NO_NAME;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return PX_REACH_NO_TLS;
	default:
		return PX_REACH_NO_CONNECTION;
	}
}
