/*
 * tap_shown: one record as programs are shown it, a map, and back. Pure.
 *
 * `openclaw bus tap --json` shows the pairs of tap_shown_pack; the event bus.tap.lines adds those of
 * tap_shown_pack_rest, so that whoever gets it has the whole header.
 */
#ifndef BUS_TAP_SHOWN_H
#define BUS_TAP_SHOWN_H

#include "bus/pack.h"
#include "bus/tap_record.h"

/* Into an open map. */
void tap_shown_pack(const struct tap_record *self, struct pack *pack);
/* What only those want to see who make the header again. */
void tap_shown_pack_rest(const struct tap_record *self, struct pack *pack);

/* Reads such a map, which passed wire_check and may come from anyone. Everything is borrowed from it. False when it
 * is none: a text is missing or longer than an envelope has it. */
bool tap_shown_read(struct span map, struct tap_record *ret_record);

#endif
