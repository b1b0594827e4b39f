//! Prints the agent's table of ioctl requests: a name, and its number on most architectures and on MIPS. tests/peers holds it against
//! programs that were compiled with the kernel's headers.

use komainu_agent::os::flash::ioctl_numbers::{ALL, BLKGETSIZE64, GENERIC, MIPS};

fn main() {
    for (name, request, ..) in ALL {
        println!("{name} {:08x} {:08x}", request.encoded(GENERIC), request.encoded(MIPS));
    }
    // Its size is that of a pointer, so it is compared on machines of this width only.
    println!(
        "BLKGETSIZE64/{} {:08x} {:08x}",
        size_of::<usize>(),
        BLKGETSIZE64.encoded(GENERIC),
        BLKGETSIZE64.encoded(MIPS)
    );
}
