// A person with a phone in the LAN of a device that is really there: opens any page at all, in Japanese and without
// script, is led to the device, chooses a lazy password, hears why not, and then a good one.
//
//   KOMAINU_PASSWORD=… node tests/browser/person.mjs http://any.example/ http://the-device SCREENSHOT-BEGINNING

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const top = join(dirname(fileURLToPath(import.meta.url)), "../..");
const require = createRequire(join(top, "work/browser/package.json"));
const { chromium } = require("playwright-core");
const [asked, device, shots] = process.argv.slice(2);
const LAZY = "Password1!";

function holds(condition, sentence) {
    if (!condition) throw new Error(sentence);
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], timeout: 120000 });
try {
    const context = await browser.newContext({
        viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true,
        locale: "ja-JP", javaScriptEnabled: false,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(120000);
    await page.goto(asked);
    holds(page.url().startsWith(device), `led to ${page.url()}, not to ${device}`);
    const heading = () => page.locator("h1").innerText();
    holds(await heading() === "パスワードを決めてください", `the page says ${await heading()}`);
    await page.screenshot({ path: `${shots}-asked.png` });

    const choose = async (password) => {
        await page.locator("input[type=password]").fill(password);
        // The page that answers has the same fields: it is there once the browser has gone on to it.
        const there = page.waitForEvent("framenavigated", (frame) => frame === page.mainFrame());
        await Promise.all([there, page.locator("main button").tap()]);
        await page.waitForLoadState();
    };
    await choose(LAZY);
    const alert = await page.locator("[role=alert]").innerText();
    holds(alert.includes("Mirai"), `the refusal says ${alert}`);
    holds(await page.locator("input[type=password]").inputValue() === "", "the password is shown again");
    await page.screenshot({ path: `${shots}-refused.png` });

    await choose(process.env.KOMAINU_PASSWORD);
    await page.screenshot({ path: `${shots}-done.png` });
    holds(await page.locator("[role=alert]").count() === 0, `refused: ${await page.locator("main").innerText()}`);
    console.log(await heading());
} finally {
    await browser.close();
}
