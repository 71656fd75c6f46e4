/*
 * blame: who sends what it may not: bytes that are no envelope, or more than its credit
 * allows. Such things are refused and counted; that they come is logged once a second at
 * most, and told to the node, so that health names who sends them.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "bus/actor_internal.h"
#include "bus/wire.h"

#define BLAME_TELL_MS 1000U

/*
 * A peer that keeps to its credit never has more than a window under way, and another one
 * when it has lost sight of us in between. Answers need no credit, as a call is behind each.
 */
#define HELD_MSGS_MAX (2 * (int64_t)LINK_WINDOW_MSGS)
#define HELD_BYTES_MAX (4 * LINK_WINDOW_BYTES)
#define HELD_ANSWERS 8 /* times as much */

/* The process at the other end; 0 when that is this one, or not known. For people alone: who has gone meanwhile may
 * have left its number to another. */
static pid_t peer_of(zmq_msg_t *frame)
{
    struct ucred peer = { 0 };
    socklen_t len = sizeof(peer);
    int fd = zmq_msg_get(frame, ZMQ_SRCFD);

    return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 ? peer.pid : 0;
}

static void tell(struct actor *self, struct span from, pid_t pid, const char *why)
{
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_str(&self->scratch, "address", from);
    pack_kv_i64(&self->scratch, "pid", pid);
    pack_kv_text(&self->scratch, "why", why);
    pack_kv_u64(&self->scratch, "count", self->blame_untold);
    pack_map_end(&self->scratch);
    (void)actor_cast_span(self, self->node_address, &wire_blame, pack_span(&self->scratch), NULL); /* memory only */
}

void blame_peer(struct actor *self, struct span from, zmq_msg_t *frame, const char *why)
{
    uint64_t now_ms = uv_now(self->loop);
    pid_t pid;

    atomic_fetch_add_explicit(&self->opts.stats->refused, 1, memory_order_relaxed);
    self->blame_untold++;
    if (self->blame_told_ms && now_ms - self->blame_told_ms < BLAME_TELL_MS) {
        return;
    }
    self->blame_told_ms = now_ms ? now_ms : 1;
    pid = peer_of(frame);
    log_warning("peer_misbehaves", "actor=%s from=%.*s pid=%d what=\"%s\" count=%u", self->address, SPAN_FMT(from),
                (int)pid, why, self->blame_untold);
    tell(self, from, pid, why);
    self->blame_untold = 0;
}

bool blame_is_excess(const struct link *link, const struct mail *mail)
{
    bool is_credited =
        mail->env.kind == ENVELOPE_CALL || mail->env.kind == ENVELOPE_CAST || mail->env.kind == ENVELOPE_PUBLISH;
    int64_t times = is_credited ? 1 : HELD_ANSWERS;
    bool is_same = link->held_incarnation == mail->env.incarnation && link->heard_incarnation == mail->env.incarnation;
    int64_t msgs = link->held_msgs + (is_same ? link->owed_msgs : 0);
    int64_t bytes = link->held_bytes + (is_same ? link->owed_bytes : 0);

    return msgs >= times * HELD_MSGS_MAX || bytes >= times * HELD_BYTES_MAX;
}
