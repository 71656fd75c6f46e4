/*
 * cli_unserved: commands of the original that this version has not, and what to do instead.
 */
#ifndef EDGE_CLI_CLI_UNSERVED_H
#define EDGE_CLI_CLI_UNSERVED_H

/* One sentence without its full stop, or NULL. `group` may be NULL. */
const char *cli_unserved_instead(const char *group, const char *name);

#endif
