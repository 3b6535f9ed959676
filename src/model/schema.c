/* SPDX-License-Identifier: MIT */
/*
 * schema.c - JSON Schema of a model's records, from the table.
 *
 * The API declares no formats, so none is asserted: what a name suggests is said in x-propexo-hint,
 * and which directory an id leads to in x-propexo-link. Unknown members are allowed, for the lists
 * grow.
 */
#include "propexofs/model.h"

#include <string.h>

static const char *const type_words[] = {
	[PX_TYPE_STRING] = "string",
	[PX_TYPE_NUMBER] = "number",
	[PX_TYPE_INTEGER] = "integer",
	[PX_TYPE_BOOLEAN] = "boolean",
	[PX_TYPE_OBJECT] = "object",
	[PX_TYPE_ARRAY] = "array",
};

static const char *const hint_words[] = {
	[PX_HINT_ID] = "id",
	[PX_HINT_TIMESTAMP] = "timestamp",
	[PX_HINT_DATE] = "date",
	[PX_HINT_CENTS] = "cents",
};

static void line(struct px_buf *out, int depth, const char *text)
{
	px_buf_addf(out, "%*s%s", depth * 2, "", text);
}

static void object_body(struct px_buf *out, const struct px_field *fields, size_t count, int depth);

static void enumeration(struct px_buf *out, const struct px_field *f, int depth)
{
	if (!f->enumeration)
		return;
	px_buf_adds(out, ",\n");
	line(out, depth, f->enum_open ? "\"examples\": [" : "\"enum\": [");
	for (const char *const *e = f->enumeration; *e; e++) {
		if (e != f->enumeration)
			px_buf_adds(out, ", ");
		px_buf_add_jsons(out, *e);
	}
	if (f->nullable && !f->enum_open)
		px_buf_adds(out, ", null");
	px_buf_addc(out, ']');
}

static void type_of(struct px_buf *out, const struct px_field *f, int depth)
{
	if (f->type == PX_TYPE_ANY) {
		line(out, depth, "\"description\": \"any value\"");
		return;
	}
	line(out, depth, "\"type\": ");
	px_buf_addf(out, f->nullable ? "[\"%s\", \"null\"]" : "\"%s\"", type_words[f->type]);
}

static void field(struct px_buf *out, const struct px_field *f, int depth)
{
	line(out, depth, "");
	px_buf_add_jsons(out, f->name);
	px_buf_adds(out, ": {\n");
	type_of(out, f, depth + 1);
	enumeration(out, f, depth + 1);
	if (f->deprecated) {
		px_buf_adds(out, ",\n");
		line(out, depth + 1, "\"deprecated\": true");
	}
	if (f->hint != PX_HINT_NONE) {
		px_buf_adds(out, ",\n");
		line(out, depth + 1, "\"x-propexo-hint\": ");
		px_buf_add_jsons(out, hint_words[f->hint]);
	}
	if (f->link >= 0) {
		px_buf_adds(out, ",\n");
		line(out, depth + 1, "\"x-propexo-link\": ");
		px_buf_add_jsons(out, px_models[f->link].dir);
	}
	if (f->type == PX_TYPE_OBJECT && f->nfields) {
		px_buf_adds(out, ",\n");
		object_body(out, f->fields, f->nfields, depth + 1);
	} else if (f->type == PX_TYPE_ARRAY && (f->nfields || f->items != PX_TYPE_ANY)) {
		px_buf_adds(out, ",\n");
		line(out, depth + 1, "\"items\": {\n");
		line(out, depth + 2, "\"type\": ");
		px_buf_add_jsons(out, f->nfields ? "object" : type_words[f->items]);
		if (f->nfields) {
			px_buf_adds(out, ",\n");
			object_body(out, f->fields, f->nfields, depth + 2);
		}
		px_buf_addc(out, '\n');
		line(out, depth + 1, "}");
	}
	px_buf_addc(out, '\n');
	line(out, depth, "}");
}

static void object_body(struct px_buf *out, const struct px_field *fields, size_t count, int depth)
{
	bool first = true;

	line(out, depth, "\"properties\": {\n");
	for (size_t i = 0; i < count; i++) {
		if (i)
			px_buf_adds(out, ",\n");
		field(out, &fields[i], depth + 1);
	}
	px_buf_addc(out, '\n');
	line(out, depth, "},\n");
	line(out, depth, "\"required\": [");
	for (size_t i = 0; i < count; i++) {
		if (fields[i].optional)
			continue;
		if (!first)
			px_buf_adds(out, ", ");
		first = false;
		px_buf_add_jsons(out, fields[i].name);
	}
	px_buf_adds(out, "]");
}

int px_model_schema(int model, struct px_buf *out)
{
	const struct px_model *m = &px_models[model];

	px_buf_adds(out, "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  "
			 "\"title\": ");
	px_buf_add_jsons(out, m->dir);
	px_buf_adds(out, ",\n  \"x-propexo-path\": ");
	px_buf_add_jsons(out, m->list_path);
	px_buf_adds(out, ",\n  \"x-propexo-webhook-model\": ");
	px_buf_add_jsons(out, m->snake);
	if (m->parent >= 0) {
		px_buf_adds(out, ",\n  \"x-propexo-parent\": ");
		px_buf_add_jsons(out, px_models[m->parent].dir);
	}
	px_buf_adds(out, ",\n  \"type\": \"object\",\n");
	object_body(out, m->fields, m->nfields, 1);
	px_buf_adds(out, "\n}\n");
	return px_buf_ok(out, NULL);
}
