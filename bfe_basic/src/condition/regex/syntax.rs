//! Reads a pattern in the contract's syntax and writes it for the engine.

use super::class;
use super::names::{self, Items};
use super::repeat::{Counts, Measure, parse_counts};

/// Limit on the height of the syntax tree.
const MAX_HEIGHT: u32 = 1000;
/// Limit on a repeat count, and on the product of nested ones.
const MAX_REPEAT: u64 = 1000;
/// Limit on the size of the program, in its instructions: 128 MiB at 40 bytes each.
const MAX_SIZE: u64 = (128 << 20) / 40;

/// A pattern for the engine.
pub(super) struct Translated {
    pub(super) pattern: String,
    /// Whether it asks for a place that is no word boundary.
    pub(super) has_non_boundary: bool,
    /// Height of the syntax tree, 1000 at most.
    pub(super) height: u32,
}

/// Why a pattern is refused, with the part that is wrong.
pub(super) fn refuse<T>(reason: &str, part: &str) -> Result<T, String> {
    Err(format!("{reason}: `{part}`"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Literal,
    Repetition,
    Other,
}

/// The last thing that was written: what a repetition applies to.
#[derive(Clone, Copy)]
struct Item {
    /// Where it begins in the output.
    start: usize,
    shape: Shape,
    measure: Measure,
}

#[derive(Clone, Copy, Default)]
struct Flags {
    fold: bool,
    multi_line: bool,
    dot_newline: bool,
}

/// A group that is open, or the whole pattern.
#[derive(Default)]
struct Group {
    /// Where it begins in the output.
    start: usize,
    /// Flags to return to behind it.
    flags: Flags,
    captures: bool,
    /// The alternatives before this one, and how many.
    before: Measure,
    alternatives: u32,
    /// This alternative without its last item, and how many items.
    sequence: Measure,
    items: u32,
    literal_before: bool,
    last: Option<Item>,
}

struct Translator<'a> {
    whole: &'a str,
    rest: &'a str,
    out: String,
    flags: Flags,
    /// The innermost group, and those around it.
    group: Group,
    outer: Vec<Group>,
    has_non_boundary: bool,
    /// Whether groups that capture do so in the output.
    keeps_groups: bool,
}

/// Translates a pattern. Its groups capture nothing unless `keeps_groups`: a match costs less then.
pub(super) fn translate(pattern: &str, keeps_groups: bool) -> Result<Translated, String> {
    let mut translator = Translator {
        whole: pattern,
        rest: pattern,
        out: String::with_capacity(pattern.len() * 2),
        flags: Flags::default(),
        group: Group::default(),
        outer: Vec::new(),
        has_non_boundary: false,
        keeps_groups,
    };
    translator.run()?;
    Ok(Translated {
        height: translator.group.measure().height,
        pattern: translator.out,
        has_non_boundary: translator.has_non_boundary,
    })
}

impl Group {
    fn push(&mut self, start: usize, shape: Shape, measure: Measure) {
        self.settle();
        self.last = Some(Item { start, shape, measure });
    }

    /// Counts the last item into the sequence: nothing will be applied to it any more.
    fn settle(&mut self) {
        if let Some(last) = self.last.take() {
            let literal = last.shape == Shape::Literal;
            // Literals side by side are one node.
            if !(literal && self.literal_before) {
                self.items += 1;
            }
            self.literal_before = literal;
            self.sequence = self.sequence.beside(last.measure);
        }
    }

    fn end_alternative(&mut self) {
        self.settle();
        let mut sequence = std::mem::take(&mut self.sequence);
        sequence.height = match self.items {
            0 => 1,
            1 => sequence.height,
            _ => sequence.height + 1,
        };
        self.before = self.before.beside(sequence);
        self.alternatives += 1;
        self.items = 0;
        self.literal_before = false;
    }

    fn measure(&self) -> Measure {
        if self.alternatives > 1 { self.before.inside(u64::from(self.alternatives - 1)) } else { self.before }
    }
}

impl Translator<'_> {
    fn run(&mut self) -> Result<(), String> {
        // The operator that has just been read, with all behind it: repetitions may not be stacked.
        let mut last_repeat: Option<&str> = None;
        while let Some(c) = self.rest.chars().next() {
            let before = self.rest;
            let repeated = match c {
                '*' | '+' | '?' => {
                    self.skip(1);
                    let (min, max) = match c {
                        '*' => (0, None),
                        '+' => (1, None),
                        _ => (0, Some(1)),
                    };
                    self.repeat(&c.to_string(), min, max, before, last_repeat)?;
                    true
                }
                '{' => match parse_counts(before) {
                    Some(counts) => {
                        self.skip(counts.len);
                        self.repeat_counted(&counts, before, last_repeat)?;
                        true
                    }
                    None => {
                        self.skip(1);
                        self.literal('{');
                        false
                    }
                },
                _ => {
                    self.step(c)?;
                    false
                }
            };
            last_repeat = repeated.then_some(before);
        }
        self.group.end_alternative();
        if !self.outer.is_empty() {
            return refuse("missing closing )", self.whole);
        }
        self.check_limits(self.group.measure())
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Reads anything but a repetition.
    fn step(&mut self, c: char) -> Result<(), String> {
        match c {
            '(' if self.rest.starts_with("(?") => self.open_perl(),
            '(' => {
                self.skip(1);
                self.open(true);
                Ok(())
            }
            ')' => self.close(),
            '|' => {
                self.skip(1);
                self.group.end_alternative();
                self.out.push('|');
                Ok(())
            }
            '^' => self.write(1, if self.flags.multi_line { "(?m:^)" } else { r"(?:\A)" }),
            '$' => self.write(1, if self.flags.multi_line { "(?m:$)" } else { r"(?:\z)" }),
            '.' => self.write(1, if self.flags.dot_newline { "(?s:.)" } else { r"[^\n]" }),
            '[' => {
                let (class, len) = class::bracket(self.rest)?;
                self.skip(len);
                self.class(&class);
                Ok(())
            }
            '\\' => self.escape(),
            c => {
                self.skip(c.len_utf8());
                self.literal(c);
                Ok(())
            }
        }
    }

    /// Writes an item for that many bytes of the pattern.
    fn write(&mut self, bytes: usize, item: &str) -> Result<(), String> {
        self.skip(bytes);
        self.group.push(self.out.len(), Shape::Other, Measure::LEAF);
        self.out.push_str(item);
        Ok(())
    }

    fn literal(&mut self, c: char) {
        self.group.push(self.out.len(), Shape::Literal, Measure::LEAF);
        let code = u32::from(c);
        if self.flags.fold && (c.is_ascii_alphabetic() || !c.is_ascii()) {
            self.out.push_str(&format!(r"(?i:\x{{{code:X}}})"));
        } else {
            self.out.push_str(&format!(r"\x{{{code:X}}}"));
        }
    }

    /// Writes a class given by its items.
    fn class(&mut self, class: &class::Class) {
        self.group.push(self.out.len(), Shape::Other, Measure::LEAF);
        let (open, close) = if self.flags.fold { ("(?i:", ")") } else { ("", "") };
        let items = match (class.items.as_str(), class.negated) {
            ("", false) => format!("[^{}]", names::EVERYTHING),
            ("", true) => format!("[{}]", names::EVERYTHING),
            (items, negated) => format!("[{}{items}]", if negated { "^" } else { "" }),
        };
        self.out.push_str(open);
        self.out.push_str(&items);
        self.out.push_str(close);
    }

    fn items(&mut self, items: Items) {
        self.class(&class::Class { items: items.text, negated: false });
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(c) = self.rest.chars().nth(1) else {
            return refuse("trailing backslash at end of expression", "");
        };
        match c {
            'A' => self.write(2, r"(?:\A)"),
            'z' => self.write(2, r"(?:\z)"),
            'b' => self.write(2, r"(?-u:\b)"),
            'B' => {
                self.has_non_boundary = true;
                self.write(2, r"(?-u:\B)")
            }
            'C' => refuse("invalid escape sequence", r"\C"),
            'Q' => {
                self.skip(2);
                let (text, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
                self.rest = rest;
                text.chars().for_each(|c| self.literal(c));
                Ok(())
            }
            'p' | 'P' => {
                let (items, len) = class::property(self.rest)?;
                self.skip(len);
                self.items(items);
                Ok(())
            }
            c => {
                if let Some(items) = names::perl(c) {
                    self.skip(2);
                    self.items(items);
                    return Ok(());
                }
                let (code, len) = class::escape(self.rest)?;
                self.skip(len);
                match char::from_u32(code) {
                    Some(c) => self.literal(c),
                    // A surrogate, which no text has.
                    None => self.class(&class::Class { items: String::new(), negated: false }),
                }
                Ok(())
            }
        }
    }

    fn open(&mut self, captures: bool) {
        let group = Group { start: self.out.len(), flags: self.flags, captures, ..Group::default() };
        self.outer.push(std::mem::replace(&mut self.group, group));
        self.out.push_str(if captures && self.keeps_groups { "(" } else { "(?:" });
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(outer) = self.outer.pop() else { return refuse("unexpected )", self.whole) };
        self.skip(1);
        let mut group = std::mem::replace(&mut self.group, outer);
        group.end_alternative();
        self.out.push(')');
        self.flags = group.flags;
        let mut measure = group.measure();
        if group.captures {
            measure = measure.inside(2);
        }
        self.check_limits(measure)?;
        self.group.push(group.start, Shape::Other, measure);
        Ok(())
    }

    /// Reads `(?...`: a named group, a group with flags, or flags for what follows.
    fn open_perl(&mut self) -> Result<(), String> {
        let text = self.rest;
        for lead in ["(?P<", "(?<"] {
            let Some(named) = text.strip_prefix(lead).filter(|named| !named.is_empty()) else { continue };
            let Some((name, _)) = named.split_once('>') else {
                return refuse("invalid named capture", text);
            };
            let whole = text.get(..lead.len() + name.len() + 1).unwrap_or_default();
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return refuse("invalid named capture", whole);
            }
            self.skip(whole.len());
            self.open(true);
            return Ok(());
        }
        let mut flags = self.flags;
        let (mut on, mut seen) = (true, false);
        for (at, c) in text.char_indices().skip(2) {
            let fits = match c {
                'i' => Some(&mut flags.fold),
                'm' => Some(&mut flags.multi_line),
                's' => Some(&mut flags.dot_newline),
                _ => None,
            };
            match (c, fits) {
                (_, Some(flag)) => {
                    *flag = on;
                    seen = true;
                }
                // Which of several matches is preferred does not change whether there is one.
                ('U', None) => seen = true,
                ('-', None) if on => (on, seen) = (false, false),
                (':' | ')', None) if on || seen => {
                    self.skip(at + 1);
                    if c == ':' {
                        self.open(false);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => {
                    let part = text.get(..at + c.len_utf8()).unwrap_or_default();
                    return refuse("invalid or unsupported Perl syntax", part);
                }
            }
        }
        refuse("invalid or unsupported Perl syntax", text)
    }

    fn repeat_counted(
        &mut self,
        counts: &Counts,
        before: &str,
        last_repeat: Option<&str>,
    ) -> Result<(), String> {
        let (Some(min), max) = (counts.min, counts.max) else {
            return refuse("invalid repeat count", before.get(..counts.len).unwrap_or_default());
        };
        if min > MAX_REPEAT || max.is_some_and(|max| max > MAX_REPEAT || max < min) {
            return refuse("invalid repeat count", before.get(..counts.len).unwrap_or_default());
        }
        let op = match max {
            Some(max) => format!("{{{min},{max}}}"),
            None => format!("{{{min},}}"),
        };
        self.repeat(&op, min, max, before, last_repeat)
    }

    /// Applies a repetition to the last item; its operator has been read.
    fn repeat(
        &mut self,
        op: &str,
        min: u64,
        max: Option<u64>,
        before: &str,
        last_repeat: Option<&str>,
    ) -> Result<(), String> {
        if self.rest.starts_with('?') {
            self.skip(1);
        }
        let up_to_here = |from: &str| from.len().saturating_sub(self.rest.len());
        if let Some(first) = last_repeat {
            let part = first.get(..up_to_here(first)).unwrap_or_default();
            return refuse("invalid nested repetition operator", part);
        }
        let part = before.get(..up_to_here(before)).unwrap_or_default();
        let Some(item) = &mut self.group.last else {
            return refuse("missing argument to repetition operator", part);
        };
        let inner = item.measure;
        let counted = op.starts_with('{');
        let (size, factor) = match (counted, max) {
            (false, _) => (inner.size.saturating_add(1), 1),
            (true, None) if min == 0 => (inner.size.saturating_add(2), 1),
            (true, None) => (inner.size.saturating_mul(min).saturating_add(1), min),
            (true, Some(max)) => (inner.size.saturating_mul(max).saturating_add(max - min), max),
        };
        // What is repeated not at all counts for nothing.
        let repeats = if factor == 0 { 1 } else { inner.repeats.saturating_mul(factor) };
        if counted && (min >= 2 || max.is_some_and(|max| max >= 2)) && repeats > MAX_REPEAT {
            return refuse("invalid repeat count", part);
        }
        if item.shape == Shape::Repetition {
            self.out.insert_str(item.start, "(?:");
            self.out.push(')');
        }
        item.shape = Shape::Repetition;
        item.measure = Measure { height: inner.height + 1, size, repeats };
        let measure = item.measure;
        self.out.push_str(op);
        self.check_limits(measure)
    }

    fn check_limits(&self, measure: Measure) -> Result<(), String> {
        if measure.size > MAX_SIZE {
            return refuse("expression too large", self.whole);
        }
        if measure.height > MAX_HEIGHT {
            return refuse("expression nests too deeply", self.whole);
        }
        Ok(())
    }
}
