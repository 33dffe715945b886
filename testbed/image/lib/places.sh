# shellcheck shell=sh
# Where a device may be: what device_place prints then.

lent() { if [ "$TOPOLOGY" = hwdom ]; then echo "$1"; else echo -; fi; }

# With its owner's driver, or with none; assignable; with a guest.
place_owned() { echo "listed=- marker=- assigned=$(xl-plain domname "$OWNER") access=- lent=$(lent no) assignable=no"; }
place_free() { echo "listed=- marker=- assigned=- access=- lent=$(lent no) assignable=yes"; }
place_with() { echo "listed=$1 marker=$1 assigned=$1 access=$1 lent=$(lent yes) assignable=no"; }

# is_free "what" BDF..., is_with "what" GUEST BDF...: that, of each of them.
is_free() { is_placed "$1" "$(place_free)" "$@"; }
is_with() {
    is_with_what=$1 is_with_guest=$2
    shift 2
    is_placed "$is_with_what" "$(place_with "$is_with_guest")" "$is_with_what" "$@"
}
is_owned() { is_placed "$1" "$(place_owned)" "$@"; }
# is_placed "what" PLACE "what" BDF...
is_placed() {
    is_placed_what=$1 is_placed_at=$2
    shift 3
    is "$is_placed_what" "$(device_place "$@" | sort -u)" "$is_placed_at"
}

# For wait_until: front and back ends have no more to do. Not so if they are not there.
settled() { guest_settled "$1" 2>/dev/null; }
