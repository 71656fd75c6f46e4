/*
 * wheel: deadlines of calls, O(1) to add and to remove.
 *
 * A hashed wheel of coarse ticks; an entry further away than one turn stays in its slot
 * until its time has come. The owner asks wheel_next_ms() for when to look again, so
 * nothing ticks while nothing is due.
 */
#ifndef BUS_WHEEL_H
#define BUS_WHEEL_H

#include <stdint.h>

#define WHEEL_SLOTS 512U
#define WHEEL_TICK_MS 16U

struct wheel_entry {
    struct wheel_entry *next; /* NULL: not on a wheel */
    struct wheel_entry *prev;
    uint64_t due_ms;
};

struct wheel {
    struct wheel_entry slots[WHEEL_SLOTS];
    uint64_t used[WHEEL_SLOTS / 64]; /* bit set: slot may hold entries */
    uint64_t looked_tick;            /* everything due before this tick has been taken */
    uint32_t entries_n;
};

void wheel_init(struct wheel *self, uint64_t now_ms);
void wheel_add(struct wheel *self, struct wheel_entry *entry, uint64_t due_ms);
/* Does nothing when it is not on the wheel. */
void wheel_remove(struct wheel *self, struct wheel_entry *entry);
/* Takes one entry that is due, or NULL; repeat until NULL. */
struct wheel_entry *wheel_take_due(struct wheel *self, uint64_t now_ms);
/* Milliseconds until it is worth looking again; UINT64_MAX when empty. */
uint64_t wheel_next_ms(const struct wheel *self, uint64_t now_ms);

#endif
