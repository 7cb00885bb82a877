//! Mailboxes against planted truth: kinds and counts are exact, service and busy time are those of
//! the program's own clock, others' tracing is untouched, nothing stays.

use std::time::Duration;

use giulia_model::{BusySource, Mailbox, MessageSource, Restored, ServerKind};
use giulia_probe::{AttachOptions, Link, MailboxOptions, dist, mailbox};
use giulia_testkit::{Node, Otp, for_each_otp};

use crate::{attach, has_signal_bugs, run, settled};

/// A server that takes 500 us for a `get`, and adds up by its own clock how long that was; a
/// client that waits until the server is traced and sends 210 of 300 messages as `{get, K}`
/// calls, 60 as `{put, K, V}` casts and 30 as `tick`.
const PLANTED: &str = r#"
Load = fun(M, Lines) ->
    Forms = lists:map(fun(Text) ->
        {ok, Tokens, _} = erl_scan:string(Text), {ok, Form} = erl_parse:parse_form(Tokens), Form end,
        Lines),
    {ok, M, Code} = compile:forms(Forms, []), {module, M} = code:load_binary(M, "m.erl", Code) end,
Load(shop, [
    "-module(shop).",
    "-export([start/0, init/1, handle_call/3, handle_cast/2, handle_info/2, client/1, other/1, plain/0]).",
    "start() -> gen_server:start({local, shop}, shop, [], []).",
    "init(_) -> persistent_term:put(busy, counters:new(1, [])), {ok, 0}.",
    "handle_call({get, _}, _, S) -> B = now_us(), spin(B + 500),
        counters:add(persistent_term:get(busy), 1, now_us() - B), {reply, S, S};
     handle_call(state, _, S) -> {reply, S, S}.",
    "handle_cast({put, _, _}, S) -> {noreply, S + 1}.",
    "handle_info(tick, S) -> {noreply, S + 1}.",
    "now_us() -> erlang:monotonic_time(microsecond).",
    "spin(Until) -> case now_us() >= Until of true -> ok; false -> spin(Until) end.",
    "traced(P) -> case erlang:function_exported(trace, session_info, 1) of
        true -> [_ | _] = trace:session_info(P); false -> {flags, [_ | _]} = erlang:trace_info(P, flags) end.",
    "wait(P) -> try traced(P) of _ -> timer:sleep(50) catch _:_ -> timer:sleep(5), wait(P) end.",
    "client(P) -> register(client, self()), wait(whereis(P)), lists:foreach(fun(I) -> send(P, I), timer:sleep(I rem 2) end, lists:seq(0, 299)).",
    "send(P, I) when I rem 10 < 7, P =:= shop -> gen_server:call(P, {get, I});
     send(P, I) when I rem 10 < 7 -> P ! {get, I};
     send(P, I) when I rem 10 < 9, P =:= shop -> gen_server:cast(P, {put, I, binary:copy(<<0>>, 100)});
     send(P, I) when I rem 10 < 9 -> P ! {put, I, binary:copy(<<0>>, 10000)};
     send(P, _) -> P ! tick.",
    "other(N) -> N + 1.",
    "plain() -> receive stop -> ok; _ -> plain() end."]),
{ok, _} = shop:start(), register(plain, spawn(shop, plain, [])),
Tracer = spawn(fun F() -> receive {take, From} -> From ! process_info(self(), messages), F() after 3600000 -> ok end end),
register(other_tool, Tracer),
register(theirs, spawn(fun F() -> receive {call, N} -> shop:other(N), F() end end)),
erlang:trace_pattern({shop, other, 1}, [{'_', [], [{message, {caller}}]}], [local]),
erlang:trace(whereis(theirs), true, [call, {tracer, Tracer}]),
catch code:ensure_loaded(trace)
"#;

/// What the other tool has set.
const THEIRS: &str =
    "{[erlang:trace_info({shop, other, 1}, K) || K <- [traced, match_spec, call_count]],
    [erlang:trace_info(whereis(theirs), K) || K <- [flags, tracer]]}";

async fn accepting(node: &Node) -> Link {
    let mut target = dist::Target::new(node.name().parse().unwrap());
    target.epmd_port = node.epmd_port();
    let config = dist::Config::new(dist::Cookie::new(node.cookie()));
    let options = AttachOptions { accept_vm_bug: true, ..AttachOptions::new(config) };
    Link::attach(&target, &options).await.unwrap()
}

fn seen(node: &Node, who: &str, window: Duration) -> Mailbox {
    run(async {
        let link = accepting(node).await;
        let subject = who.parse().unwrap();
        mailbox(&link, &subject, &MailboxOptions { window }, &|| false).await.unwrap()
    })
}

fn planted(otp: &Otp) -> Node {
    let node = Node::builder(otp).start();
    node.eval(PLANTED);
    node
}

fn kind<'m>(it: &'m Mailbox, via: &str, shape: &str) -> &'m giulia_model::MessageKind {
    let found = it.kinds.iter().find(|it| (it.via.as_str(), it.shape.as_str()) == (via, shape));
    found.unwrap_or_else(|| panic!("{via} {shape} in {it:?}"))
}

/// A look that saw all that the client sends: a host that has no time for it is given more.
fn seen_whole(node: &Node, who: &str) -> Mailbox {
    let mut it = None;
    for window in [2, 6, 18] {
        node.eval(&format!(
            "counters:put(persistent_term:get(busy), 1, 0), spawn(fun() -> shop:client({who}) end)"
        ));
        it = Some(seen(node, who, Duration::from_secs(window)));
        let is_over = node.eval("whereis(client)") == "undefined";
        node.eval("(fun F() -> case whereis(client) of undefined -> ok; _ -> timer:sleep(20), F() end end)()");
        if is_over {
            break;
        }
    }
    it.unwrap()
}

#[test]
fn a_servers_messages_are_counted_exactly_by_kind() {
    for_each_otp("mailbox::a_servers_messages_are_counted_exactly_by_kind", |otp| {
        let node = planted(otp);
        // A first visit, after which nothing is loaded any more.
        drop(seen(&node, "shop", Duration::from_millis(200)));
        let (before, theirs) = (settled(&node), node.eval(THEIRS));
        let it = seen_whole(&node, "shop");
        assert_eq!((it.server, it.source), (ServerKind::GenServer, MessageSource::Callbacks));
        assert_eq!(it.callback.as_deref(), Some("shop"));
        assert!(it.complete && it.samples == 1, "{it:?}");
        let counts = [("call", "{get, _}"), ("cast", "{put, _, _}"), ("info", "tick")]
            .map(|(via, shape)| kind(&it, via, shape).count);
        assert_eq!((counts, it.messages), ([210, 60, 30], 300), "{:?}", it.kinds);
        let put = kind(&it, "cast", "{put, _, _}").size.unwrap();
        assert_eq!((put.p50, put.max), (100, 100));
        // By its own clock, 105 ms and what interrupted it.
        let truth: f64 = node.eval("counters:get(persistent_term:get(busy), 1)").parse().unwrap();
        let service = kind(&it, "call", "{get, _}").service.unwrap();
        assert_eq!(service.count, 210);
        let (sum, most) = (service.mean_us * 210.0, truth * 1.1 + 210.0 * 20.0);
        assert!((truth..most).contains(&sum), "{sum} us against {truth} us");
        let busy = it.busy.unwrap();
        assert_eq!(busy.source, BusySource::RunningOrInCallback);
        let busy_us = busy.share * it.seen_ms * 1000.0;
        let most = truth * 1.2 + 300.0 * 100.0;
        assert!((truth..most).contains(&busy_us), "{busy_us} us against {truth} us");
        assert!(it.waiting.is_some() && it.mailbox.unwrap().looks > 10, "{it:?}");
        assert!(!it.changes.is_empty());
        assert!(it.changes.iter().all(|it| it.restored == Restored::Yes), "{:?}", it.changes);
        assert_eq!(node.eval(THEIRS), theirs);
        node.eval("theirs ! {call, 1}, theirs ! {call, 2}, timer:sleep(50)");
        let told = node.eval("other_tool ! {take, self()}, receive {messages, M} -> length(M) end");
        assert_eq!(told, "2");
        let rest = before.diff(&settled(&node)).without(&["modules", "atoms", "nodes_known"]);
        assert!(rest.is_empty(), "{rest}");
    });
}

#[test]
fn a_plain_process_is_seen_by_what_it_receives() {
    for_each_otp("mailbox::a_plain_process_is_seen_by_what_it_receives", |otp| {
        let node = planted(otp);
        let it = seen_whole(&node, "plain");
        assert_eq!((it.server, it.source), (ServerKind::Plain, MessageSource::Receive));
        assert!(it.complete, "{it:?}");
        let counts = ["{get, _}", "tick"].map(|shape| kind(&it, "message", shape).count);
        assert_eq!((counts, it.messages), ([210, 30], 300), "{:?}", it.kinds);
        // Above the limit of what travels, known by its size alone.
        let large = kind(&it, "message", "too large to look at");
        assert_eq!(large.count, 60);
        assert!((10_000..10_400).contains(&large.size.unwrap().max), "{large:?}");
        let busy = it.busy.unwrap();
        assert!(busy.source == BusySource::Running && busy.share < 0.2, "{busy:?}");
        assert_eq!(node.residue().values("trace_patterns").len(), 1);
        assert_eq!(node.eval("erlang:trace_info(whereis(plain), flags)"), "{flags,[]}");
    });
}

#[test]
fn what_a_bug_of_the_vm_forbids_is_not_done_and_said() {
    for_each_otp("mailbox::what_a_bug_of_the_vm_forbids_is_not_done_and_said", |otp| {
        let node = planted(otp);
        let it = run(async {
            let link = attach(&node, false).await;
            let options = MailboxOptions { window: Duration::from_millis(300) };
            mailbox(&link, &"shop".parse().unwrap(), &options, &|| false).await.unwrap()
        });
        let is_off = has_signal_bugs(otp);
        assert_eq!(it.source == MessageSource::Nothing, is_off, "{it:?}");
        assert_eq!(it.not_seen.iter().any(|it| it.why.contains("--accept-vm-bug")), is_off);
        assert!(!it.complete || !is_off);
        let refused = run(async {
            let link = attach(&node, true).await;
            let options = MailboxOptions { window: Duration::from_millis(300) };
            mailbox(&link, &"shop".parse().unwrap(), &options, &|| false).await.unwrap()
        });
        assert_eq!(refused.source, MessageSource::Nothing);
        assert!(refused.not_seen.iter().any(|it| it.why.contains("--no-eval")), "{refused:?}");
    });
}

/// Kills tracers of ours as the VM does for their memory: the processes that are neither custodian
/// nor sentinel, which trap exits.
const KILLER: &str = "register(killer, spawn(fun() ->
    Sinks = fun() -> [P || P <- processes(), {group_leader, G} <- [process_info(P, group_leader)], node(G) =/= node(),
                           process_info(P, [priority, trap_exit]) =:= [{priority, high}, {trap_exit, false}]] end,
    Kill = fun Kill(0) -> ok;
               Kill(N) -> case Sinks() of
                   [] -> timer:sleep(5), Kill(N);
                   All -> timer:sleep(40), [exit(It, kill) || It <- All], Kill(N - 1)
               end
           end,
    Kill(~TIMES~) end)), ok";

#[test]
fn a_tracer_that_is_ended_for_its_memory_is_followed_by_a_smaller_one() {
    for_each_otp("mailbox::a_tracer_that_is_ended_for_its_memory_is_followed", |otp| {
        let node = planted(otp);
        node.eval("spawn(fun F() -> catch gen_server:cast(shop, {put, 1, a}), timer:sleep(5), F() end), ok");
        let looked = |times: &str| {
            node.eval(&KILLER.replace("~TIMES~", times));
            let it = seen(&node, "shop", Duration::from_secs(3));
            node.eval("catch exit(whereis(killer), kill), timer:sleep(20)");
            assert!(it.changes.iter().all(|it| it.restored == Restored::Yes), "{:?}", it.changes);
            it
        };
        let it = looked("1");
        let is_told = |it: &Mailbox| it.not_seen.iter().any(|it| it.why.contains("more memory"));
        assert!(is_told(&it) && !it.complete && it.samples >= 1, "{it:?}");
        assert!(kind(&it, "cast", "{put, _, _}").count > 10 && it.seen_ms < it.window_ms, "{it:?}");
        // It is not tried for ever.
        let it = looked("100");
        assert!(is_told(&it) && it.mailbox.is_some(), "{it:?}");
        assert_eq!((it.messages, it.samples, it.source), (0, 0, MessageSource::Nothing), "{it:?}");
        assert_eq!(node.residue().values("trace_patterns").len(), 1);
    });
}

#[test]
fn a_flooded_server_is_sampled_and_says_so_and_a_second_visit_makes_no_atom() {
    for_each_otp("mailbox::a_flooded_server_is_sampled_and_says_so", |otp| {
        let node = planted(otp);
        drop(seen(&node, "shop", Duration::from_millis(200)));
        let atoms = settled(&node).count("atoms");
        node.eval("register(flood, spawn(fun F() -> [gen_server:cast(shop, {put, I, a}) || I <- [1,2,3,4,5,6,7,8,9]],
            shop ! tick, sys:get_state(shop), F() end)), timer:sleep(20)");
        let atoms_flooded = settled(&node).count("atoms");
        let it = seen(&node, "shop", Duration::from_millis(1500));
        assert_eq!(settled(&node).count("atoms"), atoms_flooded, "{atoms}");
        eprintln!("OTP {}: {} samples, not seen: {:?}", otp.release, it.samples, it.not_seen);
        assert!(!it.complete && it.samples >= 4, "{it:?}");
        assert!(it.seen_ms < it.window_ms && it.messages > 1000, "{it:?}");
        let put = kind(&it, "cast", "{put, _, _}");
        assert!((put.share - 0.9).abs() < 0.03, "{put:?}");
        assert!(it.busy.unwrap().share > 0.2, "{:?}", it.busy);
    });
}
