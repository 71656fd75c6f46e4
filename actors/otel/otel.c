/*
 * otel: traces and metrics for a collector that speaks OTLP over HTTP, in JSON.
 *
 * Accepts    config_update
 * Follows    diagnostics.otel of the config
 * Asks       health (metrics_text), and the supervising process for a tap
 * A trace is what the bus calls one; a span is a call and its answer, of which the tap shows
 * the headers. No body, and nothing of one, leaves. What finds no room while the collector
 * is slow or gone is left out and counted. On restart what had not been sent is lost.
 */
#include "actors/otel/otel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "actors/otel/encode.h"
#include "actors/otel/feed.h"
#include "actors/otel/post.h"
#include "actors/otel/settings.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_follow.h"
#include "schema_gen.h"

#define SWEEP_MS 500U
#define QUEUE_BYTES ((size_t)4 << 20) /* of spans that wait to be sent */
#define RETRY_LEAST_MS 1000U
#define RETRY_MOST_MS 60000U
#define ASK_MS 5000U
#define STATUS_MAX 384

/* One of the two things that are sent. */
struct stream {
    struct otel *otel;
    const char *name;
    const struct settings_url *url;
    struct post post;
    struct text_buf body;    /* to be sent, or to be sent again; empty: nothing */
    uint64_t due_ms;         /* loop time before which it is not tried again */
    uint32_t retry_ms;       /* 0: the last try went well */
    char why[160];           /* it did not */
    uint64_t lost;           /* spans, or pages of numbers */
    uint64_t in_body;        /* of these in `body` */
    struct text_buf sending; /* a copy of what is under way */
};

struct otel {
    struct actor *actor;
    struct config_follow follow;
    struct settings settings;
    struct feed feed;
    struct spans spans;
    struct stream traces;
    struct stream metrics;
    uv_timer_t sweep;
    bool has_sweep;
    bool is_on;
    bool is_asked;         /* health, for its page */
    struct text_buf queue; /* spans that are over, as they are sent */
    uint64_t queued_n;
    uint64_t flush_at_ms;
    uint64_t attach_at_ms;
    uint64_t began_ns; /* of this life, since 1970 */
    char instance[40];
    char shown[STATUS_MAX]; /* what it said of itself last */
};

/* --- how it is ---------------------------------------------------------------------------------- */

static void status_show(struct otel *self)
{
    const struct stream *bad = self->traces.retry_ms ? &self->traces : self->metrics.retry_ms ? &self->metrics : NULL;
    char text[STATUS_MAX] = "";

    if (bad) {
        unsigned long long lost = bad->lost + self->spans.dropped;

        (void)snprintf(text, sizeof(text), "the collector at %.160s takes no %s: %s; %llu lost so far", bad->url->host,
                       bad->name, bad->why, lost);
    }
    if (strcmp(text, self->shown) != 0) {
        (void)snprintf(self->shown, sizeof(self->shown), "%s", text);
        actor_status(self->actor, text);
    }
}

/* --- sending --------------------------------------------------------------------------------------- */

static uint64_t now_ms(const struct otel *self)
{
    return uv_now(actor_loop(self->actor));
}

static void stream_try(struct stream *self);

static void sent_well(struct stream *self)
{
    if (self->retry_ms) {
        log_info("otel_recovered", "what=%s lost=%llu", self->name, (unsigned long long)self->lost);
    }
    self->retry_ms = 0;
    self->body.len = 0;
    self->in_body = 0;
}

/* It may come again, or it will never be taken. */
static void sent_badly(struct stream *self, unsigned status)
{
    bool is_worth_more = status == 0 || status == 408 || status == 429 || status >= 500;

    if (!self->retry_ms) {
        log_warning("otel_refused", "what=%s host=%s why=\"%s\"", self->name, self->url->host, self->why);
    }
    self->retry_ms = self->retry_ms ? self->retry_ms * 2 : RETRY_LEAST_MS;
    self->retry_ms = self->retry_ms > RETRY_MOST_MS ? RETRY_MOST_MS : self->retry_ms;
    self->due_ms = now_ms(self->otel) + self->retry_ms;
    if (!is_worth_more) {
        self->lost += self->in_body;
        self->body.len = 0;
        self->in_body = 0;
    }
}

static void on_sent(void *arg, unsigned status, const char *why)
{
    struct stream *self = arg;

    if (status >= 200 && status < 300) {
        sent_well(self);
    } else {
        (void)snprintf(self->why, sizeof(self->why), "%s", why);
        if (status) {
            (void)snprintf(self->why, sizeof(self->why), "it answers with status %u", status);
        }
        sent_badly(self, status);
    }
    status_show(self->otel);
}

static void stream_try(struct stream *self)
{
    struct otel *otel = self->otel;

    if (!self->body.len || post_is_busy(&self->post) || now_ms(otel) < self->due_ms) {
        return;
    }
    self->sending.len = 0;
    if (text_buf_add(&self->sending, (struct span){ self->body.data, self->body.len }) ||
        post_start(&self->post, self->url, otel->settings.headers, &self->sending)) {
        (void)snprintf(self->why, sizeof(self->why), "the request cannot be made");
        sent_badly(self, 0);
    }
}

static struct encode_resource resource_of(const struct otel *self)
{
    return (struct encode_resource){ .service = self->settings.service,
                                     .version = OPENCLAW_VERSION,
                                     .instance = self->instance };
}

/* --- traces ------------------------------------------------------------------------------------------ */

static void on_envelope(void *arg, const struct envelope *env, uint64_t body_bytes, int64_t at_us, bool is_lost)
{
    struct otel *self = arg;

    spans_see(&self->spans, env, body_bytes, at_us, is_lost);
}

static void on_span(void *arg, const struct span_one *span)
{
    struct otel *self = arg;

    if (self->queue.len >= QUEUE_BYTES || encode_span(span, &self->queue)) {
        self->traces.lost++;
    } else {
        self->queued_n++;
    }
}

/* What waits becomes a request, once the one before has been taken. */
static int traces_flush(struct otel *self)
{
    struct encode_resource resource = resource_of(self);

    if (!self->queue.len || self->traces.body.len) {
        return 0;
    }
    int r = encode_traces(&resource, (struct span){ self->queue.data, self->queue.len }, &self->traces.body);
    self->traces.in_body = self->queued_n;
    self->queue.len = 0;
    self->queued_n = 0;
    return r ? FAULT(r) : 0;
}

/* --- metrics ----------------------------------------------------------------------------------------- */

static void on_page(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct otel *self = arg;
    const struct msg_metrics_page *page = answer->msg;
    struct encode_resource resource = resource_of(self);

    (void)cookie;
    self->is_asked = false;
    if (answer->failure || !page || !self->settings.has_metrics || post_is_busy(&self->metrics.post)) {
        return; /* the next one has all of it, too */
    }
    self->metrics.lost += self->metrics.in_body; /* nobody wants the old one any more */
    self->metrics.body.len = 0;
    self->metrics.in_body = 1;
    if (encode_metrics(&resource, page->text, self->began_ns, (uint64_t)clock_wall_us() * 1000, &self->metrics.body)) {
        (void)actor_fault(actor, FAULT(-ENOMEM));
        return;
    }
    stream_try(&self->metrics);
}

static int metrics_ask(struct otel *self)
{
    if (self->is_asked) {
        return 0;
    }
    self->is_asked = true;
    return actor_call(self->actor,
                      &(struct actor_call){ .to = "health",
                                            .msg = MSG_METRICS_TEXT,
                                            .in = &(struct msg_metrics_text){ 0 },
                                            .deadline_ms = ASK_MS,
                                            .on_answer = on_page },
                      NULL);
}

/* --- turns ------------------------------------------------------------------------------------------- */

static int attach(struct otel *self)
{
    if (feed_is_open(&self->feed) || now_ms(self) < self->attach_at_ms) {
        return 0;
    }
    self->attach_at_ms = now_ms(self) + RETRY_LEAST_MS;
    return feed_open(&self->feed);
}

static int turn(struct otel *self)
{
    bool is_due = now_ms(self) >= self->flush_at_ms;
    int r = 0;

    if (is_due) {
        self->flush_at_ms = now_ms(self) + self->settings.flush_ms;
    }
    if (self->settings.has_traces) {
        r = attach(self);
        spans_sweep(&self->spans, clock_wall_us(), on_span, self);
        r = r || !is_due ? r : traces_flush(self);
        stream_try(&self->traces);
    }
    if (self->settings.has_metrics) {
        r = r || !is_due ? r : metrics_ask(self);
        stream_try(&self->metrics);
    }
    return r;
}

static void on_sweep(uv_timer_t *timer)
{
    struct otel *self = timer->data;
    int r = turn(self);

    if (r) {
        (void)actor_fault(self->actor, r); /* the loop ends after this turn */
    }
}

/* --- settings ---------------------------------------------------------------------------------------- */

static void off(struct otel *self)
{
    if (self->is_on) {
        (void)uv_timer_stop(&self->sweep); /* cannot fail */
        feed_close(&self->feed);
        spans_deinit(&self->spans);
        post_deinit(&self->traces.post);
        post_deinit(&self->metrics.post);
    }
    self->is_on = false;
    self->queue.len = 0;
    self->queued_n = 0;
    self->traces.body.len = 0;
    self->metrics.body.len = 0;
    self->traces.retry_ms = 0;
    self->metrics.retry_ms = 0;
    status_show(self);
}

static void on(struct otel *self, const struct settings *settings)
{
    self->settings = *settings;
    if (!settings->has_traces && !settings->has_metrics) {
        return;
    }
    self->is_on = true;
    spans_init(&self->spans, settings->sample_rate);
    self->flush_at_ms = now_ms(self) + settings->flush_ms;
    self->attach_at_ms = 0;
    (void)uv_timer_start(&self->sweep, on_sweep, 0, SWEEP_MS); /* fails only without a callback */
    log_info("otel_on", "traces=%d metrics=%d host=%s flush_ms=%u", settings->has_traces, settings->has_metrics,
             settings->traces.host, settings->flush_ms);
}

static int on_config_update(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct otel *self = arg;
    const struct msg_config_update *in = msg;
    struct settings settings;
    char why[200];

    if (settings_read(in->config, &settings, why, sizeof(why))) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "%s", why);
    }
    off(self);
    on(self, &settings);
    return config_follow_applied(ctx, msg);
}

static void on_config_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    struct otel *self = arg;
    int r = config_follow_life(&self->follow, life);

    (void)address;
    if (r) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

/* --- life cycle ---------------------------------------------------------------------------------------- */

static void stream_init(struct stream *self, struct otel *otel, const char *name, const struct settings_url *url)
{
    self->otel = otel;
    self->name = name;
    self->url = url;
    post_init(&self->post, actor_loop(otel->actor), on_sent, self);
}

static int otel_init(void *state, struct actor *actor, const char *arg)
{
    struct otel *self = state;
    int r = uv_timer_init(actor_loop(actor), &self->sweep);

    (void)arg;
    if (r) {
        return FAULT(r);
    }
    self->actor = actor;
    self->sweep.data = self;
    self->has_sweep = true;
    self->began_ns = (uint64_t)clock_wall_us() * 1000;
    (void)snprintf(self->instance, sizeof(self->instance), "%u-%llx", actor_incarnation(actor),
                   (unsigned long long)self->began_ns);
    stream_init(&self->traces, self, "traces", &self->settings.traces);
    stream_init(&self->metrics, self, "metrics", &self->settings.metrics);
    feed_init(&self->feed, actor_loop(actor), on_envelope, self);
    config_follow_open(&self->follow, actor);
    return actor_watch(actor, "config", on_config_life);
}

static void otel_deinit(void *state, struct actor *actor)
{
    struct otel *self = state;

    (void)actor;
    if (self->has_sweep) {
        off(self);
        uv_close((uv_handle_t *)&self->sweep, NULL);
    }
    config_follow_close(&self->follow);
    text_buf_deinit(&self->queue);
    text_buf_deinit(&self->traces.body);
    text_buf_deinit(&self->traces.sending);
    text_buf_deinit(&self->metrics.body);
    text_buf_deinit(&self->metrics.sending);
    mem_wipe(self->settings.headers, sizeof(self->settings.headers));
}

static const struct actor_route otel_routes[] = {
    { MSG_CONFIG_UPDATE, on_config_update, 0 },
};
_Static_assert(ARRAY_LEN(otel_routes) == OTEL_ACCEPTS_N, "otel: routes, schema differ");

const struct actor_def otel_actor = {
    .name = "otel",
    .state_size = sizeof(struct otel),
    .routes = otel_routes,
    .routes_n = ARRAY_LEN(otel_routes),
    .init = otel_init,
    .deinit = otel_deinit,
};
