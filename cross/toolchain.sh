# shellcheck shell=bash
# Which compiler and which tools the cross build uses, and where they are. Sourced by the commands of this folder;
# it finds things and installs nothing.
# shellcheck disable=SC2034 # what is set here is used there

export LC_ALL=C.UTF-8

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$repository/work/cross-venv
cargo_output=$repository/target/cross
# zig builds the C library of each target once, in minutes, and names what it built by its content: for all clones here.
zig_cache=${KOMAINU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/komainu}/zig

# A row for each target: short name, Rust's name, prefix of its binutils, emulator, and what readelf must say of
# the result (class, byte order, machine, and a word of its flags; "-" is no word).
targets() {
    cat <<'ROWS'
mips    mips-unknown-linux-musl         mips-linux-gnu-       qemu-mips-static    ELF32  big     MIPS                       mips32r2
mipsel  mipsel-unknown-linux-musl       mipsel-linux-gnu-     qemu-mipsel-static  ELF32  little  MIPS                       mips32r2
armv7   armv7-unknown-linux-musleabihf  arm-linux-gnueabihf-  qemu-arm-static     ELF32  little  ARM                        hard-float
x86_64  x86_64-unknown-linux-musl       x86_64-linux-gnu-     env                 ELF64  little  Advanced.Micro.Devices.X86-64  -
ROWS
}

# Debian's compiler, with its standard library as source. The version moves with the browsers Debian builds with it.
debian_rust_packages=(rustc-web cargo-web rust-web-src)
debian_rust_version=1.96.0+dfsg1-1~deb12u2

# What every build needs, whatever the compiler.
debian_tool_packages=(
    binutils binutils-mips-linux-gnu binutils-mipsel-linux-gnu binutils-arm-linux-gnueabihf
    python3-venv qemu-user-static xz-utils
)
# The C compiler, linker and musl for every target, and their coupling to cargo.
python_packages=(ziglang==0.17.1 cargo-zigbuild==0.24.0)

say() { printf 'cross: %s\n' "$*" >&2; }
stop() {
    printf 'cross: %s\n' "$@" >&2
    exit 1
}

# Sets `route`, RUSTC and CARGO. The source of the standard library must be that of the very compiler: rustup's
# compiler for this repository is taken if it has its own, and else Debian's.
choose_compiler() {
    local rustup_rustc
    if rustup_rustc=$(cd "$repository" && rustup which rustc 2>/dev/null) && has_library_source "$rustup_rustc"; then
        route=rustup RUSTC=$rustup_rustc CARGO=$(cd "$repository" && rustup which cargo)
    else
        route=debian RUSTC=/usr/bin/rustc CARGO=/usr/bin/cargo
    fi
    export RUSTC CARGO
}

has_library_source() {
    local sysroot
    sysroot=$("$1" --print sysroot 2>/dev/null) && [ -e "$sysroot/lib/rustlib/src/rust/library/Cargo.lock" ]
}

python_packages_are_there() {
    local installed wanted
    [ -x "$venv/bin/cargo-zigbuild" ] || return 1
    # The folders' names are asked, as `pip list` takes a second.
    for wanted in "${python_packages[@]}"; do
        installed=${wanted/==/-}
        compgen -G "$venv/lib/python3*/site-packages/${installed//-/[-_]}.dist-info" >/dev/null || return 1
    done
}
