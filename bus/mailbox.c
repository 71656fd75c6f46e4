#include "bus/mailbox.h"

#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/frame.h"

#define LANE_TURN 8U /* mails of one sender before the next one's turn */

void mailbox_init(struct mailbox *self, uint32_t msgs_max, size_t bytes_max)
{
    *self = (struct mailbox){ .msgs_max = msgs_max, .bytes_max = bytes_max };
    self->lanes_tail = &self->lane;
}

void mailbox_deinit(struct mailbox *self)
{
    for (struct mail *mail = mailbox_pop(self); mail; mail = mailbox_pop(self)) {
        mailbox_recycle(self, &mail);
    }
    while (self->pool) {
        struct mail *mail = self->pool;
        self->pool = mail->next;
        free(mail);
    }
}

struct mail *mailbox_mail_new(struct mailbox *self)
{
    struct mail *mail = self->pool;

    if (mail) {
        self->pool = mail->next;
    } else {
        mail = mem_new(sizeof(*mail));
    }
    mail->next = NULL;
    mail->principal = NULL;
    (void)zmq_msg_init(&mail->header); /* cannot fail */
    (void)zmq_msg_init(&mail->body.msg);
    return mail;
}

void mailbox_recycle(struct mailbox *self, struct mail **mail_p)
{
    struct mail *mail = TAKE(*mail_p);

    frame_close(&mail->header);
    frame_close(&mail->body.msg);
    mail->next = self->pool;
    self->pool = mail;
}

static struct mailbox_principal **principal_slot(struct mailbox *self, struct span name)
{
    uint32_t hash = 2166136261U; /* FNV-1a */

    for (size_t i = 0; i < name.len; i++) {
        hash = (hash ^ (uint8_t)name.ptr[i]) * 16777619U;
    }
    struct mailbox_principal **at = &self->principals[hash % ARRAY_LEN(self->principals)];
    while (*at && !span_is((struct span){ (*at)->name, (*at)->len }, name)) {
        at = &(*at)->next;
    }
    return at;
}

static struct mailbox_principal *principal_get(struct mailbox *self, struct span name)
{
    struct mailbox_principal **at = principal_slot(self, name);

    if (!*at) {
        struct mailbox_principal *entry = mem_new(sizeof(*entry));

        memcpy(entry->name, name.ptr, name.len);
        entry->len = (uint8_t)name.len;
        *at = entry;
    }
    return *at;
}

static void principal_drop_if_idle(struct mailbox *self, struct mailbox_principal *entry)
{
    if (entry->msgs == 0) {
        struct mailbox_principal **at = principal_slot(self, (struct span){ entry->name, entry->len });

        *at = entry->next;
        free(entry);
    }
}

static bool is_always_admitted(const struct mail *mail)
{
    return mail->env.kind != ENVELOPE_CALL && mail->env.kind != ENVELOPE_CAST && mail->env.kind != ENVELOPE_PUBLISH;
}

/* The bus's own: where a peer is, what was missed. Few, and nothing goes on without them.
 * Lasting casts are bounded where they wait. */
static bool is_bus_word(const struct mail *mail)
{
    return mail->env.kind == ENVELOPE_CAST && (span_starts(mail->env.name, "bus.") || envelope_is_lasting(&mail->env));
}

/* --- lanes -------------------------------------------------------------------------------- */

static void lane_append(struct mailbox *self, struct mailbox_lane *lane)
{
    lane->next = NULL;
    *self->lanes_tail = lane;
    self->lanes_tail = &lane->next;
}

/* Takes off the one whose turn it was. */
static struct mailbox_lane *lane_leave(struct mailbox *self)
{
    struct mailbox_lane *lane = self->lane;

    self->lane = lane->next;
    if (!self->lane) {
        self->lanes_tail = &self->lane;
    }
    self->turn_left = LANE_TURN;
    return lane;
}

static bool is_oldest(const struct mailbox *self, const struct mail *mail)
{
    for (const struct mailbox_lane *lane = self->lane; lane; lane = lane->next) {
        if (lane->head->number < mail->number) {
            return false;
        }
    }
    return true;
}

static void mail_append(struct mailbox *self, struct mailbox_lane *lane, struct mail *mail)
{
    mail->number = self->pushed++;
    if (!lane->head) {
        lane->tail = &lane->head;
        if (!self->lane) {
            self->turn_left = LANE_TURN;
        }
        lane_append(self, lane);
    }
    *lane->tail = mail;
    lane->tail = &mail->next;
}

/* The next in turn; NULL when nothing waits. Whoever has the oldest mail is patient enough, so this ends. */
static struct mail *mail_take(struct mailbox *self)
{
    struct mailbox_lane *lane;
    struct mail *mail;

    if (!self->lane) {
        return NULL;
    }
    if (self->turn_left == 0) {
        lane_append(self, lane_leave(self));
    }
    while (self->lane->is_patient && !is_oldest(self, self->lane->head)) {
        lane_append(self, lane_leave(self));
    }
    lane = self->lane;
    mail = lane->head;
    lane->head = mail->next;
    self->turn_left--;
    if (!lane->head) {
        (void)lane_leave(self); /* it is the caller's */
    }
    mail->next = NULL;
    return mail;
}

int mailbox_push(struct mailbox *self, struct mailbox_lane *lane, struct mail **mail_p)
{
    struct mail *mail = *mail_p;

    if (!is_always_admitted(mail)) {
        if ((self->msgs >= self->msgs_max || self->bytes >= self->bytes_max) && !is_bus_word(mail)) {
            self->refused++;
            return MAILBOX_E_FULL;
        }
        if (mail->env.principal.len) {
            struct mailbox_principal *entry = principal_get(self, mail->env.principal);

            if (entry->msgs >= self->msgs_max / 2 || entry->bytes >= self->bytes_max / 2) {
                self->refused++;
                return MAILBOX_E_SHARE;
            }
            entry->msgs++;
            entry->bytes += mail->bytes;
            mail->principal = entry;
        }
    }
    self->msgs++;
    self->bytes += mail->bytes;
    mail_append(self, lane, TAKE(*mail_p));
    return 0;
}

struct mail *mailbox_pop(struct mailbox *self)
{
    struct mail *mail = mail_take(self);

    if (!mail) {
        return NULL;
    }
    self->msgs--;
    self->bytes -= mail->bytes;
    if (mail->principal) {
        mail->principal->msgs--;
        mail->principal->bytes -= mail->bytes;
        principal_drop_if_idle(self, TAKE(mail->principal));
    }
    return mail;
}
