/*
 * openclaw nodes canvas, location, notify and push: what a node shows, where it is, and what
 * it is told.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_node_call.h"
#include "edge/cli/cli_out.h"

#define JSONL_MAX 16777216U

/* --- canvas ------------------------------------------------------------------------------------------ */

/* Sends what was packed, and says "done" to people. */
static int order(struct cli_node_call *call, const char *command, const char *done)
{
    int r = cli_node_send(call, command);

    if (!r && !cli_flag(call->ask.cli, "json")) {
        cli_out("%s\n", done);
    }
    return r;
}

int cmd_nodes_canvas_present(struct cli *cli)
{
    static const char *const sides[] = { "x", "y", "width", "height" };
    struct cli_node_call call;
    struct pack *params;
    bool is_placed = false;
    int r = cli_node_open(cli, "nodes:canvas", &call);

    if (r) {
        return r;
    }
    params = cli_node_params(&call);
    if (cli_given(cli, "target")) {
        pack_kv_text(params, "url", cli_text(cli, "target"));
    }
    for (size_t i = 0; !r && i < sizeof(sides) / sizeof(sides[0]); i++) {
        if (cli_given(cli, sides[i]) && !is_placed) {
            pack_key(params, "placement");
            pack_map_begin(params);
            is_placed = true;
        }
        r = cli_node_fraction(cli, params, sides[i], sides[i]);
    }
    if (is_placed) {
        pack_map_end(params);
    }
    r = r ? r : order(&call, "canvas.present", "The canvas is shown");
    cli_node_close(&call);
    return r;
}

/* One text, or none at all. */
static int canvas_tell(struct cli *cli, const char *command, const char *key, const char *text, const char *done)
{
    struct cli_node_call call;
    int r = cli_node_open(cli, "nodes:canvas", &call);

    if (r) {
        return r;
    }
    (void)cli_node_params(&call);
    if (key) {
        pack_kv_text(&call.params, key, text);
    }
    r = order(&call, command, done);
    cli_node_close(&call);
    return r;
}

int cmd_nodes_canvas_hide(struct cli *cli)
{
    return canvas_tell(cli, "canvas.hide", NULL, NULL, "The canvas is hidden");
}

int cmd_nodes_canvas_navigate(struct cli *cli)
{
    return canvas_tell(cli, "canvas.navigate", "url", cli_arg(cli, 0), "The canvas goes there");
}

int cmd_nodes_canvas_reset(struct cli *cli)
{
    return canvas_tell(cli, "canvas.a2ui.reset", NULL, NULL, "The canvas is empty");
}

int cmd_nodes_canvas_eval(struct cli *cli)
{
    const char *script = cli_given(cli, "js") ? cli_text(cli, "js") : cli_arg(cli, 0);
    struct cli_node_call call;
    struct span result;
    int r;

    if (!script) {
        cli_err("say what to evaluate: --js <code>");
        return CLI_EXIT_USAGE;
    }
    r = cli_node_open(cli, "nodes:canvas", &call);
    if (r) {
        return r;
    }
    pack_kv_text(cli_node_params(&call), "javaScript", script);
    r = cli_node_send(&call, "canvas.eval");
    result = value_str(value_get(cli_node_payload(&call), "result"), (struct span){ 0 });
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&call.ask);
    } else if (!r) {
        cli_out_safe(result.len ? result : SPAN_LIT("Evaluated"), true);
        cli_out("\n");
    }
    cli_node_close(&call);
    return r;
}

/* --- A2UI --------------------------------------------------------------------------------------------- */

/* What the canvas understands, one of them in each line. */
static const char *const actions[] = { "beginRendering", "surfaceUpdate", "dataModelUpdate", "deleteSurface" };

static int line_check(struct span line, unsigned number)
{
    CLEANUP(pack_deinit) struct pack message;
    struct json_opts opts = { .depth_max = 0 };
    unsigned found = 0;

    pack_init(&message, 0);
    if (json_to_pack(line, &opts, &message, NULL) || value_kind_of(pack_span(&message)) != VALUE_MAP) {
        cli_err("line %u is not a JSON object", number);
        return CLI_EXIT_FAILED;
    }
    if (value_get(pack_span(&message), "createSurface").len) {
        cli_err("line %u is A2UI v0.9 (createSurface); canvases understand v0.8", number);
        return CLI_EXIT_FAILED;
    }
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        found += value_get(pack_span(&message), actions[i]).len > 0;
    }
    if (found != 1) {
        cli_err("line %u must have one of beginRendering, surfaceUpdate, dataModelUpdate, deleteSurface", number);
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

static int lines_check(struct span text)
{
    unsigned number = 0;
    unsigned messages = 0;
    int r = CLI_EXIT_OK;

    while (!r && text.len) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        struct span line = span_trim((struct span){ text.ptr, len });

        number++;
        messages += line.len > 0;
        r = line.len ? line_check(line, number) : CLI_EXIT_OK;
        text.ptr += len + (end != NULL);
        text.len -= len + (end != NULL);
    }
    if (!r && !messages) {
        cli_err("there is no message in it");
        r = CLI_EXIT_FAILED;
    }
    return r;
}

static int file_read(const char *path, struct text_buf *out)
{
    FILE *file = fopen(path, "re");
    char chunk[8192];
    size_t n;

    if (!file) {
        cli_err("cannot read %s: %s", path, strerror(errno));
        return CLI_EXIT_FAILED;
    }
    while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        if (out->len > JSONL_MAX || text_buf_add(out, (struct span){ chunk, n })) {
            break;
        }
    }
    bool is_whole = n == 0 && !ferror(file);
    (void)fclose(file); /* only read */
    if (!is_whole) {
        cli_err("%s cannot be read, or is longer than a canvas takes", path);
    }
    return is_whole ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

/* The two messages that show a text. */
static int text_write(const char *text, struct text_buf *out)
{
    int r = text_buf_add(out, SPAN_LIT("{\"surfaceUpdate\":{\"surfaceId\":\"main\",\"components\":[{\"id\":\"root\","
                                       "\"component\":{\"Column\":{\"children\":{\"explicitList\":[\"text\"]}}}},"
                                       "{\"id\":\"text\",\"component\":{\"Text\":{\"text\":{\"literalString\":"));

    r = r ? r : json_from_text(span_from(text), out);
    r = r ? r
          : text_buf_add(out, SPAN_LIT("},\"usageHint\":\"body\"}}}]}}\n{\"beginRendering\":{\"surfaceId\":\"main\","
                                       "\"root\":\"root\"}}"));
    return r ? CLI_EXIT_SOFTWARE : CLI_EXIT_OK;
}

int cmd_nodes_canvas_push(struct cli *cli)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct cli_node_call call;
    int r;

    if (cli_given(cli, "jsonl") == cli_given(cli, "text")) {
        cli_err("say what to show: --jsonl <path> or --text <text>");
        return CLI_EXIT_USAGE;
    }
    r = cli_given(cli, "text") ? text_write(cli_text(cli, "text"), &text) : file_read(cli_text(cli, "jsonl"), &text);
    r = r ? r : lines_check((struct span){ text.data, text.len });
    r = r ? r : cli_node_open(cli, "nodes:canvas", &call);
    if (r) {
        return r;
    }
    pack_kv_str(cli_node_params(&call), "jsonl", (struct span){ text.data, text.len });
    r = order(&call, "canvas.a2ui.pushJSONL", "The canvas shows it");
    cli_node_close(&call);
    return r;
}

/* --- the rest --------------------------------------------------------------------------------------------- */

static bool is_number(struct span value)
{
    return value_kind_of(value) == VALUE_INT || value_kind_of(value) == VALUE_FLOAT;
}

static int place_print(struct span payload)
{
    struct span accuracy = value_get(payload, "accuracyMeters");

    if (!is_number(value_get(payload, "lat")) || !is_number(value_get(payload, "lon"))) {
        return cli_rpc_print_json(payload.len ? payload : SPAN_LIT("\x80")); /* an empty map */
    }
    cli_out("%.10g,%.10g", value_f64(value_get(payload, "lat"), 0), value_f64(value_get(payload, "lon"), 0));
    if (is_number(accuracy)) {
        cli_out(" \xc2\xb1%.1fm", value_f64(accuracy, 0));
    }
    cli_out("\n");
    return CLI_EXIT_OK;
}

int cmd_nodes_location_get(struct cli *cli)
{
    struct cli_node_call call;
    struct pack *params;
    struct span payload;
    int r = cli_node_open(cli, "nodes:location", &call);

    if (r) {
        return r;
    }
    params = cli_node_params(&call);
    if (cli_given(cli, "max-age")) {
        pack_kv_u64(params, "maxAgeMs", cli_number(cli, "max-age"));
    }
    if (cli_given(cli, "accuracy")) {
        pack_kv_text(params, "desiredAccuracy", cli_text(cli, "accuracy"));
    }
    pack_kv_u64(params, "timeoutMs", cli_number(cli, "location-timeout"));
    r = cli_node_send(&call, "location.get");
    payload = cli_node_payload(&call);
    if (!r && cli_flag(cli, "json")) {
        r = cli_rpc_print_json(payload.len ? payload : SPAN_LIT("\x80"));
    } else if (!r) {
        r = place_print(payload);
    }
    cli_node_close(&call);
    return r;
}

int cmd_nodes_notify(struct cli *cli)
{
    static const char *const optional[] = { "sound", "priority", "delivery" };
    struct cli_node_call call;
    struct pack *params;
    int r;

    if (!cli_given(cli, "title") && !cli_given(cli, "body")) {
        cli_err("say what to show: --title <text>, --body <text>, or both");
        return CLI_EXIT_USAGE;
    }
    r = cli_node_open(cli, "nodes:notify", &call);
    if (r) {
        return r;
    }
    params = cli_node_params(&call);
    pack_kv_text(params, "title", cli_given(cli, "title") ? cli_text(cli, "title") : "");
    pack_kv_text(params, "body", cli_given(cli, "body") ? cli_text(cli, "body") : "");
    for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
        if (cli_text(cli, optional[i])) {
            pack_kv_text(params, optional[i], cli_text(cli, optional[i]));
        }
    }
    r = cli_node_send(&call, "system.notify");
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&call.ask);
    } else if (!r) {
        cli_out("The node shows it\n");
    }
    cli_node_close(&call);
    return r;
}

int cmd_nodes_push(struct cli *cli)
{
    struct cli_node_call call;
    struct pack *params;
    int r = cli_node_open(cli, "nodes:push", &call);

    if (r) {
        return r;
    }
    params = cli_ask_params(&call.ask);
    pack_kv_text(params, "nodeId", call.id);
    pack_kv_text(params, "title", cli_text(cli, "title"));
    if (cli_given(cli, "body")) {
        pack_kv_text(params, "body", cli_text(cli, "body"));
    }
    if (cli_given(cli, "environment")) {
        pack_kv_text(params, "environment", cli_text(cli, "environment"));
    }
    r = cli_ask_send(&call.ask, "push.test");
    r = r ? r : cli_ask_show(&call.ask);
    cli_node_close(&call);
    return r;
}
