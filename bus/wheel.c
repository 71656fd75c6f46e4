#include "bus/wheel.h"

#include <stddef.h>

static uint64_t tick_of(uint64_t ms)
{
    return ms / WHEEL_TICK_MS + 1; /* rounded up, so nothing is early */
}

void wheel_init(struct wheel *self, uint64_t now_ms)
{
    *self = (struct wheel){ .looked_tick = now_ms / WHEEL_TICK_MS };
    for (size_t i = 0; i < WHEEL_SLOTS; i++) {
        self->slots[i].next = &self->slots[i];
        self->slots[i].prev = &self->slots[i];
    }
}

void wheel_add(struct wheel *self, struct wheel_entry *entry, uint64_t due_ms)
{
    uint64_t tick = tick_of(due_ms);

    if (tick <= self->looked_tick) {
        tick = self->looked_tick + 1;
    }
    size_t slot = tick % WHEEL_SLOTS;
    struct wheel_entry *head = &self->slots[slot];
    entry->due_ms = due_ms;
    entry->next = head;
    entry->prev = head->prev;
    head->prev->next = entry;
    head->prev = entry;
    self->used[slot / 64] |= 1ULL << (slot % 64);
    self->entries_n++;
}

void wheel_remove(struct wheel *self, struct wheel_entry *entry)
{
    if (!entry->next) {
        return;
    }
    entry->prev->next = entry->next;
    entry->next->prev = entry->prev;
    entry->next = NULL;
    entry->prev = NULL;
    self->entries_n--;
}

/* The first due entry of one slot; clears the slot's bit when it is empty. */
static struct wheel_entry *slot_take_due(struct wheel *self, size_t slot, uint64_t now_ms)
{
    struct wheel_entry *head = &self->slots[slot];

    if (head->next == head) {
        self->used[slot / 64] &= ~(1ULL << (slot % 64));
        return NULL;
    }
    for (struct wheel_entry *at = head->next; at != head; at = at->next) {
        if (at->due_ms <= now_ms) {
            wheel_remove(self, at);
            return at;
        }
    }
    return NULL;
}

struct wheel_entry *wheel_take_due(struct wheel *self, uint64_t now_ms)
{
    uint64_t now_tick = now_ms / WHEEL_TICK_MS;

    if (self->entries_n == 0) {
        self->looked_tick = now_tick;
        return NULL;
    }
    if (now_tick > self->looked_tick + WHEEL_SLOTS) {
        self->looked_tick = now_tick - WHEEL_SLOTS; /* one whole turn sees every slot */
    }
    while (self->looked_tick < now_tick) {
        size_t slot = (self->looked_tick + 1) % WHEEL_SLOTS;

        if (self->used[slot / 64] & 1ULL << (slot % 64)) {
            struct wheel_entry *entry = slot_take_due(self, slot, now_ms);
            if (entry) {
                return entry;
            }
        }
        self->looked_tick++;
    }
    return NULL;
}

uint64_t wheel_next_ms(const struct wheel *self, uint64_t now_ms)
{
    if (self->entries_n == 0) {
        return UINT64_MAX;
    }
    for (uint64_t i = 1; i <= WHEEL_SLOTS; i++) {
        size_t slot = (self->looked_tick + i) % WHEEL_SLOTS;

        if (self->used[slot / 64] & 1ULL << (slot % 64)) {
            uint64_t at_ms = (self->looked_tick + i) * WHEEL_TICK_MS;

            return at_ms > now_ms ? at_ms - now_ms : 1;
        }
    }
    return (uint64_t)WHEEL_SLOTS * WHEEL_TICK_MS;
}
