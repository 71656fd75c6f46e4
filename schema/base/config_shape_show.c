#include "schema/base/config_shape.h"

#include <stdio.h>
#include <strings.h>

#include "bus/base/cleanup.h"

#define PATH_TEXT_MAX 1280

static const char *type_name(const struct config_shape *shape)
{
    switch (shape->kind) {
    case CONFIG_KIND_NULL:
        return "null";
    case CONFIG_KIND_BOOL:
    case CONFIG_KIND_FALSE:
        return "boolean";
    case CONFIG_KIND_INT:
        return "integer";
    case CONFIG_KIND_NUMBER:
        return "number";
    case CONFIG_KIND_TEXT:
        return "string";
    case CONFIG_KIND_LIST:
        return "array";
    case CONFIG_KIND_OBJECT:
        return "object";
    default:
        return NULL;
    }
}

static void number_pack(struct pack *out, const char *key, double value)
{
    if (value == (double)(int64_t)value) {
        pack_kv_i64(out, key, (int64_t)value);
    } else {
        pack_kv_f64(out, key, value);
    }
}

static void limits_pack(const struct config_shape *shape, struct pack *out)
{
    static const char *const names[][2] = { { "minimum", "maximum" },
                                            { "minLength", "maxLength" },
                                            { "minItems", "maxItems" } };
    size_t row = shape->kind == CONFIG_KIND_TEXT ? 1 : shape->kind == CONFIG_KIND_LIST ? 2 : 0;

    if (shape->limits & CONFIG_LIMIT_MIN) {
        number_pack(out, names[row][0], shape->min);
    }
    if (shape->limits & CONFIG_LIMIT_ABOVE) {
        number_pack(out, "exclusiveMinimum", shape->min);
    }
    if (shape->limits & CONFIG_LIMIT_MAX) {
        number_pack(out, names[row][1], shape->max);
    }
}

static void words_pack(const struct config_shape *shape, struct pack *out)
{
    pack_key(out, "enum");
    pack_array_begin(out);
    for (size_t i = 0; i < shape->words_n; i++) {
        pack_text(out, config_shape_words[shape->words_at + i]);
    }
    pack_array_end(out);
}

static void object_pack(const struct config_shape *shape, bool is_shallow, struct pack *out)
{
    bool is_needing = false;

    if (!is_shallow && shape->keys_n) {
        pack_key(out, "properties");
        pack_map_begin(out);
        for (size_t i = 0; i < shape->keys_n; i++) {
            const struct config_shape_key *key = &config_shape_keys[shape->keys_at + i];
            pack_key(out, key->name);
            config_shape_schema_pack(&config_shapes[key->shape], false, out);
            is_needing |= key->is_required;
        }
        pack_map_end(out);
    }
    if (is_needing) {
        pack_key(out, "required");
        pack_array_begin(out);
        for (size_t i = 0; i < shape->keys_n; i++) {
            if (config_shape_keys[shape->keys_at + i].is_required) {
                pack_text(out, config_shape_keys[shape->keys_at + i].name);
            }
        }
        pack_array_end(out);
    }
    pack_key(out, "additionalProperties");
    if (!shape->rest || is_shallow) {
        pack_bool(out, shape->rest != 0);
    } else {
        config_shape_schema_pack(&config_shapes[shape->rest], false, out);
    }
}

static void alts_pack(const struct config_shape *shape, struct pack *out)
{
    pack_key(out, "anyOf");
    pack_array_begin(out);
    for (size_t i = 0; i < shape->alts_n; i++) {
        config_shape_schema_pack(&config_shapes[config_shape_alts[shape->alts_at + i]], false, out);
    }
    pack_array_end(out);
}

/* The members of the schema, into an open map. */
static void members_pack(const struct config_shape *shape, bool is_shallow, struct pack *out)
{
    if (type_name(shape)) {
        pack_kv_text(out, "type", type_name(shape));
    }
    limits_pack(shape, out);
    if (shape->words_n) {
        words_pack(shape, out);
    }
    if (shape->pattern && shape->kind == CONFIG_KIND_TEXT) {
        pack_kv_text(out, "pattern", shape->pattern);
    }
    if (shape->kind == CONFIG_KIND_FALSE) {
        pack_kv_bool(out, "const", false);
    } else if (shape->kind == CONFIG_KIND_OBJECT) {
        object_pack(shape, is_shallow, out);
    } else if (shape->kind == CONFIG_KIND_LIST && !is_shallow) {
        pack_key(out, "items");
        config_shape_schema_pack(&config_shapes[shape->item], false, out);
    } else if (shape->kind == CONFIG_KIND_ONE_OF && !is_shallow) {
        alts_pack(shape, out);
    }
}

void config_shape_schema_pack(const struct config_shape *shape, bool is_shallow, struct pack *out)
{
    pack_map_begin(out);
    members_pack(shape, is_shallow, out);
    pack_map_end(out);
}

void config_shape_root_pack(struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "$schema", "http://json-schema.org/draft-07/schema#");
    pack_kv_text(out, "type", "object");
    pack_key(out, "properties");
    pack_map_begin(out);
    for (size_t i = 0; i < config_sections_n; i++) {
        pack_key(out, config_sections[i].name);
        config_shape_schema_pack(&config_shapes[config_sections[i].shape], false, out);
    }
    pack_map_end(out);
    pack_kv_bool(out, "additionalProperties", false);
    pack_map_end(out);
}

bool config_shape_is_secret_name(struct span name)
{
    static const char *const ends[] = {
        "token",      "password",      "secret",     "apikey", "api_key",     "api-key",        "privatekey",
        "passphrase", "authorization", "credential", "cookie", "credentials", "serviceaccount",
    };

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        size_t len = strlen(ends[i]);
        if (name.len >= len && !strncasecmp(name.ptr + name.len - len, ends[i], len)) {
            return true;
        }
    }
    return false;
}

/* "gateway.auth.allowTailscale" is "Gateway Auth Allow Tailscale". */
static void label_make(struct span path, char *out, size_t out_size)
{
    size_t n = 0;
    bool is_start = true;

    for (size_t i = 0; i < path.len && n + 2 < out_size; i++) {
        char c = path.ptr[i];
        bool is_upper = c >= 'A' && c <= 'Z';
        bool is_word = is_upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (!is_word) {
            is_start = true;
            continue;
        }
        if (n && (is_start || (is_upper && path.ptr[i - 1] >= 'a' && path.ptr[i - 1] <= 'z'))) {
            out[n++] = ' ';
        }
        out[n++] = is_start && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        is_start = false;
    }
    out[n] = '\0';
}

static struct span last_part(struct span path)
{
    size_t at = path.len;

    while (at && path.ptr[at - 1] != '.') {
        at--;
    }
    return (struct span){ path.ptr + at, path.len - at };
}

void config_shape_hint_pack(struct span path, const struct config_shape *shape, struct pack *out)
{
    char label[256];
    bool is_text = shape->kind == CONFIG_KIND_TEXT || shape->kind == CONFIG_KIND_ONE_OF;

    label_make(path, label, sizeof(label));
    pack_map_begin(out);
    pack_kv_text(out, "label", label);
    if (is_text && config_shape_is_secret_name(last_part(path))) {
        pack_kv_bool(out, "sensitive", true);
    }
    pack_map_end(out);
}

static bool has_children(const struct config_shape *shape)
{
    for (size_t i = 0; shape->kind == CONFIG_KIND_ONE_OF && i < shape->alts_n; i++) {
        if (has_children(&config_shapes[config_shape_alts[shape->alts_at + i]])) {
            return true;
        }
    }
    return shape->kind == CONFIG_KIND_LIST || (shape->kind == CONFIG_KIND_OBJECT && (shape->keys_n || shape->rest));
}

static void child_pack(struct span path, const char *name, const struct config_shape *shape, bool is_required,
                       struct pack *out)
{
    char inner[PATH_TEXT_MAX];

    (void)snprintf(inner, sizeof(inner), "%.*s%s%s", (int)(path.len < 1024 ? path.len : 1024), path.ptr,
                   path.len ? "." : "", name);
    pack_map_begin(out);
    pack_kv_text(out, "key", name);
    pack_kv_text(out, "path", inner);
    if (type_name(shape) && !shape->words_n) {
        pack_kv_text(out, "type", type_name(shape));
    }
    pack_kv_bool(out, "required", is_required);
    pack_kv_bool(out, "hasChildren", has_children(shape));
    pack_key(out, "hint");
    config_shape_hint_pack(span_from(inner), shape, out);
    pack_kv_text(out, "hintPath", inner);
    pack_map_end(out);
}

static void children_add(struct span path, const struct config_shape *shape, struct pack *out)
{
    for (size_t i = 0; shape->kind == CONFIG_KIND_ONE_OF && i < shape->alts_n; i++) {
        const struct config_shape *alt = &config_shapes[config_shape_alts[shape->alts_at + i]];
        if (has_children(alt)) {
            children_add(path, alt, out);
            return; /* the first that has any: the forms of a secret all have the same keys */
        }
    }
    for (size_t i = 0; shape->kind == CONFIG_KIND_OBJECT && i < shape->keys_n; i++) {
        const struct config_shape_key *key = &config_shape_keys[shape->keys_at + i];
        child_pack(path, key->name, &config_shapes[key->shape], key->is_required, out);
    }
    if (shape->kind == CONFIG_KIND_OBJECT && shape->rest) {
        child_pack(path, "*", &config_shapes[shape->rest], false, out);
    } else if (shape->kind == CONFIG_KIND_LIST) {
        child_pack(path, "*", &config_shapes[shape->item], false, out);
    }
}

void config_shape_children_pack(struct span path, const struct config_shape *shape, struct pack *out)
{
    pack_array_begin(out);
    if (shape) {
        children_add(path, shape, out);
    } else {
        for (size_t i = 0; i < config_sections_n; i++) {
            child_pack(path, config_sections[i].name, &config_shapes[config_sections[i].shape], false, out);
        }
    }
    pack_array_end(out);
}
