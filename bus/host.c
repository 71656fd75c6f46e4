/*
 * host: starts the actors of one process side by side, but for those that the others wait
 * for; starts the broken ones again; stops all in reverse order. One loop on the main
 * thread, shared with the node.
 */
#include "bus/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/host_internal.h"
#include "bus/json.h"
#include "bus/trim.h"

#define HOST_START_WAIT_MS 500U /* for an awaited actor to be ready before the rest is started anyway */

static _Atomic(struct host *) running_host;

static void stop_next(struct host *self);

/* --- ends and restarts ----------------------------------------------------------------------- */

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
    } else if (host_rest_takes(slot)) {
        slot->is_resting = true;
        slot->is_restart_asked = false;
        slot->life = ACTOR_LIFE_BACKOFF;
        slot_tell(slot);
        host_rest_next(self);
    } else if (slot->is_restart_asked) {
        slot->is_restart_asked = false;
        slot->life = ACTOR_LIFE_BACKOFF;
        slot_tell(slot);
        slot_start(slot);
    } else {
        slot_recover(slot);
    }
    if (self->is_stopping) {
        stop_next(self);
    } else if (self->starting == slot) {
        host_start_next(self);
    }
    if (!slot->is_wanted && !self->is_stopping) {
        slot_remove(slot);
    }
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
        slot->told[0] = '\0';
        supervisor_on_ready(&slot->policy, clock_mono_ms());
    }
    if (status.ptr) {
        (void)snprintf(slot->status, sizeof(slot->status), "%.*s",
                       (int)(status.len < sizeof(slot->status) ? status.len : sizeof(slot->status) - 1), status.ptr);
    }
    slot_tell(slot);
    if (slot->is_stopping && span_is_text(life, "starting")) {
        slot_stop_word(slot);
    }
    if (slot->life == ACTOR_LIFE_READY && (self->starting == slot || !self->starting)) {
        host_start_next(self); /* or, when all have been started, sees whether all are ready */
    }
}

/* --- start and stop in order ----------------------------------------------------------------- */

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
        trim_after_start();
    }
}

static void on_start_wait_over(uv_timer_t *timer)
{
    host_start_next(timer->data);
}

static bool is_due(const struct slot *slot)
{
    return slot->is_resting ? !slot->thread && !slot->host->rest : slot->is_initial && !slot->was_started;
}

void host_start_first(struct slot *slot)
{
    struct host *self = slot->host;

    slot_start(slot);
    self->starting = slot;
    (void)uv_timer_start(&self->start_timer, on_start_wait_over, HOST_START_WAIT_MS, 0);
}

void host_start_next(struct host *self)
{
    (void)uv_timer_stop(&self->start_timer);
    self->starting = NULL;
    for (struct slot *slot = self->slots; slot && !self->starting && !self->is_stopping; slot = slot->next) {
        if (!is_due(slot)) {
            continue;
        }
        if (slot->def->is_awaited) {
            host_start_first(slot);
        } else {
            slot_start(slot);
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
        trunk_leaf_destroy(&self->trunk);
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

/* --- running --------------------------------------------------------------------------------- */

static int initial_slots_add(struct host *self)
{
    const struct topology_host *place = topology_host_find(self->opts->topology, self->opts->name);

    if (!place) {
        log_error("host_unknown", "host=%s why=\"the topology has no such host\"", self->opts->name);
        return FAULT(-ENOENT);
    }
    self->is_rest_for_one = place->is_rest_for_one;
    for (size_t i = 0; i < place->actors_n; i++) {
        const char *address = place->actors[i];
        const char *arg = "";

        if (address[strlen(address) - 1] == '*') {
            continue; /* a place for later spawns */
        }
        const char *def_name = self->opts->def_of(address, &arg);
        const struct actor_def *def = def_name ? host_ops_def(self, def_name) : NULL;
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

/* Without it nothing is watched, and everything works. */
static void pulses_open(struct host *self)
{
    char address[ACTOR_ADDRESS_MAX];
    int r = self->opts->pulse_fd > 0 ? pulse_page_open(self->opts->pulse_fd, &self->pulses) : 0;

    if (r) {
        log_warning("pulse_missing", "host=%s error=\"%s\" why=\"no actor is watched for hanging\"", self->opts->name,
                    fault_text(r));
    }
    (void)snprintf(address, sizeof(address), "host/%s", self->opts->name);
    self->pulse = pulse_take(self->pulses, address);
}

static int on_tap(void *arg, struct span endpoint, bool is_on, char ret_local[TAP_ENDPOINT_MAX])
{
    struct host *self = arg;

    return trunk_leaf_tap(self->trunk, endpoint, is_on, ret_local);
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
        .trunk = self->trunk ? TRUNK_LEAF_ENDPOINT : NULL,
        .pulse = self->pulse,
        .arg = self,
        .on_tap = self->trunk ? on_tap : NULL,
        .on_spawn = host_ops_spawn,
        .on_despawn = host_ops_despawn,
        .on_restart = host_ops_restart,
        .on_state = on_state,
        .on_exit = on_exit_word,
        .on_actors = host_ops_actors,
        .on_stop = on_stop_word,
    };

    return node_new(&opts, &self->node);
}

/* The gateway was started again, or has denied us: what this life knows is void. */
static void on_trunk_over(void *arg, const char *why)
{
    struct host *self = arg;

    pulse_page_say(self->pulses, why);
    self->is_reviving = true;
    stop_begin(self);
}

/* What the topology here has for this host, which need not be what the gateway has. */
static int actors_list(const struct host *self, struct text_buf *out)
{
    const struct topology_host *place = topology_host_find(self->opts->topology, self->opts->name);
    int r = 0;

    for (size_t i = 0; place && i < place->actors_n && r == 0; i++) {
        r = i ? text_buf_add(out, SPAN_LIT(" ")) : 0;
        r = r ? r : text_buf_add(out, span_from(place->actors[i]));
    }
    return r ? r : text_buf_add(out, (struct span){ "", 1 });
}

/* On another machine nobody but this process reaches its actors, so they have no files; and lives are counted at the
 * gateway, where those are known that come by other processes. */
static int trunk_join(struct host *self)
{
    CLEANUP(text_buf_deinit) struct text_buf actors = { 0 };
    int r = actors_list(self, &actors);

    r = r ? r
          : trunk_leaf_join(&(struct trunk_leaf_opts){ .host = self->opts->name,
                                                       .tcp = &self->opts->topology->tcp,
                                                       .pair = self->opts->trunk_pair,
                                                       .speaks = self->opts->trunk_speaks,
                                                       .release = self->opts->release,
                                                       .actors = actors.data },
                            &self->trunk);

    if (r == 0) {
        self->own_opts.run_dir = NULL;
        self->own_opts.incarnation = trunk_leaf_incarnation(self->trunk);
    }
    return r;
}

static int trunk_node_start(struct host *self)
{
    int r = self->trunk ? trunk_leaf_open(self->trunk, &self->loop) : 0;

    r = r ? r : node_start(self);
    if (r == 0 && self->trunk) {
        trunk_leaf_serve(self->trunk, self->node, self->pulses, on_trunk_over, self);
    }
    return r;
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
    pulse_page_close(&self->pulses);
    (void)uv_loop_close(&self->loop); /* every handle was closed by all_stopped */
}

int host_run(const struct host_opts *opts)
{
    struct host *self = mem_new(sizeof(*self));

    self->own_opts = *opts;
    self->opts = &self->own_opts;
    (void)signal(SIGPIPE, SIG_IGN);
    zsys_handler_set(NULL); /* czmq must not take our signals */
    zsys_init();
    zsys_set_max_sockets(8192);
    self->started_ms = clock_mono_ms();
    int r = opts->trunk_pair ? trunk_join(self) : 0;
    pulses_open(self);
    r = r < 0 ? r : loop_open(self);
    r = r < 0 ? r : trunk_node_start(self);
    if (r == 0 && opts->on_actor) {
        opts->on_actor(opts->arg, node_actor(self->node));
    }
    r = r < 0 ? r : initial_slots_add(self);
    if (r == 0) {
        atomic_store(&running_host, self);
        host_start_next(self);
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
