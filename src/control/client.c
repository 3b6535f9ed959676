/* SPDX-License-Identifier: MIT */
/* client.c - what commands ask of a daemon that serves their store. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_i.h"
#include "propexofs/codec.h"

px_rc px_control_connect(const char *store, int *ret_fd, struct px_err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return px_err_sys(err, errno, "socket");
	if (control_at(store, fd, false, false)) {
		(void)close(fd);
		return px_err_set(err, PX_ENOENT, "no daemon can be asked for %s", store);
	}
	*ret_fd = fd;
	return PX_OK;
}

static void add_strings(struct px_buf *b, const char *key, const struct px_strings *s)
{
	px_buf_addf(b, ",\"%s\":[", key);
	for (size_t i = 0; i < s->count; i++) {
		if (i)
			px_buf_addc(b, ',');
		px_buf_add_jsons(b, s->list[i]);
	}
	px_buf_addc(b, ']');
}

/* Calls for each answer until the last one, whose "end" it leaves in *ret_end (into l). */
static px_rc converse(struct control_lines *l, const struct px_buf *request,
	void (*each)(void *arg, struct px_span answer), void *arg, const _Atomic bool *stop,
	struct px_span *ret_end, struct px_err *err)
{
	px_rc rc = px_buf_ok(request, err);

	/* a daemon that refuses at once has said why before it closed */
	if (!rc)
		(void)control_send(l->fd, request);
	while (!rc) {
		struct px_span line, end, error;

		rc = control_line(l, stop, &line.p, &line.len, err);
		if (!rc)
			rc = px_json_check(line.p, line.len, err);
		if (rc)
			break;
		end = px_json_member(line, "end");
		error = px_json_member(line, "error");
		if (error.p) {
			PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(4096);

			(void)px_json_string(error, &text);
			rc = px_err_set(err, PX_EIO, "%s",
				px_buf_ok(&text, NULL) || !text.data ? "?" : text.data);
		} else if (end.p) {
			*ret_end = end;
			break;
		} else {
			each(arg, line);
		}
	}
	return rc;
}

struct sync_client {
	void (*progress)(void *arg, const struct px_sync_progress *p);
	void *arg;
};

static void on_progress(void *arg, struct px_span answer)
{
	const struct sync_client *c = arg;
	struct px_span p = px_json_member(answer, "progress");

	if (p.p)
		c->progress(c->arg,
			&(struct px_sync_progress){
				.done = px_json_int(px_json_member(p, "done"), 0),
				.expected = px_json_int(px_json_member(p, "expected"), 0),
				.eta_s = px_json_int(px_json_member(p, "eta_s"), -1),
				.models_done = (size_t)px_json_int(
					px_json_member(p, "models_done"), 0),
				.models = (size_t)px_json_int(px_json_member(p, "models"), 0),
			});
}

px_rc px_control_sync(int fd, void (*progress)(void *arg, const struct px_sync_progress *p),
	void *arg, const _Atomic bool *stop, bool *ret_complete, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf request = PX_BUF_INIT(256);
	struct control_lines l = {.fd = fd, .have = PX_BUF_INIT(CONTROL_LINE_MAX)};
	struct sync_client c = {.progress = progress, .arg = arg};
	struct px_span end;
	px_rc rc;

	px_buf_adds(&request, "{\"do\":\"sync\"}");
	rc = converse(&l, &request, on_progress, &c, stop, &end, err);
	if (!rc)
		*ret_complete = px_json_bool(px_json_member(end, "complete"), false);
	px_buf_release(&l.have);
	(void)close(fd);
	return rc;
}

struct verify_client {
	void (*tell)(void *arg, const char *line);
	void *arg;
};

static void on_line(void *arg, struct px_span answer)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(CONTROL_LINE_MAX);
	const struct verify_client *c = arg;
	struct px_span line = px_json_member(answer, "line");

	if (line.p && !px_json_string(line, &text) && text.data)
		c->tell(c->arg, text.data);
}

px_rc px_control_verify(int fd, const struct px_conf *conf,
	void (*tell)(void *arg, const char *line), void *arg, const _Atomic bool *stop,
	struct px_verify_result *ret, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf request = PX_BUF_INIT(CONTROL_LINE_MAX);
	struct control_lines l = {.fd = fd, .have = PX_BUF_INIT(CONTROL_LINE_MAX)};
	struct verify_client c = {.tell = tell, .arg = arg};
	struct px_span end;
	px_rc rc;

	memset(ret, 0, sizeof *ret);
	px_buf_addf(&request, "{\"do\":\"verify\",\"sample\":%d", conf->sample);
	add_strings(&request, "integrations", &conf->integrations);
	add_strings(&request, "models", &conf->models);
	px_buf_addc(&request, '}');
	rc = converse(&l, &request, on_line, &c, stop, &end, err);
	if (!rc) {
		ret->compared = px_json_int(px_json_member(end, "compared"), 0);
		ret->differences = px_json_int(px_json_member(end, "differences"), 0);
		ret->unreadable = px_json_int(px_json_member(end, "unreadable"), 0);
	}
	px_buf_release(&l.have);
	(void)close(fd);
	return rc;
}
