/*
 * slot: one address of a host: the thread of its actor, its ends and its next lives.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/clock.h"
#include "bus/base/descriptors.h"
#include "bus/base/mem.h"
#include "bus/host_internal.h"
#include "bus/wire.h"

#define DESCRIPTORS_ACTOR 32U /* left over before an actor is started */
#define SLOT_STOP_DEFAULT_MS 2000U

struct slot *slot_find(struct host *self, struct span address)
{
    struct slot *slot = self->slots;

    while (slot && !span_is_text(address, slot->address)) {
        slot = slot->next;
    }
    return slot;
}

struct slot *slot_add(struct host *self, const char *address, const struct actor_def *def, const char *arg)
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
    slot->pulse = pulse_take(self->pulses, address);
    supervisor_init(&slot->policy, clock_mono_ns() ^ (uintptr_t)slot);
    (void)uv_timer_init(&self->loop, &slot->timer);
    slot->timer.data = slot;
    return slot;
}

/* Tells the directory how the slot is. */
void slot_tell(struct slot *slot)
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
        .run_dir = slot->host->opts->has_supervisor ? slot->host->opts->run_dir : NULL,
        .endpoints = { slot->local, slot->remote[0] ? slot->remote : NULL },
        .registry = slot->host->opts->registry,
        .stats = &slot->stats,
        .pulse = slot->pulse,
        .process_end = slot->host->opts->last_end,
        .process_start_ms = slot->host->started_ms,
    };

    (void)zsock_signal(pipe, 0); /* zactor_new waits for it */
    int r = actor_open(actor, NULL, &opts);
    if (r == 0) {
        actor_serve(actor);
    } else {
        actor->fault = r;
    }
    actor_close(actor); /* tells the node as its last word */
    free(actor);
}

void slot_start(struct slot *slot)
{
    struct host *self = slot->host;

    slot->incarnation++;
    slot->was_started = true;
    slot->is_stopping = false;
    slot->is_resting = false;
    self->rest = self->rest == slot ? NULL : self->rest;
    if (slot->next_arg) {
        free(slot->arg);
        slot->arg = TAKE(slot->next_arg);
    }
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
    if (descriptors_few(DESCRIPTORS_ACTOR)) {
        slot->last_fault = FAULT(-EMFILE);
        slot_recover(slot);
        return;
    }
    slot->thread = zactor_new(actor_thread, slot);
    if (!slot->thread) {
        self->fault = FAULT(-EAGAIN);
        log_error("thread_failed", "actor=%s", slot->address);
        host_stop();
    }
}

static void on_backoff_over(uv_timer_t *timer)
{
    struct slot *slot = timer->data;

    if (slot->host->rest == slot) {
        host_rest_next(slot->host);
    } else if (!slot->host->is_stopping && slot->is_wanted && !slot->thread) {
        slot_start(slot);
    }
}

/* What fails at every start for one reason is told of once; actor_gave_up says how that ended. */
static void restart_log(struct slot *slot, uint32_t delay_ms, const char *fault)
{
    if (strcmp(slot->told, slot->status) == 0) {
        log_debug("actor_restart", "actor=%s delay_ms=%u fault=\"%s\" why=\"as before\"", slot->address, delay_ms,
                  fault);
        return;
    }
    (void)snprintf(slot->told, sizeof(slot->told), "%s", slot->status);
    log_warning("actor_restart", "actor=%s delay_ms=%u fault=\"%s\" why=\"%s\"", slot->address, delay_ms, fault,
                slot->status);
}

/* An unasked end: the policy decides. */
void slot_recover(struct slot *slot)
{
    const char *fault = slot->last_fault ? fault_text(slot->last_fault) : "ended unasked";
    uint32_t delay_ms = 0;

    if (!slot->status[0]) {
        (void)snprintf(slot->status, sizeof(slot->status), "%s", fault);
    }
    if (supervisor_on_exit(&slot->policy, &supervisor_policy_default, clock_mono_ms(), &delay_ms) ==
        SUPERVISOR_GAVE_UP) {
        slot->life = ACTOR_LIFE_GAVE_UP;
        slot->retry_after_ms = 0;
        slot_tell(slot);
        log_error("actor_gave_up", "actor=%s restarts=%u fault=\"%s\" why=\"%s\"", slot->address, slot->policy.restarts,
                  fault, slot->status);
        host_start_next(slot->host); /* those it had taken along go on without it */
        return;
    }
    slot->life = ACTOR_LIFE_BACKOFF;
    slot->retry_after_ms = delay_ms + 50;
    slot_tell(slot);
    restart_log(slot, delay_ms, fault);
    (void)uv_timer_start(&slot->timer, on_backoff_over, delay_ms, 0); /* fails only without a callback */
    if (slot->host->is_rest_for_one) {
        host_rest_begin(slot);
    }
}

static void on_hung(uv_timer_t *timer)
{
    struct slot *slot = timer->data;

    log_error("actor_hung", "actor=%s why=\"did not stop in time\"", slot->address);
    slot->host->has_hung = true;
    if (slot->host->is_stopping || slot->is_resting) {
        _exit(EXIT_FAILURE); /* a thread cannot be ended from outside; the process can */
    }
}

void slot_stop_word(struct slot *slot)
{
    struct pack pack;

    pack_init(&pack, 64);
    pack_map_begin(&pack);
    pack_kv_bool(&pack, "restart", slot->is_restart_asked || slot->is_resting || slot->host->is_reviving);
    pack_map_end(&pack);
    (void)actor_cast_span(node_actor(slot->host->node), slot->address, &wire_stop, pack_span(&pack), NULL);
    pack_deinit(&pack);
}

void slot_stop(struct slot *slot)
{
    if (!slot->thread || slot->is_stopping) {
        return;
    }
    slot->is_stopping = true;
    if (slot->is_up) { /* else its mailbox is not bound yet; on_state sends the word */
        slot_stop_word(slot);
    }
    (void)uv_timer_start(&slot->timer, on_hung, slot->def->stop_ms ? slot->def->stop_ms : SLOT_STOP_DEFAULT_MS, 0);
}

static void on_slot_timer_closed(uv_handle_t *handle)
{
    struct slot *slot = handle->data;

    free(slot->arg);
    free(slot->next_arg);
    free(slot);
}

void slot_remove(struct slot *slot)
{
    struct slot **at = &slot->host->slots;

    host_rest_forget(slot);
    while (*at != slot) {
        at = &(*at)->next;
    }
    *at = slot->next;
    pulse_give(TAKE(slot->pulse));
    uv_close((uv_handle_t *)&slot->timer, on_slot_timer_closed);
}
