# shellcheck shell=bash
# The tools, and the FLASK policy. Sourced by build; uses common.sh.
# shellcheck disable=SC2154

jobs=-j$(nproc)

configure_tree() {
    cd "$1" || return
    # Only what the tools below need; the firmware and QEMU are not used by PV guests.
    ./configure "${configure_for[@]}" --prefix=/usr --libdir=/usr/lib --sysconfdir=/etc --localstatedir=/var \
        --with-sysconfig-leaf-dir=default \
        --enable-systemd=no \
        --disable-docs --disable-stubdom --disable-golang --disable-ocamltools \
        --disable-pvshim --disable-seabios --disable-ovmf --disable-ipxe \
        --disable-rombios --with-system-qemu=/usr/bin/qemu-system-x86_64
}

make_tools() {
    local dir dirs="include libs xl console helpers flask/utils vchan"
    # xenstored and its clients: one directory before 4.18, two after.
    for dir in xenstore xenstored xs-clients; do
        [ ! -f "$1/tools/$dir/Makefile" ] || dirs="$dirs $dir"
    done
    for dir in $dirs; do
        make "$jobs" -C "$1/tools/$dir" all || return
    done
}

# install_services TREE ROOT: the init scripts, as an administrator of Linux gets them.
install_services() {
    # configure has made them, but perhaps from what they were before; in 4.22, make does.
    (cd "$1/tools" && ./config.status -q --file=hotplug/{common/hotplugpath.sh,Linux/init.d/xlpcid,Linux/init.d/sysconfig.xlpcid}) &&
    make -C "$1/tools/hotplug/common" DESTDIR="$2" install-scripts &&
    make -C "$1/tools/hotplug/Linux" DESTDIR="$2" install-initd
}

# install_tests TREE ROOT: the tests that are for a host.
install_tests() {
    make -C "$1/tools/tests/pcid" DESTDIR="$2" install
}

# build_tools NAME: NAME is xen-plain, xen-patched or xen-part.
build_tools() {
    local name=$1 tree=$build/$1 sum
    sum=$(cat "$tree/configure" "$tree/tools/configure" "$testbed/lib/tools.sh" | sha1sum)
    if [ "$sum" != "$(cat "$build/$name.configured" 2>/dev/null)" ]; then
        step "$name-configure" "configuring $name" configure_tree "$tree"
        echo "$sum" >"$build/$name.configured"
        rm -f "$build/$name.built"
    fi
    sum=$(cat "$build/$name.tree")
    if [ "$sum" != "$(cat "$build/$name.built" 2>/dev/null)" ]; then
        rm -f "$build/$name.built"  # half-built, until it is done
        step "$name" "building the tools in $name (about 40 s when fresh)" make_tools "$tree"
        echo "$sum" >"$build/$name.built"
    fi
}

# make_policy DIR FILE: the policy of DIR, a tools/flask/policy, with what the testbed
# itself needs.
make_policy() {
    cp "$testbed/src/testbed.te" "$1/modules/" &&
    # From 4.21 on, xenstored asks for this, and Xen's policy allows it only to a domain that
    # has nothing but xenstored.
    { ! grep -q get_domain_state "$1/modules/dom0.te" ||
      echo "allow dom0_t domxen_t:domain2 get_domain_state;" >>"$1/modules/testbed.te"; } &&
    { cat "$1/modules/modules.conf"; echo "testbed = on"; } >"$1/testbed.conf" &&
    make -C "$1" -f Makefile.common FLASK_BUILD_DIR="$1" XEN_FULLVERSION=testbed MOD_CONF=testbed.conf &&
    cp "$1/xenpolicy-testbed" "$2"
}

# build_policy NAME: that of the tree.
build_policy() {
    local sum
    sum=$(cat "$build/$1.tree" "$testbed/src/testbed.te" "$testbed/lib/tools.sh" | sha1sum)
    [ "$sum" != "$(cat "$out/xenpolicy.sum" 2>/dev/null)" ] || return 0
    step policy "building the FLASK policy" make_policy "$build/$1/tools/flask/policy" "$out/xenpolicy"
    echo "$sum" >"$out/xenpolicy.sum"
}
