#include "actors/agent/beat_text.h"

#include "bus/base/cleanup.h"
#include "schema/base/duration.h"

#define TAIL_MAX 4 /* characters behind a token at the end */
#define MINUTE_MS 60000

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct span trim_end(struct span text)
{
    while (text.len && is_space(text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* Characters, those of four bytes twice, as clients count them. */
static size_t chars_count(struct span text)
{
    size_t chars = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        chars += (c & 0xc0U) != 0x80U;
        chars += c >= 0xf0U;
    }
    return chars;
}

/* --- the answer ------------------------------------------------------------------------------- */

static bool has_token(struct span text)
{
    return text.len && memmem(text.ptr, text.len, BEAT_TOKEN, sizeof(BEAT_TOKEN) - 1);
}

/* The last token of a text that ends with one, or with one and a few characters; the text's
 * length when it does not. */
static size_t token_at_end(struct span text)
{
    size_t len = sizeof(BEAT_TOKEN) - 1;
    size_t tail = 0;

    while (tail <= text.len) {
        size_t end = text.len - tail;

        if (end >= len && memcmp(text.ptr + end - len, BEAT_TOKEN, len) == 0) {
            struct span rest = { text.ptr + end, tail };

            return chars_count(rest) <= TAIL_MAX ? end - len : text.len;
        }
        if (tail == text.len || is_word(text.ptr[end - 1])) {
            break;
        }
        tail++;
    }
    return text.len;
}

/* Takes tokens off both ends. What stood behind the last one is kept where it ends a sentence. */
static int edges_strip(struct span text, struct text_buf *out, bool *ret_did)
{
    struct span tail = { 0 };
    bool did = false;
    int rc;

    for (;;) {
        size_t at;

        text = span_trim(text);
        if (span_starts(text, BEAT_TOKEN)) {
            size_t len = sizeof(BEAT_TOKEN) - 1;

            text = (struct span){ text.ptr + len, text.len - len };
            did = true;
            continue;
        }
        at = token_at_end(text);
        if (at == text.len) {
            break;
        }
        if (!tail.len) {
            size_t end = at + sizeof(BEAT_TOKEN) - 1;

            tail = span_trim((struct span){ text.ptr + end, text.len - end });
        }
        text.len = at;
        did = true;
    }
    *ret_did = did;
    out->len = 0;
    if (!text.len) {
        return 0;
    }
    rc = text_buf_add(out, text);
    return rc || !is_word(text.ptr[text.len - 1]) ? rc : text_buf_add(out, tail);
}

static bool is_mark(char c)
{
    return c == '*' || c == '`' || c == '~' || c == '_';
}

/* Without tags and the marks around the whole. */
static int markup_drop(struct span text, struct text_buf *out)
{
    int rc = 0;

    while (!rc && text.len) {
        const char *end = *text.ptr == '<' ? memchr(text.ptr, '>', text.len) : NULL;
        size_t len = end ? (size_t)(end - text.ptr) + 1 : span_starts(text, "&nbsp;") ? 6 : 0;

        rc = text_buf_add(out, len ? SPAN_LIT(" ") : (struct span){ text.ptr, 1 });
        len = len ? len : 1;
        text = (struct span){ text.ptr + len, text.len - len };
    }
    return rc;
}

static struct span marks_drop(struct span text)
{
    while (text.len && is_mark(text.ptr[0])) {
        text = (struct span){ text.ptr + 1, text.len - 1 };
    }
    while (text.len && is_mark(text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

int beat_judge(struct span answer, size_t ack_max_chars, struct text_buf *out, enum beat_word *ret_word)
{
    CLEANUP(text_buf_deinit) struct text_buf plain = { 0 };
    bool did = false;
    int rc;

    answer = span_trim(answer);
    out->len = 0;
    if (!answer.len) {
        *ret_word = BEAT_EMPTY;
        return 0;
    }
    *ret_word = BEAT_ALERT;
    if (has_token(answer)) {
        rc = edges_strip(answer, out, &did);
        if (!rc && (!did || !out->len)) {
            rc = markup_drop(answer, &plain);
            rc = rc ? rc : edges_strip(span_trim(marks_drop((struct span){ plain.data, plain.len })), out, &did);
        }
        if (rc) {
            return rc;
        }
        if (did && chars_count((struct span){ out->data, out->len }) <= ack_max_chars) {
            *ret_word = BEAT_OK;
        }
    }
    if (!did) {
        out->len = 0;
        return text_buf_add(out, answer);
    }
    return 0;
}

/* --- HEARTBEAT.md --------------------------------------------------------------------------------- */

/* Cuts the next line off, without its end. False behind the last one. */
static bool line_take(struct span *rest, struct span *ret_line)
{
    const char *end;

    if (!rest->len) {
        return false;
    }
    end = memchr(rest->ptr, '\n', rest->len);
    *ret_line = (struct span){ rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len };
    *rest = (struct span){ rest->ptr + ret_line->len + (end ? 1 : 0), rest->len - ret_line->len - (end ? 1 : 0) };
    return true;
}

static bool is_heading(struct span line)
{
    size_t n = 0;

    while (n < line.len && line.ptr[n] == '#') {
        n++;
    }
    return n && (n == line.len || is_space(line.ptr[n]));
}

/* "-", "* [ ]", "+ [x]" and nothing behind. */
static bool is_bare_item(struct span line)
{
    if (!line.len || (line.ptr[0] != '-' && line.ptr[0] != '*' && line.ptr[0] != '+')) {
        return false;
    }
    line = span_trim((struct span){ line.ptr + 1, line.len - 1 });
    return !line.len || span_is_text(line, "[]") ||
           (line.len == 3 && line.ptr[0] == '[' && line.ptr[2] == ']' &&
            (is_space(line.ptr[1]) || line.ptr[1] == 'x' || line.ptr[1] == 'X'));
}

static bool is_fence(struct span line)
{
    if (!span_starts(line, "```")) {
        return false;
    }
    for (size_t i = 3; i < line.len; i++) {
        if (!is_word(line.ptr[i]) && line.ptr[i] != '-') {
            return false;
        }
    }
    return true;
}

bool beat_file_is_empty(struct span content)
{
    struct span line;

    while (line_take(&content, &line)) {
        line = span_trim(line);
        if (line.len && !is_heading(line) && !is_bare_item(line) && !is_fence(line)) {
            return false;
        }
    }
    return true;
}

/* The text behind `key`, without quotes around it. */
static bool field_take(struct span line, const char *key, struct span *ret_value)
{
    size_t len = strlen(key);

    if (!span_starts(line, key)) {
        return false;
    }
    line = span_trim((struct span){ line.ptr + len, line.len - len });
    if (line.len && (line.ptr[0] == '"' || line.ptr[0] == '\'')) {
        line = (struct span){ line.ptr + 1, line.len - 1 };
    }
    if (line.len && (line.ptr[line.len - 1] == '"' || line.ptr[line.len - 1] == '\'')) {
        line.len--;
    }
    *ret_value = line;
    return true;
}

struct task_reading {
    struct beat_task *tasks;
    size_t n;
    struct beat_task task; /* the one whose lines are being read */
    struct span interval;
};

static void task_end(struct task_reading *self)
{
    struct beat_task *task = &self->task;

    if (task->name.len && task->name.len <= BEAT_TASK_NAME_MAX && task->prompt.len &&
        duration_parse(self->interval, MINUTE_MS, &task->every_ms) && self->n < BEAT_TASKS_MAX) {
        self->tasks[self->n++] = *task;
    }
    *task = (struct beat_task){ .every_ms = 0 };
    self->interval = (struct span){ 0 };
}

size_t beat_tasks_read(struct span content, struct beat_task ret_tasks[BEAT_TASKS_MAX])
{
    struct task_reading reading = { .tasks = ret_tasks };
    bool is_inside = false;
    struct span raw;

    while (line_take(&content, &raw)) {
        bool is_indented = raw.len && (raw.ptr[0] == ' ' || raw.ptr[0] == '\t');
        struct span line = span_trim(raw);
        struct span name;

        if (span_is_text(line, "tasks:")) {
            task_end(&reading);
            is_inside = true;
        } else if (is_inside && field_take(line, "- name:", &name)) {
            task_end(&reading);
            reading.task.name = name;
        } else if (is_inside && line.len && !(is_indented && field_take(line, "interval:", &reading.interval)) &&
                   !(is_indented && field_take(line, "prompt:", &reading.task.prompt))) {
            is_inside = false; /* something else begins */
        }
    }
    task_end(&reading);
    return reading.n;
}

int beat_rest_add(struct span content, struct text_buf *out)
{
    bool is_inside = false;
    struct span raw;
    int rc = 0;

    while (!rc && line_take(&content, &raw)) {
        struct span line = span_trim(raw);

        if (!is_inside && span_is_text(line, "tasks:")) {
            is_inside = true;
            continue;
        }
        if (is_inside && (!line.len || is_space(raw.ptr[0]) || span_starts(line, "- name:"))) {
            continue;
        }
        is_inside = false;
        rc = text_buf_add(out, trim_end(raw));
        rc = rc ? rc : text_buf_add(out, SPAN_LIT("\n"));
    }
    return rc;
}
