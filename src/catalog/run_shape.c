/* run_shape: a run as JSON: for the API, the commands and the support bundle alike. */
#include "catalog/catalog.h"
#include "catalog/shape.h"

#define R(member) offsetof(struct run, member)

/* clang-format off */
static const struct shape_field fields[] = {
    {"id", SHAPE_I64, R(id), "its number"},
    {"system", SHAPE_TEXT, R(system), "the system's name"},
    {"node", SHAPE_TEXT, R(node), "the host that it is for"},
    {"kind", SHAPE_TEXT, R(kind), "backup, verify, check, prune, copy, forget, restore, ..."},
    {"backup_type", SHAPE_TEXT, R(type), "full, incremental, differential, continuous"},
    {"status", SHAPE_STATUS, R(status), "where it stands"},
    {"trigger", SHAPE_TEXT, R(trigger), "schedule, catch-up, manual, after, retry, command"},
    {"by", SHAPE_TEXT, R(by), "who asked for it; null: the daemon"},
    {"queue", SHAPE_TEXT, R(queue), "of whose runs one runs at a time"},
    {"priority", SHAPE_INT, R(priority), "higher first"},
    {"attempt", SHAPE_INT, R(attempt), "from 0"},
    {"after", SHAPE_ID, R(after), "the run that has to be over before"},
    {"due", SHAPE_TIME, R(due_ns), "when it was to run"},
    {"not_before", SHAPE_TIME, R(not_before_ns), "what it waits for: a window, jitter, a retry"},
    {"queued", SHAPE_TIME, R(queued_ns), "when it was added"},
    {"started", SHAPE_TIME, R(started_ns), "when it began"},
    {"ended", SHAPE_TIME, R(ended_ns), "when it was over"},
    {"seconds", SHAPE_TOOK, R(ended_ns), "how long it took", R(started_ns)},
    {"exit", SHAPE_INT, R(exit_status), "the work's exit status"},
    {"error_kind", SHAPE_TEXT, R(error_kind), "of what went wrong"},
    {"message", SHAPE_TEXT, R(message), "what went wrong, or why it was skipped"},
    {"hint", SHAPE_TEXT, R(hint), "what to do next"},
    {"destinations", SHAPE_TEXT, R(destinations), "repositories, separated by ','"},
    {"snapshot", SHAPE_TEXT, R(snapshot), "what it made"},
    {"encryption_enabled", SHAPE_BOOL, R(encrypted), "is what it stored encrypted?"},
    {"compression_enabled", SHAPE_BOOL, R(compressed), "is it compressed?"},
    {"files", SHAPE_U64, R(files), "files in it"},
    {"files_new", SHAPE_U64, R(files_new), "of them new"},
    {"files_changed", SHAPE_U64, R(files_changed), "of them changed"},
    {"bytes", SHAPE_U64, R(bytes), "bytes of all files"},
    {"bytes_read", SHAPE_U64, R(bytes_read), "bytes that were read"},
    {"added_bytes", SHAPE_U64, R(added), "new bytes before compression"},
    {"stored_bytes", SHAPE_U64, R(stored), "bytes that the repository grew by"},
    {"warnings", SHAPE_U64, R(warnings), "how many"},
    {"errors", SHAPE_U64, R(errors), "how many"},
    {"score", SHAPE_SCORE, R(score), "of a verification, 0 to 1"},
    {"verified", SHAPE_TEXT, R(verified), "passed, failed"},
    {"log", SHAPE_TEXT, R(log), "where its execution log is, on its host"},
    {0},
};
/* clang-format on */

const struct shape shape_run = {"Run", fields};
