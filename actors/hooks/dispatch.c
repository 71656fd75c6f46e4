/*
 * dispatch: what was stored is done, step by step. A step whose receiver is not there, or full, is tried again; one
 * that is refused for good is told to the log, and to the main session where that is possible.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "actors/hooks/hooks_state.h"
#include "bus/base/mem.h"
#include "bus/base/utf8.h"
#include "bus/value.h"
#include "schema/base/untrusted.h"
#include "schema_gen.h"

#define NOTHING ((struct span){ NULL, 0 })
#define STEP_MS 30000U
#define RETRY_MS 1000U
#define RETRY_MOST_MS 60000U
#define BROKEN_MAX 3U                /* times that a receiver may break on it */
#define SAID_MAX ((size_t)100 << 10) /* of an answer that the main session is told */

static int step_begin(struct hooks *self, struct hook *hook);

static struct span text_of(struct span body, const char *key)
{
    return value_str(value_get(body, key), NOTHING);
}

static struct span said(const struct text_buf *text)
{
    return (struct span){ text->data, text->len };
}

/* --- the list ------------------------------------------------------------------------------------- */

static void hook_free(struct hook *hook)
{
    text_buf_deinit(&hook->said);
    free(hook);
}

static void hook_unlink(struct hooks *self, struct hook *hook)
{
    struct hook *before = NULL;

    for (struct hook *at = self->first; at != hook; at = at->next) {
        before = at;
    }
    if (before) {
        before->next = hook->next;
    } else {
        self->first = hook->next;
    }
    self->last = self->last == hook ? before : self->last;
    self->open_n--;
    self->bytes -= hook->bytes;
    hook_free(hook);
}

void dispatch_add(struct hooks *self, const struct shelf_item *item)
{
    struct hook *hook = mem_new(sizeof(*hook));

    (void)snprintf(hook->id, sizeof(hook->id), "%s", item->id);
    hook->bytes = item->body.len;
    hook->step = value_bool(value_get(item->body, "isWake"), false) ? HOOK_WAKE : HOOK_RUN;
    if (self->last) {
        self->last->next = hook;
    } else {
        self->first = hook;
    }
    self->last = hook;
    self->open_n++;
    self->bytes += hook->bytes;
}

/* --- again, later ----------------------------------------------------------------------------------- */

static uint64_t now_ms(const struct hooks *self)
{
    return uv_now(actor_loop(self->actor));
}

static void status_tell(struct hooks *self)
{
    char text[384] = "";

    if (self->why[0]) {
        (void)snprintf(text, sizeof(text), "hooks wait: %s", self->why);
    }
    actor_status(self->actor, text);
}

static void retry_later(struct hooks *self, struct hook *hook, const struct failure *failure)
{
    uint32_t wait_ms = failure->retry_after_ms > RETRY_MS ? failure->retry_after_ms : RETRY_MS;

    self->counts.retried_n++;
    hook->retry_at_ms = now_ms(self) + (wait_ms < RETRY_MOST_MS ? wait_ms : RETRY_MOST_MS);
    if (!self->why[0]) {
        log_info("hook_waits", "hook=%s step=%d reason=\"%.*s\"", hook->id, (int)hook->step,
                 SPAN_FMT(utf8_cut(failure->message, 200)));
    }
    (void)snprintf(self->why, sizeof(self->why), "%.*s", SPAN_FMT(utf8_cut(failure->message, sizeof(self->why) - 1)));
    status_tell(self);
}

static void trouble_end(struct hooks *self)
{
    if (self->why[0]) {
        self->why[0] = '\0';
        status_tell(self);
    }
}

/* Whoever is asked may be there, or have room, later; who breaks on it each time will break on it again. How a run
 * ended is no reason to ask again. */
static bool is_for_now(struct hook *hook, const struct failure *failure)
{
    if (value_get(failure->details, "payload").len) {
        return false;
    }
    if (failure->code == FAIL_INTERNAL) {
        return ++hook->broken_n < BROKEN_MAX;
    }
    return failure->code == FAIL_UNAVAILABLE || failure->code == FAIL_TIMEOUT || failure->code == FAIL_STORAGE ||
           failure->code == FAIL_CANCELLED;
}

/* --- steps ------------------------------------------------------------------------------------------- */

/* What a step leads to. 0 or a fault. */
typedef int (*on_step)(struct hooks *self, struct hook *hook, const struct actor_answer *answer);

static int step_go(struct hooks *self, struct hook *hook, enum hook_step step)
{
    hook->step = step;
    hook->retry_at_ms = 0;
    return step_begin(self, hook); /* `hook` may be gone from here on */
}

static int hook_over(struct hooks *self, struct hook *hook)
{
    self->counts.failed_n += hook->is_failed;
    self->counts.done_n += !hook->is_failed;
    return step_go(self, hook, HOOK_FORGET);
}

/* Nobody will take it, now or later. */
static int step_refused(struct hooks *self, struct hook *hook, const struct failure *failure)
{
    log_warning("hook_refused", "hook=%s step=%d problem=\"%.*s\"", hook->id, (int)hook->step,
                SPAN_FMT(utf8_cut(failure->message, 300)));
    hook->is_failed = true;
    return hook_over(self, hook);
}

static int on_woken(struct hooks *self, struct hook *hook, const struct actor_answer *answer)
{
    return answer->failure ? step_refused(self, hook, answer->failure) : hook_over(self, hook);
}

/* What the agent said last: its texts, one after the other. */
static int reply_read(struct span body, struct text_buf *out)
{
    struct value_iter it = value_iter(value_path(body, "result.payloads"));
    struct span key;
    struct span item;
    int r = 0;

    while (!r && value_next(&it, &key, &item)) {
        struct span text = text_of(item, "text");

        r = out->len && text.len ? text_buf_add(out, SPAN_LIT("\n")) : 0;
        r = r ? r : text_buf_add(out, text);
    }
    return r;
}

static int on_ran(struct hooks *self, struct hook *hook, const struct actor_answer *answer)
{
    const struct shelf_item *item = shelf_find(self->shelf, KIND_OPEN, span_from(hook->id));
    bool is_delivered = item && value_bool(value_get(item->body, "isDelivered"), true);
    int r;

    hook->said.len = 0;
    if (answer->failure) {
        r = text_buf_add(&hook->said, answer->failure->message);
    } else {
        hook->is_failed = !span_is_text(text_of(answer->body, "status"), "ok") ||
                          span_is_text(text_of(answer->body, "summary"), "aborted");
        r = reply_read(answer->body, &hook->said);
    }
    if (r) {
        return r;
    }
    if (answer->failure || hook->is_failed) {
        hook->is_failed = true;
        log_warning("hook_run_failed", "hook=%s problem=\"%.*s\"", hook->id,
                    SPAN_FMT(utf8_cut(hook->said.len ? said(&hook->said) : SPAN_LIT("aborted"), 300)));
        return step_go(self, hook, HOOK_TELL);
    }
    return is_delivered ? step_go(self, hook, HOOK_LOOK) : hook_over(self, hook);
}

static int on_looked(struct hooks *self, struct hook *hook, const struct actor_answer *answer)
{
    struct span channel = answer->failure ? NOTHING : text_of(value_get(answer->body, "session"), "lastChannel");

    (void)snprintf(hook->channel, sizeof(hook->channel), "%.*s", SPAN_FMT(channel));
    return step_go(self, hook, setup_channel(self, hook->channel) ? HOOK_DELIVER : HOOK_TELL);
}

/* A channel that refuses it leaves the main session to be told. */
static int on_delivered(struct hooks *self, struct hook *hook, const struct actor_answer *answer)
{
    return answer->failure ? step_go(self, hook, HOOK_TELL) : hook_over(self, hook);
}

static const on_step step_ends[] = {
    [HOOK_WAKE] = on_woken,        [HOOK_RUN] = on_ran,    [HOOK_LOOK] = on_looked,
    [HOOK_DELIVER] = on_delivered, [HOOK_TELL] = on_woken,
};

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct hooks *self = state;
    struct hook *hook = cookie;
    int r = 0;

    hook->is_under_way = false;
    self->under_way_n--;
    if (answer->failure && is_for_now(hook, answer->failure)) {
        retry_later(self, hook, answer->failure);
    } else {
        trouble_end(self);
        r = step_ends[hook->step](self, hook, answer); /* `hook` may be gone from here on */
    }
    r = r ? r : dispatch_pump(self);
    if (r) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

static int ask(struct hooks *self, struct hook *hook, const char *to, const struct schema_msg *msg, const void *in)
{
    struct actor_call call = { .to = to,
                               .msg = msg,
                               .in = in,
                               .deadline_ms = hook->step == HOOK_RUN ? UINT32_MAX : STEP_MS,
                               .principal = SPAN_LIT("hooks"),
                               .on_answer = on_answer,
                               .cookie = hook };
    int r = actor_call(self->actor, &call, NULL);

    if (!r) {
        hook->is_under_way = true;
        self->under_way_n++;
    }
    return r;
}

/* --- what is asked ------------------------------------------------------------------------------------- */

static int wake_ask(struct hooks *self, struct hook *hook, struct span body)
{
    char id[HOOKS_ID_MAX + 8];
    struct msg_scheduler_wake in = { .text = text_of(body, "text"),
                                     .is_now = value_bool(value_get(body, "isNow"), true) };

    (void)snprintf(id, sizeof(id), "hook:%s", hook->id); /* fits */
    in.id = span_from(id);
    return ask(self, hook, "scheduler", MSG_SCHEDULER_WAKE, &in);
}

static int head_add(struct span body, struct text_buf *out)
{
    time_t at = (time_t)(value_i64(value_get(body, "at"), 0) / 1000);
    struct tm utc;
    char stamp[48] = "";
    int r = text_buf_add(out, SPAN_LIT("Hook \""));

    if (gmtime_r(&at, &utc)) {
        (void)strftime(stamp, sizeof(stamp), "\", received %Y-%m-%d %H:%M:%S UTC.\n\n", &utc);
    }
    r = r ? r : untrusted_clean(text_of(body, "name"), out);
    return r ? r : text_buf_add(out, span_from(stamp));
}

/* The words of a stranger between marks, unless the config says that they are none. */
static int message_make(struct span body, struct text_buf *out)
{
    struct span text = text_of(body, "text");
    bool is_mail = span_is_text(text_of(body, "source"), "Email");
    int r;

    if (value_bool(value_get(body, "isTrusted"), false)) {
        return text_buf_add(out, text);
    }
    r = head_add(body, out);
    r = r ? r : text_buf_add(out, span_from(untrusted_notice));
    r = r ? r : text_buf_add(out, SPAN_LIT("\n\n"));
    return r ? r : untrusted_add(is_mail ? "Email" : "Webhook", text, out);
}

static int run_ask(struct hooks *self, struct hook *hook, struct span body)
{
    struct text_buf message = { 0 };
    struct msg_agent in = { .idempotency_key = span_from(hook->id),
                            .has_agent_id = true,
                            .agent_id = text_of(body, "agent"),
                            .has_session_key = true,
                            .session_key = text_of(body, "session"),
                            .model = text_of(body, "model"),
                            .thinking = text_of(body, "thinking"),
                            .timeout = (uint64_t)value_i64(value_get(body, "timeout"), 0) };
    int r = message_make(body, &message);

    in.message = said(&message);
    in.has_model = in.model.len > 0;
    in.has_thinking = in.thinking.len > 0;
    in.has_timeout = in.timeout > 0;
    r = r ? r : ask(self, hook, "router", MSG_AGENT, &in);
    text_buf_deinit(&message);
    return r;
}

/* A channel that the sender named needs no look. */
static int look_ask(struct hooks *self, struct hook *hook, struct span body)
{
    struct span channel = text_of(body, "channel");
    char key[AGENT_ID_MAX + 16];
    struct msg_sessions_describe in = { .key = NOTHING };

    if (!hook->said.len) {
        return step_go(self, hook, HOOK_TELL); /* nothing to send; that it ran is told */
    }
    if (channel.len && !span_is_text(channel, "last")) {
        (void)snprintf(hook->channel, sizeof(hook->channel), "%.*s", SPAN_FMT(channel));
        return step_go(self, hook, setup_channel(self, hook->channel) ? HOOK_DELIVER : HOOK_TELL);
    }
    (void)snprintf(key, sizeof(key), "agent:%.*s:main", SPAN_FMT(text_of(body, "agent"))); /* fits */
    in.key = span_from(key);
    return ask(self, hook, "router", MSG_SESSIONS_DESCRIBE, &in);
}

static int deliver_ask(struct hooks *self, struct hook *hook, struct span body)
{
    const char *address = setup_channel(self, hook->channel);
    char key[HOOKS_ID_MAX + 8];
    struct msg_channel_deliver in = { .session_key = text_of(body, "session"),
                                      .has_run_id = true,
                                      .run_id = span_from(hook->id),
                                      .to = text_of(body, "to"),
                                      .text = said(&hook->said) };

    if (!address) {
        return step_go(self, hook, HOOK_TELL);
    }
    (void)snprintf(key, sizeof(key), "hook:%s", hook->id); /* fits */
    in.idempotency_key = span_from(key);
    in.has_to = in.to.len > 0;
    return ask(self, hook, address, MSG_CHANNEL_DELIVER, &in);
}

static int tell_make(const struct hook *hook, struct span body, struct text_buf *out)
{
    struct span text = utf8_cut(said(&hook->said), SAID_MAX);
    int r = text_buf_add(out, SPAN_LIT("Hook "));

    r = r ? r : text_buf_add(out, text_of(body, "name"));
    r = r ? r : text_buf_add(out, hook->is_failed ? SPAN_LIT(" (error): ") : SPAN_LIT(": "));
    return r ? r
             : text_buf_add(out, text.len          ? text
                                 : hook->is_failed ? SPAN_LIT("it was aborted")
                                                   : SPAN_LIT("done, and nothing to say"));
}

static int tell_ask(struct hooks *self, struct hook *hook, struct span body)
{
    struct text_buf text = { 0 };
    char id[HOOKS_ID_MAX + 8];
    struct msg_scheduler_wake in = { .has_agent_id = true,
                                     .agent_id = text_of(body, "agent"),
                                     .is_now = value_bool(value_get(body, "isNow"), true) };
    int r = tell_make(hook, body, &text);

    (void)snprintf(id, sizeof(id), "hook:%s", hook->id); /* fits */
    in.id = span_from(id);
    in.text = said(&text);
    r = r ? r : ask(self, hook, "scheduler", MSG_SCHEDULER_WAKE, &in);
    text_buf_deinit(&text);
    return r;
}

/* --- the end --------------------------------------------------------------------------------------------- */

/* Its idempotency key is remembered first: a crash in between does nothing twice, as the agent knows the run. */
static int forget(struct hooks *self, struct hook *hook, const struct shelf_item *item)
{
    struct pack *pack = &self->pack;
    int r = 0;

    if (item->owner[0]) {
        pack_reset(pack);
        pack_map_begin(pack);
        pack_kv_text(pack, "id", hook->id);
        pack_kv_bool(pack, "isWake", value_bool(value_get(item->body, "isWake"), false));
        pack_kv_bool(pack, "isNow", value_bool(value_get(item->body, "isNow"), false));
        pack_map_end(pack);
        r = pack_error(pack);
        r = r ? r
              : shelf_put(self->shelf, KIND_DONE, span_from(item->owner), SPAN_LIT(""), item->at_ms, pack_span(pack));
        r = r == SHELF_E_FULL ? 0 : r; /* younger ones are remembered instead */
    }
    r = r ? r : shelf_drop(self->shelf, KIND_OPEN, span_from(hook->id));
    if (r > 0) {
        retry_later(self, hook, &(struct failure){ .message = SPAN_LIT("the disk takes no writes") });
        return 0;
    }
    if (hook->retry_at_ms) {
        trouble_end(self);
    }
    hook_unlink(self, hook);
    return r;
}

static int step_begin(struct hooks *self, struct hook *hook)
{
    const struct shelf_item *item = shelf_find(self->shelf, KIND_OPEN, span_from(hook->id));

    if (!item) {
        return FAULT(-EPROTO); /* it is there until it is forgotten */
    }
    switch (hook->step) {
    case HOOK_WAKE:
        return wake_ask(self, hook, item->body);
    case HOOK_RUN:
        return run_ask(self, hook, item->body);
    case HOOK_LOOK:
        return look_ask(self, hook, item->body);
    case HOOK_DELIVER:
        return deliver_ask(self, hook, item->body);
    case HOOK_TELL:
        return tell_ask(self, hook, item->body);
    case HOOK_FORGET:
        break;
    }
    return forget(self, hook, item); /* `hook` may be gone from here on */
}

/* --- what may begin ------------------------------------------------------------------------------------ */

static void on_timer(uv_timer_t *timer)
{
    struct hooks *self = timer->data;
    int r = dispatch_pump(self);

    if (r) {
        (void)actor_fault(self->actor, r); /* the loop ends after this turn */
    }
}

/* After all has begun: what begins may have to wait again. */
static void timer_set(struct hooks *self, uint64_t now)
{
    uint64_t next = 0;

    for (const struct hook *hook = self->first; hook; hook = hook->next) {
        if (!hook->is_under_way && hook->retry_at_ms > now && (!next || hook->retry_at_ms < next)) {
            next = hook->retry_at_ms;
        }
    }
    if (next) {
        (void)uv_timer_start(&self->timer, on_timer, next - now, 0); /* fails only without a callback */
    }
}

int dispatch_pump(struct hooks *self)
{
    uint64_t now = now_ms(self);
    struct hook *after;
    int r = 0;

    for (struct hook *hook = self->has_settings ? self->first : NULL; hook && !r; hook = after) {
        after = hook->next;
        if (!hook->is_under_way && hook->retry_at_ms <= now && self->under_way_n < HOOKS_UNDER_WAY_MAX) {
            r = step_begin(self, hook); /* `hook` may be gone from here on */
        }
    }
    timer_set(self, now);
    return r;
}

int dispatch_open(struct hooks *self)
{
    const struct shelf_item *item = shelf_first(self->shelf, KIND_OPEN);

    (void)uv_timer_init(actor_loop(self->actor), &self->timer); /* cannot fail */
    self->timer.data = self;
    self->has_timer = true;
    for (; item; item = item->next) {
        dispatch_add(self, item);
    }
    if (self->first) {
        log_info("hooks_resumed", "hooks=%zu", self->open_n);
    }
    return 0;
}

void dispatch_close(struct hooks *self)
{
    while (self->first) {
        hook_unlink(self, self->first);
    }
    if (self->has_timer) {
        self->has_timer = false;
        uv_close((uv_handle_t *)&self->timer, NULL);
    }
}
