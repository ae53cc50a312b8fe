// Logins that waxseal begins and a person ends in Chromium: at npm's oidc-provider and at the embedded issuer, each with
// another device and with a browser that comes back, whatever pages of others send meanwhile; with a terminal and without.
// Where libfaketime is, certificates and ID tokens get too old, and the agent gets new ones without a question.
// Usage: waxseal_logins.mjs WAXSEAL EMAIL PASSWORD FOLDER [LIBFAKETIME], where node finds oidc-provider and playwright-core;
// FOLDER gets screenshots.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const require = createRequire(process.cwd() + '/');
const { chromium } = require('playwright-core');
const { default: Provider } = await import(require.resolve('oidc-provider'));
const [waxseal, email, password, folder, libfaketime] = process.argv.slice(2);
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'waxseal-logins-'));
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(fs.existsSync);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'] });
const children = [];

// --- the clock: of this process, which is oidc-provider's, and by a file of whatever gets `clock`
const clock = !libfaketime ? {} : { LD_PRELOAD: libfaketime, FAKETIME_TIMESTAMP_FILE: `${work}/clock`, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
fs.writeFileSync(`${work}/clock`, '+0');
function passTime(seconds) {
  fs.writeFileSync(`${work}/clock`, `+${seconds}`);
  const now = Date.now;
  Date.now = () => now() + seconds * 1000;
}

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
  const env = { PATH: process.env.PATH, HOME: home, XDG_RUNTIME_DIR: `${home}/run`, GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C.UTF-8', TERM: 'xterm', SHELL: '/bin/sh', NO_GCE_CHECK: 'true', ...clock };
  fs.mkdirSync(`${home}/r`, { recursive: true });
  fs.mkdirSync(`${home}/run`, { mode: 0o700 });
  execFileSync(waxseal, ['trust', 'add', name, '--url', url, '--sha256', digest], { env, cwd: home });
  git('init', '--quiet', '.');
  for (const [key, value] of [['user.name', 'P'], ['user.email', email], ['gpg.format', 'x509'], ['gpg.x509.program', waxseal], ['waxseal.instance', name]]) git('config', '--global', key, value);
  // Not in this process's way: oidc-provider is in it.
  const run = async (...words) => (await promisify(execFile)(waxseal, words, { env, cwd: home, timeout: 30_000 })).stdout;
  return { git, run, env, folder: `${home}/r` };
}
/** `git commit -S` in a terminal (script's), or with none at all: `detached` is setsid. */
function commit(repo, extra, terminal = true) {
  const git = ['commit', '-q', '--allow-empty', '-S', '-m', 'one'];
  const [program, words] = terminal ? ['script', ['--quiet', '--return', '--flush', '--command', `git ${git.join(' ')}`, '/dev/null']] : ['git', git];
  const child = spawn(program, words, { cwd: repo.folder, env: { ...repo.env, ...extra }, stdio: [terminal ? 'pipe' : 'ignore', 'pipe', 'pipe'], detached: !terminal });
  children.push(child);
  let [shown, look] = ['', () => {}];
  const ended = new Promise((resolve) => child.on('close', resolve));
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { shown += chunk; look(); });
  const sees = (pattern) => inTime(`${pattern} to be shown`, new Promise((resolve, reject) => {
    look = () => { const found = pattern.exec(shown); if (found) resolve(found[1]); };
    look();
    ended.then(() => reject(new Error(`${pattern} was not shown:\n${shown}`)));
  }));
  return { sees, ended: inTime('the end of git commit', ended, 60_000), shown: () => shown };
}
const inTime = (what, done, limit = 30_000) => Promise.race([
  done,
  new Promise((_, reject) => { setTimeout(reject, limit, new Error(`waited ${limit} ms for ${what}`)).unref(); }),
]);
const fresh = async () => {
  const page = await (await browser.newContext({ viewport: { width: 800, height: 500 } })).newPage();
  page.setDefaultTimeout(30_000);
  return page;
};
async function signed(name, repo, running) {
  const code = await running.ended;
  assert.equal(code, 0, running.shown());
  repo.git('verify-commit', 'HEAD');
  console.log(`ok   ${name}`);
}

// --- waxseal.browser: hands the address to this script, without a shell
let handed = () => {};
const opener = http.createServer(async (request, response) => {
  let address = '';
  for await (const chunk of request) address += chunk;
  response.end();
  handed(address);
});
await new Promise((resolve) => opener.listen(0, '127.0.0.1', resolve));
const WAXSEAL_BROWSER = `curl -sS --noproxy * --data-raw {url} http://127.0.0.1:${opener.address().port}/`;
/** Goes where waxseal's browser is sent. */
async function opened(begin) {
  const address = new Promise((resolve) => { handed = resolve; });
  const running = begin();
  const page = await fresh();
  await page.goto(await inTime('waxseal to open the browser', address));
  const target = /redirect_uri=([^&]+)/.exec(await address)[1];
  return { running, page, target: decodeURIComponent(target) };
}
/** A page in both colour schemes. A busy machine's Chromium sometimes says "Unable to capture screenshot". */
async function shot(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const take = () => page.screenshot({ path: `${folder}/${name}-${colorScheme}.png` });
    await take().catch(take);
  }
}
/** Logs in, and looks at the page that waxseal ends it with. */
async function comesBack(page, logIn, status, title) {
  const back = page.waitForResponse((response) => new URL(response.url()).pathname === '/auth/callback');
  await logIn(page);
  assert.equal((await back).status(), status);
  await page.waitForSelector(`h1:text-is("${title}")`);
}

// --- a page of somebody else's, on another site
const evil = http.createServer((request, response) => {
  response.setHeader('content-type', 'text/html').end('<!doctype html><title>Kittens</title>');
});
await new Promise((resolve) => evil.listen(0, '127.0.0.1', resolve));
async function everythingAPageCanSend(target) {
  const page = await fresh();
  const answers = new Set();
  page.on('response', (response) => {
    if (response.url().startsWith(new URL(target).origin)) answers.add(`${response.request().method()} ${response.status()}`);
  });
  await page.goto(`http://evil.localhost:${evil.address().port}/`);
  const outcomes = await page.evaluate(async (target) => {
    const guess = `${target}?state=guess&code=evil`;
    const form = () => new URLSearchParams({ state: 'guess', code: 'evil' });
    const fetched = (address, options) => fetch(address, options).then((answer) => answer.type, () => 'refused');
    const element = (name, properties) => new Promise((resolve) => {
      const made = Object.assign(document.createElement(name), properties);
      made.onload = () => resolve('loaded');
      made.onerror = () => resolve('refused');
      document.body.append(made);
    });
    const socket = () => new Promise((resolve) => {
      const made = new WebSocket(guess.replace('http', 'ws'));
      made.onopen = () => resolve('opened');
      made.onerror = () => resolve('refused');
    });
    return {
      get: await fetched(guess),
      blindGet: await fetched(guess, { mode: 'no-cors', credentials: 'include' }),
      post: await fetched(target, { method: 'POST', body: form() }),
      blindPost: await fetched(target, { method: 'POST', mode: 'no-cors', body: form() }),
      put: await fetched(target, { method: 'PUT', body: form() }),
      ownHeader: await fetched(guess, { headers: { 'x-mine': 'x' } }),
      megabyteAddress: await fetched(`${guess}&x=${'x'.repeat(1 << 20)}`, { mode: 'no-cors' }),
      megabyteBody: await fetched(target, { method: 'POST', mode: 'no-cors', body: 'x'.repeat(1 << 20) }),
      beacon: navigator.sendBeacon(target, form()),
      image: await element('img', { src: guess }),
      script: await element('script', { src: guess }),
      style: await element('link', { rel: 'stylesheet', href: guess }),
      socket: await socket(),
    };
  }, target);
  // What the body's sender hears of a connection that is closed before it was read is not for us to say.
  delete outcomes.megabyteBody;
  assert.deepEqual(outcomes, {
    get: 'refused', blindGet: 'opaque', post: 'refused', blindPost: 'opaque', put: 'refused', ownHeader: 'refused',
    megabyteAddress: 'refused', beacon: true, image: 'refused', script: 'refused', style: 'refused', socket: 'refused',
  });
  for (const answer of ['GET 403', 'POST 405']) assert(answers.has(answer), [...answers].join());
  // And what it can make the person's own browser go to.
  for (const [address, status] of [[`${target}?state=guess&code=evil`, 400], [`${target}?error=access_denied`, 400], [new URL('/favicon.ico', target).href, 404], [new URL('/', target).href, 404]]) {
    assert.equal((await page.goto(address)).status(), status);
  }
  await page.goto(`http://evil.localhost:${evil.address().port}/`);
  await page.setContent(`<form method=post action="${target}"><input name=state value=guess><input name=code value=evil><button>Kittens</button></form>`);
  const [answer] = await Promise.all([page.waitForNavigation(), page.click('button')]);
  assert.equal(answer.status(), 405);
  await shot(page, 'callback-refused');
  await page.context().close();
}

/** A stack, with this in its folder first. */
async function stack(name, prepare) {
  const data = `${work}/${name}-data`;
  fs.mkdirSync(data, { mode: 0o700 });
  prepare(data);
  const child = spawn(waxseal, ['serve', '--data', data, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...clock } });
  children.push(child);
  return JSON.parse(await inTime('the stack', new Promise((resolve) => child.stdout.once('data', resolve))));
}
/** The agent that waxseal starts by itself has the machine's clock. */
async function agentWithClock(repo) {
  await repo.run('agent', '--stop');
  const child = spawn(waxseal, ['agent'], { stdio: ['ignore', 'pipe', 'inherit'], env: repo.env });
  children.push(child);
  await inTime('the agent', new Promise((resolve) => child.stdout.once('data', resolve)));
}
const isRenewable = async (repo) => assert.match(await repo.run('whoami'), /renewed without a question for 2[34] h/);

let outcome = 1;
const repositories = [];
try {
  const others = await stack('others', (data) => fs.writeFileSync(`${data}/issuers.toml`, `[[issuer]]\nissuer-url = "${people}"\ntype = "email"\n`));
  const own = await stack('own', (data) => execFileSync(waxseal, ['serve', 'user', 'add', '--data', data, email], { input: `${password}\n`, env: { ...process.env, ...clock } }));
  const worlds = [
    ['oidc-provider', repository('others', others.url, others.trust_sha256), people, atProvider],
    ['the embedded issuer', repository('own', own.url, own.trust_sha256), `${own.url}/oidc`, atStack],
  ];
  for (const [name, repo, issuer, logIn] of worlds) {
    repositories.push(repo);
    repo.git('config', '--global', 'waxseal.allow', `${email} ${issuer}`);
    const away = commit(repo, { SSH_CONNECTION: '192.0.2.1 1 192.0.2.2 22', WAXSEAL_VERBOSE: '1' });
    const device = await fresh();
    await device.goto(await away.sees(/typed already\r?\n\r?\n {4}(http\S+)\r?\n/));
    const code = await away.sees(/type the code (\S+)/);
    assert.ok((await device.content()).includes(code), 'the page shows the same code');
    await device.click('button[type=submit]');
    await device.waitForSelector('input[name=login], #email');
    await logIn(device);
    await signed(`${name}: waxseal signs over SSH after a login on another device`, repo, away);
    assert.match(away.shown(), /signing in with another device: this is an SSH session/);
    await isRenewable(repo);

    await repo.run('logout');
    const silent = await opened(() => commit(repo, { WAXSEAL_BROWSER, WAXSEAL_AUTOCLOSE: '1' }, false));
    await comesBack(silent.page, logIn, 200, 'Signed in');
    await signed(`${name}: waxseal signs without a terminal`, repo, silent.running);

    await agentWithClock(repo);
    const here = await opened(() => commit(repo, { WAXSEAL_BROWSER }));
    await everythingAPageCanSend(here.target);
    await comesBack(here.page, logIn, 200, 'Signed in');
    await shot(here.page, 'callback-signed-in');
    await signed(`${name}: waxseal signs after a login in Chromium, whatever another page sends meanwhile`, repo, here.running);
    await isRenewable(repo);
  }

  // Certificates and ID tokens live for ten minutes.
  if (libfaketime) passTime(660);
  handed = () => assert.fail('a browser was opened');
  for (const [name, repo] of worlds) {
    const certificate = () => repo.git('log', '-1', '--format=%GK');
    const before = certificate();
    await signed(`${name}: the agent signs again without a question`, repo, commit(repo, { WAXSEAL_BROWSER }, false));
    if (!libfaketime) console.log('  not run: renewal: faketime is not here');
    else assert.notEqual(certificate(), before, 'the certificate is a new one');
  }

  const [, repo] = worlds[0];
  await repo.run('logout');
  const before = repo.git('rev-parse', 'HEAD');
  const refused = await opened(() => commit(repo, { WAXSEAL_BROWSER }));
  await comesBack(refused.page, (page) => page.click('a[href$="/abort"]'), 400, 'Not signed in');
  await shot(refused.page, 'callback-not-signed-in');
  assert.notEqual(await refused.running.ended, 0);
  assert.match(refused.running.shown(), /the issuer refused the login: access_denied/);
  assert.equal(repo.git('rev-parse', 'HEAD'), before);
  console.log('ok   oidc-provider: who cancels the login has signed nothing');
  outcome = 0;
} catch (error) {
  console.log(`FAIL ${error.stack}`);
} finally {
  await Promise.allSettled(repositories.map((repo) => repo.run('agent', '--stop')));
  children.forEach((child) => child.kill());
  await browser.close();
  fs.rmSync(work, { recursive: true, force: true });
}
process.exit(outcome);
