/*
 * ids: random names for sessions, messages and runs.
 */
#ifndef ACTORS_AGENT_IDS_H
#define ACTORS_AGENT_IDS_H

#define IDS_UUID_MAX 37 /* bytes, with terminator */
#define IDS_SHORT_MAX 9

/* A random UUID (RFC 9562 §5.4). */
void ids_uuid(char out[IDS_UUID_MAX]);
/* Eight random hexadecimal digits. */
void ids_short(char out[IDS_SHORT_MAX]);

#endif
