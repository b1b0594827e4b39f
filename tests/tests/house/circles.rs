//! No circle of files: nothing that a file needs needs that file.

use super::uses::Graph;

#[test]
fn no_file_needs_a_file_that_needs_it() {
    let mut circles = Vec::new();
    for source in ["trust/src", "agent/core/src", "bootstrap/src", "agent/src", "maker/src"] {
        let graph = Graph::of(source);
        assert!(graph.modules().count() > 10, "{source} has lost its modules");
        if let Some(circle) = graph.circle() {
            circles.push(format!("{source}: {}", circle.join(" → ")));
        }
    }
    println!("circles of files: {}", circles.len());
    assert!(circles.is_empty(), "{circles:#?}");
}
