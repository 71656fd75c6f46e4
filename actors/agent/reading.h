/*
 * reading: what comes in a form that models do not take: PDF becomes its text, or pictures of
 * its pages when there is too little of that; HEIC becomes JPEG. Done by programs of the
 * system, see convert.
 */
#ifndef ACTORS_AGENT_READING_H
#define ACTORS_AGENT_READING_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/agent/convert.h"
#include "actors/agent/inputs.h"

struct reading_limits {
    uint64_t chars_min;  /* of the text of a PDF; with less, its pages are shown */
    uint64_t chars_max;  /* of it, the rest is cut */
    uint64_t pixels_max; /* of one page */
    uint32_t pages_max;  /* of a PDF, the others are not looked at */
};

struct reading;
/* Once, from the loop; the reading is gone when it is called. `problem`: for people; NULL when it went well. */
typedef void (*reading_on_end)(void *arg, const char *problem);

/* Has the type to be read at all, or is it taken as it is? */
bool reading_is_needed(const char *mime);

/*
 * Reads `got`, whose bytes and type become those of what was made of it; it must outlive the
 * reading. 0 or CONVERT_E_FAILED, then `problem` says why and nothing follows.
 */
int reading_start(struct converts *converts, struct input_got *got, const struct reading_limits *limits,
                  reading_on_end on_end, void *arg, char problem[CONVERT_PROBLEM_MAX], struct reading **ret_reading);
/* on_end is not called. NULL-safe. */
void reading_cancel(struct reading **reading_p);

#endif
