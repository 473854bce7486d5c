//! The system, as plugins see it (WASI preview 1): a clock, random numbers, and nothing else. There are no arguments,
//! no environment, no files; what is written to the standard output is thrown away.
//!
//! All functions of the interface are there, since a plugin imports whatever its language's library brings along.

use super::memory::{view, write, write_u32};
use super::{Env, Host, Refusal};
use rand::RngCore as _;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use wasmtime::Linker;

/// Why a function does not do what it was called for: numbers of the interface.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
enum Errno {
    /// No such file is open.
    Badf = 8,
    /// A place outside the memory.
    Fault = 21,
    Inval = 28,
    Nosys = 52,
    /// The standard streams cannot be wound.
    Spipe = 70,
}

type Done = Result<(), Errno>;

impl From<Refusal> for Errno {
    fn from(_: Refusal) -> Self {
        Self::Fault
    }
}

/// Where the clock that only goes forward begins.
static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Most bytes that are made or looked at in one go.
const STEP: i32 = 4096;

fn is_standard(fd: i32) -> Done {
    if (0..=2).contains(&fd) { Ok(()) } else { Err(Errno::Badf) }
}

fn number_at(env: &Env<'_>, at: i32) -> Result<i32, Errno> {
    let bytes = view(env, at, 4)?.try_into().map_err(|_| Errno::Fault)?;
    Ok(i32::from_le_bytes(bytes))
}

/// No arguments, or no variables: none, of no size.
fn sizes_get(env: &mut Env<'_>, count: i32, size: i32) -> Done {
    write_u32(env, count, 0)?;
    Ok(write_u32(env, size, 0)?)
}

fn clock_res_get(env: &mut Env<'_>, clock: i32, to: i32) -> Done {
    if !(0..=3).contains(&clock) {
        return Err(Errno::Inval);
    }
    Ok(write(env, to, &1000_u64.to_le_bytes())?)
}

fn clock_time_get(env: &mut Env<'_>, clock: i32, _precision: i64, to: i32) -> Done {
    let since = match clock {
        0 => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        1..=3 => BEGIN.elapsed(),
        _ => return Err(Errno::Inval),
    };
    let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    Ok(write(env, to, &nanos.to_le_bytes())?)
}

fn random_get(env: &mut Env<'_>, mut at: i32, size: i32) -> Done {
    view(env, at, size)?;
    let mut rest = size.cast_unsigned();
    let mut piece = [0; STEP as usize];
    while rest > 0 {
        let now = rest.min(STEP.cast_unsigned());
        let bytes = piece.get_mut(..now as usize).unwrap_or_default();
        rand::rng().fill_bytes(bytes);
        write(env, at, bytes)?;
        at = at.wrapping_add(now.cast_signed());
        rest -= now;
    }
    Ok(())
}

/// Takes all that is written to the standard streams, and throws it away.
fn fd_write(env: &mut Env<'_>, fd: i32, pieces: i32, count: i32, to: i32) -> Done {
    is_standard(fd)?;
    // Eight bytes a piece, and all of them are in the memory.
    let size = count.checked_mul(8).filter(|size| *size >= 0).ok_or(Errno::Fault)?;
    view(env, pieces, size)?;
    let mut written = 0_u32;
    for index in 0..count {
        let at = pieces.wrapping_add(index * 8);
        let (piece, size) = (number_at(env, at)?, number_at(env, at.wrapping_add(4))?);
        view(env, piece, size)?;
        written = written.wrapping_add(size.cast_unsigned());
    }
    Ok(write_u32(env, to, written)?)
}

/// The end of the standard input, at once.
fn fd_read(env: &mut Env<'_>, fd: i32, _pieces: i32, _count: i32, to: i32) -> Done {
    is_standard(fd)?;
    Ok(write_u32(env, to, 0)?)
}

/// A terminal, of which nothing else is told.
fn fd_fdstat_get(env: &mut Env<'_>, fd: i32, to: i32) -> Done {
    is_standard(fd)?;
    let mut stat = [0; 24];
    stat[0] = 2;
    Ok(write(env, to, &stat)?)
}

fn fd_filestat_get(env: &mut Env<'_>, fd: i32, to: i32) -> Done {
    is_standard(fd)?;
    let mut stat = [0; 64];
    stat[16] = 2;
    Ok(write(env, to, &stat)?)
}

/// What waits for a time has waited long enough: a worker waits for nobody. Other waits fail.
fn poll_oneoff(env: &mut Env<'_>, from: i32, to: i32, count: i32, done: i32) -> Done {
    if count <= 0 {
        return Err(Errno::Inval);
    }
    view(env, from, count.checked_mul(48).ok_or(Errno::Fault)?)?;
    view(env, to, count.checked_mul(32).ok_or(Errno::Fault)?)?;
    for index in 0..count {
        let subscription = view(env, from.wrapping_add(index * 48), 48)?;
        let kind = subscription.get(8).copied().unwrap_or(0);
        let mut event = [0; 32];
        let (user, rest) = event.split_at_mut(8);
        user.copy_from_slice(subscription.get(..8).unwrap_or(&[0; 8]));
        let errno = if kind == 0 { 0 } else { Errno::Badf as u8 };
        rest[0] = errno;
        rest[2] = kind;
        write(env, to.wrapping_add(index * 32), &event)?;
    }
    Ok(write_u32(env, done, count.cast_unsigned())?)
}

fn proc_exit(mut env: Env<'_>, code: i32) -> wasmtime::Result<()> {
    env.data_mut().exit_code = Some(code);
    Err(wasmtime::Error::msg(format!("the plugin exits with code {code}")))
}

/// Links functions: `name => what they do, (their parameters)`.
macro_rules! functions {
    ($linker:ident, $module:ident, $($name:ident => $do:expr, ($($arg:ident: $type:ty),*);)*) => {$(
        $linker.func_wrap($module, stringify!($name), |mut env: Env<'_>, $($arg: $type),*| -> i32 {
            let function: fn(&mut Env<'_>, $($type),*) -> Done = $do;
            function(&mut env, $($arg),*).map_or_else(|errno| errno as i32, |()| 0)
        })?;
    )*};
}

/// Links all functions, under both names of the interface.
#[rustfmt::skip]
pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        functions! { linker, module,
            args_get => |_, _, _| Ok(()), (argv: i32, buf: i32);
            args_sizes_get => sizes_get, (count: i32, size: i32);
            environ_get => |_, _, _| Ok(()), (environ: i32, buf: i32);
            environ_sizes_get => sizes_get, (count: i32, size: i32);
            clock_res_get => clock_res_get, (clock: i32, to: i32);
            clock_time_get => clock_time_get, (clock: i32, precision: i64, to: i32);
            random_get => random_get, (at: i32, size: i32);
            sched_yield => |_| Ok(()), ();
            proc_raise => |_, _| Err(Errno::Nosys), (signal: i32);
            poll_oneoff => poll_oneoff, (from: i32, to: i32, count: i32, done: i32);

            fd_write => fd_write, (fd: i32, pieces: i32, count: i32, to: i32);
            fd_read => fd_read, (fd: i32, pieces: i32, count: i32, to: i32);
            fd_fdstat_get => fd_fdstat_get, (fd: i32, to: i32);
            fd_filestat_get => fd_filestat_get, (fd: i32, to: i32);
            fd_close => |_, fd| is_standard(fd), (fd: i32);
            fd_sync => |_, fd| is_standard(fd), (fd: i32);
            fd_datasync => |_, fd| is_standard(fd), (fd: i32);
            fd_fdstat_set_flags => |_, fd, _| is_standard(fd), (fd: i32, flags: i32);
            fd_seek => |_, fd, _, _, _| is_standard(fd).and(Err(Errno::Spipe)), (fd: i32, by: i64, whence: i32, to: i32);
            fd_tell => |_, fd, _| is_standard(fd).and(Err(Errno::Spipe)), (fd: i32, to: i32);
            fd_prestat_get => |_, _, _| Err(Errno::Badf), (fd: i32, to: i32);
            fd_prestat_dir_name => |_, _, _, _| Err(Errno::Badf), (fd: i32, to: i32, size: i32);
            fd_advise => |_, _, _, _, _| Err(Errno::Badf), (fd: i32, at: i64, size: i64, advice: i32);
            fd_allocate => |_, _, _, _| Err(Errno::Badf), (fd: i32, at: i64, size: i64);
            fd_fdstat_set_rights => |_, _, _, _| Err(Errno::Badf), (fd: i32, base: i64, inheriting: i64);
            fd_filestat_set_size => |_, _, _| Err(Errno::Badf), (fd: i32, size: i64);
            fd_filestat_set_times => |_, _, _, _, _| Err(Errno::Badf), (fd: i32, atim: i64, mtim: i64, flags: i32);
            fd_pread => |_, _, _, _, _, _| Err(Errno::Badf), (fd: i32, pieces: i32, count: i32, at: i64, to: i32);
            fd_pwrite => |_, _, _, _, _, _| Err(Errno::Badf), (fd: i32, pieces: i32, count: i32, at: i64, to: i32);
            fd_readdir => |_, _, _, _, _, _| Err(Errno::Badf), (fd: i32, buf: i32, size: i32, cookie: i64, to: i32);
            fd_renumber => |_, _, _| Err(Errno::Badf), (fd: i32, to: i32);

            path_create_directory => |_, _, _, _| Err(Errno::Badf), (fd: i32, path: i32, size: i32);
            path_filestat_get => |_, _, _, _, _, _| Err(Errno::Badf), (fd: i32, flags: i32, path: i32, size: i32, to: i32);
            path_filestat_set_times => |_, _, _, _, _, _, _, _| Err(Errno::Badf), (fd: i32, flags: i32, path: i32, size: i32, atim: i64, mtim: i64, set: i32);
            path_link => |_, _, _, _, _, _, _, _| Err(Errno::Badf), (fd: i32, flags: i32, path: i32, size: i32, new: i32, path2: i32, size2: i32);
            path_open => |_, _, _, _, _, _, _, _, _, _| Err(Errno::Badf), (fd: i32, dirflags: i32, path: i32, size: i32, oflags: i32, base: i64, inheriting: i64, flags: i32, to: i32);
            path_readlink => |_, _, _, _, _, _, _| Err(Errno::Badf), (fd: i32, path: i32, size: i32, buf: i32, buf_size: i32, to: i32);
            path_remove_directory => |_, _, _, _| Err(Errno::Badf), (fd: i32, path: i32, size: i32);
            path_rename => |_, _, _, _, _, _, _| Err(Errno::Badf), (fd: i32, path: i32, size: i32, new: i32, path2: i32, size2: i32);
            path_symlink => |_, _, _, _, _, _| Err(Errno::Badf), (old: i32, old_size: i32, fd: i32, path: i32, size: i32);
            path_unlink_file => |_, _, _, _| Err(Errno::Badf), (fd: i32, path: i32, size: i32);

            sock_accept => |_, _, _, _| Err(Errno::Badf), (fd: i32, flags: i32, to: i32);
            sock_recv => |_, _, _, _, _, _, _| Err(Errno::Badf), (fd: i32, pieces: i32, count: i32, flags: i32, to: i32, out: i32);
            sock_send => |_, _, _, _, _, _| Err(Errno::Badf), (fd: i32, pieces: i32, count: i32, flags: i32, to: i32);
            sock_shutdown => |_, _, _| Err(Errno::Badf), (fd: i32, how: i32);
        }
        linker.func_wrap(module, "proc_exit", proc_exit)?;
    }
    Ok(())
}
