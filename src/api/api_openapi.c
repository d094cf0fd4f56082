/*
 * api_openapi: the OpenAPI 3.1 document of the routes' table.
 *
 * Threads: any.
 */
#include "api/api_route.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* "a|b" as ["a", "b"] */
static json_t *choices_json(const char *choices)
{
	json_t *list = json_array();

	for (const char *p = choices; *p; p += strcspn(p, "|"), p += *p == '|')
		json_array_append_new(list, json_stringn(p, strcspn(p, "|")));
	return list;
}

static json_t *type_json(const struct api_param *p)
{
	switch (p->type) {
	case API_COUNT:
		return json_pack(
		    "{s:s, s:i, s:i}", "type", "integer", "minimum", 1, "maximum", (int)p->max);
	case API_NUMBER:
		return json_pack(
		    "{s:s, s:s, s:i}", "type", "integer", "format", "int64", "minimum", 1);
	case API_TIME:
		return json_pack("{s:s, s:s}", "type", "string", "format", "date-time");
	case API_CHOICE:
		return json_pack("{s:s, s:o}", "type", "string", "enum", choices_json(p->choices));
	case API_TEXT:
		break;
	}
	return json_pack(
	    "{s:s, s:i, s:i}", "type", "string", "minLength", 1, "maxLength", API_TEXT_MAX);
}

static json_t *ref(const char *kind, const char *name)
{
	return json_pack("{s:o}", "$ref", json_sprintf("#/components/%s/%s", kind, name));
}

static json_t *params_json(const struct api_route *r)
{
	json_t *list = json_array();

	for (const struct api_param *p = r->params; p < r->params + API_PARAMS_MAX && p->name; p++)
		if (p->in != API_IN_BODY)
			json_array_append_new(
			    list, json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", p->name, "in",
				      p->in == API_IN_PATH ? "path" : "query", "required",
				      p->in == API_IN_PATH, "description", p->help, "schema",
				      type_json(p)));
	return list;
}

static json_t *body_json(const struct api_route *r)
{
	json_t *properties = json_object();

	for (const struct api_param *p = r->params; p < r->params + API_PARAMS_MAX && p->name; p++)
		if (p->in == API_IN_BODY) {
			json_t *t = type_json(p);

			json_object_set_new(t, "description", json_string(p->help));
			json_object_set_new(properties, p->name, t);
		}
	return json_pack("{s:b, s:{s:{s:{s:s, s:b, s:o}}}}", "required", 0, "content",
	    "application/json", "schema", "type", "object", "additionalProperties", 0, "properties",
	    properties);
}

/* What is told beside the systems. */
static void add_status(json_t *properties)
{
	static const char *const counts[] = {"running", "queued", "missed"};

	json_object_set_new(properties, "daemon", ref("schemas", "Health"));
	json_object_set_new(properties, "repositories",
	    json_pack("{s:s, s:o}", "type", "array", "items", ref("schemas", "Repository")));
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		json_object_set_new(properties, counts[i], json_pack("{s:s}", "type", "integer"));
}

static json_t *answer_schema(const struct api_route *r)
{
	json_t *one = r->shape ? ref("schemas", r->shape->name)
			       : json_pack("{s:s}", "type", "object");
	json_t *properties;

	if (r->key == NULL)
		return one;
	if (r->answers == API_LIST)
		one = json_pack("{s:s, s:o}", "type", "array", "items", one);
	properties = json_pack(
	    "{s:{s:s, s:[i]}, s:o}", "schema", "type", "integer", "enum", 1, r->key, one);
	if (strcmp(r->id, "listRuns") == 0)
		json_object_set_new(properties, "next",
		    json_pack("{s:[s, s], s:s}", "type", "string", "null", "description",
			"`cursor` of the next page; null: this is the last"));
	if (strcmp(r->id, "getStatus") == 0)
		add_status(properties);
	return json_pack("{s:s, s:[s, s], s:o}", "type", "object", "required", "schema", r->key,
	    "properties", properties);
}

static json_t *good_json(const struct api_route *r)
{
	static const char *const media[] = {
	    [API_JSON] = "application/json",
	    [API_LIST] = "application/json",
	    [API_PLAIN] = "text/plain",
	    [API_METRICS_TEXT] = "text/plain",
	    [API_STREAM] = "text/event-stream",
	};
	bool text = r->answers >= API_PLAIN;
	json_t *schema = text ? json_pack("{s:s}", "type", "string") : answer_schema(r);

	/* What stands in each `data:` of the stream. */
	if (r->answers == API_STREAM) {
		json_object_set_new(schema, "contentMediaType", json_string("application/json"));
		json_object_set_new(schema, "contentSchema", ref("schemas", r->shape->name));
	}
	return json_pack("{s:s, s:{s:{s:o}}}", "description", r->summary, "content",
	    media[r->answers], "schema", schema);
}

static json_t *operation_json(const struct api_route *r)
{
	const char *good = strcmp(r->method, "POST") != 0 ? "200"
			   : r->right == API_OPERATE      ? "202"
			   : r->right == API_APPROVE      ? "201"
							  : "200";
	json_t *answers = json_pack("{s:o}", good, good_json(r));
	json_t *o = json_pack("{s:s, s:s, s:o}", "operationId", r->id, "summary", r->summary,
	    "parameters", params_json(r));
	static const char *const scopes[] = {
	    [API_OPEN] = "No token is asked for on the socket and on loopback.",
	    [API_READ] = "Scope: any.",
	    [API_OPERATE] = "Scope: operator or admin.",
	    [API_APPROVE] = "Scope: approver or admin.",
	    [API_AUDIT] = "Scope: auditor or admin.",
	    [API_ADMINISTER] = "Scope: admin.",
	};

	json_object_set_new(o, "description", json_string(scopes[r->right]));
	if (r->right == API_OPEN) {
		json_object_set_new(o, "security", json_pack("[{}, {s:[]}]", "token"));
		json_object_set_new(answers, "503", good_json(r));
	}
	if (strcmp(r->method, "POST") == 0)
		json_object_set_new(o, "requestBody", body_json(r));
	if (strcmp(r->id, "runSystem") == 0)
		json_object_set_new(answers, "200", good_json(r));
	json_object_set_new(answers, "4XX", ref("responses", "Problem"));
	json_object_set_new(answers, "5XX", ref("responses", "Problem"));
	json_object_set_new(o, "responses", answers);
	return o;
}

static json_t *paths_json(void)
{
	json_t *paths = json_object();

	for (size_t i = 0; i < api_routes_count; i++) {
		const struct api_route *r = &api_routes[i];
		json_t *path = json_object_get(paths, r->path);

		if (path == NULL) {
			path = json_object();
			json_object_set_new(paths, r->path, path);
		}
		json_object_set_new(
		    path, strcmp(r->method, "GET") == 0 ? "get" : "post", operation_json(r));
	}
	return paths;
}

static json_t *components_json(void)
{
	static const struct shape *const shapes[] = {&shape_run, &shape_system, &shape_event,
	    &shape_health, &shape_snapshot, &shape_file, &shape_repository, &shape_coming};
	json_t *schemas = json_object(), *problem;

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		json_object_set_new(schemas, shapes[i]->name, shape_schema(shapes[i]));
	problem = json_pack("{s:s, s:[s, s, s, s], s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, "
			    "s:{s:s}, s:{s:s}}}",
	    "type", "object", "required", "schema", "status", "kind", "message", "properties",
	    "schema", "type", "integer", "type", "type", "string", "status", "type", "integer",
	    "kind", "type", "string", "title", "type", "string", "message", "type", "string",
	    "hint", "type", "string");
	json_object_set_new(schemas, "Problem", problem);
	return json_pack("{s:o, s:{s:{s:s, s:{s:{s:o}}}}, s:{s:{s:s, s:s, s:s}}}", "schemas",
	    schemas, "responses", "Problem", "description", "It was not done, and why", "content",
	    "application/problem+json", "schema", ref("schemas", "Problem"), "securitySchemes",
	    "token", "type", "http", "scheme", "bearer", "description",
	    "holdfast token add NAME --scope SCOPE. The local socket needs none.");
}

int api_get_openapi(struct api_call *c, struct err *e)
{
	c->json = json_pack("{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:s}], s:[{s:[]}]}",
	    "openapi", "3.1.0", "info", "title", "Holdfast", "version", HF_VERSION, "description",
	    "What the backup daemon did, does and will do.", "license", "name", "MIT", "identifier",
	    "MIT", "servers", "url", "/", "security", "token");
	mem_checked(c->json);
	json_object_set_new(c->json, "paths", paths_json());
	json_object_set_new(c->json, "components", components_json());
	return 0;
}
