/* SPDX-License-Identifier: MIT */
/*
 * hookbench.c - how long after its 200 does a delivery show?
 *
 *   hookbench URL SECRET LIST COUNT
 *
 * LIST: lines "integration-id TAB record-id TAB path" of residents in a mount. Delivers COUNT
 * changes of first_name one after another, each signed, and reads the file in a loop until the new
 * value is in it. Prints milliseconds: p50, p99 and the longest, of the time between the 200 and
 * the first reading that has the new value, and of the delivery itself.
 */
#include <curl/curl.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "propexofs/hash.h"

enum { RECORDS = 10000, COUNT_MAX = 100000, PATIENCE_S = 10 };

static struct {
	char *integration, *id, *path;
} records[RECORDS];

static double shown[COUNT_MAX], answered[COUNT_MAX];

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

int main(int argc, char **argv)
{
	size_t n = argc == 5 ? read_list(argv[3]) : 0,
	       count = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
	CURL *c = curl_easy_init();

	if (!n || !count || count > COUNT_MAX) {
		fprintf(stderr, "usage: hookbench URL SECRET LIST COUNT\n");
		return 2;
	}
	curl_easy_setopt(c, CURLOPT_URL, argv[1]);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 10L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, discard);
	for (size_t i = 0; i < count; i++) {
		char body[2048], value[64];
		double begun, ok;

		(void)snprintf(value, sizeof value, "bench %zu of %d", i, (int)getpid());
		(void)snprintf(body, sizeof body,
			"{\"event\":\"DATA_UPDATE\",\"object\":\"residents\",\"record_id\":\"%s\","
			"\"integration_id\":\"%s\","
			"\"diff\":{\"new\":{\"first_name\":\"%s\"},\"previous\":{}}}",
			records[i % n].id, records[i % n].integration, value);
		begun = now_ms();
		if (!deliver(c, argv[2], body)) {
			fprintf(stderr, "delivery %zu was not accepted\n", i);
			return 1;
		}
		ok = now_ms();
		answered[i] = ok - begun;
		while (!has(records[i % n].path, value))
			if (now_ms() - ok > PATIENCE_S * 1000) {
				fprintf(stderr, "delivery %zu does not show in %s\n", i,
					records[i % n].path);
				return 1;
			}
		shown[i] = now_ms() - ok;
	}
	print("200 to new bytes", shown, count);
	print("delivery to 200", answered, count);
	curl_easy_cleanup(c);
	return 0;
}
