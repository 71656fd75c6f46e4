/*
 * secret_resolve: from references to values. One provider is asked once for all its
 * references; several providers at a time, as far as secrets.resolution allows. What one of
 * them does (fails, hangs, floods) is nothing to the others.
 */
#ifndef SCHEMA_BASE_SECRET_RESOLVE_H
#define SCHEMA_BASE_SECRET_RESOLVE_H

#include <uv.h>

#include "bus/base/span.h"
#include "schema/base/config_env.h"
#include "schema/base/secret_answer.h"
#include "schema/base/secret_ref.h"

enum secret_state {
    SECRET_PENDING,
    SECRET_FOUND,
    SECRET_FAILED,
    SECRET_SKIPPED, /* of a program, and programs were not to be run */
};

struct secret_outcome {
    enum secret_state state;
    struct span value;             /* SECRET_FOUND: packed, in locked memory of the resolve */
    bool is_transient;             /* SECRET_FAILED: the provider itself did, and may not the next time */
    struct secret_problem problem; /* SECRET_FAILED: why; names providers and variables, never values or other ids */
};

struct secret_resolve_opts {
    uv_loop_t *loop;
    struct span doc;               /* the whole config, which has secrets.*; must stay as long as the resolve */
    struct config_lookup lookup;   /* for the source env and for what programs inherit */
    const struct secret_ref *refs; /* likewise; equal ones are asked for once */
    size_t refs_n;
    bool is_exec_skipped;
    void (*on_some)(void *arg); /* some outcomes are there, not all; may be NULL */
    void (*on_done)(void *arg); /* all are */
    void *arg;
};

struct secret_resolve;

/*
 * Starts. What needs no waiting is there when it returns, maybe everything: then `*ret_resolve`
 * says so and on_done is not called. 0 or a fault.
 */
int secret_resolve_start(const struct secret_resolve_opts *opts, struct secret_resolve **ret_resolve);
bool secret_resolve_is_done(const struct secret_resolve *self);
const struct secret_outcome *secret_resolve_outcome(const struct secret_resolve *self, size_t ref_index);
/* Stops what still runs and wipes the values. May be called inside on_some and on_done. NULL-safe. */
void secret_resolve_destroy(struct secret_resolve **self_p);

/* The same on a loop of its own, for who has none: returns when all outcomes are there. */
int secret_resolve_wait(const struct secret_resolve_opts *opts, struct secret_resolve **ret_resolve);

#endif
