/*
 * tap_subject: one envelope as a filter of the tap sees it.
 */
#ifndef BUS_TAP_SUBJECT_H
#define BUS_TAP_SUBJECT_H

#include "bus/envelope.h"
#include "bus/schema_table.h"
#include "bus/tap_filter.h"

#define TAP_TRACE_TEXT 33 /* hex, terminated */

/* "" for none. */
void tap_subject_trace(struct trace_id trace, char out[TAP_TRACE_TEXT]);

/* What describes the body of this envelope, for redaction: an answer bears the name of its method. A row without a
 * type is free-form. NULL: the body must not be shown. */
const struct schema_msg *tap_subject_row(const struct schema_registry *registry, const struct envelope *env);

/* What the header alone tells; session, trace and undelivered are left empty. Spans are borrowed. */
struct tap_filter_subject tap_subject(const struct envelope *env, uint64_t bytes);
/* The answer to this call, of which not much is known yet. */
struct tap_filter_subject tap_subject_answer(const struct envelope *call, struct span trace);

#endif
