#include "actors/config/models.h"

#include <stdio.h>

#include "bus/value.h"

#define REF_MAX 512
#define NOTHING ((struct span){ 0 })

static struct span text_of(struct span map, const char *key)
{
    return value_str(value_get(map, key), NOTHING);
}

/* "provider/model" of the first model that any provider lists. */
static bool first_model(struct span doc, char ref[REF_MAX])
{
    struct value_iter it = value_iter(value_path(doc, "models.providers"));
    struct span provider;
    struct span item;

    while (value_next(&it, &provider, &item)) {
        struct value_iter models = value_iter(value_get(item, "models"));
        struct span key;
        struct span model;
        if (value_next(&models, &key, &model) && text_of(model, "id").len) {
            snprintf(ref, REF_MAX, "%.*s/%.*s", SPAN_FMT(provider), SPAN_FMT(text_of(model, "id")));
            return true;
        }
    }
    return false;
}

/* agents.defaults.model is a text, or an object with `primary`. */
static struct span named_model(struct span doc)
{
    struct span model = value_path(doc, "agents.defaults.model");
    struct span text = value_str(model, NOTHING);

    return text.len ? text : text_of(model, "primary");
}

void models_default_pack(struct span doc, struct pack *out)
{
    struct span model = value_path(doc, "agents.defaults.model");
    struct span primary = named_model(doc);
    char ref[REF_MAX];

    if (!primary.len) {
        if (!first_model(doc, ref)) {
            snprintf(ref, sizeof(ref), "%s/%s", MODELS_BUILTIN_PROVIDER, MODELS_BUILTIN_ID);
        }
        primary = span_from(ref);
    }
    pack_map_begin(out);
    pack_key(out, "defaults");
    pack_map_begin(out);
    pack_key(out, "model");
    pack_map_begin(out);
    pack_kv_str(out, "primary", primary);
    if (value_get(model, "fallbacks").len) {
        pack_kv_raw(out, "fallbacks", value_get(model, "fallbacks"));
    }
    pack_map_end(out);
    pack_map_end(out);
    pack_map_end(out);
}

/* The alias that agents.defaults.models gives to "provider/model". */
static struct span alias_of(struct span doc, struct span provider, struct span id)
{
    struct span models = value_path(doc, "agents.defaults.models");
    char ref[REF_MAX];

    snprintf(ref, sizeof(ref), "%.*s/%.*s", SPAN_FMT(provider), SPAN_FMT(id));
    return text_of(value_get(models, ref), "alias");
}

static void model_pack(struct span doc, struct span provider, struct span model, struct pack *out)
{
    struct span id = text_of(model, "id");
    struct span name = text_of(model, "name");
    struct span alias = alias_of(doc, provider, id);
    int64_t window = value_i64(value_get(model, "contextWindow"), 0);
    struct span reasoning = value_get(model, "reasoning");
    struct span input = value_get(model, "input");

    pack_map_begin(out);
    pack_kv_str(out, "provider", provider);
    pack_kv_str(out, "id", id);
    pack_kv_str(out, "name", name.len ? name : id);
    if (alias.len) {
        pack_kv_str(out, "alias", alias);
    }
    if (window > 0) {
        pack_kv_i64(out, "contextWindow", window);
    }
    if (value_kind_of(reasoning) == VALUE_BOOL) {
        pack_kv_raw(out, "reasoning", reasoning);
    }
    if (value_kind_of(input) == VALUE_ARRAY) {
        pack_kv_raw(out, "input", input);
    }
    pack_map_end(out);
}

static void builtin_pack(struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "provider", MODELS_BUILTIN_PROVIDER);
    pack_kv_text(out, "id", MODELS_BUILTIN_ID);
    pack_kv_text(out, "name", "Echo");
    pack_kv_i64(out, "contextWindow", 128000);
    pack_kv_bool(out, "reasoning", false);
    pack_key(out, "input");
    pack_array_begin(out);
    pack_text(out, "text");
    pack_array_end(out);
    pack_map_end(out);
}

void models_list_pack(struct span doc, struct pack *out)
{
    struct value_iter providers = value_iter(value_path(doc, "models.providers"));
    struct span provider;
    struct span item;

    pack_map_begin(out);
    pack_key(out, "models");
    pack_array_begin(out);
    while (value_next(&providers, &provider, &item)) {
        struct value_iter models = value_iter(value_get(item, "models"));
        struct span key;
        struct span model;
        while (value_next(&models, &key, &model)) {
            if (text_of(model, "id").len) {
                model_pack(doc, provider, model, out);
            }
        }
    }
    if (span_is_text(named_model(doc), MODELS_BUILTIN_PROVIDER "/" MODELS_BUILTIN_ID)) {
        builtin_pack(out);
    }
    pack_array_end(out);
    pack_map_end(out);
}
