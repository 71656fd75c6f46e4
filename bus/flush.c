/*
 * flush: the end of an actor. Whoever waits for its answer gets one; what waits for the
 * node's word or for credit leaves as far as a short time allows; the rest is accounted for.
 */
#include "bus/actor_internal.h"
#include "bus/base/clock.h"

#define FLUSH_MS 500U       /* well within the time that an actor has to stop */
#define FLUSH_FAULT_MS 100U /* for the directory's word, which is on its way */

/* The actor's handlers are over: only words that let something leave are heeded. */
static void mail_end(struct actor *self, struct mail *mail)
{
    struct failure failure = { .code = FAIL_UNAVAILABLE,
                               .message = SPAN_LIT("the receiver stopped before it handled this"),
                               .retryable = true,
                               .retry_after_ms = 250 };

    if (mail->env.kind == ENVELOPE_CALL) {
        (void)serve_fail(self, mail, &failure); /* memory: the asker's deadline ends it */
    } else if (mail->env.kind == ENVELOPE_CREDIT) {
        link_on_credit(self, mail);
    } else if (mail->env.kind == ENVELOPE_CAST) {
        node_talk_on_last_words(self, mail);
    }
}

static void mailbox_end(struct actor *self)
{
    intake_drain(self);
    for (struct mail *mail = mailbox_pop(&self->mailbox); mail; mail = mailbox_pop(&self->mailbox)) {
        mail_end(self, mail);
        mailbox_recycle(&self->mailbox, &mail);
    }
}

/* Who broke is to be back soon, and waits for nobody's credit: only for the directory's word
 * where to send its last messages, such as the log's lines on what broke it. */
static bool is_waiting(const struct actor *self)
{
    for (size_t i = 0; i < ARRAY_LEN(self->links); i++) {
        for (const struct link *link = self->links[i]; link; link = link->hash_next) {
            if (link->park.head && (!self->fault || link->state == LINK_RESOLVING)) {
                return true;
            }
        }
    }
    return self->outbox.head && !self->fault;
}

void flush_all(struct actor *self)
{
    /* A loop that is not its own must not be held up. */
    uint64_t limit_ms = self->loop != &self->own_loop ? 0 : self->fault ? FLUSH_FAULT_MS : FLUSH_MS;
    uint64_t started_ms = clock_mono_ms();
    uint64_t passed_ms = 0;
    zmq_pollitem_t item = { .socket = self->pull_raw, .events = ZMQ_POLLIN };

    topic_settle_end(self);
    mailbox_end(self);
    while (passed_ms < limit_ms && is_waiting(self)) {
        (void)zmq_poll(&item, 1, (long)(limit_ms - passed_ms)); /* interrupted: the time left is looked at again */
        mailbox_end(self);
        passed_ms = clock_mono_ms() - started_ms;
    }
    topic_abandon(self);
    for (size_t i = 0; i < ARRAY_LEN(self->links); i++) {
        for (struct link *link = self->links[i]; link; link = link->hash_next) {
            link_abandon(self, link);
        }
    }
}
