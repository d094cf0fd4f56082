/* api_routes: the table (api_route.h). */
#include "api/api_route.h"
#include "catalog/drill_what.h"

#define V        "/api/v1"
#define KINDS    "backup|verify|drill|copy|prune"
#define STATUSES "queued|running|completed|problems|failed|interrupted|skipped|cancelled"

#define SYSTEM                                                                                     \
	{                                                                                          \
		"name", API_IN_PATH, API_TEXT, NULL, 0, "the system's name"                        \
	}
#define AFTER                                                                                      \
	{                                                                                          \
		"after", API_IN_QUERY, API_NUMBER, NULL, 0, "those with a greater number"          \
	}
#define LINES                                                                                      \
	{                                                                                          \
		"limit", API_IN_QUERY, API_COUNT, NULL, API_PAGE_MAX,                              \
		    "so many at most; 50 where it is not said"                                     \
	}
#define RUN                                                                                        \
	{                                                                                          \
		"id", API_IN_PATH, API_NUMBER, NULL, 0, "the run's number"                         \
	}

/* clang-format off */
const struct api_route api_routes[] = {
    {"GET", "/health", API_OPEN, api_get_health, "getHealth",
	"Does the daemon live, and do what is declared? 503 where it does not", API_JSON, NULL, &shape_health, {{0}}},
    {"GET", "/metrics", API_READ, api_get_metrics, "getMetrics",
	"Metrics, as Prometheus reads them", API_METRICS_TEXT, NULL, NULL, {{0}}},
    {"GET", V "/openapi.json", API_READ, api_get_openapi, "getOpenapi",
	"This document", API_JSON, NULL, NULL, {{0}}},
    {"GET", V "/status", API_READ, api_get_status, "getStatus",
	"The daemon and every system, as they stand", API_LIST, "systems", &shape_system, {
	{"fields", API_IN_QUERY, API_TEXT, NULL, 0, "only these members of each system, separated by ','"}}},
    {"GET", V "/systems", API_READ, api_get_systems, "listSystems",
	"Every system", API_LIST, "systems", &shape_system, {{0}}},
    {"GET", V "/systems/{name}", API_READ, api_get_system, "getSystem",
	"One system", API_JSON, "system", &shape_system, {SYSTEM}},
    {"GET", V "/systems/{name}/why", API_READ, api_get_why, "getWhy",
	"Why it did not run, or when it will", API_JSON, "why", NULL, {SYSTEM}},
    {"POST", V "/systems/{name}/run", API_OPERATE, api_post_run, "runSystem",
	"Run it now; one that waits to be run already is that one (200)", API_JSON, "run", &shape_run, {SYSTEM,
	{"kind", API_IN_BODY, API_CHOICE, KINDS, 0, "of work; backup where none is named"},
	{"type", API_IN_BODY, API_TEXT, NULL, 0, "of a backup: full, incremental, differential; level of a verification: standard, comprehensive; "
	    "of a drill: [LEVEL] [" DRILL_WHAT_POINTS "] [from=DESTINATION] [to=MOMENT]; as declared where none is named"}}},
    {"GET", V "/runs", API_READ, api_get_runs, "listRuns",
	"Runs, the newest first, page by page", API_LIST, "runs", &shape_run, {
	{"system", API_IN_QUERY, API_TEXT, NULL, 0, "only of this system"},
	{"kind", API_IN_QUERY, API_TEXT, NULL, 0, "only of this kind"},
	{"status", API_IN_QUERY, API_CHOICE, STATUSES, 0, "only of this status"},
	{"since", API_IN_QUERY, API_TIME, NULL, 0, "queued then or later"},
	{"cursor", API_IN_QUERY, API_NUMBER, NULL, 0, "`next` of the page before"},
	{"limit", API_IN_QUERY, API_COUNT, NULL, API_PAGE_MAX, "so many at most; 50 where it is not said"}}},
    {"GET", V "/runs/{id}", API_READ, api_get_run, "getRun",
	"One run", API_JSON, "run", &shape_run, {RUN}},
    {"POST", V "/runs/{id}/cancel", API_OPERATE, api_post_cancel, "cancelRun",
	"Stop a run, or drop a queued one", API_JSON, NULL, NULL, {RUN}},
    {"GET", V "/runs/{id}/log", API_READ, api_get_log, "getRunLog",
	"The end of a run's execution log", API_PLAIN, NULL, NULL, {RUN,
	{"bytes", API_IN_QUERY, API_COUNT, NULL, 1 << 20, "the last so many; 64 KiB where it is not said"}}},
    {"GET", V "/snapshots", API_READ, api_get_snapshots, "listSnapshots",
	"Snapshots in all repositories, the newest first", API_LIST, "snapshots", &shape_snapshot, {
	{"system", API_IN_QUERY, API_TEXT, NULL, 0, "only of this system"},
	{"repository", API_IN_QUERY, API_TEXT, NULL, 0, "only in this repository, by name or id"},
	{"since", API_IN_QUERY, API_TIME, NULL, 0, "begun then or later"},
	{"limit", API_IN_QUERY, API_COUNT, NULL, API_PAGE_MAX, "so many at most; 50 where it is not said"}}},
    {"GET", V "/find", API_OPERATE, api_get_find, "findFiles",
	"Files in all snapshots, by name", API_LIST, "files", &shape_file, {
	{"pattern", API_IN_QUERY, API_TEXT, NULL, 0, "a part of the name, or a glob; with a '/' of the whole path"},
	{"system", API_IN_QUERY, API_TEXT, NULL, 0, "only of this system"},
	{"repository", API_IN_QUERY, API_TEXT, NULL, 0, "only in this repository, by name or id"},
	{"limit", API_IN_QUERY, API_COUNT, NULL, API_PAGE_MAX, "so many at most; 50 where it is not said"}}},
    {"GET", V "/schedule", API_READ, api_get_schedule, "getSchedule",
	"The next runs, soonest first", API_LIST, "schedule", &shape_coming, {
	{"system", API_IN_QUERY, API_TEXT, NULL, 0, "only of these systems, separated by ','"},
	{"from", API_IN_QUERY, API_TIME, NULL, 0, "due then or later; now where it is not said"},
	{"until", API_IN_QUERY, API_TIME, NULL, 0, "due before"},
	{"limit", API_IN_QUERY, API_COUNT, NULL, API_COMING_MAX, "so many at most; 50 where it is not said"}}},
    {"GET", V "/events", API_READ, api_get_events, "streamEvents",
	"Events as they happen (server-sent events); after Last-Event-ID, or `after`, those that are recorded come first",
	API_STREAM, NULL, &shape_event, {
	{"after", API_IN_QUERY, API_NUMBER, NULL, 0, "those with a greater id; only new ones where it is not said"}}},
    {"GET", V "/evidence", API_AUDIT, api_get_evidence, "listEvidence",
	"Records of the audit trail, as they stand in it, the oldest first", API_LIST, "records", NULL, {AFTER, LINES}},
    {"GET", V "/evidence/lines", API_AUDIT, api_get_evidence_lines, "getEvidenceLines",
	"The same as the very lines that are signed: one page behind the other is the chain, to be verified offline",
	API_PLAIN, NULL, NULL, {AFTER, LINES}},
    {"GET", V "/evidence/verify", API_AUDIT, api_get_evidence_verify, "verifyEvidence",
	"Is the chain whole? With its head, signed, to be kept elsewhere", API_JSON, "evidence", NULL, {{0}}},
    {"GET", V "/approvals", API_READ, api_get_approvals, "listApprovals",
	"What was approved or refused, by whom and why, the newest first", API_LIST, "approvals", NULL, {LINES}},
    {"POST", V "/approvals", API_APPROVE, api_post_approval, "approve",
	"Say yes or no to something, for good: a signed record of the audit trail", API_JSON, "approval", NULL, {
	{"what", API_IN_BODY, API_TEXT, NULL, 0, "'run 42', 'snapshot ID', which the catalog has to know, or 'other: ' and any name"},
	{"reason", API_IN_BODY, API_TEXT, NULL, 0, "why"},
	{"decision", API_IN_BODY, API_CHOICE, "grant|refuse", 0, "grant where it is not said"}}},
    {"POST", V "/reload", API_ADMINISTER, api_post_reload, "reload",
	"Read the configuration again, all or nothing", API_JSON, NULL, NULL, {{0}}},
};
/* clang-format on */
const size_t api_routes_count = sizeof api_routes / sizeof *api_routes;
