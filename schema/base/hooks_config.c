#include "schema/base/hooks_config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "bus/value.h"

#define NOTHING ((struct span){ NULL, 0 })

static struct span text_of(struct span hooks, const char *key)
{
    return span_trim(value_str(value_get(hooks, key), NOTHING));
}

static bool is_on(struct span hooks)
{
    return value_bool(value_get(hooks, "enabled"), false);
}

/* --- where they come --------------------------------------------------------------------------- */

/* False when no request could have it: too long, or with what ends a path. */
static bool path_read(struct span hooks, char path[HOOKS_PATH_MAX])
{
    struct span text = text_of(hooks, "path");

    text = text.len ? text : SPAN_LIT("/hooks");
    while (text.len > 1 && text.ptr[text.len - 1] == '/') {
        text.len--;
    }
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] <= ' ' || strchr("?#\x7f", text.ptr[i])) {
            return false;
        }
    }
    return snprintf(path, HOOKS_PATH_MAX, "%s%.*s", text.ptr[0] == '/' ? "" : "/", SPAN_FMT(text)) <
           (int)HOOKS_PATH_MAX;
}

void hooks_entry_read(struct span hooks, struct hooks_entry *ret_entry)
{
    int64_t most = value_i64(value_get(hooks, "maxBodyBytes"), (int64_t)HOOKS_BODY_DEFAULT);

    *ret_entry = (struct hooks_entry){ .body_max = HOOKS_BODY_DEFAULT };
    if (most > 0) {
        ret_entry->body_max = (uint64_t)most < HOOKS_BODY_MAX ? (size_t)most : HOOKS_BODY_MAX;
    }
    ret_entry->is_on = is_on(hooks) && path_read(hooks, ret_entry->path);
}

struct span hooks_token(struct span hooks)
{
    return text_of(hooks, "token");
}

/* --- which sessions ---------------------------------------------------------------------------- */

bool hooks_is_template(struct span text)
{
    const char *open = text.len ? memmem(text.ptr, text.len, "{{", 2) : NULL;
    size_t left = open ? text.len - (size_t)(open - text.ptr) - 2 : 0;

    return left && open[2] != '}' && memmem(open + 2, left, "}}", 2);
}

struct span hooks_key_prefixes(struct span hooks)
{
    struct span list = value_get(hooks, "allowedSessionKeyPrefixes");
    struct value_iter it = value_iter(list);
    struct span key;
    struct span prefix;

    while (value_kind_of(list) == VALUE_ARRAY && value_next(&it, &key, &prefix)) {
        if (span_trim(value_str(prefix, NOTHING)).len) {
            return list;
        }
    }
    return NOTHING;
}

bool hooks_key_fits(struct span prefixes, struct span key)
{
    struct value_iter it = value_iter(prefixes);
    struct span name;
    struct span item;

    if (!prefixes.len) {
        return true;
    }
    while (value_next(&it, &name, &item)) {
        struct span prefix = span_trim(value_str(item, NOTHING));

        if (prefix.len && prefix.len <= key.len && strncasecmp(prefix.ptr, key.ptr, prefix.len) == 0) {
            return true;
        }
    }
    return false;
}

struct span hooks_match_path(struct span path)
{
    path = span_trim(path);
    while (path.len && path.ptr[0] == '/') {
        path.ptr++;
        path.len--;
    }
    while (path.len && path.ptr[path.len - 1] == '/') {
        path.len--;
    }
    return path;
}

/* --- whether it holds -------------------------------------------------------------------------- */

/* Would every request that fits `later` have been taken by `earlier`? */
static bool is_shadowed(struct span later, struct span earlier)
{
    struct span path = hooks_match_path(value_str(value_path(earlier, "match.path"), NOTHING));
    struct span source = span_trim(value_str(value_path(earlier, "match.source"), NOTHING));

    return (!path.len || span_is(path, hooks_match_path(value_str(value_path(later, "match.path"), NOTHING)))) &&
           (!source.len || span_is(source, span_trim(value_str(value_path(later, "match.source"), NOTHING))));
}

static bool is_reached(struct span mappings, unsigned at, struct span mapping)
{
    struct value_iter it = value_iter(mappings);
    struct span key;
    struct span earlier;

    for (unsigned i = 0; i < at && value_next(&it, &key, &earlier); i++) {
        if (is_shadowed(mapping, earlier)) {
            return false;
        }
    }
    return true;
}

/* Does somebody from outside choose a session, by a mapping or the preset that has one? */
static bool has_templated_key(struct span hooks)
{
    struct span mappings = value_get(hooks, "mappings");
    struct span presets = value_get(hooks, "presets");
    struct value_iter it = value_iter(mappings);
    struct span key;
    struct span item;

    for (unsigned i = 0; value_kind_of(mappings) == VALUE_ARRAY && value_next(&it, &key, &item); i++) {
        bool is_agent = !span_is_text(value_str(value_get(item, "action"), NOTHING), "wake");

        if (is_agent && hooks_is_template(text_of(item, "sessionKey")) && is_reached(mappings, i, item)) {
            return true;
        }
    }
    it = value_iter(presets);
    while (value_kind_of(presets) == VALUE_ARRAY && value_next(&it, &key, &item)) {
        if (span_is_text(value_str(item, NOTHING), "gmail")) {
            return true;
        }
    }
    return false;
}

static void keys_check(struct span hooks, void (*on)(void *arg, const char *problem), void *arg)
{
    struct span prefixes = hooks_key_prefixes(hooks);
    struct span fixed = text_of(hooks, "defaultSessionKey");

    if (fixed.len && !hooks_key_fits(prefixes, fixed)) {
        on(arg, "hooks.defaultSessionKey begins with none of hooks.allowedSessionKeyPrefixes: change one of them");
    } else if (!fixed.len && !hooks_key_fits(prefixes, SPAN_LIT("hook:x"))) {
        on(arg, "hooks.allowedSessionKeyPrefixes leaves out \"hook:\", which every hook without a session key of its "
                "own gets: add it, or set hooks.defaultSessionKey");
    }
    if (!prefixes.len && has_templated_key(hooks)) {
        on(arg, "hooks.allowedSessionKeyPrefixes is missing while a mapping or preset makes session keys out of what "
                "strangers send: say in it how they may begin, for example [\"hook:\"]");
    }
}

bool hooks_is_module(struct span module)
{
    module = span_trim(module);
    if (!module.len || module.ptr[0] == '/' || module.ptr[0] == '~' || memchr(module.ptr, ':', module.len) ||
        memchr(module.ptr, 0, module.len)) {
        return false;
    }
    while (module.len) {
        size_t n = 0;

        while (n < module.len && module.ptr[n] != '/' && module.ptr[n] != '\\') {
            n++;
        }
        if (n == 2 && module.ptr[0] == '.' && module.ptr[1] == '.') {
            return false;
        }
        n += n < module.len;
        module.ptr += n;
        module.len -= n;
    }
    return true;
}

static void transforms_check(struct span hooks, void (*on)(void *arg, const char *problem), void *arg)
{
    struct span mappings = value_get(hooks, "mappings");
    struct value_iter it = value_iter(mappings);
    struct span key;
    struct span mapping;
    char line[256];

    for (unsigned i = 0; value_kind_of(mappings) == VALUE_ARRAY && value_next(&it, &key, &mapping); i++) {
        struct span transform = value_get(mapping, "transform");

        if (value_kind_of(transform) == VALUE_MAP && !hooks_is_module(text_of(transform, "module"))) {
            (void)snprintf(
                line, sizeof(line),
                "hooks.mappings[%u].transform.module is no path of a file below hooks.transformsDir, expected "
                "one without \"..\", \":\", and \"~\" or \"/\" in front, for example \"github.mjs\"",
                i); /* fits */
            on(arg, line);
        }
    }
}

void hooks_config_check(struct span hooks, void (*on)(void *arg, const char *problem), void *arg)
{
    struct span token = hooks_token(hooks);
    char path[HOOKS_PATH_MAX];

    if (!is_on(hooks)) {
        return;
    }
    if (!token.len) {
        on(arg, "hooks.token is missing while hooks.enabled is true, expected a secret of its own, for example what "
                "\"openssl rand -hex 24\" prints");
    } else if (token.len >= HOOKS_TOKEN_MAX) {
        on(arg, "hooks.token is too long, expected at most 511 bytes");
    }
    if (!path_read(hooks, path)) {
        on(arg, "hooks.path is no path, expected at most 127 bytes without \"?\", \"#\" and spaces, for example "
                "\"/hooks\"");
    } else if (strcmp(path, "/") == 0) {
        on(arg, "hooks.path is \"/\", where everything else is served; expected a path of its own, for example "
                "\"/hooks\"");
    }
    keys_check(hooks, on, arg);
    transforms_check(hooks, on, arg);
}
