/*
 * `openclaw bus graph`: which actor talks to which, as a drawing.
 */
#include <string.h>

#include "bus/base/cleanup.h"
#include "edge/cli/bus_graph.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/control_client.h"

static int graph_write(const struct cli *cli, struct span answer, struct text_buf *out)
{
    CLEANUP(bus_graph_deinit) struct bus_graph graph = { 0 };
    const char *format = cli_text(cli, "format");
    int r = bus_graph_new(answer, cli_flag(cli, "all"), &graph);

    if (r) {
        return r;
    }
    return strcmp(format, "svg") == 0       ? bus_graph_svg(&graph, out)
           : strcmp(format, "mermaid") == 0 ? bus_graph_mermaid(&graph, out)
                                            : bus_graph_dot(&graph, out);
}

int cmd_bus_graph(struct cli *cli)
{
    CLEANUP(pack_deinit) struct pack answer;
    CLEANUP(text_buf_deinit) struct text_buf out = { 0 };
    int r;

    pack_init(&answer, 0);
    r = control_client_op(&cli->paths, "links", &answer);
    if (r) {
        return r;
    }
    r = cli_flag(cli, "json") ? json_from_value_pretty(pack_span(&answer), &out)
                              : graph_write(cli, pack_span(&answer), &out);
    if (r) {
        cli_err("out of memory");
        return CLI_EXIT_SOFTWARE;
    }
    cli_out_span((struct span){ out.data, out.len });
    cli_out(cli_flag(cli, "json") ? "\n" : "");
    return CLI_EXIT_OK;
}
