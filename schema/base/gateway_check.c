#include "schema/base/gateway_check.h"

#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "schema/base/config_valid.h"

#define NOTHING ((struct span){ 0 })

static bool is_elsewhere(struct span doc, const struct gateway_overrides *overrides)
{
    return span_is_text(value_str(value_path(doc, "gateway.mode"), NOTHING), "remote") &&
           !overrides->is_unconfigured_allowed && !overrides->is_dev;
}

struct start {
    const struct config_document *document;
    const struct gateway_overrides *overrides;
    struct config_lookup lookup;
    struct config_issues *issues;
    struct gateway_config config;
};

/* 0, an outcome of gateway_config, or a fault. */
static int told(const struct start *self, int r, const struct config_error *error)
{
    if (r > 0) {
        config_issues_add_text(self->issues, CONFIG_ISSUE_START, self->document, error->text);
    }
    return r;
}

/*
 * What a start asks for beyond values that can be read. Of values that are wrong it would find what only follows from
 * that; so then it is looked at no further than it goes without them.
 */
static int start_look(struct start *self, struct span doc, bool is_valid)
{
    struct gateway_overrides rest = *self->overrides;
    bool is_for_clients = is_elsewhere(doc, self->overrides);
    struct config_error error = { "" };
    int r = 0;

    if (!is_valid && (config_issues_touch(self->issues, "gateway") || config_issues_touch(self->issues, "hooks"))) {
        config_issues_obscure(self->issues);
        return is_for_clients ? 0 : told(self, gateway_config_mode_check(doc, self->overrides, &error), &error);
    }
    r = told(self, gateway_config_resolve(doc, self->overrides, self->lookup, &self->config, &error), &error);
    if (r || (is_for_clients && !is_valid)) {
        return r;
    }
    r = told(self, gateway_config_mode_check(doc, self->overrides, &error), &error);
    if (r && is_for_clients) {
        return GATEWAY_CHECK_E_ELSEWHERE;
    }
    rest.is_unconfigured_allowed = true; /* that has been told */
    int other = told(self, gateway_config_guard(&self->config, doc, &rest, &error), &error);
    return r ? r : other;
}

int gateway_check(const struct config_document *document, const struct gateway_overrides *overrides,
                  struct config_lookup lookup, struct gateway_config *ret_config, struct config_error *error,
                  struct config_issues *issues)
{
    CLEANUP(config_issues_destroy) struct config_issues *own = issues ? NULL : config_issues_new();
    struct start start = {
        .document = document, .overrides = overrides, .lookup = lookup, .issues = issues ? issues : own
    };
    struct span doc = document->is_present ? pack_span(&document->resolved) : NOTHING;
    bool is_valid = !config_valid(document, error, start.issues);
    int r = start_look(&start, doc, is_valid);

    config_issues_error(start.issues, error);
    r = r >= 0 && !is_valid ? GATEWAY_CHECK_E_REFUSED : r;
    if (r >= 0 && r != GATEWAY_CHECK_E_REFUSED) {
        *ret_config = start.config;
    }
    gateway_config_deinit(&start.config);
    return r;
}

int gateway_check_load(const char *path, const struct gateway_overrides *overrides, struct gateway_config *ret_config,
                       struct config_error *error)
{
    CLEANUP(config_document_deinit) struct config_document document;
    struct config_lookup lookup = config_lookup_process();

    config_document_init(&document);
    int r = config_document_load(&document, path, lookup, error);
    if (r) {
        return r > 0 ? GATEWAY_CHECK_E_REFUSED : r;
    }
    r = gateway_check(&document, overrides, lookup, ret_config, error, NULL);
    if (!r && ret_config->bind == GATEWAY_BIND_TAILNET) {
        r = gateway_config_tailnet(ret_config, error);
    }
    return r;
}
