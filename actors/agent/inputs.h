/*
 * inputs: pictures and files in the messages of an HTTP client: which of them are to be
 * fetched or read first, and what the messages are once they are there. Pure.
 *
 * The text of a file becomes a message of the system, marked as the words of a stranger,
 * so that it is in no session; where it stood, its name remains.
 */
#ifndef ACTORS_AGENT_INPUTS_H
#define ACTORS_AGENT_INPUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "bus/pack.h"

#define INPUTS_MAX 64U      /* to fetch or read */
#define INPUT_PAGES_MAX 16U /* of a file, as pictures */

/* A PDF or HEIC that came along has its bytes, anything else is at `url`. */
struct input_ref {
    bool is_image;
    struct span url;
    struct span base64;
};
/* Lists what must be fetched or read, in the order in which it stands there; returns how many. */
uint32_t inputs_list(struct span messages, struct input_ref refs[INPUTS_MAX]);

struct input_got {
    char mime[64];
    struct text_buf bytes;
    struct text_buf pages[INPUT_PAGES_MAX]; /* JPEG; of a file whose text says nothing */
    uint32_t pages_n;
};
void input_got_deinit(struct input_got *self);
/* Appends the messages with what was got in its place. 0 or -ENOMEM. */
int inputs_expand(struct span messages, const struct input_got *got, struct pack *out);
/* Does inputs_expand change anything? */
bool inputs_are_there(struct span messages);

#endif
