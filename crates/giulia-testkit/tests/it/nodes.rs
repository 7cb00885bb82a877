//! Nodes of every shape start, are looked into without a trace, and end.

use std::{
    panic::{self, AssertUnwindSafe},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use giulia_testkit::{Names, Node, ServerCertificate, TlsSetup, for_each_otp, for_each_otp_from};

#[test]
fn every_shape_of_node_starts() {
    for_each_otp("kit::every_shape_of_node_starts", |otp| {
        for (is_embedded, has_elixir) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let mut builder = Node::builder(otp).name("shape");
            if is_embedded {
                builder = builder.embedded();
            }
            if has_elixir {
                builder = builder.elixir();
            }
            let node = builder.start();
            let mode = if is_embedded { "embedded" } else { "interactive" };
            assert_eq!(node.eval("code:get_mode()"), mode);
            let elixir = node.eval("code:is_loaded('Elixir.Logger') =/= false");
            assert_eq!(elixir, has_elixir.to_string());
            let dbg = node.eval("code:ensure_loaded(dbg)");
            assert_eq!(dbg.starts_with("{module"), !is_embedded, "{dbg}");
            let release = node.eval("erlang:system_info(otp_release)");
            assert_eq!(release, format!("{:?}", otp.release.to_string()));
        }
    });
}

#[test]
fn names_long_short_and_ipv6() {
    for_each_otp("kit::names_long_short_and_ipv6", |otp| {
        for (names, expected) in [
            (Names::Long, "long@127.0.0.1"),
            (Names::Short, "short@localhost"),
            (Names::LongIpv6, "six@::1"),
        ] {
            let alive = expected.split('@').next().unwrap();
            let node = Node::builder(otp).name(alive).names(names).start();
            assert_eq!(node.name(), expected);
            assert_eq!(node.eval("atom_to_list(node())"), format!("{expected:?}"));
            assert_ne!(node.dist_port(), 0);
            assert_eq!(node.epmd().port_of(alive), Some(node.dist_port()));
            assert_eq!(node.epmd().port_of("nobody"), None);
        }
    });
}

/// The check is a real node with `inet_tls` and the client's certificates, not giulia.
#[test]
fn tls_nodes_take_who_proves_itself() {
    for_each_otp("kit::tls_nodes_take_who_proves_itself", |otp| {
        let good = ServerCertificate::Good;
        let setup = TlsSetup::Mutual(good);
        let node = Node::builder(otp).name("tls").tls(setup).start();
        let other = Node::builder(otp).name("other").tls(setup).epmd(node.epmd()).start();
        // Each has a CA of its own, so they do not trust one another.
        assert_eq!(other.eval("net_kernel:connect_node('tls@127.0.0.1')"), "false");
        let open = Node::builder(otp).name("open").tls(TlsSetup::ServerOnly(good));
        let open = open.epmd(node.epmd()).start();
        assert_eq!(other.eval("net_kernel:connect_node('open@127.0.0.1')"), "true");
        assert_eq!(open.eval("nodes()"), "['other@127.0.0.1']");
    });
}

#[test]
fn embedded_nodes_do_tls_too() {
    for_each_otp("kit::embedded_nodes_do_tls_too", |otp| {
        let setup = TlsSetup::ServerOnly(ServerCertificate::Good);
        let node = Node::builder(otp).name("a").tls(setup).embedded().start();
        let other = Node::builder(otp).name("b").tls(setup).embedded().elixir();
        let other = other.epmd(node.epmd()).start();
        assert_eq!(other.eval("net_kernel:connect_node('a@127.0.0.1')"), "true");
    });
}

#[test]
fn looking_changes_nothing_and_sees_what_changed() {
    for_each_otp("kit::looking_changes_nothing_and_sees_what_changed", |otp| {
        let node = Node::builder(otp).start();
        // The evaluator and what the expressions below need, before the first look.
        node.eval("[io_lib:format(\"~0tp\", [ets:all()]), node(self())]");
        let before = node.residue();
        let again = node.residue();
        assert!(before.diff(&again).is_empty(), "{}", before.diff(&again));
        node.eval(
            "register(left_behind, spawn(fun() -> ets:new(left_table, [named_table]),
                 erlang:system_flag(scheduler_wall_time, true),
                 receive never -> ok end end)),
             erlang:trace(new_processes, true, [call]),
             erlang:trace_pattern({lists, seq, 2}, true, [call_count]),
             erlang:system_monitor(whereis(left_behind), [busy_port]),
             code:ensure_loaded(zip), ok",
        );
        let difference = before.diff(&node.residue());
        assert_eq!(difference.new_in("registered"), ["left_behind"]);
        assert_eq!(difference.new_in("ets"), ["{left_table,left_table}"]);
        assert_eq!(difference.new_in("processes").len(), 1, "{difference}");
        assert_eq!(difference.new_in("trace_patterns"), ["{lists,seq,2}"]);
        assert_eq!(difference.new_in("trace_flags").len(), 1, "{difference}");
        assert_eq!(difference.new_in("modules"), ["zip"]);
        let flags = difference.new_in("system_flags");
        assert!(flags.contains(&"{scheduler_wall_time,true}".to_owned()), "{difference}");
        assert!(flags.iter().any(|it| it.starts_with("{system_monitor,{")), "{difference}");
        assert_eq!(difference.new_in("atoms").len(), 1, "{difference}");
    });
}

#[test]
fn a_trace_session_is_seen() {
    for_each_otp_from(27, "kit::a_trace_session_is_seen", |otp| {
        let node = Node::builder(otp).start();
        node.eval("code:ensure_loaded(trace)");
        let before = node.residue();
        node.eval(
            "register(owner, spawn(fun() -> trace:session_create(spy, self(), []),
                 receive never -> ok end end)), timer:sleep(50)",
        );
        let difference = before.diff(&node.residue());
        assert_eq!(difference.new_in("trace_sessions").len(), 1, "{difference}");
    });
}

#[test]
fn a_node_freezes_thaws_and_ends_with_its_test() {
    for_each_otp("kit::a_node_freezes_thaws_and_ends_with_its_test", |otp| {
        let node = Node::builder(otp).start();
        assert!(command(node.os_pid()).contains("beam"), "the child is not the VM itself");
        node.freeze();
        assert_eq!(state(node.os_pid()).as_deref(), Some("T"));
        node.thaw();
        assert_eq!(node.eval("1 + 1"), "2");
        assert!(node.try_eval("error(planned)").unwrap_err().contains("planned"));
        let pid = node.os_pid();
        let epmd = node.epmd_port();
        let test = panic::catch_unwind(AssertUnwindSafe(move || {
            let _node = node;
            panic!("a test that fails");
        }));
        assert!(test.is_err());
        assert_eq!(state(pid), None, "the VM outlived its test");
        assert!(std::net::TcpStream::connect(("127.0.0.1", epmd)).is_err(), "EPMD too");
    });
}

/// What a runner's `SIGKILL` of a test leaves: nothing, because the channel closes.
#[test]
fn a_node_ends_when_its_test_is_killed() {
    const INNER: &str = "GIULIA_KIT_INNER";
    for_each_otp("kit::a_node_ends_when_its_test_is_killed", |otp| {
        if std::env::var_os(INNER).is_some() {
            let node = Node::builder(otp).start();
            std::fs::write(std::env::var_os(INNER).unwrap(), node.os_pid().to_string()).unwrap();
            std::thread::sleep(Duration::from_mins(1));
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut inner = Command::new(std::env::current_exe().unwrap());
        inner.args(["a_node_ends_when_its_test_is_killed", "--nocapture"]);
        inner.env(INNER, file.path()).env_remove("GIULIA_LIVE_LOG");
        let mut inner = inner.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let written = || std::fs::read_to_string(file.path()).unwrap().parse::<u32>().ok();
        assert!(within(Duration::from_secs(30), || written().is_some()));
        let pid = written().unwrap();
        assert!(state(pid).is_some());
        inner.kill().unwrap();
        inner.wait().unwrap();
        assert!(within(Duration::from_secs(10), || state(pid).is_none()), "{pid} is still there");
    });
}

fn within(most: Duration, is_so: impl Fn() -> bool) -> bool {
    let started = Instant::now();
    while !is_so() {
        if started.elapsed() > most {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// The letter of the process state; `None` when there is no such process.
fn state(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let state = stat.rsplit(')').next()?.split_whitespace().next()?;
    Some(state.to_owned())
}

fn command(pid: u32) -> String {
    let path = Path::new("/proc").join(pid.to_string()).join("comm");
    std::fs::read_to_string(path).unwrap_or_default()
}
