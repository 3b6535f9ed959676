/* SPDX-License-Identifier: MIT */
/*
 * watch.c - a screen that is drawn again, or lines for a log, until somebody says stop.
 *
 * Invariants: signals are waited for between two looks and never interrupt one, so that the
 * terminal is given back whole in one place: at the end, after an error, before a ^Z. What cannot
 * be told at the moment is said and tried again; only the first look may fail.
 */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "propexofs/clock.h"
#include "propexofs/status.h"

enum { SCREEN_MAX = 4 << 20, ROWS = 24 };

/* the alternate screen without cursor, lines that are too long cut by the terminal; and back */
static const char enter[] = "\033[?1049h\033[?25l\033[?7l";
static const char leave[] = "\033[?7h\033[?25h\033[?1049l";

static px_rc put(const char *text, size_t len, struct px_err *err)
{
	if (fwrite(text, 1, len, stdout) != len || fflush(stdout))
		return px_err_sys(err, errno, "standard output");
	return PX_OK;
}

/* Of a dumb one nothing is known but that it prints lines. */
static bool is_terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) == 1 && term && *term && strcmp(term, "dumb") != 0;
}

static int height(void)
{
	struct winsize w;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || !w.ws_row ? ROWS : w.ws_row;
}

/* Each line over the one that stood there: nothing flickers. No line end after the last, which
 * would scroll. */
static px_rc draw(const struct px_buf *screen, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf out = PX_BUF_INIT(SCREEN_MAX * 2);
	const char *p = screen->data, *end = p + screen->len;
	px_rc rc;

	px_buf_adds(&out, "\033[H");
	while (p < end) {
		size_t len = strcspn(p, "\n");

		px_buf_add(&out, p, len);
		px_buf_adds(&out, "\033[K");
		p += len + 1;
		if (p < end)
			px_buf_adds(&out, "\r\n");
	}
	px_buf_adds(&out, "\033[J");
	rc = px_buf_ok(&out, err);
	return rc ? rc : put(out.data, out.len, err);
}

static px_rc show_screen(const struct px_moment *m, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf screen = PX_BUF_INIT(SCREEN_MAX);
	px_rc rc = px_status_screen(m, height(), &screen, err);

	return rc ? rc : draw(&screen, err);
}

static px_rc show_lines(const struct px_moment *m, struct px_buf *state, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf lines = PX_BUF_INIT(SCREEN_MAX);
	px_rc rc = px_status_changes(m, state, &lines, err);

	return rc || !lines.len ? rc : put(lines.data, lines.len, err);
}

/* In place of a moment. The same trouble again is no change. */
static px_rc show_trouble(bool terminal, const char *msg, struct px_buf *state, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(SCREEN_MAX);
	char t[PX_TIME_MAX];

	px_buf_addf(&text, "%s %s\n", px_time_format_s(px_clock_wall_ms(), t), msg);
	if (terminal)
		return draw(&text, err);
	if (state->len == strlen(msg) && !memcmp(state->data, msg, state->len))
		return PX_OK;
	px_buf_reset(state);
	px_buf_adds(state, msg);
	return put(text.data, text.len, err);
}

/* A second, or less when the screen changed its size; false: the end. */
static bool go_on(const sigset_t *set, bool terminal, struct px_err *err, px_rc *ret)
{
	const struct timespec second = {.tv_sec = 1};
	int sig = sigtimedwait(set, NULL, &second);

	if (sig < 0 || sig == SIGWINCH)
		return true;
	if (sig != SIGTSTP)
		return false;
	if (terminal)
		*ret = put(leave, sizeof leave - 1, err);
	(void)raise(SIGSTOP);
	if (terminal && !*ret)
		*ret = put(enter, sizeof enter - 1, err);
	return !*ret;
}

px_rc px_cli_watch(px_rc (*take)(void *arg, struct px_moment *ret, struct px_err *err), void *arg,
	struct px_err *err)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};
	PX_BUF_AUTO struct px_buf state = PX_BUF_INIT(SCREEN_MAX);
	bool terminal = is_terminal(), first = true;
	struct px_moment m;
	sigset_t set;
	px_rc rc;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaddset(&set, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	do {
		struct px_err trouble = {0};

		memset(&m, 0, sizeof m);
		rc = take(arg, &m, &trouble);
		if (rc && first) {
			*err = trouble;
			return rc;
		}
		if (first && terminal)
			rc = put(enter, sizeof enter - 1, err);
		first = false;
		if (rc)
			rc = show_trouble(terminal, trouble.msg, &state, err);
		else if (terminal)
			rc = show_screen(&m, err);
		else
			rc = show_lines(&m, &state, err);
	} while (!rc && go_on(&set, terminal, err, &rc));
	if (terminal && fputs(leave, stdout) == EOF && !rc)
		rc = px_err_sys(err, errno, "standard output");
	return rc;
}
