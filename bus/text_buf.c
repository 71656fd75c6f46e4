#include <stdlib.h>

#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/json.h"

#define CAP_FIRST 256

void text_buf_deinit(struct text_buf *self)
{
    if (self->is_secret) {
        mem_wipe(self->data, self->cap);
    }
    free(self->data);
    *self = (struct text_buf){ 0 };
}

int text_buf_reserve(struct text_buf *self, size_t more)
{
    size_t cap = self->cap ? self->cap : CAP_FIRST;
    char *data;

    if (self->cap - self->len >= more && self->data) {
        return 0;
    }
    if (more > SIZE_MAX / 4 - self->len) {
        return FAULT(-ENOMEM);
    }
    while (cap < self->len + more) {
        cap *= 2;
    }
    data = self->is_secret ? mem_move_wiped(self->data, self->len, self->cap, cap) : realloc(self->data, cap);
    if (!data) {
        return FAULT(-ENOMEM);
    }
    self->data = data;
    self->cap = cap;
    return 0;
}

int text_buf_add(struct text_buf *self, struct span bytes)
{
    int r = text_buf_reserve(self, bytes.len);

    if (r < 0) {
        return r;
    }
    if (bytes.len) {
        memcpy(self->data + self->len, bytes.ptr, bytes.len);
        self->len += bytes.len;
    }
    return 0;
}
