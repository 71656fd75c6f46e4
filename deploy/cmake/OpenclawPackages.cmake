find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# Asked anew at every configure: of the results that are kept, an -isystem comes back as a flag and no longer as a folder,
# and every command line of the second configure would differ from the first.
foreach(package ZMQ@libzmq CZMQ@libczmq UV@libuv LWS@libwebsockets JANSSON@jansson
        CRYPTO@libcrypto SODIUM@libsodium SSL@libssl CURL@libcurl SQLITE@sqlite3
        NGHTTP2@libnghttp2)
  string(REPLACE "@" ";" package "${package}")
  list(GET package 0 prefix)
  list(GET package 1 module)
  unset(__pkg_config_checked_${prefix} CACHE)
  pkg_check_modules(${prefix} REQUIRED IMPORTED_TARGET ${module})
endforeach()

# msgpack-c 4 of Debian 12 ships no pkg-config name that is stable across releases.
find_path(MSGPACK_INCLUDE_DIR msgpack.h REQUIRED)
find_library(MSGPACK_LIBRARY NAMES msgpackc msgpack-c REQUIRED)
add_library(msgpack_c INTERFACE)
target_include_directories(msgpack_c SYSTEM INTERFACE "${MSGPACK_INCLUDE_DIR}")
target_link_libraries(msgpack_c INTERFACE "${MSGPACK_LIBRARY}")
