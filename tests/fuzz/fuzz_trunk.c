/* What another machine says before and around the words of actors: read or refused; what was read is written the same.
 */
#include <string.h>

#include "bus/trunk.h"
#include "tests/fuzz/fuzz.h"

static void hello_try(struct span body)
{
    struct trunk_hello hello;
    struct trunk_hello again;
    struct pack pack;

    if (trunk_hello_read(body, &hello)) {
        pack_init(&pack, TRUNK_BODY_MAX);
        trunk_hello_pack(&hello, &pack);
        FUZZ_HOLD(trunk_hello_read(pack_span(&pack), &again) && memcmp(&hello, &again, sizeof(hello)) == 0);
        pack_deinit(&pack);
    }
}

static void welcome_try(struct span body)
{
    struct trunk_welcome welcome;
    struct trunk_welcome again;
    struct pack pack;

    if (trunk_welcome_read(body, &welcome)) {
        pack_init(&pack, TRUNK_BODY_MAX);
        trunk_welcome_pack(&welcome, &pack);
        FUZZ_HOLD(trunk_welcome_read(pack_span(&pack), &again) && memcmp(&welcome, &again, sizeof(welcome)) == 0);
        pack_deinit(&pack);
    }
}

static void refused_try(struct span body)
{
    struct trunk_refused refused;
    struct trunk_refused again;
    struct pack pack;

    if (trunk_refused_read(body, &refused)) {
        pack_init(&pack, TRUNK_BODY_MAX);
        trunk_refused_pack(&refused, &pack);
        FUZZ_HOLD(trunk_refused_read(pack_span(&pack), &again) && memcmp(&refused, &again, sizeof(refused)) == 0);
        pack_deinit(&pack);
    }
}

static void hangs_try(struct span body)
{
    struct trunk_hangs hangs;
    struct trunk_hangs again;
    struct pack pack;

    if (trunk_hangs_read(body, &hangs)) {
        pack_init(&pack, TRUNK_BODY_MAX);
        trunk_hangs_pack(&hangs, &pack);
        FUZZ_HOLD(trunk_hangs_read(pack_span(&pack), &again) && memcmp(&hangs, &again, sizeof(hangs)) == 0);
        pack_deinit(&pack);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = { (const char *)data, size };
    struct trunk_head head;
    uint8_t again[TRUNK_HEAD_LEN];

    if (trunk_head_decode(bytes, &head)) {
        trunk_head_encode(&head, again);
        FUZZ_HOLD(memcmp(again, data, sizeof(again)) == 0);
    }
    hello_try(bytes);
    welcome_try(bytes);
    refused_try(bytes);
    hangs_try(bytes);
    return 0;
}
