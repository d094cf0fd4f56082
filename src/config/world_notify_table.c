/* world_notify_table: the keys of `notify`: the ways there are, and a channel's route. */
#include <stddef.h>

#include "config/world_notify.h"
#include "config/world_tables.h"

#define W(member) offsetof(struct world_way, member)
#define C(member) offsetof(struct world_channel, member)

/* clang-format off */
#define CA_FILE {"ca_file", FIELD_TEXT, W(ca_file), false, NULL, NULL, "a certificate authority of your own, PEM"}
#define TIMEOUT {"timeout", FIELD_DURATION, W(timeout), false, NULL, NULL, "for a try; 30s"}
#define LOGIN \
    {"user", FIELD_TEXT, W(user), false, NULL, NULL, "the login's name"}, \
    {"password", FIELD_SECRET, W(password), false, NULL, NULL, "its password, by reference"}
#define TOKEN {"token", FIELD_SECRET, W(token), false, NULL, NULL, "a bearer token, by reference"}

static const struct field email_rows[] = {
    {"smtp", FIELD_TEXT, W(url), true, NULL, NULL, "smtps://HOST (TLS), smtp://HOST:587 (STARTTLS)"},
    {"to", FIELD_TEXTS, W(to), true, NULL, NULL, "addresses"},
    {"from", FIELD_TEXT, W(from), false, NULL, NULL, "our address; left out: holdfast@ this host"},
    LOGIN,
    {"tls", FIELD_CHOICE, W(tls), false, "required|optional", NULL, "optional: in the clear where the server has no STARTTLS; never with a password"},
    CA_FILE, TIMEOUT, {0},
};
static const struct field slack_rows[] = {
    {"webhook", FIELD_SECRET, W(url), true, NULL, NULL, "the incoming webhook's URL, by reference: who has it may post"},
    CA_FILE, TIMEOUT, {0},
};
static const struct field webhook_rows[] = {
    {"url", FIELD_TEXT, W(url), true, NULL, NULL, "where JSON is posted to; may be a reference"},
    {"secret", FIELD_SECRET, W(secret), false, NULL, NULL, "what the body is signed with (HMAC-SHA-256), by reference"},
    TOKEN, LOGIN, CA_FILE, TIMEOUT, {0},
};
static const struct field sms_rows[] = {
    {"user", FIELD_TEXT, W(user), true, NULL, NULL, "the account's id (AC...)"},
    {"password", FIELD_SECRET, W(password), true, NULL, NULL, "its token, by reference"},
    {"from", FIELD_TEXT, W(from), true, NULL, NULL, "the number or name that sends"},
    {"to", FIELD_TEXTS, W(to), true, NULL, NULL, "numbers: +4915112345678"},
    {"url", FIELD_TEXT, W(url), false, NULL, NULL, "another gateway's Messages.json; left out: Twilio's"},
    CA_FILE, TIMEOUT, {0},
};
static const struct field ntfy_rows[] = {
    {"url", FIELD_TEXT, W(url), true, NULL, NULL, "https://ntfy.sh/TOPIC; may be a reference"},
    TOKEN, LOGIN, CA_FILE, TIMEOUT, {0},
};
static const struct field ping_rows[] = {
    {"url", FIELD_TEXT, W(url), true, NULL, NULL, "told when a run succeeds; may be a reference"},
    {"start", FIELD_TEXT, W(start), false, NULL, NULL, "told when one begins; left out: the URL and /start"},
    {"fail", FIELD_TEXT, W(fail), false, NULL, NULL, "told when one fails; left out: the URL and /fail"},
    {"every", FIELD_DURATION, W(every), false, NULL, NULL, "say that the daemon is alive so often, and nothing of runs"},
    CA_FILE, TIMEOUT, {0},
};

static const struct field_table tables[WORLD_WAYS] = {
    {email_rows, sizeof(struct world_way)},
    {slack_rows, sizeof(struct world_way)},
    {webhook_rows, sizeof(struct world_way)},
    {sms_rows, sizeof(struct world_way)},
    {ntfy_rows, sizeof(struct world_way)},
    {ping_rows, sizeof(struct world_way)},
};

static const struct field channel_rows[] = {
    {"email", FIELD_STRUCT, C(way[0]), false, NULL, &tables[0], "mail by SMTP"},
    {"slack", FIELD_STRUCT, C(way[1]), false, NULL, &tables[1], "an incoming webhook of Slack, Mattermost, ..."},
    {"webhook", FIELD_STRUCT, C(way[2]), false, NULL, &tables[2], "signed JSON to any URL"},
    {"sms", FIELD_STRUCT, C(way[3]), false, NULL, &tables[3], "short messages, by Twilio or what speaks like it"},
    {"ntfy", FIELD_STRUCT, C(way[4]), false, NULL, &tables[4], "a topic of ntfy"},
    {"ping", FIELD_STRUCT, C(way[5]), false, NULL, &tables[5], "a dead man's switch, as healthchecks.io has them"},
    {"severity", FIELD_CHOICE, C(severity), false, "info|warning|critical", NULL, "told from there on; warning"},
    {"on", FIELD_TEXTS, C(on), false, NULL, NULL, "only these events: run.failed, \"verify.*\""},
    {"systems", FIELD_TEXTS, C(systems), false, NULL, NULL, "only of these systems: www, \"db-*\""},
    {"quiet_hours", FIELD_WINDOWS, C(quiet_hours), false, NULL, NULL, "hold what is not critical until their end: \"22:00-07:00\""},
    {"timezone", FIELD_TEXT, C(timezone), false, NULL, NULL, "by whose clock those are; left out: the machine's"},
    {"hold_critical", FIELD_FLAG, C(hold_critical), false, NULL, NULL, "quiet hours hold even what is critical"},
    {"dedupe", FIELD_DURATION, C(dedupe), false, NULL, NULL, "what is told again so soon is only counted; 1h, 0s: all is told"},
    {"max_per_hour", FIELD_COUNT, C(max_per_hour), false, NULL, NULL, "more are held and told as one; 60, 0: no limit"},
    {"tries", FIELD_COUNT, C(tries), false, NULL, NULL, "how often it is tried, later and later; 8, which is an hour"},
    {"fallback", FIELD_TEXT, C(fallback), false, NULL, NULL, "the channel that is told where this one cannot be"},
    {0},
};
/* clang-format on */
const struct field_table world_channel_table = {channel_rows, sizeof(struct world_channel)};
