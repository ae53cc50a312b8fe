// Logins that waxseal begins and a person ends in Chromium: at npm's oidc-provider and at the embedded issuer, each with a
// browser that comes back and with another device. Usage: waxseal_logins.mjs WAXSEAL EMAIL PASSWORD STACK DIGEST, where node
// finds oidc-provider and playwright-core; STACK wants that password, and a stack of its own believes oidc-provider.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';

const require = createRequire(process.cwd() + '/');
const { chromium } = require('playwright-core');
const { default: Provider } = await import(require.resolve('oidc-provider'));
const [waxseal, email, password, stackUrl, stackDigest] = process.argv.slice(2);
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'waxseal-logins-'));
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(fs.existsSync);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'] });
const children = [];

// --- oidc-provider
const holder = http.createServer((...both) => callback(...both));
await new Promise((resolve) => holder.listen(0, '127.0.0.1', resolve));
const people = `http://127.0.0.1:${holder.address().port}`;
const provider = new Provider(people, {
  clients: [{
    client_id: 'sigstore', application_type: 'native', response_types: ['code'], token_endpoint_auth_method: 'none',
    redirect_uris: ['http://localhost/auth/callback'], grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  scopes: ['openid', 'email', 'offline_access'],
  conformIdTokenClaims: false,
  features: { deviceFlow: { enabled: true, mask: '****-****', charset: 'base-20' } },
  pkce: { required: () => true },
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id, email: id, email_verified: true }) }),
  cookies: { keys: ['x'] },
  ttl: { IdToken: 600, DeviceCode: 300 },
});
const callback = provider.callback();

// --- who types what
const atProvider = async (page) => {
  await page.fill('input[name=login]', email);
  await page.fill('input[name=password]', 'anything');
  await page.click('button[type=submit]');
  await page.waitForSelector('input[name=prompt][value=consent]', { state: 'attached' });
  await page.click('button[type=submit]');
};
const atStack = async (page) => {
  await page.fill('#email', email);
  await page.fill('#password', password);
  await page.click('button');
};

// --- a repository that signs at an instance; the terminal is script(1)'s
function repository(name, url, digest) {
  const home = path.join(work, name);
  const git = (...words) => execFileSync('git', words, { cwd: `${home}/r`, env, encoding: 'utf8' });
  const env = { PATH: process.env.PATH, HOME: home, XDG_RUNTIME_DIR: `${home}/run`, GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C.UTF-8', TERM: 'xterm', SHELL: '/bin/sh' };
  fs.mkdirSync(`${home}/r`, { recursive: true });
  fs.mkdirSync(`${home}/run`, { mode: 0o700 });
  execFileSync(waxseal, ['trust', 'add', name, '--url', url, '--sha256', digest], { env, cwd: home });
  git('init', '--quiet', '.');
  for (const [key, value] of [['user.name', 'P'], ['user.email', email], ['gpg.format', 'x509'], ['gpg.x509.program', waxseal], ['waxseal.instance', name]]) git('config', '--global', key, value);
  return { git, env, folder: `${home}/r` };
}
function commit({ env, folder }, extra) {
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', 'git commit -q --allow-empty -S -m one', '/dev/null'], { cwd: folder, env: { ...env, ...extra }, stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  let shown = '';
  const ended = new Promise((resolve) => child.on('exit', resolve));
  child.stdout.on('data', (chunk) => { shown += chunk; });
  const sees = async (pattern) => {
    for (let i = 0; i < 600; i += 1) {
      const found = pattern.exec(shown);
      if (found) return found[1];
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${pattern} was not shown:\n${shown}`);
  };
  return { sees, ended, shown: () => shown };
}
const fresh = async () => (await browser.newContext()).newPage();
async function signed(name, repo, running) {
  const code = await running.ended;
  assert.equal(code, 0, running.shown());
  repo.git('verify-commit', 'HEAD');
  console.log(`ok   ${name}`);
}

let outcome = 1;
try {
  fs.mkdirSync(`${work}/data`, { mode: 0o700 });
  fs.writeFileSync(`${work}/data/issuers.toml`, `[[issuer]]\nissuer-url = "${people}"\ntype = "email"\n`);
  const stack = spawn(waxseal, ['serve', '--data', `${work}/data`, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(stack);
  const { url, trust_sha256: digest } = JSON.parse(await new Promise((resolve) => stack.stdout.once('data', resolve)));
  const worlds = [
    ['oidc-provider', repository('others', url, digest), people, atProvider],
    ['the embedded issuer', repository('own', stackUrl, stackDigest), `${stackUrl}/oidc`, atStack],
  ];
  for (const [name, repo, issuer, logIn] of worlds) {
    repo.git('config', '--global', 'waxseal.allow', `${email} ${issuer}`);
    // The person's own browser: waxseal's is `true`, which does nothing.
    const coming = commit(repo, { WAXSEAL_BROWSER: 'true', WAXSEAL_LOGIN: 'browser', WAXSEAL_AUTOCLOSE: '1' });
    const page = await fresh();
    await page.goto(await coming.sees(/\n {4}(http\S+)\r?\n/));
    // What browsers and other pages send meanwhile.
    const callback = new URL(page.url()).searchParams.get('redirect_uri');
    const target = callback ?? new URL(await coming.sees(/redirect_uri=(http%3A%2F%2Flocalhost%3A[0-9]+%2Fauth%2Fcallback)/).then(decodeURIComponent)).href;
    const stranger = await fresh();
    await stranger.goto(`${target}?state=guess&code=evil`);
    await stranger.goto(new URL('/favicon.ico', target).href);
    await stranger.setContent(`<form method=post action="${target}"><input name=state value=guess><input name=code value=evil></form>`);
    await stranger.evaluate(() => document.forms[0].submit());
    await stranger.waitForLoadState();
    const back = page.waitForResponse((response) => new URL(response.url()).pathname === '/auth/callback');
    await logIn(page);
    assert.equal((await back).status(), 200);
    await signed(`${name}: waxseal signs after a login in Chromium, whatever else comes to its address`, repo, coming);

    // What the agent keeps of that login would do for the next signature, too.
    execFileSync(waxseal, ['logout'], { env: repo.env, cwd: repo.folder });
    const away = commit(repo, { SSH_CONNECTION: '192.0.2.1 1 192.0.2.2 22', WAXSEAL_VERBOSE: '1' });
    const device = await fresh();
    await device.goto(await away.sees(/typed already\r?\n\r?\n {4}(http\S+)\r?\n/));
    const code = await away.sees(/type the code (\S+)/);
    assert.ok((await device.content()).includes(code), 'the page shows the same code');
    await device.click('button[type=submit], button');
    if (logIn === atProvider) await device.click('button[type=submit]').catch(() => {});
    await device.waitForSelector('input[name=login], #email');
    await logIn(device);
    await signed(`${name}: waxseal signs over SSH after a login on another device`, repo, away);
    assert.match(away.shown(), /signing in with another device: this is an SSH session/);
  }
  outcome = 0;
} catch (error) {
  console.log(`FAIL ${error.stack}`);
} finally {
  children.forEach((child) => child.kill());
  await browser.close();
  fs.rmSync(work, { recursive: true, force: true });
}
process.exit(outcome);
