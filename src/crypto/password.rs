//! Passwords as they are stored: Argon2id (RFC 9106) in the PHC string format.

use std::fmt;

use argon2::password_hash::phc::{PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, PasswordVerifier as _, Version};

use super::random_bytes;

/// The hash of a password with its salt and its parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct HashedPassword(String);

impl HashedPassword {
    /// Hashes a new password, with a fresh salt. Takes 19 MiB of memory and some hundredth of a second.
    ///
    /// # Errors
    /// [`PasswordHashError::Refused`] when the cryptographic library does not.
    pub fn of(password: &str) -> Result<Self, PasswordHashError> {
        let refused = |_| PasswordHashError::Refused;
        let salt = random_bytes::<16>();
        let mut output = [0; 32];
        let argon2 = argon2();
        argon2.hash_password_into(password.as_bytes(), &salt, &mut output).map_err(refused)?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: argon2.params().try_into().map_err(|_| PasswordHashError::Refused)?,
            salt: Some(Salt::new(&salt).map_err(|_| PasswordHashError::Refused)?),
            hash: Some(argon2::password_hash::phc::Output::new(&output).map_err(|_| PasswordHashError::Refused)?),
        };
        Ok(Self(hash.to_string()))
    }

    /// Reads what [`as_str`](Self::as_str) wrote.
    ///
    /// # Errors
    /// [`PasswordHashError::Malformed`] when it is not a PHC string of Argon2id, or one with parameters that would take
    /// much more time or memory than ours.
    pub fn parse(text: &str) -> Result<Self, PasswordHashError> {
        let hash = PasswordHash::new(text).map_err(|_| PasswordHashError::Malformed)?;
        let params = Params::try_from(&hash).map_err(|_| PasswordHashError::Malformed)?;
        let affordable = params.m_cost() <= 16 * MEMORY_KIB && params.t_cost() <= 16 && params.p_cost() <= 16;
        let whole = hash.salt.is_some() && hash.hash.is_some();
        if hash.algorithm == Algorithm::Argon2id.ident() && affordable && whole {
            Ok(Self(text.to_owned()))
        } else {
            Err(PasswordHashError::Malformed)
        }
    }

    /// Whether this is the password.
    #[must_use]
    pub fn verifies(&self, password: &str) -> bool {
        PasswordHash::new(&self.0).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
    }

    /// The PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HashedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedPassword")
    }
}

/// A hash that is not made or not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// Not a PHC string of Argon2id.
    #[error("not the Argon2id hash of a password")]
    Malformed,
    /// The cryptographic library failed.
    #[error("the password cannot be hashed")]
    Refused,
}

/// OWASP's Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes, one lane, at least.
fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, 2, 1, Some(32)).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

const MEMORY_KIB: u32 = 19 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_verifies_and_others_do_not() {
        let hash = HashedPassword::of("correct horse").unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        let read = HashedPassword::parse(hash.as_str()).unwrap();
        assert!(read.verifies("correct horse"));
        assert!(!read.verifies("correct horsf"));
        assert!(!read.verifies(""));
        assert_ne!(HashedPassword::of("correct horse").unwrap(), hash, "each has its own salt");
    }

    #[test]
    fn only_argon2id_that_can_be_afforded() {
        let good = HashedPassword::of("x").unwrap();
        for (from, to) in [("argon2id", "argon2i"), ("m=19456", "m=4194304"), ("t=2", "t=4000")] {
            let bad = good.as_str().replace(from, to);
            assert_eq!(HashedPassword::parse(&bad), Err(PasswordHashError::Malformed), "{bad}");
        }
        assert_eq!(HashedPassword::parse("correct horse"), Err(PasswordHashError::Malformed));
    }
}
