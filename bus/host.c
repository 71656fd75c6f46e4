/*
 * host: starts the actors of one process side by side, but for those that the others wait
 * for; starts the broken ones again; stops all in reverse order. One loop on the main
 * thread, shared with the node.
 */
#include "bus/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/node.h"
#include "bus/supervisor.h"
#include "bus/wire.h"

#define HOST_START_WAIT_MS 500U /* for an awaited actor to be ready before the rest is started anyway */
#define HOST_STOP_DEFAULT_MS 2000U

/* One address this host is to run. */
struct slot {
    struct slot *next; /* in order of start */
    struct host *host;
    const struct actor_def *def;
    char address[ACTOR_ADDRESS_MAX];
    char *arg;      /* read by the thread; replaced only while it does not run */
    char *next_arg; /* for the life after this one, or NULL */
    char local[LINK_ENDPOINT_MAX];
    char remote[LINK_ENDPOINT_MAX];
    char node_endpoint[LINK_ENDPOINT_MAX];
    zactor_t *thread; /* NULL: not running */
    struct actor_stats stats;
    struct supervisor_state policy;
    uv_timer_t timer; /* back-off, or the wait for its end */
    enum actor_life life;
    uint32_t incarnation;
    uint32_t retry_after_ms;
    int last_fault;
    char status[DIRECTORY_STATUS_MAX];
    bool is_up;
    bool is_wanted;   /* to be started again when it ends */
    bool is_stopping; /* told to stop */
    bool is_restart_asked;
    bool is_initial; /* of the topology's list */
    bool was_started;
    bool was_ready;
};

struct host {
    const struct host_opts *opts;
    uv_loop_t loop;
    struct node *node;
    struct slot *slots;
    struct slot *starting; /* the one whose readiness the rest waits for */
    uv_timer_t start_timer;
    uv_signal_t signals[3];
    uv_async_t stop_async;
    uint32_t endpoint_seq;
    bool is_stopping;
    bool is_reviving;  /* it stops only to be started again */
    bool is_announced; /* on_ready was called */
    bool has_hung;     /* an actor did not stop: the process must end without joining it */
    int fault;
};

static _Atomic(struct host *) running_host;

static void start_next(struct host *self);
static void stop_next(struct host *self);
static void slot_start(struct slot *slot);

/* --- slots -------------------------------------------------------------------------------------- */

static struct slot *slot_find(struct host *self, struct span address)
{
    struct slot *slot = self->slots;

    while (slot && !span_is_text(address, slot->address)) {
        slot = slot->next;
    }
    return slot;
}

static const struct actor_def *def_find(struct host *self, const char *name)
{
    const struct actor_def *const *def = self->opts->defs;

    while (*def && strcmp((*def)->name, name) != 0) {
        def++;
    }
    return *def;
}

static struct slot *slot_add(struct host *self, const char *address, const struct actor_def *def, const char *arg)
{
    struct slot **at = &self->slots;
    struct slot *slot = mem_new(sizeof(*slot));

    while (*at) {
        at = &(*at)->next;
    }
    *at = slot;
    slot->host = self;
    slot->def = def;
    slot->is_wanted = true;
    (void)snprintf(slot->address, sizeof(slot->address), "%s", address);
    slot->arg = mem_text(arg, strlen(arg));
    /* Lives of an earlier process of this host have other numbers. */
    slot->incarnation = self->opts->incarnation << 16;
    supervisor_init(&slot->policy, clock_mono_ns() ^ (uintptr_t)slot);
    (void)uv_timer_init(&self->loop, &slot->timer);
    slot->timer.data = slot;
    return slot;
}

/* Tells the directory how the slot is. */
static void slot_tell(struct slot *slot)
{
    struct host *self = slot->host;
    struct directory_entry entry = { .is_up = slot->is_up,
                                     .life = slot->life,
                                     .incarnation = slot->incarnation,
                                     .retry_after_ms = slot->retry_after_ms };

    (void)snprintf(entry.address, sizeof(entry.address), "%s", slot->address);
    (void)snprintf(entry.host, sizeof(entry.host), "%s", self->opts->name);
    (void)snprintf(entry.status, sizeof(entry.status), "%s", slot->status);
    if (slot->is_up) {
        (void)snprintf(entry.local, sizeof(entry.local), "%s", slot->local);
        (void)snprintf(entry.endpoint, sizeof(entry.endpoint), "%s", slot->remote);
    }
    node_entry_set(self->node, &entry);
}

/* --- the actor's thread ------------------------------------------------------------------------------ */

static void actor_thread(zsock_t *pipe, void *args)
{
    struct slot *slot = args; /* its texts do not change while the thread runs */
    struct actor *actor = mem_new(sizeof(*actor));
    struct actor_opts opts = {
        .def = slot->def,
        .address = slot->address,
        .arg = slot->arg,
        .incarnation = slot->incarnation,
        .host = slot->host->opts->name,
        .node_address = slot->node_endpoint + sizeof("inproc://node-") - 1,
        .node_endpoint = slot->node_endpoint,
        .endpoints = { slot->local, slot->remote[0] ? slot->remote : NULL },
        .registry = slot->host->opts->registry,
        .stats = &slot->stats,
    };

    (void)zsock_signal(pipe, 0); /* zactor_new waits for it */
    int r = actor_open(actor, NULL, &opts);
    if (r == 0) {
        actor_serve(actor);
    } else {
        log_error("actor_start_failed", "actor=%s fault=\"%s\" at=%s", slot->address, fault_text(r), fault_place());
        actor->fault = r;
    }
    actor_close(actor); /* tells the node as its last word */
    free(actor);
}

static void slot_start(struct slot *slot)
{
    struct host *self = slot->host;

    slot->incarnation++;
    slot->was_started = true;
    slot->is_stopping = false;
    slot->status[0] = '\0';
    (void)snprintf(slot->node_endpoint, sizeof(slot->node_endpoint), "inproc://node-host/%s", self->opts->name);
    (void)snprintf(slot->local, sizeof(slot->local), "inproc://%.127s#%u", slot->address, slot->incarnation);
    slot->remote[0] = '\0';
    /* The supervising process is one that may want to reach it. */
    if (self->opts->run_dir && (self->opts->topology->hosts_n > 1 || self->opts->has_supervisor)) {
        (void)snprintf(slot->remote, sizeof(slot->remote), "ipc://%.100s/%s-%u-%u.sock", self->opts->run_dir,
                       self->opts->name, self->opts->incarnation, ++self->endpoint_seq);
    }
    slot->life = ACTOR_LIFE_STARTING;
    slot->thread = zactor_new(actor_thread, slot);
    if (!slot->thread) {
        self->fault = FAULT(-EAGAIN);
        log_error("thread_failed", "actor=%s", slot->address);
        host_stop();
    }
}

/* --- ends and restarts ---------------------------------------------------------------------------------- */

static void on_backoff_over(uv_timer_t *timer)
{
    struct slot *slot = timer->data;

    if (!slot->host->is_stopping && slot->is_wanted && !slot->thread) {
        slot_start(slot);
    }
}

/* An unasked end: the policy decides. */
static void slot_recover(struct slot *slot)
{
    uint32_t delay_ms = 0;

    if (supervisor_on_exit(&slot->policy, &supervisor_policy_default, clock_mono_ms(), &delay_ms) ==
        SUPERVISOR_GAVE_UP) {
        slot->life = ACTOR_LIFE_GAVE_UP;
        slot->retry_after_ms = 0;
        slot_tell(slot);
        log_error("actor_gave_up", "actor=%s restarts=%u fault=\"%s\"", slot->address, slot->policy.restarts,
                  fault_text(slot->last_fault));
        return;
    }
    slot->life = ACTOR_LIFE_BACKOFF;
    slot->retry_after_ms = delay_ms + 50;
    slot_tell(slot);
    log_warning("actor_restart", "actor=%s delay_ms=%u fault=\"%s\"", slot->address, delay_ms,
                slot->last_fault ? fault_text(slot->last_fault) : "ended unasked");
    (void)uv_timer_start(&slot->timer, on_backoff_over, delay_ms, 0); /* fails only without a callback */
}

static void slot_remove(struct slot *slot);

static void on_exit_word(void *arg, struct span address, int fault, struct span place)
{
    struct host *self = arg;
    struct slot *slot = slot_find(self, address);

    (void)place;
    if (!slot || !slot->thread) {
        return;
    }
    (void)uv_timer_stop(&slot->timer);
    zactor_destroy(&slot->thread); /* joins; the thread has said its last word */
    slot->is_up = false;
    slot->last_fault = fault;
    node_actor_gone(self->node, address);
    if (self->is_stopping || !slot->is_wanted) {
        slot->life = ACTOR_LIFE_STOPPED;
        slot_tell(slot);
    } else if (slot->is_restart_asked) {
        slot->is_restart_asked = false;
        if (slot->next_arg) {
            free(slot->arg);
            slot->arg = TAKE(slot->next_arg);
        }
        slot->life = ACTOR_LIFE_BACKOFF;
        slot_tell(slot);
        slot_start(slot);
    } else {
        slot_recover(slot);
    }
    if (self->is_stopping) {
        stop_next(self);
    } else if (self->starting == slot) {
        start_next(self);
    }
    if (!slot->is_wanted && !self->is_stopping) {
        slot_remove(slot);
    }
}

static void on_hung(uv_timer_t *timer)
{
    struct slot *slot = timer->data;

    log_error("actor_hung", "actor=%s why=\"did not stop in time\"", slot->address);
    slot->host->has_hung = true;
    if (slot->host->is_stopping) {
        _exit(EXIT_FAILURE); /* a thread cannot be ended from outside; the process can */
    }
}

static void stop_word_send(struct slot *slot)
{
    struct pack pack;

    pack_init(&pack, 64);
    pack_map_begin(&pack);
    pack_kv_bool(&pack, "restart", slot->is_restart_asked || slot->host->is_reviving);
    pack_map_end(&pack);
    (void)actor_cast_span(node_actor(slot->host->node), slot->address, &wire_stop, pack_span(&pack), NULL);
    pack_deinit(&pack);
}

static void slot_stop(struct slot *slot)
{
    if (!slot->thread || slot->is_stopping) {
        return;
    }
    slot->is_stopping = true;
    if (slot->is_up) { /* else its mailbox is not bound yet; on_state sends the word */
        stop_word_send(slot);
    }
    (void)uv_timer_start(&slot->timer, on_hung, slot->def->stop_ms ? slot->def->stop_ms : HOST_STOP_DEFAULT_MS, 0);
}

static void on_state(void *arg, struct span address, struct span life, struct span status)
{
    struct host *self = arg;
    struct slot *slot = slot_find(self, address);

    if (!slot || !slot->thread) {
        return;
    }
    if (span_is_text(life, "starting")) {
        slot->is_up = true;
        slot->retry_after_ms = 0;
    } else if (span_is_text(life, "ready")) {
        slot->life = ACTOR_LIFE_READY;
        slot->was_ready = true;
        supervisor_on_ready(&slot->policy, clock_mono_ms());
    }
    if (status.ptr) {
        (void)snprintf(slot->status, sizeof(slot->status), "%.*s",
                       (int)(status.len < sizeof(slot->status) ? status.len : sizeof(slot->status) - 1), status.ptr);
    }
    slot_tell(slot);
    if (slot->is_stopping && span_is_text(life, "starting")) {
        stop_word_send(slot);
    }
    if (slot->life == ACTOR_LIFE_READY && (self->starting == slot || !self->starting)) {
        start_next(self); /* or, when all have been started, sees whether all are ready */
    }
}

/* --- start and stop in order -------------------------------------------------------------------------------- */

static void announce_if_ready(struct host *self)
{
    for (struct slot *slot = self->slots; slot; slot = slot->next) {
        if (slot->is_initial && !slot->was_ready) {
            return;
        }
    }
    if (!self->is_announced) {
        self->is_announced = true;
        log_info("host_ready", "host=%s pid=%d", self->opts->name, (int)getpid());
        if (self->opts->on_ready) {
            self->opts->on_ready(self->opts->arg);
        }
    }
}

static void on_start_wait_over(uv_timer_t *timer)
{
    start_next(timer->data);
}

/* Starts what has not been started, side by side, up to one that the rest waits for. */
static void start_next(struct host *self)
{
    (void)uv_timer_stop(&self->start_timer);
    self->starting = NULL;
    for (struct slot *slot = self->slots; slot && !self->starting && !self->is_stopping; slot = slot->next) {
        if (!slot->is_initial || slot->was_started) {
            continue;
        }
        slot_start(slot);
        if (slot->def->is_awaited) {
            self->starting = slot;
            (void)uv_timer_start(&self->start_timer, on_start_wait_over, HOST_START_WAIT_MS, 0);
        }
    }
    if (!self->starting && !self->is_stopping) {
        announce_if_ready(self);
    }
}

static void handle_close(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void all_stopped(struct host *self)
{
    if (!uv_is_closing((uv_handle_t *)&self->stop_async)) {
        if (self->opts->on_actor) {
            self->opts->on_actor(self->opts->arg, NULL);
        }
        node_close(self->node);
        uv_close((uv_handle_t *)&self->stop_async, NULL);
        uv_close((uv_handle_t *)&self->start_timer, NULL);
        for (size_t i = 0; i < ARRAY_LEN(self->signals); i++) {
            uv_close((uv_handle_t *)&self->signals[i], NULL);
        }
        for (struct slot *slot = self->slots; slot; slot = slot->next) {
            handle_close((uv_handle_t *)&slot->timer, NULL);
        }
    }
}

static void on_all_stopped(uv_timer_t *timer)
{
    all_stopped(timer->data);
}

/* The newest running actor is stopped; its end brings us here again. */
static void stop_next(struct host *self)
{
    struct slot *last = NULL;

    for (struct slot *slot = self->slots; slot; slot = slot->next) {
        if (slot->thread) {
            last = slot;
        } else {
            (void)uv_timer_stop(&slot->timer);
        }
    }
    if (last) {
        slot_stop(last);
    } else { /* from the loop: we may be inside a handler of the very node it closes */
        (void)uv_timer_start(&self->start_timer, on_all_stopped, 0, 0);
    }
}

static void stop_begin(struct host *self)
{
    if (!self->is_stopping) {
        self->is_stopping = true;
        (void)uv_timer_stop(&self->start_timer);
        stop_next(self);
    }
}

static void on_stop_async(uv_async_t *async)
{
    stop_begin(async->data);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct host *self = handle->data;

    self->is_reviving = number == HOST_SIGNAL_RESTART;
    stop_begin(self);
}

static void on_stop_word(void *arg)
{
    stop_begin(arg);
}

void host_stop(void)
{
    struct host *self = atomic_load(&running_host);

    if (self) {
        (void)uv_async_send(&self->stop_async); /* fails only when it is closing */
    }
}

/* --- what the node is asked for ---------------------------------------------------------------------------------- */

static void on_slot_timer_closed(uv_handle_t *handle)
{
    struct slot *slot = handle->data;

    free(slot->arg);
    free(slot->next_arg);
    free(slot);
}

static void slot_remove(struct slot *slot)
{
    struct slot **at = &slot->host->slots;

    while (*at != slot) {
        at = &(*at)->next;
    }
    *at = slot->next;
    uv_close((uv_handle_t *)&slot->timer, on_slot_timer_closed);
}

static bool on_spawn(void *arg, const char *address, const char *def_name, const char *spawn_arg)
{
    struct host *self = arg;
    const struct actor_def *def = def_find(self, def_name);
    struct slot *slot = slot_find(self, span_from(address));

    if (!def || self->is_stopping) {
        log_error("spawn_refused", "actor=%s def=%s why=\"%s\"", address, def_name,
                  def ? "the host is stopping" : "this program has no such definition");
        return false;
    }
    if (!slot) {
        slot_start(slot_add(self, address, def, spawn_arg));
        return true;
    }
    slot->is_wanted = true;
    if (strcmp(slot->arg, spawn_arg) == 0 && slot->thread && !slot->is_stopping) {
        return true;
    }
    if (slot->thread) { /* starts again with the new argument when it has ended */
        free(slot->next_arg);
        slot->next_arg = mem_text(spawn_arg, strlen(spawn_arg));
        slot->is_restart_asked = true;
        slot_stop(slot);
        return true;
    }
    free(slot->arg);
    slot->arg = mem_text(spawn_arg, strlen(spawn_arg));
    supervisor_reset(&slot->policy);
    slot_start(slot);
    return true;
}

static void on_despawn(void *arg, const char *address)
{
    struct slot *slot = slot_find(arg, span_from(address));

    if (!slot) {
        return;
    }
    slot->is_wanted = false;
    if (slot->thread) {
        slot_stop(slot);
    } else {
        slot->life = ACTOR_LIFE_STOPPED;
        slot_tell(slot);
        slot_remove(slot);
    }
}

static bool on_restart(void *arg, const char *address)
{
    struct slot *slot = slot_find(arg, span_from(address));

    if (!slot) {
        return false;
    }
    supervisor_reset(&slot->policy);
    if (slot->thread) {
        slot->is_restart_asked = true;
        slot_stop(slot);
    } else {
        (void)uv_timer_stop(&slot->timer);
        slot_start(slot);
    }
    return true;
}

static void on_actors(void *arg, struct pack *pack)
{
    struct host *self = arg;

    for (struct slot *slot = self->slots; slot; slot = slot->next) {
        const struct actor_stats *stats = &slot->stats;

        pack_map_begin(pack);
        pack_kv_text(pack, "address", slot->address);
        pack_kv_text(pack, "def", slot->def->name);
        pack_kv_text(pack, "life", actor_life_name(slot->life));
        pack_kv_text(pack, "status", slot->status);
        pack_kv_u64(pack, "incarnation", slot->incarnation & 0xffff);
        pack_kv_u64(pack, "restarts", slot->policy.restarts);
        pack_kv_text(pack, "lastFault", slot->last_fault ? fault_text(slot->last_fault) : "");
        pack_kv_u64(pack, "mailboxMsgs", atomic_load(&stats->mailbox_msgs));
        pack_kv_u64(pack, "mailboxMsgsMax", slot->def->mailbox_msgs ? slot->def->mailbox_msgs : MAILBOX_MSGS_DEFAULT);
        pack_kv_u64(pack, "mailboxBytes", atomic_load(&stats->mailbox_bytes));
        pack_kv_u64(pack, "mailboxBytesMax",
                    slot->def->mailbox_bytes ? slot->def->mailbox_bytes : MAILBOX_BYTES_DEFAULT);
        pack_kv_u64(pack, "msgsIn", atomic_load(&stats->msgs_in));
        pack_kv_u64(pack, "msgsOut", atomic_load(&stats->msgs_out));
        pack_kv_u64(pack, "bytesIn", atomic_load(&stats->bytes_in));
        pack_kv_u64(pack, "bytesOut", atomic_load(&stats->bytes_out));
        pack_kv_u64(pack, "deadLetters", atomic_load(&stats->dead_letters));
        pack_kv_u64(pack, "refused", atomic_load(&stats->refused));
        pack_kv_u64(pack, "eventsLost", atomic_load(&stats->events_lost));
        pack_kv_u64(pack, "eventsDropped", atomic_load(&stats->events_dropped));
        pack_kv_u64(pack, "callsOpen", atomic_load(&stats->calls_open));
        pack_map_end(pack);
    }
}

/* --- running
 * ----------------------------------------------------------------------------------------------------------- */

static int initial_slots_add(struct host *self)
{
    const struct topology_host *place = topology_host_find(self->opts->topology, self->opts->name);

    if (!place) {
        log_error("host_unknown", "host=%s why=\"the topology has no such host\"", self->opts->name);
        return FAULT(-ENOENT);
    }
    for (size_t i = 0; i < place->actors_n; i++) {
        const char *address = place->actors[i];
        const char *arg = "";

        if (address[strlen(address) - 1] == '*') {
            continue; /* a place for later spawns */
        }
        const char *def_name = self->opts->def_of(address, &arg);
        const struct actor_def *def = def_name ? def_find(self, def_name) : NULL;
        if (!def) {
            log_error("actor_unknown", "actor=%s why=\"this program has no definition for it\"", address);
            return FAULT(-ENOENT);
        }
        slot_add(self, address, def, arg ? arg : "")->is_initial = true;
    }
    return 0;
}

static int loop_open(struct host *self)
{
    static const int numbers[] = { SIGTERM, SIGINT, HOST_SIGNAL_RESTART };
    int r = uv_loop_init(&self->loop);

    if (r < 0) {
        return FAULT(r);
    }
    r = uv_async_init(&self->loop, &self->stop_async, on_stop_async);
    if (r < 0) {
        return FAULT(r);
    }
    self->stop_async.data = self;
    (void)uv_timer_init(&self->loop, &self->start_timer); /* cannot fail */
    self->start_timer.data = self;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        (void)uv_signal_init(&self->loop, &self->signals[i]);
        self->signals[i].data = self;
        r = uv_signal_start(&self->signals[i], on_signal, numbers[i]);
        if (r < 0) {
            return FAULT(r);
        }
    }
    return 0;
}

static int node_start(struct host *self)
{
    struct node_opts opts = {
        .loop = &self->loop,
        .host = self->opts->name,
        .incarnation = self->opts->incarnation,
        .run_dir = self->opts->run_dir,
        .topology = self->opts->topology,
        .registry = self->opts->registry,
        .has_supervisor = self->opts->has_supervisor,
        .arg = self,
        .on_spawn = on_spawn,
        .on_despawn = on_despawn,
        .on_restart = on_restart,
        .on_state = on_state,
        .on_exit = on_exit_word,
        .on_actors = on_actors,
        .on_stop = on_stop_word,
    };

    return node_new(&opts, &self->node);
}

static void host_free(struct host *self)
{
    node_free(&self->node);
    while (self->slots) {
        struct slot *slot = self->slots;

        self->slots = slot->next;
        free(slot->arg);
        free(slot->next_arg);
        free(slot);
    }
    (void)uv_loop_close(&self->loop); /* every handle was closed by all_stopped */
}

int host_run(const struct host_opts *opts)
{
    struct host *self = mem_new(sizeof(*self));

    self->opts = opts;
    (void)signal(SIGPIPE, SIG_IGN);
    zsys_handler_set(NULL); /* czmq must not take our signals */
    zsys_init();
    zsys_set_max_sockets(8192);
    int r = loop_open(self);
    r = r < 0 ? r : node_start(self);
    if (r == 0 && opts->on_actor) {
        opts->on_actor(opts->arg, node_actor(self->node));
    }
    r = r < 0 ? r : initial_slots_add(self);
    if (r == 0) {
        atomic_store(&running_host, self);
        start_next(self);
    } else {
        self->fault = r;
        self->is_stopping = true;
        all_stopped(self);
    }
    (void)uv_run(&self->loop, UV_RUN_DEFAULT);
    atomic_store(&running_host, NULL);
    r = self->fault;
    host_free(self);
    free(self);
    zsys_shutdown();
    return r;
}
