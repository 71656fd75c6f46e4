/*
 * cli_access: why this user may not use a file, and what lets him.
 */
#ifndef EDGE_CLI_CLI_ACCESS_H
#define EDGE_CLI_CLI_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What to do about a file that is there and that this user may not read or, as a socket, write
 * to: whose it is, or whose the directory on the way to it. False when nothing is in the way.
 */
bool cli_access_advice(const char *path, char *out, size_t out_size);

#endif
