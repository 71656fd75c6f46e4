/*
 * Who is written to at the end of a turn: with the real queues of connections, and sockets of ours that take as much as
 * they like. What was queued for a connection leaves in its order, whatever it is a mixture of; what is said at once
 * leaves before bodies that are sent piece by piece; nobody is forgotten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "edge/listener/budget.h"
#include "edge/listener/conn_internal.h"
#include "edge/listener/edge.h"

#define SOCKETS 8U
#define STAGE 64U
#define ROUNDS 400U
#define WRITES_MAX 4096U /* of one turn */

/* A connection, and what has come out of it. */
struct wire {
    struct conn conn;
    struct text_buf said; /* all that was queued */
    struct text_buf seen; /* all that was written */
    size_t takes;         /* bytes of one write that the socket takes; SIZE_MAX: all */
    bool is_full;         /* it took a part, and says by itself when there is room again, as libwebsockets does */
    bool is_dead;
};

static struct {
    struct edge edge;
    uv_loop_t loop;
    struct wire wires[SOCKETS];
    struct conn *order[WRITES_MAX]; /* who was written to in this turn */
    size_t order_n;
    struct wire *victim; /* dies with the next write to anybody */
    uint32_t seed;
} rig;

/* --- in place of the real ones --------------------------------------------------------------------- */

static struct wire *wire_of(struct conn *conn)
{
    return CONTAINER_OF(conn, struct wire, conn);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

int conn_on_writable(struct conn *self)
{
    struct wire *wire = wire_of(self);
    char stage[STAGE];
    struct outq_run run = outq_peek(&self->out, stage, STAGE);
    size_t taken = least(run.len, wire->takes);

    assert_false(wire->is_dead || wire->is_full);
    assert_true(rig.order_n < WRITES_MAX);
    rig.order[rig.order_n++] = self;
    if (rig.victim) {
        flush_forget(&rig.victim->conn);
        rig.victim->is_dead = true;
        rig.victim = NULL;
    }
    assert_int_equal(text_buf_add(&wire->seen, (struct span){ run.ptr, taken }), 0);
    outq_consume(&self->out, taken);
    wire->is_full = taken < run.len;
    if (!outq_is_empty(&self->out) && !wire->is_full && !wire->is_dead) {
        flush_want(self);
    }
    return 0;
}

void conn_kill(struct conn *self)
{
    fail_msg("nobody is to be ended: %p", (void *)self);
}

void budget_relieve(struct edge *edge, struct quota *quota)
{
    (void)edge;
    (void)quota;
}

/* --- the rig ------------------------------------------------------------------------------------------ */

static int rig_open(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof(rig));
    rig.seed = 42;
    assert_int_equal(uv_loop_init(&rig.loop), 0);
    assert_int_equal(uv_idle_init(&rig.loop, &rig.edge.flush), 0);
    rig.edge.flush.data = &rig.edge;
    for (size_t i = 0; i < SOCKETS; i++) {
        rig.wires[i].conn.edge = &rig.edge;
        rig.wires[i].takes = SIZE_MAX;
    }
    return 0;
}

static int rig_close(void **state)
{
    (void)state;
    for (size_t i = 0; i < SOCKETS; i++) {
        outq_deinit(&rig.wires[i].conn.out);
        text_buf_deinit(&rig.wires[i].said);
        text_buf_deinit(&rig.wires[i].seen);
    }
    uv_close((uv_handle_t *)&rig.edge.flush, NULL);
    (void)uv_run(&rig.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&rig.loop);
}

static uint32_t dice(uint32_t sides)
{
    rig.seed = rig.seed * 1664525U + 1013904223U;
    return (rig.seed >> 8) % sides;
}

/* Bytes of its own, or a text that others hold as well, as the two kinds of frames are queued. */
static void say(struct wire *wire, const char *text, bool is_shared)
{
    struct outq *out = &wire->conn.out;

    outq_tidy(out);
    if (is_shared) {
        struct outq_text *shared = outq_text_new(span_from(text), &rig.edge.shared_bytes);

        assert_int_equal(outq_share(out, SPAN_LIT("<"), shared, SPAN_LIT(">"), 0), 0);
        assert_int_equal(text_buf_add(&wire->said, SPAN_LIT("<")), 0);
        outq_text_drop(&shared);
    } else {
        assert_int_equal(text_buf_add(&out->own, span_from(text)), 0);
    }
    assert_int_equal(text_buf_add(&wire->said, span_from(text)), 0);
    if (is_shared) {
        assert_int_equal(text_buf_add(&wire->said, SPAN_LIT(">")), 0);
    }
    if (!wire->is_full) {
        flush_want(&wire->conn);
    }
}

static bool is_over(void)
{
    for (size_t i = 0; i < SOCKETS; i++) {
        if (rig.wires[i].is_full && !rig.wires[i].is_dead) {
            return false;
        }
    }
    return !uv_is_active((uv_handle_t *)&rig.edge.flush);
}

/* Sockets that have room again are written to first. */
static void turn(void)
{
    rig.order_n = 0;
    for (size_t i = 0; i < SOCKETS; i++) {
        if (rig.wires[i].is_full && !rig.wires[i].is_dead) {
            rig.wires[i].is_full = false;
            (void)conn_on_writable(&rig.wires[i].conn);
        }
    }
    (void)uv_run(&rig.loop, UV_RUN_NOWAIT);
}

static void all_is_out(void)
{
    for (unsigned turns = 0; !is_over(); turns++) {
        assert_true(turns < 100000);
        turn();
    }
    for (size_t i = 0; i < SOCKETS; i++) {
        struct wire *wire = &rig.wires[i];

        assert_int_equal(wire->conn.flush, FLUSH_NONE);
        if (!wire->is_dead) {
            assert_true(outq_is_empty(&wire->conn.out));
            assert_int_equal(wire->seen.len, wire->said.len);
        }
        assert_true(wire->seen.len <= wire->said.len);
        assert_int_equal(wire->seen.len ? memcmp(wire->seen.data, wire->said.data, wire->seen.len) : 0, 0);
    }
}

/* --- what holds ----------------------------------------------------------------------------------------- */

static void leaves_in_its_order_in_every_mixture(void **state)
{
    unsigned number = 0;

    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned n = dice(12); n > 0; n--) {
            struct wire *wire = &rig.wires[dice(SOCKETS)];
            char text[32];

            wire->takes = dice(3) ? 1 + dice(40) : SIZE_MAX;
            wire->conn.is_streaming = dice(2); /* a body has begun, or is over, whatever waits */
            (void)snprintf(text, sizeof(text), "%u:%.*s;", number++, (int)dice(20), "abcdefghijklmnopqrst");
            say(wire, text, dice(3) == 0);
        }
        if (dice(3)) {
            turn();
        }
    }
    all_is_out();
    assert_true(number > ROUNDS);
}

static void what_is_said_at_once_leaves_first_and_in_the_same_turn(void **state)
{
    (void)state;
    for (size_t i = 0; i < SOCKETS; i++) {
        rig.wires[i].conn.is_streaming = i % 2 == 0;
        say(&rig.wires[i], "hello", false);
    }
    turn();
    for (size_t i = 0; i < SOCKETS / 2; i++) {
        assert_false(wire_of(rig.order[i])->conn.is_streaming);
        assert_ptr_equal(rig.order[i], &rig.wires[2 * i + 1].conn); /* as they were queued */
    }
    all_is_out();
}

static void one_with_much_to_say_has_its_turn_again_behind_the_others(void **state)
{
    char text[3 * STAGE + 1];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i < 2; i++) {
        say(&rig.wires[i], text, false);
    }
    for (unsigned writes = 0; writes < 3; writes++) {
        turn();
        assert_int_equal(rig.order_n, 2); /* each once in a turn */
        assert_ptr_equal(rig.order[0], &rig.wires[0].conn);
        assert_ptr_equal(rig.order[1], &rig.wires[1].conn);
    }
    assert_true(is_over());
    all_is_out();
}

static void what_comes_while_a_body_waits_leaves_behind_it(void **state)
{
    (void)state;
    rig.wires[0].conn.is_streaming = true;
    rig.wires[0].takes = 4;
    say(&rig.wires[0], "the body", false);
    rig.wires[0].conn.is_streaming = false; /* over; the next answer is said at once */
    say(&rig.wires[0], "the answer", false);
    turn();
    assert_int_equal(rig.wires[0].seen.len, 4);
    say(&rig.wires[0], "!", true);
    all_is_out();
    assert_int_equal(rig.wires[0].seen.len, strlen("the bodythe answer<!>"));
}

static void who_ends_in_the_middle_of_a_turn_takes_nobody_along(void **state)
{
    (void)state;
    for (size_t at = 0; at < SOCKETS; at++) {
        for (size_t i = 0; i < SOCKETS; i++) {
            rig.wires[i].conn.is_streaming = i >= SOCKETS / 2;
            if (!rig.wires[i].is_dead) {
                say(&rig.wires[i], "a line", i % 2);
            }
        }
        rig.victim = &rig.wires[SOCKETS - 1 - at];
        all_is_out();
    }
    assert_true(rig.wires[0].is_dead);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(leaves_in_its_order_in_every_mixture, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(what_is_said_at_once_leaves_first_and_in_the_same_turn, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(one_with_much_to_say_has_its_turn_again_behind_the_others, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(what_comes_while_a_body_waits_leaves_behind_it, rig_open, rig_close),
        cmocka_unit_test_setup_teardown(who_ends_in_the_middle_of_a_turn_takes_nobody_along, rig_open, rig_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
