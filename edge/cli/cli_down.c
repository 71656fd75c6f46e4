#include "edge/cli/cli_down.h"

#include <stdio.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "edge/cli/cli_service.h"
#include "edge/cli/control_client.h"
#include "edge/cli/gateway_port.h"

#define DOWN_TIMEOUT_MS 1500

/* Another gateway may listen at that port than the one of our state directory. */
static bool is_ours(const struct cli *cli, const struct cli_target *target)
{
    pid_t pids[GATEWAY_PORT_HOLDERS_MAX];
    struct cli_service service;
    size_t n;

    if (target->is_elsewhere || !target->url.is_loopback) {
        return false;
    }
    cli_service_look(&cli->paths, &service);
    n = service.is_running ? gateway_port_holders(target->url.port, pids, GATEWAY_PORT_HOLDERS_MAX) : 0;
    while (n > 0 && pids[n - 1] != service.pid) {
        n--;
    }
    return n > 0;
}

static bool actors_ask(const struct cli *cli, struct pack *out)
{
    CLEANUP(control_client_close) struct control_client client = CONTROL_CLIENT_INIT;
    CLEANUP(pack_deinit) struct pack request;

    pack_init(&request, 0);
    pack_map_begin(&request);
    pack_kv_text(&request, "op", "actors");
    pack_map_end(&request);
    return control_client_open_quiet(cli->paths.control_path, &client) == CLI_EXIT_OK &&
           control_client_ask(&client, pack_span(&request), DOWN_TIMEOUT_MS, out) == CLI_EXIT_OK;
}

static bool is_down(struct span row)
{
    struct span state = value_str(value_get(row, "state"), (struct span){ 0 });

    /* Between two crashes it starts: its restarts tell, and what it said of itself. */
    return span_is_text(state, "backoff") || span_is_text(state, "gave_up") ||
           (span_is_text(state, "starting") && value_i64(value_get(row, "restarts"), 0) > 1);
}

static void row_tell(struct span row, char *text, size_t len)
{
    struct span address = value_str(value_get(row, "address"), SPAN_LIT("?"));
    struct span state = value_str(value_get(row, "state"), SPAN_LIT("?"));
    struct span why = value_str(value_get(row, "status"), (struct span){ "", 0 });
    size_t at = strlen(text);

    why = why.len ? why : value_str(value_get(row, "lastFault"), (struct span){ "", 0 });
    (void)snprintf(text + at, len - at, "%s%.*s is %.*s%s%.*s", at ? "; " : "", SPAN_FMT(address), SPAN_FMT(state),
                   why.len ? ": " : "", SPAN_FMT(why));
}

bool cli_down_find(const struct cli *cli, const struct cli_target *target, struct pack *ret_actors, char *ret_text,
                   size_t len)
{
    CLEANUP(pack_deinit) struct pack answer;
    struct value_iter rows;
    struct span key;
    struct span row;

    ret_text[0] = '\0';
    pack_init(&answer, 0);
    if (!is_ours(cli, target) || !actors_ask(cli, &answer)) {
        return false;
    }
    rows = value_iter(value_get(pack_span(&answer), "actors"));
    while (value_next(&rows, &key, &row)) {
        if (is_down(row)) {
            row_tell(row, ret_text, len);
        }
    }
    if (ret_text[0] && ret_actors) {
        pack_raw(ret_actors, value_get(pack_span(&answer), "actors"));
    }
    return ret_text[0] != '\0';
}
