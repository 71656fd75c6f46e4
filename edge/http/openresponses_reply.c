#include "edge/http/openresponses_reply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/value.h"

#define ITEMS_MAX 256U
#define CALL_ID_MAX 257U
#define NAME_MAX_LEN 129U

struct openresponses_item {
    bool is_call;
    bool is_open;
    uint32_t index; /* of the call, as the run counts them */
    char call_id[CALL_ID_MAX];
    char name[NAME_MAX_LEN];
    struct text_buf text; /* of a message; arguments of a call */
};

static int add(struct text_buf *out, const char *text)
{
    return text_buf_add(out, span_from(text));
}

static int add_text(struct text_buf *out, const char *before, struct span text)
{
    int r = add(out, before);

    return r ? r : json_from_text(text, out);
}

static int add_number(struct text_buf *out, const char *before, uint64_t number)
{
    char text[24];
    int r = add(out, before);

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number); /* fits */
    return r ? r : add(out, text);
}

void openresponses_reply_deinit(struct openresponses_reply *self)
{
    for (uint32_t i = 0; i < self->items_n; i++) {
        text_buf_deinit(&self->items[i].text);
    }
    free(self->items);
    text_buf_deinit(&self->scratch);
    self->items = NULL;
    self->items_n = 0;
}

/* --- items ------------------------------------------------------------------------------ */

static struct span text_of(const struct openresponses_item *item)
{
    return (struct span){ item->text.data ? item->text.data : "", item->text.len };
}

/* An id of its own for each item, made of that of the answer. */
static int item_id_write(const struct openresponses_reply *self, uint32_t i, struct text_buf *out)
{
    char id[192];
    const char *rest = strchr(self->id, '_');

    (void)snprintf(id, sizeof(id), "%s_%.150s_%u", self->items[i].is_call ? "fc" : "msg", rest ? rest + 1 : self->id,
                   i); /* fits */
    return json_from_text(span_from(id), out);
}

static int part_write(struct span text, struct text_buf *out)
{
    int r = add_text(out, "{\"type\":\"output_text\",\"text\":", text);

    return r ? r : add(out, ",\"annotations\":[]}");
}

static int call_write(const struct openresponses_reply *self, uint32_t i, bool is_done, struct text_buf *out)
{
    const struct openresponses_item *item = &self->items[i];
    int r = add(out, "{\"type\":\"function_call\",\"id\":");

    r = r ? r : item_id_write(self, i, out);
    r = r ? r : add_text(out, ",\"call_id\":", span_from(item->call_id));
    r = r ? r : add_text(out, ",\"name\":", span_from(item->name));
    r = r ? r : add_text(out, ",\"arguments\":", is_done ? text_of(item) : SPAN_LIT(""));
    return r ? r : add(out, is_done ? ",\"status\":\"completed\"}" : ",\"status\":\"in_progress\"}");
}

/* Is a call made behind this message? Then it is no last word. */
static bool has_calls(const struct openresponses_reply *self)
{
    for (uint32_t i = 0; i < self->items_n; i++) {
        if (self->items[i].is_call) {
            return true;
        }
    }
    return false;
}

static int message_write(const struct openresponses_reply *self, uint32_t i, bool is_done, struct text_buf *out)
{
    int r = add(out, "{\"type\":\"message\",\"id\":");

    r = r ? r : item_id_write(self, i, out);
    r = r ? r : add(out, ",\"role\":\"assistant\",\"content\":[");
    if (!is_done) {
        return r ? r : add(out, "],\"status\":\"in_progress\"}");
    }
    r = r ? r : part_write(text_of(&self->items[i]), out);
    r = r ? r : add(out, "],\"phase\":");
    r = r ? r : add(out, has_calls(self) ? "\"commentary\"" : "\"final_answer\"");
    return r ? r : add(out, ",\"status\":\"completed\"}");
}

static int item_write(const struct openresponses_reply *self, uint32_t i, bool is_done, struct text_buf *out)
{
    return self->items[i].is_call ? call_write(self, i, is_done, out) : message_write(self, i, is_done, out);
}

/* --- events ----------------------------------------------------------------------------- */

/* Opens an event in the scratch, up to behind its sequence number. */
static int event_begin(struct openresponses_reply *self, const char *name)
{
    int r;

    self->scratch.len = 0;
    r = add_text(&self->scratch, "{\"type\":", span_from(name));
    return r ? r : add_number(&self->scratch, ",\"sequence_number\":", self->sequence++);
}

static int event_end(struct openresponses_reply *self, const char *name)
{
    int r = add(&self->scratch, "}");

    return r ? r : self->emit(self->arg, name, (struct span){ self->scratch.data, self->scratch.len });
}

/* The same for one about a part of item `i`. */
static int part_event_begin(struct openresponses_reply *self, const char *name, uint32_t i)
{
    int r = event_begin(self, name);

    r = r ? r : add(&self->scratch, ",\"item_id\":");
    r = r ? r : item_id_write(self, i, &self->scratch);
    r = r ? r : add_number(&self->scratch, ",\"output_index\":", i);
    return r || self->items[i].is_call ? r : add(&self->scratch, ",\"content_index\":0");
}

static int item_event(struct openresponses_reply *self, const char *name, uint32_t i, bool is_done)
{
    int r = event_begin(self, name);

    r = r ? r : add_number(&self->scratch, ",\"output_index\":", i);
    r = r ? r : add(&self->scratch, ",\"item\":");
    r = r ? r : item_write(self, i, is_done, &self->scratch);
    return r ? r : event_end(self, name);
}

static int part_event(struct openresponses_reply *self, const char *name, uint32_t i, struct span text)
{
    int r = part_event_begin(self, name, i);

    r = r ? r : add(&self->scratch, ",\"part\":");
    r = r ? r : part_write(text, &self->scratch);
    return r ? r : event_end(self, name);
}

static int text_event(struct openresponses_reply *self, const char *name, uint32_t i, const char *key, struct span text)
{
    int r = part_event_begin(self, name, i);

    r = r ? r : add_text(&self->scratch, key, text);
    return r ? r : event_end(self, name);
}

static int usage_write(const struct openai_usage *usage, struct text_buf *out)
{
    int r = add_number(out, ",\"usage\":{\"input_tokens\":", usage->input);

    r = r ? r : add_number(out, ",\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":", usage->output);
    r = r ? r
          : add_number(out, ",\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":",
                       usage->input + usage->output);
    return r ? r : add(out, "}");
}

static const char *incomplete_of(struct span finish_reason)
{
    if (span_is(finish_reason, SPAN_LIT("length"))) {
        return "max_output_tokens";
    }
    return span_is(finish_reason, SPAN_LIT("content_filter")) ? "content_filter" : NULL;
}

static int output_write(const struct openresponses_reply *self, struct text_buf *out)
{
    int r = add(out, ",\"output\":[");

    for (uint32_t i = 0; !r && i < self->items_n; i++) {
        r = i ? add(out, ",") : 0;
        r = r ? r : item_write(self, i, true, out);
    }
    return r ? r : add(out, "]");
}

/* The object of the answer. `usage` NULL: nothing is known yet. */
static int object_write(const struct openresponses_reply *self, const char *status, const char *incomplete,
                        const struct openai_usage *usage, const struct openai_error *error, struct text_buf *out)
{
    static const struct openai_usage none = { 0, 0 };
    bool is_over = strcmp(status, "in_progress") != 0;
    int r = add_text(out, "{\"id\":", span_from(self->id));

    r = r ? r : add_number(out, ",\"object\":\"response\",\"created_at\":", (uint64_t)self->created_s);
    r = r ? r : add_text(out, ",\"status\":", span_from(status));
    r = r ? r : add_text(out, ",\"model\":", self->model);
    if (!r && self->previous_id.len) {
        r = add_text(out, ",\"previous_response_id\":", self->previous_id);
    }
    r = r ? r : is_over && !error ? output_write(self, out) : add(out, ",\"output\":[]");
    r = r ? r : usage_write(usage ? usage : &none, out);
    if (!r && error) {
        r = add_text(out, ",\"error\":{\"code\":", span_from(error->code ? error->code : error->type));
        r = r ? r : add_text(out, ",\"message\":", span_from(error->message));
        r = r ? r : add(out, "}");
    } else if (!r) {
        r = add(out, ",\"error\":null");
    }
    r = r ? r : add(out, ",\"incomplete_details\":");
    if (!r && incomplete) {
        r = add_text(out, "{\"reason\":", span_from(incomplete));
        return r ? r : add(out, "}}");
    }
    return r ? r : add(out, "null}");
}

static int object_event(struct openresponses_reply *self, const char *name, const char *status, const char *incomplete,
                        const struct openai_usage *usage, const struct openai_error *error)
{
    int r;

    if (!self->emit) {
        return 0;
    }
    r = event_begin(self, name);
    r = r ? r : add(&self->scratch, ",\"response\":");
    r = r ? r : object_write(self, status, incomplete, usage, error, &self->scratch);
    return r ? r : event_end(self, name);
}

/* --- the run -------------------------------------------------------------------------------- */

int openresponses_reply_begin(struct openresponses_reply *self)
{
    int r = object_event(self, "response.created", "in_progress", NULL, NULL, NULL);

    return r ? r : object_event(self, "response.in_progress", "in_progress", NULL, NULL, NULL);
}

static struct openresponses_item *item_new(struct openresponses_reply *self, bool is_call)
{
    struct openresponses_item *items;

    if (self->items_n >= ITEMS_MAX) {
        return NULL;
    }
    items = reallocarray(self->items, self->items_n + 1, sizeof(*items));
    if (!items) {
        return NULL;
    }
    self->items = items;
    items[self->items_n] = (struct openresponses_item){ .is_call = is_call, .is_open = true };
    return &items[self->items_n++];
}

static int message_open(struct openresponses_reply *self)
{
    uint32_t i = self->items_n;
    int r;

    if (!item_new(self, false)) {
        return -ENOMEM;
    }
    self->message = i + 1;
    if (!self->emit) {
        return 0;
    }
    r = item_event(self, "response.output_item.added", i, false);
    return r ? r : part_event(self, "response.content_part.added", i, SPAN_LIT(""));
}

int openresponses_reply_text(struct openresponses_reply *self, struct span text)
{
    int r = 0;

    if (!text.len) {
        return 0;
    }
    if (!self->message) {
        r = message_open(self);
    }
    r = r ? r : text_buf_add(&self->items[self->message - 1].text, text);
    if (r || !self->emit) {
        return r;
    }
    return text_event(self, "response.output_text.delta", self->message - 1, ",\"logprobs\":[],\"delta\":", text);
}

static int message_close(struct openresponses_reply *self)
{
    uint32_t i = self->message - 1;
    int r;

    self->message = 0;
    self->items[i].is_open = false;
    if (!self->emit) {
        return 0;
    }
    r = text_event(self, "response.output_text.done", i, ",\"logprobs\":[],\"text\":", text_of(&self->items[i]));
    r = r ? r : part_event(self, "response.content_part.done", i, text_of(&self->items[i]));
    return r ? r : item_event(self, "response.output_item.done", i, true);
}

/* The item of a call; a new one is announced. */
static int call_open(struct openresponses_reply *self, const struct openai_call *call, uint32_t *ret_i)
{
    struct openresponses_item *item;
    int r = 0;

    for (*ret_i = 0; *ret_i < self->items_n; (*ret_i)++) {
        if (self->items[*ret_i].is_call && self->items[*ret_i].index == call->index) {
            return 0;
        }
    }
    item = item_new(self, true);
    if (!item) {
        return -ENOMEM;
    }
    item->index = call->index;
    (void)snprintf(item->call_id, sizeof(item->call_id), "%.*s", SPAN_FMT(call->id)); /* bounded on the bus */
    (void)snprintf(item->name, sizeof(item->name), "%.*s", SPAN_FMT(call->name));     /* the same */
    if (self->message) {
        r = message_close(self);
    }
    return r || !self->emit ? r : item_event(self, "response.output_item.added", *ret_i, false);
}

static int call_take(struct openresponses_reply *self, const struct openai_call *call)
{
    uint32_t i;
    int r = call_open(self, call, &i);

    if (r || !call->arguments.len) {
        return r;
    }
    r = text_buf_add(&self->items[i].text, call->arguments);
    if (r || !self->emit) {
        return r;
    }
    return text_event(self, "response.function_call_arguments.delta", i, ",\"delta\":", call->arguments);
}

int openresponses_reply_calls(struct openresponses_reply *self, struct span calls)
{
    struct value_iter it = value_iter(calls);
    struct span key;
    struct span item;
    int r = 0;

    while (!r && value_next(&it, &key, &item)) {
        struct openai_call call = openai_call_of(item);

        r = call_take(self, &call);
    }
    return r;
}

static int calls_close(struct openresponses_reply *self)
{
    int r = 0;

    for (uint32_t i = 0; !r && i < self->items_n; i++) {
        if (!self->items[i].is_call) {
            continue;
        }
        self->items[i].is_open = false;
        if (self->emit) {
            r = text_event(self, "response.function_call_arguments.done", i,
                           ",\"arguments\":", text_of(&self->items[i]));
            r = r ? r : item_event(self, "response.output_item.done", i, true);
        }
    }
    return r;
}

int openresponses_reply_end(struct openresponses_reply *self, struct span finish_reason,
                            const struct openai_usage *usage)
{
    const char *incomplete = incomplete_of(finish_reason);
    int r = 0;

    if (!self->items_n) {
        r = message_open(self); /* an answer of no words is one all the same */
    }
    if (!r && self->message) {
        r = message_close(self);
    }
    r = r ? r : calls_close(self);
    if (r) {
        return r;
    }
    return incomplete ? object_event(self, "response.incomplete", "incomplete", incomplete, usage, NULL)
                      : object_event(self, "response.completed", "completed", NULL, usage, NULL);
}

int openresponses_reply_fail(struct openresponses_reply *self, const struct openai_error *error)
{
    return object_event(self, "response.failed", "failed", NULL, NULL, error);
}

int openresponses_reply_write(struct openresponses_reply *self, struct span finish_reason,
                              const struct openai_usage *usage, struct text_buf *out)
{
    const char *incomplete = incomplete_of(finish_reason);

    return object_write(self, incomplete ? "incomplete" : "completed", incomplete, usage, NULL, out);
}
