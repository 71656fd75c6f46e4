/*
 * tools: tools of this gateway that programs call, and what may be called by whom.
 *
 * Accepts    tools_call, config_update
 * Answers    tools.catalog tools.effective tools.invoke, tools_called
 * Follows    agents, channels, gateway.tools and tools of the config
 * Asks       router (sessions, agents, messages into them), config, node
 * Nothing of it lasts: who asked and gets no answer asks again. A message that sessions_send
 * has passed on stays one, by its key.
 */
#include "actors/tools/tools.h"

#include "actors/tools/tools_state.h"
#include <errno.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define PACK_MAX ((size_t)16 << 20)
#define NOTHING ((struct span){ NULL, 0 })

/* --- the catalogue ---------------------------------------------------------------------------------- */

static const struct {
    const char *id;
    const char *label;
    unsigned bit;
} profiles[] = {
    { "minimal", "Minimal", CATALOG_MINIMAL },
    { "coding", "Coding", CATALOG_CODING },
    { "messaging", "Messaging", CATALOG_MESSAGING },
    { "full", "Full", 0 },
};

static void catalog_tool_pack(const struct tool *tool, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "id", tool->name);
    pack_kv_text(out, "label", tool->name);
    pack_kv_text(out, "description", tool->summary);
    pack_kv_text(out, "source", "core");
    pack_key(out, "defaultProfiles");
    pack_array_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        if (tool->profiles & profiles[i].bit) {
            pack_text(out, profiles[i].id);
        }
    }
    pack_array_end(out);
    pack_map_end(out);
}

static void catalog_groups_pack(struct pack *out)
{
    pack_array_begin(out);
    for (size_t i = 0; i < catalog_sections_n; i++) {
        pack_map_begin(out);
        pack_kv_text(out, "id", catalog_sections[i].id);
        pack_kv_text(out, "label", catalog_sections[i].label);
        pack_kv_text(out, "source", "core");
        pack_key(out, "tools");
        pack_array_begin(out);
        for (size_t j = 0; j < catalog_n; j++) {
            if (strcmp(catalog[j].section, catalog_sections[i].id) == 0) {
                catalog_tool_pack(&catalog[j], out);
            }
        }
        pack_array_end(out);
        pack_map_end(out);
    }
    pack_array_end(out);
}

static void catalog_pack(struct span agent_id, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_str(out, "agentId", agent_id);
    pack_key(out, "profiles");
    pack_array_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        pack_map_begin(out);
        pack_kv_text(out, "id", profiles[i].id);
        pack_kv_text(out, "label", profiles[i].label);
        pack_map_end(out);
    }
    pack_array_end(out);
    pack_key(out, "groups");
    catalog_groups_pack(out);
    pack_map_end(out);
}

/* --- what a session has ------------------------------------------------------------------------------- */

static void effective_tool_pack(const struct tool *tool, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "id", tool->name);
    pack_kv_text(out, "label", tool->label);
    pack_kv_text(out, "description", tool->summary);
    pack_kv_text(out, "rawDescription", tool->help);
    pack_kv_text(out, "source", "core");
    pack_map_end(out);
}

static bool has_tool(const struct tools *self, const struct policy_subject *subject, bool is_owner,
                     const struct tool *tool)
{
    return policy_allows(&self->policy, subject, tool) && (is_owner || !tool->is_owners);
}

static void effective_pack(const struct tools *self, const struct policy_subject *subject, bool is_owner,
                           struct pack *out)
{
    bool is_open = false;

    pack_map_begin(out);
    pack_kv_str(out, "agentId", subject->agent_id);
    pack_kv_str(out, "profile", policy_profile(&self->policy, subject));
    pack_key(out, "groups");
    pack_array_begin(out);
    for (size_t i = 0; i < catalog_n; i++) {
        if (!has_tool(self, subject, is_owner, &catalog[i])) {
            continue;
        }
        if (!is_open) {
            is_open = true;
            pack_map_begin(out);
            pack_kv_text(out, "id", "core");
            pack_kv_text(out, "label", "Built-in tools");
            pack_kv_text(out, "source", "core");
            pack_key(out, "tools");
            pack_array_begin(out);
        }
        effective_tool_pack(&catalog[i], out);
    }
    if (is_open) {
        pack_array_end(out);
        pack_map_end(out);
    }
    pack_array_end(out);
    pack_map_end(out);
}

/* --- asking the router first ----------------------------------------------------------------------------- */

/* Who waits for the catalogue or for the tools of a session. */
struct lookup {
    struct lookup *next;
    struct tools *tools;
    struct actor_token token;
    bool is_owner;
    bool is_catalog;
};

static void lookup_free(struct lookup *lookup)
{
    struct lookup **at = &lookup->tools->lookups;

    while (*at != lookup) {
        at = &(*at)->next;
    }
    *at = lookup->next;
    free(lookup);
}

static int reply_pack(struct tools *self, struct actor_token token)
{
    int r = pack_error(&self->pack);

    return r ? r : actor_token_reply_span(self->actor, token, pack_span(&self->pack));
}

static void on_described(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct tools *self = state;
    struct lookup *lookup = cookie;
    struct span row = answer->failure ? NOTHING : value_get(answer->body, "session");
    struct span key = value_str(value_get(row, "key"), NOTHING);
    struct policy_subject subject = { .session_key = key,
                                      .agent_id = sight_agent(key),
                                      .channel = value_str(value_get(row, "lastChannel"), NOTHING),
                                      .provider = value_str(value_get(row, "modelProvider"), NOTHING),
                                      .model = value_str(value_get(row, "model"), NOTHING) };
    int r;

    if (answer->failure) {
        r = actor_token_fail(actor, lookup->token, answer->failure);
    } else if (!key.len) {
        r = actor_token_fail_text(actor, lookup->token, FAIL_INVALID_REQUEST, "unknown session key");
    } else {
        pack_reset(&self->pack);
        effective_pack(self, &subject, lookup->is_owner, &self->pack);
        r = reply_pack(self, lookup->token);
    }
    lookup_free(lookup);
    if (r < 0) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

static int describe(struct lookup *lookup, struct span key)
{
    struct msg_sessions_describe in = { .key = key };
    struct actor_call call = {
        .to = "router", .msg = MSG_SESSIONS_DESCRIBE, .in = &in, .on_answer = on_described, .cookie = lookup
    };

    return actor_call(lookup->tools->actor, &call, NULL);
}

static void on_resolved(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct tools *self = state;
    struct lookup *lookup = cookie;
    const struct msg_router_resolved *found = answer->msg;
    int r;

    if (!answer->failure && !lookup->is_catalog) {
        r = describe(lookup, found->session_key); /* takes it on */
        if (r) {
            (void)actor_fault(actor, r); /* the loop ends after this turn */
        }
        return;
    }
    if (answer->failure) {
        r = actor_token_fail(actor, lookup->token, answer->failure);
    } else {
        pack_reset(&self->pack);
        catalog_pack(found->agent_id, &self->pack);
        r = reply_pack(self, lookup->token);
    }
    lookup_free(lookup);
    if (r < 0) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

static int lookup_start(struct tools *self, struct actor_ctx *ctx, const struct msg_router_resolve *in,
                        const struct lookup *wanted)
{
    struct lookup *lookup = mem_new(sizeof(*lookup));
    struct actor_call call = {
        .to = "router", .msg = MSG_ROUTER_RESOLVE, .in = in, .cause = ctx, .on_answer = on_resolved, .cookie = lookup
    };
    int r;

    *lookup = *wanted;
    lookup->tools = self;
    lookup->next = self->lookups;
    self->lookups = lookup;
    r = actor_call(self->actor, &call, NULL);
    if (r) {
        return r; /* the actor ends, and frees it */
    }
    lookup->token = actor_defer(ctx, NULL); /* whoever gives up is answered into the void */
    return 0;
}

static bool is_administrator(const struct type_client *client)
{
    struct value_iter it = value_iter(client->scopes);
    struct span key;
    struct span scope;

    while (value_next(&it, &key, &scope)) {
        if (span_is_text(value_str(scope, NOTHING), "operator.admin")) {
            return true;
        }
    }
    return false;
}

static int on_tools_catalog(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_tools_catalog *in = msg;
    struct msg_router_resolve resolve = { .has_agent_id = in->has_agent_id,
                                          .agent_id = in->agent_id,
                                          .has_session_key = !in->has_agent_id,
                                          .session_key = SPAN_LIT("main") };

    return lookup_start(arg, ctx, &resolve, &(struct lookup){ .is_catalog = true });
}

static int on_tools_effective(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_tools_effective *in = msg;
    struct msg_router_resolve resolve = { .has_session_key = true,
                                          .session_key = in->session_key,
                                          .has_agent_id = in->has_agent_id,
                                          .agent_id = in->agent_id };

    return lookup_start(arg, ctx, &resolve, &(struct lookup){ .is_owner = is_administrator(&in->client) });
}

/* --- the config -------------------------------------------------------------------------------------------- */

static int on_config_update(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct tools *self = arg;
    const struct msg_config_update *in = msg;
    struct text_buf bytes = { 0 };
    struct span config;

    if (text_buf_add(&bytes, in->config)) {
        return FAULT(-ENOMEM);
    }
    text_buf_deinit(&self->bytes);
    self->bytes = bytes;
    config = (struct span){ bytes.data, bytes.len };
    self->policy = (struct policy){ .tools = value_get(config, "tools"),
                                    .agents = value_get(config, "agents"),
                                    .channels = value_get(config, "channels"),
                                    .gateway = value_path(config, "gateway.tools") };
    self->has_settings = true;
    actor_status(self->actor, "");
    return config_follow_applied(ctx, msg);
}

static void on_config_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct tools *self = state;
    int r = config_follow_life(&self->follow, life);

    (void)address;
    if (r) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

/* --- life cycle ----------------------------------------------------------------------------------------------- */

static int tools_init(void *state, struct actor *actor, const char *arg)
{
    struct tools *self = state;

    (void)arg;
    self->actor = actor;
    pack_init(&self->pack, PACK_MAX);
    actor_status(actor, "waiting for config");
    config_follow_open(&self->follow, actor);
    return actor_watch(actor, "config", on_config_life);
}

static void tools_deinit(void *state, struct actor *actor)
{
    struct tools *self = state;

    (void)actor;
    config_follow_close(&self->follow);
    while (self->lookups) {
        lookup_free(self->lookups);
    }
    while (self->invocations) {
        invocation_free(self->invocations);
    }
    text_buf_deinit(&self->bytes);
    pack_deinit(&self->pack);
}

/* Whoever asked has gone. */
static void tools_on_cancel(void *state, struct actor *actor, void *cookie)
{
    struct invocation *invocation = cookie;

    (void)state;
    if (!invocation) {
        return; /* a look-up, which is over in a moment */
    }
    invocation->is_abandoned = true;
    if (invocation->call) {
        actor_call_cancel(actor, invocation->call); /* its answer frees it */
    }
}

static const struct actor_route tools_routes[] = {
    { MSG_TOOLS_CATALOG, on_tools_catalog, 0 }, { MSG_TOOLS_EFFECTIVE, on_tools_effective, 0 },
    { MSG_TOOLS_INVOKE, on_tools_invoke, 0 },   { MSG_TOOLS_CALL, on_tools_call, 0 },
    { MSG_CONFIG_UPDATE, on_config_update, 0 },
};
_Static_assert(ARRAY_LEN(tools_routes) == TOOLS_ACCEPTS_N, "tools: routes, schema differ");

const struct actor_def tools_actor = {
    .name = "tools",
    .state_size = sizeof(struct tools),
    .routes = tools_routes,
    .routes_n = ARRAY_LEN(tools_routes),
    .init = tools_init,
    .deinit = tools_deinit,
    .on_cancel = tools_on_cancel,
};
