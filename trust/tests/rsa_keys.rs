//! RSA keys in metadata (feature `rsa`): a key and signatures that OpenSSL made.
#![cfg(feature = "rsa")]

use komainu_trust::hex;
use komainu_trust::keys::Key;

const MESSAGE: &[u8] = b"komainu";
const PEM: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsMpYh/hi2TaVIxUNmS1u\n\
OdCPSEMGpewW+K26j1v14FFrGGdv5rU1IBo7x6DWL5UNj9Na+2G12DcAReAH51ef\n\
5PREqFUDPJyT3LL8SC4U7WHZGYuF6UtMg6FtkTMKvMfl5m2RlUV3gsdFzhYwZQTX\n\
gUU5wylaIj0NEoSs5zJffvPd92L3NJ1bmDJIJe0QAhlsOhsN57/Q7DBL1NcwbI8m\n\
ZurvCNlrw3zDPB0UKorWN/NP5eQ/EoIYxfNA60WvLn8SkEDBkwxWiG7GNxZzqPCy\n\
giWfEblmp8nyiPQ4NIifAqkv505BSSYTf+OnZZy+XIOHdhJJwUKO9WjmqqDt3nNb\n\
cQIDAQAB\n\
-----END PUBLIC KEY-----\n\
";
const DIGEST_SALT: &str = concat!(
    "8f78f39b115fcf0971c832cb3c9ee8e152dfab80e39b6602b75dd9a329a50d81623ccd6d17a530057c6598a8476fb7a3",
    "386c29447e7db03b6d299212c48c01e7dd84feb5270e757774314d8bebc49946c19745c4d55ed6ab050db411e40999d8",
    "8db69c0f8e89047dbdfcae57f28f274e1edd06fdde887b3145a7016e765bc0287d024f50e1e8cecc85ef5963ac73f904",
    "09de13440554beb25342e9ef7492c04a66dca89712fdb61de09f31aa53f311b56d22c28bd179f1d952f4e89a2f8b4a2a",
    "abed62db8e9289d66add4331cd9ed26b9654ab7d3120f2569e0c84dce35f96b43814988b703ba7503fa1bf801479e564",
    "bd8d19828431b5d59e7c89409591a7f4",
);
const NO_SALT: &str = concat!(
    "4275697b984fcf6c163476da13dc86c75441c267208488aaa23ca8552245894eee255d962264cdfc1f4a3919fe4da71c",
    "a458de8983a552debded5e0d0ee8d700951fa8d2cfab9fd832ff05dfab8b6db2596eab07073657921f8534fae88a0951",
    "0d2e1abe53e943ecb1c1f54d56e4b98ff59644fe4f6c146d045c2ec97b3e34186175ab21c4a9702c5b9edea07ec33e2c",
    "e1393620f628eae1609b19c0b81311b3fb42703b1dbde06412488f3b82b539fec10c35fe72cb1a329fddf4c28a96959c",
    "0fa8a3bfdc2179f16c1a94a342bd5784c7ac394c93d98658b6cef62230c914a98a8700dbd168410a0ae8c455d444adf5",
    "94f26d0bced087e6a5eb7ca8f44f2092",
);
const LONGEST_SALT: &str = concat!(
    "a85e8cbae1f78247492485c1d1ae8fd2d207540f7149a69bffe988498fe0f9ae3addafa870727898656c05b82b9d26af",
    "0ca4650da8170c7600bbd5814a32c1190f2a0e4e6da812718699545454253e376409d36e31e984d8237ad639a4969bbc",
    "d00b8223634748f7704196298a9448edfc753ea33f84b1b8119747871b94e1b9d06f11ff63338115c976d890351f9ec9",
    "3a6dd351b2e431c2a561559ef20fb094b20198332c38e571e2a17847704516a0411cd0ce17422a1454bed75e3219ff3c",
    "b458ac16fbd69718df1504a6a37c10493f5d5040e44c45dcfcd3eea3fdc497d7df579ece5a2f9dfac0b45db38cce0497",
    "56bf0c7b91b8fb1c3a9393251bb78706",
);
const PKCS1: &str = concat!(
    "4b1b6bc47f164905e230d23b4d0eacb1ca180a98f3d5de9da80881f500eb34bda539ef185f56fba81ac2d59e4de7ee01",
    "7464e518b5e887a8092819187425b63fab87668d9669e29958a06f2bc6125a53fc943ec008e2d19e5afa7c3307c006ac",
    "f3bdd8d4ddc33112e88c05b6ca7241c4422de222037e65a0b3ddef747f6340dde83d43789ec015cb5efeb820670ff8d8",
    "c1791a950c55cd26bbd36f63e725a8f1b24f1c7af9d225cc644959c9f4d34f07ed68890242a198efb608f880113e7d79",
    "e3303b4c18b8ba050bf6fe8fd0abd49110262278ba22c5a3e3db1503b521202c50b9c1e05db18583813189613f38f538",
    "dbcc935313db51043d0693cd2c41e109",
);
const SHA512: &str = concat!(
    "2dbc71a56faef1f594275f4fb740033474196c9658ab52a8f203a80209c68f29137736fc07f26d45f86e5ee4596bf2cd",
    "eb50ddf59801c0532b68eadca20aaf277b4cfb58ff2d532fb1629a4dacb481fcf91049e9b14c83d472a486767dc3f899",
    "134cb86c36173d50b309d612fe3b7e83a3712f4638f586bf4ddc2c49483502c42952c59100e203d9e999036f7019873c",
    "cb71a5ddd786a207ef4e249418986d2f8076194a97399aea98b7a01f7d2e697655ca0784a72ff9eb6d47ae65e4586ca2",
    "dc650ddfa65864fa0fb8f02aeaf9e32605be10f4733c23b5366b669f1d7c238ee5863a65c7aec4d19821def992962967",
    "56a25582a6a4d844511f98fd5338f275",
);

fn key(keytype: &str, scheme: &str) -> Key {
    Key { keytype: keytype.into(), scheme: scheme.into(), public: PEM.into() }
}

fn verifies(key: &Key, signature: &str) -> bool {
    key.verifies(MESSAGE, &hex::decode(signature).unwrap_or_default())
}

#[test]
fn pss_signatures_with_any_salt_are_good() {
    let key = key("rsa", "rsassa-pss-sha256");
    for signature in [DIGEST_SALT, NO_SALT, LONGEST_SALT] {
        assert!(verifies(&key, signature));
    }
}

#[test]
fn other_signatures_are_not() {
    let good = key("rsa", "rsassa-pss-sha256");
    for signature in [PKCS1, SHA512, "", "00"] {
        assert!(!verifies(&good, signature));
    }
    for bit in [0, 7, 1000, 2047] {
        let mut changed = hex::decode(DIGEST_SALT).unwrap_or_default();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!good.verifies(MESSAGE, &changed), "{bit}");
    }
    assert!(!good.verifies(b"komainv", &hex::decode(DIGEST_SALT).unwrap_or_default()));
    // What a key is for stands in its type and scheme together.
    for (keytype, scheme) in [
        ("rsa", "rsa-pkcs1v15-sha256"),
        ("ecdsa", "rsassa-pss-sha256"),
        ("rsa", "ecdsa-sha2-nistp256"),
        ("ed25519", "ed25519"),
    ] {
        assert!(!verifies(&key(keytype, scheme), DIGEST_SALT), "{keytype} {scheme}");
    }
}

#[test]
fn one_rsa_key_in_two_spellings_is_one_key() {
    let (one, mut two) = (key("rsa", "rsassa-pss-sha256"), key("rsa", "rsassa-pss-sha256"));
    two.public = PEM.replace('\n', "\r\n");
    assert!(verifies(&two, DIGEST_SALT));
    assert_eq!(one.material(), two.material());
}
