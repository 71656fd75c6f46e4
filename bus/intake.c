/*
 * intake: from the socket into the mailbox, and the refusal of what finds no place there.
 */
#include "bus/actor_internal.h"
#include "bus/base/clock.h"

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

/* Receives the two frames of one message. False when there is none now. */
static bool frames_receive(struct actor *self, struct mail *mail)
{
    if (!frame_receive(&mail->header, self->pull_raw)) {
        return false;
    }
    bool more = zmq_msg_more(&mail->header);
    if (more) {
        /* All frames of a message arrive together (zmq_msg_recv(3)), so this does not wait. */
        (void)frame_receive(&mail->body.msg, self->pull_raw);
        more = zmq_msg_more(&mail->body.msg);
    }
    while (more) { /* a peer that sends more than two frames speaks another protocol */
        zmq_msg_t rest;

        (void)zmq_msg_init(&rest);
        (void)frame_receive(&rest, self->pull_raw);
        more = zmq_msg_more(&rest);
        frame_close(&rest);
    }
    return true;
}

/* Moves everything that has arrived into the mailbox. ZMQ_FD is edge-triggered, so it
 * must be emptied. */
void intake_drain(struct actor *self)
{
    uint64_t msgs = 0;
    uint64_t bytes = 0;
    uint64_t now_ns = clock_mono_ns();

    for (;;) {
        struct mail *mail = mailbox_mail_new(&self->mailbox);

        if (!frames_receive(self, mail)) {
            mailbox_recycle(&self->mailbox, &mail);
            break;
        }
        size_t header_len = zmq_msg_size(&mail->header);
        mail->arrived_ns = now_ns;
        mail->bytes = header_len + zmq_msg_size(&mail->body.msg);
        msgs++;
        bytes += mail->bytes;
        if (!envelope_decode((struct span){ zmq_msg_data(&mail->header), header_len }, &mail->env)) {
            atomic_fetch_add_explicit(&self->opts.stats->refused, 1, memory_order_relaxed);
            mailbox_recycle(&self->mailbox, &mail);
            continue;
        }
        int r = mailbox_push(&self->mailbox, &mail);
        if (r > 0 && mail->env.kind == ENVELOPE_PUBLISH && topic_mail_to_gap(self, mail)) {
            r = mailbox_push(&self->mailbox, &mail);
        }
        if (r > 0) {
            struct link *link = link_get(self, envelope_sender(&mail->env));

            link_account(self, link, mail->env.incarnation, mail->bytes);
            refuse(self, mail, r);
            mailbox_recycle(&self->mailbox, &mail);
        }
    }
    if (msgs) {
        atomic_fetch_add_explicit(&self->opts.stats->msgs_in, msgs, memory_order_relaxed);
        atomic_fetch_add_explicit(&self->opts.stats->bytes_in, bytes, memory_order_relaxed);
    }
}
