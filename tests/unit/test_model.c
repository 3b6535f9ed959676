/* SPDX-License-Identifier: MIT */
/* test_model.c - the tables agree with what the API reference says of names, parents and paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "propexofs/model.h"

static void models_are_sorted_and_unique(void **state)
{
	(void)state;
	for (int i = 1; i < PX_MODEL_COUNT; i++)
		assert_true(strcmp(px_models[i - 1].dir, px_models[i].dir) < 0);
	for (int i = 0; i < PX_MODEL_COUNT; i++) {
		assert_int_equal(px_model_by_dir(px_models[i].dir), i);
		assert_true(px_models[i].nfields > 5);
		assert_string_equal(px_models[i].fields[0].name, "id");
		assert_memory_equal(px_models[i].list_path, "/v1/", 4);
	}
}

/* API reference §10.2: the names that are not the URL's. */
static void internal_names_that_differ(void **state)
{
	static const char *const rows[][2] = {{"vendors", "service_request_vendors"},
		{"service-request-history", "service_request_notes"},
		{"unit-types", "entrata_unit_types"},
		{"application-templates", "rentvine_application_templates"},
		{"unit-details", "unit_details"}, {"unit-pricing", "unit_pricing"},
		{"construction-job-details", "construction_job_details"},
		{"contracts", "contracts"}, {"contract-details", "contract_details"},
		{"purchase-order-items", "purchase_order_items"}, {"events", "events"}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int m = px_model_by_dir(rows[i][0]);

		assert_true(m >= 0);
		assert_string_equal(px_models[m].snake, rows[i][1]);
		assert_int_equal(px_model_by_any(rows[i][0]), m);
		assert_int_equal(px_model_by_any(rows[i][1]), m);
		assert_int_equal(px_model_by_any(px_models[m].object), m);
	}
	assert_string_equal(px_models[px_model_by_dir("appointments")].snake, "events");
	assert_int_equal(
		px_models[px_model_by_dir("appointments")].view_of, px_model_by_dir("events"));
	assert_int_equal(px_model_by_any("service-requests"), px_model_by_dir("service-requests"));
	assert_int_equal(px_model_by_any("service_requests"), px_model_by_dir("service-requests"));
	assert_int_equal(px_model_by_any("nonsense"), -1);
}

static void paths_and_parents(void **state)
{
	static const char *const without_get[] = {"appointments", "construction-job-details",
		"contracts", "contract-details", "lead-relationships", "unit-pricing",
		"purchase-order-items", "timezones"};
	size_t without = 0;

	(void)state;
	for (int i = 0; i < PX_MODEL_COUNT; i++)
		without += !px_models[i].get_path;
	assert_int_equal(without, sizeof without_get / sizeof *without_get);
	for (size_t i = 0; i < without; i++)
		assert_null(px_models[px_model_by_dir(without_get[i])].get_path);
	assert_string_equal(
		px_models[px_model_by_dir("unit-details")].list_path, "/v1/units/details");
	assert_string_equal(
		px_models[px_model_by_dir("unit-details")].get_path, "/v1/units/details/{}");
	assert_string_equal(px_models[px_model_by_dir("contract-details")].list_path,
		"/v1/construction-jobs/contracts/{}/details");
	assert_int_equal(px_models[px_model_by_dir("contract-details")].parent,
		px_model_by_dir("contracts"));
	assert_null(px_models[px_model_by_dir("construction-job-details")].parent_member);
	assert_string_equal(px_models[px_model_by_dir("purchase-order-items")].parent_member,
		"purchase_order_id");
	assert_false(px_models[px_model_by_dir("fees")].by_integration);
	assert_true(px_models[px_model_by_dir("residents")].by_integration);
}

static void webhook_models(void **state)
{
	size_t event_only = 0;
	const struct px_webhook_model *w;

	(void)state;
	assert_int_equal(px_webhook_model_count, 112);
	for (size_t i = 0; i < px_webhook_model_count; i++)
		event_only += px_webhook_models[i].event_only;
	assert_int_equal(event_only, 25);
	w = px_webhook_model_by_name("residents-to-leases", 19);
	assert_non_null(w);
	assert_int_equal(w->models[0], -1);
	for (int k = 0; k < 2; k++)
		assert_string_equal(w->parent_member[k],
			w->parents[k] == px_model_by_dir("leases") ? "lease_id" : "resident_id");
	w = px_webhook_model_by_name("events", 6);
	assert_true(w->models[0] >= 0 && w->models[1] >= 0 && w->models[2] == -1);
	assert_null(px_webhook_model_by_name("inventory_items", 15));
	assert_null(px_webhook_model_by_name("event", 5));
}

static void links_lead_to_models(void **state)
{
	const struct px_model *leases = &px_models[px_model_by_dir("leases")];
	bool unit = false;

	(void)state;
	for (size_t i = 0; i < leases->nfields; i++) {
		assert_in_range(leases->fields[i].link + 1, 0, PX_MODEL_COUNT);
		if (!strcmp(leases->fields[i].name, "unit_id")) {
			unit = true;
			assert_int_equal(leases->fields[i].link, px_model_by_dir("units"));
		}
	}
	assert_true(unit);
}

static void schemas_are_json(void **state)
{
	(void)state;
	for (int i = 0; i < PX_MODEL_COUNT; i++) {
		struct px_buf b = PX_BUF_INIT(1 << 20);
		cJSON *doc, *properties;

		assert_int_equal(px_model_schema(i, &b), 0);
		doc = cJSON_Parse(b.data);
		assert_non_null(doc);
		properties = cJSON_GetObjectItem(doc, "properties");
		assert_int_equal(cJSON_GetArraySize(properties), px_models[i].nfields);
		assert_string_equal(
			cJSON_GetObjectItem(doc, "title")->valuestring, px_models[i].dir);
		cJSON_Delete(doc);
		px_buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(models_are_sorted_and_unique),
		cmocka_unit_test(internal_names_that_differ),
		cmocka_unit_test(paths_and_parents),
		cmocka_unit_test(webhook_models),
		cmocka_unit_test(links_lead_to_models),
		cmocka_unit_test(schemas_are_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
