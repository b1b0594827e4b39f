//! The kernel's command line (`/proc/cmdline`), read as the kernel reads it (`next_arg` of its lib/cmdline.c): blanks part
//! the arguments except between double quotes, and quotes around an argument or its value are no part of it.

/// Takes an argument's name, and its value where it has a `=`.
pub type EachArgument<'a> = &'a mut dyn FnMut(&[u8], Option<&[u8]>);

/// Shows every argument, in the order of the line. Those behind `--`, which are init's, are shown as well.
pub fn each_argument(line: &[u8], each: EachArgument<'_>) {
    let mut rest = line;
    loop {
        let begin = rest.iter().position(|byte| !is_space(*byte)).unwrap_or(rest.len());
        rest = &rest[begin..];
        if rest.is_empty() {
            return;
        }
        let quoted = rest[0] == b'"';
        let argument = if quoted { &rest[1..] } else { rest };
        let (mut in_quote, mut equals, mut end) = (quoted, None, argument.len());
        for (at, byte) in argument.iter().enumerate() {
            if is_space(*byte) && !in_quote {
                end = at;
                break;
            }
            match byte {
                // The kernel takes a `=` that comes first for none.
                b'=' if equals.is_none() && at > 0 => equals = Some(at),
                b'"' => in_quote = !in_quote,
                _ => {}
            }
        }
        rest = &argument[end..];
        let mut argument = &argument[..end];
        let begins_quoted = equals.is_some_and(|equals| argument.get(equals + 1) == Some(&b'"'));
        if (quoted || begins_quoted) && argument.last() == Some(&b'"') {
            argument = &argument[..argument.len() - 1];
        }
        match equals {
            None => each(argument, None),
            // Nothing is left of a value that was one lone quote.
            Some(equals) => {
                let value = argument.get(equals + 1 + usize::from(begins_quoted)..).unwrap_or_default();
                each(&argument[..equals], Some(value));
            }
        }
    }
}

/// Whether two names are one to the kernel, which takes `-` for `_`.
pub fn is_same_name(one: &[u8], other: &[u8]) -> bool {
    let plain = |byte: &u8| if *byte == b'-' { b'_' } else { *byte };
    one.iter().map(plain).eq(other.iter().map(plain))
}

/// The kernel's own `isspace`: of ASCII, and the no-break space of Latin-1.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0xa0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_the_kernel_reads_them() {
        for (line, wanted) in [
            ("", &[][..]),
            (" \n", &[]),
            ("quiet  root=/dev/mmcblk0p3\tro\n", &["quiet", "root|/dev/mmcblk0p3", "ro"]),
            (r#"foo="x komainu.slot=b y" komainu.slot=a"#, &["foo|x komainu.slot=b y", "komainu.slot|a"]),
            (r#""foo=x komainu.slot=b" komainu.slot=a"#, &["foo|x komainu.slot=b", "komainu.slot|a"]),
            (r#"foo=x" komainu.slot=b"y z"#, &[r#"foo|x" komainu.slot=b"y"#, "z"]),
            (r#"foo="never closed komainu.slot=b"#, &["foo|never closed komainu.slot=b"]),
            (r#"a="b"c"#, &[r#"a|b"c"#]),
            (r#"a="" b=" c="#, &["a|", "b| c="]),
            (r#"a=""#, &["a|"]),
            ("a= b", &["a|", "b"]),
            ("=a b=c=d", &["=a", "b|c=d"]),
            ("a -- b=c", &["a", "--", "b|c"]),
            (r#"""#, &[""]),
        ] {
            let mut found = Vec::new();
            each_argument(line.as_bytes(), &mut |name, value| {
                let name = String::from_utf8_lossy(name);
                found.push(value.map_or_else(
                    || name.to_string(),
                    |value| format!("{name}|{}", String::from_utf8_lossy(value)),
                ));
            });
            assert_eq!(found, wanted, "{line}");
        }
        let mut names = 0;
        each_argument(b"a\xa0b\x0bc", &mut |_, _| names += 1);
        assert_eq!(names, 3);
    }

    #[test]
    fn a_dash_in_a_name_is_an_underscore() {
        assert!(is_same_name(b"komainu-slot", b"komainu_slot"));
        assert!(!is_same_name(b"komainu.slot", b"komainu_slot"));
        assert!(!is_same_name(b"komainu.slot", b"komainu.slot2"));
    }
}
