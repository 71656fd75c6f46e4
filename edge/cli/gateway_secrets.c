#include "edge/cli/gateway_secrets.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/value.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_out.h"
#include "schema/base/config_document.h"
#include "schema/base/gateway_auth_guard.h"
#include "schema/base/secret_resolve.h"
#include "schema/base/secret_surface.h"

#define REFS_MAX 2U /* token and password */
#define ATTEMPTS_MAX 3U
#define AGAIN_FIRST_MS 500U

struct ask {
    struct span doc;
    struct secret_ref refs[REFS_MAX];
    char paths[REFS_MAX][SECRET_TARGET_PATH_MAX];
    size_t n;
};

static void on_target(void *arg, const struct secret_target *target)
{
    struct ask *self = arg;
    struct secret_surface surface;

    if (strncmp(target->row->path, "gateway.auth.", 13) != 0 || self->n == REFS_MAX ||
        !secret_target_ref(target, self->doc, &self->refs[self->n])) {
        return;
    }
    secret_surface_judge(self->doc, target, config_lookup_process(), &surface);
    if (surface.is_active) {
        memcpy(self->paths[self->n++], target->path, sizeof(target->path));
    }
}

static const char *problem_of(const struct secret_outcome *outcome)
{
    struct span text = value_str(outcome->value, (struct span){ 0 });

    if (outcome->state != SECRET_FOUND) {
        return outcome->problem.text;
    }
    return text.len ? gateway_secret_problem(text) : "what the provider has there is no text";
}

/* CLI_EXIT_OK, or what to end with; `is_last` says why. */
static int attempt(const struct ask *self, bool is_last)
{
    CLEANUP(secret_resolve_destroy) struct secret_resolve *resolve = NULL;
    struct secret_resolve_opts opts = {
        .doc = self->doc, .lookup = config_lookup_process(), .refs = self->refs, .refs_n = self->n
    };
    int r = secret_resolve_wait(&opts, &resolve);

    if (r) {
        cli_err("cannot resolve the gateway's secrets: %s", fault_text(r));
        return CLI_EXIT_SOFTWARE;
    }
    for (size_t i = 0; i < self->n && !r; i++) {
        const struct secret_outcome *outcome = secret_resolve_outcome(resolve, i);
        const char *problem = problem_of(outcome);

        r = !problem ? CLI_EXIT_OK : outcome->is_transient ? CLI_EXIT_TRY_LATER : CLI_EXIT_CONFIG;
        if (problem && (is_last || r == CLI_EXIT_CONFIG)) {
            cli_err("%s cannot be resolved: %s", self->paths[i], problem);
        }
    }
    return r;
}

int gateway_secrets_check(const char *config_path)
{
    CLEANUP(config_document_deinit) struct config_document document;
    struct config_error error = { "" };
    struct ask self = { .n = 0 };

    config_document_init(&document);
    if (config_document_load(&document, config_path, config_lookup_process(), &error)) {
        cli_err("%s", error.text);
        return CLI_EXIT_CONFIG;
    }
    self.doc = pack_span(&document.resolved);
    secret_target_each(self.doc, "openclaw.json", on_target, &self);
    int r = self.n ? CLI_EXIT_TRY_LATER : CLI_EXIT_OK;
    for (unsigned i = 0; r == CLI_EXIT_TRY_LATER && i < ATTEMPTS_MAX; i++) {
        struct timespec pause = { .tv_nsec = (long)AGAIN_FIRST_MS * 1000000L };
        if (i) {
            (void)nanosleep(&pause, NULL); /* nothing runs yet that this could hold up */
        }
        r = attempt(&self, i + 1 == ATTEMPTS_MAX);
    }
    return r;
}

int gateway_secrets_look(const struct config_document *document, struct config_error *error)
{
    CLEANUP(secret_resolve_destroy) struct secret_resolve *resolve = NULL;
    struct ask self = { .doc = pack_span(&document->resolved) };

    secret_target_each(self.doc, "openclaw.json", on_target, &self);
    struct secret_resolve_opts opts = {
        .doc = self.doc, .lookup = config_lookup_process(), .refs = self.refs, .refs_n = self.n, .is_exec_skipped = true
    };
    int r = self.n ? secret_resolve_wait(&opts, &resolve) : 0;
    for (size_t i = 0; r == 0 && i < self.n; i++) {
        const struct secret_outcome *outcome = secret_resolve_outcome(resolve, i);
        const char *problem = outcome->state == SECRET_SKIPPED ? NULL : problem_of(outcome);

        if (problem) {
            (void)snprintf(error->text, sizeof(error->text), "%s cannot be resolved: %s%s", self.paths[i], problem,
                           self.refs[i].source == SECRET_SOURCE_ENV
                               ? ": set it here and for the gateway, or in .env of the state directory"
                               : "");
            return 1;
        }
    }
    return r;
}
