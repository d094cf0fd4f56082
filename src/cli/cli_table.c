/* cli_table: the commands.  Options are in cli_options.c. */
#include "cli/cli.h"

#include <stdlib.h>

#define ANY CMD_NO_MAX

#define ABOUT_SNAPSHOT                                                                             \
	"SNAPSHOT is the first 4 or more digits of an id; \"latest\"; \"latest:SYSTEM\"; or a "    \
	"time "                                                                                    \
	"with a date in it, which means the newest snapshot not later."

const struct cmd_def cmd_table[CMD_COUNT] = {
    [CMD_INIT] = {CMD_INIT, "init", "", "Make a new repository",
	"Makes an empty, encrypted repository at --repo. The place must be empty or not exist "
	"yet.\n\nWithout its key or password a repository cannot be read by anybody. Keep "
	"a copy of it somewhere else.",
	CMD_REPO, 0, 0, NULL, "3 11", cmd_init,
	{{"holdfast -r /srv/backup init", "asks for a new password, twice"},
	    {"holdfast -r /srv/backup init --new-key-file ~/backup.key",
		"makes a key file, for machines"}}},
    [CMD_BACKUP] = {CMD_BACKUP, "backup", "[PATH...]", "Store files as a new snapshot",
	"Reads the paths and stores what is new as one snapshot. Content that the repository has "
	"already is not stored again, and files that did not change since the parent, the newest "
	"complete snapshot of the same host and system (or paths), are not read again.\n\nFiles "
	"that cannot be read are reported, the rest is stored, and the exit status is "
	"3.\n\nPatterns follow gitignore's rules, with absolute paths; those of --exclude are "
	"tried after those in files, so they have the last word. Interrupted, it keeps what is "
	"stored, so that the next run goes on from there.",
	CMD_REPO | CMD_OPENS, 0, ANY, NULL, "11", cmd_backup,
	{{"holdfast -r /srv/backup backup /etc /home", "two folders, one snapshot"},
	    {"holdfast backup --system www -e '*.tmp' -x /srv/www", "named, without some files"},
	    {"pg_dump shop | holdfast backup --stdin --stdin-name shop.sql",
		"what a program writes"},
	    {"find /data -name '*.raw' -print0 | holdfast backup --files-from0 -",
		"a list of files"}}},
    [CMD_SNAPSHOTS] = {CMD_SNAPSHOTS, "snapshots", "[SNAPSHOT...]", "List snapshots",
	"Lists snapshots, oldest first. Options choose which; several of them must all fit. The "
	"state says what is pinned, held, in the trash, or dated later than it was stored.",
	CMD_REPO | CMD_OPENS, 0, ANY, NULL, NULL, cmd_snapshots,
	{{"holdfast -r /srv/backup snapshots", "all of them"},
	    {"holdfast snapshots --host db1 --latest 3", "the last three of each group on db1"},
	    {"holdfast snapshots --trash", "what was forgotten and can be brought back"}}},
    [CMD_LS] = {CMD_LS, "ls", "SNAPSHOT[:PATH]", "List files in a snapshot",
	"Lists a folder in a snapshot, as ls does.\n\n" ABOUT_SNAPSHOT, CMD_REPO | CMD_OPENS, 1, 1,
	NULL, NULL, cmd_ls,
	{{"holdfast ls latest:/etc", "one folder"},
	    {"holdfast ls -lR 1a2b3c4d", "everything, in detail"}}},
    [CMD_FIND] = {CMD_FIND, "find", "PATTERN...", "Find files in snapshots",
	"Finds names in all chosen snapshots. A pattern is a glob (* ? [...]), matched against the "
	"name, or against the whole path if it holds a '/'.\n\nWhere a configuration is found and "
	"no "
	"--repo is given, or with --all, the catalog is asked, which knows the files of all "
	"snapshots in all repositories. There a pattern without wildcards may be any part of a "
	"name, or of a path if it holds a '/'. Each file is told once with the snapshots that "
	"have it.",
	CMD_REPO | CMD_OPENS, 1, ANY, NULL, NULL, cmd_find_files,
	{{"holdfast -r /srv/backup find '*.conf'", "in all snapshots of a repository"},
	    {"holdfast find --all budget", "in all repositories, at once"},
	    {"holdfast find -i 'report*' --newer 2026-11-01", "changed since that day"}}},
    [CMD_CAT] = {CMD_CAT, "cat", "SNAPSHOT:PATH", "Print a file's content",
	"Writes the content of one file to standard output.\n\n" ABOUT_SNAPSHOT,
	CMD_REPO | CMD_OPENS, 1, 1, NULL, NULL, cmd_cat,
	{{"holdfast cat latest:/etc/fstab", "as it was in the newest snapshot"}}},
    [CMD_DIFF] = {CMD_DIFF, "diff", "SNAPSHOT[:PATH] SNAPSHOT[:PATH]", "Compare two snapshots",
	"Prints what differs: + added, - removed, M content modified, T another type of thing, "
	"U only metadata (owner, mode, time).\n\n" ABOUT_SNAPSHOT,
	CMD_REPO | CMD_OPENS, 2, 2, NULL, NULL, cmd_diff,
	{{"holdfast diff 1a2b3c4d latest", "since that snapshot"}}},
    [CMD_RESTORE] = {CMD_RESTORE, "restore", "SNAPSHOT[:PATH]", "Write files back to a folder",
	"Restores a snapshot below --target, where absolute paths are kept; with a PATH, that "
	"folder's content (or that one file) goes right into the target. Nothing is ever written "
	"outside the target, and nothing that is there is overwritten unless --overwrite says "
	"so.\n\nWhat cannot be restored is reported, the rest is restored, and the exit status is "
	"3; "
	"or 20 where stored data is damaged.\n\nWhere packs that it needs sleep in cold storage, "
	"it tells "
	"which, how long it takes and what it costs to thaw them, and does nothing more, unless "
	"--thaw "
	"says how fast. What was asked for is never asked for again: the same command goes on with "
	"waiting.\n\n" ABOUT_SNAPSHOT,
	CMD_REPO | CMD_OPENS, 1, 1, NULL, NULL, cmd_restore,
	{{"holdfast -r /srv/backup restore latest --target /tmp/back", "everything"},
	    {"holdfast restore latest:/etc --target /tmp/etc", "one folder's content"},
	    {"holdfast restore 1a2b3c4d --target / --overwrite if-changed --include /home/eve",
		"put back in place what differs"},
	    {"holdfast restore latest --target /tmp/back --thaw bulk", "out of an archive"}}},
    [CMD_RECOVER] = {CMD_RECOVER, "recover", "SYSTEM", "Bring a database back to a moment",
	"Brings back a PostgreSQL database that SYSTEM's backups and log hold, as it was at --to. "
	"It "
	"checks first: which base backup, whether the log reaches the moment without a gap and "
	"goes "
	"on behind it, room, programs, the target folder; and says what is given up. With "
	"--dry-run "
	"that is all.\n\nThen it restores below --target, gives the server the settings and the "
	"log "
	"that it needs, and with --start starts it (as the owner of its files, or by the "
	"configured "
	"command where the target is the configured data directory), waits for the end of the "
	"recovery, and reports what was reached. Without --start the server recovers when it is "
	"started: all the log that it needs is in its pg_wal.\n\nWith --only a database, a schema "
	"or "
	"a table is taken out of a recovery on the side and brought into a server that runs; "
	"nothing "
	"else there is touched.\n\nWith --instant the server is started at once, on a mount of the "
	"backup: what it asks for is "
	"brought when it asks, the rest meanwhile, and what it writes stays in TARGET.holdfast "
	"beside the target. The "
	"process that serves it goes on by itself. When all is here and the server is stopped or "
	"restarted, or with "
	"--finish, plain files take the mount's place. If that process is killed, the same command "
	"goes on with every "
	"write that there was.",
	CMD_REPO | CMD_OPENS, 1, 1, NULL, NULL, cmd_recover,
	{{"holdfast recover orders-db --to '2026-11-21 09:41:07+01' --target /srv/pg --start",
	     "just before the mistake"},
	    {"holdfast recover orders-db --to latest --target /srv/pg --instant",
		"answer queries in seconds, whatever its size"},
	    {"holdfast recover orders-db --to latest --target /srv/pg --delta --start",
		"in place, writing only what differs"},
	    {"holdfast recover orders-db --to '2026-11-21 09:41' --only orders.public.items --into "
	     "postgresql:///orders",
		"one table"}}},
    [CMD_MOUNT] = {CMD_MOUNT, "mount", "MOUNTPOINT", "Show snapshots as a file system",
	"Mounts the chosen snapshots, read-only, on an empty folder until it is unmounted or "
	"interrupted. Below it are ids/, times/ and latest.",
	CMD_REPO | CMD_OPENS, 1, 1, NULL, NULL, cmd_mount,
	{{"holdfast -r /srv/backup mount /mnt", "look around with any program"}}},
    [CMD_CHECK] = {CMD_CHECK, "check", "", "Verify that the repository is whole",
	"Verifies that everything that snapshots need is there and that what lists it is intact; "
	"with --read-data also that every stored byte is what it was. Damage is reported with the "
	"snapshots and files that it reaches, and the exit status is 20.\n\n--rules looks at all "
	"repositories that the configuration declares, and judges for each system whether there "
	"are 3 copies (with the original) on 2 media, 1 offsite and 1 that is proven to be "
	"immutable, all checked within a month without errors, where its data may be. --tamper "
	"proves it: with the rights that backups have it tries to replace and to delete an object "
	"made for this, then to replace a pack by itself, and finds fault (20) with a store that "
	"lets it.",
	CMD_REPO | CMD_OPENS, 0, 0, NULL, "40", cmd_check,
	{{"holdfast -r /srv/backup check", "quickly"}, {"holdfast check --read-data", "every byte"},
	    {"holdfast check --read-data-subset 5%", "a part, chosen anew each time"},
	    {"holdfast check --rules", "is all that is declared as safe as it should be?"}}},
    [CMD_FORGET] = {CMD_FORGET, "forget", "[SNAPSHOT...]", "Drop snapshots by rules or by name",
	"Applies the --keep rules to each group of snapshots (same host and system, or same host "
	"and paths), keeps what any rule wants, and forgets the rest; or forgets the snapshots "
	"that are named. A forgotten snapshot stays in the trash for the --delay, and can be "
	"restored or brought back; the first prune after that frees its space.\n\nWhat is pinned "
	"or held (see tag) is never dropped, nor by a rule the newest complete snapshot of a "
	"group. N may be \"unlimited\".",
	CMD_REPO | CMD_OPENS, 0, ANY, NULL, "11", cmd_forget,
	{{"holdfast forget --keep-daily 7 --keep-weekly 5 --dry-run", "shows what would go"},
	    {"holdfast forget --keep-within 1y6mo --prune", "and frees the space"},
	    {"holdfast forget 1a2b3c4d", "one of them"},
	    {"holdfast forget --undo 1a2b3c4d", "brings it back"}}},
    [CMD_PRUNE] = {CMD_PRUNE, "prune", "", "Free what no snapshot needs",
	"Works beside running backups: what nothing needs is first marked, and deleted by a prune "
	"after the grace time (a day, unless init said otherwise). With --exclusive it is deleted "
	"at once, which is safe only while nobody else uses the repository.\n\nIn cold storage, "
	"which is paid for a minimum time, nothing is deleted before that is over, and nothing is "
	"written again, unless --pay-for-cold says so; what sleeps there is never read.",
	CMD_REPO | CMD_OPENS, 0, 0, NULL, "11", cmd_prune,
	{{"holdfast -r /srv/backup prune --dry-run", "shows what would be freed, and why"}}},
    [CMD_STATS] = {CMD_STATS, "stats", "", "Measure the repository",
	"Counts what is stored, how large it is, and what the chosen snapshots would be if "
	"restored.",
	CMD_REPO | CMD_OPENS, 0, 0, NULL, NULL, cmd_stats,
	{{"holdfast -r /srv/backup stats", "all of it"}}},
    [CMD_COPY] = {CMD_COPY, "copy", "[SNAPSHOT...]", "Copy snapshots from another repository",
	"Copies snapshots of --from-repo (all, or those that are named or chosen) into --repo, "
	"sealed with its keys. Copies keep time, host, paths and tags, and say what they are a "
	"copy of: what was copied before is left out, and what snapshots have in common is read "
	"and "
	"stored once. Interrupted, it goes on from there the next time.\n\nA snapshot that damage "
	"reaches is reported and left out, the others are copied, and the exit status is 20. Pins, "
	"holds and what is in the trash are not copied.\n\nWith --follow-retention the copies of "
	"snapshots that --from-repo has forgotten, or no more, go into the trash for the --delay; "
	"never what is pinned or held in --repo.\n\n" ABOUT_SNAPSHOT,
	CMD_REPO | CMD_OPENS, 0, ANY, NULL, "11", cmd_copy,
	{{"holdfast -r /mnt/usb copy --from-repo /srv/backup --from-key-file ~/backup.key",
	     "everything that is not there yet"},
	    {"holdfast copy --from-repo /srv/backup latest:orders-db", "one system's newest"},
	    {"holdfast copy --from-repo /srv/backup --follow-retention",
		"and drops what it dropped"}}},
    [CMD_TAG] = {CMD_TAG, "tag", "SNAPSHOT...", "Change snapshots' tags, pins and holds",
	"Changes the tags of snapshots, pins them or puts them on a legal hold: forget refuses "
	"what "
	"is pinned or held, and prune never deletes it.\n\n" ABOUT_SNAPSHOT,
	CMD_REPO | CMD_OPENS, 1, ANY, NULL, "11", cmd_tag,
	{{"holdfast tag --add keep --remove test latest", "both at once"},
	    {"holdfast tag --pin 1a2b3c4d", "keeps it until it is unpinned"},
	    {"holdfast tag --hold --until 2027-12-31 1a2b3c4d",
		"and for as long as the law says"}}},
    [CMD_KEY] = {CMD_KEY, "key", "list|add|remove|rotate|passwd|export|import ...",
	"Manage keys and passwords",
	"A repository can have several keys, each of a role. full: everything. write: backs up, "
	"deduplicated against its own work, and reads nothing back, not even that: for machines "
	"that may be broken into. maintenance: check and prune, without seeing a name or "
	"content.\n\nlist shows them, add makes another, remove takes one away (not the one in "
	"use), after which what comes is sealed with new keys that the removed one lacks; rotate "
	"makes new keys without removing anybody. passwd gives the one in use a new password or "
	"key file.\n\nexport prints a sheet with which import brings a lost config back: print it "
	"after every change of keys (a machine that used the repository keeps one too, as *.config "
	"in its state folder). With --secret it has the sealed key too, for when keys/ is "
	"lost.\n\nThe new password comes from --new-key-file (made here), "
	"--new-password-file, or a prompt.",
	CMD_REPO | CMD_OPENS, 1, 2, "list|add|remove|rotate|passwd|export|import", "11", cmd_key,
	{{"holdfast key list", "who has one"},
	    {"holdfast key add --new-key-file /root/holdfast.key --label db1",
		"a key file for a machine"},
	    {"holdfast key add --role write --new-key-file /root/db1.key",
		"for a machine that only adds"},
	    {"holdfast key export --output sheet.txt", "to be printed"}}},
    [CMD_KIT] = {CMD_KIT, "kit", "export --single-file SNAPSHOT",
	"Export a snapshot as one file that needs nothing else",
	"Writes a snapshot as one encrypted file, to standard output or --output. With its own key "
	"or password (--new-key-file, --new-password-file, or a prompt) it is read at kit:FILE by "
	"every command that reads: restore, ls, mount, copy; check verifies every byte of it. It "
	"holds no key of this repository.\n\nA file that was torn or changed is told as "
	"such.\n\n" ABOUT_SNAPSHOT,
	CMD_REPO | CMD_OPENS, 2, 2, "export", NULL, cmd_kit,
	{{"holdfast kit export --single-file latest --new-key-file k.key --output shop.kit",
	     "and keep the key elsewhere"},
	    {"holdfast kit export --single-file latest --new-password-file pw | ssh safe 'cat "
	     ">shop.kit'",
		"in one stream"},
	    {"holdfast -r kit:shop.kit --key-file k.key restore latest --target /tmp/shop",
		"years later"}}},
    [CMD_REPAIR] = {CMD_REPAIR, "repair", "[index | snapshots]",
	"Make the best of a damaged repository",
	"What parity (init --parity, --add-parity) can mend is put back bit for bit. Then index "
	"writes again the lists of what is stored where, from what is stored. snapshots "
	"replaces snapshots that damage reaches by ones without the files that are lost, each of "
	"which is reported. Without a word: both. What is "
	"whole, but of keys that config does not know, is left alone, unless --drop-foreign says "
	"that there is no newer config. snapshots --accept-history takes "
	"what check finds missing or set back for right, and does so only then. Keep a copy of the "
	"repository first if you "
	"can.",
	CMD_REPO | CMD_OPENS, 0, 1, "index|snapshots", "11", cmd_repair,
	{{"holdfast -r /srv/backup repair --dry-run", "shows what would be done"},
	    {"holdfast repair --add-parity 10%", "and from now on keeps parity"}}},
    [CMD_CACHE] = {CMD_CACHE, "cache", "[dir | clear]", "Show or clear the local cache",
	"The cache only saves time: it can be cleared whenever nothing runs. dir shows where it "
	"is and how large; clear removes the caches of all repositories.",
	CMD_REPO, 0, 1, "dir|clear", NULL, cmd_cache,
	{{"holdfast cache", "where, and how large"},
	    {"holdfast cache clear", "all repositories' caches"}}},
    [CMD_SERVE] = {CMD_SERVE, "serve", "", "Do what is declared, when it is due",
	"Stays, and begins each declared system's backups and verifications by their schedules; "
	"without one they are derived from the rpo. What was missed while nothing ran is made good "
	"once. Each run is a process of its own, one at a time for each repository.\n\nSIGTERM "
	"stops what runs, and ends. SIGHUP reads the configuration anew: all of it, or with a "
	"mistake in it nothing. There is one daemon for each state folder.",
	0, 0, 0, NULL, "11", cmd_serve,
	{{"holdfast serve", "until it is told to stop"},
	    {"holdfast -c ./holdfast.yaml serve --log-format json", "for a log collector"}}},
    [CMD_STATUS] = {CMD_STATUS, "status", "", "Show what is declared, as it is",
	"Shows the daemon, each declared repository with its newest snapshot, and each system: its "
	"last "
	"good backup and how old that may be (exit 40 where it is older), how its last run ended, "
	"and when the next is due. The daemon is asked, by its socket; where none answers, the "
	"catalog. No repository is opened: check --rules looks into them.",
	0, 0, 0, NULL, "40", cmd_status, {{"holdfast status", "all at a glance"}}},
    [CMD_NOTIFY] = {CMD_NOTIFY, "notify", "test [CHANNEL] | list",
	"Tell people, or see who is told",
	"test sends a message to each channel that the configuration declares, or to that one, and "
	"says for each whether it was taken, or why not. A ping is told that a run succeeded. list "
	"shows the channels and what each of them is told.",
	0, 1, 2, "test|list", NULL, cmd_notify,
	{{"holdfast notify test", "does everybody hear us?"},
	    {"holdfast notify test boss", "does this one?"},
	    {"holdfast notify list", "who is told what"}}},
    [CMD_RUN] = {CMD_RUN, "run", "SYSTEM...", "Back up a declared system now",
	"Runs all that is declared of the system: looks at its sources, hooks, backup to all "
	"destinations, retention. Where the daemon runs it does it, and this command waits for "
	"the end: Ctrl-C leaves off waiting and stops nothing (jobs cancel does); else it is done "
	"here. Both are recorded (jobs). One that waits for its turn already is waited for.",
	0, 1, ANY, NULL, "3 10 11 12", cmd_run,
	{{"holdfast run orders-db", "now, and wait"},
	    {"holdfast run --no-wait --type full www", "as soon as it is its turn"},
	    {"holdfast run --kind copy orders-db", "its newest snapshot to its archives"}}},
    [CMD_JOBS] = {CMD_JOBS, "jobs", "[RUN | cancel RUN]", "List what was run, runs and waits",
	"Lists runs, the newest first; shows one with its log; or stops one: what it has stored "
	"is kept, and the next run goes on from there. The daemon is asked, by its socket; where "
	"none answers, the catalog.",
	0, 0, 2, NULL, NULL, cmd_jobs,
	{{"holdfast jobs", "the newest 20"}, {"holdfast jobs 42", "one, with the end of its log"},
	    {"holdfast jobs --system www --limit 100", "of one system"},
	    {"holdfast jobs cancel 42", "stop it"}}},
    [CMD_SCHEDULE] = {CMD_SCHEDULE, "schedule", "[SYSTEM...]", "Show the next runs",
	"Computes from the configuration what is due when. The time zone is the schedule's; what "
	"is shown is local time.",
	0, 0, ANY, NULL, NULL, cmd_schedule,
	{{"holdfast schedule", "the next ten"},
	    {"holdfast schedule www --until 2026-12-31", "all of a system until then"}}},
    [CMD_WHY] = {CMD_WHY, "why", "SYSTEM", "Explain why a system did not run",
	"Says what keeps a system from running, or did: paused, not due, a window, another run "
	"at its repository, what it depends on, no daemon, an error; and how the last runs ended.",
	0, 1, 1, NULL, NULL, cmd_why, {{"holdfast why orders-db", "what is the matter?"}}},
    [CMD_VERIFY] = {CMD_VERIFY, "verify", "SYSTEM...", "Prove what is stored of a system now",
	"Judges the system's newest snapshot in each place where it is declared to be, or with "
	"--repo in that one: that all it needs is there and sealed, that it is complete and young "
	"enough; with --level comprehensive also that a sample of its files comes back, and how "
	"long all of it would take.\n\nWhat is asserted has weights: the score is the share that "
	"passed, every deduction is printed, and below 0.95, or with one critical assertion "
	"failed, "
	"the exit status is 20. Damage that others' snapshots have is told, with 3, and so is a "
	"catalog "
	"that cannot say whether the newest snapshot is there.\n\n--monitor "
	"looks at what the "
	"configuration has monitored of it (checksums, counts, states, versions), and exits with "
	"20 "
	"where it is not as it was accepted; --accept accepts it.",
	CMD_REPO | CMD_OPENS, 1, ANY, NULL, "11", cmd_verify,
	{{"holdfast verify orders-db", "in all its places, now"},
	    {"holdfast verify www --level comprehensive --foreground", "with a sample restored"},
	    {"holdfast -r offsite verify www --read-data", "every byte that it needs there"},
	    {"holdfast verify www --accept", "what its monitors saw is right"}}},
    [CMD_DRILL] = {CMD_DRILL, "drill", "SYSTEM...", "Rehearse a recovery, and prove it",
	"Restores the system's newest recovery point into a place apart from the machine (a folder "
	"of its own, no network, another user, limits), starts its server where it is a database, "
	"compares what came back with what the backup recorded and with what was proven before, "
	"asks what its checks ask, measures, and takes everything down again, whatever "
	"happens.\n\nThe record says how long each step took against the rto, how much would be "
	"lost against the rpo, the score, and which isolation was had; it is signed, and stands in "
	"the audit trail. What did not come back as it should exits with 21; what did, but too "
	"late, with 40. Where it could not be tried the exit status is 1: that proves nothing "
	"either way.\n\nWith --repo it is done here, else by the daemon or in the foreground, from "
	"its first destination that answers.",
	CMD_REPO | CMD_OPENS, 1, ANY, NULL, "11 21 40", cmd_drill,
	{{"holdfast drill orders-db", "does the newest one come back, and how fast?"},
	    {"holdfast -r offsite drill orders-db --level comprehensive",
		"from there, with checks"},
	    {"holdfast -r main drill www --to 1a2b3c4d --keep", "that snapshot, to look around in"},
	    {"holdfast -r main drill db --to '2026-11-21 09:41:07+01'", "to a moment"}}},
    [CMD_RPO] = {CMD_RPO, "rpo", "[SYSTEM]", "Show how much would be lost",
	"Shows for each declared system what is promised, how old its newest recovery point is and "
	"how old the newest that a drill has proven, how long its recovery would take by what the "
	"last drill measured and by its size now, and how the last drill ended. Where the newest "
	"is "
	"older than is borne the exit status is 40.",
	0, 0, 1, NULL, "40", cmd_rpo,
	{{"holdfast rpo", "all systems"}, {"holdfast --json rpo orders-db", "for a program"}}},
    [CMD_REPORT] = {CMD_REPORT, "report", "drill [SYSTEM | RECORD]", "Report what was proven",
	"Makes a report of the last drill, of a system's last one, or of that record: as text, as "
	"a page of HTML that needs nothing else and prints well, as JSON, or as assessment results "
	"of OSCAL. Each says the record's hash and signature: HTML and JSON hold the signed record "
	"itself, which 'evidence verify' and tools/verify-evidence check.",
	0, 1, 2, "drill", NULL, cmd_report,
	{{"holdfast report drill orders-db", "the last one"},
	    {"holdfast report drill www --format html --output d.html", "to be handed on"},
	    {"holdfast report drill --format oscal", "for who collects evidence"}}},
    [CMD_CONFIG] = {CMD_CONFIG, "config", "check|show|schema|migrate FILE",
	"Check, show or convert the configuration",
	"check reads the configuration and says what is wrong with it, and where. show prints it "
	"as it is in force: the file, what the folder beside it (holdfast.d) adds, and the "
	"environment. schema prints a JSON Schema of it, for editors. migrate prints "
	"a configuration made of another program's, with TODO where a person is needed: a file "
	"with "
	"schedule, retention in days and destination, or a JSON object with strategy, schedule, "
	"retention and destinations.\n\nSecrets stand in it only "
	"by reference (file:, env:, command:, credential:), so that nothing printed is secret.",
	0, 1, 2, "check|show|schema|migrate", NULL, cmd_config,
	{{"holdfast config check", "is it good?"},
	    {"holdfast config show --origin", "with the file and line of each value"},
	    {"holdfast config schema > holdfast.schema.json", "for editors"},
	    {"holdfast config migrate old.json > holdfast.yaml", "from another program's"}}},
    [CMD_CATALOG] = {CMD_CATALOG, "catalog", "status|rebuild",
	"Show our own record, or fill it again",
	"The catalog is our own record: runs, events, and snapshots with their files, so that find "
	"--all answers at once. It is catalog.db in the state folder, or where the configuration "
	"says (catalog:, a path or postgresql://...; HOLDFAST_CATALOG goes first).\n\nstatus says "
	"where it is and what it holds. rebuild takes in what it lacks from all repositories of "
	"the configuration, and drops what is there no more; one that is damaged is kept under "
	"another name, and a new one filled; with --repo only that repository is read. Events, "
	"measurements and runs without a snapshot are "
	"in no repository: they are lost with it.",
	CMD_REPO, 1, 1, "status|rebuild", "3", cmd_catalog,
	{{"holdfast catalog status", "where it is, and how much"},
	    {"holdfast catalog rebuild", "after it was lost"}}},
    [CMD_EVIDENCE] = {CMD_EVIDENCE, "evidence", "verify|show|export|head|key [FILE]",
	"Verify or show the audit trail",
	"The audit trail records what was changed, whose content was read, what is kept and who "
	"approved, in a chain of signed records, in the state folder. verify says whether all of "
	"it is there and as it was written, and names the first broken link; it needs the file and "
	"the public key, and with -r the heads that runs left in that repository, which show "
	"whether the end was cut off. show lists the records. export prints the file as it is, "
	"head a signed statement of where the chain ends, to be kept elsewhere, and key the public "
	"key; key rotate has another key sign from now on.",
	CMD_REPO, 1, 2, "verify|show|export|head|key", "20", cmd_evidence,
	{{"holdfast evidence verify -r offsite", "against what is kept there"},
	    {"holdfast evidence verify copy.log --public-key evidence.pub", "anywhere, offline"},
	    {"holdfast evidence show --newer 2026-11-01", "what happened since"}}},
    [CMD_DOCTOR] = {CMD_DOCTOR, "doctor", "[machine|postgresql|repositories]",
	"Find what is wrong here, and say what to do",
	"Looks at all that a backup needs: the configuration and where it is kept, each declared "
	"repository (or --repo: is it reached, do its key and rights suffice, is there room, does "
	"its clock agree with ours), the servers of PostgreSQL, the paths of the systems, the "
	"catalog, the audit trail, folders and their modes. Each finding comes with what to do; "
	"with any the exit status is "
	"3.\n\nWith --bundle all of it goes into one file for whoever helps: versions, the "
	"configuration and the environment without any secret, the findings, the last runs and "
	"their logs.",
	CMD_REPO, 0, 1, "machine|postgresql|repositories", "3", cmd_doctor,
	{{"holdfast doctor", "all that is declared"},
	    {"holdfast doctor postgresql", "servers: settings, rights, slots, room, versions"},
	    {"holdfast -r /srv/backup doctor", "one repository"},
	    {"holdfast doctor --bundle support.tar.gz", "to be handed on"}}},
    [CMD_LOG] = {CMD_LOG, "log", "push FILE|get NAME DEST|list|verify|follow",
	"Archive a database's log, and bring it back",
	"push stores a file of PostgreSQL's log and exits with 0 when it is durable, as "
	"archive_command wants it: archive_command = 'holdfast log push %p'. A running daemon is "
	"handed the open file; without one the repository is opened here. The same file again is "
	"success; where other content is stored already nothing is, and it says so.\n\nget brings "
	"a file back, for "
	"restore_command = 'holdfast log get %f %p', and reads ahead. It exits with 1 only when "
	"the "
	"file is proven not to be there, and with 126 for everything else, which stops "
	"PostgreSQL's "
	"recovery instead of ending it early.\n\nlist shows what is there: ranges, gaps, base "
	"backups, and to when a database can be brought back. verify reads all of it, and exits "
	"with "
	"20 for damage or a gap.\n\nfollow receives the log as the server writes it, over a "
	"replication "
	"slot, until Ctrl-C; with --once only what is there now. A daemon does that by itself for "
	"systems whose source says receive: {enabled: yes}.",
	CMD_REPO, 1, 3, "push|get|list|verify|follow", "20 126", cmd_log,
	{{"holdfast log push --system orders-db pg_wal/000000010000000000000042", "store a file"},
	    {"holdfast log get 000000010000000000000042 pg_wal/RECOVERYXLOG", "bring it back"},
	    {"holdfast log list orders-db", "what is there, and to when it reaches"},
	    {"holdfast log verify orders-db", "read all of it"}}},
    [CMD_TOKEN] = {CMD_TOKEN, "token", "add|list|remove [NAME]",
	"Manage tokens for the daemon's API",
	"Over TCP the API (doc/api.md) is asked with a bearer token. add makes one and prints it, "
	"once: only its hash is kept, in the state folder. The daemon knows it, or no more after "
	"remove, at once.",
	0, 1, 2, "add|list|remove", NULL, cmd_token,
	{{"holdfast token add prometheus --scope viewer > /etc/prometheus/holdfast.token",
	     "for scraping"},
	    {"holdfast token add deploy --scope operator --expires 2027-01-01",
		"may start backups until then"},
	    {"holdfast token remove deploy", "at once"}}},
    [CMD_COMPLETION] = {CMD_COMPLETION, "completion", "SHELL",
	"Print a script for shell completion",
	"Prints a script that teaches the shell (bash) holdfast's words.", 0, 1, 1, "bash", NULL,
	cmd_completion, {{"source <(holdfast completion bash)", "for this shell"}}},
    [CMD_HELP] = {CMD_HELP, "help", "[COMMAND]", "Explain holdfast or a command",
	"Explains a command, or lists all of them. With --man the manual pages are written into a "
	"folder.",
	0, 0, 1, NULL, NULL, cmd_help,
	{{"holdfast help restore", "the same as holdfast restore --help"}}},
    [CMD_VERSION] = {CMD_VERSION, "version", "", "Print the version", "Prints the version.", 0, 0,
	0, NULL, NULL, cmd_version, {{"holdfast version", ""}}},
};

const struct cmd_exit cmd_exits[] = {
    {0, "done"},
    {1, "failed"},
    {2, "usage or configuration"},
    {3, "completed with problems: something was skipped, or read by parity (1 with --strict)"},
    {10, "there is no repository"},
    {11, "the repository or a resource is busy"},
    {12, "wrong password or key"},
    {20, "damage or tampering was found"},
    {21, "a drill failed"},
    {40, "an objective is missed"},
    {126, "log get could not tell whether the file is there: PostgreSQL's recovery stops"},
    {130, "interrupted"},
};
const size_t cmd_exits_count = sizeof cmd_exits / sizeof *cmd_exits;

const struct cmd_def *cmd_find(const char *name)
{
	for (size_t i = 0; i < CMD_COUNT; i++)
		if (strcmp(cmd_table[i].name, name) == 0)
			return &cmd_table[i];
	return NULL;
}

bool cmd_exit_applies(const struct cmd_def *c, int status)
{
	const char *p = c->exits ? c->exits : "";

	if (status <= 2 || status == 130)
		return true;
	if (c->flags & CMD_OPENS && (status == 3 || status == 10 || status == 12 || status == 20))
		return true;
	while (*p) {
		char *end;

		if (strtol(p, &end, 10) == status)
			return true;
		p = end;
		while (*p == ' ')
			p++;
	}
	return false;
}
