//! Where io_uring is kept from the process, as containers and hardened units do it. Alone in its process, since what is
//! forbidden stays so.
#![allow(unsafe_code, reason = "std has no call that installs a filter of system calls")]

use std::sync::Arc;
use std::time::Instant;

use tandem_media_net::{Io, IoChoice, MediaThreads, MediaThreadsConfig};

/// Answers a system call with `errno` from now on, on this thread and those it starts (seccomp(2)).
fn forbid(system_call: libc::c_long, errno: i32) {
    /// Of `seccomp_data`: the number of the call.
    const NUMBER: u32 = 0;
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let mut filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, NUMBER),
        libc::sock_filter {
            jf: 1,
            ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, system_call as u32)
        },
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno.unsigned_abs()),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its statements outlive the calls, which copy them.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program), 0);
    }
}

fn config(io: IoChoice) -> MediaThreadsConfig {
    MediaThreadsConfig {
        threads: 2,
        pin_to: vec![],
        realtime: false,
        other_address: None,
        io,
        max_endpoints: 2,
        seed: [1; 32],
        epoch: Instant::now(),
        wake: Arc::new(|| {}),
        dtls: None,
    }
}

#[test]
fn a_node_does_without_io_uring_unless_it_is_asked_for() {
    let setup = (libc::SYS_io_uring_setup, libc::EPERM, "SystemCallFilter");
    let missing = (libc::SYS_io_uring_setup, libc::ENOSYS, "Linux 5.6");
    let enter = (libc::SYS_io_uring_enter, libc::EPERM, "SystemCallFilter");
    for (system_call, errno, place) in [setup, missing, enter] {
        let checked = std::thread::spawn(move || {
            forbid(system_call, errno);
            let (threads, _) = MediaThreads::start(&config(IoChoice::Auto)).expect("started");
            let used = threads.io();
            assert_eq!(used.io, Io::Mmsg);
            assert!(used.reason.starts_with("io_uring cannot be had: "), "{}", used.reason);
            assert!(used.reason.contains(place), "{}", used.reason);
            let error = MediaThreads::start(&config(IoChoice::IoUring)).expect_err("asked for");
            assert!(error.to_string().contains(place), "{error}");
        });
        checked.join().expect("as it should be");
    }
}
