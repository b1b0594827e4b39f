// The device whose page is tested: the stand-in (tests/src/bin/page.rs), which does what it is told, or one that is
// there already (KOMAINU_PAGE=http://…/), which does not.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";

export const PASSWORD = "Shrine-Lion-7-stone";

export async function stand_in(options = []) {
    const folder = process.env.CARGO_TARGET_DIR ?? "target";
    const program = process.env.KOMAINU_PAGE_PROGRAM ?? `${folder}/debug/page`;
    if (!existsSync(program)) {
        throw new Error(`${program} is not there: cargo build -p komainu-tests --bin page`);
    }
    const child = spawn(program, options, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const url = (await lines.next()).value;
    await lines.next();
    const tell = async (...words) => {
        for (const word of words) {
            child.stdin.write(`${word}\n`);
            const said = await lines.next();
            if (said.value !== "ok") throw new Error(`the stand-in did not take: ${word}`);
        }
    };
    const stop = () => new Promise((done) => {
        child.on("exit", done);
        child.stdin.end();
    });
    return { url, tell, stop, controlled: true };
}

export function real(url) {
    return { url, tell: async () => {}, stop: async () => {}, controlled: false };
}

// A device about which everything is to be said.
export const RICH = [
    "put name=Gate One", "put version=2.0.9", "put release=41", "put slot=a", "put other=42 (2.1.0)",
    "put update=staged", "put polled=1795325000", "put next=1795339600", "put reason=waits for tonight",
    "put offer=42", "put offer_version=2.1.0", "put severity=critical", "put fixes=CVE-2026-1111 CVE-2026-2222",
    "put note.en=Closes two holes in the web server that are being attacked.",
    "put note.ja=攻撃に使われているウェブサーバーの弱点を2件修正します。",
    "put postponable=1", "put support_end=1950000000", "put firewall=nftables",
    "put finding=telnet listens on the WAN side", "add finding=an account without password was locked: guest",
];
// The device's identity, as hostile as it can be; and the wall after it has had work.
export const IDENTITY = [
    "put manufacturer=Aqua <script>alert(1)</script>", "put model=流量計 FM-200\" onload=\"x", "put installer=Tanaka & Sons",
    "put contact=+81 3 1234 5678, help@installer.example",
];
export const WALL = [
    ...["telnet weak", "passwords strong", "firewall strong", "exposure cannot-tell", "watchdog cannot-enforce"]
        .map((measure) => `add measure=${measure}`),
    "add answer=2026-11-22T06:00:00Z mended end telnet weak port 23 (tcp) speaks telnet: process 9 (/usr/sbin/<b>telnetd</b>)",
    "add answer=boot+30 undone tune egress told neighbours may change routes",
    "put incident=a program runs from memory and hides: /tmp/.x", "put contained=1", "put changed=/etc/resolv.conf",
];
export const NOTHING = [...new Set([...RICH, ...IDENTITY, ...WALL].map((line) => line.split(" ")[1].split("=")[0]))].map((key) => `drop ${key}`)
    .concat(["drop percent", "drop postponed", "code "]);
