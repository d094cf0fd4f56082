/* world_table: the keys of the configuration, one row each. */
#include <stddef.h>

#include "config/world_tables.h"

#define R(member) offsetof(struct world_repository, member)
#define T(member) offsetof(struct world_tier, member)
#define K(member) offsetof(struct world_retention, member)
#define F(member) offsetof(struct world_files, member)
#define S(member) offsetof(struct world_system, member)

/* clang-format off */
static const struct field repository_rows[] = {
    {"url", FIELD_TEXT, R(url), true, NULL, NULL, "where it is, as for -r; a path has to be absolute"},
    {"role", FIELD_CHOICE, R(role), false, "primary|secondary|archive|offsite", NULL, "what it is for"},
    {"priority", FIELD_COUNT, R(priority), false, NULL, NULL, "which is asked first among those of a role: 1, 2, ..."},
    {"location", FIELD_TEXT, R(location), false, NULL, NULL, "the place it is at, as the same place is called everywhere here"},
    {"media", FIELD_TEXT, R(media), false, NULL, NULL, "what it is kept on: disk, tape, s3, ...; left out: by its url"},
    {"offline", FIELD_FLAG, R(offline), false, NULL, NULL, "is it away but for the time of a backup, so that nobody reaches it?"},
    {"encryption", FIELD_CHOICE, R(encryption), false, "required|optional", NULL, "every repository of ours is encrypted"},
    {"options", FIELD_PAIRS, R(options), false, NULL, NULL, "what its store is told, as by -o: s3.region: eu-west-1"},
    {"object_lock", FIELD_DURATION, R(object_lock), false, NULL, NULL, "for how long at any time what is needed can be neither deleted nor replaced"},
    {"limit_upload", FIELD_RATES, R(limit_upload), false, NULL, NULL, "bytes a second: a rate, or windows of time with one each"},
    {"limit_download", FIELD_RATES, R(limit_download), false, NULL, NULL, "the same for reading"},
    {"key", FIELD_SECRET, R(key), false, NULL, NULL, "the key file's text, by reference"},
    {"password", FIELD_SECRET, R(password), false, NULL, NULL, "the password, by reference"},
    {"prune", FIELD_STRUCT, R(prune), false, NULL, &world_prune_table, "when the daemon frees what nothing needs; left out: as object_lock needs it, else never"},
    {"family", FIELD_TEXT, R(family), false, NULL, NULL, "those of one family are read once for all"},
    {0},
};
static const struct field_table repository_table = {repository_rows, sizeof(struct world_repository)};

static const struct field retention_rows[] = {
    {"last", FIELD_COUNT, K(last), false, NULL, NULL, "keep the newest so many"},
    {"hourly", FIELD_COUNT, K(hourly), false, NULL, NULL, "one an hour, for so many hours"},
    {"daily", FIELD_COUNT, K(daily), false, NULL, NULL, "one a day"},
    {"weekly", FIELD_COUNT, K(weekly), false, NULL, NULL, "one a week"},
    {"monthly", FIELD_COUNT, K(monthly), false, NULL, NULL, "one a month"},
    {"yearly", FIELD_COUNT, K(yearly), false, NULL, NULL, "one a year"},
    {"within", FIELD_DURATION, K(within), false, NULL, NULL, "all that is not older"},
    {"logs", FIELD_DURATION, K(logs), false, NULL, NULL, "of databases: to any moment of so long ago they can be brought back; left out: from the oldest backup on"},
    {0},
};
static const struct field_table retention_table = {retention_rows, sizeof(struct world_retention)};

static const struct field tier_rows[] = {
    {"destinations", FIELD_TEXTS, T(destinations), false, NULL, NULL, "the repositories, by name; left out: all where its data may be"},
    {"encryption", FIELD_CHOICE, T(encryption), false, "required|optional", NULL, "must all of them be encrypted?"},
    {"residency", FIELD_TEXTS, T(residency), false, NULL, NULL, "the only locations where this data may be"},
    {"retention", FIELD_STRUCT, T(retention), false, NULL, &retention_table, "what forget keeps of these systems"},
    {"rto", FIELD_STRUCT, T(rto), false, NULL, &world_objective_table, "how long until it works again"},
    {"rpo", FIELD_STRUCT, T(rpo), false, NULL, &world_objective_table, "how much time's work may be lost"},
    {"availability", FIELD_PERCENT, T(availability), false, NULL, NULL, "percent of the time: 99.99"},
    {"strategy", FIELD_CHOICE, T(strategy), false, "full|incremental|differential|continuous", NULL, "how it is backed up where a run does not say"},
    {"priority", FIELD_COUNT, T(priority), false, NULL, NULL, "of two runs that wait the one with the higher number goes first"},
    {"schedule", FIELD_STRUCT, T(schedule), false, NULL, &world_schedule_table, "when; left out: derived from the rpo"},
    {"verify", FIELD_STRUCT, T(verify), false, NULL, &world_verify_table, "how often, and how deep, what is stored is proven"},
    {"monitors", FIELD_NAMED, T(monitors), false, NULL, &world_monitor_table, "what is looked at again and again, and what then"},
    {"drill", FIELD_STRUCT, T(drill), false, NULL, &world_tier_drill_table, "how often, and how deep, its recovery is rehearsed"},
    {0},
};
static const struct field_table tier_table = {tier_rows, sizeof(struct world_tier)};

static const struct field files_rows[] = {
    {"paths", FIELD_TEXTS, F(paths), true, NULL, NULL, "absolute paths of files and folders"},
    {"exclude", FIELD_TEXTS, F(exclude), false, NULL, NULL, "patterns of what to leave out"},
    {"exclude_caches", FIELD_FLAG, F(exclude_caches), false, NULL, NULL, "leave out folders with a CACHEDIR.TAG"},
    {"one_file_system", FIELD_FLAG, F(one_file_system), false, NULL, NULL, "stay on the paths' file systems"},
    {"freeze", FIELD_STRUCT, F(freeze), false, NULL, &world_freeze_table, "how it stands still while it is read"},
    {0},
};
static const struct field_table files_table = {files_rows, sizeof(struct world_files)};

static const struct field source_rows[] = {
    {"files", FIELD_STRUCT, offsetof(struct world_source, files), false, NULL, &files_table, "files and folders"},
    {"postgresql", FIELD_STRUCT, offsetof(struct world_source, postgresql), false, NULL, &world_postgresql_table, "a server of PostgreSQL's, 13 to 17"},
    {"part", FIELD_TEXT, offsetof(struct world_source, part), false, NULL, NULL, "what it is called in a snapshot of several; left out: files, postgresql, dump"},
    {"mariadb", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"mysql", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"mongodb", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"redis", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"sqlite", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {0},
};
static const struct field_table source_table = {source_rows, sizeof(struct world_source)};

static const struct field system_rows[] = {
    {"tier", FIELD_TEXT, S(tier), true, NULL, NULL, "its tier, by name"},
    {"sources", FIELD_LIST, S(sources), true, NULL, &source_table, "what it consists of"},
    {"depends_on", FIELD_TEXTS, S(depends_on), false, NULL, NULL, "systems whose backup goes before, where both are due"},
    {"schedule", FIELD_STRUCT, S(schedule), false, NULL, &world_schedule_table, "its own, in place of the tier's"},
    {"hooks", FIELD_STRUCT, S(hooks), false, NULL, &world_hooks_table, "commands before, after, and when it failed"},
    {"monitors", FIELD_NAMED, S(monitors), false, NULL, &world_monitor_table, "each goes before the tier's of its name, key by key"},
    {"priority", FIELD_COUNT, S(priority), false, NULL, NULL, "in place of the tier's"},
    {"paused", FIELD_FLAG, S(paused), false, NULL, NULL, "begin nothing by itself"},
    {"may_be_empty", FIELD_FLAG, S(may_be_empty), false, NULL, NULL, "else an empty source fails before anything is stored"},
    {"may_shrink", FIELD_FLAG, S(may_shrink), false, NULL, NULL, "else one that lost more than half fails before anything is stored"},
    {"node", FIELD_TEXT, S(node), false, NULL, NULL, "the host whose daemon backs it up, by its name; left out: any that shares the catalog"},
    {"checks", FIELD_LIST, S(checks), false, NULL, &world_drill_check_table, "what it is asked when a drill has brought it back"},
    {0},
};
static const struct field_table system_table = {system_rows, sizeof(struct world_system)};

static const struct field world_rows[] = {
    {"repositories", FIELD_NAMED, offsetof(struct world, repositories), false, NULL, &repository_table, "where copies are kept"},
    {"tiers", FIELD_NAMED, offsetof(struct world, tiers), false, NULL, &tier_table, "how well systems are kept"},
    {"systems", FIELD_NAMED, offsetof(struct world, systems), false, NULL, &system_table, "what is backed up"},
    {"drill", FIELD_STRUCT, offsetof(struct world, drill), false, NULL, &world_drill_table, "where and within which limits recoveries are rehearsed"},
    {"jobs", FIELD_STRUCT, offsetof(struct world, jobs), false, NULL, &world_jobs_table, "how much is done at once"},
    {"profile", FIELD_CHOICE, offsetof(struct world, profile), false, WORLD_PROFILES, NULL, "a named set of defaults that lies below this file"},
    {"catalog", FIELD_TEXT, offsetof(struct world, catalog), false, NULL, NULL, "our own record: a path, postgresql://..., or a reference to where that stands"},
    {"notify", FIELD_NAMED, offsetof(struct world, notify), false, NULL, &world_channel_table, "who is told when something happens"},
    {"nodes", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"sites", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"probes", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"scenarios", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"plans", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"failover", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"kpis", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"risks", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"frameworks", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"audiences", FIELD_LATER, 0, false, NULL, NULL, NULL},
    {"server", FIELD_STRUCT, offsetof(struct world, server), false, NULL, &world_server_table, "where the API listens"},
    {0},
};
/* clang-format on */
const struct field_table world_table = {world_rows, sizeof(struct world)};
