#include "edge/cli/bus_top.h"

#include <errno.h>
#include <stdlib.h>

#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define ROWS_MAX 1024U

struct bus_top_actor {
    struct bus_top_actor *next;
    struct tap_quantile waited; /* µs, in the mailbox */
    struct tap_quantile busy;   /* µs, in the handler */
    struct tap_quantile answer; /* µs, from a call to its answer */
    size_t len;
    char address[];
};

/* --- what a tap has seen -------------------------------------------------------------------- */

static void actors_free(struct bus_top *self)
{
    while (self->actors) {
        struct bus_top_actor *actor = self->actors;

        self->actors = actor->next;
        free(actor);
    }
}

void bus_top_deinit(struct bus_top *self)
{
    actors_free(self);
    text_buf_deinit(&self->before);
}

static struct bus_top_actor *actor_find(const struct bus_top *self, struct span address)
{
    struct bus_top_actor *actor = self->actors;

    while (actor && !span_is(address, (struct span){ actor->address, actor->len })) {
        actor = actor->next;
    }
    return actor;
}

static struct bus_top_actor *actor_get(struct bus_top *self, struct span address)
{
    struct bus_top_actor *actor = actor_find(self, address);

    if (!actor) {
        actor = mem_new(sizeof(*actor) + address.len);
        actor->len = address.len;
        if (address.len) {
            memcpy(actor->address, address.ptr, address.len);
        }
        actor->next = self->actors;
        self->actors = actor;
    }
    return actor;
}

void bus_top_note(struct bus_top *self, const struct tap_record *record)
{
    if (record->is_handled) {
        struct bus_top_actor *actor = actor_get(self, record->address);

        tap_quantile_note(&actor->waited, record->waited_us);
        tap_quantile_note(&actor->busy, record->busy_us);
    } else if (record->has_latency && record->latency_ms >= 0) {
        tap_quantile_note(&actor_get(self, record->env.from)->answer, (uint64_t)(record->latency_ms * 1000));
    }
}

/* --- what the gateway counts ------------------------------------------------------------------ */

/* The row of a list whose text under `key` is `name`; empty when there is none. */
static struct span row_of(struct span list, const char *key, struct span name)
{
    struct value_iter rows = value_iter(list);
    struct span none;
    struct span row;

    while (value_next(&rows, &none, &row)) {
        if (span_is(value_str(value_get(row, key), (struct span){ "", 0 }), name)) {
            return row;
        }
    }
    return (struct span){ NULL, 0 };
}

/* What a counter has grown by; one that is smaller than before has begun anew. */
static double grown(struct span row, struct span before, const char *key)
{
    double now = value_f64(value_get(row, key), (double)value_i64(value_get(row, key), 0));
    double then = value_f64(value_get(before, key), (double)value_i64(value_get(before, key), 0));

    return now >= then ? now - then : now;
}

/* To three places behind the point: more would be noise. */
static double rounded(double value)
{
    return (double)(int64_t)(value * 1000 + 0.5) / 1000;
}

static void rate_pack(struct pack *out, const char *name, struct span row, struct span before, const char *key,
                      double seconds)
{
    if (before.len && seconds > 0) {
        pack_kv_f64(out, name, rounded(grown(row, before, key) / seconds));
    }
}

static void copy_pack(struct pack *out, struct span row, const char *key)
{
    struct span value = value_get(row, key);

    if (value.len) {
        pack_kv_raw(out, key, value);
    }
}

static void quantile_pack(struct pack *out, const char *name, const struct tap_quantile *quantile)
{
    static const struct {
        const char *name;
        double share;
    } shares[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "max", 1 } };

    if (quantile->n == 0) {
        return;
    }
    pack_key(out, name);
    pack_map_begin(out);
    pack_kv_u64(out, "n", quantile->n);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        pack_kv_f64(out, shares[i].name, (double)tap_quantile_get(quantile, shares[i].share) / 1000);
    }
    pack_map_end(out);
}

static void actor_pack(const struct bus_top *self, struct span row, struct span before, double seconds,
                       struct pack *out)
{
    static const char *const copied[] = { "address",         "host",           "state",
                                          "mailboxMsgs",     "mailboxMsgsMax", "mailboxBytes",
                                          "mailboxBytesMax", "callsOpen",      "restarts" };
    struct span address = value_str(value_get(row, "address"), (struct span){ "", 0 });
    const struct bus_top_actor *seen = actor_find(self, address);

    pack_map_begin(out);
    for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
        copy_pack(out, row, copied[i]);
    }
    rate_pack(out, "inPerSecond", row, before, "msgsIn", seconds);
    rate_pack(out, "outPerSecond", row, before, "msgsOut", seconds);
    rate_pack(out, "bytesInPerSecond", row, before, "bytesIn", seconds);
    rate_pack(out, "bytesOutPerSecond", row, before, "bytesOut", seconds);
    rate_pack(out, "busy", row, before, "busyNs", seconds * 1e9);
    if (seen) {
        quantile_pack(out, "waitMs", &seen->waited);
        quantile_pack(out, "handlerMs", &seen->busy);
        quantile_pack(out, "answerMs", &seen->answer);
    }
    pack_map_end(out);
}

/* --- a look ------------------------------------------------------------------------------------- */

struct sorted {
    struct span row;
    struct span before;
    double msgs;
};

static int sorted_order(const void *a, const void *b)
{
    double left = ((const struct sorted *)a)->msgs;
    double right = ((const struct sorted *)b)->msgs;

    return (left < right) - (left > right);
}

static void actors_pack(const struct bus_top *self, struct span answer, double seconds, struct pack *out)
{
    struct span before = value_get((struct span){ self->before.data, self->before.len }, "actors");
    struct value_iter rows = value_iter(value_get(answer, "actors"));
    struct sorted *sorted = mem_new(ROWS_MAX * sizeof(*sorted));
    struct span none;
    size_t n = 0;

    while (n < ROWS_MAX && value_next(&rows, &none, &sorted[n].row)) {
        struct sorted *one = &sorted[n++];

        one->before = row_of(before, "address", value_str(value_get(one->row, "address"), (struct span){ "", 0 }));
        one->msgs = grown(one->row, one->before, "msgsIn") + grown(one->row, one->before, "msgsOut");
    }
    qsort(sorted, n, sizeof(*sorted), sorted_order);
    pack_key(out, "actors");
    pack_array_begin(out);
    for (size_t i = 0; i < n; i++) {
        actor_pack(self, sorted[i].row, sorted[i].before, seconds, out);
    }
    pack_array_end(out);
    free(sorted);
}

static void hosts_pack(const struct bus_top *self, struct span answer, double seconds, struct pack *out)
{
    static const char *const copied[] = { "name", "state", "pid", "uptimeMs", "restarts", "rssBytes", "error" };
    struct span before = value_get((struct span){ self->before.data, self->before.len }, "hosts");
    struct value_iter rows = value_iter(value_get(answer, "hosts"));
    struct span none;
    struct span row;

    pack_key(out, "hosts");
    pack_array_begin(out);
    while (value_next(&rows, &none, &row)) {
        pack_map_begin(out);
        for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
            copy_pack(out, row, copied[i]);
        }
        rate_pack(out, "cpu", row, row_of(before, "name", value_str(value_get(row, "name"), (struct span){ "", 0 })),
                  "cpuSeconds", seconds);
        pack_map_end(out);
    }
    pack_array_end(out);
}

int bus_top_look(struct bus_top *self, struct span answer, uint64_t now_ns, struct pack *out)
{
    double seconds = self->before.len ? (double)(now_ns - self->before_ns) / 1e9 : 0;

    pack_map_begin(out);
    pack_kv_f64(out, "intervalMs", rounded(seconds * 1000));
    pack_kv_u64(out, "dropped", self->dropped);
    actors_pack(self, answer, seconds, out);
    hosts_pack(self, answer, seconds, out);
    pack_map_end(out);
    actors_free(self);
    self->before.len = 0;
    self->before_ns = now_ns;
    return text_buf_add(&self->before, answer) ? FAULT(-ENOMEM) : pack_error(out);
}
