#include "edge/listener/outq.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/fault.h"
#include "edge/listener/ws_frame.h"

#define COMPACT_FROM 65536U
#define KEY_REACH 32U /* references looked at for one that can be replaced */

struct outq_text {
    size_t *live;
    size_t len;
    uint32_t refs;
    char bytes[];
};

struct outq_piece {
    struct outq_piece *next;
    struct outq_piece *prev;
    struct outq_text *text;
    uint64_t at; /* position in the stream of own bytes before which it comes */
    uint64_t key;
    uint16_t head_len;
    uint16_t tail_len;
    char ends[]; /* head, then tail */
};

/* --- texts ---------------------------------------------------------------------------- */

struct outq_text *outq_text_new(struct span text, size_t *live)
{
    struct outq_text *self = malloc(sizeof(*self) + text.len);

    if (!self) {
        return NULL;
    }
    self->live = live;
    self->len = text.len;
    self->refs = 1;
    memcpy(self->bytes, text.ptr, text.len);
    *live += text.len;
    return self;
}

void outq_text_drop(struct outq_text **text_p)
{
    struct outq_text *self = *text_p;

    *text_p = NULL;
    if (self && --self->refs == 0) {
        *self->live -= self->len;
        free(self);
    }
}

/* --- references ----------------------------------------------------------------------- */

static size_t piece_len(const struct outq_piece *piece)
{
    return piece->head_len + piece->text->len + piece->tail_len;
}

static size_t piece_cost(const struct outq_piece *piece)
{
    return sizeof(*piece) + piece->head_len + piece->tail_len;
}

static void piece_remove(struct outq *self, struct outq_piece *piece)
{
    size_t sent = piece == self->first ? self->piece_sent : 0;

    self->pieces_bytes -= piece_len(piece) - sent;
    self->pieces_cost -= piece_cost(piece);
    if (piece == self->first) {
        self->piece_sent = 0;
    }
    *(piece->prev ? &piece->prev->next : &self->first) = piece->next;
    *(piece->next ? &piece->next->prev : &self->last) = piece->prev;
    outq_text_drop(&piece->text);
    free(piece);
}

/* One of that key that may still be replaced; NULL when there is none near the end. */
static struct outq_piece *piece_find(const struct outq *self, uint64_t key)
{
    struct outq_piece *at = self->last;

    for (unsigned n = 0; key && at && n < KEY_REACH; n++, at = at->prev) {
        if (at->key == key && (at != self->first || self->piece_sent == 0)) {
            return at;
        }
    }
    return NULL;
}

int outq_share(struct outq *self, struct span head, struct outq_text *text, struct span tail, uint64_t key)
{
    struct outq_piece *piece = malloc(sizeof(*piece) + head.len + tail.len);
    struct outq_piece *older = piece_find(self, key);

    if (!piece) {
        return FAULT(-ENOMEM);
    }
    if (older) {
        piece_remove(self, older);
    }
    *piece = (struct outq_piece){ .prev = self->last,
                                  .text = text,
                                  .at = self->base + self->own.len,
                                  .key = key,
                                  .head_len = (uint16_t)head.len,
                                  .tail_len = (uint16_t)tail.len };
    memcpy(piece->ends, head.ptr, head.len);
    memcpy(piece->ends + head.len, tail.ptr, tail.len);
    text->refs++;
    *(self->last ? &self->last->next : &self->first) = piece;
    self->last = piece;
    self->pieces_bytes += piece_len(piece);
    self->pieces_cost += piece_cost(piece);
    return 0;
}

/* --- the whole ------------------------------------------------------------------------ */

static void pieces_drop(struct outq *self, struct outq_piece *from)
{
    while (from) {
        struct outq_piece *next = from->next;

        piece_remove(self, from);
        from = next;
    }
}

void outq_deinit(struct outq *self)
{
    pieces_drop(self, self->first);
    text_buf_deinit(&self->own);
    *self = (struct outq){ .own = { 0 } };
}

bool outq_is_empty(const struct outq *self)
{
    return self->sent == self->own.len && !self->first;
}

size_t outq_pending(const struct outq *self)
{
    return self->own.len - self->sent + self->pieces_bytes;
}

size_t outq_cost(const struct outq *self)
{
    return self->own.cap + self->pieces_cost;
}

void outq_frames_begin(struct outq *self)
{
    self->frame_end = self->base + self->own.len;
}

/* Payload of the frame whose head stands at `at`. */
static size_t head_read(const uint8_t *at, size_t *ret_head)
{
    size_t len = at[1] & 0x7fU;
    size_t bytes = len == 127 ? 8 : len == 126 ? 2 : 0;

    *ret_head = 2 + bytes;
    if (bytes) {
        len = 0;
    }
    for (size_t i = 0; i < bytes; i++) {
        len = len << 8 | at[2 + i];
    }
    return len;
}

/* Moves `frame_end` to the first boundary at or behind what was sent. */
static void frames_follow(struct outq *self)
{
    uint64_t sent = self->base + self->sent;

    while (self->frame_end < sent) {
        size_t head;
        size_t len = head_read((const uint8_t *)self->own.data + (self->frame_end - self->base), &head);

        self->frame_end += head + len;
    }
}

static void own_forget(struct outq *self)
{
    if (self->sent == 0) {
        return;
    }
    if (self->frame_end) {
        frames_follow(self);
    }
    memmove(self->own.data, self->own.data + self->sent, self->own.len - self->sent);
    self->own.len -= self->sent;
    self->base += self->sent;
    self->sent = 0;
}

void outq_tidy(struct outq *self)
{
    if (self->sent > COMPACT_FROM && self->sent > self->own.len / 2) {
        own_forget(self);
    }
}

/* --- sending -------------------------------------------------------------------------- */

/* A place in the queue, from which bytes are read without changing it. */
struct reader {
    const struct outq *queue;
    struct outq_piece *piece;
    size_t piece_at;
    size_t own_at;
};

/* The longest run of bytes that lie together; empty at the end. */
static struct outq_run run_next(struct reader *self)
{
    const struct outq *queue = self->queue;
    struct outq_piece *piece = self->piece;
    size_t own_end = piece ? (size_t)(piece->at - queue->base) : queue->own.len;
    size_t own_at = self->own_at;
    size_t at = self->piece_at;
    struct outq_run run = { NULL, 0 };

    if (own_at < own_end) {
        self->own_at = own_end;
        return (struct outq_run){ queue->own.data + own_at, own_end - own_at };
    }
    if (!piece) {
        return run;
    }
    if (at < piece->head_len) {
        run = (struct outq_run){ piece->ends + at, piece->head_len - at };
    } else if (at < piece->head_len + piece->text->len) {
        at -= piece->head_len;
        run = (struct outq_run){ piece->text->bytes + at, piece->text->len - at };
    } else {
        at -= piece->head_len + piece->text->len;
        run = (struct outq_run){ piece->ends + piece->head_len + at, piece->tail_len - at };
    }
    self->piece_at += run.len;
    if (self->piece_at == piece_len(piece)) {
        self->piece = piece->next;
        self->piece_at = 0;
    }
    return run;
}

struct outq_run outq_peek(struct outq *self, char *stage, size_t max)
{
    struct reader reader = { .queue = self, .piece = self->first, .piece_at = self->piece_sent, .own_at = self->sent };
    struct outq_run run = run_next(&reader);
    size_t len = 0;

    if (run.len >= max || run.len == outq_pending(self)) {
        return (struct outq_run){ run.ptr, run.len < max ? run.len : max };
    }
    while (len < max && run.len > 0) {
        size_t part = run.len < max - len ? run.len : max - len;

        memcpy(stage + len, run.ptr, part);
        len += part;
        run = run_next(&reader);
    }
    return (struct outq_run){ stage, len };
}

void outq_consume(struct outq *self, size_t len)
{
    while (len > 0) {
        struct outq_piece *piece = self->first;
        size_t own = (piece ? (size_t)(piece->at - self->base) : self->own.len) - self->sent;
        size_t part;

        if (own) {
            part = own < len ? own : len;
            self->sent += part;
            len -= part;
            continue;
        }
        assert(piece); /* more than was offered cannot be gone */
        part = piece_len(piece) - self->piece_sent;
        part = part < len ? part : len;
        len -= part;
        self->piece_sent += part;
        self->pieces_bytes -= part;
        if (self->piece_sent == piece_len(piece)) {
            piece_remove(self, piece);
        }
    }
}

struct text_buf outq_release(struct outq *self)
{
    struct text_buf own = self->own;

    self->base += own.len;
    self->frame_end = self->frame_end ? self->base : 0;
    self->sent = 0;
    self->own = (struct text_buf){ 0 };
    own.len = 0;
    return own;
}

/* --- cutting -------------------------------------------------------------------------- */

/* A buffer that once held much is swapped for one of the size it needs. */
static void own_shrink(struct outq *self)
{
    struct text_buf small = { .is_secret = self->own.is_secret };

    if (self->own.cap < COMPACT_FROM || self->own.len > self->own.cap / 4 ||
        text_buf_add(&small, (struct span){ self->own.data, self->own.len })) {
        return;
    }
    text_buf_deinit(&self->own);
    self->own = small;
}

void outq_cut(struct outq *self)
{
    if (self->first && self->piece_sent > 0) {
        pieces_drop(self, self->first->next);
        self->own.len = (size_t)(self->first->at - self->base);
    } else {
        frames_follow(self);
        pieces_drop(self, self->first);
        self->own.len = (size_t)(self->frame_end - self->base);
    }
    own_forget(self);
    own_shrink(self);
}
