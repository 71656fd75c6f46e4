#include "tests/unit/config/support.h"

#include "actors/config/plan.h"

/* One path per rule of the protocol, and what follows from it. */
static const struct {
    const char *path;
    enum config_reload_kind kind;
    const char *actions;
} rules[] = {
    { "gateway.remote.url", CONFIG_RELOAD_NONE, "" },
    { "gateway.reload.mode", CONFIG_RELOAD_NONE, "" },
    { "gateway.channelHealthCheckMinutes", CONFIG_RELOAD_HOT, "restart-health-monitor" },
    { "gateway.channelStaleEventThresholdMinutes", CONFIG_RELOAD_HOT, "restart-health-monitor" },
    { "gateway.channelMaxRestartsPerHour", CONFIG_RELOAD_HOT, "restart-health-monitor" },
    { "diagnostics.stuckSessionWarnMs", CONFIG_RELOAD_NONE, "" },
    { "hooks.gmail.account", CONFIG_RELOAD_HOT, "restart-gmail-watcher" },
    { "hooks.token", CONFIG_RELOAD_HOT, "reload-hooks" },
    { "agents.defaults.heartbeat.every", CONFIG_RELOAD_HOT, "restart-heartbeat" },
    { "agents.defaults.models.x", CONFIG_RELOAD_HOT, "restart-heartbeat" },
    { "agents.defaults.model", CONFIG_RELOAD_HOT, "restart-heartbeat" },
    { "models.pricing.enabled", CONFIG_RELOAD_RESTART, "" },
    { "models.providers.p.baseUrl", CONFIG_RELOAD_HOT, "restart-heartbeat" },
    { "agents.list", CONFIG_RELOAD_HOT, "restart-heartbeat" },
    { "agent.heartbeat", CONFIG_RELOAD_HOT, "restart-heartbeat" },
    { "cron.enabled", CONFIG_RELOAD_HOT, "restart-cron" },
    { "mcp.servers", CONFIG_RELOAD_HOT, "dispose-mcp-runtimes" },
    { "plugins.load.paths", CONFIG_RELOAD_RESTART, "" },
    { "plugins.installs.x", CONFIG_RELOAD_RESTART, "" },
    { "browser.enabled", CONFIG_RELOAD_RESTART, "" },
    { "channels.imessage.x", CONFIG_RELOAD_HOT, "restart-channel:imessage" },
    { "channels.irc.x", CONFIG_RELOAD_HOT, "restart-channel:irc" },
    { "channels.matrix.x", CONFIG_RELOAD_HOT, "restart-channel:matrix" },
    { "channels.mattermost.x", CONFIG_RELOAD_HOT, "restart-channel:mattermost" },
    { "channels.signal.x", CONFIG_RELOAD_HOT, "restart-channel:signal" },
    { "channels.slack.x", CONFIG_RELOAD_HOT, "restart-channel:slack" },
    { "channels.telegram.x", CONFIG_RELOAD_HOT, "restart-channel:telegram" },
    { "plugins.entries.telegram.x", CONFIG_RELOAD_HOT, "reload-plugins,dispose-mcp-runtimes,restart-channel:telegram" },
    { "meta.lastTouchedAt", CONFIG_RELOAD_NONE, "" },
    { "identity", CONFIG_RELOAD_NONE, "" },
    { "wizard.x", CONFIG_RELOAD_NONE, "" },
    { "logging.level", CONFIG_RELOAD_NONE, "" },
    { "agents.defaults.workspace", CONFIG_RELOAD_NONE, "" },
    { "tools.x", CONFIG_RELOAD_NONE, "" },
    { "bindings", CONFIG_RELOAD_NONE, "" },
    { "audio.x", CONFIG_RELOAD_NONE, "" },
    { "agent.x", CONFIG_RELOAD_NONE, "" },
    { "routing.x", CONFIG_RELOAD_NONE, "" },
    { "messages.x", CONFIG_RELOAD_NONE, "" },
    { "session.scope", CONFIG_RELOAD_NONE, "" },
    { "talk.x", CONFIG_RELOAD_NONE, "" },
    { "skills.x", CONFIG_RELOAD_NONE, "" },
    { "secrets.x", CONFIG_RELOAD_NONE, "" },
    { "plugins.x", CONFIG_RELOAD_HOT, "reload-plugins,dispose-mcp-runtimes" },
    { "ui.seamColor", CONFIG_RELOAD_NONE, "" },
    { "gateway.tailscale", CONFIG_RELOAD_RESTART, "" },
    { "discovery.x", CONFIG_RELOAD_RESTART, "" },
    { "canvasHost.x", CONFIG_RELOAD_RESTART, "" },
};

static void knows_every_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct config_reload_rule *rule = plan_rule(span_from(rules[i].path));

        assert_non_null(rule);
        assert_int_equal(rule->kind, rules[i].kind);
        assert_string_equal(rule->actions, rules[i].actions);
    }
    assert_null(plan_rule(SPAN_LIT("unheard.of")));
    assert_null(plan_rule(SPAN_LIT("gatewayx")));
    assert_null(plan_rule(SPAN_LIT("")));
}

static struct reload_plan plan_of(const char *paths, enum reload_mode mode)
{
    struct reload_plan plan;
    struct pack doc;

    pack_init(&doc, 0);
    json_pack(paths, &doc);
    plan_make(pack_span(&doc), mode, &plan);
    pack_deinit(&doc);
    return plan;
}

static void starts_the_edge_only_for_what_cannot_apply_in_place(void **state)
{
    (void)state;
    struct reload_plan plan = plan_of("['gateway.auth.token','agents.defaults.model','logging.level']", RELOAD_HYBRID);
    assert_false(plan_of("['env.vars.X']", RELOAD_HYBRID).is_edge_due);
    assert_false(plan.is_edge_due || plan.is_edge_held);
    assert_int_equal(plan.none_n, 1);
    assert_int_equal(plan.hot_n, 1);
    assert_int_equal(plan.restart_n, 1);
    plan = plan_of("['gateway.tailscale.mode','gateway.webchat']", RELOAD_HYBRID);
    assert_true(plan.is_edge_due && !plan.is_edge_held);
    assert_string_equal(plan.why, "gateway.tailscale.mode");
    plan = plan_of("['gateway.port']", RELOAD_HYBRID);
    assert_false(plan.is_edge_due || plan.is_edge_held); /* other sockets come first, if they are others */
    plan = plan_of("['browser.enabled','plugins.load','discovery']", RELOAD_HYBRID);
    assert_false(plan.is_edge_due || plan.is_edge_held);
    plan = plan_of("['']", RELOAD_HYBRID);
    assert_true(plan.is_edge_due);
}

static void obeys_the_mode(void **state)
{
    (void)state;
    struct reload_plan plan = plan_of("['gateway.webchat']", RELOAD_HOT);
    assert_true(!plan.is_edge_due && plan.is_edge_held);
    plan = plan_of("['logging.level']", RELOAD_RESTART);
    assert_true(plan.is_edge_due);
    plan = plan_of("['gateway.port']", RELOAD_RESTART);
    assert_true(plan.is_edge_due);
    assert_int_equal(plan_mode(SPAN_LIT("off")), RELOAD_OFF);
    assert_int_equal(plan_mode(SPAN_LIT("hot")), RELOAD_HOT);
    assert_int_equal(plan_mode(SPAN_LIT("restart")), RELOAD_RESTART);
    assert_int_equal(plan_mode(SPAN_LIT("")), RELOAD_HYBRID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_every_rule),
        cmocka_unit_test(starts_the_edge_only_for_what_cannot_apply_in_place),
        cmocka_unit_test(obeys_the_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
