// Drives the login and device pages of a running stack in a headless Chromium, as a person does, and leaves a screenshot
// of each. Called by browser.sh: login.mjs URL EMAIL PASSWORD FOLDER [REGEXP of the steps to take]. Where the stack runs under
// libfaketime, $FAKETIME_TIMESTAMP_FILE sets its clock.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';

const { chromium } = createRequire(process.cwd() + '/')('playwright-core');
const [stack, email, password, folder, only = ''] = process.argv.slice(2);
const issuer = `${stack}/oidc`;
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(fs.existsSync);
assert(executablePath, 'no Chromium is installed');
const browser = await chromium.launch({
  executablePath,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

const post = (path, form) =>
  fetch(`${issuer}${path}`, { method: 'POST', body: new URLSearchParams(form) }).then(async (answer) => ({
    status: answer.status,
    body: await answer.json(),
  }));
const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

/** A client that waits on loopback. */
async function client() {
  let received;
  const code = new Promise((resolve) => (received = resolve));
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost');
    if (url.pathname === '/auth/callback') received(url.searchParams);
    response.setHeader('content-type', 'text/html').end('<p>Done.');
  });
  await new Promise((resolve) => server.listen(0, 'localhost', resolve));
  const verifier = crypto.randomBytes(32).toString('base64url');
  const redirect = `http://localhost:${server.address().port}/auth/callback`;
  const query = new URLSearchParams({
    client_id: 'sigstore',
    response_type: 'code',
    scope: 'openid email',
    redirect_uri: redirect,
    state: 'STATE',
    nonce: 'NONCE',
    code_challenge: crypto.createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const redeem = async (changes = {}) =>
    post('/token', {
      grant_type: 'authorization_code',
      client_id: 'sigstore',
      code: changes.code ?? (await code).get('code'),
      redirect_uri: redirect,
      code_verifier: verifier,
      ...changes,
    });
  return { query, code, redeem, close: () => server.close() };
}

async function page(options = {}) {
  const context = await browser.newContext({ viewport: { width: 800, height: 760 }, ...options });
  const page = await context.newPage();
  page.on('request', (request) => assert(/^http:\/\/(localhost|127\.0\.0\.1)[:/]/.test(request.url()), `asked ${request.url()}`));
  page.on('console', (message) => assert(!/Content Security Policy/.test(message.text()), message.text()));
  return page;
}
/** What has the keyboard: `autofocus` may come a moment after the page, and a key before it goes nowhere. */
async function focused(page) {
  await page.waitForFunction(() => document.activeElement !== document.body);
  return page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
}
/** A busy machine's Chromium sometimes says "Unable to capture screenshot". */
async function shot(page, name, tries = 5) {
  try {
    await page.screenshot({ path: `${folder}/${name}.png` });
  } catch (error) {
    if (tries === 1) throw error;
    await new Promise((resolve) => setTimeout(resolve, 500));
    await shot(page, name, tries - 1);
  }
}

const steps = {
  async 'a wrong password, then the right one, without scripts'() {
    const [waiting, tab] = [await client(), await page({ javaScriptEnabled: false })];
    await tab.goto(`${issuer}/auth?${waiting.query}`);
    await shot(tab, 'login-light');
    await tab.fill('#email', email);
    await tab.fill('#password', 'certainly wrong');
    const [answer] = await Promise.all([tab.waitForNavigation(), tab.click('button')]);
    assert.equal(answer.status(), 401);
    assert.match(await tab.textContent('[role=alert]'), /wrong/);
    assert.equal(await tab.inputValue('#email'), email);
    assert.equal(await tab.inputValue('#password'), '');
    await shot(tab, 'login-wrong-light');
    await tab.fill('#password', password);
    await tab.click('button');
    const got = await waiting.code;
    assert.equal(got.get('state'), 'STATE');
    assert.equal(got.get('iss'), issuer);
    assert.equal((await waiting.redeem({ code_verifier: 'x'.repeat(43) })).body.error, 'invalid_grant');
    const tokens = await waiting.redeem();
    assert.equal(tokens.status, 200, JSON.stringify(tokens.body));
    const { email: named, nonce, aud } = claims(tokens.body.id_token);
    assert.deepEqual([named, nonce, aud], [email, 'NONCE', 'sigstore']);
    const replayed = await waiting.redeem();
    assert.deepEqual([replayed.status, replayed.body.error], [400, 'invalid_grant']);
    waiting.close();
  },
  async 'by keyboard alone, in the dark'() {
    const [waiting, tab] = [await client(), await page({ colorScheme: 'dark' })];
    await tab.goto(`${issuer}/auth?${waiting.query}`);
    const order = [await focused(tab)];
    await tab.keyboard.type(email);
    for (const text of [password, '']) {
      await tab.keyboard.press('Tab');
      order.push(await focused(tab));
      await tab.keyboard.type(text);
    }
    await shot(tab, 'login-dark');
    assert.deepEqual(order, ['email', 'password', 'Log in']);
    await tab.keyboard.press('Enter');
    await waiting.code;
    assert.equal((await waiting.redeem()).status, 200);
    waiting.close();
  },
  async 'a hint leads to the password'() {
    const [waiting, tab] = [await client(), await page({ viewport: { width: 360, height: 720 } })];
    waiting.query.set('login_hint', email);
    await tab.goto(`${issuer}/auth?${waiting.query}`);
    assert.equal(await focused(tab), 'password');
    assert(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'it scrolls sideways');
    await shot(tab, 'login-narrow');
    waiting.close();
  },
  async 'a code to copy'() {
    const [waiting, tab] = [await client(), await page()];
    waiting.query.set('redirect_uri', 'urn:ietf:wg:oauth:2.0:oob');
    await tab.goto(`${issuer}/auth?${waiting.query}`);
    await tab.fill('#email', email);
    await tab.fill('#password', password);
    await tab.click('button');
    const code = await tab.textContent('output');
    await shot(tab, 'out-of-band');
    const tokens = await waiting.redeem({ code, redirect_uri: 'urn:ietf:wg:oauth:2.0:oob' });
    waiting.close();
    assert.equal(tokens.status, 200, JSON.stringify(tokens.body));
  },
  async 'refusals are shown, or told to the client'() {
    const [waiting, tab] = [await client(), await page()];
    for (const [name, value, status, sentence] of [
      ['client_id', 'nobody', 404, 'Invalid client_id provided.'],
      ['redirect_uri', 'http://evil.example/cb', 400, 'Unregistered redirect_uri.'],
    ]) {
      const query = new URLSearchParams(waiting.query);
      query.set(name, value);
      const answer = await tab.goto(`${issuer}/auth?${query}`);
      assert.equal(answer.status(), status);
      assert.match(await tab.textContent('main'), new RegExp(sentence));
      await shot(tab, `refused-${name}`);
    }
    const query = new URLSearchParams(waiting.query);
    query.set('response_type', 'token');
    await tab.goto(`${issuer}/auth?${query}`);
    assert.equal((await waiting.code).get('error'), 'unsupported_response_type');
    waiting.close();
    const port = new URL(stack).port;
    const foreign = await new Promise((resolve, reject) => {
      const request = http.get({ host: '127.0.0.1', port, path: '/oidc/auth', headers: { host: 'evil.example' } }, resolve);
      request.on('error', reject);
    });
    assert.equal(foreign.statusCode, 421);
  },
  async 'a page on another site cannot send the form'() {
    const [waiting, tab] = [await client(), await page()];
    await tab.goto(`${issuer}/auth?${waiting.query}`);
    const form = await tab.inputValue('[name=form]');
    const server = http.createServer((_, response) => {
      response.setHeader('content-type', 'text/html').end(
        `<form method=post action="${issuer}/auth/login"><input name=form value="${form}"><input name=email value="${email}">` +
          `<input name=password value="${password}"><button>x</button></form>`,
      );
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    await tab.goto(`http://127.0.0.1:${server.address().port}/`);
    const [answer] = await Promise.all([tab.waitForNavigation(), tab.click('button')]);
    assert.equal(answer.status(), 403);
    server.close();
    waiting.close();
  },
  async 'a device is allowed'() {
    const verifier = crypto.randomBytes(32).toString('base64url');
    const begun = await post('/device/code', {
      client_id: 'sigstore',
      scope: 'openid email',
      code_challenge: crypto.createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    const poll = () =>
      post('/token', {
        grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        client_id: 'sigstore',
        device_code: begun.body.device_code,
        code_verifier: verifier,
      });
    assert.equal((await poll()).body.error, 'authorization_pending');
    const tab = await page();
    await tab.goto(begun.body.verification_uri);
    await shot(tab, 'device-enter');
    await tab.fill('#user_code', 'BCDF-GHJK');
    await tab.click('button');
    assert.match(await tab.textContent('[role=alert]'), /No program waits/);
    await shot(tab, 'device-wrong-code');
    await tab.goto(begun.body.verification_uri_complete);
    assert.equal(await focused(tab), 'Continue');
    await tab.keyboard.press('Enter');
    await tab.waitForSelector('#password');
    assert.equal((await tab.textContent('output')).trim(), begun.body.user_code);
    await shot(tab, 'device-confirm');
    await tab.fill('#email', email);
    await tab.fill('#password', 'certainly wrong');
    await tab.click('button[value=allow]');
    assert.match(await tab.textContent('[role=alert]'), /wrong/);
    await shot(tab, 'device-confirm-wrong');
    await tab.fill('#password', password);
    await tab.keyboard.press('Enter');
    await tab.waitForSelector('text=Request allowed');
    await shot(tab, 'device-allowed');
    await new Promise((resolve) => setTimeout(resolve, 5200));
    const tokens = await poll();
    assert.equal(tokens.status, 200, JSON.stringify(tokens.body));
    assert.equal(claims(tokens.body.id_token).email, email);
    assert.equal((await poll()).status, 400);
  },
  async 'a device is refused, in the dark'() {
    const begun = await post('/device/code', { client_id: 'sigstore' });
    const tab = await page({ colorScheme: 'dark' });
    await tab.goto(begun.body.verification_uri_complete);
    await tab.click('button');
    await shot(tab, 'device-confirm-dark');
    await tab.click('button[value=refuse]');
    await tab.waitForSelector('text=Request refused');
    const polled = await post('/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      client_id: 'sigstore',
      device_code: begun.body.device_code,
    });
    assert.equal(polled.body.error, 'access_denied');
  },
  async 'what is too old, an hour later'() {
    if (!process.env.FAKETIME_TIMESTAMP_FILE) return console.log('  not run: faketime is not here');
    const [waiting, open, pending] = [await client(), await page(), await client()];
    for (const [tab, { query }] of [[await page(), waiting], [open, pending]]) {
      await tab.goto(`${issuer}/auth?${query}`);
      await tab.fill('#email', email);
      await tab.fill('#password', password);
      if (tab !== open) await tab.click('button');
    }
    await waiting.code;
    const begun = await post('/device/code', { client_id: 'sigstore' });
    const device = await page();
    await device.goto(begun.body.verification_uri_complete);
    fs.writeFileSync(process.env.FAKETIME_TIMESTAMP_FILE, '+1h');
    const late = await waiting.redeem();
    assert.deepEqual([late.status, late.body.error], [400, 'invalid_grant']);
    const polled = await post('/token', { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: 'sigstore', device_code: begun.body.device_code });
    assert.deepEqual([polled.status, polled.body.error], [400, 'expired_token']);
    const [answer] = await Promise.all([open.waitForNavigation(), open.click('button')]);
    assert.equal(answer.status(), 400);
    assert.match(await open.textContent('main'), /open for too long/);
    await shot(open, 'login-too-old');
    await device.click('button');
    assert.match(await device.textContent('[role=alert]'), /No program waits/);
    await shot(device, 'device-too-old');
    const fresh = await client();
    await open.goto(`${issuer}/auth?${fresh.query}`);
    await open.fill('#email', email);
    await open.fill('#password', password);
    await open.click('button');
    await fresh.code;
    assert.equal((await fresh.redeem()).status, 200);
    for (const each of [waiting, pending, fresh]) each.close();
  },
  async 'text can be read by everyone (WCAG 2.2, 1.4.3 and 1.4.11)'() {
    for (const colorScheme of ['light', 'dark']) {
      const [waiting, tab] = [await client(), await page({ colorScheme })];
      await tab.goto(`${issuer}/auth?${waiting.query}`);
      await tab.fill('#email', email);
      await tab.fill('#password', 'certainly wrong');
      await Promise.all([tab.waitForNavigation(), tab.click('button')]);
      const found = await tab.evaluate(() => {
        const rgb = (color) => color.match(/[\d.]+/g).map(Number);
        const luminance = (color) => {
          const [r, g, b] = rgb(color).map((c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const ratio = (a, b) => {
          const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
          return (light + 0.05) / (dark + 0.05);
        };
        const behind = (element) => {
          for (; element; element = element.parentElement) {
            const { backgroundColor } = getComputedStyle(element);
            if ((rgb(backgroundColor)[3] ?? 1) > 0) return backgroundColor;
          }
          return 'rgb(255, 255, 255)';
        };
        const text = [...document.querySelectorAll('h1, p, label, button, input:not([type=hidden]), strong')];
        const fields = [...document.querySelectorAll('input:not([type=hidden])')];
        return {
          text: text.map((element) => [element.textContent.trim() || element.id, ratio(getComputedStyle(element).color, behind(element))]),
          fields: fields.map((element) => [element.id, ratio(getComputedStyle(element).borderTopColor, behind(element))]),
        };
      });
      for (const [what, ratio] of found.text) assert(ratio >= 4.5, `${colorScheme}: ${what}: ${ratio}`);
      for (const [what, ratio] of found.fields) assert(ratio >= 3, `${colorScheme}: ${what}: ${ratio}`);
      const least = Math.min(...found.text.map(([, ratio]) => ratio));
      console.log(`  ${colorScheme}: the least contrast of text is ${least.toFixed(1)}`);
      waiting.close();
    }
  },
};

const inTime = (step) =>
  Promise.race([step(), new Promise((_, reject) => setTimeout(reject, 60_000, new Error('not done within a minute')))]);
let failed = 0;
for (const [name, step] of Object.entries(steps)) {
  if (!new RegExp(only).test(name)) continue;
  try {
    await inTime(step);
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n${error.stack}`);
  }
}
await browser.close();
process.exit(failed ? 1 : 0);
