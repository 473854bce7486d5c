//! Datagrams that reach the wrong worker.
//!
//! The workers' sockets share a port, and the kernel chooses one by the addresses of a datagram. A client that gets
//! another address, such as a phone that leaves the house, keeps its connection (RFC 9000, 9): the connection is known
//! by the identifier that its packets carry, not by addresses. So the identifiers that a worker gives out begin with
//! its number, and whoever gets a packet for another worker puts it into that one's box.

use aws_lc_rs::rand;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, ConnectionId, ConnectionIdGenerator, UdpPoller};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

/// Length of an identifier: the number of a worker, and what can't be guessed.
const ID_LEN: usize = 10;
/// Batches that wait in a box at most; the network may lose more of them, too.
const BOX: usize = 1024;

/// Makes identifiers for the connections of one worker.
pub(super) struct Ids(u16);

impl Ids {
    pub(super) const fn new(index: u16) -> Self {
        Self(index)
    }
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; ID_LEN];
        // Where there is no randomness there was no handshake either.
        let _ = rand::fill(&mut id);
        for (to, from) in id.iter_mut().zip(self.0.to_be_bytes()) {
            *to = from;
        }
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        ID_LEN
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// Datagrams that came by one call, from one client.
struct Batch {
    meta: RecvMeta,
    bytes: Box<[u8]>,
}

/// What others have put in for a worker.
#[derive(Default)]
struct Inbox(Mutex<(VecDeque<Batch>, Option<Waker>)>);

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<Batch>, Option<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, batch: Batch) {
        let waker = {
            let (batches, waker) = &mut *self.lock();
            if batches.len() >= BOX {
                return;
            }
            batches.push_back(batch);
            waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// One worker's view of the boxes.
#[derive(Clone)]
pub(super) struct Router {
    index: u16,
    boxes: Arc<[Inbox]>,
}

/// The routers of so many workers. Beyond 65,536, which no machine has, some share a number.
pub(super) fn routers(workers: usize) -> impl Iterator<Item = Router> {
    let boxes: Arc<[Inbox]> = (0..workers).map(|_| Inbox::default()).collect();
    (0..=u16::MAX).cycle().take(workers).map(move |index| Router { index, boxes: Arc::clone(&boxes) })
}

impl Router {
    pub(super) const fn index(&self) -> u16 {
        self.index
    }

    /// The socket, as an endpoint sees it.
    pub(super) fn around(self, socket: Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket> {
        if self.boxes.len() == 1 { socket } else { Arc::new(Routed { socket, router: self }) }
    }

    /// The box of whoever else a packet is for.
    fn other(&self, packet: &[u8]) -> Option<&Inbox> {
        // Packets with a long header come before a client can have moved.
        let &[first, high, low, ..] = packet else { return None };
        let index = u16::from_be_bytes([high, low]);
        if first & 0x80 != 0 || packet.len() <= ID_LEN || index == self.index {
            return None;
        }
        self.boxes.get(usize::from(index))
    }

    fn inbox(&self) -> Option<&Inbox> {
        self.boxes.get(usize::from(self.index))
    }
}

/// A socket that gives what is for its worker, from wherever it comes.
struct Routed {
    socket: Arc<dyn AsyncUdpSocket>,
    router: Router,
}

impl fmt::Debug for Routed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

impl Routed {
    /// Takes what is in the worker's box; 0 where there is nothing.
    fn take(&self, cx: &Context<'_>, bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> usize {
        let Some(inbox) = self.router.inbox() else { return 0 };
        let (batches, waker) = &mut *inbox.lock();
        let mut taken = 0;
        for (buf, meta) in bufs.iter_mut().zip(meta) {
            let Some(batch) = batches.pop_front() else { break };
            // All sockets read into buffers of the same size.
            let Some(room) = buf.get_mut(..batch.bytes.len()) else { continue };
            room.copy_from_slice(&batch.bytes);
            *meta = batch.meta;
            taken += 1;
        }
        if taken == 0 {
            *waker = Some(cx.waker().clone());
        }
        taken
    }

    /// Passes on what is for others; how many there are left, which are then at the front.
    fn sort(&self, bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta], count: usize) -> usize {
        let mut kept = 0;
        for at in 0..count {
            let (Some(buf), Some(of)) = (bufs.get(at), meta.get(at).copied()) else { break };
            let bytes = buf.get(..of.len).unwrap_or_default();
            if let Some(inbox) = self.router.other(bytes) {
                inbox.put(Batch { meta: of, bytes: bytes.into() });
                continue;
            }
            if kept != at
                && let Some((front, back)) = bufs.split_at_mut_checked(at)
                && let (Some(to), Some(from)) = (front.get_mut(kept), back.first())
                && let (Some(to), Some(from)) = (to.get_mut(..of.len), from.get(..of.len))
                && let Some(place) = meta.get_mut(kept)
            {
                to.copy_from_slice(from);
                *place = of;
            }
            kept += 1;
        }
        kept
    }
}

impl AsyncUdpSocket for Routed {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.socket).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let taken = self.take(cx, bufs, meta);
        if taken > 0 {
            return Poll::Ready(Ok(taken));
        }
        loop {
            let count = ready!(self.socket.poll_recv(cx, bufs, meta))?;
            let kept = self.sort(bufs, meta, count);
            if kept > 0 {
                return Poll::Ready(Ok(kept));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, worker: u16, rest: usize) -> Vec<u8> {
        [&[first][..], &worker.to_be_bytes(), &vec![7; rest]].concat()
    }

    #[test]
    fn identifiers_tell_the_worker_and_nothing_else() {
        let ids: Vec<_> = (0..100).map(|_| Ids::new(0x0102).generate_cid()).collect();
        for (i, id) in ids.iter().enumerate() {
            assert_eq!((id.len(), id.get(..2)), (ID_LEN, Some(&[1, 2][..])));
            assert!(!ids.get(..i).unwrap().contains(id));
        }
    }

    #[test]
    fn packets_go_to_the_worker_that_they_are_for() {
        let routers: Vec<_> = routers(3).collect();
        let own = &routers[1];
        let is_other = |packet: &[u8]| {
            own.other(packet)
                .map(|found| routers[1].boxes.iter().position(|inbox| std::ptr::eq(inbox, found)).unwrap())
        };
        for (first, worker, want) in [
            (0x40, 0, Some(0)),
            (0x40, 1, None),
            (0x40, 2, Some(2)),
            // There is no such worker: whoever has it tells the client so.
            (0x40, 3, None),
            (0xc0, 2, None),
            (0x00, 2, Some(2)),
        ] {
            assert_eq!(is_other(&packet(first, worker, 30)), want, "{first:x} {worker}");
        }
        assert_eq!(is_other(&packet(0x40, 2, 7)), None, "too short for an identifier");
        assert_eq!(is_other(&[]), None);
    }

    /// A socket that has received some packets, and then no more.
    #[derive(Debug)]
    struct Received(Mutex<VecDeque<Vec<u8>>>);

    impl AsyncUdpSocket for Received {
        fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
            unreachable!()
        }

        fn try_send(&self, _: &Transmit<'_>) -> io::Result<()> {
            Ok(())
        }

        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            bufs: &mut [IoSliceMut<'_>],
            meta: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            let mut queue = self.0.lock().unwrap();
            let mut count = 0;
            for (buf, meta) in bufs.iter_mut().zip(meta) {
                let Some(packet) = queue.pop_front() else { break };
                buf[..packet.len()].copy_from_slice(&packet);
                meta.len = packet.len();
                count += 1;
            }
            if count == 0 { Poll::Pending } else { Poll::Ready(Ok(count)) }
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Err(io::Error::other("none"))
        }
    }

    fn received(socket: &Arc<dyn AsyncUdpSocket>) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            let mut room = [[0; 100], [0; 100], [0; 100]];
            let mut bufs = room.each_mut().map(|buf| IoSliceMut::new(buf));
            let mut meta = [RecvMeta::default(); 3];
            let Poll::Ready(count) = socket.poll_recv(&mut cx, &mut bufs, &mut meta) else { return all };
            let count = count.unwrap();
            all.extend(bufs.iter().zip(meta).take(count).map(|(buf, meta)| buf[..meta.len].to_vec()));
        }
    }

    #[test]
    fn what_is_for_another_worker_reaches_it() {
        let sent: Vec<_> =
            [1, 0, 0, 1, 0, 2, 9, 1].map(|worker| packet(0x40, worker, 20 + usize::from(worker))).into();
        let sockets: Vec<_> = routers(2)
            .zip([sent.clone(), Vec::new()])
            .map(|(router, sent)| router.around(Arc::new(Received(Mutex::new(sent.into())))))
            .collect();
        let of = |wanted: &[u16]| -> Vec<_> {
            let worker = |packet: &&Vec<u8>| u16::from_be_bytes([packet[1], packet[2]]);
            sent.iter().filter(|packet| wanted.contains(&worker(packet))).cloned().collect()
        };
        assert_eq!(received(&sockets[0]), of(&[0, 2, 9]));
        assert_eq!(received(&sockets[1]), of(&[1]));
        assert!(received(&sockets[1]).is_empty());
    }
}
