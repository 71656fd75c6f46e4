#include "actors/agent/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/agent/fetch_guard.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"

#define CONNECT_MS 5000U
#define MIME_MAX 64
#define REDIRECT_BODY_MAX 65536U

struct fetch {
    struct http_client *http;
    struct http_transfer *transfer;
    struct fetch_limits limits;
    fetch_on_end on_end;
    void *arg;
    uv_timer_t later; /* tells of a URL that is refused before anything is sent */
    uint64_t due_ms;  /* loop time */
    uint32_t redirects_n;
    struct text_buf bytes;
    size_t skipped; /* of a body that is no answer */
    bool is_too_large;
    char problem[FETCH_TEXT_MAX];
};

static void later_on_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF((uv_timer_t *)handle, struct fetch, later));
}

static void fetch_free(struct fetch *self)
{
    http_transfer_cancel(&self->transfer);
    text_buf_deinit(&self->bytes);
    self->bytes = (struct text_buf){ 0 };
    uv_close((uv_handle_t *)&self->later, later_on_closed);
}

static void end_tell(struct fetch *self, const char *mime)
{
    struct text_buf bytes = self->bytes;
    struct fetch_end end = { .problem = self->problem[0] ? self->problem : NULL, .mime = mime, .bytes = &bytes };
    fetch_on_end on_end = self->on_end;
    void *arg = self->arg;
    char problem[FETCH_TEXT_MAX];

    memcpy(problem, self->problem, sizeof(problem));
    end.problem = end.problem ? problem : NULL;
    self->bytes = (struct text_buf){ 0 };
    fetch_free(self);
    on_end(arg, &end);
    text_buf_deinit(&bytes);
}

static void problem_set(struct fetch *self, const char *text)
{
    (void)snprintf(self->problem, sizeof(self->problem), "%s", text);
}

/* --- one hop ----------------------------------------------------------------------------- */

static int on_body(void *arg, long status, struct span bytes)
{
    struct fetch *self = arg;

    if (status != 200) {
        self->skipped += bytes.len;
        return self->skipped > REDIRECT_BODY_MAX;
    }
    if (self->bytes.len + bytes.len > self->limits.bytes_max) {
        self->is_too_large = true;
        return -1;
    }
    return text_buf_add(&self->bytes, bytes);
}

static const char *guard_text(int rc)
{
    switch (rc) {
    case FETCH_GUARD_E_LOCAL:
        return "its host is of the local network";
    case FETCH_GUARD_E_HOST:
        return "its host is not on the list of those that may be asked (urlAllowlist)";
    default:
        return "it is no http or https URL without a login";
    }
}

static const char *outcome_text(enum http_outcome outcome)
{
    switch (outcome) {
    case HTTP_NAME_UNKNOWN:
        return "its host name does not resolve";
    case HTTP_BLOCKED:
        return "its address is not of the public network";
    case HTTP_TLS:
        return "no secure connection to its host";
    case HTTP_CONNECT_TIMEOUT:
    case HTTP_FIRST_BYTE_TIMEOUT:
    case HTTP_STALLED:
    case HTTP_TOTAL_TIMEOUT:
        return "its host did not answer in time";
    case HTTP_CUT:
        return "its host broke off";
    default:
        return "no connection to its host";
    }
}

static int hop_start(struct fetch *self, struct span url);

/* The type alone, in lower case. */
static void mime_copy(const char *type, char out[MIME_MAX])
{
    size_t len = 0;

    while (type[len] && type[len] != ';' && type[len] != ' ' && len < MIME_MAX - 1) {
        out[len] = type[len] >= 'A' && type[len] <= 'Z' ? (char)(type[len] + 32) : type[len];
        len++;
    }
    out[len] = '\0';
}

static bool is_redirect(const struct http_end *end)
{
    return end->outcome == HTTP_OK && end->status >= 300 && end->status < 400 && end->redirect_url;
}

static void on_hop_end(void *arg, const struct http_end *end)
{
    struct fetch *self = arg;
    char mime[MIME_MAX] = "";

    self->transfer = NULL;
    if (is_redirect(end) && self->redirects_n++ < self->limits.redirects_max) {
        self->bytes.len = 0;
        self->skipped = 0;
        if (hop_start(self, span_from(end->redirect_url)) == 0) {
            return;
        }
    } else if (is_redirect(end)) {
        problem_set(self, "it is redirected too often");
    } else if (self->is_too_large) {
        (void)snprintf(self->problem, sizeof(self->problem), "it is larger than %llu bytes",
                       (unsigned long long)self->limits.bytes_max);
    } else if (end->outcome != HTTP_OK) {
        problem_set(self, outcome_text(end->outcome));
    } else if (end->status != 200) {
        (void)snprintf(self->problem, sizeof(self->problem), "its host answers with status %ld", end->status);
    } else {
        mime_copy(end->content_type, mime);
    }
    end_tell(self, mime);
}

static const struct http_events hop_events = { .on_body = on_body, .on_end = on_hop_end };

/* 0, or not, with the problem set. */
static int hop_start(struct fetch *self, struct span url)
{
    static const char *const headers[] = { "User-Agent: openclaw", "Accept: */*", NULL };
    CLEANUP(mem_free) char *text = mem_text(url.ptr, url.len);
    uint64_t now = uv_now(self->http->loop);
    uint32_t left_ms = self->due_ms > now ? (uint32_t)(self->due_ms - now) : 1;
    struct http_request request = {
        .url = text,
        .headers = headers,
        .is_get = true,
        .allow = self->limits.allow,
        .connect_ms = left_ms < CONNECT_MS ? left_ms : CONNECT_MS,
        .first_byte_ms = left_ms,
        .stall_ms = left_ms,
        .total_ms = left_ms,
    };
    int rc = fetch_guard_url(url, self->limits.hosts);

    if (rc) {
        problem_set(self, guard_text(rc));
        return rc;
    }
    rc = http_transfer_start(self->http, &request, &hop_events, self, &self->transfer);
    if (rc) {
        problem_set(self, "the gateway is short of memory");
    }
    return rc;
}

static void later_on_timer(uv_timer_t *timer)
{
    struct fetch *self = CONTAINER_OF(timer, struct fetch, later);

    if (!self->transfer) {
        end_tell(self, "");
        return;
    }
    http_client_kick(self->http); /* self may be gone from here on */
}

int fetch_start(struct http_client *http, struct span url, const struct fetch_limits *limits, fetch_on_end on_end,
                void *arg, struct fetch **ret_fetch)
{
    struct fetch *self = mem_new(sizeof(*self));

    self->http = http;
    self->limits = *limits;
    self->limits.allow = limits->allow ? limits->allow : fetch_guard_address;
    self->on_end = on_end;
    self->arg = arg;
    self->due_ms = uv_now(http->loop) + limits->timeout_ms;
    (void)uv_timer_init(http->loop, &self->later);            /* always 0 */
    (void)hop_start(self, url);                               /* told below */
    (void)uv_timer_start(&self->later, later_on_timer, 0, 0); /* fails for no callback only */
    *ret_fetch = self;
    return 0;
}

void fetch_cancel(struct fetch **fetch_p)
{
    struct fetch *self = TAKE(*fetch_p);

    if (self) {
        fetch_free(self);
    }
}
