// Other issuers: npm's oidc-provider for people, a small one for CI that changes its key and goes away. Starts a stack that
// believes both and asks it for certificates. Usage: issuers.mjs WAXSEAL, where node finds oidc-provider and playwright-core.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';

const require = createRequire(process.cwd() + '/');
const { chromium } = require('playwright-core');
const { default: Provider } = await import(require.resolve('oidc-provider'));
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'issuers-'));
const listen = async (server, port = 0) => {
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server.address().port;
};

// --- people
const holder = http.createServer((...both) => callback(...both));
const people = `http://127.0.0.1:${await listen(holder)}`;
const provider = new Provider(people, {
  clients: [{ client_id: 'sigstore', application_type: 'native', response_types: ['code'], token_endpoint_auth_method: 'none', redirect_uris: ['http://127.0.0.1/auth/callback'], grant_types: ['authorization_code'] }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  scopes: ['openid', 'email'],
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id, email: id, email_verified: true }) }),
  cookies: { keys: ['x'] },
  ttl: { IdToken: 600 },
});
const callback = provider.callback();

async function logIn() {
  const waiting = http.createServer();
  const code = new Promise((resolve) => waiting.on('request', (request, response) => {
    response.end('done');
    resolve(new URL(request.url, people).searchParams.get('code'));
  }));
  const redirect_uri = `http://127.0.0.1:${await listen(waiting)}/auth/callback`;
  const code_verifier = crypto.randomBytes(32).toString('base64url');
  const code_challenge = crypto.createHash('sha256').update(code_verifier).digest('base64url');
  const query = new URLSearchParams({ client_id: 'sigstore', response_type: 'code', scope: 'openid email', redirect_uri, state: 'S', nonce: 'N', code_challenge, code_challenge_method: 'S256' });
  const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(fs.existsSync);
  const browser = await chromium.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
  const page = await browser.newPage();
  await page.goto(`${people}/auth?${query}`);
  await page.fill('input[name=login]', 'dev@example.test');
  await page.fill('input[name=password]', 'anything');
  await page.click('button[type=submit]');
  await page.click('button[type=submit]');
  const form = { grant_type: 'authorization_code', client_id: 'sigstore', code: await code, redirect_uri, code_verifier };
  await browser.close();
  waiting.closeAllConnections();
  waiting.close();
  const answer = await fetch(`${people}/token`, { method: 'POST', body: new URLSearchParams(form) });
  return (await answer.json()).id_token;
}

// --- machines
const newKey = (kid) => ({ kid, ...crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }) });
let key = newKey('one');
let fetches = 0;
const ci = http.createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  if (request.url === '/.well-known/openid-configuration') return response.end(JSON.stringify({ issuer: machines, jwks_uri: `${machines}/jwks` }));
  fetches += 1;
  response.end(JSON.stringify({ keys: [{ ...key.publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: key.kid }] }));
});
const port = await listen(ci);
const machines = `http://127.0.0.1:${port}`;
const subject = 'repo:owner/name:ref:refs/heads/main';
function ciToken(by = key) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: machines, aud: 'sigstore', sub: subject, iat: now, exp: now + 300, event_name: 'push', sha: 'abc', workflow: 'release', repository: 'owner/name',
    ref: 'refs/heads/main', job_workflow_ref: 'owner/name/.github/workflows/r.yml@refs/heads/main', job_workflow_sha: 'abc', runner_environment: 'self-hosted',
    repository_id: '1', repository_owner: 'owner', repository_owner_id: '2', workflow_ref: 'owner/name/.github/workflows/r.yml@refs/heads/main',
    workflow_sha: 'abc', run_id: '3', run_attempt: '1', repository_visibility: 'private', environment: 'prod',
  };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'RS256', kid: by.kid })}.${part(claims)}`;
  return `${signed}.${crypto.sign('sha256', Buffer.from(signed), by.privateKey).toString('base64url')}`;
}

// --- the stack
fs.mkdirSync(`${work}/data`, { mode: 0o700 });
fs.writeFileSync(`${work}/data/issuers.toml`, `
[[issuer]]
issuer-url = "${people}"
type = "email"

[[issuer]]
issuer-url = "${machines}"
type = "ci-provider"
ci-provider = "github-workflow"
`);
const stack = spawn(process.argv[2], ['serve', '--data', `${work}/data`, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
let outcome = 1;
try {
  const { url } = JSON.parse(await new Promise((resolve) => stack.stdout.once('data', resolve)));
  const certify = async (token, challenge) => {
    const pair = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const body = {
      credentials: { oidcIdentityToken: token },
      publicKeyRequest: {
        publicKey: { algorithm: 'ECDSA', content: pair.publicKey.export({ type: 'spki', format: 'pem' }) },
        proofOfPossession: crypto.sign('sha256', Buffer.from(challenge), pair.privateKey).toString('base64'),
      },
    };
    const answer = await fetch(`${url}/api/v2/signingCert`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const json = await answer.json();
    const pem = json.signedCertificateEmbeddedSct?.chain.certificates[0];
    return { status: answer.status, message: json.message, san: pem && new crypto.X509Certificate(pem).subjectAltName };
  };
  const config = await (await fetch(`${url}/trust/signing_config.v0.2.json`)).json();
  assert.deepEqual(config.oidcUrls.map((service) => service.url), [people]);
  console.log('ok   the signing config names the issuer for people');

  assert.deepEqual(await certify(await logIn(), 'dev@example.test'), { status: 200, message: undefined, san: 'email:dev@example.test' });
  console.log('ok   oidc-provider: a login in Chromium becomes a certificate');

  const expected = { status: 200, message: undefined, san: 'URI:https://github.com/owner/name/.github/workflows/r.yml@refs/heads/main' };
  for (let i = 0; i < 3; i += 1) assert.deepEqual(await certify(ciToken(), subject), expected);
  assert.equal(fetches, 1);
  console.log('ok   CI: a workflow becomes a certificate, and its keys are fetched once');

  const stranger = newKey('stranger');
  for (let i = 0; i < 3; i += 1) assert.equal((await certify(ciToken(stranger), subject)).status, 400);
  assert.equal(fetches, 1);
  console.log('ok   unknown keys do not make it ask more often than every half minute');

  await new Promise((resolve) => setTimeout(resolve, 31_000));
  key = newKey('two');
  assert.deepEqual(await certify(ciToken(), subject), expected);
  assert.equal(fetches, 2);
  console.log('ok   a new key is fetched when a token needs it');

  ci.closeAllConnections();
  await new Promise((resolve) => ci.close(resolve));
  await new Promise((resolve) => setTimeout(resolve, 31_000));
  assert.equal((await certify(ciToken(newKey('three')), subject)).status, 503);
  assert.deepEqual(await certify(ciToken(), subject), expected);
  console.log('ok   an issuer that is down: 503 for a new key, and the old one holds');
  outcome = 0;
} catch (error) {
  console.log(`FAIL ${error.stack}`);
} finally {
  stack.kill();
  fs.rmSync(work, { recursive: true, force: true });
}
process.exit(outcome);
