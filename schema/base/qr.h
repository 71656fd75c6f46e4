/*
 * qr: a text as a QR code (ISO/IEC 18004): bytes, error correction L, which is plenty on a
 * screen, in the smallest version up to 25. Pure.
 */
#ifndef SCHEMA_BASE_QR_H
#define SCHEMA_BASE_QR_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"

#define QR_VERSION_MAX 25
#define QR_SIZE_MAX (QR_VERSION_MAX * 4 + 17)
#define QR_TEXT_MAX 1273 /* bytes that fit into the largest */
#define QR_BORDER 4      /* light modules around it, without which nothing finds it */

struct qr {
    int size;                                       /* modules on each side */
    uint8_t modules[QR_SIZE_MAX * QR_SIZE_MAX];     /* rows; 1: dark */
    uint8_t is_function[QR_SIZE_MAX * QR_SIZE_MAX]; /* what masks leave alone */
};

enum {
    QR_E_TOO_LONG = 1,
};

int qr_encode(struct span text, struct qr *ret_qr);
/* False outside as well. */
bool qr_is_dark(const struct qr *self, int x, int y);
/* Appends it as lines of half blocks (UTF-8), dark on light, for a terminal. 0 or -ENOMEM. */
int qr_draw(const struct qr *self, struct text_buf *out);
/* Appends it as a PNG file whose modules are `scale` pixels wide. 0 or -ENOMEM. */
int qr_png(const struct qr *self, unsigned scale, struct text_buf *out);

#endif
