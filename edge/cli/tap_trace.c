#include "edge/cli/tap_trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define LABEL_MAX 72   /* longest description of a message; more is cut */
#define PICTURE_MIN 16 /* a narrower one says nothing */
#define PICTURE_MAX 100
#define NUMBERS_WIDTH 40 /* of the columns before the description */

/* --- gathering -------------------------------------------------------------------------- */

void tap_trace_init(struct tap_trace *self, const char *id)
{
    *self = (struct tap_trace){ 0 };
    self->tail = &self->rows;
    (void)snprintf(self->id, sizeof(self->id), "%s", id);
}

void tap_trace_deinit(struct tap_trace *self)
{
    while (self->rows) {
        struct tap_trace_row *row = self->rows;

        self->rows = row->next;
        free(row);
    }
    *self = (struct tap_trace){ 0 };
}

static void text_copy(struct span text, char *out, size_t cap)
{
    size_t len = text.len < cap ? text.len : cap - 1;

    if (len) {
        memcpy(out, text.ptr, len);
    }
    out[len] = '\0';
}

/* The message that a sender gave this number. */
static struct tap_trace_row *row_find(const struct tap_trace *self, struct span sender, uint64_t id)
{
    struct tap_trace_row *row = self->rows;

    while (row && (row->id != id || !span_is_text(sender, row->sender))) {
        row = row->next;
    }
    return row;
}

static struct tap_trace_row *row_add(struct tap_trace *self, const struct tap_record *record)
{
    const struct envelope *env = &record->env;
    struct tap_trace_row *row;

    if (self->rows_n == TAP_TRACE_ROWS_MAX) {
        self->left_out++;
        return NULL;
    }
    row = mem_new(sizeof(*row));
    row->sent_us = record->ts_us;
    row->answer_us = -1;
    row->id = env->id;
    row->corr = env->corr;
    row->bytes = record->bytes;
    row->kind = env->kind;
    text_copy(envelope_sender(env), row->sender, sizeof(row->sender));
    text_copy(env->from, row->from, sizeof(row->from));
    text_copy(env->to, row->to, sizeof(row->to));
    text_copy(env->name, row->name, sizeof(row->name));
    text_copy(record->host, row->host, sizeof(row->host));
    self->rows_n++;
    *self->tail = row;
    self->tail = &row->next;
    return row;
}

/* --- runs --------------------------------------------------------------------------------- */

static unsigned run_find(const struct tap_trace *self, struct span id)
{
    unsigned at = 0;

    while (at < self->runs_n && !span_is_text(id, self->runs[at])) {
        at++;
    }
    return at;
}

static void runs_note(struct tap_trace *self, const struct tap_record *record)
{
    struct span id = value_str(value_get(record->body, "runId"), (struct span){ "", 0 });
    unsigned at = run_find(self, id);

    if (!id.len || id.len >= TAP_TRACE_RUN_ID_MAX) {
        return;
    }
    if (record->env.kind == ENVELOPE_REPLY && at == self->runs_n && at < TAP_TRACE_RUNS_MAX &&
        span_is_text(value_str(value_get(record->body, "status"), id), "started")) {
        text_copy(id, self->runs[self->runs_n++], TAP_TRACE_RUN_ID_MAX);
    } else if (record->env.kind == ENVELOPE_PUBLISH && at < self->runs_n && span_is_text(record->env.name, "chat") &&
               !span_is_text(value_str(value_get(record->body, "state"), SPAN_LIT("delta")), "delta")) {
        memmove(self->runs[at], self->runs[at + 1], (--self->runs_n - at) * sizeof(self->runs[0]));
    }
}

void tap_trace_essence(const struct tap_record *record, struct pack *out)
{
    static const char *const keys[] = { "runId", "status", "state" };

    if (!value_get(record->body, keys[0]).len) {
        return;
    }
    pack_map_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct span value = value_get(record->body, keys[i]);

        if (value_kind_of(value) == VALUE_STR && value.len < 2 * TAP_TRACE_RUN_ID_MAX) {
            pack_kv_raw(out, keys[i], value);
        }
    }
    pack_map_end(out);
}

void tap_trace_add(struct tap_trace *self, const struct tap_record *record)
{
    struct tap_trace_row *row;

    if (strcmp(record->trace, self->id) != 0) {
        return;
    }
    row = row_find(self, envelope_sender(&record->env), record->env.id);
    if (record->is_handled) {
        if (row) { /* else it was sent before we looked */
            row->is_handled = true;
            row->waited_us = record->waited_us;
            row->busy_us = record->busy_us;
            row->wire_us = record->ts_us - (int64_t)record->waited_us - row->sent_us;
        }
        return;
    }
    runs_note(self, record);
    row = row ? row : row_add(self, record);
    if (row && record->note.len) {
        text_copy(record->note, row->note, sizeof(row->note));
    }
}

/* --- what belongs to what ------------------------------------------------------------------ */

static int64_t handler_begin_us(const struct tap_trace_row *row)
{
    return row->sent_us + row->wire_us + (int64_t)row->waited_us;
}

static int64_t end_us(const struct tap_trace_row *row)
{
    int64_t end = row->is_handled ? handler_begin_us(row) + (int64_t)row->busy_us : row->sent_us;

    return row->answer_us > end - row->sent_us ? row->sent_us + row->answer_us : end;
}

static bool is_answer(const struct tap_trace_row *row)
{
    return row->kind == ENVELOPE_REPLY || row->kind == ENVELOPE_FAIL;
}

static void answers_find(const struct tap_trace *self)
{
    for (struct tap_trace_row *call = self->rows; call; call = call->next) {
        if (call->kind != ENVELOPE_CALL) {
            continue;
        }
        for (const struct tap_trace_row *row = call->next; row; row = row->next) {
            if (is_answer(row) && row->corr == call->corr && strcmp(row->to, call->from) == 0) {
                call->answer_us = row->sent_us - call->sent_us;
                break;
            }
        }
    }
}

/* How surely a message belongs within another one. */
enum within {
    WITHIN_NOT,
    WITHIN_BEHIND,  /* its sender was called before, and has answered: it goes on with that */
    WITHIN_OWED,    /* its sender still owes an answer */
    WITHIN_HANDLER, /* it was sent by the handler */
};

static enum within within(const struct tap_trace_row *row, const struct tap_trace_row *outer)
{
    bool is_call = outer->kind == ENVELOPE_CALL;
    bool is_owed = is_call && (outer->answer_us < 0 || row->sent_us <= outer->sent_us + outer->answer_us);

    if (strcmp(outer->to, row->sender) != 0) {
        return WITHIN_NOT;
    }
    if (outer->is_handled && row->sent_us >= handler_begin_us(outer) &&
        row->sent_us <= handler_begin_us(outer) + (int64_t)outer->busy_us) {
        return WITHIN_HANDLER;
    }
    return is_owed ? WITHIN_OWED : is_call ? WITHIN_BEHIND : WITHIN_NOT;
}

static void depths_find(const struct tap_trace *self)
{
    for (struct tap_trace_row *row = self->rows; row; row = row->next) {
        const struct tap_trace_row *parent = NULL;
        enum within surest = WITHIN_BEHIND;

        for (const struct tap_trace_row *outer = self->rows; outer != row; outer = outer->next) {
            enum within now = within(row, outer);

            if (now >= surest) {
                parent = outer;
                surest = now;
            }
        }
        row->depth = parent ? parent->depth + 1 : 0;
    }
}

void tap_trace_finish(struct tap_trace *self)
{
    answers_find(self);
    depths_find(self);
}

int64_t tap_trace_span_us(const struct tap_trace *self)
{
    int64_t last_us = self->rows ? self->rows->sent_us : 0;

    for (const struct tap_trace_row *row = self->rows; row; row = row->next) {
        last_us = end_us(row) > last_us ? end_us(row) : last_us;
    }
    return self->rows ? last_us - self->rows->sent_us : 0;
}

bool tap_trace_is_over(const struct tap_trace *self)
{
    answers_find(self);
    if (self->runs_n) {
        return false;
    }
    for (const struct tap_trace_row *row = self->rows; row; row = row->next) {
        bool is_open = row->kind == ENVELOPE_CALL && row->answer_us < 0;

        if (!row->note[0] && (is_open || !row->is_handled)) {
            return false;
        }
    }
    return self->rows != NULL;
}

/* --- for people ------------------------------------------------------------------------------ */

static int line_add(struct text_buf *out, const char *line, int len, size_t cap)
{
    return len < 0 ? FAULT(-EINVAL)
                   : text_buf_add(out, (struct span){ line, (size_t)len < cap ? (size_t)len : cap - 1 });
}

static void label_make(const struct tap_trace_row *row, char out[LABEL_MAX])
{
    unsigned indent = row->depth < 12 ? 2 * row->depth : 24;
    bool is_forward = strcmp(row->sender, row->from) != 0;

    int len = snprintf(out, LABEL_MAX, "%*s%s > %s %s%s %s%s%s", (int)indent, "", row->sender, row->to,
                       envelope_kind_name(row->kind), is_forward ? " (handed on)" : "", row->name,
                       row->note[0] ? ": " : "", row->note);

    if (len >= LABEL_MAX) {
        memcpy(out + LABEL_MAX - 4, "...", 4);
    }
}

static void ms_text(int64_t us, bool is_known, char out[16])
{
    if (is_known) {
        (void)snprintf(out, 16, "%.3f", (double)us / 1000.0);
    } else {
        (void)snprintf(out, 16, "-");
    }
}

static void bar_fill(char *picture, size_t width, int64_t span_us, int64_t from_us, int64_t to_us, char c)
{
    size_t from = (size_t)((double)(from_us > 0 ? from_us : 0) / (double)span_us * (double)width);
    size_t to = (size_t)((double)(to_us > 0 ? to_us : 0) / (double)span_us * (double)width);

    for (size_t i = from; i < width && (i < to || i == from); i++) {
        picture[i] = c;
    }
}

static void picture_make(const struct tap_trace *self, const struct tap_trace_row *row, size_t width,
                         char out[PICTURE_MAX + 1])
{
    int64_t span_us = tap_trace_span_us(self) > 0 ? tap_trace_span_us(self) : 1;
    int64_t sent_us = row->sent_us - self->rows->sent_us;
    int64_t arrived_us = sent_us + row->wire_us;
    int64_t begun_us = arrived_us + (int64_t)row->waited_us;

    memset(out, ' ', width);
    out[width] = '\0';
    if (row->answer_us > 0) {
        bar_fill(out, width, span_us, sent_us, sent_us + row->answer_us, '~');
    }
    bar_fill(out, width, span_us, sent_us, row->is_handled ? arrived_us : sent_us, '.');
    if (row->is_handled && row->waited_us) {
        bar_fill(out, width, span_us, arrived_us, begun_us, '-');
    }
    if (row->is_handled) {
        bar_fill(out, width, span_us, begun_us, begun_us + (int64_t)row->busy_us, '#');
    }
}

static int row_text(const struct tap_trace *self, const struct tap_trace_row *row, size_t label_width,
                    size_t picture_width, struct text_buf *out)
{
    char picture[PICTURE_MAX + 1] = "";
    char label[LABEL_MAX];
    char line[LABEL_MAX + PICTURE_MAX + 96];
    char wire[16];
    char waited[16];
    char busy[16];
    int len;

    label_make(row, label);
    ms_text(row->wire_us, row->is_handled, wire);
    ms_text((int64_t)row->waited_us, row->is_handled, waited);
    ms_text((int64_t)row->busy_us, row->is_handled, busy);
    if (picture_width) {
        picture_make(self, row, picture_width, picture);
    }
    len = snprintf(line, sizeof(line), "%9.3f %9s %9s %9s  %-*s%s%s%s\n",
                   (double)(row->sent_us - self->rows->sent_us) / 1000.0, wire, waited, busy,
                   picture_width ? (int)label_width : 0, label, picture_width ? " |" : "", picture,
                   picture_width ? "|" : "");
    return line_add(out, line, len, sizeof(line));
}

static size_t labels_width(const struct tap_trace *self)
{
    size_t width = 0;

    for (const struct tap_trace_row *row = self->rows; row; row = row->next) {
        char label[LABEL_MAX];

        label_make(row, label);
        width = strlen(label) > width ? strlen(label) : width;
    }
    return width;
}

int tap_trace_text(const struct tap_trace *self, size_t columns, struct text_buf *out)
{
    size_t label_width = labels_width(self);
    size_t used = NUMBERS_WIDTH + label_width + 4;
    size_t picture_width = columns > used ? columns - used : 0;
    char line[160];
    int r;

    picture_width = picture_width < PICTURE_MIN ? 0 : picture_width > PICTURE_MAX ? PICTURE_MAX : picture_width;
    int len = snprintf(line, sizeof(line), "trace %s: %u message%s in %.3f ms\n\n%9s %9s %9s %9s  %s\n", self->id,
                       self->rows_n, self->rows_n == 1 ? "" : "s", (double)tap_trace_span_us(self) / 1000.0, "at ms",
                       "wire", "waiting", "handler", "message");
    r = line_add(out, line, len, sizeof(line));
    for (const struct tap_trace_row *row = self->rows; row && r == 0; row = row->next) {
        r = row_text(self, row, label_width, picture_width, out);
    }
    if (r == 0 && picture_width) {
        r = text_buf_add(out,
                         SPAN_LIT("\n. on the way  - waiting in the mailbox  # in the handler  ~ until its answer\n"));
    }
    if (r == 0 && self->left_out) {
        len = snprintf(line, sizeof(line), "%u more messages are left out\n", self->left_out);
        r = line_add(out, line, len, sizeof(line));
    }
    return r;
}

/* --- for programs ------------------------------------------------------------------------------ */

static void row_pack(const struct tap_trace *self, const struct tap_trace_row *row, struct pack *pack)
{
    pack_map_begin(pack);
    pack_kv_f64(pack, "ts", (double)row->sent_us / 1000.0);
    pack_kv_f64(pack, "atMs", (double)(row->sent_us - self->rows->sent_us) / 1000.0);
    pack_kv_text(pack, "kind", envelope_kind_name(row->kind));
    pack_kv_text(pack, "from", row->from);
    pack_kv_text(pack, "to", row->to);
    pack_kv_text(pack, row->kind == ENVELOPE_PUBLISH ? "topic" : "method", row->name);
    pack_kv_u64(pack, "depth", row->depth);
    pack_kv_u64(pack, "bytes", row->bytes);
    pack_kv_text(pack, "host", row->host);
    if (strcmp(row->sender, row->from) != 0) {
        pack_kv_text(pack, "via", row->sender);
    }
    if (row->is_handled) {
        pack_kv_f64(pack, "wireMs", (double)row->wire_us / 1000.0);
        pack_kv_f64(pack, "waitMs", (double)row->waited_us / 1000.0);
        pack_kv_f64(pack, "handlerMs", (double)row->busy_us / 1000.0);
    }
    if (row->answer_us >= 0) {
        pack_kv_f64(pack, "answerMs", (double)row->answer_us / 1000.0);
    }
    if (row->note[0]) {
        pack_kv_text(pack, "undelivered", row->note);
    }
    pack_map_end(pack);
}

int tap_trace_json(const struct tap_trace *self, struct text_buf *out)
{
    CLEANUP(pack_deinit) struct pack pack;
    int r;

    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "trace", self->id);
    pack_kv_f64(&pack, "spanMs", (double)tap_trace_span_us(self) / 1000.0);
    pack_key(&pack, "messages");
    pack_array_begin(&pack);
    for (const struct tap_trace_row *row = self->rows; row; row = row->next) {
        row_pack(self, row, &pack);
    }
    pack_array_end(&pack);
    pack_kv_u64(&pack, "leftOut", self->left_out);
    pack_map_end(&pack);
    r = pack_error(&pack);
    r = r ? r : json_from_value(pack_span(&pack), out);
    return r ? r : text_buf_add(out, SPAN_LIT("\n"));
}
