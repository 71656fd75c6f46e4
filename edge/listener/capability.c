#include "edge/listener/capability.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "bus/base/mem.h"
#include "edge/listener/edge.h"
#include "edge/listener/ws.h"

#define RANDOM_LEN 18U /* a multiple of three: no padding */

struct capability *capability_new(const char *origin)
{
    struct capability *self = mem_new(sizeof(*self));

    (void)snprintf(self->origin, sizeof(self->origin), "%s", origin); /* as canvas_origin_read made it */
    return self;
}

void capability_free(struct capability *self)
{
    if (self) {
        mem_wipe(self, sizeof(*self));
        free(self);
    }
}

void capability_renew(struct capability *self, const struct edge *edge)
{
    unsigned char bytes[RANDOM_LEN];

    /* So few bytes come at once and whole, once the pool was filled at boot. */
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        abort();
    }
    (void)EVP_EncodeBlock((unsigned char *)self->token, bytes, (int)sizeof(bytes)); /* CAPABILITY_LEN and a zero */
    for (char *at = self->token; *at; at++) {
        *at = (char)(*at == '+' ? '-' : *at == '/' ? '_' : *at); /* RFC 4648 §5 */
    }
    mem_wipe(bytes, sizeof(bytes));
    capability_touch(self, edge);
}

bool capability_is_valid(const struct capability *self, const struct edge *edge)
{
    return self->token[0] && edge_now(edge) < self->until_ms;
}

void capability_touch(struct capability *self, const struct edge *edge)
{
    self->until_ms = edge_now(edge) + edge->capability_ms;
}

int capability_url_write(const struct capability *self, struct text_buf *out)
{
    char url[CANVAS_ORIGIN_MAX + CAPABILITY_LEN + 32];
    int len = snprintf(url, sizeof(url), "%s/__openclaw__/cap/%s", self->origin, self->token);
    int r = json_from_text((struct span){ url, (size_t)len }, out); /* it fits */

    mem_wipe(url, sizeof(url));
    return r;
}

struct conn *capability_find(struct edge *edge, struct span token)
{
    if (token.len != CAPABILITY_LEN) {
        return NULL;
    }
    for (struct conn *conn = edge->conns; conn; conn = conn->next) {
        struct ws *ws = ws_client_of(conn);
        struct capability *self = ws ? ws->capability : NULL;

        if (self && capability_is_valid(self, edge) && CRYPTO_memcmp(self->token, token.ptr, CAPABILITY_LEN) == 0) {
            capability_touch(self, edge);
            return conn;
        }
    }
    return NULL;
}
