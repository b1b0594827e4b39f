// What an owner does after setup: log in, look, update, postpone, change the password, reset; and what the page
// says about itself to a browser and to programs.

import { request } from "node:http";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { IDENTITY, NOTHING, PASSWORD, RICH, WALL, stand_in } from "./device.mjs";

export function tests(tools) {
    const { test, same, holds, person, shot, heading, alert, goes, send, fresh, login, DESKTOP, PHONE, ENGLISH, JAPANESE } = tools;
    const device = tools.device;
    const control = { control: true };
    const open = () => device().tell(...NOTHING, `password ${PASSWORD}`);
    const press = (page, text) => goes(page, () => page.getByRole("button", { name: text, exact: true }).click());

    // One request as a program sends it.
    const raw = (path, headers = {}, body = null, method = body === null ? "GET" : "POST") =>
        new Promise((done, fail) => {
            const asked = request(new URL(path, device().url), { method, headers }, (answer) => {
                let text = "";
                answer.on("data", (part) => { text += part; });
                answer.on("end", () => done({ status: answer.statusCode, headers: answer.headers, text }));
            });
            asked.on("error", fail);
            asked.end(body ?? undefined);
        });

    test("an_owner_updates_postpones_and_reads_the_status", async () => {
        await open();
        await device().tell(...RICH);
        await person({ ...DESKTOP, ...ENGLISH }, async (page, context) => {
            await login(page);
            await shot(page, "status-desktop-en");
            const text = await page.locator("main").innerText();
            for (const said of ["2.0.9 (release 41)", "2.1.0 (release 42)", "critical", "CVE-2026-2222", "two holes",
                "2026-11-22 05:23 UTC", "telnet listens", "nftables", "fetched, not started yet", "2031-10-17 10:40 UTC"]) {
                holds(text.includes(said), `${said} is not on the page: ${text}`);
            }
            await press(page, "Postpone");
            await page.getByText("The update waits.").waitFor();
            holds((await page.locator("main").innerText()).includes("Postponed until 2026-11-25 06:40 UTC"), "until when");
            await page.reload();
            same(await page.getByText("The update waits.").count(), 0, "a notice is shown once");
            await press(page, "Update now");
            await page.getByText("The device looks for updates now, and starts what is ready.").waitFor();
            same(await page.locator("progress").getAttribute("value"), "40");
            const cookies = await context.cookies();
            // The session's, and the one by which a browser that has logged in is known.
            same(cookies.length, 2);
            holds(cookies.every((one) => one.httpOnly && one.sameSite === "Strict"), "the cookies are for the page alone");
            const json = await page.goto(`${device().url}status.json`);
            const status = await json.json();
            same(status.release, 41);
            same(status.finding.length, 2);
            same(status.login[0].result, "ok");
        });
    }, control);

    test("an_owner_changes_the_password", async () => {
        await open();
        await person({ ...PHONE, ...ENGLISH }, async (page) => {
            await login(page);
            await goes(page, () => page.getByText("Change the password").click());
            await page.fill("#o", "wrong");
            await page.fill("#p", "Another-Lion-8-stone");
            await send(page);
            same(await alert(page).innerText(), "The password until now is wrong.");
            await page.waitForFunction(() => document.activeElement.id === "o");
            same(await page.inputValue("#p"), "", "the new password");
            await page.fill("#o", PASSWORD);
            await page.fill("#p", "Mirai-Password-1");
            await send(page);
            holds((await alert(page).innerText()).includes("Mirai"), "the reason");
            await page.fill("#o", PASSWORD);
            await page.fill("#p", "Another-Lion-8-stone");
            await send(page);
            await page.getByText("The password was changed.").waitFor();
            await press(page, "Log out");
            same(await heading(page), "Log in");
            await page.fill("#p", PASSWORD);
            await send(page);
            same(await alert(page).innerText(), "The password is wrong.");
            await page.fill("#p", "Another-Lion-8-stone");
            await send(page);
            await page.waitForSelector("nav");
        });
    }, control);

    test("an_owner_reads_the_wall_and_answers_it_without_script_in_both_languages", async () => {
        for (const [options, said] of [
            [ENGLISH, ["The wall", "no port answers with telnet", "not as wanted", "name the program in the policy",
                "taken back, because", "End the incident", "Accept the files as they are"]],
            [JAPANESE, ["防御", "telnetに応答するポートがない", "問題あり", "設定でプログラムを許可し", "元に戻しました", "対応を終了する",
                "今のファイルを認める"]],
        ]) {
            await open();
            await device().tell(...WALL);
            await person({ ...PHONE, ...options, javaScriptEnabled: false }, async (page) => {
                await login(page);
                await goes(page, () => page.getByRole("link", { name: said[0], exact: true }).click());
                same(await heading(page), said[0]);
                const text = await page.locator("main").innerText();
                for (const word of [...said, "process 9 (/usr/sbin/<b>telnetd</b>)"]) {
                    holds(text.includes(word), `${word} is not on the page: ${text}`);
                }
                same(await page.locator("main b").count(), 0, "what was seen stays text");
                await page.fill("#p", "wrong");
                await press(page, said[5]);
                await alert(page).waitFor();
                for (const label of [said[5], said[6]]) {
                    await page.goto(`${device().url}wall`);
                    await page.fill("#p", PASSWORD);
                    await press(page, label);
                    same(await page.locator("[role=status]").count(), 1, "it is said that the device does it");
                }
                await page.goto(`${device().url}wall`);
                same(await page.locator("#p").count(), 0, "there is nothing left to answer");
            });
        }
    }, control);

    test("whoever_finds_the_device_reads_what_it_is_before_the_log_in", async () => {
        for (const state of [fresh, open]) {
            await state();
            await device().tell(...IDENTITY);
            await person({ ...PHONE, ...ENGLISH }, async (page) => {
                await page.goto(device().url);
                const rows = await page.locator("main section dl").innerText();
                for (const word of ["<script>alert(1)</script>", '流量計 FM-200" onload="x', "Tanaka & Sons", "+81 3 1234 5678"]) {
                    holds(rows.includes(word), `${word} is not on the page: ${rows}`);
                }
                same(await page.locator("main script, main [onload]").count(), 0, "no value becomes HTML");
            });
        }
    }, control);

    test("an_owner_resets_the_device", async () => {
        await open();
        await person({ ...PHONE, ...JAPANESE }, async (page) => {
            await login(page);
            await goes(page, () => page.getByText("工場出荷時に戻す").click());
            await page.fill("#p", "wrong");
            await page.check("[name=sure]");
            await send(page);
            same(await alert(page).innerText(), "パスワードが違います。");
            await page.fill("#p", PASSWORD);
            await page.check("[name=sure]");
            await send(page);
            same(await heading(page), "利用者のデータを消去しています");
            await page.goto(device().url);
            same(await heading(page), "パスワードを決めてください");
        });
    }, control);

    test("many_wrong_passwords_make_one_wait", async () => {
        await open();
        await person({ ...PHONE, ...ENGLISH }, async (page) => {
            await page.goto(device().url);
            for (let time = 0; time < 4; time++) {
                await page.fill("#p", `wrong ${time}`);
                await send(page);
                await alert(page).waitFor();
            }
            holds((await alert(page).innerText()).includes("wait 30 s"), "how long");
        });
    }, control);

    test("a_session_that_the_agent_ended_is_over", async () => {
        await open();
        await device().tell(...RICH);
        await person({ ...PHONE, ...ENGLISH }, async (page) => {
            await login(page);
            await device().tell("next no-session");
            await press(page, "Update now");
            holds((await alert(page).innerText()).includes("You were logged out"), "what happened");
            await page.goto(`${device().url}password`);
            same(await heading(page), "Log in");
        });
    }, control);

    test("a_reader_chooses_the_language_and_keeps_it", async () => {
        await fresh();
        await person({ ...PHONE, locale: "fr-FR", javaScriptEnabled: false }, async (page) => {
            await page.goto(device().url);
            same(await page.getAttribute("html", "lang"), "en");
            await goes(page, () => page.getByText("日本語").click());
            same(await page.getAttribute("html", "lang"), "ja");
            await page.fill("#p", "Password-Password-1");
            await send(page);
            same(await page.getAttribute("html", "lang"), "ja");
            holds((await alert(page).innerText()).includes("非常によく使われる"), "the reason");
        });
    }, control);

    test("large_letters_and_spacing_lose_nothing", async () => {
        await fresh();
        await person({ viewport: { width: 320, height: 640 }, ...JAPANESE }, async (page) => {
            await page.goto(device().url);
            await page.evaluate(() => {
                document.documentElement.style.fontSize = "200%";
                document.body.style.cssText = "letter-spacing:.12em;word-spacing:.16em;line-height:1.5";
            });
            const wide = await page.evaluate(() => document.documentElement.scrollWidth);
            holds(wide <= 320, `the page is ${wide} wide`);
            await shot(page, "setup-large-letters-ja");
        });
    }, control);

    test("a_makers_colour_and_picture_are_shown_where_they_can_be_read", async () => {
        const logo = "work/browser/logo.svg";
        writeFileSync(logo, '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 20"><path fill="#c8102e" d="M0 0h60v20H0z"/></svg>');
        for (const [colour, wanted] of [["#c8102e", "rgb(200, 16, 46)"], ["#ffff00", "rgb(43, 97, 72)"]]) {
            const other = await stand_in(["--colour", colour, "--logo", logo]);
            try {
                await person({ ...PHONE, ...ENGLISH }, async (page) => {
                    await page.goto(other.url);
                    const shown = await page.evaluate(() => getComputedStyle(document.querySelector("button")).backgroundColor);
                    same(shown, wanted, colour);
                    const width = await page.evaluate(() => document.querySelector("header img").naturalWidth);
                    holds(width > 0, "the picture is there");
                    await shot(page, `maker-${colour.slice(1)}`);
                });
            } finally {
                await other.stop();
            }
        }
    }, control);

    test("any_address_leads_to_the_page_until_the_password_is_set", async () => {
        await fresh();
        // As a proxy the device gets every request, under the very name: as if it answered all names.
        const server = new URL(device().url).origin;
        await person({ ...PHONE, ...ENGLISH, proxy: { server } }, async (page) => {
            for (const url of ["http://captive.apple.com/hotspot-detect.html", "http://example.org/a?b"]) {
                await page.goto(url);
                same(await heading(page), "Choose a password", url);
                same(page.url(), device().url, url);
            }
            await page.fill("#p", PASSWORD);
            await send(page);
            same(await heading(page), "The password is set");
            await page.goto("http://captive.apple.com/hotspot-detect.html");
            same(await page.locator("body").innerText(), "Success");
            await page.goto("http://www.msftconnecttest.com/connecttest.txt");
            same(await page.locator("body").innerText(), "Microsoft Connect Test");
        });
    }, control);

    test("foreign_names_and_forged_forms_get_nowhere", async () => {
        await open();
        const form = { "Content-Type": "application/x-www-form-urlencoded" };
        const host = new URL(device().url).host;
        same((await raw("/", { Host: "evil.example" })).status, 421, "a foreign name");
        same((await raw("/generate_204", { Host: "connectivitycheck.gstatic.com" })).status, 204, "a probe");
        same((await raw("/status.json")).status, 401, "without a session");
        same((await raw("/login", { ...form, Origin: "http://evil.example" }, "password=x")).status, 403, "another origin");
        same((await raw("/login", form, "password=x")).status, 403, "no token");
        await fresh();
        const probe = await raw("/hotspot-detect.html", { Host: "captive.apple.com" });
        same(`${probe.status} ${probe.headers.location}`, `302 http://${host}/`, "a probe while closed");
        same(probe.headers["cache-control"], "no-store");
        const page = await raw("/");
        holds(!("server" in page.headers), "no server says its name");
        holds(page.headers["content-security-policy"].startsWith("default-src 'none'"), "the policy");
    }, control);

    test("the_page_and_its_texts_are_under_twenty_eight_kilobytes", async () => {
        const folder = "bootstrap/page";
        const bytes = readdirSync(folder).reduce((sum, name) => sum + readFileSync(`${folder}/${name}`).length, 0);
        holds(bytes < 28000, `${bytes} bytes`);
        const page = await raw("/");
        holds(page.text.length < 12000, `${page.text.length} bytes sent`);
        holds(!/(?:src|href)="(?:https?:)?\/\//.test(page.text), "nothing from elsewhere");
        console.log(`     sources ${bytes} bytes, the first page ${Buffer.byteLength(page.text)} bytes`);
    });
}
