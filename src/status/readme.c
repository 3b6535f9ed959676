/* SPDX-License-Identifier: MIT */
/*
 * readme.c - README.md of the mount: what is here, and what to try.
 *
 * Invariant: it says only what is there. An entry that comes to the tree gets a row here; the list
 * of models is the table's.
 */
#include "propexofs/status.h"

#include <string.h>

#include "propexofs/model.h"

enum { WIDTH = 78 };

static const struct {
	const char *path, *what;
} entries[] = {
	{"status.json", "the daemon, the API, the store, a line of truth for each integration"},
	{"metrics.prom", "the same as Prometheus text"},
	{"schema/<model>.json", "JSON Schema of a model: members, types, where its ids lead"},
	{"events/<day>.jsonl", "what happened, a line each; latest.jsonl is the newest day"},
	{"by-name/<name>", "links to the integrations, by their names"},
	{"integrations/<id>/", "one directory for each integration:"},
	{"  integration.json", "what Propexo says of it"},
	{"  status.json", "how far the mirror of each model is"},
	{"  data-access.json", "Propexo's permissions"},
	{"  schedules.json", "Propexo's sync plan"},
	{"  properties.json", "which properties are covered"},
	{"  jobs.jsonl", "Propexo's newest jobs"},
	{"  events/<day>.jsonl", "its part of the log (the model events is there, too)"},
	{"  <model>/<id>.json", "a record, as the API sent it, indented"},
};

static const char head[] =
	"# Propexo data\n"
	"\n"
	"This is a read-only mirror of your company's Propexo data, made by propexofs.\n"
	"Every record is a JSON file. Reading costs no API request and works offline;\n"
	"a file that is open never changes, the next open sees the newest version.\n"
	"\n"
	"## What is here\n"
	"\n";

static const char tail[] =
	"\n"
	"## What to try\n"
	"\n"
	"    ls by-name/\n"
	"    cat status.json\n"
	"    ls integrations/*/residents | head\n"
	"    grep -rl '\"email_1\": \"mary@' integrations/*/residents\n"
	"    jq -r .status integrations/*/leases/*.json | sort | uniq -c\n"
	"    rsync -a integrations/ /backup/propexo/\n"
	"\n"
	"## Good to know\n"
	"\n"
	"* Until a model has been read whole, listing its directory shows what is there\n"
	"  and then fails with \"Device or resource busy\", so that a backup never takes\n"
	"  a part for the whole. Shell globs ignore that error: scripts that use them\n"
	"  ask `propexofs ready MOUNTPOINT` first.\n"
	"* The modification time is the record's `updated_at`; the change time is when\n"
	"  the bytes were stored here. A file's inode number changes exactly when its\n"
	"  content does.\n"
	"* `last_seen` alone changes nothing: the file keeps that of its version.\n"
	"* inotify does not see changes that arrive from Propexo; `propexofs events -f`\n"
	"  does.\n"
	"* What Propexo disables, archives or refuses stays readable here.\n";

px_rc px_status_readme(struct px_buf *out, struct px_err *err)
{
	size_t at = 0;

	px_buf_adds(out, head);
	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
		px_buf_addf(out, "    %-22s%s\n", entries[i].path, entries[i].what);
	px_buf_adds(out, "\n## Models\n\n");
	for (int m = 0; m < PX_MODEL_COUNT; m++) {
		const char *name = px_models[m].dir;
		size_t len = strlen(name) + (m + 1 < PX_MODEL_COUNT);

		if (at && at + 1 + len > WIDTH) {
			px_buf_addc(out, '\n');
			at = 0;
		}
		px_buf_addf(out, "%s%s%s", at ? " " : "", name, m + 1 < PX_MODEL_COUNT ? "," : "");
		at += len + (at ? 1 : 0);
	}
	px_buf_addc(out, '\n');
	px_buf_adds(out, tail);
	return px_buf_ok(out, err);
}
