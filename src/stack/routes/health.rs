//! Whether the stack does what it is for.

use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, json};

use super::answers::json;
use crate::stack::Stack;
use crate::stack::log_store::StoreState;

/// 503 while a log takes no entries, and which. Why, is the operator's to know: it stands on stderr with each request that
/// failed.
pub(in crate::stack) fn health(stack: &Stack, now: Timestamp) -> Response<Vec<u8>> {
    let states = stack.logs().map(|(name, store)| (name, store.state(now)));
    let is_well = states.iter().all(|(_, state)| *state == StoreState::Open);
    let logs: Map<_, _> = states
        .iter()
        .map(|(name, state)| {
            let word = match state {
                StoreState::ClockBehind => "clock-behind",
                StoreState::Full => "full",
                StoreState::Open => "open",
                StoreState::Stopped(_) => "stopped",
            };
            ((*name).to_owned(), word.into())
        })
        .collect();
    let (status, word) = if is_well { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "failing") };
    let mut response = json(status, &json!({ "status": word, "logs": logs }));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
