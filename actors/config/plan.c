#include "actors/config/plan.h"

#include <stdio.h>

#include "bus/value.h"

static bool is_under(struct span path, const char *prefix)
{
    size_t len = strlen(prefix);

    return span_starts(path, prefix) && (path.len == len || path.ptr[len] == '.');
}

const struct config_reload_rule *plan_rule(struct span path)
{
    for (size_t i = 0; i < config_reload_rules_n; i++) {
        if (is_under(path, config_reload_rules[i].prefix)) {
            return &config_reload_rules[i];
        }
    }
    return NULL;
}

/* Of a section that nobody serves nothing has to start again. */
static bool is_served(struct span path)
{
    for (size_t i = 0; i < config_sections_n; i++) {
        if (is_under(path, config_sections[i].name)) {
            return !config_sections[i].later;
        }
    }
    return true;
}

static void why_add(struct reload_plan *plan, bool *flag, struct span path)
{
    size_t len = strlen(plan->why);

    if (!*flag) {
        (void)snprintf(plan->why + len, sizeof(plan->why) - len, "%s%.*s", len ? "," : "", SPAN_FMT(path));
        *flag = true;
    }
}

static void path_add(struct reload_plan *plan, enum reload_mode mode, struct span path)
{
    const struct config_reload_rule *rule = plan_rule(path);
    enum config_reload_kind kind = rule ? rule->kind : CONFIG_RELOAD_RESTART;

    plan->paths_n++;
    plan->none_n += kind == CONFIG_RELOAD_NONE;
    plan->hot_n += kind == CONFIG_RELOAD_HOT;
    plan->restart_n += kind == CONFIG_RELOAD_RESTART;
    if (mode == RELOAD_RESTART) {
        why_add(plan, &plan->is_edge_due, path);
    } else if (kind == CONFIG_RELOAD_RESTART && !(rule && (rule->is_live || rule->is_listener)) && is_served(path)) {
        why_add(plan, mode == RELOAD_HYBRID ? &plan->is_edge_due : &plan->is_edge_held, path);
    }
}

void plan_make(struct span paths, enum reload_mode mode, struct reload_plan *ret_plan)
{
    struct value_iter it = value_iter(paths);
    struct span key;
    struct span path;

    *ret_plan = (struct reload_plan){ 0 };
    while (value_next(&it, &key, &path)) {
        path_add(ret_plan, mode, value_str(path, SPAN_LIT("")));
    }
}

enum reload_mode plan_mode(struct span name)
{
    if (span_is_text(name, "off")) {
        return RELOAD_OFF;
    }
    if (span_is_text(name, "hot")) {
        return RELOAD_HOT;
    }
    return span_is_text(name, "restart") ? RELOAD_RESTART : RELOAD_HYBRID;
}
