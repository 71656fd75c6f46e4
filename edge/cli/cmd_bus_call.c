/*
 * `openclaw bus call`: one call of one actor by hand, past the edge.
 */
#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/control_client.h"
#include "schema_gen.h"

#define WINDOW_BYTES (1024U * 1024U)
#define ANSWER_SLACK_MS 2000 /* the gateway ends the call itself */

static int params_read(const char *text, struct pack *ret_params)
{
    struct json_error error = { 0 };

    if (json_to_pack(span_from(text), &(struct json_opts){ 0 }, ret_params, &error)) {
        cli_err("the body is not JSON: expected %s at line %u, column %u", error.expected, error.line, error.column);
        return CLI_EXIT_USAGE;
    }
    if (value_kind_of(pack_span(ret_params)) != VALUE_MAP) {
        cli_err("the body must be a JSON object, as in '{\"limit\": 5}'");
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_OK;
}

/* Does this message say who asks? */
static bool has_client(const char *method)
{
    const struct schema_msg *msg = schema_find(&schema_registry, span_from(method));

    for (uint16_t i = 0; msg && msg->type && i < msg->type->fields_n; i++) {
        if (span_is_text((struct span){ msg->type->fields[i].name, msg->type->fields[i].name_len }, "_client")) {
            return true;
        }
    }
    return false;
}

/* The owner of this machine's gateway may do everything. */
static void client_pack(struct pack *out)
{
    pack_key(out, "_client");
    pack_map_begin(out);
    pack_kv_text(out, "connId", "bus-call");
    pack_kv_text(out, "role", "operator");
    pack_key(out, "scopes");
    pack_array_begin(out);
    for (size_t i = 0; i < schema_scopes_n; i++) {
        pack_text(out, schema_scopes[i].name);
    }
    pack_array_end(out);
    pack_kv_text(out, "principal", "bus-call");
    pack_kv_bool(out, "isLocal", true);
    pack_kv_text(out, "clientId", "cli");
    pack_map_end(out);
}

static void request_pack(const struct cli *cli, struct span params, struct pack *out)
{
    const char *method = cli_arg(cli, 1);
    struct value_iter it = value_iter(params);
    struct span key;
    struct span item;

    pack_map_begin(out);
    pack_kv_text(out, "op", "call");
    pack_kv_text(out, "address", cli_arg(cli, 0));
    pack_kv_text(out, "method", method);
    pack_kv_u64(out, "timeoutMs", cli_number(cli, "timeout"));
    pack_kv_u64(out, "window", cli_flag(cli, "stream") ? WINDOW_BYTES : 0);
    pack_key(out, "params");
    pack_map_begin(out);
    while (value_next(&it, &key, &item)) {
        pack_key_span(out, key);
        pack_raw(out, item);
    }
    if (!cli_flag(cli, "raw") && has_client(method) && !value_get(params, "_client").len) {
        client_pack(out);
    }
    pack_map_end(out);
    pack_map_end(out);
}

static int value_print(struct span value)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    if (json_from_value_pretty(value, &text)) {
        cli_err("out of memory");
        return CLI_EXIT_SOFTWARE;
    }
    cli_out_span((struct span){ text.data, text.len });
    cli_out("\n");
    return CLI_EXIT_OK;
}

static int answer_print(const struct cli *cli, struct span answer)
{
    struct span failure = value_get(answer, "failure");
    struct value_iter chunks = value_iter(value_get(answer, "chunks"));
    struct span key;
    struct span chunk;
    int r = CLI_EXIT_OK;

    if (failure.len) {
        cli_err("%s says no: %.*s", cli_arg(cli, 0),
                SPAN_FMT(value_str(value_get(failure, "message"), SPAN_LIT("no reason given"))));
    }
    if (cli_flag(cli, "json")) {
        r = value_print(answer);
    } else {
        while (r == CLI_EXIT_OK && value_next(&chunks, &key, &chunk)) {
            r = value_print(chunk);
        }
        r = r || !value_get(answer, "reply").len ? r : value_print(value_get(answer, "reply"));
    }
    return r ? r : failure.len ? CLI_EXIT_FAILED : CLI_EXIT_OK;
}

int cmd_bus_call(struct cli *cli)
{
    CLEANUP(control_client_close) struct control_client client = CONTROL_CLIENT_INIT;
    CLEANUP(pack_deinit) struct pack params;
    CLEANUP(pack_deinit) struct pack request;
    CLEANUP(pack_deinit) struct pack answer;
    int r;

    pack_init(&params, 0);
    pack_init(&request, 0);
    pack_init(&answer, 0);
    r = params_read(cli_arg(cli, 2) ? cli_arg(cli, 2) : "{}", &params);
    if (r) {
        return r;
    }
    request_pack(cli, pack_span(&params), &request);
    r = control_client_open(&cli->paths, &client);
    r = r ? r
          : control_client_ask(&client, pack_span(&request), (int)cli_number(cli, "timeout") + ANSWER_SLACK_MS,
                               &answer);
    return r ? r : answer_print(cli, pack_span(&answer));
}
