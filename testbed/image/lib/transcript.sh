# shellcheck shell=sh
# Plays /tmp/transcript and compares: for scenarios that say what commands print.
#
# A step is a "# title", commands with "$ ", and after each its stdout, its stderr with
# "! ", and its exit status in brackets unless that is 0.

# round_trips COMMAND...: how many requests it sends to xenstored. Each begins with a header of
# 16 bytes.
round_trips() {
    strace -f -qq -e trace=connect,write -o /run/trace "$@" >/dev/null 2>&1 || return
    awk '
        /connect\(.*xenstored\/socket/ { sub(/.*connect\(/, ""); sub(/,.*/, ""); store[$0] = 1 }
        / write\(/ && /, 16( <unfinished|\) += )/ {
            fd = $0; sub(/.* write\(/, "", fd); sub(/,.*/, "", fd)
            n += fd in store
        }
        END { print n + 0 }
    ' /run/trace
}

# From now on, xl is the unpatched one, also for guest_start and its like; or not.
unpatched_xl() {
    mkdir -p /tmp/unpatched
    ln -sf /bin/xl-plain /tmp/unpatched/xl
    PATH=/tmp/unpatched:/bin
}
patched_xl() { PATH=/bin; }

# Not compared: where in libxl a message comes from, the domain that it names, and that a
# device cannot be reset, which of the emulated ones none can; and who has a device, or why it
# cannot be given back, which an unpatched xl does not say. Xen 4.20 has a line more for a
# domain that is no more.
normalised() {
    sed -E 's/libxl_[a-z_]+\.c:[0-9]+:[a-z0-9_]+: *(Domain [0-9]+:)?//
        /support reset from sysfs/d
        s/: domain [0-9]+ has it$//
        s/(failed to de-quarantine [0-9a-f:.]+[0-9a-f]): .*$/\1/
        /Getting domain info: No such process/d' "$1"
}

state() { device_state "$@"; }

# The order of a list is that of the kernel's directory.
execute() {
    (eval "$1") >/tmp/stdout 2>/tmp/stderr </dev/null && execute_status=0 || execute_status=$?
    case $1 in
        *-assignable-list*) sort /tmp/stdout ;;
        *) cat /tmp/stdout ;;
    esac
    normalised /tmp/stderr | sed 's/^/! /'
    [ "$execute_status" -eq 0 ] || echo "[$execute_status]"
}

# play LABEL: carry out all the steps, with what xl is at the time.
play() {
    play_title=
    while IFS= read -r line; do
        case $line in
            '# '*)
                check_step "$1"
                play_title=${line#\# }
                : >/tmp/wanted
                : >/tmp/got ;;
            '$ '*)
                echo "$line" | tee -a /tmp/wanted >>/tmp/got
                execute "${line#\$ }" >>/tmp/got ;;
            *)
                echo "$line" >>/tmp/wanted ;;
        esac
    done </tmp/transcript
    check_step "$1"
}

check_step() {
    [ -z "$play_title" ] || is "$1: $play_title" "$(cat /tmp/got)" "$(cat /tmp/wanted)"
}
