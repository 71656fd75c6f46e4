#include "actors/agent/tool_calls.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/agent/ids.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/base/utf8.h"
#include "bus/value.h"

#define DEPTH_MAX 32

void tool_calls_deinit(struct tool_calls *self)
{
    for (uint32_t i = 0; i < self->n; i++) {
        text_buf_deinit(&self->at[i].arguments);
    }
    free(self->at);
    *self = (struct tool_calls){ 0 };
}

static void name_keep(char *out, size_t size, struct span text)
{
    if (text.len && !out[0]) {
        struct span cut = utf8_cut(text, size - 1);

        memcpy(out, cut.ptr, cut.len);
        out[cut.len] = '\0';
    }
}

static bool call_is_meant(const struct tool_calls *self, uint32_t i, const struct tool_call_piece *piece)
{
    if (piece->has_index) {
        return self->at[i].index == piece->index;
    }
    return piece->id.len ? span_is_text(piece->id, self->at[i].id) : i + 1 == self->n;
}

/* The call that a piece belongs to, a new one if need be; NULL when there is no room. */
static struct tool_call *call_find(struct tool_calls *self, const struct tool_call_piece *piece)
{
    struct tool_call *call;

    for (uint32_t i = 0; i < self->n; i++) {
        if (call_is_meant(self, i, piece)) {
            return &self->at[i];
        }
    }
    if (self->n == TOOL_CALLS_MAX) {
        return NULL;
    }
    if (!self->at) {
        self->at = mem_new(TOOL_CALLS_MAX * sizeof(*self->at));
    }
    call = &self->at[self->n];
    call->index = piece->has_index ? piece->index : self->n;
    self->n++;
    return call;
}

int tool_calls_add(struct tool_calls *self, const struct tool_call_piece *piece)
{
    struct tool_call *call = call_find(self, piece);

    if (!call) {
        return TOOL_CALLS_E_FULL;
    }
    name_keep(call->id, sizeof(call->id), piece->id);
    name_keep(call->name, sizeof(call->name), piece->name);
    if (!call->id[0]) {
        char id[IDS_SHORT_MAX];

        ids_short(id);
        (void)snprintf(call->id, sizeof(call->id), "call_%s", id); /* fits */
    }
    return piece->arguments.len ? text_buf_add(&call->arguments, piece->arguments) : 0;
}

bool tool_calls_has_more(const struct tool_calls *self, uint32_t i, size_t sent)
{
    return sent == 0 || self->at[i].arguments.len > sent - 1;
}

size_t tool_calls_piece_pack(const struct tool_calls *self, uint32_t i, size_t sent, size_t max, struct pack *out)
{
    const struct tool_call *call = &self->at[i];
    size_t from = sent ? sent - 1 : 0;
    struct span rest = { call->arguments.data ? call->arguments.data + from : "", call->arguments.len - from };
    struct span piece = utf8_cut(rest, max);

    pack_map_begin(out);
    pack_kv_u64(out, "index", i);
    if (!sent) {
        pack_kv_text(out, "id", call->id);
        pack_kv_text(out, "name", call->name);
    }
    pack_kv_str(out, "arguments", piece);
    pack_map_end(out);
    return from + piece.len + 1;
}

/* --- as they are stored ------------------------------------------------------------------ */

/* Arguments that are no JSON are kept as the text they are. */
static void arguments_pack(struct span text, struct pack *out)
{
    static const struct json_opts opts = { .depth_max = DEPTH_MAX };
    CLEANUP(pack_deinit) struct pack value;
    struct json_error error;

    pack_init(&value, 0);
    if (json_to_pack(text, &opts, &value, &error) == 0) {
        pack_raw(out, pack_span(&value));
    } else if (text.len) {
        pack_str(out, text);
    } else {
        pack_map_begin(out);
        pack_map_end(out);
    }
}

void tool_calls_part_pack(struct span id, struct span name, struct span arguments, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "type", "toolCall");
    pack_kv_str(out, "id", id);
    pack_kv_str(out, "name", name);
    pack_key(out, "arguments");
    arguments_pack(arguments, out);
    pack_map_end(out);
}

void tool_calls_stored_pack(const struct tool_calls *self, struct pack *out)
{
    for (uint32_t i = 0; i < self->n; i++) {
        const struct tool_call *call = &self->at[i];

        tool_calls_part_pack(span_from(call->id), span_from(call->name),
                             (struct span){ call->arguments.data, call->arguments.len }, out);
    }
}

bool tool_calls_is_part(struct span part)
{
    return span_is_text(value_str(value_get(part, "type"), SPAN_LIT("")), "toolCall");
}

/* The text of stored arguments; in `text`, which was empty. */
static struct span arguments_text(struct span part, struct text_buf *text)
{
    struct span value = value_get(part, "arguments");

    if (value_kind_of(value) == VALUE_STR) {
        return value_str(value, SPAN_LIT(""));
    }
    if (value_kind_of(value) == VALUE_NONE || json_from_value(value, text)) {
        return SPAN_LIT("{}");
    }
    return (struct span){ text->data, text->len };
}

static void function_pack(struct span part, struct pack *out)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    pack_map_begin(out);
    pack_kv_str(out, "id", value_str(value_get(part, "id"), SPAN_LIT("")));
    pack_kv_text(out, "type", "function");
    pack_key(out, "function");
    pack_map_begin(out);
    pack_kv_str(out, "name", value_str(value_get(part, "name"), SPAN_LIT("")));
    pack_kv_str(out, "arguments", arguments_text(part, &text));
    pack_map_end(out);
    pack_map_end(out);
}

static bool has_parts(struct span content)
{
    struct value_iter it = value_iter(content);
    struct span key;
    struct span part;

    while (value_next(&it, &key, &part)) {
        if (tool_calls_is_part(part)) {
            return true;
        }
    }
    return false;
}

bool tool_calls_from_parts(struct span content, struct pack *out)
{
    struct value_iter it = value_iter(content);
    struct span key;
    struct span part;

    if (!has_parts(content)) {
        return false;
    }
    pack_array_begin(out);
    while (value_next(&it, &key, &part)) {
        if (tool_calls_is_part(part)) {
            function_pack(part, out);
        }
    }
    pack_array_end(out);
    return true;
}

void tool_calls_run_pack(struct span content, struct pack *out)
{
    struct value_iter it = value_iter(content);
    struct span key;
    struct span part;
    uint32_t index = 0;

    pack_array_begin(out);
    while (value_next(&it, &key, &part)) {
        CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

        if (!tool_calls_is_part(part)) {
            continue;
        }
        pack_map_begin(out);
        pack_kv_u64(out, "index", index++);
        pack_kv_str(out, "id", value_str(value_get(part, "id"), SPAN_LIT("")));
        pack_kv_str(out, "name", value_str(value_get(part, "name"), SPAN_LIT("")));
        pack_kv_str(out, "arguments", arguments_text(part, &text));
        pack_map_end(out);
    }
    pack_array_end(out);
}
