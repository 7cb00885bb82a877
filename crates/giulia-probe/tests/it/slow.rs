//! The slow parts of a snapshot against planted truth.

use giulia_model::{Snapshot, Supervised};
use giulia_probe::{Link, slow_parts, wall_times};
use giulia_testkit::{Node, for_each_otp};

use crate::{attach, has_signal_bugs, run, settled};

/// A handler with settings of its own; a connection over which 5,000 bytes went, and one that is
/// stuck; a process that holds three binaries of 2 MB.
const PLANTED: &str = "
ok = logger:add_handler(planted, logger_std_h, #{level => error, config =>
    #{type => standard_error, sync_mode_qlen => 7, drop_mode_qlen => 321, flush_qlen => 654,
      burst_limit_enable => false, overload_kill_enable => true, overload_kill_qlen => 9999}}),
register(talker, spawn(fun() ->
    {ok, Listen} = gen_tcp:listen(0, [binary, {active, false}, {ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(Listen),
    {ok, Out} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary]),
    {ok, In} = gen_tcp:accept(Listen),
    ok = gen_tcp:send(Out, binary:copy(<<1>>, 5000)),
    {ok, _} = gen_tcp:recv(In, 5000),
    register(stuck, spawn(fun() ->
        {ok, Stuck} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary]),
        gen_tcp:send(Stuck, binary:copy(<<1>>, 20000000)), receive stop -> ok end end)),
    {ok, _} = gen_tcp:accept(Listen),
    receive stop -> ok end end)),
register(holder, spawn(fun() ->
    Held = [binary:copy(<<K>>, 2000000) || K <- [1, 2, 3]],
    receive stop -> Held end end)),
timer:sleep(500)";

async fn slow(link: &Link) -> Snapshot {
    let mut seen = Snapshot::default();
    slow_parts(link, &mut seen).await;
    seen
}

#[test]
fn handlers_ports_and_binaries_are_those_planted() {
    for_each_otp("handlers_ports_and_binaries_are_those_planted", |otp| {
        let node = Node::builder(otp).eval(PLANTED).start();
        let count = node.eval("length(erlang:ports())").parse::<u64>().unwrap();
        // Before ours comes, which may still be closing afterwards.
        let n_tcp = node.eval("length([P || P <- erlang:ports(), erlang:port_info(P, name) =:= {name, \"tcp_inet\"}])");
        let seen = run(async { slow(&attach(&node, false).await).await });
        let logger = seen.logger.unwrap();
        assert_eq!((logger.level.as_str(), logger.handlers.len()), ("notice", 2));
        let handler = logger.handlers.iter().find(|it| it.id == "planted").unwrap();
        assert_eq!(handler.level, "error");
        assert_eq!(handler.destination.as_deref(), Some("standard_error"));
        let lengths = [handler.sync_mode_qlen, handler.drop_mode_qlen, handler.flush_qlen];
        assert_eq!(lengths, [Some(7), Some(321), Some(654)]);
        assert_eq!((handler.burst_limit_max_count, handler.overload_kill_qlen), (None, Some(9999)));
        assert!(handler.process.is_some());
        assert_eq!(handler.mailbox_len, (!has_signal_bugs(otp)).then_some(0));

        let ports = seen.ports.unwrap();
        // Ours, of the connection that asked, is not among them.
        assert_eq!((ports.total, ports.asked), (count, count), "{ports:?}");
        let talker = node.eval("pid_to_list(whereis(talker))");
        let out = ports.top_by_bytes.iter().find(|it| it.output_bytes == 5000).unwrap();
        assert_eq!(format!("{:?}", out.owner.as_ref().unwrap().0), talker);
        assert!(out.peer.as_deref().unwrap().starts_with("127.0.0.1:"), "{out:?}");
        if !has_signal_bugs(otp) {
            assert_eq!(out.owner_name.as_deref(), Some("talker"));
        }
        assert!(ports.top_by_bytes.iter().any(|it| it.input_bytes == 5000), "{ports:?}");
        let stuck = &ports.top_by_queue[0];
        assert!(stuck.queue_bytes.unwrap() > 1_000_000, "{stuck:?}");
        let tcp = ports.by_kind.iter().find(|it| it.name == "tcp_inet").unwrap();
        assert_eq!(tcp.count.to_string(), n_tcp);

        if has_signal_bugs(otp) {
            assert!(seen.binaries.is_none() && seen.supervision.is_none());
            assert!(seen.not_seen.iter().any(|it| it.what.starts_with("supervision")));
            return;
        }
        let holder = &seen.binaries.as_ref().unwrap().top[0];
        assert!(holder.name == "holder" || holder.name == "stuck", "{:?}", seen.binaries);
        let holders = &seen.binaries.as_ref().unwrap().top;
        let holder = holders.iter().find(|it| it.name == "holder").unwrap();
        assert!(holder.count >= 3 && holder.bytes >= 6_000_000, "{holder:?}");
        assert_eq!(seen.not_seen, vec![]);
    });
}

#[test]
fn supervision_trees_are_those_of_the_applications() {
    for_each_otp("supervision_trees_are_those_of_the_applications", |otp| {
        if has_signal_bugs(otp) {
            // Not asked there; the test above holds that it says so.
            return;
        }
        let node = Node::builder(otp).elixir().start();
        node.sample();
        // A supervisor of more children than are asked one by one.
        node.eval("{ok, _} = supervisor:start_child(sample_sup, #{id => many, type => supervisor, start => {'Elixir.DynamicSupervisor', start_link, [[{strategy, one_for_one}, {name, crowd}]]}})");
        node.eval("[{ok, _} = 'Elixir.DynamicSupervisor':start_child(crowd, #{id => one, start => {'Elixir.Agent', start_link, [fun() -> 0 end]}}) || _ <- lists:seq(1, 150)], ok");
        let seen = run(async { slow(&attach(&node, false).await).await });
        let tree = seen.supervision.unwrap();
        assert!(!tree.cut, "{tree:?}");
        let of = |name: &str| tree.applications.iter().find(|it| it.application == name).unwrap();
        let sample = &of("sample").members;
        let names: Vec<&str> = sample.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names[0], "sample_sup");
        for name in ["sample_counter", "sample_tables", "sample_planter", "crowd"] {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
        assert_eq!(names.len(), 5, "{names:?}");
        let find = |name: &str| sample.iter().find(|it| it.name == name).unwrap();
        let Supervised { depth, supervisor, children, followed, .. } = find("sample_sup");
        assert_eq!((*depth, *supervisor, *children, *followed), (0, true, 4, true));
        let Supervised { depth, supervisor, children, followed, .. } = find("crowd");
        assert_eq!((*depth, *supervisor, *children, *followed), (1, true, 150, false));
        assert!(!find("sample_counter").supervisor);
        let kernel = &of("kernel").members;
        assert_eq!(kernel[0].name, "kernel_sup");
        let truth = node.eval(
            "length([P || {_, P, _, _} <- supervisor:which_children(kernel_sup), is_pid(P)])",
        );
        assert_eq!(kernel[0].children.to_string(), truth);
    });
}

#[test]
fn allocators_links_and_limits_agree_with_the_node() {
    for_each_otp("allocators_links_and_limits_agree_with_the_node", |otp| {
        let node = Node::builder(otp).name("one").args(["+hmax", "50000000"]).start();
        let other = Node::builder(otp).name("two").cookie(node.cookie()).epmd(node.epmd()).start();
        node.eval(&format!("true = net_kernel:connect_node('{}')", other.name()));
        node.eval("persistent_term:put(kept, [binary:copy(<<K>>, 30000000) || K <- [1, 2]])");
        let (slow, seen) = run(async {
            let link = attach(&node, false).await;
            let options = giulia_probe::SnapshotOptions { window: None, top: 5 };
            (slow(&link).await, giulia_probe::snapshot(&link, &options).await)
        });
        let links = slow.links.unwrap();
        assert_eq!((links.total, links.busy_limit_bytes), (1, 1 << 20), "{links:?}");
        let link = &links.links[0];
        assert_eq!(
            (link.node.as_str(), link.hidden, link.by_process),
            (other.name(), false, false)
        );
        assert!(link.output_bytes.unwrap() > 0 && link.queue_bytes == Some(0), "{link:?}");
        let limits = seen.limits.unwrap();
        assert_eq!((limits.max_heap_bytes, limits.max_heap_kills), (Some(400_000_000), true));
        assert_eq!(
            (limits.fullsweep_after, limits.message_queue_data.as_str()),
            (65535, "on_heap")
        );
        let allocators = slow.allocators.unwrap();
        let binary = allocators.iter().find(|it| it.name == "binary_alloc").unwrap();
        assert!(binary.blocks_bytes > 60_000_000, "{binary:?}");
        assert!(binary.single_block_carriers_bytes > 60_000_000, "{binary:?}");
        for it in &allocators {
            assert!(it.carriers_bytes >= it.blocks_bytes, "{it:?}");
        }
        // What the VM accounts for is most of what is in use.
        let blocks: u64 = allocators.iter().map(|it| it.blocks_bytes).sum();
        let total = seen.memory.unwrap().total_bytes;
        assert!(blocks > total * 8 / 10 && blocks < total * 12 / 10, "{blocks}, {total}");
    });
}

#[test]
fn schedulers_are_as_busy_as_they_are_kept() {
    for_each_otp("schedulers_are_as_busy_as_they_are_kept", |otp| {
        // One process that never waits, on a VM of one scheduler.
        let node = Node::builder(otp).args(["+S", "1:1"]).start();
        run(async {
            let link = attach(&node, false).await;
            assert_eq!(wall_times(&link).await.unwrap(), None);
            node.eval("spawn(fun() -> erlang:system_flag(scheduler_wall_time, true), Spin = fun Spin(N) -> Spin(N + 1) end, Spin(0) end), timer:sleep(300)");
            let options = giulia_probe::SnapshotOptions { window: None, top: 5 };
            let schedulers = giulia_probe::snapshot(&link, &options).await.schedulers.unwrap();
            let before = wall_times(&link).await.unwrap().unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let now = wall_times(&link).await.unwrap().unwrap();
            let busy = now.since(&before, &schedulers).unwrap();
            assert_eq!((busy.normal.each.len(), busy.dirty_io.each.len()), (1, 10));
            assert!(busy.normal.total > 0.95, "{busy:?}");
            assert!(busy.dirty_cpu.total < 0.05 && busy.dirty_io.total < 0.05, "{busy:?}");
        });
    });
}

#[test]
fn slow_parts_leave_nothing_and_add_no_atom_the_second_time() {
    for_each_otp("slow_parts_leave_nothing_and_add_no_atom_the_second_time", |otp| {
        for no_eval in [false, true] {
            let node = Node::builder(otp).start();
            drop(run(async { slow(&attach(&node, no_eval).await).await }));
            let first = settled(&node);
            let seen = run(async { slow(&attach(&node, no_eval).await).await });
            assert!(seen.allocators.is_some() && seen.impact.round_trips <= 8, "{:?}", seen.impact);
            let rest = first.diff(&settled(&node));
            assert!(rest.is_empty(), "{rest}");
        }
    });
}

#[test]
fn sockets_and_the_handler_of_elixir_are_seen() {
    for_each_otp("sockets_and_the_handler_of_elixir_are_seen", |otp| {
        let node = Node::builder(otp).elixir().start();
        let seen = run(async { slow(&attach(&node, false).await).await });
        let logger = seen.logger.unwrap();
        // Of Elixir before 1.15, with two thresholds of its own; later OTP's.
        let (id, module, lengths) = match otp.release {
            23 | 25 => ("Logger", "Logger.Handler", [Some(20), Some(500)]),
            _ => ("default", "logger_std_h", [Some(10), Some(200)]),
        };
        let handler = logger.handlers.iter().find(|it| it.id == id).unwrap();
        assert_eq!(handler.module, module);
        assert_eq!([handler.sync_mode_qlen, handler.drop_mode_qlen], lengths);
        assert!(handler.process.is_some(), "{handler:?}");
        assert_eq!(seen.ports.unwrap().sockets, 0);
        if otp.release < 25 {
            return;
        }
        node.eval("register(talker, spawn(fun() -> Options = [{inet_backend, socket}, binary, {active, false}], {ok, Listen} = gen_tcp:listen(0, Options), {ok, Port} = inet:port(Listen), {ok, Out} = gen_tcp:connect({127, 0, 0, 1}, Port, Options), {ok, In} = gen_tcp:accept(Listen), ok = gen_tcp:send(Out, binary:copy(<<1>>, 7000)), {ok, _} = gen_tcp:recv(In, 7000), receive stop -> ok end end)), timer:sleep(500)");
        let ports = run(async { slow(&attach(&node, false).await).await }).ports.unwrap();
        assert_eq!(ports.sockets, 3, "{ports:?}");
        let kind = ports.by_kind.iter().find(|it| it.name == "socket tcp").unwrap();
        assert_eq!((kind.count, kind.input_bytes, kind.output_bytes), (3, 7000, 7000));
        let out = ports.top_by_bytes.iter().find(|it| it.output_bytes == 7000).unwrap();
        assert!(out.peer.as_deref().unwrap().starts_with("127.0.0.1:"), "{out:?}");
    });
}
