#include "schema/base/qr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"

#define CODEWORDS_MAX 1588 /* of version 25, error correction included */
#define EC_MAX 30

/* Table 9, level L: codewords of error correction in each block, and blocks, by version. */
static const uint8_t ec_len_of[QR_VERSION_MAX + 1] = { 0,  7,  10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24,
                                                       26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26 };
static const uint8_t blocks_of[QR_VERSION_MAX + 1] = { 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4,  4,
                                                       4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12 };

/* --- room ------------------------------------------------------------------------------------------ */

static int alignments_of(int version)
{
    return version == 1 ? 0 : version / 7 + 2;
}

/* Codewords, data and error correction together, of a version. */
static int raw_codewords(int version)
{
    int bits = (16 * version + 128) * version + 64;
    int n = alignments_of(version);

    if (n) {
        bits -= (25 * n - 10) * n - 55;
    }
    return (version >= 7 ? bits - 36 : bits) / 8;
}

static int data_codewords(int version)
{
    return raw_codewords(version) - ec_len_of[version] * blocks_of[version];
}

static int version_for(size_t len)
{
    for (int version = 1; version <= QR_VERSION_MAX; version++) {
        size_t bits = 4 + (version < 10 ? 8U : 16U) + 8 * len;
        if (bits <= 8U * (size_t)data_codewords(version)) {
            return version;
        }
    }
    return 0;
}

/* --- codewords ---------------------------------------------------------------------------------------- */

struct bits {
    uint8_t bytes[CODEWORDS_MAX];
    size_t n;
};

static void bits_add(struct bits *self, unsigned value, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        self->bytes[self->n >> 3] |= (uint8_t)(((value >> i) & 1U) << (7 - (self->n & 7)));
        self->n++;
    }
}

static void data_write(struct span text, int version, struct bits *out)
{
    size_t room = 8U * (size_t)data_codewords(version);

    bits_add(out, 4, 4); /* bytes */
    bits_add(out, (unsigned)text.len, version < 10 ? 8 : 16);
    for (size_t i = 0; i < text.len; i++) {
        bits_add(out, (unsigned char)text.ptr[i], 8);
    }
    bits_add(out, 0, (int)(room - out->n < 4 ? room - out->n : 4));
    bits_add(out, 0, (int)((8 - out->n % 8) % 8));
    for (unsigned pad = 0xec; out->n < room; pad ^= 0xec ^ 0x11) {
        bits_add(out, pad, 8);
    }
}

/* Product in the field of 256 elements with x^8 + x^4 + x^3 + x^2 + 1. */
static uint8_t times(uint8_t a, uint8_t b)
{
    unsigned z = 0;

    for (int i = 7; i >= 0; i--) {
        z = (z << 1) ^ ((z >> 7) * 0x11dU);
        z ^= (b >> i) & 1 ? a : 0U;
    }
    return (uint8_t)z;
}

/* The coefficients of the generator polynomial but for the first, which is 1. */
static void divisor_make(int degree, uint8_t out[EC_MAX])
{
    uint8_t root = 1;

    memset(out, 0, EC_MAX);
    out[degree - 1] = 1;
    for (int i = 0; i < degree; i++) {
        for (int j = 0; j < degree; j++) {
            out[j] = times(out[j], root);
            out[j] ^= j + 1 < degree ? out[j + 1] : 0;
        }
        root = times(root, 2);
    }
}

static void remainder_make(const uint8_t *data, int len, const uint8_t *divisor, int degree, uint8_t *out)
{
    memset(out, 0, (size_t)degree);
    for (int i = 0; i < len; i++) {
        uint8_t factor = data[i] ^ out[0];
        memmove(out, out + 1, (size_t)degree - 1);
        out[degree - 1] = 0;
        for (int j = 0; j < degree; j++) {
            out[j] ^= times(divisor[j], factor);
        }
    }
}

/* Splits the data into blocks, and interleaves them and what corrects them. */
static void codewords_make(const uint8_t *data, int version, uint8_t out[CODEWORDS_MAX])
{
    int blocks = blocks_of[version];
    int degree = ec_len_of[version];
    int short_n = blocks - raw_codewords(version) % blocks;
    int short_len = raw_codewords(version) / blocks - degree;
    uint8_t divisor[EC_MAX];
    int ec_at = data_codewords(version);
    int from = 0;

    divisor_make(degree, divisor);
    for (int block = 0; block < blocks; block++) {
        int len = short_len + (block >= short_n);
        uint8_t ec[EC_MAX];

        remainder_make(data + from, len, divisor, degree, ec);
        for (int i = 0; i < len; i++) {
            int place = i < short_len ? i * blocks + block : short_len * blocks + block - short_n;
            out[place] = data[from + i];
        }
        for (int i = 0; i < degree; i++) {
            out[ec_at + i * blocks + block] = ec[i];
        }
        from += len;
    }
}

/* --- what is the same in every code of a version ------------------------------------------------------------ */

static void put(struct qr *self, int x, int y, bool is_dark)
{
    self->modules[y * self->size + x] = is_dark;
    self->is_function[y * self->size + x] = 1;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* With its separator, which stays light. */
static void finder_put(struct qr *self, int x, int y)
{
    for (int dy = -4; dy <= 4; dy++) {
        for (int dx = -4; dx <= 4; dx++) {
            int ring = larger(abs(dx), abs(dy));
            if (x + dx >= 0 && x + dx < self->size && y + dy >= 0 && y + dy < self->size) {
                put(self, x + dx, y + dy, ring != 2 && ring != 4);
            }
        }
    }
}

static void alignment_put(struct qr *self, int x, int y)
{
    for (int dy = -2; dy <= 2; dy++) {
        for (int dx = -2; dx <= 2; dx++) {
            put(self, x + dx, y + dy, larger(abs(dx), abs(dy)) != 1);
        }
    }
}

static void alignments_put(struct qr *self, int version)
{
    int n = alignments_of(version);
    int step = n ? (version * 8 + n * 3 + 5) / (n * 4 - 4) * 2 : 0;
    int at[7] = { 6 };

    for (int i = n - 1, place = self->size - 7; i >= 1; i--, place -= step) {
        at[i] = place;
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            bool is_finder = (i == 0 && (j == 0 || j == n - 1)) || (i == n - 1 && j == 0);
            if (!is_finder) {
                alignment_put(self, at[i], at[j]);
            }
        }
    }
}

static void version_put(struct qr *self, int version)
{
    unsigned rest = (unsigned)version;

    for (int i = 0; i < 12; i++) {
        rest = (rest << 1) ^ ((rest >> 11) * 0x1f25U);
    }
    unsigned word = (unsigned)version << 12 | rest;
    for (int i = 0; version >= 7 && i < 18; i++) {
        bool is_dark = (word >> i) & 1U;
        put(self, self->size - 11 + i % 3, i / 3, is_dark);
        put(self, i / 3, self->size - 11 + i % 3, is_dark);
    }
}

/* Level and mask, twice; the level L is 1. */
static void format_put(struct qr *self, unsigned mask)
{
    unsigned data = 1U << 3 | mask;
    unsigned rest = data;

    for (int i = 0; i < 10; i++) {
        rest = (rest << 1) ^ ((rest >> 9) * 0x537U);
    }
    unsigned word = (data << 10 | rest) ^ 0x5412U;
    for (int i = 0; i < 15; i++) {
        bool is_dark = (word >> i) & 1U;
        int near = i < 6 ? i : i < 8 ? i + 1 : 0;
        if (i < 8) {
            put(self, 8, near, is_dark);
            put(self, self->size - 1 - i, 8, is_dark);
        } else {
            put(self, i == 8 ? 7 : 14 - i, 8, is_dark);
            put(self, 8, self->size - 15 + i, is_dark);
        }
    }
    put(self, 8, self->size - 8, true);
}

static void functions_put(struct qr *self, int version)
{
    for (int i = 0; i < self->size; i++) {
        put(self, 6, i, i % 2 == 0);
        put(self, i, 6, i % 2 == 0);
    }
    finder_put(self, 3, 3);
    finder_put(self, self->size - 4, 3);
    finder_put(self, 3, self->size - 4);
    alignments_put(self, version);
    version_put(self, version);
    format_put(self, 0); /* its place; what it says comes with the mask */
}

/* Upwards and downwards in columns of two, from the right. */
static void data_put(struct qr *self, const uint8_t *codewords, int bits_n)
{
    int i = 0;

    for (int right = self->size - 1; right >= 1; right -= 2) {
        right = right == 6 ? 5 : right;
        for (int step = 0; step < 2 * self->size; step++) {
            int x = right - step % 2;
            int y = ((right + 1) & 2) ? step / 2 : self->size - 1 - step / 2;
            if (!self->is_function[y * self->size + x] && i < bits_n) {
                self->modules[y * self->size + x] = (codewords[i >> 3] >> (7 - (i & 7))) & 1;
                i++;
            }
        }
    }
}

/* --- masks -------------------------------------------------------------------------------------------------------- */

static bool is_masked(unsigned mask, int x, int y)
{
    switch (mask) {
    case 0:
        return (x + y) % 2 == 0;
    case 1:
        return y % 2 == 0;
    case 2:
        return x % 3 == 0;
    case 3:
        return (x + y) % 3 == 0;
    case 4:
        return (x / 3 + y / 2) % 2 == 0;
    case 5:
        return x * y % 2 + x * y % 3 == 0;
    case 6:
        return (x * y % 2 + x * y % 3) % 2 == 0;
    default:
        return ((x + y) % 2 + x * y % 3) % 2 == 0;
    }
}

/* Twice is as if never. */
static void mask_apply(struct qr *self, unsigned mask)
{
    for (int y = 0; y < self->size; y++) {
        for (int x = 0; x < self->size; x++) {
            int at = y * self->size + x;
            self->modules[at] ^= !self->is_function[at] && is_masked(mask, x, y);
        }
    }
}

/* The module at `i` of line `line`: a row, or a column. */
static bool at_line(const struct qr *self, bool is_column, int line, int i)
{
    return self->modules[is_column ? i * self->size + line : line * self->size + i];
}

/* Long runs, and what looks like a finder, in one line. */
static int line_penalty(const struct qr *self, bool is_column, int line)
{
    static const unsigned finder_before = 0x5d0; /* 10111010000 */
    static const unsigned finder_behind = 0x05d; /* 00001011101 */
    unsigned seen = 0;
    int penalty = 0;
    int run = 0;

    for (int i = 0; i < self->size; i++) {
        bool is_dark = at_line(self, is_column, line, i);
        run = i > 0 && is_dark == at_line(self, is_column, line, i - 1) ? run + 1 : 1;
        penalty += run == 5 ? 3 : run > 5 ? 1 : 0;
        seen = (seen << 1 | is_dark) & 0x7ffU;
        penalty += i >= 10 && (seen == finder_before || seen == finder_behind) ? 40 : 0;
    }
    return penalty;
}

static int area_penalty(const struct qr *self)
{
    int penalty = 0;
    int dark_n = 0;
    int all = self->size * self->size;

    for (int y = 0; y < self->size; y++) {
        for (int x = 0; x < self->size; x++) {
            const uint8_t *at = &self->modules[y * self->size + x];
            bool is_inside = x + 1 < self->size && y + 1 < self->size;

            dark_n += at[0];
            penalty += is_inside && at[0] == at[1] && at[0] == at[self->size] && at[0] == at[self->size + 1] ? 3 : 0;
        }
    }
    return penalty + abs(dark_n * 20 - all * 10) / all * 10;
}

static int penalty_of(const struct qr *self)
{
    int penalty = area_penalty(self);

    for (int line = 0; line < self->size; line++) {
        penalty += line_penalty(self, false, line) + line_penalty(self, true, line);
    }
    return penalty;
}

static void mask_choose(struct qr *self)
{
    unsigned best = 0;
    int least = 0;

    for (unsigned mask = 0; mask < 8; mask++) {
        format_put(self, mask);
        mask_apply(self, mask);
        int penalty = penalty_of(self);
        if (mask == 0 || penalty < least) {
            best = mask;
            least = penalty;
        }
        mask_apply(self, mask);
    }
    format_put(self, best);
    mask_apply(self, best);
}

/* --- the whole ------------------------------------------------------------------------------------------------------
 */

int qr_encode(struct span text, struct qr *ret_qr)
{
    uint8_t codewords[CODEWORDS_MAX] = { 0 };
    struct bits data = { .n = 0 };
    int version = version_for(text.len);

    if (!version) {
        return QR_E_TOO_LONG;
    }
    data_write(text, version, &data);
    codewords_make(data.bytes, version, codewords);
    memset(ret_qr, 0, sizeof(*ret_qr));
    ret_qr->size = version * 4 + 17;
    functions_put(ret_qr, version);
    data_put(ret_qr, codewords, raw_codewords(version) * 8);
    mask_choose(ret_qr);
    return 0;
}

bool qr_is_dark(const struct qr *self, int x, int y)
{
    return x >= 0 && y >= 0 && x < self->size && y < self->size && self->modules[y * self->size + x];
}

int qr_draw(const struct qr *self, struct text_buf *out)
{
    /* Light is what a terminal with dark ground has to draw. */
    static const char *const blocks[4] = { "\xe2\x96\x88", "\xe2\x96\x84", "\xe2\x96\x80", " " };
    int r = 0;

    for (int y = -QR_BORDER; !r && y < self->size + QR_BORDER; y += 2) {
        for (int x = -QR_BORDER; !r && x < self->size + QR_BORDER; x++) {
            unsigned upper = qr_is_dark(self, x, y);
            unsigned lower = qr_is_dark(self, x, y + 1);
            r = text_buf_add(out, span_from(blocks[upper | lower << 1]));
        }
        r = r ? r : text_buf_add(out, SPAN_LIT("\n"));
    }
    return r;
}
