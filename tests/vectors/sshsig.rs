//! SSH signatures (PROTOCOL.sshsig), as Git has them made.

use waxseal::ssh::{BadSshSignature, SshKey, SshSignature};

use super::{Vector, variants};

pub(crate) fn outcome(vector: &Vector) -> String {
    let key = SshKey::parse(vector.header("key")).unwrap();
    let verify = || {
        let signature = SshSignature::open(vector.body.as_bytes())?;
        signature.verify(vector.header("payload").as_bytes())?;
        // The key that came along is the one that made it.
        assert_eq!(signature.fingerprint(), key.fingerprint());
        Ok::<_, BadSshSignature>("ok".to_owned())
    };
    verify().unwrap_or_else(|error| variants(&error))
}
