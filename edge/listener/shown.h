/*
 * shown: what a request shows of its sender besides its socket: the headers that auth asked
 * for, as they are. What they are worth is for auth alone to judge.
 */
#ifndef EDGE_LISTENER_SHOWN_H
#define EDGE_LISTENER_SHOWN_H

#include "bus/pack.h"
#include "edge/http/request.h"

#define SHOWN_VALUE_MAX 8192U

/* Packs a map of those headers of `request` that the packed list `names` has (lower case). One
 * that comes more than once is joined with a comma and a space. */
void shown_headers(struct span names, const struct request *request, struct pack *pack);
/* The same of all headers but those that hold secrets (`Authorization`, `Cookie` and their like). */
void shown_headers_harmless(const struct request *request, struct pack *pack);

#endif
