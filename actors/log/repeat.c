#include "actors/log/repeat.h"

static uint64_t mix(uint64_t h, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        h = (h ^ (unsigned char)text.ptr[i]) * 0x100000001b3U;
    }
    return (h ^ 0xff) * 0x100000001b3U; /* so that "ab","c" is not "a","bc" */
}

bool repeat_is_same(struct repeat *self, const struct line *line)
{
    uint64_t h = 0xcbf29ce484222325U;

    h = mix(h, line->level);
    h = mix(h, line->event);
    h = mix(h, line->text);
    h = mix(h, line->actor) ^ line->pid;
    self->last_ms = line->ts_ms;
    if (h != self->last) {
        self->last = h;
        return false;
    }
    self->count++;
    return true;
}

uint32_t repeat_take(struct repeat *self)
{
    uint32_t count = self->count;

    self->count = 0;
    return count;
}
