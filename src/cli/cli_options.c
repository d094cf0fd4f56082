/* cli_options: the options, one row each; a name may have several rows if no command has two. */
#include "cli/cli.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>

#include "catalog/drill_what.h"

#define AT(field) offsetof(struct cli_options, field)
#define B(cmd)    (UINT64_C(1) << CMD_##cmd)

#define ALL ((UINT64_C(1) << CMD_COUNT) - 1)
#define REPO                                                                                       \
	(B(INIT) | B(BACKUP) | B(SNAPSHOTS) | B(LS) | B(FIND) | B(CAT) | B(DIFF) | B(RESTORE) |    \
	    B(MOUNT) | B(CHECK) | B(FORGET) | B(PRUNE) | B(STATS) | B(COPY) | B(TAG) | B(KEY) |    \
	    B(KIT) | B(RECOVER) | B(REPAIR) | B(CACHE) | B(DOCTOR) | B(CATALOG) | B(VERIFY) |      \
	    B(LOG) | B(DRILL))
#define OPENS (REPO & ~(B(INIT) | B(CACHE) | B(DOCTOR) | B(CATALOG) | B(LOG)))
/* Those that choose among snapshots. */
#define CHOOSE                                                                                     \
	(B(SNAPSHOTS) | B(LS) | B(FIND) | B(CAT) | B(DIFF) | B(RESTORE) | B(MOUNT) | B(FORGET) |   \
	    B(STATS) | B(COPY) | B(TAG) | B(KIT))
/* Those that work on several processors. */
#define WORKERS                                                                                    \
	(B(BACKUP) | B(RESTORE) | B(RECOVER) | B(CHECK) | B(REPAIR) | B(COPY) | B(KIT) |           \
	    B(VERIFY) | B(DRILL))
#define DAEMON   (B(SERVE) | B(RUN) | B(JOBS) | B(SCHEDULE) | B(WHY) | B(VERIFY) | B(DRILL))
#define PROBLEMS OPENS

/* clang-format off */
const struct opt_def opt_table[] = {
    /* backup */
    {"system", 0, OPT_STRING, OPT_MAIN, "NAME", NULL, NULL, B(BACKUP), AT(system), 0, NULL,
        "label the snapshot as this system's; of a system that the configuration declares, all that "
        "belongs to it, to all places where it goes"},
    {"type", 't', OPT_CHOICE, OPT_MAIN, "TYPE", "incremental", "full|incremental|differential", B(BACKUP),
        AT(type), 0, NULL, "full reads every file again, incremental compares with the newest "
        "snapshot, differential with the newest full one; each stores only what is new"},
    {"tag", 0, OPT_LIST, OPT_MAIN, "TAG", NULL, NULL, B(BACKUP), AT(tags), 0, NULL, "tag the snapshot"},
    {"host", 0, OPT_STRING, OPT_MAIN, "NAME", NULL, NULL, B(BACKUP), AT(host), 0, NULL,
        "name of the host to store (this host's)"},
    {"exclude", 'e', OPT_LIST, OPT_MAIN, "PATTERN", NULL, NULL, B(BACKUP) | B(RESTORE), AT(exclude), 0, NULL,
        "leave out what matches"},
    {"exclude-file", 0, OPT_LIST, OPT_MAIN, "FILE", NULL, NULL, B(BACKUP) | B(RESTORE), AT(exclude_file),
        0, NULL, "leave out what matches a pattern in this file, one a line"},
    {"exclude-caches", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(BACKUP), AT(exclude_caches), 0, NULL,
        "leave out folders marked as caches by a CACHEDIR.TAG"},
    {"one-file-system", 'x', OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(BACKUP), AT(one_file_system), 0, NULL,
        "stay on the file systems of the paths given"},
    {"no-scan", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(BACKUP), AT(no_scan), 0, NULL,
        "don't count beforehand how much there is; it is counted only where progress is shown (on a terminal, "
        "with --json) or asked for (SIGUSR1), and not with --quiet"},
    {"files-from", 0, OPT_LIST, OPT_MAIN, "FILE", NULL, NULL, B(BACKUP), AT(files_from), 0, NULL,
        "read more paths from this file, one a line ('-': standard input); empty lines and those that "
        "begin with # are left out"},
    {"files-from0", 0, OPT_LIST, OPT_MAIN, "FILE", NULL, NULL, B(BACKUP), AT(files_from0), 0, NULL,
        "the same, each ended by a NUL byte"},
    {"stdin", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(BACKUP), AT(stdin_data), 0, NULL,
        "store standard input as one file"},
    {"stdin-name", 0, OPT_STRING, OPT_MAIN, "NAME", "stdin", NULL, B(BACKUP), AT(stdin_name), 0, NULL,
        "name of that file"},
    {"compression", 0, OPT_CODEC, OPT_MAIN, "CODEC[:LEVEL]", "zstd", NULL, B(BACKUP) | B(COPY) | B(KIT), AT(compression), 0,
        NULL, "zstd, lz4, gzip, brotli or none"},
    {"canary", 0, OPT_LIST, OPT_MAIN, "FILE", NULL, NULL, B(BACKUP), AT(canaries), OPT_NO_ENV, NULL,
        "warn when this file, which nobody should touch, was changed or is not there"},
    {"chunker", 0, OPT_CHOICE, OPT_MAIN, "KIND", "gear", "gear|fixed", B(BACKUP) | B(COPY), AT(chunker), 0, NULL,
        "cut by content (gear), or at every MiB (fixed), for disk images"},
    {"also", 0, OPT_LIST, OPT_MAIN, "REPO", NULL, NULL, B(BACKUP), AT(also), 0, NULL,
        "store the same in this repository too, by URL or configured name; one of the same family (init --family) costs no second read"},
    {"also-key-file", 0, OPT_LIST, OPT_MAIN, "FILE", NULL, NULL, B(BACKUP), AT(also_key_file), 0, NULL,
        "what opens the first --also, the second, ...; without it what opens --repo"},
    /* restore */
    {"target", 't', OPT_STRING, OPT_MAIN, "FOLDER", NULL, NULL, B(RESTORE), AT(target), 0, NULL,
        "where to; made if it isn't there"},
    {"include", 0, OPT_LIST, OPT_MAIN, "PATTERN", NULL, NULL, B(RESTORE), AT(include), 0, NULL,
        "restore only what matches, and what is below"},
    {"overwrite", 0, OPT_CHOICE, OPT_MAIN, "WHEN", NULL, "never|if-changed|always", B(RESTORE), AT(overwrite),
        0, NULL, "allow a target with things in it: never adds what is missing, if-changed replaces "
        "files whose size or time differ, always replaces"},
    {"delete", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(RESTORE), AT(delete), 0, NULL,
        "remove from the target what the snapshot doesn't have"},
    {"verify", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(RESTORE), AT(verify), 0, NULL,
        "read everything back and compare"},
    {"thaw", 0, OPT_CHOICE, OPT_MAIN, "SPEED", NULL, "bulk|standard|expedited", B(RESTORE), AT(thaw), OPT_NO_ENV,
        NULL, "have what sleeps in cold storage thawed, which costs money, and wait for it; without this, "
        "or with --dry-run, only time and cost are told"},
    {"thaw-days", 0, OPT_COUNT, OPT_MAIN, "N", "7", NULL, B(RESTORE), AT(thaw_days), 0, NULL,
        "for how long it is to stay readable"},
    {"no-wait", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(RESTORE), AT(no_wait), OPT_NO_ENV, NULL,
        "where something must be thawed, only ask for it: write nothing, and exit with 3"},
    {"thaw-price", 0, OPT_LIST, OPT_MAIN, "SPEED=GB[:REQUESTS]", NULL, NULL, B(RESTORE), AT(thaw_price), 0, NULL,
        "what a GB, and a thousand requests, cost you at that speed, for the estimate"},
    {"thaw-poll", 0, OPT_DURATION, OPT_MAIN, "DURATION", NULL, NULL, B(RESTORE), AT(thaw_poll), 0, NULL,
        "how often to look whether it is thawed (by how long it takes, 10s to 10m)"},
    /* recover */
    {"to", 0, OPT_STRING, OPT_MAIN, "MOMENT", NULL, NULL, B(RECOVER), AT(to), OPT_NO_ENV, NULL,
        "a time ('2026-11-21 09:41:07+01'), an LSN (16/B374D848), xid:N, the name of a restore point (name:NAME), "
        "latest, or immediate: the end of the base backup"},
    {"target", 't', OPT_STRING, OPT_MAIN, "FOLDER", NULL, NULL, B(RECOVER), AT(target), OPT_NO_ENV, NULL,
        "the data directory; made if it isn't there"},
    {"delta", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(RECOVER), AT(delta), OPT_NO_ENV, NULL,
        "into a data directory that is there: every chunk is compared, what differs is written, what the backup does not "
        "have is removed; also goes on with what was broken off"},
    {"start", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(RECOVER), AT(start), OPT_NO_ENV, NULL,
        "start the server, wait until it has recovered, and report what it reached"},
    {"instant", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(RECOVER), AT(instant), OPT_NO_ENV, NULL,
        "start the server at once on a mount of the backup, and bring the data to TARGET while it is used"},
    {"finish", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(RECOVER), AT(finish), OPT_NO_ENV, NULL,
        "end an instant recovery: bring the rest, stop the server, put plain files in place, start it on them"},
    {"action", 0, OPT_CHOICE, OPT_MAIN, "ACTION", "promote", "promote|pause|shutdown", B(RECOVER), AT(action), OPT_NO_ENV,
        NULL, "what the server does at the target"},
    {"tablespace", 0, OPT_LIST, OPT_MAIN, "NAME=FOLDER", NULL, NULL, B(RECOVER), AT(tablespaces), OPT_NO_ENV, NULL,
        "put this tablespace (its name or OID; of one made after the base its OID or path) there instead of where it was"},
    {"timeline", 0, OPT_STRING, OPT_MAIN, "N", "latest", NULL, B(RECOVER), AT(timeline), OPT_NO_ENV, NULL,
        "which timeline to follow: latest, current (the base backup's), or a number"},
    {"base", 0, OPT_STRING, OPT_MAIN, "SNAPSHOT", NULL, NULL, B(RECOVER), AT(base), OPT_NO_ENV, NULL,
        "the base backup, by its id (the newest that ended before the moment)"},
    {"part", 0, OPT_STRING, OPT_MAIN, "NAME", NULL, NULL, B(RECOVER), AT(part), OPT_NO_ENV, NULL,
        "which source of the system, if it has several of PostgreSQL"},
    {"port", 0, OPT_COUNT, OPT_MAIN, "PORT", NULL, NULL, B(RECOVER), AT(port), OPT_NO_ENV, NULL,
        "with --start: listen there"},
    {"only", 0, OPT_STRING, OPT_MAIN, "DB[.SCHEMA[.TABLE]]", NULL, NULL, B(RECOVER), AT(only), OPT_NO_ENV, NULL,
        "recover on the side, and bring just this over, to --into"},
    {"into", 0, OPT_STRING, OPT_MAIN, "URL", NULL, NULL, B(RECOVER), AT(into), OPT_NO_ENV, NULL,
        "with --only: the database that gets it, like postgresql://host/orders"},
    {"replace", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(RECOVER), AT(replace), OPT_NO_ENV, NULL,
        "with --only: tables of that name that are there are dropped first"},
    /* check */
    {"read-data", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(CHECK), AT(read_data), 0, NULL,
        "read and verify all that is stored"},
    {"read-data", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(VERIFY), AT(read_data), OPT_NO_ENV, NULL,
        "read every byte of what the snapshot needs, not only what is due"},
    {"level", 0, OPT_CHOICE, OPT_MAIN, "LEVEL", NULL, "standard|comprehensive", B(VERIFY), AT(level), OPT_NO_ENV, NULL,
        "standard: integrity, encryption, completeness; comprehensive: a sample restored, consistency and the time of a "
        "restore too (as the tier's verify says, or standard)"},
    {"level", 0, OPT_CHOICE, OPT_MAIN, "LEVEL", NULL, "standard|comprehensive", B(DRILL), AT(level), OPT_NO_ENV, NULL,
        "standard: it comes back and is what was stored; comprehensive: and answers the system's checks (as the "
        "tier's drill says, or standard)"},
    {"to", 0, OPT_STRING, OPT_MAIN, "POINT", NULL, NULL, B(DRILL), AT(to), OPT_NO_ENV, NULL,
        "a snapshot, or of a database a point as recover takes it (the newest)"},
    {"point", 0, OPT_CHOICE, OPT_MAIN, "KIND", NULL, DRILL_WHAT_POINTS, B(DRILL), AT(point), OPT_NO_ENV, NULL,
        "the newest of that kind of snapshots, the newest or the oldest of all, or of a database one "
        "within its log (pitr), another on another day"},
    {"destination", 0, OPT_STRING, OPT_MAIN, "REPOSITORY", NULL, NULL, B(DRILL), AT(drill_from), OPT_NO_ENV, NULL,
        "without --repo: from that destination, not the first that answers"},
    {"keep", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(DRILL), AT(keep), OPT_NO_ENV, NULL,
        "leave what was restored there, to be looked at; its server is stopped"},
    {"monitor", 0, OPT_LIST, OPT_MAIN, "NAME", NULL, NULL, B(VERIFY), AT(monitors), OPT_NO_ENV, NULL,
        "instead: look at this integrity monitor of the system, here; \"all\": at each"},
    {"accept", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(VERIFY), AT(accept), OPT_NO_ENV, NULL,
        "instead: what the monitors have seen is right, and what they hold goes on"},
    {"seed", 0, OPT_STRING, OPT_MAIN, "N", NULL, NULL, B(VERIFY), AT(seed), OPT_NO_ENV, NULL,
        "draw the sample that an earlier verification drew"},
    {"read-data-subset", 0, OPT_PERCENT, OPT_MAIN, "N%", NULL, NULL, B(CHECK), AT(read_subset), 0, NULL,
        "the same for that part, chosen at random"},
    {"rules", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(CHECK), AT(rules), OPT_NO_ENV, NULL,
        "instead: do the configured repositories together keep 3-2-1-1-0?"},
    {"tamper", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(CHECK), AT(tamper), OPT_NO_ENV, NULL,
        "instead: try to replace and to delete what is stored, which must be refused"},
    /* config */
    {"origin", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(CONFIG), AT(origin), OPT_NO_ENV, NULL,
        "with show: where each value comes from"},
    /* token */
    {"scope", 0, OPT_CHOICE, OPT_MAIN, "SCOPE", NULL, "viewer|operator|approver|auditor|admin", B(TOKEN), AT(scope),
        OPT_NO_ENV, NULL, "with add: what it may: viewer looks, operator also runs and cancels, approver and auditor "
        "look and say what they approve, or read the audit trail, admin does everything"},
    {"expires", 0, OPT_TIME, OPT_MAIN, "TIME", NULL, NULL, B(TOKEN), AT(expires), OPT_NO_ENV, NULL,
        "with add: until when (never)"},
    /* evidence */
    {"public-key", 0, OPT_STRING, OPT_MAIN, "FILE", NULL, NULL, B(EVIDENCE), AT(public_key), OPT_NO_ENV, NULL,
        "the public key, as PEM (evidence.pub in the state folder)"},
    {"head", 0, OPT_STRING, OPT_MAIN, "FILE", NULL, NULL, B(EVIDENCE), AT(head), OPT_NO_ENV, NULL,
        "with verify: a head that was kept elsewhere, which the chain has to contain"},
    {"newer", 0, OPT_TIME, OPT_MAIN, "TIME", NULL, NULL, B(EVIDENCE), AT(newer), OPT_NO_ENV, NULL,
        "with show: only what was recorded then or later"},
    {"older", 0, OPT_TIME, OPT_MAIN, "TIME", NULL, NULL, B(EVIDENCE), AT(older), OPT_NO_ENV, NULL,
        "with show: only what was recorded before"},
    {"output", 0, OPT_STRING, OPT_MAIN, "FILE", NULL, NULL, B(EVIDENCE), AT(output), OPT_NO_ENV, NULL,
        "write it to this new file"},
    {"records", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(EVIDENCE), AT(records), OPT_NO_ENV, NULL,
        "with export: a bundle of the trail, its public key and the records of all drills"},
    /* report */
    {"format", 0, OPT_CHOICE, OPT_MAIN, "FORMAT", "text", "text|html|json|oscal", B(REPORT), AT(report_format), OPT_NO_ENV, NULL,
        "text, html, json (the signed record as it is), or oscal (assessment results)"},
    {"output", 0, OPT_STRING, OPT_MAIN, "FILE", NULL, NULL, B(REPORT), AT(output), OPT_NO_ENV, NULL,
        "write it to this new file"},
    /* doctor */
    {"bundle", 0, OPT_STRING, OPT_MAIN, "FILE", NULL, NULL, B(DOCTOR), AT(bundle), OPT_NO_ENV, NULL,
        "write a support bundle (.tar.gz), without secrets, to this new file"},
    /* copy */
    {"from-repo", 0, OPT_STRING, OPT_MAIN, "REPO", NULL, NULL, B(COPY), AT(from_repo), 0,
        "HOLDFAST_FROM_REPOSITORY", "the repository to copy from"},
    {"from-key-file", 0, OPT_STRING, OPT_MAIN, "FILE", NULL, NULL, B(COPY), AT(from_key_file), OPT_CRED_ENV,
        NULL, "unlock that one with this key file"},
    {"from-password-file", 0, OPT_STRING, OPT_MAIN, "FILE", NULL, NULL, B(COPY), AT(from_password_file),
        OPT_CRED_ENV, NULL, "its password is this file's first line"},
    {"from-password-command", 0, OPT_STRING, OPT_MAIN, "COMMAND", NULL, NULL, B(COPY),
        AT(from_password_command), OPT_CRED_ENV, NULL, "its password is the first line that this command prints"},
    {"rechunk", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(COPY), AT(rechunk), OPT_NO_ENV, NULL,
        "cut content anew, as backups into --repo do, so that both share what they store"},
    {"follow-retention", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(COPY), AT(follow_retention), 0, NULL,
        "then forget copies of what --from-repo has forgotten or no more"},
    {"force", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(COPY), AT(force), OPT_NO_ENV, NULL,
        "follow it also where --from-repo was emptied or set back, and to the last copy of a group"},
    /* kit */
    {"single-file", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(KIT), AT(single_file), OPT_NO_ENV, NULL,
        "one snapshot as one file"},
    /* looking */
    {"long", 'l', OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(LS) | B(FIND), AT(long_list), 0, NULL,
        "mode, owner, size and time too"},
    {"recursive", 'R', OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(LS), AT(recursive), 0, NULL,
        "all that is below"},
    {"ignore-case", 'i', OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(FIND), AT(ignore_case), 0, NULL,
        "let upper and lower case be the same"},
    {"newer", 0, OPT_TIME, OPT_MAIN, "TIME", NULL, NULL, B(FIND), AT(newer), 0, NULL,
        "only what was modified then or later"},
    {"older", 0, OPT_TIME, OPT_MAIN, "TIME", NULL, NULL, B(FIND), AT(older), 0, NULL,
        "only what was modified before"},
    {"snapshot", 's', OPT_STRING, OPT_MAIN, "SNAPSHOT", NULL, NULL, B(FIND), AT(snapshot), 0, NULL,
        "only in this one"},
    {"all", 'a', OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(FIND), AT(all), OPT_NO_ENV, NULL,
        "in all snapshots of all repositories, as the catalog knows them (so without --repo)"},
    {"allow-other", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(MOUNT), AT(allow_other), 0, NULL,
        "let other users see it (needs user_allow_other in fuse.conf)"},
    /* tag, key, init */
    {"add", 0, OPT_LIST, OPT_MAIN, "TAG", NULL, NULL, B(TAG), AT(add), 0, NULL, "add this tag"},
    {"remove", 0, OPT_LIST, OPT_MAIN, "TAG", NULL, NULL, B(TAG), AT(remove), 0, NULL, "remove this tag"},
    {"pin", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(TAG), AT(pin), OPT_NO_ENV, NULL,
        "keep it from forget and prune, until --unpin"},
    {"unpin", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(TAG), AT(unpin), OPT_NO_ENV, NULL, "take the pin away"},
    {"hold", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(TAG), AT(hold), OPT_NO_ENV, NULL,
        "a legal hold: the same, until --release or the time of --until"},
    {"until", 0, OPT_TIME, OPT_MAIN, "TIME", NULL, NULL, B(TAG), AT(until), OPT_NO_ENV, NULL,
        "when the hold ends by itself"},
    {"release", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(TAG), AT(release), OPT_NO_ENV, NULL,
        "end the hold (full keys only, as --unpin)"},
    {"new-key-file", 0, OPT_STRING, OPT_MAIN, "FILE", NULL, NULL, B(INIT) | B(KEY) | B(KIT), AT(new_key_file), 0, NULL,
        "make a key file (it must not exist) instead of a password"},
    {"new-password-file", 0, OPT_STRING, OPT_MAIN, "FILE", NULL, NULL, B(KEY) | B(KIT), AT(new_password_file), 0, NULL,
        "the new password is this file's first line"},
    {"label", 0, OPT_STRING, OPT_MAIN, "TEXT", NULL, NULL, B(INIT) | B(KEY) | B(KIT), AT(label), 0, NULL,
        "what to call the key; it stands in the clear in the repository"},
    {"role", 0, OPT_CHOICE, OPT_MAIN, "ROLE", "full", "full|maintenance|write", B(KEY), AT(key_role), 0, NULL,
        "what the new key may do"},
    {"domain", 0, OPT_STRING, OPT_MAIN, "ID", NULL, NULL, B(KEY), AT(key_domain), 0, NULL,
        "a new write key shares this holder's deduplication (and can tell what it has stored)"},
    {"output", 0, OPT_STRING, OPT_MAIN, "FILE", NULL, NULL, B(KEY) | B(KIT), AT(output), 0, NULL,
        "write the sheet, or the kit, to this new file"},
    {"secret", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(KEY), AT(secret), 0, NULL,
        "put the sealed key on the sheet too (its password or key file still opens it)"},
    {"family", 0, OPT_STRING, OPT_MAIN, "REPO", NULL, NULL, B(INIT), AT(family), 0, NULL,
        "share the ids of that repository, so that one read serves both (its full key by --key-file and "
        "the like; all other keys are new)"},
    {"grace", 0, OPT_DURATION, OPT_MAIN, "TIME", "1d", NULL, B(INIT), AT(grace), 0, NULL,
        "how long prune waits before it deletes what it marked; longer than any backup may pause"},
    {"object-hash", 0, OPT_CHOICE, OPT_MAIN, "HASH", "blake3", "blake3|sha256", B(INIT), AT(object_hash), 0, NULL,
        "what names stored objects; sha256 lets anybody check them with sha256sum"},
    {"blob-id", 0, OPT_CHOICE, OPT_MAIN, "HASH", "blake3", "blake3|hmac-sha256", B(INIT), AT(blob_id), 0, NULL,
        "what names pieces of content, with a secret key"},
    {"parity", 0, OPT_PERCENT, OPT_MAIN, "N%", NULL, NULL, B(INIT) | B(KIT), AT(parity), 0, NULL,
        "store what mends damage to that share (1 to 50 %) of any object, wherever it lies"},
    {"add-parity", 0, OPT_PERCENT, OPT_MAIN, "N%", NULL, NULL, B(REPAIR), AT(parity), OPT_NO_ENV, NULL,
        "from now on keep parity of that share (1 to 50 %), for what is stored too"},
    /* forget, prune */
    {"keep-last", 0, OPT_KEEP, OPT_KEEPING, "N", NULL, NULL, B(FORGET), AT(keep_last), 0, NULL,
        "keep the newest N"},
    {"keep-hourly", 0, OPT_KEEP, OPT_KEEPING, "N", NULL, NULL, B(FORGET), AT(keep_hourly), 0, NULL,
        "keep the newest of each of the last N hours that have one"},
    {"keep-daily", 0, OPT_KEEP, OPT_KEEPING, "N", NULL, NULL, B(FORGET), AT(keep_daily), 0, NULL,
        "the same for days"},
    {"keep-weekly", 0, OPT_KEEP, OPT_KEEPING, "N", NULL, NULL, B(FORGET), AT(keep_weekly), 0, NULL,
        "the same for weeks"},
    {"keep-monthly", 0, OPT_KEEP, OPT_KEEPING, "N", NULL, NULL, B(FORGET), AT(keep_monthly), 0, NULL,
        "the same for months"},
    {"keep-yearly", 0, OPT_KEEP, OPT_KEEPING, "N", NULL, NULL, B(FORGET), AT(keep_yearly), 0, NULL,
        "the same for years"},
    {"keep-within", 0, OPT_WITHIN, OPT_KEEPING, "TIME", NULL, NULL, B(FORGET), AT(keep_within), 0, NULL,
        "keep what is not older than this, counted from the group's newest; like 36h, 14d or 1y6mo"},
    {"keep-tag", 0, OPT_LIST, OPT_KEEPING, "TAG", NULL, NULL, B(FORGET), AT(keep_tags), 0, NULL,
        "keep what has this tag"},
    {"delay", 0, OPT_DURATION, OPT_MAIN, "TIME", "7d", NULL, B(FORGET) | B(COPY), AT(delay), 0, NULL,
        "how long a forgotten snapshot stays in the trash: prune deletes it only then"},
    {"now", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(FORGET), AT(now), OPT_NO_ENV, NULL,
        "no delay: the next prune deletes it; for what is in the trash already too"},
    {"undo", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(FORGET), AT(undo), OPT_NO_ENV, NULL,
        "bring the named snapshots back from the trash"},
    {"flooded-ok", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(FORGET), AT(flooded_ok), OPT_NO_ENV, NULL,
        "let rules drop snapshots also where far more came than usual"},
    {"prune", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(FORGET), AT(prune), 0, NULL, "prune afterwards"},
    {"exclusive", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(PRUNE) | B(FORGET), AT(exclusive), 0, NULL,
        "nobody else uses the repository: prune deletes at once"},
    {"accept-history", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(REPAIR), AT(accept_history), OPT_NO_ENV, NULL,
        "with snapshots: what is missing or was set back is right, and no finding any more"},
    {"drop-foreign", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(REPAIR), AT(drop_foreign), OPT_NO_ENV, NULL,
        "config is the newest there is: remove snapshots and indexes of writers and keys that it "
        "does not know"},
    {"repack", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(PRUNE) | B(FORGET), AT(repack), 0, NULL,
        "take compressed frames apart too: what is unused in a frame that is partly in use is freed "
        "only so"},
    {"pay-for-cold", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(PRUNE) | B(FORGET), AT(pay_for_cold), OPT_NO_ENV, NULL,
        "delete from cold storage also what is paid for until later, and write again what costs to be read there"},
    {"max-unused", 0, OPT_PERCENT, OPT_MAIN, "N%", "5%", NULL, B(PRUNE) | B(FORGET), AT(max_unused), 0, NULL,
        "how much of what is kept may stay unused; beyond it, packs are written again without their "
        "unused frames"},
    {"dry-run", 'n', OPT_FLAG, OPT_MAIN, NULL, NULL, NULL,
        B(BACKUP) | B(RESTORE) | B(RECOVER) | B(FORGET) | B(PRUNE) | B(REPAIR) | B(COPY), AT(dry_run), 0, NULL,
        "only show what would be done"},
    {"strict", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, PROBLEMS | B(DOCTOR) | B(CATALOG), AT(strict), 0, NULL,
        "make problems (exit status 3) a failure (1)"},
    {"man", 0, OPT_STRING, OPT_MAIN, "FOLDER", NULL, NULL, B(HELP), AT(man), OPT_NO_ENV, NULL,
        "write the manual pages into this folder"},
    /* limits */
    {"jobs", 'j', OPT_JOBS, OPT_LIMITS, "N", NULL, NULL, WORKERS, AT(jobs), 0, NULL,
        "how many threads work (one a processor, at most 8)"},
    {"limit-upload", 0, OPT_RATE, OPT_LIMITS, "RATE", NULL, NULL, REPO, AT(limit_upload), 0, NULL,
        "write to the repository no faster than this: KiB/s, or with a unit, like 20MB"},
    {"limit-download", 0, OPT_RATE, OPT_LIMITS, "RATE", NULL, NULL, REPO, AT(limit_download), 0, NULL,
        "read from it no faster than this"},
    {"nice", 0, OPT_NICE, OPT_LIMITS, "N", NULL, NULL, REPO, AT(nice), 0, NULL,
        "let others have the processors first: 19 the most, 0 not; below 0 is for root"},
    {"ionice", 0, OPT_IONICE, OPT_LIMITS, "CLASS[:LEVEL]", NULL, NULL, REPO, AT(ionice), 0, NULL,
        "let others have the disk first: idle, or best-effort:0 to best-effort:7"},
    /* the daemon and its runs */
    {"type", 't', OPT_CHOICE, OPT_MAIN, "TYPE", NULL, "full|incremental|differential", B(RUN), AT(type), OPT_NO_ENV, NULL,
        "in place of the tier's strategy"},
    {"kind", 0, OPT_CHOICE, OPT_MAIN, "KIND", "backup", "backup|copy|prune", B(RUN), AT(kind), OPT_NO_ENV, NULL,
        "copy fills a system's archives with its newest snapshot, prune frees what nothing needs in a repository of that name"},
    {"foreground", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(RUN) | B(VERIFY) | B(DRILL), AT(foreground), OPT_NO_ENV, NULL,
        "here, also where a daemon runs"},
    {"no-wait", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(RUN) | B(VERIFY) | B(DRILL), AT(no_wait), OPT_NO_ENV, NULL,
        "only put it into the daemon's queue"},
    {"nice", 0, OPT_NICE, OPT_LIMITS, "N", NULL, NULL, B(RUN), AT(nice), 0, NULL,
        "let others have the processors first: 19 the most, 0 not; below 0 is for root"},
    {"ionice", 0, OPT_IONICE, OPT_LIMITS, "CLASS[:LEVEL]", NULL, NULL, B(RUN), AT(ionice), 0, NULL,
        "let others have the disk first: idle, or best-effort:0 to best-effort:7"},
    {"log-format", 0, OPT_CHOICE, OPT_MAIN, "FORMAT", "text", "text|json", B(SERVE), AT(log_format), 0, NULL,
        "of the log, on standard error"},
    {"system", 0, OPT_STRING, OPT_WHICH, "NAME", NULL, NULL, B(JOBS), AT(system), OPT_NO_ENV, NULL,
        "only this system's"},
    {"limit", 0, OPT_COUNT, OPT_WHICH, "N", "20", NULL, B(JOBS), AT(limit), OPT_NO_ENV, NULL,
        "only the newest N"},
    {"from", 0, OPT_TIME, OPT_WHICH, "TIME", NULL, NULL, B(SCHEDULE), AT(from), OPT_NO_ENV, NULL,
        "begin there; now"},
    {"until", 0, OPT_TIME, OPT_WHICH, "TIME", NULL, NULL, B(SCHEDULE), AT(until), OPT_NO_ENV, NULL,
        "all of them before that time"},
    {"limit", 0, OPT_COUNT, OPT_WHICH, "N", NULL, NULL, B(SCHEDULE), AT(limit), OPT_NO_ENV, NULL,
        "only the next N (10, where --until does not say how far)"},
    {"once", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(LOG), AT(once), OPT_NO_ENV, NULL,
        "follow: end when all that the server has by now is stored"},
    {"system", 0, OPT_STRING, OPT_WHICH, "NAME", NULL, NULL, B(LOG), AT(system), 0, NULL,
        "the system whose log it is; the only one that is PostgreSQL's, or the one of this data directory"},
    {"foreground", 0, OPT_FLAG, OPT_MAIN, NULL, NULL, NULL, B(LOG), AT(foreground), OPT_NO_ENV, NULL,
        "push here, also where a daemon runs"},
    /* which */
    {"host", 0, OPT_STRING, OPT_WHICH, "NAME", NULL, NULL, CHOOSE, AT(host), 0, NULL, "of this host"},
    {"system", 0, OPT_STRING, OPT_WHICH, "NAME", NULL, NULL, CHOOSE, AT(system), 0, NULL, "of this system"},
    {"path", 0, OPT_LIST, OPT_WHICH, "PATH", NULL, NULL, CHOOSE, AT(paths), 0, NULL, "that have this path"},
    {"tag", 0, OPT_LIST, OPT_WHICH, "TAG", NULL, NULL, CHOOSE, AT(tags), 0, NULL, "that have this tag"},
    {"trash", 0, OPT_FLAG, OPT_WHICH, NULL, NULL, NULL, B(SNAPSHOTS), AT(trash), OPT_NO_ENV, NULL,
        "only forgotten ones, and from when prune deletes them"},
    {"latest", 0, OPT_COUNT, OPT_WHICH, "N", NULL, NULL, B(SNAPSHOTS), AT(latest), 0, NULL,
        "only the newest N of each group"},
    /* keys */
    {"repo", 'r', OPT_STRING, OPT_KEYS, "REPO", NULL, NULL, (REPO & ~B(VERIFY)) | B(EVIDENCE), AT(repo), 0, "HOLDFAST_REPOSITORY",
        "the repository: a folder, s3:HOST/BUCKET/PREFIX, sftp:USER@HOST:PATH, "
	"azure:ACCOUNT/CONTAINER/PREFIX, gcs:BUCKET/PREFIX, webdavs://USER@HOST/PATH or "
	"ftp://USER@HOST/PATH; kit:FILE, to read; or its name in the configuration"},
    {"repo", 'r', OPT_STRING, OPT_KEYS, "REPO", NULL, NULL, B(VERIFY), AT(repo), OPT_NO_ENV, NULL,
        "only in this repository, here: by its name in the configuration, or any, as for other commands"},
    {"config", 'c', OPT_STRING, OPT_KEYS, "FILE", NULL, NULL, REPO | B(STATUS) | DAEMON | B(CONFIG) | B(NOTIFY) | B(EVIDENCE) | B(RPO) | B(REPORT), AT(config), 0, NULL,
        "the configuration (~/.config/holdfast/holdfast.yaml, or /etc/holdfast/holdfast.yaml)"},
    {"option", 'o', OPT_LIST, OPT_KEYS, "NAME=VALUE", NULL, NULL, REPO | B(STATUS) | B(EVIDENCE), AT(options), 0, NULL,
        "tell the store something, like s3.region=eu-west-1 (doc/stores.md has the names)"},
    {"key-file", 0, OPT_STRING, OPT_KEYS, "FILE", NULL, NULL, REPO, AT(key_file), OPT_CRED_ENV, NULL,
        "unlock with this key file"},
    {"password-file", 'p', OPT_STRING, OPT_KEYS, "FILE", NULL, NULL, REPO, AT(password_file), OPT_CRED_ENV,
        NULL, "the password is this file's first line"},
    {"password-command", 0, OPT_STRING, OPT_KEYS, "COMMAND", NULL, NULL, REPO, AT(password_command),
        OPT_CRED_ENV, NULL, "the password is the first line that this command prints"},
    {"cache-dir", 0, OPT_STRING, OPT_KEYS, "FOLDER", NULL, NULL, REPO | B(STATUS), AT(cache_dir), 0, NULL,
        "where local caches are"},
    {"no-cache", 0, OPT_FLAG, OPT_KEYS, NULL, NULL, NULL, OPENS | B(STATUS) | B(INIT) | B(DOCTOR) | B(CATALOG), AT(no_cache), 0, NULL,
        "use none"},
    /* everybody */
    {"json", 0, OPT_FLAG, OPT_GENERAL, NULL, NULL, NULL, ALL, AT(json), 0, NULL,
        "print one JSON object a line"},
    {"quiet", 'q', OPT_FLAG, OPT_GENERAL, NULL, NULL, NULL, ALL, AT(quiet), 0, NULL, "print errors only"},
    {"verbose", 'v', OPT_FLAG, OPT_GENERAL, NULL, NULL, NULL, ALL, AT(verbose), 0, NULL,
        "print every file too"},
    {"help", 'h', OPT_FLAG, OPT_GENERAL, NULL, NULL, NULL, ALL, AT(help), OPT_NO_ENV, NULL, "explain"},
    {"version", 0, OPT_FLAG, OPT_GENERAL, NULL, NULL, NULL, ALL, AT(version), OPT_NO_ENV, NULL,
        "print the version"},
};
/* clang-format on */
const size_t opt_count = sizeof opt_table / sizeof *opt_table;

const char *opt_group_title(enum opt_group g)
{
	static const char *const titles[OPT_GROUPS] = {
	    [OPT_MAIN] = "Options",
	    [OPT_WHICH] = "Which snapshots",
	    [OPT_KEEPING] = "What to keep",
	    [OPT_LIMITS] = "Limits",
	    [OPT_KEYS] = "Repository and key",
	    [OPT_GENERAL] = "General",
	};
	return titles[g];
}

bool opt_for(const struct opt_def *o, enum cmd_id id)
{
	return o->cmds >> id & 1;
}

bool opt_is_first(const struct opt_def *o)
{
	for (const struct opt_def *p = opt_table; p < o; p++)
		if (strcmp(p->name, o->name) == 0)
			return false;
	return true;
}

void opt_env_name(const struct opt_def *o, char out[64])
{
	int n;

	out[0] = '\0';
	if (o->flags & OPT_NO_ENV)
		return;
	n = snprintf(out, 64, "%s%s", o->env ? "" : "HOLDFAST_", o->env ? o->env : o->name);
	for (int i = 0; i < n && i < 63; i++)
		out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
}
