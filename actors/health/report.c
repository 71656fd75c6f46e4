/*
 * report: see report.h.
 */
#include "actors/health/report.h"

#include <stdio.h>

#include "bus/value.h"

#define RECENT_HEALTH 5

static struct span text_of(struct span map, const char *key)
{
    return value_str(value_get(map, key), (struct span){ 0 });
}

/* `from` of `map` under the name `to`, when it is there. */
static void copy(struct pack *out, const char *to, struct span map, const char *from)
{
    struct span value = value_get(map, from);

    if (value.len && value_kind_of(value) != VALUE_NIL) {
        pack_kv_raw(out, to, value);
    }
}

static void empty_list(struct pack *out, const char *key)
{
    pack_key(out, key);
    pack_array_begin(out);
    pack_array_end(out);
}

static double rounded(double value)
{
    return (double)(int64_t)(value * 1000.0 + 0.5) / 1000.0;
}

void report_load_pack(const struct report_load *load, struct pack *out)
{
    pack_key(out, "eventLoop");
    pack_map_begin(out);
    pack_kv_bool(out, "degraded", load->late_ms > 500.0);
    pack_key(out, "reasons");
    pack_array_begin(out);
    if (load->late_ms > 500.0) {
        pack_text(out, "event_loop_delay");
    }
    pack_array_end(out);
    pack_kv_u64(out, "intervalMs", load->interval_ms);
    pack_kv_f64(out, "delayP99Ms", rounded(load->late_ms));
    pack_kv_f64(out, "delayMaxMs", rounded(load->late_ms));
    pack_kv_f64(out, "utilization", rounded(load->utilization));
    pack_kv_f64(out, "cpuCoreRatio", rounded(load->cpu_ratio));
    pack_map_end(out);
}

/* --- sessions -------------------------------------------------------------------------- */

static void recent_pack(struct span rows, int64_t now_ms, struct pack *out)
{
    struct value_iter it = value_iter(rows);
    struct span key;
    struct span row;
    size_t count = 0;

    pack_key(out, "recent");
    pack_array_begin(out);
    while (count++ < RECENT_HEALTH && value_next(&it, &key, &row)) {
        int64_t updated_at = value_i64(value_get(row, "updatedAt"), 0);

        pack_map_begin(out);
        pack_kv_str(out, "key", text_of(row, "key"));
        pack_kv_i64(out, "updatedAt", updated_at);
        pack_kv_i64(out, "age", now_ms > updated_at ? now_ms - updated_at : 0);
        pack_map_end(out);
    }
    pack_array_end(out);
}

static void sessions_pack(const struct facts_agent *agent, int64_t now_ms, struct pack *out)
{
    struct span known = agent ? facts_answer_span(&agent->sessions) : (struct span){ 0 };

    pack_key(out, "sessions");
    pack_map_begin(out);
    pack_kv_str(out, "path", text_of(known, "path"));
    pack_kv_i64(out, "count", value_i64(value_get(known, "total"), 0));
    recent_pack(value_get(known, "rows"), now_ms, out);
    pack_map_end(out);
}

/* As long as the scheduler has not told, there are none. */
static void heartbeat_pack(struct span known, struct pack *out)
{
    if (known.len) {
        pack_kv_raw(out, "heartbeat", known);
        return;
    }
    pack_key(out, "heartbeat");
    pack_map_begin(out);
    pack_kv_bool(out, "enabled", false);
    pack_kv_text(out, "every", "disabled");
    pack_key(out, "everyMs");
    pack_nil(out);
    pack_kv_text(out, "target", "none");
    pack_map_end(out);
}

static const struct facts_actor *actor_of(const struct facts *facts, const char *prefix, const char *name)
{
    char address[FACTS_ADDRESS_MAX];

    snprintf(address, sizeof(address), "%s%s", prefix, name);
    for (size_t i = 0; i < facts->actors_n; i++) {
        if (strcmp(facts->actors[i].address, address) == 0) {
            return &facts->actors[i];
        }
    }
    return NULL;
}

static void agent_pack(const struct report_input *in, const struct facts_agent *agent, struct pack *out)
{
    const struct facts_actor *life = actor_of(in->facts, "agent/", agent->id);
    struct span state = facts_answer_span(&agent->state);

    pack_map_begin(out);
    pack_kv_text(out, "agentId", agent->id);
    if (agent->name[0]) {
        pack_kv_text(out, "name", agent->name);
    }
    pack_kv_bool(out, "isDefault", agent->is_default);
    heartbeat_pack(facts_beat(in->facts, agent->id), out);
    sessions_pack(agent, in->now_ms, out);
    pack_kv_text(out, "state", life ? facts_life_name(life->life) : "absent");
    copy(out, "provider", state, "provider");
    copy(out, "model", state, "model");
    copy(out, "runsActive", state, "runs_active");
    copy(out, "runsQueued", state, "runs_queued");
    copy(out, "lastOkAt", state, "last_ok_at");
    copy(out, "lastErrorAt", state, "last_error_at");
    copy(out, "lastError", state, "last_error");
    if (agent->state.why[0]) {
        pack_kv_text(out, "unreachable", agent->state.why);
    }
    pack_map_end(out);
}

static const struct facts_agent *default_agent(const struct facts *facts)
{
    for (size_t i = 0; i < facts->agents_n; i++) {
        if (facts->agents[i].is_default) {
            return &facts->agents[i];
        }
    }
    return NULL;
}

/* --- channels ---------------------------------------------------------------------------- */

/* The account part of channel/<type>/<account>. */
static struct span type_of(const struct facts_channel *channel)
{
    struct span known = text_of(facts_answer_span(&channel->state), "channel");
    const char *start = channel->address + sizeof("channel/") - 1;

    return known.len ? known : (struct span){ start, strcspn(start, "/") };
}

static struct span account_of(const struct facts_channel *channel)
{
    struct span known = text_of(facts_answer_span(&channel->state), "account");
    const char *slash = strchr(channel->address + sizeof("channel/") - 1, '/');

    return known.len ? known : slash ? span_from(slash + 1) : SPAN_LIT("default");
}

static struct span label_of(const struct facts_channel *channel)
{
    struct span known = text_of(facts_answer_span(&channel->state), "label");

    return known.len ? known : type_of(channel);
}

/* The first account met of each type stands for it. */
static bool is_first_of_type(const struct facts *facts, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (span_is(type_of(&facts->channels[i]), type_of(&facts->channels[at]))) {
            return false;
        }
    }
    return true;
}

static void times_pack(struct span row, struct pack *out)
{
    copy(out, "lastStartAt", row, "last_start_at");
    copy(out, "lastStopAt", row, "last_stop_at");
    copy(out, "lastConnectedAt", row, "last_connected_at");
    copy(out, "lastInboundAt", row, "last_inbound_at");
    copy(out, "lastOutboundAt", row, "last_outbound_at");
    copy(out, "lastProbeAt", row, "last_probe_at");
    copy(out, "lastErrorAt", row, "last_error_at");
}

static void account_pack(const struct report_input *in, const struct facts_channel *channel, struct pack *out)
{
    const struct facts_actor *life = actor_of(in->facts, "", channel->address);
    struct span row = facts_answer_span(&channel->state);
    struct span state = text_of(row, "state");
    bool is_alive = life && life->life == FACTS_LIFE_READY && !channel->state.why[0];
    bool is_up = is_alive && (span_is_text(state, "up") || span_is_text(state, "degraded"));

    pack_kv_str(out, "accountId", account_of(channel));
    pack_kv_bool(out, "enabled", value_bool(value_get(row, "is_enabled"), true));
    pack_kv_bool(out, "configured", value_bool(value_get(row, "is_configured"), true));
    pack_kv_bool(out, "linked", !span_is_text(state, "logged-out"));
    pack_kv_bool(out, "running", is_alive && !span_is_text(state, "stopped"));
    pack_kv_bool(out, "connected", is_up);
    pack_kv_text(out, "actor", life ? facts_life_name(life->life) : "absent");
    pack_kv_str(out, "healthState", is_alive ? state : SPAN_LIT("unreachable"));
    times_pack(row, out);
    if (channel->state.why[0]) {
        pack_kv_text(out, "lastError", channel->state.why);
    } else {
        copy(out, "lastError", row, "last_error");
    }
    copy(out, "reconnectAttempts", row, "reconnect_attempts");
    pack_key(out, "outbox");
    pack_map_begin(out);
    copy(out, "queued", row, "queued_n");
    copy(out, "unknown", row, "unknown_n");
    copy(out, "dead", row, "dead_n");
    copy(out, "oldestQueuedAt", row, "oldest_queued_at");
    pack_map_end(out);
}

/* One text for each type of channel: that of its first account. */
static void types_pack(const struct facts *facts, const char *key,
                       struct span (*text_of_channel)(const struct facts_channel *channel), struct pack *out)
{
    pack_key(out, key);
    pack_map_begin(out);
    for (size_t i = 0; i < facts->channels_n; i++) {
        if (is_first_of_type(facts, i)) {
            pack_key_span(out, type_of(&facts->channels[i]));
            pack_str(out, text_of_channel(&facts->channels[i]));
        }
    }
    pack_map_end(out);
}

static void names_pack(const struct facts *facts, struct pack *out)
{
    pack_key(out, "channelOrder");
    pack_array_begin(out);
    for (size_t i = 0; i < facts->channels_n; i++) {
        if (is_first_of_type(facts, i)) {
            pack_str(out, type_of(&facts->channels[i]));
        }
    }
    pack_array_end(out);
    types_pack(facts, "channelLabels", label_of, out);
}

/* Every account of one type, as a list or as a map by account. */
static void accounts_pack(const struct report_input *in, struct span type, bool is_map, struct pack *out)
{
    if (is_map) {
        pack_map_begin(out);
    } else {
        pack_array_begin(out);
    }
    for (size_t i = 0; i < in->facts->channels_n; i++) {
        const struct facts_channel *channel = &in->facts->channels[i];

        if (!span_is(type_of(channel), type)) {
            continue;
        }
        if (is_map) {
            pack_key_span(out, account_of(channel));
        }
        pack_map_begin(out);
        account_pack(in, channel, out);
        pack_map_end(out);
    }
    if (is_map) {
        pack_map_end(out);
    } else {
        pack_array_end(out);
    }
}

static size_t accounts_count(const struct facts *facts, struct span type)
{
    size_t count = 0;

    for (size_t i = 0; i < facts->channels_n; i++) {
        count += span_is(type_of(&facts->channels[i]), type);
    }
    return count;
}

/* One account is its channel; several are also shown one by one. */
static void channels_pack(const struct report_input *in, bool with_accounts, struct pack *out)
{
    pack_key(out, "channels");
    pack_map_begin(out);
    for (size_t i = 0; i < in->facts->channels_n; i++) {
        if (!is_first_of_type(in->facts, i)) {
            continue;
        }
        pack_key_span(out, type_of(&in->facts->channels[i]));
        pack_map_begin(out);
        account_pack(in, &in->facts->channels[i], out);
        if (with_accounts && accounts_count(in->facts, type_of(&in->facts->channels[i])) > 1) {
            pack_key(out, "accounts");
            accounts_pack(in, type_of(&in->facts->channels[i]), true, out);
        }
        pack_map_end(out);
    }
    pack_map_end(out);
}

/* --- health ------------------------------------------------------------------------------- */

static void actors_pack(const struct facts *facts, struct pack *out)
{
    pack_key(out, "actors");
    pack_array_begin(out);
    for (size_t i = 0; i < facts->actors_n; i++) {
        pack_map_begin(out);
        pack_kv_text(out, "address", facts->actors[i].address);
        pack_kv_text(out, "state", facts_life_name(facts->actors[i].life));
        if (facts->actors[i].why[0]) {
            pack_kv_text(out, "reason", facts->actors[i].why);
        }
        pack_kv_i64(out, "since", facts->actors[i].since_ms);
        pack_kv_u64(out, "restarts", facts->actors[i].restarts_n);
        pack_map_end(out);
    }
    pack_array_end(out);
}

/* Whether the gateway works by what the config file says now, and why not. */
static void config_pack(const struct facts *facts, struct pack *out)
{
    const struct facts_actor *config = actor_of(facts, "", "config");
    bool is_ok = config && !config->why[0];

    pack_key(out, "config");
    pack_map_begin(out);
    pack_kv_bool(out, "ok", is_ok);
    if (config && !is_ok) {
        pack_kv_text(out, "reason", config->why);
    }
    pack_map_end(out);
}

static void process_pack(const struct report_input *in, struct pack *out)
{
    pack_kv_text(out, "version", OPENCLAW_VERSION);
    pack_kv_u64(out, "uptimeMs", in->uptime_ms);
    pack_key(out, "process");
    pack_map_begin(out);
    pack_kv_u64(out, "pid", in->pid);
    pack_kv_u64(out, "rssBytes", in->rss_bytes);
    pack_map_end(out);
    pack_key(out, "clients");
    pack_map_begin(out);
    pack_kv_u64(out, "connections", in->connections_n);
    pack_kv_u64(out, "readers", in->readers_n);
    pack_map_end(out);
}

static uint64_t heartbeat_seconds(const struct facts *facts)
{
    struct span beat = facts_beat(facts, facts->default_agent);
    int64_t every_ms = value_i64(value_get(beat, "everyMs"), 0);

    return value_bool(value_get(beat, "enabled"), false) && every_ms > 0 ? (uint64_t)(every_ms + 500) / 1000 : 0;
}

void report_health_open(const struct report_input *in, struct pack *out)
{
    const struct facts *facts = in->facts;

    pack_map_begin(out);
    pack_kv_bool(out, "ok", in->verdict->is_ok);
    pack_kv_i64(out, "ts", in->now_ms);
    pack_kv_u64(out, "durationMs", in->duration_ms);
    report_load_pack(&in->load, out);
    pack_key(out, "plugins");
    pack_map_begin(out);
    empty_list(out, "loaded");
    empty_list(out, "errors");
    pack_map_end(out);
    channels_pack(in, true, out);
    names_pack(facts, out);
    pack_kv_u64(out, "heartbeatSeconds", heartbeat_seconds(facts));
    pack_kv_text(out, "defaultAgentId", facts->default_agent);
    pack_key(out, "agents");
    pack_array_begin(out);
    for (size_t i = 0; i < facts->agents_n; i++) {
        agent_pack(in, &facts->agents[i], out);
    }
    pack_array_end(out);
    sessions_pack(default_agent(facts), in->now_ms, out);
    if (in->verdict->why[0]) {
        pack_kv_text(out, "degraded", in->verdict->why);
    }
    config_pack(facts, out);
    actors_pack(facts, out);
    process_pack(in, out);
}

void report_health(const struct report_input *in, struct pack *out)
{
    report_health_open(in, out);
    pack_map_end(out);
}

/* --- channels.status ---------------------------------------------------------------------- */

void report_channels(const struct report_input *in, struct pack *out)
{
    const struct facts *facts = in->facts;

    pack_map_begin(out);
    pack_kv_i64(out, "ts", in->now_ms);
    names_pack(facts, out);
    types_pack(facts, "channelDetailLabels", label_of, out);
    pack_key(out, "channelSystemImages");
    pack_map_begin(out);
    pack_map_end(out);
    pack_key(out, "channelMeta");
    pack_array_begin(out);
    for (size_t i = 0; i < facts->channels_n; i++) {
        if (is_first_of_type(facts, i)) {
            pack_map_begin(out);
            pack_kv_str(out, "id", type_of(&facts->channels[i]));
            pack_kv_str(out, "label", label_of(&facts->channels[i]));
            pack_kv_str(out, "detailLabel", label_of(&facts->channels[i]));
            pack_map_end(out);
        }
    }
    pack_array_end(out);
    report_load_pack(&in->load, out);
    channels_pack(in, false, out);
    pack_key(out, "channelAccounts");
    pack_map_begin(out);
    for (size_t i = 0; i < facts->channels_n; i++) {
        if (is_first_of_type(facts, i)) {
            pack_key_span(out, type_of(&facts->channels[i]));
            accounts_pack(in, type_of(&facts->channels[i]), false, out);
        }
    }
    pack_map_end(out);
    types_pack(facts, "channelDefaultAccountId", account_of, out);
    pack_map_end(out);
}

/* --- digest ------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        hash = (hash ^ (unsigned char)text.ptr[i]) * 0x100000001b3ULL;
    }
    return (hash ^ 0xff) * 0x100000001b3ULL;
}

uint64_t report_digest(const struct facts *facts, const struct facts_verdict *verdict)
{
    uint64_t hash = mix(0xcbf29ce484222325ULL, span_from(verdict->why));

    hash = mix(hash, span_from(facts->main_session_key));
    for (size_t i = 0; i < facts->actors_n; i++) {
        hash = mix(hash, span_from(facts->actors[i].address));
        hash = mix(hash, span_from(facts_life_name(facts->actors[i].life)));
        /* An actor that died and is back before we look is news as well. */
        hash = mix(hash, (struct span){ (const char *)&facts->actors[i].since_ms, sizeof(facts->actors[i].since_ms) });
    }
    for (size_t i = 0; i < facts->agents_n; i++) {
        hash = mix(hash, span_from(facts->agents[i].id));
    }
    hash = mix(hash, facts_answer_span(&facts->beats));
    for (size_t i = 0; i < facts->channels_n; i++) {
        hash = mix(hash, text_of(facts_answer_span(&facts->channels[i].state), "state"));
    }
    return hash;
}
