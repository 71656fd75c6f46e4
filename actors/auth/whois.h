/*
 * whois: asks the tailscaled of this machine who an address belongs to, over its local API
 * (HTTP on a Unix socket, GET /localapi/v0/whois). Whatever goes wrong is "nobody".
 */
#ifndef ACTORS_AUTH_WHOIS_H
#define ACTORS_AUTH_WHOIS_H

#include <stdbool.h>
#include <uv.h>

#include "actors/auth/proxy.h"
#include "bus/base/span.h"

#define WHOIS_SOCKET "/var/run/tailscale/tailscaled.sock" /* where tailscaled listens unless told otherwise */
#define WHOIS_TIMEOUT_MS 2000
#define WHOIS_ANSWER_MAX 65536

struct whois;

/* `login` is empty for nobody. Called once, from the loop, never from whois_start or after whois_cancel. */
typedef void (*whois_on_answer)(void *arg, const char *login);

/* Starts asking. The handles close by themselves once the answer is there. */
struct whois *whois_start(uv_loop_t *loop, const char *socket_path, const char *address, whois_on_answer on_answer,
                          void *arg);
/* NULL-safe; the answer will not come. */
void whois_cancel(struct whois **whois_p);

/* Pure: the login in a whole HTTP answer; false when it is not a plain yes. */
bool whois_read(struct span answer, char ret_login[PROXY_USER_MAX]);

#endif
