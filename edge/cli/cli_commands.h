/*
 * cli_commands: the table of every command, and the options that several share.
 */
#ifndef EDGE_CLI_CLI_COMMANDS_H
#define EDGE_CLI_CLI_COMMANDS_H

#include "edge/cli/cli_opts.h"

/* `openclaw` itself; everything hangs below it. */
extern const struct cli_command cli_commands_root;

/* --url --port --token --password: which gateway, and as whom. */
extern const struct cli_opt cli_commands_target[];
/* --timeout in milliseconds, 10000 unless given */
extern const struct cli_opt cli_commands_timeout[];
/* --expect-final, for scripts that give it to everything: there is one answer anyway */
extern const struct cli_opt cli_commands_final[];
/* --json */
extern const struct cli_opt cli_commands_json[];

/* Tables of the groups, one file each. */
extern const struct cli_command cli_commands_gateway[];
extern const struct cli_command cli_commands_bus[];
extern const struct cli_command cli_commands_channels[];
extern const struct cli_command cli_commands_config[];
extern const struct cli_opt *const cli_commands_setup_tables[];
extern const struct cli_opt *const cli_commands_doctor_tables[];
extern const struct cli_command cli_commands_devices[];
extern const struct cli_command cli_commands_nodes[];
extern const struct cli_command cli_commands_camera[];
extern const struct cli_command cli_commands_screen[];
extern const struct cli_command cli_commands_canvas[];
extern const struct cli_command cli_commands_location[];
extern const struct cli_opt *const cli_commands_notify_tables[];
extern const struct cli_opt *const cli_commands_push_tables[];
extern const struct cli_command cli_commands_approvals[];
extern const struct cli_command cli_commands_secrets[];
extern const struct cli_command cli_commands_system[];
extern const struct cli_opt *const cli_commands_qr_tables[];
extern const struct cli_example cli_commands_qr_examples[];

int cmd_gateway_run(struct cli *cli);
int cmd_host(struct cli *cli);
int cmd_host_child(struct cli *cli);
int cmd_gateway_auth_token(struct cli *cli);
int cmd_gateway_call(struct cli *cli);
int cmd_gateway_status(struct cli *cli);
int cmd_gateway_probe(struct cli *cli);
int cmd_gateway_stop(struct cli *cli);
int cmd_gateway_restart(struct cli *cli);
int cmd_gateway_restore(struct cli *cli);
int cmd_health(struct cli *cli);
int cmd_status(struct cli *cli);
int cmd_agent(struct cli *cli);
int cmd_logs(struct cli *cli);
int cmd_channels_status(struct cli *cli);
int cmd_config_get(struct cli *cli);
int cmd_config_set(struct cli *cli);
int cmd_config_unset(struct cli *cli);
int cmd_config_patch(struct cli *cli);
int cmd_config_file(struct cli *cli);
int cmd_config_validate(struct cli *cli);
int cmd_doctor(struct cli *cli);
int cmd_setup(struct cli *cli);
int cmd_config_schema(struct cli *cli);
int cmd_bus_tap(struct cli *cli);
int cmd_bus_actors(struct cli *cli);
int cmd_bus_trace(struct cli *cli);
int cmd_bus_top(struct cli *cli);
int cmd_bus_graph(struct cli *cli);
int cmd_bus_call(struct cli *cli);
int cmd_bus_replay(struct cli *cli);
int cmd_bus_topology_check(struct cli *cli);
int cmd_bus_keygen(struct cli *cli);
int cmd_bus_keys(struct cli *cli);
int cmd_bus_allow(struct cli *cli);
int cmd_bus_deny(struct cli *cli);
int cmd_devices_join_code(struct cli *cli);
int cmd_devices_list(struct cli *cli);
int cmd_devices_approve(struct cli *cli);
int cmd_devices_reject(struct cli *cli);
int cmd_devices_remove(struct cli *cli);
int cmd_devices_clear(struct cli *cli);
int cmd_devices_rename(struct cli *cli);
int cmd_devices_rotate(struct cli *cli);
int cmd_devices_revoke(struct cli *cli);
int cmd_nodes_status(struct cli *cli);
int cmd_nodes_list(struct cli *cli);
int cmd_nodes_describe(struct cli *cli);
int cmd_nodes_pending(struct cli *cli);
int cmd_nodes_approve(struct cli *cli);
int cmd_nodes_reject(struct cli *cli);
int cmd_nodes_remove(struct cli *cli);
int cmd_nodes_rename(struct cli *cli);
int cmd_nodes_invoke(struct cli *cli);
int cmd_nodes_camera_list(struct cli *cli);
int cmd_nodes_camera_snap(struct cli *cli);
int cmd_nodes_camera_clip(struct cli *cli);
int cmd_nodes_screen_record(struct cli *cli);
int cmd_nodes_canvas_snapshot(struct cli *cli);
int cmd_nodes_canvas_present(struct cli *cli);
int cmd_nodes_canvas_hide(struct cli *cli);
int cmd_nodes_canvas_navigate(struct cli *cli);
int cmd_nodes_canvas_eval(struct cli *cli);
int cmd_nodes_canvas_push(struct cli *cli);
int cmd_nodes_canvas_reset(struct cli *cli);
int cmd_nodes_location_get(struct cli *cli);
int cmd_nodes_notify(struct cli *cli);
int cmd_nodes_push(struct cli *cli);
int cmd_approvals_get(struct cli *cli);
int cmd_approvals_set(struct cli *cli);
int cmd_approvals_allow(struct cli *cli);
int cmd_approvals_disallow(struct cli *cli);
int cmd_approvals_pending(struct cli *cli);
int cmd_approvals_resolve(struct cli *cli);
int cmd_approvals_grants_list(struct cli *cli);
int cmd_approvals_grants_revoke(struct cli *cli);
int cmd_secrets_reload(struct cli *cli);
int cmd_secrets_audit(struct cli *cli);
int cmd_secrets_configure(struct cli *cli);
int cmd_secrets_apply(struct cli *cli);
int cmd_qr(struct cli *cli);
int cmd_system_event(struct cli *cli);
int cmd_system_heartbeat_last(struct cli *cli);
int cmd_system_heartbeat_enable(struct cli *cli);
int cmd_system_heartbeat_disable(struct cli *cli);
int cmd_system_presence(struct cli *cli);

#endif
