/* The generated tables, and the protocol's words for params that break them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/codec.h"
#include "bus/json.h"
#include "bus/value.h"
#include "schema_gen.h"

static void the_registry_is_sorted_and_complete(void **state)
{
    (void)state;
    for (size_t i = 1; i < schema_registry.msgs_n; i++) {
        const struct schema_msg *a = schema_registry.msgs[i - 1];
        const struct schema_msg *b = schema_registry.msgs[i];
        int order = strcmp(a->name, b->name);

        assert_true(order < 0 || (order == 0 && a->kind != SCHEMA_MSG_TOPIC && b->kind == SCHEMA_MSG_TOPIC));
    }
    for (size_t i = 0; i < schema_registry.msgs_n; i++) {
        const struct schema_msg *msg = schema_registry.msgs[i];
        struct span name = { msg->name, msg->name_len };

        assert_int_equal(strlen(msg->name), msg->name_len);
        if (msg->kind == SCHEMA_MSG_TOPIC) {
            assert_ptr_equal(schema_find_topic(&schema_registry, name), msg);
        } else {
            assert_ptr_equal(schema_find(&schema_registry, name), msg);
        }
        assert_true(msg->type->fields_n <= 64);
        assert_true(msg->max_bytes > 0);
    }
}

static void a_call_and_a_topic_may_share_a_name(void **state)
{
    (void)state;
    assert_ptr_equal(schema_find(&schema_registry, SPAN_LIT("health")), MSG_HEALTH);
    assert_ptr_equal(schema_find_topic(&schema_registry, SPAN_LIT("health")), EVENT_HEALTH);
    assert_ptr_equal(schema_find(&schema_registry, SPAN_LIT("chat")), EVENT_CHAT);
    assert_ptr_equal(schema_find_topic(&schema_registry, SPAN_LIT("chat")), EVENT_CHAT);
    assert_null(schema_find_topic(&schema_registry, SPAN_LIT("chat.send")));
}

static void unknown_names_are_not_found(void **state)
{
    static const char *const unknown[] = { "", "a", "chat.", "chat.sen", "chat.sends", "zzz", "CHAT.SEND" };

    (void)state;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_null(schema_find(&schema_registry, span_from(unknown[i])));
        assert_null(schema_find_topic(&schema_registry, span_from(unknown[i])));
    }
    assert_null(schema_find(&(struct schema_registry){ 0 }, SPAN_LIT("health")));
}

static void methods_and_events_carry_their_rows(void **state)
{
    const struct schema_method *send = schema_method_of(MSG_CHAT_SEND);
    const struct schema_event *chat = schema_event_of(EVENT_CHAT);

    (void)state;
    assert_string_equal(send->owner, "router");
    assert_string_equal(send->scope, "operator.write");
    assert_int_equal(send->idempotency, SCHEMA_IDEMPOTENCY_REQUIRED);
    assert_true(send->flags & SCHEMA_METHOD_ADVERTISED);
    assert_null(schema_method_of(MSG_HEALTH)->scope);
    assert_true(schema_method_of(MSG_CONNECT)->flags & SCHEMA_METHOD_HANDSHAKE);
    assert_true(schema_method_of(MSG_CHAT_HISTORY)->flags & SCHEMA_METHOD_LATE);
    assert_null(schema_method_of(NULL));
    assert_null(schema_method_of(EVENT_CHAT));
    assert_string_equal(chat->scope, "operator.read");
    assert_true(EVENT_CHAT->flags & SCHEMA_DROPPABLE_DELTA);
    assert_true(EVENT_PRESENCE->flags & SCHEMA_DROPPABLE);
    assert_int_equal(EVENT_AGENT->flags & (SCHEMA_DROPPABLE | SCHEMA_DROPPABLE_DELTA), 0);
    assert_int_equal(chat->delivery, SCHEMA_DELIVERY_BROADCAST);
    assert_true(schema_event_of(EVENT_HEALTH)->flags & SCHEMA_EVENT_STATE_VERSION);
    assert_null(schema_event_of(MSG_CHAT_SEND));
    assert_null(schema_event_of(NULL));
}

static void what_nobody_serves_is_found_with_its_scope_and_capability(void **state)
{
    (void)state;
    assert_true(schema_laters_n > 0);
    for (size_t i = 0; i < schema_laters_n; i++) {
        const struct schema_later *row = &schema_laters[i];
        struct span name = span_from(schema_later_text + row->name);

        assert_ptr_equal(schema_later_find(name), row);
        assert_null(schema_find(&schema_registry, name));
        assert_true(strlen(schema_later_capability(row)) > 1);
        assert_null(schema_later_find((struct span){ name.ptr, 1 }));
    }
    assert_null(schema_later_find((struct span){ NULL, 0 }));
    assert_null(schema_later_find(SPAN_LIT("chat.send")));
    assert_null(schema_later_find(SPAN_LIT("no.such.method")));
}

static void a_scope_grants_itself_and_what_it_includes(void **state)
{
    uint32_t all = 0;

    (void)state;
    for (size_t i = 0; i < schema_scopes_n; i++) {
        assert_true(schema_scopes[i].grants >> i & 1U);
        all |= schema_scopes[i].grants;
    }
    for (size_t i = 0; i < schema_scopes_n; i++) {
        if (strcmp(schema_scopes[i].name, "operator.admin") == 0) {
            assert_int_equal(schema_scopes[i].grants, all);
        }
    }
}

static void every_failure_has_a_code_for_clients(void **state)
{
    (void)state;
    assert_string_equal(schema_error_find(FAIL_INVALID_REQUEST)->wire, "INVALID_REQUEST");
    assert_string_equal(schema_error_find(FAIL_UNKNOWN_METHOD)->wire, "INVALID_REQUEST");
    assert_string_equal(schema_error_find(FAIL_TIMEOUT)->wire, "UNAVAILABLE");
    assert_string_equal(schema_error_find(FAIL_NOT_PAIRED)->wire, "NOT_PAIRED");
    assert_true(schema_error_find(FAIL_UNAVAILABLE)->retryable);
    assert_false(schema_error_find(FAIL_INVALID_REQUEST)->retryable);
    assert_int_equal(schema_error_find(99999)->code, FAIL_INTERNAL);
    for (size_t i = 1; i < schema_errors_n; i++) {
        assert_true(schema_errors[i - 1].code < schema_errors[i].code);
    }
}

/* --- params --------------------------------------------------------------------------- */

static struct span file_read(const char *path, struct text_buf *out)
{
    FILE *file = fopen(path, "rb");
    char part[4096];
    size_t n;

    assert_non_null(file);
    while ((n = fread(part, 1, sizeof(part), file)) > 0) {
        assert_int_equal(text_buf_add(out, (struct span){ part, n }), 0);
    }
    assert_int_equal(fclose(file), 0);
    return (struct span){ out->data, out->len };
}

static const struct schema_type *type_of(struct span method)
{
    const struct schema_msg *msg = schema_find(&schema_registry, method);

    if (span_is_text(method, "frame")) {
        return TYPE_REQUEST_FRAME;
    }
    assert_non_null(msg);
    return msg->type;
}

/* What came through must decode, encode, and be the same JSON without its table. */
static void assert_accepted(const struct schema_type *type, struct span body, struct span text)
{
    struct text_buf out = { 0 };
    void *decoded = malloc(type->size);
    struct pack again;

    assert_non_null(decoded);
    assert_int_equal(json_from_value(body, &out), 0);
    assert_true(span_is((struct span){ out.data, out.len }, text));
    assert_int_equal(codec_decode(type, body, decoded, NULL), 0);
    pack_init(&again, 0);
    assert_int_equal(codec_encode(type, decoded, &again, NULL), 0);
    pack_deinit(&again);
    free(decoded);
    text_buf_deinit(&out);
}

static void case_check(struct span one)
{
    struct span method = value_str(value_get(one, "method"), (struct span){ 0 });
    struct span errors = value_str(value_get(one, "errors"), (struct span){ 0 });
    struct json_opts opts = { .type = type_of(method) };
    struct text_buf text = { 0 };
    struct json_error error;
    struct pack pack;
    int r;

    pack_init(&pack, 0);
    assert_int_equal(json_from_value(value_get(one, "params"), &text), 0);
    r = json_to_pack((struct span){ text.data, text.len }, &opts, &pack, &error);
    if (errors.len == 0) {
        assert_int_equal(r, 0);
        assert_accepted(opts.type, pack_span(&pack), (struct span){ text.data, text.len });
    } else {
        assert_int_equal(r, JSON_E_SCHEMA);
        if (!span_is_text(errors, error.message)) {
            fail_msg("%.*s %.*s\n  got  %s\n  want %.*s", SPAN_FMT(method), (int)text.len, text.data, error.message,
                     SPAN_FMT(errors));
        }
    }
    text_buf_deinit(&text);
    pack_deinit(&pack);
}

static void params_are_refused_in_the_words_of_the_protocol(void **state)
{
    struct json_opts opts = { 0 };
    struct text_buf file = { 0 };
    struct value_iter it;
    struct pack cases;
    struct span none;
    struct span one;

    (void)state;
    pack_init(&cases, 0);
    assert_int_equal(json_to_pack(file_read(TEST_DATA "/protocol/validation.json", &file), &opts, &cases, NULL), 0);
    it = value_iter(value_get(pack_span(&cases), "cases"));
    assert_true(it.left > 100);
    while (value_next(&it, &none, &one)) {
        case_check(one);
    }
    pack_deinit(&cases);
    text_buf_deinit(&file);
}

static void the_first_error_names_its_path(void **state)
{
    struct json_opts opts = { .type = MSG_CONNECT->type };
    struct json_error error;
    struct pack pack;

    (void)state;
    pack_init(&pack, 0);
    assert_int_equal(json_to_pack(SPAN_LIT("{\"minProtocol\":3,\"maxProtocol\":3,\"client\":{\"id\":\"nobody\","
                                           "\"version\":\"1\",\"platform\":\"x\",\"mode\":\"cli\"}}"),
                                  &opts, &pack, &error),
                     JSON_E_SCHEMA);
    assert_string_equal(error.schema.path, "client/id");
    assert_string_equal(error.schema.text, "must be equal to one of the allowed values");
    assert_int_equal(json_to_pack(SPAN_LIT("{}"), &opts, &pack, NULL), JSON_E_SCHEMA);
    pack_deinit(&pack);
}

static void the_tail_is_appended_and_cannot_be_sent(void **state)
{
    struct type_client client = { .conn_id = SPAN_LIT("c1"),
                                  .role = SPAN_LIT("operator"),
                                  .principal = SPAN_LIT("me") };
    struct json_opts opts = { .type = MSG_CHAT_HISTORY->type, .tail_n = 1 };
    struct msg_chat_history in;
    struct json_error error;
    struct pack tail;
    struct pack pack;

    (void)state;
    pack_init(&tail, 0);
    pack_str(&tail, SPAN_LIT("_client"));
    assert_int_equal(codec_encode(TYPE_CLIENT, &client, &tail, NULL), 0);
    opts.tail = pack_span(&tail);
    pack_init(&pack, 0);
    assert_int_equal(json_to_pack(SPAN_LIT("{\"sessionKey\":\"main\"}"), &opts, &pack, NULL), 0);
    assert_int_equal(codec_decode(MSG_CHAT_HISTORY->type, pack_span(&pack), &in, NULL), 0);
    assert_true(in.has_client && span_is_text(in.client.conn_id, "c1"));
    pack_reset(&pack);
    /* Equal keys go the slow way and must get the tail as well. */
    assert_int_equal(json_to_pack(SPAN_LIT("{\"sessionKey\":7,\"sessionKey\":\"main\"}"), &opts, &pack, NULL), 0);
    assert_int_equal(codec_decode(MSG_CHAT_HISTORY->type, pack_span(&pack), &in, NULL), 0);
    assert_true(in.has_client && span_is_text(in.session_key, "main"));
    pack_reset(&pack);
    assert_int_equal(json_to_pack(SPAN_LIT("{\"sessionKey\":\"main\",\"_client\":{}}"), &opts, &pack, &error),
                     JSON_E_SCHEMA);
    assert_string_equal(error.message, "at root: unexpected property '_client'");
    opts.type = NULL;
    assert_int_equal(json_to_pack(SPAN_LIT("[]"), &opts, &pack, &error), JSON_E_SCHEMA);
    assert_string_equal(error.message, "must be object");
    assert_int_equal(json_to_pack(SPAN_LIT("{}"), &opts, &pack, &error), 0);
    assert_int_equal(value_count(pack_span(&pack)), 1);
    pack_deinit(&pack);
    pack_deinit(&tail);
}

static void an_open_table_leaves_out_what_it_does_not_know(void **state)
{
    struct json_opts opts = { .type = MSG_HEALTH->type };
    struct json_error error;
    struct pack pack;

    (void)state;
    pack_init(&pack, 0);
    assert_int_equal(json_to_pack(SPAN_LIT("{\"x\":[1,{\"y\":2}],\"probe\":true,\"z\":null}"), &opts, &pack, NULL), 0);
    assert_int_equal(value_count(pack_span(&pack)), 1);
    assert_true(value_bool(value_get(pack_span(&pack), "probe"), false));
    pack_reset(&pack);
    assert_int_equal(json_to_pack(SPAN_LIT("{\"x\":[1,}"), &opts, &pack, &error), JSON_E_SYNTAX);
    assert_int_equal(json_to_pack(SPAN_LIT("{\"_client\":{}}"), &opts, &pack, &error), JSON_E_SCHEMA);
    assert_string_equal(error.message, "at root: unexpected property '_client'");
    pack_deinit(&pack);
}

static void a_syntax_error_wins_over_a_broken_rule(void **state)
{
    struct json_opts opts = { .type = MSG_CHAT_SEND->type };
    struct json_error error;
    struct pack pack;

    (void)state;
    pack_init(&pack, 0);
    assert_int_equal(json_to_pack(SPAN_LIT("{\"bogus\":1,\"x\":}"), &opts, &pack, &error), JSON_E_SYNTAX);
    assert_string_equal(error.expected, "a value");
    assert_int_equal(error.column, 16);
    pack_deinit(&pack);
}

static void a_message_too_long_is_cut_at_a_character(void **state)
{
    struct json_opts opts = { .type = MSG_AGENTS_LIST->type };
    struct json_error error;
    struct text_buf text = { 0 };
    struct pack pack;
    char key[64];

    (void)state;
    assert_int_equal(text_buf_add(&text, SPAN_LIT("{")), 0);
    for (int i = 0; i < 100; i++) {
        int len = snprintf(key, sizeof(key), "%s\"ключ%d\":1", i ? "," : "", i);

        assert_int_equal(text_buf_add(&text, (struct span){ key, (size_t)len }), 0);
    }
    assert_int_equal(text_buf_add(&text, SPAN_LIT("}")), 0);
    pack_init(&pack, 0);
    assert_int_equal(json_to_pack((struct span){ text.data, text.len }, &opts, &pack, &error), JSON_E_SCHEMA);
    assert_true(strlen(error.message) > 900);
    opts.type = NULL;
    text.len = 0;
    assert_int_equal(json_from_text(span_from(error.message), &text), 0);
    assert_null(memmem(text.data, text.len, "\xef\xbf\xbd", 3));
    pack_deinit(&pack);
    text_buf_deinit(&text);
}

static void secrets_of_the_handshake_are_redacted(void **state)
{
    struct json_opts opts = { 0 };
    struct text_buf text = { 0 };
    struct pack in;
    struct pack out;

    (void)state;
    pack_init(&in, 0);
    pack_init(&out, 0);
    assert_int_equal(json_to_pack(SPAN_LIT("{\"auth\":{\"token\":\"t\",\"password\":\"p\"},\"role\":\"operator\"}"),
                                  &opts, &in, NULL),
                     0);
    assert_int_equal(codec_redact(MSG_CONNECT->type, pack_span(&in), &out), 0);
    assert_int_equal(json_from_value(pack_span(&out), &text), 0);
    assert_true(
        span_is_text((struct span){ text.data, text.len },
                     "{\"auth\":{\"token\":\"[redacted]\",\"password\":\"[redacted]\"},\"role\":\"operator\"}"));
    text_buf_deinit(&text);
    pack_deinit(&in);
    pack_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_registry_is_sorted_and_complete),
        cmocka_unit_test(a_call_and_a_topic_may_share_a_name),
        cmocka_unit_test(unknown_names_are_not_found),
        cmocka_unit_test(methods_and_events_carry_their_rows),
        cmocka_unit_test(what_nobody_serves_is_found_with_its_scope_and_capability),
        cmocka_unit_test(a_scope_grants_itself_and_what_it_includes),
        cmocka_unit_test(every_failure_has_a_code_for_clients),
        cmocka_unit_test(params_are_refused_in_the_words_of_the_protocol),
        cmocka_unit_test(the_first_error_names_its_path),
        cmocka_unit_test(the_tail_is_appended_and_cannot_be_sent),
        cmocka_unit_test(an_open_table_leaves_out_what_it_does_not_know),
        cmocka_unit_test(a_syntax_error_wins_over_a_broken_rule),
        cmocka_unit_test(a_message_too_long_is_cut_at_a_character),
        cmocka_unit_test(secrets_of_the_handshake_are_redacted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
