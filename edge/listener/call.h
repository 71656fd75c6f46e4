/*
 * call: a call of the edge that waits for its answer, on the list of the connection it is
 * made for, or on the list of orphans once that connection is gone.
 */
#ifndef EDGE_LISTENER_CALL_H
#define EDGE_LISTENER_CALL_H

#include <stddef.h>
#include <stdint.h>

struct conn;

struct call {
    struct call *next;
    struct call **at;  /* what points here; NULL: on no list */
    struct conn *conn; /* NULL: gone */
    uint64_t id;       /* of actor_call; 0: none is open */
};

static inline void call_unlink(struct call *self)
{
    if (self->at) {
        *self->at = self->next;
        if (self->next) {
            self->next->at = self->at;
        }
        self->at = NULL;
        self->next = NULL;
    }
}

/* Takes the first one off a list; NULL when it is empty. */
static inline struct call *call_pop(struct call **list)
{
    struct call *self = *list;

    if (self) {
        *list = self->next;
        if (self->next) {
            self->next->at = list;
        }
        self->at = NULL;
        self->next = NULL;
    }
    return self;
}

static inline void call_link(struct call *self, struct call **list)
{
    call_unlink(self);
    self->next = *list;
    if (self->next) {
        self->next->at = &self->next;
    }
    self->at = list;
    *list = self;
}

/* The connection of all of them is gone: nobody waits for what they are answered. */
static inline void call_orphan_all(struct call **list, struct call **orphans)
{
    while (*list) {
        struct call *call = *list;

        call->conn = NULL;
        call_link(call, orphans);
    }
}

#endif
