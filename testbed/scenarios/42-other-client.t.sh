# shellcheck shell=sh disable=SC2154
# topologies: loopback hwdom
# make check: hwdom, where the client is in another domain; the protocol is the same in loopback
# needs: perl
#
# A client in another language, written from the protocol's document alone
# (src/pcid-client.pl), against the daemon: what one does, and what the other does, is what
# the document says. Its results are this scenario's.

before=$(device_state "$E1000_BDF")
# Grants and event channels, which xenstored has for each domain, too, may come and go.
has() { pcid_resources | grep -o 'fds=[0-9]*\|nodes=[0-9]*'; }
# For what the daemon opens once, and keeps
xl pci-assignable-add "$EDU_BDF" 2>/dev/null
xl pci-assignable-remove "$EDU_BDF"
had=$(has)
as_before() { [ "$(has)" = "$had" ]; }

run pcid-client.pl "$E1000_BDF" "$NVME_BDF"
printf '%s\n' "$output" >/tmp/client.tap
ran=0
ended=
while IFS= read -r line; do
    case $line in
        'ok '*) ran=$((ran + 1)) && pass "${line#ok * - }" ;;
        'not ok '*) ran=$((ran + 1)) && fail "${line#not ok * - }" ;;
        1..*) ended=${line#1..} ;;
        *) printf '%s\n' "# ${line#\# }" ;;
    esac
done </tmp/client.tap
is "the client got to its end" "$ended" "$ran"

is "the device is as it was" "$(device_state "$E1000_BDF")" "$before"
wait_until 10 as_before
is "the daemon keeps nothing of the connections" "$(has)" "$had"

done_testing
