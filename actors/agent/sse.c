#include "actors/agent/sse.h"

#include <string.h>

#include "bus/base/fault.h"

void sse_init(struct sse *self, size_t event_max, sse_on_event on_event, void *arg)
{
    *self = (struct sse){ .event_max = event_max, .on_event = on_event, .arg = arg };
}

void sse_deinit(struct sse *self)
{
    text_buf_deinit(&self->line);
    text_buf_deinit(&self->data);
}

static int event_dispatch(struct sse *self)
{
    struct span data = self->borrowed.ptr ? self->borrowed : (struct span){ self->data.data, self->data.len };
    bool has_data = self->has_data;
    int rc;

    self->has_data = false;
    self->borrowed = (struct span){ 0 };
    if (!has_data) {
        return 0;
    }
    rc = self->on_event(self->arg, data);
    self->data.len = 0;
    return rc ? SSE_E_STOPPED : 0;
}

/* Moves a borrowed data line into the event's own buffer. */
static int data_own(struct sse *self)
{
    struct span borrowed = self->borrowed;

    self->borrowed = (struct span){ 0 };
    return borrowed.ptr ? text_buf_add(&self->data, borrowed) : 0;
}

static int data_add(struct sse *self, struct span value, bool is_lasting)
{
    int rc;

    if (self->data.len + self->borrowed.len + value.len + 1 >= self->event_max) { /* and a line break */
        return SSE_E_TOO_BIG;
    }
    if (!self->has_data) {
        self->has_data = true;
        self->data.len = 0;
        if (is_lasting) {
            self->borrowed = value.ptr ? value : SPAN_LIT("");
            return 0;
        }
        return text_buf_add(&self->data, value);
    }
    rc = data_own(self);
    if (!rc) {
        rc = text_buf_add(&self->data, SPAN_LIT("\n"));
    }
    return rc ? rc : text_buf_add(&self->data, value);
}

/* `is_lasting`: the bytes stay valid until the end of this push. */
static int line_take(struct sse *self, struct span line, bool is_lasting)
{
    if (!line.len) {
        return event_dispatch(self);
    }
    if (!span_starts(line, "data")) {
        return 0;
    }
    line.ptr += 4;
    line.len -= 4;
    if (line.len && line.ptr[0] != ':') {
        return 0; /* another field whose name begins with "data" */
    }
    if (line.len) {
        line.ptr++;
        line.len--;
    }
    if (line.len && line.ptr[0] == ' ') {
        line.ptr++;
        line.len--;
    }
    return data_add(self, line, is_lasting);
}

/* The first byte of CR or LF; NULL when there is none. */
static const char *line_end(struct span bytes)
{
    const char *lf = memchr(bytes.ptr, '\n', bytes.len);
    const char *cr = memchr(bytes.ptr, '\r', lf ? (size_t)(lf - bytes.ptr) : bytes.len);

    return cr ? cr : lf;
}

/* The rest of a push is the beginning of a line; what was borrowed must be kept. */
static int rest_keep(struct sse *self, struct span rest)
{
    int rc = data_own(self);

    if (rc) {
        return rc;
    }
    if (self->line.len + rest.len >= self->event_max) {
        return SSE_E_TOO_BIG;
    }
    return rest.len ? text_buf_add(&self->line, rest) : 0;
}

static int line_finish(struct sse *self, struct span head)
{
    int rc;

    if (!self->line.len) {
        return line_take(self, head, true);
    }
    if (self->line.len + head.len >= self->event_max) {
        return SSE_E_TOO_BIG;
    }
    rc = text_buf_add(&self->line, head);
    if (!rc) {
        rc = line_take(self, (struct span){ self->line.data, self->line.len }, false);
    }
    self->line.len = 0;
    return rc;
}

static struct span mark_skip(struct sse *self, struct span bytes)
{
    /* The mark may be cut by the network; then it only spoils the first line, which the
     * providers we know never use for data. */
    if (!self->is_started && bytes.len) {
        self->is_started = true;
        if (span_starts(bytes, "\xef\xbb\xbf")) {
            return (struct span){ bytes.ptr + 3, bytes.len - 3 };
        }
    }
    return bytes;
}

int sse_push(struct sse *self, struct span bytes)
{
    bytes = mark_skip(self, bytes);
    while (bytes.len) {
        const char *end;
        size_t len;
        int rc;

        if (self->skips_lf) {
            self->skips_lf = false;
            if (bytes.ptr[0] == '\n') {
                bytes.ptr++;
                bytes.len--;
                continue;
            }
        }
        end = line_end(bytes);
        if (!end) {
            break;
        }
        len = (size_t)(end - bytes.ptr);
        rc = line_finish(self, (struct span){ bytes.ptr, len });
        if (rc) {
            return rc;
        }
        self->skips_lf = *end == '\r';
        bytes.ptr += len + 1;
        bytes.len -= len + 1;
    }
    return rest_keep(self, bytes);
}

int sse_finish(struct sse *self)
{
    int rc = 0;

    if (self->line.len) {
        rc = line_finish(self, (struct span){ 0 });
    }
    return rc ? rc : event_dispatch(self);
}
