// Signs a file with @sigstore/sign at whatever services a signing config names: sign.mjs SIGNING_CONFIG FILE BUNDLE, the
// token in the environment. An in-toto statement (FILE ends in .json) goes into an envelope.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.cwd() + '/');
const { bundleToJSON } = require('@sigstore/bundle');
const { SigningConfig } = require('@sigstore/protobuf-specs');
const { bundleBuilderFromSigningConfig } = require('@sigstore/sign');

const [config, file, bundleFile] = process.argv.slice(2);
const isStatement = file.endsWith('.json');
const builder = bundleBuilderFromSigningConfig({
  signingConfig: SigningConfig.fromJSON(JSON.parse(fs.readFileSync(config, 'utf8'))),
  identityProvider: { getToken: async () => process.env.SIGSTORE_ID_TOKEN },
  bundleType: isStatement ? 'dsseEnvelope' : 'messageSignature',
  fetchOptions: { timeout: 30_000, retry: 0 },
});
const type = isStatement ? 'application/vnd.in-toto+json' : undefined;
const bundle = await builder.create({ data: fs.readFileSync(file), type });
fs.writeFileSync(bundleFile, JSON.stringify(bundleToJSON(bundle)));
