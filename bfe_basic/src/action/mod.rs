//! The action library: commands that rule files give to modules (condition 10).
//!
//! An [`Action`] is read from JSON (`{"Cmd": "HOST_SET", "Params": ["example.org"]}`), checked once, and run
//! on requests. `CLOSE`, `PASS` and `FINISH` do nothing here: the module that owns the rule acts on them.
//! Each module allows some commands only, see [`Action::check_allowed`].

mod decode;
mod host;
mod path;
mod query;

use crate::Request;
use bytes::Bytes;
use std::fmt;

/// Why an action was refused or could not be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// It is no JSON object with a command and parameters of the right types.
    #[error("decode Action err: {0}")]
    Decode(String),
    /// The command is unknown or its parameters are wrong.
    #[error("actionFileCheck err: {0}")]
    Check(String),
    /// There is no command of exactly that name.
    #[error("unknown cmd[{0}]")]
    UnknownCommand(String),
    /// The module does not allow the command.
    #[error("action cmd[{0}], is not allowed")]
    NotAllowed(Command),
    /// The command needs more parameters. Actions that were read from JSON have as many as they need.
    #[error("cmd[{0}] has too few params")]
    TooFewParams(Command),
}

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// `CLOSE`: for the module to close the connection.
    Close,
    /// `PASS`: for the module to do nothing.
    Pass,
    /// `FINISH`: for the module to answer and close.
    Finish,
    /// `REQ_HEADER_ADD name value`: appends a header field.
    ReqHeaderAdd,
    /// `REQ_HEADER_SET name value`: replaces all values of a header field.
    ReqHeaderSet,
    /// `REQ_HEADER_DEL name`: removes a header field.
    ReqHeaderDel,
    /// `HOST_SET host`: sets the host, with its port if it has one.
    HostSet,
    /// `HOST_SET_FROM_PATH_PREFIX`: makes the first element of the path the host.
    HostSetFromPathPrefix,
    /// `HOST_SUFFIX_REPLACE old new`: replaces the end of the host of an absolute target. Files cannot name
    /// it.
    HostSuffixReplace,
    /// `PATH_SET path`: sets the path.
    PathSet,
    /// `PATH_PREFIX_ADD prefix`: puts text before the path.
    PathPrefixAdd,
    /// `PATH_PREFIX_TRIM prefix`: takes text off the path's front.
    PathPrefixTrim,
    /// `QUERY_ADD key value`: appends a pair.
    QueryAdd,
    /// `QUERY_RENAME old new`: renames a key.
    QueryRename,
    /// `QUERY_DEL key...`: removes keys.
    QueryDel,
    /// `QUERY_DEL_ALL_EXCEPT key...`: removes all keys but these.
    QueryDelAllExcept,
}

impl Command {
    /// All commands.
    pub const ALL: [Self; 16] = [
        Self::Close,
        Self::Pass,
        Self::Finish,
        Self::ReqHeaderAdd,
        Self::ReqHeaderSet,
        Self::ReqHeaderDel,
        Self::HostSet,
        Self::HostSetFromPathPrefix,
        Self::HostSuffixReplace,
        Self::PathSet,
        Self::PathPrefixAdd,
        Self::PathPrefixTrim,
        Self::QueryAdd,
        Self::QueryRename,
        Self::QueryDel,
        Self::QueryDelAllExcept,
    ];

    /// The name, in upper case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Close => "CLOSE",
            Self::Pass => "PASS",
            Self::Finish => "FINISH",
            Self::ReqHeaderAdd => "REQ_HEADER_ADD",
            Self::ReqHeaderSet => "REQ_HEADER_SET",
            Self::ReqHeaderDel => "REQ_HEADER_DEL",
            Self::HostSet => "HOST_SET",
            Self::HostSetFromPathPrefix => "HOST_SET_FROM_PATH_PREFIX",
            Self::HostSuffixReplace => "HOST_SUFFIX_REPLACE",
            Self::PathSet => "PATH_SET",
            Self::PathPrefixAdd => "PATH_PREFIX_ADD",
            Self::PathPrefixTrim => "PATH_PREFIX_TRIM",
            Self::QueryAdd => "QUERY_ADD",
            Self::QueryRename => "QUERY_RENAME",
            Self::QueryDel => "QUERY_DEL",
            Self::QueryDelAllExcept => "QUERY_DEL_ALL_EXCEPT",
        }
    }

    /// The command of exactly that name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.as_str() == name)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A command with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    command: Command,
    params: Vec<Bytes>,
}

impl Action {
    /// An action that a module makes itself, without the checks of files.
    ///
    /// # Errors
    /// When there is no command of exactly that name.
    pub fn new(command: &str, params: &[&str]) -> Result<Self, ActionError> {
        let command =
            Command::find(command).ok_or_else(|| ActionError::UnknownCommand(command.to_owned()))?;
        Ok(Self { command, params: params.iter().map(|p| Bytes::copy_from_slice(p.as_bytes())).collect() })
    }

    /// What it does.
    #[must_use]
    pub const fn command(&self) -> Command {
        self.command
    }

    /// Its parameters, as written.
    #[must_use]
    pub fn params(&self) -> &[Bytes] {
        &self.params
    }

    /// Checks the command against those that a module allows.
    ///
    /// # Errors
    /// When it is not among them.
    pub fn check_allowed(&self, allowed: &[Command]) -> Result<(), ActionError> {
        if allowed.contains(&self.command) { Ok(()) } else { Err(ActionError::NotAllowed(self.command)) }
    }

    /// Runs the action on a request (condition 10.3).
    ///
    /// # Errors
    /// When it has too few parameters, which checked actions never have.
    pub fn run(&self, req: &mut Request) -> Result<(), ActionError> {
        let param = |i: usize| self.params.get(i).ok_or(ActionError::TooFewParams(self.command));
        match self.command {
            Command::Close | Command::Pass | Command::Finish => {}
            Command::ReqHeaderAdd => req.http.header.add(canonical(param(0)?), param(1)?.clone()),
            Command::ReqHeaderSet => req.http.header.set(canonical(param(0)?), param(1)?.clone()),
            Command::ReqHeaderDel => {
                req.http.header.del_bytes(&canonical(param(0)?));
            }
            Command::HostSet => req.http.host = param(0)?.clone(),
            Command::HostSetFromPathPrefix => host::set_from_path_prefix(req),
            Command::HostSuffixReplace => host::replace_suffix(req, param(0)?, param(1)?),
            Command::PathSet => req.http.url.path = param(0)?.clone(),
            Command::PathPrefixAdd => path::add_prefix(req, param(0)?),
            Command::PathPrefixTrim => path::trim_prefix(req, param(0)?),
            Command::QueryAdd => {
                let (pairs, rest) = self.params.as_chunks::<2>();
                if pairs.is_empty() && !rest.is_empty() || self.params.is_empty() {
                    return Err(ActionError::TooFewParams(self.command));
                }
                query::add(req, pairs);
            }
            Command::QueryRename => query::rename(req, param(0)?, param(1)?),
            Command::QueryDel => query::delete(req, &self.params),
            Command::QueryDelAllExcept => query::delete_all_except(req, &self.params),
        }
        Ok(())
    }
}

fn canonical(name: &Bytes) -> Bytes {
    match bfe_http::canonical(name) {
        std::borrow::Cow::Borrowed(_) => name.clone(),
        std::borrow::Cow::Owned(canonical) => Bytes::from(canonical),
    }
}

impl fmt::Display for Action {
    /// The command and its parameters in quotes, as in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.command.as_str())?;
        self.params.iter().try_for_each(|p| write!(f, " {:?}", String::from_utf8_lossy(p)))
    }
}
