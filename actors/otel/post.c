#include "actors/otel/post.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"

#define TIMEOUT_MS 10000U
#define HEAD_MAX (SETTINGS_HEADERS_MAX + 1536)
#define ANSWER_LINE_MAX 64

/* Lives until all of its handles and its look-up are done. */
struct post_job {
    struct post *post; /* NULL: nobody waits any more */
    unsigned open_n;
    uv_getaddrinfo_t look;
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_write_t write;
    bool has_tcp;
    char head[HEAD_MAX];
    struct text_buf body;
    char line[ANSWER_LINE_MAX]; /* the first of the answer */
    size_t line_n;
    char bytes[1024];
};

void post_init(struct post *self, uv_loop_t *loop, post_on_end on_end, void *arg)
{
    *self = (struct post){ .loop = loop, .on_end = on_end, .arg = arg };
}

bool post_is_busy(const struct post *self)
{
    return self->job != NULL;
}

/* --- the end --------------------------------------------------------------------------------- */

static void job_release(struct post_job *job)
{
    if (--job->open_n == 0) {
        mem_wipe(job->head, sizeof(job->head)); /* a header may let one in */
        text_buf_deinit(&job->body);
        free(job);
    }
}

static void on_closed(uv_handle_t *handle)
{
    job_release(handle->data);
}

static void job_close(struct post_job *job)
{
    job->post->job = NULL;
    job->post = NULL;
    (void)uv_cancel((uv_req_t *)&job->look); /* fails when it is over */
    uv_close((uv_handle_t *)&job->timer, on_closed);
    if (job->has_tcp) {
        uv_close((uv_handle_t *)&job->tcp, on_closed);
    }
}

static void job_end(struct post_job *job, unsigned status, const char *why)
{
    struct post *post = job->post;

    if (post) {
        job_close(job);
        post->on_end(post->arg, status, why); /* post may be used again from here on */
    }
}

void post_deinit(struct post *self)
{
    if (self->job) {
        job_close(self->job);
    }
}

/* --- the exchange ----------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct post_job *job = handle->data;

    (void)suggested;
    *buf = uv_buf_init(job->bytes, sizeof(job->bytes));
}

/* The first line is all that counts. */
static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct post_job *job = stream->data;
    unsigned status = 0;

    if (len < 0) {
        job_end(job, 0, "it ended the connection without an answer");
        return;
    }
    for (ssize_t i = 0; i < len && job->line_n < sizeof(job->line) - 1; i++) {
        job->line[job->line_n++] = buf->base[i];
    }
    if (!memchr(job->line, '\n', job->line_n) && job->line_n < sizeof(job->line) - 1) {
        return;
    }
    if (sscanf(job->line, "HTTP/1.%*1[01] %3u", &status) != 1) {
        job_end(job, 0, "what answers there speaks no HTTP");
        return;
    }
    job_end(job, status, "");
}

static void on_written(uv_write_t *write, int status)
{
    struct post_job *job = write->data;

    if (status) {
        job_end(job, 0, uv_strerror(status)); /* NOLINT(concurrency-mt-unsafe): only for codes that are unknown */
    }
}

static void on_connect(uv_connect_t *connect, int status)
{
    struct post_job *job = connect->data;
    uv_buf_t bufs[2] = { uv_buf_init(job->head, (unsigned)strlen(job->head)),
                         uv_buf_init(job->body.data, (unsigned)job->body.len) };

    if (!job->post) {
        return; /* it was given up meanwhile */
    }
    status = status ? status : uv_write(&job->write, (uv_stream_t *)&job->tcp, bufs, 2, on_written);
    status = status ? status : uv_read_start((uv_stream_t *)&job->tcp, on_alloc, on_read);
    if (status) {
        job_end(job, 0, uv_strerror(status)); /* NOLINT(concurrency-mt-unsafe): as above */
    }
}

static void on_looked_up(uv_getaddrinfo_t *look, int status, struct addrinfo *found)
{
    struct post_job *job = look->data;

    if (job->post && !status) {
        status = uv_tcp_init(job->post->loop, &job->tcp);
        if (!status) {
            job->tcp.data = job;
            job->has_tcp = true;
            job->open_n++;
            status = uv_tcp_connect(&job->connect, &job->tcp, found->ai_addr, on_connect);
        }
    }
    uv_freeaddrinfo(found);
    if (job->post && status) {
        job_end(job, 0, uv_strerror(status)); /* NOLINT(concurrency-mt-unsafe): as above */
    }
    job_release(job);
}

static void on_timeout(uv_timer_t *timer)
{
    job_end(timer->data, 0, "it does not answer");
}

int post_start(struct post *self, const struct settings_url *url, const char *headers, struct text_buf *body)
{
    static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct post_job *job = mem_new(sizeof(*job));
    bool is_v6 = strchr(url->host, ':') != NULL;
    int n = snprintf(job->head, sizeof(job->head),
                     "POST %s HTTP/1.1\r\nHost: %s%s%s:%s\r\n%sContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                     url->path[0] ? url->path : "/", is_v6 ? "[" : "", url->host, is_v6 ? "]" : "", url->port, headers,
                     body->len);

    job->body = *body;
    *body = (struct text_buf){ 0 };
    if (n < 0 || (size_t)n >= sizeof(job->head) || uv_timer_init(self->loop, &job->timer)) {
        text_buf_deinit(&job->body);
        free(job);
        return FAULT(-EINVAL);
    }
    job->post = self;
    job->timer.data = job;
    job->look.data = job;
    job->connect.data = job;
    job->write.data = job;
    job->open_n = 2; /* the timer and the look-up */
    self->job = job;
    (void)uv_timer_start(&job->timer, on_timeout, TIMEOUT_MS, 0); /* fails only without a callback */
    int r = uv_getaddrinfo(self->loop, &job->look, on_looked_up, url->host, url->port, &hints);
    if (r) {
        job_close(job);
        job_release(job); /* there is no look-up */
        return FAULT(r);
    }
    return 0;
}
