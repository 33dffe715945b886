# shellcheck shell=sh disable=SC2154
# topologies: hwdom+flask
# files: docs/misc/pcid-howto.pandoc
#
# What the how-to tells people to type works, and prints what it says: the commands of its
# sections on starting the daemon, on checking, and on using it, as they stand there.

# section NUMBER: its code blocks, each followed by an empty line
section() {
    awk -v number="$1" '/^#/ { inside = $2 == number }
                        inside && /^    / { print substr($0, 5) }
                        inside && /^[^ ]/ { print "" }' /scenario/pcid-howto.pandoc
}

# follow NUMBER BDF: carry out its commands, for this device
follow() {
    section "$1" | sed "s/0000:03:00\.0/$2/; s/\<03:00\.0\>/${2#0000:}/" >/tmp/section
    command='' wanted='' followed=0
    while IFS= read -r line <&9; do
        case $line in
            'dom0# '* | 'hwdom# '*)
                step "$2"
                command=$line ;;
            '') step "$2" ;;
            *) wanted="$wanted$line
" ;;
        esac
    done 9</tmp/section
    step "$2"
    ok "section $1 has commands" test "$followed" -gt 0
}

step() {
    case $command in
        # Not in the testbed, or done by it; done below
        '' | *' lspci' | *' modprobe '* | *' pci-owner -c') ;;
        *) try "$1" ;;
    esac
    command='' wanted=''
}

try() {
    followed=$((followed + 1))
    case $command in
        'dom0# '*) run sh -c "${command#*# }" ;;
        *) run owner sh -c "${command#*# }" ;;
    esac
    is "$1: $command" "$status" 0
    [ -z "$wanted" ] || is "$1: it prints what it should" "$(echo "$output" | sed 's/ *$//')" "${wanted%?}"
}

like "the hypervisor can pass devices through" "$(xl info | grep virt_caps)" pv_directio
is "dom0 sees no PCI device" "$(ls /sys/bus/pci/devices)" ""

pcid_stop
follow 3.3. "$E1000_BDF"
like "the log says what the how-to says" "$(owner cat /var/log/xen/xlpcid.log)" "$(section 3.3. | grep '^serving ')"
follow 3.4. "$E1000_BDF"

# The second has had no label before.
for device in "$E1000B_BDF" "$TESTDEV_BDF"; do
    ok "a guest without a device" guest_start guest 'passthrough = "enabled"'
    follow 4. "$device"
    ok "it is destroyed" xl destroy guest
done

ok "a device is assignable" xl pci-assignable-add "$E1000B_BDF"
ok "a guest is built with it" guest_start guest "$(section 4. | grep '^pci = ' | sed "s/03:00\.0/${E1000B_BDF#0000:}/")"
like "and has it" "$(xl pci-list guest)" "$E1000B_BDF"
ok "it is destroyed" xl destroy guest
ok "the device is the hardware domain's again" xl pci-assignable-remove -r "$E1000B_BDF"

ok "dom0's own devices again" xl pci-owner -c
is "nobody else is the owner" "$(xl pci-owner)" none
is "FLASK has denied nothing" "$(denials)" ""

done_testing
