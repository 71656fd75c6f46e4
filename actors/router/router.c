/*
 * router: which agent serves a session, and everything that concerns several agents.
 *
 * Accepts    config_changed
 * Answers    chat.send chat.abort chat.history agent agent.wait agent_run agent_embed sessions.list
 *            sessions.preview sessions.describe agents.list agent.identity.get
 *            agent_note agent_heartbeat router_agents router_resolve router_agent_find
 * Publishes  router_agents_changed
 * What belongs to one session is forwarded to its agent, which answers the asker itself
 * and remembers what was said already. So a restart loses nothing: the roster is read
 * again from config, and calls under way live in the agents.
 */
#include "actors/router/router.h"

#include <stdio.h>
#include <sys/random.h>

#include "actors/router/internal.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "schema_gen.h"

#define LOADING_RETRY_MS 100U
#define NAMES_MAX 256U /* of agents in a message */

void router_address(const char *agent, char ret_address[ACTOR_ADDRESS_MAX])
{
    snprintf(ret_address, ACTOR_ADDRESS_MAX, "agent/%s", agent);
}

int router_not_loaded(struct actor_ctx *ctx)
{
    return actor_fail_with(ctx, &(struct failure){
                                    .code = FAIL_UNAVAILABLE,
                                    .message = SPAN_LIT("the list of agents has not been read yet"),
                                    .retryable = true,
                                    .retry_after_ms = LOADING_RETRY_MS,
                                });
}

/* Says which there are, as far as they fit on a line. */
static int agent_unknown(const struct router *self, struct actor_ctx *ctx, const char *id)
{
    char names[NAMES_MAX] = "";
    size_t len = 0;

    for (size_t i = 0; i < self->roster.agents_n; i++) {
        const char *name = self->roster.agents[i].id;

        if (len + strlen(name) + sizeof(", …") > sizeof(names)) {
            (void)snprintf(names + len, sizeof(names) - len, ", …");
            break;
        }
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "", name); /* fits */
    }
    return actor_fail(ctx, FAIL_AGENT_UNKNOWN, "unknown agent \"%s\": agents.list has %s", id, names);
}

int router_resolve(struct router *self, struct actor_ctx *ctx, struct span key, struct span agent,
                   struct session_key *ret_key)
{
    struct session_key_rules rules;
    int r;

    if (!self->is_loaded) {
        return router_not_loaded(ctx);
    }
    rules = roster_rules(&self->roster);
    r = session_key_resolve(&rules, key, agent, ret_key);
    if (r == SESSION_KEY_E_AGENT) {
        return actor_fail(ctx, FAIL_AGENT_UNKNOWN, "unknown agent: what was given is not an agent id");
    }
    if (r) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "session key %s", session_key_why(r));
    }
    if (!roster_find(&self->roster, ret_key->agent)) {
        return agent_unknown(self, ctx, ret_key->agent);
    }
    return 0;
}

/* --- what one agent answers ----------------------------------------------------------- */

static bool is_same(struct span given, const struct session_key *key)
{
    return span_is(given, (struct span){ key->text, key->len });
}

/* Unchanged when the client wrote the full key, which spares packing the body again. */
static int forward(struct actor_ctx *ctx, const struct session_key *key, bool is_unchanged,
                   const struct schema_msg *msg, const void *out)
{
    char to[ACTOR_ADDRESS_MAX];

    router_address(key->agent, to);
    return is_unchanged ? actor_forward(ctx, to, NULL, NULL) : actor_forward(ctx, to, msg, out);
}

/* `text` is a member of `out`: the session's key as it was given, which becomes the full one. */
static int forward_session(struct router *self, struct actor_ctx *ctx, struct span *text, const struct schema_msg *msg,
                           const void *out)
{
    struct session_key key = { .len = 0 };
    bool is_unchanged;
    int r = router_resolve(self, ctx, *text, (struct span){ 0 }, &key);

    if (r) {
        return r;
    }
    is_unchanged = is_same(*text, &key);
    *text = (struct span){ key.text, key.len };
    r = forward(ctx, &key, is_unchanged, msg, out);
    *text = (struct span){ NULL, 0 }; /* the key ends here */
    return r;
}

static int on_chat_send(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct router *self = arg;
    struct msg_chat_send out = *(const struct msg_chat_send *)msg;
    struct session_key key = { .len = 0 };
    bool is_unchanged;
    int r = router_resolve(self, ctx, out.session_key, (struct span){ 0 }, &key);

    if (r) {
        return r;
    }
    run_index_put(&self->runs, out.idempotency_key, key.agent);
    is_unchanged = is_same(out.session_key, &key);
    out.session_key = (struct span){ key.text, key.len };
    return forward(ctx, &key, is_unchanged, MSG_CHAT_SEND, &out);
}

static int on_chat_abort(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct msg_chat_abort out = *(const struct msg_chat_abort *)msg;

    return forward_session(arg, ctx, &out.session_key, MSG_CHAT_ABORT, &out);
}

static int on_chat_history(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct msg_chat_history out = *(const struct msg_chat_history *)msg;

    return forward_session(arg, ctx, &out.session_key, MSG_CHAT_HISTORY, &out);
}

/* The session of an agent that a key means; one that is not the agent's, or none at all, means its main one. */
static int agent_session(struct router *self, struct actor_ctx *ctx, struct span key, struct span agent,
                         struct session_key *ret_key)
{
    struct session_key_rules rules;
    struct session_key named;
    int r = router_resolve(self, ctx, (struct span){ 0 }, agent, ret_key);

    if (r) {
        return r;
    }
    rules = roster_rules(&self->roster);
    if (!rules.is_global && !session_key_resolve(&rules, key, agent, &named) &&
        span_starts(span_from(named.text), "agent:")) {
        *ret_key = named;
    }
    return 0;
}

static int on_agent_note(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct msg_agent_note out = *(const struct msg_agent_note *)msg;
    struct session_key key = { .len = 0 };
    struct span named = out.has_session_key ? out.session_key : SPAN_LIT("main");
    bool is_unchanged;
    int r = out.has_agent_id ? agent_session(arg, ctx, named, out.agent_id, &key)
                             : router_resolve(arg, ctx, named, (struct span){ 0 }, &key);

    if (r) {
        return r;
    }
    is_unchanged = out.has_session_key && is_same(out.session_key, &key);
    out.has_session_key = true;
    out.session_key = (struct span){ key.text, key.len };
    return forward(ctx, &key, is_unchanged, MSG_AGENT_NOTE, &out);
}

static int on_agent_heartbeat(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct msg_agent_heartbeat out = *(const struct msg_agent_heartbeat *)msg;
    struct session_key key = { .len = 0 };
    int r = agent_session(arg, ctx, out.session_key, out.agent_id, &key);

    if (r) {
        return r;
    }
    out.session_key = (struct span){ key.text, key.len };
    return forward(ctx, &key, false, MSG_AGENT_HEARTBEAT, &out);
}

static int on_sessions_describe(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct msg_sessions_describe out = *(const struct msg_sessions_describe *)msg;

    return forward_session(arg, ctx, &out.key, MSG_SESSIONS_DESCRIBE, &out);
}

/*
 * Without a key: the session with that id, else the main one. A person at the far end
 * (`to`) shares the main session, as direct messages do.
 */
static int agent_key(struct router *self, struct actor_ctx *ctx, const struct msg_agent *in,
                     struct session_key *ret_key)
{
    struct session_key_rules rules;
    struct span agent;
    int r;

    if (in->session_key.len || !self->is_loaded) {
        return router_resolve(self, ctx, in->session_key, in->agent_id, ret_key);
    }
    rules = roster_rules(&self->roster);
    agent = in->agent_id.len ? in->agent_id : rules.default_agent;
    r = router_resolve(self, ctx, (struct span){ 0 }, agent, ret_key);
    if (r || !in->session_id.len) {
        return r;
    }
    r = session_key_make(agent, "explicit", in->session_id, ret_key);
    return r ? actor_fail(ctx, FAIL_INVALID_REQUEST, "session id %s", session_key_why(r)) : 0;
}

static int on_agent(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct router *self = arg;
    struct msg_agent out = *(const struct msg_agent *)msg;
    struct session_key key = { .len = 0 };
    bool is_unchanged;
    int r = agent_key(self, ctx, &out, &key);

    if (r) {
        return r;
    }
    run_index_put(&self->runs, out.idempotency_key, key.agent);
    is_unchanged = out.has_session_key && is_same(out.session_key, &key);
    out.has_session_key = true;
    out.session_key = (struct span){ key.text, key.len };
    return forward(ctx, &key, is_unchanged, MSG_AGENT, &out);
}

/* A session of its own for every request that names none: the surface is stateless. */
static int fresh_key(struct actor_ctx *ctx, const char *agent, const char *surface, struct session_key *ret_key)
{
    uint64_t word[2];
    char text[40];

    if (getrandom(word, sizeof(word), 0) != (ssize_t)sizeof(word)) {
        return FAULT(-errno);
    }
    snprintf(text, sizeof(text), "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(word[0] >> 32),
             (unsigned)(word[0] >> 16) & 0xffff, (unsigned)word[0] & 0xfff,
             ((unsigned)(word[1] >> 48) & 0x3fff) | 0x8000, (unsigned long long)(word[1] & 0xffffffffffffULL));
    if (session_key_make(span_from(agent), surface, span_from(text), ret_key)) {
        return actor_fail(ctx, FAIL_INTERNAL, "no session key for agent \"%s\"", agent);
    }
    return 0;
}

static int run_key(struct router *self, struct actor_ctx *ctx, const struct msg_agent_run *in,
                   struct session_key *ret_key)
{
    struct session_key_rules rules;
    struct session_key main_key = { .len = 0 };
    bool is_responses = in->has_surface && span_is_text(in->surface, "openresponses");
    int r;

    if (in->session_key.len || !self->is_loaded) {
        return router_resolve(self, ctx, in->session_key, in->agent_id, ret_key);
    }
    rules = roster_rules(&self->roster);
    r = router_resolve(self, ctx, SPAN_LIT("x"), in->agent_id.len ? in->agent_id : rules.default_agent, &main_key);
    if (r) {
        return r;
    }
    if (!in->user.len) {
        return fresh_key(ctx, main_key.agent, is_responses ? "openresponses" : "openai", ret_key);
    }
    r = session_key_make(span_from(main_key.agent), is_responses ? "openresponses-user" : "openai-user", in->user,
                         ret_key);
    return r ? actor_fail(ctx, FAIL_INVALID_REQUEST, "user %s", session_key_why(r)) : 0;
}

static int on_agent_run(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct router *self = arg;
    struct msg_agent_run out = *(const struct msg_agent_run *)msg;
    struct session_key key = { .len = 0 };
    int r = run_key(self, ctx, &out, &key);

    if (r) {
        return r;
    }
    if (out.has_idempotency_key) {
        run_index_put(&self->runs, out.idempotency_key, key.agent);
    }
    out.has_is_session_named = true;
    out.is_session_named = out.session_key.len > 0 || out.user.len > 0;
    out.has_is_session_fixed = true;
    out.is_session_fixed = out.session_key.len > 0;
    out.has_session_key = true;
    out.session_key = (struct span){ key.text, key.len };
    out.has_agent_id = true;
    out.agent_id = span_from(key.agent);
    return forward(ctx, &key, false, MSG_AGENT_RUN, &out);
}

static int on_agent_embed(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_agent_embed *in = msg;
    struct session_key key = { .len = 0 };
    int r = router_resolve(arg, ctx, SPAN_LIT("main"), in->has_agent_id ? in->agent_id : (struct span){ 0 }, &key);

    return r ? r : forward(ctx, &key, true, MSG_AGENT_EMBED, in);
}

/* --- what the router knows itself -------------------------------------------------------- */

static int on_agents_list(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct router *self = arg;

    (void)msg;
    return self->is_loaded ? actor_reply_body(ctx, &self->agents_list) : router_not_loaded(ctx);
}

static int on_identity_get(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct router *self = arg;
    const struct msg_agent_identity_get *in = msg;
    struct session_key key = { .len = 0 };
    struct pack pack;
    int r = router_resolve(self, ctx, in->session_key.len ? in->session_key : SPAN_LIT("main"), in->agent_id, &key);

    if (r) {
        return r;
    }
    pack_init(&pack, 0);
    roster_pack_identity(&self->roster, roster_find(&self->roster, key.agent), &pack);
    r = pack_error(&pack);
    r = r ? r : actor_reply_span(ctx, pack_span(&pack));
    pack_deinit(&pack);
    return r;
}

static void row_pack(const struct roster *roster, const struct roster_agent *agent, struct pack *out)
{
    CLEANUP(mem_free) char *workspace = roster_workspace(roster, agent);
    struct span model = roster_model(roster, agent);
    struct span name = roster_name(agent);

    pack_map_begin(out);
    pack_kv_text(out, "id", agent->id);
    pack_kv_bool(out, "is_default", agent->is_default);
    if (name.len) {
        pack_kv_str(out, "name", name);
    }
    if (workspace) {
        pack_kv_text(out, "workspace", workspace);
    }
    if (model.len) {
        pack_kv_str(out, "model", model);
    }
    pack_map_end(out);
}

static int on_router_agents(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct router *self = arg;
    struct session_key_rules rules;
    struct session_key main_key = { .len = 0 };
    struct pack rows;
    int r;

    (void)msg;
    if (!self->is_loaded) {
        return router_not_loaded(ctx);
    }
    rules = roster_rules(&self->roster);
    r = session_key_main(&rules, (struct span){ 0 }, &main_key);
    if (r) {
        return FAULT_FOLD(r);
    }
    pack_init(&rows, 0);
    pack_array_begin(&rows);
    for (size_t i = 0; i < self->roster.agents_n; i++) {
        row_pack(&self->roster, &self->roster.agents[i], &rows);
    }
    pack_array_end(&rows);
    r = pack_error(&rows);
    r = r ? r
          : actor_reply(ctx, MSG_ROUTER_AGENT_LIST,
                        &(struct msg_router_agent_list){
                            .default_id = rules.default_agent,
                            .main_key = rules.main_key,
                            .main_session_key = { main_key.text, main_key.len },
                            .scope = rules.is_global ? SPAN_LIT("global") : SPAN_LIT("per-sender"),
                            .agents = pack_span(&rows),
                        });
    pack_deinit(&rows);
    return r;
}

static int on_router_resolve(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_router_resolve *in = msg;
    struct session_key key = { .len = 0 };
    char address[ACTOR_ADDRESS_MAX];
    int r = router_resolve(arg, ctx, in->session_key, in->agent_id, &key);

    if (r) {
        return r;
    }
    router_address(key.agent, address);
    return actor_reply(ctx, MSG_ROUTER_RESOLVED,
                       &(struct msg_router_resolved){
                           .session_key = { key.text, key.len },
                           .agent_id = span_from(key.agent),
                           .address = span_from(address),
                       });
}

static int on_router_agent_find(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct router *self = arg;
    const struct msg_router_agent_find *in = msg;
    struct session_key key = { .len = 0 };
    const struct roster_agent *agent;
    CLEANUP(mem_free) char *directory = NULL;
    struct span avatar;
    int r = router_resolve(self, ctx, SPAN_LIT("main"), in->agent_id, &key);

    if (r) {
        return r;
    }
    agent = roster_find(&self->roster, key.agent);
    directory = roster_directory(&self->roster, agent);
    avatar = roster_avatar(agent);
    return actor_reply(ctx, MSG_ROUTER_AGENT_FOUND,
                       &(struct msg_router_agent_found){
                           .agent_id = span_from(agent->id),
                           .is_default = agent->is_default,
                           .workspace = span_from(directory),
                           .has_avatar = avatar.len > 0,
                           .avatar = avatar,
                       });
}

/* --- life cycle ------------------------------------------------------------------------------ */

static void on_cancel(void *state, struct actor *actor, void *cookie)
{
    (void)state;
    gather_cancel(cookie, actor);
}

static int router_init(void *state, struct actor *actor, const char *arg)
{
    struct router *self = state;
    uint64_t seed;

    (void)arg;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        return FAULT(-errno);
    }
    run_index_init(&self->runs, seed);
    if (body_init(&self->agents_list, (struct span){ 0 })) {
        return FAULT(-ENOMEM);
    }
    self->has_list = true;
    return router_config_init(self, actor);
}

static void router_deinit(void *state, struct actor *actor)
{
    struct router *self = state;

    (void)actor;
    gather_destroy_all(&self->gathers);
    router_config_deinit(self);
    roster_deinit(&self->roster);
    if (self->has_list) {
        body_deinit(&self->agents_list);
    }
}

static const struct actor_route router_routes[] = {
    { MSG_CHAT_SEND, on_chat_send, 0 },
    { MSG_CHAT_ABORT, on_chat_abort, 0 },
    { MSG_CHAT_HISTORY, on_chat_history, 0 },
    { MSG_AGENT, on_agent, 0 },
    { MSG_AGENT_WAIT, router_on_agent_wait, 0 },
    { MSG_AGENT_RUN, on_agent_run, 0 },
    { MSG_AGENT_EMBED, on_agent_embed, 0 },
    { MSG_AGENT_NOTE, on_agent_note, 0 },
    { MSG_AGENT_HEARTBEAT, on_agent_heartbeat, 0 },
    { MSG_AGENT_IDENTITY_GET, on_identity_get, 0 },
    { MSG_AGENTS_LIST, on_agents_list, 0 },
    { MSG_SESSIONS_LIST, router_on_sessions_list, 0 },
    { MSG_SESSIONS_PREVIEW, router_on_sessions_preview, 0 },
    { MSG_SESSIONS_DESCRIBE, on_sessions_describe, 0 },
    { MSG_ROUTER_AGENTS, on_router_agents, 0 },
    { MSG_ROUTER_RESOLVE, on_router_resolve, 0 },
    { MSG_ROUTER_AGENT_FIND, on_router_agent_find, 0 },
    { MSG_CONFIG_UPDATE, router_on_config_update, 0 },
};

const struct actor_def router_actor = {
    .name = "router",
    .state_size = sizeof(struct router),
    .routes = router_routes,
    .routes_n = ARRAY_LEN(router_routes),
    .init = router_init,
    .deinit = router_deinit,
    .on_cancel = on_cancel,
    .is_ready_late = true,
};
