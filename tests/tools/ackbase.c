/* SPDX-License-Identifier: MIT */
/*
 * ackbase.c - the least that a receiver can be: libmicrohttpd, one INSERT a body, one commit for
 * all that waited, 200 after it. What scripts/bench compares the receiver with.
 *
 *   ackbase DATABASE      prints its port; ends with its standard input
 */
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct request {
	struct request *next;
	struct MHD_Connection *connection;
	char *body;
	size_t len;
	int state; /* 0 reading, 1 waits, 2 stored */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static struct request *waiting; /* guarded by: lock */
static sqlite3 *db;
static sqlite3_stmt *insert;

static void run(const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL)) {
		fprintf(stderr, "ackbase: %s\n", sqlite3_errmsg(db));
		exit(1);
	}
}

static void *commit_main(void *arg)
{
	(void)arg;
	for (;;) {
		struct request *list;

		pthread_mutex_lock(&lock);
		while (!waiting)
			pthread_cond_wait(&arrived, &lock);
		list = waiting;
		waiting = NULL;
		pthread_mutex_unlock(&lock);
		run("BEGIN");
		for (struct request *r = list; r; r = r->next) {
			sqlite3_bind_blob(insert, 1, r->body, (int)r->len, SQLITE_STATIC);
			if (sqlite3_step(insert) != SQLITE_DONE)
				exit(1);
			sqlite3_reset(insert);
		}
		run("COMMIT");
		while (list) {
			struct request *next = list->next;

			list->state = 2;
			MHD_resume_connection(list->connection);
			list = next;
		}
	}
	return NULL;
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **state)
{
	struct request *r = *state;
	struct MHD_Response *response;
	enum MHD_Result rc;

	(void)arg;
	(void)url;
	(void)method;
	(void)version;
	if (!r) {
		*state = r = calloc(1, sizeof *r);
		return r ? MHD_YES : MHD_NO;
	}
	if (*size) {
		char *grown = realloc(r->body, r->len + *size);

		if (!grown)
			return MHD_NO;
		memcpy(grown + r->len, data, *size);
		r->body = grown;
		r->len += *size;
		*size = 0;
		return MHD_YES;
	}
	if (!r->state) {
		r->state = 1;
		r->connection = c;
		MHD_suspend_connection(c);
		pthread_mutex_lock(&lock);
		r->next = waiting;
		waiting = r;
		pthread_cond_signal(&arrived);
		pthread_mutex_unlock(&lock);
		return MHD_YES;
	}
	response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	rc = MHD_queue_response(c, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return rc;
}

static void completed(
	void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	struct request *r = *state;

	(void)arg;
	(void)c;
	(void)why;
	if (r)
		free(r->body);
	free(r);
}

int main(int argc, char **argv)
{
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *daemon;
	pthread_t committer;
	char end;

	if (argc != 2 || sqlite3_open(argv[1], &db)) {
		fprintf(stderr, "usage: ackbase DATABASE\n");
		return 2;
	}
	run("PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
	    "CREATE TABLE inbox(arrival INTEGER PRIMARY KEY, body BLOB)");
	if (sqlite3_prepare_v2(db, "INSERT INTO inbox(body) VALUES(?)", -1, &insert, NULL))
		return 1;
	pthread_create(&committer, NULL, commit_main, NULL);
	daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
		NULL, answer, NULL, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
	info = daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
	if (!info)
		return 1;
	printf("%u\n", info->port);
	fflush(stdout);
	while (read(0, &end, 1) > 0)
		;
	/* the process ends with whatever is open: nothing here is worth more */
	_exit(0);
}
