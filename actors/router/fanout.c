/*
 * fanout: methods that concern several agents. One agent that is down does not fail
 * them; what it would have said is named as missing.
 */
#include "actors/router/internal.h"
#include "actors/router/session_list.h"
#include "bus/base/clock.h"
#include "bus/codec.h"
#include "bus/value.h"
#include "schema_gen.h"

/* --- sessions.list ------------------------------------------------------------------- */

static void absent_pack(const struct gather *gather, struct pack *out)
{
    bool is_open = false;

    for (size_t i = 0; i < gather->parts_n; i++) {
        const struct gather_part *part = &gather->parts[i];

        if (part->has_answer) {
            continue;
        }
        if (!is_open) {
            is_open = true;
            pack_key(out, "unavailable");
            pack_array_begin(out);
        }
        pack_map_begin(out);
        pack_kv_text(out, "agentId", part->agent);
        pack_kv_text(out, "error", part->why);
        pack_map_end(out);
    }
    if (is_open) {
        pack_array_end(out);
    }
}

static void token_answer(struct actor *actor, const struct gather *gather, const struct pack *pack)
{
    int r = pack_error(pack);

    if (r) {
        (void)actor_token_fail_text(actor, gather->token, FAIL_UNAVAILABLE, "the answer is too large; ask for less");
        return;
    }
    r = actor_token_reply_span(actor, gather->token, pack_span(pack));
    if (r) {
        actor_fault(actor, r);
    }
}

static void all_absent(struct actor *actor, const struct gather *gather)
{
    const struct gather_part *first = &gather->parts[0];

    (void)actor_token_fail_text(actor, gather->token, FAIL_UNAVAILABLE, "agent \"%s\" did not answer: %s", first->agent,
                                first->why);
}

/* The store of one agent, or a word for several. */
static void head_pack(const struct router *self, const struct gather *gather, struct pack *out)
{
    const char *main_agent = roster_default(&self->roster)->id;
    struct span defaults = { 0 };
    struct span path = { 0 };

    for (size_t i = 0; i < gather->parts_n; i++) {
        const struct gather_part *part = &gather->parts[i];

        if (part->has_answer && (!defaults.len || strcmp(part->agent, main_agent) == 0)) {
            defaults = value_get(body_span(&part->body), "defaults");
            path = value_str(value_get(body_span(&part->body), "path"), (struct span){ 0 });
        }
    }
    pack_kv_i64(out, "ts", clock_wall_ms());
    pack_kv_str(out, "path", gather->parts_n > 1 ? SPAN_LIT("(multiple)") : path);
    pack_key(out, "defaults");
    pack_raw(out, defaults);
}

static int list_collect(const struct gather *gather, struct session_list *list)
{
    for (size_t i = 0; i < gather->parts_n; i++) {
        const struct gather_part *part = &gather->parts[i];
        struct span body;
        int r;

        if (!part->has_answer) {
            continue;
        }
        body = body_span(&part->body);
        r = session_list_add(list, value_get(body, "rows"), (uint32_t)value_i64(value_get(body, "total"), 0));
        if (r) {
            return r;
        }
    }
    session_list_sort(list);
    return 0;
}

static uint32_t limit_of(const struct msg_sessions_list *in)
{
    if (!in->has_limit) {
        return SESSION_LIST_LIMIT_DEFAULT;
    }
    return in->limit > SESSION_LIST_LIMIT_MAX ? SESSION_LIST_LIMIT_MAX : (uint32_t)in->limit;
}

static void list_done(void *arg, struct actor *actor, struct gather *gather)
{
    struct msg_sessions_list in;
    struct codec_error error;
    struct session_list list;
    struct pack pack;
    bool has_any = false;

    for (size_t i = 0; i < gather->parts_n; i++) {
        has_any = has_any || gather->parts[i].has_answer;
    }
    if (!has_any) {
        all_absent(actor, gather);
        return;
    }
    if (codec_decode(MSG_SESSIONS_LIST->type, body_span(&gather->request), &in, &error)) {
        actor_fault(actor, FAULT(-EPROTO)); /* it was decoded once already */
        return;
    }
    session_list_init(&list, &(struct session_list_filter){
                                 .limit = limit_of(&in),
                                 .with_global = in.include_global,
                                 .with_unknown = in.include_unknown,
                                 .spawned_by = in.spawned_by,
                             });
    pack_init(&pack, 0);
    if (list_collect(gather, &list)) {
        (void)actor_token_fail_text(actor, gather->token, FAIL_UNAVAILABLE, "out of memory for the list");
    } else {
        pack_map_begin(&pack);
        head_pack(arg, gather, &pack);
        session_list_pack(&list, &pack);
        absent_pack(gather, &pack);
        pack_map_end(&pack);
        token_answer(actor, gather, &pack);
    }
    pack_deinit(&pack);
    session_list_deinit(&list);
}

static struct msg_agent_sessions question_of(const struct msg_sessions_list *in)
{
    return (struct msg_agent_sessions){
        .has_limit = true,
        .limit = limit_of(in),
        .has_active_minutes = in->has_active_minutes,
        .active_minutes = in->active_minutes > 100000000 ? 100000000 : in->active_minutes,
        .has_search = in->has_search,
        .search = in->search,
        .has_label = in->has_label,
        .label = in->label,
        .has_include_last_message = in->has_include_last_message,
        .include_last_message = in->include_last_message,
        .has_include_derived_titles = in->has_include_derived_titles,
        .include_derived_titles = in->include_derived_titles,
    };
}

int router_on_sessions_list(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct router *self = arg;
    const struct msg_sessions_list *in = msg;
    struct msg_agent_sessions question = question_of(in);
    struct session_key key = { .len = 0 };
    struct gather *gather;
    size_t count = in->has_agent_id ? 1 : self->roster.agents_n;
    int r;

    if (!self->is_loaded) {
        return router_not_loaded(ctx);
    }
    if (in->has_agent_id) {
        r = router_resolve(self, ctx, (struct span){ 0 }, in->agent_id, &key);
        if (r) {
            return r;
        }
    }
    if (in->search.len > 512) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "search is longer than 512 bytes");
    }
    r = gather_new(ctx, &self->gathers, count, list_done, &gather);
    for (size_t i = 0; !r && i < count; i++) {
        r = gather_ask(gather, actor_ctx_actor(ctx), i, in->has_agent_id ? key.agent : self->roster.agents[i].id,
                       MSG_AGENT_SESSIONS, &question, (struct span){ 0 }, ctx);
    }
    return r;
}

/* --- sessions.preview ------------------------------------------------------------------ */

/* The preview of `key` in the answer of its agent. */
static struct span preview_in(struct span answer, const struct session_key *key)
{
    struct value_iter it = value_iter(value_get(answer, "previews"));
    struct span name;
    struct span item;

    while (value_next(&it, &name, &item)) {
        if (span_is(value_str(value_get(item, "key"), (struct span){ 0 }), (struct span){ key->text, key->len })) {
            return item;
        }
    }
    return (struct span){ 0 };
}

static struct span preview_find(const struct gather *gather, const struct session_key *key)
{
    for (size_t i = 0; i < gather->parts_n; i++) {
        const struct gather_part *part = &gather->parts[i];

        if (part->has_answer && strcmp(part->agent, key->agent) == 0) {
            return preview_in(body_span(&part->body), key);
        }
    }
    return (struct span){ 0 };
}

static bool is_answered(const struct gather *gather, const char *agent)
{
    for (size_t i = 0; i < gather->parts_n; i++) {
        if (strcmp(gather->parts[i].agent, agent) == 0) {
            return gather->parts[i].has_answer;
        }
    }
    return true; /* nobody to ask: the session cannot exist */
}

/* Under the name the client used for it. */
static void preview_pack(const struct gather *gather, struct span asked, const struct session_key *key,
                         struct pack *out)
{
    struct span found = key->len ? preview_find(gather, key) : (struct span){ 0 };
    struct value_iter it = value_iter(found);
    struct span name;
    struct span item;

    pack_map_begin(out);
    pack_kv_str(out, "key", asked);
    while (value_next(&it, &name, &item)) {
        if (!span_is_text(name, "key")) {
            pack_key_span(out, name);
            pack_raw(out, item);
        }
    }
    if (!found.len) {
        pack_kv_text(out, "status", !key->len || is_answered(gather, key->agent) ? "missing" : "error");
        pack_key(out, "items");
        pack_array_begin(out);
        pack_array_end(out);
    }
    pack_map_end(out);
}

/* A key that means nothing, or an agent that is not configured, leaves `ret_key` empty. */
static void key_resolve(const struct router *self, struct span asked, struct session_key *ret_key)
{
    struct session_key_rules rules = roster_rules(&self->roster);

    *ret_key = (struct session_key){ .len = 0 };
    if (session_key_resolve(&rules, asked, (struct span){ 0 }, ret_key) ||
        !roster_find(&self->roster, ret_key->agent)) {
        *ret_key = (struct session_key){ .len = 0 };
    }
}

static void preview_done(void *arg, struct actor *actor, struct gather *gather)
{
    struct span keys = value_get(body_span(&gather->request), "keys");
    struct value_iter it = value_iter(keys);
    struct span name;
    struct span item;
    struct pack pack;

    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_i64(&pack, "ts", clock_wall_ms());
    pack_key(&pack, "previews");
    pack_array_begin(&pack);
    while (value_next(&it, &name, &item)) {
        struct span asked = value_str(item, (struct span){ 0 });
        struct session_key key;

        key_resolve(arg, asked, &key);
        preview_pack(gather, asked, &key, &pack);
    }
    pack_array_end(&pack);
    absent_pack(gather, &pack);
    pack_map_end(&pack);
    token_answer(actor, gather, &pack);
    pack_deinit(&pack);
}

/* Packs the keys that belong to `agent`; false when there are none. */
static bool keys_of(const struct router *self, struct span keys, const char *agent, struct pack *out)
{
    struct value_iter it = value_iter(keys);
    struct span name;
    struct span item;
    bool has_any = false;

    pack_array_begin(out);
    while (value_next(&it, &name, &item)) {
        struct session_key key;

        key_resolve(self, value_str(item, (struct span){ 0 }), &key);
        if (key.len && strcmp(key.agent, agent) == 0) {
            has_any = true;
            pack_str(out, (struct span){ key.text, key.len });
        }
    }
    pack_array_end(out);
    return has_any;
}

static int preview_ask(struct router *self, struct actor_ctx *ctx, struct gather *gather, size_t at,
                       const struct msg_sessions_preview *in)
{
    struct msg_sessions_preview part = *in;
    struct pack keys;
    int r = 0;

    pack_init(&keys, 0);
    if (keys_of(self, in->keys, self->roster.agents[at].id, &keys)) {
        r = pack_error(&keys);
        part.keys = pack_span(&keys);
        r = r ? r
              : gather_ask(gather, actor_ctx_actor(ctx), gather->parts_n++, self->roster.agents[at].id,
                           MSG_SESSIONS_PREVIEW, &part, (struct span){ 0 }, ctx);
    }
    pack_deinit(&keys);
    return r;
}

int router_on_sessions_preview(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct router *self = arg;
    struct gather *gather;
    int r;

    if (!self->is_loaded) {
        return router_not_loaded(ctx);
    }
    r = gather_new(ctx, &self->gathers, self->roster.agents_n, preview_done, &gather);
    if (r) {
        return r;
    }
    gather->parts_n = 0; /* room for all; only those with a key are asked */
    for (size_t i = 0; !r && i < self->roster.agents_n; i++) {
        r = preview_ask(self, ctx, gather, i, msg);
    }
    if (!r && !gather->open_n) {
        gather_finish(gather, self, actor_ctx_actor(ctx));
    }
    return r;
}

/* --- agent.wait ---------------------------------------------------------------------------- */

static void on_waited(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct gather *gather = cookie;
    int r;

    (void)arg;
    if (answer->failure) {
        r = actor_token_fail(actor, gather->token, answer->failure);
    } else {
        r = actor_token_reply_span(actor, gather->token, answer->body);
    }
    gather_destroy(gather);
    if (r < 0) {
        actor_fault(actor, r);
    }
}

/* Nobody knows the run: the default agent waits for it to appear, as it does alone. */
static void find_done(void *arg, struct actor *actor, struct gather *gather)
{
    struct router *self = arg;
    const char *agent = roster_default(&self->roster)->id;
    char to[ACTOR_ADDRESS_MAX];
    int r;

    for (size_t i = 0; i < gather->parts_n; i++) {
        const struct gather_part *part = &gather->parts[i];

        if (part->has_answer && value_bool(value_get(body_span(&part->body), "is_known"), false)) {
            agent = part->agent;
        }
    }
    router_address(agent, to);
    r = actor_call(actor,
                   &(struct actor_call){
                       .to = to,
                       .msg = MSG_AGENT_WAIT,
                       .body = body_span(&gather->request),
                       .deadline_ms = gather_left_ms(gather),
                       .trace = gather->trace,
                       .principal = span_from(gather->principal),
                       .on_answer = on_waited,
                       .cookie = gather,
                   },
                   &gather->late_call);
    if (r) {
        actor_fault(actor, r);
        return;
    }
    gather->is_kept = true;
}

int router_on_agent_wait(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct router *self = arg;
    const struct msg_agent_wait *in = msg;
    struct gather *gather;
    const char *agent;
    char to[ACTOR_ADDRESS_MAX];
    int r;

    if (!self->is_loaded) {
        return router_not_loaded(ctx);
    }
    agent = self->roster.agents_n == 1 ? self->roster.agents[0].id : run_index_get(&self->runs, in->run_id);
    if (agent && roster_find(&self->roster, agent)) {
        router_address(agent, to);
        return actor_forward(ctx, to, NULL, NULL);
    }
    r = gather_new(ctx, &self->gathers, self->roster.agents_n, find_done, &gather);
    for (size_t i = 0; !r && i < self->roster.agents_n; i++) {
        r = gather_ask(gather, actor_ctx_actor(ctx), i, self->roster.agents[i].id, MSG_AGENT_RUN_FIND,
                       &(struct msg_agent_run_find){ .run_id = in->run_id }, (struct span){ 0 }, ctx);
    }
    return r;
}
