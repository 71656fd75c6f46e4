#include "actors/agent/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/fetch.h"
#include "actors/agent/transcript.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/base/utf8.h"
#include "bus/codec.h"
#include "bus/value.h"
#include "schema/base/picture.h"
#include "schema_gen.h"

struct intake_part {
    struct intake *intake;
    struct fetch *fetch; /* NULL: it has ended */
    struct input_ref ref;
};

struct intake {
    struct intake *next;
    struct agent *owner;
    struct asker *asker; /* owned */
    struct text_buf body;
    struct msg_agent_run in; /* points into body */
    uint32_t parts_n;
    uint32_t left_n;
    size_t bytes;
    struct intake_part parts[INPUTS_MAX];
    struct input_got got[INPUTS_MAX];
};

static void intake_free(struct intake *self)
{
    struct intake **at = &self->owner->intakes;

    while (*at != self) {
        at = &(*at)->next;
    }
    *at = self->next;
    self->owner->intakes_n--;
    for (uint32_t i = 0; i < self->parts_n; i++) {
        fetch_cancel(&self->parts[i].fetch);
        text_buf_deinit(&self->got[i].bytes);
    }
    if (self->asker) {
        asker_free(self->asker);
    }
    text_buf_deinit(&self->body);
    free(self);
}

static void intake_fail(struct intake *self, int code, const char *text)
{
    (void)actor_token_fail_text(self->owner->actor, self->asker->token, code, "%s", text); /* the asker may be gone */
    intake_free(self);
}

/* All is there. */
static void intake_finish(struct intake *self)
{
    struct agent *owner = self->owner;
    CLEANUP(pack_deinit) struct pack messages;
    int rc;

    pack_init(&messages, 0);
    rc = inputs_expand(self->in.messages, self->got, &messages);
    if (!rc) {
        self->in.messages = pack_span(&messages);
        rc = completion_begin(owner, TAKE(self->asker), &self->in);
    }
    intake_free(self);
    if (rc < 0) {
        (void)actor_fault(owner->actor, rc); /* the loop ends after this turn */
    }
}

/* --- what came -------------------------------------------------------------------------------- */

static bool is_listed(struct span list, const char *mime)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        struct span name = value_str(item, SPAN_LIT(""));

        if (name.len == strlen(mime) && strncasecmp(name.ptr, mime, name.len) == 0) {
            return true;
        }
    }
    return false;
}

static const char *image_check(const struct type_run_input_rules *rules, struct input_got *got)
{
    const char *told = picture_type(got->bytes.data, got->bytes.len);

    if (told) {
        (void)snprintf(got->mime, sizeof(got->mime), "%s", told);
    }
    if (!got->bytes.len) {
        return "it is empty";
    }
    return is_listed(rules->mimes, got->mime) ? NULL : "it is of a type that is not taken here";
}

static const char *file_check(const struct type_run_input_rules *rules, struct input_got *got)
{
    struct span text = { got->bytes.data ? got->bytes.data : "", got->bytes.len };

    if (!is_listed(rules->mimes, got->mime)) {
        return strcmp(got->mime, "application/pdf") == 0 ? "PDF files cannot be read by this gateway"
                                                         : "it is of a type that is not taken here";
    }
    if (!utf8_is_valid(text)) {
        return "it is not text in UTF-8";
    }
    got->bytes.len = utf8_cut_chars(text, rules->chars_max).len;
    return NULL;
}

static void part_fail(struct intake *self, const struct intake_part *part, const char *problem)
{
    char text[FAILURE_MESSAGE_MAX];
    struct span url = utf8_cut(part->ref.url, 128);

    (void)snprintf(text, sizeof(text), "The %s at %.*s could not be taken: %s.",
                   part->ref.is_image ? "picture" : "file", SPAN_FMT(url), problem); /* fits */
    intake_fail(self, FAIL_INVALID_REQUEST, text);
}

static void on_fetched(void *arg, const struct fetch_end *end)
{
    struct intake_part *part = arg;
    struct intake *self = part->intake;
    struct input_got *got = &self->got[part - self->parts];
    const char *problem = end->problem;

    part->fetch = NULL;
    if (!problem) {
        got->bytes = *end->bytes;
        *end->bytes = (struct text_buf){ 0 };
        (void)snprintf(got->mime, sizeof(got->mime), "%s", end->mime);
        self->bytes += got->bytes.len;
        problem = self->bytes > INTAKE_BYTES_MAX ? "all of them are larger than 20 MiB together"
                  : part->ref.is_image           ? image_check(&self->in.images, got)
                                                 : file_check(&self->in.files, got);
    }
    if (problem) {
        part_fail(self, part, problem); /* self is gone from here on */
    } else if (--self->left_n == 0) {
        intake_finish(self);
    }
}

/* --- asking --------------------------------------------------------------------------------------- */

static int parts_start(struct intake *self)
{
    struct input_ref refs[INPUTS_MAX];
    int rc = 0;

    self->parts_n = inputs_list(self->in.messages, refs);
    self->left_n = self->parts_n;
    for (uint32_t i = 0; !rc && i < self->parts_n; i++) {
        const struct type_run_input_rules *rules = refs[i].is_image ? &self->in.images : &self->in.files;
        struct fetch_limits limits = { .hosts = rules->hosts,
                                       .bytes_max = rules->bytes_max,
                                       .redirects_max = rules->redirects_max,
                                       .timeout_ms = rules->timeout_ms };

        self->parts[i] = (struct intake_part){ .intake = self, .ref = refs[i] };
        rc = fetch_start(&self->owner->engine.http, refs[i].url, &limits, on_fetched, &self->parts[i],
                         &self->parts[i].fetch);
    }
    return rc;
}

int intake_begin(struct agent *self, struct asker *asker, struct span body)
{
    struct intake *intake = mem_new(sizeof(*intake));
    char problem[PROVIDER_TEXT_MAX];
    int rc;

    intake->owner = self;
    intake->asker = asker;
    intake->next = self->intakes;
    self->intakes = intake;
    self->intakes_n++;
    if (self->intakes_n > INTAKES_MAX) {
        intake_fail(intake, FAIL_UNAVAILABLE, "too many requests wait for what they want to have fetched");
        return 0;
    }
    rc = text_buf_add(&intake->body, body);
    rc =
        rc ? rc
           : codec_decode(MSG_AGENT_RUN->type, (struct span){ intake->body.data, intake->body.len }, &intake->in, NULL);
    if (rc) {
        return FAULT_FOLD(rc); /* it was decoded once before */
    }
    if (!intake->in.has_images || !intake->in.has_files) {
        intake_fail(intake, FAIL_INVALID_REQUEST, "nothing is fetched without limits");
        return 0;
    }
    rc = provider_engine_open(&self->engine, PROVIDER_API_OPENAI_COMPLETIONS, problem);
    if (rc > 0) {
        intake_fail(intake, FAIL_UNAVAILABLE, problem);
        return 0;
    }
    return rc ? rc : parts_start(intake);
}

void intake_cancel(struct agent *self, struct asker *asker)
{
    for (struct intake *intake = self->intakes; intake; intake = intake->next) {
        if (intake->asker == asker) {
            intake_free(intake);
            return;
        }
    }
}

void intake_close(struct agent *self)
{
    while (self->intakes) {
        intake_free(self->intakes);
    }
}
