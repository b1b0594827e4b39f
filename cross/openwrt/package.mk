# The parts that both packages have: description, files that an upgrade keeps, and the installation.

# OpenWrt's kernel has the firewall as packages: komainu-maker kernel-check names the same.
KOMAINU_DEPENDS:=+kmod-nft-core +kmod-nft-nat +kmod-nft-fib +kmod-nf-conntrack-netlink

define Package/$(PKG_NAME)/description
  The device is not usable until its owner has set a good password; nothing answers on the WAN; weak accounts, unknown
  services and infections are found and remedied; signed releases go into the slot that is not running, and roll back.
  On a board with one image the third job is off, and sysupgrade stays.
endef

define Package/$(PKG_NAME)/conffiles
/etc/config/komainu
endef

# $(1) root of the package, $(2) the program
define Komainu/Install
	$(INSTALL_DIR) $(1)/usr/sbin $(1)/etc/init.d $(1)/etc/config $(1)/etc/komainu $(1)/usr/share/komainu $(1)/lib/upgrade/keep.d
	$(INSTALL_BIN) $(2) $(1)/usr/sbin/komainu
	$(INSTALL_BIN) $(KOMAINU_TOP)/agent/dist/komainu-start $(1)/usr/sbin/komainu-start
	$(INSTALL_BIN) $(KOMAINU_TOP)/cross/openwrt/komainu/files/komainu-uci $(1)/usr/sbin/komainu-uci
	$(INSTALL_BIN) $(KOMAINU_TOP)/cross/openwrt/komainu/files/komainu.init $(1)/etc/init.d/komainu
	$(INSTALL_CONF) $(KOMAINU_TOP)/cross/openwrt/komainu/files/komainu.config $(1)/etc/config/komainu
	ln -sf /var/etc/komainu.toml $(1)/etc/komainu.toml
	$(INSTALL_DATA) $(KOMAINU_TOP)/agent/dist/start.conf $(1)/etc/komainu/start.conf
	$(INSTALL_DATA) $(KOMAINU_TOP)/cross/openwrt/komainu/files/komainu.keep $(1)/lib/upgrade/keep.d/komainu
	$(CP) $(KOMAINU_TOP)/agent/dist/policies $(KOMAINU_TOP)/agent/dist/boot $(1)/usr/share/komainu/
	$(INSTALL_DATA) $(KOMAINU_TOP)/agent/dist/komainu.toml $(1)/usr/share/komainu/komainu.toml
endef
