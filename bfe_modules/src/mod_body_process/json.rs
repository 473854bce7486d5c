//! Where JSON values end: byte by byte, in the words of the original about what is wrong.

/// How deep values may nest.
const MAX_DEPTH: usize = 10_000;

/// What a byte means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A blank in front of a value.
    Skip,
    /// It is part of the value.
    Inside,
    /// It is the last one of the value.
    End,
    /// The value ended before it.
    EndBefore,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In front of a value at the top.
    #[default]
    Top,
    Value,
    /// Behind `[`.
    ValueOrEnd,
    /// Behind `{`.
    KeyOrEnd,
    /// Behind the comma in an object.
    Key,
    Colon,
    /// Behind a value in an object or array.
    CommaOrEnd,
    String,
    Escape,
    /// So many hexadecimal digits are to come.
    Hex(u8),
    Minus,
    Zero,
    Digits,
    Dot,
    Fraction,
    E,
    ESign,
    Exponent,
    /// The literal, and how much of it there has been.
    Literal(&'static str, u8),
}

/// Follows values.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    state: State,
    /// The objects (`true`) and arrays around the place.
    around: Vec<bool>,
    /// Whether the string is the name of a member.
    is_key: bool,
}

impl Scanner {
    /// Takes the next byte.
    ///
    /// # Errors
    /// Why it cannot stand there.
    pub(super) fn step(&mut self, byte: u8) -> Result<Step, String> {
        let is_blank = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        match self.state {
            State::Top if is_blank => Ok(Step::Skip),
            State::Value
            | State::ValueOrEnd
            | State::KeyOrEnd
            | State::Key
            | State::Colon
            | State::CommaOrEnd
                if is_blank =>
            {
                Ok(Step::Inside)
            }
            State::ValueOrEnd if byte == b']' => Ok(self.close()),
            State::Top | State::Value | State::ValueOrEnd => self.begin(byte),
            State::KeyOrEnd if byte == b'}' => Ok(self.close()),
            State::KeyOrEnd | State::Key if byte == b'"' => {
                self.is_key = true;
                Ok(self.to(State::String))
            }
            State::KeyOrEnd | State::Key => Err(invalid(byte, "looking for beginning of object key string")),
            State::Colon if byte == b':' => Ok(self.to(State::Value)),
            State::Colon => Err(invalid(byte, "after object key")),
            State::CommaOrEnd => self.comma_or_end(byte),
            State::String => match byte {
                b'"' if self.is_key => {
                    self.is_key = false;
                    Ok(self.to(State::Colon))
                }
                b'"' => Ok(self.end()),
                b'\\' => Ok(self.to(State::Escape)),
                0..b' ' => Err(invalid(byte, "in string literal")),
                _ => Ok(Step::Inside),
            },
            State::Escape => match byte {
                b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => Ok(self.to(State::String)),
                b'u' => Ok(self.to(State::Hex(4))),
                _ => Err(invalid(byte, "in string escape code")),
            },
            State::Hex(_) if !byte.is_ascii_hexdigit() => {
                Err(invalid(byte, "in \\u hexadecimal character escape"))
            }
            State::Hex(1) => Ok(self.to(State::String)),
            State::Hex(left) => Ok(self.to(State::Hex(left.saturating_sub(1)))),
            State::Minus => match byte {
                b'0' => Ok(self.to(State::Zero)),
                b'1'..=b'9' => Ok(self.to(State::Digits)),
                _ => Err(invalid(byte, "in numeric literal")),
            },
            State::Digits | State::Fraction | State::Exponent if byte.is_ascii_digit() => Ok(Step::Inside),
            State::Zero | State::Digits if byte == b'.' => Ok(self.to(State::Dot)),
            State::Zero | State::Digits | State::Fraction if matches!(byte, b'e' | b'E') => {
                Ok(self.to(State::E))
            }
            State::Dot if byte.is_ascii_digit() => Ok(self.to(State::Fraction)),
            State::Dot => Err(invalid(byte, "after decimal point in numeric literal")),
            State::E if matches!(byte, b'+' | b'-') => Ok(self.to(State::ESign)),
            State::E | State::ESign if byte.is_ascii_digit() => Ok(self.to(State::Exponent)),
            State::E | State::ESign => Err(invalid(byte, "in exponent of numeric literal")),
            // A number ends with what is no part of it.
            State::Zero | State::Digits | State::Fraction | State::Exponent => match self.end() {
                Step::End => Ok(Step::EndBefore),
                _ => self.step(byte),
            },
            State::Literal(word, seen) => match word.as_bytes().get(usize::from(seen)) {
                Some(want) if *want != byte => {
                    let context = format!("in literal {word} (expecting {})", quoted(*want));
                    Err(invalid(byte, &context))
                }
                _ if usize::from(seen) + 1 >= word.len() => Ok(self.end()),
                _ => Ok(self.to(State::Literal(word, seen.saturating_add(1)))),
            },
        }
    }

    /// Whether a value may end here, at the end of all bytes.
    pub(super) fn may_end(&self) -> bool {
        let is_number = matches!(self.state, State::Zero | State::Digits | State::Fraction | State::Exponent);
        is_number && self.around.is_empty()
    }

    fn to(&mut self, state: State) -> Step {
        self.state = state;
        Step::Inside
    }

    fn begin(&mut self, byte: u8) -> Result<Step, String> {
        Ok(match byte {
            b'{' | b'[' => {
                if self.around.len() >= MAX_DEPTH {
                    return Err("exceeded max depth".into());
                }
                self.around.push(byte == b'{');
                self.to(if byte == b'{' { State::KeyOrEnd } else { State::ValueOrEnd })
            }
            b'"' => self.to(State::String),
            b'-' => self.to(State::Minus),
            b'0' => self.to(State::Zero),
            b'1'..=b'9' => self.to(State::Digits),
            b't' => self.to(State::Literal("true", 1)),
            b'f' => self.to(State::Literal("false", 1)),
            b'n' => self.to(State::Literal("null", 1)),
            _ => return Err(invalid(byte, "looking for beginning of value")),
        })
    }

    fn comma_or_end(&mut self, byte: u8) -> Result<Step, String> {
        match (self.around.last(), byte) {
            (Some(true), b',') => Ok(self.to(State::Key)),
            (Some(false), b',') => Ok(self.to(State::Value)),
            (Some(true), b'}') | (Some(false), b']') => Ok(self.close()),
            (Some(true), _) => Err(invalid(byte, "after object key:value pair")),
            _ => Err(invalid(byte, "after array element")),
        }
    }

    /// An object or array ends.
    fn close(&mut self) -> Step {
        self.around.pop();
        self.end()
    }

    /// A value ends.
    fn end(&mut self) -> Step {
        if self.around.is_empty() {
            self.state = State::Top;
            return Step::End;
        }
        self.to(State::CommaOrEnd)
    }
}

fn invalid(byte: u8, context: &str) -> String {
    format!("invalid character {} {context}", quoted(byte))
}

/// A byte as Go shows it.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".into(),
        b'\\' => r"'\\'".into(),
        0x07 => r"'\a'".into(),
        0x08 => r"'\b'".into(),
        0x0c => r"'\f'".into(),
        b'\n' => r"'\n'".into(),
        b'\r' => r"'\r'".into(),
        b'\t' => r"'\t'".into(),
        0x0b => r"'\v'".into(),
        0..=0x1f | 0x7f => format!(r"'\x{byte:02x}'"),
        0x80..=0xa0 | 0xad => format!(r"'\u{byte:04x}'"),
        _ => format!("'{}'", char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};
    use serde::de::IgnoredAny;

    /// Whether a text is an array, by this scanner.
    fn is_array(text: &[u8]) -> bool {
        let mut scanner = Scanner::default();
        let steps = text.iter().map(|byte| scanner.step(*byte)).collect::<Result<Vec<_>, _>>();
        let Ok(steps) = steps else { return false };
        steps.iter().position(|step| *step == Step::End) == Some(text.len() - 1)
    }

    #[test]
    fn aib_5_what_is_json() {
        const PIECES: [&str; 28] = [
            "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\\", "\\u00e9", "\\n", "0", "1", "-", "+", ".",
            "e", "E", "12", "true", "false", "null", "t", " ", "\n", "\t", "\u{7f}", "\u{1}",
        ];
        let mut rng = StdRng::seed_from_u64(1);
        let mut good = 0;
        for _ in 0..50_000 {
            let count = rng.random_range(0..8);
            let inner: String = (0..count).map(|_| PIECES[rng.random_range(0..PIECES.len())]).collect();
            let text = format!("[{inner}]");
            let want = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            good += usize::from(want);
            assert_eq!(is_array(text.as_bytes()), want, "{text:?}");
        }
        assert!(good > 1_000, "{good}");
    }
}
