//! The command line, by the rules of Go's flag package (config 1.1).

/// What `-h` prints.
pub(crate) const USAGE: &str = "\
Usage of bfe:
  -V    show version, toolchain and commit
  -c string
        root path of configuration (default \"./conf\")
  -d    to show debug log (otherwise >= info)
  -demo
        run the default configuration with built-in backends
  -h    to show help
  -l string
        dir path of log (default \"./log\")
  -s    to show log in stdout
  -t    to test configuration
  -v    to show version of bfe
Commands:
  bfe cond 'EXPRESSION' [--request FILE]
        explain a condition, and what it says of a request
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Print the usage.
    Help,
    /// Print the version.
    Version,
    /// Print all about the version.
    LongVersion,
    /// Run the demo.
    Demo,
    /// Serve, or test the configuration.
    Run(Options),
}

/// How to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// `-c`
    pub(crate) conf_root: String,
    /// `-l`
    pub(crate) log_dir: String,
    /// `-s`
    pub(crate) stdout: bool,
    /// `-d`
    pub(crate) debug: bool,
    /// `-t`
    pub(crate) test: bool,
}

#[derive(Default)]
struct Flags {
    help: bool,
    version: bool,
    long_version: bool,
    demo: bool,
}

/// Reads the arguments. Parsing ends at the first that is no flag; what follows is ignored.
///
/// # Errors
/// The message for an unknown flag, a missing argument or a bad boolean.
pub(crate) fn parse(arguments: &[String]) -> Result<Action, String> {
    let mut flags = Flags::default();
    let mut options = Options {
        conf_root: "./conf".into(),
        log_dir: "./log".into(),
        stdout: false,
        debug: false,
        test: false,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(flag) = argument.strip_prefix('-').filter(|f| !f.is_empty()) else { break };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        if flag.is_empty() {
            break;
        }
        if flag.starts_with(['-', '=']) {
            return Err(format!("bad flag syntax: {argument}"));
        }
        let (name, value) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v)));
        let text = match name {
            "c" => Some(&mut options.conf_root),
            "l" => Some(&mut options.log_dir),
            _ => None,
        };
        if let Some(text) = text {
            let value = value.map(str::to_owned).or_else(|| rest.next().cloned());
            *text = value.ok_or_else(|| format!("flag needs an argument: -{name}"))?;
            continue;
        }
        let switch = match name {
            "h" | "help" => &mut flags.help,
            "v" => &mut flags.version,
            "V" => &mut flags.long_version,
            "demo" => &mut flags.demo,
            "s" => &mut options.stdout,
            "d" => &mut options.debug,
            "t" => &mut options.test,
            _ => return Err(format!("flag provided but not defined: -{name}")),
        };
        *switch = match value {
            None => true,
            Some(value) => boolean(value)
                .ok_or_else(|| format!("invalid boolean value {value:?} for -{name}: parse error"))?,
        };
    }
    Ok(match flags {
        Flags { help: true, .. } => Action::Help,
        Flags { version: true, .. } => Action::Version,
        Flags { long_version: true, .. } => Action::LongVersion,
        Flags { demo: true, .. } => Action::Demo,
        _ => Action::Run(options),
    })
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &str) -> Result<Action, String> {
        parse(&arguments.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn options(arguments: &str) -> Options {
        match run(arguments) {
            Ok(Action::Run(options)) => options,
            other => panic!("{arguments}: {other:?}"),
        }
    }

    #[test]
    fn cfg_3_to_6_flags() {
        let plain = options("");
        assert_eq!(
            (plain.conf_root.as_str(), plain.log_dir.as_str(), plain.test),
            ("./conf", "./log", false)
        );
        let given = options("--c=x -l y -s -d -t -c z stop -t=false");
        assert_eq!((given.conf_root.as_str(), given.log_dir.as_str()), ("z", "y"));
        assert!(given.stdout && given.debug && given.test);
        assert!(options("-t false -d").test, "CFG-5: false is no value");
        assert!(!options("-t false -d").debug);
        assert!(!options("-t=false").test);
        assert_eq!(run("-v -V -h"), Ok(Action::Help));
        assert_eq!(run("-V -v"), Ok(Action::Version));
        assert_eq!(run("-V"), Ok(Action::LongVersion));
        assert_eq!(run("-help"), Ok(Action::Help));
        for bad in ["-tc", "-c", "-t=maybe", "-x", "---t"] {
            assert!(run(bad).is_err(), "CFG-4: {bad}");
        }
    }
}
