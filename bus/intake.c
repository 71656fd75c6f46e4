/*
 * intake: from the socket into the mailbox, and the refusal of what finds no place there.
 */
#include "bus/actor_internal.h"
#include "bus/base/clock.h"

#define INTAKE_TURN_MAX 8192U /* of one turn of the loop: a peer that never rests shall not stop everything else */

static void refuse(struct actor *self, struct mail *mail, int outcome)
{
    const char *why = outcome == MAILBOX_E_SHARE ? "this principal has too much waiting at the receiver"
                                                 : "the receiver's mailbox is full";

    atomic_fetch_add_explicit(&self->opts.stats->refused, 1, memory_order_relaxed);
    if (mail->env.kind == ENVELOPE_CALL) {
        struct failure failure = {
            .code = FAIL_UNAVAILABLE, .message = span_from(why), .retryable = true, .retry_after_ms = 100
        };
        (void)serve_fail(self, mail, &failure); /* memory: the asker's deadline ends it */
    }
    dead_letter_report(self, &mail->env, zmq_msg_size(&mail->body.msg), why, true);
}

/* Receives the two frames of one message, of which one of ZeroMQ's may bring several. False when there is none now. */
static bool frames_receive(struct actor *self, struct mail *mail)
{
    if (!frame_receive(&mail->header, self->pull_raw)) {
        return false;
    }
    if (zmq_msg_more(&mail->header)) {
        /* All frames of a message arrive together (zmq_msg_recv(3)), so this does not wait. */
        (void)frame_receive(&mail->body.msg, self->pull_raw);
    }
    return true;
}

/* One message more from its sender that is not handled yet. */
static void hold(struct link *link, const struct mail *mail)
{
    if (link->held_incarnation != mail->env.incarnation) {
        link->held_incarnation = mail->env.incarnation;
        link->held_bytes = 0;
        link->held_msgs = 0;
    }
    link->held_bytes += (int64_t)mail->bytes;
    link->held_msgs++;
}

/* False when its sender has sent far more than it may: it is nowhere then, and no credit comes back for it. */
static bool admit_sender(struct actor *self, struct mail *mail)
{
    struct link *link = link_get(self, envelope_sender(&mail->env));

    if (blame_is_excess(link, mail)) {
        blame_peer(self, envelope_sender(&mail->env), &mail->header, "sends more than its credit allows");
        if (mail->env.kind == ENVELOPE_CALL) {
            struct failure failure = { .code = FAIL_UNAVAILABLE,
                                       .message = SPAN_LIT("you send more than your credit allows"),
                                       .retryable = true,
                                       .retry_after_ms = 1000 };
            (void)serve_fail(self, mail, &failure); /* memory: the asker's deadline ends it */
        }
        return false;
    }
    mail->link = link;
    hold(link, mail);
    return true;
}

static void mail_take(struct actor *self, struct mail *mail)
{
    if (!envelope_decode((struct span){ zmq_msg_data(&mail->header), zmq_msg_size(&mail->header) }, &mail->env)) {
        blame_peer(self, (struct span){ "", 0 }, &mail->header, "sends what is no envelope");
        mailbox_recycle(&self->mailbox, &mail);
        return;
    }
    if (!admit_sender(self, mail)) {
        mailbox_recycle(&self->mailbox, &mail);
        return;
    }
    int r = mailbox_push(&self->mailbox, &mail->link->lane, &mail);
    if (r > 0 && mail->env.kind == ENVELOPE_PUBLISH && topic_mail_to_gap(self, mail)) {
        r = mailbox_push(&self->mailbox, &mail->link->lane, &mail);
    }
    if (r > 0) {
        link_account(self, mail->link, mail->env.incarnation, mail->bytes);
        refuse(self, mail, r);
        mailbox_recycle(&self->mailbox, &mail);
    }
}

/* ZMQ_FD is edge-triggered, so it must be emptied, or looked at again. */
bool intake_drain(struct actor *self)
{
    uint64_t msgs = 0;
    uint64_t bytes = 0;
    uint64_t now_ns = clock_mono_ns();

    for (; msgs < INTAKE_TURN_MAX; msgs++) {
        struct mail *mail = mailbox_mail_new(&self->mailbox);

        if (!frames_receive(self, mail)) {
            mailbox_recycle(&self->mailbox, &mail);
            break;
        }
        mail->arrived_ns = now_ns;
        mail->bytes = zmq_msg_size(&mail->header) + zmq_msg_size(&mail->body.msg);
        bytes += mail->bytes;
        mail_take(self, mail);
    }
    if (msgs) {
        atomic_fetch_add_explicit(&self->opts.stats->msgs_in, msgs, memory_order_relaxed);
        atomic_fetch_add_explicit(&self->opts.stats->bytes_in, bytes, memory_order_relaxed);
    }
    return msgs < INTAKE_TURN_MAX;
}
