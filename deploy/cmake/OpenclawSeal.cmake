# Every folder names its files by what they do (store.c exports store_*), so two actors may well export the same
# name. Sealing makes one object of a folder's library that shows the names given here and nothing else, so that
# actors in one program can neither clash nor reach into each other.
#
#   openclaw_seal(actor_auth auth_actor)   makes actor_auth_sealed, to be linked in place of actor_auth
function(openclaw_seal target)
    set(object "${CMAKE_CURRENT_BINARY_DIR}/${target}_sealed.o")
    list(TRANSFORM ARGN PREPEND "--keep-global-symbol=" OUTPUT_VARIABLE keep)
    add_custom_command(
        OUTPUT "${object}"
        COMMAND ${CMAKE_LINKER} -r -o "${object}.all" --whole-archive "$<TARGET_FILE:${target}>"
        COMMAND ${CMAKE_OBJCOPY} ${keep} "${object}.all" "${object}"
        DEPENDS ${target}
        COMMENT "Sealing ${target}"
        VERBATIM)
    add_custom_target(${target}_seal DEPENDS "${object}")
    add_library(${target}_sealed INTERFACE)
    add_dependencies(${target}_sealed ${target}_seal)
    # What the folder itself is built upon is still found outside.
    get_target_property(libraries ${target} LINK_LIBRARIES)
    target_link_libraries(${target}_sealed INTERFACE "${object}" ${libraries})
endfunction()
