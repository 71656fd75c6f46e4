/*
 * qr_png: a picture of two colours, whose data is stored as it is: it is small enough.
 */
#include <errno.h>
#include <string.h>

#include "schema/base/qr.h"

#define STORED_MAX 65535U

static uint32_t crc_of(const char *data, size_t len)
{
    uint32_t crc = 0xffffffffU;

    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
        }
    }
    return ~crc;
}

static uint32_t adler_of(const char *data, size_t len)
{
    uint32_t a = 1;
    uint32_t b = 0;

    for (size_t i = 0; i < len; i++) {
        a = (a + (unsigned char)data[i]) % 65521U;
        b = (b + a) % 65521U;
    }
    return b << 16 | a;
}

static int word_add(struct text_buf *out, uint32_t word)
{
    char bytes[4] = { (char)(word >> 24), (char)(word >> 16), (char)(word >> 8), (char)word };

    return text_buf_add(out, (struct span){ bytes, sizeof(bytes) });
}

static int chunk_add(struct text_buf *out, const char *type, struct span body)
{
    size_t from = out->len + 4;
    int r = word_add(out, (uint32_t)body.len);

    r = r ? r : text_buf_add(out, span_from(type));
    r = r ? r : text_buf_add(out, body);
    return r ? r : word_add(out, crc_of(out->data + from, out->len - from));
}

/* Rows of bits, each behind a byte that says "not filtered"; 1 is light. */
static int rows_add(const struct qr *qr, unsigned scale, struct text_buf *out)
{
    unsigned side = ((unsigned)qr->size + 2 * QR_BORDER) * scale;
    char row[1 + (((QR_SIZE_MAX + 2 * QR_BORDER) * 8) + 7) / 8];
    size_t len = 1 + (side + 7) / 8;
    int r = 0;

    for (unsigned y = 0; !r && y < side; y++) {
        memset(row, 0, sizeof(row));
        for (unsigned x = 0; x < side; x++) {
            if (!qr_is_dark(qr, (int)(x / scale) - QR_BORDER, (int)(y / scale) - QR_BORDER)) {
                row[1 + x / 8] = (char)(row[1 + x / 8] | 0x80 >> (x % 8));
            }
        }
        r = text_buf_add(out, (struct span){ row, len });
    }
    return r;
}

/* The format of zlib (RFC 1950, 1951), blocks that are stored. */
static int stored_add(struct span data, struct text_buf *out)
{
    int r = text_buf_add(out, SPAN_LIT("\x78\x01"));

    for (size_t at = 0; !r && at < data.len; at += STORED_MAX) {
        size_t len = data.len - at < STORED_MAX ? data.len - at : STORED_MAX;
        char head[5] = { (char)(at + len == data.len), (char)len, (char)(len >> 8), (char)~len, (char)(~len >> 8) };

        r = text_buf_add(out, (struct span){ head, sizeof(head) });
        r = r ? r : text_buf_add(out, (struct span){ data.ptr + at, len });
    }
    return r ? r : word_add(out, adler_of(data.ptr, data.len));
}

int qr_png(const struct qr *self, unsigned scale, struct text_buf *out)
{
    uint32_t side = ((uint32_t)self->size + 2 * QR_BORDER) * scale;
    struct text_buf rows = { 0 };
    struct text_buf body = { 0 };
    struct text_buf head = { 0 };
    int r = word_add(&head, side);

    r = r ? r : word_add(&head, side);
    r = r ? r : text_buf_add(&head, (struct span){ "\x01\x00\x00\x00\x00", 5 }); /* one bit of grey */
    r = r ? r : rows_add(self, scale, &rows);
    r = r ? r : stored_add((struct span){ rows.data, rows.len }, &body);
    r = r ? r : text_buf_add(out, SPAN_LIT("\x89PNG\r\n\x1a\n"));
    r = r ? r : chunk_add(out, "IHDR", (struct span){ head.data, head.len });
    r = r ? r : chunk_add(out, "IDAT", (struct span){ body.data, body.len });
    r = r ? r : chunk_add(out, "IEND", (struct span){ "", 0 });
    text_buf_deinit(&rows);
    text_buf_deinit(&body);
    text_buf_deinit(&head);
    return r;
}
