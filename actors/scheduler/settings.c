#include "actors/scheduler/settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/duration.h"

#define MINUTE_MS 60000
#define PROMPT_DEFAULT                                                                                                 \
    "Heartbeat: go through HEARTBEAT.md of the workspace, if there is one, and do what it says. Take nothing up by "   \
    "yourself that was said in earlier conversations. When nothing needs attention, answer HEARTBEAT_OK."

static void text_set(char *out, size_t size, struct span value)
{
    (void)snprintf(out, size, "%.*s", SPAN_FMT(value));
}

/* --- one agent --------------------------------------------------------------------------------- */

/* Where a key is looked up: first in the agent's own block, then in the shared one. */
struct blocks {
    struct span own;
    struct span shared;
};

static struct span look(const struct blocks *blocks, const char *key)
{
    struct span value = value_get(blocks->own, key);

    return value.len ? value : value_get(blocks->shared, key);
}

static struct span look_text(const struct blocks *blocks, const char *key, const char *fallback)
{
    struct span value = value_str(look(blocks, key), SPAN_LIT(""));

    return value.len ? value : span_from(fallback);
}

/* A window of which only one end is told, or none that can be read, is none. */
static void hours_read(struct beat_settings *self, struct span active)
{
    struct span zone = value_str(value_get(active, "timezone"), SPAN_LIT(""));

    self->hours.is_set =
        duration_parse_clock(value_str(value_get(active, "start"), SPAN_LIT("")), false, &self->hours.start) &&
        duration_parse_clock(value_str(value_get(active, "end"), SPAN_LIT("")), true, &self->hours.end);
    text_set(self->zone, sizeof(self->zone), span_is_text(zone, "user") ? SPAN_LIT("") : zone);
}

static uint64_t timeout_read(const struct blocks *blocks, struct span defaults, int64_t every_ms)
{
    int64_t own_s = value_i64(look(blocks, "timeoutSeconds"), 0);

    if (own_s > 0) {
        return own_s < 172800 ? (uint64_t)own_s * 1000U : 172800000U;
    }
    if (value_i64(value_get(defaults, "timeoutSeconds"), 0) > 0) {
        return 0;
    }
    return every_ms < SETTINGS_TIMEOUT_LEAST_MS  ? SETTINGS_TIMEOUT_LEAST_MS
           : every_ms > SETTINGS_TIMEOUT_MOST_MS ? SETTINGS_TIMEOUT_MOST_MS
                                                 : (uint64_t)every_ms;
}

static void agent_read(struct beat_settings *self, const struct blocks *blocks, struct span defaults, bool is_enrolled)
{
    struct span prompt = look_text(blocks, "prompt", PROMPT_DEFAULT);
    int64_t ack_max = value_i64(look(blocks, "ackMaxChars"), SETTINGS_ACK_DEFAULT);

    text_set(self->every, sizeof(self->every), look_text(blocks, "every", SETTINGS_EVERY_DEFAULT));
    self->is_on =
        is_enrolled && duration_parse(span_from(self->every), MINUTE_MS, &self->every_ms) && self->every_ms > 0;
    self->every_ms = self->is_on ? self->every_ms : 0;
    hours_read(self, look(blocks, "activeHours"));
    self->prompt = mem_text(prompt.ptr, prompt.len);
    text_set(self->model, sizeof(self->model), look_text(blocks, "model", ""));
    text_set(self->session, sizeof(self->session), look_text(blocks, "session", "main"));
    text_set(self->target, sizeof(self->target), look_text(blocks, "target", "none"));
    text_set(self->to, sizeof(self->to), look_text(blocks, "to", ""));
    text_set(self->account, sizeof(self->account), look_text(blocks, "accountId", ""));
    self->ack_max_chars = ack_max < 0 ? 0 : ack_max > UINT32_MAX ? UINT32_MAX : (uint32_t)ack_max;
    self->timeout_ms = timeout_read(blocks, defaults, self->every_ms);
    self->is_isolated = value_bool(look(blocks, "isolatedSession"), false);
    self->has_guide = value_bool(look(blocks, "includeSystemPromptSection"), true);
    self->is_direct_blocked = span_is_text(look_text(blocks, "directPolicy", ""), "block");
}

/* --- all of them --------------------------------------------------------------------------------- */

static bool is_known(const struct settings *self, const char *id)
{
    for (size_t i = 0; i < self->agents_n; i++) {
        if (strcmp(self->agents[i].agent_id, id) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_block(struct span entry)
{
    return value_kind_of(value_get(entry, "heartbeat")) == VALUE_MAP;
}

/* The agents, as the router reads them: by their normalised ids, each once. */
static void list_read(struct settings *self, struct span list, struct span entries[SETTINGS_AGENTS_MAX],
                      size_t *ret_default)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span entry;
    bool is_marked = false;

    *ret_default = 0;
    while (self->agents_n < SETTINGS_AGENTS_MAX && value_next(&it, &key, &entry)) {
        struct beat_settings *agent = &self->agents[self->agents_n];
        char id[AGENT_ID_MAX + 1];

        if (!agent_id_normalize(value_str(value_get(entry, "id"), SPAN_LIT("")), id) || is_known(self, id)) {
            continue;
        }
        text_set(agent->agent_id, sizeof(agent->agent_id), span_from(id));
        if (!is_marked && value_bool(value_get(entry, "default"), false)) {
            is_marked = true;
            *ret_default = self->agents_n;
        }
        entries[self->agents_n++] = entry;
    }
    if (!self->agents_n) {
        text_set(self->agents[0].agent_id, sizeof(self->agents[0].agent_id), SPAN_LIT("main"));
        entries[self->agents_n++] = (struct span){ 0 };
    }
}

/* Who has heartbeats: those with a block of their own; else all, if there is a shared one; else the default agent. */
static void agents_read(struct settings *self, struct span agents)
{
    struct span entries[SETTINGS_AGENTS_MAX] = { { NULL, 0 } };
    struct span defaults = value_get(agents, "defaults");
    struct blocks blocks = { .shared = value_get(defaults, "heartbeat") };
    bool has_blocks = false;
    size_t default_at;

    self->agents = mem_new(SETTINGS_AGENTS_MAX * sizeof(*self->agents));
    list_read(self, value_get(agents, "list"), entries, &default_at);
    for (size_t i = 0; i < self->agents_n; i++) {
        has_blocks = has_blocks || has_block(entries[i]);
    }
    for (size_t i = 0; i < self->agents_n; i++) {
        bool is_enrolled = has_blocks ? has_block(entries[i]) : has_block(defaults) || i == default_at;

        blocks.own = value_get(entries[i], "heartbeat");
        agent_read(&self->agents[i], &blocks, defaults, is_enrolled);
    }
    text_set(self->user_zone, sizeof(self->user_zone), value_str(value_get(defaults, "userTimezone"), SPAN_LIT("")));
}

/* --- visibility ------------------------------------------------------------------------------------- */

static void block_copy(struct pack *out, struct span holder)
{
    struct span block = value_get(holder, "heartbeat");

    if (value_kind_of(block) == VALUE_MAP) {
        pack_kv_raw(out, "heartbeat", block);
    }
}

/* The rest of `channels` holds secrets, and is none of our business. */
static int visibility_read(struct settings *self, struct span channels)
{
    struct value_iter it = value_iter(value_kind_of(channels) == VALUE_MAP ? channels : (struct span){ 0 });
    struct span name;
    struct span channel;

    pack_init(&self->visibility, 0);
    pack_map_begin(&self->visibility);
    while (value_next(&it, &name, &channel)) {
        struct span accounts = value_get(channel, "accounts");
        struct value_iter one = value_iter(value_kind_of(accounts) == VALUE_MAP ? accounts : (struct span){ 0 });
        struct span id;
        struct span account;

        pack_key_span(&self->visibility, name);
        pack_map_begin(&self->visibility);
        block_copy(&self->visibility, channel);
        pack_key(&self->visibility, "accounts");
        pack_map_begin(&self->visibility);
        while (value_next(&one, &id, &account)) {
            pack_key_span(&self->visibility, id);
            pack_map_begin(&self->visibility);
            block_copy(&self->visibility, account);
            pack_map_end(&self->visibility);
        }
        pack_map_end(&self->visibility);
        pack_map_end(&self->visibility);
    }
    pack_map_end(&self->visibility);
    return pack_error(&self->visibility);
}

static struct span member(struct span map, struct span key)
{
    char name[128];

    if (!key.len || key.len >= sizeof(name)) {
        return (struct span){ 0 };
    }
    text_set(name, sizeof(name), key);
    return value_get(map, name);
}

static bool flag(const struct span levels[3], const char *key, bool fallback)
{
    for (size_t i = 0; i < 3; i++) {
        struct span value = value_get(value_get(levels[i], "heartbeat"), key);

        if (value_kind_of(value) == VALUE_BOOL) {
            return value_bool(value, fallback);
        }
    }
    return fallback;
}

struct visibility settings_visibility(const struct settings *self, struct span channel, struct span account)
{
    struct span all = pack_span(&self->visibility);
    struct span named = span_is_text(channel, "webchat") ? (struct span){ 0 } : member(all, channel);
    struct span levels[3] = { member(value_get(named, "accounts"), account), named, value_get(all, "defaults") };

    return (struct visibility){ .shows_ok = flag(levels, "showOk", false),
                                .shows_alerts = flag(levels, "showAlerts", true),
                                .has_indicator = flag(levels, "useIndicator", true) };
}

/* --- life ---------------------------------------------------------------------------------------------- */

int settings_read(struct settings *self, struct span agents, struct span channels)
{
    struct settings fresh = { .agents = NULL };
    int rc = visibility_read(&fresh, channels);

    if (rc) {
        settings_deinit(&fresh);
        return rc;
    }
    agents_read(&fresh, agents);
    settings_deinit(self);
    *self = fresh;
    return 0;
}

void settings_deinit(struct settings *self)
{
    for (size_t i = 0; i < self->agents_n; i++) {
        free(self->agents[i].prompt);
    }
    free(self->agents);
    pack_deinit(&self->visibility);
    *self = (struct settings){ .agents = NULL };
}
