#include "edge/listener/memo.h"

#define MEMO_MIN_BYTES 512U /* below, writing costs about as much as remembering */
#define MEMO_MAX_BYTES (64U * 1024U)

void memo_deinit(struct memo *self)
{
    text_buf_deinit(&self->body);
    text_buf_deinit(&self->json);
}

/* What was remembered is void until both parts are there. */
static void remember(struct memo *self, struct span body, struct span json)
{
    self->body.len = 0;
    self->json.len = 0;
    if (text_buf_add(&self->json, json) || text_buf_add(&self->body, body)) {
        self->body.len = 0; /* short of memory: the next answer is written in full */
    }
}

int memo_json(struct memo *self, struct span body, struct text_buf *out)
{
    size_t at = out->len;

    if (body.len < MEMO_MIN_BYTES || body.len > MEMO_MAX_BYTES) {
        return json_from_value(body, out);
    }
    if (span_is(body, (struct span){ self->body.data, self->body.len })) {
        return text_buf_add(out, (struct span){ self->json.data, self->json.len });
    }
    int r = json_from_value(body, out);
    if (r == 0) {
        remember(self, body, (struct span){ out->data + at, out->len - at });
    }
    return r;
}
