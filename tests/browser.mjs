// Drives a page in headless Chromium, as a reader does, and says what it saw: node browser.mjs FOLDER PAGE WIDTH HEIGHT
// FOLDER: where npm has installed @sparticuz/chromium and playwright-core.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, page, width, height] = process.argv.slice(2);
const found = createRequire(folder + "/package.json");
const { default: chromium } = await import(pathToFileURL(found.resolve("@sparticuz/chromium")));
const { chromium: launcher } = found("playwright-core");
const browser = await launcher.launch({ executablePath: await chromium.executablePath(), args: chromium.args });
const seen = { errors: [], asked: [] };
try {
  const tab = await browser.newPage({ viewport: { width: +width, height: +height } });
  tab.on("console", message => message.type() === "error" && seen.errors.push(message.text()));
  tab.on("pageerror", error => seen.errors.push(String(error)));
  tab.on("dialog", dialog => { seen.errors.push(dialog.message()); dialog.dismiss(); });
  tab.on("request", request => /^(file|data):/.test(request.url()) || seen.asked.push(request.url()));
  await tab.goto(pathToFileURL(page).href);
  seen.width = await tab.evaluate(() => document.documentElement.scrollWidth);

  const clock = () => tab.locator(".clock").first().textContent();
  const pictures = () => tab.locator(".takes").first().innerHTML();
  seen.takes = await tab.locator(".takes").first().locator("figcaption").allTextContents();
  seen.begins = await clock();
  await tab.locator("[name=play]").first().click();
  await tab.waitForFunction(before => document.querySelector(".clock").textContent !== before, seen.begins);
  await tab.locator("[name=play]").first().click();
  seen.plays = await clock();
  await tab.locator("[name=step]").first().fill("3");
  seen.scrubbed = await clock();
  await tab.locator('td[data-step="5"]').first().click();
  seen.clicked = await clock();
  const before = await pictures();
  await tab.locator("[name=episode]").first().selectOption("1");
  seen.chosen = (await pictures()) !== before;

  const plot = tab.locator(".plot").first();
  const lines = await plot.innerHTML();
  await tab.locator(".switches button").first().click();
  seen.switched = (await plot.innerHTML()) !== lines;
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
