/*
 * Who watches the bus. A watcher binds a socket in the run directory and names it; every
 * process of the gateway connects there and can only send. It is detached when its
 * control connection closes, however that happens.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "bus/pack.h"
#include "bus/process_internal.h"
#include "bus/tap.h"
#include "bus/value.h"
#include "bus/wire.h"

#define TAP_HOST_DEADLINE_MS 1000U

struct tap_client {
    struct tap_client *next;
    uint64_t client;
    bool with_bodies;
    bool with_times;
    char endpoint[TAP_ENDPOINT_MAX];
    char filter[TAP_FILTER_TEXT_MAX + 1];
};

/* A word to the hosts. The asker hears back when the last of them has answered. */
struct tap_ask {
    struct tap_ask *next;
    struct process *process;
    uint64_t ticket; /* 0: nobody waits */
    unsigned pending_n;
};

static struct tap_ask *ask_new(struct process *self, uint64_t ticket)
{
    struct tap_ask *ask = mem_new(sizeof(*ask));

    ask->process = self;
    ask->ticket = ticket;
    ask->next = self->tap_asks;
    self->tap_asks = ask;
    return ask;
}

/* Every host that was to be told has been. */
static void ask_finish(struct tap_ask *ask)
{
    for (struct tap_ask **at = &ask->process->tap_asks; *at; at = &(*at)->next) {
        if (*at == ask) {
            *at = ask->next;
            break;
        }
    }
    if (ask->ticket) {
        process_accept(ask->process, ask->ticket);
    }
    free(ask);
}

static void on_host_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct tap_ask *ask = cookie;

    (void)state;
    (void)actor;
    if (answer->failure && ask->ticket) {
        /* A host that is down is told when it comes back; a full one refuses for good. */
        log_warning("tap_host_refused", "host=%.*s reason=\"%.*s\"", SPAN_FMT(answer->from),
                    SPAN_FMT(answer->failure->message));
    }
    if (--ask->pending_n == 0) {
        ask_finish(ask);
    }
}

static void host_tell(struct process *self, const char *host, const struct tap_client *tap, bool is_on,
                      struct tap_ask *ask)
{
    CLEANUP(pack_deinit) struct pack body;
    char to[ACTOR_ADDRESS_MAX];

    pack_init(&body, 0);
    pack_map_begin(&body);
    pack_kv_text(&body, "endpoint", tap->endpoint);
    pack_kv_text(&body, "filter", tap->filter);
    pack_kv_bool(&body, "bodies", tap->with_bodies);
    pack_kv_bool(&body, "times", tap->with_times);
    pack_kv_bool(&body, "on", is_on);
    pack_map_end(&body);
    (void)snprintf(to, sizeof(to), "host/%s", host);
    ask->pending_n++;
    if (actor_call(node_actor(self->node),
                   &(struct actor_call){ .to = to,
                                         .msg = &wire_tap,
                                         .body = pack_span(&body),
                                         .deadline_ms = TAP_HOST_DEADLINE_MS,
                                         .on_answer = on_host_answer,
                                         .cookie = ask },
                   NULL)) {
        ask->pending_n--;
    }
}

/* Tells every living host, and this process itself. */
static void all_tell(struct process *self, const struct tap_client *tap, bool is_on, uint64_t ticket)
{
    struct tap_wish wish = { .endpoint = span_from(tap->endpoint),
                             .filter = span_from(tap->filter),
                             .with_bodies = tap->with_bodies,
                             .with_times = tap->with_times };
    struct tap_ask *ask = ask_new(self, ticket);

    for (size_t i = 0; i < self->hosts_n; i++) {
        if (process_host_is_there(&self->hosts[i])) {
            host_tell(self, self->hosts[i].host->name, tap, is_on, ask);
        }
    }
    if (is_on ? tap_attach(&wish) : tap_detach(wish.endpoint)) {
        log_warning("tap_supervisor_refused", "endpoint=%s", tap->endpoint);
    }
    if (ask->pending_n == 0) {
        ask_finish(ask);
    }
}

void process_tap_on_hello(struct process *self, const char *host)
{
    for (const struct tap_client *tap = self->taps; tap; tap = tap->next) {
        struct tap_ask *ask = ask_new(self, 0);

        host_tell(self, host, tap, true, ask);
        if (ask->pending_n == 0) {
            ask_finish(ask);
        }
    }
}

/* A filter that fits; the asker is told what is wrong with any other. */
static bool filter_is_fit(struct process *self, uint64_t ticket, struct span text)
{
    struct tap_filter filter;
    struct tap_filter_error error;

    if (text.len && memchr(text.ptr, '\0', text.len)) {
        control_refuse(self->control, ticket, "INVALID_REQUEST", "\"filter\" has a zero byte");
        return false;
    }
    if (text.len && tap_filter_parse(text, &filter, &error)) {
        control_refuse(self->control, ticket, "INVALID_REQUEST", "\"filter\", column %u: %s", error.column, error.text);
        return false;
    }
    return true;
}

/* A name of our own run directory, and no path out of it. */
static bool endpoint_is_ours(const struct process *self, struct span endpoint)
{
    char prefix[TAP_ENDPOINT_MAX];
    size_t len = (size_t)snprintf(prefix, sizeof(prefix), "ipc://%s/tap-", self->opts->run_dir);

    return len < sizeof(prefix) && endpoint.len > len && endpoint.len < TAP_ENDPOINT_MAX &&
           span_starts(endpoint, prefix) && !memchr(endpoint.ptr + len, '/', endpoint.len - len) &&
           !memchr(endpoint.ptr, '\0', endpoint.len);
}

static unsigned taps_count(const struct process *self, uint64_t client, struct span endpoint, bool *ret_is_known)
{
    unsigned n = 0;

    *ret_is_known = false;
    for (const struct tap_client *tap = self->taps; tap; tap = tap->next) {
        n++;
        *ret_is_known = *ret_is_known || tap->client == client || span_is_text(endpoint, tap->endpoint);
    }
    return n;
}

void process_tap_on_request(struct process *self, const struct control_request *request)
{
    struct span endpoint = value_str(value_get(request->body, "endpoint"), (struct span){ "", 0 });
    struct span filter = value_str(value_get(request->body, "filter"), (struct span){ "", 0 });
    struct tap_client *tap;
    bool is_known;

    if (!endpoint_is_ours(self, endpoint)) {
        control_refuse(self->control, request->ticket, "INVALID_REQUEST", "\"endpoint\" must be ipc://%s/tap-<name>",
                       self->opts->run_dir);
        return;
    }
    if (taps_count(self, request->client, endpoint, &is_known) >= TAP_WATCHERS_MAX) {
        control_refuse(self->control, request->ticket, "UNAVAILABLE", "%d taps are attached; end one first",
                       TAP_WATCHERS_MAX);
        return;
    }
    if (is_known) {
        control_refuse(self->control, request->ticket, "INVALID_REQUEST", "this connection or endpoint has a tap");
        return;
    }
    if (!filter_is_fit(self, request->ticket, filter)) {
        return;
    }
    tap = mem_new(sizeof(*tap));
    tap->client = request->client;
    tap->with_bodies = value_bool(value_get(request->body, "bodies"), false);
    tap->with_times = value_bool(value_get(request->body, "times"), false);
    memcpy(tap->endpoint, endpoint.ptr, endpoint.len);
    if (filter.len) {
        memcpy(tap->filter, filter.ptr, filter.len);
    }
    tap->next = self->taps;
    self->taps = tap;
    log_info("tap_attached", "client=%llu uid=%u pid=%d bodies=%d filter=\"%s\"", (unsigned long long)tap->client,
             request->uid, request->pid, tap->with_bodies, tap->filter);
    all_tell(self, tap, true, request->ticket);
}

void process_tap_on_gone(void *arg, uint64_t client)
{
    struct process *self = arg;

    for (struct tap_client **at = &self->taps; *at; at = &(*at)->next) {
        struct tap_client *tap = *at;

        if (tap->client == client) {
            *at = tap->next;
            log_info("tap_detached", "client=%llu", (unsigned long long)client);
            all_tell(self, tap, false, 0);
            free(tap);
            return;
        }
    }
}

void process_tap_deinit(struct process *self)
{
    while (self->taps) {
        struct tap_client *tap = self->taps;

        self->taps = tap->next;
        free(tap);
    }
    while (self->tap_asks) {
        struct tap_ask *ask = self->tap_asks;

        self->tap_asks = ask->next;
        free(ask);
    }
}
