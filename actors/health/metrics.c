#include "actors/health/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/health/exposition.h"
#include "actors/health/internal.h"
#include "actors/health/metrics_rows.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "bus/wire.h"
#include "schema_gen.h"

#define ASK_MS 1000U
#define SOURCES_MAX (FACTS_ACTORS_MAX + 1)

static void answers_drop(struct metrics *self)
{
    while (self->answers) {
        struct metrics_answer *answer = self->answers;

        self->answers = answer->next;
        free(answer->bytes);
        free(answer);
    }
}

void metrics_deinit(struct metrics *self)
{
    answers_drop(self);
}

/* --- the answer --------------------------------------------------------------------------- */

static bool is_process(struct span address)
{
    return span_starts(address, "host/") || span_is_text(address, "supervisor");
}

/* The supervising process speaks no language of actors; it is our parent, and the kernel counts it. */
static void supervisor_rows(struct pack *rows)
{
    uint64_t rss_bytes;
    double cpu_s;

    if (sysinfo_process(getppid(), &rss_bytes, &cpu_s)) {
        metrics_rows_process(SPAN_LIT("supervisor"), rss_bytes, cpu_s, rows);
    }
}

/* Hosts and channels say more than numbers; `rows` gets what is one. */
static void answers_translate(struct health *health, struct pack *rows)
{
    struct report_input in = health_input(health);

    pack_array_begin(rows);
    metrics_rows_self(&in, rows);
    supervisor_rows(rows);
    for (const struct metrics_answer *it = health->metrics.answers; it; it = it->next) {
        struct span said = { it->bytes, it->len };

        if (it->bytes && is_process(span_from(it->from))) {
            metrics_rows_host(said, rows);
        } else if (it->bytes && span_starts(span_from(it->from), "channel/")) {
            metrics_rows_channel(said, rows);
        }
    }
    pack_array_end(rows);
}

static int page_write(struct health *health, struct pack *rows, struct text_buf *page)
{
    struct exposition_source *sources = calloc(SOURCES_MAX, sizeof(*sources));
    size_t n = 1;
    int r;

    if (!sources) {
        return FAULT(-ENOMEM);
    }
    answers_translate(health, rows);
    sources[0].rows = pack_span(rows);
    for (const struct metrics_answer *it = health->metrics.answers; it && n < SOURCES_MAX; it = it->next) {
        struct span from = span_from(it->from);

        if (it->bytes && !is_process(from) && !span_starts(from, "channel/")) {
            sources[n++] = (struct exposition_source){ from, value_get((struct span){ it->bytes, it->len }, "rows") };
        }
    }
    r = pack_error(rows);
    r = r ? r : exposition_write(sources, n, page);
    free(sources);
    return r;
}

static void waiters_answer(struct health *health, struct actor *actor)
{
    struct metrics *self = &health->metrics;
    struct text_buf page = { 0 };
    struct pack rows;
    int r;

    pack_init(&rows, 0);
    r = page_write(health, &rows, &page);
    for (size_t i = 0; i < self->waiters_n; i++) {
        if (r) {
            (void)actor_token_fail_text(actor, self->waiters[i], FAIL_UNAVAILABLE,
                                        "there is no memory for the numbers");
        } else {
            struct msg_metrics_page out = { .text = { page.data, page.len } };

            (void)actor_token_reply(actor, self->waiters[i], MSG_METRICS_PAGE, &out); /* void when the asker gave up */
        }
    }
    self->waiters_n = 0;
    answers_drop(self);
    pack_deinit(&rows);
    text_buf_deinit(&page);
}

/* --- the questions ------------------------------------------------------------------------ */

static void on_said(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct health *health = arg;
    struct metrics_answer *said = cookie;

    if (!answer->failure && answer->body.len) {
        said->bytes = malloc(answer->body.len);
    }
    if (said->bytes) {
        memcpy(said->bytes, answer->body.ptr, answer->body.len);
        said->len = answer->body.len;
    }
    if (--health->metrics.open_n == 0) {
        waiters_answer(health, actor);
    }
}

/* What somebody is to be asked; NULL: nothing. */
static const struct schema_msg *question_for(struct span address)
{
    if (is_process(address)) {
        return &wire_actors;
    }
    if (span_starts(address, "edge/") || span_starts(address, "agent/") || span_is_text(address, "hooks")) {
        return MSG_METRICS_READ;
    }
    return span_starts(address, "channel/") ? MSG_CHANNEL_STATUS : NULL;
}

static int ask(struct health *health, struct actor *actor, const char *address, const struct schema_msg *msg)
{
    struct metrics_answer *said = mem_new(sizeof(*said));
    struct msg_metrics_read nothing = { 0 };
    struct msg_channel_status status = { .has_probe = false };
    struct actor_call call = {
        .to = said->from, .msg = msg, .deadline_ms = ASK_MS, .on_answer = on_said, .cookie = said
    };

    (void)snprintf(said->from, sizeof(said->from), "%s", address); /* it is as large */
    said->next = health->metrics.answers;
    health->metrics.answers = said;
    if (msg == MSG_CHANNEL_STATUS) {
        call.in = &status;
    } else if (msg == MSG_METRICS_READ) {
        call.in = &nothing;
    } else {
        call.body = SPAN_LIT("\x80"); /* an empty map */
    }
    health->metrics.open_n++;
    return actor_call(actor, &call, NULL);
}

static int everybody_ask(struct health *health, struct actor *actor)
{
    int r = ask(health, actor, actor_node(actor), &wire_actors); /* nobody is told of the node of his own process */

    for (size_t i = 0; !r && i < health->facts.actors_n; i++) {
        const struct facts_actor *row = &health->facts.actors[i];
        const struct schema_msg *msg = question_for(span_from(row->address));

        if (msg && row->life == FACTS_LIFE_READY) {
            r = ask(health, actor, row->address, msg);
        }
    }
    return r;
}

int metrics_on_text(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct health *health = arg;
    struct metrics *self = &health->metrics;

    (void)msg;
    if (self->waiters_n == METRICS_WAITERS_MAX) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "%u others wait for the numbers already", METRICS_WAITERS_MAX);
    }
    self->waiters[self->waiters_n++] = actor_defer(ctx, NULL);
    return self->open_n ? 0 : everybody_ask(health, actor_ctx_actor(ctx));
}
