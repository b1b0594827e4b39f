//! The pieces of HTML, the style, the script and the texts of `page/`, as `build.rs` embeds them.

include!(concat!(env!("OUT_DIR"), "/assets.rs"));
