//! Read buffers, lent by the worker while something is in flight.

use bytes::BytesMut;
use std::cell::RefCell;

/// Room for a head.
pub(crate) const SMALL: usize = 8 * 1024;
/// Most buffers that a worker keeps for reuse.
const KEPT: usize = 32;

thread_local! {
    static POOL: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Makes room for `room` more bytes; an empty buffer of small size comes from the pool.
pub(crate) fn reserve(buf: &mut BytesMut, room: usize) {
    if buf.capacity() == 0
        && room == SMALL
        && let Some(pooled) = POOL.with_borrow_mut(Vec::pop)
    {
        *buf = pooled;
        return;
    }
    buf.reserve(room);
}

/// Takes an empty buffer back, if its memory is not in use elsewhere.
pub(crate) fn give_back(buf: &mut BytesMut) {
    let mut taken = std::mem::take(buf);
    if taken.try_reclaim(SMALL) && taken.capacity() <= 2 * SMALL {
        POOL.with_borrow_mut(|pool| {
            if pool.len() < KEPT {
                pool.push(taken);
            }
        });
    }
}
