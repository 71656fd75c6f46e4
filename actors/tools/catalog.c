#include "actors/tools/catalog.h"

#include <string.h>

#include "actors/tools/tools_state.h"
#include "bus/base/cleanup.h"

const struct tool catalog[] = {
    { .name = "sessions_list",
      .label = "Sessions",
      .section = "sessions",
      .summary = "Lists the sessions that this one may see.",
      .help =
          "Lists the sessions that this session may see, newest first, with their status. Filters: kinds (main, "
          "group, cron, hook, node, other), label, agentId, search, activeMinutes, limit. messageLimit (20 at most) "
          "adds the newest messages of each, includeDerivedTitles and includeLastMessage what they say.",
      .profiles = CATALOG_CODING | CATALOG_MESSAGING,
      .run = run_sessions_list },
    { .name = "sessions_history",
      .label = "Session History",
      .section = "sessions",
      .summary = "Reads the messages of a session.",
      .help = "Reads the newest messages of the session sessionKey, shortened to what is worth reading; limit says how "
              "many, includeTools adds calls of tools and their results.",
      .profiles = CATALOG_CODING | CATALOG_MESSAGING,
      .run = run_sessions_history },
    { .name = "sessions_send",
      .label = "Session Send",
      .section = "sessions",
      .summary = "Sends a message to another session.",
      .help = "Sends message to the session sessionKey, or to the one whose label is label, and waits up to "
              "timeoutSeconds (30; 0 does not wait) for what its agent answers.",
      .profiles = CATALOG_CODING | CATALOG_MESSAGING,
      .run = run_sessions_send },
    { .name = "session_status",
      .label = "Session Status",
      .section = "sessions",
      .summary = "Shows model, tokens and state of a session.",
      .help =
          "Shows which model a session has, what it has cost in tokens and what it is doing; of this session, or of "
          "the one that sessionKey names.",
      .profiles = CATALOG_MINIMAL | CATALOG_CODING | CATALOG_MESSAGING,
      .run = run_session_status },
    { .name = "gateway",
      .label = "Gateway",
      .section = "automation",
      .summary = "Reads the configuration of the gateway.",
      .help = "Reads the configuration of the gateway: action config.get is the whole of it, without secrets; action "
              "config.schema.lookup says what may stand at path.",
      .is_owners = true,
      .has_action = true,
      .run = run_gateway },
    { .name = "nodes",
      .label = "Nodes",
      .section = "nodes",
      .summary = "Finds, pairs and uses nodes.",
      .help = "Finds, pairs and uses nodes. action: status, describe, pending, approve, reject, notify, camera_list, "
              "location_get, notifications_list, notifications_action, device_status, device_info, "
              "device_permissions, device_health, or invoke with invokeCommand and invokeParamsJson.",
      .is_owners = true,
      .has_action = true,
      .run = run_nodes },
    { .name = "agents_list",
      .label = "Agents",
      .section = "agents",
      .summary = "Lists the agents that this one may have work for it.",
      .help = "Lists the agents that this one may have work for it, itself first.",
      .run = run_agents_list },
};
const size_t catalog_n = ARRAY_LEN(catalog);

const struct catalog_section catalog_sections[] = {
    { "sessions", "Sessions" },
    { "automation", "Automation" },
    { "nodes", "Nodes" },
    { "agents", "Agents" },
};
const size_t catalog_sections_n = ARRAY_LEN(catalog_sections);

const struct tool *catalog_find(struct span name)
{
    for (size_t i = 0; i < catalog_n; i++) {
        if (span_is_text(name, catalog[i].name)) {
            return &catalog[i];
        }
    }
    return NULL;
}

struct span catalog_name(struct span written, char buf[CATALOG_NAME_MAX])
{
    struct span text = span_trim(written);
    size_t len = text.len < CATALOG_NAME_MAX ? text.len : CATALOG_NAME_MAX - 1;

    for (size_t i = 0; i < len; i++) {
        buf[i] = (char)(text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' ? text.ptr[i] + 32 : text.ptr[i]);
    }
    buf[len] = '\0';
    return strcmp(buf, "bash") == 0 ? SPAN_LIT("exec") : span_from(buf);
}

bool catalog_group_has(struct span group, struct span name)
{
    const struct tool *tool = catalog_find(name);
    const size_t head = sizeof("group:") - 1;

    if (!tool || !span_starts(group, "group:")) {
        return false;
    }
    group.ptr += head;
    group.len -= head;
    return span_is_text(group, "openclaw") || span_is_text(group, tool->section);
}
