#include "bus/base/nearest.h"

#include <stdbool.h>
#include <string.h>

#define WORD_MAX 48

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t nearest_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);

    if (a_len > WORD_MAX || b_len > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t *now = rows[i % 3];
        const size_t *up = rows[(i - 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            now[j] = least(least(now[j - 1] + 1, up[j] + 1), up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], rows[(i - 2) % 3][j - 2] + 1);
            }
        }
    }
    return rows[a_len % 3][b_len];
}

void nearest_offer(struct nearest *self, const char *known)
{
    size_t len = strlen(self->typed);
    size_t distance = nearest_distance(self->typed, known);
    /* A word typed only in part ("stat") is near whatever it begins. */
    bool is_start = len >= 3 && strncmp(self->typed, known, len) == 0;
    size_t allowed = len <= 3 ? 1 : len <= 6 ? 2 : 3;

    if (is_start) {
        distance = 1;
    }
    if (distance <= allowed && distance < len && (!self->best || distance < self->distance)) {
        self->best = known;
        self->distance = distance;
    }
}
