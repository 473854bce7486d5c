//! What plugins share with each other, and what outlives their reloads: a map of values, and queues.
//!
//! There is one of each for the process. Both are bounded, since nothing else bounds what plugins put there.

use super::host::Refusal;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most bytes that shared data takes, keys included; and most bytes that all queues take.
pub(super) const MAX_SHARED_BYTES: usize = 64 << 20;
/// Most queues.
pub(super) const MAX_QUEUES: usize = 1024;
/// What an entry of either counts beside its own bytes.
const ENTRY: usize = 64;

/// Shared data and queues.
#[derive(Debug, Default)]
pub(super) struct Shared {
    data: Mutex<Data>,
    queues: Mutex<Queues>,
}

/// Values, each with the number of the change that made it (compare-and-swap).
#[derive(Debug, Default)]
struct Data {
    values: HashMap<Bytes, (Bytes, u32)>,
    bytes: usize,
    changes: u32,
}

#[derive(Debug, Default)]
struct Queues {
    ids: HashMap<Bytes, u32>,
    queues: HashMap<u32, Queue>,
    bytes: usize,
    last_id: u32,
}

#[derive(Debug, Default)]
struct Queue {
    name: Bytes,
    items: VecDeque<Bytes>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Shared ===

impl Shared {
    /// The value of a key, and its number.
    pub(super) fn get(&self, key: &[u8]) -> Result<(Bytes, u32), Refusal> {
        lock(&self.data).values.get(key).cloned().ok_or(Refusal::NotFound)
    }

    /// Sets a value; that of an existing key only where `number` is its number.
    pub(super) fn set(&self, key: Bytes, value: Bytes, number: u32) -> Result<(), Refusal> {
        let mut data = lock(&self.data);
        let old = match data.values.get(&key) {
            Some((_, current)) if *current != number => return Err(Refusal::CasMismatch),
            Some((old, _)) => key.len() + old.len() + ENTRY,
            None => 0,
        };
        let bytes = data.bytes - old + key.len() + value.len() + ENTRY;
        if bytes > MAX_SHARED_BYTES {
            return Err(Refusal::Internal);
        }
        data.bytes = bytes;
        data.changes = data.changes.wrapping_add(1);
        let number = data.changes;
        data.values.insert(key, (value, number));
        Ok(())
    }

    /// The id of the queue of that name, which is made where there is none.
    pub(super) fn register_queue(&self, name: Bytes) -> Result<u32, Refusal> {
        let mut queues = lock(&self.queues);
        if let Some(id) = queues.ids.get(&name) {
            return Ok(*id);
        }
        let bytes = queues.bytes + 2 * (name.len() + ENTRY);
        if queues.ids.len() >= MAX_QUEUES || bytes > MAX_SHARED_BYTES {
            return Err(Refusal::Internal);
        }
        queues.bytes = bytes;
        queues.last_id = queues.last_id.wrapping_add(1);
        let id = queues.last_id;
        queues.ids.insert(name.clone(), id);
        queues.queues.insert(id, Queue { name, items: VecDeque::new() });
        Ok(id)
    }

    /// The id of the queue of that name.
    pub(super) fn resolve_queue(&self, name: &[u8]) -> Result<u32, Refusal> {
        lock(&self.queues).ids.get(name).copied().ok_or(Refusal::NotFound)
    }

    /// Removes a queue, and what is in it.
    pub(super) fn remove_queue(&self, id: u32) -> Result<(), Refusal> {
        let mut queues = lock(&self.queues);
        let queue = queues.queues.remove(&id).ok_or(Refusal::NotFound)?;
        queues.ids.remove(&queue.name);
        let items: usize = queue.items.iter().map(|item| item.len() + ENTRY).sum();
        queues.bytes -= items + 2 * (queue.name.len() + ENTRY);
        Ok(())
    }

    /// Puts something at the end of a queue.
    pub(super) fn enqueue(&self, id: u32, item: Bytes) -> Result<(), Refusal> {
        let mut queues = lock(&self.queues);
        let bytes = queues.bytes + item.len() + ENTRY;
        let queue = queues.queues.get_mut(&id).ok_or(Refusal::NotFound)?;
        if bytes > MAX_SHARED_BYTES {
            return Err(Refusal::Internal);
        }
        queue.items.push_back(item);
        queues.bytes = bytes;
        Ok(())
    }

    /// Takes what is first in a queue.
    pub(super) fn dequeue(&self, id: u32) -> Result<Bytes, Refusal> {
        let mut queues = lock(&self.queues);
        let queue = queues.queues.get_mut(&id).ok_or(Refusal::NotFound)?;
        let item = queue.items.pop_front().ok_or(Refusal::Empty)?;
        queues.bytes -= item.len() + ENTRY;
        Ok(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> i32 {
        result.unwrap_err().code()
    }

    #[test]
    fn wasm_11_data_is_set_by_number() {
        let shared = Shared::default();
        let set = |value: &'static str, number| shared.set("k".into(), value.into(), number);
        assert_eq!(code(shared.get(b"k")), 1);
        set("a", 77).unwrap();
        assert_eq!(shared.get(b"k").unwrap(), ("a".into(), 1));
        assert_eq!((code(set("b", 0)), code(set("b", 2))), (8, 8));
        set("b", 1).unwrap();
        assert_eq!(shared.get(b"k").unwrap(), ("b".into(), 2));
        shared.set("other".into(), "".into(), 0).unwrap();
        assert_eq!(shared.get(b"other").unwrap().1, 3);
    }

    #[test]
    fn queues_by_name_and_id() {
        let shared = Shared::default();
        let id = shared.register_queue("q".into()).unwrap();
        assert_eq!(shared.register_queue("q".into()).unwrap(), id);
        assert_eq!(shared.resolve_queue(b"q").unwrap(), id);
        assert_eq!((code(shared.resolve_queue(b"x")), code(shared.enqueue(9, "".into()))), (1, 1));
        assert_eq!(code(shared.dequeue(id)), 7);
        shared.enqueue(id, "a".into()).unwrap();
        shared.enqueue(id, "b".into()).unwrap();
        assert_eq!(shared.dequeue(id).unwrap(), "a");
        shared.remove_queue(id).unwrap();
        assert_eq!((code(shared.dequeue(id)), code(shared.remove_queue(id))), (1, 1));
        assert_ne!(shared.register_queue("q".into()).unwrap(), id);
        assert_eq!(lock(&shared.queues).bytes, 2 * (1 + ENTRY));
    }

    #[test]
    fn nothing_grows_without_bound() {
        let shared = Shared::default();
        let big = Bytes::from(vec![0; MAX_SHARED_BYTES / 2]);
        shared.set("a".into(), big.clone(), 0).unwrap();
        assert_eq!(code(shared.set("b".into(), big.clone(), 0)), 10);
        shared.set("a".into(), "".into(), 1).unwrap();
        shared.set("b".into(), big.clone(), 0).unwrap();
        let id = shared.register_queue("q".into()).unwrap();
        shared.enqueue(id, big.clone()).unwrap();
        assert_eq!(code(shared.enqueue(id, big.clone())), 10);
        shared.dequeue(id).unwrap();
        shared.enqueue(id, big).unwrap();
        for n in 1..MAX_QUEUES {
            shared.register_queue(n.to_string().into()).unwrap();
        }
        assert_eq!(code(shared.register_queue("one more".into())), 10);
    }
}
