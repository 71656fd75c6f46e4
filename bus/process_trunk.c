/*
 * Hosts of other machines, as far as they are known here: somebody else starts, watches and
 * ends them.
 */
#include <stdio.h>

#include "bus/base/clock.h"
#include "bus/base/log.h"
#include "bus/process_internal.h"

static struct hostling *host_of(struct process *self, const char *name)
{
    struct hostling *found = NULL;

    for (size_t i = 0; i < self->hosts_n; i++) {
        found = name[0] && strcmp(self->hosts[i].host->name, name) == 0 ? &self->hosts[i] : found;
    }
    return found;
}

static void on_up(void *arg, const char *name, const struct trunk_hub_life *life)
{
    struct hostling *host = host_of(arg, name);

    host->life = ACTOR_LIFE_READY;
    host->is_silent = false;
    host->supervisor.restarts += life->incarnation > 1;
    host->incarnation = life->incarnation;
    host->wire = life->wire;
    (void)snprintf(host->release, sizeof(host->release), "%s", life->release);
    host->started_ms = clock_mono_ms();
    host->last_end[0] = '\0';
    host->refused[0] = '\0';
    log_info("host_joined", "host=%s incarnation=%u wire=%u release=%s", name, life->incarnation, life->wire,
             life->release[0] ? life->release : "-");
}

static void on_down(void *arg, const char *name, const char *why)
{
    struct hostling *host = host_of(arg, name);

    host->life = ACTOR_LIFE_STOPPED;
    host->is_silent = false;
    (void)snprintf(host->last_end, sizeof(host->last_end), "%s", why);
    log_warning("host_left", "host=%s incarnation=%u why=\"%s\"", name, host->incarnation, why);
}

static void on_silent(void *arg, const char *name, bool is_silent)
{
    struct hostling *host = host_of(arg, name);

    host->is_silent = is_silent;
    if (is_silent) {
        log_warning("host_unresponsive", "host=%s why=\"nothing is heard of its machine\"", name);
    } else {
        log_warning("host_responds", "host=%s", name);
    }
}

static void on_hangs(void *arg, const char *name, const char *actor, bool is_on)
{
    (void)arg;
    if (is_on) {
        log_warning("actor_unresponsive", "actor=%s host=%s why=\"its machine says so\"", actor, name);
    } else {
        log_warning("actor_responds", "actor=%s host=%s", actor, name);
    }
}

/* --- one that is not here ------------------------------------------------------------------ */

void process_trunk_why_not(const struct hostling *host, char *out, size_t cap)
{
    const char *why = host->held[0]       ? host->held
                      : host->refused[0]  ? host->refused
                      : host->last_end[0] ? host->last_end
                                          : PROCESS_NOT_JOINED
                          ": start it on its machine, with the address and the key of this gateway";

    (void)snprintf(out, cap, "%s", why);
}

static void why_not_tell(const struct hostling *host)
{
    char why[PROCESS_HELD_MAX];

    process_trunk_why_not(host, why, sizeof(why));
    node_host_absence(host->process->node, host->host->name, why);
}

void process_trunk_wait(struct process *self, const struct topology_host *host)
{
    node_host_lost(self->node, host->name, ACTOR_LIFE_STOPPED, PROCESS_NOT_JOINED);
    why_not_tell(host_of(self, host->name));
}

void process_trunk_hold(struct process *self, const char *name, const char *why)
{
    struct hostling *host = host_of(self, name);

    if (host && host->is_remote && strcmp(host->held, why) != 0) {
        (void)snprintf(host->held, sizeof(host->held), "%s", why);
        why_not_tell(host);
    }
}

static void on_refused(void *arg, const char *name, const char *why)
{
    struct hostling *host = host_of(arg, name);

    if (strcmp(host->refused, why) != 0) {
        (void)snprintf(host->refused, sizeof(host->refused), "%s", why);
        why_not_tell(host);
    }
}

const char *process_trunk_way(void *arg, const char *name)
{
    struct process *self = arg;
    const struct hostling *host = host_of(self, name);

    return host && host->is_remote && self->trunks ? trunk_hub_endpoint(self->trunks, name) : NULL;
}

int process_trunk_init(struct process *self)
{
    if (!self->opts->trunk_pair || self->opts->only_host) {
        return 0;
    }
    int r = trunk_hub_new(&(struct trunk_hub_opts){ .loop = &self->loop,
                                                    .topology = self->opts->topology,
                                                    .run_dir = self->opts->run_dir,
                                                    .keys_dir = self->opts->keys_dir,
                                                    .pair = self->opts->trunk_pair,
                                                    .speaks = self->opts->trunk_speaks,
                                                    .release = self->opts->release,
                                                    .node = self->node,
                                                    .arg = self,
                                                    .on_up = on_up,
                                                    .on_down = on_down,
                                                    .on_silent = on_silent,
                                                    .on_hangs = on_hangs,
                                                    .on_refused = on_refused,
                                                    .on_list = process_guests_read,
                                                    .why_not = process_guest_why_not },
                          &self->trunks);
    for (size_t i = 0; i < self->hosts_n && r == 0; i++) {
        if (self->hosts[i].is_remote) {
            process_trunk_wait(self, self->hosts[i].host); /* until it comes, health says that it has not */
        }
    }
    return r ? r : process_guests_take(self);
}
