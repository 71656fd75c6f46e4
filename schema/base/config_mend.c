#include "schema/base/config_mend.h"

#include <string.h>

#include "bus/base/cleanup.h"
#include "schema/base/config_issues.h"
#include "schema/base/gateway_check.h"

static void issues_find(const struct config_document *document, const struct gateway_overrides *overrides,
                        struct config_issues *issues)
{
    CLEANUP(gateway_config_deinit) struct gateway_config ignored = { 0 };
    struct config_error error = { "" };

    (void)gateway_check(document, overrides, config_lookup_process(), &ignored, &error, issues); /* they tell it all */
}

static bool is_less(const struct config_document *before, const struct config_document *after,
                    const struct gateway_overrides *overrides, bool is_step)
{
    CLEANUP(config_issues_destroy) struct config_issues *old = config_issues_new();
    CLEANUP(config_issues_destroy) struct config_issues *fresh = config_issues_new();

    issues_find(before, overrides, old);
    issues_find(after, overrides, fresh);
    return is_step ? config_issues_adds_none(old, fresh) : config_issues_is_mend(old, fresh);
}

/* Without the place, which moves with what stands before it. */
static const char *reason_of(const struct config_error *error)
{
    const char *colon = strstr(error->text, ": ");

    return colon ? colon : error->text;
}

bool config_mend_is(const struct config_mend_side *before, const struct config_mend_side *after,
                    const struct gateway_overrides *overrides, bool is_step)
{
    CLEANUP(config_document_deinit) struct config_document old;
    CLEANUP(config_document_deinit) struct config_document fresh;
    struct config_error ignored = { "" };

    config_document_init(&old);
    config_document_init(&fresh);
    if (before->is_loaded && after->is_loaded) {
        return is_less(before->document, after->document, overrides, is_step);
    }
    return !before->is_loaded && !after->is_loaded && !strcmp(reason_of(before->error), reason_of(after->error)) &&
           !config_document_build_alone(&old, config_document_text(before->document), &ignored) &&
           !config_document_build_alone(&fresh, config_document_text(after->document), &ignored) &&
           is_less(&old, &fresh, overrides, is_step);
}
