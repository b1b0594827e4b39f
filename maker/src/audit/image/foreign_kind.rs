//! The kind of an image, by its first bytes; those that are not read are named, with what to give instead.

use crate::image_file::packed_format;

/// The kind of an image.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    Squashfs,
    Ext4,
    /// It is not read: the rest of a sentence that begins with its name.
    Other(String),
}

/// A kind that is not read: the place of its magic bytes, the bytes, and its name.
const NOT_READ: &[(usize, &[u8], &str)] = &[
    (0, b"sqsh", "a squashfs of big-endian or of version 3 and before"),
    (0, b"UBI#", "a UBI image"),
    (0, &[0x31, 0x18, 0x10, 0x06], "a UBIFS image"),
    (0, &[0x85, 0x19], "a JFFS2 image"),
    (0, &[0x19, 0x85], "a JFFS2 image of big-endian"),
    (0, &[0x45, 0x3d, 0xcd, 0x28], "a cramfs image"),
    (1024, &[0xe2, 0xe1, 0xf5, 0xe0], "an EROFS image"),
    (0, &[0x27, 0x05, 0x19, 0x56], "an image of U-Boot (uImage)"),
    (0, &[0xd0, 0x0d, 0xfe, 0xed], "a FIT image or a device tree"),
    (0, b"HDR0", "a TRX image"),
    (0, b"070701", "a cpio archive"),
    (0, b"\x7fELF", "a program"),
    (512, b"EFI PART", "a disk with a partition table"),
    (510, &[0x55, 0xaa], "a disk with a partition table"),
];

/// The kind of an image that begins with these bytes.
pub fn kind_of(head: &[u8]) -> Kind {
    let has = |at: usize, magic: &[u8]| head.get(at..at + magic.len()) == Some(magic);
    if has(0, b"hsqs") {
        return Kind::Squashfs;
    }
    if has(1080, &[0x53, 0xef]) {
        return Kind::Ext4;
    }
    let named = NOT_READ.iter().find(|(at, magic, _)| has(*at, magic)).map(|(_, _, name)| (*name).to_owned());
    let packed = || packed_format(head).map(|format| format!("packed ({format})"));
    Kind::Other(match named.or_else(packed) {
        Some(name) => format!(
            "is {name}, which is not read here: unpack it, and give the squashfs or ext4 file of the root file system in it, \
             or a folder with its files"
        ),
        None if head.is_empty() => "is empty".into(),
        None => "is no squashfs (version 4), no ext4 image and no folder: give the root file system of the firmware as one of \
                 these"
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_their_magic_bytes() {
        assert_eq!(kind_of(b"hsqs"), Kind::Squashfs);
        let mut ext = vec![0; 1080];
        ext.extend([0x53, 0xef]);
        assert_eq!(kind_of(&ext), Kind::Ext4);
        for (head, word) in [
            (&b"UBI#\x01"[..], "UBI image"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"sqsh", "big-endian"),
            (b"", "is empty"),
            (b"text", "no folder"),
        ] {
            let Kind::Other(what) = kind_of(head) else { panic!("{head:?}") };
            assert!(what.contains(word), "{what}");
        }
    }
}
