#include "actors/hooks/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "bus/pack.h"
#include "bus/value.h"

#define NOTHING ((struct span){ NULL, 0 })

static struct span list_of(struct span map, const char *key)
{
    struct span list = value_get(map, key);

    return value_kind_of(list) == VALUE_ARRAY ? list : NOTHING;
}

/* --- reading ------------------------------------------------------------------------------------ */

/* The first entry marked default, else the first; without any, "main". */
static void agents_read(struct settings *self, struct span list)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span entry;
    bool has_default = false;

    (void)snprintf(self->fallback, sizeof(self->fallback), "main");
    while (self->agents_n < SETTINGS_AGENTS_MAX && value_next(&it, &key, &entry)) {
        char *id = self->agents[self->agents_n];

        if (!agent_id_normalize(value_str(value_get(entry, "id"), NOTHING), id)) {
            continue;
        }
        if ((!self->agents_n && !has_default) || (value_bool(value_get(entry, "default"), false) && !has_default)) {
            has_default = value_bool(value_get(entry, "default"), false);
            memcpy(self->fallback, id, sizeof(self->fallback));
        }
        self->agents_n++;
    }
    if (!self->agents_n) {
        (void)snprintf(self->agents[self->agents_n++], sizeof(self->agents[0]), "main");
    }
}

static void transforms_count(struct settings *self)
{
    struct value_iter it = value_iter(self->mappings);
    struct span key;
    struct span mapping;

    while (value_next(&it, &key, &mapping)) {
        self->transforms_n += value_kind_of(value_get(mapping, "transform")) == VALUE_MAP;
    }
}

/* "*" among them, or no list at all, is everybody; an empty list is nobody. */
static struct span allowed_of(struct span hooks)
{
    struct span list = list_of(hooks, "allowedAgentIds");
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (span_is_text(span_trim(value_str(item, NOTHING)), "*")) {
            return NOTHING;
        }
    }
    return list;
}

int settings_read(struct settings *self, struct span hooks, struct span agents)
{
    struct settings fresh = { .agents_n = 0 };
    struct hooks_entry entry;

    if (hooks.len && text_buf_add(&fresh.bytes, hooks)) {
        return -ENOMEM;
    }
    hooks = (struct span){ fresh.bytes.data, fresh.bytes.len };
    fresh.mappings = list_of(hooks, "mappings");
    fresh.presets = list_of(hooks, "presets");
    fresh.gmail = value_get(hooks, "gmail");
    fresh.allowed = allowed_of(hooks);
    fresh.prefixes = hooks_key_prefixes(hooks);
    fresh.fixed_key = span_trim(value_str(value_get(hooks, "defaultSessionKey"), NOTHING));
    fresh.is_key_taken = value_bool(value_get(hooks, "allowRequestSessionKey"), false);
    transforms_count(&fresh);
    hooks_entry_read(hooks, &entry);
    memcpy(fresh.path, entry.path, sizeof(fresh.path));
    agents_read(&fresh, list_of(agents, "list"));
    settings_deinit(self);
    *self = fresh;
    return 0;
}

void settings_deinit(struct settings *self)
{
    text_buf_deinit(&self->bytes);
    *self = (struct settings){ .agents_n = 0 };
}

/* --- agents ------------------------------------------------------------------------------------- */

static bool is_known(const struct settings *self, const char *id)
{
    for (size_t i = 0; i < self->agents_n; i++) {
        if (strcmp(self->agents[i], id) == 0) {
            return true;
        }
    }
    return false;
}

struct span settings_agent(const struct settings *self, struct span asked, char buf[AGENT_ID_MAX + 1])
{
    asked = span_trim(asked);
    if (!asked.len) {
        return NOTHING;
    }
    if (!agent_id_normalize(asked, buf) || !is_known(self, buf)) {
        return span_from(self->fallback);
    }
    return span_from(buf);
}

bool settings_agent_allows(const struct settings *self, struct span asked)
{
    struct value_iter it = value_iter(self->allowed);
    char buf[AGENT_ID_MAX + 1];
    struct span meant = settings_agent(self, asked, buf);
    struct span key;
    struct span item;

    if (!meant.len || !self->allowed.len) {
        return true;
    }
    while (value_next(&it, &key, &item)) {
        char id[AGENT_ID_MAX + 1];

        if (agent_id_normalize(span_trim(value_str(item, NOTHING)), id) && span_is_text(meant, id)) {
            return true;
        }
    }
    return false;
}

/* --- session keys --------------------------------------------------------------------------------- */

struct span settings_key_agent(struct span key)
{
    const char *end;

    if (key.len < 8 || strncasecmp(key.ptr, "agent:", 6) != 0) {
        return NOTHING;
    }
    end = memchr(key.ptr + 6, ':', key.len - 6);
    return end && end > key.ptr + 6 && end + 1 < key.ptr + key.len
               ? (struct span){ key.ptr + 6, (size_t)(end - key.ptr) - 6 }
               : NOTHING;
}

static bool refuse(struct text_buf *why, struct span text)
{
    why->len = 0;
    (void)text_buf_add(why, text); /* without memory it is refused without a reason */
    return false;
}

static bool refuse_prefix(const struct settings *self, struct text_buf *why)
{
    struct value_iter it = value_iter(self->prefixes);
    struct span key;
    struct span item;
    bool is_first = true;

    (void)refuse(why, SPAN_LIT("sessionKey must start with one of: "));
    while (why->len < 512 && value_next(&it, &key, &item)) {
        (void)text_buf_add(why, is_first ? SPAN_LIT("") : SPAN_LIT(", ")); /* the same */
        (void)text_buf_add(why, span_trim(value_str(item, NOTHING)));      /* the same */
        is_first = false;
    }
    return false;
}

static bool is_clean(struct span key)
{
    for (size_t i = 0; i < key.len; i++) {
        if ((unsigned char)key.ptr[i] < ' ' || key.ptr[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

bool settings_session_key(const struct settings *self, const struct settings_key *key, struct span agent,
                          char ret_key[SETTINGS_KEY_MAX], struct text_buf *why)
{
    struct span asked = span_trim(key->asked);
    struct span named;
    int len;

    if (asked.len && key->source == SETTINGS_KEY_OF_SENDER && !self->is_key_taken) {
        return refuse(why, SPAN_LIT("sessionKey is not taken from what comes with a hook; hooks.allowRequestSessionKey "
                                    "would allow it"));
    }
    if (!asked.len) {
        asked = self->fixed_key.len ? self->fixed_key : span_from(key->fresh);
    }
    if (!hooks_key_fits(self->prefixes, asked)) {
        return refuse_prefix(self, why);
    }
    named = settings_key_agent(asked);
    if (agent.len && named.len) {
        struct span rest = { named.ptr + named.len, (size_t)(asked.ptr + asked.len - named.ptr) - named.len };

        len = snprintf(ret_key, SETTINGS_KEY_MAX, "agent:%.*s%.*s", SPAN_FMT(agent), SPAN_FMT(rest));
    } else {
        len = snprintf(ret_key, SETTINGS_KEY_MAX, "%.*s", SPAN_FMT(asked));
    }
    if (len >= SETTINGS_KEY_MAX || !is_clean(asked)) {
        return refuse(why, SPAN_LIT("sessionKey must have at most 512 bytes and no control characters"));
    }
    return hooks_key_fits(self->prefixes, span_from(ret_key)) || refuse_prefix(self, why);
}
