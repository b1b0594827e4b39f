//! Changing JSON as a tree: what the fuzzer changes letter by letter is hardly ever JSON any more, and the code
//! behind the reader would never be reached.

use serde_json::{Map, Value, json};

/// A mutator for inputs that are `header` bytes of decisions and then JSON: every other time the tree, else letters.
pub fn mutate(data: &mut [u8], size: usize, size_max: usize, seed: u32, header: usize) -> usize {
    let mut dice = Dice(u64::from(seed));
    let tree = data.get(header..size).and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let (Some(mut tree), true) = (tree, dice.below(4) != 0) else {
        return libfuzzer_sys::fuzzer_mutate(data, size, size_max);
    };
    for _ in 0..=dice.below(3) {
        change(&mut tree, &mut dice);
    }
    let text = tree.to_string();
    let Some(room) = data.get_mut(header..(header + text.len()).min(size_max)) else { return size };
    if room.len() < text.len() {
        return size;
    }
    room.copy_from_slice(text.as_bytes());
    if header > 0 && dice.below(4) == 0 {
        data[dice.below(header)] ^= 1 << dice.below(7);
    }
    header + text.len()
}

/// Numbers that follow from a seed (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    /// A number below `end`, which is not zero.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

fn change(tree: &mut Value, dice: &mut Dice) {
    let count = nodes(tree);
    // Copied from elsewhere, or one of the values that programs stumble over.
    let other = nth(tree, &mut { dice.below(count) }).cloned().unwrap_or_default();
    let how = dice.below(9);
    let Some(node) = nth(tree, &mut { dice.below(count) }) else { return };
    match (how, node) {
        (0, node) => *node = interesting(dice),
        (1, node) => *node = other,
        (2, Value::Number(number)) => {
            let by = dice.below(3) as i64 - 1;
            *number = number.as_i64().unwrap_or_default().wrapping_add(by).into();
        }
        (2 | 3, Value::Object(fields)) => without_one(fields, dice),
        (2 | 3, Value::Array(items)) if !items.is_empty() => drop(items.remove(dice.below(items.len()))),
        (4, Value::Object(fields)) => drop(fields.insert(name(dice), other)),
        (4, Value::Array(items)) => items.push(other),
        (5, Value::Object(fields)) => renamed(fields, dice),
        (5, Value::Array(items)) if !items.is_empty() => {
            let at = dice.below(items.len());
            items.push(items[at].clone());
        }
        (6, node) => *node = json!([node.take()]),
        (7, Value::String(text)) => edit_text(text, dice),
        (8, Value::Array(items)) if !items.is_empty() => {
            let (one, two) = (dice.below(items.len()), dice.below(items.len()));
            items.swap(one, two);
        }
        (_, Value::String(text)) => edit_text(text, dice),
        (_, node) => *node = interesting(dice),
    }
}

fn nodes(tree: &Value) -> usize {
    1 + match tree {
        Value::Array(items) => items.iter().map(nodes).sum(),
        Value::Object(fields) => fields.values().map(nodes).sum(),
        _ => 0,
    }
}

fn nth<'a>(tree: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(tree);
    }
    *left -= 1;
    match tree {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, left)),
        Value::Object(fields) => fields.values_mut().find_map(|item| nth(item, left)),
        _ => None,
    }
}

fn without_one(fields: &mut Map<String, Value>, dice: &mut Dice) {
    if let Some(key) = fields.keys().nth(dice.below(fields.len().max(1))).cloned() {
        fields.remove(&key);
    }
}

fn renamed(fields: &mut Map<String, Value>, dice: &mut Dice) {
    if let Some(key) = fields.keys().nth(dice.below(fields.len().max(1))).cloned()
        && let Some(value) = fields.remove(&key)
    {
        fields.insert(name(dice), value);
    }
}

fn edit_text(text: &mut String, dice: &mut Dice) {
    let mut letters: Vec<char> = text.chars().collect();
    let odd =
        ['\0', '/', '.', '*', '?', '"', '\\', 'é', '日', '\u{1f984}', '\u{10ffff}', '0', '9', 'Z', '\n'];
    let at = dice.below(letters.len() + 1);
    match dice.below(4) {
        0 => letters.insert(at, odd[dice.below(odd.len())]),
        1 => letters.truncate(at),
        2 => letters.extend_from_within(at..),
        _ => {
            if let Some(letter) = letters.get_mut(at) {
                *letter = odd[dice.below(odd.len())];
            }
        }
    }
    *text = letters.into_iter().collect();
}

fn name(dice: &mut Dice) -> String {
    let names = [
        "",
        "targets.json",
        "snapshot.json",
        "team.json",
        "sub.json",
        "sha256",
        "sha512",
        "length",
        "hashes",
        "issued",
        "delegations",
        "paths",
        "path_hash_prefixes",
        "name",
        "succinct_roles",
        "version",
        "threshold",
        "keyids",
        "meta",
        "consistent_snapshot",
        "root",
        "timestamp",
        "team",
        "../x",
        "team/a",
        "needs",
        "waves",
        "notes",
    ];
    names[dice.below(names.len())].into()
}

fn interesting(dice: &mut Dice) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(7),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(9_007_199_254_740_993_i64),
        json!(1.5),
        json!(""),
        json!("1.0.34"),
        json!("2027-01-20T00:00:00Z"),
        json!("9999-12-31T23:59:59Z"),
        json!("0001-01-01T00:00:00Z"),
        json!("*"),
        json!("../x"),
        json!("team"),
        json!("sub"),
        json!("00".repeat(32)),
        json!([]),
        json!({}),
    ];
    values[dice.below(values.len())].clone()
}
