/*
 * tap_store: a recording of the tap on disk.
 *
 *   file    = head section* [index trailer]
 *   head    = "octap\r\n\x1a" version (u32) 0 (u32)
 *   section = mark (u32) len (u32) crc (u32) records_n (u32) first_us (i64) last_us (i64), and len bytes
 *   trailer = offset of the index (u64) "octapend"
 *
 * All numbers are little endian. A section of mark BLOCK holds a block (tap_block.h). The
 * index is a section of its own with a row for each block: what a reader needs to pass it
 * over. A file that was not closed has none; its sections tell the rest.
 *
 * When a file has reached its size, it is closed and becomes FILE.1, that FILE.2 and so
 * on, up to as many as are to be kept.
 */
#ifndef EDGE_CLI_TAP_STORE_H
#define EDGE_CLI_TAP_STORE_H

#include "edge/cli/tap_block.h"

#define TAP_STORE_MAGIC "octap\r\n\x1a"
#define TAP_STORE_END "octapend"
#define TAP_STORE_VERSION 1U
#define TAP_STORE_HEAD_BYTES 16U
#define TAP_STORE_SECTION_BYTES 32U
#define TAP_STORE_TRAILER_BYTES 16U
#define TAP_STORE_BLOCK 0x4b434c42U /* "BLCK" */
#define TAP_STORE_INDEX 0x58444e49U /* "INDX" */
#define TAP_STORE_ROW_BYTES (40U + TAP_BLOOM_BYTES)
#define TAP_STORE_BLOCK_BYTES ((size_t)64 * 1024) /* a block that has grown to it is written */
#define TAP_STORE_WAIT_US 1000000                 /* one that is older is, too */

uint32_t tap_store_crc(struct span bytes);

struct tap_store;

struct tap_store_opts {
    const char *path;
    uint64_t rotate_bytes; /* 0: never */
    unsigned keep;         /* files besides the one that is written */
};

/* The file must not exist. 0 or a fault; `path` is copied. */
int tap_store_new(const struct tap_store_opts *opts, struct tap_store **ret_store);
int tap_store_add(struct tap_store *self, const struct tap_record *record);
/* Writes a block that has waited long enough. */
int tap_store_tick(struct tap_store *self, int64_t now_us);
/* Writes the rest and the index. */
int tap_store_close(struct tap_store *self);
void tap_store_destroy(struct tap_store **store_p);
uint64_t tap_store_records(const struct tap_store *self);

#endif
