/*
 * libcurl: the library itself, loaded when an agent first asks a provider over HTTP. It
 * brings some thirty others along, which a gateway that needs none of them shall neither
 * wait for at its start nor hold in memory.
 */
#ifndef ACTORS_AGENT_LIBCURL_H
#define ACTORS_AGENT_LIBCURL_H

#include <curl/curl.h>

/* Its functions, by their own names without "curl_". */
struct libcurl {
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_pause) *easy_pause;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_strerror) *easy_strerror;
    __typeof__(curl_global_init_mem) *global_init_mem;
    __typeof__(curl_multi_add_handle) *multi_add_handle;
    __typeof__(curl_multi_assign) *multi_assign;
    __typeof__(curl_multi_cleanup) *multi_cleanup;
    __typeof__(curl_multi_info_read) *multi_info_read;
    __typeof__(curl_multi_init) *multi_init;
    __typeof__(curl_multi_remove_handle) *multi_remove_handle;
    __typeof__(curl_multi_setopt) *multi_setopt;
    __typeof__(curl_multi_socket_action) *multi_socket_action;
    __typeof__(curl_slist_append) *slist_append;
    __typeof__(curl_slist_free_all) *slist_free_all;
};

/* NULL when every function is there, else the loader's words, to be read before it is used
 * again in this thread. Once loaded, the library stays until the process ends. */
const char *libcurl_load(struct libcurl *self);

#endif
