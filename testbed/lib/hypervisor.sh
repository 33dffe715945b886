# shellcheck shell=bash
# Hypervisors. Sourced by build, and by run if a scenario needs another one than the rest; uses
# common.sh and arch.sh.
# shellcheck disable=SC2034,SC2154

# make_hypervisor NAME CONFIG FILE: that of the tree NAME.
make_hypervisor() {
    local tree=$build/$1 config=$2 file=$3 sum
    sum=$(cat "$build/base-id" "$config" | sha1sum)
    if [ "$sum" = "$(cat "$file.sum" 2>/dev/null)" ]; then
        return
    fi
    step hypervisor-config "configuring the hypervisor" \
        build_safely make -C "$tree/xen" XEN_TARGET_ARCH="$arch" KCONFIG_ALLCONFIG="$config" alldefconfig
    step hypervisor "building the hypervisor (one to four minutes)" \
        build_safely make -j"$(nproc)" -C "$tree/xen" XEN_TARGET_ARCH="$arch" build
    cp "$tree/xen/xen" "$file"
    echo "$sum" >"$file.sum"
}

build_hypervisor() {
    local config=$testbed/xen.config
    [ "$arch" = x86_64 ] || config=$testbed/xen-$arch.config
    make_hypervisor "$1" "$config" "$out/xen"
}

# other_hypervisor OPTION...: sets $hypervisor to one with these instead of what xen.config
# says, as in CONFIG_HYPFS=y. It is built when the first scenario needs it.
other_hypervisor() {
    local option name="$*" config
    hypervisor=$out/xen-${name// /,}
    config=$hypervisor.config
    exec 9>"$build/.testbed-lock"
    flock 9
    cp "$testbed/xen.config" "$config"
    for option; do
        sed -i "/\b${option%%=*}\b/d" "$config"
        echo "$option" >>"$config"
    done
    make_hypervisor xen-plain "$config" "$hypervisor"
    exec 9>&-
}
