#include "bus/trunk_session.h"

#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/frame.h"

void trunk_session_init(struct trunk_session *self, uint64_t id)
{
    *self = (struct trunk_session){ .id = id };
    self->tail = &self->head;
}

static void head_drop(struct trunk_session *self)
{
    struct trunk_item *item = self->head;

    self->head = item->next;
    if (!self->head) {
        self->tail = &self->head;
    }
    self->bytes -= item->bytes;
    self->msgs--;
    frame_close(&item->header);
    frame_close(&item->body);
    free(item);
}

void trunk_session_deinit(struct trunk_session *self)
{
    while (self->head) {
        head_drop(self);
    }
    self->id = 0;
}

bool trunk_session_is_full(const struct trunk_session *self)
{
    return self->bytes >= TRUNK_SESSION_BYTES_MAX || self->msgs >= TRUNK_SESSION_MSGS_MAX;
}

const struct trunk_item *trunk_session_push(struct trunk_session *self, zmq_msg_t *header, zmq_msg_t *body)
{
    struct trunk_item *item = mem_new(sizeof(*item));

    item->number = ++self->sent;
    item->bytes = sizeof(*item) + zmq_msg_size(header) + zmq_msg_size(body);
    (void)zmq_msg_init(&item->header); /* none of these four can fail */
    (void)zmq_msg_init(&item->body);
    (void)zmq_msg_move(&item->header, header);
    (void)zmq_msg_move(&item->body, body);
    *self->tail = item;
    self->tail = &item->next;
    self->bytes += item->bytes;
    self->msgs++;
    return item;
}

bool trunk_session_on_seen(struct trunk_session *self, uint64_t seen)
{
    if (seen > self->sent) {
        return false;
    }
    while (self->head && self->head->number <= seen) {
        head_drop(self);
    }
    return true;
}

enum trunk_session_verdict trunk_session_on_data(struct trunk_session *self, uint64_t number, size_t bytes)
{
    if (number <= self->seen) {
        return TRUNK_SESSION_TWICE;
    }
    if (number != self->seen + 1) {
        return TRUNK_SESSION_BROKEN;
    }
    self->seen = number;
    self->untold_bytes += bytes;
    return TRUNK_SESSION_NEW;
}

bool trunk_session_owes(const struct trunk_session *self)
{
    return self->seen - self->told >= TRUNK_SESSION_ACK_MSGS || self->untold_bytes >= TRUNK_SESSION_ACK_BYTES;
}

uint64_t trunk_session_tell(struct trunk_session *self)
{
    self->told = self->seen;
    self->untold_bytes = 0;
    return self->seen;
}
