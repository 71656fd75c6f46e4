#include "actors/agent/embed_wire.h"

#include "bus/base/cleanup.h"
#include "bus/value.h"

#define DEPTH_MAX 16
#define ANSWER_MAX ((size_t)64 << 20)

int embed_request_build(const char *model, struct span inputs, uint32_t dimensions, struct text_buf *out)
{
    CLEANUP(pack_deinit) struct pack pack;

    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "model", model);
    pack_kv_raw(&pack, "input", inputs);
    pack_kv_text(&pack, "encoding_format", "float");
    if (dimensions) {
        pack_kv_u64(&pack, "dimensions", dimensions);
    }
    pack_map_end(&pack);
    return pack_error(&pack) ? pack_error(&pack) : json_from_value(pack_span(&pack), out);
}

static bool is_vector(struct span value)
{
    struct value_iter it = value_iter(value);
    struct span key;
    struct span number;

    if (value_kind_of(value) != VALUE_ARRAY || !it.left || it.left > EMBED_DIMENSIONS_MAX) {
        return false;
    }
    while (value_next(&it, &key, &number)) {
        if (value_kind_of(number) != VALUE_FLOAT && value_kind_of(number) != VALUE_INT) {
            return false;
        }
    }
    return true;
}

/* The vector of input `index`; a provider need not keep the order. */
static struct span vector_find(struct span data, uint32_t index)
{
    struct value_iter it = value_iter(data);
    struct span key;
    struct span item;

    for (uint32_t at = 0; value_next(&it, &key, &item); at++) {
        if (value_i64(value_get(item, "index"), at) == (int64_t)index) {
            return value_get(item, "embedding");
        }
    }
    return (struct span){ 0 };
}

int embed_answer_read(struct span body, uint32_t inputs_n, struct pack *out, uint64_t *ret_tokens)
{
    static const struct json_opts opts = { .depth_max = DEPTH_MAX };
    CLEANUP(pack_deinit) struct pack pack;
    struct span data;
    int64_t tokens;
    int rc;

    pack_init(&pack, ANSWER_MAX);
    rc = json_to_pack(body, &opts, &pack, NULL);
    if (rc) {
        return rc < 0 ? rc : EMBED_WIRE_E_RUBBISH;
    }
    data = value_get(pack_span(&pack), "data");
    if (value_kind_of(data) != VALUE_ARRAY || value_count(data) != inputs_n) {
        return EMBED_WIRE_E_RUBBISH;
    }
    pack_array_begin(out);
    for (uint32_t i = 0; i < inputs_n; i++) {
        struct span vector = vector_find(data, i);

        if (!is_vector(vector)) {
            return EMBED_WIRE_E_RUBBISH;
        }
        pack_raw(out, vector);
    }
    pack_array_end(out);
    tokens = value_i64(value_path(pack_span(&pack), "usage.prompt_tokens"),
                       value_i64(value_path(pack_span(&pack), "usage.total_tokens"), 0));
    *ret_tokens = tokens > 0 ? (uint64_t)tokens : 0;
    return pack_error(out);
}
