/* SPDX-License-Identifier: MIT */
/* server.c - one path, one method, a fresh text each time. */
#include "propexofs/metrics.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "propexofs/listen.h"
#include "propexofs/log.h"
#include "propexofs/store_read.h"

enum { CONNECTIONS_MAX = 16, IDLE_S = 10, TEXT_MAX = 64 << 20 };

struct px_metrics {
	struct px_board *board;
	struct px_fs *fs;
	struct px_reader *reader; /* the server's thread */
	struct MHD_Daemon *mhd;
};

static enum MHD_Result answer(
	struct MHD_Connection *c, unsigned status, const char *type, struct px_buf *text)
{
	size_t len = 0;
	char *data = px_buf_steal(text, &len);
	struct MHD_Response *response;
	enum MHD_Result ok;

	if (!data)
		return MHD_NO;
	response = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(data);
		return MHD_NO;
	}
	(void)MHD_add_response_header(response, "Content-Type", type);
	if (status == 405)
		(void)MHD_add_response_header(response, "Allow", "GET, HEAD");
	ok = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	return ok;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, const char *line)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(1 << 10);

	px_buf_adds(&text, line);
	return answer(c, status, "text/plain; charset=utf-8", &text);
}

static enum MHD_Result scrape(struct px_metrics *m, struct MHD_Connection *c)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(TEXT_MAX);
	struct px_fs_counters counters;
	struct px_err err;

	px_fs_counters(m->fs, &counters);
	if (px_status_metrics(m->reader, m->board, &counters, &text, &err)) {
		px_log_limited(PX_LOG_WARN, "metrics", "no answer to a scrape: %s", err.msg);
		return say(c, 503, "the store cannot be read now\n");
	}
	return answer(c, 200, "text/plain; version=0.0.4; charset=utf-8", &text);
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **ctx)
{
	struct px_metrics *m = arg;

	(void)version;
	(void)data;
	(void)size;
	(void)ctx;
	if (strcmp(url, "/metrics") != 0)
		return say(c, 404, "metrics are at /metrics\n");
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return say(c, 405, "metrics can only be read\n");
	return scrape(m, c);
}

px_rc px_metrics_start(const struct px_conf *conf, int fd, struct px_board *board, struct px_fs *fs,
	struct px_metrics **ret, struct px_err *err)
{
	struct px_metrics *m = calloc(1, sizeof *m);
	char name[128];
	px_rc rc = m ? PX_OK : px_err_nomem(err);

	if (!rc && fd < 0)
		rc = px_listen(conf->metrics_listen, "metrics", &fd, err);
	if (!rc)
		rc = px_reader_open(conf->store, &m->reader, err);
	if (!rc) {
		m->board = board;
		m->fs = fs;
		px_listen_name(fd, name, sizeof name);
		m->mhd = MHD_start_daemon(
			MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ITC, 0, NULL,
			NULL, handle, m, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
			(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
			MHD_OPTION_END);
		if (!m->mhd)
			rc = px_err_set(err, PX_EIO, "cannot start the server of metrics");
	}
	if (rc) {
		if (fd >= 0)
			(void)close(fd);
		if (m)
			px_reader_close(m->reader);
		free(m);
		return rc;
	}
	px_info("metrics", "listening at=%s", name);
	*ret = m;
	return PX_OK;
}

void px_metrics_stop(struct px_metrics *m)
{
	MHD_socket fd;

	if (!m)
		return;
	/* taken back and closed, not shut down: what the service manager handed over is its own */
	fd = MHD_quiesce_daemon(m->mhd);
	if (fd != MHD_INVALID_SOCKET)
		(void)close(fd);
	MHD_stop_daemon(m->mhd);
	px_reader_close(m->reader);
	free(m);
}
