/*
 * openclaw nodes camera, screen and canvas snapshot: what a node sees, kept in files.
 */
#include <stdio.h>
#include <string.h>

#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_node_call.h"
#include "edge/cli/cli_out.h"

#define CELL 256U

/* --- files ------------------------------------------------------------------------------------------- */

/* Copies what the payload says under `key`, if anything. */
static void part_pack(struct pack *out, struct span payload, const char *key)
{
    if (value_get(payload, key).len) {
        pack_kv_raw(out, key, value_get(payload, key));
    }
}

/* The ending of the file for the format that the node says it is. */
static const char *ending_of(struct span payload, const char *usual)
{
    struct span format = value_str(value_get(payload, "format"), (struct span){ 0 });

    if (span_is_text(format, "png") || span_is_text(format, "mp4") || span_is_text(format, "mov")) {
        return span_is_text(format, "png") ? "png" : span_is_text(format, "mp4") ? "mp4" : "mov";
    }
    return span_is_text(format, "jpg") || span_is_text(format, "jpeg") ? "jpg" : usual;
}

/* {file: {…}}, or the line that agents look for. `out` has its map open within "file". */
static int file_show(const struct cli *cli, struct pack *out, const char *path)
{
    int r = CLI_EXIT_OK;

    pack_map_end(out);
    pack_map_end(out);
    if (cli_flag(cli, "json")) {
        r = cli_rpc_print_json(pack_span(out));
    } else {
        cli_out("MEDIA:%s\n", path);
    }
    pack_deinit(out);
    return r;
}

static void file_begin(struct pack *out, const char *path)
{
    pack_init(out, 0);
    pack_map_begin(out);
    pack_key(out, "file");
    pack_map_begin(out);
    pack_kv_text(out, "path", path);
}

/* --- cameras ------------------------------------------------------------------------------------------- */

static void cameras_print(struct span devices)
{
    struct cli_table table = { .columns_n = 3 };
    struct value_iter iter = value_iter(devices);
    struct span key;
    struct span row;

    cli_table_add(&table, (const char *[]){ "CAMERA", "POSITION", "ID" });
    while (value_next(&iter, &key, &row)) {
        char cells[3][CELL];
        const char *texts[3] = { cells[0], cells[1], cells[2] };

        (void)cli_format_str(value_get(row, "name"), "without a name", cells[0], CELL);
        (void)cli_format_str(value_get(row, "position"), "-", cells[1], CELL);
        (void)cli_format_str(value_get(row, "id"), "-", cells[2], CELL);
        cli_table_add(&table, texts);
    }
    if (table.rows_n > 1) {
        cli_table_print(&table, "");
    } else {
        cli_out("The node has no camera\n");
    }
    cli_table_deinit(&table);
}

int cmd_nodes_camera_list(struct cli *cli)
{
    struct cli_node_call call;
    struct span devices;
    int r = cli_node_open(cli, "nodes:camera", &call);

    if (r) {
        return r;
    }
    (void)cli_node_params(&call);
    r = cli_node_send(&call, "camera.list");
    devices = value_get(cli_node_payload(&call), "devices");
    if (!r && cli_flag(cli, "json")) {
        r = cli_rpc_print_json(value_kind_of(devices) == VALUE_ARRAY ? devices : SPAN_LIT("\x90")); /* an empty list */
    } else if (!r) {
        cameras_print(devices);
    }
    cli_node_close(&call);
    return r;
}

static int snap_params(struct cli_node_call *call, const char *facing)
{
    const struct cli *cli = call->ask.cli;
    struct pack *out = cli_node_params(call);

    pack_kv_text(out, "facing", facing);
    if (cli_given(cli, "max-width")) {
        pack_kv_u64(out, "maxWidth", cli_number(cli, "max-width"));
    }
    pack_kv_text(out, "format", "jpg");
    if (cli_given(cli, "delay-ms")) {
        pack_kv_u64(out, "delayMs", cli_number(cli, "delay-ms"));
    }
    if (cli_given(cli, "device-id")) {
        pack_kv_text(out, "deviceId", cli_text(cli, "device-id"));
    }
    return cli_node_fraction(cli, out, "quality", "quality");
}

/* One picture; appends {facing, path, width, height}. */
static int snap(struct cli_node_call *call, const char *facing, struct pack *files)
{
    char path[PATH_MAX];
    char what[64];
    int r = snap_params(call, facing);

    r = r ? r : cli_node_send(call, "camera.snap");
    (void)snprintf(what, sizeof(what), "camera-snap-%s", facing);
    r = r ? r : cli_node_save(call, NULL, what, ending_of(cli_node_payload(call), "jpg"), path);
    if (r) {
        return r;
    }
    pack_map_begin(files);
    pack_kv_text(files, "facing", facing);
    pack_kv_text(files, "path", path);
    part_pack(files, cli_node_payload(call), "width");
    part_pack(files, cli_node_payload(call), "height");
    pack_map_end(files);
    if (!cli_flag(call->ask.cli, "json")) {
        cli_out("MEDIA:%s\n", path);
    }
    return CLI_EXIT_OK;
}

int cmd_nodes_camera_snap(struct cli *cli)
{
    const char *facing = cli_text(cli, "facing");
    bool is_both = strcmp(facing, "both") == 0;
    struct cli_node_call call;
    struct pack files;
    int r;

    if (is_both && cli_given(cli, "device-id")) {
        cli_err("--device-id names one camera: say --facing front or --facing back with it");
        return CLI_EXIT_USAGE;
    }
    r = cli_node_open(cli, "nodes:camera", &call);
    if (r) {
        return r;
    }
    pack_init(&files, 0);
    pack_map_begin(&files);
    pack_key(&files, "files");
    pack_array_begin(&files);
    r = snap(&call, is_both ? "front" : facing, &files);
    r = r || !is_both ? r : snap(&call, "back", &files);
    pack_array_end(&files);
    pack_map_end(&files);
    if (!r && cli_flag(cli, "json")) {
        r = cli_rpc_print_json(pack_span(&files));
    }
    pack_deinit(&files);
    cli_node_close(&call);
    return r;
}

int cmd_nodes_camera_clip(struct cli *cli)
{
    struct cli_node_call call;
    struct pack *params;
    struct pack out;
    char path[PATH_MAX];
    char what[64];
    int r = cli_node_open(cli, "nodes:camera", &call);

    if (r) {
        return r;
    }
    params = cli_node_params(&call);
    pack_kv_text(params, "facing", cli_text(cli, "facing"));
    r = cli_node_duration(cli, params, "duration", "durationMs");
    pack_kv_bool(params, "includeAudio", !cli_flag(cli, "no-audio"));
    pack_kv_text(params, "format", "mp4");
    if (cli_given(cli, "device-id")) {
        pack_kv_text(params, "deviceId", cli_text(cli, "device-id"));
    }
    r = r ? r : cli_node_send(&call, "camera.clip");
    (void)snprintf(what, sizeof(what), "camera-clip-%s", cli_text(cli, "facing"));
    r = r ? r : cli_node_save(&call, NULL, what, ending_of(cli_node_payload(&call), "mp4"), path);
    if (!r) {
        file_begin(&out, path);
        pack_kv_text(&out, "facing", cli_text(cli, "facing"));
        part_pack(&out, cli_node_payload(&call), "durationMs");
        part_pack(&out, cli_node_payload(&call), "hasAudio");
        r = file_show(cli, &out, path);
    }
    cli_node_close(&call);
    return r;
}

/* --- screens --------------------------------------------------------------------------------------------- */

int cmd_nodes_screen_record(struct cli *cli)
{
    static const char *const told[] = { "durationMs", "fps", "screenIndex", "hasAudio" };
    struct cli_node_call call;
    struct pack *params;
    struct pack out;
    char path[PATH_MAX];
    int r = cli_node_open(cli, "nodes:screen", &call);

    if (r) {
        return r;
    }
    params = cli_node_params(&call);
    r = cli_node_duration(cli, params, "duration", "durationMs");
    pack_kv_u64(params, "screenIndex", cli_number(cli, "screen"));
    r = r ? r : cli_node_fraction(cli, params, "fps", "fps");
    pack_kv_text(params, "format", "mp4");
    pack_kv_bool(params, "includeAudio", !cli_flag(cli, "no-audio"));
    r = r ? r : cli_node_send(&call, "screen.record");
    r = r ? r
          : cli_node_save(&call, cli_text(cli, "out"), "screen-record", ending_of(cli_node_payload(&call), "mp4"),
                          path);
    if (!r) {
        file_begin(&out, path);
        for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
            part_pack(&out, cli_node_payload(&call), told[i]);
        }
        r = file_show(cli, &out, path);
    }
    cli_node_close(&call);
    return r;
}

int cmd_nodes_canvas_snapshot(struct cli *cli)
{
    bool is_png = strcmp(cli_text(cli, "format"), "png") == 0;
    struct cli_node_call call;
    struct pack *params;
    struct pack out;
    char path[PATH_MAX];
    int r = cli_node_open(cli, "nodes:canvas", &call);

    if (r) {
        return r;
    }
    params = cli_node_params(&call);
    pack_kv_text(params, "format", is_png ? "png" : "jpeg");
    if (cli_given(cli, "max-width")) {
        pack_kv_u64(params, "maxWidth", cli_number(cli, "max-width"));
    }
    r = cli_node_fraction(cli, params, "quality", "quality");
    r = r ? r : cli_node_send(&call, "canvas.snapshot");
    r = r ? r
          : cli_node_save(&call, NULL, "canvas-snapshot", ending_of(cli_node_payload(&call), is_png ? "png" : "jpg"),
                          path);
    if (!r) {
        file_begin(&out, path);
        part_pack(&out, cli_node_payload(&call), "format");
        r = file_show(cli, &out, path);
    }
    cli_node_close(&call);
    return r;
}
