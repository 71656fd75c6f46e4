/*
 * tap_line: one record of the tap as a line for programs or for people. Pure.
 */
#ifndef EDGE_CLI_TAP_LINE_H
#define EDGE_CLI_TAP_LINE_H

#include "bus/json.h"
#include "bus/tap_record.h"

/* Append one line: a JSON object, or a row. 0 or -ENOMEM. */
int tap_line_json(const struct tap_record *self, struct text_buf *out);
int tap_line_text(const struct tap_record *self, struct text_buf *out);

#endif
