//! RFC 3161 time-stamp tokens: asked for, verified, and made.

mod request;
mod token;
mod tst_info;

pub use request::{MalformedRequest, TimeStampReq, TimeStampResp};
pub use token::{TimestampAuthorities, TimestampSigner, TokenError, UnverifiedToken, VerifiedToken};
pub use tst_info::{MessageImprint, TstInfo};
