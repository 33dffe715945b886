# shellcheck shell=sh
# Dom0's way to the real machine: the second serial port, for lib/machine.py, and an I/O
# port that ends the emulator. $1 of stop_emulator is the emulator's exit status.

# open_port: for fd 3 (to there) and 4 (from there). In hwdom, this port is not ours between
# the creation of domain 1 and its lending it back to us: open it before, write to it after.
open_port() {
    exec 3<>/dev/ttyS1 4<&3
    stty -F /dev/ttyS1 raw -echo
}

# interactive SETTING...: a prompt, on a terminal with these settings of stty.
interactive() {
    stty -F /dev/ttyS1 sane "$@"
    setsid sh -c 'exec sh -i </dev/ttyS1 >/dev/ttyS1 2>&1'
}

stop_emulator() {
    exec 3>&- 4<&-  # waits until the serial port has sent everything
    # The status is (value << 1) | 1.
    # shellcheck disable=SC2059
    printf "\\$(printf %o $((($1 - 1) / 2)))" |
        dd of=/dev/port bs=1 seek=$((0xf4)) conv=notrunc 2>/dev/null
}
