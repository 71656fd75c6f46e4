#include "actors/log/tail.h"

#include <errno.h>
#include <unistd.h>

#include "bus/base/fault.h"

static struct tail_window window_of(const struct tail_ask *ask, uint64_t base, uint64_t size)
{
    struct tail_window window = { 0 };
    uint64_t bytes = ask->bytes_max < TAIL_LINE_MAX ? TAIL_LINE_MAX : ask->bytes_max;

    if (ask->has_cursor && ask->cursor >= base && ask->cursor <= base + size) {
        window.is_from_cursor = true;
        window.start = ask->cursor - base;
        window.len = size - window.start < bytes ? size - window.start : bytes;
        return window;
    }
    window.is_reset = ask->has_cursor;
    window.len = size < bytes ? size : bytes;
    window.start = size - window.len;
    window.is_truncated = window.start > 0;
    window.has_partial = window.start > 0;
    return window;
}

static size_t line_len(struct span bytes, size_t at)
{
    const char *end = memchr(bytes.ptr + at, '\n', bytes.len - at);

    return end ? (size_t)(end - bytes.ptr) - at + 1 : 0;
}

/* From the front: as many lines as asked for, at least one, so that the reader gets on. */
static size_t front_pack(struct span bytes, const struct tail_ask *ask, struct pack *out)
{
    size_t at = 0;

    for (uint32_t n = 0; n < ask->lines_max; n++) {
        size_t len = line_len(bytes, at);
        if (!len || (n && at + len > ask->bytes_max)) {
            break;
        }
        pack_str(out, (struct span){ bytes.ptr + at, len - 1 });
        at += len;
    }
    return at;
}

/* Start of the last lines that are within both limits; `end` is behind the last line feed. */
static size_t back_start(struct span bytes, size_t first, size_t end, const struct tail_ask *ask)
{
    size_t at = end;

    for (uint32_t n = 0; n < ask->lines_max && at > first; n++) {
        const char *feed = at - 1 > first ? memrchr(bytes.ptr + first, '\n', at - 1 - first) : NULL;
        size_t start = feed ? (size_t)(feed - bytes.ptr) + 1 : first;
        if (n && end - start > ask->bytes_max) {
            break;
        }
        at = start;
    }
    return at;
}

size_t tail_lines_pack(struct span bytes, struct tail_window *window, const struct tail_ask *ask, struct pack *out)
{
    if (!bytes.len) {
        return 0;
    }
    if (window->is_from_cursor) {
        size_t done = front_pack(bytes, ask, out);
        /* A window without a line feed is a line that nobody can show: step over it. */
        return done || bytes.len < TAIL_LINE_MAX ? done : bytes.len;
    }
    const char *last = memrchr(bytes.ptr, '\n', bytes.len);
    size_t end = last ? (size_t)(last - bytes.ptr) + 1 : 0;
    size_t first = window->has_partial ? line_len(bytes, 0) : 0;
    size_t at = end > first ? back_start(bytes, first, end, ask) : end;

    window->is_truncated |= at > first;
    while (at < end) {
        size_t len = line_len(bytes, at);
        pack_str(out, (struct span){ bytes.ptr + at, len - 1 });
        at += len;
    }
    return end;
}

static int window_read(const struct file *file, const struct tail_window *window, struct text_buf *buf)
{
    buf->len = 0;
    int fault = text_buf_reserve(buf, (size_t)window->len + 1);
    while (!fault && buf->len < window->len) {
        ssize_t n =
            pread(file->fd, buf->data + buf->len, (size_t)window->len - buf->len, (off_t)(window->start + buf->len));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return FILE_E_DISK;
        }
        if (n == 0) {
            break; /* it has shrunk since we looked; what is there is there */
        }
        buf->len += (size_t)n;
    }
    return fault;
}

int tail_read(struct file *file, const struct tail_ask *ask, struct text_buf *buf, struct pack *out)
{
    struct tail_window window = window_of(ask, file->base, file->size);
    int r = file->fd < 0 ? FILE_E_DISK : window_read(file, &window, buf);

    if (r) {
        return r;
    }
    pack_map_begin(out);
    pack_kv_text(out, "file", file->path);
    pack_key(out, "lines");
    pack_array_begin(out);
    size_t done = tail_lines_pack((struct span){ buf->data, buf->len }, &window, ask, out);
    pack_array_end(out);
    pack_kv_u64(out, "cursor", file->base + window.start + done);
    pack_kv_u64(out, "size", file->base + file->size);
    pack_kv_bool(out, "truncated", window.is_truncated);
    pack_kv_bool(out, "reset", window.is_reset);
    pack_map_end(out);
    return pack_error(out);
}
