// Verifies a bundle with @sigstore/verify and a trusted root: verify.mjs TRUSTED_ROOT FILE BUNDLE IDENTITY ISSUER.
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.cwd() + '/');
const { bundleFromJSON } = require('@sigstore/bundle');
const { TrustedRoot } = require('@sigstore/protobuf-specs');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');

const [root, file, bundleFile, identity, issuer] = process.argv.slice(2);
const json = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
const bundle = bundleFromJSON(json(bundleFile));
const isEnvelope = bundle.content.$case === 'dsseEnvelope';
const content = fs.readFileSync(file);
// The thresholds are one entry, one SCT and one verified time, unless others are asked for.
const signer = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(json(root)))).verify(toSignedEntity(bundle, isEnvelope ? undefined : content), {
  subjectAlternativeName: new RegExp(`^${RegExp.escape(identity)}$`),
  extensions: { issuer },
});
// What an envelope says of files is its reader's to hold against them.
if (isEnvelope) {
  const digest = crypto.hash('sha256', content);
  const { subject } = JSON.parse(bundle.content.dsseEnvelope.payload);
  if (!subject.some((subject) => subject.digest.sha256 === digest)) throw new Error('a statement about something else');
}
console.log(signer.identity.subjectAlternativeName);
