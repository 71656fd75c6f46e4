/* A plan of `openclaw secrets apply`: refused with a reason, or every target of it is a place of the table. */
#include <string.h>

#include "edge/cli/secrets_plan.h"
#include "schema/base/secret_target.h"
#include "tests/fuzz/fuzz.h"

static void target_hold(const struct secrets_target *target)
{
    char path[SECRETS_PLACE_LEN];
    struct secrets_place ref_place = secrets_place_of_ref(&target->place);

    FUZZ_HOLD(target->place.row && target->place.row->is_planned);
    FUZZ_HOLD(secret_target_fits(target->place.row, target->place.steps, target->place.n));
    FUZZ_HOLD(!secret_ref_problem(&target->ref));
    FUZZ_HOLD(strlen(secrets_place_text(&target->place, path)) < sizeof(path));
    FUZZ_HOLD(!strstr(path, "__proto__") || !strstr(path, ".__proto__."));
    FUZZ_HOLD(ref_place.n == target->place.n && ref_place.steps[ref_place.n - 1].key.len);
    FUZZ_HOLD((target->agent.len > 0) == !strcmp(target->place.row->file, "auth-profiles.json"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = { (const char *)data, size };
    struct config_error error = { "" };
    struct secrets_plan plan;
    int r = secrets_plan_parse(text, &plan, &error);

    FUZZ_HOLD(r >= 0 && (!r || error.text[0]));
    for (size_t i = 0; !r && i < plan.targets_n; i++) {
        target_hold(&plan.targets[i]);
        for (size_t j = 0; j < i; j++) {
            FUZZ_HOLD(!secrets_place_is(&plan.targets[i].place, &plan.targets[j].place) ||
                      !span_is(plan.targets[i].agent, plan.targets[j].agent));
        }
    }
    if (!r) {
        (void)secrets_plan_has_exec(&plan);
    }
    secrets_plan_deinit(&plan);
    return 0;
}
