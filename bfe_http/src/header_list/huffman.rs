//! Strings in the code of HPACK: decoding by half bytes, encoding by a table.

use super::huffman_codes::CODES;
use std::sync::LazyLock;

/// The end of a string is a symbol that must not be in it.
const END: u16 = 256;

/// What half a byte does in a state.
#[derive(Clone, Copy, Default)]
struct Step {
    next: u8,
    symbol: Option<u8>,
    /// No code goes on like this.
    broken: bool,
    /// A string may end here: what is left over is a short piece of padding.
    may_end: bool,
}

static STEPS: LazyLock<Vec<[Step; 16]>> = LazyLock::new(build);

/// A node of the tree of codes: where 0 and 1 lead.
#[derive(Clone, Copy)]
enum Branch {
    None,
    Node(usize),
    Leaf(u16),
}

fn build() -> Vec<[Step; 16]> {
    let mut tree = vec![[Branch::None; 2]];
    for (symbol, (code, length)) in (0u16..).zip(CODES.iter()) {
        let mut at = 0;
        for bit in (0..*length).rev() {
            let side = (code >> bit & 1) as usize;
            if bit == 0 {
                tree[at][side] = Branch::Leaf(symbol);
            } else if let Branch::Node(next) = tree[at][side] {
                at = next;
            } else {
                tree.push([Branch::None; 2]);
                let next = tree.len() - 1;
                tree[at][side] = Branch::Node(next);
                at = next;
            }
        }
    }
    // Padding is made of the first bits of the end symbol: ones, at most seven.
    let mut padding = vec![0];
    for _ in 0..7 {
        if let Some(Branch::Node(next)) = padding.last().map(|at: &usize| tree[*at][1]) {
            padding.push(next);
        }
    }
    (0..tree.len())
        .map(|state| {
            let mut steps = [Step::default(); 16];
            for (half, step) in (0u8..).zip(&mut steps) {
                let mut at = state;
                for bit in (0..4).rev() {
                    match tree[at][usize::from(half >> bit & 1)] {
                        Branch::Node(next) => at = next,
                        Branch::Leaf(symbol) if symbol != END => {
                            step.symbol = u8::try_from(symbol).ok();
                            at = 0;
                        }
                        Branch::Leaf(_) | Branch::None => step.broken = true,
                    }
                }
                // There are 256 inner nodes, as there are 257 codes.
                step.next = u8::try_from(at).unwrap_or_default();
                step.may_end = padding.contains(&at);
            }
            steps
        })
        .collect()
}

/// Decodes `text` to the end of `out`; false where it is no string of the code.
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    let steps = &*STEPS;
    let mut state = 0u8;
    let mut may_end = true;
    out.reserve(text.len() * 2);
    for byte in text {
        for half in [byte >> 4, byte & 15] {
            let Some(step) = steps.get(usize::from(state)).and_then(|s| s.get(usize::from(half))) else {
                return false;
            };
            if step.broken {
                return false;
            }
            if let Some(symbol) = step.symbol {
                out.push(symbol);
            }
            state = step.next;
            may_end = step.may_end;
        }
    }
    may_end
}

/// How many bytes `text` takes in the code.
pub(super) fn encoded_len(text: &[u8]) -> usize {
    let bits: usize = text.iter().map(|b| usize::from(CODES[usize::from(*b)].1)).sum();
    bits.div_ceil(8)
}

/// Encodes `text` to the end of `out`.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let mut bits = 0u64;
    let mut count = 0u32;
    for byte in text {
        let (code, length) = CODES[usize::from(*byte)];
        bits = bits << length | u64::from(code);
        count += u32::from(length);
        while count >= 8 {
            count -= 8;
            out.extend_from_slice(&[(bits >> count & 0xff) as u8]);
        }
    }
    if count > 0 {
        let padding = 8 - count;
        out.push((((bits << padding) | ((1 << padding) - 1)) & 0xff) as u8);
    }
}
