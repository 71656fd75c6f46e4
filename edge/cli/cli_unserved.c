#include "edge/cli/cli_unserved.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "bus/base/cleanup.h"

#define ONBOARD "`openclaw setup` makes what a first start needs, and `openclaw config set` changes it"
#define NO_PLUGINS "there are no plugins here; `openclaw --help` shows all that there is"
#define NO_BRIDGE "programs talk to the gateway over its WebSocket and HTTP: `openclaw gateway status` shows where"

struct unserved {
    const char *group; /* NULL: none */
    const char *name;
    const char *instead;
};

#define CHANNELS "channels are in the config: `openclaw config set channels...`"
#define NODE_HOST "this machine cannot be a node; `openclaw nodes` manages those that connect to the gateway"
#define NO_TUNNEL "make the tunnel yourself, and name its end with --url"

static const struct unserved unserved[] = {
    { "gateway", "start",
      "`openclaw gateway` runs it in the foreground (Ctrl-C or SIGTERM ends it), a service manager in the background" },
    { "gateway", "install", "write a unit for your service manager whose command is `openclaw gateway`" },
    { "gateway", "uninstall", "remove the unit from your service manager" },
    { "gateway", "discover", "gateways are not announced; name one with --url" },
    { "gateway", "usage-cost", "what models cost is not counted yet" },
    { "gateway", "stability",
      "`openclaw health --verbose`, `openclaw bus actors` and `openclaw logs` show how it fares" },
    { "gateway", "diagnostics",
      "`openclaw doctor`, `openclaw health --json` and `openclaw logs --json` have what it would" },
    { "gateway", "suspend", "`openclaw gateway stop` ends it in order" },
    { "gateway", "resume", "start it with `openclaw gateway`" },
    { "channels", "list", "`openclaw channels status` shows those that are configured" },
    { "channels", "logs", "`openclaw logs` has the lines of every channel" },
    { "channels", "add", CHANNELS },
    { "channels", "remove", "channels are in the config: `openclaw config unset channels...`" },
    { "channels", "login", CHANNELS },
    { "channels", "logout", CHANNELS },
    { "channels", "capabilities", "`openclaw channels status --json` has what is known of each account" },
    { "channels", "resolve", "address people by the ids of their network" },
    { "channels", "dead-letters", "`openclaw channels status --json` counts what could not be sent" },
    { NULL, "sessions", "`openclaw status` shows them, and `openclaw gateway call sessions.list` tells all" },
    { NULL, "models", "`openclaw gateway call models.list` lists them, and `openclaw config set` chooses" },
    { "gateway", "discover", "gateways are not announced; name one with --url" },
    { "gateway", "usage-cost", "what models cost is not counted yet" },
    { "channels", "list", "`openclaw channels status` shows those that are configured" },
    { NULL, "onboard", ONBOARD },
    { NULL, "configure", ONBOARD },
    { NULL, "openclaw", ONBOARD },
    { NULL, "crestodian", ONBOARD },
    { NULL, "tui", "`openclaw agent --message TEXT` talks to an agent" },
    { NULL, "chat", "`openclaw agent --message TEXT` talks to an agent" },
    { NULL, "terminal", "`openclaw agent --message TEXT` talks to an agent" },
    { NULL, "resume", "`openclaw agent --session-key KEY --message TEXT` goes on with a session" },
    { NULL, "dashboard", "open the address that `openclaw gateway status` shows in a browser" },
    { NULL, "message", "`openclaw gateway call chat.send` sends one to a session" },
    { NULL, "update", "replace the program, then `openclaw gateway restart`" },
    { NULL, "pairing", "`openclaw devices list` shows who asks to be let in, `openclaw devices approve` lets them in" },
    { NULL, "connect", "`openclaw setup --help` tells how to write down where the gateway is" },
    { NULL, "plugins", NO_PLUGINS },
    { NULL, "claws", NO_PLUGINS },
    { NULL, "skills", NO_PLUGINS },
    { NULL, "promos", NO_PLUGINS },
    { NULL, "browser", NO_PLUGINS },
    { NULL, "memory", NO_PLUGINS },
    { NULL, "wiki", NO_PLUGINS },
    { NULL, "voicecall", NO_PLUGINS },
    { NULL, "workboard", NO_PLUGINS },
    { NULL, "file-transfer", NO_PLUGINS },
    { NULL, "policy", NO_PLUGINS },
    { NULL, "commitments", NO_PLUGINS },
    { NULL, "backup", "stop the gateway and copy its state directory; `openclaw doctor` says where it is" },
    { NULL, "reset", "remove the state directory yourself; `openclaw doctor` says where it is" },
    { NULL, "uninstall", "remove the program and the state directory yourself; `openclaw doctor` says where it is" },
    { NULL, "migrate", "`openclaw doctor --fix` moves what an older config has; nothing else is taken over" },
    { NULL, "agents", "agents are in the config: `openclaw config get agents`, `openclaw config set agents...`" },
    { NULL, "completion", "`openclaw --help`, and --help behind each command, show what there is" },
    { NULL, "docs", "the folder docs of the sources has them; --help behind each command is the short form" },
    { NULL, "daemon", "`openclaw gateway` has status, stop and restart; a service manager starts it" },
    { NULL, "hooks", "hooks are in the config: `openclaw config get hooks`, `openclaw config set hooks...`" },
    { NULL, "webhooks", "hooks are in the config: `openclaw config get hooks`, `openclaw config set hooks...`" },
    { NULL, "security", "`openclaw doctor` and `openclaw secrets audit` look for what is unsafe" },
    { NULL, "triage", "`openclaw doctor`, `openclaw health` and `openclaw logs` have what it would" },
    { NULL, "audit", "`openclaw logs` and `openclaw bus tap` show what happens" },
    { NULL, "transcripts", "`openclaw gateway call chat.history` tells what was said in a session" },
    { NULL, "tasks", "`openclaw gateway call sessions.list` tells which sessions work" },
    { NULL, "flows", "`openclaw gateway call sessions.list` tells which sessions work" },
    { NULL, "infer", "`openclaw agent --model MODEL --message TEXT` asks a model" },
    { NULL, "capability", "`openclaw agent --model MODEL --message TEXT` asks a model" },
    { NULL, "exec-policy", "`openclaw approvals` shows and changes what may run unasked" },
    { NULL, "sandbox", "`openclaw approvals` bounds what may run; put the gateway into a container for more" },
    { NULL, "proxy", "providers have a proxy of their own in the config: models.providers.*.request.proxy" },
    { NULL, "acp", NO_BRIDGE },
    { NULL, "mcp", NO_BRIDGE },
    { NULL, "attach", NO_BRIDGE },
    { NULL, "clawbot", "`openclaw qr` is what it had" },
    { NULL, "directory", "address people by the ids of their network" },
    { NULL, "dns", "gateways are not announced; name one with --url" },
    { NULL, "fleet", "give each gateway a state of its own with --profile, and start them with a service manager" },
    { NULL, "worker", "what `openclaw gateway` starts are its own processes: `openclaw bus actors` shows them" },
    { NULL, "path", "open the files of the workspace yourself" },
    { NULL, "worktrees", "`git worktree` makes them; an agent's folder is in the config: agents.list[].workspace" },
    { NULL, "users", "`openclaw devices` manages who may connect; a proxy in front can vouch for users" },
    { NULL, "database", "`openclaw doctor` looks at the databases, and says what to do" },
    { NULL, "telemetry", "nothing is sent anywhere" },
    { NULL, "qa", "`openclaw doctor` and `openclaw bus replay` check a gateway" },
    { NULL, "automations", "what runs by the clock here are heartbeats: `openclaw system heartbeat`" },
    { NULL, "cron", "what runs by the clock here are heartbeats: `openclaw system heartbeat`" },
    { NULL, "node", NODE_HOST },
};

/* Options, by the command that would take them. */
static const struct unserved options[] = {
    { "agent", "local", "an agent runs inside a gateway: start one with `openclaw gateway`" },
    { "run", "raw-stream", "`openclaw bus tap --bodies` shows what an agent says as it comes" },
    { "run", "raw-stream-path", "`openclaw bus tap --bodies --json` shows what an agent says as it comes" },
    { "run", "reset", "remove the state directory yourself; `openclaw doctor` says where it is" },
    { "run", "tailscale", "run `tailscale serve` yourself, and set gateway.tailscale.mode" },
    { "run", "tailscale-reset-on-exit", "run `tailscale serve reset` yourself" },
    { "run", "ambient-channels", "channels are in the config" },
    { "run", "dev-ambient-channels", "channels are in the config" },
    { "probe", "ssh", NO_TUNNEL },
    { "probe", "ssh-auto", NO_TUNNEL },
    { "probe", "ssh-identity", NO_TUNNEL },
    { "status", "usage", "what providers count is not asked for yet" },
};

static const char *find(const struct unserved *rows, size_t n, const char *group, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        bool is_group = rows[i].group && group ? strcmp(rows[i].group, group) == 0 : rows[i].group == group;

        if (is_group && strcmp(rows[i].name, name) == 0) {
            return rows[i].instead;
        }
    }
    return NULL;
}

const char *cli_unserved_instead(const char *group, const char *name)
{
    return find(unserved, ARRAY_LEN(unserved), group, name);
}

const char *cli_unserved_option(const char *command, const char *name)
{
    return find(options, ARRAY_LEN(options), command, name);
}
