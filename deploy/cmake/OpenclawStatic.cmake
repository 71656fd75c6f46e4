# OPENCLAW_STATIC: what only the bus and the stores use is linked into the program, from Debian's own archives: czmq,
# libzmq, msgpack-c and SQLite. Shared, libzmq and czmq bring twenty-five libraries along that the bus never calls; each
# process of a gateway would load, relocate and keep them. OpenSSL, libsodium, libwebsockets, libnghttp2 and libcurl stay
# shared, so that their security updates arrive without a new build.
#
# libzmq's archive also asks for the transports PGM and NORM, for GSSAPI, systemd and libbsd; deploy/cmake/absent.c stands
# in for them.
find_library(ZMQ_ARCHIVE NAMES libzmq.a REQUIRED)
find_library(CZMQ_ARCHIVE NAMES libczmq.a REQUIRED)
find_library(SQLITE_ARCHIVE NAMES libsqlite3.a REQUIRED)
find_library(MSGPACK_ARCHIVE NAMES libmsgpackc.a libmsgpack-c.a REQUIRED)

execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=libstdc++.a OUTPUT_VARIABLE CXX_ARCHIVE
                OUTPUT_STRIP_TRAILING_WHITESPACE) # libzmq is written in C++
if(NOT EXISTS "${CXX_ARCHIVE}")
    message(FATAL_ERROR "libstdc++.a is missing: install libstdc++-12-dev, or configure with -DOPENCLAW_STATIC=OFF")
endif()

add_library(absent OBJECT "${CMAKE_CURRENT_LIST_DIR}/absent.c")

# Both hold a copy of one SHA-1, under the same names.
set(czmq_own "${CMAKE_BINARY_DIR}/libczmq_own.a")
add_custom_command(
    OUTPUT "${czmq_own}"
    COMMAND
        ${CMAKE_OBJCOPY} --redefine-sym sha1_init=czmq_sha1_init --redefine-sym sha1_loop=czmq_sha1_loop --redefine-sym
        sha1_pad=czmq_sha1_pad --redefine-sym sha1_result=czmq_sha1_result "${CZMQ_ARCHIVE}" "${czmq_own}"
    DEPENDS "${CZMQ_ARCHIVE}"
    COMMENT "Setting czmq's SHA-1 apart from libzmq's"
    VERBATIM)
add_custom_target(czmq_own DEPENDS "${czmq_own}")

# An archive comes before what it needs on every command line that links it, which only a target of its own tells CMake.
function(openclaw_archive name file)
    add_library(${name} STATIC IMPORTED)
    set_target_properties(${name} PROPERTIES IMPORTED_LOCATION "${file}" INTERFACE_LINK_LIBRARIES "${ARGN}")
endfunction()
openclaw_archive(zmq_archive "${ZMQ_ARCHIVE}" $<TARGET_OBJECTS:absent> "${CXX_ARCHIVE}" PkgConfig::SODIUM)
# Nothing of them shall be found by, and take the place of, what a shared library brings itself.
set_target_properties(zmq_archive PROPERTIES INTERFACE_LINK_OPTIONS "-static-libgcc;-Wl,--exclude-libs,ALL")
openclaw_archive(czmq_archive "${czmq_own}" zmq_archive)
add_dependencies(czmq_archive czmq_own)
openclaw_archive(sqlite_archive "${SQLITE_ARCHIVE}" m Threads::Threads ${CMAKE_DL_LIBS})
set_target_properties(PkgConfig::ZMQ PROPERTIES INTERFACE_LINK_LIBRARIES zmq_archive)
set_target_properties(PkgConfig::CZMQ PROPERTIES INTERFACE_LINK_LIBRARIES czmq_archive)
set_target_properties(PkgConfig::SQLITE PROPERTIES INTERFACE_LINK_LIBRARIES sqlite_archive)
set_target_properties(msgpack_c PROPERTIES INTERFACE_LINK_LIBRARIES "${MSGPACK_ARCHIVE}")
