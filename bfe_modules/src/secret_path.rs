//! Errors about files in which secrets are names of members.

use bfe_basic::conf::{ConfError, ConfErrors, Faults};

/// The errors, with nothing said of what is below `secret`, a member of the file: errors go to the log, where keys
/// have no business. Line and column say where it is.
pub(crate) fn without_keys(errors: ConfErrors, secret: &str) -> ConfErrors {
    let mut faults = Faults::new();
    for error in errors.iter() {
        let below = error.key.strip_prefix(secret).is_some_and(|rest| rest.starts_with('.'));
        faults.push(ConfError {
            file: error.file.clone(),
            place: error.place,
            key: if below { format!("{secret}.*") } else { error.key.clone() },
            reason: if below { without_value(&error.reason) } else { error.reason.clone() },
        });
    }
    faults.into_result().err().unwrap_or(errors)
}

/// A reason that does not show what was found.
fn without_value(reason: &str) -> String {
    reason.split_once(", found ").map_or(reason, |(expected, _)| expected).to_owned()
}
