//! The agent: one login for many signatures.
//!
//! A process of the user's that holds keys with their certificates, and what gets new certificates, in memory, and signs
//! for whoever may connect: the same user, on this machine. The client ([`Connection`]) starts it on demand and finds it
//! without an environment variable ([`Place`]).
//!
//! ```text
//! client                                   agent
//! hello, find (who would sign?)       →    found: an identity, or missing: somebody has to log in
//! admit (tokens, instance, network)   →    a key is made and certified; found
//! sign (the payload)                  →    its kind is looked at, signed attributes are built with the agent's own clock;
//!                                          time, signature, certificate
//! ```
//! **No key leaves the agent**, and nothing is signed but signed attributes over what Git signs: commits, tags and push
//! certificates. Everything else that a signature needs (timestamp, log, the check of the whole) the client does, as if the
//! key were its own.
//!
//! A session is kept under what a login would be asked for ([`Asked`]): instance, issuer, client, connector, account hint.
//! Its certificate is replaced silently while the ID token, or a refresh token, is good for another one.

mod client;
mod connection;
mod forward;
mod frame;
mod kept;
mod message;
mod other_end;
mod place;
mod process;
mod server;
mod session;
mod sessions;
mod start;

pub use client::{AgentError, Connection, Forgotten, Login, Waiting};
pub use forward::{Claims, Forwarded, Wanted, forward};
pub use kept::{Kept, KeptLogins};
pub use message::{Admission, Asked, Failure, Found, Query, SessionStatus, SharedInstance, SharedNetwork, Signed};
pub use other_end::OtherEnd;
pub use place::{PassedSocket, Place, PlaceError};
pub use process::{detach, host_name, keep_out_of_dumps};
pub use server::{Idle, ServeError, serve};
pub use start::DETACHED;
