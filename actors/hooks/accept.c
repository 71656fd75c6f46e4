/*
 * accept: a hook comes in: what it asks for, by itself or through a transform, whether it may, and then it is stored,
 * once.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "actors/hooks/changing.h"
#include "actors/hooks/hooks_state.h"
#include "actors/hooks/order.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema_gen.h"

#define NOTHING ((struct span){ NULL, 0 })
#define KEY_MAX 256U
#define RETRY_MS 5000U

/* The hook in hand. */
struct taking {
    struct taking *next; /* of those whose transform has not said anything yet */
    struct hooks *hooks;
    struct actor_ctx *ctx;          /* NULL once it is answered later */
    const struct msg_hook_post *in; /* the same */
    struct actor_token token;       /* then */
    struct changing changing;       /* then */
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

static int reply(struct taking *self, const struct msg_hook_taken *out)
{
    return self->ctx ? actor_reply(self->ctx, MSG_HOOK_TAKEN, out)
                     : actor_token_reply(self->hooks->actor, self->token, MSG_HOOK_TAKEN, out);
}

static int refuse(struct taking *self, uint32_t status, struct span error)
{
    self->hooks->counts.refused_n++;
    return reply(self, &(struct msg_hook_taken){ .status = status, .has_error = true, .error = error });
}

static int later(struct taking *self, int code, const char *text)
{
    struct failure failure = {
        .code = code, .message = span_from(text), .retryable = true, .retry_after_ms = RETRY_MS
    };

    self->hooks->counts.refused_n++;
    return self->ctx ? actor_fail_with(self->ctx, &failure)
                     : actor_token_fail(self->hooks->actor, self->token, &failure);
}

/* What its sender is told, the first time and whenever it comes again. */
struct outcome {
    struct span id;
    bool is_wake;
    bool is_now;
};

static int answer(struct taking *self, const struct outcome *outcome)
{
    struct msg_hook_taken out = { .status = 200 };

    if (outcome->is_wake) {
        out.has_mode = true;
        out.mode = outcome->is_now ? SPAN_LIT("now") : SPAN_LIT("next-heartbeat");
    } else {
        out.has_run_id = true;
        out.run_id = outcome->id;
    }
    return reply(self, &out);
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

/* As the records of this release say it; those of an older one leave it to the order that came again. */
static struct outcome outcome_of(const struct taking *self, struct span id, struct span body)
{
    return (struct outcome){ .id = id,
                             .is_wake = value_bool(value_get(body, "isWake"), self->order.is_wake),
                             .is_now = value_bool(value_get(body, "isNow"), self->order.is_now) };
}

/* The end of a hook that was taken before; without an id when it was not. */
static struct outcome repeat_find(const struct taking *self)
{
    struct shelf *shelf = self->hooks->shelf;
    const struct shelf_item *item = self->digest[0] ? shelf_find(shelf, KIND_DONE, span_from(self->digest)) : NULL;

    if (item) {
        return outcome_of(self, value_str(value_get(item->body, "id"), NOTHING), item->body);
    }
    item = self->digest[0] ? shelf_first(shelf, KIND_OPEN) : NULL;
    for (; item; item = item->next) {
        if (strcmp(item->owner, self->digest) == 0) {
            return outcome_of(self, span_from(item->id), item->body);
        }
    }
    return (struct outcome){ 0 };
}

static int repeat_answer(struct taking *self, const struct outcome *outcome)
{
    self->hooks->counts.repeated_n++;
    return answer(self, outcome);
}

/* --- what it asks for ------------------------------------------------------------------------------- */

/* `ret_transform`: see order_mapped. */
static int order_read(struct taking *self, struct span *ret_transform)
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
    return order_mapped(&self->hooks->settings, &facts, &self->order, ret_transform, &self->why);
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
    struct outcome outcome;
    int r = self->ctx ? digest_make(self) : 0; /* else it was made before the transform began */

    if (r) {
        return r;
    }
    outcome = repeat_find(self);
    if (outcome.id.len) {
        return repeat_answer(self, &outcome);
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
    outcome = (struct outcome){ span_from(self->id), self->order.is_wake, self->order.is_now };
    r = answer(self, &outcome);
    return r ? r : dispatch_pump(hooks);
}

/* With what came of reading its order. */
static int order_take(struct taking *self, int r)
{
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
    default:
        return r;
    }
}

/* --- through a transform --------------------------------------------------------------------------------- */

static void taking_destroy(struct taking **taking_p)
{
    struct taking *self = *taking_p;
    struct taking **at = &self->hooks->changing;

    *taking_p = NULL;
    while (*at && *at != self) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = self->next;
    }
    changing_deinit(&self->changing);
    order_deinit(&self->order);
    text_buf_deinit(&self->why);
    free(self);
}

/* It becomes one that is answered later. */
static struct taking *taking_keep(struct taking *self)
{
    struct taking *kept = mem_new(sizeof(*kept));

    *kept = *self;
    kept->token = actor_defer(self->ctx, kept);
    kept->ctx = NULL;
    kept->in = NULL;
    kept->next = self->hooks->changing;
    self->hooks->changing = kept;
    self->order = (struct order){ .is_wake = false };
    self->why = (struct text_buf){ 0 };
    self->changing = (struct changing){ .transform = NULL };
    return kept;
}

static int change_end(struct taking *self, const struct transform_end *end)
{
    struct changing_said heard;
    int r = changing_hear(&self->changing, end, &heard);

    switch (r) {
    case 0:
        break;
    case CHANGING_E_SKIPPED:
        self->hooks->counts.skipped_n++;
        return reply(self, &(struct msg_hook_taken){ .status = 204 });
    case CHANGING_E_FAILED:
        return refuse(self, 500, span_from(heard.problem));
    default:
        return r;
    }
    r = order_take(self, order_change(heard.action, &self->order, &self->why));
    changing_said_deinit(&heard);
    return r;
}

static void on_transform(void *arg, const struct transform_end *end)
{
    struct taking *self = arg;
    struct actor *actor = self->hooks->actor;
    int r;

    self->changing.transform = NULL;
    r = change_end(self, end);
    taking_destroy(&self);
    if (r < 0) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

static int change_start(struct taking *self, struct text_buf *input)
{
    struct taking *kept = taking_keep(self);
    struct transform_job job = {
        .node = kept->changing.node, .dir = kept->changing.dir, .on_done = on_transform, .arg = kept
    };
    int r = transform_start(&kept->hooks->transforms, &job, input, &kept->changing.transform);

    if (r) {
        r = later(kept, FAIL_UNAVAILABLE,
                  r == TRANSFORM_E_FULL ? "too many hooks wait for their transform; send it again later"
                                        : "no process can be started for the transform now; send it again later");
        taking_destroy(&kept);
    }
    return r;
}

/* Who sends it again with its key is answered without another run of the module. */
static int change_begin(struct taking *self, struct span transform)
{
    CLEANUP(text_buf_deinit) struct text_buf input = { .is_secret = true };
    char problem[CHANGING_PROBLEM_MAX];
    struct outcome outcome;
    int r = digest_make(self);

    if (r) {
        return r;
    }
    outcome = repeat_find(self);
    if (outcome.id.len) {
        return repeat_answer(self, &outcome);
    }
    r = changing_begin(&self->changing, &self->hooks->settings, transform, self->in, problem);
    if (r == CHANGING_E_UNSERVED || r == CHANGING_E_FAILED) {
        return refuse(self, r == CHANGING_E_UNSERVED ? 501 : 500, span_from(problem));
    }
    r = changing_ask(&self->changing, &self->hooks->settings, transform, self->in, &input);
    return r ? r : change_start(self, &input);
}

void on_hook_cancel(void *arg, struct actor *actor, void *cookie)
{
    struct taking *self = cookie;

    (void)arg;
    (void)actor;
    taking_destroy(&self);
}

void accept_close(struct hooks *self)
{
    self->transforms.is_closing = true;
    while (self->changing) {
        struct taking *taking = self->changing;

        taking_destroy(&taking);
    }
}

int on_hook_post(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct taking self = { .hooks = arg, .ctx = ctx, .in = msg, .now_ms = clock_wall_ms() };
    struct span transform = NOTHING;
    int r;

    if (!self.hooks->has_settings) {
        return later(&self, FAIL_UNAVAILABLE, "the config has not been read yet");
    }
    uuid_make(self.id);
    r = order_read(&self, &transform);
    r = r == ORDER_E_TRANSFORM ? change_begin(&self, transform) : order_take(&self, r);
    changing_deinit(&self.changing);
    order_deinit(&self.order);
    text_buf_deinit(&self.why);
    return r;
}
