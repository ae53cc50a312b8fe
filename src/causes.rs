//! The chain behind an error of another crate, in one line.

use std::error::Error;

/// Every step of what happened, the first one last, each said once.
#[must_use]
pub fn causes(error: &dyn Error) -> String {
    let mut steps = vec![error.to_string()];
    let mut next = error.source();
    while let Some(step) = next {
        let text = step.to_string();
        // gix ends some chains with the bare name of an error class.
        if text.contains(' ') && !steps.contains(&text) {
            steps.push(text);
        }
        next = step.source();
    }
    steps.join(": ")
}
