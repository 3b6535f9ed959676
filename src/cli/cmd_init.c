/* SPDX-License-Identifier: MIT */
/*
 * cmd_init.c - a first configuration: the key is asked for, files are written, the doctor looks.
 *
 * Invariants: nothing is written before everything is known; what exists is replaced only after a
 * yes at a terminal; the key is in its own file and nowhere else, and is overwritten in memory.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char standard_url[] = "https://api.propexo.com";

struct making {
	char *path, *key_path;
	struct px_secret key;
	bool replace;
};

static void release(struct making *m)
{
	free(m->path);
	free(m->key_path);
	px_secret_wipe(&m->key);
}

/* Whether what is there may be replaced. */
static px_rc ask_leave(struct making *m, struct px_err *err)
{
	const char *const paths[] = {m->path, m->key_path};
	char prompt[4200];
	px_rc rc = PX_OK;

	for (int i = 0; i < 2 && !rc; i++) {
		bool yes = false;

		if (access(paths[i], F_OK))
			continue;
		if (isatty(STDIN_FILENO)) {
			(void)snprintf(
				prompt, sizeof prompt, "%s exists: overwrite it? [y/N] ", paths[i]);
			rc = px_cli_ask_yes(prompt, &yes, err);
		}
		if (!rc && !yes)
			rc = px_err_set(err, PX_EEXIST,
				"%s exists and is left as it is: remove it, or give another NAME",
				paths[i]);
		m->replace = true;
	}
	return rc;
}

static px_rc ask_key(struct making *m, struct px_err *err)
{
	px_rc rc = px_cli_ask_secret("Propexo API key (not shown): ", &m->key, err);

	if (!rc && !m->key.len)
		return px_err_set(err, PX_EUSAGE, "no key was given: nothing is written");
	return rc ? rc : px_conf_check_key(&m->key, err);
}

static px_rc write_key(const struct making *m, struct px_err *err)
{
	struct px_buf text = PX_BUF_INIT(8192);
	px_rc rc;

	px_buf_add(&text, m->key.text, m->key.len);
	px_buf_addc(&text, '\n');
	rc = px_buf_ok(&text, err);
	if (!rc)
		rc = px_conf_write(m->key_path, text.data, text.len, m->replace, err);
	px_buf_wipe(&text);
	return rc;
}

static px_rc write_conf(const struct making *m, const char *api_url, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(1 << 16);
	px_rc rc;

	px_buf_addf(&text,
		"# propexofs; see propexofs.conf(5) for every key\n"
		"api-key-file = %s\n",
		strrchr(m->key_path, '/') + 1);
	if (strcmp(api_url, standard_url) != 0)
		px_buf_addf(&text, "api-url = %s\n", api_url);
	px_buf_adds(&text, "#mountpoint = ~/propexo\n"
			   "#refresh = 300\n"
			   "#webhook-listen = 127.0.0.1:8480\n"
			   "#webhook-secret-file = webhook-secret\n");
	rc = px_buf_ok(&text, err);
	return rc ? rc : px_conf_write(m->path, text.data, text.len, m->replace, err);
}

static px_rc make(struct making *m, const char *name, const char *api_url, struct px_err *err)
{
	px_rc rc = px_conf_new_paths(name, &m->path, &m->key_path, err);

	if (!rc)
		rc = ask_leave(m, err);
	if (!rc)
		rc = ask_key(m, err);
	if (!rc)
		rc = write_key(m, err);
	if (!rc)
		rc = write_conf(m, api_url, err);
	px_secret_wipe(&m->key);
	if (!rc && printf("wrote %s and %s\n", m->path, m->key_path) < 0)
		rc = px_err_set(err, PX_EIO, "standard output cannot be written");
	return rc;
}

px_rc px_cmd_init(int argc, char **argv, int *ret_code, struct px_err *err)
{
	const struct rlimit none = {0, 0};
	struct making m = {.path = NULL};
	struct px_conf c;
	char **operands = NULL;
	int n = 0;
	px_rc rc = px_conf_load(argc, argv, PX_CMD_INIT, &c, &operands, &n, err);

	if (rc)
		return rc;
	(void)setrlimit(RLIMIT_CORE, &none); /* a dump would hold the key */
	if (n > 1)
		rc = px_err_set(err, PX_EUSAGE, "too many operands: usage: propexofs init [NAME]");
	else
		rc = make(&m, n ? operands[0] : "default", c.api_url, err);
	free(operands);
	px_conf_release(&c);
	if (!rc) {
		char *check[] = {(char *)"check", (char *)"--config", m.path, NULL};

		rc = px_cmd_check(3, check, ret_code, err);
	}
	release(&m);
	return rc;
}
