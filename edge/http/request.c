#include "edge/http/request.h"

static char lower_of(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool request_is_word(struct span text, const char *lower)
{
    size_t i = 0;

    for (; i < text.len && lower[i]; i++) {
        if (lower_of(text.ptr[i]) != lower[i]) {
            return false;
        }
    }
    return i == text.len && !lower[i];
}

bool request_is_token_char(char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        return true;
    }
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
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

static struct span trim(struct span text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

/* Cuts the text up to `c` off `*rest` and moves behind it; false when it is not there. */
static bool cut_at(struct span *rest, char c, struct span *ret_text)
{
    const char *at = rest->len ? memchr(rest->ptr, c, rest->len) : NULL;

    if (!at) {
        return false;
    }
    *ret_text = (struct span){ rest->ptr, (size_t)(at - rest->ptr) };
    rest->ptr = at + 1;
    rest->len -= ret_text->len + 1;
    return true;
}

/* Lines end in CRLF; a CR or LF anywhere else is refused. */
static bool cut_line(struct span *rest, struct span *ret_line)
{
    if (!cut_at(rest, '\n', ret_line) || ret_line->len == 0 || ret_line->ptr[ret_line->len - 1] != '\r') {
        return false;
    }
    ret_line->len--;
    return !memchr(ret_line->ptr, '\r', ret_line->len);
}

bool request_is_text_char(char c)
{
    unsigned char byte = (unsigned char)c;

    return (byte >= 0x20 || c == '\t') && byte != 0x7f;
}

static bool is_text(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!request_is_text_char(value.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool request_has_token(struct span value, const char *token)
{
    struct span rest = value;
    struct span item;

    while (cut_at(&rest, ',', &item)) {
        if (request_is_word(trim(item), token)) {
            return true;
        }
    }
    return request_is_word(trim(rest), token);
}

size_t request_head_len(struct span bytes, size_t from)
{
    size_t start = from > 3 ? from - 3 : 0;
    const char *end = start < bytes.len ? memmem(bytes.ptr + start, bytes.len - start, "\r\n\r\n", 4) : NULL;

    return end ? (size_t)(end - bytes.ptr) + 4 : 0;
}

struct span request_header(const struct request *self, const char *name)
{
    for (size_t i = 0; i < self->headers_n; i++) {
        if (request_is_word(self->headers[i].name, name)) {
            return self->headers[i].value;
        }
    }
    return (struct span){ NULL, 0 };
}

static size_t header_count(const struct request *self, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < self->headers_n; i++) {
        count += request_is_word(self->headers[i].name, name) ? 1U : 0U;
    }
    return count;
}

static enum request_method method_of(struct span text)
{
    if (span_is(text, SPAN_LIT("GET"))) {
        return REQUEST_GET;
    }
    if (span_is(text, SPAN_LIT("POST"))) {
        return REQUEST_POST;
    }
    return span_is(text, SPAN_LIT("HEAD")) ? REQUEST_HEAD : REQUEST_OTHER;
}

static bool is_target(struct span target)
{
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];

        if (c <= 0x20 || c >= 0x7f) {
            return false;
        }
    }
    return target.len > 0 && target.ptr[0] == '/';
}

/* "GET /path?query HTTP/1.1"; *ret_minor is the digit behind "HTTP/1.". */
static int line_parse(struct span line, struct request *request, int *ret_minor)
{
    struct span method;
    struct span target;

    if (!cut_at(&line, ' ', &method) || !is_token(method) || !cut_at(&line, ' ', &target)) {
        return REQUEST_E_BAD;
    }
    if (target.len > REQUEST_TARGET_MAX) {
        return REQUEST_E_LARGE;
    }
    if (!span_starts(line, "HTTP/") || line.len != 8 || line.ptr[6] != '.') {
        return REQUEST_E_BAD;
    }
    if (line.ptr[5] != '1' || (line.ptr[7] != '0' && line.ptr[7] != '1')) {
        return REQUEST_E_VERSION;
    }
    if (!is_target(target) && !span_is(target, SPAN_LIT("*"))) {
        return REQUEST_E_BAD;
    }
    *ret_minor = line.ptr[7] - '0';
    request->method = method_of(method);
    request->path = target;
    request->query = (struct span){ NULL, 0 };
    if (cut_at(&target, '?', &request->path)) {
        request->query = target;
    }
    return 0;
}

static int headers_parse(struct span rest, struct request *request)
{
    struct span line;
    struct span name;

    while (cut_line(&rest, &line)) {
        if (line.len == 0) {
            return rest.len == 0 ? 0 : REQUEST_E_BAD;
        }
        if (!cut_at(&line, ':', &name) || !is_token(name) || !is_text(line)) {
            return REQUEST_E_BAD;
        }
        if (request->headers_n == REQUEST_HEADERS_MAX) {
            return REQUEST_E_LARGE;
        }
        request->headers[request->headers_n++] = (struct request_header){ name, trim(line) };
    }
    return REQUEST_E_BAD;
}

static bool length_parse(struct span text, uint64_t *ret_len)
{
    uint64_t len = 0;

    if (text.len == 0 || text.len > 18) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
        len = len * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *ret_len = len;
    return true;
}

/* RFC 9112 §6.3, without its leniency. */
static int framing_parse(struct request *request, int minor)
{
    size_t lengths_n = header_count(request, "content-length");
    size_t codings_n = header_count(request, "transfer-encoding");

    if (lengths_n + codings_n > 1 || (codings_n && minor == 0)) {
        return REQUEST_E_BAD;
    }
    if (codings_n) {
        request->body = REQUEST_BODY_CHUNKED;
        return request_is_word(request_header(request, "transfer-encoding"), "chunked") ? 0 : REQUEST_E_ENCODING;
    }
    if (lengths_n) {
        if (!length_parse(request_header(request, "content-length"), &request->body_len)) {
            return REQUEST_E_BAD;
        }
        request->body = request->body_len ? REQUEST_BODY_LENGTH : REQUEST_BODY_NONE;
    }
    return 0;
}

int request_parse(struct span head, struct request *ret_request)
{
    struct span line;
    struct span connection;
    int minor = 1;
    int r;

    ret_request->headers_n = 0;
    ret_request->body = REQUEST_BODY_NONE;
    ret_request->body_len = 0;
    if (head.len > REQUEST_HEAD_MAX) {
        return REQUEST_E_LARGE;
    }
    if (!cut_line(&head, &line)) {
        return REQUEST_E_BAD;
    }
    r = line_parse(line, ret_request, &minor);
    if (!r) {
        r = headers_parse(head, ret_request);
    }
    if (!r) {
        r = framing_parse(ret_request, minor);
    }
    if (r) {
        return r;
    }
    if (header_count(ret_request, "host") > 1 || (minor == 1 && header_count(ret_request, "host") == 0)) {
        return REQUEST_E_BAD;
    }
    connection = request_header(ret_request, "connection");
    ret_request->is_http10 = minor == 0;
    ret_request->is_kept_alive =
        minor == 1 ? !request_has_token(connection, "close") : request_has_token(connection, "keep-alive");
    ret_request->is_upgrade = request_has_token(connection, "upgrade") &&
                              request_has_token(request_header(ret_request, "upgrade"), "websocket");
    ret_request->expects_continue = request_is_word(request_header(ret_request, "expect"), "100-continue");
    return 0;
}
