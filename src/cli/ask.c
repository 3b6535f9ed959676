/* SPDX-License-Identifier: MIT */
/*
 * ask.c - questions to whoever sits at the terminal, or to the pipe that stands in for them.
 *
 * Invariants: the terminal is as it was before, however a question ends: answered, interrupted,
 * stopped and continued; an answer is read byte by byte into one buffer, so that no other holds
 * it. Without a terminal nothing is printed.
 */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "propexofs/hash.h"

enum { ANSWER_MAX = 4096 };

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
enum { CAUGHT = sizeof caught / sizeof *caught };

static volatile sig_atomic_t arrived;

static void on_signal(int sig)
{
	arrived = sig;
}

struct line {
	char text[ANSWER_MAX + 1];
	size_t len;
	bool end; /* of input, before a line end */
};

/* One line from standard input; PX_ECANCELED when a signal came first. */
static px_rc read_line(struct line *l, struct px_err *err)
{
	l->len = 0;
	l->end = false;
	for (;;) {
		char c;
		ssize_t n = arrived ? -1 : read(STDIN_FILENO, &c, 1);

		if (arrived || (n < 0 && errno == EINTR))
			return px_err_set(err, PX_ECANCELED, "interrupted");
		if (n < 0)
			return px_err_sys(err, errno, "standard input");
		l->end = n == 0;
		if (!n || c == '\n')
			return PX_OK;
		if (l->len == ANSWER_MAX)
			return px_err_set(
				err, PX_EUSAGE, "a line longer than %d bytes", ANSWER_MAX);
		l->text[l->len++] = c;
		l->text[l->len] = '\0';
	}
}

/* One question at a terminal; *ret_signal: what interrupted it, 0 nothing. */
static px_rc ask_once(
	const char *prompt, bool hidden, struct line *l, int *ret_signal, struct px_err *err)
{
	const struct sigaction catch = {.sa_handler = on_signal}; /* no SA_RESTART: read ends */
	struct sigaction before[CAUGHT];
	struct termios was, quiet;
	px_rc rc;

	if (tcgetattr(STDIN_FILENO, &was))
		return px_err_sys(err, errno, "the terminal");
	arrived = 0;
	for (int i = 0; i < CAUGHT; i++)
		(void)sigaction(caught[i], &catch, &before[i]);
	quiet = was;
	if (hidden)
		quiet.c_lflag &= ~(tcflag_t)ECHO;
	rc = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) ? px_err_sys(err, errno, "the terminal")
							: PX_OK;
	(void)fputs(prompt, stderr);
	(void)fflush(stderr);
	if (!rc)
		rc = read_line(l, err);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	if (hidden || rc)
		(void)fputc('\n', stderr);
	for (int i = 0; i < CAUGHT; i++)
		(void)sigaction(caught[i], &before[i], NULL);
	*ret_signal = arrived;
	return rc;
}

static px_rc ask(const char *prompt, bool hidden, struct line *l, struct px_err *err)
{
	int sig = 0;
	px_rc rc;

	if (!isatty(STDIN_FILENO))
		return read_line(l, err);
	do {
		rc = ask_once(prompt, hidden, l, &sig, err);
		if (sig)
			(void)raise(sig); /* the end, unless it was ^Z: then it is asked again */
	} while (sig == SIGTSTP);
	return rc;
}

px_rc px_cli_ask_secret(const char *prompt, struct px_secret *ret, struct px_err *err)
{
	struct line l = {.len = 0};
	px_rc rc = ask(prompt, true, &l, err);

	if (!rc) {
		ret->text = strdup(l.text);
		ret->len = l.len;
		if (!ret->text)
			rc = px_err_nomem(err);
	}
	px_wipe(&l, sizeof l);
	return rc;
}

px_rc px_cli_ask_yes(const char *prompt, bool *ret, struct px_err *err)
{
	struct line l = {.len = 0};
	px_rc rc = ask(prompt, false, &l, err);

	*ret = !rc && (l.text[0] == 'y' || l.text[0] == 'Y');
	return rc;
}
