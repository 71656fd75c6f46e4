/*
 * cli_unserved: commands of the original that this version has not, and what to do instead.
 */
#ifndef EDGE_CLI_CLI_UNSERVED_H
#define EDGE_CLI_CLI_UNSERVED_H

/* One sentence without its full stop, or NULL. `group` may be NULL. */
const char *cli_unserved_instead(const char *group, const char *name);

/* The same for an option of a command, both without what stands before them. */
const char *cli_unserved_option(const char *command, const char *name);

#endif
