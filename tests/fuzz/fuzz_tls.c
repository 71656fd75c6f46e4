/* The TLS layer before anybody is trusted: whatever comes, in whatever pieces, nothing of it passes for text, little
 * is answered, and the end is told once. Also the spelling of fingerprints. */
#include <string.h>

#include "edge/listener/tls.h"
#include "tests/fuzz/fuzz.h"

#define WIRE_MAX 65536U

static struct tls_server server;

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char dir[] = "/tmp/openclaw-fuzz-tls-XXXXXX";
    struct gateway_tls_files files = { .is_enabled = true, .may_be_made = true };
    struct config_error error = { "" };
    bool is_made = false;

    (void)argc;
    (void)argv;
    FUZZ_HOLD(mkdtemp(dir) != NULL);
    (void)snprintf(files.cert, sizeof(files.cert), "%s/cert.pem", dir);
    (void)snprintf(files.key, sizeof(files.key), "%s/key.pem", dir);
    FUZZ_HOLD(gateway_tls_ensure(&files, &is_made, &error) == 0 && is_made);
    FUZZ_HOLD(tls_server_load(&files, &server, &error) == 0);
    (void)remove(files.cert);
    (void)remove(files.key);
    (void)remove(dir);
    return 0;
}

static void fingerprint_check(const uint8_t *data, size_t size)
{
    char text[128];
    char parsed[GATEWAY_TLS_FINGERPRINT_MAX];
    char again[GATEWAY_TLS_FINGERPRINT_MAX];

    size = size < sizeof(text) ? size : sizeof(text) - 1;
    memcpy(text, data, size);
    text[size] = '\0';
    if (gateway_tls_fingerprint_parse(text, parsed)) {
        FUZZ_HOLD(strlen(parsed) == GATEWAY_TLS_FINGERPRINT_MAX - 1);
        FUZZ_HOLD(gateway_tls_fingerprint_parse(parsed, again) && strcmp(parsed, again) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tls *tls = tls_new(&server);
    size_t step = size ? 1 + (size_t)data[0] * 8 : 1;
    uint8_t text[512];
    int r = TLS_E_WANT;

    FUZZ_HOLD(tls != NULL);
    for (size_t at = 1; at < size && r == TLS_E_WANT; at += step) {
        size_t len = 0;

        tls_feed(tls, (struct span){ (const char *)data + at, size - at < step ? size - at : step });
        r = tls_read(tls, text, sizeof(text), &len);
        FUZZ_HOLD(r != 0 && len == 0); /* nobody can finish a handshake by chance */
        FUZZ_HOLD(!tls->is_open);
        FUZZ_HOLD(tls->wire.len <= WIRE_MAX);
        FUZZ_HOLD(r != TLS_E_WANT || tls->input.len == 0);
    }
    tls_end(tls);
    tls_destroy(&tls);
    FUZZ_HOLD(tls == NULL);
    fingerprint_check(data, size);
    return 0;
}
