#include "actors/agent/openai_wire.h"

#include <stdio.h>
#include <string.h>

#include "actors/agent/message.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/value.h"

#define DEPTH_MAX 32
#define REQUEST_MAX ((size_t)48 << 20)

static void options_pack(const struct provider_request *request, struct pack *pack)
{
    struct value_iter it = value_iter(request->options);
    struct span key;
    struct span value;

    while (value_next(&it, &key, &value)) {
        pack_key_span(pack, key);
        pack_raw(pack, value);
    }
    pack_kv_bool(pack, "stream", true);
    pack_key(pack, "stream_options");
    pack_map_begin(pack);
    pack_kv_bool(pack, "include_usage", true);
    pack_map_end(pack);
}

int openai_request_build(const struct provider_request *request, struct text_buf *out)
{
    CLEANUP(pack_deinit) struct pack pack;
    struct value_iter it = value_iter(request->messages);
    struct span key;
    struct span message;
    int rc;

    pack_init(&pack, REQUEST_MAX);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "model", request->model);
    pack_key(&pack, "messages");
    pack_array_begin(&pack);
    while (value_next(&it, &key, &message)) {
        (void)message_pack(message, &pack); /* one with nothing to say is left out */
    }
    pack_array_end(&pack);
    options_pack(request, &pack);
    pack_map_end(&pack);
    rc = pack_error(&pack);
    return rc ? rc : json_from_value(pack_span(&pack), out);
}

static void usage_read(struct span usage, struct openai_chunk *chunk)
{
    int64_t input = value_i64(value_get(usage, "prompt_tokens"), 0);
    int64_t output = value_i64(value_get(usage, "completion_tokens"), 0);
    int64_t total = value_i64(value_get(usage, "total_tokens"), 0);

    if (value_kind_of(usage) != VALUE_MAP) {
        return;
    }
    chunk->has_usage = true;
    chunk->usage.input = input > 0 ? (uint64_t)input : 0;
    chunk->usage.output = output > 0 ? (uint64_t)output : 0;
    chunk->usage.total = total > 0 ? (uint64_t)total : chunk->usage.input + chunk->usage.output;
}

/* Members are looked at once, in the order in which they stand: there is such a text for every token. No name stands
 * there twice, as json_to_pack leaves the last. */
static void delta_read(struct span delta, struct openai_chunk *chunk)
{
    struct value_iter it = value_iter(delta);
    struct span key;
    struct span item;

    while (it.is_map && value_next(&it, &key, &item)) {
        if (span_is_text(key, "content")) {
            chunk->text = value_str(item, (struct span){ 0 });
        } else if (span_is_text(key, "tool_calls")) {
            chunk->tool_calls = item;
            chunk->has_tool_call |= value_count(item) > 0;
        } else if (span_is_text(key, "function_call")) {
            chunk->has_tool_call |= value_kind_of(item) == VALUE_MAP;
        }
    }
}

static void choice_read(struct span choice, struct openai_chunk *chunk)
{
    struct value_iter it = value_iter(choice);
    struct span key;
    struct span item;

    while (it.is_map && value_next(&it, &key, &item)) {
        if (span_is_text(key, "delta")) {
            delta_read(item, chunk);
        } else if (span_is_text(key, "finish_reason")) {
            chunk->finish_reason = value_str(item, (struct span){ 0 });
        }
    }
}

/* What a chunk consists of, as far as we use it. */
struct chunk_parts {
    struct span error;
    struct span choices;
    struct span usage;
    struct span id;
};

static void parts_read(struct span root, struct chunk_parts *parts)
{
    struct value_iter it = value_iter(root);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (span_is_text(key, "error")) {
            parts->error = item;
        } else if (span_is_text(key, "choices")) {
            parts->choices = item;
        } else if (span_is_text(key, "usage")) {
            parts->usage = item;
        } else if (span_is_text(key, "id")) {
            parts->id = item;
        }
    }
}

int openai_chunk_parse(struct span data, struct pack *scratch, struct openai_chunk *ret_chunk)
{
    static const struct json_opts opts = { .depth_max = DEPTH_MAX };
    struct openai_chunk chunk = { 0 };
    struct json_error error;
    struct chunk_parts parts = { .id = { 0 } };
    struct value_iter it;
    struct span root;
    struct span key;
    struct span choice;
    int rc;

    pack_reset(scratch);
    rc = json_to_pack(data, &opts, scratch, &error);
    if (rc < 0) {
        return rc;
    }
    root = pack_span(scratch);
    if (rc || value_kind_of(root) != VALUE_MAP) {
        return OPENAI_WIRE_E_RUBBISH;
    }
    parts_read(root, &parts);
    if (value_kind_of(parts.error) == VALUE_MAP || value_kind_of(parts.error) == VALUE_STR) {
        chunk.has_error = true;
        chunk.error = value_str(parts.error, value_str(value_get(parts.error, "message"), SPAN_LIT("")));
        *ret_chunk = chunk;
        return 0;
    }
    if (value_kind_of(parts.choices) != VALUE_ARRAY) {
        return OPENAI_WIRE_E_RUBBISH;
    }
    it = value_iter(parts.choices);
    if (value_next(&it, &key, &choice)) {
        choice_read(choice, &chunk); /* we ask for one */
    }
    chunk.response_id = value_str(parts.id, (struct span){ 0 });
    usage_read(parts.usage, &chunk);
    *ret_chunk = chunk;
    return 0;
}

void openai_piece_read(struct span call, struct tool_call_piece *ret_piece)
{
    static const struct span nothing = { 0 };
    int64_t index = value_i64(value_get(call, "index"), -1);

    *ret_piece = (struct tool_call_piece){
        .has_index = index >= 0 && index <= UINT32_MAX,
        .index = (uint32_t)index,
        .id = value_str(value_get(call, "id"), nothing),
        .name = value_str(value_path(call, "function.name"), nothing),
        .arguments = value_str(value_path(call, "function.arguments"), nothing),
    };
}

/* --- errors ------------------------------------------------------------------------------ */

static size_t char_bytes(unsigned char lead)
{
    if (lead >= 0xf0) {
        return 4;
    }
    if (lead >= 0xe0) {
        return 3;
    }
    return lead >= 0xc0 ? 2 : 1;
}

void openai_text_clean(struct span in, const char *secret, char *text, size_t text_size)
{
    static const char mark[] = "[redacted]";
    size_t secret_len = secret ? strlen(secret) : 0;
    size_t len = 0;

    for (size_t i = 0; i < in.len;) {
        size_t bytes = char_bytes((unsigned char)in.ptr[i]);

        if (secret_len && in.len - i >= secret_len && memcmp(in.ptr + i, secret, secret_len) == 0) {
            if (len + sizeof(mark) > text_size) {
                break;
            }
            memcpy(text + len, mark, sizeof(mark) - 1);
            len += sizeof(mark) - 1;
            i += secret_len;
            continue;
        }
        if (bytes > in.len - i || len + bytes >= text_size) {
            break;
        }
        memcpy(text + len, in.ptr + i, bytes);
        if (bytes == 1 && ((unsigned char)in.ptr[i] < 0x20 || in.ptr[i] == 0x7f)) {
            text[len] = ' ';
        }
        len += bytes;
        i += bytes;
    }
    text[len] = 0;
}

static enum provider_outcome status_sort(long status, bool *ret_is_retryable)
{
    *ret_is_retryable = status >= 500 || status == 408 || status == 409 || status == 425 || status == 429;
    if (status == 401 || status == 403) {
        return PROVIDER_E_AUTH;
    }
    if (status == 429) {
        return PROVIDER_E_RATE;
    }
    if (status == 408) {
        return PROVIDER_E_TIMEOUT;
    }
    return status >= 500 ? PROVIDER_E_DOWN : PROVIDER_E_REFUSED;
}

static struct span error_message(struct span root)
{
    struct span error = value_get(root, "error");
    struct span message = value_str(value_get(error, "message"), value_str(error, (struct span){ 0 }));

    return message.len ? message : value_str(value_get(root, "message"), (struct span){ 0 });
}

enum provider_outcome openai_error_read(long status, struct span body, const char *secret, char *text, size_t text_size,
                                        bool *ret_is_retryable)
{
    static const struct json_opts opts = { .depth_max = DEPTH_MAX };
    CLEANUP(pack_deinit) struct pack pack;
    char message[PROVIDER_TEXT_MAX / 2] = "";
    enum provider_outcome outcome = status_sort(status, ret_is_retryable);
    struct json_error error;
    struct span code = { 0 };

    pack_init(&pack, 0);
    if (json_to_pack(body, &opts, &pack, &error) == 0) {
        struct span root = pack_span(&pack);

        openai_text_clean(error_message(root), secret, message, sizeof(message));
        code = value_str(value_path(root, "error.code"), code);
    }
    if (span_is_text(code, "context_length_exceeded")) {
        outcome = PROVIDER_E_CONTEXT;
    }
    (void)snprintf(text, text_size, "%ld %s", status, message[0] ? message : "from the provider, without a reason");
    return outcome;
}
