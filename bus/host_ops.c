/*
 * host_ops: what the node of a host is asked for: to run an actor, to end one, to start
 * one again, to say how all are.
 */
#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/host_internal.h"

const struct actor_def *host_ops_def(struct host *self, const char *name)
{
    const struct actor_def *const *def = self->opts->defs;

    while (*def && strcmp((*def)->name, name) != 0) {
        def++;
    }
    return *def;
}

bool host_ops_spawn(void *arg, const char *address, const char *def_name, const char *spawn_arg)
{
    struct host *self = arg;
    const struct actor_def *def = host_ops_def(self, def_name);
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

void host_ops_despawn(void *arg, const char *address)
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

bool host_ops_restart(void *arg, const char *address)
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

void host_ops_actors(void *arg, struct pack *pack)
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
        pack_kv_u64(pack, "handled", atomic_load(&stats->handled));
        pack_kv_u64(pack, "waitedNs", atomic_load(&stats->waited_ns));
        pack_kv_u64(pack, "busyNs", atomic_load(&stats->busy_ns));
        pack_map_end(pack);
    }
}
