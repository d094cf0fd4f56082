/* api_shape: see api_shape.h. */
#include "api/api_shape.h"

#include "api/api_survey.h"
#include "catalog/catalog_snapshot.h"

#define S(member) offsetof(struct survey_system, member)
#define E(member) offsetof(struct catalog_event, member)
#define N(member) offsetof(struct catalog_snapshot, member)
#define F(member) offsetof(struct shape_hit, member)
#define P(member) offsetof(struct survey_repository, member)
#define C(member) offsetof(struct shape_coming, member)
#define H(member) offsetof(struct survey_health, member)

/* clang-format off */
static const struct shape_field system_fields[] = {
    {"name", SHAPE_TEXT, S(name), "the system's name"},
    {"tier", SHAPE_TEXT, S(tier), "the tier that it is declared in"},
    {"node", SHAPE_TEXT, S(node), "the host that it is on"},
    {"declared", SHAPE_BOOL, S(declared), "does the configuration name it (still)?"},
    {"state", SHAPE_TEXT, S(state), "ok, late (its RPO is missed), failing (the last run failed), never (no backup yet)"},
    {"rpo_missed", SHAPE_BOOL, S(rpo_missed), "is there an RPO, and the last good backup older, or none?"},
    {"last_run", SHAPE_ID, S(backup.last_id), "the last backup that is over"},
    {"last_status", SHAPE_STATUS, S(backup.last_status), "what became of it"},
    {"last_ended", SHAPE_TIME, S(backup.last_ended_ns), "when it was over"},
    {"last_message", SHAPE_TEXT, S(backup.message), "what it said"},
    {"failed_in_row", SHAPE_UINT, S(backup.failed_in_row), "backups that failed since the last success"},
    {"last_success", SHAPE_TIME, S(backup.success_started_ns), "when the last good backup began: what it holds is of then"},
    {"last_success_run", SHAPE_ID, S(backup.success_id), "its run"},
    {"snapshot", SHAPE_TEXT, S(backup.snapshot), "what it made"},
    {"files", SHAPE_U64, S(backup.files), "files in it"},
    {"bytes", SHAPE_U64, S(backup.bytes), "bytes in it"},
    {"stored", SHAPE_U64, S(backup.stored), "bytes that the repository grew by"},
    {"rpo_age", SHAPE_SECONDS, S(rpo_age_ns), "seconds of work that would be lost now"},
    {"rpo_target", SHAPE_SECONDS, S(rpo_ns), "seconds that may be lost"},
    {"drill_age", SHAPE_SECONDS, S(drill_age_ns), "seconds since the last drill that passed began"},
    {"verification_age", SHAPE_SECONDS, S(verify_age_ns), "seconds since the last good verification began"},
    {"verification_target", SHAPE_SECONDS, S(verify_ns), "what that may be"},
    {"next_run", SHAPE_TIME, S(next_ns), "when the next one is due"},
    {"running", SHAPE_UINT, S(running), "runs that run"},
    {"queued", SHAPE_UINT, S(queued), "runs that wait"},
    {"receiver", SHAPE_TEXT, S(receiver.state), "of its log: streaming, spooling, held, connecting, diverged, stopped, dead; null: it has none"},
    {"receiver_error", SHAPE_TEXT, S(receiver.why), "what is wrong with it"},
    {"log_synchronous", SHAPE_BOOL, S(receiver.synchronous), "does each commit wait until it is stored, as the server says?"},
    {"log_synchronous_promised", SHAPE_BOOL, S(receiver.promised), "is that promised?"},
    {"log_spool_acks", SHAPE_BOOL, S(receiver.spool_acks), "are they acknowledged by the spool alone, for the repository is away?"},
    {"log_received", SHAPE_TEXT, S(receiver.received), "position up to which its log was received"},
    {"log_stored", SHAPE_TEXT, S(receiver.stored), "position up to which it is durable in the repository"},
    {"log_lag", SHAPE_SECONDS, S(receiver.lag_ns), "seconds that the oldest of it waits to be stored"},
    {"log_lag_bytes", SHAPE_U64, S(receiver.lag_bytes), "bytes that the server has and the repository has not"},
    {"log_slot_bytes", SHAPE_U64, S(receiver.slot_bytes), "bytes that the server keeps for it"},
    {"log_spool_bytes", SHAPE_U64, S(receiver.spool_bytes), "bytes in its spool"},
    {"log_gaps", SHAPE_U64, S(receiver.gaps), "gaps that it met since it was begun"},
    {0},
};

static const struct shape_field event_fields[] = {
    {"id", SHAPE_I64, E(id), "its number"},
    {"at", SHAPE_TIME, E(at_ns), "when"},
    {"name", SHAPE_TEXT, E(name), "run.failed, ..."},
    {"severity", SHAPE_TEXT, E(severity), "info, warning, critical"},
    {"system", SHAPE_TEXT, E(system), "of which system"},
    {"run", SHAPE_ID, E(run), "of which run"},
    {"text", SHAPE_TEXT, E(text), "what happened"},
    {0},
};

static const struct shape_field snapshot_fields[] = {
    {"snapshot", SHAPE_TEXT, N(snapshot), "its id"},
    {"repository", SHAPE_TEXT, N(name), "where it is: a configured name, or its URL"},
    {"repository_id", SHAPE_TEXT, N(repository), "that one's id"},
    {"system", SHAPE_TEXT, N(system), "of which system"},
    {"host", SHAPE_TEXT, N(host), "of which host"},
    {"outcome", SHAPE_TEXT, N(outcome), "complete, incomplete, failed"},
    {"started", SHAPE_TIME, N(start_ns), "when it began: what it holds is of then"},
    {"ended", SHAPE_TIME, N(end_ns), "when it was over"},
    {"files", SHAPE_U64, N(files), "files in it"},
    {"bytes", SHAPE_U64, N(bytes), "bytes in it"},
    {"stored", SHAPE_U64, N(stored), "bytes that the repository grew by"},
    {0},
};

static const struct shape_field file_fields[] = {
    {"path", SHAPE_TEXT, F(path), "where it was"},
    {"file_type", SHAPE_TEXT, F(type), "file, dir, ..."},
    {"size", SHAPE_U64, F(size), "its bytes"},
    {"mtime", SHAPE_TIME, F(mtime_ns), "when it was changed"},
    {"system", SHAPE_TEXT, F(system), "of which system"},
    {"repository", SHAPE_TEXT, F(repository), "where it is"},
    {"snapshot", SHAPE_TEXT, F(snapshot), "the last one that has it as it is here"},
    {"snapshots", SHAPE_U64, F(snapshots), "how many have it so"},
    {0},
};

static const struct shape_field repository_fields[] = {
    {"name", SHAPE_TEXT, P(name), "the repository's name"},
    {"role", SHAPE_TEXT, P(role), "primary, offsite, archive, ..."},
    {"location", SHAPE_TEXT, P(location), "where it is said to be"},
    {"media", SHAPE_TEXT, P(media), "what it is on: disk, objects, tape, ..."},
    {"newest", SHAPE_TIME, P(newest_ns), "when the newest complete snapshot that the catalog knows in it was over"},
    {0},
};

static const struct shape_field coming_fields[] = {
    {"system", SHAPE_TEXT, C(system), "the system's name"},
    {"kind", SHAPE_TEXT, C(kind), "backup, verify"},
    {"backup_type", SHAPE_TEXT, C(type), "full, incremental, differential"},
    {"due", SHAPE_TIME, C(due_ns), "when it is due"},
    {"start", SHAPE_TIME, C(start_ns), "when it may begin: windows, jitter"},
    {"timezone", SHAPE_TEXT, C(zone), "whose clock the schedule goes by"},
    {"derived", SHAPE_BOOL, C(derived), "was the schedule made from the RPO?"},
    {0},
};

static const struct shape_field health_fields[] = {
    {"ready", SHAPE_BOOL, H(ready), "does it do what is declared?"},
    {"why", SHAPE_TEXT, H(why), "why not, or what limits it"},
    {"version", SHAPE_TEXT, H(version), "of the daemon"},
    {"started", SHAPE_TIME, H(started_ns), "when the daemon began"},
    {"pid", SHAPE_I64, H(pid), "its process"},
    {0},
};
/* clang-format on */

const struct shape shape_system = {"System", system_fields};
const struct shape shape_event = {"Event", event_fields};
const struct shape shape_snapshot = {"Snapshot", snapshot_fields};
const struct shape shape_file = {"File", file_fields};
const struct shape shape_repository = {"Repository", repository_fields};
const struct shape shape_coming = {"Coming", coming_fields};
const struct shape shape_health = {"Health", health_fields};
