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

int gateway_check(const struct config_document *document, const struct gateway_overrides *overrides,
                  struct config_lookup lookup, struct gateway_config *ret_config, struct config_error *error,
                  struct pack *issues)
{
    CLEANUP(gateway_config_deinit) struct gateway_config self = { 0 };
    struct span doc = document->is_present ? pack_span(&document->resolved) : NOTHING;

    if (config_valid(document, error, issues)) {
        return GATEWAY_CHECK_E_REFUSED;
    }
    int r = gateway_config_resolve(doc, overrides, lookup, &self, error);
    bool is_resolved = r == 0;
    r = r ? r : gateway_config_guard(&self, doc, overrides, error);
    if (r < 0) {
        return r;
    }
    if (r > 0) {
        config_valid_issue_add(issues, error);
        config_document_locate(document, error);
    }
    if (r > 0 && is_resolved && is_elsewhere(doc, overrides)) {
        r = GATEWAY_CHECK_E_ELSEWHERE;
    }
    if (r != GATEWAY_CHECK_E_REFUSED) {
        *ret_config = self;
    }
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
