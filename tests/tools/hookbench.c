/* SPDX-License-Identifier: MIT */
/*
 * hookbench.c - how long after its 200 does a delivery show?
 *
 *   hookbench URL SECRET LIST COUNT RATE
 *
 * LIST: lines "integration-id TAB record-id TAB path" of residents in a mount, COUNT at least.
 * Delivers a change of first_name to each of the first COUNT, RATE a second whether or not the ones
 * before show yet (an open loop); a second thread reads each file until the new value is in it.
 * Prints milliseconds: p50, p99 and the longest, of the time between the 200 and the first reading
 * that has the new value, and of the delivery itself.
 */
#include <curl/curl.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "propexofs/hash.h"

enum { RECORDS = 10000, PATIENCE_S = 10, LOOK_NS = 100000 };

static struct {
	char *integration, *id, *path;
} records[RECORDS];

static double shown[RECORDS], answered[RECORDS], ok_ms[RECORDS];
static size_t count;
static _Atomic size_t sent; /* deliveries that have their 200 */
static _Atomic bool failed;

static double now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1000 + (double)ts.tv_nsec / 1e6;
}

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print(const char *what, double *list, size_t n)
{
	qsort(list, n, sizeof *list, by_number);
	printf("%s ms: p50 %.2f p99 %.2f max %.2f\n", what, list[n / 2], list[n * 99 / 100],
		list[n - 1]);
}

static size_t discard(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

static bool has(const char *path, const char *text)
{
	static char room[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, room, sizeof room - 1);

	if (fd >= 0)
		(void)close(fd);
	if (n < 0)
		return false;
	room[n] = '\0';
	return strstr(room, text) != NULL;
}

static size_t read_list(const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0, n = 0;

	while (f && n < RECORDS && getline(&line, &cap, f) > 0) {
		char *save = NULL;

		line[strcspn(line, "\n")] = '\0';
		records[n].integration = strdup(strtok_r(line, "\t", &save));
		records[n].id = strdup(strtok_r(NULL, "\t", &save));
		records[n].path = strdup(strtok_r(NULL, "\t", &save));
		n++;
	}
	free(line);
	if (f)
		(void)fclose(f);
	return n;
}

static bool deliver(CURL *c, const char *secret, const char *body)
{
	char hex[PX_SHA256_HEX], line[128];
	struct curl_slist *headers;
	long status = 0;

	px_hmac_sha256_hex(secret, strlen(secret), body, strlen(body), hex);
	(void)snprintf(line, sizeof line, "propexo-signature: %s", hex);
	headers = curl_slist_append(NULL, line);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
	if (curl_easy_perform(c) == CURLE_OK)
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(headers);
	return status == 200;
}

static void value_of(size_t i, char *value, size_t size)
{
	(void)snprintf(value, size, "bench %zu of %d", i, (int)getpid());
}

static void pause_ns(int64_t ns)
{
	const struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

	(void)nanosleep(&ts, NULL);
}

/* Looks for each change in the order of the deliveries. */
static void *look_main(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < count && !failed; i++) {
		char value[64];

		value_of(i, value, sizeof value);
		while (atomic_load(&sent) <= i && !failed)
			pause_ns(LOOK_NS);
		while (!failed && !has(records[i].path, value)) {
			if (now_ms() - ok_ms[i] > PATIENCE_S * 1000) {
				fprintf(stderr, "delivery %zu does not show in %s\n", i,
					records[i].path);
				failed = true;
			}
			pause_ns(LOOK_NS);
		}
		shown[i] = now_ms() - ok_ms[i];
	}
	return NULL;
}

static bool send_one(CURL *c, const char *secret, size_t i)
{
	char body[2048], value[64];
	double begun = now_ms();

	value_of(i, value, sizeof value);
	(void)snprintf(body, sizeof body,
		"{\"event\":\"DATA_UPDATE\",\"object\":\"residents\",\"record_id\":\"%s\","
		"\"integration_id\":\"%s\","
		"\"diff\":{\"new\":{\"first_name\":\"%s\"},\"previous\":{}}}",
		records[i].id, records[i].integration, value);
	if (!deliver(c, secret, body)) {
		fprintf(stderr, "delivery %zu was not accepted\n", i);
		return false;
	}
	ok_ms[i] = now_ms();
	answered[i] = ok_ms[i] - begun;
	atomic_store(&sent, i + 1);
	return true;
}

int main(int argc, char **argv)
{
	size_t n = argc == 6 ? read_list(argv[3]) : 0;
	double rate = argc == 6 ? strtod(argv[5], NULL) : 0, begun;
	CURL *c = curl_easy_init();
	pthread_t looker;

	count = argc == 6 ? strtoul(argv[4], NULL, 10) : 0;
	if (!count || count > n || rate <= 0) {
		fprintf(stderr, "usage: hookbench URL SECRET LIST COUNT RATE\n");
		return 2;
	}
	curl_easy_setopt(c, CURLOPT_URL, argv[1]);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 10L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, discard);
	if (pthread_create(&looker, NULL, look_main, NULL))
		return 1;
	begun = now_ms();
	for (size_t i = 0; i < count && !failed; i++) {
		double left = begun + (double)i * 1000 / rate - now_ms();

		if (left > 0)
			pause_ns((int64_t)(left * 1e6));
		if (!send_one(c, argv[2], i))
			failed = true;
	}
	pthread_join(looker, NULL);
	if (failed)
		return 1;
	print("200 to new bytes", shown, count);
	print("delivery to 200", answered, count);
	curl_easy_cleanup(c);
	return 0;
}
