#include "actors/agent/provider.h"

#include "actors/agent/echo.h"
#include "actors/agent/openai.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"

const char *provider_outcome_name(enum provider_outcome outcome)
{
    static const char *const names[] = {
        [PROVIDER_OK] = "ok",
        [PROVIDER_E_SETUP] = "setup",
        [PROVIDER_E_AUTH] = "auth",
        [PROVIDER_E_REFUSED] = "refused",
        [PROVIDER_E_CONTEXT] = "context",
        [PROVIDER_E_RATE] = "rate",
        [PROVIDER_E_DOWN] = "down",
        [PROVIDER_E_TIMEOUT] = "timeout",
        [PROVIDER_E_CUT] = "cut",
        [PROVIDER_E_RUBBISH] = "rubbish",
        [PROVIDER_E_OVERSIZED] = "oversized",
        [PROVIDER_E_TOOL_CALL] = "tool_call",
        [PROVIDER_E_MODEL] = "model",
    };

    return names[outcome];
}

void provider_engine_init(struct provider_engine *self, uv_loop_t *loop)
{
    self->loop = loop;
    http_client_init(&self->http, loop);
}

int provider_engine_open(struct provider_engine *self, enum provider_api api, char ret_problem[PROVIDER_TEXT_MAX])
{
    return api == PROVIDER_API_ECHO ? 0 : http_client_open(&self->http, ret_problem, PROVIDER_TEXT_MAX);
}

void provider_engine_deinit(struct provider_engine *self)
{
    http_client_deinit(&self->http);
}

void provider_engine_kick(struct provider_engine *self)
{
    http_client_kick(&self->http);
}

int provider_turn_start(struct provider_engine *self, const struct provider_setup *setup,
                        const struct provider_request *request, const struct provider_events *events, void *arg,
                        struct provider_turn **ret_turn)
{
    switch (setup->api) {
    case PROVIDER_API_ECHO:
        return echo_turn_start(self->loop, request, events, arg, ret_turn);
    case PROVIDER_API_OPENAI_COMPLETIONS:
        return openai_turn_start(&self->http, setup, request, events, arg, ret_turn);
    }
    return FAULT(-EINVAL);
}

void provider_turn_cancel(struct provider_turn **turn_p)
{
    struct provider_turn *turn = TAKE(*turn_p);

    if (turn) {
        turn->ops->cancel(turn);
    }
}

void provider_turn_pause(struct provider_turn *turn, bool is_paused)
{
    turn->ops->pause(turn, is_paused);
}
