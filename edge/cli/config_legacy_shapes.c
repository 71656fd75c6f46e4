/*
 * config_legacy_shapes: what became of earlier keys where that depends on more than their place.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/config_legacy_internal.h"
#include "schema/base/secret_target.h"

#define NOTHING ((struct span){ 0 })
#define ENV_MARKER "secretref-env:"

static bool is_map(struct span value)
{
    return value_kind_of(value) == VALUE_MAP;
}

/* Puts `value` at `to` in place of `from`; where there is no room for it nothing happens. */
static int replace(struct legacy *self, const char *from, const char *to, struct pack *value)
{
    int r = pack_error(value) ? pack_error(value) : legacy_set(self, to, pack_span(value));

    r = r ? r : legacy_remove(self, from);
    if (!r) {
        legacy_say(self, true, from, " becomes ", to);
    }
    return r > 0 ? 0 : r;
}

static int drop(struct legacy *self, const char *place, const char *why)
{
    int r = legacy_remove(self, place);

    if (!r) {
        legacy_say(self, true, place, " is removed", why);
    }
    return r;
}

/* --- agents ------------------------------------------------------------------------------------------ */

/* A list that says nothing but {id: key, ...} for each entry of an object. */
static void agents_pack(struct span agents, struct span chosen, struct pack *list)
{
    struct value_iter it = value_iter(agents);
    struct span key;
    struct span item;

    pack_array_begin(list);
    while (value_next(&it, &key, &item)) {
        struct value_iter fields = value_iter(item);
        struct span name;
        struct span value;

        pack_map_begin(list);
        pack_kv_str(list, "id", key);
        while (value_next(&fields, &name, &value)) {
            if (!span_is_text(name, "id")) {
                pack_key_span(list, name);
                pack_raw(list, value);
            }
        }
        if (span_is(key, chosen) && chosen.len) {
            pack_kv_bool(list, "default", true);
        }
        pack_map_end(list);
    }
    pack_array_end(list);
}

static int agents_list(struct legacy *self, const char *from, struct span chosen)
{
    CLEANUP(pack_deinit) struct pack list;
    struct config_path path;
    struct span agents = legacy_at(self, from, &path);

    pack_init_secret(&list, 0);
    if (!is_map(agents)) {
        return 0;
    }
    if (legacy_has(self, "agents.list")) {
        legacy_say(self, false, from, " stays: there are agents at ", "agents.list");
        return 0;
    }
    agents_pack(agents, chosen, &list);
    return replace(self, from, "agents.list", &list);
}

/* Agents of the first releases, and those of later ones, which keep them by their ids again. */
static int agents_move(struct legacy *self)
{
    struct config_path path;
    struct span chosen = value_str(legacy_at(self, "routing.defaultAgentId", &path), NOTHING);
    bool had_agents = legacy_has(self, "routing.agents");
    int r = agents_list(self, "routing.agents", chosen);

    if (!r && had_agents && !legacy_has(self, "routing.agents")) {
        r = legacy_remove(self, "routing.defaultAgentId");
    }
    return r ? r : agents_list(self, "agents.entries", NOTHING);
}

/* The one identity there was is that of the default agent, which may have no entry yet. */
static int identity_move(struct legacy *self)
{
    CLEANUP(pack_deinit) struct pack list;
    struct config_path path;
    struct span identity = legacy_at(self, "identity", &path);

    pack_init_secret(&list, 0);
    if (!is_map(identity)) {
        return 0;
    }
    if (value_count(legacy_at(self, "agents.list", &path))) {
        return legacy_move(self, "identity", "agents.list[0].identity");
    }
    pack_array_begin(&list);
    pack_map_begin(&list);
    pack_kv_text(&list, "id", "main");
    pack_kv_raw(&list, "identity", identity);
    pack_map_end(&list);
    pack_array_end(&list);
    return replace(self, "identity", "agents.list", &list);
}

/* Models that may be chosen are keys of one object now; what they are called for short stands there as well. */
static int models_allow(struct legacy *self)
{
    CLEANUP(pack_deinit) struct pack models;
    struct config_path path;
    struct span allowed = legacy_at(self, "agent.allowedModels", &path);
    struct span aliases = legacy_at(self, "agent.modelAliases", &path);
    struct span key;
    struct span item;

    pack_init_secret(&models, 0);
    if ((value_kind_of(allowed) != VALUE_ARRAY && !is_map(aliases)) || legacy_has(self, "agents.defaults.models")) {
        return 0;
    }
    pack_map_begin(&models);
    struct value_iter it = value_iter(is_map(aliases) ? aliases : NOTHING);
    while (value_next(&it, &key, &item)) {
        if (value_str(item, NOTHING).len) {
            pack_key_span(&models, value_str(item, NOTHING));
            pack_map_begin(&models);
            pack_kv_str(&models, "alias", key);
            pack_map_end(&models);
        }
    }
    it = value_iter(value_kind_of(allowed) == VALUE_ARRAY ? allowed : NOTHING);
    while (value_next(&it, &key, &item)) {
        struct value_iter named = value_iter(is_map(aliases) ? aliases : NOTHING);
        struct span model = value_str(item, NOTHING);
        struct span other;
        bool is_there = !model.len;

        while (value_next(&named, &key, &other)) {
            is_there |= span_is(value_str(other, NOTHING), model);
        }
        if (!is_there) {
            pack_key_span(&models, model);
            pack_map_begin(&models);
            pack_map_end(&models);
        }
    }
    pack_map_end(&models);
    const char *first = value_kind_of(allowed) == VALUE_ARRAY ? "agent.allowedModels" : "agent.modelAliases";
    int r = replace(self, first, "agents.defaults.models", &models);
    return r || legacy_has(self, first) ? r : legacy_remove(self, "agent.modelAliases");
}

/* What is shown of a heartbeat belongs to the channels, the rest to the agents. */
static int heartbeat_split(struct legacy *self)
{
    static const char *const shown[] = { "showOk", "showAlerts", "useIndicator" };
    struct config_path path;
    char from[64];
    char to[64];
    int r = 0;

    if (!is_map(legacy_at(self, "heartbeat", &path))) {
        return 0;
    }
    for (size_t i = 0; !r && i < ARRAY_LEN(shown); i++) {
        (void)snprintf(from, sizeof(from), "heartbeat.%s", shown[i]);
        (void)snprintf(to, sizeof(to), "channels.defaults.heartbeat.%s", shown[i]);
        r = legacy_has(self, from) ? legacy_move(self, from, to) : 0;
    }
    struct span left = legacy_at(self, "heartbeat", &path);
    return r                   ? r
           : value_count(left) ? legacy_move(self, "heartbeat", "agents.defaults.heartbeat")
                               : drop(self, "heartbeat", "");
}

/* --- channels ------------------------------------------------------------------------------------------ */

/* Of those channels that are configured, and that know groups. */
static int mention_spread(struct legacy *self)
{
    static const char *const channels[] = { "whatsapp", "telegram", "imessage" };
    static const char from[] = "routing.groupChat.requireMention";
    CLEANUP(pack_deinit) struct pack value;
    struct config_path path;
    char to[96];
    int r = 0;

    pack_init_secret(&value, 0);
    if (!legacy_has(self, from)) {
        return 0;
    }
    pack_raw(&value, legacy_at(self, from, &path));
    if (pack_error(&value)) {
        return pack_error(&value);
    }
    for (size_t i = 0; !r && i < ARRAY_LEN(channels); i++) {
        (void)snprintf(to, sizeof(to), "channels.%s", channels[i]);
        if (!legacy_has(self, to)) {
            continue;
        }
        (void)snprintf(to, sizeof(to), "channels.%s.groups[\"*\"].requireMention", channels[i]);
        r = legacy_has(self, to) ? 0 : legacy_set(self, to, pack_span(&value));
        r = r > 0 ? 0 : r; /* what stands in its way is for a person */
    }
    return r ? r : drop(self, from, ": the groups of each channel have it");
}

/* Both had to be allowed, so one that was not counts. */
static int spawn_join(struct legacy *self, const char *place, void *arg)
{
    static const char *const names[] = { "spawnSubagentSessions", "spawnAcpSessions" };
    char to[LEGACY_PLACE_MAX + 32];
    bool is_allowed = true;
    bool is_any = false;
    int r = 0;

    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char from[LEGACY_PLACE_MAX + 32];
        struct config_path path;

        (void)snprintf(from, sizeof(from), "%s.%s", place, names[i]);
        struct span value = legacy_at(self, from, &path);
        is_any |= value_kind_of(value) == VALUE_BOOL;
        is_allowed = is_allowed && value_bool(value, true);
    }
    (void)snprintf(to, sizeof(to), "%s.spawnSessions", place);
    r = is_any && !legacy_has(self, to) ? legacy_set_bool(self, to, is_allowed) : 0;
    for (size_t i = 0; !r && i < ARRAY_LEN(names); i++) {
        char from[LEGACY_PLACE_MAX + 32];

        (void)snprintf(from, sizeof(from), "%s.%s", place, names[i]);
        r = legacy_has(self, from) ? drop(self, from, ": spawnSessions says it") : 0;
    }
    return r > 0 ? 0 : r;
}

static int spawns_join(struct legacy *self)
{
    int r = legacy_each(self, "session.threadBindings", spawn_join, NULL);

    r = r ? r : legacy_each(self, "channels.*.threadBindings", spawn_join, NULL);
    return r ? r : legacy_each(self, "channels.*.accounts.*.threadBindings", spawn_join, NULL);
}

/* There is no list of the trusted any more but one that names them. */
static int policy_name(struct legacy *self, const char *place, void *arg)
{
    char from[LEGACY_PLACE_MAX + 32];
    char list[LEGACY_PLACE_MAX + 32];
    struct config_path path;

    (void)arg;
    (void)snprintf(from, sizeof(from), "%s.policy", place);
    (void)snprintf(list, sizeof(list), "%s.allowFrom", place);
    if (!span_is_text(value_str(legacy_at(self, from, &path), NOTHING), "trusted")) {
        return 0;
    }
    const char *fresh = value_count(legacy_at(self, list, &path)) ? "allowlist" : "pairing";
    int r = legacy_set_text(self, from, fresh);
    if (!r) {
        legacy_say(self, true, from, " becomes ", fresh);
    }
    return r > 0 ? 0 : r;
}

/* Of a channel that has accounts with names, what belongs to one account is that of the account "default". */
static int account_promote(struct legacy *self, const char *place, void *arg)
{
    static const char *const own[] = {
        "name",         "token",       "tokenFile",   "botToken",      "appToken",       "account",
        "signalNumber", "authDir",     "cliPath",     "dbPath",        "httpUrl",        "httpHost",
        "httpPort",     "webhookPath", "webhookUrl",  "webhookSecret", "service",        "region",
        "homeserver",   "userId",      "accessToken", "password",      "deviceName",     "url",
        "code",         "dmPolicy",    "allowFrom",   "groupPolicy",   "groupAllowFrom", "defaultTo",
    };
    char at[LEGACY_PLACE_MAX + 64];
    struct config_path path;
    struct span accounts;
    int r = 0;

    (void)arg;
    (void)snprintf(at, sizeof(at), "%s.accounts", place);
    accounts = legacy_at(self, at, &path);
    (void)snprintf(at, sizeof(at), "%s.accounts.default", place);
    if (!is_map(accounts) || !value_count(accounts) || legacy_has(self, at)) {
        return 0;
    }
    for (size_t i = 0; !r && i < ARRAY_LEN(own); i++) {
        char to[LEGACY_PLACE_MAX + 64];

        (void)snprintf(at, sizeof(at), "%s.%s", place, own[i]);
        (void)snprintf(to, sizeof(to), "%s.accounts.default.%s", place, own[i]);
        r = legacy_has(self, at) ? legacy_move(self, at, to) : 0;
    }
    return r;
}

/* --- speech, sound ---------------------------------------------------------------------------------------- */

/* The provider that is chosen, else the only one; NULL when it cannot be told. */
static const char *talk_provider(struct legacy *self, char out[64])
{
    struct config_path path;
    struct span chosen = value_str(legacy_at(self, "talk.provider", &path), NOTHING);
    struct span providers = legacy_at(self, "talk.providers", &path);
    struct value_iter it = value_iter(is_map(providers) ? providers : NOTHING);
    struct span key;
    struct span item;
    uint32_t n = is_map(providers) ? value_count(providers) : 0;

    if (!chosen.len && n > 1) {
        return NULL;
    }
    if (!chosen.len && n == 1 && value_next(&it, &key, &item)) {
        chosen = key;
    }
    chosen = chosen.len ? chosen : SPAN_LIT("elevenlabs");
    bool is_plain = chosen.len < 64 && !memchr(chosen.ptr, '"', chosen.len) && !memchr(chosen.ptr, '\\', chosen.len);
    (void)snprintf(out, 64, "%.*s", SPAN_FMT(chosen));
    return is_plain ? out : NULL;
}

static int talk_move(struct legacy *self)
{
    static const char *const own[] = { "voiceId", "voiceAliases", "modelId", "outputFormat", "apiKey" };
    static const char *const live[] = { "mode", "transport", "brain", "model", "voice" };
    char name[64];
    const char *provider = talk_provider(self, name);
    int r = 0;

    for (size_t i = 0; !r && i < ARRAY_LEN(own); i++) {
        char from[64];
        char to[160];

        (void)snprintf(from, sizeof(from), "talk.%s", own[i]);
        (void)snprintf(to, sizeof(to), "talk.providers[\"%s\"].%s", provider ? provider : "", own[i]);
        if (!legacy_has(self, from)) {
            continue;
        }
        if (provider) {
            r = legacy_move(self, from, to);
        } else {
            legacy_say(self, false, from, " stays: talk.provider does not say which of talk.providers it belongs to",
                       "");
        }
    }
    for (size_t i = 0; !r && i < ARRAY_LEN(live); i++) {
        char from[64];
        char to[64];

        (void)snprintf(from, sizeof(from), "talk.%s", live[i]);
        (void)snprintf(to, sizeof(to), "talk.realtime.%s", live[i]);
        r = legacy_has(self, from) ? legacy_move(self, from, to) : 0;
    }
    return r;
}

/* A program that writes down what was said is a model of its own kind; "{input}" was its name for the file. */
static void transcriber_pack(struct span source, struct pack *out)
{
    struct value_iter it = value_iter(value_get(source, "command"));
    struct span timeout = value_get(source, "timeoutSeconds");
    struct span key;
    struct span part;

    pack_array_begin(out);
    pack_map_begin(out);
    pack_kv_text(out, "type", "cli");
    if (value_next(&it, &key, &part)) {
        pack_kv_str(out, "command", value_str(part, NOTHING));
    }
    pack_key(out, "args");
    pack_array_begin(out);
    while (value_next(&it, &key, &part)) {
        bool is_input = span_is_text(value_str(part, NOTHING), "{input}");

        pack_str(out, is_input ? SPAN_LIT("{{MediaPath}}") : value_str(part, NOTHING));
    }
    pack_array_end(out);
    if (timeout.len) {
        pack_kv_raw(out, "timeoutSeconds", timeout);
    }
    pack_map_end(out);
    pack_array_end(out);
}

static int transcriber_move(struct legacy *self, const char *from)
{
    static const char to[] = "tools.media.audio.models";
    CLEANUP(pack_deinit) struct pack models;
    struct config_path path;
    struct span source = legacy_at(self, from, &path);
    struct span command = value_get(source, "command");

    pack_init_secret(&models, 0);
    if (!source.len) {
        return 0;
    }
    if (value_kind_of(command) != VALUE_ARRAY || !value_count(command) || legacy_has(self, to)) {
        return drop(self, from,
                    legacy_has(self, to) ? ", as tools.media.audio.models is there" : ", as it names no program");
    }
    transcriber_pack(source, &models);
    int r = replace(self, from, to, &models);
    if (!r && !legacy_has(self, "tools.media.audio.enabled")) {
        r = legacy_set_bool(self, "tools.media.audio.enabled", true);
    }
    return r > 0 ? 0 : r;
}

/* --- tools, plugins, secrets ---------------------------------------------------------------------------------- */

static int cross_context(struct legacy *self)
{
    static const char from[] = "tools.message.allowCrossContextSend";
    static const char *const to[] = { "tools.message.crossContext.allowWithinProvider",
                                      "tools.message.crossContext.allowAcrossProviders" };
    struct config_path path;
    struct span value = legacy_at(self, from, &path);
    bool is_allowed = value_bool(value, false);
    int r = 0;

    if (value_kind_of(value) != VALUE_BOOL) {
        return 0;
    }
    for (size_t i = 0; is_allowed && !r && i < ARRAY_LEN(to); i++) {
        r = legacy_set_bool(self, to[i], true);
    }
    return r ? r > 0 ? 0 : r
             : drop(self, from, is_allowed ? ": tools.message.crossContext says it" : ", as it is so by default");
}

/* A list of plugins used to leave those alone that come with the program. */
static int discovery_keep(struct legacy *self)
{
    struct config_path path;
    struct span allow = legacy_at(self, "plugins.allow", &path);

    if (value_kind_of(allow) != VALUE_ARRAY || !value_count(allow) || legacy_has(self, "plugins.bundledDiscovery")) {
        return 0;
    }
    int r = legacy_set_text(self, "plugins.bundledDiscovery", "compat");
    if (!r) {
        legacy_say(self, true, "plugins.bundledDiscovery", " is set to ", "\"compat\", as plugins.allow was meant");
    }
    return r > 0 ? 0 : r;
}

struct marker {
    char path[SECRET_TARGET_PATH_MAX];
    char name[128];
};

/* The first place that names its variable in the way of old. */
static void on_target(void *arg, const struct secret_target *target)
{
    struct marker *found = arg;
    struct span text = value_str(target->value, NOTHING);
    size_t skip = sizeof(ENV_MARKER) - 1;
    bool is_name = text.len > skip && text.len - skip < sizeof(found->name) && span_starts(text, ENV_MARKER);

    for (size_t i = skip; is_name && i < text.len; i++) {
        is_name = isupper((unsigned char)text.ptr[i]) || text.ptr[i] == '_' ||
                  (i > skip && isdigit((unsigned char)text.ptr[i]));
    }
    if (is_name && !found->path[0]) {
        (void)snprintf(found->name, sizeof(found->name), "%.*s", (int)(text.len - skip), text.ptr + skip);
        (void)snprintf(found->path, sizeof(found->path), "%s", target->path);
    }
}

static int markers_read(struct legacy *self)
{
    int r = 0;

    for (unsigned i = 0; !r && i < 1024; i++) {
        CLEANUP(pack_deinit) struct pack ref;
        struct marker found = { "", "" };

        pack_init_secret(&ref, 0);
        secret_target_each(pack_span(&self->doc), "openclaw.json", on_target, &found);
        if (!found.path[0]) {
            return 0;
        }
        pack_map_begin(&ref);
        pack_kv_text(&ref, "source", "env");
        pack_kv_text(&ref, "provider", "default");
        pack_kv_text(&ref, "id", found.name);
        pack_map_end(&ref);
        r = pack_error(&ref) ? pack_error(&ref) : legacy_set(self, found.path, pack_span(&ref));
        if (!r) {
            legacy_say(self, true, found.path, " becomes a reference to the variable ", found.name);
        }
    }
    return r > 0 ? 0 : r; /* a key with a dot in it is left to a person */
}

/* --- all of them ------------------------------------------------------------------------------------------------ */

int legacy_shapes_first(struct legacy *self)
{
    int r = agents_move(self);

    r = r ? r : models_allow(self);
    r = r ? r : mention_spread(self);
    r = r ? r : transcriber_move(self, "audio.transcription");
    r = r ? r : transcriber_move(self, "routing.transcribeAudio");
    r = r ? r : heartbeat_split(self);
    r = r ? r : talk_move(self);
    r = r ? r : legacy_each(self, "channels.matrix.dm", policy_name, NULL);
    return r ? r : legacy_each(self, "channels.matrix.accounts.*.dm", policy_name, NULL);
}

int legacy_shapes_last(struct legacy *self)
{
    int r = identity_move(self);

    r = r ? r : spawns_join(self);
    r = r ? r : cross_context(self);
    r = r ? r : discovery_keep(self);
    r = r ? r : legacy_each(self, "channels.*", account_promote, NULL);
    return r ? r : markers_read(self);
}
