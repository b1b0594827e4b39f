//! The time zone of files as devices have them.

use super::*;

#[test]
fn a_zone_is_read_from_a_line_and_from_the_end_of_zoneinfo() {
    let folder = std::env::temp_dir().join(format!("komainu-zone-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let at = folder.join("zone");
    for (bytes, zone) in [
        (&b"JST-9\n"[..], "JST-9"),
        (b"TZif2\0\0\xff\n\0binary\nCET-1CEST,M3.5.0,M10.5.0/3\n", "CET-1CEST,M3.5.0,M10.5.0/3"),
    ] {
        std::fs::write(&at, bytes).unwrap();
        assert_eq!(zone_in(Tree::default(), &at), TimeZone::parse(zone));
    }
    for bytes in [&b""[..], b"\n\n", b"TZif2\0\0", b"Europe/Berlin\n"] {
        std::fs::write(&at, bytes).unwrap();
        assert_eq!(zone_in(Tree::default(), &at), None, "{bytes:?}");
    }
    assert_eq!(zone_in(Tree::default(), &folder), None);
    std::fs::remove_dir_all(&folder).unwrap();
}
