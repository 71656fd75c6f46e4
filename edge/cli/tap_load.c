#include "edge/cli/tap_load.h"

#include <endian.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"

struct section {
    uint64_t at; /* of its bytes, behind the head */
    uint32_t mark;
    uint32_t len;
    uint32_t crc;
    uint32_t records_n;
    int64_t first_us;
    int64_t last_us;
};

struct tap_load {
    int fd;
    uint64_t size;
    uint64_t end; /* of the blocks */
    uint64_t at;  /* of the next section */
    struct text_buf index;
    size_t row; /* the one of the block at `at` */
    struct text_buf block;
    struct tap_block_reader reader;
    bool is_open; /* `reader` is within a block */
    struct tap_load_sums sums;
};

/* --- bytes -------------------------------------------------------------------------------- */

static uint32_t u32_at(const char *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t u64_at(const char *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

/* All of it, or -ENODATA. */
static int bytes_read(const struct tap_load *self, uint64_t at, char *out, size_t len)
{
    while (len) {
        ssize_t n = pread(self->fd, out, len, (off_t)at);

        if (n < 0 && errno != EINTR) {
            return FAULT(-errno);
        }
        if (n == 0) {
            return FAULT(-ENODATA); /* it was cut while we read it */
        }
        out += n > 0 ? n : 0;
        at += n > 0 ? (uint64_t)n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Into the buffer; the length is one that the file has. */
static int buffer_read(const struct tap_load *self, uint64_t at, uint32_t len, struct text_buf *out)
{
    out->len = 0;
    if (text_buf_reserve(out, len + 1U)) {
        return FAULT(-ENOMEM);
    }
    out->len = len;
    return bytes_read(self, at, out->data, len);
}

/* --- sections ------------------------------------------------------------------------------- */

/* False when none stands there as a whole. */
static bool section_read(struct tap_load *self, uint64_t at, uint64_t end, struct section *ret_section)
{
    char head[TAP_STORE_SECTION_BYTES];

    if (end < TAP_STORE_SECTION_BYTES || at > end - TAP_STORE_SECTION_BYTES ||
        bytes_read(self, at, head, sizeof(head))) {
        return false;
    }
    *ret_section = (struct section){ .at = at + TAP_STORE_SECTION_BYTES,
                                     .mark = u32_at(head),
                                     .len = u32_at(head + 4),
                                     .crc = u32_at(head + 8),
                                     .records_n = u32_at(head + 12),
                                     .first_us = (int64_t)u64_at(head + 16),
                                     .last_us = (int64_t)u64_at(head + 24) };
    return ret_section->len <= end - ret_section->at &&
           (ret_section->mark == TAP_STORE_BLOCK || ret_section->mark == TAP_STORE_INDEX);
}

static bool is_sound(const struct section *section, const struct text_buf *bytes)
{
    return tap_store_crc((struct span){ bytes->data, bytes->len }) == section->crc;
}

/* The index, when the file was closed in order; without one every block is looked at. */
static void index_read(struct tap_load *self)
{
    char trailer[TAP_STORE_TRAILER_BYTES];
    struct section section;
    uint64_t at;

    if (self->size < TAP_STORE_HEAD_BYTES + TAP_STORE_TRAILER_BYTES ||
        bytes_read(self, self->size - TAP_STORE_TRAILER_BYTES, trailer, sizeof(trailer)) ||
        memcmp(trailer + 8, TAP_STORE_END, 8) != 0) {
        return;
    }
    at = u64_at(trailer);
    if (at < TAP_STORE_HEAD_BYTES || !section_read(self, at, self->size - TAP_STORE_TRAILER_BYTES, &section) ||
        section.mark != TAP_STORE_INDEX || section.len % TAP_STORE_ROW_BYTES ||
        buffer_read(self, section.at, section.len, &self->index) || !is_sound(&section, &self->index)) {
        self->index.len = 0;
        return;
    }
    self->end = at;
    self->sums.is_indexed = true;
}

int tap_load_new(int fd, struct tap_load **ret_load)
{
    struct tap_load *self = mem_new(sizeof(*self));
    char head[TAP_STORE_HEAD_BYTES];
    struct stat status;
    int r;

    self->fd = fd;
    r = fstat(fd, &status) ? FAULT(-errno) : 0;
    if (r == 0 && (!S_ISREG(status.st_mode) || (uint64_t)status.st_size < TAP_STORE_HEAD_BYTES)) {
        r = TAP_LOAD_E_FOREIGN;
    }
    r = r ? r : bytes_read(self, 0, head, sizeof(head));
    if (r == 0 && (memcmp(head, TAP_STORE_MAGIC, 8) != 0 || u32_at(head + 8) != TAP_STORE_VERSION)) {
        r = TAP_LOAD_E_FOREIGN;
    }
    if (r) {
        tap_load_destroy(&self);
        return r;
    }
    self->size = (uint64_t)status.st_size;
    self->end = self->size;
    self->at = TAP_STORE_HEAD_BYTES;
    index_read(self);
    *ret_load = self;
    return 0;
}

void tap_load_destroy(struct tap_load **load_p)
{
    struct tap_load *self = TAKE(*load_p);

    if (!self) {
        return;
    }
    (void)close(self->fd); /* nothing was written */
    tap_block_close(&self->reader);
    text_buf_deinit(&self->index);
    text_buf_deinit(&self->block);
    free(self);
}

struct tap_load_sums tap_load_sums(const struct tap_load *self)
{
    return self->sums;
}

/* --- records ---------------------------------------------------------------------------------- */

static bool may_have(const void *arg, struct span text)
{
    return tap_bloom_may_have(arg, text);
}

/* May this block hold a record that fits? */
static bool may_fit(struct tap_load *self, const struct section *section, const struct tap_filter *filter)
{
    struct tap_filter_scope scope = { .ts_min = (double)section->first_us / 1000.0,
                                      .ts_max = (double)section->last_us / 1000.0,
                                      .bytes_max = HUGE_VAL };
    const char *row =
        self->row < self->index.len / TAP_STORE_ROW_BYTES ? self->index.data + self->row * TAP_STORE_ROW_BYTES : NULL;
    struct tap_bloom bloom;

    if (row && u64_at(row) == section->at - TAP_STORE_SECTION_BYTES) {
        self->row++;
        memcpy(bloom.bits, row + 40, sizeof(bloom.bits));
        scope.bytes_max = (double)u64_at(row + 24);
        scope.may_have = may_have;
        scope.arg = &bloom;
    }
    return tap_filter_may_fit(filter, &scope);
}

/* Opens the next block that may hold something. 0, TAP_LOAD_E_END or a fault. */
static int block_next(struct tap_load *self, const struct tap_filter *filter)
{
    struct section section;
    int r;

    for (;;) {
        if (!section_read(self, self->at, self->end, &section)) {
            self->sums.is_cut = self->at < self->end;
            return TAP_LOAD_E_END;
        }
        self->at = section.at + section.len;
        if (section.mark != TAP_STORE_BLOCK) {
            continue; /* an index whose file was written on, or that was not closed in order */
        }
        self->sums.blocks++;
        if (!may_fit(self, &section, filter)) {
            self->sums.skipped++;
            continue;
        }
        r = buffer_read(self, section.at, section.len, &self->block);
        if (r) {
            return r;
        }
        if (is_sound(&section, &self->block)) {
            break;
        }
        self->sums.damaged++;
    }
    r = tap_block_open((struct span){ self->block.data, self->block.len }, &self->reader);
    self->is_open = true;
    return r < 0 ? r : 0;
}

int tap_load_next(struct tap_load *self, const struct tap_filter *filter, struct tap_record *ret_record)
{
    struct tap_filter_subject subject;
    int r;

    for (;;) {
        r = self->is_open ? 0 : block_next(self, filter);
        if (r) {
            return r;
        }
        r = tap_block_next(&self->reader, ret_record);
        if (r) {
            self->sums.damaged += r == TAP_BLOCK_E_MALFORMED;
            tap_block_close(&self->reader);
            self->is_open = false;
            continue;
        }
        subject = tap_record_subject(ret_record);
        if (tap_filter_fits(filter, &subject)) {
            return 0;
        }
    }
}
