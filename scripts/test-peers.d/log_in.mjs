// The browser of somebody who logs in with a password: for programs that open one. Usage: log_in.mjs EMAIL PASSWORD URL,
// where node finds playwright-core in the current folder's node_modules; ends when the program on loopback has answered.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const { chromium } = createRequire(process.cwd() + '/')('playwright-core');
const [email, password, url] = process.argv.slice(2);
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(fs.existsSync);
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage();
await page.goto(url);
await page.fill('#email', email);
await page.fill('#password', password);
const answered = page.waitForResponse((response) => new URL(response.url()).pathname === '/auth/callback');
await page.click('button');
const status = (await answered).status();
if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/${process.env.CALLER ?? 'program'}.png` });
await browser.close();
process.exit(status === 200 ? 0 : 1);
