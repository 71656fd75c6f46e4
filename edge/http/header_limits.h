/*
 * header_limits: how long the headers may be that say something about a request. Pure.
 */
#ifndef EDGE_HTTP_HEADER_LIMITS_H
#define EDGE_HTTP_HEADER_LIMITS_H

#include "edge/http/openai.h"
#include "edge/http/request.h"

#define HEADER_LIMITS_OTHER 8192U /* of a header that is not named here */

/* 0, or OPENAI_E_REFUSED with the header and its limit in `error`: one that is too long is
 * never left out in silence, as it would be another agent, session or answer than asked for.
 * The same for one of ours that is no text. */
int header_limits_check(const struct request *request, struct openai_error *error);

#endif
