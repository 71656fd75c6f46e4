/*
 * report_status: the payload of `status`, part of report.h.
 */
#include <stdio.h>

#include "actors/health/report.h"
#include "bus/value.h"

#define RECENT_MAX 10

static struct span text_of(struct span map, const char *key)
{
    return value_str(value_get(map, key), (struct span){ 0 });
}

static void zeros(struct pack *out, const char *key, const char *const *names, size_t names_n)
{
    pack_key(out, key);
    pack_map_begin(out);
    for (size_t i = 0; i < names_n; i++) {
        pack_kv_u64(out, names[i], 0);
    }
    pack_map_end(out);
}

/* Background tasks: there are none until an actor owns them. */
static void tasks_pack(struct pack *out)
{
    static const char *const states[] = {
        "queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost"
    };
    static const char *const runtimes[] = { "subagent", "acp", "cli", "cron" };
    static const char *const codes[] = { "stale_queued",    "stale_running",   "lost",
                                         "delivery_failed", "missing_cleanup", "inconsistent_timestamps" };

    pack_key(out, "tasks");
    pack_map_begin(out);
    pack_kv_u64(out, "total", 0);
    pack_kv_u64(out, "active", 0);
    pack_kv_u64(out, "terminal", 0);
    pack_kv_u64(out, "failures", 0);
    zeros(out, "byStatus", states, sizeof(states) / sizeof(states[0]));
    zeros(out, "byRuntime", runtimes, sizeof(runtimes) / sizeof(runtimes[0]));
    pack_map_end(out);
    pack_key(out, "taskAudit");
    pack_map_begin(out);
    pack_kv_u64(out, "total", 0);
    pack_kv_u64(out, "warnings", 0);
    pack_kv_u64(out, "errors", 0);
    zeros(out, "byCode", codes, sizeof(codes) / sizeof(codes[0]));
    pack_map_end(out);
}

static void agent_heartbeat_pack(const char *agent_id, struct span beat, struct pack *out)
{
    struct span every_ms = value_get(beat, "everyMs");

    pack_map_begin(out);
    pack_kv_text(out, "agentId", agent_id);
    pack_kv_bool(out, "enabled", value_bool(value_get(beat, "enabled"), false));
    pack_kv_str(out, "every", value_str(value_get(beat, "every"), SPAN_LIT("disabled")));
    pack_key(out, "everyMs");
    if (every_ms.len) {
        pack_raw(out, every_ms);
    } else {
        pack_nil(out);
    }
    pack_map_end(out);
}

static void heartbeat_pack(const struct facts *facts, struct pack *out)
{
    pack_key(out, "heartbeat");
    pack_map_begin(out);
    pack_kv_text(out, "defaultAgentId", facts->default_agent);
    pack_key(out, "agents");
    pack_array_begin(out);
    for (size_t i = 0; i < facts->agents_n; i++) {
        agent_heartbeat_pack(facts->agents[i].id, facts_beat(facts, facts->agents[i].id), out);
    }
    pack_array_end(out);
    pack_map_end(out);
}

static void summary_pack(const struct report_input *in, struct pack *out)
{
    pack_key(out, "channelSummary");
    pack_array_begin(out);
    for (size_t i = 0; i < in->facts->channels_n; i++) {
        struct span row = facts_answer_span(&in->facts->channels[i].state);
        struct span label = text_of(row, "label");
        struct span state = text_of(row, "state");
        char line[128];

        if (row.len) {
            snprintf(line, sizeof(line), "%.*s: %.*s", SPAN_FMT(label), SPAN_FMT(state));
            pack_text(out, line);
        }
    }
    pack_array_end(out);
}

/* Tokens left of the context, when the row knows both numbers. */
static void budget_pack(struct span row, struct pack *out)
{
    int64_t total = value_i64(value_get(row, "totalTokens"), -1);
    int64_t context = value_i64(value_get(row, "contextTokens"), -1);

    if (total < 0 || context <= 0) {
        pack_key(out, "remainingTokens");
        pack_nil(out);
        pack_key(out, "percentUsed");
        pack_nil(out);
        return;
    }
    pack_kv_i64(out, "remainingTokens", context > total ? context - total : 0);
    pack_kv_i64(out, "percentUsed", (total * 200 / context + 1) / 2);
}

static void flags_pack(struct span row, struct pack *out)
{
    struct span id = text_of(row, "sessionId");
    char text[128];

    pack_key(out, "flags");
    pack_array_begin(out);
    if (value_bool(value_get(row, "abortedLastRun"), false)) {
        pack_text(out, "aborted");
    }
    if (id.len && id.len < sizeof(text) - 3) {
        snprintf(text, sizeof(text), "id:%.*s", SPAN_FMT(id));
        pack_text(out, text);
    }
    pack_array_end(out);
}

static void row_pack(const char *agent, struct span row, int64_t now_ms, struct pack *out)
{
    static const char *const same[] = { "key",           "kind",        "sessionId",
                                        "updatedAt",     "systemSent",  "inputTokens",
                                        "outputTokens",  "totalTokens", "totalTokensFresh",
                                        "contextTokens", "model" };
    int64_t updated_at = value_i64(value_get(row, "updatedAt"), 0);

    pack_map_begin(out);
    pack_kv_text(out, "agentId", agent);
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        struct span value = value_get(row, same[i]);

        if (value.len) {
            pack_kv_raw(out, same[i], value);
        }
    }
    pack_kv_i64(out, "age", now_ms > updated_at ? now_ms - updated_at : 0);
    pack_kv_bool(out, "abortedLastRun", value_bool(value_get(row, "abortedLastRun"), false));
    budget_pack(row, out);
    flags_pack(row, out);
    pack_map_end(out);
}

static void rows_pack(const struct facts_agent *agent, int64_t now_ms, struct pack *out)
{
    struct value_iter it = value_iter(value_get(facts_answer_span(&agent->sessions), "rows"));
    struct span key;
    struct span row;

    while (value_next(&it, &key, &row)) {
        row_pack(agent->id, row, now_ms, out);
    }
}

/* The newest rows of all agents; each agent's rows are sorted already. */
static void merged_pack(const struct facts *facts, int64_t now_ms, struct pack *out)
{
    size_t taken[FACTS_AGENTS_MAX] = { 0 };

    for (size_t count = 0; count < RECENT_MAX; count++) {
        struct span best = { 0 };
        size_t best_at = 0;

        for (size_t i = 0; i < facts->agents_n; i++) {
            struct value_iter it = value_iter(value_get(facts_answer_span(&facts->agents[i].sessions), "rows"));
            struct span key;
            struct span row = { 0 };
            bool has_row = true;

            for (size_t skip = 0; has_row && skip <= taken[i]; skip++) {
                has_row = value_next(&it, &key, &row);
            }
            if (has_row &&
                (!best.len || value_i64(value_get(row, "updatedAt"), 0) > value_i64(value_get(best, "updatedAt"), 0))) {
                best = row;
                best_at = i;
            }
        }
        if (!best.len) {
            return;
        }
        taken[best_at]++;
        row_pack(facts->agents[best_at].id, best, now_ms, out);
    }
}

static void defaults_pack(const struct facts *facts, bool is_admin, struct pack *out)
{
    struct span defaults = { 0 };

    for (size_t i = 0; is_admin && i < facts->agents_n; i++) {
        if (facts->agents[i].is_default) {
            defaults = value_get(facts_answer_span(&facts->agents[i].sessions), "defaults");
        }
    }
    pack_key(out, "defaults");
    pack_map_begin(out);
    for (int i = 0; i < 2; i++) {
        const char *key = i ? "contextTokens" : "model";
        struct span value = value_get(defaults, key);

        pack_key(out, key);
        if (value.len) {
            pack_raw(out, value);
        } else {
            pack_nil(out);
        }
    }
    pack_map_end(out);
}

static void by_agent_pack(const struct report_input *in, bool is_admin, struct pack *out)
{
    pack_key(out, "byAgent");
    pack_array_begin(out);
    for (size_t i = 0; i < in->facts->agents_n; i++) {
        const struct facts_agent *agent = &in->facts->agents[i];
        struct span known = facts_answer_span(&agent->sessions);

        pack_map_begin(out);
        pack_kv_text(out, "agentId", agent->id);
        pack_kv_str(out, "path", is_admin ? text_of(known, "path") : SPAN_LIT("[redacted]"));
        pack_kv_i64(out, "count", value_i64(value_get(known, "total"), 0));
        pack_key(out, "recent");
        pack_array_begin(out);
        if (is_admin) {
            rows_pack(agent, in->now_ms, out);
        }
        pack_array_end(out);
        pack_map_end(out);
    }
    pack_array_end(out);
}

static void sessions_pack(const struct report_input *in, bool is_admin, struct pack *out)
{
    int64_t count = 0;

    pack_key(out, "sessions");
    pack_map_begin(out);
    pack_key(out, "paths");
    pack_array_begin(out);
    for (size_t i = 0; i < in->facts->agents_n; i++) {
        struct span known = facts_answer_span(&in->facts->agents[i].sessions);

        count += value_i64(value_get(known, "total"), 0);
        if (is_admin && known.len) {
            pack_str(out, text_of(known, "path"));
        }
    }
    pack_array_end(out);
    pack_kv_i64(out, "count", count);
    defaults_pack(in->facts, is_admin, out);
    pack_key(out, "recent");
    pack_array_begin(out);
    if (is_admin) {
        merged_pack(in->facts, in->now_ms, out);
    }
    pack_array_end(out);
    by_agent_pack(in, is_admin, out);
    pack_map_end(out);
}

void report_status(const struct report_input *in, bool is_admin, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "runtimeVersion", OPENCLAW_VERSION);
    heartbeat_pack(in->facts, out);
    summary_pack(in, out);
    pack_key(out, "queuedSystemEvents");
    pack_array_begin(out);
    pack_array_end(out);
    tasks_pack(out);
    sessions_pack(in, is_admin, out);
    report_load_pack(&in->load, out);
    pack_kv_bool(out, "ok", in->verdict->is_ok);
    if (in->verdict->why[0]) {
        pack_kv_text(out, "degraded", in->verdict->why);
    }
    pack_kv_u64(out, "uptimeMs", in->uptime_ms);
    pack_map_end(out);
}
