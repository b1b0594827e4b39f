################################################################################
#
# komainu
#
################################################################################

KOMAINU_VERSION = 0.1.0
# The checkout of Komainu, of which this external tree is a part.
KOMAINU_SITE = $(abspath $(BR2_EXTERNAL_KOMAINU_PATH)/../..)
KOMAINU_SITE_METHOD = local
KOMAINU_LICENSE = MIT or Apache-2.0
KOMAINU_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE
# Neither what was built there nor what tests fetched is a source.
KOMAINU_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude target --exclude work --exclude .git

KOMAINU_TARGET = $(if $(BR2_arm),armv7,$(if $(BR2_mips),mips,$(if $(BR2_mipsel),mipsel,x86_64)))
KOMAINU_KIND = $(call qstrip,$(BR2_PACKAGE_KOMAINU_KIND))

# The settings of the board are the maker's overlay; where there are none, the commented ones of agent/dist show the keys.
define KOMAINU_INSTALL_FILES
	$(INSTALL) -D -m 0755 $(@D)/agent/dist/komainu-start $(TARGET_DIR)/usr/sbin/komainu-start
	$(INSTALL) -D -m 0644 $(@D)/agent/dist/start.conf $(TARGET_DIR)/etc/komainu/start.conf
	$(INSTALL) -D -m 0644 $(@D)/agent/dist/policies/$(KOMAINU_KIND).toml \
		$(TARGET_DIR)/usr/share/komainu/policies/$(KOMAINU_KIND).toml
	mkdir -p $(TARGET_DIR)/usr/share/komainu/boot $(TARGET_DIR)/etc/komainu/health
	cp $(@D)/agent/dist/boot/*.toml $(TARGET_DIR)/usr/share/komainu/boot/
	$(INSTALL) -D -m 0644 $(@D)/agent/dist/komainu.toml $(TARGET_DIR)/usr/share/komainu/komainu.toml
endef

ifeq ($(BR2_PACKAGE_KOMAINU_READ_ONLY_ROOT),y)
define KOMAINU_INSTALL_READ_ONLY_ROOT
	$(INSTALL) -D -m 0755 $(@D)/agent/dist/read-only-root $(TARGET_DIR)/usr/sbin/read-only-root
endef
KOMAINU_POST_INSTALL_TARGET_HOOKS += KOMAINU_INSTALL_READ_ONLY_ROOT
endif

KOMAINU_POST_INSTALL_TARGET_HOOKS += KOMAINU_INSTALL_FILES

# BusyBox's init reads inittab: board/komainu/post-build.sh puts the lines there, and no script is needed.
ifneq ($(BR2_INIT_BUSYBOX),y)
define KOMAINU_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(@D)/agent/dist/komainu.init $(TARGET_DIR)/etc/init.d/S10komainu
endef
endif

define KOMAINU_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/agent/dist/komainu.service $(TARGET_DIR)/usr/lib/systemd/system/komainu.service
endef

ifeq ($(BR2_PACKAGE_KOMAINU_CARGO),y)
KOMAINU_SUBDIR = agent
KOMAINU_CARGO_BUILD_OPTS = --profile device
KOMAINU_CARGO_INSTALL_OPTS = --profile device

define KOMAINU_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/target/$(RUSTC_TARGET_NAME)/device/komainu $(TARGET_DIR)/usr/sbin/komainu
endef

$(eval $(cargo-package))
else
define KOMAINU_BUILD_CMDS
	test -x $(KOMAINU_SITE)/target/device/$(KOMAINU_TARGET)/komainu || \
		{ echo "run cross/build $(KOMAINU_TARGET) in $(KOMAINU_SITE) first" >&2; exit 1; }
endef

define KOMAINU_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(KOMAINU_SITE)/target/device/$(KOMAINU_TARGET)/komainu $(TARGET_DIR)/usr/sbin/komainu
endef

$(eval $(generic-package))
endif
