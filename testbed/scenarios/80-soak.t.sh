# shellcheck shell=sh disable=SC2154
# topologies: loopback hwdom
# make check: hwdom, where the daemon serves another domain; the daemon is the same in loopback
# time limit: 900
#
# Load, and what it leaves behind: nothing. Many clients at once, many one after the other,
# many requests, clients that are killed at any moment, and then none at all.
#
# 80-soak.t.sh [full [SEED]]: without "full", a tenth or less of each, which is enough to see
# that it works; a full run takes half an hour (testbed/run -t 3600). What is random is the
# same for the same SEED.

length=${1:-short} seed=${2:-1}
case $length in
    full) CONNECTIONS=1000 REQUESTS=100000 KILLS=200 IDLE=60 ;;
    *) CONNECTIONS=50 REQUESTS=1000 KILLS=15 IDLE=12 ;;
esac
CLIENTS=64      # at once: as many as there can be, PCID_CONNS_PER_CLIENT
PER_CLIENT=20
DEADLINE=7000   # ms, PCID_SILENCE_MS
FLOOD=300       # requests that the daemon warns of
GROWTH=128      # kB: what the memory of the daemon may vary by

daemon=$(owner cat /var/run/xen/xlpcid.pid)

# What a killed client has asked for is there until it has had the time to connect.
resources() { pcid_resources | sed 's/ memory=.*//'; }
memory() { pcid_resources | sed 's/.* memory=//'; }
as_before() { [ "$(resources)" = "$before" ]; }

# nothing_is_left "when"
nothing_is_left() {
    wait_until 20 as_before
    is "$1: nothing is left of it" "$(resources)" "$before"
    left_memory=$(memory)
    diag "$1: $before memory=$before_memory, then memory=$left_memory"
    within "$1: the daemon needs no more memory" 0 "$left_memory" $((before_memory + GROWTH))
    is "$1: the daemon is the one it was" "$(owner cat /var/run/xen/xlpcid.pid) $(owner kill -0 "$daemon" 2>&1)" "$daemon "
}

# value NAME: from what load printed, NAME=value.
value() { echo "$output" | sed -nE "s/.*(^| )$1=([0-9]+).*/\\2/p"; }

# The first use of memory, and of what is there for writing, is not what is looked for.
run load lists "$CLIENTS" 1
xl pci-assignable-add "$EDU_BDF" 2>/dev/null
xl pci-assignable-remove "$EDU_BDF"
asked=/local/domain/$(xl pci-owner | cut -d' ' -f1)/data/pcid/$TOOLSTACK
# Nothing is asked for, and there is the channel that is made in advance.
quiet() { [ "$(xenstore-list "$asked")" = "$(xenstore-read "$asked")" ]; }
wait_until 20 quiet
before=$(resources)
before_memory=$(memory)

# --- At once ---

ok "$CLIENTS clients at once, $PER_CLIENT requests each" load lists $CLIENTS $PER_CLIENT
diag "$output"
is "all of them can connect" "$(value connected)" $CLIENTS
is "none of their requests fails" "$(value failed)" 0
within "none waits over its deadline" 0 "$(value slowest)" $DEADLINE
nothing_is_left "clients at once"

run load lists $((CLIENTS + 6)) 1
is "of six more, as many can connect" "$(value connected)" $CLIENTS
is "and six are told why not" "$(echo "$output" | grep -c "refuses the connection: domain $TOOLSTACK has $CLIENTS connections, the most that it can have")" 6
nothing_is_left "clients over the limit"

# --- One after the other ---

ok "$CONNECTIONS connections" load connections $CONNECTIONS
diag "$output"
nothing_is_left "connections"

timed load lists 1 $REQUESTS
is "$REQUESTS requests of one client: none fails" "$status $(value failed)" "0 0"
diag "$output"
nothing_is_left "requests"

# --- Killed ---

state=$(device_state "$EDU_BDF")
ok "$KILLS clients are killed (seed $seed)" load kills $KILLS "$seed" "$EDU_BDF"
nothing_is_left "killed clients"
diag "the device: $(device_state "$EDU_BDF")"
xl pci-assignable-add "$EDU_BDF" 2>/dev/null
is "killed clients: the device can be made assignable" "$(device_state "$EDU_BDF")" \
    "driver=pciback slots=1 quarantined=yes rebind=- name=-"
xl pci-assignable-remove "$EDU_BDF"
is "killed clients: and be had back" "$(device_state "$EDU_BDF")" "$state"

# --- What clients can make it log ---

# ask NAME...: nodes with names that are too long for a channel.
ask() {
    for ask_name; do set -- "$@" "$asked/$ask_name" requested; shift; done
    xenstore-write "$@"
}
daemon_log() { owner cat /var/log/xen/xlpcid.log; }
refusals() { daemon_log | grep -c "the name of a channel has at most"; }
answered() { xenstore-ls "$asked" | grep -c "refused: the name of a channel has at most"; }
all_answered() { [ "$(answered)" = $FLOOD ]; }
left_out() { daemon_log | grep "warnings and errors have been left out"; }

# shellcheck disable=SC2046
ask $(seq $FLOOD | sed 's/^/too-long-a-name-/')
ok "$FLOOD requests for a channel with a bad name are refused" wait_until 60 all_answered
within "of these, no more are logged than the log takes" 50 "$(refusals)" 110

# --- Idle ---

# shellcheck disable=SC2016
wakeups() { owner sh -c 'sed -n "s/^voluntary_ctxt_switches:[^0-9]*//p" "/proc/$1/status"' sh "$daemon"; }
# It hears of what it has answered itself.
settled() {
    wakeups_before=$(wakeups)
    sleep 2
    [ "$(wakeups)" = "$wakeups_before" ]
}
wait_until 30 settled
sleep $IDLE
is "in $IDLE s without a client the daemon does not wake up" "$(wakeups)" "$wakeups_before"

ask too-long-a-name-again
ok "what was not logged is counted, when there is room again" wait_until 10 left_out
diag "$(left_out)"
for node in $(xenstore-list "$asked"); do xenstore-rm "$asked/$node"; done
nothing_is_left "what was refused"

done_testing
