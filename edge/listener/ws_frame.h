/*
 * ws_frame: RFC 6455 frames as bytes, and the reader that turns a byte stream of one
 * client into messages. Pure: no socket, no clock.
 */
#ifndef EDGE_LISTENER_WS_FRAME_H
#define EDGE_LISTENER_WS_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"

enum ws_opcode {
    WS_CONTINUATION = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xA,
};

/* Close codes that we send (RFC 6455 §7.4.1; 4000 and above are the protocol's own). */
enum {
    WS_CODE_NORMAL = 1000,
    WS_CODE_PROTOCOL = 1002,
    WS_CODE_NO_STATUS = 1005, /* never on the wire */
    WS_CODE_TEXT = 1007,      /* text that is not UTF-8 */
    WS_CODE_POLICY = 1008,
    WS_CODE_TOO_BIG = 1009,
    WS_CODE_RESTART = 1012,
    WS_CODE_LATER = 1013,
    WS_CODE_AUTH_CHANGED = 4001,
};

#define WS_HEAD_MAX 10U /* of a frame of ours: no mask */
#define WS_CONTROL_MAX 125U
#define WS_REASON_MAX 120U /* bytes of a close reason, as the protocol cuts it */

/* Bytes of the head of an unmasked frame of `len` bytes: 2, 4 or 10. */
size_t ws_head_len(size_t len);
/* Writes that head. */
void ws_head_write(uint8_t *at, enum ws_opcode opcode, size_t len);

/* A close frame's payload: code and `reason`, cut to WS_REASON_MAX without breaking a
 * character. Returns its length. `code` WS_CODE_NO_STATUS makes an empty payload. */
size_t ws_close_payload(uint8_t payload[WS_CONTROL_MAX], unsigned code, struct span reason);

/* In place; `at` is how many bytes of the frame were unmasked before. */
void ws_unmask(uint8_t *data, size_t len, const uint8_t mask[4], size_t at);

bool ws_is_utf8(struct span text);

/* --- reading ------------------------------------------------------------------------ */

struct ws_reader {
    struct text_buf message; /* pieces of a fragmented message */
    uint8_t opcode;          /* of that message; 0: none is open */
    size_t message_max;      /* bytes of one message; may be raised at any time */
};

struct ws_event {
    enum ws_opcode opcode; /* TEXT, BINARY, CLOSE, PING, PONG */
    struct span data;      /* unmasked payload, valid until the next call */
    unsigned code;         /* CLOSE: the peer's code, WS_CODE_NO_STATUS without one; refused: ours */
    const char *why;       /* refused: what was wrong, for the close frame and for people */
};

enum {
    WS_E_MORE = 1,   /* the next frame is not complete; *ret_used bytes are done with */
    WS_E_EVENT = 2,  /* one message or control frame; call again with the rest */
    WS_E_REFUSED = 3 /* close with event->code and ->why */
};

/*
 * Takes the first frame off `data`, which is unmasked in place. `*ret_used` counts the
 * bytes done with, `*ret_need` (on MORE) how many bytes the frame needs in all, as far as
 * is known. An outcome, never 0; -ENOMEM as a fault.
 */
int ws_reader_next(struct ws_reader *self, uint8_t *data, size_t len, size_t *ret_used, size_t *ret_need,
                   struct ws_event *ret_event);
/* The message that the last event handed out is done with, unless another one is being put together. */
void ws_reader_release(struct ws_reader *self);
void ws_reader_deinit(struct ws_reader *self);

#endif
