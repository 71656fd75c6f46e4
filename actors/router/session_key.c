/*
 * session_key: see session_key.h.
 */
#include "actors/router/session_key.h"

#include <stdio.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c < 0x20 || c == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool is_lowered(struct span text, struct span lowered)
{
    if (text.len != lowered.len) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (lower(text.ptr[i]) != lowered.ptr[i]) {
            return false;
        }
    }
    return true;
}

int session_key_agent(struct span id, char ret_id[SESSION_KEY_AGENT_MAX + 1])
{
    return agent_id_normalize(id, ret_id) ? 0 : SESSION_KEY_E_AGENT;
}

int session_key_agent_exact(struct span id, char ret_id[SESSION_KEY_AGENT_MAX + 1])
{
    id = span_trim(id);
    if (!id.len || id.len > SESSION_KEY_AGENT_MAX) {
        return SESSION_KEY_E_AGENT;
    }
    for (size_t i = 0; i < id.len; i++) {
        if (!is_id_char(lower(id.ptr[i]))) {
            return SESSION_KEY_E_AGENT;
        }
        ret_id[i] = lower(id.ptr[i]);
    }
    ret_id[id.len] = '\0';
    return 0;
}

/* Joins "agent:<id>:" and what follows, lowered. */
static int compose(const char *agent, const char *kind, struct span rest, struct session_key *ret_key)
{
    struct session_key key = { .len = 0 };
    int head = snprintf(key.text, sizeof(key.text), "agent:%s:%s%s", agent, kind, *kind ? ":" : "");

    if (head < 0 || (size_t)head + rest.len > SESSION_KEY_MAX) {
        return SESSION_KEY_E_LONG;
    }
    key.len = (size_t)head;
    for (size_t i = 0; i < rest.len; i++) {
        key.text[key.len++] = lower(rest.ptr[i]);
    }
    key.text[key.len] = '\0';
    snprintf(key.agent, sizeof(key.agent), "%s", agent);
    *ret_key = key;
    return 0;
}

static int alone(const struct session_key_rules *rules, const char *word, struct span agent,
                 struct session_key *ret_key)
{
    struct session_key key = { .len = strlen(word) };

    memcpy(key.text, word, key.len + 1);
    if (session_key_agent_exact(agent.len ? agent : rules->default_agent, key.agent)) {
        return SESSION_KEY_E_AGENT;
    }
    *ret_key = key;
    return 0;
}

static bool is_main(const struct session_key_rules *rules, struct span rest)
{
    return is_lowered(rest, SPAN_LIT("main")) || is_lowered(rest, rules->main_key);
}

int session_key_main(const struct session_key_rules *rules, struct span agent, struct session_key *ret_key)
{
    char id[SESSION_KEY_AGENT_MAX + 1];

    if (rules->is_global) {
        return alone(rules, "global", agent, ret_key);
    }
    if (session_key_agent_exact(agent.len ? agent : rules->default_agent, id)) {
        return SESSION_KEY_E_AGENT;
    }
    return compose(id, "", rules->main_key, ret_key);
}

int session_key_make(struct span agent, const char *kind, struct span tail, struct session_key *ret_key)
{
    char id[SESSION_KEY_AGENT_MAX + 1];

    tail = span_trim(tail);
    if (has_control(tail)) {
        return SESSION_KEY_E_CHARS;
    }
    if (!tail.len) {
        return SESSION_KEY_E_EMPTY;
    }
    if (session_key_agent_exact(agent, id)) {
        return SESSION_KEY_E_AGENT;
    }
    return compose(id, kind, tail, ret_key);
}

/* `key` begins with "agent:"; `named` is the normalised id beside it, or "". */
static int resolve_full(const struct session_key_rules *rules, struct span key, const char *named,
                        struct session_key *ret_key)
{
    struct span rest = { key.ptr + 6, key.len - 6 };
    const char *colon = memchr(rest.ptr, ':', rest.len);
    char id[SESSION_KEY_AGENT_MAX + 1];

    if (!colon || colon == rest.ptr) {
        return SESSION_KEY_E_MALFORMED;
    }

    struct span owner = { rest.ptr, (size_t)(colon - rest.ptr) };

    rest = span_trim((struct span){ colon + 1, rest.len - owner.len - 1 });
    if (!rest.len || rest.ptr[0] == ':' || session_key_agent_exact(owner, id)) {
        return SESSION_KEY_E_MALFORMED;
    }
    if (*named && strcmp(named, id) != 0) {
        return SESSION_KEY_E_MISMATCH;
    }
    if (is_main(rules, rest)) {
        return session_key_main(rules, span_from(id), ret_key);
    }
    return compose(id, "", rest, ret_key);
}

int session_key_resolve(const struct session_key_rules *rules, struct span key, struct span agent,
                        struct session_key *ret_key)
{
    char named[SESSION_KEY_AGENT_MAX + 1] = "";

    key = span_trim(key);
    agent = span_trim(agent);
    if (agent.len && session_key_agent_exact(agent, named)) {
        return SESSION_KEY_E_AGENT;
    }
    if (has_control(key)) {
        return SESSION_KEY_E_CHARS;
    }
    if (!key.len) {
        return *named ? session_key_main(rules, span_from(named), ret_key) : SESSION_KEY_E_EMPTY;
    }
    if (is_lowered(key, SPAN_LIT("global"))) {
        return alone(rules, "global", span_from(named), ret_key);
    }
    if (is_lowered(key, SPAN_LIT("unknown"))) {
        return alone(rules, "unknown", span_from(named), ret_key);
    }
    if (key.len >= 6 && is_lowered((struct span){ key.ptr, 6 }, SPAN_LIT("agent:"))) {
        return resolve_full(rules, key, named, ret_key);
    }
    if (is_main(rules, key)) {
        return session_key_main(rules, span_from(named), ret_key);
    }

    char id[SESSION_KEY_AGENT_MAX + 1];

    if (session_key_agent_exact(*named ? span_from(named) : rules->default_agent, id)) {
        return SESSION_KEY_E_AGENT;
    }
    return compose(id, "", key, ret_key);
}

const char *session_key_why(int outcome)
{
    switch (outcome) {
    case SESSION_KEY_E_EMPTY:
        return "is empty";
    case SESSION_KEY_E_MALFORMED:
        return "is not of the form agent:<id>:<name>";
    case SESSION_KEY_E_CHARS:
        return "holds control characters";
    case SESSION_KEY_E_LONG:
        return "is longer than 512 bytes in full";
    case SESSION_KEY_E_AGENT:
        return "names an agent with characters that no id has";
    case SESSION_KEY_E_MISMATCH:
        return "belongs to another agent than the one named";
    default:
        return "is not usable";
    }
}
