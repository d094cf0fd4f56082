/*
 * daemon_evidence: what of the daemon itself belongs into the audit trail: that it began and
 * ended, and which configuration is in force.  Its jobs record themselves.
 */
#include "catalog/evidence.h"

#include "base/hex.h"
#include "daemon/daemon_internal.h"
#include "os/os.h"

enum { FILE_MAX = 4 << 20 };

/* The files, by what is in them: who changed one later cannot say that it was so all along. */
static json_t *config_files(const struct daemon *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->world->nfiles; i++) {
		struct buf b = {0};
		struct err ignored;
		uint8_t hash[32];
		char hex[65] = "";

		if (os_read_file(d->world->files[i], FILE_MAX, &b, &ignored) == 0) {
			crypto_sha256(buf_span(&b), hash);
			hex_encode(hex, hash, sizeof hash);
		}
		json_array_append_new(
		    list, json_pack("{s:s?, s:s}", "path", d->world->files[i], "sha256", hex));
		buf_fini(&b);
	}
	return list;
}

static void record(struct daemon *d, enum evidence_action a, enum evidence_outcome outcome,
    const char *subject, json_t *details)
{
	struct evidence_event ev = {a, outcome, NULL, subject, details};
	struct err e;

	/* The daemon goes on: what is not recorded is told. */
	if (evidence_append(d->p->state_dir, &ev, d->ctx, NULL, &e) == -1)
		daemon_tell(d, "evidence.failed", EVENT_WARN, NULL, 0, "%s", e.msg);
	json_decref(details);
}

void daemon_record_life(struct daemon *d, bool begun)
{
	record(d, EVIDENCE_DAEMON, begun ? EVIDENCE_BEGUN : EVIDENCE_COMPLETED, d->owner,
	    json_pack("{s:i}", "pid", (int)getpid()));
}

void daemon_record_config(struct daemon *d, const struct err *refused)
{
	json_t *o = json_object();

	if (refused != NULL)
		json_object_set_new(o, "error", json_string(refused->msg));
	json_object_set_new(o, refused ? "refused" : "in_force", config_files(d));
	record(d, EVIDENCE_CONFIG, refused ? EVIDENCE_FAILED : EVIDENCE_COMPLETED,
	    d->world->files[0], o);
}
