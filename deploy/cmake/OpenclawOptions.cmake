# Warnings, sanitizers and the include root hang on this one interface target.
add_library(openclaw_options INTERFACE)
target_include_directories(openclaw_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(openclaw_options INTERFACE _GNU_SOURCE OPENCLAW_VERSION="${PROJECT_VERSION}")
target_compile_options(
    openclaw_options
    INTERFACE -Wall
              -Wextra
              -Wshadow
              -Wconversion
              -Wsign-conversion
              -Wstrict-prototypes
              -Wmissing-prototypes
              -Wpointer-arith
              -Wcast-qual
              -Wwrite-strings
              -Wundef
              -Wvla
              -Wformat=2
              -fno-strict-aliasing
              -fstack-protector-strong)
if(OPENCLAW_WERROR)
    target_compile_options(openclaw_options INTERFACE -Werror)
endif()
if(OPENCLAW_SANITIZE)
    target_compile_options(openclaw_options INTERFACE -fsanitize=${OPENCLAW_SANITIZE} -fno-omit-frame-pointer
                                                      -fno-sanitize-recover=all)
    target_link_options(openclaw_options INTERFACE -fsanitize=${OPENCLAW_SANITIZE})
else()
    target_compile_options(openclaw_options INTERFACE $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>)
endif()
if(OPENCLAW_FUZZ)
    # Everything is instrumented; only the harnesses link libFuzzer's own main.
    target_compile_options(openclaw_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
