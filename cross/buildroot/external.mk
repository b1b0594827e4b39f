include $(sort $(wildcard $(BR2_EXTERNAL_KOMAINU_PATH)/package/*/*.mk))
