#include "actors/tools/policy.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "schema/base/agent_id.h"

#define NOTHING ((struct span){ NULL, 0 })
#define KEY_PARTS_MAX 5

/* Tools that programs get only when gateway.tools.allow names them. */
static const char *const gateway_denies[] = { "exec",    "spawn",       "shell",          "fs_write",      "fs_delete",
                                              "fs_move", "apply_patch", "sessions_spawn", "sessions_send", "cron",
                                              "gateway", "nodes",       "whatsapp_login" };
/* Tools that a sub-agent gets only when tools.subagents.tools names them. */
static const char *const subagent_denies[] = { "gateway",       "agents_list",      "session_status",
                                               "cron",          "sessions_send",    "subagents",
                                               "sessions_list", "sessions_history", "sessions_spawn" };

/* --- lists --------------------------------------------------------------------------------------- */

/* "*" stands for any run of characters. */
static bool glob_fits(struct span glob, struct span name)
{
    const char *star = memchr(glob.ptr, '*', glob.len);
    size_t head = star ? (size_t)(star - glob.ptr) : glob.len;
    struct span rest;

    if (!star) {
        return span_is(glob, name);
    }
    if (name.len < head || memcmp(glob.ptr, name.ptr, head) != 0) {
        return false;
    }
    rest = (struct span){ star + 1, glob.len - head - 1 };
    for (size_t at = head; at <= name.len; at++) {
        if (glob_fits(rest, (struct span){ name.ptr + at, name.len - at })) {
            return true;
        }
    }
    return false;
}

static bool entry_fits(struct span written, struct span name)
{
    char buf[CATALOG_NAME_MAX];
    struct span entry = catalog_name(written, buf);

    return entry.len && (catalog_group_has(entry, name) || glob_fits(entry, name));
}

static bool list_has(struct span list, struct span name)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    while (value_kind_of(list) == VALUE_ARRAY && value_next(&it, &key, &item)) {
        if (entry_fits(value_str(item, NOTHING), name)) {
            return true;
        }
    }
    return false;
}

static bool is_some(struct span list)
{
    return value_kind_of(list) == VALUE_ARRAY && value_count(list) > 0;
}

/* One place with `allow`, `alsoAllow` and `deny`. Without `allow`, or with an empty one, all but the denied. */
static bool section_allows(struct span section, struct span name)
{
    struct span allow = value_get(section, "allow");

    if (list_has(value_get(section, "deny"), name)) {
        return false;
    }
    return !is_some(allow) || list_has(allow, name) || list_has(value_get(section, "alsoAllow"), name);
}

static bool names_have(const char *const *names, size_t n, struct span name)
{
    for (size_t i = 0; i < n; i++) {
        if (span_is_text(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* --- profiles ------------------------------------------------------------------------------------- */

static unsigned profile_bit(struct span profile)
{
    return span_is_text(profile, "minimal")     ? CATALOG_MINIMAL
           : span_is_text(profile, "coding")    ? CATALOG_CODING
           : span_is_text(profile, "messaging") ? CATALOG_MESSAGING
                                                : 0;
}

/* `own` is the section of the agent, `all` that of everybody; the first that says it counts. */
static struct span first_of(struct span own, struct span all, const char *key)
{
    struct span value = value_get(own, key);

    return value.len ? value : value_get(all, key);
}

static bool profile_allows(struct span own, struct span all, const struct tool *tool)
{
    unsigned bit = profile_bit(value_str(first_of(own, all, "profile"), NOTHING));
    struct span also = value_get(own, "alsoAllow");

    also = value_kind_of(also) == VALUE_ARRAY ? also : value_get(all, "alsoAllow");
    return !bit || (tool->profiles & bit) || list_has(also, span_from(tool->name));
}

/* --- by provider ------------------------------------------------------------------------------------ */

static bool is_key(struct span written, struct span provider, struct span model)
{
    struct span key = span_trim(written);
    size_t whole = provider.len + 1 + model.len;

    if (!model.len) {
        return key.len == provider.len && strncasecmp(key.ptr, provider.ptr, key.len) == 0;
    }
    return key.len == whole && key.ptr[provider.len] == '/' && strncasecmp(key.ptr, provider.ptr, provider.len) == 0 &&
           strncasecmp(key.ptr + provider.len + 1, model.ptr, model.len) == 0;
}

/* What a section says for provider/model, else for the provider. */
static struct span provider_section(struct span section, const struct policy_subject *subject)
{
    struct span models[] = { subject->model, NOTHING };

    for (size_t i = subject->model.len ? 0 : 1; subject->provider.len && i < ARRAY_LEN(models); i++) {
        struct value_iter it = value_iter(value_get(section, "byProvider"));
        struct span key;
        struct span item;

        while (it.is_map && value_next(&it, &key, &item)) {
            if (is_key(key, subject->provider, models[i])) {
                return item;
            }
        }
    }
    return NOTHING;
}

/* --- groups ------------------------------------------------------------------------------------------ */

struct place {
    struct span channel;
    struct span group;
};

/* "agent:<id>:<channel>:group:<group>", with more behind it ("…:topic:7"), and the same for channels. */
static bool place_read(struct span key, struct place *ret_place)
{
    struct span parts[KEY_PARTS_MAX];
    size_t n = 0;

    while (n < KEY_PARTS_MAX) {
        const char *colon = n + 1 < KEY_PARTS_MAX ? memchr(key.ptr, ':', key.len) : NULL;

        parts[n++] = (struct span){ key.ptr, colon ? (size_t)(colon - key.ptr) : key.len };
        if (!colon) {
            break;
        }
        key.len -= parts[n - 1].len + 1;
        key.ptr = colon + 1;
    }
    if (n < KEY_PARTS_MAX || !span_is_text(parts[0], "agent") ||
        (!span_is_text(parts[3], "group") && !span_is_text(parts[3], "channel")) || !parts[4].len) {
        return false;
    }
    *ret_place = (struct place){ parts[2], parts[4] };
    return true;
}

static struct span groups_section(struct span channel, struct span group)
{
    struct span groups = value_get(channel, "groups");
    struct span own = group;
    struct span found = value_get(value_find(groups, own), "tools");

    while (!found.len) { /* a topic of a group has what its group has */
        const char *colon = memrchr(own.ptr, ':', own.len);

        if (!colon) {
            break;
        }
        own.len = (size_t)(colon - own.ptr);
        found = value_get(value_find(groups, own), "tools");
    }
    return found.len ? found : value_get(value_get(groups, "*"), "tools");
}

static struct span group_section(const struct policy *self, const struct policy_subject *subject)
{
    struct place place;
    struct span channel;
    struct span found;

    if (!place_read(subject->session_key, &place)) {
        return NOTHING;
    }
    channel = value_find(self->channels, place.channel.len ? place.channel : subject->channel);
    found = groups_section(value_find(value_get(channel, "accounts"), subject->account_id), place.group);
    return found.len ? found : groups_section(channel, place.group);
}

/* --- sub-agents --------------------------------------------------------------------------------------- */

static bool is_subagent(struct span key)
{
    const char *rest = key.len > 6 ? memchr(key.ptr + 6, ':', key.len - 6) : NULL;

    return span_starts(key, "agent:") && rest &&
           span_starts((struct span){ rest + 1, (size_t)(key.ptr + key.len - rest) - 1 }, "subagent:");
}

static bool subagent_allows(struct span section, struct span name)
{
    bool is_named = list_has(value_get(section, "allow"), name) || list_has(value_get(section, "alsoAllow"), name);

    if (!is_named && names_have(subagent_denies, ARRAY_LEN(subagent_denies), name)) {
        return false;
    }
    return section_allows(section, name);
}

/* --- the whole ------------------------------------------------------------------------------------------ */

struct span policy_agent(const struct policy *self, struct span agent_id)
{
    struct value_iter it = value_iter(value_get(self->agents, "list"));
    struct span key;
    struct span entry;

    while (value_next(&it, &key, &entry)) {
        char id[AGENT_ID_MAX + 1];

        if (agent_id_normalize(value_str(value_get(entry, "id"), NOTHING), id) && span_is_text(agent_id, id)) {
            return entry;
        }
    }
    return NOTHING;
}

bool policy_allows(const struct policy *self, const struct policy_subject *subject, const struct tool *tool)
{
    struct span name = span_from(tool->name);
    struct span own = value_get(policy_agent(self, subject->agent_id), "tools");
    struct span by_all = provider_section(self->tools, subject);
    struct span by_own = provider_section(own, subject);

    return profile_allows(own, self->tools, tool) && profile_allows(by_own, by_all, tool) &&
           section_allows(self->tools, name) && section_allows(by_all, name) && section_allows(own, name) &&
           section_allows(by_own, name) && section_allows(group_section(self, subject), name) &&
           (!is_subagent(subject->session_key) || subagent_allows(value_path(self->tools, "subagents.tools"), name));
}

bool policy_gateway_allows(const struct policy *self, const struct tool *tool)
{
    struct span name = span_from(tool->name);

    if (list_has(value_get(self->gateway, "deny"), name)) {
        return false;
    }
    return !names_have(gateway_denies, ARRAY_LEN(gateway_denies), name) ||
           list_has(value_get(self->gateway, "allow"), name);
}

struct span policy_profile(const struct policy *self, const struct policy_subject *subject)
{
    struct span own = value_get(policy_agent(self, subject->agent_id), "tools");
    struct span profile =
        value_str(first_of(provider_section(own, subject), provider_section(self->tools, subject), "profile"), NOTHING);

    profile = profile.len ? profile : value_str(first_of(own, self->tools, "profile"), NOTHING);
    return profile.len ? profile : SPAN_LIT("full");
}

static bool talks(struct span list, struct span id)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    if (!is_some(list)) {
        return true;
    }
    while (value_next(&it, &key, &item)) {
        struct span pattern = span_trim(value_str(item, NOTHING));

        if (pattern.len && glob_fits(pattern, id)) {
            return true;
        }
    }
    return false;
}

bool policy_agents_talk(const struct policy *self, struct span from, struct span to)
{
    struct span rules = value_get(self->tools, "agentToAgent");
    struct span allow = value_get(rules, "allow");

    return span_is(from, to) ||
           (value_bool(value_get(rules, "enabled"), false) && talks(allow, from) && talks(allow, to));
}
