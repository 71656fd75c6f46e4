/*
 * link_tell: whom an actor talks to, for operators.
 */
#include "bus/actor_internal.h"
#include "bus/wire.h"

static const char *state_name(const struct link *link)
{
    static const char *const names[] = {
        [LINK_UNKNOWN] = "unknown", [LINK_RESOLVING] = "resolving", [LINK_UP] = "up", [LINK_DOWN] = "down"
    };

    return names[link->state];
}

static void links_pack(struct actor *self, struct pack *out)
{
    pack_key(out, "links");
    pack_array_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(self->links); i++) {
        for (const struct link *link = self->links[i]; link; link = link->hash_next) {
            pack_map_begin(out);
            pack_kv_str(out, "to", (struct span){ link->address, link->len });
            pack_kv_text(out, "state", state_name(link));
            pack_kv_u64(out, "msgs", link->sent_msgs);
            pack_kv_u64(out, "bytes", link->sent_bytes);
            pack_kv_u64(out, "waiting", link->park.msgs);
            pack_map_end(out);
        }
    }
    pack_array_end(out);
}

static void topics_pack(const struct actor *self, struct pack *out)
{
    pack_key(out, "topics");
    pack_array_begin(out);
    for (const struct topic_pub *pub = self->pubs; pub; pub = pub->next) {
        pack_map_begin(out);
        pack_kv_str(out, "name", (struct span){ pub->name, pub->len });
        pack_key(out, "to");
        pack_array_begin(out);
        for (size_t i = 0; i < pub->subscribers_n; i++) {
            pack_str(out, (struct span){ pub->subscribers[i]->address, pub->subscribers[i]->len });
        }
        pack_array_end(out);
        pack_map_end(out);
    }
    pack_array_end(out);
}

void link_tell_pack(struct actor *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "address", self->address);
    links_pack(self, out);
    topics_pack(self, out);
    pack_map_end(out);
}

void link_tell_answer(struct actor *self, const struct mail *mail)
{
    CLEANUP(pack_deinit) struct pack out;
    zmq_msg_t body;

    pack_init(&out, wire_links.max_bytes);
    link_tell_pack(self, &out);
    if (pack_error(&out) == 0 && frame_copy(pack_span(&out), &body) == 0) {
        (void)serve_answer(self, mail, ENVELOPE_REPLY, &body); /* memory: the asker's deadline ends it */
    }
}
