/*
 * roster: see roster.h.
 */
#include "actors/router/roster.h"

#include <stdlib.h>

#include "bus/base/fault.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/agent_workspace.h"

static struct span text_of(struct span map, const char *key)
{
    return value_str(value_get(map, key), (struct span){ 0 });
}

const struct roster_agent *roster_find(const struct roster *self, const char *id)
{
    for (size_t i = 0; i < self->agents_n; i++) {
        if (strcmp(self->agents[i].id, id) == 0) {
            return &self->agents[i];
        }
    }
    return NULL;
}

const struct roster_agent *roster_default(const struct roster *self)
{
    return &self->agents[self->default_at];
}

/* The first entry marked default, else the first. */
static int agents_read(struct roster *self, struct span list)
{
    uint32_t count = value_count(list);
    struct value_iter it = value_iter(list);
    struct span key;
    struct span entry;
    bool has_default = false;

    if (count > ROSTER_MAX) {
        return ROSTER_E_MANY;
    }
    self->agents = mem_new((count ? count : 1) * sizeof(*self->agents));
    while (value_next(&it, &key, &entry)) {
        struct roster_agent agent = { .entry = entry };

        if (session_key_agent(text_of(entry, "id"), agent.id) || roster_find(self, agent.id)) {
            continue; /* the config actor has said so to the operator already */
        }
        if (value_bool(value_get(entry, "default"), false) && !has_default) {
            has_default = true;
            self->default_at = self->agents_n;
        }
        self->agents[self->agents_n++] = agent;
    }
    if (!self->agents_n) {
        self->agents[self->agents_n++] = (struct roster_agent){ .id = "main" };
    }
    self->agents[self->default_at].is_default = true;
    return 0;
}

static void session_read(struct roster *self, struct span session)
{
    struct span main_key = text_of(session, "mainKey");
    struct session_key probe;

    memcpy(self->main_key, "main", sizeof("main"));
    /* Lowered and checked by the one who makes keys. */
    if (!session_key_make(SPAN_LIT("x"), "", main_key, &probe)) {
        memcpy(self->main_key, probe.text + sizeof("agent:x:") - 1, probe.len - sizeof("agent:x:") + 2);
    }
    self->is_global = span_is_text(text_of(session, "scope"), "global");
}

struct session_key_rules roster_rules(const struct roster *self)
{
    return (struct session_key_rules){
        .default_agent = span_from(roster_default(self)->id),
        .main_key = span_from(self->main_key),
        .is_global = self->is_global,
    };
}

int roster_build(struct span agents, struct span session, struct roster *ret_roster)
{
    struct roster self = { 0 };
    int r;

    self.config = malloc(agents.len + 1);
    if (!self.config) {
        return FAULT(-ENOMEM);
    }
    if (agents.len) {
        memcpy(self.config, agents.ptr, agents.len);
    }

    struct span own = { self.config, agents.len };

    self.defaults = value_get(own, "defaults");
    r = agents_read(&self, value_get(own, "list"));
    if (r) {
        roster_deinit(&self);
        return r;
    }
    session_read(&self, session);
    *ret_roster = self;
    return 0;
}

void roster_deinit(struct roster *self)
{
    free(self->config);
    free(self->agents);
    *self = (struct roster){ 0 };
}

/* A model is written as "provider/model" or as {primary, fallbacks}. */
static struct span model_of(struct span map)
{
    struct span model = value_get(map, "model");

    return value_kind_of(model) == VALUE_STR ? value_str(model, (struct span){ 0 }) : text_of(model, "primary");
}

struct span roster_model(const struct roster *self, const struct roster_agent *agent)
{
    struct span own = model_of(agent->entry);

    return own.len ? own : model_of(self->defaults);
}

struct span roster_name(const struct roster_agent *agent)
{
    return text_of(agent->entry, "name");
}

char *roster_workspace(const struct roster *self, const struct roster_agent *agent)
{
    struct span own = text_of(agent->entry, "workspace");
    struct span shared = text_of(self->defaults, "workspace");

    return own.len || shared.len ? agent_workspace(own, shared, agent->id, agent->is_default) : NULL;
}

char *roster_directory(const struct roster *self, const struct roster_agent *agent)
{
    return agent_workspace(text_of(agent->entry, "workspace"), text_of(self->defaults, "workspace"), agent->id,
                           agent->is_default);
}

struct span roster_avatar(const struct roster_agent *agent)
{
    return text_of(value_get(agent->entry, "identity"), "avatar");
}

static void copy_text(struct pack *out, struct span map, const char *key)
{
    struct span text = text_of(map, key);

    if (text.len) {
        pack_kv_str(out, key, text);
    }
}

static void identity_pack(struct span identity, struct pack *out)
{
    pack_key(out, "identity");
    pack_map_begin(out);
    copy_text(out, identity, "name");
    copy_text(out, identity, "theme");
    copy_text(out, identity, "emoji");
    copy_text(out, identity, "avatar");
    pack_map_end(out);
}

static void model_pack(struct span map, struct span primary, struct pack *out)
{
    struct span fallbacks = value_get(value_get(map, "model"), "fallbacks");

    pack_key(out, "model");
    pack_map_begin(out);
    pack_kv_str(out, "primary", primary);
    if (value_count(fallbacks)) {
        pack_kv_raw(out, "fallbacks", fallbacks);
    }
    pack_map_end(out);
}

static void agent_pack(const struct roster *self, const struct roster_agent *agent, struct pack *out)
{
    struct span identity = value_get(agent->entry, "identity");
    struct span model = roster_model(self, agent);
    CLEANUP(mem_free) char *workspace = roster_workspace(self, agent);

    pack_map_begin(out);
    pack_kv_text(out, "id", agent->id);
    copy_text(out, agent->entry, "name");
    if (value_count(identity)) {
        identity_pack(identity, out);
    }
    if (workspace) {
        pack_kv_text(out, "workspace", workspace);
    }
    pack_key(out, "agentRuntime");
    pack_map_begin(out);
    pack_kv_text(out, "id", "openclaw");
    pack_kv_text(out, "source", "implicit");
    pack_map_end(out);
    if (model.len) {
        model_pack(model_of(agent->entry).len ? agent->entry : self->defaults, model, out);
    }
    pack_map_end(out);
}

void roster_pack(const struct roster *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "defaultId", roster_default(self)->id);
    pack_kv_text(out, "mainKey", self->main_key);
    pack_kv_text(out, "scope", self->is_global ? "global" : "per-sender");
    pack_key(out, "agents");
    pack_array_begin(out);
    for (size_t i = 0; i < self->agents_n; i++) {
        agent_pack(self, &self->agents[i], out);
    }
    pack_array_end(out);
    pack_map_end(out);
}

void roster_pack_identity(const struct roster *self, const struct roster_agent *agent, struct pack *out)
{
    struct span identity = value_get(agent->entry, "identity");
    struct span name = text_of(identity, "name");
    struct span avatar = text_of(identity, "avatar");
    bool is_remote = span_starts(avatar, "https://") || span_starts(avatar, "http://");
    bool is_data = span_starts(avatar, "data:");

    (void)self;
    if (!name.len) {
        name = text_of(agent->entry, "name");
    }
    pack_map_begin(out);
    pack_kv_text(out, "agentId", agent->id);
    pack_kv_str(out, "name", name.len ? name : span_from(agent->id));
    copy_text(out, identity, "emoji");
    if (avatar.len) {
        pack_kv_str(out, "avatar", avatar);
    }
    pack_kv_text(out, "avatarStatus", !avatar.len ? "none" : is_remote ? "remote" : is_data ? "data" : "local");
    pack_map_end(out);
}
