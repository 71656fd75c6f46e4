/*
 * What the archives of libzmq and czmq ask for and the bus never uses: the transports PGM
 * and NORM, GSSAPI, sockets from systemd, czmq's UUIDs. Linked in place of the libraries
 * (see OpenclawStatic.cmake), which bring twenty more.
 *
 * An endpoint of the bus is inproc, ipc or tcp, and its only mechanism is CURVE, so no call
 * comes here but the few defined in full.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int pgm_init(void **error);
int pgm_shutdown(void);
int sd_listen_fds(int unset_environment);
size_t strlcpy(char *to, const char *from, size_t cap);

/* "Ready": there is nothing to make ready. A refusal would be fatal to libzmq. */
int pgm_init(void **error)
{
    (void)error;
    return 1;
}

int pgm_shutdown(void)
{
    return 1;
}

/* "None": the listening sockets are the supervising process's own. */
int sd_listen_fds(int unset_environment)
{
    (void)unset_environment;
    return 0;
}

/* What libzmq has from libbsd: as much of `from` as fits, terminated; the length of all. */
size_t strlcpy(char *to, const char *from, size_t cap)
{
    size_t len = strlen(from);

    if (cap) {
        size_t n = len < cap ? len : cap - 1;

        memcpy(to, from, n);
        to[n] = '\0';
    }
    return len;
}

/* The rest says loudly that somebody uses what this program is built without. */
static void absent(void)
{
    static const char text[] = "openclaw: built without PGM, NORM, GSSAPI and UUIDs of czmq\n";

    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    abort();
}

#define ABSENT(name) void name(void) __attribute__((alias("absent")))

ABSENT(NormCreateInstance);
ABSENT(NormCreateSession);
ABSENT(NormDestroyInstance);
ABSENT(NormDestroySession);
ABSENT(NormGetDescriptor);
ABSENT(NormGetNextEvent);
ABSENT(NormGetRandomSessionId);
ABSENT(NormIsUnicastAddress);
ABSENT(NormNodeDelete);
ABSENT(NormObjectGetType);
ABSENT(NormObjectGetUserData);
ABSENT(NormObjectSetUserData);
ABSENT(NormSetCongestionControl);
ABSENT(NormSetDefaultSyncPolicy);
ABSENT(NormSetDefaultUnicastNack);
ABSENT(NormSetLoopback);
ABSENT(NormSetMulticastInterface);
ABSENT(NormSetRxPortReuse);
ABSENT(NormSetTTL);
ABSENT(NormStartReceiver);
ABSENT(NormStartSender);
ABSENT(NormStopInstance);
ABSENT(NormStopReceiver);
ABSENT(NormStopSender);
ABSENT(NormStreamFlush);
ABSENT(NormStreamOpen);
ABSENT(NormStreamRead);
ABSENT(NormStreamSeekMsgStart);
ABSENT(NormStreamWrite);

ABSENT(gss_accept_sec_context);
ABSENT(gss_acquire_cred);
ABSENT(gss_delete_sec_context);
ABSENT(gss_display_name);
ABSENT(gss_import_name);
ABSENT(gss_init_sec_context);
ABSENT(gss_release_buffer);
ABSENT(gss_release_cred);
ABSENT(gss_release_name);
ABSENT(gss_unwrap);
ABSENT(gss_wrap);

ABSENT(pgm_bind3);
ABSENT(pgm_close);
ABSENT(pgm_connect);
ABSENT(pgm_error_free);
ABSENT(pgm_free);
ABSENT(pgm_freeaddrinfo);
ABSENT(pgm_getaddrinfo);
ABSENT(pgm_getsockopt);
ABSENT(pgm_gsi_create_from_data);
ABSENT(pgm_recvmsgv);
ABSENT(pgm_send);
ABSENT(pgm_setsockopt);
ABSENT(pgm_socket);

ABSENT(sd_is_socket_inet);
ABSENT(sd_is_socket_unix);
ABSENT(uuid_generate);

/* Constants of theirs, whose values nobody reads. */
extern const void *const GSS_C_NT_HOSTBASED_SERVICE;
extern const void *const GSS_C_NT_USER_NAME;
extern const void *const NORM_INSTANCE_INVALID;
extern const void *const NORM_NODE_ANY;
extern const void *const NORM_OBJECT_INVALID;
extern const void *const NORM_SESSION_INVALID;

const void *const GSS_C_NT_HOSTBASED_SERVICE = NULL;
const void *const GSS_C_NT_USER_NAME = NULL;
const void *const NORM_INSTANCE_INVALID = NULL;
const void *const NORM_NODE_ANY = NULL;
const void *const NORM_OBJECT_INVALID = NULL;
const void *const NORM_SESSION_INVALID = NULL;
