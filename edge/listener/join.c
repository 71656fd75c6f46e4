#include "edge/listener/join.h"

#include <string.h>

#include "bus/codec.h"
#include "edge/listener/edge.h"
#include "edge/listener/exchange.h"
#include "edge/listener/http.h"
#include "schema_gen.h"

#define CODE_LEN 22U
#define MARK "/j/"

static bool is_of_code(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Empty when it is no link. */
static struct span code_of(struct span path)
{
    size_t mark = strlen(MARK);
    struct span code = { NULL, 0 };

    if (path.len < mark + CODE_LEN || memcmp(path.ptr + path.len - CODE_LEN - mark, MARK, mark) != 0) {
        return code;
    }
    for (size_t i = path.len - CODE_LEN; i < path.len; i++) {
        if (!is_of_code(path.ptr[i])) {
            return code;
        }
    }
    return (struct span){ path.ptr + path.len - CODE_LEN, CODE_LEN };
}

bool join_is_here(struct span path)
{
    return code_of(path).len > 0;
}

static struct span credential_of(const struct request *request)
{
    return code_of(request->path);
}

/* In the words of the original, whose `openclaw connect` asks. One that was used is as unknown as any other. */
static void on_error(struct exchange *self, const struct openai_error *error, uint32_t retry_after_s)
{
    if (error->status == 401) {
        exchange_answer(self, 404, SPAN_LIT("{\"error\":\"not_found\"}"), 0);
    } else if (error->status == 429) {
        exchange_answer(self, 429, SPAN_LIT("{\"error\":\"rate_limited\"}"), retry_after_s);
    } else {
        exchange_answer(self, error->status, SPAN_LIT("{\"error\":\"unavailable\"}"), retry_after_s);
    }
}

static void on_body(struct exchange *self)
{
    struct msg_auth_decision decision;
    struct span body = { self->decision.data, self->decision.len };

    if (codec_decode(MSG_AUTH_DECISION->type, body, &decision, NULL) || !decision.has_setup) {
        exchange_answer(self, 503, SPAN_LIT("{\"error\":\"unavailable\"}"), 1);
        return;
    }
    exchange_text(self, 200, RESPONSE_JSON, decision.setup);
}

void join_begin(struct stream *stream, const struct request *request, struct span head)
{
    if (request->method != REQUEST_GET) { /* HEAD would use it up and show nothing */
        http_not_allowed(stream, "GET");
    } else if (request->body != REQUEST_BODY_NONE || request->query.len) {
        http_refuse_status(stream, 400);
    } else {
        exchange_begin(stream, head,
                       &(struct exchange_kind){
                           .surface = "join", .credential = credential_of, .on_body = on_body, .on_error = on_error });
    }
}
