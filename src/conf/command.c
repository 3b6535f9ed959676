/* SPDX-License-Identifier: MIT */
/*
 * command.c - the key from a program: api-key-command.
 *
 * Invariants: the key travels through a pipe and nowhere else, never through an argument or a file;
 * what is read of it is overwritten; the command and everything that it started end with the call,
 * however it ends. It inherits standard error, so that a password manager can say what it needs,
 * and nothing else of ours.
 */
#include "conf_i.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "propexofs/hash.h"

enum {
	COMMAND_TIMEOUT_S = 30,
	OUTPUT_MAX = 4096,
	STEP_MS = 20, /* how soon an end or a stop is seen */
};

/* Between fork and exec: system calls alone, for other threads may hold any lock. */
static _Noreturn void become(const char *command, int out)
{
	const struct sigaction standard = {.sa_handler = SIG_DFL};
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	(void)setpgid(0, 0);
	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &standard, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
	(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

struct output {
	char text[OUTPUT_MAX + 1];
	size_t len;
};

/* A password manager takes the time that a person takes: real time, whatever the clock says. */
static int64_t real_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Its number stays taken, so that its group can still be ended. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

/* Reads all that the shell writes until it ends. What it left in the background may keep the pipe:
 * that is not waited for. */
static px_rc drain(
	pid_t pid, int fd, struct output *o, const _Atomic bool *stop, struct px_err *err)
{
	int64_t deadline = real_ms() + COMMAND_TIMEOUT_S * INT64_C(1000);

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		bool ended = has_ended(pid); /* before the read: it gets the last of it */
		ssize_t n = read(fd, o->text + o->len, sizeof o->text - o->len);

		if (n > 0 && (o->len += (size_t)n) > OUTPUT_MAX)
			return px_err_set(err, PX_EIO,
				"key command: printed more than %d bytes: not a key", OUTPUT_MAX);
		if (n > 0)
			continue;
		if (ended)
			return PX_OK;
		if (stop && *stop)
			return px_err_set(err, PX_ECANCELED, "key command: stopped");
		if (real_ms() >= deadline)
			return px_err_set(err, PX_EIO, "key command: has not ended after %d s",
				COMMAND_TIMEOUT_S);
		/* at the end of the output there is nothing to poll for */
		(void)poll(&p, n ? 1 : 0, STEP_MS);
	}
}

/* Ends what is still there of the command; 0 when the shell had ended well by itself. */
static px_rc put_down(pid_t pid, struct px_err *err)
{
	int status = 0;

	(void)kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		return px_err_set(err, PX_EIO, "key command: ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status))
		return px_err_set(err, PX_EIO, "key command: exit code %d", WEXITSTATUS(status));
	return PX_OK;
}

static px_rc first_line(const struct output *o, struct px_secret *ret, struct px_err *err)
{
	const char *nl = memchr(o->text, '\n', o->len);
	px_rc rc = px_secret_set(ret, o->text, nl ? (size_t)(nl - o->text) : o->len, err);

	return rc ? rc : px_secret_check(ret, "key command: its first line", err);
}

px_rc px_conf_key_command(
	const char *command, const _Atomic bool *stop, struct px_secret *ret, struct px_err *err)
{
	struct output o = {.len = 0};
	struct px_secret key = {0};
	px_rc rc, ended;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return px_err_sys(err, errno, "key command");
	pid = fork();
	if (!pid)
		become(command, fds[1]);
	rc = pid < 0 ? px_err_sys(err, errno, "key command: cannot start it") : PX_OK;
	(void)close(fds[1]);
	if (!rc) {
		/* on both sides: the group is there before it may have to be ended */
		(void)setpgid(pid, pid);
		(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
		rc = drain(pid, fds[0], &o, stop, err);
		ended = put_down(pid, rc ? NULL : err);
		rc = rc ? rc : ended;
	}
	(void)close(fds[0]);
	if (!rc)
		rc = first_line(&o, &key, err);
	px_wipe(&o, sizeof o);
	if (rc) {
		px_secret_wipe(&key);
		return rc;
	}
	px_secret_wipe(ret);
	*ret = key;
	return PX_OK;
}
