#include "actors/health/metrics_rows.h"

#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "schema/base/metric.h"

#define NOTHING ((struct span){ NULL, 0 })

void metrics_rows_self(const struct report_input *in, struct pack *out)
{
    struct metric_label version = { "version", SPAN_LIT(OPENCLAW_VERSION) };

    metric_row_u64(out, "openclaw_build_info", 1, &version, 1);
    metric_row_f64(out, "openclaw_up_seconds", (double)in->uptime_ms / 1e3, NULL, 0);
    metric_row_u64(out, "openclaw_healthy", in->verdict->is_ok, NULL, 0);
}

void metrics_rows_process(struct span host, uint64_t rss_bytes, double cpu_s, struct pack *out)
{
    struct metric_label label = { "host", host };

    metric_row_u64(out, "openclaw_process_resident_memory_bytes", rss_bytes, &label, 1);
    metric_row_f64(out, "openclaw_process_cpu_seconds_total", cpu_s, &label, 1);
}

/* --- hosts -------------------------------------------------------------------------------- */

static void number_row(struct pack *out, const char *name, struct span value, const struct metric_label *labels,
                       size_t labels_n)
{
    int64_t number = value_i64(value, 0);

    metric_row_u64(out, name, number > 0 ? (uint64_t)number : 0, labels, labels_n);
}

static void actor_rows(struct span actor, struct span host, struct pack *out)
{
    static const struct {
        const char *key;
        const char *name;
    } numbers[] = {
        { "restarts", "openclaw_actor_restarts_total" },
        { "mailboxMsgs", "openclaw_actor_mailbox_messages" },
        { "mailboxBytes", "openclaw_actor_mailbox_bytes" },
        { "callsOpen", "openclaw_actor_calls_open" },
        { "handled", "openclaw_actor_waiting_seconds_count" },
        { "handled", "openclaw_actor_processing_seconds_count" },
        { "msgsIn", "openclaw_actor_received_messages_total" },
        { "bytesIn", "openclaw_actor_received_bytes_total" },
        { "msgsOut", "openclaw_actor_sent_messages_total" },
        { "bytesOut", "openclaw_actor_sent_bytes_total" },
        { "refused", "openclaw_actor_refused_total" },
        { "deadLetters", "openclaw_actor_dead_letters_total" },
        { "eventsLost", "openclaw_actor_events_lost_total" },
        { "eventsDropped", "openclaw_actor_events_dropped_total" },
    };
    struct metric_label labels[2] = { { "actor", value_str(value_get(actor, "address"), NOTHING) }, { "host", host } };

    metric_row_u64(out, "openclaw_actor_ready",
                   span_is_text(value_str(value_get(actor, "life"), NOTHING), actor_life_name(ACTOR_LIFE_READY)),
                   labels, 2);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        number_row(out, numbers[i].name, value_get(actor, numbers[i].key), labels, 2);
    }
    metric_row_f64(out, "openclaw_actor_waiting_seconds_sum", (double)value_i64(value_get(actor, "waitedNs"), 0) / 1e9,
                   labels, 2);
    metric_row_f64(out, "openclaw_actor_processing_seconds_sum", (double)value_i64(value_get(actor, "busyNs"), 0) / 1e9,
                   labels, 2);
}

void metrics_rows_host(struct span said, struct pack *out)
{
    struct metric_label host = { "host", value_str(value_get(said, "host"), NOTHING) };
    struct value_iter it = value_iter(value_get(said, "actors"));
    struct span key;
    struct span actor;

    number_row(out, "openclaw_process_resident_memory_bytes", value_get(said, "rssBytes"), &host, 1);
    metric_row_f64(out, "openclaw_process_cpu_seconds_total", value_f64(value_get(said, "cpuSeconds"), 0), &host, 1);
    while (value_next(&it, &key, &actor)) {
        actor_rows(actor, host.text, out);
    }
}

/* --- channels ----------------------------------------------------------------------------- */

static void state_rows(struct span state, const struct metric_label *who, struct pack *out)
{
    static const char *const states[] = { "stopped", "connecting", "up", "degraded", "logged-out" };
    struct metric_label labels[3] = { who[0], who[1], { "state", NOTHING } };

    metric_row_u64(out, "openclaw_channel_up", span_is_text(state, "up"), who, 2);
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        labels[2].text = span_from(states[i]);
        metric_row_u64(out, "openclaw_channel_state", span_is_text(state, states[i]), labels, 3);
    }
}

void metrics_rows_channel(struct span said, struct pack *out)
{
    static const struct {
        const char *key;
        const char *name;
    } numbers[] = {
        { "inbound_n", "openclaw_channel_inbound_total" },
        { "outbound_n", "openclaw_channel_outbound_total" },
        { "queued_n", "openclaw_channel_queued" },
        { "unknown_n", "openclaw_channel_unknown" },
        { "dead_n", "openclaw_channel_dead" },
    };
    static const struct {
        const char *key;
        const char *name;
    } times[] = {
        { "last_inbound_at", "openclaw_channel_last_inbound_seconds" },
        { "last_outbound_at", "openclaw_channel_last_outbound_seconds" },
    };
    struct metric_label who[2] = { { "channel", value_str(value_get(said, "channel"), NOTHING) },
                                   { "account", value_str(value_get(said, "account"), NOTHING) } };

    state_rows(value_str(value_get(said, "state"), NOTHING), who, out);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        number_row(out, numbers[i].name, value_get(said, numbers[i].key), who, 2);
    }
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        int64_t at_ms = value_i64(value_get(said, times[i].key), 0);

        if (at_ms) {
            metric_row_f64(out, times[i].name, (double)at_ms / 1e3, who, 2);
        }
    }
}
