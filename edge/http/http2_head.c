#include "edge/http/http2_head.h"

#include "bus/base/cleanup.h"
#include "edge/http/request.h"

#define LINE_EXTRA 4U /* ": " and CRLF */

void http2_head_deinit(struct http2_head *self)
{
    text_buf_deinit(&self->text);
    text_buf_deinit(&self->cookie);
    *self = (struct http2_head){ .lines_at = 0 };
}

/* --- what may stand where --------------------------------------------------------------- */

static bool is_visible(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f) { /* a byte above 0x7f is negative, or too large */
            return false;
        }
    }
    return text.len > 0;
}

static bool is_token(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!request_is_token_char(text.ptr[i])) {
            return false;
        }
    }
    return text.len > 0;
}

static bool is_name(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z') {
            return false;
        }
    }
    return is_token(text);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_value(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!request_is_text_char(text.ptr[i])) {
            return false;
        }
    }
    return text.len == 0 || (!is_space(text.ptr[0]) && !is_space(text.ptr[text.len - 1]));
}

/* RFC 9113 §8.2.2 */
static bool is_of_connection(struct span name, struct span value)
{
    static const char *const names[] = { "connection", "keep-alive", "proxy-connection", "transfer-encoding",
                                         "upgrade" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (span_is_text(name, names[i])) {
            return true;
        }
    }
    return span_is_text(name, "te") && !request_is_word(value, "trailers");
}

/* --- fields ------------------------------------------------------------------------------- */

static int part_add(struct http2_head *self, struct http2_head_part *part, struct span value, bool is_right)
{
    if (!is_right || part->is_there) {
        self->is_bad = true;
        return 0;
    }
    *part = (struct http2_head_part){ self->text.len, value.len, true };
    return text_buf_add(&self->text, value);
}

static int pseudo_add(struct http2_head *self, struct span name, struct span value)
{
    bool is_scheme = span_is_text(name, ":scheme");

    if (self->lines_at || self->cookie.len) {
        self->is_bad = true; /* they come first */
        return 0;
    }
    if (span_is_text(name, ":method")) {
        return part_add(self, &self->method, value, is_token(value));
    }
    if (span_is_text(name, ":path")) {
        return part_add(self, &self->path, value, is_visible(value));
    }
    if (span_is_text(name, ":authority")) {
        return part_add(self, &self->authority, value, is_visible(value) && !memchr(value.ptr, '@', value.len));
    }
    self->is_bad = !is_scheme || self->has_scheme || !(span_is_text(value, "https") || span_is_text(value, "http"));
    self->has_scheme = is_scheme;
    return 0;
}

static struct span part_of(const struct http2_head *self, const struct http2_head_part *part)
{
    return (struct span){ self->text.data + part->at, part->len };
}

static int line_add(struct text_buf *out, struct span name, struct span value)
{
    int r = text_buf_add(out, name);

    r = r ? r : text_buf_add(out, SPAN_LIT(": "));
    r = r ? r : text_buf_add(out, value);
    return r ? r : text_buf_add(out, SPAN_LIT("\r\n"));
}

static int crumb_add(struct http2_head *self, struct span value)
{
    int r = self->cookie.len ? text_buf_add(&self->cookie, SPAN_LIT("; ")) : 0;

    return r ? r : text_buf_add(&self->cookie, value);
}

static int field_add(struct http2_head *self, struct span name, struct span value)
{
    if (!is_name(name) || !is_value(value) || is_of_connection(name, value)) {
        self->is_bad = true;
        return 0;
    }
    if (span_is_text(name, "cookie")) {
        return crumb_add(self, value);
    }
    if (span_is_text(name, "host") && self->authority.is_there) {
        self->is_bad = !span_is(value, part_of(self, &self->authority)); /* which of them, else (RFC 9113 §8.3.1)? */
        return 0;
    }
    self->has_length = self->has_length || span_is_text(name, "content-length");
    self->lines_at = self->lines_at ? self->lines_at : self->text.len;
    return line_add(&self->text, name, value);
}

int http2_head_add(struct http2_head *self, struct span name, struct span value)
{
    size_t len = self->text.len + self->cookie.len;

    self->text.is_secret = true;
    self->cookie.is_secret = true;
    if (name.len > REQUEST_HEAD_MAX || value.len > REQUEST_HEAD_MAX ||
        len + name.len + value.len + LINE_EXTRA > REQUEST_HEAD_MAX) {
        self->is_large = true;
    }
    if (self->is_bad || self->is_large) {
        return 0;
    }
    return name.len && name.ptr[0] == ':' ? pseudo_add(self, name, value) : field_add(self, name, value);
}

/* --- the whole ---------------------------------------------------------------------------- */

static int request_line_add(const struct http2_head *self, struct text_buf *out)
{
    int r = text_buf_add(out, part_of(self, &self->method));

    r = r ? r : text_buf_add(out, SPAN_LIT(" "));
    r = r ? r : text_buf_add(out, part_of(self, &self->path));
    r = r ? r : text_buf_add(out, SPAN_LIT(" HTTP/1.1\r\n"));
    return r || !self->authority.is_there ? r : line_add(out, SPAN_LIT("host"), part_of(self, &self->authority));
}

int http2_head_end(const struct http2_head *self, bool has_body, struct text_buf *out)
{
    int r;

    if (self->is_large) {
        return REQUEST_E_LARGE;
    }
    if (self->is_bad || !self->method.is_there || !self->path.is_there || !self->has_scheme) {
        return REQUEST_E_BAD;
    }
    r = request_line_add(self, out);
    if (!r && self->lines_at) {
        r = text_buf_add(out, (struct span){ self->text.data + self->lines_at, self->text.len - self->lines_at });
    }
    if (!r && self->cookie.len) {
        r = line_add(out, SPAN_LIT("cookie"), (struct span){ self->cookie.data, self->cookie.len });
    }
    if (!r && has_body && !self->has_length) {
        r = line_add(out, SPAN_LIT("transfer-encoding"), SPAN_LIT("chunked"));
    }
    return r ? r : text_buf_add(out, SPAN_LIT("\r\n"));
}
