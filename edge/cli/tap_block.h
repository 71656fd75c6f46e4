/*
 * tap_block: many records of the tap in few bytes. A text stands once in a block, however
 * many records bear it; times are told by what has passed since the record before. Pure.
 *
 *   block   = base texts_n text* record*          (numbers are varints, a text is its length and bytes)
 *   record  = mask passed kind id from to name trace host address incarnation bytes
 *             [corr] [left_ms] [flags] [principal] [via asker] [note] [session] [latency_us]
 *             [waited_us busy_us] [body]
 *
 * `base` is the time of the first record (its `passed` is 0). `mask` says which of those in brackets are there, the
 * first its lowest bit. Texts are told by their number, from 1; 0 is none. A trace is a text of 16 bytes.
 */
#ifndef EDGE_CLI_TAP_BLOCK_H
#define EDGE_CLI_TAP_BLOCK_H

#include "edge/cli/tap_bloom.h"
#include "bus/json.h"
#include "bus/tap_record.h"
#include "edge/cli/tap_varint.h"

/* One that grows. Zeroed memory is ready. */
struct tap_block {
    struct text_buf texts; /* packed */
    struct text_buf records;
    struct tap_block_slot {
        uint32_t number; /* 0 free */
        uint32_t at;     /* of the bytes, in `texts` */
        uint32_t len;
    } * slots; /* a hash table */
    size_t slots_n;
    uint32_t texts_n;
    uint32_t records_n;
    int64_t first_us; /* the least and the greatest time in it */
    int64_t last_us;
    int64_t base_us; /* of the first record */
    int64_t at_us;   /* of the newest one */
    uint64_t bytes_max;
    struct tap_bloom bloom;
};

void tap_block_deinit(struct tap_block *self);
/* Empties it and keeps the memory. */
void tap_block_reset(struct tap_block *self);
size_t tap_block_len(const struct tap_block *self);
/* 0 or -ENOMEM; then it is of no use until it is reset. */
int tap_block_add(struct tap_block *self, const struct tap_record *record);
/* Appends the whole of it. 0 or -ENOMEM. */
int tap_block_write(const struct tap_block *self, struct text_buf *out);

struct tap_block_reader {
    struct varint_reader in;
    struct span *texts; /* owned */
    uint64_t texts_n;
    int64_t at_us;
};

enum {
    TAP_BLOCK_E_END = 1,       /* no more records */
    TAP_BLOCK_E_MALFORMED = 2, /* the bytes are no block */
};

/* Any bytes may be given, which are borrowed. To be closed, whatever the outcome. */
int tap_block_open(struct span bytes, struct tap_block_reader *self);
void tap_block_close(struct tap_block_reader *self);
/* The next record, everything in it borrowed from the block. A body has passed wire_check. */
int tap_block_next(struct tap_block_reader *self, struct tap_record *ret_record);

#endif
