#include "tests/integration/edge/owners.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "schema_gen.h"

#define NONE ((struct span){ NULL, 0 })

/* --- auth -------------------------------------------------------------------------------- */

static int refuse_connect(struct actor_ctx *ctx, const char *code, const char *message)
{
    struct failure failure = { .code = FAIL_INVALID_REQUEST, .message = span_from(message) };
    struct pack pack;
    int r;

    pack_init(&pack, 4096);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "code", code);
    pack_kv_i64(&pack, "_closeCode", 1008);
    pack_kv_text(&pack, "_closeReason", message);
    pack_map_end(&pack);
    failure.details = pack_span(&pack);
    r = actor_fail_with(ctx, &failure);
    pack_deinit(&pack);
    return r;
}

static void scopes_default(struct pack *pack)
{
    pack_array_begin(pack);
    pack_text(pack, "operator.admin");
    pack_text(pack, "operator.write");
    pack_array_end(pack);
}

static int on_auth_connect(void *state, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_auth_connect *in = msg;
    struct span token = value_str(value_path(in->params, "auth.token"), NONE);
    struct span scopes = value_get(in->params, "scopes");
    struct msg_auth_decision decision = { .principal = SPAN_LIT("rig"),
                                          .role = value_str(value_get(in->params, "role"), SPAN_LIT("operator")),
                                          .generation = 1,
                                          .method = SPAN_LIT("token"),
                                          .is_local = in->is_loopback };
    struct pack pack;
    int r;

    (void)state;
    if (!span_is_text(token, OWNERS_TOKEN)) {
        return refuse_connect(ctx, "AUTH_TOKEN_MISMATCH", "unauthorized: gateway token mismatch");
    }
    if (value_get(in->headers, "x-forwarded-for").len) {
        decision.has_remote_ip = true;
        decision.remote_ip = value_str(value_get(in->headers, "x-forwarded-for"), NONE);
    }
    decision.device_id = value_str(value_path(in->params, "client.instanceId"), NONE);
    decision.has_device_id = decision.device_id.len > 0;
    pack_init(&pack, 4096);
    scopes_default(&pack);
    decision.scopes = scopes.len ? scopes : pack_span(&pack);
    r = actor_reply(ctx, MSG_AUTH_DECISION, &decision);
    pack_deinit(&pack);
    return r;
}

static int refuse_http(struct actor_ctx *ctx, int status)
{
    struct failure failure = { .code = FAIL_INVALID_REQUEST, .message = SPAN_LIT("no"), .retry_after_ms = 0 };
    struct pack pack;
    int r;

    failure.retry_after_ms = status == 429 ? 61000 : 0;
    pack_init(&pack, 256);
    pack_map_begin(&pack);
    pack_kv_i64(&pack, "_httpStatus", status);
    pack_map_end(&pack);
    failure.details = pack_span(&pack);
    r = actor_fail_with(ctx, &failure);
    pack_deinit(&pack);
    return r;
}

static int on_auth_http(void *state, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_auth_http *in = msg;
    struct msg_auth_decision decision = { .principal = SPAN_LIT("rig"),
                                          .role = SPAN_LIT("operator"),
                                          .generation = 1,
                                          .method = SPAN_LIT("token"),
                                          .is_local = in->is_loopback };
    struct pack pack;
    int r;

    (void)state;
    if (in->has_bearer && span_is(in->bearer, SPAN_LIT("limited"))) {
        return refuse_http(ctx, 429);
    }
    if (!in->has_bearer || !span_is_text(in->bearer, OWNERS_TOKEN)) {
        return refuse_http(ctx, 401);
    }
    pack_init(&pack, 4096);
    scopes_default(&pack);
    decision.scopes = pack_span(&pack);
    r = actor_reply(ctx, MSG_AUTH_DECISION, &decision);
    pack_deinit(&pack);
    return r;
}

static int on_edge_settings(void *state, struct actor_ctx *ctx, const void *msg)
{
    struct msg_auth_edge_settings_value out = { .headers = { NULL, 0 } };
    struct pack pack;
    int r;

    (void)state;
    (void)msg;
    pack_init(&pack, 256);
    pack_array_begin(&pack);
    pack_text(&pack, "x-forwarded-for");
    pack_text(&pack, "tailscale-user-login");
    pack_array_end(&pack);
    out.headers = pack_span(&pack);
    r = actor_reply(ctx, MSG_AUTH_EDGE_SETTINGS_VALUE, &out);
    pack_deinit(&pack);
    return r;
}

static const struct actor_route auth_routes[] = {
    { MSG_AUTH_EDGE_SETTINGS, on_edge_settings, 0 },
    { MSG_AUTH_CONNECT, on_auth_connect, 0 },
    { MSG_AUTH_HTTP, on_auth_http, 0 },
};
const struct actor_def owner_auth = {
    .name = "auth", .state_size = 1, .routes = auth_routes, .routes_n = ARRAY_LEN(auth_routes)
};

/* --- config ------------------------------------------------------------------------------ */

static void on_config_applied(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)actor;
    (void)cookie;
    (void)answer;
}

static int on_config_follow(void *state, struct actor_ctx *ctx, const void *msg)
{
    static const char empty[] = { (char)0x80, (char)0x90 };
    struct span from = actor_ctx_from(ctx);
    char to[ACTOR_ADDRESS_MAX];
    struct actor_call call = { .to = to,
                               .msg = MSG_CONFIG_UPDATE,
                               .in = &(struct msg_config_update){ .version = 1,
                                                                  .is_whole = true,
                                                                  .paths = { empty + 1, 1 },
                                                                  .config = { empty, 1 } },
                               .on_answer = on_config_applied };

    (void)state;
    (void)msg;
    (void)snprintf(to, sizeof(to), "%.*s", SPAN_FMT(from));
    int r = actor_reply(ctx, MSG_CONFIG_FOLLOWED, &(struct msg_config_followed){ .version = 1 });
    return r ? r : actor_call(actor_ctx_actor(ctx), &call, NULL);
}

/* A change that ends the credentials of all; answered behind that, unless it is longer than "{}". */
static int on_config_set(void *state, struct actor_ctx *ctx, const void *msg)
{
    static const char answer[] = { (char)0x81, (char)0xa2, 'o', 'k', (char)0xc3 };
    const struct msg_config_set *in = msg;
    int r = actor_publish(actor_ctx_actor(ctx), MSG_AUTH_GENERATION, &(struct msg_auth_generation){ .generation = 2 },
                          NULL);

    (void)state;
    if (r) {
        return r;
    }
    if (in->raw.len > 2) {
        (void)actor_defer(ctx, NULL);
        return 0;
    }
    return actor_reply_span(ctx, (struct span){ answer, sizeof(answer) });
}

static const struct actor_route config_routes[] = {
    { MSG_CONFIG_FOLLOW, on_config_follow, 0 },
    { MSG_CONFIG_SET, on_config_set, 0 },
};
const struct actor_def owner_config = {
    .name = "config", .state_size = 1, .routes = config_routes, .routes_n = ARRAY_LEN(config_routes)
};

/* --- health ------------------------------------------------------------------------------ */

struct health {
    uint64_t joined;
    uint64_t left;
    char ip[256];    /* of the last one that joined */
    char large[256]; /* reasons of payload_large, with their counts */
};

static int on_join(void *state, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_presence_join *in = msg;
    struct health *self = state;

    (void)ctx;
    self->joined++;
    (void)snprintf(self->ip, sizeof(self->ip), "%.*s", SPAN_FMT(in->ip));
    return 0;
}

static int on_leave(void *state, struct actor_ctx *ctx, const void *msg)
{
    (void)ctx;
    (void)msg;
    ((struct health *)state)->left++;
    return 0;
}

static int on_snapshot(void *state, struct actor_ctx *ctx, const void *msg)
{
    static const char empty_map = (char)0x80;
    static const char empty_list = (char)0x90;
    struct msg_health_snapshot_value value = { .presence = { &empty_list, 1 },
                                               .health = { &empty_map, 1 },
                                               .state_version = { 3, 4 },
                                               .uptime_ms = 5,
                                               .session_defaults = { &empty_map, 1 },
                                               .ok = true };

    (void)state;
    (void)msg;
    return actor_reply(ctx, MSG_HEALTH_SNAPSHOT_VALUE, &value);
}

static int on_health(void *state, struct actor_ctx *ctx, const void *msg)
{
    struct health *self = state;
    struct trace_id trace = actor_ctx_trace(ctx);
    char text[33];
    struct pack pack;
    int r;

    (void)msg;
    pack_init(&pack, 4096);
    pack_map_begin(&pack);
    pack_kv_bool(&pack, "ok", true);
    pack_kv_u64(&pack, "joined", self->joined);
    pack_kv_u64(&pack, "left", self->left);
    pack_kv_text(&pack, "ip", self->ip);
    pack_kv_text(&pack, "large", self->large);
    (void)snprintf(text, sizeof(text), "%016llx%016llx", (unsigned long long)trace.hi, (unsigned long long)trace.lo);
    pack_kv_text(&pack, "trace", text);
    pack_map_end(&pack);
    r = actor_reply_span(ctx, pack_span(&pack));
    pack_deinit(&pack);
    return r;
}

static int on_large(void *state, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_payload_large *in = msg;
    struct health *self = state;
    size_t len = strlen(self->large);

    (void)ctx;
    (void)snprintf(self->large + len, sizeof(self->large) - len, "%.*s=%llu ", SPAN_FMT(in->reason),
                   (unsigned long long)in->count);
    return 0;
}

static const struct actor_route health_topics[] = { { MSG_PAYLOAD_LARGE, on_large, 0 } };
static const struct actor_route health_routes[] = {
    { MSG_PRESENCE_JOIN, on_join, 0 },
    { MSG_PRESENCE_LEAVE, on_leave, 0 },
    { MSG_HEALTH_SNAPSHOT, on_snapshot, 0 },
    { MSG_HEALTH, on_health, 0 },
};
const struct actor_def owner_health = {
    .name = "health",
    .state_size = sizeof(struct health),
    .routes = health_routes,
    .routes_n = ARRAY_LEN(health_routes),
    .topics = health_topics,
    .topics_n = ARRAY_LEN(health_topics),
};

/* --- router ------------------------------------------------------------------------------ */

struct router;

struct run {
    struct run *next;
    struct router *router;
    struct actor_token token;
    struct actor *actor;
    uv_timer_t timer;
    uint64_t left;   /* deltas */
    uint64_t period; /* ms; 0: as fast as credit allows */
    bool is_failing; /* instead of an end */
    size_t delta_len;
};

struct router {
    struct run *runs;
    uint64_t cancelled;
    uint64_t started;
};

/* "deltas=3 period=10 fail" and so on: the text of the last message is the script. */
static uint64_t script_number(struct span script, const char *key, uint64_t fallback)
{
    char text[256];
    const char *at;

    (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(script));
    at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : fallback;
}

static bool script_has(struct span script, const char *word)
{
    return script.len >= strlen(word) && memmem(script.ptr, script.len, word, strlen(word)) != NULL;
}

/* What stands behind `key`, up to the next space. */
static struct span script_word(struct span script, const char *key)
{
    const char *at = memmem(script.ptr, script.len, key, strlen(key));
    size_t len = 0;

    if (!at) {
        return NONE;
    }
    at += strlen(key);
    while (at + len < script.ptr + script.len && at[len] != ' ') {
        len++;
    }
    return (struct span){ at, len };
}

static void on_run_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void run_end(struct run *self)
{
    struct run **at = &self->router->runs;

    while (*at != self) {
        at = &(*at)->next;
    }
    *at = self->next;
    uv_close((uv_handle_t *)&self->timer, on_run_closed);
}

static void run_finish(struct run *self)
{
    struct msg_run_done done = { .run_id = SPAN_LIT("run-1"),
                                 .session_key = SPAN_LIT("agent:main:x"),
                                 .agent_id = SPAN_LIT("main"),
                                 .provider = SPAN_LIT("builtin"),
                                 .model = SPAN_LIT("echo"),
                                 .finish_reason = SPAN_LIT("stop"),
                                 .usage = { 11, 6, 17 } };

    if (self->is_failing) {
        (void)actor_token_fail_text(self->actor, self->token, FAIL_PROVIDER, "the provider broke off");
    } else {
        (void)actor_token_reply(self->actor, self->token, MSG_RUN_DONE, &done);
    }
    run_end(self);
}

/* Sends while there is credit; false when it must wait for more. */
static bool run_step(struct run *self)
{
    char *text = mem_new(self->delta_len + 1);
    struct msg_run_delta delta = { .text = { text, self->delta_len } };
    int r;

    memset(text, 'w', self->delta_len);
    r = actor_stream_send(self->actor, self->token, MSG_RUN_DELTA, &delta);
    free(text);
    self->left -= r == 0 ? 1 : 0;
    return r == 0;
}

static void on_run_timer(uv_timer_t *timer)
{
    struct run *self = timer->data;

    while (self->left > 0 && run_step(self)) {
        if (self->period) {
            return;
        }
    }
    if (self->left == 0) {
        run_finish(self);
    } else if (!self->period) {
        (void)uv_timer_stop(timer); /* goes on with credit */
    }
}

static void on_credit(void *state, struct actor *actor, void *cookie)
{
    struct run *self = cookie;

    (void)state;
    (void)actor;
    if (!self->period) {
        (void)uv_timer_start(&self->timer, on_run_timer, 0, 0);
    }
}

static void on_cancel(void *state, struct actor *actor, void *cookie)
{
    (void)actor;
    ((struct router *)state)->cancelled++;
    if (cookie) {
        run_end(cookie);
    }
}

static int run_begin(struct router *router, struct actor_ctx *ctx, struct span script)
{
    struct run *self = mem_new(sizeof(*self));

    router->started++;
    self->router = router;
    self->next = router->runs;
    router->runs = self;
    self->actor = actor_ctx_actor(ctx);
    self->left = script_number(script, "deltas=", 3);
    self->period = script_number(script, "period=", 0);
    self->delta_len = script_number(script, "size=", 5);
    self->is_failing = script_has(script, "fail");
    self->token = actor_defer(ctx, self);
    (void)uv_timer_init(actor_loop(self->actor), &self->timer);
    self->timer.data = self;
    return uv_timer_start(&self->timer, on_run_timer, self->period, self->period);
}

static struct span last_text(struct span messages)
{
    struct value_iter iter = value_iter(messages);
    struct span key;
    struct span item;
    struct span text = NONE;

    while (value_next(&iter, &key, &item)) {
        text = value_str(value_get(item, "content"), NONE);
    }
    return text;
}

static int on_agent_run(void *state, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_agent_run *in = msg;
    struct span script = last_text(in->messages);
    struct msg_run_done done = { .run_id = SPAN_LIT("run-1"),
                                 .session_key = SPAN_LIT("agent:main:x"),
                                 .agent_id = SPAN_LIT("main"),
                                 .provider = SPAN_LIT("builtin"),
                                 .model = SPAN_LIT("echo"),
                                 .finish_reason = SPAN_LIT("stop"),
                                 .has_text = true,
                                 .text = script,
                                 .usage = { 11, 6, 17 } };

    if (in->has_agent_id && !span_is(in->agent_id, SPAN_LIT("main"))) {
        return actor_fail(ctx, FAIL_AGENT_UNKNOWN, "no agent \"%.*s\"", SPAN_FMT(in->agent_id));
    }
    if (script_number(script, "code=", 0)) {
        return actor_fail(ctx, (int)script_number(script, "code=", 0), "asked to fail");
    }
    if (script_has(script, "whole")) {
        return actor_reply(ctx, MSG_RUN_DONE, &done);
    }
    return run_begin(state, ctx, script);
}

static void events_publish(struct actor *actor, struct span script)
{
    uint64_t count = script_number(script, "events=", 0);
    size_t size = script_number(script, "size=", 10);
    char *text = mem_new(size + 1);
    struct pack pack;

    memset(text, 'e', size);
    pack_init(&pack, 0);
    for (uint64_t i = 0; i < count; i++) {
        pack_reset(&pack);
        pack_map_begin(&pack);
        pack_kv_text(&pack, "runId", "run-1");
        pack_kv_text(&pack, "sessionKey", "agent:main:main");
        pack_kv_u64(&pack, "seq", i);
        pack_kv_text(&pack, "state", script_has(script, "delta") ? "delta" : "final");
        pack_kv_str(&pack, "message", (struct span){ text, size });
        pack_kv_text(&pack, "_scopeKey", "agent:main:main");
        pack_key(&pack, "_protocol4");
        pack_map_begin(&pack);
        pack_kv_text(&pack, "deltaText", "new");
        pack_map_end(&pack);
        if (script_has(script, "only=")) {
            pack_key(&pack, "_connIds");
            pack_array_begin(&pack);
            pack_str(&pack, script_word(script, "only="));
            pack_array_end(&pack);
        }
        pack_map_end(&pack);
        (void)actor_publish_span(actor, EVENT_CHAT, pack_span(&pack), NULL);
    }
    pack_deinit(&pack);
    free(text);
}

static void session_publish(struct actor *actor, const struct schema_msg *topic)
{
    struct pack pack;

    pack_init(&pack, 4096);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "sessionKey", "agent:main:main");
    pack_map_end(&pack);
    (void)actor_publish_span(actor, topic, pack_span(&pack), NULL);
    pack_deinit(&pack);
}

static int text_reply(struct actor_ctx *ctx, size_t size)
{
    char *text = mem_new(size + 1);
    struct pack pack;
    int r;

    memset(text, 'r', size);
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "status", "started");
    pack_kv_str(&pack, "text", (struct span){ text, size });
    pack_map_end(&pack);
    r = actor_reply_span(ctx, pack_span(&pack));
    pack_deinit(&pack);
    free(text);
    return r;
}

static int on_chat_send(void *state, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_chat_send *in = msg;
    struct actor *actor = actor_ctx_actor(ctx);
    struct failure failure = {
        .code = FAIL_RATE_LIMITED, .message = SPAN_LIT("too often"), .retryable = true, .retry_after_ms = 1500
    };
    struct msg_auth_generation generation = { .generation = 2 };
    struct msg_auth_revoked revoked = {
        .has_device_id = true, .device_id = SPAN_LIT("stolen"), .code = 1008, .reason = SPAN_LIT("device token revoked")
    };

    (void)state;
    if (script_has(in->message, "refuse")) {
        return actor_fail_with(ctx, &failure);
    }
    if (script_has(in->message, "hang")) {
        (void)actor_defer(ctx, NULL);
        return 0;
    }
    if (script_has(in->message, "die")) {
        return FAULT(-EIO);
    }
    if (script_has(in->message, "rotate")) {
        (void)actor_publish(actor, MSG_AUTH_GENERATION, &generation, NULL);
    }
    if (script_has(in->message, "revoke")) { /* what was said before comes first */
        int r = text_reply(ctx, 2);

        return r ? r : actor_publish(actor, MSG_AUTH_REVOKED, &revoked, NULL);
    }
    if (script_has(in->message, "restart")) {
        (void)actor_restart(actor, "edge/0");
    }
    if (script_has(in->message, "session")) {
        session_publish(actor, EVENT_SESSION_MESSAGE);
        session_publish(actor, EVENT_SESSIONS_CHANGED);
    }
    events_publish(actor, in->message);
    return text_reply(ctx, script_number(in->message, "reply=", 2));
}

static int on_agent(void *state, struct actor_ctx *ctx, const void *msg)
{
    struct msg_agent_accepted accepted = { .run_id = SPAN_LIT("run-2"),
                                           .status = SPAN_LIT("accepted"),
                                           .accepted_at = 7 };
    struct actor *actor = actor_ctx_actor(ctx);
    struct actor_token token = actor_defer(ctx, NULL);
    static const char done[] = "\x81\xa6status\xa2ok";

    (void)state;
    (void)msg;
    (void)actor_stream_send(actor, token, MSG_AGENT_ACCEPTED, &accepted);
    return actor_token_reply_span(actor, token, (struct span){ done, sizeof(done) - 1 });
}

static int on_agents_list(void *state, struct actor_ctx *ctx, const void *msg)
{
    struct router *self = state;
    struct pack pack;
    int r;

    (void)msg;
    pack_init(&pack, 4096);
    pack_map_begin(&pack);
    pack_kv_u64(&pack, "started", self->started);
    pack_kv_u64(&pack, "cancelled", self->cancelled);
    pack_map_end(&pack);
    r = actor_reply_span(ctx, pack_span(&pack));
    pack_deinit(&pack);
    return r;
}

static int on_router_agents(void *state, struct actor_ctx *ctx, const void *msg)
{
    struct msg_router_agent_list list = { .default_id = SPAN_LIT("main"),
                                          .main_key = SPAN_LIT("main"),
                                          .main_session_key = SPAN_LIT("agent:main:main"),
                                          .scope = SPAN_LIT("per-sender") };
    struct pack pack;
    int r;

    (void)state;
    (void)msg;
    pack_init(&pack, 4096);
    pack_array_begin(&pack);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "id", "main");
    pack_kv_bool(&pack, "is_default", true);
    pack_map_end(&pack);
    pack_array_end(&pack);
    list.agents = pack_span(&pack);
    r = actor_reply(ctx, MSG_ROUTER_AGENT_LIST, &list);
    pack_deinit(&pack);
    return r;
}

static int on_resolve(void *state, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_router_resolve *in = msg;
    struct msg_router_resolved out = { .session_key = SPAN_LIT("agent:main:main"),
                                       .agent_id = SPAN_LIT("main"),
                                       .address = SPAN_LIT("agent/main") };

    (void)state;
    if (!span_is(in->session_key, SPAN_LIT("main"))) {
        return actor_fail(ctx, FAIL_AGENT_UNKNOWN, "no agent \"%.*s\"", SPAN_FMT(in->session_key));
    }
    return actor_reply(ctx, MSG_ROUTER_RESOLVED, &out);
}

static void router_deinit(void *state, struct actor *actor)
{
    struct router *self = state;

    (void)actor;
    while (self->runs) {
        run_end(self->runs);
    }
}

static const struct actor_route router_routes[] = {
    { MSG_AGENT_RUN, on_agent_run, 0 },
    { MSG_CHAT_SEND, on_chat_send, 0 },
    { MSG_AGENT, on_agent, 0 },
    { MSG_AGENTS_LIST, on_agents_list, 0 },
    { MSG_ROUTER_AGENTS, on_router_agents, 0 },
    { MSG_ROUTER_RESOLVE, on_resolve, 0 },
};
const struct actor_def owner_router = { .name = "router",
                                        .state_size = sizeof(struct router),
                                        .routes = router_routes,
                                        .routes_n = ARRAY_LEN(router_routes),
                                        .deinit = router_deinit,
                                        .on_cancel = on_cancel,
                                        .on_credit = on_credit };

const struct actor_def owner_idle = { .name = "idle", .state_size = 1 };
