/* SPDX-License-Identifier: MIT */
/*
 * server.c - HTTP for the deliveries.
 *
 * One delivery: body collected up to its maximum; signature; shape; then the connection is
 * suspended while ingest commits, and resumed by ingest's thread with the verdict. Invariants:
 * 1. `state` goes READING -> WAITING -> ANSWERED. Only the server's thread touches a request,
 * except between suspend and resume, when ingest's `done` writes the verdict; libmicrohttpd's own
 * lock orders the two.
 * 2. A request that ingest still holds is freed by whichever of the two lets go last (`holders`).
 * 3. All bodies together stay under BODIES_MAX; beyond that deliveries get 503, and Propexo sends
 * them again.
 */
#include "propexofs/webhook.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "propexofs/clock.h"
#include "propexofs/codec.h"
#include "propexofs/listen.h"
#include "propexofs/log.h"

enum {
	BODY_MAX = 8 << 20,
	BODIES_MAX = 64 << 20,
	CONNECTIONS_MAX = 1000,
	DRAIN_MAX = 64 << 20,  /* a body that is too large is read, and forgotten, up to here */
	IDLE_S = 20,	       /* without a byte */
	UPLOAD_MAX_MS = 60000, /* for the whole body, however it trickles */
};

struct px_webhook {
	struct px_ingest *ingest;
	struct px_board *board;
	struct MHD_Daemon *mhd;
	const char *made; /* address whose socket file goes with the receiver; NULL: none */
	char path[256];
	pthread_mutex_t lock;
	struct px_webhook_stats stats; /* guarded by: lock */
	struct px_secret *secrets;     /* guarded by: lock */
	size_t secret_count;	       /* guarded by: lock */
	_Atomic size_t bodies;	       /* bytes of all requests under way */
	_Atomic bool stopping;
	_Atomic int waiting; /* requests that ingest holds */
};

enum request_state { READING, WAITING, ANSWERED };

struct request {
	struct px_delivery_job job;
	struct px_webhook *w;
	struct MHD_Connection *connection;
	enum request_state state;
	_Atomic int holders;
	struct px_buf body;
	size_t counted; /* of w->bodies */
	int64_t until_ms;
	unsigned status;
};

static void release(struct request *r)
{
	if (atomic_fetch_sub(&r->holders, 1) > 1)
		return;
	atomic_fetch_sub(&r->w->bodies, r->counted);
	px_buf_release(&r->body);
	free(r);
}

/* ---- answers
 * ---------------------------------------------------------------------------------------------- */

static const struct {
	unsigned status;
	const char *text;
} answers[] = {
	{200, "{\"ok\":true}\n"},
	{400, "{\"error\":\"not a delivery: no JSON, or no shape that is known\"}\n"},
	{401, "{\"error\":\"signature missing or wrong\"}\n"},
	{404, "{\"error\":\"nothing here\"}\n"},
	{405, "{\"error\":\"deliveries are POSTed\"}\n"},
	{413, "{\"error\":\"larger than 8 MiB\"}\n"},
	{503, "{\"error\":\"cannot be stored now; send it again\"}\n"},
};

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status)
{
	const char *text = "";
	struct MHD_Response *response;
	enum MHD_Result ok;

	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		if (answers[i].status == status)
			text = answers[i].text;
	response = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, "Content-Type", "application/json");
	if (status == 405)
		(void)MHD_add_response_header(response, "Allow", "POST");
	if (status == 413)
		(void)MHD_add_response_header(response, "Connection", "close");
	ok = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	return ok;
}

static void count(struct px_webhook *w, unsigned status)
{
	struct px_webhook_stats stats;

	pthread_mutex_lock(&w->lock);
	if (status == 200) {
		w->stats.received++;
		w->stats.last_received_ms = px_clock_wall_ms();
	} else {
		w->stats.rejected++;
	}
	stats = w->stats;
	pthread_mutex_unlock(&w->lock);
	px_board_set_webhooks(w->board, &stats);
}

/* ---- one delivery
 * ------------------------------------------------------------------------------------------- */

/* Ingest's thread, after the commit or its failure. */
static void stored(struct px_job *job, px_rc rc, const struct px_err *err)
{
	struct request *r = (struct request *)job;

	(void)err;
	r->status = rc ? 503 : 200;
	MHD_resume_connection(r->connection);
	atomic_fetch_sub(&r->w->waiting, 1);
	release(r);
}

static unsigned judge(struct request *r)
{
	const char *signature = MHD_lookup_connection_value(
		r->connection, MHD_HEADER_KIND, "propexo-signature");
	struct px_event event = {0};
	bool ok;
	px_rc rc;

	if (!signature) /* from before the rename */
		signature = MHD_lookup_connection_value(
			r->connection, MHD_HEADER_KIND, "propify-signature");
	pthread_mutex_lock(&r->w->lock);
	ok = px_signature_ok(r->w->secrets, r->w->secret_count, signature,
		r->body.data ? r->body.data : "", r->body.len);
	pthread_mutex_unlock(&r->w->lock);
	if (!ok)
		return 401;
	rc = px_event_parse(r->body.data ? r->body.data : "", r->body.len, &event, NULL);
	px_event_release(&event);
	return rc ? 400 : 200;
}

static enum MHD_Result finish(struct request *r, unsigned status)
{
	r->state = ANSWERED;
	count(r->w, status);
	if (status != 200)
		px_log_limited(
			PX_LOG_INFO, "webhook", "answered=%u bytes=%zu", status, r->body.len);
	return answer(r->connection, status);
}

static enum MHD_Result complete(struct request *r)
{
	unsigned status = r->status ? r->status : r->w->stopping ? 503 : judge(r);

	if (status != 200)
		return finish(r, status);
	px_delivery_job_init(&r->job, r->body.data, r->body.len, px_clock_wall_ms());
	r->job.job.done = stored;
	r->state = WAITING;
	atomic_fetch_add(&r->holders, 1);
	atomic_fetch_add(&r->w->waiting, 1);
	MHD_suspend_connection(r->connection);
	if (px_ingest_submit_urgent(r->w->ingest, &r->job.job)) {
		r->status = 503;
		MHD_resume_connection(r->connection);
		atomic_fetch_sub(&r->w->waiting, 1);
		release(r);
	}
	return MHD_YES;
}

static void take(struct request *r, const char *data, size_t len)
{
	if (r->status)
		return;
	if (len > BODY_MAX - r->body.len) {
		r->status = 413;
		return;
	}
	r->counted += len;
	if (atomic_fetch_add(&r->w->bodies, len) + len > BODIES_MAX ||
		px_buf_add(&r->body, data, len))
		r->status = 503;
}

static struct request *request_new(struct px_webhook *w, struct MHD_Connection *c)
{
	struct request *r = calloc(1, sizeof *r);
	const char *length = MHD_lookup_connection_value(
		c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	if (!r)
		return NULL;
	r->w = w;
	r->connection = c;
	atomic_init(&r->holders, 1);
	px_buf_init(&r->body, BODY_MAX);
	r->until_ms = px_clock_mono_ms() + UPLOAD_MAX_MS;
	if (length && strtoull(length, NULL, 10) > BODY_MAX)
		r->status = 413;
	return r;
}

/* Whoever sends without asking sees the answer only when all of it has been read: closing before
 * resets the connection. */
static bool is_refused_at_once(struct request *r)
{
	const char *length = MHD_lookup_connection_value(
		r->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return r->status == 413 && (MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND,
					    MHD_HTTP_HEADER_EXPECT) ||
					   strtoull(length, NULL, 10) > DRAIN_MAX);
}

static enum MHD_Result healthz(struct px_webhook *w, struct MHD_Connection *c)
{
	struct px_board_view view;

	px_board_view(w->board, &view);
	return answer(c, view.store_error[0] || w->stopping ? 503 : 200);
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **ctx)
{
	struct px_webhook *w = arg;
	struct request *r = *ctx;

	(void)version;
	if (!r) {
		r = request_new(w, c);
		*ctx = r;
		if (!r)
			return MHD_NO;
		if (!strcmp(url, "/healthz")) {
			r->state = ANSWERED;
			return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0
				       ? answer(c, 405)
				       : healthz(w, c);
		}
		if (strcmp(url, w->path) != 0 || strcmp(method, "POST") != 0) {
			r->state = ANSWERED;
			return answer(c, strcmp(url, w->path) != 0 ? 404 : 405);
		}
		if (is_refused_at_once(r))
			return finish(r, 413);
		return MHD_YES;
	}
	if (*size) {
		take(r, data, *size);
		*size = 0;
		return px_clock_mono_ms() > r->until_ms ? MHD_NO : MHD_YES;
	}
	switch (r->state) {
	case READING:
		return complete(r);
	case WAITING:
		return finish(r, r->status);
	default:
		return MHD_YES;
	}
}

static void completed(
	void *arg, struct MHD_Connection *c, void **ctx, enum MHD_RequestTerminationCode how)
{
	(void)arg;
	(void)c;
	(void)how;
	if (*ctx)
		release(*ctx);
	*ctx = NULL;
}

/* ---- secrets
 * ------------------------------------------------------------------------------------------------
 */

static void secrets_free(struct px_secret *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		px_secret_wipe(&list[i]);
	free(list);
}

px_rc px_webhook_set_secrets(
	struct px_webhook *w, const struct px_secret *secrets, size_t count, struct px_err *err)
{
	struct px_secret *old, *list = calloc(count, sizeof *list);
	size_t old_count;

	for (size_t i = 0; list && i < count; i++) {
		list[i].len = secrets[i].len;
		list[i].text = strdup(secrets[i].text);
		if (!list[i].text) {
			secrets_free(list, i);
			list = NULL;
		}
	}
	if (!list)
		return px_err_nomem(err);
	pthread_mutex_lock(&w->lock);
	old = w->secrets;
	old_count = w->secret_count;
	w->secrets = list;
	w->secret_count = count;
	pthread_mutex_unlock(&w->lock);
	secrets_free(old, old_count);
	return PX_OK;
}

/* ---- listening
 * -------------------------------------------------------------------------------------------------
 */

/* The path of the public address, "/" when it has none, so that a proxy need not rewrite. */
static px_rc path_of(const char *url, char *out, size_t size, struct px_err *err)
{
	const char *host = url ? strstr(url, "://") : NULL;
	const char *path = host ? strchr(host + 3, '/') : NULL;

	size_t len;

	if (!host)
		path = "/webhook";
	else if (!path)
		path = "/";
	len = strcspn(path, "?#"); /* a query is not part of what is asked for */
	if (len >= size)
		return px_err_set(
			err, PX_EUSAGE, "webhook-url: its path is longer than %zu bytes", size - 1);
	memcpy(out, path, len);
	out[len] = '\0';
	return PX_OK;
}

/* However many come, half of the files that may be open are for everything else. */
static unsigned connections_max(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur / 2 >= CONNECTIONS_MAX)
		return CONNECTIONS_MAX;
	return (unsigned)(files.rlim_cur / 2);
}

static void shut(const char *made, int fd)
{
	if (made)
		px_listen_remove(made);
	(void)close(fd);
}

px_rc px_webhook_start(const struct px_conf *conf, int fd, struct px_ingest *ingest,
	struct px_board *board, struct px_webhook **ret, struct px_err *err)
{
	const char *made = NULL;
	struct px_webhook *w;
	px_rc rc;

	if (!conf->webhook_secret_count)
		return px_err_set(err, PX_EUSAGE,
			"webhook-listen needs a secret: set webhook-secret-file or "
			"PROPEXO_WEBHOOK_SECRET");
	if (fd < 0) {
		rc = px_listen(conf->webhook_listen, "webhooks", &fd, err);
		if (rc)
			return rc;
		made = conf->webhook_listen;
	}
	w = calloc(1, sizeof *w);
	if (!w) {
		shut(made, fd);
		return px_err_nomem(err);
	}
	w->ingest = ingest;
	w->board = board;
	pthread_mutex_init(&w->lock, NULL);
	rc = path_of(conf->webhook_url, w->path, sizeof w->path, err);
	if (!rc)
		rc = px_webhook_set_secrets(
			w, conf->webhook_secrets, conf->webhook_secret_count, err);
	if (rc) {
		shut(made, fd);
		pthread_mutex_destroy(&w->lock);
		free(w);
		return rc;
	}
	w->stats.listening = true;
	w->made = made;
	px_listen_name(fd, w->stats.address, sizeof w->stats.address);
	w->mhd = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL |
					  MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC,
		0, NULL, NULL, handle, w, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		connections_max(), MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(32 << 10), MHD_OPTION_NOTIFY_COMPLETED,
		completed, w, MHD_OPTION_END);
	if (!w->mhd) {
		shut(made, fd);
		secrets_free(w->secrets, w->secret_count);
		pthread_mutex_destroy(&w->lock);
		free(w);
		return px_err_set(err, PX_EIO, "cannot start the webhook receiver");
	}
	px_board_set_webhooks(board, &w->stats);
	px_info("webhook", "listening at=%s path=%s", w->stats.address, w->path);
	*ret = w;
	return PX_OK;
}

void px_webhook_stop(struct px_webhook *w)
{
	MHD_socket fd;

	if (!w)
		return;
	w->stopping = true;
	if (w->made)
		px_listen_remove(w->made);
	/* taken back and closed, not shut down: what the service manager handed over is its own */
	fd = MHD_quiesce_daemon(w->mhd);
	if (fd != MHD_INVALID_SOCKET)
		(void)close(fd);
	/* what ingest holds is answered before the daemon may go */
	for (int i = 0; w->waiting && i < 500; i++)
		(void)usleep(10000);
	MHD_stop_daemon(w->mhd);
	secrets_free(w->secrets, w->secret_count);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
