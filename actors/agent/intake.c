#include "actors/agent/intake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/fetch.h"
#include "actors/agent/reading.h"
#include "actors/agent/transcript.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/base/utf8.h"
#include "bus/codec.h"
#include "bus/value.h"
#include "schema/base/base64.h"
#include "schema/base/picture.h"
#include "schema_gen.h"

struct intake_part {
    struct intake *intake;
    struct fetch *fetch;     /* NULL: it has ended, or is not needed */
    struct reading *reading; /* the same */
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
        reading_cancel(&self->parts[i].reading);
        input_got_deinit(&self->got[i]);
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

static const char *text_check(const struct type_run_input_rules *rules, struct input_got *got)
{
    struct span text = { got->bytes.data ? got->bytes.data : "", got->bytes.len };

    if (!utf8_is_valid(text)) {
        return "it is not text in UTF-8";
    }
    got->bytes.len = utf8_cut_chars(text, rules->chars_max).len;
    return NULL;
}

static const char *file_check(const struct type_run_input_rules *rules, struct input_got *got)
{
    if (!is_listed(rules->mimes, got->mime)) {
        return "it is of a type that is not taken here";
    }
    return reading_is_needed(got->mime) ? NULL : text_check(rules, got);
}

static void part_fail(struct intake *self, const struct intake_part *part, const char *problem)
{
    char text[FAILURE_MESSAGE_MAX];
    struct span url = part->ref.base64.len ? SPAN_LIT("the request") : utf8_cut(part->ref.url, 128);

    (void)snprintf(text, sizeof(text), "The %s %s %.*s could not be taken: %s.",
                   part->ref.is_image ? "picture" : "file", part->ref.base64.len ? "in" : "at", SPAN_FMT(url),
                   problem); /* fits */
    intake_fail(self, FAIL_INVALID_REQUEST, text);
}

/* All of one part is there. */
static void part_finish(struct intake_part *part)
{
    struct intake *self = part->intake;
    const struct input_got *got = &self->got[part - self->parts];

    self->bytes += got->bytes.len;
    for (uint32_t i = 0; i < got->pages_n; i++) {
        self->bytes += got->pages[i].len;
    }
    if (self->bytes > INTAKE_BYTES_MAX) {
        part_fail(self, part, "all of them are larger than 20 MiB together"); /* self is gone from here on */
    } else if (--self->left_n == 0) {
        intake_finish(self);
    }
}

static void on_read(void *arg, const char *problem)
{
    struct intake_part *part = arg;

    part->reading = NULL;
    if (problem) {
        part_fail(part->intake, part, problem); /* the part is gone from here on */
    } else {
        part_finish(part);
    }
}

/* Its bytes are there, but for a form that models take. 0, or it was refused and the part is gone. */
static int part_read(struct intake_part *part)
{
    struct intake *self = part->intake;
    const struct type_run_input_rules *rules = &self->in.files;
    struct reading_limits limits = { .chars_min = rules->pdf_chars_min,
                                     .chars_max = rules->chars_max,
                                     .pixels_max = rules->pdf_pixels_max,
                                     .pages_max = rules->pdf_pages_max };
    char problem[CONVERT_PROBLEM_MAX];
    int rc = reading_start(&self->owner->converts, &self->got[part - self->parts], &limits, on_read, part, problem,
                           &part->reading);

    if (rc) {
        part_fail(self, part, problem);
    }
    return rc;
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
        problem = part->ref.is_image ? image_check(&self->in.images, got) : file_check(&self->in.files, got);
    }
    if (problem) {
        part_fail(self, part, problem); /* self is gone from here on */
    } else if (reading_is_needed(got->mime)) {
        (void)part_read(part); /* it has told what is wrong */
    } else {
        part_finish(part);
    }
}

/* --- asking --------------------------------------------------------------------------------------- */

static int part_fetch(struct intake_part *part)
{
    struct intake *self = part->intake;
    const struct type_run_input_rules *rules = part->ref.is_image ? &self->in.images : &self->in.files;
    struct fetch_limits limits = { .hosts = rules->hosts,
                                   .bytes_max = rules->bytes_max,
                                   .redirects_max = rules->redirects_max,
                                   .timeout_ms = rules->timeout_ms };

    return fetch_start(&self->owner->engine.http, part->ref.url, &limits, on_fetched, part, &part->fetch);
}

/* What came along. */
static int part_decode(struct intake_part *part)
{
    struct intake *self = part->intake;
    struct input_got *got = &self->got[part - self->parts];
    const char *problem = NULL;
    size_t bytes;

    (void)snprintf(got->mime, sizeof(got->mime), "%s", part->ref.is_image ? "image/heic" : "application/pdf");
    if (!base64_check(part->ref.base64, &bytes)) {
        problem = "its data is not base64";
    } else if (base64_decode(part->ref.base64, &got->bytes)) {
        return FAULT(-ENOMEM);
    }
    problem = problem              ? problem
              : part->ref.is_image ? image_check(&self->in.images, got)
                                   : file_check(&self->in.files, got);
    if (problem) {
        part_fail(self, part, problem); /* self is gone from here on */
        return CONVERT_E_FAILED;
    }
    return part_read(part);
}

/* 0, a fault, or a refusal that was told: then self is gone. */
static int parts_start(struct intake *self)
{
    struct input_ref refs[INPUTS_MAX];
    uint32_t n = inputs_list(self->in.messages, refs);
    int rc = 0;

    self->left_n = n;
    for (uint32_t i = 0; !rc && i < n; i++) {
        struct intake_part *part = &self->parts[self->parts_n++];

        *part = (struct intake_part){ .intake = self, .ref = refs[i] };
        rc = part->ref.base64.len ? part_decode(part) : part_fetch(part);
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
    rc = rc ? rc : parts_start(intake);
    return rc < 0 ? rc : 0;
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
