#include "schema/base/config_follow.h"

#include "schema_gen.h"

#define ASK_MS 1000U /* config answers from memory; one that does not is asked again */
#define AGAIN_MS 250U

static int ask(struct config_follow *self);

static void on_retry(uv_timer_t *timer)
{
    struct config_follow *self = timer->data;
    int r = ask(self);

    if (r) {
        (void)actor_fault(self->actor, r);
    }
}

/* A config that is gone is asked again when it is back; the retry is for one that is there and said no. */
static void on_followed(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct config_follow *self = cookie;

    (void)state;
    (void)actor;
    self->is_asking = false;
    if (answer->failure) {
        (void)uv_timer_start(&self->retry, on_retry, AGAIN_MS, 0); /* has a callback */
    }
}

static int ask(struct config_follow *self)
{
    struct actor_call call = { .to = "config",
                               .msg = MSG_CONFIG_FOLLOW,
                               .in = &(struct msg_config_follow){ 0 },
                               .deadline_ms = ASK_MS,
                               .on_answer = on_followed,
                               .cookie = self };

    if (self->is_asking) {
        return 0; /* its failure asks again */
    }
    self->is_asking = true;
    return actor_call(self->actor, &call, NULL);
}

void config_follow_open(struct config_follow *self, struct actor *actor)
{
    self->actor = actor;
    (void)uv_timer_init(actor_loop(actor), &self->retry); /* cannot fail */
    self->retry.data = self;
    self->is_open = true;
}

void config_follow_close(struct config_follow *self)
{
    if (self->is_open) {
        self->is_open = false;
        uv_close((uv_handle_t *)&self->retry, NULL);
    }
}

int config_follow_life(struct config_follow *self, enum actor_life life)
{
    bool is_new = life == ACTOR_LIFE_READY && self->life != life; /* a changed status is told as well */

    self->life = life;
    return is_new ? ask(self) : 0;
}

int config_follow_applied(struct actor_ctx *ctx, const void *msg)
{
    const struct msg_config_update *in = msg;

    return actor_reply(ctx, MSG_CONFIG_APPLIED, &(struct msg_config_applied){ .version = in->version });
}
