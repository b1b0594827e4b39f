//! The action across restarts.

use super::*;
use komainu_core::fault::text;
use komainu_core::update::ddi::action::{ActionId, Ending, Names};
use komainu_core::update::fleet_order::FleetOrder;

fn action(stage: Stage) -> Action {
    Action { stage, ..Action::new(ActionId::parse("17").unwrap(), FleetOrder::Start, Names::new()) }
}

#[test]
fn an_action_survives_a_restart_from_the_moment_at_which_a_release_is_taken() {
    let folder = std::env::temp_dir().join(format!("komainu-ddi-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (mut file, before) = ActionFile::open(&folder);
    assert_eq!(before, None);
    file.keep(Some(&action(Stage::Looking { polls: 1 })));
    assert_eq!(ActionFile::open(&folder).1, None);
    for stage in [
        Stage::Taken { release: 2, failed: 0 },
        Stage::Failing { release: 2, why: text(format_args!("x")) },
        Stage::Ended(Ending::Failure(text(format_args!("x")))),
    ] {
        file.keep(Some(&action(stage.clone())));
        assert_eq!(ActionFile::open(&folder).1, Some(action(stage)));
    }
    std::fs::write(folder.join("ddi"), "komainu-ddi 1\naction id=17 order=start\ncheck 0\n").unwrap();
    assert_eq!(ActionFile::open(&folder).1, None);
    file.keep(None);
    assert!(!folder.join("ddi").exists());
    std::fs::remove_dir_all(folder).unwrap();
}
