#include "edge/cli/tap_line.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "bus/base/cleanup.h"
#include "bus/tap_shown.h"

#define HEAD_TEXT_MAX 640

int tap_line_json(const struct tap_record *self, struct text_buf *out)
{
    CLEANUP(pack_deinit) struct pack pack;
    int r;

    pack_init(&pack, 0);
    pack_map_begin(&pack);
    tap_shown_pack(self, &pack);
    pack_map_end(&pack);
    r = pack_error(&pack);
    r = r ? r : json_from_value(pack_span(&pack), out);
    return r ? r : text_buf_add(out, SPAN_LIT("\n"));
}

static int handled_text(const struct tap_record *self, struct text_buf *out)
{
    char text[ACTOR_ADDRESS_MAX + 96];
    int len = 0;

    if (self->is_handled) {
        len = snprintf(text, sizeof(text), "  handled by %.*s: waited %.3f ms, took %.3f ms",
                       (int)(self->address.len < ACTOR_ADDRESS_MAX ? self->address.len : ACTOR_ADDRESS_MAX),
                       self->address.ptr, (double)self->waited_us / 1000.0, (double)self->busy_us / 1000.0);
    }
    return len > 0 ? text_buf_add(out, (struct span){ text, (size_t)len }) : 0;
}

int tap_line_text(const struct tap_record *self, struct text_buf *out)
{
    const struct envelope *env = &self->env;
    time_t seconds = (time_t)(self->ts_us / 1000000);
    char latency[32] = "";
    char head[HEAD_TEXT_MAX];
    struct tm local = { 0 };
    int len;
    int r;

    (void)localtime_r(&seconds, &local);
    if (self->has_latency) {
        (void)snprintf(latency, sizeof(latency), " %.2f ms", self->latency_ms);
    }
    len = snprintf(head, sizeof(head), "%02d:%02d:%02d.%06d %-7s %.*s -> %.*s  %.*s  %llu B%s%s%.*s", local.tm_hour,
                   local.tm_min, local.tm_sec, (int)(self->ts_us % 1000000), envelope_kind_name(env->kind),
                   SPAN_FMT(env->from), SPAN_FMT(env->to), SPAN_FMT(env->name), (unsigned long long)self->bytes,
                   latency, self->note.len ? "  not delivered: " : "",
                   (int)(self->note.len < 100 ? self->note.len : 100), self->note.len ? self->note.ptr : "");
    if (len < 0) {
        return -EINVAL;
    }
    r = text_buf_add(out, (struct span){ head, (size_t)len < sizeof(head) ? (size_t)len : sizeof(head) - 1 });
    r = r ? r : handled_text(self, out);
    if (r == 0 && self->body.len) {
        r = text_buf_add(out, SPAN_LIT("  "));
        r = r ? r : json_from_value(self->body, out);
    }
    return r ? r : text_buf_add(out, SPAN_LIT("\n"));
}
