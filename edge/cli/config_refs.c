#include "edge/cli/config_refs.h"

#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/cli_out.h"
#include "schema/base/secret_resolve.h"
#include "schema/base/secret_surface.h"

/* Is the reference in use at that place of `doc`? */
static bool is_used(struct span doc, const struct secret_target *target, struct secret_ref *ret_ref)
{
    struct secret_surface surface;

    if (!secret_target_ref(target, doc, ret_ref)) {
        return false;
    }
    secret_surface_judge(doc, target, config_lookup_process(), &surface);
    return surface.is_active;
}

struct search {
    const struct secret_ref *ref;
    struct span doc;
    bool is_there;
};

static void on_before(void *arg, const struct secret_target *target)
{
    struct search *self = arg;
    struct secret_ref ref;

    self->is_there |= is_used(self->doc, target, &ref) && secret_ref_is_same(&ref, self->ref);
}

/* A running gateway finds it likewise: at any place of the kind, as elements of lists move. */
static bool was_used(const struct config_refs *self, const struct secret_target *target, const struct secret_ref *ref)
{
    struct search search = { .ref = ref, .doc = pack_span(&self->before->resolved) };

    secret_target_each_of(search.doc, target->row, on_before, &search);
    return search.is_there && span_is(secret_provider_entry(search.doc, ref->provider),
                                      secret_provider_entry(pack_span(&self->after->resolved), ref->provider));
}

static void on_after(void *arg, const struct secret_target *target)
{
    struct config_refs *self = arg;
    struct secret_ref ref;

    if (self->n < CONFIG_REFS_MAX && is_used(pack_span(&self->after->resolved), target, &ref) &&
        !was_used(self, target, &ref)) {
        self->places[self->n] = mem_text(target->path, strlen(target->path));
        self->refs[self->n++] = ref;
    }
}

void config_refs_find(struct config_refs *self, const struct config_document *before,
                      const struct config_document *after)
{
    self->n = 0;
    self->before = before;
    self->after = after;
    secret_target_each(pack_span(&after->resolved), "openclaw.json", on_after, self);
}

void config_refs_deinit(struct config_refs *self)
{
    for (size_t i = 0; i < self->n; i++) {
        free(self->places[i]);
    }
    self->n = 0;
}

int config_refs_warn(const struct config_refs *self)
{
    CLEANUP(secret_resolve_destroy) struct secret_resolve *resolve = NULL;
    struct secret_resolve_opts opts = { .doc = pack_span(&self->after->resolved),
                                        .lookup = config_lookup_process(),
                                        .refs = self->refs,
                                        .refs_n = self->n,
                                        .is_exec_skipped = true };
    int r = self->n ? secret_resolve_wait(&opts, &resolve) : 0;

    for (size_t i = 0; !r && i < self->n; i++) {
        const struct secret_outcome *outcome = secret_resolve_outcome(resolve, i);

        if (outcome->state == SECRET_FAILED) {
            cli_err("warning: %s cannot be resolved here: %s", self->places[i], outcome->problem.text);
            cli_err_more(
                self->refs[i].source == SECRET_SOURCE_ENV
                    ? "what needs it fails until the gateway has the variable, in its environment or in .env of "
                      "the state directory"
                    : "what needs it fails until the provider has it; `openclaw doctor` looks again");
        }
    }
    secret_resolve_destroy(&resolve); /* before what it borrows */
    return r;
}
