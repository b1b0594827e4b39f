//! The request numbers of `ioctl` for flash and block devices, and their arguments. Architectures encode them in two ways:
//! MIPS, PowerPC and SPARC have other bits for the direction than all the rest, and less room for the size. So a number that is
//! right on a workstation is another request, or none, on a router.

/// How an architecture encodes a request: `include/uapi/asm-generic/ioctl.h`, and the same file of the architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Where the direction begins; the size of the argument ends there.
    direction_shift: u32,
    none: u32,
    read: u32,
    write: u32,
}

/// x86, ARM, RISC-V and most others.
pub const GENERIC: Family = Family { direction_shift: 30, none: 0, read: 2, write: 1 };
/// MIPS, PowerPC, SPARC.
pub const MIPS: Family = Family { direction_shift: 29, none: 1, read: 2, write: 4 };

/// The family of the architecture that this is built for.
pub const HERE: Family = if cfg!(any(
    target_arch = "mips",
    target_arch = "mips64",
    target_arch = "powerpc",
    target_arch = "powerpc64",
    target_arch = "sparc",
    target_arch = "sparc64"
)) {
    MIPS
} else {
    GENERIC
};

/// The direction of the argument, seen from the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    None,
    Read,
    Write,
    Both,
}

/// A request, before it is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    direction: Direction,
    kind: u8,
    number: u8,
    bytes: u16,
}

impl Request {
    const fn new(direction: Direction, kind: u8, number: u8, bytes: usize) -> Request {
        assert!(bytes < 1 << 13, "the size of an argument has 13 bits on MIPS");
        Request { direction, kind, number, bytes: bytes as u16 }
    }

    /// The request as a family encodes it.
    pub const fn encoded(self, family: Family) -> u32 {
        let direction = match self.direction {
            Direction::None => family.none,
            Direction::Read => family.read,
            Direction::Write => family.write,
            Direction::Both => family.read | family.write,
        };
        (direction << family.direction_shift)
            | ((self.bytes as u32) << 16)
            | ((self.kind as u32) << 8)
            | self.number as u32
    }

    /// The request on the architecture that this is built for.
    pub const fn here(self) -> u32 {
        self.encoded(HERE)
    }
}

/// `struct mtd_info_user`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct MtdInfo {
    /// `MTD_NORFLASH` and so on.
    pub kind: u8,
    pub flags: u32,
    /// Bytes; wraps around from 4 GiB on.
    pub size: u32,
    pub erase_size: u32,
    pub write_size: u32,
    pub oob_size: u32,
    padding: u64,
}

/// `struct erase_info_user`: also what is locked and unlocked.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EraseRange {
    pub start: u32,
    pub length: u32,
}

/// `struct erase_info_user64`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EraseRange64 {
    pub start: u64,
    pub length: u64,
}

/// `struct mtd_ecc_stats`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct EccStats {
    pub corrected: u32,
    pub failed: u32,
    pub bad_blocks: u32,
    pub table_blocks: u32,
}

/// `struct ubi_leb_change_req`. Sixteen bytes, although its request says four.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LebChange {
    pub leb: i32,
    pub bytes: i32,
    /// 3: the kernel's "unknown", the only value that is not obsolete.
    pub data_type: i8,
    pub padding: [u8; 7],
}

macro_rules! requests {
    ($($name:ident: $direction:ident $kind:literal $number:literal $bytes:expr, $generic:literal $mips:literal;)*) => {
        $(pub const $name: Request = Request::new(Direction::$direction, $kind, $number, $bytes);)*

        /// Every request: its name, itself, and the number that the kernel's own headers give for it in each family.
        pub const ALL: &[(&str, Request, u32, u32)] = &[$((stringify!($name), $name, $generic, $mips),)*];
    };
}

// The name, the direction, the letter, the number and the size of the argument; then the encoded numbers, as programs
// that were compiled with the kernel's headers have printed them.
requests! {
    MEMGETINFO: Read b'M' 1 size_of::<MtdInfo>(), 0x8020_4d01 0x4020_4d01;
    MEMERASE: Write b'M' 2 size_of::<EraseRange>(), 0x4008_4d02 0x8008_4d02;
    MEMLOCK: Write b'M' 5 size_of::<EraseRange>(), 0x4008_4d05 0x8008_4d05;
    MEMUNLOCK: Write b'M' 6 size_of::<EraseRange>(), 0x4008_4d06 0x8008_4d06;
    MEMGETBADBLOCK: Write b'M' 11 size_of::<i64>(), 0x4008_4d0b 0x8008_4d0b;
    MEMSETBADBLOCK: Write b'M' 12 size_of::<i64>(), 0x4008_4d0c 0x8008_4d0c;
    ECCGETSTATS: Read b'M' 18 size_of::<EccStats>(), 0x8010_4d12 0x4010_4d12;
    MTDFILEMODE: None b'M' 19 0, 0x0000_4d13 0x2000_4d13;
    MEMERASE64: Write b'M' 20 size_of::<EraseRange64>(), 0x4010_4d14 0x8010_4d14;
    MEMISLOCKED: Read b'M' 23 size_of::<EraseRange>(), 0x8008_4d17 0x4008_4d17;
    MEMWRITE: Both b'M' 24 48, 0xc030_4d18 0xc030_4d18;
    UBI_IOCVOLUP: Write b'O' 0 size_of::<i64>(), 0x4008_4f00 0x8008_4f00;
    UBI_IOCEBER: Write b'O' 1 size_of::<i32>(), 0x4004_4f01 0x8004_4f01;
    UBI_IOCEBCH: Write b'O' 2 size_of::<i32>(), 0x4004_4f02 0x8004_4f02;
    UBI_IOCEBMAP: Write b'O' 3 8, 0x4008_4f03 0x8008_4f03;
    UBI_IOCEBUNMAP: Write b'O' 4 size_of::<i32>(), 0x4004_4f04 0x8004_4f04;
    UBI_IOCEBISMAP: Read b'O' 5 size_of::<i32>(), 0x8004_4f05 0x4004_4f05;
    UBI_IOCSETVOLPROP: Write b'O' 6 16, 0x4010_4f06 0x8010_4f06;
    UBI_IOCVOLCRBLK: Write b'O' 7 128, 0x4080_4f07 0x8080_4f07;
    UBI_IOCVOLRMBLK: None b'O' 8 0, 0x0000_4f08 0x2000_4f08;
    UBI_IOCMKVOL: Write b'o' 0 152, 0x4098_6f00 0x8098_6f00;
    UBI_IOCRMVOL: Write b'o' 1 4, 0x4004_6f01 0x8004_6f01;
    UBI_IOCRSVOL: Write b'o' 2 12, 0x400c_6f02 0x800c_6f02;
    UBI_IOCRNVOL: Write b'o' 3 4368, 0x5110_6f03 0x9110_6f03;
    UBI_IOCATT: Write b'o' 64 24, 0x4018_6f40 0x8018_6f40;
    UBI_IOCDET: Write b'o' 65 4, 0x4004_6f41 0x8004_6f41;
    BLKROGET: None 0x12 94 0, 0x0000_125e 0x2000_125e;
    BLKFLSBUF: None 0x12 97 0, 0x0000_1261 0x2000_1261;
    BLKSSZGET: None 0x12 104 0, 0x0000_1268 0x2000_1268;
    BLKDISCARD: None 0x12 119 0, 0x0000_1277 0x2000_1277;
    WDIOC_GETBOOTSTATUS: Read b'W' 2 4, 0x8004_5702 0x4004_5702;
    WDIOC_SETOPTIONS: Read b'W' 4 4, 0x8004_5704 0x4004_5704;
    WDIOC_KEEPALIVE: Read b'W' 5 4, 0x8004_5705 0x4004_5705;
    WDIOC_SETTIMEOUT: Both b'W' 6 4, 0xc004_5706 0xc004_5706;
    WDIOC_GETTIMEOUT: Read b'W' 7 4, 0x8004_5707 0x4004_5707;
    MMC_IOC_CMD: Both 0xb3 0 72, 0xc048_b300 0xc048_b300;
}

/// The size of the device in bytes, always as 64 bits; its request says `size_t`.
pub const BLKGETSIZE64: Request = Request::new(Direction::Read, 0x12, 114, size_of::<usize>());

/// Volumes that are renamed in one step at most.
pub const RENAMED_MAX: usize = 32;
/// The longest name of a volume, in bytes.
pub const VOLUME_NAME_BYTES_MAX: usize = 127;

/// `struct ubi_rnvol_req`: the new names of some volumes.
#[repr(C)]
pub struct VolumeNames {
    /// The entries that count.
    pub count: i32,
    padding: [u8; 12],
    pub entries: [VolumeName; RENAMED_MAX],
}

/// The new name of a volume; a zero byte ends it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct VolumeName {
    pub id: i32,
    pub name_bytes: i16,
    padding: [u8; 2],
    pub name: [u8; VOLUME_NAME_BYTES_MAX + 1],
}

impl VolumeNames {
    /// Of these volumes; `None`: too many, or a name that is too long.
    pub fn of(names: &[(u32, String)]) -> Option<Box<VolumeNames>> {
        let empty =
            VolumeName { id: 0, name_bytes: 0, padding: [0; 2], name: [0; VOLUME_NAME_BYTES_MAX + 1] };
        let mut all = Box::new(VolumeNames {
            count: i32::try_from(names.len()).ok()?,
            padding: [0; 12],
            entries: [empty; RENAMED_MAX],
        });
        for (index, (id, name)) in names.iter().enumerate() {
            let entry = all.entries.get_mut(index)?;
            entry.id = i32::try_from(*id).ok()?;
            if name.len() > VOLUME_NAME_BYTES_MAX {
                return None;
            }
            entry.name[..name.len()].copy_from_slice(name.as_bytes());
            entry.name_bytes = i16::try_from(name.len()).ok()?;
        }
        Some(all)
    }
}

// A build for an architecture on which a row is wrong ends here.
const _: () = {
    let mut row = 0;
    while row < ALL.len() {
        let (_, request, generic, mips) = ALL[row];
        assert!(request.encoded(GENERIC) == generic && request.encoded(MIPS) == mips);
        row += 1;
    }
    let size64 = BLKGETSIZE64.encoded(GENERIC);
    assert!(size64 == if size_of::<usize>() == 4 { 0x8004_1272 } else { 0x8008_1272 });
    assert!(size_of::<MtdInfo>() == 32 && size_of::<LebChange>() == 16);
    assert!(size_of::<VolumeNames>() == 4368 && size_of::<VolumeName>() == 136);
    assert!(std::mem::offset_of!(MtdInfo, size) == 8 && std::mem::offset_of!(LebChange, data_type) == 8);
};
