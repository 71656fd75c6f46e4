#include "actors/agent/transcript.h"

#include <stdlib.h>
#include <string.h>

#include "actors/agent/events.h"
#include "actors/agent/message.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/utf8.h"
#include "bus/value.h"

#define CUT_MARK "\n[… cut]"
#define POLL_MARK "[heartbeat]"
#define HIDDEN_KEY "openclawHeartbeat"

/* --- what is stored ---------------------------------------------------------------------- */

void transcript_question_pack(struct pack *out, struct span text, int64_t now_ms)
{
    pack_map_begin(out);
    pack_kv_text(out, "role", "user");
    pack_key(out, "content");
    message_content_pack(text, out);
    pack_kv_i64(out, "timestamp", now_ms);
    pack_map_end(out);
}

/* What the asker calls the tool of a call that is part of the same request. */
static struct span tool_name_of(struct span messages, struct span call_id)
{
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;
    struct span name = { 0 };

    while (value_next(&it, &key, &message)) {
        struct value_iter calls = value_iter(value_get(message, "tool_calls"));
        struct span call;

        while (value_next(&calls, &key, &call)) {
            if (span_is(value_str(value_get(call, "id"), SPAN_LIT("")), call_id)) {
                name = value_str(value_path(call, "function.name"), name);
            }
        }
    }
    return name;
}

static void result_pack(struct pack *out, struct span messages, struct span message)
{
    struct span id = message_call_id(message);
    struct span name = tool_name_of(messages, id);

    pack_kv_text(out, "role", "toolResult");
    pack_kv_str(out, "toolCallId", id);
    if (name.len) {
        pack_kv_str(out, "toolName", name);
    }
    pack_kv_bool(out, "isError", false);
}

static int said_pack(struct pack *out, struct span message)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct value_iter it = value_iter(value_get(message, "tool_calls"));
    struct span key;
    struct span call;

    if (message_text_add(value_get(message, "content"), &text)) {
        return FAULT(-ENOMEM);
    }
    pack_key(out, "content");
    pack_array_begin(out);
    message_text_pack((struct span){ text.data, text.len }, out);
    while (value_next(&it, &key, &call)) {
        tool_calls_part_pack(value_str(value_get(call, "id"), SPAN_LIT("")),
                             value_str(value_path(call, "function.name"), SPAN_LIT("")),
                             value_str(value_path(call, "function.arguments"), SPAN_LIT("")), out);
    }
    pack_array_end(out);
    return 0;
}

int transcript_message_pack(struct pack *out, struct span messages, struct span message, int64_t now_ms)
{
    int rc;

    pack_map_begin(out);
    if (message_is_result(message)) {
        result_pack(out, messages, message);
    } else {
        pack_kv_str(out, "role", value_str(value_get(message, "role"), SPAN_LIT("user")));
    }
    rc = said_pack(out, message);
    if (rc) {
        return rc;
    }
    pack_kv_i64(out, "timestamp", now_ms);
    pack_map_end(out);
    return pack_error(out);
}

void transcript_poll_mark_pack(struct pack *out, int64_t now_ms)
{
    pack_map_begin(out);
    pack_kv_text(out, "role", "user");
    pack_key(out, "content");
    message_content_pack(SPAN_LIT(POLL_MARK), out);
    pack_kv_i64(out, "timestamp", now_ms);
    pack_kv_bool(out, HIDDEN_KEY, true);
    pack_map_end(out);
}

bool transcript_is_hidden(struct span body)
{
    return value_bool(value_get(body, HIDDEN_KEY), false);
}

static void usage_pack(struct pack *out, const struct provider_usage *usage)
{
    pack_key(out, "usage");
    pack_map_begin(out);
    pack_kv_u64(out, "input", usage->input);
    pack_kv_u64(out, "output", usage->output);
    pack_kv_u64(out, "totalTokens", usage->total);
    pack_kv_u64(out, "cacheRead", 0);
    pack_kv_u64(out, "cacheWrite", 0);
    pack_key(out, "cost");
    pack_map_begin(out);
    pack_kv_u64(out, "total", 0);
    pack_map_end(out);
    pack_map_end(out);
}

void transcript_answer_pack(struct pack *out, const struct run *run, int64_t now_ms)
{
    const struct store_run *row = &run->row;

    pack_map_begin(out);
    pack_kv_text(out, "role", "assistant");
    pack_key(out, "content");
    pack_array_begin(out);
    message_text_pack((struct span){ run->text.data, run->text.len }, out);
    if (row->state == STORE_RUN_DONE) {
        tool_calls_stored_pack(&run->calls, out); /* of others nobody knows whether they are whole */
    }
    pack_array_end(out);
    pack_kv_text(out, "api", strcmp(run->provider, "builtin") == 0 ? "builtin" : "openai-completions");
    pack_kv_text(out, "provider", run->provider);
    pack_kv_text(out, "model", run->model);
    usage_pack(out, &run->usage);
    pack_kv_text(out, "stopReason",
                 row->state == STORE_RUN_DONE      ? (run->calls.n ? "toolUse" : run->finish_reason)
                 : row->state == STORE_RUN_ABORTED ? "aborted"
                                                   : "error");
    pack_kv_i64(out, "timestamp", now_ms);
    if (run->response_id[0]) {
        pack_kv_text(out, "responseId", run->response_id);
    }
    if (row->state == STORE_RUN_ERROR) {
        pack_kv_text(out, "errorMessage", row->error);
    } else if (row->state == STORE_RUN_ABORTED) {
        pack_key(out, "openclawAbort");
        pack_map_begin(out);
        pack_kv_bool(out, "aborted", true);
        pack_kv_text(out, "origin", row->stop_reason);
        pack_kv_text(out, "runId", row->id);
        pack_map_end(out);
    }
    pack_map_end(out);
}

/* --- reading back: newest first, so that the limits keep the newest ------------------------------ */

struct pile_item {
    int64_t run_n; /* 0 where the order is that of the transcript alone */
    uint32_t seq;
    size_t at;
    size_t size;
};

struct pile {
    struct text_buf bytes; /* packed values one behind the other */
    struct text_buf items; /* struct pile_item of each */
    uint32_t n;
    uint32_t n_max;
    size_t bytes_max;
    size_t chars_max;
    struct pack scratch;
    int rc;
};

static void pile_deinit(struct pile *self)
{
    text_buf_deinit(&self->bytes);
    text_buf_deinit(&self->items);
    pack_deinit(&self->scratch);
}

/* Keeps what stands in the scratch; true when the pile is full. */
static bool pile_add(struct pile *self, int64_t run_n, uint32_t seq)
{
    struct span value = pack_span(&self->scratch);
    struct pile_item item = { .run_n = run_n, .seq = seq, .at = self->bytes.len, .size = value.len };

    self->rc = pack_error(&self->scratch);
    if (self->rc || (self->n && self->bytes.len + value.len > self->bytes_max)) {
        return true; /* the newest one is always kept */
    }
    self->rc = text_buf_add(&self->bytes, value);
    if (!self->rc) {
        self->rc = text_buf_add(&self->items, (struct span){ (const char *)&item, sizeof(item) });
    }
    self->n += !self->rc;
    return self->rc || self->n >= self->n_max;
}

static int item_compare(const void *a, const void *b)
{
    const struct pile_item *left = a;
    const struct pile_item *right = b;

    if (left->run_n != right->run_n) {
        return left->run_n < right->run_n ? -1 : 1;
    }
    return left->seq < right->seq ? -1 : left->seq > right->seq;
}

static void pile_write(struct pile *self, struct pack *out)
{
    struct pile_item *items = (struct pile_item *)(void *)self->items.data; /* malloc aligns it */

    if (self->n) {
        qsort(items, self->n, sizeof(*items), item_compare);
    }
    for (uint32_t i = 0; i < self->n; i++) {
        pack_raw(out, (struct span){ self->bytes.data + items[i].at, items[i].size });
    }
}

static int text_shown(struct span content, size_t chars_max, struct text_buf *out)
{
    int rc = message_text_add(content, out);
    struct span cut;

    if (rc) {
        return rc;
    }
    cut = utf8_cut_chars((struct span){ out->data, out->len }, chars_max);
    if (cut.len < out->len) {
        out->len = cut.len;
        return text_buf_add(out, SPAN_LIT(CUT_MARK));
    }
    return 0;
}

/* The body with its content replaced. */
static void body_cut(struct pack *out, struct span body, struct span text)
{
    struct value_iter it = value_iter(body);
    struct span key;
    struct span item;

    pack_map_begin(out);
    while (value_next(&it, &key, &item)) {
        pack_key_span(out, key);
        if (span_is_text(key, "content")) {
            message_content_pack(text, out);
        } else {
            pack_raw(out, item);
        }
    }
    pack_map_end(out);
}

static int history_on_message(void *arg, const struct store_message *message)
{
    struct pile *pile = arg;
    struct span content = value_get(message->body, "content");
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    CLEANUP(pack_deinit) struct pack cut = { 0 };
    struct span body = message->body;

    if (transcript_is_hidden(body)) {
        return 0;
    }
    pack_init(&cut, 0);
    if (message_text_bytes(content) > pile->chars_max || body.len > TRANSCRIPT_MESSAGE_MAX) {
        size_t chars_max = pile->chars_max < TRANSCRIPT_MESSAGE_MAX / 8 ? pile->chars_max : TRANSCRIPT_MESSAGE_MAX / 8;

        pile->rc = text_shown(content, chars_max, &text);
        body_cut(&cut, body, (struct span){ text.data, text.len });
        body = pack_span(&cut);
    }
    pack_reset(&pile->scratch);
    events_message(&pile->scratch, body, message->id, message->seq);
    return pile->rc || pile_add(pile, 0, message->seq);
}

/* What `on` piles up of a session's messages, as an array in their order. */
static int pile_pack(struct pile *self, struct store *store, int64_t session_n, uint32_t seq_max, store_on_message on,
                     struct pack *out)
{
    int rc;

    pack_init(&self->scratch, 0);
    rc = store_messages_read(store, session_n, seq_max, on, self);
    pack_array_begin(out);
    pile_write(self, out);
    pack_array_end(out);
    return rc ? rc : self->rc;
}

int transcript_history_pack(struct store *store, int64_t session_n, uint32_t seq_max,
                            const struct transcript_limits *limits, struct pack *out)
{
    CLEANUP(pile_deinit)
    struct pile pile = { .n_max = limits->messages_max,
                         .bytes_max = limits->bytes_max,
                         .chars_max = limits->chars_max };

    return pile_pack(&pile, store, session_n, seq_max, history_on_message, out);
}

static int preview_on_message(void *arg, const struct store_message *message)
{
    struct pile *pile = arg;
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    if (transcript_is_hidden(message->body)) {
        return 0;
    }
    pile->rc = message_text_add(value_get(message->body, "content"), &text);
    if (pile->rc || !text.len) {
        return pile->rc;
    }
    pack_reset(&pile->scratch);
    pack_map_begin(&pile->scratch);
    pack_kv_str(&pile->scratch, "role", value_str(value_get(message->body, "role"), SPAN_LIT("user")));
    pack_kv_str(&pile->scratch, "text", utf8_cut_chars((struct span){ text.data, text.len }, pile->chars_max));
    pack_map_end(&pile->scratch);
    return pile_add(pile, 0, message->seq);
}

int transcript_preview_pack(struct store *store, int64_t session_n, uint32_t seq_max, uint32_t limit, size_t chars_max,
                            struct pack *out)
{
    CLEANUP(pile_deinit)
    struct pile pile = { .n_max = limit, .bytes_max = TRANSCRIPT_BYTES_MAX, .chars_max = chars_max };

    return pile_pack(&pile, store, session_n, seq_max, preview_on_message, out);
}

struct context {
    struct pile pile;
    int64_t run_n;
};

static void context_deinit(struct context *self)
{
    pile_deinit(&self->pile);
}

/* All that came with the question; what is of an older run stands before it. */
static int question_on_message(void *arg, const struct store_message *message)
{
    struct context *self = arg;

    if (message->run_n != self->run_n) {
        return 1;
    }
    pack_reset(&self->pile.scratch);
    if (message_pack(message->body, &self->pile.scratch)) {
        (void)pile_add(&self->pile, message->run_n, message->seq); /* full or not, it is the question */
    }
    return 0;
}

static int context_on_message(void *arg, const struct store_message *message)
{
    struct context *self = arg;

    /* A question that waited stands before the answers it waited for; by run they are in order. */
    if (message->run_n >= self->run_n) {
        return 0; /* the question itself, and what waits behind it */
    }
    pack_reset(&self->pile.scratch);
    return message_pack(message->body, &self->pile.scratch) ? pile_add(&self->pile, message->run_n, message->seq) : 0;
}

/* Right before the question. They are nobody's instructions: a user says them, not the system. */
static void notes_pile(struct context *self, struct span notes)
{
    pack_reset(&self->pile.scratch);
    pack_map_begin(&self->pile.scratch);
    pack_kv_text(&self->pile.scratch, "role", "user");
    pack_kv_str(&self->pile.scratch, "content", notes);
    pack_map_end(&self->pile.scratch);
    (void)pile_add(&self->pile, self->run_n, 0); /* full or not: they are few */
}

/* The question as its asker sent it, with pictures and all. */
static void question_pile(struct context *self, struct span question)
{
    struct value_iter it = value_iter(question);
    struct span key;
    struct span message;
    uint32_t seq = 1;

    while (value_next(&it, &key, &message)) {
        pack_reset(&self->pile.scratch);
        if (message_pack(message, &self->pile.scratch)) {
            (void)pile_add(&self->pile, self->run_n, seq++); /* full or not, it is the question */
        }
    }
}

/* --- calls and their results belong together --------------------------------------------- */

/*
 * A provider wants every call answered right behind the message that makes it, and no
 * answer without its call. A session may hold neither: an asker that never came back, or
 * a beginning that was left out for its size.
 */
struct pairing {
    struct pack *out;
    struct span open[TOOL_CALLS_MAX]; /* ids of calls without a result */
    uint32_t open_n;
};

static void result_missing_pack(struct pairing *self)
{
    for (uint32_t i = 0; i < self->open_n; i++) {
        pack_map_begin(self->out);
        pack_kv_text(self->out, "role", "tool");
        pack_kv_str(self->out, "tool_call_id", self->open[i]);
        pack_kv_text(self->out, "content", "No result was given.");
        pack_map_end(self->out);
    }
    self->open_n = 0;
}

static bool open_take(struct pairing *self, struct span id)
{
    for (uint32_t i = 0; i < self->open_n; i++) {
        if (span_is(self->open[i], id)) {
            self->open[i] = self->open[--self->open_n];
            return true;
        }
    }
    return false;
}

static void result_alone_pack(struct pairing *self, struct span message)
{
    pack_map_begin(self->out);
    pack_kv_text(self->out, "role", "user");
    pack_kv_str(self->out, "content", value_str(value_get(message, "content"), SPAN_LIT("")));
    pack_map_end(self->out);
}

static void paired_pack(struct pairing *self, struct span message)
{
    struct value_iter calls = value_iter(value_get(message, "tool_calls"));
    struct span key;
    struct span call;

    if (message_is_result(message)) {
        if (open_take(self, message_call_id(message))) {
            pack_raw(self->out, message);
        } else {
            result_alone_pack(self, message);
        }
        return;
    }
    result_missing_pack(self);
    pack_raw(self->out, message);
    while (value_next(&calls, &key, &call) && self->open_n < TOOL_CALLS_MAX) {
        self->open[self->open_n++] = value_str(value_get(call, "id"), SPAN_LIT(""));
    }
}

static void context_write(struct context *self, struct pack *out)
{
    struct pile_item *items = (struct pile_item *)(void *)self->pile.items.data; /* malloc aligns it */
    struct pairing pairing = { .out = out };

    if (self->pile.n) {
        qsort(items, self->pile.n, sizeof(*items), item_compare);
    }
    for (uint32_t i = 0; i < self->pile.n; i++) {
        paired_pack(&pairing, (struct span){ self->pile.bytes.data + items[i].at, items[i].size });
    }
    result_missing_pack(&pairing);
}

int transcript_context_pack(struct store *store, const struct store_run *run, const struct transcript_context *what,
                            struct pack *out)
{
    CLEANUP(context_deinit)
    struct context context = {
        .pile = { .n_max = UINT32_MAX, .bytes_max = SIZE_MAX }, /* the question was checked when it came in */
        .run_n = run->n,
    };
    int rc = 0;

    pack_init(&context.pile.scratch, 0);
    if (what->question.len) {
        question_pile(&context, what->question);
    } else {
        rc = store_messages_read(store, run->session_n, run->message_seq, question_on_message, &context);
    }
    context.pile.bytes_max = context.pile.bytes.len + TRANSCRIPT_CONTEXT_MAX;
    if (!rc && what->notes.len) {
        notes_pile(&context, what->notes);
    }
    if (!rc) {
        rc = store_messages_read(store, run->session_n, what->seq_max, context_on_message, &context);
    }
    if (!rc) {
        rc = context.pile.rc;
    }
    pack_array_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(what->system_prompts); i++) {
        if (what->system_prompts[i]) {
            pack_map_begin(out);
            pack_kv_text(out, "role", "system");
            pack_kv_text(out, "content", what->system_prompts[i]);
            pack_map_end(out);
        }
    }
    context_write(&context, out);
    pack_array_end(out);
    return rc;
}
