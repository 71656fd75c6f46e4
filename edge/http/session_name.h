/*
 * session_name: which session keys a request may name. Pure.
 */
#ifndef EDGE_HTTP_SESSION_NAME_H
#define EDGE_HTTP_SESSION_NAME_H

#include <stdbool.h>

#include "bus/base/span.h"

/* Sessions of the gateway's own doing (sub-agents, scheduled jobs, editors) are not to be talked to from outside. */
bool session_name_is_reserved(struct span key);

#endif
