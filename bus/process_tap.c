/*
 * Who watches the bus. A watcher binds a socket in the run directory and names it; every
 * process of the gateway connects there and can only send. It is detached when its
 * control connection closes, however that happens; one of an edge, which watches for its
 * client, when the edge says so or is gone.
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
    uint64_t client;               /* of the control socket; 0: it is an actor's */
    char owner[ACTOR_ADDRESS_MAX]; /* that actor; empty: none */
    uint32_t incarnation;          /* of the owner */
    char who[256];                 /* for whom it watches */
    bool with_bodies;
    bool with_times;
    bool with_sessions;
    char endpoint[TAP_ENDPOINT_MAX];
    char filter[TAP_FILTER_TEXT_MAX + 1];
};

/* A word to the hosts. The asker hears back when the last of them has answered. */
struct tap_ask {
    struct tap_ask *next;
    struct process *process;
    struct process_asker asker;
    unsigned pending_n;
    struct tap_asked {
        struct tap_ask *ask;
        char address[ACTOR_ADDRESS_MAX]; /* of its node */
        uint32_t incarnation;            /* when it was asked */
    } asked[TOPOLOGY_HOSTS_MAX];
    size_t asked_n;
};

static struct tap_ask *ask_new(struct process *self, struct process_asker asker)
{
    struct tap_ask *ask = mem_new(sizeof(*ask));

    ask->process = self;
    ask->asker = asker;
    ask->next = self->tap_asks;
    self->tap_asks = ask;
    return ask;
}

static bool is_awaited(const struct tap_ask *ask)
{
    return ask->asker.ticket || ask->asker.token.id;
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
    if (is_awaited(ask)) {
        process_accept(ask->process, ask->asker);
    }
    free(ask);
}

/* Else it is told when it comes. */
static bool is_there_still(const struct tap_asked *asked)
{
    const struct directory_entry *host =
        directory_find(node_directory(asked->ask->process->node), span_from(asked->address));

    return host && host->is_up && host->incarnation == asked->incarnation;
}

static void on_host_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    const struct tap_asked *asked = cookie;
    struct tap_ask *ask = asked->ask;

    (void)state;
    (void)actor;
    if (answer->failure && is_awaited(ask) && (answer->from.len || is_there_still(asked))) {
        log_warning("tap_host_refused", "host=%s reason=\"%.*s\"", asked->address + sizeof("host/") - 1,
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
    struct tap_asked *asked = &ask->asked[ask->asked_n++];

    pack_init(&body, 0);
    pack_map_begin(&body);
    pack_kv_text(&body, "endpoint", tap->endpoint);
    pack_kv_text(&body, "filter", tap->filter);
    pack_kv_bool(&body, "bodies", tap->with_bodies);
    pack_kv_bool(&body, "times", tap->with_times);
    pack_kv_bool(&body, "sessions", tap->with_sessions);
    pack_kv_bool(&body, "on", is_on);
    pack_map_end(&body);
    asked->ask = ask;
    (void)snprintf(asked->address, sizeof(asked->address), "host/%s", host);
    const struct directory_entry *entry = directory_find(node_directory(self->node), span_from(asked->address));
    asked->incarnation = entry && entry->is_up ? entry->incarnation : 0;
    ask->pending_n++;
    if (actor_call(node_actor(self->node),
                   &(struct actor_call){ .to = asked->address,
                                         .msg = &wire_tap,
                                         .body = pack_span(&body),
                                         .deadline_ms = TAP_HOST_DEADLINE_MS,
                                         .on_answer = on_host_answer,
                                         .cookie = asked },
                   NULL)) {
        ask->pending_n--;
    }
}

/* Tells every living host, and this process itself. */
static void all_tell(struct process *self, const struct tap_client *tap, bool is_on, struct process_asker asker)
{
    struct tap_wish wish = { .endpoint = span_from(tap->endpoint),
                             .filter = span_from(tap->filter),
                             .with_bodies = tap->with_bodies,
                             .with_times = tap->with_times,
                             .with_sessions = tap->with_sessions };
    struct tap_ask *ask = ask_new(self, asker);

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
        struct tap_ask *ask = ask_new(self, (struct process_asker){ 0 });

        host_tell(self, host, tap, true, ask);
        if (ask->pending_n == 0) {
            ask_finish(ask);
        }
    }
}

/* A filter that fits; the asker is told what is wrong with any other. */
static bool filter_is_fit(struct process *self, struct process_asker asker, struct span text)
{
    struct tap_filter filter;
    struct tap_filter_error error;

    if (text.len && memchr(text.ptr, '\0', text.len)) {
        process_refuse(self, asker, FAIL_INVALID_REQUEST, "\"filter\" has a zero byte");
        return false;
    }
    if (text.len && tap_filter_parse(text, &filter, &error)) {
        process_refuse(self, asker, FAIL_INVALID_REQUEST, "\"filter\", column %u: %s", error.column, error.text);
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

/* Watchers of actors are their own business, as long as each has an endpoint of its own. */
static unsigned taps_count(const struct process *self, uint64_t client, struct span endpoint, bool *ret_is_known)
{
    unsigned n = 0;

    *ret_is_known = false;
    for (const struct tap_client *tap = self->taps; tap; tap = tap->next) {
        n++;
        *ret_is_known = *ret_is_known || (client && tap->client == client) || span_is_text(endpoint, tap->endpoint);
    }
    return n;
}

/* What was asked for; NULL when the asker was refused. */
static struct tap_client *tap_new(struct process *self, struct process_asker asker, uint64_t client, struct span body)
{
    struct span endpoint = value_str(value_get(body, "endpoint"), (struct span){ "", 0 });
    struct span filter = value_str(value_get(body, "filter"), (struct span){ "", 0 });
    struct tap_client *tap;
    bool is_known;

    if (!endpoint_is_ours(self, endpoint)) {
        process_refuse(self, asker, FAIL_INVALID_REQUEST, "\"endpoint\" must be ipc://%s/tap-<name>",
                       self->opts->run_dir);
        return NULL;
    }
    if (taps_count(self, client, endpoint, &is_known) >= TAP_WATCHERS_MAX) {
        process_refuse(self, asker, FAIL_UNAVAILABLE, "%d taps are attached; end one first", TAP_WATCHERS_MAX);
        return NULL;
    }
    if (is_known) {
        process_refuse(self, asker, FAIL_INVALID_REQUEST, "this connection or endpoint has a tap");
        return NULL;
    }
    if (!filter_is_fit(self, asker, filter)) {
        return NULL;
    }
    tap = mem_new(sizeof(*tap));
    tap->client = client;
    tap->with_bodies = value_bool(value_get(body, "bodies"), false);
    tap->with_times = value_bool(value_get(body, "times"), false);
    tap->with_sessions = value_bool(value_get(body, "sessions"), false);
    memcpy(tap->endpoint, endpoint.ptr, endpoint.len);
    if (filter.len) {
        memcpy(tap->filter, filter.ptr, filter.len);
    }
    return tap;
}

static void tap_attach_all(struct process *self, struct process_asker asker, struct tap_client *tap)
{
    tap->next = self->taps;
    self->taps = tap;
    all_tell(self, tap, true, asker);
}

void process_tap_on_request(struct process *self, const struct control_request *request)
{
    struct process_asker asker = { .ticket = request->ticket };
    struct tap_client *tap = tap_new(self, asker, request->client, request->body);

    if (tap) {
        log_info("tap_attached", "client=%llu uid=%u pid=%d bodies=%d filter=\"%s\"", (unsigned long long)tap->client,
                 request->uid, request->pid, tap->with_bodies, tap->filter);
        tap_attach_all(self, asker, tap);
    }
}

void process_tap_of_actor(struct process *self, struct process_asker asker, struct span owner, struct span who,
                          struct span body)
{
    const struct directory_entry *entry = directory_find(node_directory(self->node), owner);
    struct tap_client *tap = tap_new(self, asker, 0, body);

    if (!tap) {
        return;
    }
    (void)snprintf(tap->owner, sizeof(tap->owner), "%.*s", SPAN_FMT(owner)); /* an address always fits */
    tap->incarnation = entry ? entry->incarnation : 0;
    (void)snprintf(tap->who, sizeof(tap->who), "%.*s", (int)(who.len < sizeof(tap->who) ? who.len : 0), who.ptr);
    log_info("tap_attached", "edge=%s %s bodies=%d filter=\"%s\"", tap->owner, tap->who, tap->with_bodies, tap->filter);
    tap_attach_all(self, asker, tap);
}

static void tap_end(struct process *self, struct tap_client **at)
{
    struct tap_client *tap = *at;

    *at = tap->next;
    if (tap->client) {
        log_info("tap_detached", "client=%llu", (unsigned long long)tap->client);
    } else {
        log_info("tap_detached", "edge=%s %s", tap->owner, tap->who);
    }
    all_tell(self, tap, false, (struct process_asker){ 0 });
    free(tap);
}

void process_tap_on_gone(void *arg, uint64_t client)
{
    struct process *self = arg;

    for (struct tap_client **at = &self->taps; *at; at = &(*at)->next) {
        if ((*at)->client == client) {
            tap_end(self, at);
            return;
        }
    }
}

bool process_tap_end(struct process *self, struct span owner, struct span endpoint)
{
    for (struct tap_client **at = &self->taps; *at; at = &(*at)->next) {
        if (span_is_text(owner, (*at)->owner) && span_is_text(endpoint, (*at)->endpoint)) {
            tap_end(self, at);
            return true;
        }
    }
    return false;
}

void process_tap_on_entry(void *arg, const struct directory_entry *entry)
{
    struct process *self = arg;
    struct tap_client **at = &self->taps;

    while (*at) {
        bool is_its = strcmp((*at)->owner, entry->address) == 0;

        if (is_its && (!entry->is_up || entry->incarnation != (*at)->incarnation)) {
            tap_end(self, at);
        } else {
            at = &(*at)->next;
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
