/*
 * The commands below `openclaw nodes camera`, `screen`, `canvas` and `location`, and what `nodes notify` and `nodes
 * push` take.
 */
#include "edge/cli/cli_commands.h"

#include <stdint.h>

#define INVOKE_TIMEOUT(ms)                                                                                             \
    {                                                                                                                  \
        .name = "invoke-timeout", .kind = CLI_OPT_NUMBER, .value = "ms", .preset = (ms), .min = 1, .max = 3600000,     \
        .summary = "How long the node may take."                                                                       \
    }
#define NO_AUDIO                                                                                                       \
    {                                                                                                                  \
        .name = "no-audio", .kind = CLI_OPT_FLAG, .summary = "Without sound."                                          \
    }
#define DEVICE_ID                                                                                                      \
    {                                                                                                                  \
        .name = "device-id", .kind = CLI_OPT_TEXT, .value = "id", .summary = "Which camera, by its id."                \
    }
#define MAX_WIDTH                                                                                                      \
    {                                                                                                                  \
        .name = "max-width", .kind = CLI_OPT_NUMBER, .value = "px", .min = 1, .max = 100000,                           \
        .summary = "At most so many pixels wide."                                                                      \
    }
#define QUALITY                                                                                                        \
    {                                                                                                                  \
        .name = "quality", .kind = CLI_OPT_TEXT, .value = "0-1", .summary = "Quality of a JPEG."                       \
    }

static const char *const facings[] = { "front", "back", NULL };
static const char *const facings_both[] = { "front", "back", "both", NULL };
static const char *const formats[] = { "png", "jpg", "jpeg", NULL };
static const char *const accuracies[] = { "coarse", "balanced", "precise", NULL };
static const char *const priorities[] = { "passive", "active", "timeSensitive", NULL };
static const char *const deliveries[] = { "system", "overlay", "auto", NULL };
static const char *const environments[] = { "sandbox", "production", NULL };

static const struct cli_opt node_options[] = {
    { .name = "node",
      .kind = CLI_OPT_TEXT,
      .required = true,
      .value = "node",
      .summary = "The node: its id, name or address, or the beginning of its id." },
    { 0 },
};

static const struct cli_opt plain_options[] = { INVOKE_TIMEOUT("15000"), { 0 } };

static const struct cli_opt snap_options[] = {
    { .name = "facing",
      .kind = CLI_OPT_CHOICE,
      .value = "side",
      .choices = facings_both,
      .preset = "both",
      .summary = "Which side: front, back or both." },
    DEVICE_ID,
    MAX_WIDTH,
    QUALITY,
    { .name = "delay-ms",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .max = 600000,
      .summary = "Wait so long before the picture is taken." },
    INVOKE_TIMEOUT("20000"),
    { 0 },
};

static const struct cli_opt clip_options[] = {
    { .name = "facing",
      .kind = CLI_OPT_CHOICE,
      .value = "side",
      .choices = facings,
      .preset = "front",
      .summary = "Which side: front or back." },
    DEVICE_ID,
    { .name = "duration",
      .kind = CLI_OPT_TEXT,
      .value = "time",
      .preset = "3000",
      .summary = "How long: milliseconds, 10s or 1m." },
    NO_AUDIO,
    INVOKE_TIMEOUT("90000"),
    { 0 },
};

static const struct cli_opt record_options[] = {
    { .name = "screen", .kind = CLI_OPT_NUMBER, .value = "n", .preset = "0", .max = 64, .summary = "Which screen." },
    { .name = "duration",
      .kind = CLI_OPT_TEXT,
      .value = "time",
      .preset = "10000",
      .summary = "How long: milliseconds, 10s or 1m." },
    { .name = "fps", .kind = CLI_OPT_TEXT, .value = "n", .preset = "10", .summary = "Pictures a second." },
    NO_AUDIO,
    { .name = "out", .kind = CLI_OPT_TEXT, .value = "path", .summary = "Where to keep it. Else in a temporary file." },
    INVOKE_TIMEOUT("120000"),
    { 0 },
};

static const struct cli_opt snapshot_options[] = {
    { .name = "format",
      .kind = CLI_OPT_CHOICE,
      .value = "format",
      .choices = formats,
      .preset = "jpg",
      .summary = "png, jpg or jpeg." },
    MAX_WIDTH,
    QUALITY,
    INVOKE_TIMEOUT("20000"),
    { 0 },
};

static const struct cli_opt present_options[] = {
    { .name = "target", .kind = CLI_OPT_TEXT, .value = "url", .summary = "What to show: an address or a path." },
    { .name = "x", .kind = CLI_OPT_TEXT, .value = "px", .summary = "Where: from the left." },
    { .name = "y", .kind = CLI_OPT_TEXT, .value = "px", .summary = "Where: from the top." },
    { .name = "width", .kind = CLI_OPT_TEXT, .value = "px", .summary = "How wide." },
    { .name = "height", .kind = CLI_OPT_TEXT, .value = "px", .summary = "How high." },
    INVOKE_TIMEOUT("15000"),
    { 0 },
};

static const struct cli_opt eval_options[] = {
    { .name = "js", .kind = CLI_OPT_TEXT, .value = "code", .summary = "The JavaScript." },
    INVOKE_TIMEOUT("15000"),
    { 0 },
};

static const struct cli_opt push_options[] = {
    { .name = "jsonl", .kind = CLI_OPT_TEXT, .value = "path", .summary = "A file of A2UI v0.8 messages, one a line." },
    { .name = "text", .kind = CLI_OPT_TEXT, .value = "text", .summary = "Just a text." },
    INVOKE_TIMEOUT("15000"),
    { 0 },
};

static const struct cli_opt location_options[] = {
    { .name = "max-age",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .max = 86400000,
      .summary = "A place that was found so long ago will do." },
    { .name = "accuracy",
      .kind = CLI_OPT_CHOICE,
      .value = "how",
      .choices = accuracies,
      .summary = "How exactly: coarse, balanced or precise." },
    { .name = "location-timeout",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .preset = "10000",
      .min = 1,
      .max = 600000,
      .summary = "How long the node may look for it." },
    INVOKE_TIMEOUT("20000"),
    { 0 },
};

static const struct cli_opt notify_options[] = {
    { .name = "title", .kind = CLI_OPT_TEXT, .value = "text", .summary = "Its title." },
    { .name = "body", .kind = CLI_OPT_TEXT, .value = "text", .summary = "Its text." },
    { .name = "sound", .kind = CLI_OPT_TEXT, .value = "name", .summary = "With a sound." },
    { .name = "priority",
      .kind = CLI_OPT_CHOICE,
      .value = "how",
      .choices = priorities,
      .summary = "passive, active or timeSensitive." },
    { .name = "delivery",
      .kind = CLI_OPT_CHOICE,
      .value = "how",
      .choices = deliveries,
      .preset = "system",
      .summary = "system, overlay or auto." },
    { .name = "idempotency-key",
      .kind = CLI_OPT_TEXT,
      .value = "key",
      .summary = "With the same key it is shown once, however often it is asked for." },
    INVOKE_TIMEOUT("15000"),
    { 0 },
};

static const struct cli_opt apns_options[] = {
    { .name = "title", .kind = CLI_OPT_TEXT, .value = "text", .preset = "OpenClaw", .summary = "Its title." },
    { .name = "body", .kind = CLI_OPT_TEXT, .value = "text", .summary = "Its text." },
    { .name = "environment",
      .kind = CLI_OPT_CHOICE,
      .value = "which",
      .choices = environments,
      .summary = "Of Apple's service: sandbox or production." },
    { 0 },
};

#define TABLES(name)                                                                                                   \
    static const struct cli_opt *const name##_tables[] = {                                                             \
        node_options, name##_options, cli_commands_target, cli_commands_timeout, cli_commands_json, NULL               \
    }
TABLES(plain);
TABLES(snap);
TABLES(clip);
TABLES(record);
TABLES(snapshot);
TABLES(present);
TABLES(eval);
TABLES(push);
TABLES(location);
const struct cli_opt *const cli_commands_notify_tables[] = { node_options,        notify_options,
                                                             cli_commands_target, cli_commands_timeout,
                                                             cli_commands_json,   NULL };
const struct cli_opt *const cli_commands_push_tables[] = { node_options,         apns_options,      cli_commands_target,
                                                           cli_commands_timeout, cli_commands_json, NULL };

const struct cli_command cli_commands_camera[] = {
    { .name = "list", .summary = "Show the cameras of a node.", .options = plain_tables, .run = cmd_nodes_camera_list },
    { .name = "snap",
      .summary = "Take a picture, and print where it is kept as MEDIA:<path>.",
      .options = snap_tables,
      .run = cmd_nodes_camera_snap },
    { .name = "clip",
      .summary = "Take a short film, and print where it is kept as MEDIA:<path>.",
      .options = clip_tables,
      .run = cmd_nodes_camera_clip },
    { 0 },
};

const struct cli_command cli_commands_screen[] = {
    { .name = "record",
      .summary = "Record a screen, and print where it is kept as MEDIA:<path>.",
      .options = record_tables,
      .run = cmd_nodes_screen_record },
    { 0 },
};

static const struct cli_command a2ui_commands[] = {
    { .name = "push", .summary = "Show A2UI messages.", .options = push_tables, .run = cmd_nodes_canvas_push },
    { .name = "reset", .summary = "Take away what they show.", .options = plain_tables, .run = cmd_nodes_canvas_reset },
    { 0 },
};

const struct cli_command cli_commands_canvas[] = {
    { .name = "snapshot",
      .summary = "Take a picture of it, and print where it is kept as MEDIA:<path>.",
      .options = snapshot_tables,
      .run = cmd_nodes_canvas_snapshot },
    { .name = "present", .summary = "Show it.", .options = present_tables, .run = cmd_nodes_canvas_present },
    { .name = "hide", .summary = "Hide it.", .options = plain_tables, .run = cmd_nodes_canvas_hide },
    { .name = "navigate",
      .summary = "Go to an address.",
      .args = "<url>",
      .args_min = 1,
      .args_max = 1,
      .options = plain_tables,
      .run = cmd_nodes_canvas_navigate },
    { .name = "eval",
      .summary = "Evaluate JavaScript in it.",
      .args = "[js]",
      .args_max = 1,
      .options = eval_tables,
      .run = cmd_nodes_canvas_eval },
    { .name = "a2ui", .summary = "Show content in A2UI.", .commands = a2ui_commands },
    { 0 },
};

const struct cli_command cli_commands_location[] = {
    { .name = "get", .summary = "Where a node is.", .options = location_tables, .run = cmd_nodes_location_get },
    { 0 },
};
