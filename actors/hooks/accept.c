/*
 * accept: a hook comes in: what it asks for, whether it may, and then it is stored, once.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "actors/hooks/hooks_state.h"
#include "actors/hooks/order.h"
#include "bus/base/clock.h"
#include "bus/value.h"
#include "schema_gen.h"

#define NOTHING ((struct span){ NULL, 0 })
#define KEY_MAX 256U
#define RETRY_MS 5000U

/* The hook in hand. */
struct taking {
    struct hooks *hooks;
    struct actor_ctx *ctx;
    const struct msg_hook_post *in;
    struct order order;
    struct text_buf why; /* of a refusal, for the sender */
    char id[HOOKS_ID_MAX];
    char digest[HOOKS_DIGEST_MAX]; /* "" without an idempotency key */
    char agent[AGENT_ID_MAX + 1];  /* "" for a wake */
    char session_key[SETTINGS_KEY_MAX];
    int64_t now_ms;
};

static struct span said(const struct text_buf *text)
{
    return (struct span){ text->data, text->len };
}

static void uuid_make(char out[HOOKS_ID_MAX])
{
    uint64_t random[2];

    if (getentropy(random, sizeof(random)) != 0) {
        abort(); /* only a kernel without random numbers: nothing made here would be unique */
    }
    (void)snprintf(out, HOOKS_ID_MAX, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(random[0] >> 32),
                   (unsigned)(random[0] >> 16) & 0xffff, (unsigned)random[0] & 0xfff,
                   ((unsigned)(random[1] >> 48) & 0x3fff) | 0x8000,
                   (unsigned long long)(random[1] & 0xffffffffffffULL));
}

/* --- answers ---------------------------------------------------------------------------------- */

static int refuse(struct taking *self, uint32_t status, struct span error)
{
    self->hooks->counts.refused_n++;
    return actor_reply(self->ctx, MSG_HOOK_TAKEN,
                       &(struct msg_hook_taken){ .status = status, .has_error = true, .error = error });
}

static int later(struct taking *self, int code, const char *text)
{
    self->hooks->counts.refused_n++;
    return actor_fail_with(
        self->ctx,
        &(struct failure){ .code = code, .message = span_from(text), .retryable = true, .retry_after_ms = RETRY_MS });
}

static int answer(struct taking *self, struct span run_id, bool is_now)
{
    struct msg_hook_taken out = { .status = 200 };

    if (self->order.is_wake) {
        out.has_mode = true;
        out.mode = is_now ? SPAN_LIT("now") : SPAN_LIT("next-heartbeat");
    } else {
        out.has_run_id = true;
        out.run_id = run_id;
    }
    return actor_reply(self->ctx, MSG_HOOK_TAKEN, &out);
}

/* --- once --------------------------------------------------------------------------------------- */

static struct span key_of(const struct taking *self)
{
    struct span keys[] = { value_str(value_get(self->in->headers, "idempotency-key"), NOTHING),
                           value_str(value_get(self->in->headers, "x-openclaw-idempotency-key"), NOTHING),
                           value_str(value_get(self->in->payload, "idempotencyKey"), NOTHING) };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct span key = span_trim(keys[i]);

        if (key.len && key.len <= KEY_MAX) {
            return key;
        }
    }
    return NOTHING;
}

/* But for the key, which a repeat may have sent elsewhere. */
static void payload_pack(struct span payload, struct pack *out)
{
    struct value_iter it = value_iter(payload);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (!span_is_text(key, "idempotencyKey")) {
            pack_str(out, key);
            pack_raw(out, item);
        }
    }
}

/*
 * Of the key, and of everything that was sent: the same key for something else is another hook. What a mapping made of
 * it may differ, as templates know the time.
 */
static int digest_make(struct taking *self)
{
    struct span key = key_of(self);
    struct pack *pack = &self->hooks->pack;
    unsigned char hash[crypto_hash_sha256_BYTES];
    struct span facts;

    if (!key.len) {
        return 0;
    }
    pack_reset(pack);
    pack_array_begin(pack);
    pack_str(pack, key);
    pack_str(pack, self->in->path);
    pack_text(pack, self->agent);
    if (self->in->query.len) {
        pack_raw(pack, self->in->query);
    }
    payload_pack(self->in->payload, pack);
    pack_array_end(pack);
    if (pack_error(pack)) {
        return pack_error(pack);
    }
    facts = pack_span(pack);
    (void)crypto_hash_sha256(hash, (const unsigned char *)facts.ptr, facts.len); /* always 0 */
    (void)sodium_bin2hex(self->digest, sizeof(self->digest), hash, sizeof(hash));
    return 0;
}

/* The run of a hook that was taken before; empty when it was not. */
static struct span repeat_find(const struct taking *self)
{
    struct shelf *shelf = self->hooks->shelf;
    const struct shelf_item *item = shelf_find(shelf, KIND_DONE, span_from(self->digest));

    if (item) {
        return value_str(value_get(item->body, "id"), NOTHING);
    }
    for (item = shelf_first(shelf, KIND_OPEN); item; item = item->next) {
        if (strcmp(item->owner, self->digest) == 0) {
            return span_from(item->id);
        }
    }
    return NOTHING;
}

/* --- what it asks for ------------------------------------------------------------------------------- */

static int order_read(struct taking *self)
{
    struct template_facts facts = { .path = self->in->path,
                                    .query = self->in->query,
                                    .headers = self->in->headers,
                                    .payload = self->in->payload,
                                    .now_ms = self->now_ms };

    if (span_is_text(self->in->path, "wake")) {
        return order_wake(self->in->payload, &self->order, &self->why);
    }
    if (span_is_text(self->in->path, "agent")) {
        return order_agent(self->in->payload, &self->order, &self->why);
    }
    return order_mapped(&self->hooks->settings, &facts, &self->order, &self->why);
}

/* False with the reason in `why`. */
static bool target_set(struct taking *self)
{
    const struct settings *settings = &self->hooks->settings;
    struct settings_key key = { .source = self->order.key_source, .asked = said(&self->order.session_key) };
    struct span asked = said(&self->order.agent);
    char fresh[HOOKS_ID_MAX + 8];
    char buf[AGENT_ID_MAX + 1];
    struct span agent;

    if (!asked.len) {
        asked = settings_key_agent(span_trim(key.asked)); /* a full key names one as well */
    }
    if (!settings_agent_allows(settings, asked)) {
        (void)text_buf_add(&self->why, SPAN_LIT("agentId is not allowed by hooks.allowedAgentIds"));
        return false; /* without memory it is refused without a reason */
    }
    agent = settings_agent(settings, asked, buf);
    (void)snprintf(fresh, sizeof(fresh), "hook:%s", self->id); /* fits */
    key.fresh = fresh;
    agent = agent.len ? agent : span_from(settings->fallback);
    (void)snprintf(self->agent, sizeof(self->agent), "%.*s", SPAN_FMT(agent)); /* fits */
    return settings_session_key(settings, &key, agent, self->session_key, &self->why);
}

static bool channel_check(struct taking *self)
{
    char text[1024];

    if (span_is_text(said(&self->order.channel), "last")) {
        return true;
    }
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(said(&self->order.channel)));
    if (setup_channel(self->hooks, text)) {
        return true;
    }
    setup_channels_say(self->hooks, text, sizeof(text));
    (void)text_buf_add(&self->why, span_from(text)); /* without memory it is refused without a reason */
    return false;
}

/* --- storing ------------------------------------------------------------------------------------------ */

static int known_prune(struct hooks *self, int64_t now_ms)
{
    const struct shelf_item *oldest = shelf_first(self->shelf, KIND_DONE);
    int r = 0;

    while (!r && oldest &&
           (shelf_count(self->shelf, KIND_DONE) >= HOOKS_KNOWN_MAX || oldest->at_ms < now_ms - HOOKS_KNOWN_MS)) {
        r = shelf_drop(self->shelf, KIND_DONE, span_from(oldest->id));
        oldest = r ? NULL : shelf_first(self->shelf, KIND_DONE);
    }
    return r < 0 ? r : 0; /* a disk that takes no writes refuses the hook itself */
}

static int store(struct taking *self)
{
    struct hooks *hooks = self->hooks;
    int r = known_prune(hooks, self->now_ms);

    if (r) {
        return r;
    }
    pack_reset(&hooks->pack);
    order_pack(&self->order, span_from(self->agent), span_from(self->session_key), self->now_ms, &hooks->pack);
    r = pack_error(&hooks->pack);
    if (!r && hooks->bytes + hooks->pack.len > HOOKS_BYTES_MAX) {
        return SHELF_E_FULL;
    }
    return r ? r
             : shelf_put(hooks->shelf, KIND_OPEN, span_from(self->id), span_from(self->digest), self->now_ms,
                         pack_span(&hooks->pack));
}

static int take(struct taking *self)
{
    struct hooks *hooks = self->hooks;
    struct span repeated;
    int r = digest_make(self);

    if (r) {
        return r;
    }
    repeated = self->digest[0] ? repeat_find(self) : NOTHING;
    if (repeated.len) {
        hooks->counts.repeated_n++;
        return answer(self, repeated, self->order.is_now);
    }
    r = store(self);
    if (r == SHELF_E_FULL) {
        return later(self, FAIL_UNAVAILABLE, "too many hooks wait to be done; send it again later");
    }
    if (r > 0) {
        return later(self, FAIL_STORAGE,
                     "the hook could not be stored: the disk is full or failing, or the database is locked");
    }
    if (r) {
        return r;
    }
    hooks->counts.taken_n++;
    dispatch_add(hooks, shelf_find(hooks->shelf, KIND_OPEN, span_from(self->id)));
    r = answer(self, span_from(self->id), self->order.is_now);
    return r ? r : dispatch_pump(hooks);
}

static int post(struct taking *self)
{
    int r = order_read(self);

    if (!r && !self->order.is_wake && (!channel_check(self) || !target_set(self))) {
        r = ORDER_E_REFUSED;
    }
    switch (r) {
    case 0:
        return take(self);
    case ORDER_E_REFUSED:
        return refuse(self, 400, said(&self->why));
    case ORDER_E_NONE:
        return refuse(self, 404, NOTHING);
    case ORDER_E_SERVED:
        return refuse(self, 501,
                      SPAN_LIT("hook mapping failed: its transform is a module for Node.js, which this "
                               "gateway does not run"));
    default:
        return r;
    }
}

int on_hook_post(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct taking self = { .hooks = arg, .ctx = ctx, .in = msg, .now_ms = clock_wall_ms() };
    int r;

    if (!self.hooks->has_settings) {
        return later(&self, FAIL_UNAVAILABLE, "the config has not been read yet");
    }
    uuid_make(self.id);
    r = post(&self);
    order_deinit(&self.order);
    text_buf_deinit(&self.why);
    return r;
}
