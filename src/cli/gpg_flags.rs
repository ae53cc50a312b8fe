//! gpgsm's grammar, as far as Git and the programs that call a signer as Git does speak it.
//!
//! Clusters of short options with the value attached or next (`-bsau K`, `-bsauK`), long options with the value next or
//! after `=`, operands anywhere. Options that concern key rings, agents or prompts are understood and change nothing.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap_lex::{ArgCursor, ParsedArg, RawArgs};

use super::{GitSign, GitVerify, Input, Invocation, StatusFd, UsageError};

/// Reads the arguments after the program's name.
pub(super) fn parse(arguments: &[OsString]) -> Result<Invocation, UsageError> {
    let raw = RawArgs::new(arguments);
    let mut cursor = raw.cursor();
    let mut flags = GpgFlags::default();
    while let Some(argument) = raw.next(&mut cursor) {
        if argument.is_escape() {
            flags.operands.extend(raw.remaining(&mut cursor).map(OsStr::to_owned));
        } else if argument.is_long() {
            flags.long(&argument, &raw, &mut cursor)?;
        } else if argument.is_short() {
            flags.cluster(&argument, &raw, &mut cursor)?;
        } else {
            flags.operands.push(argument.to_value_os().to_owned());
        }
    }
    flags.invocation()
}

#[derive(Default)]
struct GpgFlags {
    sign: bool,
    verify: bool,
    armor: bool,
    verbose: bool,
    local_user: Option<OsString>,
    status_fd: Option<StatusFd>,
    output: Option<OsString>,
    operands: Vec<OsString>,
}

impl GpgFlags {
    fn long(&mut self, argument: &ParsedArg<'_>, raw: &RawArgs, cursor: &mut ArgCursor) -> Result<(), UsageError> {
        let unknown = || UsageError::UnknownOption(argument.display().to_string());
        let (name, attached) = argument.to_long().ok_or_else(unknown)?;
        let name = name.map_err(|_not_utf8| unknown())?;
        let option = Flag::by_name(name).ok_or_else(unknown)?;
        let spelled = || format!("--{name}");
        let value = match (option.takes_value(), attached) {
            (true, Some(value)) => Some(value),
            (true, None) => Some(raw.next_os(cursor).ok_or_else(|| UsageError::MissingValue(spelled()))?),
            (false, None) => None,
            (false, Some(_)) => return Err(UsageError::UnexpectedValue(spelled())),
        };
        self.set(option, value)
    }

    fn cluster(&mut self, argument: &ParsedArg<'_>, raw: &RawArgs, cursor: &mut ArgCursor) -> Result<(), UsageError> {
        let unknown = || UsageError::UnknownOption(argument.display().to_string());
        let mut letters = argument.to_short().ok_or_else(unknown)?;
        while let Some(letter) = letters.next_flag() {
            let letter = letter.map_err(|_not_utf8| unknown())?;
            let option = Flag::by_letter(letter).ok_or_else(|| UsageError::UnknownOption(format!("-{letter}")))?;
            let value = if option.takes_value() {
                let attached = letters.next_value_os();
                let value = attached.or_else(|| raw.next_os(cursor));
                Some(value.ok_or_else(|| UsageError::MissingValue(format!("-{letter}")))?)
            } else {
                None
            };
            self.set(option, value)?;
        }
        Ok(())
    }

    fn set(&mut self, option: Flag, value: Option<&OsStr>) -> Result<(), UsageError> {
        match option {
            Flag::Armor => self.armor = true,
            Flag::DetachSign | Flag::Sign => self.sign = true,
            Flag::LocalUser => self.local_user = value.map(OsStr::to_owned),
            Flag::Output => self.output = value.map(OsStr::to_owned),
            Flag::StatusFd => self.status_fd = value.map(status_fd).transpose()?,
            Flag::Verbose => self.verbose = true,
            Flag::Verify => self.verify = true,
            Flag::Ignored | Flag::IgnoredWithValue => {}
        }
        Ok(())
    }

    fn invocation(self) -> Result<Invocation, UsageError> {
        match (self.sign || self.armor, self.verify) {
            (true, false) => {
                let mut operands = self.operands.into_iter();
                let payload = operands.next().map(input).unwrap_or_default();
                if operands.next().is_some() {
                    return Err(UsageError::SignOperands);
                }
                Ok(Invocation::GitSign(GitSign {
                    local_user: self.local_user,
                    status_fd: self.status_fd,
                    armor: self.armor,
                    verbose: self.verbose,
                    payload,
                    output: self.output.filter(|file| file != "-").map(PathBuf::from),
                }))
            }
            (false, true) => {
                let [signature, payload] =
                    <[OsString; 2]>::try_from(self.operands).map_err(|_number| UsageError::VerifyOperands)?;
                let (signature, payload) = (input(signature), input(payload));
                if signature == Input::Stdin && payload == Input::Stdin {
                    return Err(UsageError::VerifyOperands);
                }
                Ok(Invocation::GitVerify(GitVerify { status_fd: self.status_fd, signature, payload }))
            }
            (false, false) | (true, true) => Err(UsageError::OneOperation),
        }
    }
}

#[derive(Clone, Copy)]
enum Flag {
    Armor,
    DetachSign,
    Ignored,
    IgnoredWithValue,
    LocalUser,
    Output,
    Sign,
    StatusFd,
    Verbose,
    Verify,
}

impl Flag {
    fn by_name(name: &str) -> Option<Self> {
        match name {
            "armor" | "armour" => Some(Self::Armor),
            "batch" | "no-tty" | "quiet" | "yes" => Some(Self::Ignored),
            "detach-sign" | "detached-sign" => Some(Self::DetachSign),
            "homedir" | "include-certs" | "keyid-format" => Some(Self::IgnoredWithValue),
            "local-user" => Some(Self::LocalUser),
            "output" => Some(Self::Output),
            "sign" => Some(Self::Sign),
            "status-fd" => Some(Self::StatusFd),
            "verbose" => Some(Self::Verbose),
            "verify" => Some(Self::Verify),
            _ => None,
        }
    }

    fn by_letter(letter: char) -> Option<Self> {
        match letter {
            'a' => Some(Self::Armor),
            'b' => Some(Self::DetachSign),
            'o' => Some(Self::Output),
            'q' => Some(Self::Ignored),
            's' => Some(Self::Sign),
            'v' => Some(Self::Verbose),
            'u' => Some(Self::LocalUser),
            _ => None,
        }
    }

    fn takes_value(self) -> bool {
        matches!(self, Self::IgnoredWithValue | Self::LocalUser | Self::Output | Self::StatusFd)
    }
}

fn input(operand: OsString) -> Input {
    if operand == "-" { Input::Stdin } else { Input::File(PathBuf::from(operand)) }
}

fn status_fd(value: &OsStr) -> Result<StatusFd, UsageError> {
    let number = value.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match number.and_then(|text| text.parse::<u32>().ok()) {
        Some(1) => Ok(StatusFd::Stdout),
        Some(2) => Ok(StatusFd::Stderr),
        // The kernel's descriptors are C ints.
        Some(number @ 3..=0x7fff_ffff) => Ok(StatusFd::Inherited(number)),
        _ => Err(UsageError::StatusFd(value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(arguments: &[&str]) -> GitSign {
        match parse(&arguments.iter().map(OsString::from).collect::<Vec<_>>()) {
            Ok(Invocation::GitSign(sign)) => sign,
            other => panic!("{arguments:?}: {other:?}"),
        }
    }

    fn verify(arguments: &[&str]) -> GitVerify {
        match parse(&arguments.iter().map(OsString::from).collect::<Vec<_>>()) {
            Ok(Invocation::GitVerify(verify)) => verify,
            other => panic!("{arguments:?}: {other:?}"),
        }
    }

    fn refused(arguments: &[&str]) -> String {
        parse(&arguments.iter().map(OsString::from).collect::<Vec<_>>()).unwrap_err().to_string()
    }

    #[test]
    fn every_caller_is_understood() {
        let wanted = || GitSign {
            local_user: Some("A U Thor <author@example.org>".into()),
            status_fd: Some(StatusFd::Stderr),
            armor: true,
            ..GitSign::default()
        };
        let key = "A U Thor <author@example.org>";
        assert_eq!(sign(&["--status-fd=2", "-bsau", key]), wanted());
        assert_eq!(sign(&["-bsau", key, "--status-fd", "2"]), wanted());
        assert_eq!(sign(&["--status-fd=2", "-bsau", key, "-"]), wanted());
        assert_eq!(sign(&["-", "--status-fd=2", "-bsau", key, "--armor", "--detach-sign"]), wanted());
        assert_eq!(sign(&["--status-fd=2", &format!("-bsau{key}")]), wanted());
        assert_eq!(sign(&["--status-fd=2", "-a", "-b", "-u", key]), wanted());
        assert_eq!(sign(&["--status-fd=2", "--armor", "--detached-sign", &format!("--local-user={key}")]), wanted());
        assert_eq!(
            sign(&[
                "--include-certs",
                "1",
                "--homedir",
                "/x",
                "--batch",
                "--no-tty",
                "--yes",
                "--quiet",
                "--status-fd=2",
                "-bsau",
                key
            ]),
            wanted()
        );
        assert_eq!(sign(&["-abu", key]), GitSign { status_fd: None, ..wanted() });
        assert_eq!(
            sign(&["--keyid-format=long", "--status-fd=2", "--detach-sign", "--sign", "--armor"]),
            GitSign { local_user: None, ..wanted() }
        );
        assert_eq!(sign(&["-b", "-o", "out", "--", "-file"]).payload, Input::File("-file".into()));
    }

    #[test]
    fn a_key_is_a_value_whatever_it_looks_like() {
        for key in ["", "-", "--", "-x", "--verify", "verify", "trust", "--status-fd=1"] {
            assert_eq!(sign(&["--status-fd=2", "-bsau", key]).local_user, Some(key.into()), "{key}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_key_need_not_be_utf8() {
        use std::os::unix::ffi::OsStringExt as _;
        for arguments in [vec![b"-bsau".to_vec(), b"L\xe9a".to_vec()], vec![b"-bsauL\xe9a".to_vec()]] {
            let arguments: Vec<_> = arguments.into_iter().map(OsString::from_vec).collect();
            let Ok(Invocation::GitSign(sign)) = parse(&arguments) else { panic!("{arguments:?}") };
            assert_eq!(sign.local_user, Some(OsString::from_vec(b"L\xe9a".to_vec())));
        }
    }

    #[test]
    fn both_ways_to_pass_a_payload_for_verifying() {
        let stdin = verify(&["--status-fd=1", "--verify", "sig", "-"]);
        assert_eq!((stdin.status_fd, stdin.payload), (Some(StatusFd::Stdout), Input::Stdin));
        let file = verify(&["--keyid-format=long", "--status-fd", "1", "--verify", "sig", "data"]);
        assert_eq!((file.signature, file.payload), (Input::File("sig".into()), Input::File("data".into())));
        assert_eq!(verify(&["sig", "--verify", "-", "--status-fd=7"]).status_fd, Some(StatusFd::Inherited(7)));
    }

    #[test]
    fn the_rest_is_refused() {
        assert_eq!(
            refused(&["--verify", "sig"]),
            "--verify needs two operands: a signature file, and the signed data or '-'"
        );
        assert_eq!(refused(&["--verify", "-", "-"]), refused(&["--verify", "sig"]));
        assert_eq!(refused(&["--verify", "sig", "-", "x"]), refused(&["--verify", "sig"]));
        assert_eq!(refused(&["--status-fd=2"]), "exactly one of --sign and --verify is needed");
        assert_eq!(refused(&["--sign", "--verify", "sig", "-"]), refused(&["--status-fd=2"]));
        assert_eq!(refused(&["-bsau"]), "-u needs a value");
        assert_eq!(refused(&["--sign", "--status-fd"]), "--status-fd needs a value");
        assert_eq!(refused(&["--sign=x"]), "--sign takes no value");
        assert_eq!(refused(&["-bsx", "-u", "k"]), "unknown option -x");
        assert_eq!(refused(&["--clearsign"]), "unknown option --clearsign");
        assert_eq!(refused(&["-b", "one", "two"]), "only one payload can be signed at a time");
        for fd in ["0", "-1", "+2", "two", "", "4294967296", "2147483648"] {
            assert_eq!(
                refused(&["-b", "--status-fd", fd]),
                format!("{fd:?} is no file descriptor that status lines can go to")
            );
        }
    }
}
