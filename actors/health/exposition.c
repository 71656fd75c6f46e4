#include "actors/health/exposition.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "schema/base/metric.h"

enum family_type {
    COUNTER,
    GAUGE,
    HISTOGRAM,
    SUMMARY, /* its rows are named with _sum and _count */
};

struct family {
    const char *name;
    const char *help;
    enum family_type type;
};

static const struct family families[] = {
    { "openclaw_build_info", "The version of this gateway.", GAUGE },
    { "openclaw_up_seconds", "Seconds since the process of the actor health began.", GAUGE },
    { "openclaw_healthy", "1 while everybody that all depends on is ready.", GAUGE },
    { "openclaw_process_resident_memory_bytes", "Resident memory of each process of the gateway.", GAUGE },
    { "openclaw_process_cpu_seconds_total", "CPU time of each process of the gateway.", COUNTER },

    { "openclaw_connections", "Connections of clients that are open, HTTP and WebSocket together.", GAUGE },
    { "openclaw_connections_total", "Connections of clients that were accepted.", COUNTER },
    { "openclaw_connections_turned_away_total", "Connections that were answered with 503 for want of room.", COUNTER },
    { "openclaw_clients", "WebSockets behind hello-ok, by version of the protocol.", GAUGE },
    { "openclaw_client_queue_bytes", "Memory of what waits for clients to read it.", GAUGE },
    { "openclaw_payload_large_total", "Payloads refused, or events left out, for their size or a slow client.",
      COUNTER },
    { "openclaw_tls_handshakes_total", "TLS handshakes that succeeded.", COUNTER },
    { "openclaw_tls_failures_total", "Connections ended for what was no TLS, or none that is accepted.", COUNTER },
    { "openclaw_http2_connections_total", "Connections that spoke HTTP/2.", COUNTER },
    { "openclaw_http2_given_up_total", "Connections of HTTP/2 ended for what their clients did.", COUNTER },
    { "openclaw_tls_certificate_expires_seconds", "Unix time at which the certificate expires.", GAUGE },

    { "openclaw_rpc_requests_total", "Requests over WebSocket that their owner answered.", COUNTER },
    { "openclaw_rpc_refused_total", "Requests over WebSocket that were refused before they reached an owner.",
      COUNTER },
    { "openclaw_handshakes_total", "Handshakes of WebSockets that were answered, by outcome.", COUNTER },
    { "openclaw_rpc_seconds", "Time from a request over WebSocket to its last answer.", HISTOGRAM },
    { "openclaw_http_requests_total", "Requests over HTTP that were answered.", COUNTER },
    { "openclaw_http_seconds", "Time from the head of a request over HTTP to the head of its answer.", HISTOGRAM },

    { "openclaw_runs_active", "Runs under way.", GAUGE },
    { "openclaw_runs_queued", "Runs that wait for their turn.", GAUGE },
    { "openclaw_runs_total", "Runs that ended, by outcome.", COUNTER },
    { "openclaw_sessions", "Sessions of each agent.", GAUGE },
    { "openclaw_tokens_total", "Tokens as providers count them.", COUNTER },
    { "openclaw_provider_seconds", "Time from a request to a provider to the end of its answer.", HISTOGRAM },
    { "openclaw_provider_first_token_seconds", "Time from a request to a provider to the first of its text.",
      HISTOGRAM },

    { "openclaw_hooks_open", "Webhooks that were taken and are not done yet.", GAUGE },
    { "openclaw_hooks_total", "Webhooks by what became of them.", COUNTER },

    { "openclaw_channel_up", "1 while the transport of a channel is up.", GAUGE },
    { "openclaw_channel_state", "1 for the state that a channel is in.", GAUGE },
    { "openclaw_channel_inbound_total", "Messages admitted from a channel.", COUNTER },
    { "openclaw_channel_outbound_total", "Messages that the far side of a channel acknowledged.", COUNTER },
    { "openclaw_channel_queued", "Messages that wait to be sent.", GAUGE },
    { "openclaw_channel_unknown", "Messages whose fate is unknown.", GAUGE },
    { "openclaw_channel_dead", "Messages that cannot be delivered.", GAUGE },
    { "openclaw_channel_last_inbound_seconds", "Unix time of the last message admitted.", GAUGE },
    { "openclaw_channel_last_outbound_seconds", "Unix time of the last message acknowledged.", GAUGE },

    { "openclaw_actor_ready", "1 while an actor is ready.", GAUGE },
    { "openclaw_actor_restarts_total", "Starts of an actor after the first one in its process.", COUNTER },
    { "openclaw_actor_mailbox_messages", "Messages that wait in the mailbox of an actor.", GAUGE },
    { "openclaw_actor_mailbox_bytes", "Bytes that wait in the mailbox of an actor.", GAUGE },
    { "openclaw_actor_calls_open", "Calls of an actor that wait for their answer.", GAUGE },
    { "openclaw_actor_waiting_seconds", "Time of messages from their arrival to their handler.", SUMMARY },
    { "openclaw_actor_processing_seconds", "Time of messages in their handler.", SUMMARY },
    { "openclaw_actor_received_messages_total", "Messages received.", COUNTER },
    { "openclaw_actor_received_bytes_total", "Bytes received.", COUNTER },
    { "openclaw_actor_sent_messages_total", "Messages sent.", COUNTER },
    { "openclaw_actor_sent_bytes_total", "Bytes sent.", COUNTER },
    { "openclaw_actor_refused_total", "Messages that found no room in the mailbox.", COUNTER },
    { "openclaw_actor_dead_letters_total", "Messages that could not be delivered.", COUNTER },
    { "openclaw_actor_events_lost_total", "Events that an actor should have had.", COUNTER },
    { "openclaw_actor_events_dropped_total", "Droppable events that were left out for an actor.", COUNTER },
};

static const char *const type_names[] = { "counter", "gauge", "histogram", "summary" };

/* --- one row ------------------------------------------------------------------------------ */

/* What a row says; labels are in it as they lie. */
struct row {
    struct span name;
    struct span value;
    struct span labels; /* the rest of the list: text after text */
    uint32_t labels_n;
};

static bool row_read(struct span packed, struct row *ret_row)
{
    struct value_iter it = value_iter(packed);
    struct row row = { .labels_n = 0 };
    struct span key;

    if (!value_next(&it, &key, &row.name) || !value_next(&it, &key, &row.value) || it.left % 2 != 0 ||
        it.left > 2 * METRIC_LABELS_MAX || value_kind_of(row.name) != VALUE_STR) {
        return false;
    }
    row.name = value_str(row.name, row.name);
    row.labels = it.rest;
    row.labels_n = it.left / 2;
    *ret_row = row;
    return true;
}

/* Backslash, quote and line feed are the only bytes that need care. */
static int label_text_add(struct text_buf *out, struct span text)
{
    int r = 0;

    for (size_t i = 0; !r && i < text.len; i++) {
        char c = text.ptr[i];
        struct span plain = { text.ptr + i, 1 };

        r = text_buf_add(out, c == '\\'   ? SPAN_LIT("\\\\")
                              : c == '"'  ? SPAN_LIT("\\\"")
                              : c == '\n' ? SPAN_LIT("\\n")
                                          : plain);
    }
    return r;
}

static int label_add(struct text_buf *out, struct span name, struct span text, bool *is_first)
{
    int r = text_buf_add(out, *is_first ? SPAN_LIT("{") : SPAN_LIT(","));

    *is_first = false;
    r = r ? r : text_buf_add(out, name);
    r = r ? r : text_buf_add(out, SPAN_LIT("=\""));
    r = r ? r : label_text_add(out, text);
    return r ? r : text_buf_add(out, SPAN_LIT("\""));
}

/* All labels of a row; `bound` is that of a bucket. */
static int labels_add(struct text_buf *out, struct span actor, const struct row *row, struct span bound)
{
    struct span rest = row->labels;
    bool is_first = true;
    int r = actor.len ? label_add(out, SPAN_LIT("actor"), actor, &is_first) : 0;

    for (uint32_t i = 0; !r && i < row->labels_n; i++) {
        struct span none = { NULL, 0 };
        struct span name = none;
        struct span text = none;

        if (value_take(&rest, &name) && value_take(&rest, &text)) {
            r = label_add(out, value_str(name, none), value_str(text, none), &is_first);
        }
    }
    r = r || !bound.len ? r : label_add(out, SPAN_LIT("le"), bound, &is_first);
    return r || is_first ? r : text_buf_add(out, SPAN_LIT("}"));
}

static int number_add(struct text_buf *out, struct span value)
{
    struct value_head head;
    char text[40];

    if (!value_read(&value, &head)) {
        return 0;
    }
    if (head.kind == VALUE_FLOAT && isfinite(head.f64)) {
        (void)snprintf(text, sizeof(text), " %.17g\n", head.f64);
    } else if (head.kind == VALUE_UINT) {
        (void)snprintf(text, sizeof(text), " %llu\n", (unsigned long long)head.u64);
    } else {
        (void)snprintf(text, sizeof(text), " %lld\n", head.kind == VALUE_INT ? (long long)head.i64 : 0LL);
    }
    return text_buf_add(out, span_from(text));
}

static int sample_add(struct text_buf *out, struct span name, const char *suffix, struct span actor,
                      const struct row *row, struct span bound, struct span value)
{
    int r = text_buf_add(out, name);

    r = r ? r : text_buf_add(out, span_from(suffix));
    r = r ? r : labels_add(out, actor, row, bound);
    return r ? r : number_add(out, value);
}

static int histogram_add(struct text_buf *out, struct span actor, const struct row *row)
{
    struct value_iter it = value_iter(row->value);
    struct span none = { NULL, 0 };
    struct span key;
    struct span sum;
    struct span count = none;
    char text[32];
    int r = 0;

    if (it.left != METRIC_BOUNDS + 2 || !value_next(&it, &key, &sum)) {
        return 0;
    }
    for (size_t i = 0; !r && value_next(&it, &key, &count); i++) {
        (void)snprintf(text, sizeof(text), "%g", i < METRIC_BOUNDS ? metric_bound(i) : INFINITY);
        r = sample_add(out, row->name, "_bucket", actor, row, i < METRIC_BOUNDS ? span_from(text) : SPAN_LIT("+Inf"),
                       count);
    }
    r = r ? r : sample_add(out, row->name, "_sum", actor, row, none, sum);
    return r ? r : sample_add(out, row->name, "_count", actor, row, none, count);
}

/* --- all rows, by family ------------------------------------------------------------------- */

struct entry {
    uint16_t family;
    uint32_t nth; /* as they came: the order within a family */
    struct span actor;
    struct row row;
};

static bool is_member(const struct family *family, struct span name)
{
    size_t len = strlen(family->name);

    if (family->type == SUMMARY) {
        return span_starts(name, family->name) &&
               (span_is_text((struct span){ name.ptr + len, name.len - len }, "_sum") ||
                span_is_text((struct span){ name.ptr + len, name.len - len }, "_count"));
    }
    return span_is_text(name, family->name);
}

static bool family_find(const struct row *row, uint16_t *ret_family)
{
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        if (is_member(&families[i], row->name)) {
            *ret_family = (uint16_t)i;
            return value_kind_of(row->value) == VALUE_ARRAY ? families[i].type == HISTOGRAM
                                                            : families[i].type != HISTOGRAM;
        }
    }
    return false;
}

static int entry_compare(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;

    return x->family != y->family ? (int)x->family - (int)y->family : x->nth < y->nth ? -1 : 1;
}

static size_t entries_collect(const struct exposition_source *sources, size_t sources_n, struct entry *entries,
                              size_t entries_max)
{
    size_t n = 0;

    for (size_t i = 0; i < sources_n; i++) {
        struct value_iter it = value_iter(sources[i].rows);
        struct span key;
        struct span packed;

        while (n < entries_max && value_next(&it, &key, &packed)) {
            struct entry *entry = &entries[n];

            if (row_read(packed, &entry->row) && family_find(&entry->row, &entry->family)) {
                entry->actor = sources[i].actor;
                entry->nth = (uint32_t)n++;
            }
        }
    }
    return n;
}

static int head_add(struct text_buf *out, const struct family *family)
{
    char text[320];

    (void)snprintf(text, sizeof(text), "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
                   type_names[family->type]); /* it fits */
    return text_buf_add(out, span_from(text));
}

int exposition_write(const struct exposition_source *sources, size_t sources_n, struct text_buf *out)
{
    struct span none = { NULL, 0 };
    size_t most = 0;
    struct entry *entries;
    size_t n;
    int r = 0;

    for (size_t i = 0; i < sources_n; i++) {
        most += value_count(sources[i].rows);
    }
    most = most < EXPOSITION_ROWS_MAX ? most : EXPOSITION_ROWS_MAX;
    entries = calloc(most + 1, sizeof(*entries));
    if (!entries) {
        return -ENOMEM;
    }
    n = entries_collect(sources, sources_n, entries, most);
    qsort(entries, n, sizeof(*entries), entry_compare);
    for (size_t i = 0; !r && i < n; i++) {
        const struct entry *entry = &entries[i];
        const struct family *family = &families[entry->family];

        r = i == 0 || entries[i - 1].family != entry->family ? head_add(out, family) : 0;
        if (!r && family->type == HISTOGRAM) {
            r = histogram_add(out, entry->actor, &entry->row);
        } else if (!r) {
            r = sample_add(out, entry->row.name, "", entry->actor, &entry->row, none, entry->row.value);
        }
    }
    free(entries);
    return r;
}
