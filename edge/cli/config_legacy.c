#include "edge/cli/config_legacy.h"

#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_path.h"
#include "schema/base/config_file.h"
#include "schema/base/json5_edit.h"

#define PLACE_MAX 256
#define PLACES_MAX 256 /* that one rule fits; more are left to the next run */

enum kind {
    MOVE,   /* the value goes to `to`, unless something is there */
    REMOVE, /* nothing reads it any more */
    WORD,   /* the text `old` becomes `fresh` */
};

/* A "*" is each key of an object, or each element of a list, and the same one in `to`. In order: parts before the
 * rest of an object. */
static const struct rule {
    enum kind kind;
    const char *from;
    const char *to;
    const char *old;
    const char *fresh;
} rules[] = {
    { MOVE, "routing.allowFrom", "channels.whatsapp.allowFrom", NULL, NULL },
    { MOVE, "routing.groupChat.historyLimit", "messages.groupChat.historyLimit", NULL, NULL },
    { MOVE, "routing.groupChat.mentionPatterns", "messages.groupChat.mentionPatterns", NULL, NULL },
    { MOVE, "routing.queue", "messages.queue", NULL, NULL },
    { MOVE, "routing.bindings", "bindings", NULL, NULL },
    { MOVE, "routing.agentToAgent", "tools.agentToAgent", NULL, NULL },
    { MOVE, "channels.telegram.requireMention", "channels.telegram.groups[\"*\"].requireMention", NULL, NULL },
    { MOVE, "agent.tools", "tools", NULL, NULL },
    { MOVE, "agent.elevated", "tools.elevated", NULL, NULL },
    { MOVE, "agent.bash", "tools.exec", NULL, NULL },
    { MOVE, "agent.exec", "tools.exec", NULL, NULL },
    { MOVE, "agent.sandbox.tools", "tools.sandbox.tools", NULL, NULL },
    { MOVE, "agent.subagents.tools", "tools.subagents.tools", NULL, NULL },
    { MOVE, "agent.model", "agents.defaults.model.primary", NULL, NULL },
    { MOVE, "agent.modelFallbacks", "agents.defaults.model.fallbacks", NULL, NULL },
    { MOVE, "agent.imageModel", "agents.defaults.imageModel.primary", NULL, NULL },
    { MOVE, "agent.imageModelFallbacks", "agents.defaults.imageModel.fallbacks", NULL, NULL },
    { MOVE, "agent.*", "agents.defaults.*", NULL, NULL },
    { MOVE, "messages.tts.openai", "messages.tts.providers.openai", NULL, NULL },
    { MOVE, "messages.tts.elevenlabs", "messages.tts.providers.elevenlabs", NULL, NULL },
    { MOVE, "messages.tts.microsoft", "messages.tts.providers.microsoft", NULL, NULL },
    { MOVE, "messages.tts.edge", "messages.tts.providers.microsoft", NULL, NULL },
    { WORD, "messages.tts.provider", NULL, "edge", "microsoft" },
    { MOVE, "bindings.*.match.accountID", "bindings.*.match.accountId", NULL, NULL },
    { MOVE, "browser.ssrfPolicy.allowPrivateNetwork", "browser.ssrfPolicy.dangerouslyAllowPrivateNetwork", NULL, NULL },
    { WORD, "browser.profiles.*.driver", NULL, "extension", "existing-session" },
    { REMOVE, "browser.relayBindHost", NULL, NULL, NULL },
    { REMOVE, "agents.defaults.llm", NULL, NULL, NULL },
    { WORD, "models.providers.*.api", NULL, "openai", "openai-completions" },
};

struct work {
    struct text_buf text; /* so far */
    struct pack doc;      /* what it says */
    void (*on)(void *arg, const char *says, bool is_done);
    void *arg;
    unsigned moved_n;
};

static void buf_wipe(struct text_buf *buf)
{
    if (buf->data) {
        mem_wipe(buf->data, buf->cap);
    }
    text_buf_deinit(buf);
}

static void work_deinit(struct work *self)
{
    buf_wipe(&self->text);
    if (self->doc.data) {
        mem_wipe(self->doc.data, self->doc.cap);
    }
    pack_deinit(&self->doc);
}

static struct span now(const struct work *self)
{
    return (struct span){ self->text.data ? self->text.data : "", self->text.len };
}

static int parse(struct work *self)
{
    struct config_error ignored;

    pack_reset(&self->doc);
    return FAULT_FOLD(config_file_parse(now(self), "", &self->doc, &ignored));
}

/* --- single changes -------------------------------------------------------------------------------- */

static struct span value_at(const struct work *self, const char *place, struct config_path *path)
{
    return config_path_parse(place, path) ? (struct span){ 0 } : config_path_find(path, pack_span(&self->doc));
}

static int text_take(struct work *self, struct text_buf *fresh)
{
    struct text_buf old = self->text;

    self->text = *fresh;
    *fresh = old; /* wiped by its owner */
    return parse(self);
}

static int set(struct work *self, const char *place, struct span value)
{
    CLEANUP(buf_wipe) struct text_buf fresh = { 0 };
    struct config_path path;

    (void)value_at(self, place, &path);
    int r = json5_set(now(self), path.steps, path.n, value, &fresh);
    return r ? r : text_take(self, &fresh);
}

static int remove_at(struct work *self, const char *place)
{
    CLEANUP(buf_wipe) struct text_buf fresh = { 0 };
    struct config_path path;

    (void)value_at(self, place, &path);
    int r = json5_remove(now(self), path.steps, path.n, &fresh);
    return r ? r : text_take(self, &fresh);
}

static void say(struct work *self, bool is_done, const char *from, const char *becomes, const char *to)
{
    char text[CONFIG_LEGACY_SAYS_MAX];

    (void)snprintf(text, sizeof(text), "%s%s%s", from, becomes, to); /* cut */
    self->moved_n += is_done;
    self->on(self->arg, text, is_done);
}

/* An outcome of json5_* means that something else stands in the way: the key stays, and that is told. */
static int move(struct work *self, const char *from, const char *to)
{
    CLEANUP(pack_deinit) struct pack value;
    struct config_path path;
    struct span found = value_at(self, from, &path);

    pack_init(&value, 0);
    if (value_at(self, to, &path).len) {
        say(self, false, from, " stays: only you can tell whether it counts, or what is there already, ", to);
        return 0;
    }
    pack_raw(&value, found);
    int r = pack_error(&value) ? pack_error(&value) : set(self, to, pack_span(&value));
    if (value.data) {
        mem_wipe(value.data, value.cap);
    }
    if (r > 0) {
        say(self, false, from, " stays: there is no room for it at ", to);
        return 0;
    }
    r = r ? r : remove_at(self, from);
    if (!r) {
        say(self, true, from, " becomes ", to);
    }
    return r;
}

static int reword(struct work *self, const struct rule *rule, const char *place)
{
    CLEANUP(pack_deinit) struct pack value;
    struct config_path path;

    pack_init(&value, 64);
    if (!span_is_text(value_str(value_at(self, place, &path), (struct span){ 0 }), rule->old)) {
        return 0;
    }
    pack_text(&value, rule->fresh);
    int r = set(self, place, pack_span(&value));
    if (!r) {
        say(self, true, place, " becomes ", rule->fresh);
    }
    return r;
}

static int rule_apply(struct work *self, const struct rule *rule, const char *from, const char *to)
{
    struct config_path path;

    if (!value_at(self, from, &path).len) {
        return 0;
    }
    if (rule->kind == MOVE) {
        return move(self, from, to);
    }
    if (rule->kind == WORD) {
        return reword(self, rule, from);
    }
    int r = remove_at(self, from);
    if (!r) {
        say(self, true, from, " is removed", "");
    }
    return r;
}

/* --- places with a star ------------------------------------------------------------------------------- */

struct places {
    size_t n;
    char names[PLACES_MAX][PLACE_MAX];
};

/* Keys and indexes below `above`, as they are written in a path. */
static void places_list(const struct work *self, const char *above, struct places *ret)
{
    struct config_path path;
    struct span all = value_at(self, above, &path);
    struct value_iter it = value_iter(all);
    struct span key;
    struct span item;

    ret->n = 0;
    for (size_t i = 0; ret->n < PLACES_MAX && value_next(&it, &key, &item); i++) {
        char *name = ret->names[ret->n];
        int len = value_kind_of(all) == VALUE_MAP ? snprintf(name, PLACE_MAX, "[\"%.*s\"]", SPAN_FMT(key))
                                                  : snprintf(name, PLACE_MAX, "[%zu]", i);
        ret->n += len > 0 && len < PLACE_MAX && !memchr(key.len ? key.ptr : "", '"', key.len);
    }
}

/* `pattern` with its ".*" replaced by `name`. False when it does not fit. */
static bool place_fill(const char *pattern, const char *name, char out[PLACE_MAX])
{
    const char *star = strstr(pattern, ".*");

    return star && snprintf(out, PLACE_MAX, "%.*s%s%s", (int)(star - pattern), pattern, name, star + 2) < PLACE_MAX;
}

static int starred_apply(struct work *self, const struct rule *rule, struct places *places)
{
    char above[PLACE_MAX];
    char from[PLACE_MAX];
    char to[PLACE_MAX] = "";
    int r = 0;

    (void)snprintf(above, sizeof(above), "%.*s", (int)(strstr(rule->from, ".*") - rule->from), rule->from);
    places_list(self, above, places);
    for (size_t i = 0; !r && i < places->n; i++) {
        if (place_fill(rule->from, places->names[i], from) &&
            (!rule->to || place_fill(rule->to, places->names[i], to))) {
            r = rule_apply(self, rule, from, to);
        }
    }
    return r;
}

/* --- what no rule says ---------------------------------------------------------------------------------- */

/* A list that says nothing but {id: key, ...} for each entry of an object. */
static int agents_list(struct work *self)
{
    CLEANUP(pack_deinit) struct pack list;
    struct config_path path;
    struct span agents = value_at(self, "routing.agents", &path);
    struct span chosen = value_str(value_at(self, "routing.defaultAgentId", &path), (struct span){ 0 });
    struct value_iter it = value_iter(agents);
    struct span key;
    struct span item;

    pack_init(&list, 0);
    if (value_kind_of(agents) != VALUE_MAP || value_at(self, "agents.list", &path).len) {
        return 0;
    }
    pack_array_begin(&list);
    while (value_next(&it, &key, &item)) {
        struct value_iter fields = value_iter(item);
        struct span name;
        struct span value;

        pack_map_begin(&list);
        pack_kv_str(&list, "id", key);
        while (value_next(&fields, &name, &value)) {
            pack_key_span(&list, name);
            pack_raw(&list, value);
        }
        if (span_is(key, chosen) && chosen.len) {
            pack_kv_bool(&list, "default", true);
        }
        pack_map_end(&list);
    }
    pack_array_end(&list);
    int r = pack_error(&list) ? pack_error(&list) : set(self, "agents.list", pack_span(&list));
    r = r ? r : remove_at(self, "routing.agents");
    r = r ? r : remove_at(self, "routing.defaultAgentId");
    if (!r) {
        say(self, true, "routing.agents", " becomes ", "agents.list");
    }
    return r > 0 ? 0 : r;
}

/* The one identity there was is that of the default agent, which may have no entry yet. */
static int identity_move(struct work *self)
{
    CLEANUP(pack_deinit) struct pack list;
    struct config_path path;
    struct span identity = value_at(self, "identity", &path);
    struct span agents = value_at(self, "agents.list", &path);

    pack_init(&list, 0);
    if (value_kind_of(identity) != VALUE_MAP) {
        return 0;
    }
    if (value_count(agents)) {
        return move(self, "identity", "agents.list[0].identity");
    }
    pack_array_begin(&list);
    pack_map_begin(&list);
    pack_kv_text(&list, "id", "main");
    pack_kv_raw(&list, "identity", identity);
    pack_map_end(&list);
    pack_array_end(&list);
    int r = pack_error(&list) ? pack_error(&list) : set(self, "agents.list", pack_span(&list));
    r = r ? r : remove_at(self, "identity");
    if (!r) {
        say(self, true, "identity", " becomes ", "agents.list[0].identity");
    }
    return r > 0 ? 0 : r;
}

/* Objects that the moves have emptied. */
static int shells_remove(struct work *self)
{
    static const char *const shells[] = { "routing.groupChat", "routing", "agent.sandbox", "agent.subagents", "agent" };
    struct config_path path;
    int r = 0;

    for (size_t i = 0; !r && self->moved_n && i < ARRAY_LEN(shells); i++) {
        struct span value = value_at(self, shells[i], &path);

        if (value_kind_of(value) == VALUE_MAP && !value_count(value)) {
            r = remove_at(self, shells[i]);
        }
    }
    return r > 0 ? 0 : r;
}

int config_legacy_move(struct span text, void (*on)(void *arg, const char *says, bool is_done), void *arg,
                       struct text_buf *ret_text)
{
    CLEANUP(work_deinit) struct work self = { .on = on, .arg = arg };
    CLEANUP(mem_free) struct places *places = mem_new(sizeof(*places));
    int r = text_buf_add(&self.text, text);

    pack_init(&self.doc, 0);
    r = r ? r : parse(&self);
    r = r ? r : agents_list(&self);
    for (size_t i = 0; !r && i < ARRAY_LEN(rules); i++) {
        r = strstr(rules[i].from, ".*") ? starred_apply(&self, &rules[i], places)
                                        : rule_apply(&self, &rules[i], rules[i].from, rules[i].to);
    }
    r = r ? r : identity_move(&self);
    r = r ? r : shells_remove(&self);
    if (!r) {
        *ret_text = self.text;
        self.text = (struct text_buf){ 0 };
    }
    return r > 0 ? FAULT_FOLD(r) : r;
}
