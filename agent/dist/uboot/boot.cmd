# Komainu's boot flow for a stock U-Boot: one that counts no starts (no CONFIG_BOOTCOUNT_LIMIT) and keeps no second copy
# of its environment. This script counts by itself, in an environment of two copies beside U-Boot's own, which
# fw_env.config names to the agent. A power cut while one copy is written leaves the other.
#
#   mkimage -A arm -T script -C none -d boot.cmd boot.scr      onto the device, where `bootcmd` of stock.env reads it
#
# It needs hush, setexpr, itest, env import and env export, and these variables of stock.env, which are the board's:
#   k_read, k_write   what reads and writes storage: WORDS MEMORY BLOCK BLOCKS
#   k_a, k_b          the first block of each copy; k_blocks how many (hexadecimal, as all numbers here)
#   k_ram             48 KiB of memory that nothing else uses until the kernel starts
#   k_start           starts the slot that ${slot} names; comes back if it cannot
#
# The numbers in the environment are decimal to the agent and hexadecimal to setexpr: bootlimit must not be above 9.
# A copy is 16 KiB: checksum (4 bytes), generation (1 byte), variables. 3fff and 3ffb are the lengths without a generation.

setenv k_names boot_slot upgrade_available bootcount bootlimit altbootcmd komainu_release
setexpr k_copy_a ${k_ram} + 4000
setexpr k_copy_b ${k_ram} + 8000

# Takes the variables of the copy at ${k_copy}, if it is whole.
setenv k_take 'cp.b ${k_copy} ${k_ram} 4; setexpr k_from ${k_copy} + 5; setexpr k_to ${k_ram} + 4; cp.b ${k_from} ${k_to} 3ffb; env import -c ${k_ram} 3fff ${k_names}'
# Writes the variables over the older copy, at ${k_older} and block ${k_block}, as the next generation.
setenv k_save 'env export -c -s 3fff ${k_ram} ${k_names}; cp.b ${k_ram} ${k_older} 4; setexpr k_from ${k_ram} + 4; setexpr k_to ${k_older} + 5; cp.b ${k_from} ${k_to} 3ffb; setexpr k_to ${k_older} + 4; setexpr k_generation ${k_generation} + 1; setexpr k_generation ${k_generation} "&" ff; mw.b ${k_to} ${k_generation}; ${k_write} ${k_older} ${k_block} ${k_blocks}'

${k_read} ${k_copy_a} ${k_a} ${k_blocks}
${k_read} ${k_copy_b} ${k_b} ${k_blocks}
setexpr k_at ${k_copy_a} + 4
setexpr.b k_generation_a *${k_at}
setexpr k_at ${k_copy_b} + 4
setexpr.b k_generation_b *${k_at}
setenv k_whole_a 0
setenv k_whole_b 0
setenv k_copy ${k_copy_a}
if run k_take; then setenv k_whole_a 1; fi
setenv k_copy ${k_copy_b}
if run k_take; then setenv k_whole_b 1; fi

# Of two whole copies the newer one counts: after ff comes 0.
setenv k_newer none
if test ${k_whole_a} = 1; then setenv k_newer a; fi
if test ${k_whole_b} = 1; then setenv k_newer b; fi
if test ${k_whole_a}${k_whole_b} = 11; then
    setenv k_newer a
    if itest ${k_generation_b} > ${k_generation_a}; then setenv k_newer b; fi
    if test ${k_generation_a}/${k_generation_b} = ff/0; then setenv k_newer b; fi
    if test ${k_generation_a}/${k_generation_b} = 0/ff; then setenv k_newer a; fi
fi
if test ${k_newer} = b; then
    setenv k_copy ${k_copy_b}
    setenv k_older ${k_copy_a}
    setenv k_block ${k_a}
    setenv k_generation ${k_generation_b}
else
    setenv k_copy ${k_copy_a}
    setenv k_older ${k_copy_b}
    setenv k_block ${k_b}
    setenv k_generation ${k_generation_a}
fi
if test ${k_newer} = none; then
    echo "komainu: no copy of the environment is whole"
    setenv boot_slot a
    setenv upgrade_available 0
    setenv altbootcmd run k_other
else
    run k_take
fi
echo "komainu: copy ${k_newer}, boot_slot=${boot_slot} upgrade_available=${upgrade_available} bootcount=${bootcount}/${bootlimit}"

# A trial's starts are counted, and when bootlimit of them are used up altbootcmd starts the other slot. U-Boot's own count
# goes one further: here it would be the first number that is not decimal.
setenv k_other 'if test "${boot_slot}" = a; then setenv slot b; else setenv slot a; fi; echo "komainu: the other slot, ${slot}"; run k_start'
setenv k_over 0
if test "${upgrade_available}" = 1; then
    if itest ${bootcount} < ${bootlimit}; then
        setexpr bootcount ${bootcount} + 1
        run k_save
    else
        setenv k_over 1
    fi
fi
if test ${k_over} = 0; then
    setenv slot ${boot_slot}
    run k_start
    echo "komainu: slot ${slot} does not start"
fi
# A slot on trial is tried again until its tries are used up; any other gives way to the other slot at once.
if test ${k_over} = 1; then run altbootcmd; elif test "${upgrade_available}" != 1; then run altbootcmd; fi
reset
