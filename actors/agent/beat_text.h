/*
 * beat_text: what a heartbeat is told and what its answer means. Pure.
 */
#ifndef ACTORS_AGENT_BEAT_TEXT_H
#define ACTORS_AGENT_BEAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"

#define BEAT_TOKEN "HEARTBEAT_OK"
#define BEAT_TASKS_MAX 64
#define BEAT_TASK_NAME_MAX 128 /* bytes; a task with a longer name is none */

enum beat_word {
    BEAT_EMPTY, /* nothing was said */
    BEAT_OK,    /* the token, and at most a few words beside it */
    BEAT_ALERT, /* something that people shall know */
};

/*
 * Judges an answer. The token counts at its start and its end, also within markup and
 * before up to four characters that belong to no word; in the middle it is a word like
 * any other. What is left of an alert goes to `out`. 0 or -ENOMEM.
 */
int beat_judge(struct span answer, size_t ack_max_chars, struct text_buf *out, enum beat_word *ret_word);

/* Nothing but blank lines, headings, code fences and list items without words. */
bool beat_file_is_empty(struct span content);

/* One entry of the `tasks:` block of HEARTBEAT.md. Borrows. */
struct beat_task {
    struct span name;
    struct span prompt;
    int64_t every_ms;
};
/* Reads them; entries that miss a part, or whose interval is none, are left out. */
size_t beat_tasks_read(struct span content, struct beat_task ret_tasks[BEAT_TASKS_MAX]);
/* Appends everything of the file that is not of the `tasks:` block. 0 or -ENOMEM. */
int beat_rest_add(struct span content, struct text_buf *out);

#endif
