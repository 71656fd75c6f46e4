/*
 * Hosts of other machines that the topology does not name: whoever is allowed to join and was given actors has a place
 * for as long as that lasts. The list is read when the gateway starts and whenever it changes. Who asks for what
 * somebody else has is told so, and changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "bus/process_internal.h"
#include "bus/value.h"

#define GUEST_GONE "it is not allowed any more"
#define GUEST_CHANGED "what this host may run was changed"

/* One that has no place, and why. */
struct guest_refusal {
    struct guest_refusal *next;
    char name[sizeof(((struct curve_peer *)NULL)->name)];
    char why[sizeof(((struct topology_error *)NULL)->text)];
    bool is_listed; /* by the look that is under way */
};

static struct topology_guest guest_of(struct curve_peer *peer)
{
    return (struct topology_guest){ .name = peer->name, .actors = peer->actors, .actors_n = peer->actors_n };
}

/* --- may it? ----------------------------------------------------------------------------- */

struct taking {
    const struct topology *topology;
    const struct topology_guest *guest;
};

static bool is_taken(void *arg, const struct node_placed *at)
{
    const struct taking *taking = arg;

    return strcmp(at->host, taking->guest->name) != 0 &&
           topology_guest_takes(taking->topology, taking->guest, at->address);
}

/* What runs goes on where it is, with what it has there. */
static int guest_check(struct process *self, const struct topology_guest *guest, struct topology_error *error)
{
    struct taking taking = { self->opts->topology, guest };
    struct node_placed placed;
    int r = topology_guest_check(self->opts->topology, guest, error);

    for (size_t i = 0; i < guest->actors_n && r == 0; i++) {
        if (self->opts->may_leave && !self->opts->may_leave(guest->actors[i])) {
            (void)snprintf(error->text, sizeof(error->text), "\"%s\" has its place on the gateway's own machine",
                           guest->actors[i]);
            r = TOPOLOGY_E_REFUSED;
        }
    }
    if (r == 0 && node_placed_find(self->node, is_taken, &taking, &placed)) {
        (void)snprintf(error->text, sizeof(error->text),
                       "\"%s\" runs on host \"%s\" already; it is to end there before another host may run it",
                       placed.address, placed.host);
        r = TOPOLOGY_E_REFUSED;
    }
    return r;
}

/* --- those that may not ------------------------------------------------------------------- */

static struct guest_refusal **refusal_slot(struct process *self, const char *name)
{
    struct guest_refusal **at = &self->refusals;

    while (*at && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static void refusal_set(struct process *self, const char *name, const char *why)
{
    struct guest_refusal **at = refusal_slot(self, name);
    const struct topology_host *host = topology_host_find(self->opts->topology, name);

    if (!*at) {
        *at = mem_new(sizeof(**at));
        (void)snprintf((*at)->name, sizeof((*at)->name), "%s", name);
    }
    (*at)->is_listed = true;
    if (strcmp((*at)->why, why) == 0) {
        return;
    }
    (void)snprintf((*at)->why, sizeof((*at)->why), "%s", why);
    log_warning("guest_refused", "host=%s why=\"%s\"", name, why);
    if (!host) { /* else it has a word of its own, or goes on with what it had */
        node_host_lost(self->node, name, ACTOR_LIFE_STOPPED, why);
    }
}

/* Those that this look has not met are not in the list any more, or may come now. */
static void refusals_sweep(struct process *self)
{
    struct guest_refusal **at = &self->refusals;

    while (*at) {
        struct guest_refusal *refusal = *at;

        if (refusal->is_listed) {
            refusal->is_listed = false;
            at = &refusal->next;
            continue;
        }
        *at = refusal->next;
        if (!topology_host_find(self->opts->topology, refusal->name)) {
            node_host_forget(self->node, refusal->name);
        }
        free(refusal);
    }
}

const char *process_guest_why_not(void *arg, const char *name)
{
    struct guest_refusal **at = refusal_slot(arg, name);

    return *at ? (*at)->why : "";
}

/* --- coming and going ---------------------------------------------------------------------- */

static void guest_remove(struct process *self, const struct topology_host *host)
{
    char name[sizeof(host->name)];

    (void)snprintf(name, sizeof(name), "%s", host->name);
    (void)curve_forget(self->opts->keys_dir, name); /* nobody asks for it while the name is not in the list */
    log_info("guest_gone", "host=%s", name);
    trunk_hub_end(self->trunks, name, TRUNK_NO_ACTORS, GUEST_GONE, GUEST_GONE);
    (void)topology_guest_set(self->opts->topology, &(struct topology_guest){ .name = name });
    node_host_forget(self->node, name);
    node_places_changed(self->node, name);
}

/* It was checked. */
static void guest_put(struct process *self, const struct topology_guest *guest)
{
    bool is_new = !topology_host_find(self->opts->topology, guest->name);

    if (!is_new) {
        trunk_hub_end(self->trunks, guest->name, TRUNK_NO_ACTORS, GUEST_CHANGED, GUEST_CHANGED);
    }
    const struct topology_host *host = topology_guest_set(self->opts->topology, guest);
    log_info("guest_allowed", "host=%s actors=%zu first=%s", guest->name, guest->actors_n, guest->actors[0]);
    if (is_new) {
        process_host_add(self, host);
        trunk_hub_guest(self->trunks, host);
        process_trunk_wait(self, host);
    }
    node_places_changed(self->node, guest->name);
}

static bool is_same(const struct topology_host *host, const struct curve_peer *peer)
{
    bool is_same = host->actors_n == peer->actors_n;

    for (size_t i = 0; i < peer->actors_n && is_same; i++) {
        is_same = strcmp(host->actors[i], peer->actors[i]) == 0;
    }
    return is_same;
}

/* So that its place is known when its certificate cannot be read one day. */
static void guest_keep(struct process *self, const struct curve_peer *peer)
{
    int r = curve_keep(self->opts->keys_dir, peer);

    if (r) { /* it has its place all the same */
        log_warning("guest_not_kept", "host=%s why=\"cannot write bus/places/%s.cert: %s\"", peer->name, peer->name,
                    fault_text(r));
    }
}

static void guest_apply(struct process *self, struct curve_peer *peer)
{
    const struct topology_host *host = topology_host_find(self->opts->topology, peer->name);
    struct topology_guest guest = guest_of(peer);
    struct topology_error error;

    if (host && (host->is_guest ? is_same(host, peer) : host->is_remote)) {
        return; /* of one that has come to stand in the topology, that says what it runs */
    }
    if (guest_check(self, &guest, &error)) {
        refusal_set(self, peer->name, error.text);
        return;
    }
    guest_put(self, &guest);
}

/* --- the list -------------------------------------------------------------------------------- */

static const struct curve_peer *listed(const struct curve_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->peers[i].name, name) == 0) {
            return &list->peers[i];
        }
    }
    return NULL;
}

/* Nobody knows whether it still may join, or what it may run: so who runs goes on, and a gateway that starts gives it
 * the place that it had. */
static void unreadable_apply(struct process *self, const char *name)
{
    CLEANUP(mem_free) struct curve_peer *kept = mem_new(sizeof(*kept));
    char why[PROCESS_HELD_MAX];

    (void)snprintf(why, sizeof(why), "bus/allowed/%s.cert is no certificate, or cannot be read now", name);
    log_warning("guest_unreadable", "host=%s why=\"%s\"", name, why);
    if (!topology_host_find(self->opts->topology, name)) {
        curve_kept(self->opts->keys_dir, name, kept);
        if (kept->actors_n) {
            guest_apply(self, kept);
        }
    }
    (void)snprintf(why + strlen(why), sizeof(why) - strlen(why),
                   ", so it cannot join: put it back, or: openclaw bus allow %s KEY", name);
    process_trunk_hold(self, name, why);
}

/* By its key another one joins. */
static void twin_apply(struct process *self, const char *name, const char *twin)
{
    char why[PROCESS_HELD_MAX];

    curve_twin_explain(name, twin, why, sizeof(why));
    refusal_set(self, name, why);
    process_trunk_hold(self, name, why);
}

static void peer_apply(struct process *self, const struct curve_list *list, size_t i)
{
    struct curve_peer *peer = &list->peers[i];
    const char *twin = curve_list_twin(list, i);

    if (!peer->public_key[0]) {
        unreadable_apply(self, peer->name);
        return;
    }
    if (twin) {
        twin_apply(self, peer->name, twin);
        return;
    }
    process_trunk_hold(self, peer->name, "");
    if (peer->actors_n) {
        guest_apply(self, peer);
        guest_keep(self, peer);
    }
}

int process_guests_take(struct process *self)
{
    CLEANUP(curve_list_deinit) struct curve_list list = { 0 };
    int r = curve_list_read(self->opts->keys_dir, &list);

    if (r) {
        log_error("guests_unreadable", "why=\"cannot read bus/allowed, which says who may join: %s\"", fault_text(r));
        return r;
    }
    for (size_t i = 0; i < self->hosts_n; i++) {
        const struct topology_host *host = self->hosts[i].host;
        const struct curve_peer *peer = listed(&list, host->name);

        if (!peer) {
            process_trunk_hold(self, host->name, "");
        }
        if (host->name[0] && host->is_guest && !(peer && peer->actors_n) &&
            curve_is_denied(self->opts->keys_dir, host->name, NULL, true)) {
            guest_remove(self, host);
        }
    }
    for (size_t i = 0; i < list.n; i++) {
        peer_apply(self, &list, i);
    }
    refusals_sweep(self);
    return 0;
}

void process_guests_read(void *arg)
{
    struct process *self = arg;

    if (self->trunks) {
        (void)process_guests_take(self); /* logged; it is read at the next change, and until then all stays as it is */
    }
}

void process_guests_deinit(struct process *self)
{
    while (self->refusals) {
        struct guest_refusal *refusal = self->refusals;

        self->refusals = refusal->next;
        free(refusal);
    }
}

/* --- asked beforehand ------------------------------------------------------------------------- */

/* False when that is no list of patterns. */
static bool actors_take(struct span list, struct curve_peer *peer)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    if (value_kind_of(list) != VALUE_ARRAY || value_count(list) > TOPOLOGY_GUEST_ACTORS_MAX) {
        return false;
    }
    while (value_next(&it, &key, &item)) {
        struct span text = value_str(item, (struct span){ "", 0 });

        if (text.len == 0 || text.len >= sizeof(peer->actors[0]) || memchr(text.ptr, '\0', text.len)) {
            return false;
        }
        (void)snprintf(peer->actors[peer->actors_n++], sizeof(peer->actors[0]), "%.*s", SPAN_FMT(text));
    }
    return true;
}

void process_guest_on_request(struct process *self, const struct control_request *request)
{
    struct process_asker asker = { .ticket = request->ticket };
    struct curve_peer peer = { .name = "" };
    struct topology_error error = { "" };
    struct span name = value_str(value_get(request->body, "name"), (struct span){ "", 0 });

    if (name.len < sizeof(peer.name)) {
        (void)snprintf(peer.name, sizeof(peer.name), "%.*s", SPAN_FMT(name));
    }
    if (!curve_is_name(peer.name) || !actors_take(value_get(request->body, "actors"), &peer)) {
        process_refuse(self, asker, FAIL_INVALID_REQUEST, "say which host, and which actors it is to run");
        return;
    }
    if (!self->trunks) {
        process_refuse(
            self, asker, FAIL_UNAVAILABLE,
            "no host can join: the topology of this gateway does not say where; give it gateway: { endpoint: "
            "\"tcp://HOST:PORT\", curve: \"<its public key>\" } and start it again");
        return;
    }
    struct topology_guest guest = guest_of(&peer);
    if (guest_check(self, &guest, &error)) {
        process_refuse(self, asker, FAIL_INVALID_REQUEST, "%s", error.text);
        return;
    }
    process_accept(self, asker);
}
