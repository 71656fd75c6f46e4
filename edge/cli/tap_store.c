#include "edge/cli/tap_store.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/base/clock.h"
#include "bus/base/mem.h"

struct tap_store {
    char *path;
    uint64_t rotate_bytes;
    unsigned keep;
    int fd; /* -1: closed */
    uint64_t size;
    uint64_t records;
    int64_t begun_us; /* the block's, by the clock */
    struct tap_block block;
    struct text_buf rows; /* of the index */
    struct text_buf out;
};

uint32_t tap_store_crc(struct span bytes)
{
    uint32_t crc = UINT32_MAX; /* CRC-32 (IEEE 802.3), four bits at a time */
    static const uint32_t table[16] = { 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c };

    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (unsigned char)bytes.ptr[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static int u32_add(struct text_buf *out, uint32_t value)
{
    value = htole32(value);
    return text_buf_add(out, (struct span){ (const char *)&value, sizeof(value) });
}

static int u64_add(struct text_buf *out, uint64_t value)
{
    value = htole64(value);
    return text_buf_add(out, (struct span){ (const char *)&value, sizeof(value) });
}

static int all_write(struct tap_store *self, struct span bytes)
{
    while (bytes.len) {
        ssize_t n = write(self->fd, bytes.ptr, bytes.len);

        if (n < 0 && errno != EINTR) {
            return FAULT(-errno);
        }
        bytes.ptr += n > 0 ? n : 0;
        bytes.len -= n > 0 ? (size_t)n : 0;
        self->size += n > 0 ? (uint64_t)n : 0;
    }
    return 0;
}

static int file_begin(struct tap_store *self)
{
    int r;

    self->fd = open(self->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (self->fd < 0) {
        return FAULT(-errno);
    }
    self->size = 0;
    self->rows.len = 0;
    self->out.len = 0;
    r = text_buf_add(&self->out, SPAN_LIT(TAP_STORE_MAGIC));
    r = r ? r : u32_add(&self->out, TAP_STORE_VERSION);
    r = r ? r : u32_add(&self->out, 0);
    return r ? r : all_write(self, (struct span){ self->out.data, self->out.len });
}

/* Writes `self->out`, which begins with room for the head of the section. */
static int section_write(struct tap_store *self, uint32_t mark, uint32_t records_n, int64_t first_us, int64_t last_us)
{
    struct span body = { self->out.data + TAP_STORE_SECTION_BYTES, self->out.len - TAP_STORE_SECTION_BYTES };
    uint32_t head32[4] = { htole32(mark), htole32((uint32_t)body.len), htole32(tap_store_crc(body)),
                           htole32(records_n) };
    uint64_t head64[2] = { htole64((uint64_t)first_us), htole64((uint64_t)last_us) };

    if (body.len > UINT32_MAX) {
        return FAULT(-EFBIG);
    }
    memcpy(self->out.data, head32, sizeof(head32));
    memcpy(self->out.data + sizeof(head32), head64, sizeof(head64));
    return all_write(self, (struct span){ self->out.data, self->out.len });
}

static int section_begin(struct tap_store *self)
{
    static const char room[TAP_STORE_SECTION_BYTES];

    self->out.len = 0;
    return text_buf_add(&self->out, (struct span){ room, sizeof(room) });
}

static int row_add(struct tap_store *self)
{
    const struct tap_block *block = &self->block;
    int r = u64_add(&self->rows, self->size);

    r = r ? r : u64_add(&self->rows, (uint64_t)block->first_us);
    r = r ? r : u64_add(&self->rows, (uint64_t)block->last_us);
    r = r ? r : u64_add(&self->rows, block->bytes_max);
    r = r ? r : u64_add(&self->rows, block->records_n);
    return r ? r : text_buf_add(&self->rows, (struct span){ (const char *)block->bloom.bits, TAP_BLOOM_BYTES });
}

static int block_flush(struct tap_store *self)
{
    int r;

    if (self->block.records_n == 0) {
        return 0;
    }
    r = section_begin(self);
    r = r ? r : tap_block_write(&self->block, &self->out);
    r = r ? r : row_add(self);
    r = r ? r : section_write(self, TAP_STORE_BLOCK, self->block.records_n, self->block.first_us, self->block.last_us);
    tap_block_reset(&self->block);
    return r;
}

static int file_end(struct tap_store *self)
{
    uint64_t index_at;
    int r = block_flush(self);

    index_at = self->size;
    r = r ? r : section_begin(self);
    r = r ? r : text_buf_add(&self->out, (struct span){ self->rows.data, self->rows.len });
    r = r ? r : section_write(self, TAP_STORE_INDEX, 0, 0, 0);
    self->out.len = 0;
    r = r ? r : u64_add(&self->out, index_at);
    r = r ? r : text_buf_add(&self->out, SPAN_LIT(TAP_STORE_END));
    r = r ? r : all_write(self, (struct span){ self->out.data, self->out.len });
    if (close(self->fd) && r == 0) {
        r = FAULT(-errno);
    }
    self->fd = -1;
    return r;
}

/* FILE.2 becomes FILE.3, FILE.1 FILE.2, FILE FILE.1; the last one goes. */
static int files_shift(const struct tap_store *self)
{
    size_t cap = strlen(self->path) + 16;
    CLEANUP(mem_free) char *from = mem_new(cap);
    CLEANUP(mem_free) char *to = mem_new(cap);

    for (unsigned i = self->keep; i > 0; i--) {
        (void)snprintf(to, cap, "%s.%u", self->path, i);
        (void)snprintf(from, cap, i > 1 ? "%s.%u" : "%s", self->path, i - 1);
        if (rename(from, to) && errno != ENOENT) {
            return FAULT(-errno);
        }
    }
    return self->keep == 0 && unlink(self->path) ? FAULT(-errno) : 0;
}

int tap_store_new(const struct tap_store_opts *opts, struct tap_store **ret_store)
{
    struct tap_store *self = mem_new(sizeof(*self));
    int r;

    self->path = mem_text(opts->path, strlen(opts->path));
    self->rotate_bytes = opts->rotate_bytes;
    self->keep = opts->keep;
    r = file_begin(self);
    if (r) {
        tap_store_destroy(&self);
        return r;
    }
    *ret_store = self;
    return 0;
}

int tap_store_add(struct tap_store *self, const struct tap_record *record)
{
    int r;

    if (self->block.records_n == 0) {
        self->begun_us = clock_wall_us();
    }
    r = tap_block_add(&self->block, record);
    self->records++;
    if (r == 0 && tap_block_len(&self->block) >= TAP_STORE_BLOCK_BYTES) {
        r = block_flush(self);
    }
    if (r == 0 && self->rotate_bytes && self->size >= self->rotate_bytes) {
        r = file_end(self);
        r = r ? r : files_shift(self);
        r = r ? r : file_begin(self);
    }
    return r;
}

int tap_store_tick(struct tap_store *self, int64_t now_us)
{
    int64_t age_us = now_us - self->begun_us;

    return self->block.records_n && (age_us >= TAP_STORE_WAIT_US || age_us < 0) ? block_flush(self) : 0;
}

int tap_store_close(struct tap_store *self)
{
    return self->fd < 0 ? 0 : file_end(self);
}

void tap_store_destroy(struct tap_store **store_p)
{
    struct tap_store *self = TAKE(*store_p);

    if (!self) {
        return;
    }
    if (self->fd >= 0) {
        (void)close(self->fd); /* it could not be closed in order: whoever reads it does without an index */
    }
    tap_block_deinit(&self->block);
    text_buf_deinit(&self->rows);
    text_buf_deinit(&self->out);
    free(self->path);
    free(self);
}

uint64_t tap_store_records(const struct tap_store *self)
{
    return self->records;
}
