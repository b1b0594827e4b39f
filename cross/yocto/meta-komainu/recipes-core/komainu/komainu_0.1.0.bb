SUMMARY = "Guardian of a small Linux device: gate, wall and update"
DESCRIPTION = "The device is not usable until its owner has set a good password; nothing answers on the WAN; signed releases \
go into the slot that is not running, and roll back. Write /etc/komainu.toml in a bbappend of your own."
SECTION = "base"
# In the words of wrynose; later releases want "Apache-2.0 OR MIT", and only warn.
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE-MIT;md5=6a9087e1feff7bc6ebb4088a60bd6dd0 \
                    file://LICENSE-APACHE;md5=22a53954e4e0ec258dfce4391e905dac"

SRC_URI = "git://${KOMAINU_CHECKOUT};protocol=file;branch=${KOMAINU_BRANCH}"
SRCREV ?= "${AUTOREV}"
PV = "0.1.0+git"
require komainu-crates.inc

inherit cargo systemd update-rc.d

# The agent of the workspace, with its small profile.
CARGO_SRC_DIR = "agent"
CARGO_LOCK_PATH = "${S}/Cargo.lock"
CARGO_PROFILE = "device"
# wrynose has these two in place of CARGO_PROFILE.
BUILD_MODE = "--profile=device"
BUILD_DIR = "device"

# The kind of device: its policy. Those of the other kinds are left out.
KOMAINU_KIND ?= "router"

do_install() {
    install -D -m 0755 ${B}/target/${CARGO_TARGET_SUBDIR}/komainu ${D}${sbindir}/komainu
    install -D -m 0755 ${S}/agent/dist/komainu-start ${D}${sbindir}/komainu-start
    install -D -m 0755 ${S}/agent/dist/read-only-root ${D}${sbindir}/read-only-root
    install -D -m 0644 ${S}/agent/dist/start.conf ${D}${sysconfdir}/komainu/start.conf
    install -D -m 0644 ${S}/agent/dist/policies/${KOMAINU_KIND}.toml ${D}${datadir}/komainu/policies/${KOMAINU_KIND}.toml
    install -D -m 0644 ${S}/agent/dist/komainu.toml ${D}${datadir}/komainu/komainu.toml
    install -d ${D}${datadir}/komainu/boot ${D}${sysconfdir}/komainu/health
    install -m 0644 ${S}/agent/dist/boot/*.toml ${D}${datadir}/komainu/boot/
    install -D -m 0644 ${S}/agent/dist/komainu.8 ${D}${mandir}/man8/komainu.8
    if ${@bb.utils.contains('DISTRO_FEATURES', 'systemd', 'true', 'false', d)}; then
        install -D -m 0644 ${S}/agent/dist/komainu.service ${D}${systemd_system_unitdir}/komainu.service
    fi
    if ${@bb.utils.contains('DISTRO_FEATURES', 'sysvinit', 'true', 'false', d)}; then
        install -D -m 0755 ${S}/agent/dist/komainu.init ${D}${sysconfdir}/init.d/komainu
    fi
}

SYSTEMD_SERVICE:${PN} = "komainu.service"
INITSCRIPT_NAME = "komainu"
# After the volatile folders (S37), before the network (runlevels 2 to 5).
INITSCRIPT_PARAMS = "start 38 S . stop 90 0 6 ."

CONFFILES:${PN} = "${sysconfdir}/komainu/start.conf"
FILES:${PN} += "${datadir}/komainu"
