#include "actors/agent/numbers.h"

#include "actors/agent/agent_state.h"
#include "bus/base/clock.h"
#include "schema_gen.h"

static struct numbers_provider *provider_of(struct numbers *self, const struct run *run)
{
    for (size_t i = 0; i < NUMBERS_PROVIDERS_MAX; i++) {
        struct numbers_provider *row = &self->providers[i];

        if (!row->id[0]) {
            memcpy(row->id, run->provider, sizeof(row->id));
        }
        if (strcmp(row->id, run->provider) == 0) {
            return row;
        }
    }
    memcpy(self->providers[NUMBERS_PROVIDERS_MAX].id, "other", sizeof("other"));
    return &self->providers[NUMBERS_PROVIDERS_MAX];
}

void numbers_first(struct numbers *self, const struct run *run)
{
    metric_note(&provider_of(self, run)->first, clock_mono_ns() - run->asked_ns);
}

void numbers_end(struct numbers *self, const struct run *run)
{
    switch (run->row.state) {
    case STORE_RUN_DONE:
        self->done_n++;
        break;
    case STORE_RUN_ABORTED:
        self->aborted_n++;
        break;
    default:
        self->failed_n++;
        break;
    }
    self->tokens_in_n += run->usage.input;
    self->tokens_out_n += run->usage.output;
    if (run->asked_ns && run->provider[0]) {
        metric_note(&provider_of(self, run)->took, clock_mono_ns() - run->asked_ns);
    }
}

static void runs_pack(const struct agent *agent, struct pack *out)
{
    const struct numbers *self = &agent->numbers;
    struct metric_label label = { "outcome", SPAN_LIT("ok") };

    metric_row_u64(out, "openclaw_runs_active", agent->book.active_n, NULL, 0);
    metric_row_u64(out, "openclaw_runs_queued", agent->book.waiting_n, NULL, 0);
    metric_row_u64(out, "openclaw_sessions", agent->sessions_n, NULL, 0);
    metric_row_u64(out, "openclaw_runs_total", self->done_n, &label, 1);
    label.text = SPAN_LIT("error");
    metric_row_u64(out, "openclaw_runs_total", self->failed_n, &label, 1);
    label.text = SPAN_LIT("aborted");
    metric_row_u64(out, "openclaw_runs_total", self->aborted_n, &label, 1);
    label = (struct metric_label){ "kind", SPAN_LIT("input") };
    metric_row_u64(out, "openclaw_tokens_total", self->tokens_in_n, &label, 1);
    label.text = SPAN_LIT("output");
    metric_row_u64(out, "openclaw_tokens_total", self->tokens_out_n, &label, 1);
}

static void providers_pack(const struct numbers *self, struct pack *out)
{
    for (size_t i = 0; i <= NUMBERS_PROVIDERS_MAX; i++) {
        const struct numbers_provider *row = &self->providers[i];
        struct metric_label label = { "provider", span_from(row->id) };

        if (row->id[0]) {
            metric_row_histogram(out, "openclaw_provider_seconds", &row->took, &label, 1);
            metric_row_histogram(out, "openclaw_provider_first_token_seconds", &row->first, &label, 1);
        }
    }
}

int on_metrics_read(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct agent *self = arg;
    struct pack rows;
    int r;

    (void)msg;
    pack_init(&rows, 0);
    pack_array_begin(&rows);
    runs_pack(self, &rows);
    providers_pack(&self->numbers, &rows);
    pack_array_end(&rows);
    r = pack_error(&rows);
    r = r ? r : actor_reply(ctx, MSG_METRICS_ROWS, &(struct msg_metrics_rows){ .rows = pack_span(&rows) });
    pack_deinit(&rows);
    return r;
}
