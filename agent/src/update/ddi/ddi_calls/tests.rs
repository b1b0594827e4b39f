//! Addresses, tokens and statuses of the calls; real servers are in `tests/peers/test_ddi.py`.

use super::*;
use komainu_core::update::ddi::polling::Bounds;
use std::path::PathBuf;

fn calls(token: Option<(&'static str, PathBuf)>) -> DdiCalls {
    let settings = DdiSettings {
        url: Address::parse("http://a/fleet/").unwrap(),
        tenant: "DEFAULT".into(),
        token,
        bounds: Bounds { least_seconds: 30, most_seconds: 60 },
        holds: true,
        consents: true,
    };
    DdiCalls::new(&settings, "00:11/../22")
}

#[test]
fn the_id_of_a_device_is_one_part_of_the_address() {
    assert_eq!(calls(None).base, "/fleet/DEFAULT/controller/v1/00%3A11%2F..%2F22");
    let link = Link { id: ActionId::parse("3").unwrap(), query: "c=-1".into() };
    assert_eq!(of_link("deploymentBase", &link), "/deploymentBase/3?c=-1");
}

#[test]
fn a_token_is_read_from_its_file_and_is_one_word() {
    let file = std::env::temp_dir().join(format!("komainu-token-{}", std::process::id()));
    for (content, header) in [
        (&b"abc\n"[..], Some("TargetToken abc")),
        (b"", None),
        (b"a b", None),
        (b"a\nHost: b", None),
        (b"\xff", None),
        (&[b'x'; 600], None),
    ] {
        std::fs::write(&file, content).unwrap();
        let read = calls(Some(("TargetToken", file.clone()))).authorization();
        assert_eq!(read.ok().flatten().as_deref(), header, "{content:?}");
    }
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(calls(Some(("TargetToken", file))).authorization(), Err(CallFault::Token(_))));
    assert_eq!(calls(None).authorization(), Ok(None));
}

#[test]
fn every_status_has_one_meaning() {
    let answer =
        |code, retry_after_seconds| ExchangeAnswer { code, retry_after_seconds, body: b"x".to_vec() };
    assert_eq!(judged(answer(200, None)), Ok(b"x".to_vec()));
    assert_eq!(judged(answer(410, None)), Err(CallFault::Gone(410)));
    assert_eq!(judged(answer(404, None)), Err(CallFault::Gone(404)));
    let busy = CallFault::Busy { code: 429, retry_after_seconds: 7 };
    assert_eq!((busy.retry_after_seconds(), judged(answer(429, Some(7)))), (7, Err(busy)));
    assert_eq!(judged(answer(503, None)).unwrap_err().retry_after_seconds(), 0);
    for code in [302, 400, 401, 500] {
        assert_eq!(judged(answer(code, Some(9))), Err(CallFault::Status(code)));
    }
    assert!(CallFault::Status(401).to_string().contains("ddi.target_token_file"));
}
