//! ETS rates against planted truth: exact per function, sampled per table and caller, nothing left.

use std::time::Duration;

use giulia_model::{EtsAccess, EtsRates, EtsTableRate, Restored};
use giulia_probe::{AttachOptions, EtsRatesOptions, Link, dist, ets_rates};
use giulia_testkit::{Node, Otp, for_each_otp};

use crate::{attach, has_signal_bugs, run, settled};

/// Two tables and two callers of each: of ten calls on `cart` nine read (`shop:find/1`) and one
/// writes a long list (`shop:keep/1`); of ten on the unnamed `stock` five read (`shop:seen/2`) and
/// five write something short (`shop:sold/2`). Somebody else makes exactly 40,000 and 10,000 calls
/// of two other functions in the middle of the counting.
const PLANTED: &str = r#"
Load = fun(M, Lines) ->
    Forms = lists:map(fun(Text) ->
        {ok, Tokens, _} = erl_scan:string(Text), {ok, Form} = erl_parse:parse_form(Tokens), Form end,
        Lines),
    {ok, M, Code} = compile:forms(Forms, []), {module, M} = code:load_binary(M, "m.erl", Code) end,
Load(shop, [
    "-module(shop).", "-export([cart/0, stock/1, exact/0]).",
    "cart() -> [find(K) || K <- lists:seq(1, 9)], keep(1), timer:sleep(2), cart().",
    "stock(T) -> [seen(T, K) || K <- lists:seq(1, 5)], [sold(T, K) || K <- lists:seq(1, 5)], timer:sleep(2), stock(T).",
    "find(K) -> case ets:lookup(cart, K) of [{_, V}] -> V; [] -> none end.",
    "keep(K) -> true = ets:insert(cart, {K, lists:seq(1, 100)}), ok.",
    "seen(T, K) -> case ets:member(T, K) of true -> yes; false -> no end.",
    "sold(T, K) -> true = ets:insert(T, {K, K}), ok.",
    "is_armed() -> case erlang:function_exported(trace, session_info, 1) of
        true -> [] =/= trace:session_info({ets, info, 2});
        false -> {call_count, false} =/= erlang:trace_info({ets, info, 2}, call_count) end.",
    "wait() -> case is_armed() of true -> ok; false -> timer:sleep(2), wait() end.",
    "exact() -> wait(), timer:sleep(500),
        [ets:info(cart, size) || _ <- lists:seq(1, 40000)],
        [ets:whereis(cart) || _ <- lists:seq(1, 10000)]."]),
catch code:ensure_loaded(trace),
register(holder, spawn(fun() ->
    ets:new(cart, [named_table, public]), ets:insert(cart, {1, x}), T = ets:new(stock, [public, {write_concurrency, true}]),
    spawn(shop, cart, []), spawn(shop, stock, [T]),
    receive stop -> ok end end)),
timer:sleep(50)
"#;

async fn link(node: &Node, accept_vm_bug: bool) -> Link {
    let mut target = dist::Target::new(node.name().parse().unwrap());
    target.epmd_port = node.epmd_port();
    let config = dist::Config::new(dist::Cookie::new(node.cookie()));
    let options = AttachOptions { accept_vm_bug, ..AttachOptions::new(config) };
    Link::attach(&target, &options).await.unwrap()
}

fn seen(node: &Node, accept_vm_bug: bool) -> EtsRates {
    let mut it = None;
    // A host that has no time for enough looks is given more.
    for window in [2, 6, 18] {
        node.eval("spawn(shop, exact, [])");
        let options = EtsRatesOptions { window: Duration::from_secs(window), table: None };
        let rates = run(async { ets_rates(&link(node, accept_vm_bug).await, &options).await });
        let rates = rates.unwrap();
        let is_whole =
            rates.sample.calls >= 300 && rates.tables.iter().all(|it| it.reads.is_some());
        it = Some(rates);
        if is_whole {
            break;
        }
    }
    it.unwrap()
}

fn planted(otp: &Otp) -> Node {
    let node = Node::builder(otp).start();
    node.eval(PLANTED);
    node
}

fn table<'r>(it: &'r EtsRates, name: &str) -> &'r EtsTableRate {
    let found = it.tables.iter().find(|it| it.name == name);
    found.unwrap_or_else(|| panic!("{name} in {:?} {:?}", it.tables, it.not_seen))
}

fn calls(it: &EtsRates, function: &str) -> u64 {
    let found = it.functions.iter().find(|it| it.function == function);
    found.unwrap_or_else(|| panic!("{function} in {:?}", it.functions)).calls
}

#[test]
fn rates_are_exact_and_shares_are_those_planted() {
    for_each_otp("ets_rates::rates_are_exact_and_shares_are_those_planted", |otp| {
        let node = planted(otp);
        let before = settled(&node);
        let it = seen(&node, true);
        assert_eq!(calls(&it, "info/2"), 40_000, "{:?}", it.functions);
        assert_eq!(calls(&it, "whereis/1"), 10_000, "{:?}", it.functions);
        let lookup = it.functions.iter().find(|it| it.function == "lookup/2").unwrap();
        assert_eq!((lookup.does, lookup.left_out.as_deref()), (EtsAccess::Read, None));
        let (cart, stock) = (table(&it, "cart"), table(&it, "stock"));
        let callers = |it: &EtsTableRate| {
            let named = it.callers.iter().filter_map(|it| it.function.as_ref());
            named.map(|it| it.function.clone()).collect::<Vec<_>>()
        };
        let near = |it: &EtsTableRate, expected: f64| {
            let share = it.read_share.unwrap();
            // The interval misses one time in twenty: a little is added.
            let (low, high) = (share.low - 0.04, share.high + 0.04);
            assert!((low..high).contains(&expected) && high - low < 0.45, "{it:?}");
        };
        if has_signal_bugs(otp) {
            // Who is flagged cannot be known there, so writes are not sampled.
            assert!(cart.writes.is_none() && cart.reads.unwrap().value > 0.0, "{cart:?}");
            assert_eq!(callers(cart), ["find"]);
        } else {
            near(cart, 0.9);
            near(stock, 0.5);
            assert_eq!(callers(cart), ["find", "keep"]);
            let mut both = callers(stock);
            both.sort_unstable();
            assert_eq!(both, ["seen", "sold"]);
        }
        let options = stock.table.as_ref().unwrap();
        assert_eq!((options.named, options.write_concurrency.as_deref()), (false, Some("true")));
        assert!(it.changes.iter().all(|it| it.restored == Restored::Yes), "{:?}", it.changes);
        let rest =
            before.diff(&settled(&node)).without(&["modules", "atoms", "nodes_known", "processes"]);
        assert!(rest.is_empty(), "{rest}");
    });
}

#[test]
fn where_processes_may_not_be_flagged_writes_are_not_guessed() {
    for_each_otp("ets_rates::where_processes_may_not_be_flagged_writes_are_not_guessed", |otp| {
        let node = planted(otp);
        let it = seen(&node, false);
        let (cart, is_off) = (table(&it, "cart"), has_signal_bugs(otp));
        assert_eq!(cart.writes.is_none(), is_off, "{cart:?}");
        assert!(cart.reads.unwrap().value > 0.0, "{cart:?}");
        assert_eq!(it.not_seen.iter().any(|it| it.why.contains("trace flags")), is_off);
    });
}

#[test]
fn what_another_tool_counts_is_left_to_it() {
    for_each_otp("ets_rates::what_another_tool_counts_is_left_to_it", |otp| {
        let node = planted(otp);
        // Another tracer of one process, and another counter, of the old interface.
        node.eval(
            "register(tool, spawn(fun() -> receive stop -> ok end end)),
            register(theirs, spawn(fun F() -> ets:lookup(cart, 1), timer:sleep(1), F() end)),
            erlang:trace(whereis(theirs), true, [call, {tracer, whereis(tool)}]),
            erlang:trace_pattern({ets, member, 2}, true, [call_count])",
        );
        let theirs = "{erlang:trace_info(whereis(theirs), flags), erlang:trace_info(whereis(theirs), tracer),
            element(1, erlang:trace_info({ets, member, 2}, call_count)),
            is_integer(element(2, erlang:trace_info({ets, member, 2}, call_count)))}";
        let (before, count) =
            (node.eval(theirs), "element(2, erlang:trace_info({ets, member, 2}, call_count))");
        let first: u64 = node.eval(count).parse().unwrap();
        let it = seen(&node, true);
        assert_eq!(node.eval(theirs), before);
        assert!(node.eval(count).parse::<u64>().unwrap() > first, "their counter stands still");
        let member = it.functions.iter().any(|it| it.function == "member/2");
        let release = otp.release;
        // Before OTP 27, and where sessions share a built-in function, it is left alone.
        assert_eq!(member, release >= 29, "{:?}", it.functions);
        assert_eq!(it.not_seen.iter().any(|it| it.why.contains("member/2")), !member);
        if release == 23 {
            assert!(
                it.not_seen.iter().any(|it| it.why.contains("another tool traces 1 process")),
                "{:?}",
                it.not_seen
            );
        }
    });
}

#[test]
fn without_evaluation_it_is_refused_with_the_reason() {
    for_each_otp("ets_rates::without_evaluation_it_is_refused_with_the_reason", |otp| {
        let node = Node::builder(otp).start();
        let options = EtsRatesOptions { window: Duration::from_secs(1), table: None };
        let refused = run(async { ets_rates(&attach(&node, true).await, &options).await });
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("--no-eval"), "{text}");
    });
}
