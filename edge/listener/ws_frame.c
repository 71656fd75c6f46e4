#include "edge/listener/ws_frame.h"

#include <errno.h>
#include <stdlib.h>

#define CLIENT_HEAD_MAX 14U /* with a mask */
#define TEXT_FAULT "invalid UTF-8"

size_t ws_head_len(size_t len)
{
    if (len < 126) {
        return 2;
    }
    return len < 65536 ? 4 : 10;
}

void ws_head_write(uint8_t *at, enum ws_opcode opcode, size_t len)
{
    size_t head = ws_head_len(len);

    at[0] = (uint8_t)(0x80U | (unsigned)opcode);
    at[1] = (uint8_t)(head == 2 ? len : head == 4 ? 126U : 127U);
    for (size_t i = head; i-- > 2;) {
        at[i] = (uint8_t)(len & 0xffU);
        len >>= 8;
    }
}

size_t ws_close_payload(uint8_t payload[WS_CONTROL_MAX], unsigned code, struct span reason)
{
    size_t len = reason.len < WS_REASON_MAX ? reason.len : WS_REASON_MAX;

    if (code == WS_CODE_NO_STATUS) {
        return 0;
    }
    while (len < reason.len && len > 0 && ((uint8_t)reason.ptr[len] & 0xc0U) == 0x80U) {
        len--; /* the cut would fall inside a character */
    }
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)(code & 0xffU);
    if (len) {
        memcpy(payload + 2, reason.ptr, len);
    }
    return len + 2;
}

void ws_unmask(uint8_t *data, size_t len, const uint8_t mask[4], size_t at)
{
    uint8_t turned[8];
    uint64_t word;
    size_t i = 0;

    for (size_t k = 0; k < 8; k++) {
        turned[k] = mask[(at + k) & 3U];
    }
    memcpy(&word, turned, 8);
    for (; i + 8 <= len; i += 8) {
        uint64_t chunk;

        memcpy(&chunk, data + i, 8);
        chunk ^= word;
        memcpy(data + i, &chunk, 8);
    }
    for (; i < len; i++) {
        data[i] ^= turned[i & 7U];
    }
}

/* Length of the valid sequence at `p`, 0 when there is none (Unicode 15, table 3-7). */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
    uint8_t low = 0x80;
    uint8_t high = 0xbf;
    size_t n;

    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
    } else if ((p[0] & 0xf0U) == 0xe0U) {
        n = 3;
        low = p[0] == 0xe0 ? 0xa0 : low;
        high = p[0] == 0xed ? 0x9f : high;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        low = p[0] == 0xf0 ? 0x90 : low;
        high = p[0] == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (left < n || p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0U) != 0x80U) {
            return 0;
        }
    }
    return n;
}

bool ws_is_utf8(struct span text)
{
    const uint8_t *p = (const uint8_t *)text.ptr;
    size_t i = 0;

    while (i < text.len) {
        uint64_t word;
        size_t n;

        if (i + 8 <= text.len) {
            memcpy(&word, p + i, 8);
            if ((word & 0x8080808080808080ULL) == 0) {
                i += 8;
                continue;
            }
        }
        n = utf8_sequence(p + i, text.len - i);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

/* --- reading ------------------------------------------------------------------------ */

struct head {
    uint8_t opcode;
    bool is_final;
    uint8_t mask[4];
    size_t len; /* of the head */
    uint64_t payload_len;
};

static int refuse(struct ws_event *event, unsigned code, const char *why)
{
    event->code = code;
    event->why = why;
    return WS_E_REFUSED;
}

/* What is wrong with the first two bytes of a frame, as far as it does not depend on frames before it; NULL: nothing.
 */
static const char *head_fault(const uint8_t *data, const struct head *head)
{
    /* No extension is ever agreed on, and a client must mask (RFC 6455 §5.1, §5.2). */
    if ((data[0] & 0x70U) != 0) {
        return "protocol error: a reserved bit is set, and no extension was agreed on";
    }
    if ((data[1] & 0x80U) == 0) {
        return "protocol error: frames of a client must be masked";
    }
    if (head->opcode > WS_PONG || (head->opcode > WS_BINARY && head->opcode < WS_CLOSE)) {
        return "protocol error: unknown opcode";
    }
    if (head->opcode >= WS_CLOSE && (!head->is_final || head->payload_len > WS_CONTROL_MAX)) {
        return "protocol error: a control frame is cut into pieces, or has more than 125 bytes";
    }
    return NULL;
}

/* WS_E_MORE, WS_E_EVENT for a complete head, or WS_E_REFUSED. */
static int head_read(const uint8_t *data, size_t len, struct head *ret_head, struct ws_event *event)
{
    size_t length_bytes;
    const char *why;

    if (len < 2) {
        return WS_E_MORE;
    }
    ret_head->opcode = data[0] & 0x0fU;
    ret_head->is_final = (data[0] & 0x80U) != 0;
    ret_head->payload_len = data[1] & 0x7fU;
    why = head_fault(data, ret_head);
    if (why) {
        return refuse(event, WS_CODE_PROTOCOL, why);
    }
    length_bytes = ret_head->payload_len == 126 ? 2 : ret_head->payload_len == 127 ? 8 : 0;
    ret_head->len = 2 + length_bytes + 4;
    if (len < ret_head->len) {
        return WS_E_MORE;
    }
    if (length_bytes) {
        ret_head->payload_len = 0;
        for (size_t i = 0; i < length_bytes; i++) {
            ret_head->payload_len = ret_head->payload_len << 8 | data[2 + i];
        }
    }
    memcpy(ret_head->mask, data + 2 + length_bytes, 4);
    return ret_head->payload_len >> 63 ? refuse(event, WS_CODE_PROTOCOL, "protocol error: impossible length")
                                       : WS_E_EVENT;
}

static bool is_code_allowed(unsigned code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static int control_take(const struct head *head, uint8_t *payload, struct ws_event *event)
{
    size_t len = (size_t)head->payload_len;

    event->opcode = (enum ws_opcode)head->opcode;
    event->data = (struct span){ (const char *)payload, len };
    event->code = WS_CODE_NO_STATUS;
    if (head->opcode != WS_CLOSE || len == 0) {
        return WS_E_EVENT;
    }
    if (len == 1) {
        return refuse(event, WS_CODE_PROTOCOL, "protocol error: half a close code");
    }
    event->code = (unsigned)payload[0] << 8 | payload[1];
    event->data = (struct span){ (const char *)payload + 2, len - 2 };
    if (!is_code_allowed(event->code)) {
        return refuse(event, WS_CODE_PROTOCOL, "protocol error: close code that nobody may send");
    }
    return ws_is_utf8(event->data) ? WS_E_EVENT : refuse(event, WS_CODE_TEXT, TEXT_FAULT);
}

static int message_finish(struct ws_event *event, uint8_t opcode, struct span data)
{
    event->opcode = (enum ws_opcode)opcode;
    event->data = data;
    if (opcode == WS_TEXT && !ws_is_utf8(data)) {
        return refuse(event, WS_CODE_TEXT, TEXT_FAULT);
    }
    return WS_E_EVENT;
}

/* A piece of a message. WS_E_MORE when the message goes on in a later frame. */
static int data_take(struct ws_reader *self, const struct head *head, struct span payload, struct ws_event *event)
{
    uint8_t opcode;

    if (head->is_final && !self->opcode) {
        return message_finish(event, head->opcode, payload);
    }
    if (!self->opcode) {
        self->opcode = head->opcode;
        self->message.len = 0;
    }
    if (text_buf_add(&self->message, payload)) {
        return -ENOMEM;
    }
    if (!head->is_final) {
        return WS_E_MORE;
    }
    opcode = self->opcode;
    self->opcode = 0;
    return message_finish(event, opcode, (struct span){ self->message.data, self->message.len });
}

/* Data frames must not begin a message inside another, nor continue none. 0 or WS_E_REFUSED. */
static int data_check(const struct ws_reader *self, const struct head *head, struct ws_event *event)
{
    size_t have = self->opcode ? self->message.len : 0;

    if ((head->opcode == WS_CONTINUATION) != (self->opcode != 0)) {
        return refuse(event, WS_CODE_PROTOCOL,
                      self->opcode ? "protocol error: a message begins inside another one"
                                   : "protocol error: no message that could go on");
    }
    if (head->payload_len > self->message_max || have > self->message_max - (size_t)head->payload_len) {
        return refuse(event, WS_CODE_TOO_BIG, "payload too large");
    }
    return 0;
}

/* Messages in several frames are rare, and what stands in them is not known yet. */
static void message_drop(struct ws_reader *self)
{
    text_buf_deinit(&self->message);
    self->message = (struct text_buf){ .is_secret = true };
}

void ws_reader_release(struct ws_reader *self)
{
    if (!self->opcode) {
        message_drop(self);
    }
}

int ws_reader_next(struct ws_reader *self, uint8_t *data, size_t len, size_t *ret_used, size_t *ret_need,
                   struct ws_event *ret_event)
{
    *ret_used = 0;
    ws_reader_release(self);
    for (;;) {
        uint8_t *frame = data + *ret_used;
        size_t left = len - *ret_used;
        struct head head;
        int r = head_read(frame, left, &head, ret_event);

        if (r == WS_E_MORE) {
            *ret_need = CLIENT_HEAD_MAX;
            return WS_E_MORE;
        }
        if (r == WS_E_EVENT && !(head.opcode & 0x8U) && data_check(self, &head, ret_event)) {
            r = WS_E_REFUSED;
        }
        if (r == WS_E_REFUSED) {
            return r;
        }
        if (left - head.len < head.payload_len) {
            *ret_need = head.len + (size_t)head.payload_len;
            return WS_E_MORE;
        }
        ws_unmask(frame + head.len, (size_t)head.payload_len, head.mask, 0);
        *ret_used += head.len + (size_t)head.payload_len;
        if (head.opcode & 0x8U) {
            return control_take(&head, frame + head.len, ret_event);
        }
        r = data_take(self, &head, (struct span){ (const char *)frame + head.len, (size_t)head.payload_len },
                      ret_event);
        if (r != WS_E_MORE) {
            return r;
        }
    }
}

void ws_reader_deinit(struct ws_reader *self)
{
    message_drop(self);
    self->opcode = 0;
}
