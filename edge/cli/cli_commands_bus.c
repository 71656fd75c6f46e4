/*
 * The commands below `openclaw bus`.
 */
#include "edge/cli/cli_commands.h"

#include <stdint.h>

static const struct cli_opt tap_options[] = {
    { .name = "filter",
      .kind = CLI_OPT_TEXT,
      .value = "expr",
      .summary = "Show only envelopes that the expression holds for; see above." },
    { .name = "count",
      .kind = CLI_OPT_NUMBER,
      .value = "n",
      .min = 1,
      .max = INT64_MAX,
      .summary = "Stop after this many envelopes." },
    { .name = "duration",
      .kind = CLI_OPT_NUMBER,
      .value = "seconds",
      .min = 1,
      .max = 31536000,
      .summary = "Stop after this many seconds." },
    { .name = "bodies", .kind = CLI_OPT_FLAG, .summary = "Show bodies as well; secret fields stay hidden." },
    { 0 },
};

static const struct cli_opt *const tap_tables[] = { tap_options, cli_commands_json, NULL };
static const struct cli_opt *const actors_tables[] = { cli_commands_json, NULL };

static const struct cli_example tap_examples[] = {
    { "openclaw bus tap --filter 'to ~ agent/*'", "What agents are asked." },
    { "openclaw bus tap --filter 'kind == fail || latency > 100' --json", "What fails, and what is slow." },
    { "openclaw bus tap --bodies --count 20", "The next twenty envelopes with their bodies." },
    { 0 },
};

const struct cli_command cli_commands_bus[] = {
    { .name = "tap",
      .summary = "Watch the envelopes on the bus as they pass.",
      .details =
          "An expression compares fields with == and != (all), ~ and !~ (texts: a pattern of * and ?) and < <= > >= "
          "(numbers), joined by && || ! and parentheses. Texts: to, from, address (either), kind, method, topic, name "
          "(either), session, trace, principal, undelivered. Numbers: bytes, latency (or ms).",
      .examples = tap_examples,
      .options = tap_tables,
      .run = cmd_bus_tap },
    { .name = "actors",
      .summary = "List the actors: where they run, how they fare, and how full their mailboxes are.",
      .options = actors_tables,
      .run = cmd_bus_actors },
    { 0 },
};
