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
    { .name = "times",
      .kind = CLI_OPT_FLAG,
      .summary =
          "Show each envelope once more when it has been handled: how long it waited, how long its handler took." },
    { .name = "pcap",
      .kind = CLI_OPT_FLAG,
      .summary = "Write a capture for Wireshark instead; its dissector is in share/openclaw." },
    { .name = "record",
      .kind = CLI_OPT_TEXT,
      .value = "file",
      .summary = "Write what fits to this file instead, which must not be there yet." },
    { .name = "rotate",
      .kind = CLI_OPT_NUMBER,
      .value = "MiB",
      .preset = "64",
      .min = 1,
      .max = 1048576,
      .summary = "A recording of this size becomes FILE.1, and a new FILE is begun." },
    { .name = "keep",
      .kind = CLI_OPT_NUMBER,
      .value = "n",
      .preset = "9",
      .min = 0,
      .max = 9999,
      .summary = "So many older files of a recording are kept." },
    { .name = "read",
      .kind = CLI_OPT_TEXT,
      .value = "file",
      .summary = "Read a recording, older files first, instead of watching a gateway." },
    { 0 },
};

static const struct cli_opt trace_options[] = {
    { .name = "filter",
      .kind = CLI_OPT_TEXT,
      .value = "expr",
      .summary =
          "Without an id: the request whose envelope is the first that the expression holds for; see `bus tap`." },
    { .name = "duration",
      .kind = CLI_OPT_NUMBER,
      .value = "seconds",
      .preset = "60",
      .min = 1,
      .max = 31536000,
      .summary = "Wait no longer than this." },
    { .name = "settle",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .preset = "300",
      .min = 1,
      .max = 3600000,
      .summary = "Every call is answered and nothing was heard for so long: it is over." },
    { .name = "read",
      .kind = CLI_OPT_TEXT,
      .value = "file",
      .summary = "Look into a recording made with --times instead of watching a gateway." },
    { 0 },
};

static const struct cli_opt replay_options[] = {
    { .name = "filter",
      .kind = CLI_OPT_TEXT,
      .value = "expr",
      .summary = "Make the calls that the expression holds for, instead of those of clients; see `bus tap`." },
    { .name = "config",
      .kind = CLI_OPT_TEXT,
      .value = "file",
      .summary = "The config of the gateway; without one every agent has the model builtin/echo." },
    { .name = "topology", .kind = CLI_OPT_TEXT, .value = "file", .summary = "Which process runs which actors." },
    { .name = "timeout",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .preset = "30000",
      .min = 1,
      .max = 3600000,
      .summary = "An answer or event that takes longer is missing." },
    { .name = "strict", .kind = CLI_OPT_FLAG, .summary = "Compare times, generated ids and paths, too." },
    { .name = "keep", .kind = CLI_OPT_FLAG, .summary = "Leave the state directory of the gateway behind." },
    { 0 },
};

static const struct cli_opt *const replay_tables[] = { replay_options, cli_commands_json, NULL };

static const struct cli_opt call_options[] = {
    { .name = "timeout",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .preset = "10000",
      .min = 1,
      .max = 3600000,
      .summary = "Give up after this many milliseconds." },
    { .name = "stream",
      .kind = CLI_OPT_FLAG,
      .summary = "Ask for a stream: what comes ahead of the answer is shown, too." },
    { .name = "raw",
      .kind = CLI_OPT_FLAG,
      .summary = "Do not say who asks; otherwise an operator with every scope does." },
    { 0 },
};

static const struct cli_opt *const call_tables[] = { call_options, cli_commands_json, NULL };

static const struct cli_example call_examples[] = {
    { "openclaw bus call health health", "Ask the actor `health`, past the edge." },
    { "openclaw bus call agent/main chat.history '{\"sessionKey\": \"agent:main:main\"}'", "Ask one agent." },
    { "openclaw bus call router config_read '{\"path\": \"gateway\"}'", "See a refusal: this one is not its." },
    { 0 },
};

static const char *const graph_formats[] = { "dot", "mermaid", "svg", NULL };

static const struct cli_opt graph_options[] = {
    { .name = "format",
      .kind = CLI_OPT_CHOICE,
      .value = "format",
      .preset = "dot",
      .choices = graph_formats,
      .summary = "dot (of Graphviz), mermaid or svg." },
    { .name = "all", .kind = CLI_OPT_FLAG, .summary = "With the bus's own addresses, host/NAME and supervisor." },
    { 0 },
};

static const struct cli_opt *const graph_tables[] = { graph_options, cli_commands_json, NULL };
static const struct cli_opt top_options[] = {
    { .name = "once", .kind = CLI_OPT_FLAG, .summary = "Show one interval, and end." },
    { .name = "interval",
      .kind = CLI_OPT_NUMBER,
      .value = "seconds",
      .preset = "1",
      .min = 1,
      .max = 86400,
      .summary = "What is shown is what happened in so long." },
    { 0 },
};

static const struct cli_opt *const top_tables[] = { top_options, cli_commands_target, cli_commands_timeout,
                                                    cli_commands_json, NULL };
static const struct cli_opt *const trace_tables[] = { trace_options, cli_commands_target, cli_commands_timeout,
                                                      cli_commands_json, NULL };
static const struct cli_opt *const tap_tables[] = { tap_options, cli_commands_target, cli_commands_timeout,
                                                    cli_commands_json, NULL };
static const struct cli_opt *const actors_tables[] = { cli_commands_json, NULL };

static const struct cli_example tap_examples[] = {
    { "openclaw bus tap --filter 'to ~ agent/*'", "What agents are asked." },
    { "openclaw bus tap --filter 'kind == fail || latency > 100' --json", "What fails, and what is slow." },
    { "openclaw bus tap --bodies --count 20", "The next twenty envelopes with their bodies." },
    { "openclaw bus tap --record bus.tap --rotate 16 --keep 4", "Keep the last 80 MiB, to look at later." },
    { "openclaw bus tap --pcap --bodies | wireshark -k -i -", "Watch with Wireshark." },
    { "openclaw bus tap --url wss://gateway.example:18789 --token TOKEN --filter 'kind == fail'",
      "A gateway elsewhere, as its administrator." },
    { "openclaw bus tap --read bus.tap --filter 'kind == fail'", "What failed in it." },
    { 0 },
};

static const struct cli_example trace_examples[] = {
    { "openclaw bus trace --filter 'method == chat.send'", "The next message that somebody sends to an agent." },
    { "openclaw bus trace --filter 'latency > 100'", "The next request of which a part takes so long." },
    { "openclaw bus trace 4bf92f3577b34da6a3ce929d0e0e4736 --read bus.tap", "One of a recording." },
    { 0 },
};

static const struct cli_opt keygen_options[] = {
    { .name = "force",
      .kind = CLI_OPT_FLAG,
      .summary = "Make a new pair in place of the one that is there; nobody knows the new one yet." },
    { 0 },
};

static const struct cli_opt *const keygen_tables[] = { keygen_options, cli_commands_json, NULL };
static const struct cli_opt *const json_tables[] = { cli_commands_json, NULL };

static const struct cli_opt allow_options[] = {
    { .name = "actors",
      .kind = CLI_OPT_TEXT,
      .is_repeated = true,
      .value = "pattern",
      .summary = "What it runs while it is allowed: an address, or the beginning of some and \"*\". May be repeated." },
    { 0 },
};

static const struct cli_opt *const allow_tables[] = { allow_options, cli_commands_json, NULL };

static const struct cli_example allow_examples[] = {
    { "openclaw bus allow agents 'KEY'", "The host \"agents\" of the topology." },
    { "openclaw bus allow laptop 'KEY' --actors 'agent/laptop-*'", "One that comes and goes, with agents of its own." },
    { 0 },
};

static const struct cli_command topology_commands[] = {
    { .name = "check",
      .summary = "Read a topology file as a gateway would, and say what is wrong with it.",
      .args = "<file>",
      .args_min = 1,
      .args_max = 1,
      .options = json_tables,
      .run = cmd_bus_topology_check },
    { 0 },
};

const struct cli_command cli_commands_bus[] = {
    { .name = "tap",
      .summary = "Watch the envelopes on the bus as they pass.",
      .details =
          "An expression compares fields with == and != (all), ~ and !~ (texts: a pattern of * and ?) and < <= > >= "
          "(numbers), joined by && || ! and parentheses. Texts: to, from, address (either), kind, method, topic, name "
          "(either), session, trace, principal, undelivered. Numbers: bytes (or size), latency (or ms), ts.",
      .examples = tap_examples,
      .options = tap_tables,
      .run = cmd_bus_tap },
    { .name = "trace",
      .summary = "Show the way of one request through the actors, and where its time went.",
      .args = "[id]",
      .details = "Each message stands in one line: when it was sent, how long it was on the way, waited in the mailbox "
                 "and was in its handler, and within which other it was sent.",
      .args_max = 1,
      .examples = trace_examples,
      .options = trace_tables,
      .run = cmd_bus_trace },
    { .name = "replay",
      .summary = "Ask a gateway of its own what a recording says that clients asked, and compare the answers.",
      .args = "<file>",
      .details = "The recording needs bodies. The gateway is started for this, with a state directory that goes with "
                 "it. Ends with 1 when an answer differs.",
      .args_min = 1,
      .args_max = 1,
      .options = replay_tables,
      .run = cmd_bus_replay },
    { .name = "top",
      .summary = "Show what the actors are doing: rates, mailboxes, times, memory.",
      .details = "Busiest first. WAIT is the time in the mailbox, HANDLER in the handler, ANSWER from a call to its "
                 "answer; the first number holds for half of all, the second for 99 of 100.",
      .options = top_tables,
      .run = cmd_bus_top },
    { .name = "graph",
      .summary = "Draw which actor talks to which, and how much.",
      .details = "An edge says how many messages went that way since both are up, and which topics are heard there.",
      .options = graph_tables,
      .run = cmd_bus_graph },
    { .name = "call",
      .summary = "Call one method of one actor by hand, and print its answer.",
      .args = "<address> <method> [json]",
      .details = "For debugging: no edge checks or completes what is sent. Each call is logged. Secret fields of the "
                 "answer stay hidden.",
      .args_min = 2,
      .args_max = 3,
      .examples = call_examples,
      .options = call_tables,
      .run = cmd_bus_call },
    { .name = "actors",
      .summary = "List the actors: where they run, how they fare, and how full their mailboxes are.",
      .options = actors_tables,
      .run = cmd_bus_actors },
    { .name = "topology", .summary = "Which process runs which actors.", .commands = topology_commands },
    { .name = "keygen",
      .summary = "Make the key pair by which other machines know this one.",
      .details = "The secret stays in the state directory. With a pair already there, it is shown again.",
      .options = keygen_tables,
      .run = cmd_bus_keygen },
    { .name = "keys",
      .summary = "List the machines that may join this gateway.",
      .options = json_tables,
      .run = cmd_bus_keys },
    { .name = "allow",
      .summary = "Let another machine join, as a host.",
      .args = "<name> <key>",
      .details =
          "NAME is that of a host of the topology whose link is \"tcp\", or, with --actors, one that it does not "
          "name; KEY is what `openclaw bus keygen` prints there. A running gateway needs no restart.",
      .examples = allow_examples,
      .args_min = 2,
      .args_max = 2,
      .options = allow_tables,
      .run = cmd_bus_allow },
    { .name = "deny",
      .summary = "Take that back, actors and all; its link ends at once.",
      .args = "<name>",
      .args_min = 1,
      .args_max = 1,
      .options = json_tables,
      .run = cmd_bus_deny },
    { 0 },
};
