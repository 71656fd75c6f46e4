/*
 * run_sessions: sessions_list, sessions_history, session_status, agents_list.
 */
#include <inttypes.h>
#include <stdio.h>

#include "actors/tools/history.h"
#include "actors/tools/tools_state.h"
#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/value.h"

#define NOTHING ((struct span){ NULL, 0 })
#define MESSAGES_MAX 20
#define LIST_MAX 10000
#define LIST_USUAL 100
#define LIST_LOOK 1000 /* rows that are looked at, as some are out of sight */
#define HISTORY_MAX 1000

static struct span str(struct span map, const char *key)
{
    return value_str(value_get(map, key), NOTHING);
}

/* --- agents_list ---------------------------------------------------------------------------------------- */

/* agents.list[].subagents.allowAgents, or that of the defaults. */
static struct span helpers_of(const struct invocation *self)
{
    const struct policy *policy = &self->tools->policy;
    struct span own = value_path(policy_agent(policy, span_from(self->agent_id)), "subagents.allowAgents");

    return own.len ? own : value_path(policy->agents, "defaults.subagents.allowAgents");
}

static bool list_names(struct span list, struct span id)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        char name[AGENT_ID_MAX + 1];
        struct span text = span_trim(value_str(item, NOTHING));

        if (span_is_text(text, "*") || (agent_id_normalize(text, name) && span_is_text(id, name))) {
            return true;
        }
    }
    return false;
}

static void agent_pack(struct span row, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_str(out, "id", str(row, "id"));
    if (str(row, "name").len) {
        pack_kv_str(out, "name", str(row, "name"));
    }
    pack_kv_bool(out, "configured", true);
    if (str(row, "model").len) {
        pack_kv_str(out, "model", str(row, "model"));
    }
    pack_map_end(out);
}

static void agents_pack(const struct invocation *self, struct span agents, bool is_self, struct pack *out)
{
    struct span helpers = helpers_of(self);
    struct value_iter it = value_iter(agents);
    struct span key;
    struct span row;

    while (value_next(&it, &key, &row)) {
        bool is_own = span_is_text(str(row, "id"), self->agent_id);

        if (is_own == is_self && (is_own || list_names(helpers, str(row, "id")))) {
            agent_pack(row, out);
        }
    }
}

static int on_agents(struct invocation *self, const struct actor_answer *answer)
{
    const struct msg_router_agent_list *list = answer->msg;
    struct pack *out = &self->tools->pack;

    if (answer->failure) {
        return invocation_fail_as(self, answer->failure);
    }
    pack_reset(out);
    pack_map_begin(out);
    pack_kv_text(out, "requester", self->agent_id);
    pack_kv_bool(out, "allowAny", list_names(helpers_of(self), SPAN_LIT("*")));
    pack_key(out, "agents");
    pack_array_begin(out);
    agents_pack(self, list->agents, true, out);
    agents_pack(self, list->agents, false, out);
    pack_array_end(out);
    pack_map_end(out);
    return pack_error(out) ? pack_error(out) : invocation_done(self, pack_span(out));
}

int run_agents_list(struct invocation *self)
{
    return invocation_ask(self, "router", MSG_ROUTER_AGENTS, &(struct msg_router_agents){ 0 }, 0, on_agents);
}

/* --- session_status ------------------------------------------------------------------------------------- */

static void age_write(int64_t at_ms, char *out, size_t size)
{
    int64_t seconds = (clock_wall_ms() - at_ms) / 1000;

    if (!at_ms) {
        (void)snprintf(out, size, "not used yet");
    } else if (seconds < 60) {
        (void)snprintf(out, size, "used just now");
    } else {
        (void)snprintf(out, size, "used %" PRId64 " %s ago", seconds < 3600 ? seconds / 60 : seconds / 3600,
                       seconds < 3600 ? "min" : "h");
    }
}

static void status_write(const struct invocation *self, struct span row, char *out, size_t size)
{
    int64_t context = value_i64(value_get(row, "contextTokens"), 0);
    int64_t used = value_i64(value_get(row, "totalTokens"), 0);
    struct span model = str(row, "model");
    struct span state = str(row, "status");
    char age[48];

    age_write(value_i64(value_get(row, "updatedAt"), 0), age, sizeof(age));
    (void)snprintf(out, size,
                   "OpenClaw %s\nSession: %s, %s\nModel: %.*s%s%.*s\nContext: %" PRId64 " of %" PRId64
                   " tokens\nTokens so far: %" PRId64 " in, %" PRId64 " out\nState: %.*s",
                   OPENCLAW_VERSION, self->target, age, SPAN_FMT(str(row, "modelProvider")), model.len ? "/" : "",
                   SPAN_FMT(model), used, context, value_i64(value_get(row, "inputTokens"), 0),
                   value_i64(value_get(row, "outputTokens"), 0), SPAN_FMT(state.len ? state : SPAN_LIT("idle")));
}

static int on_described(struct invocation *self, const struct actor_answer *answer)
{
    struct span row = answer->failure ? NOTHING : value_get(answer->body, "session");
    struct pack *out = &self->tools->pack;
    char text[2048];

    if (answer->failure) {
        return invocation_fail_as(self, answer->failure);
    }
    if (value_kind_of(row) != VALUE_MAP && strcmp(self->target, self->session_key) != 0) {
        return invocation_fail(self, 400, "Unknown sessionKey: %s", self->target);
    }
    status_write(self, row, text, sizeof(text));
    pack_reset(out);
    pack_map_begin(out);
    pack_kv_bool(out, "ok", true);
    pack_kv_text(out, "sessionKey", self->target);
    pack_kv_bool(out, "changedModel", false);
    pack_kv_text(out, "statusText", text);
    pack_map_end(out);
    return pack_error(out) ? pack_error(out) : invocation_done_text(self, pack_span(out), span_from(text));
}

static int describe(struct invocation *self)
{
    struct msg_sessions_describe in = { .key = span_from(self->target) };

    return invocation_ask(self, "router", MSG_SESSIONS_DESCRIBE, &in, 0, on_described);
}

int run_session_status(struct invocation *self)
{
    if (invocation_text(self, "model").len) {
        return invocation_fail(self, 400,
                               "sessions of this gateway keep the model of their agent: model cannot be set");
    }
    return sight_resolve(self, invocation_text(self, "sessionKey"), describe);
}

/* --- sessions_history -------------------------------------------------------------------------------------- */

static int on_history(struct invocation *self, const struct actor_answer *answer)
{
    struct pack *out = &self->tools->pack;
    struct history history;

    if (answer->failure) {
        return invocation_fail_as(self, answer->failure);
    }
    pack_reset(out);
    pack_map_begin(out);
    pack_kv_text(out, "sessionKey", self->target);
    pack_key(out, "messages");
    history_pack(value_get(answer->body, "messages"), invocation_flag(self, "includeTools"), HISTORY_MAX, out,
                 &history);
    pack_kv_bool(out, "truncated", history.is_cut || history.is_dropped);
    pack_kv_bool(out, "droppedMessages", history.is_dropped);
    pack_kv_bool(out, "contentTruncated", history.is_cut);
    pack_kv_bool(out, "contentRedacted", false);
    pack_kv_u64(out, "bytes", history.bytes);
    pack_map_end(out);
    return pack_error(out) ? pack_error(out) : invocation_done(self, pack_span(out));
}

static int history_ask(struct invocation *self)
{
    int64_t limit = invocation_number(self, "limit", 0);
    struct msg_chat_history in = { .session_key = span_from(self->target),
                                   .has_limit = limit > 0,
                                   .limit = limit > HISTORY_MAX ? HISTORY_MAX : (uint64_t)(limit > 0 ? limit : 1) };

    return invocation_ask(self, "router", MSG_CHAT_HISTORY, &in, 0, on_history);
}

int run_sessions_history(struct invocation *self)
{
    struct span key = invocation_text(self, "sessionKey");

    return key.len ? sight_resolve(self, key, history_ask) : invocation_fail(self, 400, "sessionKey required");
}

/* --- sessions_list ------------------------------------------------------------------------------------------ */

/* What stands behind "agent:<id>:". */
static struct span rest_of(struct span key)
{
    struct span agent = sight_agent(key);
    const char *rest = agent.ptr + agent.len + 1;

    return agent.len ? (struct span){ rest, (size_t)(key.ptr + key.len - rest) } : key;
}

static const char *kind_of(struct span row)
{
    struct span rest = rest_of(str(row, "key"));
    struct span key = str(row, "key");

    return span_is_text(rest, "main")                                 ? "main"
           : span_starts(rest, "cron:")                               ? "cron"
           : span_starts(rest, "hook:")                               ? "hook"
           : span_starts(rest, "node:") || span_starts(rest, "node-") ? "node"
           : span_is_text(str(row, "kind"), "group") || memmem(key.ptr, key.len, ":group:", 7) ||
                   memmem(key.ptr, key.len, ":channel:", 9)
               ? "group"
               : "other";
}

static uint64_t rows_most(const struct invocation *self)
{
    int64_t limit = invocation_number(self, "limit", LIST_USUAL);

    return limit < 1 ? 1 : limit > LIST_MAX ? LIST_MAX : (uint64_t)limit;
}

static bool is_wanted(const struct invocation *self, struct span row)
{
    struct span kinds = value_get(self->ask.args, "kinds");
    struct value_iter it = value_iter(kinds);
    const char *kind = kind_of(row);
    struct span key;
    struct span item;
    bool has_any = false;

    if (sight_problem(self, str(row, "key"), sight_agent(str(row, "key")))) {
        return false;
    }
    while (value_kind_of(kinds) == VALUE_ARRAY && value_next(&it, &key, &item)) {
        has_any = true;
        if (span_is_text(value_str(item, NOTHING), kind)) {
            return true;
        }
    }
    return !has_any;
}

static void row_pack(struct span row, struct pack *out)
{
    static const char *const kept[] = { "label",       "displayName",    "derivedTitle", "lastMessagePreview",
                                        "updatedAt",   "sessionId",      "model",        "contextTokens",
                                        "totalTokens", "status",         "startedAt",    "endedAt",
                                        "runtimeMs",   "lastChannel",    "lastTo",       "lastAccountId",
                                        "systemSent",  "deliveryContext" };
    struct span channel = str(row, "lastChannel");

    pack_kv_str(out, "key", str(row, "key"));
    pack_kv_str(out, "agentId", sight_agent(str(row, "key")));
    pack_kv_text(out, "kind", kind_of(row));
    pack_kv_str(out, "channel", channel.len ? channel : SPAN_LIT("unknown"));
    pack_kv_bool(out, "abortedLastRun", value_bool(value_get(row, "abortedLastRun"), false));
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        struct span value = value_get(row, kept[i]);

        if (value.len && value_kind_of(value) != VALUE_NIL) {
            pack_kv_raw(out, kept[i], value);
        }
    }
}

static int list_done(struct invocation *self)
{
    struct pack *out = &self->tools->pack;

    pack_array_end(&self->rows);
    if (pack_error(&self->rows)) {
        return invocation_fail(self, 400, "the list is too large; ask for less");
    }
    pack_reset(out);
    pack_map_begin(out);
    pack_kv_u64(out, "count", self->rows_n);
    pack_kv_raw(out, "sessions", pack_span(&self->rows));
    pack_map_end(out);
    return pack_error(out) ? pack_error(out) : invocation_done(self, pack_span(out));
}

static int row_next(struct invocation *self);

static int64_t messages_wanted(const struct invocation *self)
{
    int64_t most = invocation_number(self, "messageLimit", 0);

    return most < 0 ? 0 : most > MESSAGES_MAX ? MESSAGES_MAX : most;
}

/* The row in hand with its newest messages; one that cannot be read now has none. */
static int on_row_history(struct invocation *self, const struct actor_answer *answer)
{
    struct history history;

    pack_key(&self->rows, "messages");
    history_pack(answer->failure ? NOTHING : value_get(answer->body, "messages"), false, (size_t)messages_wanted(self),
                 &self->rows, &history);
    pack_map_end(&self->rows);
    self->row_at++;
    return row_next(self);
}

/* Rows of the list that are still to come stand in `listed`. */
static int row_next(struct invocation *self)
{
    struct value_iter it = value_iter((struct span){ self->listed.data, self->listed.len });
    struct span key;
    struct span row = NOTHING;

    for (size_t i = 0; i <= self->row_at; i++) {
        if (!value_next(&it, &key, &row)) {
            return list_done(self);
        }
    }
    struct msg_chat_history in = { .session_key = str(row, "key"),
                                   .has_limit = true,
                                   .limit = (uint64_t)messages_wanted(self) * 4 }; /* some are results of tools */

    pack_map_begin(&self->rows);
    row_pack(row, &self->rows);
    return invocation_ask(self, "router", MSG_CHAT_HISTORY, &in, 0, on_row_history);
}

static int rows_with_messages(struct invocation *self, struct span sessions)
{
    struct value_iter it = value_iter(sessions);
    struct pack kept;
    struct span key;
    struct span row;
    int r;

    pack_init(&kept, 0);
    pack_array_begin(&kept);
    while (self->rows_n < rows_most(self) && value_next(&it, &key, &row)) {
        if (is_wanted(self, row)) {
            pack_raw(&kept, row);
            self->rows_n++;
        }
    }
    pack_array_end(&kept);
    r = pack_error(&kept);
    r = r ? r : text_buf_add(&self->listed, pack_span(&kept));
    pack_deinit(&kept);
    return r ? r : row_next(self);
}

static int on_listed(struct invocation *self, const struct actor_answer *answer)
{
    struct span sessions = answer->failure ? NOTHING : value_get(answer->body, "sessions");
    struct value_iter it = value_iter(sessions);
    struct span key;
    struct span row;

    if (answer->failure) {
        return invocation_fail_as(self, answer->failure);
    }
    pack_array_begin(&self->rows);
    if (messages_wanted(self)) {
        return rows_with_messages(self, sessions);
    }
    while (self->rows_n < rows_most(self) && value_next(&it, &key, &row)) {
        if (is_wanted(self, row)) {
            pack_map_begin(&self->rows);
            row_pack(row, &self->rows);
            pack_map_end(&self->rows);
            self->rows_n++;
        }
    }
    return list_done(self);
}

int run_sessions_list(struct invocation *self)
{
    uint64_t most = rows_most(self);
    int64_t active = invocation_number(self, "activeMinutes", 0);
    struct msg_sessions_list in = {
        .has_limit = true,
        .limit = most < LIST_LOOK ? LIST_LOOK : most,
        .has_active_minutes = active > 0,
        .active_minutes = (uint64_t)(active > 0 ? active : 1),
        .label = invocation_text(self, "label"),
        .agent_id = invocation_text(self, "agentId"),
        .search = invocation_text(self, "search"),
        .has_include_derived_titles = true,
        .include_derived_titles = invocation_flag(self, "includeDerivedTitles"),
        .has_include_last_message = true,
        .include_last_message = invocation_flag(self, "includeLastMessage"),
    };

    in.has_label = in.label.len > 0;
    in.has_agent_id = in.agent_id.len > 0;
    in.has_search = in.search.len > 0;
    if (in.label.len > 512 || in.agent_id.len > 512 || in.search.len > 512) {
        return invocation_fail(self, 400, "label, agentId and search must have at most 512 bytes");
    }
    return invocation_ask(self, "router", MSG_SESSIONS_LIST, &in, 0, on_listed);
}
