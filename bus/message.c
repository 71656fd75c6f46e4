/*
 * message: between the struct of a message and its packed body.
 */
#include <stdio.h>

#include "bus/actor_internal.h"
#include "bus/base/mem.h"
#include "bus/codec.h"

int message_frame(struct span body, bool is_secret, zmq_msg_t *ret_frame)
{
    return is_secret ? frame_copy_secret(body, ret_frame) : frame_copy(body, ret_frame);
}

int message_make(struct actor *self, const struct schema_msg *msg, const void *in, struct span body,
                 zmq_msg_t *ret_frame)
{
    struct codec_error error;

    bool is_secret = schema_body_is_secret(msg);

    if (!in || !msg->type) {
        return message_frame(body, is_secret, ret_frame);
    }
    pack_reset_secret(&self->scratch, is_secret);
    int r = codec_encode(msg->type, in, &self->scratch, &error);
    if (r > 0) {
        log_debug("body_refused", "msg=%s field=%s why=%s", msg->name, error.path, error.text);
        r = FAULT(-EBADMSG);
    }
    r = r < 0 ? r : message_frame(pack_span(&self->scratch), is_secret, ret_frame);
    if (is_secret) {
        pack_reset_secret(&self->scratch, false);
    }
    return r;
}

int message_decode(void **buf, size_t *cap, const struct schema_msg *msg, struct span body, char *ret_text,
                   size_t text_len)
{
    struct codec_error error = { 0 };

    if (msg->type->size > *cap) {
        free(*buf);
        *buf = mem_new(msg->type->size);
        *cap = msg->type->size;
    }
    int r = codec_decode(msg->type, body, *buf, &error);
    if (r > 0) {
        (void)snprintf(ret_text, text_len, "%s: %s%s%s", msg->name, error.path, error.path[0] ? ": " : "", error.text);
    }
    return r;
}
