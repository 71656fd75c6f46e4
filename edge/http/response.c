#include "edge/http/response.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define HEAD_MAX 1024
#define STATUS_LINE_MAX 64

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 100, "Continue" },
    { 101, "Switching Protocols" },
    { 200, "OK" },
    { 204, "No Content" },
    { 206, "Partial Content" },
    { 302, "Found" },
    { 304, "Not Modified" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 413, "Payload Too Large" },
    { 415, "Unsupported Media Type" },
    { 416, "Range Not Satisfiable" },
    { 426, "Upgrade Required" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 499, "Client Closed Request" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
};

const char *response_reason(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Unknown";
}

/* Appends "name: value\r\n" when there is a value. */
static size_t field_add(char *head, size_t len, const char *name, const char *value)
{
    if (!value) {
        return len;
    }
    return len + (size_t)snprintf(head + len, HEAD_MAX - len, "%s: %s\r\n", name, value);
}

/* `connection` is what HTTP/1.1 says of the connection, or NULL. */
static int fields_write(const struct response *self, const char *connection, struct text_buf *out)
{
    char head[HEAD_MAX];
    size_t len;
    int r;

    /* Every value below is ours and short, so the head always fits. */
    len = (size_t)snprintf(head, sizeof(head),
                           "X-Content-Type-Options: nosniff\r\n"
                           "Referrer-Policy: no-referrer\r\n"
                           "Permissions-Policy: camera=(), microphone=(self), geolocation=()\r\n"
                           "Date: %.*s\r\n",
                           SPAN_FMT(self->date));
    len = field_add(head, len, "Content-Type", self->type);
    len = field_add(head, len, "Allow", self->allow);
    len = field_add(head, len, "Cache-Control", self->cache);
    if (self->transport_security && self->transport_security[0]) {
        len = field_add(head, len, "Strict-Transport-Security", self->transport_security);
    }
    len = field_add(head, len, "Connection", connection);
    if (self->retry_after_s) {
        len += (size_t)snprintf(head + len, sizeof(head) - len, "Retry-After: %u\r\n", self->retry_after_s);
    }
    r = text_buf_add(out, (struct span){ head, len });
    r = r ? r : text_buf_add(out, self->fields);
    if (r || self->is_streamed || self->status == 204) { /* which has no length: RFC 9110 §8.6 */
        return r;
    }
    len = (size_t)snprintf(head, sizeof(head), "Content-Length: %zu\r\n", self->body.len);
    return text_buf_add(out, (struct span){ head, len });
}

int response_fields(const struct response *self, struct text_buf *out)
{
    return fields_write(self, NULL, out);
}

int response_write(const struct response *self, struct text_buf *out)
{
    char line[STATUS_LINE_MAX];
    size_t len =
        (size_t)snprintf(line, sizeof(line), "HTTP/1.1 %d %s\r\n", self->status, response_reason(self->status));
    int r = text_buf_add(out, (struct span){ line, len });

    r = r ? r : fields_write(self, self->is_closing ? "close" : "keep-alive", out);
    if (!r && self->is_streamed && !self->is_http10) {
        r = text_buf_add(out, SPAN_LIT("Transfer-Encoding: chunked\r\n"));
    }
    r = r ? r : text_buf_add(out, SPAN_LIT("\r\n"));
    if (!r && !self->is_streamed && !self->is_head) {
        r = text_buf_add(out, self->body);
    }
    return r;
}

void response_chunk_head(char head[RESPONSE_CHUNK_HEAD], size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 8; i-- > 0;) {
        head[i] = digits[len & 15];
        len >>= 4;
    }
    head[8] = '\r';
    head[9] = '\n';
}

struct span response_date(int64_t wall_ms, char buf[RESPONSE_DATE_MAX])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(wall_ms / 1000);
    struct tm tm;
    int len;

    /* Not strftime: the names must not follow the locale. */
    if (!gmtime_r(&now, &tm)) {
        memset(&tm, 0, sizeof(tm));
    }
    len = snprintf(buf, RESPONSE_DATE_MAX, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + 3 * (tm.tm_wday % 7),
                   (unsigned)tm.tm_mday % 100U, months + 3 * (tm.tm_mon % 12), (unsigned)(tm.tm_year + 1900) % 10000U,
                   (unsigned)tm.tm_hour % 100U, (unsigned)tm.tm_min % 100U, (unsigned)tm.tm_sec % 100U);
    return (struct span){ buf, (size_t)len };
}
