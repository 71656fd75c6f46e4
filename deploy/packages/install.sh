# shellcheck shell=bash
# Sourced, not run. Installs what package lists name and dpkg does not have; does nothing else.
#
#   packages_missing LIST...     prints the missing packages
#   packages_install LIST...     installs them, as root or through sudo; explains itself when it cannot

packages_in() {
    sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' -- "$@"
}

packages_missing() {
    local package
    packages_in "$@" | while read -r package; do
        # One line per architecture; "not-installed" is another word dpkg knows.
        if ! dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -q -x installed; then
            printf '%s\n' "$package"
        fi
    done
}

# The words that make a command run as root; an error with the command to type when there is no way.
packages_as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        return 0
    fi
    # sudo asks for a password on the terminal that controls us, which `su -c` and the like take away.
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && (: </dev/tty) 2>/dev/null; }; }; then
        printf 'sudo\n'
        return 0
    fi
    return 1
}

packages_apt() {
    local as_root=$1 log=$2
    shift 2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        -o Acquire::Retries=2 "$@" >>"$log" 2>&1 </dev/null
}

packages_install() {
    local missing as_root log
    if ! command -v dpkg-query >/dev/null; then
        printf 'This is not a Debian system, so nothing is installed; needed is what %s names.\n' "$*" >&2
        return 0
    fi
    missing=$(packages_missing "$@" | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    if ! as_root=$(packages_as_root); then
        printf 'These Debian packages are missing: %s\n' "$missing" >&2
        printf 'Installing them needs root, and sudo is not available here. As root, run:\n' >&2
        printf '    apt-get update && apt-get install -y --no-install-recommends %s\n' "$missing" >&2
        return 1
    fi
    printf 'Installing Debian packages: %s\n' "$missing"
    log=$(mktemp)
    # apt-get update reports success when it could reach no server at all, so the install decides.
    packages_apt "$as_root" "$log" update || true
    # shellcheck disable=SC2086 # a list of words
    if ! packages_apt "$as_root" "$log" install --no-install-recommends $missing; then
        tail -n 15 "$log" >&2
        if grep -q -E 'Temporary failure|Could not (resolve|connect)|Unable to (locate|fetch)|Network is unreachable' "$log"; then
            printf '\nThe packages could not be downloaded. Is there a network connection, and does\n' >&2
            printf '/etc/apt/sources.list name a Debian 12 mirror that can be reached from here?\n' >&2
            printf 'Where there is one, or from a medium, install these and try again; nothing else needs a network:\n' >&2
            printf '    apt-get install -y --no-install-recommends %s\n' "$missing" >&2
        fi
        printf 'Everything apt said is in %s\n' "$log" >&2
        return 1
    fi
    rm -f "$log"
}
