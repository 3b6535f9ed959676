/* SPDX-License-Identifier: MIT */
/* test_webhook.c - signatures, and what the receiver answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "propexofs/hash.h"
#include "propexofs/webhook.h"

static char text_one[] = "0123456789", text_two[] = "another secret";
static struct px_secret secrets[] = {{.text = text_one, .len = 10}, {.text = text_two, .len = 14}};

/* ---- signatures ---- */

static void the_vector_of_the_reference(void **state)
{
	static const char good[] =
		"ba8e563ab2fa561bfe8b793d8c3b93d159f33d0a4ea236edafa2ff2ac0a6635c";
	static const char other[] =
		"1e9bb57c62e7200b5a654bf17a919263befb9cbe127ba9445ea7b5fa93757e52";

	(void)state;
	assert_true(px_signature_ok(secrets, 1, good, "{\"a\":1}", 7));
	assert_true(px_signature_ok(secrets, 2, good, "{\"a\":1}", 7));
	assert_false(px_signature_ok(secrets + 1, 1, good, "{\"a\":1}", 7));
	assert_true(px_signature_ok(secrets, 2, other, "{\"a\":1}", 7));
	assert_false(px_signature_ok(secrets, 1, other, "{\"a\":1}", 7));
	assert_false(px_signature_ok(secrets, 1, good, "{\"a\":1} ", 8)); /* raw bytes */
	assert_false(px_signature_ok(secrets, 0, good, "{\"a\":1}", 7));
	assert_true(px_signature_ok(secrets, 1,
		"BA8E563AB2FA561BFE8B793D8C3B93D159F33D0A4EA236EDAFA2FF2AC0A6635C", "{\"a\":1}",
		7));
}

static void what_is_no_signature(void **state)
{
	static const char *const bad[] = {"", "ba8e",
		"sha256=ba8e563ab2fa561bfe8b793d8c3b93d159f33d0a4ea236edafa2ff2ac0a6635c",
		"ba8e563ab2fa561bfe8b793d8c3b93d159f33d0a4ea236edafa2ff2ac0a6635d",
		"ba8e563ab2fa561bfe8b793d8c3b93d159f33d0a4ea236edafa2ff2ac0a6635",
		"za8e563ab2fa561bfe8b793d8c3b93d159f33d0a4ea236edafa2ff2ac0a6635c"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(px_signature_ok(secrets, 2, bad[i], "{\"a\":1}", 7));
	assert_false(px_signature_ok(secrets, 2, NULL, "{\"a\":1}", 7));
}

/* ---- the receiver ---- */

struct world {
	char dir[64], path[96], address[128];
	struct px_conf conf;
	struct px_board *board;
	struct px_ingest *ingest;
	struct px_webhook *webhook;
};

static void ok(px_rc rc, const struct px_err *err)
{
	if (rc)
		fail_msg("%s", err->msg);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct px_board_view view;
	struct px_err err = {0};

	(void)snprintf(w->dir, sizeof w->dir, "/tmp/px-webhook-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	(void)snprintf(w->path, sizeof w->path, "%s/s.db", w->dir);
	w->conf = (struct px_conf){.store = w->path,
		.api_url = (char *)"http://127.0.0.1",
		.webhook_listen = (char *)"127.0.0.1:0",
		.webhook_secrets = secrets,
		.webhook_secret_count = 2,
		.history_days = 7};
	w->board = px_board_new();
	ok(px_ingest_new(&(struct px_ingest_options){.store = w->path,
				 .api_url = w->conf.api_url,
				 .history_days = 7,
				 .board = w->board},
		   &w->ingest, &err),
		&err);
	ok(px_ingest_start(w->ingest, &err), &err);
	ok(px_webhook_start(&w->conf, -1, w->ingest, w->board, &w->webhook, &err), &err);
	px_board_view(w->board, &view);
	(void)snprintf(w->address, sizeof w->address, "%s", view.webhooks.address);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char command[128];

	px_webhook_stop(w->webhook);
	px_ingest_stop(w->ingest);
	px_ingest_free(w->ingest);
	px_board_free(w->board);
	(void)snprintf(command, sizeof command, "rm -rf %s", w->dir);
	free(w);
	return system(command);
}

static size_t discard(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

/* signature NULL: none; "good": made here. */
static long ask(struct world *w, const char *method, const char *path, const char *body, size_t len,
	const char *header, const char *signature)
{
	char url[256], line[200], hex[PX_SHA256_HEX];
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
	CURL *c = curl_easy_init();
	long status = 0;

	(void)snprintf(url, sizeof url, "http://%s%s", w->address, path);
	if (signature) {
		px_hmac_sha256_hex(secrets[0].text, secrets[0].len, body, len, hex);
		(void)snprintf(line, sizeof line, "%s: %s", header,
			strcmp(signature, "good") != 0 ? signature : hex);
		headers = curl_slist_append(headers, line);
	}
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 10L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, discard);
	if (body) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)len);
	}
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	if (curl_easy_perform(c) == CURLE_OK)
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(c);
	return status;
}

static long post(struct world *w, const char *body, const char *signature)
{
	return ask(w, "POST", "/webhook", body, strlen(body), "propexo-signature", signature);
}

static const char update[] =
	"{\"trigger\":\"DATA_UPDATE\",\"data\":{\"event\":\"DATA_UPDATE\",\"object\":\"residents\","
	"\"record_id\":\"r\","
	"\"integration_id\":\"i\",\"diff\":{\"new\":{\"a\":1},\"previous\":{\"a\":2}}}}";

static void answers_of_the_contract(void **state)
{
	struct world *w = *state;
	char *huge = malloc((8 << 20) + 2);

	assert_non_null(huge);
	memset(huge, ' ', (8 << 20) + 2);
	assert_int_equal(post(w, update, "good"), 200);
	assert_int_equal(post(w, update, "good"), 200); /* the same again */
	assert_int_equal(
		ask(w, "POST", "/webhook", update, strlen(update), "PROPIFY-Signature", "good"),
		200);
	assert_int_equal(post(w, "{\"event\":\"SOMETHING_NEW\"}", "good"), 200);
	assert_int_equal(post(w, update, NULL), 401);
	assert_int_equal(post(w, update, "00"), 401);
	assert_int_equal(post(w, "{\"a\":", "good"), 400);
	assert_int_equal(post(w, "[]", "good"), 400);
	assert_int_equal(post(w, "{}", "good"), 400);
	assert_int_equal(
		ask(w, "POST", "/webhook", huge, (8 << 20) + 1, "propexo-signature", "good"), 413);
	assert_int_equal(ask(w, "GET", "/webhook", NULL, 0, "", NULL), 405);
	assert_int_equal(
		ask(w, "PUT", "/webhook", update, strlen(update), "propexo-signature", "good"),
		405);
	assert_int_equal(
		ask(w, "POST", "/", update, strlen(update), "propexo-signature", "good"), 404);
	assert_int_equal(ask(w, "GET", "/healthz", NULL, 0, "", NULL), 200);
	free(huge);
}

/* No file may grow: what is written when a transaction ends does not arrive. */
static void what_is_not_stored_is_not_acknowledged(void **state)
{
	struct world *w = *state;
	struct rlimit was, full;
	long status;

	assert_int_equal(post(w, update, "good"), 200);
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	full = (struct rlimit){.rlim_cur = 1, .rlim_max = was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	status = post(w, update, "good");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(status, 503);
	assert_int_equal(post(w, update, "good"), 200);
}

/* As many clients do: all of the request first, then the answer. Returns the status, -1 without. */
static int send_then_read(const struct world *w, const char *head, size_t body)
{
	static const char zeros[65536];
	struct sockaddr_in to = {.sin_family = AF_INET};
	const char *colon = strrchr(w->address, ':');
	char answer[256] = "";
	int status = -1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool sent;

	to.sin_port = htons((uint16_t)atoi(colon + 1));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	sent = send(fd, head, strlen(head), MSG_NOSIGNAL) == (ssize_t)strlen(head);
	while (sent && body) {
		ssize_t n = send(
			fd, zeros, body < sizeof zeros ? body : sizeof zeros, MSG_NOSIGNAL);

		sent = n > 0;
		body -= sent ? (size_t)n : 0;
	}
	if (sent && recv(fd, answer, sizeof answer - 1, 0) > 0)
		(void)sscanf(answer, "HTTP/1.1 %d", &status);
	(void)close(fd);
	return status;
}

static void too_large_is_said_to_whoever_sends_first(void **state)
{
	struct world *w = *state;

	assert_int_equal(send_then_read(w,
				 "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: "
				 "16777216\r\n\r\n",
				 16 << 20),
		413);
	/* who asks before sending, or announces what nobody would read, is told at once */
	assert_int_equal(send_then_read(w,
				 "POST /webhook HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
				 "Content-Length: 16777216\r\n\r\n",
				 0),
		413);
	assert_int_equal(send_then_read(w,
				 "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: "
				 "999999999999\r\n\r\n",
				 0),
		413);
}

static void what_is_counted(void **state)
{
	struct world *w = *state;
	struct px_board_view view;

	assert_int_equal(post(w, update, "good"), 200);
	assert_int_equal(post(w, update, "00"), 401);
	px_board_view(w->board, &view);
	assert_true(view.webhooks.listening);
	assert_int_equal(view.webhooks.received, 1);
	assert_int_equal(view.webhooks.rejected, 1);
}

static void the_path_is_that_of_the_url(void **state)
{
	struct world *w = *state;
	struct px_webhook *second = NULL;
	struct px_conf conf = w->conf;
	struct px_board_view view;
	struct px_err err = {0};
	char first[sizeof w->address];

	conf.webhook_listen = (char *)"127.0.0.1:0";
	conf.webhook_url = (char *)"https://mirror.example.org/deliveries/here?token=x#y";
	assert_int_equal(px_webhook_start(&conf, -1, w->ingest, w->board, &second, &err), PX_OK);
	px_board_view(w->board, &view);
	memcpy(first, w->address, sizeof first);
	memcpy(w->address, view.webhooks.address, sizeof w->address);
	assert_int_equal(ask(w, "POST", "/deliveries/here?token=x", update, strlen(update),
				 "propexo-signature", "good"),
		200);
	assert_int_equal(
		ask(w, "POST", "/webhook", update, strlen(update), "propexo-signature", "good"),
		404);
	memcpy(w->address, first, sizeof first);
	px_webhook_stop(second);
}

static void what_is_refused_at_start(void **state)
{
	struct world *w = *state;
	struct px_webhook *second = NULL;
	struct px_conf conf = w->conf;
	struct px_err err = {0};

	conf.webhook_listen = w->address;
	assert_int_not_equal(
		px_webhook_start(&conf, -1, w->ingest, w->board, &second, &err), PX_OK);
	assert_non_null(strstr(err.msg, w->address));
	conf.webhook_listen = (char *)"127.0.0.1:0";
	conf.webhook_secret_count = 0;
	assert_int_equal(
		px_webhook_start(&conf, -1, w->ingest, w->board, &second, &err), PX_EUSAGE);
	assert_null(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vector_of_the_reference),
		cmocka_unit_test(what_is_no_signature),
		cmocka_unit_test_setup_teardown(answers_of_the_contract, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_not_stored_is_not_acknowledged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			too_large_is_said_to_whoever_sends_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_path_is_that_of_the_url, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_refused_at_start, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
