/*
 * cli_uuid: random identifiers (RFC 9562, version 4).
 */
#ifndef EDGE_CLI_CLI_UUID_H
#define EDGE_CLI_CLI_UUID_H

#define CLI_UUID_LEN 36

/* Writes 36 characters and a terminator; 0 or a fault when the kernel has no randomness. */
int cli_uuid_new(char out[CLI_UUID_LEN + 1]);

#endif
